//! Statements of the standard that no chapter's tests show by the way.

use umqtt::{
    Connect, Credentials, Property, PropertyList, Publish, PublishError, Qos, QueueError,
    ReasonCode, SubscribeError, Subscription,
};

use crate::pair::{Pair, Seen, ack, clean, field, kept, packet, publish_bytes};

// 5: [MQTT-3.1.2-1] [MQTT-3.1.2-9] [MQTT-3.1.2-11] [MQTT-3.1.2-12] [MQTT-3.1.2-13]
// 5: [MQTT-3.1.2-16] [MQTT-3.1.2-17] [MQTT-3.1.2-18] [MQTT-3.1.2-19]
// 5: [MQTT-3.1.3-1] [MQTT-3.1.3-3] [MQTT-3.1.3-4] [MQTT-3.1.3-11] [MQTT-3.1.3-12]
#[test]
fn each_field_of_a_connect_is_there_with_its_flag_and_in_its_place() {
    let qoses = [Qos::AtMostOnce, Qos::AtLeastOnce, Qos::ExactlyOnce];
    let wills = qoses
        .iter()
        .flat_map(|&qos| [(qos, false), (qos, true)])
        .map(Some);
    for will in wills.chain([None]) {
        for login in [None, Some(None), Some(Some(&b"\x00secret"[..]))] {
            let connect = Connect {
                will: will.map(|(qos, retain)| Publish {
                    retain,
                    ..Publish::new("gone/灯", b"off").qos(qos)
                }),
                credentials: login.map(|password| Credentials {
                    user_name: "änn",
                    password,
                }),
                client_id: "ïd",
                properties: PropertyList::new(&[Property::ReceiveMaximum(2)]),
                ..clean()
            };
            let mut flags = 0x02;
            let mut fields = field("ïd".as_bytes());
            if let Some((qos, retain)) = will {
                flags |= 0x04 | (qos as u8) << 3 | (retain as u8) << 5;
                // Its properties are none.
                fields.push(0);
                fields.extend([field("gone/灯".as_bytes()), field(b"off")].concat());
            }
            if let Some(password) = login {
                flags |= 0x80;
                fields.extend(field("änn".as_bytes()));
                if let Some(password) = password {
                    flags |= 0x40;
                    fields.extend(field(password));
                }
            }
            let head = [b"\x00\x04MQTT\x05", &[flags, 0, 60, 3, 0x21, 0, 2][..]].concat();
            let mut pair = Pair::new(128, 64);
            pair.session.connect(&connect, pair.now).unwrap();
            let expected = packet(0x10, &[head, fields].concat());
            assert_eq!(pair.bytes(), expected);
        }
    }
}

// 5: [MQTT-1.5.4-3]
#[test]
fn a_byte_order_mark_is_a_character_like_others() {
    let topic = "\u{feff}a/\u{feff}";
    let mut pair = Pair::connected(64, 64);
    pair.publish(Publish::new(topic, b""));
    let bytes = publish_bytes(0, topic.as_bytes(), None, &[], b"");
    assert_eq!(pair.bytes(), bytes);
    let heard = pair.exchange(&bytes);
    assert_eq!(heard, Ok(vec![Seen::message(topic, b"", 0)]));
}

// 5: [MQTT-3.1.0-1]
#[test]
fn connect_is_the_first_packet_and_the_only_one_until_its_answer() {
    let mut pair = Pair::new(64, 64);
    let message = Publish::new("t", b"");
    let early = Err(PublishError::NotConnected);
    assert_eq!(pair.session.publish(&message), early);
    pair.session.connect(&clean(), pair.now).unwrap();
    assert_eq!(pair.session.publish(&message), early);
    assert_eq!(pair.bytes()[0], 0x10);
    assert_eq!(pair.session.publish(&message), early);
    pair.advance(4_000);
    assert_eq!(pair.poll(), Ok(None));
    assert_eq!(pair.bytes(), b"");
}

// 5: [MQTT-2.1.3-1] [MQTT-2.2.1-2] [MQTT-2.2.2-1] [MQTT-3.3.1-2] [MQTT-3.3.2-1] [MQTT-4.3.1-1]
// 5: [MQTT-4.3.2-2] [MQTT-4.3.3-2] [MQTT-4.3.3-4] [MQTT-3.6.1-1] [MQTT-3.8.1-1] [MQTT-3.8.3-1]
// 5: [MQTT-3.8.3-5] [MQTT-3.10.1-1] [MQTT-3.10.3-1]
#[test]
fn each_packet_has_its_flags_its_identifier_its_properties_and_nothing_more() {
    let mut pair = Pair::connected(64, 128);
    pair.publish(Publish::new("灯", b"0"));
    pair.publish(Publish::new("t", b"1").qos(Qos::AtLeastOnce));
    pair.publish(Publish::new("t", b"2").qos(Qos::ExactlyOnce).retained());
    let subscription = Subscription::new("灯/#", Qos::ExactlyOnce);
    pair.session.subscribe(&[subscription]).unwrap();
    pair.session.unsubscribe(&["灯/#"]).unwrap();
    pair.session.ping(pair.now).unwrap();
    let expected = [
        &b"\x30\x07\x00\x03\xe7\x81\xaf\x000"[..],
        b"\x32\x07\x00\x01t\x00\x01\x001",
        b"\x35\x07\x00\x01t\x00\x02\x002",
        b"\x82\x0b\x00\x03\x00\x00\x05\xe7\x81\xaf/#\x02",
        b"\xa2\x0a\x00\x04\x00\x00\x05\xe7\x81\xaf/#",
        b"\xc0\x00",
    ];
    assert_eq!(pair.bytes(), expected.concat());
    pair.exchange(&ack(0x50, 2)).unwrap();
    assert_eq!(pair.bytes(), b"\x62\x02\x00\x02");
    pair.session.disconnect().unwrap();
    assert_eq!(pair.bytes(), b"\xe0\x00");
}

// 5: [MQTT-2.2.1-3] [MQTT-4.3.2-1] [MQTT-4.3.3-1]
#[test]
fn an_identifier_is_never_0_and_never_one_that_is_in_use() {
    let mut pair = Pair::connected(64, 128);
    let pending = pair.publish(Publish::new("t", b"").qos(Qos::ExactlyOnce));
    pair.exchange(&ack(0x50, pending)).unwrap();
    let request = pair.session.unsubscribe(&["t"]).unwrap().value();
    let mut before = request;
    for round in 0..65_600 {
        let one = pair.publish(Publish::new("t", b"").qos(Qos::AtLeastOnce));
        assert!(one != 0 && one != pending && one != request, "{round}");
        assert_ne!(one, before);
        before = one;
        let told = pair.exchange(&ack(0x40, one));
        assert_eq!(told, Ok(vec![Seen::published(one)]));
        pair.bytes();
    }
}

// 5: [MQTT-3.8.3-2] [MQTT-3.10.3-2]
#[test]
fn a_request_has_at_least_one_filter() {
    let mut pair = Pair::connected(64, 64);
    let refused = Err(SubscribeError::InvalidFilter);
    assert_eq!(pair.session.subscribe(&[]), refused);
    assert_eq!(pair.session.unsubscribe(&[]), refused);
    assert!(pair.session.is_idle());
}

// 5: [MQTT-2.2.1-5] [MQTT-3.3.4-1] [MQTT-4.3.2-4] [MQTT-4.3.3-8] [MQTT-4.5.0-2]
// 5: [MQTT-4.6.0-2] [MQTT-4.6.0-3] [MQTT-4.6.0-4] [MQTT-6.0.0-2]
#[test]
fn answers_have_the_order_of_what_they_answer_and_its_identifiers() {
    for chunk in [1, 3, usize::MAX] {
        let mut pair = Pair::connected(64, 256);
        pair.chunk = chunk;
        for _ in 0..3 {
            pair.publish(Publish::new("t", b"").qos(Qos::ExactlyOnce));
        }
        pair.bytes();
        let identifiers = [7, 3, 9, 1];
        for (flags, answer) in [(2, 0x40), (4, 0x50)] {
            let all = identifiers.map(|it| publish_bytes(flags, b"t", Some(it), &[], b"x"));
            pair.exchange(&all.concat()).unwrap();
            assert_eq!(pair.bytes(), identifiers.map(|it| ack(answer, it)).concat());
        }
        let free = publish_bytes(0, b"t", None, &[], b"x");
        pair.exchange(&free).unwrap();
        assert_eq!(pair.bytes(), b"", "QoS 0 has no answer");
        let order = [2, 3, 1];
        pair.exchange(&order.map(|it| ack(0x50, it)).concat())
            .unwrap();
        assert_eq!(pair.bytes(), order.map(|it| ack(0x62, it)).concat());
    }
}

// 5: [MQTT-4.3.2-5] [MQTT-4.3.3-12]
#[test]
fn an_identifier_whose_dialogue_is_over_stands_for_a_new_message_whatever_dup_says() {
    let mut pair = Pair::connected(64, 64);
    for dup in [0, 0, 8] {
        let is_heard =
            |heard: &[Seen]| matches!(heard, [Seen::Message(message)] if message.dup == (dup == 8));
        let message = publish_bytes(2 | dup, b"t", Some(9), &[], b"x");
        assert!(is_heard(&pair.exchange(&message).unwrap()));
        assert_eq!(pair.bytes(), ack(0x40, 9));
        let message = publish_bytes(4 | dup, b"t", Some(9), &[], b"x");
        assert!(is_heard(&pair.exchange(&message).unwrap()));
        pair.exchange(&ack(0x62, 9)).unwrap();
        assert_eq!(pair.bytes(), [ack(0x50, 9), ack(0x70, 9)].concat());
    }
}

// 5: [MQTT-4.3.3-7] [MQTT-4.3.3-13]
#[test]
fn what_was_sent_or_received_does_not_expire_in_its_dialogue() {
    let mut pair = Pair::accepted(64, 128, &kept(), &[]);
    let expiry = [Property::MessageExpiryInterval(1)];
    let message = Publish::new("t", b"").qos(Qos::ExactlyOnce);
    let one = pair.publish(message.properties(&expiry));
    pair.exchange(&publish_bytes(4, b"t", Some(9), &[2, 0, 0, 0, 1], b""))
        .unwrap();
    let sent = pair.bytes();
    pair.advance(30_000);
    pair.reconnect(&kept(), true, &[]);
    let again = pair.bytes();
    assert_eq!(
        (again[0], &again[1..]),
        (sent[0] | 8, &sent[1..again.len()])
    );
    pair.exchange(&ack(0x50, one)).unwrap();
    pair.exchange(&ack(0x62, 9)).unwrap();
    assert_eq!(pair.bytes(), [ack(0x62, one), ack(0x70, 9)].concat());
}

// 5: [MQTT-3.2.2-15] [MQTT-3.14.2-3] [MQTT-3.14.2-4] [MQTT-3.15.2-2] [MQTT-3.15.2-3]
#[test]
fn no_packet_of_the_application_is_larger_than_the_server_takes() {
    const METHOD: Property<'static> = Property::AuthenticationMethod("M");
    let connect = Connect {
        properties: PropertyList::new(&[METHOD]),
        ..clean()
    };
    let mut pair = Pair::accepted(64, 128, &connect, &[0x27, 0, 0, 0, 20]);
    let too_large = Err(QueueError::TooLarge);
    let text = "x".repeat(16);
    for long in [
        Property::ReasonString(&text),
        Property::UserProperty("", &text),
    ] {
        let again = [METHOD, long];
        let auth = pair
            .session
            .authenticate(ReasonCode::RE_AUTHENTICATE, &again);
        assert_eq!(auth, too_large);
        let leave = pair.session.disconnect_with(ReasonCode::SUCCESS, &[long]);
        assert_eq!(leave, too_large);
    }
    let large = Publish::new("t", &[0; 20]);
    assert_eq!(pair.session.publish(&large), Err(PublishError::TooLarge));
    let filter = Subscription::new(&text, Qos::AtMostOnce);
    let refused = pair.session.subscribe(&[filter]);
    assert_eq!(refused, Err(SubscribeError::TooLarge));
    assert!(pair.session.is_connected() && pair.session.is_idle());
}

// 5: [MQTT-3.14.4-1] [MQTT-3.14.4-2]
#[test]
fn nothing_follows_a_disconnect_and_the_session_is_closed() {
    let mut pair = Pair::connected(64, 64);
    pair.session.disconnect().unwrap();
    let late = Publish::new("t", b"");
    assert_eq!(pair.session.publish(&late), Err(PublishError::NotConnected));
    pair.receive(&publish_bytes(2, b"t", Some(1), &[], b""));
    assert_eq!(pair.poll(), Ok(None));
    assert_eq!(pair.bytes(), [0xe0, 0]);
    assert!(pair.session.is_closed());
    assert_eq!(pair.bytes(), b"");
}

// 5: [MQTT-4.3.2-3] [MQTT-4.3.3-3] [MQTT-4.3.3-5] [MQTT-4.3.3-6] [MQTT-4.4.0-1]
#[test]
fn what_is_unacknowledged_is_sent_again_over_the_next_connection_and_at_no_other_time() {
    let mut pair = Pair::accepted(64, 128, &kept(), &[]);
    for qos in [Qos::AtLeastOnce, Qos::ExactlyOnce, Qos::ExactlyOnce] {
        pair.publish(Publish::new("t", b"").qos(qos));
    }
    pair.exchange(&ack(0x50, 2)).unwrap();
    let publish = |flags, identifier| publish_bytes(flags, b"t", Some(identifier), &[], b"");
    let first = [publish(2, 1), publish(4, 2), publish(4, 3), ack(0x62, 2)];
    assert_eq!(pair.bytes(), first.concat());
    let again = [publish(10, 1), publish(12, 3), ack(0x62, 2)];
    for _ in 0..3 {
        pair.advance(40_000);
        assert_eq!(pair.poll(), Ok(None));
        assert_eq!(pair.bytes(), b"", "not while there is a connection");
        pair.reconnect(&kept(), true, &[]);
        assert_eq!(pair.bytes(), again.concat());
    }
    for (bytes, identifier) in [(ack(0x40, 1), 1), (ack(0x70, 2), 2)] {
        let told = pair.exchange(&bytes);
        assert_eq!(told, Ok(vec![Seen::published(identifier)]));
    }
    pair.exchange(&ack(0x50, 3)).unwrap();
    pair.reconnect(&kept(), true, &[]);
    assert_eq!(pair.bytes(), ack(0x62, 3), "and only what is left");
}

// 5: [MQTT-3.1.2-4] [MQTT-3.2.2-5]
#[test]
fn a_session_the_server_does_not_have_or_is_not_to_keep_is_discarded_here_too() {
    for connect in [kept(), clean()] {
        let mut pair = Pair::accepted(64, 128, &kept(), &[]);
        let message = Publish::new("t", b"").qos(Qos::AtLeastOnce);
        pair.publish(message);
        let heard = publish_bytes(4, b"t", Some(9), &[], b"on");
        pair.exchange(&heard).unwrap();
        pair.reconnect(&connect, false, &[]);
        assert_eq!(pair.bytes(), b"");
        assert!(pair.session.is_idle());
        let again = pair.exchange(&heard);
        assert_eq!(again, Ok(vec![Seen::message("t", b"on", 2)]));
    }
}

// 5: [MQTT-3.1.2-30]
#[test]
fn while_an_authentication_goes_on_nothing_else_is_sent() {
    let connect = Connect {
        properties: PropertyList::new(&[Property::AuthenticationMethod("M")]),
        ..clean()
    };
    let mut pair = Pair::new(64, 64);
    pair.session.connect(&connect, pair.now).unwrap();
    pair.bytes();
    let auth = packet(0xf0, &[0x18, 4, 0x15, 0, 1, b'M']);
    pair.exchange(&auth).unwrap();
    let message = Publish::new("t", b"");
    let early = Err(PublishError::NotConnected);
    assert_eq!(pair.session.publish(&message), early);
    assert!(pair.session.unsubscribe(&["t"]).is_err());
    assert!(pair.session.ping(pair.now).is_err());
    assert_eq!(pair.bytes(), b"");
    pair.session
        .authenticate(
            ReasonCode::CONTINUE_AUTHENTICATION,
            &[Property::AuthenticationMethod("M")],
        )
        .unwrap();
    assert_eq!(pair.bytes(), auth);
}
