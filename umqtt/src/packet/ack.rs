//! PUBACK, PUBREC, PUBREL and PUBCOMP (sections 3.4 to 3.7): a packet identifier and, in MQTT 5,
//! a reason code and properties.

use super::properties::Carrier;
use super::reason::ReasonCode;
use super::{PacketIdentifier, ProtocolError, Reader, Version};

/// Bytes of a whole acknowledgement without a reason code.
pub(crate) const LENGTH: usize = 4;

/// What such a packet says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ack {
    pub identifier: PacketIdentifier,
    pub reason: ReasonCode,
    /// Bytes of the properties, which are the end of the packet.
    pub properties: usize,
}

/// Reads such a packet; of the reason codes, it may have those `allowed`.
pub(crate) fn decode(body: &[u8], version: Version, allowed: &[u8]) -> Result<Ack, ProtocolError> {
    let mut reader = Reader(body);
    if !version.is_5() && body.len() != LENGTH - 2 {
        return Err(ProtocolError::Length);
    }
    let identifier = reader.packet_identifier()?;
    let (reason, properties) = reader.reason(allowed, Carrier::ACK)?;
    Ok(Ack {
        identifier,
        reason,
        properties,
    })
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
        if let Some(reason) = self.u8() {
            if !allowed.contains(&reason) {
                return Err(ProtocolError::ReturnCode(reason));
            }
            let properties = match self.0 {
                [] => 0,
                _ => self.properties(carrier)?.len(),
            };
            if !self.0.is_empty() {
                return Err(ProtocolError::Length);
            }
            return Ok((ReasonCode(reason), properties));
        }
        let _ = (allowed, carrier);
        Ok((ReasonCode::SUCCESS, 0))
    }
}
