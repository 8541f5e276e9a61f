//! Messages from the server (sections 3.3 to 3.7 and 4.3).

use umqtt::{
    Connect, Error, Property, PropertyList, ProtocolError, QueueError, ReasonCode, Session,
};

use crate::pair::{
    Pair, Seen, ack, ack_with, clean, farewell, field, kept, leak, packet, publish_bytes,
};

#[test]
fn a_message_tells_all_its_properties() {
    let properties = [
        &[0x01, 1][..],
        &[0x02, 0, 0, 0, 60],
        &[&[0x03][..], &field(b"text/plain")].concat(),
        &[&[0x08][..], &field(b"answers/1")].concat(),
        &[&[0x09][..], &field(b"\x00\xff")].concat(),
        &[0x0b, 1],
        &[0x0b, 0x80, 0x80, 0x80, 0x01],
        &[&[0x26][..], &field(b"n"), &field(b"v")].concat(),
    ]
    .concat();
    for (flags, identifier) in [(0, None), (2, Some(7)), (4, Some(7))] {
        for chunk in [1, 5, usize::MAX] {
            let mut pair = Pair::connected(128, 64);
            pair.chunk = chunk;
            let bytes = publish_bytes(flags, b"t", identifier, &properties, b"on");
            let events = pair.exchange(&bytes).unwrap();
            match &events[..] {
                [Seen::Message(message)] => {
                    assert_eq!(
                        (message.topic.as_str(), &message.payload[..]),
                        ("t", &b"on"[..])
                    );
                    assert_eq!(
                        message.properties,
                        [
                            "PayloadFormatIndicator(true)",
                            "MessageExpiryInterval(60)",
                            "ContentType(\"text/plain\")",
                            "ResponseTopic(\"answers/1\")",
                            "CorrelationData([0, 255])",
                            "SubscriptionIdentifier(1)",
                            "SubscriptionIdentifier(2097152)",
                            "UserProperty(\"n\", \"v\")",
                        ]
                    );
                }
                other => panic!("{other:?}"),
            }
        }
    }
}

// 5: [MQTT-3.5.2-2] [MQTT-3.5.2-3] [MQTT-3.7.2-1] [MQTT-3.7.2-2] [MQTT-3.7.2-3] [MQTT-4.1.0-1]
// 5: [MQTT-4.3.3-8] [MQTT-4.3.3-10] [MQTT-4.3.3-11]
#[test]
fn qos_2_is_delivered_once_and_answered_by_its_whole_dialogue() {
    let mut pair = Pair::connected(64, 64);
    let message = publish_bytes(4, b"t", Some(9), &[], b"on");
    let told = pair.exchange(&message);
    assert_eq!(told, Ok(vec![Seen::message("t", b"on", 2)]));
    assert_eq!(pair.bytes(), ack(0x50, 9));
    assert_eq!(pair.exchange(&message), Ok(vec![]));
    assert_eq!(pair.bytes(), ack(0x50, 9));
    // With a reason and properties, which say nothing new.
    assert_eq!(pair.exchange(&packet(0x62, &[0, 9, 0, 0])), Ok(vec![]));
    assert_eq!(pair.bytes(), ack(0x70, 9));
    assert!(pair.session.is_idle());
    // There is no such message any more.
    assert_eq!(pair.exchange(&ack(0x62, 9)), Ok(vec![]));
    assert_eq!(pair.bytes(), ack_with(0x70, 9, 0x92));
    assert!(pair.session.is_idle());
}

// 5: [MQTT-3.4.2-1] [MQTT-3.4.2-2] [MQTT-3.4.2-3] [MQTT-3.5.2-1] [MQTT-3.5.2-2] [MQTT-3.5.2-3]
// 5: [MQTT-4.3.3-9]
#[test]
fn a_message_may_be_rejected_with_a_reason() {
    let mut pair = Pair::connected(64, 64);
    let reject = |pair: &mut Pair| pair.session.reject(ReasonCode::PAYLOAD_FORMAT_INVALID);
    assert_eq!(reject(&mut pair), Err(QueueError::Invalid));
    pair.receive(&publish_bytes(2, b"t", Some(9), &[], b"on"));
    pair.poll().unwrap();
    for bad in [0x00, 0x10, 0x81, 0x92] {
        let refused = pair.session.reject(ReasonCode(bad));
        assert_eq!(refused, Err(QueueError::Invalid));
    }
    assert_eq!(reject(&mut pair), Ok(()));
    assert_eq!(pair.poll(), Ok(None));
    assert_eq!(pair.bytes(), ack_with(0x40, 9, 0x99));

    let message = publish_bytes(4, b"t", Some(9), &[], b"on");
    for _ in 0..3 {
        // What was rejected is over: the identifier stands for a new message.
        pair.receive(&message);
        let told = pair.poll();
        assert_eq!(told, Ok(Some(Seen::message("t", b"on", 2))));
        assert_eq!(reject(&mut pair), Ok(()));
        assert_eq!(pair.poll(), Ok(None));
        assert_eq!(pair.bytes(), ack_with(0x50, 9, 0x99));
        assert!(pair.session.is_idle());
    }
    pair.receive(&publish_bytes(0, b"t", None, &[], b"on"));
    pair.poll().unwrap();
    assert_eq!(reject(&mut pair), Err(QueueError::Invalid));
}

#[test]
fn a_rejected_message_is_not_taken_for_delivered_by_the_next_connection() {
    let mut pair = Pair::accepted(64, 64, &kept(), &[]);
    let message = publish_bytes(4, b"t", Some(9), &[], b"on");
    pair.receive(&message);
    pair.poll().unwrap();
    pair.session.reject(ReasonCode::QUOTA_EXCEEDED).unwrap();
    pair.session.closed();
    pair.reconnect(&kept(), true, &[]);
    let told = pair.exchange(&message);
    assert_eq!(told, Ok(vec![Seen::message("t", b"on", 2)]));
}

// 5: [MQTT-3.3.4-9]
#[test]
fn more_messages_at_once_than_the_receive_maximum_end_the_connection() {
    let connect = Connect {
        properties: PropertyList::new(&[Property::ReceiveMaximum(2)]),
        ..kept()
    };
    let mut pair = Pair::accepted(64, 128, &connect, &[]);
    let message = |identifier| publish_bytes(4, b"t", Some(identifier), &[], b"");
    pair.exchange(&message(1)).unwrap();
    pair.exchange(&message(2)).unwrap();
    // Released, one makes room for another.
    pair.exchange(&ack(0x62, 1)).unwrap();
    pair.exchange(&message(3)).unwrap();
    pair.exchange(&message(3)).unwrap();
    pair.bytes();
    for third in [message(4), publish_bytes(2, b"t", Some(5), &[], b"")] {
        pair.reconnect(&connect, true, &[]);
        // What is known from before does not count.
        pair.exchange(&message(2)).unwrap();
        pair.exchange(&message(8)).unwrap();
        pair.exchange(&message(9)).unwrap();
        pair.bytes();
        let error = pair.exchange(&third);
        assert_eq!(error, Err(Error::Protocol(ProtocolError::ReceiveMaximum)));
        assert_eq!(pair.bytes(), farewell(ReasonCode::RECEIVE_MAXIMUM_EXCEEDED));
        for identifier in [8, 9] {
            pair.reconnect(&connect, true, &[]);
            pair.exchange(&ack(0x62, identifier)).unwrap();
        }
    }
    // QoS 0 has no maximum.
    pair.reconnect(&connect, true, &[]);
    pair.exchange(&message(11)).unwrap();
    pair.exchange(&message(12)).unwrap();
    let free = publish_bytes(0, b"t", None, &[], b"");
    assert_eq!(pair.exchange(&free).unwrap().len(), 1);
}

// 5: [MQTT-3.1.2-24] [MQTT-4.13.1-1]
#[test]
fn a_packet_above_the_maximum_packet_size_ends_the_connection() {
    let connect = Connect {
        properties: PropertyList::new(&[Property::MaximumPacketSize(20)]),
        ..clean()
    };
    let sizes = [(14, true), (15, false), (1_000, false)];
    for (payload, is_right) in sizes {
        let mut pair = Pair::accepted(64, 64, &connect, &[]);
        let told = pair.exchange(&publish_bytes(0, b"t", None, &[], &vec![7; payload]));
        if is_right {
            assert_eq!(told.unwrap().len(), 1);
        } else {
            assert_eq!(told, Err(Error::Protocol(ProtocolError::TooLarge)));
            assert_eq!(pair.bytes(), farewell(ReasonCode::PACKET_TOO_LARGE));
        }
    }
    // One that is no message, and larger than the buffer.
    let mut pair = Pair::connected(64, 64);
    let long = packet(0x90, &[0; 100]);
    let told = pair.exchange(&long);
    assert_eq!(told, Err(Error::Protocol(ProtocolError::TooLarge)));
    assert_eq!(pair.bytes(), farewell(ReasonCode::PACKET_TOO_LARGE));
}

fn aliased(memory: usize, maximum: u16) -> Pair {
    let mut pair = Pair::connected(64, 64);
    pair.session = Session::new(leak(64), leak(64)).with_topic_aliases(leak(memory), maximum);
    pair
}

// 5: [MQTT-3.3.2-7] [MQTT-3.3.2-10]
#[test]
fn an_alias_stands_for_the_topic_name_the_server_set_it_for() {
    let mut pair = aliased(3 * 12, 3);
    pair.session.connect(&clean(), pair.now).unwrap();
    let connect = pair.bytes();
    let maximum = [0x22, 0, 3];
    assert!(connect.windows(3).any(|bytes| bytes == maximum));
    pair.reconnect(&clean(), false, &[]);
    let named = |alias, topic: &[u8]| publish_bytes(0, topic, None, &[0x23, 0, alias], b"x");
    let heard = |pair: &mut Pair, bytes: &[u8]| match &pair.exchange(bytes).unwrap()[..] {
        [Seen::Message(message)] => message.topic.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(heard(&mut pair, &named(1, b"one")), "one");
    assert_eq!(heard(&mut pair, &named(3, b"three")), "three");
    assert_eq!(heard(&mut pair, &named(1, b"")), "one");
    assert_eq!(heard(&mut pair, &named(3, b"")), "three");
    assert_eq!(heard(&mut pair, &named(1, b"ten-bytes!")), "ten-bytes!");
    assert_eq!(heard(&mut pair, &named(1, b"")), "ten-bytes!");
    assert_eq!(heard(&mut pair, &named(3, b"")), "three");
    // A topic name that is too long is heard, but not remembered.
    assert_eq!(heard(&mut pair, &named(3, b"eleven-byte")), "eleven-byte");
    let told = pair.exchange(&named(3, b""));
    assert_eq!(told, Ok(vec![Seen::TooLarge(None, 1)]));
    assert_eq!(heard(&mut pair, &named(3, b"new")), "new");
    assert_eq!(heard(&mut pair, &named(3, b"")), "new");
    // On the next connection, none means anything.
    pair.reconnect(&clean(), false, &[]);
    let told = pair.exchange(&named(3, b""));
    assert_eq!(told, Err(Error::Protocol(ProtocolError::NoTopic)));
    assert_eq!(pair.bytes(), farewell(ReasonCode::PROTOCOL_ERROR));
}

// 5: [MQTT-3.1.2-26] [MQTT-3.1.2-27] [MQTT-3.3.2-11]
#[test]
fn an_alias_that_was_not_offered_ends_the_connection() {
    for (maximum, alias) in [(0, 1), (0, 0), (3, 0), (3, 4), (3, 0x100)] {
        for topic in [&b"t"[..], b""] {
            let mut pair = aliased(36, maximum);
            pair.reconnect(&clean(), false, &[]);
            let [high, low] = u16::to_be_bytes(alias);
            let message = publish_bytes(0, topic, None, &[0x23, high, low], b"");
            let told = pair.exchange(&message);
            let expected = ProtocolError::TopicAlias;
            assert_eq!(told, Err(Error::Protocol(expected)));
            assert_eq!(pair.bytes(), farewell(ReasonCode::TOPIC_ALIAS_INVALID));
        }
    }
}

#[test]
fn an_alias_set_by_a_message_too_large_to_be_read_is_no_error() {
    let mut pair = aliased(36, 3);
    pair.reconnect(&clean(), false, &[]);
    let large = publish_bytes(2, &[b't'; 100], Some(1), &[0x23, 0, 2], b"12");
    assert_eq!(pair.exchange(&large), Ok(vec![Seen::TooLarge(None, 2)]));
    let bare = publish_bytes(2, b"", Some(2), &[0x23, 0, 2], b"123");
    assert_eq!(pair.exchange(&bare), Ok(vec![Seen::TooLarge(None, 3)]));
    assert_eq!(pair.bytes(), [ack(0x40, 1), ack(0x40, 2)].concat());
    // One whose payload alone is too large still sets its alias.
    let large = publish_bytes(0, b"big", None, &[0x23, 0, 2], &[0; 100]);
    let told = pair.exchange(&large);
    assert_eq!(told, Ok(vec![Seen::TooLarge(Some("big".into()), 100)]));
    let told = pair.exchange(&publish_bytes(0, b"", None, &[0x23, 0, 2], &[0; 100]));
    assert_eq!(told, Ok(vec![Seen::TooLarge(Some("big".into()), 100)]));
}
