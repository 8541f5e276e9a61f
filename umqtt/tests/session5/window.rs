//! Flow control (section 4.9).

use umqtt::{
    Connect, Property, PropertyList, Publish, PublishError, Qos, ReasonCode, Subscription,
};

use crate::pair::{Pair, ack, ack_with, kept, packet, publish_bytes};

fn message(qos: Qos) -> Publish<'static> {
    Publish::new("t", b"p").qos(qos)
}

// 5: [MQTT-3.3.4-7] [MQTT-4.9.0-1] [MQTT-4.9.0-2]
#[test]
fn no_more_messages_are_in_flight_than_the_server_takes() {
    for qos in [Qos::AtLeastOnce, Qos::ExactlyOnce] {
        let mut pair = Pair::accepted(64, 256, &kept(), &[0x21, 0, 2]);
        let full = Err(PublishError::Full);
        pair.publish(message(qos));
        pair.publish(message(qos));
        assert_eq!(pair.session.publish(&message(qos)), full);
        // QoS 0 does not count, nor do requests.
        pair.publish(message(Qos::AtMostOnce));
        pair.session.unsubscribe(&["t"]).unwrap();
        pair.transmit();
        assert_eq!(pair.session.publish(&message(qos)), full);
        match qos {
            Qos::AtLeastOnce => drop(pair.exchange(&ack(0x40, 1)).unwrap()),
            _ => {
                pair.exchange(&ack(0x50, 1)).unwrap();
                assert_eq!(pair.session.publish(&message(qos)), full);
                pair.exchange(&ack(0x70, 1)).unwrap();
            }
        }
        assert_eq!(pair.publish(message(qos)), 4);
        assert_eq!(pair.session.publish(&message(qos)), full);
        // A refusal makes room, too; an answer to nothing does not.
        pair.transmit();
        let refusal = if qos == Qos::AtLeastOnce { 0x40 } else { 0x50 };
        pair.exchange(&ack_with(refusal, 99, 0x97)).unwrap();
        assert_eq!(pair.session.publish(&message(qos)), full);
        pair.exchange(&ack_with(refusal, 2, 0x97)).unwrap();
        pair.publish(message(qos));
        assert_eq!(pair.session.publish(&message(qos)), full);
    }
}

#[test]
fn a_clean_session_begins_with_an_empty_window() {
    let mut pair = Pair::accepted(64, 256, &kept(), &[0x21, 0, 1]);
    pair.publish(message(Qos::AtLeastOnce));
    pair.transmit();
    pair.reconnect(&kept(), false, &[0x21, 0, 1]);
    pair.publish(message(Qos::AtLeastOnce));
    let full = pair.session.publish(&message(Qos::AtLeastOnce));
    assert_eq!(full, Err(PublishError::Full));
}

/// Identifiers and DUP of PUBLISH, and first bytes of the rest.
fn told(bytes: &[u8]) -> Vec<String> {
    let packets = crate::pair::decode(bytes);
    packets
        .iter()
        .map(|packet| match packet {
            mqttbytes::v5::Packet::Publish(publish) => format!("publish {}", publish.pkid),
            mqttbytes::v5::Packet::PubAck(puback) => format!("puback {}", puback.pkid),
            mqttbytes::v5::Packet::PubRel(pubrel) => format!("pubrel {}", pubrel.pkid),
            mqttbytes::v5::Packet::PingReq => "pingreq".to_owned(),
            other => panic!("{other:?}"),
        })
        .collect()
}

// 5: [MQTT-3.3.4-7] [MQTT-3.3.4-8] [MQTT-4.6.0-1] [MQTT-4.9.0-1] [MQTT-4.9.0-3]
#[test]
fn what_is_sent_again_keeps_to_the_window_of_the_new_connection() {
    let mut pair = Pair::accepted(64, 256, &kept(), &[]);
    for _ in 0..6 {
        pair.publish(message(Qos::AtLeastOnce));
    }
    pair.transmit();
    pair.reconnect(&kept(), true, &[0x21, 0, 2]);
    assert_eq!(told(&pair.bytes()), ["publish 1", "publish 2"]);
    assert!(!pair.session.is_idle());
    // Small packets are not held up, and more of them than there is room kept for.
    for identifier in 50..70 {
        let incoming = publish_bytes(2, b"in", Some(identifier), &[], b"");
        pair.exchange(&incoming).unwrap();
        pair.session.ping(pair.now).unwrap();
        let expected = [format!("puback {identifier}"), "pingreq".to_owned()];
        assert_eq!(told(&pair.bytes()), expected);
        pair.exchange(&[0xd0, 0]).unwrap();
    }
    let full = pair.session.publish(&message(Qos::AtLeastOnce));
    assert_eq!(full, Err(PublishError::Full));
    for (acknowledged, next) in [(2, "publish 3"), (1, "publish 4"), (3, "publish 5")] {
        pair.exchange(&ack(0x40, acknowledged)).unwrap();
        assert_eq!(told(&pair.bytes()), [next]);
    }
    for (acknowledged, next) in [(5, vec!["publish 6"]), (6, vec![]), (4, vec![])] {
        pair.exchange(&ack(0x40, acknowledged)).unwrap();
        assert_eq!(told(&pair.bytes()), next);
    }
    assert!(pair.session.is_idle());
    pair.publish(message(Qos::AtLeastOnce));
}

// 5: [MQTT-3.3.4-8] [MQTT-4.3.3-3] [MQTT-4.6.0-1] [MQTT-4.9.0-3]
#[test]
fn a_full_send_buffer_gets_through_a_window_of_one() {
    for qos in [Qos::AtLeastOnce, Qos::ExactlyOnce] {
        let mut pair = Pair::accepted(64, 64, &kept(), &[]);
        let mut last = 0;
        while let Ok(Some(identifier)) = pair.session.publish(&message(qos)) {
            last = identifier.value();
        }
        assert!(last > 3);
        pair.transmit();
        pair.reconnect(&kept(), true, &[0x21, 0, 1]);
        for identifier in 1..=last {
            // Much comes in between.
            for incoming in 100..110 {
                let bytes = publish_bytes(2, b"in", Some(incoming), &[], b"");
                pair.exchange(&bytes).unwrap();
            }
            let sent = told(&pair.bytes());
            let publishes = sent.iter().filter(|told| told.starts_with("publish"));
            let expected = format!("publish {identifier}");
            assert!(publishes.eq([&expected]), "{sent:?}");
            match qos {
                Qos::AtLeastOnce => drop(pair.exchange(&ack(0x40, identifier)).unwrap()),
                _ => {
                    pair.exchange(&ack(0x50, identifier)).unwrap();
                    assert_eq!(told(&pair.bytes()), [format!("pubrel {identifier}")]);
                    pair.exchange(&ack(0x70, identifier)).unwrap();
                }
            }
        }
        pair.transmit();
        assert!(pair.session.is_idle());
    }
}

#[test]
fn disconnect_does_not_wait_for_the_window() {
    let mut pair = Pair::accepted(64, 256, &kept(), &[]);
    for _ in 0..6 {
        pair.publish(message(Qos::AtLeastOnce));
    }
    pair.transmit();
    pair.reconnect(&kept(), true, &[0x21, 0, 2]);
    pair.session.disconnect().unwrap();
    let bytes = pair.bytes();
    assert!(bytes.ends_with(&[0xe0, 0]) && pair.session.is_closed());
    pair.reconnect(&kept(), true, &[]);
    assert_eq!(told(&pair.bytes()).len(), 6, "and nothing is lost by it");
}

// 5: [MQTT-3.3.4-8] [MQTT-4.9.0-3]
#[test]
fn requests_do_not_wait_for_the_window_and_keep_their_order() {
    let connect = Connect {
        properties: PropertyList::new(&[Property::AuthenticationMethod("M")]),
        ..kept()
    };
    let mut pair = Pair::accepted(64, 256, &connect, &[]);
    for _ in 0..4 {
        pair.publish(message(Qos::AtLeastOnce));
    }
    pair.transmit();
    pair.reconnect(&connect, true, &[0x21, 0, 1]);
    assert_eq!(told(&pair.bytes()), ["publish 1"]);
    let subscription = Subscription::new("a/b", Qos::AtMostOnce);
    pair.session.subscribe(&[subscription]).unwrap();
    pair.session.unsubscribe(&["c"]).unwrap();
    let again = [Property::AuthenticationMethod("M")];
    let reason = ReasonCode::RE_AUTHENTICATE;
    pair.session.authenticate(reason, &again).unwrap();
    let expected = [
        packet(0x82, &[0, 5, 0, 0, 3, b'a', b'/', b'b', 0]),
        packet(0xa2, &[0, 6, 0, 0, 1, b'c']),
        packet(0xf0, &[0x19, 4, 0x15, 0, 1, b'M']),
    ];
    assert_eq!(pair.bytes(), expected.concat());
    // The answers are known for what they answer, and the messages go on.
    let answers = [packet(0x90, &[0, 5, 0, 0]), packet(0xb0, &[0, 6, 0, 0])].concat();
    assert_eq!(pair.exchange(&answers).unwrap().len(), 2);
    for identifier in 1..=4 {
        pair.exchange(&ack(0x40, identifier)).unwrap();
    }
    assert_eq!(told(&pair.bytes()), ["publish 2", "publish 3", "publish 4"]);
    assert!(pair.session.is_idle());
}

#[test]
fn a_message_in_pieces_that_the_window_would_hold_up_is_not_begun() {
    let mut pair = Pair::accepted(64, 128, &kept(), &[]);
    for _ in 0..4 {
        pair.publish(message(Qos::AtLeastOnce));
    }
    pair.transmit();
    pair.reconnect(&kept(), true, &[0x21, 0, 1]);
    pair.transmit();
    let stream = pair.session.publish_stream(&message(Qos::AtMostOnce), 100);
    assert_eq!(stream, Err(PublishError::Full));
    // For what comes first would want an answer, which has no place then.
    let incoming = publish_bytes(2, b"in", Some(9), &[], b"");
    for identifier in 1..=3 {
        let bytes = [&incoming[..], &ack(0x40, identifier)].concat();
        pair.exchange(&bytes).unwrap();
    }
    assert_eq!(pair.session.in_flight(), 1);
    let stream = pair.session.publish_stream(&message(Qos::AtMostOnce), 100);
    assert_eq!(stream, Ok(None));
}

// 5: [MQTT-3.2.2-11] [MQTT-3.2.2-14]
#[test]
fn what_another_server_does_not_take_is_not_sent_again() {
    let mut pair = Pair::accepted(64, 256, &kept(), &[]);
    pair.publish(message(Qos::AtLeastOnce));
    pair.publish(message(Qos::ExactlyOnce));
    pair.publish(message(Qos::AtLeastOnce).retained());
    pair.transmit();
    // A maximum QoS of 1, and no retained messages.
    pair.reconnect(&kept(), true, &[0x24, 1, 0x25, 0]);
    assert_eq!(told(&pair.bytes()), ["publish 1"]);
    assert_eq!(pair.session.in_flight(), 1);
}

// 5: [MQTT-3.3.4-8] [MQTT-4.9.0-3]
#[test]
fn a_pubrel_that_is_sent_again_does_not_wait_for_the_window() {
    for maximum in 1..6 {
        let mut pair = Pair::accepted(64, 256, &kept(), &[]);
        for _ in 0..2 {
            pair.publish(message(Qos::AtLeastOnce));
            pair.publish(message(Qos::ExactlyOnce));
            pair.publish(message(Qos::ExactlyOnce));
        }
        pair.transmit();
        pair.exchange(&[ack(0x50, 2), ack(0x50, 6)].concat())
            .unwrap();
        pair.transmit();
        pair.reconnect(&kept(), true, &[0x21, 0, maximum]);
        let sent = told(&pair.bytes());
        for pubrel in ["pubrel 2", "pubrel 6"] {
            assert!(sent.iter().any(|it| it == pubrel), "{maximum} {sent:?}");
        }
        assert!(sent.len() - 2 <= maximum as usize, "{maximum} {sent:?}");
        pair.exchange(&[ack(0x70, 2), ack(0x70, 6)].concat())
            .unwrap();
        for (identifier, answers) in [
            (1, &[0x40][..]),
            (3, &[0x50, 0x70]),
            (4, &[0x40]),
            (5, &[0x50, 0x70]),
        ] {
            for &answer in answers {
                pair.exchange(&ack(answer, identifier)).unwrap();
            }
        }
        pair.transmit();
        assert!(pair.session.is_idle(), "{maximum}");
    }
}

#[test]
fn a_pubrel_that_refuses_takes_no_place_in_the_window() {
    let mut pair = Pair::accepted(64, 256, &kept(), &[]);
    pair.publish(message(Qos::AtLeastOnce));
    pair.publish(message(Qos::AtLeastOnce));
    pair.transmit();
    pair.reconnect(&kept(), true, &[0x21, 0, 1]);
    assert_eq!(told(&pair.bytes()), ["publish 1"]);
    // Both at once: the refusal is not sent yet when the place is free.
    pair.receive(&[ack(0x50, 99), ack(0x40, 1)].concat());
    while pair.poll().unwrap().is_some() {}
    assert_eq!(told(&pair.bytes()), ["pubrel 99", "publish 2"]);
}
