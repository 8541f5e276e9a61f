//! CONNECT (section 3.1).

use core::fmt;
use core::ops::Range;

#[cfg(doc)]
use super::properties::Property;
use super::properties::{Carrier, PropertyList, Told};
use super::publish::Publish;
use super::{FixedHeader, MAX_REMAINING, Version, Writer, first, packet_length};
use crate::error::ConnectError;

/// What a client asks for when it connects (section 3.1), and how long it waits for answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connect<'a> {
    /// The protocol to speak.
    pub version: Version,
    /// Names the client, and its session, to the server. Every server takes 1 to 23 of
    /// `0-9a-zA-Z`; most take more; an empty one asks the server to make one up.
    pub client_id: &'a str,
    /// Whether both sides forget what was before and will forget what was after.
    ///
    /// In MQTT 5 this is Clean Start, and [`Property::SessionExpiryInterval`] says when the session
    /// is forgotten. Where that is not given, it is as in MQTT 3.1.1: with `clean_session` at the end
    /// of the connection, and else never.
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
    /// Properties of the CONNECT; MQTT 3.1.1 leaves them out. Those of the will are
    /// [`Publish::properties`].
    ///
    /// Without [`Property::ReceiveMaximum`] the session gives the number of QoS 2 messages that the
    /// send buffer can remember at most; [`Property::TopicAliasMaximum`] it knows by itself.
    pub properties: PropertyList<'a>,
    /// What becomes of a message that is larger than the receive buffer.
    pub oversize: Oversize,
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
            version: Version::DEFAULT,
            client_id,
            clean_session: true,
            keep_alive: 60,
            will: None,
            credentials: None,
            properties: PropertyList::NONE,
            oversize: Oversize::Discard,
            connack_timeout: 5_000,
            ping_timeout: 10_000,
        }
    }

    /// Writes the packet into `buffer` and returns where it lies there. The properties that are
    /// `encoded` go with those the caller gave.
    pub(crate) fn encode(
        &self,
        encoded: &[u8],
        told: &mut Told,
        buffer: &mut [u8],
    ) -> Result<Range<usize>, ConnectError> {
        // The fixed header goes right before the rest, once the length of that is known.
        let head = FixedHeader::LONGEST;
        let mut writer = Writer::after(buffer, head);
        self.write(encoded, told, &mut writer)
            .ok_or(ConnectError::InvalidProperty)?;
        let end = writer.length();
        let remaining = end - head;
        if remaining > MAX_REMAINING || end > buffer.len() {
            return Err(ConnectError::TooLarge);
        }
        let start = end - packet_length(remaining);
        let packet = buffer.get_mut(start..).unwrap_or_default();
        Writer::packet(packet, first::CONNECT, remaining);
        Ok(start..end)
    }

    /// Writes all that is behind the fixed header.
    /// `None` if it may not carry its properties.
    fn write(&self, encoded: &[u8], told: &mut Told, writer: &mut Writer<'_>) -> Option<()> {
        let is_5 = self.version.is_5();
        let mut flags = (self.clean_session as u8) << 1;
        if let Some(will) = &self.will {
            flags |= 0x04 | (will.qos as u8) << 3 | (will.retain as u8) << 5;
        }
        if let Some(credentials) = &self.credentials {
            flags |= 0x80 | (credentials.password.is_some() as u8) << 6;
        }
        writer.bytes(b"\x00\x04MQTT");
        writer.u16(u16::from_be_bytes([if is_5 { 5 } else { 4 }, flags]));
        writer.u16(self.keep_alive);
        if is_5 {
            self.properties
                .write(encoded, Carrier::CONNECT, writer, told)?;
        }
        writer.field(self.client_id.as_bytes());
        if let Some(will) = &self.will {
            if is_5 {
                will.properties.write(&[], Carrier::WILL, writer, told)?;
            }
            writer.field(will.topic.as_bytes());
            writer.field(will.payload);
        }
        if let Some(credentials) = &self.credentials {
            writer.field(credentials.user_name.as_bytes());
            if let Some(password) = credentials.password {
                writer.field(password);
            }
        }
        Some(())
    }
}

/// What becomes of a message that is larger than the receive buffer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Oversize {
    /// It is thrown away, and acknowledged as if it was taken, so that it does not come back.
    #[default]
    Discard,
    /// It is thrown away, and the server is told so by
    /// [`ReasonCode::QUOTA_EXCEEDED`](crate::ReasonCode::QUOTA_EXCEEDED). MQTT 3.1.1 cannot
    /// say that: there it is acknowledged as taken.
    Refuse,
    /// It is delivered in pieces, [`Event::Chunk`](crate::Event::Chunk), as they come. Its topic
    /// name and properties must fit into the receive buffer, with room for a byte: else it is
    /// thrown away. With the feature `stream`.
    #[cfg(feature = "stream")]
    Stream,
}

impl Oversize {
    pub(crate) fn is_streamed(self) -> bool {
        #[cfg(feature = "stream")]
        return self == Oversize::Stream;
        #[cfg(not(feature = "stream"))]
        false
    }
}

/// User name and password of a CONNECT. MQTT 3.1.1 has no password without a user name
/// [MQTT-3.1.2-22]; in MQTT 5 an empty user name goes with it.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_of_more_than_65535_bytes_is_refused() {
        let long = [b'x'; 65_536];
        let long = core::str::from_utf8(&long).unwrap();
        let mut buffer = [0; 70_000];
        let mut encode =
            |client_id| Connect::new(client_id).encode(&[], &mut Told::new(), &mut buffer);
        assert_eq!(encode(long), Err(ConnectError::TooLarge));
        let length = 65_551 + Version::DEFAULT.is_5() as usize;
        let packet = encode(&long[..65_535]).unwrap();
        assert_eq!(packet.len(), length);
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
