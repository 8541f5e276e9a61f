//! What comes in: one packet after the other, and what it makes of the session.

use super::{Event, Session, State, Step};
use crate::error::Error;
use crate::keep_alive::Due;
use crate::outbox::{Answered, Pubrec};
use crate::packet::connect::decode_connack;
use crate::packet::publish::Layout;
use crate::packet::subscribe::decode_suback;
use crate::packet::{FixedHeader, PacketIdentifier, ProtocolError, Qos, Reader, ack, first};
use crate::time::Instant;

/// What became of the packet at the front of the receive buffer.
enum Progress {
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
                if self.state == State::Connected {
                    self.outbox.push_pingreq();
                }
                self.keep_alive.pinged(now);
            }
        }
        Ok(())
    }

    fn failed(&mut self, error: Error) -> Error {
        self.closed();
        error
    }

    /// Queues the acknowledgement that is owed; `false` if something has to be sent first.
    pub(super) fn try_acknowledge(&mut self) -> bool {
        if let Some((first, identifier)) = self.owed {
            if !self.outbox.push_ack(first, identifier) {
                return false;
            }
            if first == first::PUBREC {
                // The one that was sent before, if this is a repetition: one is remembered.
                self.outbox.settle(Answered::PUBREC, identifier);
            }
            self.owed = None;
        }
        true
    }

    /// Deals with the packet at the front of the receive buffer.
    fn packet(&mut self, now: Instant) -> Result<Progress, Error> {
        if let Some((qos, length)) = self.headless {
            return Ok(self.headless(qos, length)?);
        }
        let bytes = self.inbox.bytes();
        let Some(header) = FixedHeader::decode(bytes)? else {
            return Ok(Progress::Incomplete);
        };
        let connecting = self.state != State::Connected;
        if header.first & 0xf0 == first::PUBLISH && !connecting {
            return Ok(self.publish_received(&header)?);
        }
        check_first(header.first, connecting)?;
        let length = header.packet_length();
        if length > self.inbox.capacity() {
            return Err(ProtocolError::TooLarge.into());
        }
        let Some(body) = bytes.get(header.length..length) else {
            return Ok(Progress::Incomplete);
        };
        let progress = match header.first {
            first::CONNACK => {
                let session_present = decode_connack(body)?.map_err(Error::Refused)?;
                if !session_present {
                    self.outbox.clear();
                } else if self.clean {
                    // There is nothing a clean session could have left [MQTT-3.2.2-1].
                    return Err(ProtocolError::ReturnCode(1).into());
                }
                self.state = State::Connected;
                Progress::Event(Step::Connected { session_present })
            }
            first::PUBACK => {
                let identifier = ack::decode(body)?;
                self.settled(
                    Answered::PUBLISH_QOS1,
                    identifier,
                    Step::Published(identifier),
                )
            }
            first::PUBREC => {
                // PUBREL takes the place of its PUBLISH, which is larger: it always finds room,
                // so nothing is lost should the connection break here.
                let identifier = ack::decode(body)?;
                if self.outbox.settle(Answered::PUBLISH_QOS2, identifier) {
                    self.owed = Some((first::PUBREL, identifier));
                }
                Progress::Silent
            }
            first::PUBREL => {
                let identifier = ack::decode(body)?;
                self.outbox.settle(Answered::PUBREC, identifier);
                self.owed = Some((first::PUBCOMP, identifier));
                Progress::Silent
            }
            first::PUBCOMP => {
                let identifier = ack::decode(body)?;
                self.settled(Answered::PUBREL, identifier, Step::Published(identifier))
            }
            first::SUBACK => {
                let (identifier, _) = decode_suback(body)?;
                let step = Step::Subscribed {
                    at: self.inbox.position() + header.length,
                    length: body.len(),
                };
                self.settled(Answered::SUBSCRIBE, identifier, step)
            }
            first::UNSUBACK => {
                let identifier = ack::decode(body)?;
                self.settled(
                    Answered::UNSUBSCRIBE,
                    identifier,
                    Step::Unsubscribed(identifier),
                )
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

    /// An acknowledgement: the caller hears of it if it answers something. One that answers
    /// nothing is left alone: it may be for what an earlier connection sent.
    fn settled(
        &mut self,
        answered: Answered,
        identifier: PacketIdentifier,
        step: Step,
    ) -> Progress {
        if self.outbox.settle(answered, identifier) {
            Progress::Event(step)
        } else {
            Progress::Silent
        }
    }

    fn publish_received(&mut self, header: &FixedHeader) -> Result<Progress, ProtocolError> {
        let bytes = self.inbox.bytes();
        let Some(layout) = Layout::decode(header, bytes)? else {
            return Ok(Progress::Incomplete);
        };
        let fits = layout.end <= self.inbox.capacity();
        let needed = if fits { layout.end } else { layout.payload };
        if needed > self.inbox.capacity() {
            self.inbox.consume(layout.topic_end);
            self.headless = Some((layout.qos, layout.end - layout.payload));
            return Ok(Progress::Silent);
        }
        if bytes.len() < needed {
            return Ok(Progress::Incomplete);
        }
        let identifier = layout.identifier(bytes)?;
        let at = self.inbox.position();
        self.inbox.consume(layout.end);
        if !self.owe(layout.qos, identifier) {
            return Ok(Progress::Silent);
        }
        Ok(Progress::Event(if fits {
            Step::Message { at, layout }
        } else {
            Step::TooLarge { at, layout }
        }))
    }

    /// Goes on with a message whose topic was thrown away, once its packet identifier is here.
    fn headless(&mut self, qos: Qos, length: usize) -> Result<Progress, ProtocolError> {
        let identifier = match qos {
            Qos::AtMostOnce => None,
            _ => {
                let Some(bytes) = self.inbox.bytes().get(..2) else {
                    return Ok(Progress::Incomplete);
                };
                let identifier = Reader(bytes).packet_identifier()?;
                self.inbox.consume(2);
                Some(identifier)
            }
        };
        self.headless = None;
        self.inbox.consume(length);
        Ok(if self.owe(qos, identifier) {
            Progress::Event(Step::Headless { length })
        } else {
            Progress::Silent
        })
    }

    /// Notes what a message is to be answered with; `false` if it was delivered before.
    fn owe(&mut self, qos: Qos, identifier: Option<PacketIdentifier>) -> bool {
        let Some(identifier) = identifier else {
            return true;
        };
        if qos == Qos::AtLeastOnce {
            self.owed = Some((first::PUBACK, identifier));
            return true;
        }
        let delivered = self.outbox.received(identifier);
        // A PUBREC that was not sent yet will be; one that was is sent again.
        if delivered != Some(Pubrec::Queued) {
            self.owed = Some((first::PUBREC, identifier));
        }
        delivered.is_none()
    }

    /// The event a step stands for. On an error the session is closed.
    pub(crate) fn event(&mut self, step: Step) -> Result<Event<'_>, Error> {
        let memory = self.inbox.memory();
        let event = match step {
            Step::Connected { session_present } => Ok(Event::Connected { session_present }),
            Step::Message { at, layout } => layout
                .message(memory.get(at..).unwrap_or_default())
                .map(Event::Message),
            Step::TooLarge { at, layout } => layout
                .message(memory.get(at..).unwrap_or_default())
                .map(|message| Event::TooLarge {
                    topic: Some(message.topic),
                    length: layout.end - layout.payload,
                }),
            Step::Headless { length } => Ok(Event::TooLarge {
                topic: None,
                length,
            }),
            Step::Published(identifier) => Ok(Event::Published(identifier)),
            Step::Subscribed { at, length } => {
                decode_suback(memory.get(at..at + length).unwrap_or_default())
                    .map(|(identifier, codes)| Event::Subscribed(identifier, codes))
            }
            Step::Unsubscribed(identifier) => Ok(Event::Unsubscribed(identifier)),
            Step::Pong => Ok(Event::Pong),
        };
        if event.is_err() {
            self.state = State::Closed;
        }
        event.map_err(Error::Protocol)
    }
}

/// Refuses a packet, but for PUBLISH, by its first byte: for its flags (section 2.2.2), or because
/// it has no place here.
fn check_first(first: u8, connecting: bool) -> Result<(), ProtocolError> {
    let expected = match first & 0xf0 {
        first::CONNACK => first::CONNACK,
        0x60 => first::PUBREL,
        kind @ (first::PUBACK
        | first::PUBREC
        | first::PUBCOMP
        | first::SUBACK
        | first::UNSUBACK
        | first::PINGRESP) => kind,
        _ => return Err(ProtocolError::UnexpectedPacket(first)),
    };
    if first != expected {
        Err(ProtocolError::Flags(first))
    } else if connecting != (first == first::CONNACK) {
        Err(ProtocolError::UnexpectedPacket(first))
    } else {
        Ok(())
    }
}
