//! What the server takes at once (MQTT 5, section 4.9).
//!
//! The window counts messages of QoS 1 and 2 that are queued or in flight. No more are taken than
//! the server allows; but what was in flight on the connection before may be more than it allows on
//! this one. Then sending stops at a barrier before the first that is too many, and what is no message
//! goes before it.

use core::mem;

use super::{Entry, NoRoom, Outbox, first};

/// As many as there are packet identifiers.
const NO_LIMIT: u16 = u16::MAX;

pub(super) struct Window {
    maximum: u16,
    /// Bytes of the largest packet.
    packet_size: usize,
    /// One that was received by the server has its place kept for its PUBREL.
    is_place_kept: bool,
    /// Where sending stops for now.
    pub barrier: usize,
}

impl Window {
    pub const OPEN: Window = Window {
        maximum: NO_LIMIT,
        packet_size: usize::MAX,
        is_place_kept: false,
        barrier: usize::MAX,
    };
}

impl Entry {
    /// Whether it counts. Also a PUBREL: its message is not over. The mark of a message has type 0.
    fn counts(&self) -> bool {
        self.stays() && matches!(self.first & 0xf0, 0 | first::PUBLISH | 0x60)
    }
}

impl Outbox<'_> {
    /// Whether the server takes one more message of QoS 1 or 2.
    pub fn has_window(&self) -> bool {
        let maximum = self.window.maximum;
        let kept = self.window.is_place_kept as usize;
        maximum == NO_LIMIT || self.count(Entry::counts) + kept < maximum as usize
    }

    /// Whether the server takes a packet of this size.
    pub fn check_size(&self, length: usize) -> Result<(), NoRoom> {
        match length > self.window.packet_size {
            true => Err(NoRoom::Ever),
            false => Ok(()),
        }
    }

    /// No limit, until the server gives one.
    pub(super) fn open_window(&mut self) {
        self.window = Window::OPEN;
    }

    /// The server takes so many at once, packets of at most this size, and messages whose first byte it
    /// `takes`. Other messages are forgotten. Before anything was sent on this connection.
    pub fn set_window(&mut self, maximum: u16, packet_size: usize, takes: impl Fn(u8) -> bool) {
        let mut at = self.start;
        while let Some(entry) = self.entry(at) {
            if entry.is_publish() && (entry.end - at > packet_size || !takes(entry.first)) {
                self.remove(&entry);
            }
            at = entry.end;
        }
        self.window.maximum = maximum;
        self.window.packet_size = packet_size;
        if maximum < NO_LIMIT {
            self.place_barrier();
        }
    }

    /// So many bytes before the barrier are gone.
    pub(super) fn barrier_down(&mut self, length: usize) {
        if self.window.barrier < usize::MAX {
            self.window.barrier = self.window.barrier.saturating_sub(length);
        }
    }

    /// Moves a packet down to this place between two others.
    fn move_down(&mut self, entry: &Entry, to: usize) {
        let span = self.buffer.get_mut(to..entry.end).unwrap_or_default();
        for _ in entry.at..entry.end {
            // By one: each byte takes the place behind it, the last one the first place.
            let mut carried = span.last().copied().unwrap_or_default();
            for byte in &mut *span {
                carried = mem::replace(byte, carried);
            }
        }
    }

    /// Whether sending stops at a barrier.
    #[cfg(feature = "stream")]
    pub(super) fn is_held_up(&self) -> bool {
        self.window.barrier < usize::MAX
    }

    /// Something was queued or answered: moves the barrier, if there is one, to where it belongs.
    #[inline]
    pub fn advance_window(&mut self) {
        if self.window.barrier < usize::MAX {
            self.place_barrier();
        }
    }

    /// The barrier is before the first message that is too many. What is behind it and no message, waits
    /// for nothing [MQTT-3.3.4-8], and goes before it.
    fn place_barrier(&mut self) {
        // Wherever they stand, messages that go on with a PUBREL have their place.
        let going_on = self.count(|entry| entry.first == first::PUBREL && entry.stays());
        let going_on = going_on + self.window.is_place_kept as usize;
        let mut room = (self.window.maximum as usize).saturating_sub(going_on);
        let mut barrier = usize::MAX;
        let mut at = self.start;
        while let Some(entry) = self.entry(at) {
            at = entry.end;
            if !entry.is_publish() {
                if barrier < usize::MAX {
                    self.move_down(&entry, barrier);
                    barrier += entry.end - entry.at;
                }
            } else if entry.stays() && barrier == usize::MAX {
                if room == 0 && entry.at >= self.sent {
                    barrier = entry.at;
                }
                room = room.saturating_sub(1);
            }
        }
        self.window.barrier = barrier;
    }

    /// The message that is settled next goes on with a PUBREL, which is to take its place.
    pub fn keep_place(&mut self) {
        self.window.is_place_kept = true;
    }

    /// The PUBREL is queued, or there was no such message.
    pub fn release_place(&mut self) {
        self.window.is_place_kept = false;
    }
}
