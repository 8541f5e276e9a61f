//! Properties as bytes (MQTT 5, sections 1.5 and 2.2.2).

use super::Property;
use super::table::{Carrier, Form, RULES, Rule};
use crate::packet::{MAX_REMAINING, ProtocolError, Reader, Writer};
use crate::topic::{TopicName, is_text};

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
        core::iter::from_fn(move || Property::new(&Raw::read(&mut reader)?))
    }

    /// The number that the first property with this identifier has, 0 if it is none of those that
    /// hold one; `None` if there is no such property.
    pub(crate) fn number(self, identifier: u8) -> Option<u32> {
        let mut reader = Reader(self.0);
        loop {
            match &Raw::read(&mut reader) {
                Some(raw) if raw.rule.identifier == identifier => return Some(raw.number),
                Some(_) => {}
                None => return None,
            }
        }
    }
}

/// Whether a packet of the server may carry this block of properties, which is without its length.
pub(crate) fn check(block: &[u8], carrier: Carrier) -> Result<(), ProtocolError> {
    let mut reader = Reader(block);
    let mut seen = 0;
    while let Some(&identifier) = reader.0.first() {
        match &Raw::read(&mut reader) {
            Some(raw) => raw.check(carrier, &mut seen)?,
            None => return Err(ProtocolError::Property(identifier)),
        }
    }
    Ok(())
}

/// Writes properties, without the length that stands before them; `None` if this packet may not
/// carry one of them, or not so often, or not with this value.
pub(crate) fn write(
    writer: &mut Writer<'_>,
    properties: &[Property<'_>],
    carrier: Carrier,
) -> Option<()> {
    let mut seen = 0;
    for property in properties {
        let raw = property.raw()?;
        raw.check(carrier, &mut seen).ok()?;
        raw.write(writer);
    }
    Some(())
}

/// A property as it stands on the wire: one rule, and the same parts for all.
pub(super) struct Raw<'a> {
    rule: &'static Rule,
    /// Its rule alone, among the bits of all rules.
    bit: u32,
    pub number: u32,
    /// A text, binary data, or the name of a pair.
    pub bytes: &'a [u8],
    /// The value of a pair.
    pub value: &'a [u8],
}

impl<'a> Raw<'a> {
    /// The property with this identifier, of which all else is still to be told; `None` if there is
    /// no such property.
    pub fn new(identifier: u8) -> Option<Self> {
        let place = RULES
            .iter()
            .position(|rule| rule.identifier == identifier)?;
        Some(Raw {
            rule: RULES.get(place)?,
            bit: 1 << place,
            number: 0,
            bytes: &[],
            value: &[],
        })
    }

    pub fn identifier(&self) -> u8 {
        self.rule.identifier
    }

    /// `None` if it is not whole, or there is no such property.
    fn read(reader: &mut Reader<'a>) -> Option<Self> {
        // An identifier is a variable byte integer, of one byte for all there are.
        let mut raw = Raw::new(reader.u8()?)?;
        match raw.rule.form {
            Form::Variable => raw.number = reader.varint()? as u32,
            Form::Text | Form::Topic | Form::Binary => raw.bytes = reader.field()?,
            Form::Pair => {
                raw.bytes = reader.field()?;
                raw.value = reader.field()?;
            }
            form => {
                for _ in 0..form.width() {
                    raw.number = raw.number << 8 | reader.u8()? as u32;
                }
            }
        }
        Some(raw)
    }

    fn write(&self, writer: &mut Writer<'_>) {
        writer.u8(self.rule.identifier);
        match self.rule.form {
            Form::Variable => writer.varint(self.number as usize),
            Form::Text | Form::Topic | Form::Binary => writer.field(self.bytes),
            Form::Pair => {
                writer.field(self.bytes);
                writer.field(self.value);
            }
            form => {
                for place in (0..form.width()).rev() {
                    writer.u8((self.number >> (8 * place)) as u8);
                }
            }
        }
    }

    /// Refuses a property that such a packet may not carry, or not with this value, or not once more:
    /// those it had so far are `seen`.
    fn check(&self, carrier: Carrier, seen: &mut u32) -> Result<(), ProtocolError> {
        let Rule {
            identifier,
            form,
            carriers,
        } = *self.rule;
        let is_text = form == Form::Binary || is_text(self.bytes) && is_text(self.value);
        if !is_text || !carrier.is_in(carriers) {
            return Err(ProtocolError::Property(identifier));
        }
        let fits = |bytes: &[u8]| bytes.len() <= u16::MAX as usize;
        let is_right = match form {
            Form::Switch => self.number <= 1,
            Form::Count | Form::LargeCount => self.number > 0,
            Form::Variable => (1..=MAX_REMAINING as u32).contains(&self.number),
            Form::Topic => TopicName::from_bytes(self.bytes).is_some(),
            _ => true,
        };
        let is_new = *seen & self.bit == 0 || self.rule.repeats(carrier);
        *seen |= self.bit;
        match is_right && is_new && fits(self.bytes) && fits(self.value) {
            true => Ok(()),
            false => Err(ProtocolError::PropertyValue(identifier)),
        }
    }
}

impl Form {
    /// Bytes of a number.
    fn width(self) -> u32 {
        match self {
            Form::Switch => 1,
            Form::TwoBytes | Form::Count => 2,
            _ => 4,
        }
    }
}
