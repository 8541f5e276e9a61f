//! Properties as bytes (MQTT 5, sections 1.5 and 2.2.2).

use core::fmt;

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

/// Properties to be sent: a list of [`Property`], in their order. A packet's own rules are looked at when
/// it is queued (MQTT 5, table 2-4).
///
/// That it is more than a slice has one reason: a program that never makes a list is without the code
/// that writes one.
#[derive(Clone, Copy)]
pub struct PropertyList<'a> {
    list: &'a [Property<'a>],
    write: Option<Write>,
}

type Write = fn(&[Property<'_>], Carrier, &mut Writer<'_>, &mut Told) -> Option<()>;

impl<'a> PropertyList<'a> {
    /// No properties.
    pub const NONE: PropertyList<'static> = PropertyList {
        list: &[],
        write: None,
    };

    /// These properties.
    pub const fn new(list: &'a [Property<'a>]) -> Self {
        PropertyList {
            list,
            write: Some(write),
        }
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Each property, as it was given.
    pub const fn as_slice(&self) -> &'a [Property<'a>] {
        self.list
    }

    /// Bytes of them, without their length, and notes what they tell. `None` if such a packet may not
    /// carry them.
    #[inline(always)]
    pub(crate) fn count(&self, carrier: Carrier, told: &mut Told) -> Option<usize> {
        let mut count = Writer::new(&mut []);
        told.seen = 0;
        if let Some(write) = self.write {
            write(self.list, carrier, &mut count, told)?;
        }
        Some(count.length())
    }

    /// Writes them, with those that are `encoded` already, and their length before them (MQTT 5,
    /// section 2.2.2), and notes what they tell. `None` if such a packet may not carry them.
    pub(crate) fn write(
        &self,
        encoded: &[u8],
        carrier: Carrier,
        writer: &mut Writer<'_>,
        told: &mut Told,
    ) -> Option<()> {
        let count = self.count(carrier, told)?;
        writer.varint(count + encoded.len());
        if let Some(write) = self.write {
            write(self.list, carrier, writer, told)?;
        }
        writer.bytes(encoded);
        Some(())
    }
}

/// What the properties of a packet tell, of what the session has to know.
pub(crate) struct Told {
    /// The properties of the last block, a [bit] for each.
    seen: u32,
    /// The numbers of those from [`id::RECEIVE_MAXIMUM`] to [`id::SHARED_SUBSCRIPTION`]; in the place of
    /// [`id::USER_PROPERTY`], of [`id::SERVER_KEEP_ALIVE`]; in that of [`id::TOPIC_ALIAS`], which is of a
    /// message, also of [`id::SESSION_EXPIRY_INTERVAL`].
    numbers: [u32; 10],
}

impl Told {
    /// What the number of a property is that was not told.
    pub const NOTHING: u32 = u32::MAX;

    pub const fn new() -> Self {
        Told {
            seen: 0,
            numbers: [Told::NOTHING; 10],
        }
    }

    /// Nothing was told.
    // Apart, it is smaller than in the places it is called from.
    #[inline(never)]
    pub fn clear(&mut self) {
        self.seen = 0;
        self.numbers.fill(Told::NOTHING);
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
        self.set(identifier, Told::NOTHING);
    }

    fn note(&mut self, raw: &Raw<'_>) {
        if raw.rule.form != Form::PAIR {
            self.set(raw.identifier, raw.number);
        }
    }

    fn set(&mut self, identifier: u8, number: u32) {
        if let Some(kept) = self.numbers.get_mut(place(identifier)) {
            *kept = number;
        }
    }
}

/// Where the number of a property is kept, if it is.
const fn place(identifier: u8) -> usize {
    let identifier = match identifier {
        id::SERVER_KEEP_ALIVE => id::USER_PROPERTY,
        id::SESSION_EXPIRY_INTERVAL => id::TOPIC_ALIAS,
        identifier => identifier,
    };
    (identifier as usize).wrapping_sub(id::RECEIVE_MAXIMUM as usize)
}

/// Stands for a property among those of a packet: no packet may have two with the same.
const fn bit(identifier: u8) -> u32 {
    1 << (identifier % 31)
}

impl fmt::Debug for PropertyList<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.list.fmt(f)
    }
}

impl PartialEq for PropertyList<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.list == other.list
    }
}

impl Eq for PropertyList<'_> {}

impl Default for PropertyList<'_> {
    fn default() -> Self {
        PropertyList::NONE
    }
}

impl<'a> From<&'a [Property<'a>]> for PropertyList<'a> {
    fn from(list: &'a [Property<'a>]) -> Self {
        PropertyList::new(list)
    }
}

/// Whether a packet of the server may carry this block of properties, which is without its length.
pub(crate) fn check(block: &[u8], carrier: Carrier, told: &mut Told) -> Result<(), ProtocolError> {
    let mut reader = Reader::new(block);
    let mut seen = 0;
    while !reader.rest.is_empty() {
        let raw = &Raw::read(&mut reader);
        if reader.is_short {
            return Err(ProtocolError::Property(raw.identifier));
        }
        raw.check(carrier, &mut seen)?;
        told.note(raw);
    }
    told.seen = seen;
    Ok(())
}

/// Writes properties, without the length that stands before them, and notes what they tell; `None`
/// if this packet may not carry one of them, or not so often, or not with this value.
fn write(
    properties: &[Property<'_>],
    carrier: Carrier,
    writer: &mut Writer<'_>,
    told: &mut Told,
) -> Option<()> {
    let mut seen = 0;
    for property in properties {
        let raw = &property.raw();
        raw.check(carrier, &mut seen).ok()?;
        let fits = |field: &[u8]| field.len() <= u16::MAX as usize;
        if !fits(raw.bytes)
            || !fits(raw.value)
            || raw.rule.form == Form::VARIABLE && raw.number > MAX_REMAINING as u32
        {
            return None;
        }
        raw.write(writer);
        told.note(raw);
    }
    told.seen = seen;
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
        let form = raw.rule.form;
        if form == Form::VARIABLE {
            raw.number = reader.varint() as u32;
        }
        for _ in 0..form.width() {
            raw.number = raw.number << 8 | reader.u8() as u32;
        }
        if form.fields() > 0 {
            raw.bytes = reader.field();
        }
        if form.fields() > 1 {
            raw.value = reader.field();
        }
        raw
    }

    fn write(&self, writer: &mut Writer<'_>) {
        let form = self.rule.form;
        writer.u8(self.identifier);
        if form == Form::VARIABLE {
            writer.varint(self.number as usize);
        }
        for place in (0..form.width()).rev() {
            writer.u8((self.number >> (8 * place)) as u8);
        }
        if form.fields() > 0 {
            writer.field(self.bytes);
        }
        if form.fields() > 1 {
            writer.field(self.value);
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
        let repeats = form == Form::PAIR || form == Form::VARIABLE && carrier == Carrier::MESSAGE;
        let bit = bit(self.identifier);
        let is_right = (*seen & bit == 0 || repeats)
            && self.number >= form.least()
            && (self.number <= 1 || form != Form::SWITCH)
            && (form != Form::TOPIC || TopicName::from_bytes(self.bytes).is_some());
        *seen |= bit;
        match is_right {
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
