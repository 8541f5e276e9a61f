//! What the standard says of each property (MQTT 5, table 2-4).

/// Packets by whether they carry the same properties. PUBLISH and DISCONNECT differ by who
/// sends them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Carrier(u16);

impl Carrier {
    pub const CONNECT: Carrier = Carrier(1);
    pub const WILL: Carrier = Carrier(1 << 1);
    pub const CONNACK: Carrier = Carrier(1 << 2);
    /// PUBLISH from the client.
    pub const PUBLISH: Carrier = Carrier(1 << 3);
    /// PUBLISH from the server.
    pub const MESSAGE: Carrier = Carrier(1 << 4);
    /// PUBACK, PUBREC, PUBREL, PUBCOMP, SUBACK and UNSUBACK.
    pub const ACK: Carrier = Carrier(1 << 5);
    pub const SUBSCRIBE: Carrier = Carrier(1 << 6);
    pub const UNSUBSCRIBE: Carrier = Carrier(1 << 7);
    /// DISCONNECT from the client.
    pub const LEAVING: Carrier = Carrier(1 << 8);
    /// DISCONNECT from the server.
    pub const DISCONNECT: Carrier = Carrier(1 << 9);
    pub const AUTH: Carrier = Carrier(1 << 10);

    /// Any of them.
    pub const EVERY: Carrier = Carrier(0x7ff);

    /// Whether `self` is one of these.
    pub fn is_in(self, these: Carrier) -> bool {
        self.0 & these.0 != 0
    }

    const fn or(self, other: Carrier) -> Carrier {
        Carrier(self.0 | other.0)
    }
}

/// How a value stands on the wire (section 1.5).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Wire {
    Byte,
    TwoBytes,
    FourBytes,
    Variable,
    Text,
    Binary,
    Pair,
}

/// What the standard says of a property (table 2-4).
pub(super) struct Rule {
    pub identifier: u8,
    pub wire: Wire,
    pub carriers: Carrier,
    /// The packets in which it may stand more than once.
    pub repeats: Carrier,
}

pub(super) const RULES: [Rule; 27] = {
    use Carrier as C;
    const NEVER: Carrier = Carrier(0);
    const CONTENT: Carrier = C::PUBLISH.or(C::MESSAGE).or(C::WILL);
    const BOTH: Carrier = C::CONNECT.or(C::CONNACK);
    const REASON: Carrier = C::CONNACK
        .or(C::ACK)
        .or(C::LEAVING)
        .or(C::DISCONNECT)
        .or(C::AUTH);
    const fn rule(identifier: u8, wire: Wire, carriers: Carrier, repeats: Carrier) -> Rule {
        Rule {
            identifier,
            wire,
            carriers,
            repeats,
        }
    }
    [
        rule(id::PAYLOAD_FORMAT_INDICATOR, Wire::Byte, CONTENT, NEVER),
        rule(id::MESSAGE_EXPIRY_INTERVAL, Wire::FourBytes, CONTENT, NEVER),
        rule(id::CONTENT_TYPE, Wire::Text, CONTENT, NEVER),
        rule(id::RESPONSE_TOPIC, Wire::Text, CONTENT, NEVER),
        rule(id::CORRELATION_DATA, Wire::Binary, CONTENT, NEVER),
        rule(
            id::SUBSCRIPTION_IDENTIFIER,
            Wire::Variable,
            C::MESSAGE.or(C::SUBSCRIBE),
            C::MESSAGE,
        ),
        rule(
            id::SESSION_EXPIRY_INTERVAL,
            Wire::FourBytes,
            BOTH.or(C::LEAVING),
            NEVER,
        ),
        rule(
            id::ASSIGNED_CLIENT_IDENTIFIER,
            Wire::Text,
            C::CONNACK,
            NEVER,
        ),
        rule(id::SERVER_KEEP_ALIVE, Wire::TwoBytes, C::CONNACK, NEVER),
        rule(
            id::AUTHENTICATION_METHOD,
            Wire::Text,
            BOTH.or(C::AUTH),
            NEVER,
        ),
        rule(
            id::AUTHENTICATION_DATA,
            Wire::Binary,
            BOTH.or(C::AUTH),
            NEVER,
        ),
        rule(
            id::REQUEST_PROBLEM_INFORMATION,
            Wire::Byte,
            C::CONNECT,
            NEVER,
        ),
        rule(id::WILL_DELAY_INTERVAL, Wire::FourBytes, C::WILL, NEVER),
        rule(
            id::REQUEST_RESPONSE_INFORMATION,
            Wire::Byte,
            C::CONNECT,
            NEVER,
        ),
        rule(id::RESPONSE_INFORMATION, Wire::Text, C::CONNACK, NEVER),
        rule(
            id::SERVER_REFERENCE,
            Wire::Text,
            C::CONNACK.or(C::DISCONNECT),
            NEVER,
        ),
        rule(id::REASON_STRING, Wire::Text, REASON, NEVER),
        rule(id::RECEIVE_MAXIMUM, Wire::TwoBytes, BOTH, NEVER),
        rule(id::TOPIC_ALIAS_MAXIMUM, Wire::TwoBytes, BOTH, NEVER),
        rule(
            id::TOPIC_ALIAS,
            Wire::TwoBytes,
            C::PUBLISH.or(C::MESSAGE),
            NEVER,
        ),
        rule(id::MAXIMUM_QOS, Wire::Byte, C::CONNACK, NEVER),
        rule(id::RETAIN_AVAILABLE, Wire::Byte, C::CONNACK, NEVER),
        rule(id::USER_PROPERTY, Wire::Pair, C::EVERY, C::EVERY),
        rule(id::MAXIMUM_PACKET_SIZE, Wire::FourBytes, BOTH, NEVER),
        rule(id::WILDCARD_SUBSCRIPTION, Wire::Byte, C::CONNACK, NEVER),
        rule(id::SUBSCRIPTION_IDENTIFIERS, Wire::Byte, C::CONNACK, NEVER),
        rule(id::SHARED_SUBSCRIPTION, Wire::Byte, C::CONNACK, NEVER),
    ]
};

/// Property identifiers.
pub(super) mod id {
    pub const PAYLOAD_FORMAT_INDICATOR: u8 = 0x01;
    pub const MESSAGE_EXPIRY_INTERVAL: u8 = 0x02;
    pub const CONTENT_TYPE: u8 = 0x03;
    pub const RESPONSE_TOPIC: u8 = 0x08;
    pub const CORRELATION_DATA: u8 = 0x09;
    pub const SUBSCRIPTION_IDENTIFIER: u8 = 0x0b;
    pub const SESSION_EXPIRY_INTERVAL: u8 = 0x11;
    pub const ASSIGNED_CLIENT_IDENTIFIER: u8 = 0x12;
    pub const SERVER_KEEP_ALIVE: u8 = 0x13;
    pub const AUTHENTICATION_METHOD: u8 = 0x15;
    pub const AUTHENTICATION_DATA: u8 = 0x16;
    pub const REQUEST_PROBLEM_INFORMATION: u8 = 0x17;
    pub const WILL_DELAY_INTERVAL: u8 = 0x18;
    pub const REQUEST_RESPONSE_INFORMATION: u8 = 0x19;
    pub const RESPONSE_INFORMATION: u8 = 0x1a;
    pub const SERVER_REFERENCE: u8 = 0x1c;
    pub const REASON_STRING: u8 = 0x1f;
    pub const RECEIVE_MAXIMUM: u8 = 0x21;
    pub const TOPIC_ALIAS_MAXIMUM: u8 = 0x22;
    pub const TOPIC_ALIAS: u8 = 0x23;
    pub const MAXIMUM_QOS: u8 = 0x24;
    pub const RETAIN_AVAILABLE: u8 = 0x25;
    pub const USER_PROPERTY: u8 = 0x26;
    pub const MAXIMUM_PACKET_SIZE: u8 = 0x27;
    pub const WILDCARD_SUBSCRIPTION: u8 = 0x28;
    pub const SUBSCRIPTION_IDENTIFIERS: u8 = 0x29;
    pub const SHARED_SUBSCRIPTION: u8 = 0x2a;
}
