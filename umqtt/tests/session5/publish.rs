//! Messages to the server (sections 3.3 to 3.7 and 4.3).

use mqttbytes::v5::Packet;
use umqtt::{Error, Property, ProtocolError, Publish, PublishError, Qos, ReasonCode};

use crate::pair::{Pair, Seen, ack, ack_with, clean, field, kept, packet};

// 5: [MQTT-3.3.2-13] [MQTT-3.3.2-19]
#[test]
fn a_message_carries_its_properties() {
    let mut pair = Pair::connected(64, 256);
    let properties = [
        Property::PayloadFormatIndicator(true),
        Property::MessageExpiryInterval(60),
        Property::ContentType("text/plain"),
        Property::ResponseTopic("answers/1"),
        Property::CorrelationData(b"\x00\x01"),
        Property::UserProperty("a", "1"),
        Property::UserProperty("a", "2"),
    ];
    let message = Publish::new("t", b"on")
        .qos(Qos::AtLeastOnce)
        .properties(&properties);
    assert_eq!(pair.publish(message), 1);
    match &pair.packets()[..] {
        [Packet::Publish(publish)] => {
            assert_eq!(
                (publish.topic.as_str(), &publish.payload[..]),
                ("t", &b"on"[..])
            );
            let properties = publish.properties.as_ref().unwrap();
            assert_eq!(properties.payload_format_indicator, Some(1));
            assert_eq!(properties.message_expiry_interval, Some(60));
            assert_eq!(properties.content_type.as_deref(), Some("text/plain"));
            assert_eq!(properties.response_topic.as_deref(), Some("answers/1"));
            assert_eq!(
                properties.correlation_data.as_deref(),
                Some(&b"\x00\x01"[..])
            );
            assert_eq!(
                properties.user_properties,
                [("a".into(), "1".into()), ("a".into(), "2".into())]
            );
        }
        other => panic!("{other:?}"),
    }
}

// 5: [MQTT-1.5.5-1]
#[test]
fn properties_longer_than_127_bytes_have_a_length_of_two() {
    let mut pair = Pair::connected(64, 1_024);
    let value = "v".repeat(200);
    let properties = [Property::UserProperty("n", &value)];
    pair.publish(Publish::new("t", b"p").properties(&properties));
    let block = [
        &[0xce, 0x01, 0x26, 0, 1, b'n', 0, 200][..],
        value.as_bytes(),
    ]
    .concat();
    let body = [&b"\x00\x01t"[..], &block, b"p"].concat();
    assert_eq!(pair.bytes(), packet(0x30, &body));
}

// 5: [MQTT-3.3.2-14] [MQTT-3.3.4-6]
#[test]
fn properties_that_a_message_may_not_carry_are_refused() {
    let mut pair = Pair::connected(64, 128);
    for bad in [
        Property::SubscriptionIdentifier(1),
        Property::WillDelayInterval(1),
        Property::ReasonString("x"),
        Property::ResponseTopic(""),
        Property::ResponseTopic("a/+"),
        Property::ContentType("a\0"),
    ] {
        let message = Publish::new("t", b"").properties(core::slice::from_ref(&bad));
        let refused = pair.session.publish(&message);
        assert_eq!(refused, Err(PublishError::InvalidProperty), "{bad:?}");
    }
    let twice = [Property::MessageExpiryInterval(1); 2];
    let refused = pair
        .session
        .publish(&Publish::new("t", b"").properties(&twice));
    assert_eq!(refused, Err(PublishError::InvalidProperty));
    assert!(pair.session.is_idle());
}

// 5: [MQTT-4.3.2-3]
#[test]
fn acknowledgements_are_read_with_and_without_reason_and_properties() {
    let text = [&[0x1f][..], &field(b"why")].concat();
    let all = [&[0, 1, 0x10, text.len() as u8][..], &text].concat();
    for (body, reason, properties) in [
        (vec![0, 1], 0, vec![]),
        (vec![0, 1, 0x10], 0x10, vec![]),
        (vec![0, 1, 0x10, 0], 0x10, vec![]),
        (all, 0x10, vec!["ReasonString(\"why\")".to_owned()]),
    ] {
        let mut pair = Pair::connected(64, 64);
        pair.publish(Publish::new("t", b"").qos(Qos::AtLeastOnce));
        pair.transmit();
        let told = pair.exchange(&packet(0x40, &body));
        assert_eq!(told, Ok(vec![Seen::Published(1, reason, properties)]));
        assert!(pair.session.is_idle());
    }
}

// 5: [MQTT-4.4.0-2]
#[test]
fn a_puback_may_refuse_and_the_message_is_done() {
    for reason in [0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99] {
        let mut pair = Pair::connected(64, 64);
        pair.publish(Publish::new("t", b"").qos(Qos::AtLeastOnce));
        pair.transmit();
        let told = pair.exchange(&ack_with(0x40, 1, reason));
        assert_eq!(told, Ok(vec![Seen::Published(1, reason, vec![])]));
        assert!(pair.session.is_idle());
    }
}

// 5: [MQTT-4.3.3-4] [MQTT-4.4.0-2]
#[test]
fn a_pubrec_that_refuses_ends_the_message_and_one_that_does_not_goes_on() {
    for reason in [0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99] {
        let mut pair = Pair::connected(64, 64);
        pair.publish(Publish::new("t", b"").qos(Qos::ExactlyOnce));
        pair.transmit();
        let told = pair.exchange(&ack_with(0x50, 1, reason));
        assert_eq!(told, Ok(vec![Seen::Published(1, reason, vec![])]));
        pair.bytes();
        assert!(pair.session.is_idle());
    }
    for first in [ack(0x50, 1), ack_with(0x50, 1, 0x10)] {
        let mut pair = Pair::connected(64, 64);
        pair.publish(Publish::new("t", b"").qos(Qos::ExactlyOnce));
        pair.bytes();
        assert_eq!(pair.exchange(&first), Ok(vec![]));
        assert_eq!(pair.bytes(), ack(0x62, 1));
        // A PUBCOMP that has not found it ends it as well.
        let told = pair.exchange(&ack_with(0x70, 1, 0x92));
        assert_eq!(told, Ok(vec![Seen::Published(1, 0x92, vec![])]));
        assert!(pair.session.is_idle());
    }
}

// 5: [MQTT-3.6.2-1] [MQTT-3.6.2-2] [MQTT-3.6.2-3]
#[test]
fn a_pubrec_for_nothing_is_answered_that_there_is_none() {
    let mut pair = Pair::connected(64, 64);
    assert_eq!(pair.exchange(&ack(0x50, 9)), Ok(vec![]));
    assert_eq!(pair.bytes(), ack_with(0x62, 9, 0x92));
    assert_eq!(pair.exchange(&ack_with(0x70, 9, 0x92)), Ok(vec![]));
    assert!(pair.session.is_idle());
    // A failure has no answer.
    assert_eq!(pair.exchange(&ack_with(0x50, 9, 0x80)), Ok(vec![]));
    assert_eq!(pair.bytes(), b"");
    // A second PUBREC has none either: PUBREL is on its way.
    pair.publish(Publish::new("t", b"").qos(Qos::ExactlyOnce));
    pair.transmit();
    pair.bytes();
    pair.exchange(&ack(0x50, 1)).unwrap();
    pair.exchange(&ack(0x50, 1)).unwrap();
    assert_eq!(pair.bytes(), ack(0x62, 1));
}

// 5: [MQTT-4.13.1-1]
#[test]
fn an_acknowledgement_of_the_other_qos_is_a_protocol_error() {
    for (qos, wrong) in [
        (Qos::ExactlyOnce, 0x40),
        (Qos::AtLeastOnce, 0x50),
        (Qos::AtLeastOnce, 0x70),
    ] {
        let mut pair = Pair::connected(64, 64);
        pair.publish(Publish::new("t", b"").qos(qos));
        pair.bytes();
        let error = Error::Protocol(ProtocolError::Acknowledgement(wrong));
        assert_eq!(pair.exchange(&ack(wrong, 1)), Err(error));
        assert_eq!(pair.bytes(), packet(0xe0, &[0x82]));
        assert_eq!(pair.session.in_flight(), 1);
    }
}

// 5: [MQTT-3.2.2-11] [MQTT-3.2.2-14] [MQTT-3.2.2-15]
#[test]
fn what_the_server_does_not_take_is_not_sent() {
    let limits = [0x24, 1, 0x25, 0, 0x27, 0, 0, 0, 20];
    let mut pair = Pair::accepted(64, 64, &clean(), &limits);
    let message = Publish::new("t", b"");
    let refused = |pair: &mut Pair, message: &Publish<'_>| pair.session.publish(message);
    assert_eq!(
        refused(&mut pair, &message.qos(Qos::ExactlyOnce)),
        Err(PublishError::NotSupported(ReasonCode::QOS_NOT_SUPPORTED))
    );
    assert_eq!(
        refused(&mut pair, &message.retained()),
        Err(PublishError::NotSupported(ReasonCode::RETAIN_NOT_SUPPORTED))
    );
    // 2 + 3 + 1 + 14 = 20 bytes.
    let fits = Publish::new("t", &[0; 14]);
    assert_eq!(refused(&mut pair, &fits), Ok(None));
    assert_eq!(
        refused(&mut pair, &Publish::new("t", &[0; 15])),
        Err(PublishError::TooLarge)
    );
    pair.transmit();
    // The next server takes all.
    pair.reconnect(&clean(), false, &[]);
    let all = message.qos(Qos::ExactlyOnce).retained();
    assert!(pair.session.publish(&all).is_ok());

    let mut pair = Pair::accepted(64, 64, &clean(), &[0x24, 0]);
    assert_eq!(
        refused(&mut pair, &message.qos(Qos::AtLeastOnce)),
        Err(PublishError::NotSupported(ReasonCode::QOS_NOT_SUPPORTED))
    );
}

// 5: [MQTT-3.2.2-17] [MQTT-3.2.2-18] [MQTT-3.3.2-7] [MQTT-3.3.2-8] [MQTT-3.3.2-9]
#[test]
fn an_alias_stands_for_the_topic_it_was_set_for_on_this_connection() {
    let mut pair = Pair::accepted(64, 128, &kept(), &[0x22, 0, 3]);
    let alias = [Property::TopicAlias(3)];
    let named = Publish::new("long/topic", b"1").properties(&alias);
    let bare = Publish::new("", b"2").properties(&alias);
    assert_eq!(pair.session.publish(&bare), Err(PublishError::TopicAlias));
    pair.publish(named);
    pair.publish(bare);
    let sent = [
        packet(0x30, b"\x00\x0along/topic\x03\x23\x00\x031"),
        packet(0x30, b"\x00\x00\x03\x23\x00\x032"),
    ];
    assert_eq!(pair.bytes(), sent.concat());
    for bad in [0, 4, 33, u16::MAX] {
        let alias = [Property::TopicAlias(bad)];
        let refused = pair.session.publish(&named.properties(&alias));
        assert_eq!(refused, Err(PublishError::TopicAlias), "{bad}");
    }
    // It means nothing on another connection, over which QoS 1 and 2 may have to go.
    let refused = pair.session.publish(&named.qos(Qos::AtLeastOnce));
    assert_eq!(refused, Err(PublishError::TopicAlias));
    pair.reconnect(&kept(), true, &[0x22, 0, 3]);
    assert_eq!(pair.session.publish(&bare), Err(PublishError::TopicAlias));
    pair.reconnect(&kept(), true, &[]);
    assert_eq!(pair.session.publish(&named), Err(PublishError::TopicAlias));
    let empty = Publish::new("", b"");
    assert_eq!(
        pair.session.publish(&empty),
        Err(PublishError::InvalidTopic)
    );
}

// 5: [MQTT-3.3.1-1] [MQTT-3.3.1-3] [MQTT-4.4.0-1]
#[test]
fn messages_are_sent_again_with_dup_and_their_properties() {
    let mut pair = Pair::accepted(64, 128, &kept(), &[]);
    let properties = [Property::ContentType("x")];
    let message = Publish::new("t", b"1").properties(&properties);
    pair.publish(message.qos(Qos::AtLeastOnce));
    let first = pair.bytes();
    pair.session.closed();
    pair.reconnect(&kept(), true, &[]);
    let mut again = first;
    again[0] |= 8;
    assert_eq!(pair.bytes(), again);
}

#[test]
fn a_message_too_large_for_the_next_server_is_forgotten() {
    let mut pair = Pair::accepted(64, 256, &kept(), &[]);
    let large = pair.publish(Publish::new("t", &[7; 40]).qos(Qos::AtLeastOnce));
    let small = pair.publish(Publish::new("t", b"2").qos(Qos::AtLeastOnce));
    pair.transmit();
    pair.reconnect(&kept(), true, &[0x27, 0, 0, 0, 20]);
    let pending = |pair: &Pair, identifier| {
        let identifier = umqtt::PacketIdentifier::new(identifier).unwrap();
        pair.session.is_pending(identifier)
    };
    assert!(!pending(&pair, large) && pending(&pair, small));
    let again = packet(0x3a, b"\x00\x01t\x00\x02\x002");
    assert_eq!(pair.bytes(), again);
}
