#![doc = include_str!("../README.md")]
#![no_std]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

#[cfg(feature = "std")]
extern crate std as libstd;

pub mod asynch;
pub mod blocking;
mod clock;
mod error;
mod inbox;
mod keep_alive;
mod outbox;
mod packet;
mod session;
pub mod simple;
#[cfg(feature = "std")]
pub mod std;
mod time;

pub use clock::{Clock, Timer};
pub use error::{ClientError, ConnectError, Error, NotConnected, PublishError, SubscribeError};
pub use packet::connect::{Connect, ConnectReturnCode, Credentials};
pub use packet::publish::{Message, Publish};
pub use packet::subscribe::{ReturnCodes, SubscribeFailure, Subscription};
pub use packet::{PacketIdentifier, ProtocolError, Qos};
pub use session::{Event, Session};
pub use time::Instant;
