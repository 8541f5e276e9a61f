//! Messages from the server (sections 3.3 to 3.7 and 4.3), of any size, cut anywhere.

use umqtt::{Connect, Error, ProtocolError};

use crate::pair::{Pair, Seen, ack, packet, publish_bytes};

// 3.1.1: [MQTT-3.3.4-1] [MQTT-4.3.2-2]
#[test]
fn a_message_of_qos_1_is_acknowledged_by_the_next_poll_and_not_before() {
    let mut pair = Pair::connected(64, 64);
    pair.receive(&publish_bytes(2, b"t", Some(9), b"on"));
    assert_eq!(pair.poll(), Ok(Some(Seen::message("t", b"on", 1))));
    assert_eq!(pair.session.transmit(), b"");
    assert_eq!(pair.poll(), Ok(None));
    assert_eq!(pair.bytes(), ack(0x40, 9));
    assert!(pair.session.is_idle());
}

#[test]
fn acknowledge_does_it_without_a_poll() {
    let mut pair = Pair::connected(64, 64);
    let two = [
        publish_bytes(2, b"t", Some(9), b"on"),
        publish_bytes(0, b"t", None, b"off"),
    ];
    pair.receive(&two.concat());
    assert_eq!(pair.poll(), Ok(Some(Seen::message("t", b"on", 1))));
    pair.session.acknowledge();
    pair.session.acknowledge();
    assert_eq!(pair.bytes(), ack(0x40, 9));
    assert_eq!(pair.poll(), Ok(Some(Seen::message("t", b"off", 0))));
}

// 3.1.1: [MQTT-3.3.4-1] [MQTT-4.1.0-2] [MQTT-4.3.3-2]
#[test]
fn a_message_of_qos_2_is_delivered_once_however_often_it_comes() {
    let mut pair = Pair::connected(64, 64);
    let first = publish_bytes(4, b"t", Some(9), b"on");
    let again = publish_bytes(4 | 8, b"t", Some(9), b"on");
    assert_eq!(
        pair.exchange(&first),
        Ok(vec![Seen::message("t", b"on", 2)])
    );
    assert_eq!(pair.bytes(), ack(0x50, 9));
    assert_eq!(pair.exchange(&again), Ok(vec![]));
    assert_eq!(pair.bytes(), ack(0x50, 9));
    assert_eq!(pair.exchange(&ack(0x62, 9)), Ok(vec![]));
    assert_eq!(pair.bytes(), ack(0x70, 9));
    // A PUBREL that comes again is answered again.
    assert_eq!(pair.exchange(&ack(0x62, 9)), Ok(vec![]));
    assert_eq!(pair.bytes(), ack(0x70, 9));
    assert!(pair.session.is_idle());
    // Released, the identifier stands for a new message.
    assert_eq!(
        pair.exchange(&first),
        Ok(vec![Seen::message("t", b"on", 2)])
    );
}

#[test]
fn a_repetition_that_comes_before_its_pubrec_was_sent_is_answered_and_remembered_once() {
    let mut pair = Pair::connected(64, 64);
    let message = publish_bytes(4, b"t", Some(9), b"on");
    pair.receive(&[message.clone(), message].concat());
    assert_eq!(pair.poll(), Ok(Some(Seen::message("t", b"on", 2))));
    assert_eq!(pair.poll(), Ok(None));
    assert_eq!(pair.bytes(), [ack(0x50, 9), ack(0x50, 9)].concat());
    pair.exchange(&ack(0x62, 9)).unwrap();
    assert_eq!(pair.bytes(), ack(0x70, 9));
    assert!(pair.session.is_idle(), "nothing is remembered twice");
}

#[test]
fn more_messages_of_qos_2_than_can_be_remembered_do_not_stop_the_dialogue() {
    let mut pair = Pair::connected(64, 20);
    for identifier in 1..=20 {
        let message = publish_bytes(4, b"t", Some(identifier), b"x");
        assert_eq!(
            pair.exchange(&message),
            Ok(vec![Seen::message("t", b"x", 2)])
        );
        assert_eq!(pair.bytes(), ack(0x50, identifier));
    }
    for identifier in 1..=20 {
        assert_eq!(pair.exchange(&ack(0x62, identifier)), Ok(vec![]));
        assert_eq!(pair.bytes(), ack(0x70, identifier));
    }
    assert!(pair.session.is_idle());
}

// 3.1.1: [MQTT-6.0.0-2]
#[test]
fn packets_cut_at_every_byte_are_put_together() {
    let stream: Vec<u8> = [
        publish_bytes(0, b"t", None, b"zero"),
        publish_bytes(2, b"topic", Some(1), b"one"),
        vec![0xd0, 0],
        publish_bytes(4, b"topic", Some(2), &[7; 30]),
        ack(0x62, 2),
        publish_bytes(1, b"big", None, &[8; 300]),
        publish_bytes(2, &[b'x'; 200], Some(3), &[9; 200]),
        publish_bytes(0, b"t", None, b""),
    ]
    .concat();
    let run = |chunk, cut: Option<usize>| {
        let mut pair = Pair::connected(48, 64);
        pair.chunk = chunk;
        let mut events = Vec::new();
        let (first, second) = stream.split_at(cut.unwrap_or(0));
        events.extend(pair.exchange(first).unwrap());
        events.extend(pair.exchange(second).unwrap());
        (events, pair.bytes())
    };
    let (events, bytes) = run(usize::MAX, None);
    assert_eq!(events.len(), 7);
    assert_eq!(events[4], Seen::TooLarge(Some("big".into()), 300));
    assert_eq!(events[5], Seen::TooLarge(None, 200));
    assert_eq!(
        bytes,
        [ack(0x40, 1), ack(0x50, 2), ack(0x70, 2), ack(0x40, 3)].concat()
    );
    for chunk in 1..48 {
        assert_eq!(
            run(chunk, None),
            (events.clone(), bytes.clone()),
            "chunk {chunk}"
        );
    }
    for cut in 0..=stream.len() {
        assert_eq!(
            run(usize::MAX, Some(cut)),
            (events.clone(), bytes.clone()),
            "cut {cut}"
        );
    }
}

// 3.1.1: [MQTT-4.5.0-2]
#[test]
fn ten_megabytes_go_through_64_bytes_at_every_qos() {
    const LENGTH: usize = 10_000_000;
    for (qos, acknowledged) in [(0, vec![]), (1, ack(0x40, 5)), (2, ack(0x50, 5))] {
        let mut pair = Pair::connected(64, 64);
        let identifier = (qos > 0).then_some(5);
        let bytes = publish_bytes(qos << 1, b"id", identifier, &vec![0x30; LENGTH]);
        assert_eq!(
            pair.exchange(&bytes),
            Ok(vec![Seen::TooLarge(Some("id".into()), LENGTH)])
        );
        assert_eq!(pair.bytes(), acknowledged);
        // The next packet is found behind it.
        let next = pair.exchange(&publish_bytes(0, b"id", None, b"on"));
        assert_eq!(next, Ok(vec![Seen::message("id", b"on", 0)]));
    }
}

#[test]
fn a_topic_of_65535_bytes_goes_through_64_bytes_at_every_qos() {
    for (qos, acknowledged) in [(0, vec![]), (1, ack(0x40, 5)), (2, ack(0x50, 5))] {
        for chunk in [1, 7, usize::MAX] {
            let mut pair = Pair::connected(64, 64);
            pair.chunk = chunk;
            let identifier = (qos > 0).then_some(5);
            let bytes = publish_bytes(qos << 1, &[b'x'; 65_535], identifier, b"payload");
            assert_eq!(pair.exchange(&bytes), Ok(vec![Seen::TooLarge(None, 7)]));
            assert_eq!(pair.bytes(), acknowledged);
            let next = pair.exchange(&publish_bytes(0, b"id", None, b"on"));
            assert_eq!(next, Ok(vec![Seen::message("id", b"on", 0)]));
        }
    }
    let mut pair = Pair::connected(65_560, 64);
    let topic = [b'x'; 65_535];
    let heard = pair.exchange(&publish_bytes(2, &topic, Some(5), b"payload"));
    let topic = str::from_utf8(&topic).unwrap();
    assert_eq!(heard, Ok(vec![Seen::message(topic, b"payload", 1)]));
}

#[test]
fn a_message_that_fills_the_buffer_to_the_last_byte_is_delivered() {
    for surplus in 0..3 {
        let mut pair = Pair::connected(64, 64);
        let payload = vec![b'x'; 64 - 5 + surplus];
        let expected = match surplus {
            0 => Seen::message("t", &payload, 0),
            _ => Seen::TooLarge(Some("t".into()), payload.len()),
        };
        let heard = pair.exchange(&publish_bytes(0, b"t", None, &payload));
        assert_eq!(heard, Ok(vec![expected]));
    }
}

#[test]
fn another_packet_larger_than_the_buffer_ends_the_connection() {
    let mut pair = Pair::connected(64, 64);
    assert_eq!(
        pair.exchange(&packet(0x90, &[1; 100])[..4]),
        Err(Error::Protocol(ProtocolError::TooLarge))
    );
}

#[test]
fn after_an_error_nothing_moves_until_the_next_connect() {
    let mut pair = Pair::connected(64, 64);
    pair.exchange(&[0x00, 0x00]).unwrap_err();
    assert_eq!(pair.session.transmit(), b"");
    assert!(pair.session.receive_buffer().is_empty());
    assert_eq!(pair.poll(), Ok(None));
    assert_eq!(pair.session.deadline(), None);
    pair.reconnect(&Connect::new("a"), false);
    let heard = pair.exchange(&publish_bytes(0, b"t", None, b"on"));
    assert_eq!(heard, Ok(vec![Seen::message("t", b"on", 0)]));
}
