//! Messages of QoS 2 that the server has sent and not released (section 4.3.3).
//!
//! Of each, the PUBREC stands at the end of the send buffer, the newest in front: not to be sent, but to
//! be remembered. So a message that comes again is known, also over another connection.

use super::{Outbox, behind};
use crate::inbox::move_up;
use crate::packet::ack::LENGTH;
use crate::packet::{PacketIdentifier, Writer, first, u16_at};

impl Outbox<'_> {
    /// Where they begin.
    pub(super) fn floor(&self) -> usize {
        self.buffer.len() - self.received
    }

    /// Whether a message with this identifier was received, and not released since.
    pub fn is_received(&self, identifier: PacketIdentifier) -> bool {
        self.place(identifier).is_some()
    }

    /// Messages of QoS 2 from the server that can be remembered at most.
    #[cfg(feature = "v5")]
    pub fn remembers(&self) -> usize {
        self.buffer.len().saturating_sub(behind::PACKET) / LENGTH
    }

    /// Remembers it between two connections, though its PUBREC was not queued.
    pub fn remember_unanswered(&mut self, identifier: PacketIdentifier) {
        while self.make_room(behind::PACKET).is_err() && self.forget_received() {}
        self.remember(identifier);
    }

    /// Remembers it, once, if there is room.
    pub(super) fn remember(&mut self, identifier: PacketIdentifier) {
        if self.is_received(identifier) || self.floor() - self.end < LENGTH {
            return;
        }
        self.received += LENGTH;
        let floor = self.floor();
        let place = self.buffer.get_mut(floor..).unwrap_or_default();
        Writer::packet(place, first::PUBREC, LENGTH - 2).u16(identifier.value());
    }

    /// The server has released the message; `false` if there is no such.
    pub fn release(&mut self, identifier: PacketIdentifier) -> bool {
        match self.place(identifier) {
            Some(at) => {
                self.forget(at);
                true
            }
            None => false,
        }
    }

    /// Forgets the oldest, which will be delivered once more should the connection break before it is
    /// released; `false` if there is none.
    pub(super) fn forget_received(&mut self) -> bool {
        if self.received == 0 {
            return false;
        }
        self.forget(self.buffer.len() - LENGTH);
        true
    }

    /// Moves those before this place over it.
    fn forget(&mut self, at: usize) {
        let floor = self.floor();
        move_up(self.buffer, floor..at, LENGTH);
        self.received -= LENGTH;
    }

    fn place(&self, identifier: PacketIdentifier) -> Option<usize> {
        let mut at = self.floor();
        while at < self.buffer.len() {
            if u16_at(self.buffer, at + 2) == identifier.value() {
                return Some(at);
            }
            at += LENGTH;
        }
        None
    }
}
