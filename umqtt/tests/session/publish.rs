//! Messages to the server (sections 3.3 to 3.7 and 4.3).

use mqttbytes::QoS;
use mqttbytes::v4::{Packet, PubRel};
use umqtt::{Error, ProtocolError, Publish, PublishError, Qos};

use crate::pair::{Pair, Seen, ack, publish_bytes};

// 3.1.1: [MQTT-3.3.1-2] [MQTT-4.3.1-1] [MQTT-4.3.2-1] [MQTT-4.3.3-1]
#[test]
fn a_message_carries_its_fields() {
    let mut pair = Pair::connected(64, 256);
    assert_eq!(pair.publish(Publish::new("a/b", b"zero")), None);
    let one = Publish::new("a/b", b"").qos(Qos::AtLeastOnce).retained();
    assert_eq!(pair.publish(one), Some(1));
    assert_eq!(
        pair.publish(Publish::new("é", b"two").qos(Qos::ExactlyOnce)),
        Some(2)
    );
    let packets = pair.packets();
    let publishes: Vec<_> = packets
        .iter()
        .map(|packet| match packet {
            Packet::Publish(publish) => publish,
            other => panic!("{other:?}"),
        })
        .map(|publish| {
            assert!(!publish.dup);
            (
                publish.topic.as_str(),
                &publish.payload[..],
                publish.qos,
                publish.retain,
                publish.pkid,
            )
        })
        .collect();
    assert_eq!(
        publishes,
        [
            ("a/b", &b"zero"[..], QoS::AtMostOnce, false, 0),
            ("a/b", b"", QoS::AtLeastOnce, true, 1),
            ("é", b"two", QoS::ExactlyOnce, false, 2),
        ]
    );
}

// 3.1.1: [MQTT-2.3.1-3] [MQTT-4.3.2-1] [MQTT-4.3.3-1]
#[test]
fn qos_1_is_done_with_its_puback_and_qos_2_with_its_pubcomp() {
    let mut pair = Pair::connected(64, 128);
    let one = pair
        .session
        .publish(&Publish::new("t", b"1").qos(Qos::AtLeastOnce));
    let two = pair
        .session
        .publish(&Publish::new("t", b"2").qos(Qos::ExactlyOnce));
    let (one, two) = (one.unwrap().unwrap(), two.unwrap().unwrap());
    pair.bytes();
    assert_eq!(pair.exchange(&ack(0x40, 1)), Ok(vec![Seen::Published(1)]));
    assert!(!pair.session.is_pending(one) && pair.session.is_pending(two));

    assert_eq!(pair.exchange(&ack(0x50, 2)), Ok(vec![]));
    assert_eq!(pair.packets(), [Packet::PubRel(PubRel::new(2))]);
    assert!(pair.session.is_pending(two));
    assert_eq!(pair.exchange(&ack(0x70, 2)), Ok(vec![Seen::Published(2)]));
    assert!(pair.session.is_idle());
}

#[test]
fn an_acknowledgement_of_nothing_or_of_a_request_changes_nothing() {
    let mut pair = Pair::connected(64, 128);
    pair.publish(Publish::new("t", b"1").qos(Qos::AtLeastOnce));
    // Not even sent yet.
    assert_eq!(pair.session.transmit().len(), 8);
    pair.receive(&ack(0x40, 1));
    assert_eq!(pair.poll(), Ok(None));
    pair.bytes();
    for wrong in [
        ack(0x40, 9),
        ack(0x50, 9),
        ack(0x70, 9),
        ack(0xb0, 1),
        packet_suback(),
    ] {
        assert_eq!(pair.exchange(&wrong), Ok(vec![]));
        assert_eq!(pair.bytes(), b"");
    }
    assert_eq!(pair.exchange(&ack(0x40, 1)), Ok(vec![Seen::Published(1)]));
    assert_eq!(pair.exchange(&ack(0x40, 1)), Ok(vec![]));
}

// 3.1.1: [MQTT-4.8.0-1]
#[test]
fn an_acknowledgement_of_the_other_qos_ends_the_connection_and_the_message_stays() {
    for (qos, wrong) in [
        (Qos::ExactlyOnce, 0x40),
        (Qos::AtLeastOnce, 0x50),
        (Qos::AtLeastOnce, 0x70),
    ] {
        let mut pair = Pair::connected(64, 128);
        pair.publish(Publish::new("t", b"1").qos(qos));
        pair.bytes();
        let error = Error::Protocol(ProtocolError::Acknowledgement(wrong));
        assert_eq!(pair.exchange(&ack(wrong, 1)), Err(error));
        assert!(pair.session.is_closed());
        assert_eq!(pair.session.in_flight(), 1);
    }
    // Also where the server has taken the message of QoS 2 already.
    let mut pair = Pair::connected(64, 128);
    pair.publish(Publish::new("t", b"1").qos(Qos::ExactlyOnce));
    pair.bytes();
    assert_eq!(pair.exchange(&ack(0x50, 1)), Ok(vec![]));
    assert_eq!(pair.packets(), [Packet::PubRel(PubRel::new(1))]);
    let error = Error::Protocol(ProtocolError::Acknowledgement(0x40));
    assert_eq!(pair.exchange(&ack(0x40, 1)), Err(error));
}

fn packet_suback() -> Vec<u8> {
    vec![0x90, 3, 0, 1, 0]
}

// 3.1.1: [MQTT-3.3.2-2] [MQTT-4.7.1-1] [MQTT-4.7.3-1] [MQTT-4.7.3-2] [MQTT-4.7.3-3]
#[test]
fn invalid_topics_are_refused_and_nothing_is_queued() {
    let mut pair = Pair::connected(64, 64);
    let long = "x".repeat(65_536);
    for topic in ["", "a/+", "#", "a\0b", &long] {
        let publish = Publish::new(topic, b"");
        assert_eq!(
            pair.session.publish(&publish),
            Err(PublishError::InvalidTopic)
        );
    }
    assert!(pair.session.is_idle());
}

#[test]
fn a_full_send_buffer_says_so_and_empties_with_the_acknowledgements() {
    let mut pair = Pair::connected(64, 64);
    let publish = Publish::new("t", b"0123456789").qos(Qos::AtLeastOnce);
    let mut count = 0;
    while pair.session.publish(&publish).is_ok() {
        count += 1;
    }
    assert_eq!(count, 3, "of 17 bytes, with 12 in reserve");
    assert_eq!(pair.session.publish(&publish), Err(PublishError::Full));
    let large = Publish::new("t", &[0; 50]);
    assert_eq!(pair.session.publish(&large), Err(PublishError::TooLarge));
    // Sent, they still wait for their answers.
    pair.bytes();
    assert_eq!(pair.session.publish(&publish), Err(PublishError::Full));
    // A failed attempt takes no identifier; the room in the middle is found.
    assert_eq!(pair.exchange(&ack(0x40, 2)), Ok(vec![Seen::Published(2)]));
    assert_eq!(pair.publish(publish), Some(4));
    assert_eq!(pair.session.publish(&publish), Err(PublishError::Full));
}

#[test]
fn a_buffer_full_of_messages_in_flight_still_acknowledges_and_pings() {
    for qos in [Qos::AtLeastOnce, Qos::ExactlyOnce] {
        let mut pair = Pair::connected(64, 64);
        while pair
            .session
            .publish(&Publish::new("t", b"").qos(qos))
            .is_ok()
        {}
        pair.bytes();
        for identifier in 100..120 {
            let message = publish_bytes(2, b"in", Some(identifier), b"x");
            assert_eq!(
                pair.exchange(&message),
                Ok(vec![Seen::message("in", b"x", 1)])
            );
            assert_eq!(pair.bytes(), ack(0x40, identifier));
            pair.session.ping(pair.now).unwrap();
            assert_eq!(pair.packets(), [Packet::PingReq]);
        }
    }
}

#[test]
fn a_buffer_full_of_qos_2_in_flight_goes_through_its_whole_dialogue() {
    let mut pair = Pair::connected(64, 64);
    let mut last = 0;
    for _ in 0..50 {
        while let Ok(identifier) = pair
            .session
            .publish(&Publish::new("t", b"").qos(Qos::ExactlyOnce))
        {
            last = identifier.unwrap().value();
        }
        pair.bytes();
        // In an order the server may choose.
        for identifier in (last.saturating_sub(20)..=last).filter(|&id| id > 0) {
            let answered = pair.exchange(&ack(0x50, identifier));
            assert_eq!(answered, Ok(vec![]));
            if !pair.bytes().is_empty() {
                // Room that became free is taken at once: the dialogue must not need it.
                let _ = pair
                    .session
                    .publish(&Publish::new("t", b"").qos(Qos::ExactlyOnce));
            }
        }
        for identifier in (last.saturating_sub(20)..=last + 20).filter(|&id| id > 0) {
            pair.exchange(&ack(0x70, identifier)).unwrap();
        }
    }
    assert!(last > 100, "{last}");
}

// 3.1.1: [MQTT-2.3.1-2] [MQTT-2.3.1-3]
#[test]
fn identifiers_wrap_at_65535_and_step_over_those_in_use() {
    let mut pair = Pair::connected(64, 64);
    let publish = Publish::new("t", b"").qos(Qos::AtLeastOnce);
    // 1 and 3 stay in flight for the whole round.
    for expected in 1..=3 {
        assert_eq!(pair.publish(publish), Some(expected));
    }
    pair.bytes();
    assert_eq!(pair.exchange(&ack(0x40, 2)), Ok(vec![Seen::Published(2)]));
    let rounds = (4..=65_535).chain([2]).chain(4..=65_535);
    for expected in rounds {
        assert_eq!(pair.publish(publish), Some(expected));
        pair.bytes();
        assert_eq!(
            pair.exchange(&ack(0x40, expected)),
            Ok(vec![Seen::Published(expected)])
        );
    }
    assert_eq!(pair.publish(publish), Some(2));
    assert_eq!(pair.publish(publish), Some(4));
    // A SUBSCRIBE takes from the same numbers; those of the server's messages are its own.
    pair.bytes();
    let message = publish_bytes(4, b"in", Some(5), b"");
    pair.exchange(&message).unwrap();
    pair.bytes();
    let subscription = umqtt::Subscription::new("t", Qos::AtMostOnce);
    assert_eq!(pair.session.subscribe(&[subscription]).unwrap().value(), 5);
}

#[test]
fn what_was_sent_in_pieces_is_sent_once() {
    let mut pair = Pair::connected(64, 64);
    let mut sent = Vec::new();
    for round in 0..200u32 {
        let payload = round.to_be_bytes();
        let qos = if round % 3 == 0 {
            Qos::AtLeastOnce
        } else {
            Qos::AtMostOnce
        };
        while pair
            .session
            .publish(&Publish::new("t", &payload).qos(qos))
            .is_err()
        {
            let bytes = pair.session.transmit();
            let count = bytes.len().min(1 + round as usize % 5);
            sent.extend(&bytes[..count]);
            pair.session.transmitted(count, pair.now);
            // Everything in flight that can be is acknowledged.
            for identifier in 1..=70 {
                pair.receive(&ack(0x40, identifier));
                while pair.poll().unwrap().is_some() {}
            }
        }
    }
    sent.extend(pair.bytes());
    let payloads = crate::common::decode(&sent)
        .into_iter()
        .map(|packet| match packet {
            Packet::Publish(publish) => u32::from_be_bytes(publish.payload[..].try_into().unwrap()),
            other => panic!("{other:?}"),
        });
    assert!(payloads.eq(0..200));
}
