//! What answers: PUBACK, PUBREC, PUBREL and PUBCOMP (sections 3.4 to 3.7), SUBACK and UNSUBACK
//! (sections 3.9 and 3.11). A packet identifier and, in MQTT 5, properties; with a reason code
//! before them, or several behind.

use super::properties::Carrier;
use super::reason::{ReasonCode, allowed};
use super::{PacketIdentifier, ProtocolError, Reader, Version, first};

/// Bytes of a whole acknowledgement without a reason code.
pub(crate) const LENGTH: usize = 4;

/// What such a packet says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ack {
    pub identifier: PacketIdentifier,
    pub reason: ReasonCode,
    /// Bytes of the properties, which are the end of the packet but for codes.
    pub properties: usize,
    /// Bytes of the codes, which are the end of the packet: one for each filter.
    pub codes: usize,
}

/// Reads such a packet with this first byte.
// Inlined where memory is plenty: every message passes here.
#[cfg_attr(target_pointer_width = "64", inline(always))]
pub(crate) fn decode(first: u8, body: &[u8], version: Version) -> Result<Ack, ProtocolError> {
    let is_5 = version.is_5();
    let has_codes = first == first::SUBACK || is_5 && first == first::UNSUBACK;
    if !is_5 && !has_codes && body.len() != LENGTH - 2 {
        return Err(ProtocolError::Length);
    }
    let mut reader = Reader(body);
    let mut ack = Ack {
        identifier: reader.packet_identifier()?,
        reason: ReasonCode::SUCCESS,
        properties: 0,
        codes: 0,
    };
    if has_codes {
        #[cfg(feature = "v5")]
        if is_5 {
            ack.properties = reader.properties(Carrier::ACK)?.len();
        }
        let codes = reader.0;
        if codes.is_empty() {
            return Err(ProtocolError::Length);
        }
        allowed::check(allowed::by(first, is_5), codes)?;
        ack.codes = codes.len();
    } else {
        (ack.reason, ack.properties) = reader.reason(allowed::by(first, is_5), Carrier::ACK)?;
    }
    Ok(ack)
}

impl Reader<'_> {
    /// The end of many packets of MQTT 5: a reason code and properties, each of which may be left
    /// out together with what follows. Returns how long the properties are.
    pub fn reason(
        &mut self,
        allowed: &[u8],
        carrier: Carrier,
    ) -> Result<(ReasonCode, usize), ProtocolError> {
        #[cfg(feature = "v5")]
        if let Some((code, rest)) = self.0.split_at_checked(1) {
            allowed::check(allowed, code)?;
            self.0 = rest;
            let properties = match rest {
                [] => 0,
                _ => self.properties(carrier)?.len(),
            };
            if !self.0.is_empty() {
                return Err(ProtocolError::Length);
            }
            let code = code.first().copied().unwrap_or_default();
            return Ok((ReasonCode(code), properties));
        }
        let _ = (allowed, carrier);
        Ok((ReasonCode::SUCCESS, 0))
    }
}

#[cfg(all(test, feature = "v3"))]
mod tests {
    use super::*;

    #[test]
    fn a_suback_is_read_with_each_of_its_codes() {
        let decode = |body| decode(first::SUBACK, body, Version::V3_1_1);
        let suback = decode(&[0, 7, 0, 1, 2, 0x80]).unwrap();
        assert_eq!((suback.identifier.value(), suback.codes), (7, 4));
        assert_eq!(decode(&[0, 7]), Err(ProtocolError::Length));
        assert_eq!(decode(&[0]), Err(ProtocolError::Length));
        assert_eq!(decode(&[0, 0, 0]), Err(ProtocolError::PacketIdentifier));
        assert_eq!(decode(&[0, 7, 3]), Err(ProtocolError::ReturnCode(3)));
    }
}
