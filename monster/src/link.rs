//! The connection to the broker: when to open it, how long to wait for each step, when to go.

use umqtt::{Instant, PacketIdentifier};

/// Milliseconds for TCP and TLS together.
pub(crate) const OPEN_TIMEOUT_MS: u64 = 5_000;
/// Milliseconds for CONNACK.
pub(crate) const CONNACK_TIMEOUT_MS: u32 = 5_000;
/// Milliseconds for SUBACK.
pub(crate) const SUBACK_TIMEOUT_MS: u64 = 5_000;
/// Milliseconds in which something must be received after a PINGREQ.
pub(crate) const PING_TIMEOUT_MS: u32 = 10_000;
/// Milliseconds to say goodbye in.
pub(crate) const PART_TIMEOUT_MS: u64 = 2_000;
/// Milliseconds from a failure to the restart, under `on_failure = "restart"`.
pub(crate) const RESTART_DELAY_MS: u64 = 10_000;

/// Where the device stands with its broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Link {
    /// There is no network.
    Down,
    /// No broker is set: there is nothing to connect to.
    NoBroker,
    /// The next attempt is made then.
    Waiting(Instant),
    /// The board opens the connection; it is given up then.
    Opening(Instant),
    /// CONNECT was sent; the session waits for CONNACK.
    Greeting,
    /// SUBSCRIBE was sent; its answer must come by then.
    Subscribing(PacketIdentifier, Instant),
    /// In dialogue.
    Online,
    /// In dialogue, to its end: what is left is said, and DISCONNECT; until then at the latest.
    Parting(Instant),
    /// A restart is due then.
    Failed(Instant),
    /// Nothing more will be done.
    Ended,
}

impl Link {
    /// Whether the board has a connection, or is opening one.
    pub fn is_open(self) -> bool {
        match self {
            Link::Opening(_)
            | Link::Greeting
            | Link::Subscribing(..)
            | Link::Online
            | Link::Parting(_) => true,
            Link::Down | Link::NoBroker | Link::Waiting(_) | Link::Failed(_) | Link::Ended => false,
        }
    }

    /// Whether the broker hears what is published.
    pub fn is_in_dialogue(self) -> bool {
        matches!(self, Link::Online | Link::Parting(_))
    }

    /// When something is to be done, whatever else happens.
    pub fn deadline(self) -> Option<Instant> {
        match self {
            Link::Waiting(at)
            | Link::Opening(at)
            | Link::Subscribing(_, at)
            | Link::Parting(at)
            | Link::Failed(at) => Some(at),
            Link::Down | Link::NoBroker | Link::Greeting | Link::Online | Link::Ended => None,
        }
    }
}
