//! CONNECT, CONNACK and DISCONNECT (sections 3.1, 3.2 and 3.14).

use mqttbytes::v4::{self, Packet};
use umqtt::{
    Connect, ConnectError, Credentials, Error, NotConnected, ProtocolError, Publish, PublishError,
    Qos, ReasonCode, SubscribeError, Subscription,
};

use crate::pair::{Pair, Seen};

fn connect_packet(connect: &Connect<'_>) -> v4::Connect {
    let mut pair = Pair::new(256, 64);
    pair.session.connect(connect, pair.now).unwrap();
    match &pair.packets()[..] {
        [Packet::Connect(connect)] => connect.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_connect_carries_its_fields() {
    let minimal = connect_packet(&Connect::new("1226d800"));
    assert_eq!(minimal.client_id, "1226d800");
    assert_eq!((minimal.clean_session, minimal.keep_alive), (true, 60));
    assert_eq!((minimal.last_will, minimal.login), (None, None));

    let full = connect_packet(&Connect {
        clean_session: false,
        keep_alive: 65_535,
        will: Some(
            Publish::new("gone", b"offline")
                .qos(Qos::ExactlyOnce)
                .retained(),
        ),
        credentials: Some(Credentials {
            user_name: "ann",
            password: Some(b"s3cret"),
        }),
        ..Connect::new("")
    });
    assert_eq!((full.clean_session, full.keep_alive), (false, 65_535));
    assert_eq!(full.client_id, "");
    let will = full.last_will.unwrap();
    assert_eq!(
        (will.topic.as_str(), &will.message[..]),
        ("gone", &b"offline"[..])
    );
    assert_eq!((will.qos, will.retain), (mqttbytes::QoS::ExactlyOnce, true));
    let login = full.login.unwrap();
    assert_eq!(
        (login.username.as_str(), login.password.as_str()),
        ("ann", "s3cret")
    );
}

#[test]
fn a_user_name_goes_without_a_password_too() {
    let mut pair = Pair::new(64, 64);
    let connect = Connect {
        credentials: Some(Credentials {
            user_name: "u",
            password: None,
        }),
        ..Connect::new("a")
    };
    pair.session.connect(&connect, pair.now).unwrap();
    assert_eq!(
        pair.bytes(),
        b"\x10\x10\x00\x04MQTT\x04\x82\x00\x3c\x00\x01a\x00\x01u"
    );
}

#[test]
fn each_refusal_has_the_standard_s_name() {
    let names = [
        ReasonCode::UNSUPPORTED_PROTOCOL_VERSION,
        ReasonCode::CLIENT_IDENTIFIER_NOT_VALID,
        ReasonCode::SERVER_UNAVAILABLE,
        ReasonCode::BAD_USER_NAME_OR_PASSWORD,
        ReasonCode::NOT_AUTHORIZED,
    ];
    for (code, name) in (1..).zip(names) {
        let mut pair = Pair::new(64, 64);
        pair.session.connect(&Connect::new("a"), pair.now).unwrap();
        pair.transmit();
        assert_eq!(
            pair.exchange(&[0x20, 2, 0, code]),
            Err(Error::Refused(name))
        );
        assert!(pair.session.is_closed());
        assert_eq!(pair.session.deadline(), None);
        assert!(pair.session.receive_buffer().is_empty());
    }
}

#[test]
fn a_server_that_does_not_answer_is_given_up_after_five_seconds() {
    let mut pair = Pair::new(64, 64);
    pair.session.connect(&Connect::new("a"), pair.now).unwrap();
    assert_eq!(pair.session.deadline(), Some(pair.now.after(5_000)));
    pair.advance(4_999);
    assert_eq!(pair.poll(), Ok(None));
    pair.advance(1);
    assert_eq!(pair.poll(), Err(Error::ConnackTimeout));
    assert!(pair.session.is_closed());
}

#[test]
fn a_connack_that_came_in_time_counts_although_it_is_polled_late() {
    let mut pair = Pair::new(64, 64);
    pair.session.connect(&Connect::new("a"), pair.now).unwrap();
    pair.transmit();
    pair.receive(&[0x20, 2, 0, 0]);
    pair.advance(6_000);
    assert_eq!(pair.poll(), Ok(Some(Seen::Connected(false))));
}

// 3.1.1: [MQTT-3.1.0-1]
#[test]
fn nothing_is_received_before_connect_was_sent_and_nothing_is_sent_before_connack() {
    let mut pair = Pair::new(64, 64);
    pair.session.connect(&Connect::new("a"), pair.now).unwrap();
    assert!(pair.session.receive_buffer().is_empty());
    let part = pair.session.transmit()[..7].to_vec();
    pair.session.transmitted(7, pair.now);
    assert!(pair.session.receive_buffer().is_empty());
    let rest = pair.bytes();
    assert_eq!(
        [part, rest].concat(),
        b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01a"
    );
    assert!(!pair.session.receive_buffer().is_empty());

    assert!(!pair.session.is_connected());
    let publish = Publish::new("t", b"p");
    assert_eq!(
        pair.session.publish(&publish),
        Err(PublishError::NotConnected)
    );
    let subscription = Subscription::new("t", Qos::AtMostOnce);
    assert_eq!(
        pair.session.subscribe(&[subscription]),
        Err(SubscribeError::NotConnected)
    );
    assert_eq!(
        pair.session.unsubscribe(&["t"]),
        Err(SubscribeError::NotConnected)
    );
    assert_eq!(pair.session.ping(pair.now), Err(NotConnected));
    assert_eq!(pair.session.disconnect(), Err(NotConnected));
    assert_eq!(pair.bytes(), b"");
}

#[test]
fn a_connect_that_cannot_be_sent_is_refused_with_the_reason() {
    let mut pair = Pair::new(64, 64);
    let now = pair.now;
    let long = "x".repeat(60);
    assert_eq!(
        pair.session.connect(&Connect::new(&long), now),
        Err(ConnectError::TooLarge)
    );
    let wild = Connect {
        will: Some(Publish::new("a/+", b"")),
        ..Connect::new("a")
    };
    assert_eq!(
        pair.session.connect(&wild, now),
        Err(ConnectError::InvalidWillTopic)
    );
    assert!(pair.session.is_closed());
    let mut small = Pair::new(64, 11);
    assert_eq!(
        small.session.connect(&Connect::new("a"), now),
        Err(ConnectError::SendBuffer)
    );
}

// 3.1.1: [MQTT-3.14.4-1] [MQTT-3.14.4-2]
#[test]
fn disconnect_is_the_last_packet_even_in_a_full_buffer() {
    let mut pair = Pair::connected(64, 64);
    while pair.session.publish(&Publish::new("t", b"payload")).is_ok() {}
    while pair.session.publish(&Publish::new("t", b"")).is_ok() {}
    // What the dialogue needs is taken as well.
    for identifier in 1..4 {
        let message = crate::pair::publish_bytes(2, b"t", Some(identifier), b"");
        pair.receive(&message);
    }
    while pair.poll() != Ok(None) {}
    pair.session.ping(pair.now).unwrap();
    pair.session.disconnect().unwrap();
    assert!(!pair.session.is_connected() && !pair.session.is_closed());
    let queued = Publish::new("t", b"");
    assert_eq!(
        pair.session.publish(&queued),
        Err(PublishError::NotConnected)
    );
    let packets = pair.packets();
    assert_eq!(packets.last(), Some(&Packet::Disconnect));
    assert!(packets.contains(&Packet::PingReq));
    assert!(pair.session.is_closed());
}

#[test]
fn disconnect_acknowledges_the_message_received_last() {
    let mut pair = Pair::connected(64, 64);
    pair.receive(&crate::pair::publish_bytes(2, b"t", Some(9), b"on"));
    assert_eq!(pair.poll(), Ok(Some(Seen::message("t", b"on", 1))));
    pair.session.disconnect().unwrap();
    assert_eq!(pair.bytes(), [0x40, 2, 0, 9, 0xe0, 0]);
}

// 3.1.1: [MQTT-3.14.4-1] [MQTT-3.14.4-2]
#[test]
fn a_disconnect_that_the_link_does_not_take_ends_with_the_keep_alive() {
    let mut pair = Pair::connected(64, 64);
    pair.session.disconnect().unwrap();
    pair.advance(45_000);
    assert_eq!(pair.poll(), Ok(None));
    assert_eq!(pair.session.transmit(), [0xe0, 0], "nothing follows it");
    pair.advance(10_000);
    assert_eq!(pair.poll(), Err(Error::PingTimeout));
    assert!(pair.session.is_closed());
}

#[test]
fn the_server_may_not_claim_a_session_where_a_clean_one_was_asked_for() {
    let mut pair = Pair::new(64, 64);
    pair.session.connect(&Connect::new("a"), pair.now).unwrap();
    pair.transmit();
    assert_eq!(
        pair.exchange(&[0x20, 2, 1, 0]),
        Err(Error::Protocol(ProtocolError::ReturnCode(1)))
    );
}
