//! PUBLISH (section 3.3).

use super::properties::{self, Carrier, Properties, Property};
use super::{
    FixedHeader, PacketIdentifier, ProtocolError, Qos, Reader, Version, Writer, first, text,
    varint_length,
};
use crate::topic::TopicName;

/// A message to publish (section 3.3); also the form of a will.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Publish<'a> {
    /// Topic name: 1 to 65,535 bytes, no wildcards, no U+0000 (section 4.7). Empty where
    /// [`Property::TopicAlias`] stands for one that was sent before on the same connection.
    pub topic: &'a str,
    /// Payload, empty allowed; an empty retained one clears what is retained.
    pub payload: &'a [u8],
    /// Quality of service.
    pub qos: Qos,
    /// Whether the server keeps the message for later subscribers.
    pub retain: bool,
    /// Properties; MQTT 3.1.1 leaves them out.
    ///
    /// [`Property::TopicAlias`] is for QoS 0 alone: a message of QoS 1 or 2 may have to be sent again
    /// over another connection, where the alias means nothing.
    pub properties: &'a [Property<'a>],
}

impl<'a> Publish<'a> {
    /// A QoS 0 message that is not retained.
    pub const fn new(topic: &'a str, payload: &'a [u8]) -> Self {
        Publish {
            topic,
            payload,
            qos: Qos::AtMostOnce,
            retain: false,
            properties: &[],
        }
    }

    /// The same message at another quality of service.
    #[must_use]
    pub const fn qos(self, qos: Qos) -> Self {
        Publish { qos, ..self }
    }

    /// The same message, kept by the server for later subscribers.
    #[must_use]
    pub const fn retained(self) -> Self {
        Publish {
            retain: true,
            ..self
        }
    }

    /// The same message with these properties; MQTT 3.1.1 leaves them out.
    #[must_use]
    pub const fn properties(self, properties: &'a [Property<'a>]) -> Self {
        Publish { properties, ..self }
    }

    pub(crate) fn first(&self) -> u8 {
        first::PUBLISH | (self.qos as u8) << 1 | self.retain as u8
    }

    /// Bytes of the properties on the wire, without their length; `None` if a message may not
    /// carry them.
    pub(crate) fn content(&self, version: Version) -> Option<usize> {
        match version.is_5() {
            true => properties::content_length(self.properties, Carrier::PUBLISH),
            false => Some(0),
        }
    }

    /// Bytes after the fixed header, with these of properties.
    pub(crate) fn remaining(&self, version: Version, content: usize) -> usize {
        let properties = match version.is_5() {
            true => varint_length(content) + content,
            false => 0,
        };
        let identifier = 2 * (self.qos != Qos::AtMostOnce) as usize;
        2 + self.topic.len() + identifier + properties + self.payload.len()
    }

    pub(crate) fn write(
        &self,
        mut writer: Writer<'_>,
        identifier: Option<PacketIdentifier>,
        version: Version,
        content: usize,
    ) {
        writer.field(self.topic.as_bytes());
        if let Some(identifier) = identifier {
            writer.u16(identifier.value());
        }
        if version.is_5() {
            writer.varint(content);
            properties::write_content(&mut writer, self.properties);
        }
        writer.bytes(self.payload);
    }
}

/// The DUP flag (section 3.3.1.1).
pub(crate) const DUP: u8 = 0x08;

/// A message as it came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    /// Topic name.
    pub topic: &'a str,
    /// Payload.
    pub payload: &'a [u8],
    /// Quality of service of this delivery.
    pub qos: Qos,
    /// Whether the server sent it because it was retained when the subscription was made.
    pub retain: bool,
    /// Whether this may be a repeated delivery.
    pub dup: bool,
    /// Properties. MQTT 5.
    pub properties: Properties<'a>,
}

/// Where the parts of a received PUBLISH lie, as offsets from the packet's first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    pub first: u8,
    pub qos: Qos,
    /// Offset of the topic name.
    pub topic: usize,
    /// Offset just behind the topic name: the packet identifier, if there is one.
    pub topic_end: usize,
    /// Offset of the first property, or of the payload if there is none.
    pub properties: usize,
    /// Offset of the payload.
    pub payload: usize,
    /// Length of the whole packet.
    pub end: usize,
}

/// How much of a layout could be read.
pub(crate) enum Decoded {
    /// All of it.
    Whole(Layout),
    /// All up to the properties, whose length is not here yet: this is taken for 0. MQTT 5.
    #[cfg_attr(not(feature = "v5"), expect(dead_code))]
    Head(Layout),
    /// Too little.
    Nothing,
}

impl Layout {
    pub const NOTHING: Layout = Layout {
        first: 0,
        qos: Qos::AtMostOnce,
        topic: 0,
        topic_end: 0,
        properties: 0,
        payload: 0,
        end: 0,
    };

    /// Bytes of the whole payload.
    pub fn payload_length(&self) -> usize {
        self.end - self.payload
    }

    /// Reads the layout from the packet's first bytes.
    pub fn decode(
        header: &FixedHeader,
        packet: &[u8],
        version: Version,
    ) -> Result<Decoded, ProtocolError> {
        let qos = Qos::from_bits(header.first >> 1 & 3).ok_or(ProtocolError::Qos)?;
        let identifier = 2 * (qos != Qos::AtMostOnce) as usize;
        if header.remaining < 2 + identifier + version.is_5() as usize {
            return Err(ProtocolError::Length);
        }
        let Some(&[high, low]) = packet.get(header.length..header.length + 2) else {
            return Ok(Decoded::Nothing);
        };
        let topic = header.length + 2;
        let topic_end = topic + u16::from_be_bytes([high, low]) as usize;
        let layout = Layout {
            first: header.first,
            qos,
            topic,
            topic_end,
            properties: topic_end + identifier,
            payload: topic_end + identifier,
            end: header.packet_length(),
        };
        if layout.payload + version.is_5() as usize > layout.end {
            return Err(ProtocolError::Length);
        }
        #[cfg(feature = "v5")]
        if version.is_5() {
            return layout.with_properties(packet);
        }
        Ok(Decoded::Whole(layout))
    }

    #[cfg(feature = "v5")]
    fn with_properties(self, packet: &[u8]) -> Result<Decoded, ProtocolError> {
        // A length that is cut by the packet's end is wrong; one that is not here yet is not.
        let limit = packet.len().min(self.end);
        let field = packet.get(self.properties..limit).unwrap_or_default();
        let mut reader = Reader(field);
        let Some(length) = reader.varint_in_part(limit == self.end)? else {
            return Ok(Decoded::Head(self));
        };
        let properties = self.properties + field.len() - reader.0.len();
        if length > self.end - properties {
            return Err(ProtocolError::Length);
        }
        Ok(Decoded::Whole(Layout {
            properties,
            payload: properties + length,
            ..self
        }))
    }

    /// The packet identifier; `None` for QoS 0.
    pub fn identifier(&self, packet: &[u8]) -> Result<Option<PacketIdentifier>, ProtocolError> {
        if self.qos == Qos::AtMostOnce {
            return Ok(None);
        }
        Reader(packet.get(self.topic_end..).unwrap_or_default())
            .packet_identifier()
            .map(Some)
    }

    /// The content of the block of properties.
    #[cfg(feature = "v5")]
    pub fn block<'a>(&self, packet: &'a [u8]) -> &'a [u8] {
        packet
            .get(self.properties..self.payload)
            .unwrap_or_default()
    }

    /// The bytes of the topic name.
    pub fn topic<'a>(&self, packet: &'a [u8]) -> &'a [u8] {
        packet.get(self.topic..self.topic_end).unwrap_or_default()
    }

    /// The message that was [checked](is_topic), its payload as far as it lies in `packet`.
    pub fn message<'a>(&self, packet: &'a [u8]) -> Message<'a> {
        Message {
            topic: text(self.topic(packet)).unwrap_or_default(),
            payload: packet.get(self.payload..self.end).unwrap_or_default(),
            qos: self.qos,
            retain: self.first & 1 != 0,
            dup: self.first & DUP != 0,
            #[cfg(feature = "v5")]
            properties: Properties::checked(self.block(packet)),
            #[cfg(not(feature = "v5"))]
            properties: Properties::NONE,
        }
    }
}

/// Whether these bytes are a topic name a message may carry (section 4.7).
pub(crate) fn is_topic(bytes: &[u8]) -> bool {
    let mut above_ascii = 0;
    for &byte in bytes {
        if is_forbidden(byte) {
            return false;
        }
        above_ascii |= byte;
    }
    // What is ASCII is UTF-8.
    !bytes.is_empty() && (above_ascii < 0x80 || text(bytes).is_some())
}

/// Whether a message may carry this topic name (section 4.7).
pub(crate) fn is_topic_name(topic: &str) -> bool {
    TopicName::new(topic).is_ok()
}

/// U+0000 and the wildcards, of which `+` and `#` differ in one bit.
fn is_forbidden(byte: u8) -> bool {
    byte == 0 || byte & !0x08 == b'#'
}
