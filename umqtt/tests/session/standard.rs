//! Statements of the standard that no chapter's tests show by the way.

use umqtt::{Connect, Credentials, Publish, Qos, SubscribeError, Subscription};

use crate::pair::{Pair, Seen, ack, publish_bytes};

fn field(text: &str) -> Vec<u8> {
    [&(text.len() as u16).to_be_bytes(), text.as_bytes()].concat()
}

// 3.1.1: [MQTT-3.1.2-9] [MQTT-3.1.2-11] [MQTT-3.1.2-13] [MQTT-3.1.2-14] [MQTT-3.1.2-15]
// 3.1.1: [MQTT-3.1.2-18] [MQTT-3.1.2-19] [MQTT-3.1.2-20] [MQTT-3.1.2-21] [MQTT-3.1.2-22]
// 3.1.1: [MQTT-3.1.3-1] [MQTT-3.1.3-3] [MQTT-3.1.3-4] [MQTT-3.1.3-10] [MQTT-3.1.3-11]
#[test]
fn each_field_of_a_connect_is_there_with_its_flag_and_in_its_place() {
    let qoses = [Qos::AtMostOnce, Qos::AtLeastOnce, Qos::ExactlyOnce];
    let wills = qoses
        .iter()
        .flat_map(|&qos| [(qos, false), (qos, true)])
        .map(Some);
    for will in wills.chain([None]) {
        // A password without a user name cannot be written.
        for login in [None, Some(None), Some(Some(&b"\x00secret"[..]))] {
            for clean_session in [false, true] {
                let connect = Connect {
                    clean_session,
                    will: will.map(|(qos, retain)| Publish {
                        retain,
                        ..Publish::new("gone/灯", b"off").qos(qos)
                    }),
                    credentials: login.map(|password| Credentials {
                        user_name: "änn",
                        password,
                    }),
                    ..Connect::new("ïd")
                };
                let mut flags = (clean_session as u8) << 1;
                let mut fields = field("ïd");
                if let Some((qos, retain)) = will {
                    flags |= 0x04 | (qos as u8) << 3 | (retain as u8) << 5;
                    fields.extend([field("gone/灯"), field("off")].concat());
                }
                if let Some(password) = login {
                    flags |= 0x80;
                    fields.extend(field("änn"));
                    if let Some(password) = password {
                        flags |= 0x40;
                        fields.extend([0, password.len() as u8]);
                        fields.extend(password);
                    }
                }
                let head = [b"\x00\x04MQTT\x04", &[flags, 0, 60][..]].concat();
                let mut pair = Pair::new(128, 64);
                pair.session.connect(&connect, pair.now).unwrap();
                let expected = crate::pair::packet(0x10, &[head, fields].concat());
                assert_eq!(pair.bytes(), expected);
            }
        }
    }
}

// 3.1.1: [MQTT-1.5.3-3]
#[test]
fn a_byte_order_mark_is_a_character_like_others() {
    let topic = "\u{feff}a/\u{feff}";
    let mut pair = Pair::connected(64, 64);
    pair.publish(Publish::new(topic, b""));
    let bytes = publish_bytes(0, topic.as_bytes(), None, b"");
    assert_eq!(pair.bytes(), bytes);
    assert_eq!(
        pair.exchange(&bytes),
        Ok(vec![Seen::message(topic, b"", 0)])
    );
}

// 3.1.1: [MQTT-2.2.2-1] [MQTT-2.3.1-1] [MQTT-2.3.1-5] [MQTT-3.3.1-2] [MQTT-3.3.2-1] [MQTT-4.3.1-1]
// 3.1.1: [MQTT-3.6.1-1] [MQTT-3.8.1-1] [MQTT-3.8.3-1] [MQTT-3.8.3-4] [MQTT-3.10.1-1] [MQTT-3.10.3-1]
#[test]
fn each_packet_has_its_flags_its_identifier_and_nothing_more() {
    let mut pair = Pair::connected(64, 128);
    pair.publish(Publish::new("灯", b"0"));
    pair.publish(Publish::new("t", b"1").qos(Qos::AtLeastOnce));
    pair.publish(Publish::new("t", b"2").qos(Qos::ExactlyOnce).retained());
    let subscriptions = [
        Subscription::new("灯/#", Qos::ExactlyOnce),
        Subscription::new("b", Qos::AtMostOnce),
    ];
    pair.session.subscribe(&subscriptions).unwrap();
    pair.session.unsubscribe(&["灯/#", "b"]).unwrap();
    pair.session.ping(pair.now).unwrap();
    let expected = [
        &b"\x30\x06\x00\x03\xe7\x81\xaf0"[..],
        b"\x32\x06\x00\x01t\x00\x011",
        b"\x35\x06\x00\x01t\x00\x022",
        b"\x82\x0e\x00\x03\x00\x05\xe7\x81\xaf/#\x02\x00\x01b\x00",
        b"\xa2\x0c\x00\x04\x00\x05\xe7\x81\xaf/#\x00\x01b",
        b"\xc0\x00",
    ];
    assert_eq!(pair.bytes(), expected.concat());
    pair.exchange(&ack(0x50, 2)).unwrap();
    assert_eq!(pair.bytes(), b"\x62\x02\x00\x02");
    pair.session.disconnect().unwrap();
    assert_eq!(pair.bytes(), b"\xe0\x00");
}

// 3.1.1: [MQTT-3.8.3-3] [MQTT-3.10.3-2]
#[test]
fn a_request_has_at_least_one_filter() {
    let mut pair = Pair::connected(64, 64);
    let refused = Err(SubscribeError::InvalidFilter);
    assert_eq!(pair.session.subscribe(&[]), refused);
    assert_eq!(pair.session.unsubscribe(&[]), refused);
    assert!(pair.session.is_idle());
}

// 3.1.1: [MQTT-2.3.1-6] [MQTT-3.3.4-1] [MQTT-4.6.0-2] [MQTT-4.6.0-3] [MQTT-4.6.0-4] [MQTT-6.0.0-2]
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
            let all = identifiers.map(|it| publish_bytes(flags, b"t", Some(it), b"x"));
            pair.exchange(&all.concat()).unwrap();
            assert_eq!(pair.bytes(), identifiers.map(|it| ack(answer, it)).concat());
        }
        pair.exchange(&publish_bytes(0, b"t", None, b"x")).unwrap();
        assert_eq!(pair.bytes(), b"", "QoS 0 has no answer");
        let order = [2, 3, 1];
        pair.exchange(&order.map(|it| ack(0x50, it)).concat())
            .unwrap();
        assert_eq!(pair.bytes(), order.map(|it| ack(0x62, it)).concat());
    }
}

// 3.1.1: [MQTT-4.3.2-2] [MQTT-4.5.0-2]
#[test]
fn an_identifier_that_was_acknowledged_stands_for_a_new_message_whatever_dup_says() {
    let mut pair = Pair::connected(64, 64);
    for flags in [2, 2, 10] {
        let heard = pair
            .exchange(&publish_bytes(flags, b"t", Some(9), b"x"))
            .unwrap();
        assert!(matches!(&heard[..], [Seen::Message(message)] if message.dup == (flags == 10)));
        assert_eq!(pair.bytes(), ack(0x40, 9));
    }
}
