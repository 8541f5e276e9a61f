//! PUBLISH (section 3.3).

use super::properties::{Carrier, Properties, Property, PropertyList, Told};
use super::{PacketIdentifier, Qos, Version, Writer, first};
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
    pub properties: PropertyList<'a>,
}

impl<'a> Publish<'a> {
    /// A QoS 0 message that is not retained.
    pub const fn new(topic: &'a str, payload: &'a [u8]) -> Self {
        Publish {
            topic,
            payload,
            qos: Qos::AtMostOnce,
            retain: false,
            properties: PropertyList::NONE,
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
        Publish {
            properties: PropertyList::new(properties),
            ..self
        }
    }

    pub(crate) fn first(&self) -> u8 {
        first::PUBLISH | (self.qos as u8) << 1 | self.retain as u8
    }

    /// Bytes of the properties on the wire, with their length, and what they tell; `None` if a message
    /// may not carry them.
    pub(crate) fn content(&self, version: Version, told: &mut Told) -> Option<usize> {
        let mut count = Writer::new(&mut []);
        if version.is_5() {
            self.properties
                .write(&[], Carrier::PUBLISH, &mut count, told)?;
        }
        Some(count.length())
    }

    /// Bytes after the fixed header, with these of properties.
    pub(crate) fn remaining(&self, content: usize) -> usize {
        let identifier = 2 * (self.qos != Qos::AtMostOnce) as usize;
        2 + self.topic.len() + identifier + content + self.payload.len()
    }

    /// Writes what is behind the fixed header.
    // Inlined where memory is plenty: every message passes here.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    pub(crate) fn write(
        &self,
        mut writer: Writer<'_>,
        identifier: Option<PacketIdentifier>,
        version: Version,
        told: &mut Told,
    ) {
        writer.field(self.topic.as_bytes());
        if let Some(identifier) = identifier {
            writer.u16(identifier.value());
        }
        if version.is_5() {
            // They were checked when they were counted.
            let _ = self
                .properties
                .write(&[], Carrier::PUBLISH, &mut writer, told);
        }
        writer.bytes(self.payload);
    }
}

/// The flags DUP (section 3.3.1.1) and RETAIN (section 3.3.1.3).
pub(crate) const DUP: u8 = 0x08;
pub(crate) const RETAIN: u8 = 0x01;

/// A message as it came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    /// Topic name.
    pub topic: TopicName<'a>,
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

/// Whether a message may carry this topic name (section 4.7).
// Where memory is plenty it is apart, with registers of its own.
#[cfg_attr(target_pointer_width = "64", inline(never))]
pub(crate) fn is_topic_name(topic: &str) -> bool {
    TopicName::new(topic).is_ok()
}
