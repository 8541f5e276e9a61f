//! The send buffer: a log of packets as they stand on the wire, in the order they were queued.
//!
//! A packet stays after it was sent for as long as it may have to be sent again, or for as long
//! as its packet identifier is in use. So the log is at once the send queue, the store of
//! messages in flight, and the set of identifiers in use:
//!
//! | packet | stays until |
//! |---|---|
//! | PUBLISH of QoS 1 or 2 | PUBACK or PUBREC |
//! | PUBREL | PUBCOMP |
//! | SUBSCRIBE, UNSUBSCRIBE | SUBACK, UNSUBACK, or the end of the connection |
//! | the mark that a PUBLISH of QoS 1 or 2 was [streamed](stream) out | PUBACK or PUBREC, or the end of the connection |
//! | everything else | it was sent |
//!
//! Then it is taken out: what is before it moves up, and at the front is a gap, which is closed when there
//! is no room else. From the end of the buffer, towards the log, grows the memory of
//! messages of QoS 2 that were [received].
//!
//! ```text
//!   0       start            sent              end                 floor
//!   │  gap  │ sent, waiting  │ to be sent      │                     │
//! ──┴───────┴────────────────┴─────────────────┴──────── free ───────┴─ received ──
//! ```

mod image;
mod received;
#[cfg_attr(not(feature = "stream"), path = "outbox/stream_none.rs")]
mod stream;
#[cfg(feature = "v5")]
mod window;

use core::ops::Range;

use crate::inbox::{move_down, move_up};
use crate::packet::publish::DUP;
use crate::packet::reason::ReasonCode;
use crate::packet::{FixedHeader, PacketIdentifier, Writer, ack, first, packet_length, u16_at};

/// Bytes that stay free behind a packet of each kind, so that a log full of messages in flight
/// still has room for the dialogue that empties it, and for the end: the memory of a message that was
/// received, an acknowledgement, a PINGREQ, DISCONNECT.
mod behind {
    use super::ack;

    pub const PACKET: usize = ACK + 2 * ack::LENGTH;
    pub const ACK: usize = PINGREQ + 2;
    pub const PINGREQ: usize = 2;
    pub const DISCONNECT: usize = 0;
}

/// Among some packets is one that stays.
const STAYS: u8 = 1;
/// Among them is one that does not.
const PASSES: u8 = 2;

/// What is answered has one of these flags, whatever its type (section 2.2.2).
const ANSWERED: u8 = 0x06;

pub(crate) struct Outbox<'b> {
    buffer: &'b mut [u8],
    /// Where the log begins: what is done at its front leaves a gap.
    start: usize,
    /// What stands before was sent and stays.
    swept: usize,
    sent: usize,
    end: usize,
    /// What may be among the rest: packets that stay, or others.
    rest: u8,
    /// Bytes at the end of the buffer for what was received.
    received: usize,
    /// A message that goes out in pieces, behind the end of the log.
    stream: stream::Stream,
    /// The next packet identifier to try; 0 is none.
    next: u16,
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

/// What an answer of the server is to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answered {
    /// To a packet that was sent, and is done with it.
    Packet,
    /// To nothing that was sent.
    Nothing,
    /// To a message of QoS 1, for all that it answers one of QoS 2; or the other way round.
    OtherQos,
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
    let (kind, flags) = (first >> 4, first & ANSWERED);
    match kind {
        _ if flags == 0 => 0,
        // With a reason code PUBREL refuses, and nothing follows.
        6 if remaining > 2 => 0,
        6 | 8 | 10 => kind + 1,
        // PUBLISH, and its mark: by its quality of service.
        _ => 3 + (flags >> 1),
    }
}

impl<'b> Outbox<'b> {
    pub fn new(buffer: &'b mut [u8]) -> Self {
        Outbox {
            buffer,
            start: 0,
            swept: 0,
            sent: 0,
            end: 0,
            rest: 0,
            received: 0,
            stream: stream::Stream::NONE,
            next: 0,
            free: 0,
            #[cfg(feature = "v5")]
            window: window::Window::OPEN,
        }
    }

    /// Whether the buffer holds what the dialogue needs beside a packet.
    pub fn is_large_enough(&self) -> bool {
        self.buffer.len() >= behind::PACKET
    }

    /// The bytes to be sent: which of the buffer.
    // A call takes as much.
    #[inline(always)]
    pub fn to_send(&self) -> (&[u8], Range<usize>) {
        (self.buffer, self.sent..self.limit())
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
        if self.rest == STAYS | PASSES || self.sent < self.end || self.stream.is_open() {
            return self.sweep(false);
        }
        // All of it stays, or nothing: so it is after each message.
        match self.rest {
            STAYS => self.swept = self.end,
            _ => self.end = self.swept,
        }
        self.sent = self.swept;
        self.rest = 0;
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
        self.swept = 0;
        self.sent = 0;
        self.end = 0;
        self.received = 0;
        self.stream = stream::Stream::NONE;
        #[cfg(feature = "v5")]
        self.open_window();
    }

    /// The connection is gone: what the session keeps is made ready to be sent again, with DUP
    /// where it may have been sent before; the rest is dropped.
    pub fn rewind(&mut self) {
        self.stream = stream::Stream::NONE;
        self.swept = self.start;
        self.sweep(true);
        self.swept = self.start;
        self.sent = self.start;
        self.rest = STAYS;
        #[cfg(feature = "v5")]
        self.open_window();
    }

    /// Takes out what was sent and need not stay, or, when the connection `is_over`, all that does
    /// not outlive it.
    fn sweep(&mut self, is_over: bool) {
        while let Some(entry) = self.entry(self.swept) {
            if !is_over && entry.end > self.sent {
                break;
            }
            if !entry.stays() || is_over && !entry.outlives_connection() {
                self.remove(&entry);
            } else if is_over && entry.is_publish() && entry.at < self.sent {
                self.mark(entry.at, entry.first | DUP);
            }
            self.swept = entry.end;
        }
        self.rest = match self.swept < self.end {
            true => STAYS | PASSES,
            false => 0,
        };
    }

    /// Takes a packet out of the log. What is before it moves up, and so most often nothing.
    fn remove(&mut self, entry: &Entry) {
        let length = entry.end - entry.at;
        move_up(self.buffer, self.start..entry.at, length);
        self.start += length;
        self.swept = self.swept.max(self.start);
        self.sent = self.sent.max(self.start);
    }

    /// Moves the log to the front of the buffer.
    fn close_gap(&mut self) {
        let gap = self.start;
        move_down(self.buffer, gap..self.end + self.stream.queued(), 0);
        self.start = 0;
        self.swept -= gap;
        self.sent -= gap;
        self.end -= gap;
        #[cfg(feature = "v5")]
        self.barrier_down(gap);
    }

    /// Queues an acknowledgement; `false` when there is no room before others have been sent. Only
    /// MQTT 5 has a reason other than success.
    ///
    /// PUBREC says that a message of QoS 2 was taken, which is remembered until its PUBREL. When
    /// that leaves no room, the oldest is forgotten.
    pub fn push_ack(
        &mut self,
        first: u8,
        identifier: PacketIdentifier,
        reason: ReasonCode,
    ) -> bool {
        let remaining = ack::LENGTH - 2 + (reason != ReasonCode::SUCCESS) as usize;
        let takes = first == first::PUBREC && reason == ReasonCode::SUCCESS;
        let memory = if takes { ack::LENGTH } else { 0 };
        while self
            .make_room(2 + remaining + memory + behind::ACK)
            .is_err()
        {
            if self.sent < self.limit() || self.stream.is_open() || !self.forget_received() {
                return false;
            }
        }
        if takes {
            self.remember(identifier);
        }
        let mut writer = self.push(first, remaining);
        writer.u16(identifier.value());
        writer.u8(reason.0);
        #[cfg(feature = "v5")]
        {
            match reason {
                ReasonCode::SUCCESS if first == first::PUBREL => self.release_place(),
                ReasonCode::SUCCESS => {}
                // Not even a PUBREL stays then.
                _ => self.rest |= PASSES,
            }
            self.advance_window();
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
            self.advance_window();
        }
    }

    /// Room for the last packet of a connection, which may be such that others leave free.
    #[cfg(feature = "v5")]
    pub fn reserve_last(&mut self, remaining: usize) -> Result<(), NoRoom> {
        self.check_size(packet_length(remaining))?;
        self.make_room(packet_length(remaining))
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

    /// Takes the identifier that was found.
    // Inlined where memory is plenty: every message passes here.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    pub fn identify(&mut self) -> PacketIdentifier {
        let identifier = PacketIdentifier::new(self.next).unwrap_or(PacketIdentifier::FIRST);
        self.free = self.free.saturating_sub(1);
        self.next = self.next.wrapping_add(1);
        identifier
    }

    /// Appends a packet for which room was made; the returned writer takes its `remaining` bytes.
    pub fn push(&mut self, first: u8, remaining: usize) -> Writer<'_> {
        let room = self.buffer.get_mut(self.end..).unwrap_or_default();
        let writer = Writer::packet(room, first, remaining);
        self.end += writer.length() + remaining;
        self.rest |= if first & ANSWERED > 0 { STAYS } else { PASSES };
        writer
    }

    /// Makes room for a packet, if there is any.
    // Where memory is short, once for all who ask.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    fn make_room(&mut self, needed: usize) -> Result<(), NoRoom> {
        match self.has_room(needed) {
            true => Ok(()),
            false => self.look_for_room(needed),
        }
    }

    fn has_room(&self, needed: usize) -> bool {
        !self.stream.is_open() && needed <= self.floor() - self.end
    }

    #[cold]
    #[cfg_attr(target_pointer_width = "64", inline(never))]
    fn look_for_room(&mut self, needed: usize) -> Result<(), NoRoom> {
        self.close_gap();
        if self.has_room(needed) {
            Ok(())
        } else if needed > self.buffer.len() {
            Err(NoRoom::Ever)
        } else {
            Err(NoRoom::Now)
        }
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
    // Seldom needed: apart, it leaves its registers to what is needed always.
    #[cfg_attr(target_pointer_width = "64", inline(never))]
    fn count_free(&mut self) {
        // To 0, which is no identifier.
        let mut free = self.next.wrapping_neg();
        let mut at = self.start;
        while let Some(entry) = self.entry(at) {
            at = entry.end;
            if entry.stays() {
                free = free.min(entry.identifier.wrapping_sub(self.next));
            }
        }
        self.free = free;
        if free == 0 {
            self.next = self.next.wrapping_add(1);
        }
    }

    /// Whether a packet with this identifier waits for its answer.
    pub fn is_pending(&self, identifier: PacketIdentifier) -> bool {
        self.find(identifier).is_some()
    }

    /// Messages of QoS 1 and 2 that the server has not acknowledged.
    pub fn in_flight(&self) -> usize {
        self.count(|entry| entry.stays() && (entry.is_publish() || entry.first == first::PUBREL))
    }

    /// Messages that were sent over an earlier connection, and are sent again.
    pub fn repeated(&self) -> usize {
        self.count(|entry| entry.is_publish() && entry.first & DUP != 0)
    }

    fn count(&self, is_counted: impl Fn(&Entry) -> bool) -> usize {
        let mut count = 0;
        let mut at = self.start;
        while let Some(entry) = self.entry(at) {
            count += is_counted(&entry) as usize;
            at = entry.end;
        }
        count
    }

    /// The packet with this identifier.
    // Inlined where memory is plenty: every message passes here.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    fn find(&self, identifier: PacketIdentifier) -> Option<Entry> {
        let mut at = self.start;
        while let Some(entry) = self.entry(at) {
            if entry.stays() && entry.identifier == identifier.value() {
                return Some(entry);
            }
            at = entry.end;
        }
        None
    }

    /// An answer came, with this first byte: the packet it answers is done.
    // Inlined where memory is plenty: every message passes here.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    pub fn settle(&mut self, first: u8, identifier: PacketIdentifier) -> Answered {
        let kind = first >> 4;
        let Some(entry) = self.find(identifier) else {
            return Answered::Nothing;
        };
        if entry.answer != kind {
            let is_of_qos_1 = |answer| answer == first::PUBACK >> 4;
            let are_messages = entry.answer.max(kind) <= first::PUBCOMP >> 4;
            return match are_messages && is_of_qos_1(kind) != is_of_qos_1(entry.answer) {
                true => Answered::OtherQos,
                false => Answered::Nothing,
            };
        }
        // What was sent stands before what was not.
        if entry.end > self.sent {
            return Answered::Nothing;
        }
        self.remove(&entry);
        #[cfg(feature = "v5")]
        {
            self.advance_window();
        }
        Answered::Packet
    }

    /// Whether nothing is to be sent and nothing waits for an answer.
    pub fn is_empty(&self) -> bool {
        self.start == self.end && self.received == 0 && !self.stream.is_open()
    }

    fn mark(&mut self, at: usize, first: u8) {
        if let Some(byte) = self.buffer.get_mut(at) {
            *byte = first;
        }
    }

    /// The packet that begins at `at`, if the log goes on there.
    // Inlined where memory is plenty: every message passes here.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    fn entry(&self, at: usize) -> Option<Entry> {
        let bytes = self.buffer.get(at..self.end)?;
        let header = FixedHeader::decode(bytes)?;
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
