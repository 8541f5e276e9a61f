//! Properties as bytes (MQTT 5, sections 1.5 and 2.2.2).

use super::Property;
use super::table::{Carrier, RULES, Rule, Wire};
use crate::packet::{MAX_REMAINING, ProtocolError, Reader, Writer, varint_length};

/// The properties of a packet that was received, checked and in their order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Properties<'a>(&'a [u8]);

impl<'a> Properties<'a> {
    /// No properties.
    pub const NONE: Properties<'static> = Properties(&[]);

    /// Those of a block that [`check`] found right.
    pub(crate) fn checked(block: &'a [u8]) -> Self {
        Properties(block)
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each property, as the packet has them.
    pub fn iter(&self) -> impl Iterator<Item = Property<'a>> + Clone + use<'a> {
        let mut reader = Reader(self.0);
        core::iter::from_fn(move || {
            let (_, property) = read(&mut reader, Carrier::EVERY).ok()?;
            Some(property)
        })
    }
}

/// Whether a packet of the server may carry this block of properties, which is without its length.
pub(crate) fn check(block: &[u8], carrier: Carrier) -> Result<(), ProtocolError> {
    let mut reader = Reader(block);
    let mut seen = Seen(0);
    while let Some(&identifier) = reader.0.first() {
        let (rule, _) = read(&mut reader, carrier)?;
        if !seen.is_right(rule, carrier) {
            return Err(ProtocolError::PropertyValue(identifier));
        }
    }
    Ok(())
}

/// Bytes of these properties, without the length that stands before them; `None` if this packet
/// may not carry one of them, or not so often, or not with this value.
pub(crate) fn content_length(properties: &[Property<'_>], carrier: Carrier) -> Option<usize> {
    let mut length = 0;
    let mut seen = Seen(0);
    for property in properties {
        let (identifier, value) = property.parts();
        let rule = rule(identifier)?;
        if !carrier.is_in(rule.carriers) || !seen.is_right(rule, carrier) {
            return None;
        }
        Property::from_parts(identifier, value)?;
        length += 1 + value.length(rule.wire)?;
    }
    (length <= MAX_REMAINING).then_some(length)
}

/// Writes properties, without the length that stands before them.
pub(crate) fn write_content(writer: &mut Writer<'_>, properties: &[Property<'_>]) {
    for property in properties {
        let (identifier, value) = property.parts();
        if let Some(rule) = rule(identifier) {
            writer.u8(identifier);
            value.write(rule.wire, writer);
        }
    }
}

fn rule(identifier: u8) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.identifier == identifier)
}

/// Properties that a packet had so far, a bit each.
struct Seen(u64);

impl Seen {
    /// Notes one more; `false` if it may not stand twice, and does.
    fn is_right(&mut self, rule: &Rule, carrier: Carrier) -> bool {
        let bit = 1 << (rule.identifier & 0x3f);
        let is_new = self.0 & bit == 0;
        self.0 |= bit;
        is_new || carrier.is_in(rule.repeats)
    }
}

/// Reads one property of such a packet.
fn read<'a>(
    reader: &mut Reader<'a>,
    carrier: Carrier,
) -> Result<(&'static Rule, Property<'a>), ProtocolError> {
    // An identifier is a variable byte integer, of one byte for all there are.
    let identifier = reader.u8().ok_or(ProtocolError::Length)?;
    let malformed = ProtocolError::Property(identifier);
    let rule = rule(identifier)
        .filter(|rule| carrier.is_in(rule.carriers))
        .ok_or(malformed)?;
    let value = Value::read(rule.wire, reader).ok_or(malformed)?;
    let property =
        Property::from_parts(identifier, value).ok_or(ProtocolError::PropertyValue(identifier))?;
    Ok((rule, property))
}

/// A value on its way between a property and the wire.
#[derive(Clone, Copy)]
pub(super) enum Value<'a> {
    Number(u32),
    Binary(&'a [u8]),
    Text(&'a str),
    Pair(&'a str, &'a str),
}

impl<'a> Value<'a> {
    /// `None` if there is less than that, or it is not of this form.
    fn read(wire: Wire, reader: &mut Reader<'a>) -> Option<Self> {
        Some(match wire {
            Wire::Byte => Value::Number(reader.u8()?.into()),
            Wire::TwoBytes => Value::Number(reader.u16()?.into()),
            Wire::FourBytes => {
                let high = reader.u16()? as u32;
                Value::Number(high << 16 | reader.u16()? as u32)
            }
            Wire::Variable => Value::Number(reader.varint()? as u32),
            Wire::Binary => Value::Binary(reader.field()?),
            Wire::Text => Value::Text(reader.text()?),
            Wire::Pair => Value::Pair(reader.text()?, reader.text()?),
        })
    }

    /// Bytes on the wire; `None` if there is no form for it.
    fn length(&self, wire: Wire) -> Option<usize> {
        let text = |text: &str| {
            let fits = text.len() <= u16::MAX as usize && !text.bytes().any(|byte| byte == 0);
            fits.then_some(2 + text.len())
        };
        match (*self, wire) {
            (Value::Number(_), Wire::Byte) => Some(1),
            (Value::Number(_), Wire::TwoBytes) => Some(2),
            (Value::Number(_), Wire::FourBytes) => Some(4),
            (Value::Number(number), _) => {
                let number = number as usize;
                (number <= MAX_REMAINING).then_some(varint_length(number))
            }
            (Value::Binary(bytes), _) => {
                (bytes.len() <= u16::MAX as usize).then_some(2 + bytes.len())
            }
            (Value::Text(value), _) => text(value),
            (Value::Pair(name, value), _) => Some(text(name)? + text(value)?),
        }
    }

    fn write(&self, wire: Wire, writer: &mut Writer<'_>) {
        match (*self, wire) {
            (Value::Number(number), Wire::Byte) => writer.u8(number as u8),
            (Value::Number(number), Wire::TwoBytes) => writer.u16(number as u16),
            (Value::Number(number), Wire::FourBytes) => {
                writer.u16((number >> 16) as u16);
                writer.u16(number as u16);
            }
            (Value::Number(number), _) => writer.varint(number as usize),
            (Value::Binary(bytes), _) => writer.field(bytes),
            (Value::Text(text), _) => writer.field(text.as_bytes()),
            (Value::Pair(name, value), _) => {
                writer.field(name.as_bytes());
                writer.field(value.as_bytes());
            }
        }
    }
}
