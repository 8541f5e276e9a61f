//! SUBSCRIBE and UNSUBSCRIBE (sections 3.8 and 3.10), and the codes of their answers.

use super::properties::{Carrier, Properties, PropertyList, Told};
use super::reason::ReasonCode;
use super::{PacketIdentifier, Qos, Version, Writer};
use crate::error::SubscribeError;

/// One topic filter of a SUBSCRIBE, and how its messages are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subscription<'a> {
    /// Topic filter: 1 to 65,535 bytes, wildcards allowed in their places (section 4.7).
    pub filter: &'a str,
    /// Highest quality of service.
    pub qos: Qos,
    /// Not the messages this client published itself. Not for a shared subscription. MQTT 5;
    /// MQTT 3.1.1 leaves it out.
    pub no_local: bool,
    /// Messages keep the RETAIN flag they were published with. MQTT 5; MQTT 3.1.1 leaves it out.
    pub retain_as_published: bool,
    /// What becomes of the messages that are retained now. MQTT 5; MQTT 3.1.1 sends them.
    pub retain_handling: RetainHandling,
}

/// Whether the server sends what is retained when a subscription is made (MQTT 5,
/// section 3.8.3.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum RetainHandling {
    /// It does.
    #[default]
    Send = 0,
    /// It does if there was no such subscription before.
    SendIfNew = 1,
    /// It does not.
    DoNotSend = 2,
}

impl<'a> Subscription<'a> {
    /// A filter and the highest quality of service wanted for it.
    pub const fn new(filter: &'a str, qos: Qos) -> Self {
        Subscription {
            filter,
            qos,
            no_local: false,
            retain_as_published: false,
            retain_handling: RetainHandling::Send,
        }
    }

    /// Bytes on the wire.
    pub(crate) fn length(&self) -> usize {
        3 + self.filter.len()
    }

    pub(crate) fn write(&self, writer: &mut Writer<'_>, version: Version) {
        let mut options = self.qos as u8;
        if version.is_5() {
            options |= (self.no_local as u8) << 2
                | (self.retain_as_published as u8) << 3
                | (self.retain_handling as u8) << 4;
        }
        writer.field(self.filter.as_bytes());
        writer.u8(options);
    }
}

/// What stands before the filters of a SUBSCRIBE or UNSUBSCRIBE.
pub(crate) struct Head<'p> {
    pub version: Version,
    /// MQTT 3.1.1 leaves them out.
    pub properties: PropertyList<'p>,
    pub carrier: Carrier,
}

impl Head<'_> {
    /// Bytes behind the fixed header, with filters of this length.
    pub fn remaining(&self, filters: usize, told: &mut Told) -> Result<usize, SubscribeError> {
        let mut count = Writer::new(&mut []);
        self.write_properties(&mut count, told)
            .ok_or(SubscribeError::InvalidProperty)?;
        Ok((2 + count.length()).saturating_add(filters))
    }

    pub fn write(&self, writer: &mut Writer<'_>, identifier: PacketIdentifier, told: &mut Told) {
        writer.u16(identifier.value());
        // They were checked when they were counted.
        let _ = self.write_properties(writer, told);
    }

    /// `None` if such a packet may not carry them.
    fn write_properties(&self, writer: &mut Writer<'_>, told: &mut Told) -> Option<()> {
        match self.version.is_5() {
            true => self.properties.write(&[], self.carrier, writer, told),
            false => Some(()),
        }
    }
}

/// The server's answer to each filter of a SUBSCRIBE or UNSUBSCRIBE, in their order
/// (sections 3.9.3 and 3.11.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReasonCodes<'a> {
    codes: &'a [u8],
    /// What else the server says of it. MQTT 5.
    pub properties: Properties<'a>,
}

impl<'a> ReasonCodes<'a> {
    /// Of checked codes and properties.
    pub(crate) fn new(codes: &'a [u8], properties: Properties<'a>) -> Self {
        ReasonCodes { codes, properties }
    }

    /// One answer for each filter. For a SUBSCRIBE the QoS granted, which may be lower than asked
    /// ([`ReasonCode::granted`]), or a failure: in MQTT 3.1.1, that is always
    /// [`ReasonCode::UNSPECIFIED_ERROR`]. MQTT 3.1.1 has none for an UNSUBSCRIBE.
    pub fn iter(&self) -> impl Iterator<Item = ReasonCode> + Clone + use<'a> {
        self.codes.iter().map(|&code| ReasonCode(code))
    }

    /// The first failure among them.
    pub fn failure(&self) -> Option<ReasonCode> {
        self.iter().find(|code| code.is_error())
    }

    /// Whether every filter was granted.
    pub fn all_granted(&self) -> bool {
        self.failure().is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_codes_of_a_suback_tell_what_was_granted() {
        let codes = ReasonCodes::new(&[0, 1, 2, 0x80], Properties::NONE);
        assert!(codes.iter().map(ReasonCode::granted).eq([
            Some(Qos::AtMostOnce),
            Some(Qos::AtLeastOnce),
            Some(Qos::ExactlyOnce),
            None
        ]));
        assert_eq!(codes.failure(), Some(ReasonCode::UNSPECIFIED_ERROR));
    }
}
