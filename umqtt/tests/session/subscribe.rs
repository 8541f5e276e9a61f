//! SUBSCRIBE and UNSUBSCRIBE (sections 3.8 to 3.11).

use mqttbytes::QoS;
use mqttbytes::v4::Packet;
use umqtt::{Error, ProtocolError, Qos, SubscribeError, Subscription};

use crate::pair::{Pair, Seen, packet};

#[test]
fn subscriptions_are_sent_together_and_answered_one_by_one() {
    let mut pair = Pair::connected(64, 128);
    let subscriptions = [
        Subscription::new("a/+", Qos::AtMostOnce),
        Subscription::new("b/#", Qos::AtLeastOnce),
        Subscription::new("c", Qos::ExactlyOnce),
    ];
    let identifier = pair.session.subscribe(&subscriptions).unwrap();
    match &pair.packets()[..] {
        [Packet::Subscribe(subscribe)] => {
            let filters: Vec<_> = subscribe
                .filters
                .iter()
                .map(|filter| (filter.path.as_str(), filter.qos))
                .collect();
            assert_eq!(
                filters,
                [
                    ("a/+", QoS::AtMostOnce),
                    ("b/#", QoS::AtLeastOnce),
                    ("c", QoS::ExactlyOnce)
                ]
            );
            assert_eq!(subscribe.pkid, identifier.value());
        }
        other => panic!("{other:?}"),
    }
    assert!(pair.session.is_pending(identifier));
    assert_eq!(
        pair.exchange(&packet(0x90, &[0, 1, 0, 0x80, 1])),
        Ok(vec![Seen::Subscribed(1, vec![0, 0x80, 1])])
    );
    assert!(!pair.session.is_pending(identifier) && pair.session.is_idle());
}

#[test]
fn a_retained_message_may_come_before_the_suback() {
    let mut pair = Pair::connected(64, 128);
    pair.session
        .subscribe(&[Subscription::new("t", Qos::AtMostOnce)])
        .unwrap();
    pair.bytes();
    let mut bytes = crate::pair::publish_bytes(1, b"t", None, b"on");
    bytes.extend(packet(0x90, &[0, 1, 0]));
    let events = pair.exchange(&bytes).unwrap();
    match &events[..] {
        [Seen::Message(message), Seen::Subscribed(1, codes)] => {
            assert!(message.retain && !message.dup);
            assert_eq!(codes, &[0]);
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn unsubscribe_is_answered_by_unsuback() {
    let mut pair = Pair::connected(64, 64);
    let identifier = pair.session.unsubscribe(&["a", "b/#"]).unwrap();
    match &pair.packets()[..] {
        [Packet::Unsubscribe(unsubscribe)] => {
            assert_eq!(unsubscribe.topics, ["a", "b/#"]);
            assert_eq!(unsubscribe.pkid, identifier.value());
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(
        pair.exchange(&[0xb0, 2, 0, 1]),
        Ok(vec![Seen::Unsubscribed(1)])
    );
}

#[test]
fn filters_that_are_not_valid_or_do_not_fit_are_refused() {
    let mut pair = Pair::connected(64, 64);
    for bad in ["", "a#", "#/a", "a+", "a/b+/c", "a\0"] {
        let subscriptions = [
            Subscription::new("good", Qos::AtMostOnce),
            Subscription::new(bad, Qos::AtMostOnce),
        ];
        assert_eq!(
            pair.session.subscribe(&subscriptions),
            Err(SubscribeError::InvalidFilter)
        );
        assert_eq!(
            pair.session.unsubscribe(&[bad]),
            Err(SubscribeError::InvalidFilter)
        );
    }
    assert_eq!(
        pair.session.subscribe(&[]),
        Err(SubscribeError::InvalidFilter)
    );
    assert_eq!(
        pair.session.unsubscribe(&[]),
        Err(SubscribeError::InvalidFilter)
    );
    let long = "x".repeat(60);
    let long = Subscription::new(&long, Qos::AtMostOnce);
    assert_eq!(
        pair.session.subscribe(&[long]),
        Err(SubscribeError::TooLarge)
    );
    let half = "x".repeat(20);
    let half = Subscription::new(&half, Qos::AtMostOnce);
    pair.session.subscribe(&[half]).unwrap();
    assert_eq!(pair.session.subscribe(&[half]), Err(SubscribeError::Full));
}

#[test]
fn a_suback_of_an_unknown_code_ends_the_connection() {
    let mut pair = Pair::connected(64, 64);
    assert_eq!(
        pair.exchange(&packet(0x90, &[0, 1, 3])),
        Err(Error::Protocol(ProtocolError::ReturnCode(3)))
    );
    assert!(pair.session.is_closed());
}

// 3.1.1: [MQTT-3.8.4-5]
#[test]
fn a_suback_that_has_not_one_code_for_each_filter_ends_the_connection() {
    for asked in 1..4_usize {
        for given in 1..5_usize {
            let mut pair = Pair::connected(64, 128);
            let filters = vec![Subscription::new("t", Qos::AtMostOnce); asked];
            pair.session.subscribe(&filters).unwrap();
            pair.bytes();
            let answer = [&[0, 1][..], &vec![0; given]].concat();
            let told = pair.exchange(&packet(0x90, &answer));
            match asked == given {
                true => assert_eq!(told, Ok(vec![Seen::Subscribed(1, vec![0; given])])),
                false => assert_eq!(told, Err(Error::Protocol(ProtocolError::Codes))),
            }
            assert_eq!(pair.session.is_closed(), asked != given);
        }
    }
}
