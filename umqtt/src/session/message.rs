//! Messages from the server (sections 3.3 and 4.3), of any size.

use super::event::Part;
use super::receive::Progress;
use super::{Owed, Session, Step};
use crate::error::Error;
use crate::packet::connect::Oversize;
#[cfg(feature = "v5")]
use crate::packet::properties::{self, Carrier, id};
use crate::packet::publish::DUP;
use crate::packet::reason::ReasonCode;
use crate::packet::{FixedHeader, PacketIdentifier, ProtocolError, Qos, Reader, first, u16_at};
use crate::topic::TopicName;

/// A message of which a part has been dealt with.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Incoming {
    /// None: a packet begins.
    Nothing,
    /// Its topic was larger than the receive buffer and was thrown away; behind it are
    /// [`Last::total`](super::event::Last::total) bytes, the packet identifier first.
    Headless,
    /// It is delivered in pieces, of which [`Last`](super::event::Last) has the last one; its first
    /// bytes, to the properties, stand at the front of the receive buffer. What it is to be answered
    /// with is owed once it is whole.
    #[cfg(feature = "stream")]
    Chunks,
}

impl Incoming {
    pub fn is_in_pieces(self) -> bool {
        #[cfg(feature = "stream")]
        return self == Incoming::Chunks;
        #[cfg(not(feature = "stream"))]
        false
    }
}

/// How a message tells its topic.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Named {
    /// By its name.
    Here,
    /// By an alias. MQTT 5.
    #[cfg_attr(not(feature = "v5"), expect(dead_code))]
    Alias(u16),
    /// By an alias for a topic name that was too long to be remembered. MQTT 5.
    Unknown,
}

impl Session<'_> {
    /// Deals with a PUBLISH at the front of the receive buffer.
    pub(super) fn publish_received(&mut self, header: &FixedHeader) -> Result<Progress, Error> {
        let qos =
            Qos::from_bits(header.first >> 1 & 3).ok_or(Error::Protocol(ProtocolError::Qos))?;
        if header.first & (DUP | 0x06) == DUP {
            // Nothing of QoS 0 comes again [MQTT-3.3.1-2].
            return Err(ProtocolError::Flags(header.first).into());
        }
        let bytes = self.inbox.bytes();
        let at = self.inbox.position();
        let end = header.packet_length();
        let identified = qos != Qos::AtMostOnce;
        let topic = header.length + 2;
        let topic_end = topic + u16_at(bytes, header.length) as usize;
        // Behind the topic name, the identifier, and the shortest length of properties.
        if topic_end + 2 * identified as usize + self.version.is_5() as usize > end {
            return Err(Error::Protocol(ProtocolError::Length));
        }
        self.last.first = header.first;
        let here = bytes.get(..end).unwrap_or(bytes);
        let payload = topic_end + 2 * identified as usize;
        #[cfg(feature = "v5")]
        let (mut properties, mut payload) = (payload, payload);
        #[cfg(feature = "v5")]
        if self.version.is_5() {
            let mut reader = Reader::new(here.get(payload..).unwrap_or_default());
            let length = reader.varint();
            properties = here.len() - reader.rest.len();
            payload = match reader.is_short {
                true => usize::MAX,
                false if length > end - properties => {
                    return Err(Error::Protocol(ProtocolError::Length));
                }
                false => properties + length,
            };
        }
        let capacity = self.inbox.capacity();
        let fits = end <= capacity;
        let streams = !fits && self.oversize.is_streamed();
        let needed = if fits { payload.max(end) } else { payload };
        if here.len() < needed || streams && payload == capacity {
            return match here.len() {
                length if length == end => Err(Error::Protocol(ProtocolError::Length)),
                length if length == capacity => Ok(self.behead(header)),
                _ => Ok(Progress::Incomplete),
            };
        }
        if streams && at > 0 {
            // Its beginning will stay at the front.
            self.inbox.settle(0);
            return Ok(Progress::Silent);
        }
        let name = here.get(topic..topic_end).unwrap_or_default();
        let identifier = match identified {
            true => PacketIdentifier::new(u16_at(here, topic_end)),
            false => None,
        };
        let named = match self.version.is_5() {
            #[cfg(feature = "v5")]
            true => {
                let told = &mut self.told;
                told.forget(id::TOPIC_ALIAS);
                let block = here.get(properties..payload).unwrap_or_default();
                properties::check(block, Carrier::MESSAGE, told)?;
                let alias = told.number(id::TOPIC_ALIAS);
                self.v5.aliases.resolve(alias, name)?
            }
            _ => Named::Here,
        };
        if named == Named::Here && TopicName::from_bytes(name).is_none() {
            return Err(Error::Protocol(ProtocolError::Topic));
        }
        let streams = streams && named != Named::Unknown;
        let refuses = !fits && self.oversize == Oversize::Refuse;
        let total = end - payload;
        self.last.topic = Part {
            at: at + topic,
            length: name.len(),
        };
        self.last.body = Part {
            at: at + payload,
            length: if streams { 0 } else { total },
        };
        self.last.offset = 0;
        self.last.total = total;
        #[cfg(feature = "v5")]
        {
            self.last.properties = Part {
                at: at + properties,
                length: payload - properties,
            };
            self.last.alias = match named {
                Named::Here | Named::Unknown => 0,
                Named::Alias(alias) => alias,
            };
        }
        let is_new = self.owe(qos, identifier, refuses)?;
        if is_new && streams {
            self.inbox.consume(payload);
            #[cfg(feature = "stream")]
            {
                self.incoming = Incoming::Chunks;
            }
            return Ok(Progress::Silent);
        }
        self.inbox.consume(end);
        Ok(match (is_new, named, fits) {
            (false, ..) => Progress::Silent,
            (true, Named::Unknown, _) => Progress::Event(Step::Headless),
            (true, _, true) => Progress::Event(Step::Message),
            (true, _, false) => Progress::Event(Step::TooLarge),
        })
    }

    /// Throws the topic away, which is larger than the receive buffer, or leaves no room there.
    fn behead(&mut self, header: &FixedHeader) -> Progress {
        let topic = 2 + u16_at(self.inbox.bytes(), header.length) as usize;
        self.inbox.consume(header.length + topic);
        self.last.total = header.remaining - topic;
        self.incoming = Incoming::Headless;
        #[cfg(feature = "v5")]
        self.v5.aliases.missed_one();
        Progress::Silent
    }

    /// Goes on with a message whose topic was thrown away, once what is behind that is here.
    pub(super) fn headless(&mut self) -> Result<Progress, Error> {
        /// The longest packet identifier and length of properties.
        const HEAD: usize = 2 + 4;
        let rest = self.last.total;
        let qos = self.last.qos();
        let Some(head) = self.inbox.bytes().get(..rest.min(HEAD)) else {
            return Ok(Progress::Incomplete);
        };
        let mut reader = Reader::new(head);
        let identifier = reader.identifier(qos);
        let properties = match self.version.is_5() {
            #[cfg(feature = "v5")]
            true => reader.varint(),
            _ => 0,
        };
        reader.end()?;
        let behind = rest - (head.len() - reader.rest.len());
        self.last.total = behind.wrapping_sub(properties);
        if properties > behind {
            return Err(Error::Protocol(ProtocolError::Length));
        }
        self.inbox.consume(rest);
        self.incoming = Incoming::Nothing;
        let is_new = self.owe(qos, identifier, self.oversize == Oversize::Refuse)?;
        Ok(match is_new {
            true => Progress::Event(Step::Headless),
            false => Progress::Silent,
        })
    }

    /// Delivers what is here of a message that comes in pieces.
    #[cfg(feature = "stream")]
    pub(super) fn chunk(&mut self) -> Progress {
        let last = &mut self.last;
        let offset = last.offset + last.body.length;
        let length = self.inbox.bytes().len().min(last.total - offset);
        if length == 0 {
            return Progress::Incomplete;
        }
        last.offset = offset;
        last.body = Part {
            at: self.inbox.position(),
            length,
        };
        self.inbox.consume(length);
        if offset + length == last.total {
            self.incoming = Incoming::Nothing;
        }
        Progress::Event(Step::Chunk)
    }

    /// Notes what a message is to be answered with; `false` if it was delivered before.
    fn owe(
        &mut self,
        qos: Qos,
        identifier: Option<PacketIdentifier>,
        refuses: bool,
    ) -> Result<bool, Error> {
        let Some(identifier) = identifier else {
            return match qos {
                Qos::AtMostOnce => Ok(true),
                _ => Err(Error::Protocol(ProtocolError::PacketIdentifier)),
            };
        };
        let is_new = qos != Qos::ExactlyOnce || !self.outbox.is_received(identifier);
        let refuses = refuses && self.version.is_5() && is_new;
        #[cfg(feature = "v5")]
        if self.version.is_5() && is_new {
            self.v5.take_in(qos == Qos::ExactlyOnce && !refuses)?;
        }
        self.owed = Some(Owed {
            first: match qos {
                Qos::ExactlyOnce => first::PUBREC,
                _ => first::PUBACK,
            },
            identifier,
            reason: match refuses {
                true => ReasonCode::QUOTA_EXCEEDED,
                false => ReasonCode::SUCCESS,
            },
        });
        Ok(is_new)
    }
}
