//! AUTH and the server's DISCONNECT (MQTT 5, sections 3.14 and 3.15).

use super::properties::{Carrier, Properties, Property};
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
    names_method(block)
        .then_some((reason, length))
        .ok_or(ProtocolError::Authentication)
}

/// Whether these properties, checked before, name an authentication method.
pub(crate) fn names_method(block: &[u8]) -> bool {
    Properties::checked(block)
        .iter()
        .any(|property| matches!(property, Property::AuthenticationMethod(_)))
}
