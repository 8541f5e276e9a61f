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
#[cfg_attr(not(feature = "stream"), path = "outbox/stream_none.rs")]
mod stream;
#[cfg(feature = "v5")]
mod window;

use core::mem;

use crate::inbox::move_down;
use crate::packet::publish::DUP;
use crate::packet::reason::ReasonCode;
use crate::packet::{FixedHeader, PacketIdentifier, Writer, ack, first, packet_length, u16_at};

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
    /// A message that goes out in pieces, behind the end of the log.
    stream: stream::Stream,
    /// The next packet identifier to try.
    next: PacketIdentifier,
    /// So many identifiers from `next` on are known to be free.
    free: u16,
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

/// The packets that answer, by their type, of which each is a bit.
#[derive(Clone, Copy)]
pub(crate) struct Answers(u16);

impl Answers {
    const PUBREL: Answers = Answers::by(first::PUBREL);
    /// To what was chosen here: PUBREL answers what the server chose an identifier for.
    const OURS: Answers = Answers(!1 & !Answers::PUBREL.0);

    /// The packet with this first byte.
    pub const fn by(first: u8) -> Self {
        Answers(1 << (first >> 4))
    }

    /// What answers a message of QoS 1, if this packet is of QoS 2; and the other way round.
    pub const fn of_other_qos(first: u8) -> Self {
        match first {
            first::PUBACK => Answers(1 << (first::PUBREC >> 4) | 1 << (first::PUBCOMP >> 4)),
            first::PUBREC | first::PUBCOMP => Answers::by(first::PUBACK),
            _ => Answers(0),
        }
    }
}

/// One packet of the log.
#[derive(Clone, Copy)]
struct Entry {
    at: usize,
    end: usize,
    first: u8,
    /// The type of the packet that answers it; 0 if none does, and so it need not stay.
    answer: u8,
    /// Of no meaning if none answers it.
    identifier: u16,
}

impl Entry {
    /// Whether the packet is still needed after it was sent.
    fn stays(&self) -> bool {
        self.answer > 0
    }

    fn waits_for(&self, answers: Answers) -> bool {
        answers.0 >> self.answer & 1 > 0
    }

    /// Whether the session remembers it beyond the connection: all but SUBSCRIBE, UNSUBSCRIBE and
    /// what is not here to be sent again.
    fn outlives_connection(&self) -> bool {
        matches!(self.answer, 4..=7) && self.first > 0x0f
    }

    fn is_publish(&self) -> bool {
        is_publish(self.first)
    }
}

fn is_publish(first: u8) -> bool {
    first & 0xf0 == first::PUBLISH
}

/// The type of the packet that answers one with this first byte: 0 if none does.
fn answer(first: u8, remaining: usize) -> u8 {
    let (kind, qos) = (first >> 4, first >> 1 & 3);
    match kind {
        // The mark of a PUBLISH has the bits of it.
        0 | 3 if qos > 0 => 3 + qos,
        // With a reason code it refuses, and nothing follows.
        5 | 6 if remaining == 2 => kind + 1,
        8 | 10 => kind + 1,
        _ => 0,
    }
}

impl<'b> Outbox<'b> {
    pub fn new(buffer: &'b mut [u8]) -> Self {
        Outbox {
            buffer,
            start: 0,
            sent: 0,
            end: 0,
            kept: 0,
            stream: stream::Stream::NONE,
            next: PacketIdentifier::FIRST,
            free: u16::MAX,
            #[cfg(feature = "v5")]
            window: window::Window::OPEN,
        }
    }

    /// Whether the buffer holds what the dialogue needs beside a packet.
    pub fn is_large_enough(&self) -> bool {
        self.buffer.len() >= behind::PACKET
    }

    /// The bytes to be sent.
    // A call takes as much.
    #[inline(always)]
    pub fn to_send(&self) -> &[u8] {
        self.buffer.get(self.sent..self.limit()).unwrap_or_default()
    }

    /// How far may be sent.
    fn limit(&self) -> usize {
        let end = self.end + self.stream.queued();
        #[cfg(feature = "v5")]
        let end = end.min(self.window.barrier);
        end
    }

    /// The first `count` bytes of [`to_send`](Self::to_send) were sent.
    pub fn sent(&mut self, count: usize) {
        self.sent += count.min(self.limit() - self.sent);
        if self.stream.is_open() {
            self.stream_sent();
        }
        self.reset_if_done();
    }

    /// Goes back to the front of the buffer when all is sent and nothing stays: without a look at
    /// any packet, since that is where a client that sends at QoS 0 is after each of them.
    // A call takes as much.
    #[inline(always)]
    fn reset_if_done(&mut self) -> bool {
        // Of a stream, nothing may stand behind the end.
        let is_done = self.kept == 0 && self.sent == self.end && self.stream.queued() == 0;
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
        let mut at = self.start;
        while at < self.sent {
            let Some(entry) = self.entry(at) else {
                break;
            };
            at = entry.end;
        }
        at == self.sent && !self.stream.is_open()
    }

    /// Forgets everything: a clean session, or the server has none. Identifiers go on.
    pub fn clear(&mut self) {
        self.start = 0;
        self.sent = 0;
        self.end = 0;
        self.kept = 0;
        self.free = u16::MAX;
        self.stream = stream::Stream::NONE;
        #[cfg(feature = "v5")]
        self.open_window();
    }

    /// The connection is gone: what the session keeps is made ready to be sent again, with DUP
    /// where it may have been sent before; the rest is dropped.
    pub fn rewind(&mut self) {
        self.stream = stream::Stream::NONE;
        self.compact(true);
        self.pass_received();
        #[cfg(feature = "v5")]
        self.open_window();
    }

    /// Every PUBREC goes to the front and counts as sent: the server asks again by itself.
    // Not on the stack while the log is compacted, which is where it is deepest.
    #[inline(never)]
    fn pass_received(&mut self) {
        self.sent = 0;
        let mut at = 0;
        while let Some(entry) = self.entry(at) {
            at = entry.end;
            if entry.first == first::PUBREC {
                self.move_down(&entry, self.sent);
                self.sent += ack::LENGTH;
            }
        }
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
        let span = self.buffer.get_mut(to..entry.end).unwrap_or_default();
        for _ in entry.at..entry.end {
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
        while self.make_room(2 + remaining + behind::ACK).is_err() {
            if self.sent < self.limit() || self.stream.is_open() || !self.forget_received() {
                return false;
            }
        }
        self.kept += (answer(first, remaining) > 0) as usize;
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
        self.push_empty(first::PINGREQ, behind::PINGREQ);
    }

    /// Queues DISCONNECT, for which there is always room.
    pub fn push_disconnect(&mut self) {
        self.push_empty(first::DISCONNECT, behind::DISCONNECT);
    }

    fn push_empty(&mut self, first: u8, behind: usize) {
        if self.make_room(2 + behind).is_ok() {
            self.push(first, 0);
            #[cfg(feature = "v5")]
            self.pass_barrier();
        }
    }

    /// Room for the last packet of a connection, which may be such that others leave free.
    #[cfg(feature = "v5")]
    pub fn reserve_last(&mut self, remaining: usize) -> Result<(), NoRoom> {
        self.check_size(packet_length(remaining))?;
        self.make_room(packet_length(remaining))
    }

    /// Messages of QoS 2 from the server that can be remembered at most.
    #[cfg(feature = "v5")]
    pub fn remembers(&self) -> usize {
        self.buffer.len().saturating_sub(behind::PACKET) / ack::LENGTH
    }

    /// Makes room for a packet, and finds an identifier for it if it is to be
    /// [`identified`](Self::identify). Then it is to be [pushed](Self::push).
    pub fn reserve(&mut self, remaining: usize, identified: bool) -> Result<(), NoRoom> {
        let length = packet_length(remaining);
        #[cfg(feature = "v5")]
        self.check_size(length)?;
        self.make_room(length + behind::PACKET)?;
        match !identified || self.has_identifier() {
            true => Ok(()),
            false => Err(NoRoom::Now),
        }
    }

    /// Takes the identifier that was found for the packet with this first byte.
    // Inlined where memory is plenty: every message passes here.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    pub fn identify(&mut self, first: u8) -> PacketIdentifier {
        let identifier = self.next;
        self.free = self.free.saturating_sub(1);
        self.next = after(identifier);
        self.kept += 1;
        #[cfg(feature = "v5")]
        self.count_in(first);
        let _ = first;
        identifier
    }

    /// Appends a packet for which room was made; the returned writer takes its `remaining` bytes.
    pub fn push(&mut self, first: u8, remaining: usize) -> Writer<'_> {
        let room = self.buffer.get_mut(self.end..).unwrap_or_default();
        let writer = Writer::packet(room, first, remaining);
        self.end += writer.length() + remaining;
        writer
    }

    fn make_room(&mut self, needed: usize) -> Result<(), NoRoom> {
        if self.stream.is_open() {
            return Err(NoRoom::Now);
        }
        if needed > self.buffer.len() {
            return Err(NoRoom::Ever);
        }
        if needed > self.buffer.len() - self.end {
            self.compact(false);
        }
        match needed > self.buffer.len() - self.end {
            true => Err(NoRoom::Now),
            false => Ok(()),
        }
    }

    /// Forgets the oldest message of QoS 2 that was received and not released; `false` if there is
    /// none. Should the connection break before it is, it is delivered once more.
    fn forget_received(&mut self) -> bool {
        self.done(Answers::PUBREL, None)
    }

    /// Makes `next` an identifier that no packet of the log carries; `false` when all 65,535 are in
    /// use.
    fn has_identifier(&mut self) -> bool {
        let mut left = u16::MAX;
        while self.free == 0 && left > 0 {
            left -= 1;
            self.count_free();
        }
        self.free > 0
    }

    /// Counts the free identifiers from `next` on; steps over it if it is itself in use.
    ///
    /// Each is looked up in the log only once in a round of 65,535.
    fn count_free(&mut self) {
        let next = self.next.value();
        let mut free = u16::MAX;
        let mut at = self.start;
        while let Some(entry) = self.entry(at) {
            at = entry.end;
            if entry.waits_for(Answers::OURS) {
                // The distance on a circle that leaves out 0.
                let value = entry.identifier;
                let distance = value.wrapping_sub(next).wrapping_sub((value < next) as u16);
                free = free.min(distance);
            }
        }
        self.free = free;
        if free == 0 {
            self.next = after(self.next);
        }
    }

    /// Whether a packet with this identifier, queued by the application, waits for its answer.
    pub fn is_pending(&self, identifier: PacketIdentifier) -> bool {
        self.has(Answers::OURS, identifier)
    }

    /// Whether a packet with this identifier waits for such an answer.
    pub fn has(&self, answers: Answers, identifier: PacketIdentifier) -> bool {
        self.find(answers, Some(identifier)).is_some()
    }

    /// Messages of QoS 1 and 2 that the server has not acknowledged.
    pub fn in_flight(&self) -> usize {
        let mut in_flight = 0;
        let mut at = self.start;
        while let Some(entry) = self.entry(at) {
            let is_message = entry.is_publish() || entry.first == first::PUBREL;
            in_flight += (entry.stays() && is_message) as usize;
            at = entry.end;
        }
        in_flight
    }

    /// Messages that were sent over an earlier connection, and are sent again.
    pub fn repeated(&self) -> usize {
        let mut repeated = 0;
        let mut at = self.start;
        while let Some(entry) = self.entry(at) {
            repeated += (entry.is_publish() && entry.first & DUP != 0) as usize;
            at = entry.end;
        }
        repeated
    }

    /// What became of the PUBREC for the message with this identifier; `None` if that message was
    /// not delivered, or was released since.
    // A call takes as much.
    #[inline(always)]
    pub fn received(&self, identifier: PacketIdentifier) -> Option<Pubrec> {
        let entry = self.find(Answers::PUBREL, Some(identifier))?;
        Some(if entry.end > self.sent {
            Pubrec::Queued
        } else {
            Pubrec::Sent
        })
    }

    /// The first packet that waits for such an answer, with this identifier or with any.
    // Inlined where memory is plenty: every message passes here.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    fn find(&self, answers: Answers, identifier: Option<PacketIdentifier>) -> Option<Entry> {
        let mut at = self.start;
        while let Some(entry) = self.entry(at) {
            if entry.waits_for(answers)
                && identifier.is_none_or(|identifier| identifier.value() == entry.identifier)
            {
                return Some(entry);
            }
            at = entry.end;
        }
        None
    }

    /// An answer came: the packet it answers is done. `false` if no such packet was sent.
    // A call takes as much.
    #[inline(always)]
    pub fn settle(&mut self, answers: Answers, identifier: PacketIdentifier) -> bool {
        let is_done = self.done(answers, Some(identifier));
        #[cfg(feature = "v5")]
        if is_done {
            self.advance_window();
        }
        is_done
    }

    /// Marks the first such packet as done, if it was sent; `false` if there is none.
    // Inlined where memory is plenty: every message passes here.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    fn done(&mut self, answers: Answers, identifier: Option<PacketIdentifier>) -> bool {
        let Some(entry) = self.find(answers, identifier) else {
            return false;
        };
        // What was sent stands before what was not.
        if entry.end > self.sent {
            return false;
        }
        #[cfg(feature = "v5")]
        self.count_out(entry.first);
        self.mark(entry.at, DONE);
        self.kept -= 1;
        if !self.reset_if_done() && entry.at == self.start {
            self.trim(entry.end);
        }
        true
    }

    /// Whether nothing is to be sent and nothing waits for an answer.
    pub fn is_empty(&self) -> bool {
        self.start == self.end && !self.stream.is_open()
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
            if entry.end > self.sent || entry.stays() {
                return;
            }
            self.start = entry.end;
        }
    }

    /// Makes room: drops every packet that was sent and need not stay, and moves the rest down.
    /// When the connection `is_over`, as if all had been sent.
    fn compact(&mut self, is_over: bool) {
        let limit = if is_over { self.end } else { self.sent };
        let mut at = self.start;
        let mut to = 0;
        let mut kept = 0;
        while let Some(entry) = self.entry(at) {
            if entry.end > limit {
                break;
            }
            if entry.stays() && (!is_over || entry.outlives_connection()) {
                if is_over && entry.is_publish() && at < self.sent {
                    self.mark(at, entry.first | DUP);
                }
                move_down(self.buffer, at..entry.end, to);
                to += entry.end - at;
                kept += 1;
            }
            at = entry.end;
        }
        // From here on nothing, or only a part of the first packet, was sent.
        move_down(self.buffer, at..self.end, to);
        self.start = 0;
        self.sent = to + (limit - at);
        self.end = to + (self.end - at);
        if is_over {
            self.kept = kept;
        }
        #[cfg(feature = "v5")]
        self.advance_window();
    }

    /// The packet that begins at `at`, if the log goes on there.
    // Inlined where memory is plenty: every message passes here.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    fn entry(&self, at: usize) -> Option<Entry> {
        let bytes = self.buffer.get(at..self.end)?;
        let header = FixedHeader::decode(bytes).ok()??;
        let mut field = header.length;
        if is_publish(header.first) {
            field += 2 + u16_at(bytes, field) as usize;
        }
        Some(Entry {
            at,
            end: at + header.packet_length(),
            first: header.first,
            identifier: u16_at(bytes, field),
            answer: answer(header.first, header.remaining),
        })
    }
}

/// The identifier after this one: 0 is left out.
fn after(identifier: PacketIdentifier) -> PacketIdentifier {
    PacketIdentifier::new(identifier.value().wrapping_add(1)).unwrap_or(PacketIdentifier::FIRST)
}
