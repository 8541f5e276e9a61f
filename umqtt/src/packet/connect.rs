//! CONNECT and CONNACK (sections 3.1 and 3.2).

use core::fmt;

use super::publish::Publish;
use super::{MAX_REMAINING, ProtocolError, Writer, first, packet_length};

/// What a client asks for when it connects (section 3.1), and how long it waits for answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connect<'a> {
    /// Names the client, and its session, to the server. Every server takes 1 to 23 of
    /// `0-9a-zA-Z`; most take more; an empty one asks the server to make one up.
    pub client_id: &'a str,
    /// Whether both sides forget what was before and will forget what was after.
    pub clean_session: bool,
    /// Seconds after which the server may give the client up if it hears nothing; 0 for never.
    ///
    /// The session sends a PINGREQ once three quarters of it have passed without a packet sent,
    /// or without one received; with 0 it never does, and does not find dead links.
    pub keep_alive: u16,
    /// The message the server publishes when the client is gone without a DISCONNECT.
    pub will: Option<Publish<'a>>,
    /// User name, and with it a password.
    pub credentials: Option<Credentials<'a>>,
    /// Milliseconds to wait for CONNACK.
    pub connack_timeout: u32,
    /// Milliseconds in which something must be received after a PINGREQ.
    pub ping_timeout: u32,
}

impl<'a> Connect<'a> {
    /// A clean session, keep-alive of 60 s, no will, no credentials; 5 s for CONNACK, 10 s for an
    /// answer to a PINGREQ.
    pub const fn new(client_id: &'a str) -> Self {
        Connect {
            client_id,
            clean_session: true,
            keep_alive: 60,
            will: None,
            credentials: None,
            connack_timeout: 5_000,
            ping_timeout: 10_000,
        }
    }

    /// Writes the packet at the start of `buffer` and returns its length; `None` if it does not
    /// fit, or if a field is longer than 65,535 bytes.
    pub(crate) fn encode(&self, buffer: &mut [u8]) -> Option<usize> {
        let mut flags = (self.clean_session as u8) << 1;
        let mut remaining = 10 + field_length(self.client_id.as_bytes())?;
        if let Some(will) = &self.will {
            flags |= 0x04 | (will.qos as u8) << 3 | (will.retain as u8) << 5;
            remaining += field_length(will.topic.as_bytes())? + field_length(will.payload)?;
        }
        if let Some(credentials) = &self.credentials {
            flags |= 0x80;
            remaining += field_length(credentials.user_name.as_bytes())?;
            if let Some(password) = credentials.password {
                flags |= 0x40;
                remaining += field_length(password)?;
            }
        }
        if remaining > MAX_REMAINING {
            return None;
        }
        let length = packet_length(remaining);
        let packet = buffer.get_mut(..length)?;

        let mut writer = Writer::packet(packet, first::CONNECT, remaining);
        writer.bytes(b"\x00\x04MQTT\x04");
        writer.u8(flags);
        writer.u16(self.keep_alive);
        writer.field(self.client_id.as_bytes());
        if let Some(will) = &self.will {
            writer.field(will.topic.as_bytes());
            writer.field(will.payload);
        }
        if let Some(credentials) = &self.credentials {
            writer.field(credentials.user_name.as_bytes());
            if let Some(password) = credentials.password {
                writer.field(password);
            }
        }
        Some(length)
    }
}

fn field_length(bytes: &[u8]) -> Option<usize> {
    (bytes.len() <= u16::MAX as usize).then_some(2 + bytes.len())
}

/// User name and password of a CONNECT. MQTT 3.1.1 has no password without a user name
/// [MQTT-3.1.2-22].
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Credentials<'a> {
    /// User name.
    pub user_name: &'a str,
    /// Password: any bytes, also none at all.
    pub password: Option<&'a [u8]>,
}

impl fmt::Debug for Credentials<'_> {
    /// Shows the user name, never the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("user_name", &self.user_name)
            .finish_non_exhaustive()
    }
}

/// Why a server refused the connection (table 3.1 of section 3.2.2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ConnectReturnCode {
    /// The server does not support this level of the protocol.
    UnacceptableProtocolVersion = 1,
    /// The client identifier is well-formed but not allowed by the server.
    IdentifierRejected = 2,
    /// The connection was made but the MQTT service is unavailable.
    ServerUnavailable = 3,
    /// The user name or password is malformed.
    BadUserNameOrPassword = 4,
    /// The client is not authorized to connect.
    NotAuthorized = 5,
}

impl ConnectReturnCode {
    pub(crate) fn from_byte(code: u8) -> Option<Self> {
        Some(match code {
            1 => ConnectReturnCode::UnacceptableProtocolVersion,
            2 => ConnectReturnCode::IdentifierRejected,
            3 => ConnectReturnCode::ServerUnavailable,
            4 => ConnectReturnCode::BadUserNameOrPassword,
            5 => ConnectReturnCode::NotAuthorized,
            _ => return None,
        })
    }
}

impl fmt::Display for ConnectReturnCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ConnectReturnCode::UnacceptableProtocolVersion => "unacceptable protocol version",
            ConnectReturnCode::IdentifierRejected => "identifier rejected",
            ConnectReturnCode::ServerUnavailable => "server unavailable",
            ConnectReturnCode::BadUserNameOrPassword => "bad user name or password",
            ConnectReturnCode::NotAuthorized => "not authorized",
        })
    }
}

impl core::error::Error for ConnectReturnCode {}

/// A CONNACK's content: whether the server had a session, or why it refused.
pub(crate) fn decode_connack(
    body: &[u8],
) -> Result<Result<bool, ConnectReturnCode>, ProtocolError> {
    let &[flags, code] = body else {
        return Err(ProtocolError::Length);
    };
    match (flags, code) {
        (0 | 1, 0) => Ok(Ok(flags == 1)),
        // A refusal's flags must be 0 [MQTT-3.2.2-4]; the refusal is what the user must hear.
        (_, 1..) => ConnectReturnCode::from_byte(code)
            .map(Err)
            .ok_or(ProtocolError::ReturnCode(code)),
        _ => Err(ProtocolError::ReturnCode(flags)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_of_more_than_65535_bytes_is_refused() {
        let long = [b'x'; 65_536];
        let long = core::str::from_utf8(&long).unwrap();
        let mut buffer = [0; 70_000];
        assert_eq!(Connect::new(long).encode(&mut buffer), None);
        let fits = &long[..65_535];
        assert_eq!(Connect::new(fits).encode(&mut buffer), Some(65_551));
    }

    #[test]
    fn a_connack_tells_session_present_a_refusal_or_a_fault() {
        assert_eq!(decode_connack(&[0, 0]), Ok(Ok(false)));
        assert_eq!(decode_connack(&[1, 0]), Ok(Ok(true)));
        assert_eq!(
            decode_connack(&[0, 5]),
            Ok(Err(ConnectReturnCode::NotAuthorized))
        );
        assert_eq!(decode_connack(&[0, 6]), Err(ProtocolError::ReturnCode(6)));
        assert_eq!(decode_connack(&[2, 0]), Err(ProtocolError::ReturnCode(2)));
        assert_eq!(decode_connack(&[0]), Err(ProtocolError::Length));
        assert_eq!(decode_connack(&[0, 0, 0]), Err(ProtocolError::Length));
    }

    #[test]
    fn a_password_is_never_shown() {
        extern crate std;
        let connect = Connect {
            credentials: Some(Credentials {
                user_name: "ann",
                password: Some(b"s3cret"),
            }),
            ..Connect::new("a")
        };
        let shown = std::format!("{connect:?}");
        assert!(shown.contains("ann") && !shown.contains("115"), "{shown}");
        assert!(!shown.contains("s3cret"), "{shown}");
    }
}
