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

#[derive(Clone, Copy)]
struct Entry {
    /// When; and of two at the same time, the one that was added first comes first.
    key: (u64, u64),
    home: u32,
    what: What,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl Eq for Entry {}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> Ordering {
        other.key.cmp(&self.key)
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// How many things are kept in order.
const NEAR: usize = 32;

/// Everything that is going to happen.
///
/// Most of what is added happens soon: that is kept in order, and is added near its end. What
/// happens later is kept in a heap until its time is near.
#[derive(Default)]
pub(crate) struct Agenda {
    /// The soonest last.
    near: Vec<Entry>,
    /// Nothing in it comes before any that is near.
    far: BinaryHeap<Entry>,
    number: u64,
}

impl Agenda {
    pub fn add(&mut self, at: u64, home: u32, what: What) {
        self.number += 1;
        let key = (at, self.number);
        let entry = Entry { key, home, what };
        if self.far.peek().is_some_and(|first| first.key < key) {
            self.far.push(entry);
            return;
        }
        let sooner = self.near.iter().rev().take_while(|it| it.key < key).count();
        self.near.insert(self.near.len() - sooner, entry);
        if self.near.len() > NEAR {
            self.far.extend(self.near.drain(..NEAR / 2));
        }
    }

    /// The next thing, with its time and its home.
    pub fn next(&mut self) -> Option<(u64, u32, What)> {
        if self.near.is_empty() {
            let soon = std::iter::from_fn(|| self.far.pop()).take(NEAR / 2);
            self.near.extend(soon);
            self.near.reverse();
        }
        let entry = self.near.pop()?;
        Some((entry.key.0, entry.home, entry.what))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chance::Chance;

    #[test]
    fn what_is_sooner_comes_first_and_of_two_at_once_the_one_that_was_added_first() {
        let mut chance = Chance::new(1);
        for size in [1, 10, 40, 1_000] {
            let mut agenda = Agenda::default();
            let mut expected = Vec::new();
            let mut now = 0;
            for number in 0..20_000 {
                let at = now + chance.magnitude(1, 10_000) - 1;
                agenda.add(at, number, What::Wake);
                expected.push((at, number));
                if expected.len() > size {
                    let first = *expected.iter().min().unwrap();
                    expected.retain(|it| *it != first);
                    assert_eq!(agenda.next(), Some((first.0, first.1, What::Wake)));
                    now = first.0;
                }
            }
        }
    }
}
