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

/// How a value stands on the wire (section 1.5), and what it may be.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// One byte, 0 or 1.
    Switch,
    TwoBytes,
    FourBytes,
    /// Of two bytes, not 0.
    Count,
    /// Of four bytes, not 0.
    LargeCount,
    /// A variable byte integer, not 0.
    Variable,
    Text,
    /// A text that is a topic name.
    Topic,
    Binary,
    /// Two texts.
    Pair,
}

/// What the standard says of a property (table 2-4).
pub(super) struct Rule {
    pub identifier: u8,
    pub form: Form,
    pub carriers: Carrier,
}

impl Rule {
    /// Whether the property may stand more than once in such a packet.
    pub fn repeats(&self, carrier: Carrier) -> bool {
        match self.identifier {
            id::USER_PROPERTY => true,
            id::SUBSCRIPTION_IDENTIFIER => carrier == Carrier::MESSAGE,
            _ => false,
        }
    }
}

pub(super) const RULES: [Rule; 27] = {
    use Carrier as C;
    const CONTENT: Carrier = C::PUBLISH.or(C::MESSAGE).or(C::WILL);
    const BOTH: Carrier = C::CONNECT.or(C::CONNACK);
    const REASON: Carrier = C::CONNACK
        .or(C::ACK)
        .or(C::LEAVING)
        .or(C::DISCONNECT)
        .or(C::AUTH);
    const fn rule(identifier: u8, form: Form, carriers: Carrier) -> Rule {
        Rule {
            identifier,
            form,
            carriers,
        }
    }
    [
        rule(id::PAYLOAD_FORMAT_INDICATOR, Form::Switch, CONTENT),
        rule(id::MESSAGE_EXPIRY_INTERVAL, Form::FourBytes, CONTENT),
        rule(id::CONTENT_TYPE, Form::Text, CONTENT),
        rule(id::RESPONSE_TOPIC, Form::Topic, CONTENT),
        rule(id::CORRELATION_DATA, Form::Binary, CONTENT),
        rule(
            id::SUBSCRIPTION_IDENTIFIER,
            Form::Variable,
            C::MESSAGE.or(C::SUBSCRIBE),
        ),
        rule(
            id::SESSION_EXPIRY_INTERVAL,
            Form::FourBytes,
            BOTH.or(C::LEAVING),
        ),
        rule(id::ASSIGNED_CLIENT_IDENTIFIER, Form::Text, C::CONNACK),
        rule(id::SERVER_KEEP_ALIVE, Form::TwoBytes, C::CONNACK),
        rule(id::AUTHENTICATION_METHOD, Form::Text, BOTH.or(C::AUTH)),
        rule(id::AUTHENTICATION_DATA, Form::Binary, BOTH.or(C::AUTH)),
        rule(id::REQUEST_PROBLEM_INFORMATION, Form::Switch, C::CONNECT),
        rule(id::WILL_DELAY_INTERVAL, Form::FourBytes, C::WILL),
        rule(id::REQUEST_RESPONSE_INFORMATION, Form::Switch, C::CONNECT),
        rule(id::RESPONSE_INFORMATION, Form::Text, C::CONNACK),
        rule(
            id::SERVER_REFERENCE,
            Form::Text,
            C::CONNACK.or(C::DISCONNECT),
        ),
        rule(id::REASON_STRING, Form::Text, REASON),
        rule(id::RECEIVE_MAXIMUM, Form::Count, BOTH),
        rule(id::TOPIC_ALIAS_MAXIMUM, Form::TwoBytes, BOTH),
        // An alias of 0 has a reason code of its own, which the session knows.
        rule(id::TOPIC_ALIAS, Form::TwoBytes, C::PUBLISH.or(C::MESSAGE)),
        // Of QoS 2 nothing is said.
        rule(id::MAXIMUM_QOS, Form::Switch, C::CONNACK),
        rule(id::RETAIN_AVAILABLE, Form::Switch, C::CONNACK),
        rule(id::USER_PROPERTY, Form::Pair, C::EVERY),
        rule(id::MAXIMUM_PACKET_SIZE, Form::LargeCount, BOTH),
        rule(id::WILDCARD_SUBSCRIPTION, Form::Switch, C::CONNACK),
        rule(id::SUBSCRIPTION_IDENTIFIERS, Form::Switch, C::CONNACK),
        rule(id::SHARED_SUBSCRIPTION, Form::Switch, C::CONNACK),
    ]
};

/// Property identifiers.
pub(crate) mod id {
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
