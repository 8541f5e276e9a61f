//! Properties (MQTT 5, section 2.2.2): what they are called and what they hold.

mod table;
mod wire;

use super::Qos;

pub(crate) use table::Carrier;
pub use wire::Properties;
pub(crate) use wire::{check, content_length, write_content};

use table::id;
use wire::Value;

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
    /// Its identifier and its value.
    fn parts(&self) -> (u8, Value<'a>) {
        use Property::*;
        let number = |identifier, value| (identifier, Value::Number(value));
        match *self {
            PayloadFormatIndicator(value) => number(id::PAYLOAD_FORMAT_INDICATOR, value.into()),
            MessageExpiryInterval(value) => number(id::MESSAGE_EXPIRY_INTERVAL, value),
            ContentType(value) => (id::CONTENT_TYPE, Value::Text(value)),
            ResponseTopic(value) => (id::RESPONSE_TOPIC, Value::Text(value)),
            CorrelationData(value) => (id::CORRELATION_DATA, Value::Binary(value)),
            SubscriptionIdentifier(value) => number(id::SUBSCRIPTION_IDENTIFIER, value),
            SessionExpiryInterval(value) => number(id::SESSION_EXPIRY_INTERVAL, value),
            AssignedClientIdentifier(value) => (id::ASSIGNED_CLIENT_IDENTIFIER, Value::Text(value)),
            ServerKeepAlive(value) => number(id::SERVER_KEEP_ALIVE, value.into()),
            AuthenticationMethod(value) => (id::AUTHENTICATION_METHOD, Value::Text(value)),
            AuthenticationData(value) => (id::AUTHENTICATION_DATA, Value::Binary(value)),
            RequestProblemInformation(value) => {
                number(id::REQUEST_PROBLEM_INFORMATION, value.into())
            }
            WillDelayInterval(value) => number(id::WILL_DELAY_INTERVAL, value),
            RequestResponseInformation(value) => {
                number(id::REQUEST_RESPONSE_INFORMATION, value.into())
            }
            ResponseInformation(value) => (id::RESPONSE_INFORMATION, Value::Text(value)),
            ServerReference(value) => (id::SERVER_REFERENCE, Value::Text(value)),
            ReasonString(value) => (id::REASON_STRING, Value::Text(value)),
            ReceiveMaximum(value) => number(id::RECEIVE_MAXIMUM, value.into()),
            TopicAliasMaximum(value) => number(id::TOPIC_ALIAS_MAXIMUM, value.into()),
            TopicAlias(value) => number(id::TOPIC_ALIAS, value.into()),
            MaximumQos(value) => number(id::MAXIMUM_QOS, value as u32),
            RetainAvailable(value) => number(id::RETAIN_AVAILABLE, value.into()),
            UserProperty(name, value) => (id::USER_PROPERTY, Value::Pair(name, value)),
            MaximumPacketSize(value) => number(id::MAXIMUM_PACKET_SIZE, value),
            WildcardSubscriptionAvailable(value) => number(id::WILDCARD_SUBSCRIPTION, value.into()),
            SubscriptionIdentifierAvailable(value) => {
                number(id::SUBSCRIPTION_IDENTIFIERS, value.into())
            }
            SharedSubscriptionAvailable(value) => number(id::SHARED_SUBSCRIPTION, value.into()),
        }
    }

    /// The property of these parts; `None` for a value it may not have.
    fn from_parts(identifier: u8, value: Value<'a>) -> Option<Self> {
        use Property::*;
        let switch = |value| match value {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        };
        let at_least_1 = |value: u32| (value > 0).then_some(value);
        Some(match (identifier, value) {
            (id::PAYLOAD_FORMAT_INDICATOR, Value::Number(value)) => {
                PayloadFormatIndicator(switch(value)?)
            }
            (id::MESSAGE_EXPIRY_INTERVAL, Value::Number(value)) => MessageExpiryInterval(value),
            (id::CONTENT_TYPE, Value::Text(value)) => ContentType(value),
            (id::RESPONSE_TOPIC, Value::Text(value)) => {
                let is_topic_name = super::publish::is_topic_name(value);
                ResponseTopic(is_topic_name.then_some(value)?)
            }
            (id::CORRELATION_DATA, Value::Binary(value)) => CorrelationData(value),
            (id::SUBSCRIPTION_IDENTIFIER, Value::Number(value)) => {
                SubscriptionIdentifier(at_least_1(value)?)
            }
            (id::SESSION_EXPIRY_INTERVAL, Value::Number(value)) => SessionExpiryInterval(value),
            (id::ASSIGNED_CLIENT_IDENTIFIER, Value::Text(value)) => AssignedClientIdentifier(value),
            (id::SERVER_KEEP_ALIVE, Value::Number(value)) => ServerKeepAlive(value as u16),
            (id::AUTHENTICATION_METHOD, Value::Text(value)) => AuthenticationMethod(value),
            (id::AUTHENTICATION_DATA, Value::Binary(value)) => AuthenticationData(value),
            (id::REQUEST_PROBLEM_INFORMATION, Value::Number(value)) => {
                RequestProblemInformation(switch(value)?)
            }
            (id::WILL_DELAY_INTERVAL, Value::Number(value)) => WillDelayInterval(value),
            (id::REQUEST_RESPONSE_INFORMATION, Value::Number(value)) => {
                RequestResponseInformation(switch(value)?)
            }
            (id::RESPONSE_INFORMATION, Value::Text(value)) => ResponseInformation(value),
            (id::SERVER_REFERENCE, Value::Text(value)) => ServerReference(value),
            (id::REASON_STRING, Value::Text(value)) => ReasonString(value),
            (id::RECEIVE_MAXIMUM, Value::Number(value)) => {
                ReceiveMaximum(at_least_1(value)? as u16)
            }
            (id::TOPIC_ALIAS_MAXIMUM, Value::Number(value)) => TopicAliasMaximum(value as u16),
            // An alias of 0 has a reason code of its own, which the session knows.
            (id::TOPIC_ALIAS, Value::Number(value)) => TopicAlias(value as u16),
            (id::MAXIMUM_QOS, Value::Number(value)) => MaximumQos(match value {
                0 => Qos::AtMostOnce,
                1 => Qos::AtLeastOnce,
                _ => return None,
            }),
            (id::RETAIN_AVAILABLE, Value::Number(value)) => RetainAvailable(switch(value)?),
            (id::USER_PROPERTY, Value::Pair(name, value)) => UserProperty(name, value),
            (id::MAXIMUM_PACKET_SIZE, Value::Number(value)) => {
                MaximumPacketSize(at_least_1(value)?)
            }
            (id::WILDCARD_SUBSCRIPTION, Value::Number(value)) => {
                WildcardSubscriptionAvailable(switch(value)?)
            }
            (id::SUBSCRIPTION_IDENTIFIERS, Value::Number(value)) => {
                SubscriptionIdentifierAvailable(switch(value)?)
            }
            (id::SHARED_SUBSCRIPTION, Value::Number(value)) => {
                SharedSubscriptionAvailable(switch(value)?)
            }
            _ => return None,
        })
    }
}
