//! What all programs of the benchmark have in common: what is to be done, and with what.
//!
//! A client is called `client WORK COUNT PORT`. It connects to 127.0.0.1, subscribes to
//! [`COMMANDS`] if the work is to receive, does the work with `COUNT` messages, and ends.

mod buffered;

use std::env;
use std::str::FromStr;

pub use buffered::{Buffered, block_on};

/// Where messages are published.
pub const TOPIC: &str = "bench/out";

/// Where messages come from.
pub const COMMANDS: &str = "bench/in";

/// What each message carries.
pub const PAYLOAD: [u8; 64] = *b"sixty-four bytes, as much as a sensor or switch ever has to say.";

/// Bytes of each buffer of a client.
pub const BUFFER: usize = 4096;

/// What a client is to do with each message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Publish it at QoS 0; it is given to the operating system before the next one begins.
    PublishQos0,
    /// Publish it at QoS 1, with so many in flight at once.
    PublishQos1(usize),
    /// Receive it at QoS 0.
    ReceiveQos0,
    /// Receive it at QoS 0, and publish another at QoS 0 in reply.
    Reply,
    /// Publish it at QoS 0, as many together as the client takes.
    BatchQos0,
    /// Publish it at QoS 1, [`BATCH`] together, which are acknowledged together.
    BatchQos1,
}

/// Messages of QoS 1 that are published together.
pub const BATCH: usize = 16;

impl FromStr for Work {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Ok(match name {
            "publish-qos0" => Work::PublishQos0,
            "publish-qos1-1" => Work::PublishQos1(1),
            "publish-qos1-16" => Work::PublishQos1(16),
            "receive-qos0" => Work::ReceiveQos0,
            "reply" => Work::Reply,
            "batch-qos0" => Work::BatchQos0,
            "batch-qos1" => Work::BatchQos1,
            _ => return Err(format!("there is no work named {name}")),
        })
    }
}

impl Work {
    /// Messages in flight at once.
    pub fn window(self) -> usize {
        match self {
            Work::PublishQos1(window) => window,
            Work::BatchQos1 => BATCH,
            _ => 1,
        }
    }

    /// Whether the client has to subscribe to [`COMMANDS`].
    pub fn receives(self) -> bool {
        matches!(self, Work::ReceiveQos0 | Work::Reply)
    }
}

/// A word of the command line, read as what it should be.
///
/// # Panics
///
/// If it is not there, or is something else.
pub fn argument<T: FromStr>(index: usize) -> T {
    let word = env::args().nth(index).unwrap_or_default();
    let Ok(value) = word.parse() else {
        panic!("argument {index} is wrong: {word:?}");
    };
    value
}

/// What the command line of a client says.
#[derive(Clone, Copy, Debug)]
pub struct Job {
    /// What to do with each message.
    pub work: Work,
    /// How many messages.
    pub count: usize,
    /// Where the responder listens.
    pub port: u16,
}

impl Job {
    /// Reads the command line.
    pub fn from_arguments() -> Self {
        Job {
            work: argument(1),
            count: argument(2),
            port: argument(3),
        }
    }
}
