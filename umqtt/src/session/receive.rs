//! What comes in: one packet after the other, and what it makes of the session.

use super::event::Part;
use super::message::Incoming;
use super::{Owed, Session, State, Step};
use crate::error::Error;
use crate::keep_alive::Due;
use crate::outbox::Answered;
#[cfg(feature = "v5")]
use crate::packet::auth::{decode_auth, decode_disconnect};
use crate::packet::connect::decode_connack;
use crate::packet::reason::{ReasonCode, allowed};
use crate::packet::subscribe::{Suback, decode_suback, decode_unsuback};
use crate::packet::{FixedHeader, ProtocolError, Version, ack, first};
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
        let due = match self.state {
            State::Closed => return Ok(()),
            State::Connecting { deadline } if deadline <= now => {
                return Err(self.failed(Error::ConnackTimeout));
            }
            State::Connecting { .. } => return Ok(()),
            State::Connected | State::Disconnecting => self.keep_alive.due(now),
        };
        match due {
            Due::Nothing => {}
            Due::Dead => return Err(self.failed(Error::PingTimeout)),
            Due::Ping => {
                // While a message goes out in pieces, that is a sign of life.
                if self.state == State::Connected {
                    self.outbox.push_pingreq();
                }
                self.keep_alive.pinged(now);
            }
        }
        Ok(())
    }

    pub(super) fn failed(&mut self, error: Error) -> Error {
        #[cfg(feature = "v5")]
        self.bid_farewell(error);
        #[cfg(not(feature = "v5"))]
        self.closed();
        error
    }

    /// Queues the acknowledgement that is owed; `false` if something has to be sent first.
    pub(super) fn try_acknowledge(&mut self) -> bool {
        if let Some(owed) = self.owed {
            if !self
                .outbox
                .push_ack(owed.first, owed.identifier, owed.reason)
            {
                return false;
            }
            if owed.is(first::PUBREC) {
                // The one that was sent before, if this is a repetition: one is remembered.
                self.outbox.settle(Answered::PUBREC, owed.identifier);
            }
            self.owed = None;
        }
        true
    }

    /// Deals with the packet at the front of the receive buffer.
    fn packet(&mut self, now: Instant) -> Result<Progress, Error> {
        match self.incoming {
            Incoming::Nothing => {}
            Incoming::Headless { qos, rest } => return Ok(self.headless(qos, rest)?),
            Incoming::Chunks { offset, owed } => return Ok(self.chunk(offset, owed)),
        }
        let bytes = self.inbox.bytes();
        let Some(header) = FixedHeader::decode(bytes)? else {
            return Ok(Progress::Incomplete);
        };
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
            return Ok(self.publish_received(&header)?);
        }
        check_first(header.first, connecting, self.version)?;
        if length > self.inbox.capacity() {
            return Err(ProtocolError::TooLarge.into());
        }
        let Some(body) = bytes.get(header.length..length) else {
            return Ok(Progress::Incomplete);
        };
        let version = self.version;
        let end = self.inbox.position() + length;
        // The last so many bytes of the packet.
        let tail = |length: usize| Part {
            at: end - length,
            length,
        };
        let progress = match header.first {
            first::CONNACK => {
                let connack = decode_connack(body, version)?;
                self.note_properties(tail(connack.properties));
                if connack.reason != ReasonCode::SUCCESS {
                    #[cfg(feature = "v5")]
                    self.note_closing(tail(connack.properties));
                    return Err(Error::Refused(connack.reason));
                }
                let session_present = connack.session_present;
                if session_present && self.clean {
                    // There is nothing a clean session could have left [MQTT-3.2.2-1].
                    return Err(ProtocolError::ReturnCode(1).into());
                }
                if !session_present {
                    self.outbox.clear();
                }
                #[cfg(feature = "v5")]
                if version.is_5() {
                    self.accepted(tail(connack.properties))?;
                }
                self.state = State::Connected;
                Progress::Event(Step::Connected { session_present })
            }
            first::PUBACK => {
                let ack = ack::decode(body, version, allowed::PUBACK)?;
                self.note_properties(tail(ack.properties));
                let step = Step::Published(ack.identifier, ack.reason);
                match self.outbox.settle(Answered::PUBLISH_QOS1, ack.identifier) {
                    true => Progress::Event(step),
                    // It may be for what an earlier connection sent.
                    false => Progress::Silent,
                }
            }
            first::PUBREC => {
                let ack = ack::decode(body, version, allowed::PUBACK)?;
                self.note_properties(tail(ack.properties));
                let step = Step::Published(ack.identifier, ack.reason);
                self.received_by_server(ack, step)
            }
            first::PUBREL => {
                let ack = ack::decode(body, version, allowed::PUBREL)?;
                let is_known = self.outbox.settle(Answered::PUBREC, ack.identifier);
                self.owed = Some(Owed {
                    first: first::PUBCOMP,
                    identifier: ack.identifier,
                    reason: match is_known || !version.is_5() {
                        true => ReasonCode::SUCCESS,
                        false => ReasonCode::PACKET_IDENTIFIER_NOT_FOUND,
                    },
                });
                #[cfg(feature = "v5")]
                self.v5.released();
                Progress::Silent
            }
            first::PUBCOMP => {
                let ack = ack::decode(body, version, allowed::PUBREL)?;
                self.note_properties(tail(ack.properties));
                let step = Step::Published(ack.identifier, ack.reason);
                match self.outbox.settle(Answered::PUBREL, ack.identifier) {
                    true => Progress::Event(step),
                    false => Progress::Silent,
                }
            }
            first::SUBACK | first::UNSUBACK => {
                let is_suback = header.first == first::SUBACK;
                let (answered, suback) = match is_suback {
                    true => (Answered::SUBSCRIBE, decode_suback(body, version)?),
                    false => (Answered::UNSUBSCRIBE, decode_unsuback(body, version)?),
                };
                let Suback {
                    identifier,
                    properties,
                    codes,
                } = suback;
                self.last.part = tail(codes);
                self.note_properties(Part {
                    at: self.last.part.at - properties,
                    length: properties,
                });
                match self.outbox.settle(answered, identifier) {
                    true if is_suback => Progress::Event(Step::Subscribed(identifier)),
                    true => Progress::Event(Step::Unsubscribed(identifier)),
                    false => Progress::Silent,
                }
            }
            #[cfg(feature = "v5")]
            first::DISCONNECT => {
                let (reason, properties) = decode_disconnect(body)?;
                self.note_closing(tail(properties));
                return Err(Error::Disconnected(reason));
            }
            #[cfg(feature = "v5")]
            first::AUTH => {
                let (reason, properties) = decode_auth(body)?;
                self.check_auth(reason, connecting)?;
                self.note_properties(tail(properties));
                Progress::Event(Step::Authentication(reason))
            }
            // PINGRESP: there is nothing else that `check_first` lets pass.
            _ => {
                if !body.is_empty() {
                    return Err(ProtocolError::Length.into());
                }
                self.keep_alive.ponged(now);
                Progress::Event(Step::Pong)
            }
        };
        self.inbox.consume(length);
        Ok(progress)
    }

    /// Notes where the properties of a packet lie that is no message.
    fn note_properties(&mut self, properties: Part) {
        #[cfg(feature = "v5")]
        {
            self.last.properties = properties;
        }
        let _ = properties;
    }

    /// PUBREC: the server has a message of QoS 2, or refuses it.
    fn received_by_server(&mut self, ack: ack::Ack, step: Step) -> Progress {
        #[cfg(feature = "v5")]
        if !ack.reason.is_error() {
            self.outbox.keep_place();
        }
        let is_known = self.outbox.settle(Answered::PUBLISH_QOS2, ack.identifier);
        #[cfg(feature = "v5")]
        if !ack.reason.is_error() && !is_known {
            self.outbox.release_place();
        }
        if ack.reason.is_error() {
            return match is_known {
                true => Progress::Event(step),
                false => Progress::Silent,
            };
        }
        let reason = match is_known {
            // PUBREL takes the place of its PUBLISH, which is not smaller: it always finds room, so
            // nothing is lost should the connection break here.
            true => ReasonCode::SUCCESS,
            false if self.version.is_5() && !self.outbox.is_pending(ack.identifier) => {
                ReasonCode::PACKET_IDENTIFIER_NOT_FOUND
            }
            false => return Progress::Silent,
        };
        self.owed = Some(Owed {
            first: first::PUBREL,
            identifier: ack.identifier,
            reason,
        });
        Progress::Silent
    }
}

/// Refuses a packet, but for PUBLISH, by its first byte: for its flags (section 2.2.2), or because
/// it has no place here.
fn check_first(first: u8, connecting: bool, version: Version) -> Result<(), ProtocolError> {
    let expected = match first & 0xf0 {
        first::CONNACK => first::CONNACK,
        0x60 => first::PUBREL,
        kind @ (first::PUBACK
        | first::PUBREC
        | first::PUBCOMP
        | first::SUBACK
        | first::UNSUBACK
        | first::PINGRESP) => kind,
        kind @ (first::DISCONNECT | first::AUTH) if version.is_5() => kind,
        _ => return Err(ProtocolError::UnexpectedPacket(first)),
    };
    if first != expected {
        Err(ProtocolError::Flags(first))
    } else if connecting != (first == first::CONNACK) && !(version.is_5() && first == first::AUTH) {
        Err(ProtocolError::UnexpectedPacket(first))
    } else {
        Ok(())
    }
}
