//! SUBSCRIBE and UNSUBSCRIBE (sections 3.8 to 3.11).

use umqtt::{
    Error, Property, ProtocolError, Qos, ReasonCode, RetainHandling, SubscribeError, Subscription,
};

use crate::pair::{Pair, Seen, clean, farewell, field, packet};

// 5: [MQTT-3.8.3-1] [MQTT-3.8.3-5]
#[test]
fn subscriptions_carry_their_options_and_the_request_its_properties() {
    let mut pair = Pair::connected(64, 128);
    let subscriptions = [
        Subscription::new("a", Qos::ExactlyOnce),
        Subscription {
            no_local: true,
            retain_as_published: true,
            retain_handling: RetainHandling::DoNotSend,
            ..Subscription::new("b/#", Qos::AtLeastOnce)
        },
        Subscription {
            retain_handling: RetainHandling::SendIfNew,
            ..Subscription::new("$share/g/c", Qos::AtMostOnce)
        },
    ];
    let properties = [
        Property::SubscriptionIdentifier(268_435_455),
        Property::UserProperty("n", "v"),
    ];
    let identifier = pair.session.subscribe_with(&subscriptions, &properties);
    assert_eq!(identifier.unwrap().value(), 1);
    let expected = [
        &[0, 1, 12][..],
        &[0x0b, 0xff, 0xff, 0xff, 0x7f],
        &[0x26, 0, 1, b'n', 0, 1, b'v'],
        &field(b"a"),
        &[0x02],
        &field(b"b/#"),
        &[0x2d],
        &field(b"$share/g/c"),
        &[0x10],
    ]
    .concat();
    assert_eq!(pair.bytes(), packet(0x82, &expected));

    let text = [&[0x1f][..], &field(b"because")].concat();
    let answer = [&[0, 1, text.len() as u8][..], &text, &[2, 0x87, 0]].concat();
    let told = pair.exchange(&packet(0x90, &answer));
    let properties = vec!["ReasonString(\"because\")".to_owned()];
    let expected = Seen::Subscribed(1, vec![2, 0x87, 0], properties);
    assert_eq!(told, Ok(vec![expected]));
    assert!(pair.session.is_idle());
}

#[test]
fn every_code_of_a_suback_and_unsuback_is_told() {
    let codes = [
        0x00, 0x01, 0x02, 0x80, 0x83, 0x87, 0x8f, 0x91, 0x97, 0x9e, 0xa1, 0xa2,
    ];
    for code in codes {
        let mut pair = Pair::connected(64, 64);
        pair.session
            .subscribe(&[Subscription::new("t", Qos::ExactlyOnce)])
            .unwrap();
        pair.transmit();
        let told = pair.exchange(&packet(0x90, &[0, 1, 0, code]));
        assert_eq!(told, Ok(vec![Seen::Subscribed(1, vec![code], vec![])]));
    }
    for code in [0x00, 0x11, 0x80, 0x83, 0x87, 0x8f, 0x91] {
        let mut pair = Pair::connected(64, 64);
        let properties = [Property::UserProperty("", "")];
        pair.session.unsubscribe_with(&["t"], &properties).unwrap();
        assert_eq!(
            pair.bytes(),
            packet(0xa2, &[0, 1, 5, 0x26, 0, 0, 0, 0, 0, 1, b't'])
        );
        let told = pair.exchange(&packet(0xb0, &[0, 1, 0, code]));
        assert_eq!(told, Ok(vec![Seen::Unsubscribed(1, vec![code], vec![])]));
    }
}

// 5: [MQTT-3.8.3-2] [MQTT-3.8.3-4]
#[test]
fn properties_that_a_request_may_not_carry_are_refused() {
    let mut pair = Pair::connected(64, 64);
    let subscriptions = [Subscription::new("t", Qos::AtMostOnce)];
    for bad in [
        Property::SubscriptionIdentifier(0),
        Property::SubscriptionIdentifier(268_435_456),
        Property::ReasonString("x"),
    ] {
        let refused = pair.session.subscribe_with(&subscriptions, &[bad]);
        assert_eq!(refused, Err(SubscribeError::InvalidProperty), "{bad:?}");
        let refused = pair.session.unsubscribe_with(&["t"], &[bad]);
        assert_eq!(refused, Err(SubscribeError::InvalidProperty), "{bad:?}");
    }
    let twice = [Property::SubscriptionIdentifier(1); 2];
    let refused = pair.session.subscribe_with(&subscriptions, &twice);
    assert_eq!(refused, Err(SubscribeError::InvalidProperty));
    let refused = pair.session.subscribe(&[Subscription {
        no_local: true,
        ..Subscription::new("$share/g/t", Qos::AtMostOnce)
    }]);
    assert_eq!(refused, Err(SubscribeError::NoLocal));
    assert_eq!(
        pair.session.subscribe(&[]),
        Err(SubscribeError::InvalidFilter)
    );
    assert!(pair.session.is_idle());
}

#[test]
fn subscriptions_that_the_server_does_not_take_are_not_sent() {
    let limits = [0x28, 0, 0x29, 0, 0x2a, 0, 0x27, 0, 0, 0, 20];
    let mut pair = Pair::accepted(64, 64, &clean(), &limits);
    let mut subscribe = |filter: &str, properties: &[Property<'_>]| {
        let subscriptions = [Subscription::new(filter, Qos::AtMostOnce)];
        pair.session.subscribe_with(&subscriptions, properties)
    };
    for filter in ["a/#", "+", "a/+/b"] {
        assert_eq!(
            subscribe(filter, &[]),
            Err(SubscribeError::NotSupported(
                ReasonCode::WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED
            ))
        );
    }
    assert_eq!(
        subscribe("$share/g/a", &[]),
        Err(SubscribeError::NotSupported(
            ReasonCode::SHARED_SUBSCRIPTIONS_NOT_SUPPORTED
        ))
    );
    assert_eq!(
        subscribe("a", &[Property::SubscriptionIdentifier(1)]),
        Err(SubscribeError::NotSupported(
            ReasonCode::SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED
        ))
    );
    let long = "x".repeat(13);
    assert_eq!(subscribe(&long, &[]), Err(SubscribeError::TooLarge));
    assert!(subscribe("a", &[]).is_ok());
}

// 5: [MQTT-3.8.4-6]
#[test]
fn an_answer_that_has_not_one_code_for_each_filter_is_a_protocol_error() {
    let properties = [Property::UserProperty("n", "v")];
    for asked in 1..4_usize {
        for given in 1..5_usize {
            for first in [0x90, 0xb0] {
                let mut pair = Pair::connected(64, 128);
                if first == 0x90 {
                    let filters = vec![Subscription::new("t/+", Qos::ExactlyOnce); asked];
                    pair.session.subscribe_with(&filters, &properties).unwrap();
                } else {
                    let filters = vec!["t/+"; asked];
                    pair.session
                        .unsubscribe_with(&filters, &properties)
                        .unwrap();
                }
                pair.bytes();
                let answer = [&[0, 1, 0][..], &vec![0; given]].concat();
                let told = pair.exchange(&packet(first, &answer));
                if asked == given {
                    assert_eq!(told.unwrap().len(), 1);
                } else {
                    let error = Error::Protocol(ProtocolError::Codes);
                    assert_eq!(told, Err(error), "{asked} {given}");
                    assert_eq!(pair.bytes(), farewell(ReasonCode::PROTOCOL_ERROR));
                }
            }
        }
    }
    // What answers nothing that was asked is passed over.
    let mut pair = Pair::connected(64, 128);
    assert_eq!(pair.exchange(&packet(0x90, &[0, 1, 0, 0, 0])), Ok(vec![]));
}
