//! A small MQTT client (docs follow).
#![no_std]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod inbox;
mod keep_alive;
mod outbox;
mod packet;
mod session;
mod time;

pub use packet::connect::{Connect, ConnectReturnCode, Credentials};
pub use packet::publish::{Message, Publish};
pub use packet::subscribe::{ReturnCodes, SubscribeFailure, Subscription};
pub use packet::{PacketIdentifier, ProtocolError, Qos};
pub use session::{
    ConnectError, Error, Event, NotConnected, PublishError, Session, SubscribeError,
};
pub use time::Instant;
