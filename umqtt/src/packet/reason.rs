//! Reason codes (MQTT 5, section 2.4), and which packet may carry which.

use core::fmt;

use super::Qos;

/// What a server says of an outcome (MQTT 5, section 2.4). Below 0x80 it is a success.
///
/// MQTT 3.1.1 knows few codes; each is told as the reason code that means the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReasonCode(pub u8);

/// Constants and their texts, in one list.
macro_rules! reason_codes {
    ($($name:ident = $value:literal, $text:literal;)*) => {
        impl ReasonCode {
            $(
                #[doc = concat!("Reason code ", stringify!($value), ": ", $text, ".")]
                pub const $name: ReasonCode = ReasonCode($value);
            )*

            /// The standard's name, in small letters.
            fn text(self) -> &'static str {
                match self.0 {
                    $($value => $text,)*
                    _ => "unknown reason",
                }
            }
        }
    };
}

reason_codes! {
    SUCCESS = 0x00, "success";
    GRANTED_QOS_1 = 0x01, "granted QoS 1";
    GRANTED_QOS_2 = 0x02, "granted QoS 2";
    DISCONNECT_WITH_WILL_MESSAGE = 0x04, "disconnect with will message";
    NO_MATCHING_SUBSCRIBERS = 0x10, "no matching subscribers";
    NO_SUBSCRIPTION_EXISTED = 0x11, "no subscription existed";
    CONTINUE_AUTHENTICATION = 0x18, "continue authentication";
    RE_AUTHENTICATE = 0x19, "re-authenticate";
    UNSPECIFIED_ERROR = 0x80, "unspecified error";
    MALFORMED_PACKET = 0x81, "malformed packet";
    PROTOCOL_ERROR = 0x82, "protocol error";
    IMPLEMENTATION_SPECIFIC_ERROR = 0x83, "implementation specific error";
    UNSUPPORTED_PROTOCOL_VERSION = 0x84, "unsupported protocol version";
    CLIENT_IDENTIFIER_NOT_VALID = 0x85, "client identifier not valid";
    BAD_USER_NAME_OR_PASSWORD = 0x86, "bad user name or password";
    NOT_AUTHORIZED = 0x87, "not authorized";
    SERVER_UNAVAILABLE = 0x88, "server unavailable";
    SERVER_BUSY = 0x89, "server busy";
    BANNED = 0x8a, "banned";
    SERVER_SHUTTING_DOWN = 0x8b, "server shutting down";
    BAD_AUTHENTICATION_METHOD = 0x8c, "bad authentication method";
    KEEP_ALIVE_TIMEOUT = 0x8d, "keep alive timeout";
    SESSION_TAKEN_OVER = 0x8e, "session taken over";
    TOPIC_FILTER_INVALID = 0x8f, "topic filter invalid";
    TOPIC_NAME_INVALID = 0x90, "topic name invalid";
    PACKET_IDENTIFIER_IN_USE = 0x91, "packet identifier in use";
    PACKET_IDENTIFIER_NOT_FOUND = 0x92, "packet identifier not found";
    RECEIVE_MAXIMUM_EXCEEDED = 0x93, "receive maximum exceeded";
    TOPIC_ALIAS_INVALID = 0x94, "topic alias invalid";
    PACKET_TOO_LARGE = 0x95, "packet too large";
    MESSAGE_RATE_TOO_HIGH = 0x96, "message rate too high";
    QUOTA_EXCEEDED = 0x97, "quota exceeded";
    ADMINISTRATIVE_ACTION = 0x98, "administrative action";
    PAYLOAD_FORMAT_INVALID = 0x99, "payload format invalid";
    RETAIN_NOT_SUPPORTED = 0x9a, "retain not supported";
    QOS_NOT_SUPPORTED = 0x9b, "QoS not supported";
    USE_ANOTHER_SERVER = 0x9c, "use another server";
    SERVER_MOVED = 0x9d, "server moved";
    SHARED_SUBSCRIPTIONS_NOT_SUPPORTED = 0x9e, "shared subscriptions not supported";
    CONNECTION_RATE_EXCEEDED = 0x9f, "connection rate exceeded";
    MAXIMUM_CONNECT_TIME = 0xa0, "maximum connect time";
    SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED = 0xa1, "subscription identifiers not supported";
    WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED = 0xa2, "wildcard subscriptions not supported";
}

impl ReasonCode {
    /// Whether it is a failure: 0x80 and above.
    pub const fn is_error(self) -> bool {
        self.0 >= 0x80
    }

    /// The QoS that a SUBACK grants; `None` for a failure.
    pub const fn granted(self) -> Option<Qos> {
        Qos::from_bits(self.0)
    }
}

impl fmt::Display for ReasonCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (0x{:02x})", self.text(), self.0)
    }
}

impl core::error::Error for ReasonCode {}

/// Whether such a packet, with this first byte, may carry this code from a server, or, in an answer,
/// from a client.
#[cfg(feature = "v5")]
pub(crate) fn is_allowed(code: u8, first: u8) -> bool {
    let place = match code as usize {
        success @ 0..FAILURES => success,
        failure @ 0x80.. => FAILURES + failure - 0x80,
        _ => return false,
    };
    let packets = ALLOWED.get(place).copied().unwrap_or_default();
    packets >> (first >> 4) & 1 != 0
}

/// Codes that the client may say in a DISCONNECT (section 3.14.2.1).
#[cfg(feature = "v5")]
pub(crate) const LEAVING: &[u8] = &[
    0x00, 0x04, 0x80, 0x81, 0x82, 0x83, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99,
];

/// The place of the first failure in the table.
#[cfg(feature = "v5")]
const FAILURES: usize = 0x19;

/// By code, a bit for the type of each packet that may carry it.
#[cfg(feature = "v5")]
const ALLOWED: [u16; FAILURES + 0x23] = {
    use crate::packet::first::*;
    let rows: [(&[u8], &[u8]); 6] = [
        // Section 3.2.2.2.
        (
            &[CONNACK],
            &[
                0x00, 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x8c, 0x90,
                0x95, 0x97, 0x99, 0x9a, 0x9b, 0x9c, 0x9d, 0x9f,
            ],
        ),
        // Sections 3.4.2.1 and 3.5.2.1.
        (
            &[PUBACK, PUBREC],
            &[0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99],
        ),
        // Sections 3.6.2.1 and 3.7.2.1.
        (&[PUBREL, PUBCOMP], &[0x00, 0x92]),
        // Section 3.9.3.
        (
            &[SUBACK],
            &[
                0x00, 0x01, 0x02, 0x80, 0x83, 0x87, 0x8f, 0x91, 0x97, 0x9e, 0xa1, 0xa2,
            ],
        ),
        // Section 3.11.3.
        (&[UNSUBACK], &[0x00, 0x11, 0x80, 0x83, 0x87, 0x8f, 0x91]),
        // Section 3.14.2.1.
        (
            &[DISCONNECT],
            &[
                0x00, 0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8b, 0x8d, 0x8e, 0x8f, 0x90, 0x93, 0x94,
                0x95, 0x96, 0x97, 0x98, 0x99, 0x9a, 0x9b, 0x9c, 0x9d, 0x9e, 0x9f, 0xa0, 0xa1, 0xa2,
            ],
        ),
    ];
    let mut allowed = [0; FAILURES + 0x23];
    // AUTH (section 3.15.2.1).
    allowed[0x00] |= 1 << (AUTH >> 4);
    allowed[0x18] |= 1 << (AUTH >> 4);
    let mut row = 0;
    while row < rows.len() {
        let (mut packets, codes) = rows[row];
        while let [first, rest @ ..] = packets {
            let mut at = 0;
            while at < codes.len() {
                let code = codes[at] as usize;
                let place = if code < 0x80 {
                    code
                } else {
                    FAILURES + code - 0x80
                };
                allowed[place] |= 1 << (*first >> 4);
                at += 1;
            }
            packets = rest;
        }
        row += 1;
    }
    allowed
};

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;

    #[test]
    fn a_code_is_shown_by_its_name_and_number() {
        let shown = std::format!("{}", ReasonCode::QUOTA_EXCEEDED);
        assert_eq!(shown, "quota exceeded (0x97)");
        assert_eq!(
            std::format!("{}", ReasonCode(0x7f)),
            "unknown reason (0x7f)"
        );
        assert!(ReasonCode(0x80).is_error() && !ReasonCode(0x7f).is_error());
    }
}
