//! A kept session over several connections (sections 3.1.2.4 and 4.4).

use mqttbytes::v4::{Packet, PubRel};
use umqtt::{Connect, Publish, PublishError, Qos, Subscription};

use crate::pair::{Pair, Seen, ack, publish_bytes};

fn kept() -> Connect<'static> {
    Connect {
        clean_session: false,
        ..Connect::new("a")
    }
}

fn kept_pair(send: usize) -> Pair {
    let mut pair = Pair::new(64, send);
    pair.reconnect(&kept(), false);
    pair
}

/// Payload, identifier and DUP of each PUBLISH.
#[track_caller]
fn publishes(packets: &[Packet]) -> Vec<(u8, u16, bool)> {
    packets
        .iter()
        .map(|packet| match packet {
            Packet::Publish(publish) => (publish.payload[0], publish.pkid, publish.dup),
            other => panic!("{other:?}"),
        })
        .collect()
}

// 3.1.1: [MQTT-2.3.1-3] [MQTT-3.1.2-4] [MQTT-3.3.1-1] [MQTT-4.1.0-1] [MQTT-4.4.0-1] [MQTT-4.6.0-1]
#[test]
fn what_was_not_acknowledged_is_sent_again_with_dup_only_where_it_was_sent() {
    let mut pair = kept_pair(128);
    for payload in [b"1", b"2", b"3"] {
        pair.publish(Publish::new("t", payload).qos(Qos::AtLeastOnce));
    }
    // The first whole, the second in part, the third not at all.
    let length = pair.session.transmit().len() / 3;
    pair.session.transmitted(length + 1, pair.now);
    // Nothing is sent again without a new connection, however long it takes.
    pair.advance(40_000);
    assert_eq!(pair.poll(), Ok(None));
    assert_eq!(pair.session.transmit().len(), 2 * length - 1);

    pair.session.closed();
    assert_eq!(pair.session.transmit(), b"");
    // Connections that end before anything was sent again change no flag.
    pair.reconnect(&kept(), true);
    pair.session.closed();
    pair.session.connect(&kept(), pair.now).unwrap();
    pair.reconnect(&kept(), true);
    assert_eq!(
        publishes(&pair.packets()),
        [(b'1', 1, true), (b'2', 2, true), (b'3', 3, false)]
    );
    assert_eq!(pair.session.retransmits(), 2);
    pair.reconnect(&kept(), true);
    assert_eq!(pair.session.retransmits(), 3);
    assert_eq!(
        publishes(&pair.packets()),
        [(b'1', 1, true), (b'2', 2, true), (b'3', 3, true)]
    );
    // An answer that came before it was sent on this connection answers nothing.
    pair.reconnect(&kept(), true);
    pair.receive(&ack(0x40, 2));
    assert_eq!(pair.poll(), Ok(None));
}

#[test]
fn qos_0_and_requests_are_not_carried_over() {
    let mut pair = kept_pair(128);
    pair.publish(Publish::new("t", b"0"));
    pair.publish(Publish::new("t", b"1").qos(Qos::AtLeastOnce));
    let subscription = Subscription::new("t", Qos::AtMostOnce);
    let request = pair.session.subscribe(&[subscription]).unwrap();
    pair.session.ping(pair.now).unwrap();
    pair.session.closed();
    assert!(!pair.session.is_pending(request));
    pair.reconnect(&kept(), true);
    assert_eq!(publishes(&pair.packets()), [(b'1', 1, false)]);
}

// 3.1.1: [MQTT-4.3.3-1] [MQTT-4.4.0-1]
#[test]
fn qos_2_goes_on_with_the_half_it_had_reached() {
    let mut pair = kept_pair(128);
    for payload in [b"1", b"2"] {
        pair.publish(Publish::new("t", payload).qos(Qos::ExactlyOnce));
    }
    pair.transmit();
    pair.exchange(&ack(0x50, 1)).unwrap();
    pair.reconnect(&kept(), true);
    match &pair.packets()[..] {
        // PUBREL stands behind what was queued before it; each order is kept (section 4.6).
        [Packet::Publish(publish), Packet::PubRel(pubrel)] => {
            assert_eq!((publish.pkid, publish.dup, pubrel.pkid), (2, true, 1));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(pair.exchange(&ack(0x70, 1)), Ok(vec![Seen::Published(1)]));
    pair.exchange(&ack(0x50, 2)).unwrap();
    assert_eq!(pair.packets(), [Packet::PubRel(PubRel::new(2))]);
    assert_eq!(pair.exchange(&ack(0x70, 2)), Ok(vec![Seen::Published(2)]));
    assert!(pair.session.is_idle());
}

// 3.1.1: [MQTT-4.1.0-1] [MQTT-4.3.3-2]
#[test]
fn a_message_of_qos_2_that_was_delivered_is_not_delivered_again_by_the_next_connection() {
    // `polls`: whether the caller came back for more before the connection broke.
    for polls in [false, true] {
        let mut pair = kept_pair(128);
        pair.receive(&publish_bytes(4, b"t", Some(9), b"on"));
        assert_eq!(pair.poll(), Ok(Some(Seen::message("t", b"on", 2))));
        if polls {
            assert_eq!(pair.poll(), Ok(None));
        }
        pair.session.closed();
        pair.reconnect(&kept(), true);
        assert_eq!(pair.bytes(), b"", "the server asks by itself");
        assert_eq!(
            pair.exchange(&publish_bytes(12, b"t", Some(9), b"on")),
            Ok(vec![])
        );
        assert_eq!(pair.bytes(), ack(0x50, 9));
        pair.exchange(&ack(0x62, 9)).unwrap();
        assert_eq!(pair.bytes(), ack(0x70, 9));
        assert!(pair.session.is_idle());
    }
}

#[test]
fn a_message_of_qos_1_that_was_not_acknowledged_comes_again() {
    let mut pair = kept_pair(128);
    pair.receive(&publish_bytes(2, b"t", Some(9), b"on"));
    assert_eq!(pair.poll(), Ok(Some(Seen::message("t", b"on", 1))));
    pair.session.closed();
    pair.reconnect(&kept(), true);
    assert_eq!(
        pair.bytes(),
        b"",
        "acknowledged on its own connection or not at all"
    );
    let again = pair
        .exchange(&publish_bytes(10, b"t", Some(9), b"on"))
        .unwrap();
    assert!(matches!(&again[..], [Seen::Message(message)] if message.dup));
}

// 3.1.1: [MQTT-3.1.2-6]
#[test]
fn a_server_that_forgot_the_session_and_a_clean_one_leave_nothing() {
    for (connect, present) in [(kept(), false), (Connect::new("a"), false)] {
        let mut pair = kept_pair(128);
        let publish = Publish::new("t", b"1").qos(Qos::AtLeastOnce);
        let identifier = pair.session.publish(&publish).unwrap().unwrap();
        pair.transmit();
        pair.exchange(&publish_bytes(4, b"t", Some(9), b"on"))
            .unwrap();
        pair.reconnect(&connect, present);
        assert_eq!(pair.bytes(), b"");
        assert!(!pair.session.is_pending(identifier) && pair.session.is_idle());
        // Not taken for a repetition.
        let heard = pair.exchange(&publish_bytes(4, b"t", Some(9), b"on"));
        assert_eq!(heard, Ok(vec![Seen::message("t", b"on", 2)]));
        // Identifiers go on, so that a late answer meets nothing.
        assert_eq!(pair.publish(publish), Some(2));
    }
}

#[test]
fn a_full_buffer_survives_any_number_of_connections() {
    let mut pair = kept_pair(64);
    let publish = Publish::new("t", b"x").qos(Qos::ExactlyOnce);
    let mut identifiers = Vec::new();
    while let Ok(identifier) = pair.session.publish(&publish) {
        identifiers.push(identifier.unwrap().value());
    }
    for _ in 0..5 {
        pair.transmit();
        let message = publish_bytes(4, b"t", Some(9), b"on");
        pair.exchange(&message).unwrap();
        pair.session.closed();
        pair.reconnect(&kept(), true);
        assert_eq!(pair.session.publish(&publish), Err(PublishError::Full));
        let expected: Vec<_> = identifiers.iter().map(|&id| (b'x', id, true)).collect();
        assert_eq!(publishes(&pair.packets()), expected);
    }
    for &identifier in &identifiers {
        pair.exchange(&ack(0x50, identifier)).unwrap();
        let done = pair.exchange(&ack(0x70, identifier));
        assert_eq!(done, Ok(vec![Seen::Published(identifier)]));
    }
}
