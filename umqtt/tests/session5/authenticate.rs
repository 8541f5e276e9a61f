//! Enhanced authentication (section 4.12).

use umqtt::{Connect, Error, Property, PropertyList, ProtocolError, QueueError, ReasonCode};

use crate::pair::{Pair, Seen, clean, connack, farewell, field, packet};

const METHOD: Property<'static> = Property::AuthenticationMethod("M");

fn authenticating() -> Connect<'static> {
    Connect {
        properties: PropertyList::new(&[METHOD, Property::AuthenticationData(b"hello")]),
        ..clean()
    }
}

/// An AUTH of the server.
fn auth(reason: u8, data: &[u8]) -> Vec<u8> {
    let properties = [&[0x15, 0, 1, b'M', 0x16][..], &field(data)].concat();
    packet(
        0xf0,
        &[&[reason, properties.len() as u8][..], &properties].concat(),
    )
}

fn told(reason: u8, data: &str) -> Seen {
    Seen::Authentication(
        reason,
        vec![
            "AuthenticationMethod(\"M\")".to_owned(),
            format!("AuthenticationData({:?})", data.as_bytes()),
        ],
    )
}

fn answer(pair: &mut Pair, data: &[u8]) -> Result<(), QueueError> {
    pair.session.authenticate(
        ReasonCode::CONTINUE_AUTHENTICATION,
        &[METHOD, Property::AuthenticationData(data)],
    )
}

// 5: [MQTT-4.12.0-3] [MQTT-4.12.0-5]
#[test]
fn an_authentication_goes_to_and_fro_before_the_connack() {
    for chunk in [1, usize::MAX] {
        let mut pair = Pair::new(64, 12);
        pair.chunk = chunk;
        pair.session.connect(&authenticating(), pair.now).unwrap();
        assert_eq!(answer(&mut pair, b"early"), Err(QueueError::Full));
        pair.bytes();
        for round in [&b"one"[..], b"a longer one"] {
            let heard = pair.exchange(&auth(0x18, round)).unwrap();
            assert_eq!(heard, [told(0x18, str::from_utf8(round).unwrap())]);
            assert_eq!(answer(&mut pair, round), Ok(()));
            assert!(pair.session.receive_buffer().is_empty());
            assert_eq!(pair.bytes(), auth(0x18, round));
        }
        let properties = [&[0x15, 0, 1, b'M', 0x16][..], &field(b"proof")].concat();
        let heard = pair.exchange(&connack(false, 0, &properties)).unwrap();
        let properties = vec![
            "AuthenticationMethod(\"M\")".to_owned(),
            format!("AuthenticationData({:?})", b"proof"),
        ];
        assert_eq!(heard, [Seen::Connected(false, properties)]);
    }
}

#[test]
fn the_whole_dialogue_has_the_time_of_a_connack() {
    let mut pair = Pair::new(64, 64);
    pair.session.connect(&authenticating(), pair.now).unwrap();
    pair.transmit();
    pair.advance(3_000);
    pair.exchange(&auth(0x18, b"")).unwrap();
    answer(&mut pair, b"").unwrap();
    pair.transmit();
    pair.advance(2_000);
    assert_eq!(pair.poll(), Err(Error::ConnackTimeout));
}

// 5: [MQTT-4.12.1-1]
#[test]
fn a_connected_client_may_authenticate_again() {
    let mut pair = Pair::accepted(64, 64, &authenticating(), &[]);
    let again = [METHOD, Property::AuthenticationData(b"again")];
    pair.session
        .authenticate(ReasonCode::RE_AUTHENTICATE, &again)
        .unwrap();
    assert_eq!(pair.bytes(), auth(0x19, b"again"));
    let heard = pair.exchange(&auth(0x18, b"?"));
    assert_eq!(heard, Ok(vec![told(0x18, "?")]));
    answer(&mut pair, b"!").unwrap();
    assert_eq!(pair.bytes(), auth(0x18, b"!"));
    assert_eq!(pair.exchange(&auth(0x00, b"")), Ok(vec![told(0x00, "")]));
    assert!(pair.session.is_connected() && pair.session.is_idle());
}

// 5: [MQTT-4.12.0-5] [MQTT-4.12.0-7] [MQTT-3.15.2-1]
#[test]
fn an_answer_that_cannot_be_sent_is_refused() {
    let mut pair = Pair::new(64, 64);
    assert_eq!(answer(&mut pair, b""), Err(QueueError::NotConnected));
    pair.session.connect(&authenticating(), pair.now).unwrap();
    pair.transmit();
    pair.exchange(&auth(0x18, b"")).unwrap();
    let data = [0; 64];
    assert_eq!(answer(&mut pair, &data), Err(QueueError::TooLarge));
    let invalid = Err(QueueError::Invalid);
    for reason in [0x00, 0x19, 0x80] {
        let refused = pair.session.authenticate(ReasonCode(reason), &[METHOD]);
        assert_eq!(refused, invalid, "{reason:02x}");
    }
    let reason = ReasonCode::CONTINUE_AUTHENTICATION;
    assert_eq!(pair.session.authenticate(reason, &[]), invalid);
    let wrong = [METHOD, Property::ReceiveMaximum(1)];
    assert_eq!(pair.session.authenticate(reason, &wrong), invalid);
    // Without a method in CONNECT there is no authentication.
    let mut pair = Pair::connected(64, 64);
    assert_eq!(pair.session.authenticate(reason, &[METHOD]), invalid);
}

// 5: [MQTT-4.12.0-5] [MQTT-4.12.0-6]
#[test]
fn an_auth_that_the_server_may_not_send_ends_the_connection() {
    let without_method = packet(0xf0, &[0x18, 0]);
    let empty = packet(0xf0, &[]);
    for (connect, bytes, expected) in [
        (clean(), auth(0x18, b""), ProtocolError::Authentication),
        (
            authenticating(),
            without_method,
            ProtocolError::Authentication,
        ),
        (authenticating(), empty, ProtocolError::Authentication),
        (
            authenticating(),
            auth(0x00, b""),
            ProtocolError::ReturnCode(0),
        ),
        (
            authenticating(),
            auth(0x19, b""),
            ProtocolError::ReturnCode(0x19),
        ),
    ] {
        let mut pair = Pair::new(64, 64);
        pair.session.connect(&connect, pair.now).unwrap();
        pair.bytes();
        let error = pair.exchange(&bytes);
        assert_eq!(error, Err(Error::Protocol(expected)), "{bytes:02x?}");
        assert_eq!(pair.bytes(), farewell(ReasonCode::PROTOCOL_ERROR));
    }
    // Nor may a CONNACK speak of a method where there is none, or of data without one.
    let method = [0x15, 0, 1, b'M'];
    let data = [0x16, 0, 0];
    for (connect, properties) in [(clean(), &method[..]), (authenticating(), &data)] {
        let mut pair = Pair::new(64, 64);
        pair.session.connect(&connect, pair.now).unwrap();
        pair.bytes();
        let error = pair.exchange(&connack(false, 0, properties));
        assert_eq!(error, Err(Error::Protocol(ProtocolError::Authentication)));
    }
}
