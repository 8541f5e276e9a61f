//! What no server may send: each kind of packet, wrong in each of its parts.

use umqtt::{Connect, Error, ProtocolError};

use crate::pair::{Pair, packet, publish_bytes};

#[track_caller]
fn check(bytes: &[u8], expected: ProtocolError) {
    for chunk in [1, usize::MAX] {
        let mut pair = Pair::connected(64, 64);
        pair.chunk = chunk;
        assert_eq!(
            pair.exchange(bytes),
            Err(Error::Protocol(expected)),
            "{bytes:02x?}"
        );
        assert!(pair.session.is_closed());
        assert_eq!(pair.session.transmit(), b"", "{bytes:02x?}");
    }
}

// 3.1.1: [MQTT-2.2.2-2] [MQTT-4.8.0-1]
#[test]
fn flags_that_are_not_the_standard_s_are_refused() {
    for (kind, right) in [
        (0x20, 0),
        (0x40, 0),
        (0x50, 0),
        (0x60, 2),
        (0x70, 0),
        (0x90, 0),
        (0xb0, 0),
        (0xd0, 0),
    ] {
        for flags in (0..16).filter(|&flags| flags != right) {
            check(&[kind | flags, 2], ProtocolError::Flags(kind | flags));
        }
    }
}

#[test]
fn packets_that_only_clients_send_are_refused_by_their_first_byte() {
    for kind in [0x00, 0x10, 0x80, 0xa0, 0xc0, 0xe0, 0xf0] {
        for flags in 0..16 {
            check(
                &[kind | flags, 0x7f],
                ProtocolError::UnexpectedPacket(kind | flags),
            );
        }
    }
    check(&[0x20, 2, 0, 0], ProtocolError::UnexpectedPacket(0x20));
}

#[test]
fn anything_but_connack_is_refused_before_connack() {
    for first in 0..=0xff {
        let mut pair = Pair::new(64, 64);
        pair.session.connect(&Connect::new("a"), pair.now).unwrap();
        pair.transmit();
        let outcome = pair.exchange(&[first, 2, 0, 0]);
        match first {
            0x20 => assert!(outcome.is_ok()),
            _ => assert!(
                matches!(
                    outcome,
                    Err(Error::Protocol(
                        ProtocolError::UnexpectedPacket(_) | ProtocolError::Flags(_)
                    ))
                ),
                "{first:02x}: {outcome:?}"
            ),
        }
    }
}

// 3.1.1: [MQTT-4.8.0-1]
#[test]
fn lengths_that_do_not_fit_the_content_are_refused() {
    for kind in [0x40, 0x50, 0x62, 0x70, 0xb0] {
        for length in [0, 1, 3, 60] {
            check(&packet(kind, &vec![1; length]), ProtocolError::Length);
        }
    }
    for length in 0..=2 {
        check(&packet(0x90, &vec![1; length]), ProtocolError::Length);
    }
    check(&packet(0xd0, &[0]), ProtocolError::Length);
    for flags in [0, 2, 4] {
        check(&packet(0x30 | flags, &[]), ProtocolError::Length);
        check(&packet(0x30 | flags, &[0]), ProtocolError::Length);
        check(&packet(0x30 | flags, &[0, 9, b't']), ProtocolError::Length);
        check(
            &packet(0x30 | flags, &[0xff, 0xff, b't', b't']),
            ProtocolError::Length,
        );
    }
    // The topic fits, the packet identifier does not.
    check(&packet(0x32, &[0, 1, b't', 0]), ProtocolError::Length);
    for body in [&[][..], &[0], &[0, 0, 0]] {
        let mut pair = Pair::new(64, 64);
        pair.session.connect(&Connect::new("a"), pair.now).unwrap();
        pair.transmit();
        let outcome = pair.exchange(&packet(0x20, body));
        assert_eq!(outcome, Err(Error::Protocol(ProtocolError::Length)));
    }
}

#[test]
fn a_remaining_length_of_five_bytes_is_refused() {
    for kind in [0x30, 0x40, 0x90] {
        let bytes = [kind, 0x80, 0x80, 0x80, 0x80, 0x01];
        check(&bytes, ProtocolError::RemainingLength);
    }
}

#[test]
fn identifier_0_is_refused() {
    for kind in [0x40, 0x50, 0x62, 0x70, 0xb0] {
        check(&packet(kind, &[0, 0]), ProtocolError::PacketIdentifier);
    }
    check(&packet(0x90, &[0, 0, 0]), ProtocolError::PacketIdentifier);
    for flags in [2, 4] {
        let message = publish_bytes(flags, b"t", Some(0), b"");
        check(&message, ProtocolError::PacketIdentifier);
        let large = publish_bytes(flags, b"t", Some(0), &[0; 100]);
        check(&large, ProtocolError::PacketIdentifier);
        let headless = publish_bytes(flags, &[b't'; 100], Some(0), b"");
        check(&headless, ProtocolError::PacketIdentifier);
    }
}

// 3.1.1: [MQTT-3.3.1-4]
#[test]
fn qos_3_is_refused() {
    check(&publish_bytes(6, b"t", Some(1), b""), ProtocolError::Qos);
}

// 3.1.1: [MQTT-1.5.3-1] [MQTT-1.5.3-2]
#[test]
fn topics_that_no_message_may_carry_are_refused() {
    for topic in [
        &b""[..],
        b"a/+",
        b"#",
        b"a\0b",
        b"\xc3\x28",
        b"\xed\xa0\x80",
    ] {
        check(&publish_bytes(0, topic, None, b""), ProtocolError::Topic);
        check(
            &publish_bytes(0, topic, None, &[0; 100]),
            ProtocolError::Topic,
        );
    }
}

// 3.1.1: [MQTT-3.9.3-2]
#[test]
fn codes_outside_their_tables_are_refused() {
    for code in (3..=0xff).filter(|&code| code != 0x80) {
        check(
            &packet(0x90, &[0, 1, code]),
            ProtocolError::ReturnCode(code),
        );
    }
    for (flags, code) in [(2, 0), (0xff, 0), (0, 6), (0, 0xff)] {
        let mut pair = Pair::new(64, 64);
        pair.session.connect(&Connect::new("a"), pair.now).unwrap();
        pair.transmit();
        let wrong = if code > 0 { code } else { flags };
        assert_eq!(
            pair.exchange(&[0x20, 2, flags, code]),
            Err(Error::Protocol(ProtocolError::ReturnCode(wrong)))
        );
    }
}

// 3.1.1: [MQTT-3.3.1-2]
#[test]
fn a_repetition_of_qos_0_is_refused() {
    for first in [0x38, 0x39] {
        let mut pair = Pair::connected(64, 64);
        let error = Error::Protocol(ProtocolError::Flags(first));
        assert_eq!(
            pair.exchange(&publish_bytes(first & 0xf, b"t", None, b"p")),
            Err(error)
        );
        assert!(pair.session.is_closed());
    }
}
