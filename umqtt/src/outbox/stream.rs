//! A message that is larger than the buffer, and so goes out in pieces.
//!
//! Its bytes stand behind the end of the log, and nothing is queued until the last of them was
//! sent. It cannot be sent again: what the log keeps of one of QoS 1 or 2 is a mark of four bytes
//! with its identifier, of type 0, which the standard reserves.

use super::{NoRoom, Outbox, behind};
use crate::packet::{MAX_REMAINING, PacketIdentifier, Qos, Writer, ack, packet_length};

/// A message on its way out.
pub(super) struct Stream {
    is_open: bool,
    /// Bytes behind the end of the log, sent or not.
    queued: usize,
    /// Bytes of the payload that are not here yet.
    missing: usize,
    /// First byte of the mark it leaves behind, with this identifier.
    mark: u8,
    identifier: Option<PacketIdentifier>,
}

impl Stream {
    pub const NONE: Stream = Stream {
        is_open: false,
        queued: 0,
        missing: 0,
        mark: 0,
        identifier: None,
    };

    pub fn is_open(&self) -> bool {
        self.is_open
    }

    pub fn queued(&self) -> usize {
        self.queued
    }
}

impl Outbox<'_> {
    /// Begins a message whose last `missing` bytes are still to come; the returned writer takes
    /// those before.
    pub fn push_stream(
        &mut self,
        first: u8,
        remaining: usize,
        missing: usize,
        qos: Qos,
    ) -> Result<(Writer<'_>, Option<PacketIdentifier>), NoRoom> {
        if remaining > MAX_REMAINING || missing > remaining {
            return Err(NoRoom::Ever);
        }
        let length = packet_length(remaining);
        #[cfg(feature = "v5")]
        self.check_size(length)?;
        // What cannot be sent before something is answered must not keep the answers away.
        #[cfg(feature = "v5")]
        if self.is_held_up() {
            return Err(NoRoom::Now);
        }
        let queued = length - missing;
        self.make_room(queued + behind::PACKET)?;
        let identified = qos != Qos::AtMostOnce;
        if identified && !self.has_identifier() {
            return Err(NoRoom::Now);
        }
        let identifier = identified.then(|| self.identify());
        self.stream = Stream {
            is_open: true,
            queued,
            missing,
            mark: (qos as u8) << 1,
            identifier,
        };
        let packet = self.buffer.get_mut(self.end..self.end + queued);
        let writer = Writer::packet(packet.unwrap_or_default(), first, remaining);
        Ok((writer, identifier))
    }

    /// Whether a message is on its way out in pieces.
    pub fn is_streaming(&self) -> bool {
        self.stream.is_open
    }

    /// Bytes of its payload that are not here yet.
    pub fn stream_missing(&self) -> usize {
        self.stream.missing
    }

    /// Where the next of them go.
    pub fn stream_space(&mut self) -> &mut [u8] {
        let start = self.end + self.stream.queued;
        let end = start.saturating_add(self.stream.missing);
        let end = self.floor().min(end);
        self.buffer.get_mut(start..end).unwrap_or_default()
    }

    /// `count` bytes were put at the front of [`stream_space`](Self::stream_space).
    pub fn streamed(&mut self, count: usize) {
        let count = count.min(self.stream_space().len());
        self.stream.queued += count;
        self.stream.missing -= count;
    }

    /// Takes notice of what was sent: all that is here frees its room, and all there is ends it.
    pub(super) fn stream_sent(&mut self) {
        if self.sent < self.limit() {
            return;
        }
        self.stream.queued = 0;
        self.sent = self.end;
        if self.stream.missing > 0 {
            return;
        }
        self.stream.is_open = false;
        if let Some(identifier) = self.stream.identifier {
            self.push(self.stream.mark, ack::LENGTH - 2)
                .u16(identifier.value());
            self.sent = self.end;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::first;

    #[test]
    fn a_write_that_ends_where_a_stream_begins_leaves_the_stream_where_it_is() {
        let mut buffer = [0; 64];
        let mut outbox = Outbox::new(&mut buffer);
        outbox.reserve(3, false).unwrap();
        outbox.push(first::PUBLISH, 3);
        let (mut writer, _) = outbox
            .push_stream(first::PUBLISH, 6, 2, Qos::AtMostOnce)
            .unwrap();
        writer.bytes(b"abcd");
        outbox.sent(5);
        let (buffer, unsent) = outbox.to_send();
        assert_eq!(&buffer[unsent], b"\x30\x06abcd");
        outbox.sent(6);
        assert_eq!(outbox.stream_space().len(), 2);
    }
}
