//! What no server may send, packet by packet and field by field (section 4.13). What cannot be read
//! is answered by DISCONNECT 0x81, what can be read but may not be by 0x82.

use umqtt::{Connect, Error, Property, PropertyList, ProtocolError, ReasonCode};

use crate::pair::{Pair, block, clean, farewell, field, packet, publish_bytes, varint};

const MALFORMED: ReasonCode = ReasonCode::MALFORMED_PACKET;
const PROTOCOL: ReasonCode = ReasonCode::PROTOCOL_ERROR;

/// The packets of a server that carry properties.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Connack,
    Publish0,
    Publish1,
    Publish2,
    Puback,
    Pubrec,
    Pubrel,
    Pubcomp,
    Suback,
    Unsuback,
    Disconnect,
    Auth,
}

use Kind::*;

const KINDS: [Kind; 12] = [
    Connack, Publish0, Publish1, Publish2, Puback, Pubrec, Pubrel, Pubcomp, Suback, Unsuback,
    Disconnect, Auth,
];

const ACKS: [Kind; 4] = [Puback, Pubrec, Pubrel, Pubcomp];

impl Kind {
    fn first(self) -> u8 {
        match self {
            Connack => 0x20,
            Publish0 => 0x30,
            Publish1 => 0x32,
            Publish2 => 0x34,
            Puback => 0x40,
            Pubrec => 0x50,
            Pubrel => 0x62,
            Pubcomp => 0x70,
            Suback => 0x90,
            Unsuback => 0xb0,
            Disconnect => 0xe0,
            Auth => 0xf0,
        }
    }

    /// What stands before the properties.
    fn head(self) -> Vec<u8> {
        match self {
            Connack => vec![0, 0],
            Publish0 => field(b"topic"),
            Publish1 | Publish2 => [&field(b"topic")[..], &[0, 9]].concat(),
            Puback | Pubrec | Pubrel | Pubcomp => vec![0, 9, 0],
            Suback | Unsuback => vec![0, 9],
            Disconnect => vec![0],
            Auth => vec![0x18],
        }
    }

    /// What stands behind them.
    fn tail(self) -> &'static [u8] {
        match self {
            Publish0 | Publish1 | Publish2 => b"payload",
            Suback | Unsuback => &[0, 0],
            _ => &[],
        }
    }

    /// The properties it cannot do without.
    fn required(self) -> &'static [u8] {
        match self {
            Auth => &[0x15, 0, 1, b'M'],
            _ => &[],
        }
    }

    fn body(self, properties: &[u8]) -> Vec<u8> {
        let properties = [self.required(), properties].concat();
        [&self.head()[..], &block(&properties), self.tail()].concat()
    }

    fn bytes(self, properties: &[u8]) -> Vec<u8> {
        packet(self.first(), &self.body(properties))
    }
}

/// A session at the point where this packet may come.
fn expecting(kind: Kind) -> Pair {
    let connect = Connect {
        properties: PropertyList::new(&[Property::AuthenticationMethod("M")]),
        ..clean()
    };
    let mut pair = Pair::new(1_024, 256);
    pair.session = umqtt::Session::new(crate::pair::leak(1_024), crate::pair::leak(256))
        .with_topic_aliases(crate::pair::leak(64), 4);
    if kind == Connack {
        pair.session.connect(&connect, pair.now).unwrap();
        pair.bytes();
    } else {
        pair.reconnect(&connect, false, &[]);
    }
    pair
}

/// What the session makes of these bytes: the reason it gives for ending the connection, or `None`
/// if it takes them.
#[track_caller]
fn verdict(kind: Kind, bytes: &[u8]) -> Option<ReasonCode> {
    let mut pair = expecting(kind);
    match pair.exchange(bytes) {
        Ok(_) | Err(Error::Refused(_) | Error::Disconnected(_)) => None,
        Err(Error::Protocol(error)) => {
            assert!(pair.session.is_closed());
            assert_eq!(pair.bytes(), farewell(error.reason()), "{bytes:02x?}");
            Some(error.reason())
        }
        Err(error) => panic!("{kind:?} {bytes:02x?}: {error}"),
    }
}

#[track_caller]
fn check(kind: Kind, bytes: &[u8], expected: ReasonCode) {
    assert_eq!(
        verdict(kind, bytes),
        Some(expected),
        "{kind:?} {bytes:02x?}"
    );
}

/// From table 2-4 of the standard: identifier, a value, and the packets of a server that may carry
/// it.
fn properties() -> Vec<(u8, Vec<u8>, Vec<Kind>)> {
    let messages = [Publish0, Publish1, Publish2];
    let text = field(b"text");
    let every = KINDS.to_vec();
    let reasons = [&ACKS[..], &[Connack, Suback, Unsuback, Disconnect, Auth]].concat();
    vec![
        (0x01, vec![1], messages.to_vec()),
        (0x02, vec![0, 0, 0, 1], messages.to_vec()),
        (0x03, text.clone(), messages.to_vec()),
        (0x08, text.clone(), messages.to_vec()),
        (0x09, text.clone(), messages.to_vec()),
        (0x0b, vec![0x80, 0x01], messages.to_vec()),
        (0x11, vec![0, 0, 0, 1], vec![Connack]),
        (0x12, text.clone(), vec![Connack]),
        (0x13, vec![0, 1], vec![Connack]),
        (0x15, text.clone(), vec![Connack, Auth]),
        // Not without a method.
        (0x16, text.clone(), vec![Auth]),
        (0x17, vec![1], vec![]),
        (0x18, vec![0, 0, 0, 1], vec![]),
        (0x19, vec![1], vec![]),
        (0x1a, text.clone(), vec![Connack]),
        (0x1c, text.clone(), vec![Connack, Disconnect]),
        (0x1f, text.clone(), reasons),
        (0x21, vec![0, 1], vec![Connack]),
        (0x22, vec![0, 1], vec![Connack]),
        (0x23, vec![0, 1], messages.to_vec()),
        (0x24, vec![1], vec![Connack]),
        (0x25, vec![1], vec![Connack]),
        (0x26, [text.clone(), text].concat(), every),
        (0x27, vec![0, 0, 1, 0], vec![Connack]),
        (0x28, vec![1], vec![Connack]),
        (0x29, vec![1], vec![Connack]),
        (0x2a, vec![1], vec![Connack]),
    ]
}

fn property(identifier: u8, value: &[u8]) -> Vec<u8> {
    [&[identifier][..], value].concat()
}

// 5: [MQTT-3.14.2-2]
#[test]
fn every_property_in_every_packet_is_taken_where_the_standard_has_it_and_nowhere_else() {
    for (identifier, value, carriers) in properties() {
        let bytes = property(identifier, &value);
        for kind in KINDS {
            // An AUTH names its method anyway: here it does twice. Data alone is for AUTH.
            let expected = match (identifier, kind) {
                (0x15, Auth) | (0x16, Connack) => Some(PROTOCOL),
                _ if carriers.contains(&kind) => None,
                _ => Some(MALFORMED),
            };
            let verdict = verdict(kind, &kind.bytes(&bytes));
            assert_eq!(verdict, expected, "{identifier:02x} in {kind:?}");
        }
    }
}

#[test]
fn properties_that_do_not_exist_are_malformed() {
    let known: Vec<u8> = properties().iter().map(|&(known, ..)| known).collect();
    for identifier in (0..=0xff).filter(|identifier| !known.contains(identifier)) {
        for kind in KINDS {
            let bytes = property(identifier, &[1, 1, 1, 1]);
            check(kind, &kind.bytes(&bytes), MALFORMED);
        }
    }
    // An identifier in more bytes than it needs.
    for kind in KINDS {
        check(kind, &kind.bytes(&[0xa6, 0x00, 0, 0, 0, 0]), MALFORMED);
    }
}

#[test]
fn every_property_twice_is_a_protocol_error_but_for_those_that_may() {
    for (identifier, value, carriers) in properties() {
        for kind in carriers {
            let bytes = property(identifier, &value).repeat(2);
            let verdict = verdict(kind, &kind.bytes(&bytes));
            let may = matches!(identifier, 0x26 | 0x0b);
            let expected = (!may).then_some(PROTOCOL);
            assert_eq!(verdict, expected, "{identifier:02x} twice in {kind:?}");
            // Nor with another one in between.
            let other = property(0x26, &[0, 0, 0, 0]);
            let once = property(identifier, &value);
            let bytes = [&once[..], &other, &once].concat();
            assert_eq!(self::verdict(kind, &kind.bytes(&bytes)), expected);
        }
    }
}

/// All that a packet may carry, but what would end the connection.
fn full(kind: Kind) -> Vec<u8> {
    properties()
        .into_iter()
        .filter(|(identifier, _, carriers)| carriers.contains(&kind) && *identifier != 0x15)
        .flat_map(|(identifier, value, _)| property(identifier, &value))
        .collect()
}

#[test]
fn properties_cut_at_every_byte_are_malformed() {
    for kind in KINDS {
        assert_eq!(verdict(kind, &kind.bytes(&full(kind))), None);
        for (identifier, value, carriers) in properties() {
            if !carriers.contains(&kind) {
                continue;
            }
            let bytes = property(identifier, &value);
            for length in 1..bytes.len() {
                // The block ends there, and all lengths agree.
                check(kind, &kind.bytes(&bytes[..length]), MALFORMED);
            }
        }
    }
}

#[test]
fn packets_cut_at_every_byte_are_malformed_unless_what_is_left_is_a_packet() {
    for kind in KINDS {
        let body = kind.body(&full(kind));
        let head = kind.head().len();
        let tail = body.len() - kind.tail().len();
        for length in 0..body.len() {
            let bytes = packet(kind.first(), &body[..length]);
            let is_whole = match kind {
                // A payload of any length.
                Publish0 | Publish1 | Publish2 => length >= tail,
                // One code is enough.
                Suback | Unsuback => length > tail,
                // The reason code and the properties may be left out.
                Puback | Pubrec | Pubrel | Pubcomp => (2..=head).contains(&length),
                Disconnect => length <= head,
                // An AUTH must name its method.
                Connack | Auth => false,
            };
            match (kind, is_whole) {
                (_, true) => assert_eq!(verdict(kind, &bytes), None, "{kind:?} {length}"),
                // Without anything it says success, but no method.
                (Auth, false) if length <= head => check(kind, &bytes, PROTOCOL),
                (_, false) => check(kind, &bytes, MALFORMED),
            }
        }
        // And with a byte too many.
        let mut longer = body.clone();
        longer.push(0);
        let verdict = verdict(kind, &packet(kind.first(), &longer));
        let may = !kind.tail().is_empty();
        assert_eq!(verdict, (!may).then_some(MALFORMED), "{kind:?}");
    }
}

// 5: [MQTT-1.5.5-1]
#[test]
fn a_property_length_that_does_not_fit_the_packet_is_malformed() {
    for kind in KINDS {
        for length in [
            &[0x7f][..],
            &[0xff, 0x7f],
            &[0xff, 0xff, 0xff, 0x7f],
            // Not the shortest form, or no end.
            &[0x80, 0x00],
            &[0x80, 0x80, 0x80, 0x00],
            &[0xff, 0xff, 0xff, 0xff],
            &[0x80, 0x80, 0x80, 0x80, 0x01],
        ] {
            let body = [&kind.head()[..], length, kind.required(), kind.tail()].concat();
            check(kind, &packet(kind.first(), &body), MALFORMED);
        }
    }
}

// 5: [MQTT-1.5.4-1] [MQTT-1.5.4-2] [MQTT-1.5.4-3] [MQTT-1.5.7-1]
#[test]
fn text_that_is_not_utf_8_or_holds_null_is_malformed() {
    let bad: [&[u8]; 12] = [
        b"\x00",
        b"a\x00b",
        b"\x80",
        b"\xc3\x28",
        b"\xc0\x80",
        b"\xe2\x82",
        b"\xe2\x28\xa1",
        b"\xed\xa0\x80",
        b"\xed\xbf\xbf",
        b"\xf0\x80\x80\x80",
        b"\xf4\x90\x80\x80",
        b"\xff",
    ];
    for text in bad {
        let text = field(text);
        let ok = field(b"ok");
        for (identifier, _, carriers) in properties() {
            let values = match identifier {
                0x03 | 0x08 | 0x12 | 0x15 | 0x1a | 0x1c | 0x1f => vec![text.clone()],
                0x26 => vec![[&text[..], &ok].concat(), [&ok[..], &text].concat()],
                _ => continue,
            };
            for (value, kind) in values
                .iter()
                .flat_map(|value| carriers.iter().map(move |kind| (value, *kind)))
            {
                let bytes = property(identifier, value);
                check(kind, &kind.bytes(&bytes), MALFORMED);
            }
        }
    }
    for topic in bad.into_iter().chain([&b"a/+"[..], b"#", b"+"]) {
        for (flags, identifier) in [(0, None), (2, Some(9)), (4, Some(9))] {
            let bytes = publish_bytes(flags, topic, identifier, &[], b"");
            check(Publish0, &bytes, MALFORMED);
        }
    }
    // Binary data may be anything.
    let data = property(0x09, &field(b"\x00\xff\xc3\x28"));
    assert_eq!(verdict(Publish0, &Publish0.bytes(&data)), None);
    // And so may text be that only looks odd.
    for text in ["\u{feff}", "\u{1}", "\u{ffff}", "😀", ""] {
        let bytes = property(0x1f, &field(text.as_bytes()));
        assert_eq!(verdict(Puback, &Puback.bytes(&bytes)), None);
    }
}

#[test]
fn values_that_a_property_may_not_have_are_protocol_errors() {
    for identifier in [0x25, 0x28, 0x29, 0x2a, 0x24] {
        for value in 2..=0xff {
            let bytes = property(identifier, &[value]);
            check(Connack, &Connack.bytes(&bytes), PROTOCOL);
        }
    }
    for value in 2..=0xff {
        let bytes = property(0x01, &[value]);
        check(Publish1, &Publish1.bytes(&bytes), PROTOCOL);
    }
    let zero = [
        (Connack, property(0x21, &[0, 0])),
        (Connack, property(0x27, &[0, 0, 0, 0])),
        (Publish2, property(0x0b, &[0])),
    ];
    for (kind, bytes) in zero {
        check(kind, &kind.bytes(&bytes), PROTOCOL);
    }
    for topic in [&b""[..], b"a/#", b"+"] {
        let bytes = property(0x08, &field(topic));
        check(Publish0, &Publish0.bytes(&bytes), PROTOCOL);
    }
    for alias in [0, 5, 0xff] {
        let bytes = property(0x23, &[0, alias]);
        check(
            Publish0,
            &Publish0.bytes(&bytes),
            ReasonCode::TOPIC_ALIAS_INVALID,
        );
    }
    for value in [
        &[0x80, 0x00][..],
        &[0x81, 0x80, 0x00],
        &[0xff, 0xff, 0xff, 0xff, 0x01],
        &[0xff, 0xff, 0xff, 0xff],
    ] {
        let bytes = property(0x0b, value);
        check(Publish0, &Publish0.bytes(&bytes), MALFORMED);
    }
}

#[test]
fn a_message_without_topic_and_alias_is_a_protocol_error() {
    for (flags, identifier) in [(0, None), (2, Some(9)), (4, Some(9))] {
        for properties in [&[][..], &[0x01, 1], &[0x23, 0, 1]] {
            let bytes = publish_bytes(flags, b"", identifier, properties, b"");
            check(Publish0, &bytes, PROTOCOL);
        }
    }
}

/// Reason codes a server may send, from the tables of chapter 3.
fn reasons(kind: Kind) -> &'static [u8] {
    match kind {
        Connack => &[
            0x00, 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x8c, 0x90,
            0x95, 0x97, 0x99, 0x9a, 0x9b, 0x9c, 0x9d, 0x9f,
        ],
        Puback | Pubrec => &[0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99],
        Pubrel | Pubcomp => &[0x00, 0x92],
        Suback => &[
            0x00, 0x01, 0x02, 0x80, 0x83, 0x87, 0x8f, 0x91, 0x97, 0x9e, 0xa1, 0xa2,
        ],
        Unsuback => &[0x00, 0x11, 0x80, 0x83, 0x87, 0x8f, 0x91],
        Disconnect => &[
            0x00, 0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8b, 0x8d, 0x8e, 0x8f, 0x90, 0x93, 0x94,
            0x95, 0x96, 0x97, 0x98, 0x99, 0x9a, 0x9b, 0x9c, 0x9d, 0x9e, 0x9f, 0xa0, 0xa1, 0xa2,
        ],
        Auth => &[0x00, 0x18],
        Publish0 | Publish1 | Publish2 => &[],
    }
}

// 5: [MQTT-3.2.2-8] [MQTT-3.4.2-1] [MQTT-3.5.2-1] [MQTT-3.6.2-1] [MQTT-3.7.2-1] [MQTT-3.9.3-2]
// 5: [MQTT-3.11.3-2] [MQTT-3.14.2-1] [MQTT-3.15.2-1] [MQTT-4.13.1-1]
#[test]
fn reason_codes_outside_their_tables_are_protocol_errors() {
    for kind in KINDS {
        let at = match kind {
            Connack => 1,
            Disconnect | Auth => 0,
            Puback | Pubrec | Pubrel | Pubcomp => 2,
            Suback | Unsuback => kind.body(&[]).len() - 1,
            Publish0 | Publish1 | Publish2 => continue,
        };
        for code in 0..=0xff {
            let mut body = kind.body(&[]);
            body[at] = code;
            let expected = (!reasons(kind).contains(&code)).then_some(PROTOCOL);
            let verdict = verdict(kind, &packet(kind.first(), &body));
            assert_eq!(verdict, expected, "{kind:?} {code:02x}");
        }
    }
}

// 5: [MQTT-2.1.3-1] [MQTT-3.2.2-1] [MQTT-3.3.1-4] [MQTT-3.14.1-1] [MQTT-3.15.1-1] [MQTT-4.13.1-1]
#[test]
fn flags_that_are_not_the_standard_s_are_malformed() {
    for kind in KINDS {
        for flags in 0..16 {
            let first = kind.first() & 0xf0 | flags;
            let bytes = packet(first, &kind.body(&[]));
            match kind {
                // QoS 3; the rest depends on what is behind it.
                Publish0 | Publish1 | Publish2 if flags & 6 == 6 => {
                    check(kind, &bytes, MALFORMED);
                }
                Publish0 | Publish1 | Publish2 => {}
                _ if first == kind.first() => assert_eq!(verdict(kind, &bytes), None),
                _ => check(kind, &bytes, MALFORMED),
            }
        }
    }
    for flags in 1..16 {
        check(Puback, &[0xd0 | flags, 0], MALFORMED);
    }
    for flags in 2..=0xff {
        check(Connack, &[0x20, 3, flags, 0, 0], MALFORMED);
    }
}

// 5: [MQTT-3.2.0-2]
#[test]
fn packets_that_have_no_place_are_protocol_errors() {
    // Type 0 is none at all.
    for flags in 0..16 {
        check(Puback, &[flags, 0], MALFORMED);
        check(Connack, &[flags, 0], MALFORMED);
    }
    for first in [0x10, 0x82, 0xa2, 0xc0] {
        check(Puback, &[first, 0], PROTOCOL);
        check(Connack, &[first, 0], PROTOCOL);
    }
    // A second CONNACK; and anything but CONNACK and AUTH before the first.
    check(Puback, &Connack.bytes(&[]), PROTOCOL);
    for kind in KINDS {
        let expected = (!matches!(kind, Connack | Auth)).then_some(PROTOCOL);
        assert_eq!(verdict(Connack, &kind.bytes(&[])), expected, "{kind:?}");
    }
    check(Connack, &[0xd0, 0], PROTOCOL);
    check(Puback, &[0xd0, 1, 0], MALFORMED);
}

#[test]
fn identifier_0_is_a_protocol_error() {
    for kind in KINDS {
        let at = match kind {
            Publish1 | Publish2 => 7,
            Puback | Pubrec | Pubrel | Pubcomp | Suback | Unsuback => 0,
            _ => continue,
        };
        let mut body = kind.body(&[]);
        body[at + 1] = 0;
        check(kind, &packet(kind.first(), &body), PROTOCOL);
    }
}

// 5: [MQTT-1.5.5-1]
#[test]
fn a_remaining_length_of_five_bytes_or_not_of_its_shortest_form_is_malformed() {
    for kind in KINDS {
        let body = kind.body(&[]);
        for length in [
            vec![body.len() as u8 | 0x80, 0x00],
            vec![body.len() as u8 | 0x80, 0x80, 0x00],
            vec![body.len() as u8 | 0x80, 0x80, 0x80, 0x00],
            vec![body.len() as u8 | 0x80, 0x80, 0x80, 0x80, 0x00],
            vec![0xff; 4],
        ] {
            let bytes = [&[kind.first()][..], &length, &body].concat();
            check(kind, &bytes, MALFORMED);
        }
    }
}

#[test]
fn a_message_whose_parts_do_not_fit_into_it_is_malformed_before_it_is_here() {
    for (flags, least) in [(0, 3), (2, 5), (4, 5)] {
        for length in 0..least {
            let bytes = packet(0x30 | flags, &vec![0; length]);
            check(Publish0, &bytes, MALFORMED);
        }
        // The topic, or the properties, longer than all there is; in a packet larger than the
        // buffer, too.
        for total in [20, 1_000, 5_000] {
            let bytes = [&[0x30 | flags][..], &varint(total), &[0xff, 0xff]].concat();
            check(Publish0, &bytes, MALFORMED);
            let identifier: &[u8] = if flags > 0 { &[0, 9] } else { &[] };
            let head = [
                &[0x30 | flags][..],
                &varint(total),
                &field(b"t"),
                identifier,
            ]
            .concat();
            let bytes = [&head[..], &varint(total)].concat();
            check(Publish0, &bytes, MALFORMED);
        }
    }
}

#[test]
fn messages_with_heads_larger_than_the_buffer_are_as_malformed() {
    let topic = vec![b't'; 2_000];
    for (flags, identifier) in [(2, Some(0)), (4, Some(0))] {
        check(
            Publish0,
            &publish_bytes(flags, &topic, identifier, &[], b""),
            PROTOCOL,
        );
    }
    for length in [&[0x80, 0x00][..], &[0xff; 4], &[0xff, 0x7f]] {
        let body = [&field(&topic)[..], &[0, 9], length, b"x"].concat();
        check(Publish0, &packet(0x32, &body), MALFORMED);
    }
    // The property length is cut by the packet's end.
    let body = [&field(&topic)[..], &[0, 9, 0x80]].concat();
    check(Publish0, &packet(0x32, &body), MALFORMED);
}

#[test]
fn any_byte_of_any_packet_may_be_wrong_and_nothing_breaks() {
    for kind in KINDS {
        let good = kind.bytes(&full(kind));
        for at in 0..good.len() {
            for value in 0..=0xff {
                let mut bytes = good.clone();
                bytes[at] = value;
                let known = [
                    None,
                    Some(MALFORMED),
                    Some(PROTOCOL),
                    Some(ReasonCode::TOPIC_ALIAS_INVALID),
                    Some(ReasonCode::PACKET_TOO_LARGE),
                ];
                let verdict = verdict(kind, &bytes);
                assert!(
                    known.contains(&verdict),
                    "{kind:?} {at} {value:02x}: {verdict:?}"
                );
            }
        }
    }
}

// 5: [MQTT-3.3.1-2]
#[test]
fn a_repetition_of_qos_0_is_malformed() {
    for flags in [8, 9] {
        check(
            Publish0,
            &publish_bytes(flags, b"t", None, &[], b"p"),
            MALFORMED,
        );
        // Also where it is larger than the buffer.
        let payload = vec![0; 2_000];
        check(
            Publish0,
            &publish_bytes(flags, b"t", None, &[], &payload),
            MALFORMED,
        );
    }
}

// 5: [MQTT-3.1.2-29]
#[test]
fn reasons_and_user_properties_that_were_not_wanted_are_protocol_errors() {
    let reason = property(0x1f, &field(b"why"));
    let pair_of_texts = property(0x26, &[&field(b"n")[..], &field(b"v")].concat());
    for wanted in [None, Some(true), Some(false)] {
        let method = Property::AuthenticationMethod("M");
        let mut properties = vec![method];
        properties.extend(wanted.map(Property::RequestProblemInformation));
        let connect = Connect {
            properties: PropertyList::new(&properties),
            ..clean()
        };
        for kind in KINDS {
            for bytes in [&reason, &pair_of_texts] {
                if matches!(kind, Publish0 | Publish1 | Publish2) && bytes == &reason {
                    continue;
                }
                let mut pair = Pair::new(1_024, 256);
                match kind {
                    Connack => {
                        pair.session.connect(&connect, pair.now).unwrap();
                        pair.bytes();
                    }
                    _ => pair.reconnect(&connect, false, &[]),
                }
                let told = pair.exchange(&kind.bytes(bytes));
                let may = matches!(kind, Connack | Publish0 | Publish1 | Publish2 | Disconnect);
                if wanted == Some(false) && !may {
                    let error = ProtocolError::PropertyValue(bytes[0]);
                    assert_eq!(told, Err(Error::Protocol(error)), "{kind:?}");
                    assert_eq!(pair.bytes(), farewell(PROTOCOL));
                } else {
                    let is_fine = matches!(told, Ok(_) | Err(Error::Disconnected(_)));
                    assert!(is_fine, "{kind:?} {told:?}");
                }
            }
        }
    }
}
