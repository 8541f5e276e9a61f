//! What a session knows more in MQTT 5: what the server takes, and what it was told.

use core::ops::Range;

use super::alias::Aliases;
use super::{Session, State};
use crate::error::{ConnectError, Error, PublishError, QueueError, SubscribeError};
use crate::packet::connect::Connect;
use crate::packet::properties::{Carrier, Properties, Property, PropertyList, Told, id};
use crate::packet::publish::{Publish, RETAIN};
use crate::packet::reason::{LEAVING, ReasonCode, is_allowed};
use crate::packet::subscribe::Subscription;
use crate::packet::{ProtocolError, Qos, Writer, first};
use crate::topic::strip_share;

pub(super) struct V5<'b> {
    /// Aliases the server has set.
    pub aliases: Aliases<'b>,
    /// Aliases this client has set, a bit each.
    announced: u32,
    /// Messages of QoS 2 that came on this connection and were not released.
    receiving: u16,
    receive_maximum: u16,
    /// Bytes of the largest packet this client takes.
    pub maximum_packet_size: usize,
    /// The CONNECT named an authentication method.
    pub authenticates: bool,
    /// The CONNECT did without reason strings and user properties, but where they matter most.
    pub is_terse: bool,
    /// The session outlives the connection.
    pub outlives: bool,
    /// The server ended the connection, with the last properties there are.
    pub is_ended: bool,
}

impl<'b> V5<'b> {
    pub fn new(aliases: Aliases<'b>) -> Self {
        V5 {
            aliases,
            announced: 0,
            receiving: 0,
            receive_maximum: u16::MAX,
            maximum_packet_size: usize::MAX,
            authenticates: false,
            is_terse: false,
            outlives: false,
            is_ended: false,
        }
    }

    /// A connection begins.
    fn clear(&mut self) {
        self.aliases.clear();
        self.announced = 0;
        self.receiving = 0;
        self.is_ended = false;
        self.maximum_packet_size = usize::MAX;
        self.authenticates = false;
    }

    /// A message of QoS 1 or 2 comes in; one of QoS 2 is `kept` until it is released.
    pub fn take_in(&mut self, kept: bool) -> Result<(), ProtocolError> {
        if self.receiving >= self.receive_maximum {
            return Err(ProtocolError::ReceiveMaximum);
        }
        self.receiving += kept as u16;
        Ok(())
    }

    /// A message of QoS 2 was released.
    pub fn released(&mut self) {
        self.receiving = self.receiving.saturating_sub(1);
    }

    /// The server will know this alias; 0 for none.
    pub fn announce(&mut self, alias: u16) {
        if alias > 0 {
            self.announced |= alias_bit(alias);
        }
    }
}

/// The highest topic alias a client of this crate sets.
const HIGHEST_ALIAS: u16 = 32;

/// 0 for no alias.
fn alias_bit(alias: u16) -> u32 {
    match alias {
        1..=HIGHEST_ALIAS => 1 << (alias - 1),
        _ => 0,
    }
}

impl Told {
    /// Whether the server has said that it does without something.
    fn lacks(&self, identifier: u8) -> bool {
        self.number(identifier) == 0
    }

    /// Whether the server takes a message with this first byte [MQTT-3.2.2-11] [MQTT-3.2.2-14].
    pub fn check(&self, first: u8) -> Result<(), PublishError> {
        if (first >> 1 & 3) as u32 > self.number(id::MAXIMUM_QOS) {
            Err(PublishError::NotSupported(ReasonCode::QOS_NOT_SUPPORTED))
        } else if first & RETAIN != 0 && self.lacks(id::RETAIN_AVAILABLE) {
            Err(PublishError::NotSupported(ReasonCode::RETAIN_NOT_SUPPORTED))
        } else {
            Ok(())
        }
    }

    /// Whether the server takes such a subscription.
    pub fn check_filter(&self, subscription: &Subscription<'_>) -> Result<(), SubscribeError> {
        let is_shared = strip_share(subscription.filter.as_bytes()).is_some();
        if is_shared && self.lacks(id::SHARED_SUBSCRIPTION) {
            let reason = ReasonCode::SHARED_SUBSCRIPTIONS_NOT_SUPPORTED;
            return Err(SubscribeError::NotSupported(reason));
        }
        if is_shared && subscription.no_local {
            return Err(SubscribeError::NoLocal);
        }
        let has_wildcard = |filter: &str| filter.bytes().any(|byte| byte & !0x08 == b'#');
        if self.lacks(id::WILDCARD_SUBSCRIPTION) && has_wildcard(subscription.filter) {
            let reason = ReasonCode::WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED;
            return Err(SubscribeError::NotSupported(reason));
        }
        Ok(())
    }

    /// Whether the server takes the properties of a SUBSCRIBE, which are the last that were looked at.
    pub fn check_identifier(&self) -> Result<(), SubscribeError> {
        if self.has(id::SUBSCRIPTION_IDENTIFIER) && self.lacks(id::SUBSCRIPTION_IDENTIFIERS) {
            let reason = ReasonCode::SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED;
            return Err(SubscribeError::NotSupported(reason));
        }
        Ok(())
    }
}

impl Session<'_> {
    /// Builds the CONNECT, and returns where it lies. To the properties its caller gave the client adds
    /// its own: how many messages of QoS 2 it can remember, how long the session is to last, and
    /// how many topic aliases there is memory for.
    pub(super) fn connect_5(
        &mut self,
        connect: &Connect<'_>,
    ) -> Result<Range<usize>, ConnectError> {
        let v5 = &mut self.v5;
        v5.clear();
        let told = &mut self.told;
        told.clear();
        let counted = connect.properties.count(Carrier::CONNECT, told);
        let has_data = told.has(id::AUTHENTICATION_DATA);
        v5.authenticates = told.has(id::AUTHENTICATION_METHOD);
        if counted.is_none()
            || has_data && !v5.authenticates
            || told.number(id::TOPIC_ALIAS_MAXIMUM) != Told::NOTHING
        {
            return Err(ConnectError::InvalidProperty);
        }
        let terse =
            |each: &Property<'_>| matches!(each, Property::RequestProblemInformation(false));
        v5.is_terse = connect.properties.as_slice().iter().any(terse);
        v5.maximum_packet_size = told.number(id::MAXIMUM_PACKET_SIZE) as usize;
        let mut own = [0; 11];
        let mut writer = Writer::new(&mut own);
        let aliases = v5.aliases.maximum();
        if aliases > 0 {
            writer.u8(id::TOPIC_ALIAS_MAXIMUM);
            writer.u16(aliases);
        }
        v5.receive_maximum = match told.number(id::RECEIVE_MAXIMUM) {
            Told::NOTHING => {
                let remembered = self.outbox.remembers().clamp(1, u16::MAX as usize) as u16;
                writer.u8(id::RECEIVE_MAXIMUM);
                writer.u16(remembered);
                remembered
            }
            given => given as u16,
        };
        v5.outlives = !connect.clean_session;
        if told.has(id::SESSION_EXPIRY_INTERVAL) {
            v5.outlives = told.number(id::SESSION_EXPIRY_INTERVAL) > 0;
        } else if v5.outlives {
            writer.u8(id::SESSION_EXPIRY_INTERVAL);
            writer.bytes(&[0xff; 4]);
        }
        let length = writer.length();
        let own = own.get(..length).unwrap_or_default();
        let encoded = connect.encode(own, told, self.inbox.scratch());
        told.clear();
        encoded
    }

    /// The alias of a message that is published, of which the properties were looked at last, if it is
    /// one the server takes; 0 for none.
    pub(super) fn check_alias(&mut self, message: &Publish<'_>) -> Result<u16, PublishError> {
        let told = &self.told;
        if !told.has(id::TOPIC_ALIAS) {
            return Ok(0);
        }
        let alias = told.number(id::TOPIC_ALIAS);
        let maximum = match told.number(id::TOPIC_ALIAS_MAXIMUM) {
            Told::NOTHING => 0,
            maximum => maximum.min(HIGHEST_ALIAS as u32),
        };
        let is_known = self.v5.announced & alias_bit(alias as u16) != 0;
        let is_right = (1..=maximum).contains(&alias)
            && message.qos == Qos::AtMostOnce
            && (is_known || !message.topic.is_empty());
        match is_right {
            true => Ok(alias as u16),
            false => Err(PublishError::TopicAlias),
        }
    }

    /// The server accepted the connection, and has told what it takes.
    pub(super) fn accepted(&mut self) -> Result<(), ProtocolError> {
        let told = &self.told;
        let has_data = told.has(id::AUTHENTICATION_DATA);
        let has_method = told.has(id::AUTHENTICATION_METHOD);
        if has_method && !self.v5.authenticates || has_data && !has_method {
            return Err(ProtocolError::Authentication);
        }
        let seconds = told.number(id::SERVER_KEEP_ALIVE);
        if seconds != Told::NOTHING {
            self.keep_alive.set_interval(seconds as u16);
        }
        let in_flight = told.number(id::RECEIVE_MAXIMUM);
        let packet_size = told.number(id::MAXIMUM_PACKET_SIZE);
        let takes = |first| told.check(first).is_ok();
        self.outbox
            .set_window(in_flight as u16, packet_size as usize, takes);
        Ok(())
    }

    /// Refuses a reason string and user properties that the client has asked to do without
    /// (section 3.1.2.11.7), in a packet with properties, but not PUBLISH.
    #[cold]
    pub(super) fn check_terse(&self, first: u8) -> Result<(), ProtocolError> {
        if !self.v5.is_terse || matches!(first, first::CONNACK | first::DISCONNECT) {
            return Ok(());
        }
        if self.told.has(id::REASON_STRING) {
            return Err(ProtocolError::PropertyValue(id::REASON_STRING));
        }
        match self.told.has(id::USER_PROPERTY) {
            true => Err(ProtocolError::PropertyValue(id::USER_PROPERTY)),
            false => Ok(()),
        }
    }

    /// Notes that the server says why it ends the connection.
    pub(super) fn note_closing(&mut self) {
        self.v5.is_ended = true;
    }

    /// Closes the session after this error, and lets the server know if it made one.
    pub(super) fn bid_farewell(&mut self, error: Error) {
        let is_possible = match self.state {
            State::Connected => self.outbox.is_between_packets(),
            State::Connecting => self.hello > 0 && self.hello_sent == self.hello,
            State::Closed | State::Disconnecting => false,
        };
        self.closed();
        match error {
            Error::Protocol(error) if self.version.is_5() && is_possible => {
                let packet = self.inbox.scratch();
                self.hello = 3.min(packet.len());
                Writer::packet(packet, first::DISCONNECT, 1).u8(error.reason().0);
            }
            _ => {}
        }
    }

    /// The properties of the packet by which the server refused or ended the connection
    /// ([`Error::Refused`], [`Error::Disconnected`]), until the next
    /// [`connect`](Self::connect).
    pub fn closing_properties(&self) -> Properties<'_> {
        match self.v5.is_ended {
            true => self.properties(),
            false => Properties::NONE,
        }
    }

    /// As [`disconnect`](Self::disconnect) with a reason and properties. With
    /// [`ReasonCode::DISCONNECT_WITH_WILL_MESSAGE`] the server publishes the will.
    ///
    /// MQTT 3.1.1 has neither: there it takes [`ReasonCode::SUCCESS`] alone.
    pub fn disconnect_with(
        &mut self,
        reason: ReasonCode,
        properties: &[Property<'_>],
    ) -> Result<(), QueueError> {
        if !self.is_connected() {
            return Err(QueueError::NotConnected);
        }
        let is_plain = reason == ReasonCode::SUCCESS && properties.is_empty();
        let revives = |property: &Property<'_>| {
            matches!(property, Property::SessionExpiryInterval(1..)) && !self.v5.outlives
        };
        if !is_plain && !self.version.is_5()
            || !LEAVING.contains(&reason.0)
            || properties.iter().any(revives)
        {
            return Err(QueueError::Invalid);
        }
        let mut count = Writer::new(&mut []);
        let list = PropertyList::new(properties);
        let written = list.write(&[], Carrier::LEAVING, &mut count, &mut self.told);
        written.ok_or(QueueError::Invalid)?;
        let remaining = match properties {
            [] => !is_plain as usize,
            _ => 1 + count.length(),
        };
        if self.outbox.is_streaming() {
            self.closed();
            return Ok(());
        }
        self.try_acknowledge();
        self.outbox.reserve_last(remaining)?;
        let mut writer = self.outbox.push(first::DISCONNECT, remaining);
        writer.u8(reason.0);
        // They were checked when they were counted; none at all are left out.
        let _ = list.write(&[], Carrier::LEAVING, &mut writer, &mut self.told);
        self.outbox.advance_window();
        self.state = State::Disconnecting;
        Ok(())
    }

    /// Answers the message that [`poll`](Self::poll) returned last with a failure, which tells the
    /// server that this client does not take it; the server does not send it again. The reason is
    /// one of those for PUBACK and PUBREC (sections 3.4.2.1 and 3.5.2.1).
    ///
    /// [`QueueError::Invalid`] if it is not, if that message was of QoS 0 or is acknowledged
    /// already, and with MQTT 3.1.1.
    pub fn reject(&mut self, reason: ReasonCode) -> Result<(), QueueError> {
        let is_allowed = reason.is_error() && is_allowed(reason.0, first::PUBACK);
        let is_whole = !self.incoming.is_in_pieces();
        match &mut self.owed {
            Some(owed)
                if is_whole
                    && self.version.is_5()
                    && is_allowed
                    && matches!(owed.first, first::PUBACK | first::PUBREC) =>
            {
                if owed.is(first::PUBREC) {
                    self.v5.released();
                }
                owed.reason = reason;
                Ok(())
            }
            _ => Err(QueueError::Invalid),
        }
    }
}
