//! The log as it is carried over a power cut.

use super::{Entry, Outbox, behind};
use crate::packet::publish::DUP;
use crate::packet::{FixedHeader, PacketIdentifier, Qos, ack, first, u16_at};

impl Outbox<'_> {
    /// Writes the packets the session remembers to `image`, one after the other, and returns their
    /// length; `None` if they do not fit. Each message may have been sent by the time it is read.
    pub fn save(&self, image: &mut [u8]) -> Option<usize> {
        let mut length = 0;
        let mut at = self.start;
        while let Some(entry) = self.entry(at) {
            if entry.outlives_connection() {
                let first = append(image, &mut length, self.buffer.get(at..entry.end)?)?;
                if entry.is_publish() {
                    *first |= DUP;
                }
            }
            at = entry.end;
        }
        // The oldest first.
        for pubrec in self.buffer.get(self.floor()..)?.rchunks(ack::LENGTH) {
            append(image, &mut length, pubrec)?;
        }
        Some(length)
    }

    /// Takes the place of the log; `false`, and it is empty, if these are not packets a session
    /// remembers, or too many of them.
    pub fn load(&mut self, packets: &[u8], next: PacketIdentifier) -> bool {
        self.clear();
        let is_taken = self.take(packets).is_some();
        if !is_taken {
            self.clear();
        }
        self.next = next.value();
        self.free = 0;
        self.rewind();
        is_taken
    }

    fn take(&mut self, packets: &[u8]) -> Option<()> {
        self.buffer
            .get_mut(..packets.len())?
            .copy_from_slice(packets);
        self.end = packets.len();
        let mut at = 0;
        while at < self.end {
            let entry = self.entry(at).filter(|entry| entry.end <= self.end)?;
            let is_right = match entry.first {
                // What is no mere identifier refuses, and does not stay.
                first::PUBREL | first::PUBREC => entry.end - at == ack::LENGTH,
                first => is_kept_publish(first) && self.is_publish_whole(&entry),
            };
            let identifier = PacketIdentifier::new(entry.identifier)?;
            if !is_right {
                return None;
            }
            if entry.first == first::PUBREC {
                if self.is_received(identifier) {
                    return None;
                }
                self.remove(&entry);
                self.close_gap();
                self.remember(identifier);
            } else {
                at = entry.end;
            }
        }
        // What the server has to acknowledge leaves room to acknowledge what it sends before that.
        (self.end + behind::PACKET <= self.buffer.len()).then_some(())
    }

    /// Whether topic and identifier lie within the packet.
    fn is_publish_whole(&self, entry: &Entry) -> bool {
        let packet = self.buffer.get(entry.at..entry.end).unwrap_or_default();
        let Some(header) = FixedHeader::decode(packet) else {
            return false;
        };
        4 + u16_at(packet, header.length) as usize <= header.remaining
    }

    /// Bytes of packets that can be loaded.
    pub fn capacity(&self) -> usize {
        self.buffer.len()
    }

    /// The next identifier to be used.
    pub fn next(&self) -> PacketIdentifier {
        PacketIdentifier::new(self.next).unwrap_or(PacketIdentifier::FIRST)
    }
}

/// Returns the first of the bytes in their new place.
fn append<'i>(image: &'i mut [u8], length: &mut usize, packet: &[u8]) -> Option<&'i mut u8> {
    let to = image.get_mut(*length..*length + packet.len())?;
    to.copy_from_slice(packet);
    *length += packet.len();
    to.first_mut()
}

fn is_kept_publish(first: u8) -> bool {
    let qos = Qos::from_bits(first >> 1 & 3);
    first & 0xf0 == first::PUBLISH && matches!(qos, Some(Qos::AtLeastOnce | Qos::ExactlyOnce))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_that_is_done_is_no_packet_to_be_loaded() {
        assert!(!is_kept_publish(0) && !is_kept_publish(0x30) && is_kept_publish(0x3b));
    }
}
