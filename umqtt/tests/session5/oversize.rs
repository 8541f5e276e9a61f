//! Messages larger than the receive buffer, with each of the policies, and with both versions.

use umqtt::{Connect, Error, Oversize, ProtocolError, Publish, Qos, ReasonCode, Version};

use crate::pair::{
    Heard, Pair, Seen, ack, ack_with, block, clean, farewell, field, kept, packet, publish_bytes,
};

fn with(oversize: Oversize) -> Connect<'static> {
    Connect { oversize, ..kept() }
}

// 5: [MQTT-4.5.0-2]
#[test]
fn what_is_thrown_away_is_answered_as_the_caller_chose() {
    let discarded = [(0, None), (2, Some(0x40)), (4, Some(0x50))];
    for (flags, answer) in discarded {
        for (oversize, reason) in [(Oversize::Discard, None), (Oversize::Refuse, Some(0x97))] {
            for (topic, properties, told) in [
                (&b"big"[..], &b""[..], Some("big")),
                (b"big", &[0x0b, 1].repeat(20), Some("big")),
                // Topic and properties do not fit together.
                (b"big", &[0x0b, 1].repeat(200), None),
                (&[b't'; 200], &[0x01, 1], None),
            ] {
                for chunk in [1, 7, usize::MAX] {
                    let mut pair = Pair::accepted(64, 64, &with(oversize), &[]);
                    pair.chunk = chunk;
                    let identifier = answer.map(|_| 5);
                    let bytes = publish_bytes(flags, topic, identifier, properties, &[7; 100]);
                    let expected = Seen::TooLarge(told.map(Into::into), 100);
                    assert_eq!(pair.exchange(&bytes), Ok(vec![expected]));
                    let expected = match (answer, reason) {
                        (None, _) => vec![],
                        (Some(first), None) => ack(first, 5),
                        (Some(first), Some(reason)) => ack_with(first, 5, reason),
                    };
                    assert_eq!(pair.bytes(), expected);
                    // The next packet is found behind it.
                    let next = pair.exchange(&publish_bytes(0, b"t", None, &[], b"on"));
                    assert_eq!(next, Ok(vec![Seen::message("t", b"on", 0)]));
                    if oversize == Oversize::Refuse {
                        assert!(pair.session.is_idle(), "nothing is remembered of it");
                    }
                }
            }
        }
    }
}

#[test]
fn mqtt_3_1_1_cannot_refuse() {
    let connect = Connect {
        version: Version::V3_1_1,
        ..with(Oversize::Refuse)
    };
    let mut pair = Pair::new(64, 64);
    pair.session.connect(&connect, pair.now).unwrap();
    pair.transmit();
    pair.exchange(&[0x20, 2, 0, 0]).unwrap();
    pair.bytes();
    let body = [&b"\x00\x01t\x00\x05"[..], &[7; 100]].concat();
    pair.exchange(&packet(0x32, &body)).unwrap();
    assert_eq!(pair.bytes(), ack(0x40, 5));
}

/// Puts the parts of one message together; all else that was told.
fn assembled(events: Vec<Seen>) -> (Vec<Heard>, Vec<Seen>) {
    let mut whole: Vec<Heard> = vec![];
    let mut others = vec![];
    let mut expected = 0;
    for event in events {
        match event {
            Seen::Chunk(offset, total, heard) => {
                assert_eq!(offset, expected);
                expected = (offset + heard.payload.len()) % total;
                match whole.last_mut().filter(|_| offset > 0) {
                    Some(message) => message.payload.extend(heard.payload),
                    None => whole.push(heard),
                }
            }
            other => others.push(other),
        }
    }
    assert_eq!(expected, 0, "the last part came");
    (whole, others)
}

#[test]
fn a_message_of_any_size_comes_in_pieces_with_its_topic_and_properties() {
    let payload: Vec<u8> = (0..2_000_u32).map(|i| i as u8).collect();
    for (version, flags, answer) in [
        (Version::V5, 1, None),
        (Version::V5, 2, Some(0x40)),
        (Version::V5, 4, Some(0x50)),
        (Version::V3_1_1, 1, None),
        (Version::V3_1_1, 2, Some(0x40)),
        (Version::V3_1_1, 4, Some(0x50)),
    ] {
        for chunk in [1, 2, 13, 63, usize::MAX] {
            let mut pair = Pair::new(64, 64);
            let connect = Connect {
                version,
                ..with(Oversize::Stream)
            };
            let is_5 = version == Version::V5;
            pair.session.connect(&connect, pair.now).unwrap();
            pair.transmit();
            pair.exchange(if is_5 {
                &[0x20, 3, 0, 0, 0]
            } else {
                &[0x20, 2, 0, 0]
            })
            .unwrap();
            pair.bytes();
            pair.chunk = chunk;
            let mut body = b"\x00\x03big".to_vec();
            body.extend(answer.into_iter().flat_map(|_| [0, 5]));
            body.extend(is_5.then_some([2, 0x01, 1]).into_iter().flatten());
            body.extend(&payload);
            let next = match is_5 {
                true => publish_bytes(0, b"t", None, &[], b"on"),
                false => packet(0x30, b"\x00\x01ton"),
            };
            // Something stands before it in the buffer, and behind it.
            let bytes = [next.clone(), packet(0x30 | flags, &body), next].concat();
            let (whole, others) = assembled(pair.exchange(&bytes).unwrap());
            let small = Seen::message("t", b"on", 0);
            assert_eq!(others, [small.clone(), small]);
            assert_eq!(whole.len(), 1);
            assert_eq!(
                (whole[0].topic.as_str(), &whole[0].payload),
                ("big", &payload)
            );
            let properties: &[&str] = match is_5 {
                true => &["PayloadFormatIndicator(true)"],
                false => &[],
            };
            assert_eq!(whole[0].properties, properties);
            assert_eq!(whole[0].retain, flags & 1 != 0);
            assert_eq!(pair.bytes(), answer.map_or(vec![], |first| ack(first, 5)));
        }
    }
}

#[test]
fn the_acknowledgement_waits_for_the_last_piece_and_the_keep_alive_does_not() {
    let mut pair = Pair::accepted(64, 64, &with(Oversize::Stream), &[]);
    let bytes = publish_bytes(2, b"t", Some(5), &[], &[7; 100]);
    let (first, rest) = bytes.split_at(60);
    pair.exchange(first).unwrap();
    assert_eq!(pair.bytes(), b"");
    pair.advance(45_000);
    assert_eq!(pair.poll(), Ok(None));
    assert_eq!(pair.bytes(), [0xc0, 0]);
    pair.receive(rest);
    assert!(matches!(pair.poll(), Ok(Some(Seen::Chunk(..)))));
    assert_eq!(pair.bytes(), b"");
    assert_eq!(pair.poll(), Ok(None));
    assert_eq!(pair.bytes(), ack(0x40, 5));
}

#[test]
fn a_message_cut_by_the_end_of_the_connection_comes_again_from_its_beginning() {
    let mut pair = Pair::accepted(64, 64, &with(Oversize::Stream), &[]);
    let bytes = publish_bytes(4, b"t", Some(5), &[], &[7; 100]);
    pair.exchange(&bytes[..60]).unwrap();
    pair.session.closed();
    pair.reconnect(&with(Oversize::Stream), true, &[]);
    let (whole, _) = assembled(pair.exchange(&bytes).unwrap());
    assert_eq!(whole[0].payload, [7; 100]);
    assert_eq!(pair.bytes(), ack(0x50, 5));
    // Delivered, it is not delivered again.
    pair.reconnect(&with(Oversize::Stream), true, &[]);
    assert_eq!(pair.exchange(&bytes), Ok(vec![]));
    assert_eq!(pair.bytes(), ack(0x50, 5));
}

#[test]
fn without_room_for_a_byte_of_the_payload_it_is_thrown_away() {
    let connect = Connect {
        oversize: Oversize::Stream,
        ..clean()
    };
    let mut pair = Pair::accepted(64, 64, &connect, &[]);
    // 1 + 2 + 2 + topic + 1 = 64.
    for (topic, expected) in [(57, 1), (58, 0)] {
        let topic = vec![b't'; topic];
        let bytes = publish_bytes(0, &topic, None, &[], &[7; 100]);
        let events = pair.exchange(&bytes).unwrap();
        let (whole, others) = assembled(events);
        assert_eq!(whole.len(), expected);
        if expected == 0 {
            assert_eq!(others, [Seen::TooLarge(None, 100)]);
        }
    }
}

#[test]
fn an_answer_with_a_reason_longer_than_the_buffer_says_its_code_and_the_rest_is_thrown_away() {
    let text = [&[0x1f][..], &field(&[b'x'; 1_000])].concat();
    let long = |first: u8, identifier: u16, reason: u8| {
        let [high, low] = identifier.to_be_bytes();
        packet(first, &[&[high, low, reason][..], &block(&text)].concat())
    };
    for chunk in [1, 7, usize::MAX] {
        let mut pair = Pair::connected(64, 64);
        pair.chunk = chunk;
        pair.publish(Publish::new("t", b"").qos(Qos::AtLeastOnce));
        pair.publish(Publish::new("t", b"").qos(Qos::ExactlyOnce));
        pair.publish(Publish::new("t", b"").qos(Qos::ExactlyOnce));
        pair.bytes();
        let incoming = publish_bytes(4, b"in", Some(9), &[], b"");
        let bytes = [
            long(0x40, 1, 0x97),
            long(0x50, 2, 0),
            long(0x50, 3, 0x87),
            incoming,
            long(0x62, 9, 0),
        ]
        .concat();
        let told = pair.exchange(&bytes);
        let expected = vec![
            Seen::Published(1, 0x97, vec![]),
            Seen::Published(3, 0x87, vec![]),
            Seen::message("in", b"", 2),
        ];
        assert_eq!(told, Ok(expected));
        let answers = [ack(0x62, 2), ack(0x50, 9), ack(0x70, 9)].concat();
        assert_eq!(pair.bytes(), answers);
        let told = pair.exchange(&[long(0x70, 2, 0), vec![0xd0, 0]].concat());
        assert_eq!(told, Ok(vec![Seen::published(2), Seen::Pong]));
        assert!(pair.session.is_idle());

        let bytes = packet(0xe0, &[&[0x8b][..], &block(&text)].concat());
        let ended = Error::Disconnected(ReasonCode::SERVER_SHUTTING_DOWN);
        assert_eq!(pair.exchange(&bytes), Err(ended));
        assert!(pair.session.closing_properties().is_empty());
    }
    // A code that does not exist is none however long the packet is.
    let mut pair = Pair::connected(64, 64);
    let told = pair.exchange(&long(0x40, 1, 1));
    assert_eq!(told, Err(Error::Protocol(ProtocolError::ReturnCode(1))));
    // Of others all is needed.
    for (first, body) in [(0x90, &[0, 1][..]), (0xb0, &[0, 1]), (0xf0, &[0x18])] {
        let mut pair = Pair::connected(64, 64);
        let bytes = packet(first, &[body, &block(&text), &[0]].concat());
        let told = pair.exchange(&bytes);
        assert_eq!(told, Err(Error::Protocol(ProtocolError::TooLarge)));
        assert_eq!(pair.bytes(), farewell(ReasonCode::PACKET_TOO_LARGE));
    }
}
