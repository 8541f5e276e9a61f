//! Messages from the server (sections 3.3 and 4.3), of any size.

use super::event::Part;
use super::receive::Progress;
use super::{Owed, Session, Step};
use crate::packet::connect::Oversize;
#[cfg(feature = "v5")]
use crate::packet::properties::{self, Carrier, Properties, Property};
use crate::packet::publish::{Decoded, Layout, is_topic};
use crate::packet::reason::ReasonCode;
use crate::packet::{FixedHeader, PacketIdentifier, ProtocolError, Qos, Reader, first};

/// A message of which a part has been dealt with.
#[derive(Clone, Copy)]
pub(super) enum Incoming {
    /// None: a packet begins.
    Nothing,
    /// Its topic was larger than the receive buffer and was thrown away; behind it are so many
    /// bytes, the packet identifier first.
    Headless { qos: Qos, rest: usize },
    /// It is delivered in pieces, and so many bytes of its payload were; its first bytes, to the
    /// properties, stand at the front of the receive buffer.
    Chunks { offset: usize, owed: Option<Owed> },
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
    pub(super) fn publish_received(
        &mut self,
        header: &FixedHeader,
    ) -> Result<Progress, ProtocolError> {
        let bytes = self.inbox.bytes();
        let capacity = self.inbox.capacity();
        let layout = match Layout::decode(header, bytes, self.version)? {
            Decoded::Whole(layout) => layout,
            Decoded::Head(layout) if layout.properties + 4 <= capacity => {
                return Ok(Progress::Incomplete);
            }
            Decoded::Head(layout) => return Ok(self.behead(&layout)),
            Decoded::Nothing => return Ok(Progress::Incomplete),
        };
        let fits = layout.end <= capacity;
        let streams = !fits && self.oversize == Oversize::Stream;
        let needed = if fits { layout.end } else { layout.payload };
        if needed + streams as usize > capacity {
            return Ok(self.behead(&layout));
        }
        if bytes.len() < needed {
            return Ok(Progress::Incomplete);
        }
        let identifier = layout.identifier(bytes)?;
        let topic = layout.topic(bytes);
        let named = match self.version.is_5() {
            #[cfg(feature = "v5")]
            true => {
                let block = layout.block(bytes);
                properties::check(block, Carrier::MESSAGE)?;
                self.v5.aliases.resolve(topic_alias(block), topic)?
            }
            _ => Named::Here,
        };
        if named == Named::Here && !is_topic(topic) {
            return Err(ProtocolError::Topic);
        }
        let streams = streams && named != Named::Unknown;
        let refuses = !fits && self.oversize == Oversize::Refuse;
        self.last.layout = layout;
        #[cfg(feature = "v5")]
        {
            self.last.alias = match named {
                Named::Here | Named::Unknown => 0,
                Named::Alias(alias) => alias,
            };
        }
        let is_new = self.owe(layout.qos, identifier, refuses)?;
        if !is_new || !streams {
            self.last.at = self.inbox.position();
            self.inbox.consume(layout.end);
            return Ok(match (is_new, named, fits) {
                (false, ..) => Progress::Silent,
                (true, Named::Unknown, _) => Progress::Event(Step::Headless {
                    length: layout.payload_length(),
                }),
                (true, _, true) => Progress::Event(Step::Message),
                (true, _, false) => Progress::Event(Step::TooLarge),
            });
        }
        self.inbox.pin(layout.payload);
        self.last.at = 0;
        self.incoming = Incoming::Chunks {
            offset: 0,
            owed: self.owed.take(),
        };
        Ok(Progress::Silent)
    }

    /// Throws the topic away, which is larger than the receive buffer, or leaves no room there.
    fn behead(&mut self, layout: &Layout) -> Progress {
        self.inbox.consume(layout.topic_end);
        self.incoming = Incoming::Headless {
            qos: layout.qos,
            rest: layout.end - layout.topic_end,
        };
        #[cfg(feature = "v5")]
        self.v5.aliases.missed_one();
        Progress::Silent
    }

    /// Goes on with a message whose topic was thrown away, once its packet identifier is here.
    pub(super) fn headless(&mut self, qos: Qos, rest: usize) -> Result<Progress, ProtocolError> {
        let bytes = self.inbox.bytes();
        let here = bytes.get(..rest).unwrap_or(bytes);
        let mut reader = Reader(here);
        let identifier = match qos {
            Qos::AtMostOnce => None,
            _ if here.len() < 2 => return Ok(Progress::Incomplete),
            _ => Some(reader.packet_identifier()?),
        };
        let mut properties = 0;
        #[cfg(feature = "v5")]
        if self.version.is_5() {
            match reader.varint_in_part(here.len() == rest)? {
                Some(length) => properties = length,
                None => return Ok(Progress::Incomplete),
            }
        }
        properties += here.len() - reader.0.len();
        let length = rest.checked_sub(properties).ok_or(ProtocolError::Length)?;
        self.inbox.consume(rest);
        self.incoming = Incoming::Nothing;
        let is_new = self.owe(qos, identifier, self.oversize == Oversize::Refuse)?;
        Ok(match is_new {
            true => Progress::Event(Step::Headless { length }),
            false => Progress::Silent,
        })
    }

    /// Delivers what is here of a message that comes in pieces.
    pub(super) fn chunk(&mut self, offset: usize, owed: Option<Owed>) -> Progress {
        let total = self.last.layout.payload_length();
        let length = self.inbox.bytes().len().min(total - offset);
        if length == 0 {
            return Progress::Incomplete;
        }
        self.last.part = Part {
            at: self.inbox.position(),
            length,
        };
        self.inbox.consume(length);
        let end = offset + length;
        if end == total {
            self.owed = owed;
            self.incoming = Incoming::Nothing;
            self.inbox.unpin();
        } else {
            self.incoming = Incoming::Chunks { offset: end, owed };
        }
        Progress::Event(Step::Chunk { offset })
    }

    /// Notes what a message is to be answered with; `false` if it was delivered before.
    fn owe(
        &mut self,
        qos: Qos,
        identifier: Option<PacketIdentifier>,
        refuses: bool,
    ) -> Result<bool, ProtocolError> {
        let Some(identifier) = identifier else {
            return Ok(true);
        };
        let delivered = match qos {
            Qos::ExactlyOnce => self.outbox.received(identifier),
            _ => None,
        };
        let refuses = refuses && self.version.is_5() && delivered.is_none();
        #[cfg(feature = "v5")]
        if self.version.is_5() && delivered.is_none() {
            self.v5.take_in(qos == Qos::ExactlyOnce && !refuses)?;
        }
        // A PUBREC that was not sent yet will be; one that was is sent again.
        if delivered != Some(crate::outbox::Pubrec::Queued) {
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
        }
        Ok(delivered.is_none())
    }
}

/// The topic alias among these properties.
#[cfg(feature = "v5")]
fn topic_alias(block: &[u8]) -> Option<u16> {
    Properties::checked(block)
        .iter()
        .find_map(|property| match property {
            Property::TopicAlias(alias) => Some(alias),
            _ => None,
        })
}
