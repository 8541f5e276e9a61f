//! Enhanced authentication (MQTT 5, section 4.12).

use super::{Session, State};
use crate::error::QueueError;
use crate::packet::properties::{Carrier, Property, PropertyList, Told};
use crate::packet::reason::ReasonCode;
use crate::packet::{ProtocolError, Writer, first, packet_length};

impl Session<'_> {
    /// Queues an AUTH: the answer to [`Event::Authentication`](crate::Event::Authentication), with
    /// [`ReasonCode::CONTINUE_AUTHENTICATION`]; or, once connected, the beginning of another
    /// authentication, with [`ReasonCode::RE_AUTHENTICATE`].
    ///
    /// The properties name the method, which is that of the CONNECT. The whole dialogue before
    /// [`Event::Connected`](crate::Event::Connected) has the time of [`Connect::connack_timeout`].
    /// Until then the AUTH is built in the receive buffer.
    ///
    /// [`Connect::connack_timeout`]: crate::Connect::connack_timeout
    pub fn authenticate(
        &mut self,
        reason: ReasonCode,
        properties: &[Property<'_>],
    ) -> Result<(), QueueError> {
        let connecting = self.is_connecting();
        if !connecting && !self.is_connected() {
            return Err(QueueError::NotConnected);
        }
        let names_method = properties
            .iter()
            .any(|property| matches!(property, Property::AuthenticationMethod(_)));
        let is_right = reason == ReasonCode::CONTINUE_AUTHENTICATION
            || reason == ReasonCode::RE_AUTHENTICATE && !connecting;
        if !is_right || !names_method || !self.v5.authenticates {
            return Err(QueueError::Invalid);
        }
        let mut count = Writer::new(&mut []);
        let list = PropertyList::new(properties);
        let written = list.write(&[], Carrier::AUTH, &mut count, &mut Told::new());
        written.ok_or(QueueError::Invalid)?;
        let remaining = 1 + count.length();
        let mut writer = if connecting {
            self.hello_packet(remaining)?
        } else {
            self.outbox.reserve(remaining, false)?;
            self.outbox.push(first::AUTH, remaining)
        };
        writer.u8(reason.0);
        // They were checked when they were counted.
        let _ = list.write(&[], Carrier::AUTH, &mut writer, &mut Told::new());
        if !connecting {
            self.outbox.advance_window();
        }
        Ok(())
    }

    /// Room for an AUTH before CONNACK, behind what was received.
    fn hello_packet(&mut self, remaining: usize) -> Result<Writer<'_>, QueueError> {
        if self.hello_sent < self.hello {
            return Err(QueueError::Full);
        }
        let length = packet_length(remaining);
        let room = self.inbox.space(0).len();
        if length > room {
            return Err(QueueError::TooLarge);
        }
        self.hello_sent = self.inbox.end();
        self.hello = self.hello_sent + length;
        let packet = self.inbox.space(0).get_mut(..length).unwrap_or_default();
        Ok(Writer::packet(packet, first::AUTH, remaining))
    }

    /// Whether the server may send such an AUTH.
    pub(super) fn check_auth(
        &self,
        reason: ReasonCode,
        connecting: bool,
    ) -> Result<(), ProtocolError> {
        debug_assert_eq!(connecting, self.state != State::Connected);
        if !self.v5.authenticates {
            return Err(ProtocolError::Authentication);
        }
        // That an authentication has succeeded, CONNACK says, or an AUTH after it.
        match connecting && reason == ReasonCode::SUCCESS {
            true => Err(ProtocolError::ReturnCode(reason.0)),
            false => Ok(()),
        }
    }
}
