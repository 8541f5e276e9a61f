//! Properties (MQTT 5, section 2.2.2): what they are called and what they hold.

mod table;
mod wire;

use super::Qos;

pub(crate) use table::{Carrier, id};
pub use wire::{Properties, PropertyList};
pub(crate) use wire::{Told, check};

use wire::Raw;

/// A property of a packet (MQTT 5, table 2-4). Strings and binary data: up to 65,535 bytes.
// With the identifiers for discriminants, the compiler sees that most of the matches below do the
// same thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Property<'a> {
    /// Whether the payload is UTF-8; `false` says nothing of it. Of a message or will.
    PayloadFormatIndicator(bool) = 0x01,
    /// Seconds after which the message is of no use. Of a message or will.
    MessageExpiryInterval(u32) = 0x02,
    /// What the payload is, in words of the application's own. Of a message or will.
    ContentType(&'a str) = 0x03,
    /// The topic name an answer goes to. Of a message or will.
    ResponseTopic(&'a str) = 0x08,
    /// What an answer is to carry, too. Of a message or will.
    CorrelationData(&'a [u8]) = 0x09,
    /// 1 to 268,435,455: in SUBSCRIBE, a number for the subscription; in a message that came in,
    /// those of all subscriptions it came by.
    SubscriptionIdentifier(u32) = 0x0b,
    /// Seconds that the session outlives the connection: 0xffff_ffff for ever. Of CONNECT,
    /// CONNACK, and the DISCONNECT of a client.
    SessionExpiryInterval(u32) = 0x11,
    /// The client identifier the server made up. Of CONNACK.
    AssignedClientIdentifier(&'a str) = 0x12,
    /// Seconds, in the place of those the client asked for. Of CONNACK.
    ServerKeepAlive(u16) = 0x13,
    /// The name of the authentication method. Of CONNECT, CONNACK and AUTH.
    AuthenticationMethod(&'a str) = 0x15,
    /// What the authentication method says. Of CONNECT, CONNACK and AUTH.
    AuthenticationData(&'a [u8]) = 0x16,
    /// Whether the server may send reason strings and user properties with every packet. Of
    /// CONNECT; without it, it may.
    RequestProblemInformation(bool) = 0x17,
    /// Seconds the server waits before it publishes the will. Of a will.
    WillDelayInterval(u32) = 0x18,
    /// Whether the client asks for response information. Of CONNECT.
    RequestResponseInformation(bool) = 0x19,
    /// What response topics are to begin with. Of CONNACK.
    ResponseInformation(&'a str) = 0x1a,
    /// Another server to use. Of CONNACK and the DISCONNECT of a server.
    ServerReference(&'a str) = 0x1c,
    /// Text for people, for diagnosis. Of every answer, DISCONNECT and AUTH.
    ReasonString(&'a str) = 0x1f,
    /// Messages of QoS 1 and 2, 1 or more, that the sender of this takes at once without having
    /// acknowledged one. Of CONNECT and CONNACK.
    ReceiveMaximum(u16) = 0x21,
    /// The highest topic alias the sender of this takes. Of CONNECT and CONNACK.
    TopicAliasMaximum(u16) = 0x22,
    /// 1 or more: a number for the topic name. Of a message.
    TopicAlias(u16) = 0x23,
    /// The highest QoS the server takes: 0 or 1. Of CONNACK; without it, 2.
    MaximumQos(Qos) = 0x24,
    /// Whether the server takes retained messages. Of CONNACK; without it, it does.
    RetainAvailable(bool) = 0x25,
    /// A name and a value, of the application's own. Of every packet, as often as you like.
    UserProperty(&'a str, &'a str) = 0x26,
    /// Bytes of the largest packet, 1 or more, that the sender of this takes. Of CONNECT and
    /// CONNACK.
    MaximumPacketSize(u32) = 0x27,
    /// Whether the server takes wildcards in filters. Of CONNACK; without it, it does.
    WildcardSubscriptionAvailable(bool) = 0x28,
    /// Whether the server takes subscription identifiers. Of CONNACK; without it, it does.
    SubscriptionIdentifierAvailable(bool) = 0x29,
    /// Whether the server takes shared subscriptions. Of CONNACK; without it, it does.
    SharedSubscriptionAvailable(bool) = 0x2a,
}

impl<'a> Property<'a> {
    /// As it stands on the wire.
    fn raw(&self) -> Raw<'a> {
        use Property::*;
        let mut raw = Raw::new(self.identifier());
        match *self {
            PayloadFormatIndicator(value)
            | RequestProblemInformation(value)
            | RequestResponseInformation(value)
            | RetainAvailable(value)
            | WildcardSubscriptionAvailable(value)
            | SubscriptionIdentifierAvailable(value)
            | SharedSubscriptionAvailable(value) => raw.number = value.into(),
            MaximumQos(value) => raw.number = value as u32,
            ServerKeepAlive(value)
            | ReceiveMaximum(value)
            | TopicAliasMaximum(value)
            | TopicAlias(value) => raw.number = value.into(),
            MessageExpiryInterval(value)
            | SubscriptionIdentifier(value)
            | SessionExpiryInterval(value)
            | WillDelayInterval(value)
            | MaximumPacketSize(value) => raw.number = value,
            ContentType(value)
            | ResponseTopic(value)
            | AssignedClientIdentifier(value)
            | AuthenticationMethod(value)
            | ResponseInformation(value)
            | ServerReference(value)
            | ReasonString(value) => raw.bytes = value.as_bytes(),
            CorrelationData(value) | AuthenticationData(value) => raw.bytes = value,
            UserProperty(name, value) => {
                raw.bytes = name.as_bytes();
                raw.value = value.as_bytes();
            }
        }
        raw
    }

    fn identifier(&self) -> u8 {
        use Property::*;
        match self {
            PayloadFormatIndicator(_) => id::PAYLOAD_FORMAT_INDICATOR,
            MessageExpiryInterval(_) => id::MESSAGE_EXPIRY_INTERVAL,
            ContentType(_) => id::CONTENT_TYPE,
            ResponseTopic(_) => id::RESPONSE_TOPIC,
            CorrelationData(_) => id::CORRELATION_DATA,
            SubscriptionIdentifier(_) => id::SUBSCRIPTION_IDENTIFIER,
            SessionExpiryInterval(_) => id::SESSION_EXPIRY_INTERVAL,
            AssignedClientIdentifier(_) => id::ASSIGNED_CLIENT_IDENTIFIER,
            ServerKeepAlive(_) => id::SERVER_KEEP_ALIVE,
            AuthenticationMethod(_) => id::AUTHENTICATION_METHOD,
            AuthenticationData(_) => id::AUTHENTICATION_DATA,
            RequestProblemInformation(_) => id::REQUEST_PROBLEM_INFORMATION,
            WillDelayInterval(_) => id::WILL_DELAY_INTERVAL,
            RequestResponseInformation(_) => id::REQUEST_RESPONSE_INFORMATION,
            ResponseInformation(_) => id::RESPONSE_INFORMATION,
            ServerReference(_) => id::SERVER_REFERENCE,
            ReasonString(_) => id::REASON_STRING,
            ReceiveMaximum(_) => id::RECEIVE_MAXIMUM,
            TopicAliasMaximum(_) => id::TOPIC_ALIAS_MAXIMUM,
            TopicAlias(_) => id::TOPIC_ALIAS,
            MaximumQos(_) => id::MAXIMUM_QOS,
            RetainAvailable(_) => id::RETAIN_AVAILABLE,
            UserProperty(..) => id::USER_PROPERTY,
            MaximumPacketSize(_) => id::MAXIMUM_PACKET_SIZE,
            WildcardSubscriptionAvailable(_) => id::WILDCARD_SUBSCRIPTION,
            SubscriptionIdentifierAvailable(_) => id::SUBSCRIPTION_IDENTIFIERS,
            SharedSubscriptionAvailable(_) => id::SHARED_SUBSCRIPTION,
        }
    }

    /// The property that stands so on the wire, and was checked.
    fn new(raw: &Raw<'a>) -> Option<Self> {
        use Property::*;
        let number = raw.number;
        let is_on = number > 0;
        let text = |bytes| core::str::from_utf8(bytes).unwrap_or_default();
        let first = text(raw.bytes);
        Some(match raw.identifier {
            id::PAYLOAD_FORMAT_INDICATOR => PayloadFormatIndicator(is_on),
            id::MESSAGE_EXPIRY_INTERVAL => MessageExpiryInterval(number),
            id::CONTENT_TYPE => ContentType(first),
            id::RESPONSE_TOPIC => ResponseTopic(first),
            id::CORRELATION_DATA => CorrelationData(raw.bytes),
            id::SUBSCRIPTION_IDENTIFIER => SubscriptionIdentifier(number),
            id::SESSION_EXPIRY_INTERVAL => SessionExpiryInterval(number),
            id::ASSIGNED_CLIENT_IDENTIFIER => AssignedClientIdentifier(first),
            id::SERVER_KEEP_ALIVE => ServerKeepAlive(number as u16),
            id::AUTHENTICATION_METHOD => AuthenticationMethod(first),
            id::AUTHENTICATION_DATA => AuthenticationData(raw.bytes),
            id::REQUEST_PROBLEM_INFORMATION => RequestProblemInformation(is_on),
            id::WILL_DELAY_INTERVAL => WillDelayInterval(number),
            id::REQUEST_RESPONSE_INFORMATION => RequestResponseInformation(is_on),
            id::RESPONSE_INFORMATION => ResponseInformation(first),
            id::SERVER_REFERENCE => ServerReference(first),
            id::REASON_STRING => ReasonString(first),
            id::RECEIVE_MAXIMUM => ReceiveMaximum(number as u16),
            id::TOPIC_ALIAS_MAXIMUM => TopicAliasMaximum(number as u16),
            id::TOPIC_ALIAS => TopicAlias(number as u16),
            id::MAXIMUM_QOS => MaximumQos(Qos::from_bits(number as u8)?),
            id::RETAIN_AVAILABLE => RetainAvailable(is_on),
            id::USER_PROPERTY => UserProperty(first, text(raw.value)),
            id::MAXIMUM_PACKET_SIZE => MaximumPacketSize(number),
            id::WILDCARD_SUBSCRIPTION => WildcardSubscriptionAvailable(is_on),
            id::SUBSCRIPTION_IDENTIFIERS => SubscriptionIdentifierAvailable(is_on),
            id::SHARED_SUBSCRIPTION => SharedSubscriptionAvailable(is_on),
            _ => return None,
        })
    }
}
