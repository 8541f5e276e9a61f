//! What the standard says of each property (MQTT 5, table 2-4).

use crate::packet::first;

/// A packet that carries properties, by its type. What the types do not tell apart has one that is
/// reserved, or of a packet without properties.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Carrier(u8);

impl Carrier {
    pub const WILL: Carrier = Carrier(0);
    pub const CONNECT: Carrier = Carrier::with(first::CONNECT);
    pub const CONNACK: Carrier = Carrier::with(first::CONNACK);
    /// PUBLISH from the client.
    pub const PUBLISH: Carrier = Carrier::with(first::PUBLISH);
    /// PUBLISH from the server.
    pub const MESSAGE: Carrier = Carrier(12);
    pub const SUBSCRIBE: Carrier = Carrier::with(first::SUBSCRIBE);
    pub const UNSUBSCRIBE: Carrier = Carrier::with(first::UNSUBSCRIBE);
    /// DISCONNECT from the client.
    pub const LEAVING: Carrier = Carrier(13);
    /// DISCONNECT from the server.
    const DISCONNECT: Carrier = Carrier::with(first::DISCONNECT);
    pub const AUTH: Carrier = Carrier::with(first::AUTH);

    /// The packet with this first byte.
    pub const fn with(first: u8) -> Self {
        Carrier(first >> 4)
    }
}

/// How a value stands on the wire (section 1.5), and what it may be; 0 is not at all.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Form(u8);

impl Form {
    /// One byte, 0 or 1.
    pub const SWITCH: Form = Form(1);
    pub const TWO_BYTES: Form = Form(2);
    pub const FOUR_BYTES: Form = Form(4);
    pub const TWO_BYTES_NOT_0: Form = Form(2 | Form::NOT_0);
    pub const FOUR_BYTES_NOT_0: Form = Form(4 | Form::NOT_0);
    /// A variable byte integer, not 0.
    pub const VARIABLE: Form = Form(Form::NOT_0);
    pub const TEXT: Form = Form(3);
    /// A text that is a topic name.
    pub const TOPIC: Form = Form(5);
    pub const BINARY: Form = Form(6);
    /// Two texts.
    pub const PAIR: Form = Form(7);

    const NOT_0: u8 = 8;

    /// Bytes of a number that has as many always.
    pub fn width(self) -> u8 {
        match self.fields() {
            0 => self.0 & !Form::NOT_0,
            _ => 0,
        }
    }

    /// Fields that tell their length first.
    pub fn fields(self) -> usize {
        // Two bits for each form.
        0b10_01_01_00_01_00_00_00 >> (2 * self.0.min(Form::NOT_0)) & 3
    }

    /// The least that a number may be.
    pub fn least(self) -> u32 {
        (self.0 / Form::NOT_0) as u32
    }
}

/// What the standard says of a property.
#[derive(Clone, Copy)]
pub(super) struct Rule {
    pub form: Form,
    /// A bit for each.
    carriers: u16,
}

impl Rule {
    /// That of the property with this identifier, if there is one.
    pub fn of(identifier: u8) -> Self {
        let places = TABLE.properties.get(identifier as usize);
        let place = places.copied().unwrap_or_default();
        let carriers = TABLE.carriers.get(place as usize >> 4);
        Rule {
            form: Form(place & 0x0f),
            carriers: carriers.copied().unwrap_or_default(),
        }
    }

    /// Whether such a packet may have the property.
    pub fn allows(self, carrier: Carrier) -> bool {
        self.carriers >> (carrier.0 & 0x0f) & 1 != 0
    }
}

/// The rules as they are kept, in a byte for each property.
struct Table {
    /// By identifier, for each property: which of the `carriers` below carry it, and its form.
    properties: [u8; 0x2b],
    carriers: [u16; 13],
}

const TABLE: Table = {
    use Carrier as C;
    use Form as F;
    const fn all(carriers: &[Carrier]) -> u16 {
        match carriers {
            [first, rest @ ..] => 1 << first.0 | all(rest),
            [] => 0,
        }
    }
    const CONTENT: u16 = all(&[C::PUBLISH, C::MESSAGE, C::WILL]);
    const BOTH: u16 = all(&[C::CONNECT, C::CONNACK]);
    const CONNECT: u16 = all(&[C::CONNECT]);
    const CONNACK: u16 = all(&[C::CONNACK]);
    const LOGIN: u16 = all(&[C::CONNECT, C::CONNACK, C::AUTH]);
    let acks = 0b1010_1111_0000;
    let rules: [(u8, Form, u16); 27] = [
        (id::PAYLOAD_FORMAT_INDICATOR, F::SWITCH, CONTENT),
        (id::MESSAGE_EXPIRY_INTERVAL, F::FOUR_BYTES, CONTENT),
        (id::CONTENT_TYPE, F::TEXT, CONTENT),
        (id::RESPONSE_TOPIC, F::TOPIC, CONTENT),
        (id::CORRELATION_DATA, F::BINARY, CONTENT),
        (
            id::SUBSCRIPTION_IDENTIFIER,
            F::VARIABLE,
            all(&[C::MESSAGE, C::SUBSCRIBE]),
        ),
        (
            id::SESSION_EXPIRY_INTERVAL,
            F::FOUR_BYTES,
            BOTH | all(&[C::LEAVING]),
        ),
        (id::ASSIGNED_CLIENT_IDENTIFIER, F::TEXT, CONNACK),
        (id::SERVER_KEEP_ALIVE, F::TWO_BYTES, CONNACK),
        (id::AUTHENTICATION_METHOD, F::TEXT, LOGIN),
        (id::AUTHENTICATION_DATA, F::BINARY, LOGIN),
        (id::REQUEST_PROBLEM_INFORMATION, F::SWITCH, CONNECT),
        (id::WILL_DELAY_INTERVAL, F::FOUR_BYTES, all(&[C::WILL])),
        (id::REQUEST_RESPONSE_INFORMATION, F::SWITCH, CONNECT),
        (id::RESPONSE_INFORMATION, F::TEXT, CONNACK),
        (
            id::SERVER_REFERENCE,
            F::TEXT,
            all(&[C::CONNACK, C::DISCONNECT]),
        ),
        (
            id::REASON_STRING,
            F::TEXT,
            acks | CONNACK | all(&[C::LEAVING, C::DISCONNECT, C::AUTH]),
        ),
        (id::RECEIVE_MAXIMUM, F::TWO_BYTES_NOT_0, BOTH),
        (id::TOPIC_ALIAS_MAXIMUM, F::TWO_BYTES, BOTH),
        // An alias of 0 has a reason code of its own, which the session knows.
        (
            id::TOPIC_ALIAS,
            F::TWO_BYTES,
            all(&[C::PUBLISH, C::MESSAGE]),
        ),
        // Of QoS 2 nothing is said.
        (id::MAXIMUM_QOS, F::SWITCH, CONNACK),
        (id::RETAIN_AVAILABLE, F::SWITCH, CONNACK),
        (id::USER_PROPERTY, F::PAIR, u16::MAX),
        (id::MAXIMUM_PACKET_SIZE, F::FOUR_BYTES_NOT_0, BOTH),
        (id::WILDCARD_SUBSCRIPTION, F::SWITCH, CONNACK),
        (id::SUBSCRIPTION_IDENTIFIERS, F::SWITCH, CONNACK),
        (id::SHARED_SUBSCRIPTION, F::SWITCH, CONNACK),
    ];
    let mut table = Table {
        properties: [0; 0x2b],
        carriers: [0; 13],
    };
    let mut at = 0;
    while at < rules.len() {
        let (identifier, form, carriers) = rules[at];
        // What is the same stands there once; in the first place, nothing.
        let mut place = 1;
        while table.carriers[place] != 0 && table.carriers[place] != carriers {
            place += 1;
        }
        table.carriers[place] = carriers;
        table.properties[identifier as usize] = (place as u8) << 4 | form.0;
        at += 1;
    }
    table
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
