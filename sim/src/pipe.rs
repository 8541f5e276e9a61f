//! One direction of a connection: bytes in order, in pieces, each in its own time.

use std::collections::VecDeque;

use crate::chance::Chance;

/// How a network treats what is sent.
#[derive(Clone, Copy)]
pub(crate) struct Manners {
    /// The least time a piece takes, in milliseconds.
    pub delay: u64,
    /// What may be added to it.
    pub jitter: u64,
    /// One in so many packets is cut in pieces at random.
    pub split: u64,
    /// How many bytes can be on their way before the sender must wait.
    pub window: usize,
}

#[derive(Default)]
pub(crate) struct Pipe {
    bytes: VecDeque<u8>,
    /// When each piece arrives, and how long it is; the first ones have arrived already.
    pieces: VecDeque<(u64, usize)>,
    /// Bytes that have arrived and were not taken yet.
    arrived: usize,
    /// When the last piece that was sent arrives.
    last: u64,
}

impl Pipe {
    /// How many more bytes can be sent now.
    pub fn room(&self, manners: &Manners) -> usize {
        manners.window.saturating_sub(self.bytes.len())
    }

    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// When everything that was sent will have arrived.
    pub fn last(&self) -> u64 {
        self.last
    }

    /// Nothing arrives before this.
    pub fn stall(&mut self, until: u64) {
        for (at, _) in &mut self.pieces {
            *at = (*at).max(until);
        }
        self.last = self.last.max(until);
    }

    /// Sends bytes; returns when the next piece arrives, if that was not said before.
    pub fn send(
        &mut self,
        bytes: &[u8],
        now: u64,
        manners: &Manners,
        chance: &mut Chance,
    ) -> Option<u64> {
        let quiet = self.pieces.is_empty();
        let mut rest = bytes.len();
        while rest > 0 {
            let length = if rest > 1 && chance.one_in(manners.split) {
                chance.between(1, rest as u64 - 1) as usize
            } else {
                rest
            };
            let at = now + manners.delay + chance.up_to(manners.jitter);
            self.last = self.last.max(at);
            self.pieces.push_back((self.last, length));
            rest -= length;
        }
        self.bytes.extend(bytes);
        self.pieces.front().filter(|_| quiet).map(|(at, _)| *at)
    }

    /// Lets arrive what is due; returns when the next piece is.
    pub fn arrive(&mut self, now: u64) -> Option<u64> {
        while let Some((at, length)) = self.pieces.front() {
            if *at > now {
                return Some(*at);
            }
            self.arrived += length;
            self.pieces.pop_front();
        }
        None
    }

    /// Takes what has arrived, as far as `buffer` has room.
    pub fn take(&mut self, buffer: &mut [u8]) -> usize {
        let count = self.arrived.min(buffer.len());
        let (front, back) = self.bytes.as_slices();
        let in_front = count.min(front.len());
        buffer[..in_front].copy_from_slice(&front[..in_front]);
        buffer[in_front..count].copy_from_slice(&back[..count - in_front]);
        self.drop_front(count);
        count
    }

    /// Takes all that has arrived.
    pub fn take_all(&mut self, to: &mut bytes::BytesMut) {
        let count = self.arrived;
        let (front, back) = self.bytes.as_slices();
        let in_front = count.min(front.len());
        to.extend_from_slice(&front[..in_front]);
        to.extend_from_slice(&back[..count - in_front]);
        self.drop_front(count);
    }

    fn drop_front(&mut self, count: usize) {
        self.arrived -= count;
        if count == self.bytes.len() {
            self.bytes.clear();
        } else {
            self.bytes.drain(..count);
        }
    }

    pub fn has_arrived(&self) -> bool {
        self.arrived > 0
    }
}
