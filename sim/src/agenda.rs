//! What is going to happen, in order.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// What happens to one home.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// The device asked to be woken.
    Wake,
    /// Whether the connection that is being opened is open.
    Dialled { wire: u32, open: bool },
    /// Bytes arrive at the broker.
    Up { wire: u32 },
    /// Bytes arrive at the board.
    Down { wire: u32 },
    /// The board learns that the broker's end is closed.
    Hangup { wire: u32 },
    /// The broker looks whether it has heard of the client lately.
    Expire { wire: u32 },
    /// The broker sends again what was not acknowledged.
    Repeat { wire: u32 },
    /// A record is written, or is not.
    Stored { boot: u32, ticket: u32 },
    /// The sensor has answered.
    Measured { boot: u32 },
    /// Power.
    Boot,
    /// Somebody does something.
    Person,
    /// The level at the button changes.
    Button,
    /// Something bad happens to this home.
    Trouble,
    /// The board is told that its network is there again.
    NetworkBack { boot: u32 },
    /// Something bad happens to the broker.
    BrokerTrouble,
    /// The broker is back.
    BrokerBack,
    /// By now the device must be online, if nothing bad happened since.
    Calm { since: u64 },
    /// Somebody looks whether all is as it should be.
    Look,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Entry {
    at: u64,
    /// Of two at the same time, the one that was added first comes first.
    number: u64,
    home: u32,
    what: What,
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.number).cmp(&(self.at, self.number))
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Everything that is going to happen.
#[derive(Default)]
pub(crate) struct Agenda {
    heap: BinaryHeap<Entry>,
    number: u64,
}

impl Agenda {
    pub fn add(&mut self, at: u64, home: u32, what: What) {
        self.number += 1;
        self.heap.push(Entry {
            at,
            number: self.number,
            home,
            what,
        });
    }

    /// The next thing, with its time and its home.
    pub fn next(&mut self) -> Option<(u64, u32, What)> {
        let entry = self.heap.pop()?;
        Some((entry.at, entry.home, entry.what))
    }
}
