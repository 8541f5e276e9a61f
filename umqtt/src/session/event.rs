//! What a session tells its caller.

use crate::packet::PacketIdentifier;
use crate::packet::publish::{Layout, Message};
use crate::packet::subscribe::ReturnCodes;

/// What happened, from [`Session::poll`](crate::Session::poll).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event<'a> {
    /// The server accepted the connection (CONNACK).
    Connected {
        /// Whether the server still had this client's session: if not, subscribe again.
        session_present: bool,
    },
    /// A message came in. One of QoS 1 or 2 is acknowledged by the next call of
    /// [`Session::poll`](crate::Session::poll): who comes back for more has taken this one.
    Message(Message<'a>),
    /// A message came in that is larger than the receive buffer; it is thrown away, and
    /// acknowledged so that it does not come back.
    TooLarge {
        /// Its topic name, unless that alone is larger than the buffer.
        topic: Option<&'a str>,
        /// Bytes of its payload.
        length: usize,
    },
    /// A message of QoS 1 or 2 has arrived at the server (PUBACK or PUBCOMP).
    Published(PacketIdentifier),
    /// The server answered a SUBSCRIBE, filter by filter (SUBACK).
    Subscribed(PacketIdentifier, ReturnCodes<'a>),
    /// The server took back the subscriptions of an UNSUBSCRIBE (UNSUBACK).
    Unsubscribed(PacketIdentifier),
    /// The server answered a PINGREQ.
    Pong,
}

/// What `Session::step` found: an [`Event`] that does not borrow yet.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    Connected { session_present: bool },
    Message { at: usize, layout: Layout },
    TooLarge { at: usize, layout: Layout },
    Headless { length: usize },
    Published(PacketIdentifier),
    Subscribed { at: usize, length: usize },
    Unsubscribed(PacketIdentifier),
    Pong,
}
