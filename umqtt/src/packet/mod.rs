//! The wire: MQTT control packets as bytes (MQTT 3.1.1 and 5, chapters 2 and 3).
//!
//! One file per packet family. Encoders write into a slice whose length was computed beforehand;
//! decoders read from a slice that holds exactly one packet's variable header and payload. None
//! of them can panic: what does not fit is `None`, what is wrong is a [`ProtocolError`].

pub(crate) mod ack;
pub(crate) mod connect;
#[cfg_attr(not(feature = "v5"), path = "properties_none.rs")]
pub(crate) mod properties;
pub(crate) mod publish;
pub(crate) mod reason;
pub(crate) mod subscribe;

use core::fmt;

#[cfg(feature = "v5")]
use reason::ReasonCode;

/// A version of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Version {
    /// MQTT 3.1.1, of 2014: in a build with the feature `v3`.
    #[cfg(feature = "v3")]
    V3_1_1,
    /// MQTT 5, of 2019: in a build with the feature `v5`.
    #[cfg(feature = "v5")]
    V5,
}

impl Version {
    /// MQTT 3.1.1 where the build has it, or else MQTT 5.
    #[cfg(feature = "v3")]
    pub const DEFAULT: Version = Version::V3_1_1;
    /// MQTT 3.1.1 where the build has it, or else MQTT 5.
    #[cfg(not(feature = "v3"))]
    pub const DEFAULT: Version = Version::V5;

    /// In a build with one version, a constant: the code for the other one is gone.
    pub(crate) const fn is_5(self) -> bool {
        match self {
            #[cfg(feature = "v3")]
            Version::V3_1_1 => false,
            #[cfg(feature = "v5")]
            Version::V5 => true,
        }
    }
}

impl Default for Version {
    fn default() -> Self {
        Version::DEFAULT
    }
}

/// Quality of service of a message (section 4.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Qos {
    /// QoS 0: delivered once or not at all; never acknowledged.
    #[default]
    AtMostOnce = 0,
    /// QoS 1: delivered once or several times; acknowledged by PUBACK.
    AtLeastOnce = 1,
    /// QoS 2: delivered once; PUBREC, PUBREL, PUBCOMP.
    ExactlyOnce = 2,
}

impl Qos {
    /// The level of these two bits; `None` for the reserved value 3 (and above).
    pub const fn from_bits(bits: u8) -> Option<Self> {
        match bits {
            0 => Some(Qos::AtMostOnce),
            1 => Some(Qos::AtLeastOnce),
            2 => Some(Qos::ExactlyOnce),
            _ => None,
        }
    }
}

/// Names one message, SUBSCRIBE or UNSUBSCRIBE until it is acknowledged (section 2.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PacketIdentifier(core::num::NonZeroU16);

impl PacketIdentifier {
    /// `None` for 0, which no packet may carry [MQTT-2.3.1-1].
    pub const fn new(value: u16) -> Option<Self> {
        match core::num::NonZeroU16::new(value) {
            Some(value) => Some(PacketIdentifier(value)),
            None => None,
        }
    }

    pub(crate) const FIRST: PacketIdentifier = PacketIdentifier(core::num::NonZeroU16::MIN);

    /// The number on the wire, 1 to 65535.
    pub const fn value(self) -> u16 {
        self.0.get()
    }
}

/// What the server sent that no server may send; the connection is closed for it (section 4.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProtocolError {
    /// A remaining length of more than four bytes (section 2.2.3).
    RemainingLength,
    /// A packet of a type that only clients send, that is reserved, or that has no place here:
    /// before CONNACK, or a second CONNACK. The packet's first byte.
    UnexpectedPacket(u8),
    /// Flag bits of the fixed header that are not the ones section 2.2.2 prescribes.
    Flags(u8),
    /// The packet is shorter or longer than its content.
    Length,
    /// QoS 3 (section 3.3.1.2).
    Qos,
    /// Packet identifier 0 (section 2.3.1).
    PacketIdentifier,
    /// A PUBACK for a message of QoS 2, or a PUBREC or PUBCOMP for one of QoS 1 (section 4.3). Its first
    /// byte. A server that does so does not have the QoS of the message: publish with the other one.
    Acknowledgement(u8),
    /// A topic name that is empty, is not UTF-8, or holds U+0000 or a wildcard (section 4.7).
    Topic,
    /// A return code outside the table of its packet, or CONNACK flags that may not be set.
    ReturnCode(u8),
    /// A SUBACK or, with MQTT 5, an UNSUBACK with more or fewer codes than filters were asked for
    /// (sections 3.9.3 and 3.11.3).
    Codes,
    /// A packet that is larger than the whole receive buffer, and no PUBLISH, nor one of MQTT 5 of which
    /// the reason code is enough: PUBACK, PUBREC, PUBREL, PUBCOMP, DISCONNECT. Or one larger than the
    /// maximum packet size the client gave.
    TooLarge,
    /// MQTT 5: a property that does not exist, that this packet may not carry, or that is not of
    /// its form (section 2.2.2.2). Its identifier.
    Property(u8),
    /// MQTT 5: a property with a value it may not have, or twice in one packet; or a reason string or
    /// user property that the client has asked to do without
    /// ([`Property::RequestProblemInformation`](crate::Property)). Its identifier.
    PropertyValue(u8),
    /// MQTT 5: a message without a topic name, under no alias or one that stands for none
    /// (section 3.3.2.3.4).
    NoTopic,
    /// MQTT 5: a topic alias of 0, or above the maximum the client gave (section 3.3.2.3.4).
    TopicAlias,
    /// MQTT 5: more messages at once than the receive maximum the client gave (section 3.3.4).
    ReceiveMaximum,
    /// MQTT 5: authentication data or an AUTH without an authentication method (section 4.12).
    Authentication,
}

impl ProtocolError {
    /// What the client tells the server of it (MQTT 5, section 4.13): that the packet cannot be
    /// read is "malformed"; that it can, but may not be, is a protocol error.
    #[cfg(feature = "v5")]
    pub const fn reason(&self) -> ReasonCode {
        match self {
            ProtocolError::RemainingLength
            | ProtocolError::Flags(_)
            | ProtocolError::Length
            | ProtocolError::Qos
            | ProtocolError::Topic
            | ProtocolError::Property(_) => ReasonCode::MALFORMED_PACKET,
            // Type 0 is none at all.
            ProtocolError::UnexpectedPacket(0..=0x0f) => ReasonCode::MALFORMED_PACKET,
            ProtocolError::UnexpectedPacket(_)
            | ProtocolError::PacketIdentifier
            | ProtocolError::Acknowledgement(_)
            | ProtocolError::ReturnCode(_)
            | ProtocolError::Codes
            | ProtocolError::PropertyValue(_)
            | ProtocolError::NoTopic
            | ProtocolError::Authentication => ReasonCode::PROTOCOL_ERROR,
            ProtocolError::TopicAlias => ReasonCode::TOPIC_ALIAS_INVALID,
            ProtocolError::ReceiveMaximum => ReasonCode::RECEIVE_MAXIMUM_EXCEEDED,
            ProtocolError::TooLarge => ReasonCode::PACKET_TOO_LARGE,
        }
    }
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ProtocolError::RemainingLength => f.write_str("malformed remaining length"),
            ProtocolError::UnexpectedPacket(first) => {
                write!(f, "unexpected packet, first byte 0x{first:02x}")
            }
            ProtocolError::Flags(first) => {
                write!(f, "invalid flags, first byte 0x{first:02x}")
            }
            ProtocolError::Length => f.write_str("packet shorter or longer than its content"),
            ProtocolError::Qos => f.write_str("QoS 3"),
            ProtocolError::PacketIdentifier => f.write_str("packet identifier 0"),
            ProtocolError::Acknowledgement(first::PUBACK) => {
                f.write_str("PUBACK of a message of QoS 2: publish with QoS 1 there")
            }
            ProtocolError::Acknowledgement(_) => {
                f.write_str("PUBREC or PUBCOMP of a message of QoS 1")
            }
            ProtocolError::Topic => f.write_str("invalid topic name"),
            ProtocolError::ReturnCode(code) => write!(f, "invalid return code 0x{code:02x}"),
            ProtocolError::Codes => f.write_str("not one code for each filter"),
            ProtocolError::TooLarge => f.write_str("packet larger than the client takes"),
            ProtocolError::Property(identifier) => {
                write!(f, "invalid property 0x{identifier:02x}")
            }
            ProtocolError::PropertyValue(identifier) => {
                write!(
                    f,
                    "property 0x{identifier:02x} twice or with an invalid value"
                )
            }
            ProtocolError::NoTopic => f.write_str("a message without a topic"),
            ProtocolError::TopicAlias => f.write_str("invalid topic alias"),
            ProtocolError::ReceiveMaximum => f.write_str("more messages than the receive maximum"),
            ProtocolError::Authentication => f.write_str("no authentication method"),
        }
    }
}

impl core::error::Error for ProtocolError {}

/// First bytes of packets, without the flags of PUBLISH (section 2.2.1).
pub(crate) mod first {
    pub const CONNECT: u8 = 0x10;
    pub const CONNACK: u8 = 0x20;
    pub const PUBLISH: u8 = 0x30;
    pub const PUBACK: u8 = 0x40;
    pub const PUBREC: u8 = 0x50;
    pub const PUBREL: u8 = 0x62;
    pub const PUBCOMP: u8 = 0x70;
    pub const SUBSCRIBE: u8 = 0x82;
    pub const SUBACK: u8 = 0x90;
    pub const UNSUBSCRIBE: u8 = 0xa2;
    pub const UNSUBACK: u8 = 0xb0;
    pub const PINGREQ: u8 = 0xc0;
    pub const PINGRESP: u8 = 0xd0;
    pub const DISCONNECT: u8 = 0xe0;
    pub const AUTH: u8 = 0xf0;
}

/// The largest remaining length four bytes can tell (section 2.2.3).
pub(crate) const MAX_REMAINING: usize = 268_435_455;

/// A packet's fixed header (section 2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FixedHeader {
    /// Type and flags.
    pub first: u8,
    /// Bytes of this header itself, 2 to 5.
    pub length: usize,
    /// Bytes that follow it; more than [`MAX_REMAINING`] if that is told against the standard.
    pub remaining: usize,
}

impl FixedHeader {
    /// Bytes of the longest one.
    pub const LONGEST: usize = 5;

    /// Reads the header at the start of `bytes`; `None` when more of it is still to come.
    // Inlined where memory is plenty: every message passes here, and most are short.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        #[cfg(target_pointer_width = "64")]
        if let &[first, remaining @ ..0x80, ..] = bytes {
            return Some(FixedHeader {
                first,
                length: 2,
                remaining: remaining as usize,
            });
        }
        let (&first, rest) = bytes.split_first()?;
        let mut remaining = 0;
        let mut length = 1;
        let mut shift = 0;
        for &byte in rest {
            remaining += (byte as usize) << shift;
            length += 1;
            // A fourth byte that says it is not the last has brought more than is allowed.
            if byte < 0x80 || length == Self::LONGEST {
                return Some(FixedHeader {
                    first,
                    length,
                    remaining,
                });
            }
            remaining -= 0x80 << shift;
            shift += 7;
        }
        None
    }

    /// Whether the remaining length has its shortest form, as MQTT 5 wants it [MQTT-1.5.5-1].
    #[cfg(feature = "v5")]
    pub fn is_shortest(&self) -> bool {
        self.length == 2 || self.length == 1 + varint_length(self.remaining)
    }

    /// Bytes of the whole packet.
    pub fn packet_length(&self) -> usize {
        self.length + self.remaining
    }
}

/// Bytes of a whole packet with `remaining` bytes after its fixed header.
pub(crate) fn packet_length(remaining: usize) -> usize {
    1 + varint_length(remaining) + remaining
}

/// Bytes of a variable byte integer (MQTT 5, section 1.5.5; in MQTT 3.1.1 the remaining length).
pub(crate) fn varint_length(value: usize) -> usize {
    let mut length = 1;
    let mut rest = value >> 7;
    while rest > 0 {
        length += 1;
        rest >>= 7;
    }
    length
}

/// More than any packet has.
const TOO_LONG: usize = 2 * MAX_REMAINING;

/// Writes fields one after the other, and counts them. What does not fit is left out: so one without
/// any room tells how much there will be.
pub(crate) struct Writer<'a> {
    buffer: &'a mut [u8],
    length: usize,
}

impl<'a> Writer<'a> {
    pub fn new(buffer: &'a mut [u8]) -> Self {
        Writer { buffer, length: 0 }
    }

    /// One that leaves so many bytes before what it writes, and counts them.
    pub fn after(buffer: &'a mut [u8], length: usize) -> Self {
        Writer { buffer, length }
    }

    /// Writes a fixed header into `packet`, which is as long as the whole packet will be.
    pub fn packet(packet: &'a mut [u8], first: u8, remaining: usize) -> Self {
        let mut writer = Writer::new(packet);
        writer.u8(first);
        writer.varint(remaining);
        writer
    }

    /// Bytes that were written, or would have been.
    pub fn length(&self) -> usize {
        self.length
    }

    /// A variable byte integer, of at most [`MAX_REMAINING`].
    pub fn varint(&mut self, value: usize) {
        let mut rest = value;
        while rest > 0x7f {
            self.u8(rest as u8 | 0x80);
            rest >>= 7;
        }
        self.u8(rest as u8);
    }

    pub fn u8(&mut self, value: u8) {
        if let Some(place) = self.buffer.get_mut(self.length) {
            *place = value;
        }
        self.length += 1;
    }

    pub fn u16(&mut self, value: u16) {
        self.u8((value >> 8) as u8);
        self.u8(value as u8);
    }

    /// Byte by byte on small machines, where `memcpy` is larger than this file.
    pub fn bytes(&mut self, bytes: &[u8]) {
        #[cfg(target_pointer_width = "64")]
        {
            let end = self.length + bytes.len();
            if let Some(to) = self.buffer.get_mut(self.length..end) {
                to.copy_from_slice(bytes);
            }
            self.length = end;
        }
        #[cfg(not(target_pointer_width = "64"))]
        {
            for &byte in bytes {
                self.u8(byte);
            }
            // So no sum overflows, however much is counted.
            self.length = self.length.min(TOO_LONG);
        }
    }

    /// A field that tells its length first: UTF-8 strings and binary data (section 1.5). With one of
    /// more than 65,535 bytes the packet is too large.
    pub fn field(&mut self, bytes: &[u8]) {
        if bytes.len() > u16::MAX as usize {
            self.length = TOO_LONG;
        }
        self.u16(bytes.len() as u16);
        self.bytes(bytes);
    }
}

/// The two bytes at this place, as a number; 0 where there are none.
pub(crate) fn u16_at(bytes: &[u8], at: usize) -> u16 {
    match bytes.get(at..) {
        Some(&[high, low, ..]) => u16::from_be_bytes([high, low]),
        _ => 0,
    }
}

/// Reads fields one after the other. Once there is less than was asked for, it is short: what it reads
/// then is empty and 0, so to look for it at the end is enough.
#[derive(Clone)]
pub(crate) struct Reader<'a> {
    pub rest: &'a [u8],
    pub is_short: bool,
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Reader {
            rest: bytes,
            is_short: false,
        }
    }

    pub fn u8(&mut self) -> u8 {
        self.bytes(1).first().copied().unwrap_or_default()
    }

    pub fn u16(&mut self) -> u16 {
        (self.u8() as u16) << 8 | self.u8() as u16
    }

    pub fn bytes(&mut self, length: usize) -> &'a [u8] {
        let (bytes, rest) = self.rest.split_at_checked(length).unwrap_or_else(|| {
            self.is_short = true;
            (&[], &[])
        });
        self.rest = rest;
        bytes
    }

    /// A variable byte integer in its shortest form (MQTT 5, section 1.5.5); in any other form, it is
    /// as if it was not there.
    #[cfg(feature = "v5")]
    pub fn varint(&mut self) -> usize {
        let mut value = 0;
        for shift in [0, 7, 14, 21] {
            let byte = self.u8();
            value |= ((byte & 0x7f) as usize) << shift;
            if byte < 0x80 {
                self.is_short |= byte == 0 && shift > 0;
                return value;
            }
        }
        self.is_short = true;
        0
    }

    /// A field that tells its length first.
    pub fn field(&mut self) -> &'a [u8] {
        let length = self.u16();
        self.bytes(length as usize)
    }

    /// Reads a block of properties, which tells its length first (MQTT 5, section 2.2.2), and returns
    /// that length.
    #[cfg(feature = "v5")]
    pub fn properties(
        &mut self,
        carrier: properties::Carrier,
        told: &mut properties::Told,
    ) -> Result<usize, ProtocolError> {
        let length = self.varint();
        let block = self.bytes(length);
        self.end()?;
        properties::check(block, carrier, told)?;
        Ok(length)
    }

    /// The packet identifier of a message; `None` if it is 0, or the message has none.
    pub fn identifier(&mut self, qos: Qos) -> Option<PacketIdentifier> {
        match qos {
            Qos::AtMostOnce => None,
            _ => PacketIdentifier::new(self.u16()),
        }
    }

    /// That there was less than was asked for is the server's fault.
    pub fn end(&self) -> Result<(), ProtocolError> {
        match self.is_short {
            true => Err(ProtocolError::Length),
            false => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remaining_length_round_trips_at_every_border_of_the_standard() {
        // Table 2.4 of section 2.2.3.
        for (remaining, bytes) in [
            (0, &[0x00][..]),
            (127, &[0x7f]),
            (128, &[0x80, 0x01]),
            (16_383, &[0xff, 0x7f]),
            (16_384, &[0x80, 0x80, 0x01]),
            (2_097_151, &[0xff, 0xff, 0x7f]),
            (2_097_152, &[0x80, 0x80, 0x80, 0x01]),
            (MAX_REMAINING, &[0xff, 0xff, 0xff, 0x7f]),
        ] {
            let mut packet = [0; 5];
            Writer::packet(&mut packet, first::PUBLISH, remaining);
            assert_eq!(&packet[1..=bytes.len()], bytes);
            let header = FixedHeader::decode(&packet).unwrap();
            assert_eq!(
                (header.first, header.remaining),
                (first::PUBLISH, remaining)
            );
            assert_eq!(header.length, 1 + bytes.len());
            assert_eq!(header.packet_length(), packet_length(remaining));
        }
    }

    #[test]
    fn a_header_that_is_not_whole_yet_is_waited_for() {
        for part in [&[][..], &[0x30], &[0x30, 0x80], &[0x30, 0xff, 0xff, 0xff]] {
            assert_eq!(FixedHeader::decode(part), None);
        }
    }

    #[test]
    fn a_remaining_length_of_five_bytes_is_more_than_is_allowed() {
        for last in 0x80..=0xff {
            let header = FixedHeader::decode(&[0x30, 0x80, 0x80, 0x80, last]).unwrap();
            assert!(header.remaining > MAX_REMAINING);
        }
    }

    #[test]
    fn a_writer_without_room_counts_what_it_does_not_write() {
        let mut writer = Writer::new(&mut []);
        writer.u16(7);
        writer.field(b"abc");
        assert_eq!(writer.length(), 7);
        let mut room = [0; 2];
        Writer::new(&mut room).field(b"abc");
        assert_eq!(room, [0, 3]);
    }
}
