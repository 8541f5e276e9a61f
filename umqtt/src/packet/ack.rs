//! PUBACK, PUBREC, PUBREL, PUBCOMP and UNSUBACK: a packet identifier and nothing else
//! (sections 3.4 to 3.7 and 3.11).

use super::{PacketIdentifier, ProtocolError, Reader};

/// Bytes of a whole acknowledgement.
pub(crate) const LENGTH: usize = 4;

/// Reads the one field of such a packet.
pub(crate) fn decode(body: &[u8]) -> Result<PacketIdentifier, ProtocolError> {
    if body.len() != LENGTH - 2 {
        return Err(ProtocolError::Length);
    }
    Reader(body).packet_identifier()
}
