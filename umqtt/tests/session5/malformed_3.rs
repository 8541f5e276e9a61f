//! The same for MQTT 3.1.1, which has no words for it: the connection is closed (section 4.8).

use umqtt::{Connect, Error, ProtocolError};

use crate::pair::{Pair, field, packet};

/// The packets of a server.
const PACKETS: [(u8, &[u8]); 11] = [
    (0x20, &[0, 0]),
    (0x30, b"\x00\x05topicpayload"),
    (0x32, b"\x00\x05topic\x00\x09payload"),
    (0x34, b"\x00\x05topic\x00\x09payload"),
    (0x40, &[0, 9]),
    (0x50, &[0, 9]),
    (0x62, &[0, 9]),
    (0x70, &[0, 9]),
    (0x90, &[0, 9, 0, 1, 2, 0x80]),
    (0xb0, &[0, 9]),
    (0xd0, &[]),
];

/// The error the session makes of these bytes, `None` if it takes them.
fn verdict(kind: u8, bytes: &[u8]) -> Option<ProtocolError> {
    let mut pair = Pair::new(256, 64);
    pair.session.connect(&Connect::new("a"), pair.now).unwrap();
    pair.bytes();
    if kind != 0x20 {
        pair.exchange(&[0x20, 2, 0, 0]).unwrap();
    }
    match pair.exchange(bytes) {
        Ok(_) | Err(Error::Refused(_)) => None,
        Err(Error::Protocol(error)) => {
            assert!(pair.session.is_closed());
            assert_eq!(pair.bytes(), b"", "it has no words for it");
            Some(error)
        }
        Err(error) => panic!("{bytes:02x?}: {error}"),
    }
}

#[test]
fn packets_cut_at_every_byte_are_refused_unless_what_is_left_is_a_packet() {
    for (first, body) in PACKETS {
        for length in 0..=body.len() + 1 {
            let cut = [body, &[0]].concat()[..length].to_vec();
            let is_whole = match first {
                0x30 => length >= 7,
                0x32 | 0x34 => length >= 9,
                0x90 => length >= 3,
                _ => length == body.len(),
            };
            let expected = (!is_whole).then_some(ProtocolError::Length);
            assert_eq!(
                verdict(first, &packet(first, &cut)),
                expected,
                "{first:02x} {length}"
            );
        }
    }
}

#[test]
fn every_code_outside_its_table_is_refused() {
    for code in 0..=0xff {
        let expected = (code > 5).then_some(ProtocolError::ReturnCode(code));
        assert_eq!(verdict(0x20, &[0x20, 2, 0, code]), expected);
        let is_known = matches!(code, 0..=2 | 0x80);
        let expected = (!is_known).then_some(ProtocolError::ReturnCode(code));
        assert_eq!(verdict(0x90, &[0x90, 3, 0, 9, code]), expected);
        // 1 is a session, where a clean one was asked for.
        let expected = (code > 0).then_some(ProtocolError::ReturnCode(code));
        assert_eq!(verdict(0x20, &[0x20, 2, code, 0]), expected);
    }
}

#[test]
fn what_only_mqtt_5_has_is_refused() {
    for first in [0xe0, 0xf0] {
        for bytes in [vec![first, 0], vec![first, 1, 0x18], vec![first, 2, 0, 0]] {
            let expected = Some(ProtocolError::UnexpectedPacket(first));
            assert_eq!(verdict(0x40, &bytes), expected);
            assert_eq!(verdict(0x20, &bytes), expected);
        }
    }
    // Reasons and properties, even empty ones.
    for first in [0x40, 0x50, 0x62, 0x70, 0xb0] {
        for body in [&[0, 9, 0][..], &[0, 9, 0, 0]] {
            let expected = Some(ProtocolError::Length);
            assert_eq!(verdict(first, &packet(first, body)), expected);
        }
    }
    assert_eq!(
        verdict(0x20, &[0x20, 3, 0, 0, 0]),
        Some(ProtocolError::Length)
    );
    // A topic cannot be left out.
    let empty = packet(0x30, &field(b""));
    assert_eq!(verdict(0x30, &empty), Some(ProtocolError::Topic));
}

#[test]
fn a_remaining_length_in_more_bytes_than_it_needs_is_no_fault() {
    // MQTT 3.1.1 does not say that it must be the shortest.
    for (first, body) in PACKETS {
        for padding in [&[0x00][..], &[0x80, 0x00], &[0x80, 0x80, 0x00]] {
            let bytes = [&[first, body.len() as u8 | 0x80][..], padding, body].concat();
            assert_eq!(verdict(first, &bytes), None, "{bytes:02x?}");
        }
        let bytes = [&[first][..], &[0x80; 4], &[0x01], body].concat();
        assert_eq!(verdict(first, &bytes), Some(ProtocolError::RemainingLength));
    }
}

#[test]
fn any_byte_of_any_packet_may_be_wrong_and_nothing_breaks() {
    for (first, body) in PACKETS {
        let good = packet(first, body);
        assert_eq!(verdict(first, &good), None, "{good:02x?}");
        for at in 0..good.len() {
            for value in 0..=0xff {
                let mut bytes = good.clone();
                bytes[at] = value;
                verdict(first, &bytes);
            }
        }
    }
}
