//! PUBLISH (section 3.3).

use super::{FixedHeader, PacketIdentifier, ProtocolError, Qos, Reader, Writer, first};

/// A message to publish (section 3.3); also the form of a will.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Publish<'a> {
    /// Topic name: 1 to 65,535 bytes, no wildcards, no U+0000 (section 4.7).
    pub topic: &'a str,
    /// Payload, empty allowed; an empty retained one clears what is retained.
    pub payload: &'a [u8],
    /// Quality of service.
    pub qos: Qos,
    /// Whether the server keeps the message for later subscribers.
    pub retain: bool,
}

impl<'a> Publish<'a> {
    /// A QoS 0 message that is not retained.
    pub const fn new(topic: &'a str, payload: &'a [u8]) -> Self {
        Publish {
            topic,
            payload,
            qos: Qos::AtMostOnce,
            retain: false,
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

    pub(crate) fn first(&self) -> u8 {
        first::PUBLISH | (self.qos as u8) << 1 | self.retain as u8
    }

    pub(crate) fn remaining(&self) -> usize {
        2 + self.topic.len() + self.payload.len() + 2 * (self.qos != Qos::AtMostOnce) as usize
    }

    pub(crate) fn write(&self, mut writer: Writer<'_>, identifier: Option<PacketIdentifier>) {
        writer.field(self.topic.as_bytes());
        if let Some(identifier) = identifier {
            writer.u16(identifier.value());
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
    /// Offset of the payload.
    pub payload: usize,
    /// Length of the whole packet.
    pub end: usize,
}

impl Layout {
    /// Reads the layout from the packet's first bytes; `Ok(None)` when more are needed.
    pub fn decode(header: &FixedHeader, packet: &[u8]) -> Result<Option<Self>, ProtocolError> {
        let qos = Qos::from_bits(header.first >> 1 & 3).ok_or(ProtocolError::Qos)?;
        let identifier = 2 * (qos != Qos::AtMostOnce) as usize;
        if header.remaining < 2 + identifier {
            return Err(ProtocolError::Length);
        }
        let Some(&[high, low]) = packet.get(header.length..header.length + 2) else {
            return Ok(None);
        };
        let topic = header.length + 2;
        let topic_end = topic + u16::from_be_bytes([high, low]) as usize;
        let layout = Layout {
            first: header.first,
            qos,
            topic,
            topic_end,
            payload: topic_end + identifier,
            end: header.packet_length(),
        };
        if layout.payload > layout.end {
            return Err(ProtocolError::Length);
        }
        Ok(Some(layout))
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

    /// The message, its payload as far as it lies in `packet`.
    pub fn message<'a>(&self, packet: &'a [u8]) -> Result<Message<'a>, ProtocolError> {
        let topic = packet
            .get(self.topic..self.topic_end)
            .ok_or(ProtocolError::Length)?;
        Ok(Message {
            topic: valid_topic(topic).ok_or(ProtocolError::Topic)?,
            payload: packet.get(self.payload..self.end).unwrap_or_default(),
            qos: self.qos,
            retain: self.first & 1 != 0,
            dup: self.first & DUP != 0,
        })
    }
}

/// `topic` as text if it is a topic name a message may carry (section 4.7).
fn valid_topic(topic: &[u8]) -> Option<&str> {
    let topic = core::str::from_utf8(topic).ok()?;
    is_topic_name(topic).then_some(topic)
}

/// Whether a message may carry this topic name: not empty, not longer than 65,535 bytes, no
/// wildcard, no U+0000 (section 4.7).
pub(crate) fn is_topic_name(topic: &str) -> bool {
    !topic.is_empty()
        && topic.len() <= u16::MAX as usize
        // `+` and `#` differ in one bit.
        && !topic.bytes().any(|byte| byte == 0 || byte & !0x08 == b'#')
}
