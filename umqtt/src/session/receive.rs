//! What comes in: one packet after the other, and what it makes of the session.

use super::event::Part;
use super::message::Incoming;
use super::{Owed, Session, State, Step};
use crate::error::Error;
use crate::keep_alive::Due;
use crate::outbox::Answered;
use crate::packet::reason::ReasonCode;
use crate::packet::{
    FixedHeader, MAX_REMAINING, PacketIdentifier, ProtocolError, Version, ack, first,
};
use crate::time::Instant;

/// What became of the packet at the front of the receive buffer.
pub(super) enum Progress {
    /// It was dealt with, and is of interest to the caller.
    Event(Step),
    /// It was dealt with.
    Silent,
    /// It is not whole yet.
    Incomplete,
}

impl Session<'_> {
    /// Deals with what was received, up to the next thing the caller wants to know of. On an error
    /// the session is closed.
    pub(crate) fn step(&mut self, now: Instant) -> Result<Option<Step>, Error> {
        if matches!(self.state, State::Closed | State::Disconnecting) {
            return Ok(None);
        }
        while self.try_acknowledge() {
            match self.packet(now) {
                Ok(Progress::Event(step)) => return Ok(Some(step)),
                Ok(Progress::Silent) => {}
                Ok(Progress::Incomplete) => break,
                Err(error) => return Err(self.failed(error)),
            }
        }
        Ok(None)
    }

    /// Does what is due at the [`deadline`](Self::deadline), and nothing else: for a caller that cannot
    /// take a message yet, and so does not [`poll`](Self::poll). On an error the session is closed.
    pub fn expire(&mut self, now: Instant) -> Result<(), Error> {
        if self.state == State::Closed {
            return Ok(());
        }
        match self.keep_alive.due(now) {
            Due::Nothing => Ok(()),
            Due::Ping => {
                // While a message goes out in pieces, that is a sign of life.
                if self.state == State::Connected {
                    self.outbox.push_pingreq();
                }
                self.keep_alive.pinged(now);
                Ok(())
            }
            Due::Dead => Err(self.failed(match self.state {
                State::Connecting => Error::ConnackTimeout,
                _ => Error::PingTimeout,
            })),
        }
    }

    pub(super) fn failed(&mut self, error: Error) -> Error {
        #[cfg(feature = "v5")]
        self.bid_farewell(error);
        #[cfg(not(feature = "v5"))]
        self.closed();
        error
    }

    /// What has to be acknowledged: not before the last piece of a message.
    #[inline]
    pub(super) fn owed(&self) -> Option<Owed> {
        self.owed.filter(|_| !self.incoming.is_in_pieces())
    }

    /// Queues the acknowledgement that is owed; `false` if something has to be sent first.
    #[inline]
    pub(super) fn try_acknowledge(&mut self) -> bool {
        match self.owed() {
            None => true,
            Some(owed) => self.acknowledge_with(owed),
        }
    }

    pub(super) fn acknowledge_with(&mut self, owed: Owed) -> bool {
        if !self
            .outbox
            .push_ack(owed.first, owed.identifier, owed.reason)
        {
            return false;
        }
        self.owed = None;
        true
    }

    /// Deals with the packet at the front of the receive buffer.
    // Apart from the loop round it, with registers of its own, it is smaller.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    fn packet(&mut self, now: Instant) -> Result<Progress, Error> {
        match self.incoming {
            Incoming::Nothing => {}
            Incoming::Headless => return self.headless(),
            #[cfg(feature = "stream")]
            Incoming::Chunks => return Ok(self.chunk()),
        }
        let bytes = self.inbox.bytes();
        let Some(header) = FixedHeader::decode(bytes) else {
            return Ok(Progress::Incomplete);
        };
        if header.remaining > MAX_REMAINING {
            return Err(ProtocolError::RemainingLength.into());
        }
        let length = header.packet_length();
        #[cfg(feature = "v5")]
        if self.version.is_5() {
            if !header.is_shortest() {
                return Err(ProtocolError::RemainingLength.into());
            }
            if length > self.v5.maximum_packet_size {
                return Err(ProtocolError::TooLarge.into());
            }
        }
        let connecting = self.state != State::Connected;
        if header.first & 0xf0 == first::PUBLISH && !connecting {
            return self.publish_received(&header);
        }
        check_first(header.first, connecting, self.version)?;
        let version = self.version;
        let mut needed = length;
        if length > self.inbox.capacity() {
            needed = header.length + reason_end(header.first, version);
            if needed == header.length {
                return Err(ProtocolError::TooLarge.into());
            }
        }
        let Some(body) = bytes.get(header.length..needed) else {
            return Ok(Progress::Incomplete);
        };
        let ack = ack::decode(header.first, body, version, &mut self.told)?;
        let codes_at = self.inbox.position() + length - ack.codes;
        self.last.reason = ack.reason;
        self.last.identifier = ack.identifier;
        self.last.body = Part {
            at: codes_at,
            length: ack.codes,
        };
        #[cfg(feature = "v5")]
        {
            if ack.properties > 0 {
                self.check_terse(header.first)?;
            }
            self.last.properties = Part {
                at: codes_at - ack.properties,
                length: ack.properties,
            };
        }
        let progress = match header.first {
            first::CONNACK => {
                if ack.reason != ReasonCode::SUCCESS {
                    #[cfg(feature = "v5")]
                    self.note_closing();
                    return Err(Error::Refused(ack.reason));
                }
                if ack.session_present && self.clean {
                    // There is nothing a clean session could have left [MQTT-3.2.2-1].
                    return Err(ProtocolError::ReturnCode(1).into());
                }
                if !ack.session_present {
                    self.outbox.clear();
                }
                self.keep_alive.accepted(now);
                #[cfg(feature = "v5")]
                if version.is_5() {
                    self.accepted()?;
                }
                self.state = State::Connected;
                self.last.session_present = ack.session_present;
                Progress::Event(Step::Connected)
            }
            first::PINGRESP => {
                self.keep_alive.ponged(now);
                Progress::Event(Step::Pong)
            }
            #[cfg(feature = "v5")]
            first::DISCONNECT => {
                self.note_closing();
                return Err(Error::Disconnected(ack.reason));
            }
            #[cfg(feature = "v5")]
            first::AUTH => {
                self.check_auth(ack.reason, connecting)?;
                Progress::Event(Step::Authentication)
            }
            // There is nothing else that `check_first` lets pass: all of them answer.
            first => match ack.identifier {
                Some(identifier) => self.acknowledged(first, identifier, ack.reason)?,
                None => Progress::Silent,
            },
        };
        self.inbox.consume(length);
        Ok(progress)
    }

    /// What was sent is answered by such a packet, or goes on with it.
    fn acknowledged(
        &mut self,
        first: u8,
        identifier: PacketIdentifier,
        reason: ReasonCode,
    ) -> Result<Progress, ProtocolError> {
        let goes_on = first == first::PUBREC && !reason.is_error();
        #[cfg(feature = "v5")]
        if goes_on {
            self.outbox.keep_place();
        }
        let is_known = match first {
            first::PUBREL => self.outbox.release(identifier),
            _ => match self.outbox.settle(first, identifier) {
                Answered::OtherQos => return Err(ProtocolError::Acknowledgement(first)),
                answered => answered == Answered::Packet,
            },
        };
        let step = match first {
            first::PUBREC if goes_on => {
                return Ok(self.received_by_server(identifier, is_known));
            }
            first::PUBREL => {
                #[cfg(feature = "v5")]
                self.v5.released();
                let is_right = is_known || !self.version.is_5();
                return Ok(self.go_on(first::PUBCOMP, identifier, is_right));
            }
            first::SUBACK => Step::Subscribed,
            first::UNSUBACK => Step::Unsubscribed,
            _ => Step::Published,
        };
        if is_known && !self.is_answered_whole(identifier) {
            return Err(ProtocolError::Codes);
        }
        Ok(match is_known {
            true => Progress::Event(step),
            // It may be for what an earlier connection sent.
            false => Progress::Silent,
        })
    }

    /// Whether what was received last has a code for each filter, if it answers the last SUBSCRIBE or
    /// UNSUBSCRIBE; other answers have none, nor has UNSUBACK in MQTT 3.1.1.
    fn is_answered_whole(&self, identifier: PacketIdentifier) -> bool {
        let codes = self.last.body.length;
        codes == 0 || self.asked != identifier.value() || self.filters == codes as u8
    }

    /// PUBREC: the server has a message of QoS 2.
    fn received_by_server(&mut self, identifier: PacketIdentifier, is_known: bool) -> Progress {
        #[cfg(feature = "v5")]
        if !is_known {
            self.outbox.release_place();
            if self.version.is_5() && !self.outbox.is_pending(identifier) {
                return self.go_on(first::PUBREL, identifier, false);
            }
        }
        match is_known {
            // PUBREL takes the place of its PUBLISH, which is not smaller: it always finds room, so
            // nothing is lost should the connection break here.
            true => self.go_on(first::PUBREL, identifier, true),
            false => Progress::Silent,
        }
    }

    /// The next packet of a message of QoS 2 is owed.
    fn go_on(&mut self, first: u8, identifier: PacketIdentifier, is_known: bool) -> Progress {
        self.owed = Some(Owed {
            first,
            identifier,
            reason: match is_known {
                true => ReasonCode::SUCCESS,
                false => ReasonCode::PACKET_IDENTIFIER_NOT_FOUND,
            },
        });
        Progress::Silent
    }
}

/// Where the reason code ends in the body of a packet of which no more than that matters: PUBACK, PUBREC,
/// PUBREL, PUBCOMP and DISCONNECT of MQTT 5. 0 for all others.
fn reason_end(first: u8, version: Version) -> usize {
    match first {
        first::PUBACK..=first::PUBCOMP if version.is_5() => 3,
        first::DISCONNECT => 1,
        _ => 0,
    }
}

/// Refuses a packet, but for PUBLISH, by its first byte: for its flags (section 2.2.2), or because
/// it has no place here.
fn check_first(first: u8, connecting: bool, version: Version) -> Result<(), ProtocolError> {
    // A bit for each type that a server sends.
    let known = match version.is_5() {
        false => 0b0010_1010_1111_0100,
        true => 0b1110_1010_1111_0100,
    };
    let kind = first >> 4;
    if known >> kind & 1 == 0 {
        return Err(ProtocolError::UnexpectedPacket(first));
    }
    let flags = if kind == first::PUBREL >> 4 { 2 } else { 0 };
    if first & 0x0f != flags {
        Err(ProtocolError::Flags(first))
    } else if connecting != (first == first::CONNACK) && first != first::AUTH {
        Err(ProtocolError::UnexpectedPacket(first))
    } else {
        Ok(())
    }
}
