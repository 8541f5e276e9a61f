//! The send buffer: a log of packets as they stand on the wire, in the order they were queued.
//!
//! A packet stays after it was sent for as long as it may have to be sent again, or for as long
//! as its packet identifier is in use. So the log is at once the send queue, the store of
//! messages in flight, the set of identifiers in use, and what a session must remember:
//!
//! | packet | stays until |
//! |---|---|
//! | PUBLISH of QoS 1 or 2 | PUBACK or PUBREC |
//! | PUBREL | PUBCOMP |
//! | PUBREC | PUBREL; it is the memory that its QoS 2 message was delivered. When they leave no room for another acknowledgement, the oldest is forgotten |
//! | SUBSCRIBE, UNSUBSCRIBE | SUBACK, UNSUBACK, or the end of the connection |
//! | the mark that a PUBLISH of QoS 1 or 2 was [streamed](stream) out | PUBACK or PUBREC, or the end of the connection |
//! | everything else | it was sent |
//!
//! ```text
//!   start            sent              end
//!     │ sent, waiting  │ to be sent      │
//! ────┴────────────────┴─────────────────┴──── free ───
//! ```

mod image;
mod stream;
#[cfg(feature = "v5")]
mod window;

use core::mem;

use crate::inbox::move_down;
use crate::packet::publish::DUP;
use crate::packet::reason::ReasonCode;
use crate::packet::{
    FixedHeader, MAX_REMAINING, PacketIdentifier, Reader, Writer, ack, first, packet_length,
};

/// Bytes that stay free behind a packet of each kind, so that a log full of messages in flight
/// still has room for the dialogue that empties it, and for the end: two acknowledgements, a
/// PINGREQ, DISCONNECT.
mod behind {
    use super::ack;

    pub const PACKET: usize = ACK + 2 * ack::LENGTH;
    pub const ACK: usize = PINGREQ + 2;
    pub const PINGREQ: usize = 2;
    pub const DISCONNECT: usize = 0;
}

/// First byte of a packet that is no longer needed: type 0, which the standard reserves.
const DONE: u8 = 0;

pub(crate) struct Outbox<'b> {
    buffer: &'b mut [u8],
    start: usize,
    sent: usize,
    end: usize,
    /// Packets of the log that are not done: that stay after they were sent.
    kept: usize,
    /// The next packet identifier to try.
    next: PacketIdentifier,
    /// So many identifiers from `next` on are known to be free.
    free: u16,
    /// A message that goes out in pieces, behind the end of the log.
    stream: Option<stream::Stream>,
    #[cfg(feature = "v5")]
    window: window::Window,
}

/// Why a packet was not queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoRoom {
    /// It would not fit into the empty log either.
    Ever,
    /// It will fit once others have been sent or acknowledged.
    Now,
}

/// What became of a PUBREC that is remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pubrec {
    Queued,
    Sent,
}

/// One packet of the log.
#[derive(Clone, Copy)]
struct Entry {
    at: usize,
    header: FixedHeader,
    identifier: Option<PacketIdentifier>,
}

impl Entry {
    fn end(&self) -> usize {
        self.at + self.header.packet_length()
    }

    /// Whether the packet is still needed after it was sent.
    fn stays(&self) -> bool {
        let is_over = match self.header.first {
            first::PUBACK | first::PUBCOMP | DONE => true,
            // With a reason code it refuses, and nothing follows.
            first::PUBREC | first::PUBREL => self.header.remaining > 2,
            _ => false,
        };
        self.identifier.is_some() && !is_over
    }

    /// Whether its identifier was chosen here; that of a PUBREC was chosen by the server.
    fn is_ours(&self) -> bool {
        self.stays() && self.header.first != first::PUBREC
    }

    /// Whether the session remembers it beyond the connection: all but SUBSCRIBE, UNSUBSCRIBE and
    /// what is not here to be sent again.
    fn outlives_connection(&self) -> bool {
        let first = self.header.first;
        self.stays() && !matches!(first, first::SUBSCRIBE | first::UNSUBSCRIBE | 0x00..=0x0f)
    }

    fn is_publish(&self) -> bool {
        is_publish(self.header.first)
    }
}

fn is_publish(first: u8) -> bool {
    first & 0xf0 == first::PUBLISH
}

/// What an acknowledgement answers: the first bytes, but for DUP and RETAIN, of the packet. Those
/// of a PUBLISH are also those of its mark, which is of type 0.
pub(crate) struct Answered {
    mask: u8,
    first: u8,
}

impl Answered {
    pub const PUBLISH_QOS1: Answered = Answered {
        mask: 0xc6,
        first: 0x02,
    };
    pub const PUBLISH_QOS2: Answered = Answered {
        mask: 0xc6,
        first: 0x04,
    };
    pub const PUBREC: Answered = Answered::exactly(first::PUBREC);
    pub const PUBREL: Answered = Answered::exactly(first::PUBREL);
    pub const SUBSCRIBE: Answered = Answered::exactly(first::SUBSCRIBE);
    pub const UNSUBSCRIBE: Answered = Answered::exactly(first::UNSUBSCRIBE);

    const fn exactly(first: u8) -> Self {
        Answered { mask: 0xff, first }
    }

    fn is(&self, first: u8) -> bool {
        first & self.mask == self.first
    }
}

const FIRST_IDENTIFIER: PacketIdentifier = match PacketIdentifier::new(1) {
    Some(identifier) => identifier,
    None => unreachable!(),
};

impl<'b> Outbox<'b> {
    pub fn new(buffer: &'b mut [u8]) -> Self {
        Outbox {
            buffer,
            start: 0,
            sent: 0,
            end: 0,
            kept: 0,
            next: FIRST_IDENTIFIER,
            free: u16::MAX,
            stream: None,
            #[cfg(feature = "v5")]
            window: window::Window::OPEN,
        }
    }

    /// Whether the buffer holds what the dialogue needs beside a packet.
    pub fn is_large_enough(&self) -> bool {
        self.buffer.len() >= behind::PACKET
    }

    /// The bytes to be sent.
    pub fn to_send(&self) -> &[u8] {
        self.buffer.get(self.sent..self.limit()).unwrap_or_default()
    }

    /// How far may be sent.
    fn limit(&self) -> usize {
        let end = self.end + self.stream_queued();
        #[cfg(feature = "v5")]
        let end = end.min(self.window.barrier);
        end
    }

    /// The first `count` bytes of [`to_send`](Self::to_send) were sent.
    pub fn sent(&mut self, count: usize) {
        self.sent = self.limit().min(self.sent.saturating_add(count));
        if self.stream.is_some() {
            self.stream_sent();
        }
        self.reset_if_done();
    }

    /// Goes back to the front of the buffer when all is sent and nothing stays: without a look at
    /// any packet, since that is where a client that sends at QoS 0 is after each of them.
    fn reset_if_done(&mut self) -> bool {
        // Of a stream, nothing may stand behind the end.
        let is_done = self.kept == 0 && self.sent == self.end && self.stream_queued() == 0;
        if is_done {
            self.start = 0;
            self.sent = 0;
            self.end = 0;
        }
        is_done
    }

    /// Whether no packet was sent in part, so that another one may follow.
    #[cfg(feature = "v5")]
    pub fn is_between_packets(&self) -> bool {
        let cut = |entry: &Entry| entry.at < self.sent && self.sent < entry.end();
        self.stream.is_none() && self.find(cut).is_none()
    }

    /// Forgets everything: a clean session, or the server has none. Identifiers go on.
    pub fn clear(&mut self) {
        self.start = 0;
        self.sent = 0;
        self.end = 0;
        self.kept = 0;
        self.free = u16::MAX;
        self.stream = None;
        #[cfg(feature = "v5")]
        self.open_window();
    }

    /// The connection is gone: what the session keeps is made ready to be sent again, with DUP
    /// where it may have been sent before; the rest is dropped.
    pub fn rewind(&mut self) {
        self.stream = None;
        self.sent = self.sent.min(self.end);
        let mut at = self.start;
        self.kept = 0;
        while let Some(entry) = self.entry(at) {
            self.kept += entry.outlives_connection() as usize;
            if !entry.outlives_connection() {
                self.mark(at, DONE);
            } else if entry.is_publish() && at < self.sent {
                self.mark(at, entry.header.first | DUP);
            }
            at = entry.end();
        }
        // As if all had been sent: then only what stays is left.
        self.sent = self.end;
        self.compact();
        // Every PUBREC goes to the front and counts as sent: the server asks again by itself.
        self.sent = self.start;
        let mut at = self.start;
        while let Some(entry) = self.entry(at) {
            if entry.header.first == first::PUBREC {
                self.move_down(&entry, self.sent);
                self.sent += ack::LENGTH;
            }
            at = entry.end();
        }
        #[cfg(feature = "v5")]
        self.open_window();
    }

    /// Remembers, between two connections, an acknowledgement that was not queued: that a message
    /// of QoS 2 was delivered (PUBREC), or that one was received by the server (PUBREL).
    pub fn remember(&mut self, first: u8, identifier: PacketIdentifier) {
        let is_known = first == first::PUBREC && self.received(identifier).is_some();
        if !is_known && self.push_ack(first, identifier, ReasonCode::SUCCESS) {
            self.rewind();
        }
    }

    /// Moves a small packet down to this place between two others.
    fn move_down(&mut self, entry: &Entry, to: usize) {
        let span = self.buffer.get_mut(to..entry.end()).unwrap_or_default();
        for _ in entry.at..entry.end() {
            // By one: each byte takes the place behind it, the last one the first place.
            let mut carried = span.last().copied().unwrap_or_default();
            for byte in &mut *span {
                carried = mem::replace(byte, carried);
            }
        }
    }

    /// Queues an acknowledgement; `false` when there is no room before others have been sent. Only
    /// MQTT 5 has a reason other than success.
    pub fn push_ack(
        &mut self,
        first: u8,
        identifier: PacketIdentifier,
        reason: ReasonCode,
    ) -> bool {
        let remaining = ack::LENGTH - 2 + (reason != ReasonCode::SUCCESS) as usize;
        let needed = 2 + remaining + behind::ACK;
        while self.make_room(needed).is_err() {
            if self.sent < self.limit() || self.stream.is_some() || !self.forget_received() {
                return false;
            }
        }
        let stays = matches!(first, first::PUBREC | first::PUBREL) && remaining == ack::LENGTH - 2;
        self.kept += stays as usize;
        let mut writer = self.push(first, remaining);
        writer.u16(identifier.value());
        writer.u8(reason.0);
        #[cfg(feature = "v5")]
        {
            if first == first::PUBREL && reason == ReasonCode::SUCCESS {
                self.take_place();
            }
            self.pass_barrier();
        }
        true
    }

    /// Queues PINGREQ, unless there is no room: then one is already on its way.
    pub fn push_pingreq(&mut self) {
        if self.make_room(2 + behind::PINGREQ).is_ok() {
            self.push(first::PINGREQ, 0);
            #[cfg(feature = "v5")]
            self.pass_barrier();
        }
    }

    /// Queues DISCONNECT, for which there is always room.
    pub fn push_disconnect(&mut self) {
        if self.make_room(2 + behind::DISCONNECT).is_ok() {
            self.push(first::DISCONNECT, 0);
            #[cfg(feature = "v5")]
            self.pass_barrier();
        }
    }

    /// Queues the last packet of a connection, for which there may be room that others leave free.
    #[cfg(feature = "v5")]
    pub fn push_last(&mut self, first: u8, remaining: usize) -> Result<Writer<'_>, NoRoom> {
        self.make_room(packet_length(remaining))?;
        Ok(self.push(first, remaining))
    }

    /// Messages of QoS 2 from the server that can be remembered at most.
    #[cfg(feature = "v5")]
    pub fn remembers(&self) -> usize {
        self.buffer.len().saturating_sub(behind::PACKET) / ack::LENGTH
    }

    /// Queues a packet, with an identifier of its own if `identified`; the returned writer takes
    /// its `remaining` bytes.
    pub fn push_packet(
        &mut self,
        first: u8,
        remaining: usize,
        identified: bool,
    ) -> Result<(Writer<'_>, Option<PacketIdentifier>), NoRoom> {
        if remaining > MAX_REMAINING {
            return Err(NoRoom::Ever);
        }
        self.make_room(packet_length(remaining) + behind::PACKET)?;
        let identifier = match identified {
            false => None,
            true => Some(self.next_identifier().ok_or(NoRoom::Now)?),
        };
        self.kept += identified as usize;
        #[cfg(feature = "v5")]
        self.count_in(first);
        Ok((self.push(first, remaining), identifier))
    }

    /// Appends a packet for which room was made.
    fn push(&mut self, first: u8, remaining: usize) -> Writer<'_> {
        let at = self.end;
        self.end += packet_length(remaining);
        let packet = self.buffer.get_mut(at..self.end).unwrap_or_default();
        Writer::packet(packet, first, remaining)
    }

    fn make_room(&mut self, needed: usize) -> Result<(), NoRoom> {
        if self.stream.is_some() {
            return Err(NoRoom::Now);
        }
        if needed > self.buffer.len() - self.end {
            if needed > self.buffer.len() {
                return Err(NoRoom::Ever);
            }
            self.compact();
            if needed > self.buffer.len() - self.end {
                return Err(NoRoom::Now);
            }
        }
        Ok(())
    }

    /// Forgets the oldest message of QoS 2 that was received and not released; `false` if there is
    /// none. Should the connection break before it is, it is delivered once more.
    fn forget_received(&mut self) -> bool {
        self.done(|entry| entry.header.first == first::PUBREC && entry.stays())
    }

    /// An identifier that no packet of the log carries; `None` when all 65,535 are in use.
    pub fn next_identifier(&mut self) -> Option<PacketIdentifier> {
        for _ in 0..=u16::MAX {
            if self.free > 0 {
                self.free -= 1;
                let identifier = self.next;
                self.next = after(identifier);
                return Some(identifier);
            }
            self.count_free();
        }
        None
    }

    /// Counts the free identifiers from `next` on; steps over it if it is itself in use.
    ///
    /// Each is looked up in the log only once in a round of 65,535.
    fn count_free(&mut self) {
        let next = self.next.value();
        let mut free = u16::MAX;
        let mut at = self.start;
        while let Some(entry) = self.entry(at) {
            if let Some(identifier) = entry.identifier.filter(|_| entry.is_ours()) {
                // The distance on a circle that leaves out 0.
                let value = identifier.value();
                let distance = value.wrapping_sub(next).wrapping_sub((value < next) as u16);
                free = free.min(distance);
            }
            at = entry.end();
        }
        self.free = free;
        if free == 0 {
            self.next = after(self.next);
        }
    }

    /// Whether a packet with this identifier, queued by the application, waits for its answer.
    pub fn is_pending(&self, identifier: PacketIdentifier) -> bool {
        self.find(|entry| entry.is_ours() && entry.identifier == Some(identifier))
            .is_some()
    }

    /// Messages that were sent over an earlier connection, and are sent again.
    pub fn repeated(&self) -> usize {
        let mut repeated = 0;
        let mut at = self.start;
        while let Some(entry) = self.entry(at) {
            repeated += (entry.is_publish() && entry.header.first & DUP != 0) as usize;
            at = entry.end();
        }
        repeated
    }

    /// What became of the PUBREC for the message with this identifier; `None` if that message was
    /// not delivered, or was released since.
    pub fn received(&self, identifier: PacketIdentifier) -> Option<Pubrec> {
        let entry = self.find(|entry| {
            entry.header.first == first::PUBREC
                && entry.identifier == Some(identifier)
                && entry.stays()
        })?;
        Some(if entry.end() > self.sent {
            Pubrec::Queued
        } else {
            Pubrec::Sent
        })
    }

    fn find(&self, matches: impl Fn(&Entry) -> bool) -> Option<Entry> {
        let mut at = self.start;
        while let Some(entry) = self.entry(at) {
            if matches(&entry) {
                return Some(entry);
            }
            at = entry.end();
        }
        None
    }

    /// An answer came: the packet it answers is done. `false` if no such packet was sent.
    pub fn settle(&mut self, answered: Answered, identifier: PacketIdentifier) -> bool {
        let is_done = self.done(|entry| {
            entry.identifier == Some(identifier) && answered.is(entry.header.first) && entry.stays()
        });
        #[cfg(feature = "v5")]
        if is_done {
            self.advance_window();
        }
        is_done
    }

    /// Marks the first packet that was sent and `matches` as done; `false` if there is none.
    fn done(&mut self, matches: impl Fn(&Entry) -> bool) -> bool {
        let Some(entry) = self.find(matches) else {
            return false;
        };
        // What was sent stands before what was not.
        if entry.end() > self.sent {
            return false;
        }
        #[cfg(feature = "v5")]
        self.count_out(entry.header.first);
        self.mark(entry.at, DONE);
        self.kept = self.kept.saturating_sub(1);
        if !self.reset_if_done() && entry.at == self.start {
            self.trim(entry.end());
        }
        true
    }

    /// Whether nothing is to be sent and nothing waits for an answer.
    pub fn is_empty(&self) -> bool {
        self.start == self.end && self.stream.is_none()
    }

    fn mark(&mut self, at: usize, first: u8) {
        if let Some(byte) = self.buffer.get_mut(at) {
            *byte = first;
        }
    }

    /// Forgets packets at the front that were sent and need not stay: those before `start`, and
    /// those that follow.
    fn trim(&mut self, start: usize) {
        self.start = start;
        while let Some(entry) = self.entry(self.start) {
            if entry.end() > self.sent || entry.stays() {
                return;
            }
            self.start = entry.end();
        }
    }

    /// Makes room: drops every packet that was sent and need not stay, and moves the rest down.
    fn compact(&mut self) {
        let mut at = self.start;
        let mut to = 0;
        while let Some(entry) = self.entry(at) {
            let end = entry.end();
            if end > self.sent {
                break;
            }
            if entry.stays() {
                move_down(self.buffer, at..end, to);
                to += end - at;
            }
            at = end;
        }
        // From here on nothing, or only a part of the first packet, was sent.
        let part = self.sent - at;
        move_down(self.buffer, at..self.end, to);
        self.start = 0;
        self.sent = to + part;
        self.end = to + (self.end - at);
        #[cfg(feature = "v5")]
        self.advance_window();
    }

    /// The packet that begins at `at`, if the log goes on there.
    fn entry(&self, at: usize) -> Option<Entry> {
        let bytes = self.buffer.get(at..self.end)?;
        let header = FixedHeader::decode(bytes).ok()??;
        // QoS 0 has none, and is the most frequent; nor has PINGREQ and what is behind it.
        let has_none = header.first & 0xf6 == first::PUBLISH || header.first >= first::PINGREQ;
        let identifier = if has_none {
            None
        } else {
            let mut fields = Reader(bytes.get(header.length..)?);
            if is_publish(header.first) {
                let topic = fields.u16()?;
                fields.bytes(topic as usize)?;
            }
            fields.packet_identifier().ok()
        };
        Some(Entry {
            at,
            header,
            identifier,
        })
    }
}

/// The identifier after this one: 0 is left out.
fn after(identifier: PacketIdentifier) -> PacketIdentifier {
    PacketIdentifier::new(identifier.value().wrapping_add(1)).unwrap_or(FIRST_IDENTIFIER)
}
