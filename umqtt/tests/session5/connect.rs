//! CONNECT and CONNACK (sections 3.1 and 3.2).

use mqttbytes::v5::{self, Packet};
use umqtt::{
    Connect, ConnectError, Credentials, Error, Property, PropertyList, ProtocolError, Publish, Qos,
    ReasonCode, Version,
};

use crate::pair::{Pair, Seen, clean, connack, farewell, field, kept, packet};

fn connect_packet(connect: &Connect<'_>) -> v5::Connect {
    let mut pair = Pair::new(512, 64);
    pair.session.connect(connect, pair.now).unwrap();
    match &pair.packets()[..] {
        [Packet::Connect(connect)] => connect.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_connect_carries_its_fields_and_properties() {
    let will = [
        Property::WillDelayInterval(30),
        Property::PayloadFormatIndicator(true),
        Property::MessageExpiryInterval(3_600),
        Property::ContentType("text/plain"),
        Property::ResponseTopic("answer"),
        Property::CorrelationData(b"\x00\xff"),
        Property::UserProperty("w", "1"),
        Property::UserProperty("w", "1"),
    ];
    let full = connect_packet(&Connect {
        clean_session: false,
        keep_alive: 65_535,
        will: Some(
            Publish::new("gone", b"offline")
                .qos(Qos::ExactlyOnce)
                .retained()
                .properties(&will),
        ),
        credentials: Some(Credentials {
            user_name: "ann",
            password: Some(b"s3cret"),
        }),
        properties: PropertyList::new(&[
            Property::SessionExpiryInterval(7),
            Property::ReceiveMaximum(9),
            Property::MaximumPacketSize(256),
            Property::RequestResponseInformation(true),
            Property::RequestProblemInformation(false),
            Property::UserProperty("name", "value"),
            Property::AuthenticationMethod("SCRAM-SHA-1"),
            Property::AuthenticationData(b"first"),
        ]),
        ..clean()
    });
    assert_eq!((full.clean_session, full.keep_alive), (false, 65_535));
    let properties = full.properties.unwrap();
    assert_eq!(properties.session_expiry_interval, Some(7));
    assert_eq!(properties.receive_maximum, Some(9));
    assert_eq!(properties.max_packet_size, Some(256));
    assert_eq!(properties.topic_alias_max, None);
    assert_eq!(properties.request_response_info, Some(1));
    assert_eq!(properties.request_problem_info, Some(0));
    assert_eq!(
        properties.user_properties,
        [("name".to_owned(), "value".to_owned())]
    );
    assert_eq!(
        properties.authentication_method.as_deref(),
        Some("SCRAM-SHA-1")
    );
    assert_eq!(
        properties.authentication_data.as_deref(),
        Some(&b"first"[..])
    );
    let last_will = full.last_will.unwrap();
    assert_eq!(
        (last_will.topic.as_str(), &last_will.message[..]),
        ("gone", &b"offline"[..])
    );
    let will = last_will.properties.unwrap();
    assert_eq!(will.delay_interval, Some(30));
    assert_eq!(will.payload_format_indicator, Some(1));
    assert_eq!(will.message_expiry_interval, Some(3_600));
    assert_eq!(will.content_type.as_deref(), Some("text/plain"));
    assert_eq!(will.response_topic.as_deref(), Some("answer"));
    assert_eq!(will.correlation_data.as_deref(), Some(&b"\x00\xff"[..]));
    assert_eq!(will.user_properties.len(), 2);
    let login = full.login.unwrap();
    assert_eq!(
        (login.username.as_str(), login.password.as_str()),
        ("ann", "s3cret")
    );
}

#[test]
fn what_is_not_given_the_session_gives_itself() {
    // (64 - 12) / 4 messages of QoS 2 can be remembered.
    let properties = connect_packet(&clean()).properties.unwrap();
    assert_eq!(properties.receive_maximum, Some(13));
    assert_eq!(properties.session_expiry_interval, None);
    let properties = connect_packet(&kept()).properties.unwrap();
    assert_eq!(properties.session_expiry_interval, Some(u32::MAX));

    let mut pair = Pair::new(64, 64);
    pair.session.connect(&clean(), pair.now).unwrap();
    assert_eq!(
        pair.bytes(),
        b"\x10\x11\x00\x04MQTT\x05\x02\x00\x3c\x03\x21\x00\x0d\x00\x01a"
    );
}

#[test]
fn properties_that_a_connect_may_not_carry_are_refused() {
    let long = "x".repeat(65_536);
    for bad in [
        Property::TopicAlias(1),
        Property::TopicAliasMaximum(1),
        Property::ReceiveMaximum(0),
        Property::MaximumPacketSize(0),
        Property::ServerKeepAlive(1),
        Property::ContentType("x"),
        Property::UserProperty("a\0", ""),
        Property::UserProperty("", &long),
        Property::AuthenticationData(b""),
    ] {
        let mut pair = Pair::new(64, 64);
        let connect = Connect {
            properties: PropertyList::new(core::slice::from_ref(&bad)),
            ..clean()
        };
        let refused = pair.session.connect(&connect, pair.now);
        assert_eq!(refused, Err(ConnectError::InvalidProperty), "{bad:?}");
        assert!(pair.session.is_closed() && pair.session.transmit().is_empty());
    }
    let twice = [Property::MaximumPacketSize(9); 2];
    let mut pair = Pair::new(64, 64);
    let connect = Connect {
        properties: PropertyList::new(&twice),
        ..clean()
    };
    let refused = pair.session.connect(&connect, pair.now);
    assert_eq!(refused, Err(ConnectError::InvalidProperty));
    for bad in [
        Property::TopicAlias(1),
        Property::SubscriptionIdentifier(1),
        Property::ResponseTopic("a/#"),
        Property::ReceiveMaximum(1),
    ] {
        let connect = Connect {
            will: Some(Publish::new("t", b"").properties(core::slice::from_ref(&bad))),
            ..clean()
        };
        let refused = pair.session.connect(&connect, pair.now);
        assert_eq!(refused, Err(ConnectError::InvalidProperty), "{bad:?}");
    }
}

#[test]
fn a_connack_tells_all_its_properties() {
    let mut pair = Pair::new(256, 64);
    pair.session.connect(&kept(), pair.now).unwrap();
    pair.transmit();
    let properties = [
        &[0x11, 0, 0, 0, 5][..],
        &[0x21, 0, 9],
        &[0x24, 1],
        &[0x25, 0],
        &[0x27, 0, 0, 1, 0],
        &[&[0x12][..], &field(b"made-up")].concat(),
        &[0x22, 0, 3],
        &[&[0x1f][..], &field("ça".as_bytes())].concat(),
        &[&[0x26][..], &field(b"n"), &field(b"v")].concat(),
        &[0x28, 0],
        &[0x29, 0],
        &[0x2a, 0],
        &[0x13, 0, 60],
        &[&[0x1a][..], &field(b"answers/")].concat(),
        &[&[0x1c][..], &field(b"other:1883")].concat(),
        &[&[0x26][..], &field(b"n"), &field(b"v")].concat(),
    ]
    .concat();
    let events = pair.exchange(&connack(true, 0, &properties)).unwrap();
    let expected = [
        "SessionExpiryInterval(5)",
        "ReceiveMaximum(9)",
        "MaximumQos(AtLeastOnce)",
        "RetainAvailable(false)",
        "MaximumPacketSize(256)",
        "AssignedClientIdentifier(\"made-up\")",
        "TopicAliasMaximum(3)",
        "ReasonString(\"ça\")",
        "UserProperty(\"n\", \"v\")",
        "WildcardSubscriptionAvailable(false)",
        "SubscriptionIdentifierAvailable(false)",
        "SharedSubscriptionAvailable(false)",
        "ServerKeepAlive(60)",
        "ResponseInformation(\"answers/\")",
        "ServerReference(\"other:1883\")",
        "UserProperty(\"n\", \"v\")",
    ];
    let expected = expected.map(str::to_owned).to_vec();
    assert_eq!(events, [Seen::Connected(true, expected)]);
}

// 5: [MQTT-4.13.2-1]
#[test]
fn a_refusal_has_its_reason_and_its_properties() {
    for reason in (0x80..=0x8a).chain([0x8c, 0x90, 0x95, 0x97, 0x99, 0x9a, 0x9b, 0x9c, 0x9d, 0x9f])
    {
        let mut pair = Pair::new(64, 64);
        pair.session.connect(&clean(), pair.now).unwrap();
        pair.transmit();
        let properties = [&[0x1c][..], &field(b"other")].concat();
        let refused = pair.exchange(&connack(false, reason, &properties));
        assert_eq!(refused, Err(Error::Refused(ReasonCode(reason))));
        assert!(pair.session.is_closed() && pair.session.transmit().is_empty());
        let closing: Vec<_> = pair.session.closing_properties().iter().collect();
        assert_eq!(closing, [Property::ServerReference("other")]);
    }
}

#[test]
fn a_server_that_knows_only_the_old_protocol_is_understood() {
    let mut pair = Pair::new(64, 64);
    pair.session.connect(&clean(), pair.now).unwrap();
    pair.transmit();
    assert_eq!(
        pair.exchange(&[0x20, 2, 0, 1]),
        Err(Error::Refused(ReasonCode::UNSUPPORTED_PROTOCOL_VERSION))
    );
}

// 5: [MQTT-3.1.2-20] [MQTT-3.1.2-21] [MQTT-3.2.2-21]
#[test]
fn the_keep_alive_of_the_server_takes_the_place_of_ours() {
    let mut pair = Pair::accepted(64, 64, &clean(), &[0x13, 0, 8]);
    assert_eq!(pair.session.deadline(), Some(pair.now.after(6_000)));
    pair.advance(6_000);
    assert_eq!(pair.poll(), Ok(None));
    assert_eq!(pair.bytes(), [0xc0, 0]);
    let mut pair = Pair::accepted(64, 64, &clean(), &[0x13, 0, 0]);
    assert_eq!(pair.session.deadline(), None);
    pair.reconnect(&clean(), false, &[]);
    assert_eq!(pair.session.deadline(), Some(pair.now.after(45_000)));
}

// 5: [MQTT-3.2.2-4]
#[test]
fn the_server_may_not_claim_a_session_where_a_clean_one_was_asked_for() {
    let mut pair = Pair::new(64, 64);
    pair.session.connect(&clean(), pair.now).unwrap();
    pair.bytes();
    assert_eq!(
        pair.exchange(&connack(true, 0, &[])),
        Err(Error::Protocol(ProtocolError::ReturnCode(1)))
    );
    assert_eq!(pair.bytes(), farewell(ReasonCode::PROTOCOL_ERROR));
}

#[test]
fn another_version_of_the_protocol_is_another_session() {
    let mut pair = Pair::accepted(64, 64, &kept(), &[]);
    let message = Publish::new("t", b"x").qos(Qos::AtLeastOnce);
    pair.publish(message);
    let old = Connect {
        version: Version::V3_1_1,
        ..kept()
    };
    pair.session.connect(&old, pair.now).unwrap();
    assert!(pair.session.is_idle());
    assert_eq!(
        pair.bytes(),
        b"\x10\x0d\x00\x04MQTT\x04\x00\x00\x3c\x00\x01a"
    );
    let accepted = pair.exchange(&[0x20, 2, 0, 0]);
    assert_eq!(accepted, Ok(vec![Seen::Connected(false, vec![])]));
    // And properties are left out.
    let properties = [Property::MessageExpiryInterval(1)];
    pair.publish(message.properties(&properties));
    assert_eq!(pair.bytes(), packet(0x32, b"\x00\x01t\x00\x02x"));
}
