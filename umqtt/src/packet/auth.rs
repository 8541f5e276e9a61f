//! AUTH and the server's DISCONNECT (MQTT 5, sections 3.14 and 3.15).

use super::properties::{Carrier, Properties, id};
use super::reason::{ReasonCode, allowed};
use super::{ProtocolError, Reader};

/// Reads a DISCONNECT of the server: why, and how long its properties are, which are its end.
pub(crate) fn decode_disconnect(body: &[u8]) -> Result<(ReasonCode, usize), ProtocolError> {
    Reader(body).reason(allowed::DISCONNECT, Carrier::DISCONNECT)
}

/// Reads an AUTH of the server, as [`decode_disconnect`].
pub(crate) fn decode_auth(body: &[u8]) -> Result<(ReasonCode, usize), ProtocolError> {
    let (reason, length) = Reader(body).reason(allowed::AUTH, Carrier::AUTH)?;
    let block = body.get(body.len() - length..).unwrap_or_default();
    Properties::checked(block)
        .number(id::AUTHENTICATION_METHOD)
        .map(|_| (reason, length))
        .ok_or(ProtocolError::Authentication)
}
