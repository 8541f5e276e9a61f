//! What the server sends but PUBLISH: CONNACK (section 3.2), PUBACK, PUBREC, PUBREL and PUBCOMP
//! (sections 3.4 to 3.7), SUBACK and UNSUBACK (sections 3.9 and 3.11), PINGRESP (section 3.13), and of
//! MQTT 5 DISCONNECT and AUTH (sections 3.14 and 3.15).
//!
//! They are much alike: a packet identifier or not; in MQTT 5 a reason code and properties, each of
//! which may be left out together with what follows, or properties and codes behind them.

use super::properties::Told;
#[cfg(feature = "v5")]
use super::properties::{Carrier, id};
use super::reason::ReasonCode;
#[cfg(feature = "v5")]
use super::reason::is_allowed;
use super::{PacketIdentifier, ProtocolError, Reader, Version, first};

/// Bytes of a whole acknowledgement without a reason code.
pub(crate) const LENGTH: usize = 4;

/// What such a packet says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ack {
    pub session_present: bool,
    /// Of those that answer with one.
    pub identifier: Option<PacketIdentifier>,
    pub reason: ReasonCode,
    /// Bytes of the properties, which are the end of the packet but for codes.
    pub properties: usize,
    /// Bytes of the codes, which are the end of the packet: one for each filter.
    pub codes: usize,
}

/// Reads such a packet with this first byte.
// Inlined where memory is plenty: every message passes here.
#[cfg_attr(target_pointer_width = "64", inline(always))]
pub(crate) fn decode(
    first: u8,
    body: &[u8],
    version: Version,
    told: &mut Told,
) -> Result<Ack, ProtocolError> {
    let is_connack = first == first::CONNACK;
    // A server that does not know MQTT 5 refuses it in the words of MQTT 3.1.1.
    let is_5 = version.is_5() && !(is_connack && matches!(body, [_, 1]));
    let has_codes = first == first::SUBACK || is_5 && first == first::UNSUBACK;
    let mut reader = Reader::new(body);
    let mut ack = Ack {
        session_present: false,
        identifier: None,
        reason: ReasonCode::SUCCESS,
        properties: 0,
        codes: 0,
    };
    if (first::PUBACK..=first::UNSUBACK).contains(&first) {
        ack.identifier = PacketIdentifier::new(reader.u16());
        reader.end()?;
        if ack.identifier.is_none() {
            return Err(ProtocolError::PacketIdentifier);
        }
    }
    if is_connack {
        let flags = reader.u8();
        ack.session_present = flags == 1;
        if !is_5 {
            ack.reason = reason_3(reader.u8())?;
        }
        // In MQTT 3.1.1 a refusal's flags must be 0, too [MQTT-3.2.2-4]; the refusal is what the user
        // must hear.
        if flags > 1 && ack.reason == ReasonCode::SUCCESS {
            return Err(match is_5 {
                true => ProtocolError::Flags(flags),
                false => ProtocolError::ReturnCode(flags),
            });
        }
    }
    #[cfg(feature = "v5")]
    if is_5 && first != first::PINGRESP {
        if !has_codes && !reader.rest.is_empty() {
            ack.reason = ReasonCode(reader.u8());
            if !is_allowed(ack.reason.0, first) {
                return Err(ProtocolError::ReturnCode(ack.reason.0));
            }
        }
        // Those of CONNACK are never left out.
        if has_codes || is_connack || !reader.rest.is_empty() {
            ack.properties = reader.properties(Carrier::with(first), told)?;
        }
        if first == first::AUTH && !(ack.properties > 0 && told.has(id::AUTHENTICATION_METHOD)) {
            return Err(ProtocolError::Authentication);
        }
    }
    let _ = told;
    let codes = reader.rest;
    if reader.is_short || has_codes == codes.is_empty() {
        return Err(ProtocolError::Length);
    }
    for &code in codes {
        let is_right = match is_5 {
            #[cfg(feature = "v5")]
            true => is_allowed(code, first),
            _ => code <= 2 || code == 0x80,
        };
        if !is_right {
            return Err(ProtocolError::ReturnCode(code));
        }
    }
    ack.codes = codes.len();
    Ok(ack)
}

/// What a return code of a CONNACK of MQTT 3.1.1 means.
fn reason_3(code: u8) -> Result<ReasonCode, ProtocolError> {
    const REASONS: [ReasonCode; 6] = [
        ReasonCode::SUCCESS,
        ReasonCode::UNSUPPORTED_PROTOCOL_VERSION,
        ReasonCode::CLIENT_IDENTIFIER_NOT_VALID,
        ReasonCode::SERVER_UNAVAILABLE,
        ReasonCode::BAD_USER_NAME_OR_PASSWORD,
        ReasonCode::NOT_AUTHORIZED,
    ];
    let reason = REASONS.get(code as usize);
    reason.copied().ok_or(ProtocolError::ReturnCode(code))
}

#[cfg(all(test, feature = "v3"))]
mod tests {
    use super::*;

    fn decode_3(first: u8, body: &[u8]) -> Result<Ack, ProtocolError> {
        decode(first, body, Version::V3_1_1, &mut Told::new())
    }

    #[test]
    fn a_suback_is_read_with_each_of_its_codes() {
        let decode = |body| decode_3(first::SUBACK, body);
        let suback = decode(&[0, 7, 0, 1, 2, 0x80]).unwrap();
        assert_eq!(
            (suback.identifier, suback.codes),
            (PacketIdentifier::new(7), 4)
        );
        assert_eq!(decode(&[0, 7]), Err(ProtocolError::Length));
        assert_eq!(decode(&[0]), Err(ProtocolError::Length));
        assert_eq!(decode(&[0, 0, 0]), Err(ProtocolError::PacketIdentifier));
        assert_eq!(decode(&[0, 7, 3]), Err(ProtocolError::ReturnCode(3)));
    }

    #[test]
    fn a_connack_tells_session_present_a_refusal_or_a_fault() {
        let decode =
            |body| decode_3(first::CONNACK, body).map(|ack| (ack.session_present, ack.reason));
        assert_eq!(decode(&[0, 0]), Ok((false, ReasonCode::SUCCESS)));
        assert_eq!(decode(&[1, 0]), Ok((true, ReasonCode::SUCCESS)));
        assert_eq!(decode(&[0, 5]), Ok((false, ReasonCode::NOT_AUTHORIZED)));
        assert_eq!(decode(&[0, 6]), Err(ProtocolError::ReturnCode(6)));
        assert_eq!(decode(&[2, 0]), Err(ProtocolError::ReturnCode(2)));
        assert_eq!(decode(&[0]), Err(ProtocolError::Length));
        assert_eq!(decode(&[0, 0, 0]), Err(ProtocolError::Length));
    }
}
