//! DISCONNECT, of either side (sections 3.14 and 4.13).

use umqtt::{
    Connect, Error, Property, PropertyList, Publish, Qos, QueueError, ReasonCode, Version,
};

use crate::pair::{Pair, ack, clean, farewell, field, kept, packet, publish_bytes};

// 5: [MQTT-4.13.2-1]
#[test]
fn a_server_that_ends_the_connection_says_why() {
    for reason in [
        0x00, 0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8b, 0x8d, 0x8e, 0x8f, 0x90, 0x93, 0x94, 0x95,
        0x96, 0x97, 0x98, 0x99, 0x9a, 0x9b, 0x9c, 0x9d, 0x9e, 0x9f, 0xa0, 0xa1, 0xa2,
    ] {
        for properties in [
            None,
            Some(vec![]),
            Some([&[0x1c][..], &field(b"other")].concat()),
        ] {
            let mut pair = Pair::connected(64, 64);
            let mut body = vec![reason];
            if let Some(properties) = &properties {
                body.push(properties.len() as u8);
                body.extend(properties);
            }
            let error = pair.exchange(&packet(0xe0, &body));
            assert_eq!(error, Err(Error::Disconnected(ReasonCode(reason))));
            assert!(pair.session.is_closed());
            assert_eq!(pair.bytes(), b"", "there is nothing to be said to it");
            let closing: Vec<_> = pair.session.closing_properties().iter().collect();
            match properties.is_some_and(|properties| !properties.is_empty()) {
                true => assert_eq!(closing, [Property::ServerReference("other")]),
                false => assert_eq!(closing, []),
            }
        }
    }
    let mut pair = Pair::connected(64, 64);
    let error = pair.exchange(&[0xe0, 0]);
    assert_eq!(error, Err(Error::Disconnected(ReasonCode::SUCCESS)));
}

// 5: [MQTT-3.1.2-23] [MQTT-4.4.0-1]
#[test]
fn what_came_before_the_disconnect_is_heard_and_what_is_in_flight_is_kept() {
    let mut pair = Pair::accepted(64, 64, &kept(), &[]);
    pair.publish(Publish::new("t", b"1").qos(Qos::AtLeastOnce));
    let sent = pair.bytes();
    let both = [
        publish_bytes(0, b"t", None, &[], b"bye"),
        vec![0xe0, 1, 0x8b],
    ]
    .concat();
    pair.receive(&both);
    assert!(matches!(pair.poll(), Ok(Some(_))));
    let reason = ReasonCode::SERVER_SHUTTING_DOWN;
    assert_eq!(pair.poll(), Err(Error::Disconnected(reason)));
    pair.reconnect(&kept(), true, &[]);
    let again = pair.bytes();
    assert_eq!((again[0], &again[1..]), (sent[0] | 8, &sent[1..]));
}

#[test]
fn a_client_leaves_with_a_reason_and_properties() {
    let connect = Connect {
        properties: PropertyList::new(&[Property::SessionExpiryInterval(1)]),
        ..clean()
    };
    let reason = ReasonCode::DISCONNECT_WITH_WILL_MESSAGE;
    let expiry = [Property::SessionExpiryInterval(9)];
    for (reason, properties, expected) in [
        (ReasonCode::SUCCESS, &[][..], &[0xe0, 0][..]),
        (reason, &[], &[0xe0, 1, 4]),
        (reason, &expiry, &[0xe0, 7, 4, 5, 0x11, 0, 0, 0, 9]),
        (
            ReasonCode::SUCCESS,
            &expiry,
            &[0xe0, 7, 0, 5, 0x11, 0, 0, 0, 9],
        ),
    ] {
        let mut pair = Pair::accepted(64, 64, &connect, &[]);
        pair.receive(&publish_bytes(2, b"t", Some(9), &[], b"on"));
        pair.poll().unwrap();
        pair.session.disconnect_with(reason, properties).unwrap();
        let expected = [&ack(0x40, 9)[..], expected].concat();
        assert_eq!(pair.bytes(), expected);
        assert!(pair.session.is_closed());
    }
}

// 5: [MQTT-3.14.2-1]
#[test]
fn a_leave_that_may_not_be_taken_is_refused() {
    let invalid = Err(QueueError::Invalid);
    let mut pair = Pair::connected(64, 64);
    // A session that ends with its connection cannot be made to outlive it [MQTT-3.14.2-2].
    for (reason, property) in [
        (0x04, Property::SessionExpiryInterval(1)),
        (0x00, Property::ReceiveMaximum(1)),
        (0x00, Property::ServerReference("x")),
        (0x87, Property::ReasonString("x")),
        (0x01, Property::ReasonString("x")),
    ] {
        let refused = pair
            .session
            .disconnect_with(ReasonCode(reason), &[property]);
        assert_eq!(refused, invalid, "{reason:02x} {property:?}");
    }
    assert!(pair.session.is_connected());
    let long = "x".repeat(70);
    let long = [Property::ReasonString(&long)];
    let refused = pair.session.disconnect_with(ReasonCode::SUCCESS, &long);
    assert_eq!(refused, Err(QueueError::TooLarge));

    let mut pair = Pair::new(64, 64);
    let old = Connect {
        version: Version::V3_1_1,
        ..clean()
    };
    pair.session.connect(&old, pair.now).unwrap();
    pair.transmit();
    let plain = |pair: &mut Pair| pair.session.disconnect_with(ReasonCode::SUCCESS, &[]);
    assert_eq!(plain(&mut pair), Err(QueueError::NotConnected));
    pair.exchange(&[0x20, 2, 0, 0]).unwrap();
    let reason = ReasonCode::DISCONNECT_WITH_WILL_MESSAGE;
    assert_eq!(pair.session.disconnect_with(reason, &[]), invalid);
    pair.bytes();
    assert_eq!(plain(&mut pair), Ok(()));
    assert_eq!(pair.bytes(), [0xe0, 0]);
}

#[test]
fn what_the_server_did_wrong_is_not_said_in_the_middle_of_a_packet() {
    let wrong = [0x00, 0x00];
    let mut pair = Pair::accepted(64, 64, &kept(), &[]);
    pair.publish(Publish::new("t", b"0123456789").qos(Qos::AtLeastOnce));
    // Not begun: the DISCONNECT goes instead.
    pair.receive(&wrong);
    assert!(pair.poll().is_err());
    assert_eq!(
        pair.session.transmit(),
        farewell(ReasonCode::MALFORMED_PACKET)
    );
    pair.session.transmitted(1, pair.now);
    assert_eq!(pair.session.transmit(), [1, 0x81]);
    pair.session.transmitted(2, pair.now);
    assert_eq!(pair.session.transmit(), b"");
    // Begun, and not at its end: nothing goes.
    pair.reconnect(&kept(), true, &[]);
    pair.session.transmitted(5, pair.now);
    pair.receive(&wrong);
    assert!(pair.poll().is_err());
    assert_eq!(pair.session.transmit(), b"");
    // At its end, it goes.
    pair.reconnect(&kept(), true, &[]);
    pair.transmit();
    pair.bytes();
    pair.receive(&wrong);
    assert!(pair.poll().is_err());
    assert_eq!(pair.bytes(), farewell(ReasonCode::MALFORMED_PACKET));
    // And never on a connection that comes later.
    pair.session.connect(&kept(), pair.now).unwrap();
    pair.session.closed();
    assert_eq!(pair.session.transmit(), b"");
}
