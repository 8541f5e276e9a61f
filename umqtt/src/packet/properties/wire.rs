//! Properties as bytes (MQTT 5, sections 1.5 and 2.2.2).

use super::Property;
use super::table::{Carrier, Form, Rule, id};
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
        let mut reader = Reader::new(self.0);
        core::iter::from_fn(move || Property::new(&Raw::read(&mut reader)))
    }
}

/// What packets of the server have told by their properties, of what the session has to know.
pub(crate) struct Told {
    /// The properties of the last block, a [bit](bit) for each.
    seen: u32,
    /// The numbers of those from [`id::RECEIVE_MAXIMUM`] to [`id::SHARED_SUBSCRIPTION`], and, in the
    /// place of [`id::USER_PROPERTY`], of [`id::SERVER_KEEP_ALIVE`].
    numbers: [u32; 10],
}

impl Told {
    /// What the number of a property is that was not told.
    pub const NOTHING: u32 = u32::MAX;

    pub const fn nothing() -> Self {
        Told {
            seen: 0,
            numbers: [Told::NOTHING; 10],
        }
    }

    /// Whether the last block had this property.
    pub fn has(&self, identifier: u8) -> bool {
        self.seen & bit(identifier) != 0
    }

    /// The number that this property had last, of those that are kept.
    pub fn number(&self, identifier: u8) -> u32 {
        let number = self.numbers.get(place(identifier));
        number.copied().unwrap_or(Told::NOTHING)
    }

    pub fn forget(&mut self, identifier: u8) {
        self.note(identifier, Told::NOTHING);
    }

    fn note(&mut self, identifier: u8, number: u32) {
        if let Some(kept) = self.numbers.get_mut(place(identifier)) {
            *kept = number;
        }
    }
}

/// Where the number of a property is kept, if it is.
const fn place(identifier: u8) -> usize {
    let identifier = match identifier {
        id::SERVER_KEEP_ALIVE => id::USER_PROPERTY,
        identifier => identifier,
    };
    (identifier as usize).wrapping_sub(id::RECEIVE_MAXIMUM as usize)
}

/// Stands for a property among those of a packet: no packet may have two with the same.
const fn bit(identifier: u8) -> u32 {
    1 << (identifier % 31)
}

/// Whether a packet of the server may carry this block of properties, which is without its length.
pub(crate) fn check(block: &[u8], carrier: Carrier, told: &mut Told) -> Result<(), ProtocolError> {
    let mut reader = Reader::new(block);
    told.seen = 0;
    while !reader.rest.is_empty() {
        let raw = &Raw::read(&mut reader);
        if reader.is_short {
            return Err(ProtocolError::Property(raw.identifier));
        }
        raw.check(carrier, &mut told.seen)?;
        if raw.rule.form != Form::PAIR {
            told.note(raw.identifier, raw.number);
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
        let raw = property.raw();
        raw.check(carrier, &mut seen).ok()?;
        let fits = |bytes: &[u8]| bytes.len() <= u16::MAX as usize;
        if raw.rule.form == Form::VARIABLE && raw.number > MAX_REMAINING as u32
            || !fits(raw.bytes)
            || !fits(raw.value)
        {
            return None;
        }
        raw.write(writer);
    }
    Some(())
}

/// A property as it stands on the wire: the same parts for all.
pub(super) struct Raw<'a> {
    pub identifier: u8,
    rule: Rule,
    pub number: u32,
    /// A text, binary data, or the name of a pair.
    pub bytes: &'a [u8],
    /// The value of a pair.
    pub value: &'a [u8],
}

impl<'a> Raw<'a> {
    /// The property with this identifier, of which all else is still to be told.
    pub fn new(identifier: u8) -> Self {
        Raw {
            identifier,
            rule: Rule::of(identifier),
            number: 0,
            bytes: &[],
            value: &[],
        }
    }

    /// Of no meaning if the reader is [short](Reader::is_short) then, or there is no such property.
    fn read(reader: &mut Reader<'a>) -> Self {
        // An identifier is a variable byte integer, of one byte for all there are.
        let mut raw = Raw::new(reader.u8());
        match raw.rule.form {
            Form::VARIABLE => raw.number = reader.varint() as u32,
            Form::TEXT | Form::TOPIC | Form::BINARY => raw.bytes = reader.field(),
            Form::PAIR => {
                raw.bytes = reader.field();
                raw.value = reader.field();
            }
            form => {
                for _ in 0..form.width() {
                    raw.number = raw.number << 8 | reader.u8() as u32;
                }
            }
        }
        raw
    }

    fn write(&self, writer: &mut Writer<'_>) {
        writer.u8(self.identifier);
        match self.rule.form {
            Form::VARIABLE => writer.varint(self.number as usize),
            Form::TEXT | Form::TOPIC | Form::BINARY => writer.field(self.bytes),
            Form::PAIR => {
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
        let form = self.rule.form;
        let is_text = form == Form::BINARY || is_text(self.bytes) && is_text(self.value);
        if !is_text || !self.rule.allows(carrier) {
            return Err(ProtocolError::Property(self.identifier));
        }
        let bit = bit(self.identifier);
        let is_new = *seen & bit == 0
            || form == Form::PAIR
            || form == Form::VARIABLE && carrier == Carrier::MESSAGE;
        *seen |= bit;
        let is_right = match form {
            Form::SWITCH => self.number <= 1,
            Form::TOPIC => TopicName::from_bytes(self.bytes).is_some(),
            Form::TEXT | Form::BINARY | Form::PAIR => true,
            form => self.number >= form.least(),
        };
        match is_right && is_new {
            true => Ok(()),
            false => Err(ProtocolError::PropertyValue(self.identifier)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_packet_may_have_two_properties_with_the_same_bit() {
        for carrier in (0..=0xf0).step_by(16).map(Carrier::with) {
            let mut seen = 0;
            for identifier in 0..=u8::MAX {
                if Rule::of(identifier).allows(carrier) {
                    assert_eq!(seen & bit(identifier), 0, "0x{identifier:02x}");
                    seen |= bit(identifier);
                }
            }
        }
    }
}
