#![doc = include_str!("../README.md")]
#![no_std]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

#[cfg(not(any(feature = "v3", feature = "v5")))]
compile_error!("umqtt needs at least one of the features `v3` and `v5`");

#[cfg(feature = "std")]
extern crate std as libstd;

pub mod asynch;
mod backlog;
mod backoff;
pub mod blocking;
mod clock;
mod error;
#[cfg(any(doc, doctest))]
#[doc = include_str!("../docs/guide.md")]
pub mod guide {
    use super::*;
}
mod inbox;
mod keep_alive;
mod outbox;
mod packet;
mod reconnect;
mod router;
mod session;
#[cfg(feature = "v3")]
pub mod simple;
mod split;
#[cfg(feature = "std")]
pub mod std;
mod time;
mod topic;

pub use backlog::{Backlog, BacklogError, BacklogPolicy};
pub use backoff::Backoff;
pub use clock::{Clock, Timer};
#[cfg(feature = "v5")]
pub use error::QueueError;
#[cfg(feature = "stream")]
pub use error::StreamError;
pub use error::{ClientError, ConnectError, Error, NotConnected, PublishError, SubscribeError};
pub use packet::connect::{Connect, Credentials, Oversize};
pub use packet::properties::{Properties, Property, PropertyList};
pub use packet::publish::{Message, Publish};
pub use packet::reason::ReasonCode;
pub use packet::subscribe::{ReasonCodes, RetainHandling, Subscription};
pub use packet::{PacketIdentifier, ProtocolError, Qos, Version};
pub use reconnect::{Reconnect, ReconnectError};
pub use router::{Route, dispatch};
#[cfg(feature = "stream")]
pub use session::Chunk;
pub use session::{Answer, Event, RestoreError, Session};
pub use split::Shared;
pub use time::Instant;
pub use topic::{TopicError, TopicFilter, TopicName};
