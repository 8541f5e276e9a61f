//! SUBSCRIBE, SUBACK and UNSUBSCRIBE (sections 3.8 to 3.10).

use super::{PacketIdentifier, ProtocolError, Qos, Reader, Writer};

/// One topic filter of a SUBSCRIBE, and the highest QoS at which its messages are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subscription<'a> {
    /// Topic filter: 1 to 65,535 bytes, wildcards allowed in their places (section 4.7).
    pub filter: &'a str,
    /// Highest quality of service.
    pub qos: Qos,
}

impl<'a> Subscription<'a> {
    /// A filter and the highest quality of service wanted for it.
    pub const fn new(filter: &'a str, qos: Qos) -> Self {
        Subscription { filter, qos }
    }
}

pub(crate) fn subscribe_remaining(subscriptions: &[Subscription<'_>]) -> usize {
    subscriptions.iter().fold(2, |sum: usize, each| {
        sum.saturating_add(3 + each.filter.len())
    })
}

pub(crate) fn write_subscribe(
    mut writer: Writer<'_>,
    identifier: PacketIdentifier,
    subscriptions: &[Subscription<'_>],
) {
    writer.u16(identifier.value());
    for each in subscriptions {
        writer.field(each.filter.as_bytes());
        writer.u8(each.qos as u8);
    }
}

pub(crate) fn unsubscribe_remaining(filters: &[&str]) -> usize {
    filters
        .iter()
        .fold(2, |sum: usize, each| sum.saturating_add(2 + each.len()))
}

pub(crate) fn write_unsubscribe(
    mut writer: Writer<'_>,
    identifier: PacketIdentifier,
    filters: &[&str],
) {
    writer.u16(identifier.value());
    for each in filters {
        writer.field(each.as_bytes());
    }
}

/// The server's answer to each filter of a SUBSCRIBE, in their order (section 3.9.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReturnCodes<'a>(&'a [u8]);

impl<'a> ReturnCodes<'a> {
    /// One answer for each filter: the QoS granted, which may be lower than asked, or
    /// [`SubscribeFailure`].
    pub fn iter(&self) -> impl Iterator<Item = Result<Qos, SubscribeFailure>> + 'a {
        self.0
            .iter()
            .map(|&code| Qos::from_bits(code).ok_or(SubscribeFailure))
    }

    /// Whether every filter was granted.
    pub fn all_granted(&self) -> bool {
        self.iter().all(|code| code.is_ok())
    }
}

/// Return code 0x80 of a SUBACK: the server refused this filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubscribeFailure;

impl core::fmt::Display for SubscribeFailure {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("the server refused the subscription (SUBACK 0x80)")
    }
}

impl core::error::Error for SubscribeFailure {}

/// Reads a SUBACK: which SUBSCRIBE it answers, and how.
pub(crate) fn decode_suback(
    body: &[u8],
) -> Result<(PacketIdentifier, ReturnCodes<'_>), ProtocolError> {
    let mut reader = Reader(body);
    let identifier = reader.packet_identifier()?;
    let codes = reader.0;
    if codes.is_empty() {
        return Err(ProtocolError::Length);
    }
    match codes.iter().find(|code| !matches!(code, 0..=2 | 0x80)) {
        Some(&code) => Err(ProtocolError::ReturnCode(code)),
        None => Ok((identifier, ReturnCodes(codes))),
    }
}

/// Whether this may be a topic filter: not empty, not too long, no U+0000, `#` last and `+` and
/// `#` alone in their levels (section 4.7.1).
pub(crate) fn is_topic_filter(filter: &str) -> bool {
    if filter.is_empty() || filter.len() > u16::MAX as usize {
        return false;
    }
    let mut bytes = filter.bytes().peekable();
    let mut before = b'/';
    while let Some(byte) = bytes.next() {
        let after = bytes.peek().copied();
        let valid = match byte {
            0 => false,
            b'#' => before == b'/' && after.is_none(),
            b'+' => before == b'/' && matches!(after, None | Some(b'/')),
            _ => true,
        };
        if !valid {
            return false;
        }
        before = byte;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_have_their_wildcards_alone_in_a_level_and_the_hash_last() {
        for good in ["a", "/", "#", "+", "a/#", "+/b", "a/+/b", "/+"] {
            assert!(is_topic_filter(good), "{good}");
        }
        for bad in ["", "a#", "#/a", "a/#/b", "a+", "+a", "a/b+/c", "a\0b"] {
            assert!(!is_topic_filter(bad), "{bad}");
        }
    }

    #[test]
    fn a_suback_is_read_with_each_of_its_codes() {
        let (identifier, codes) = decode_suback(&[0, 7, 0, 1, 2, 0x80]).unwrap();
        assert_eq!(identifier.value(), 7);
        assert!(codes.iter().eq([
            Ok(Qos::AtMostOnce),
            Ok(Qos::AtLeastOnce),
            Ok(Qos::ExactlyOnce),
            Err(SubscribeFailure)
        ]));
        assert!(!codes.all_granted());
        assert_eq!(decode_suback(&[0, 7]), Err(ProtocolError::Length));
        assert_eq!(decode_suback(&[0]), Err(ProtocolError::Length));
        assert_eq!(
            decode_suback(&[0, 0, 0]),
            Err(ProtocolError::PacketIdentifier)
        );
        assert_eq!(decode_suback(&[0, 7, 3]), Err(ProtocolError::ReturnCode(3)));
    }
}
