//! Messages to the server that are larger than the send buffer.

use umqtt::{Connect, Error, PacketIdentifier, Property, Publish, PublishError, Qos, Version};

use crate::pair::{Pair, Seen, ack, clean, field, kept, publish_bytes, varint};

fn payload(length: usize) -> Vec<u8> {
    (0..length).map(|i| (i * 7) as u8).collect()
}

/// Feeds all that is missing, in pieces of at most `piece`, and transmits what there is.
fn feed(pair: &mut Pair, bytes: &[u8], piece: usize) {
    let mut rest = bytes;
    while !rest.is_empty() {
        let buffer = pair.session.stream_buffer();
        let count = buffer.len().min(piece).min(rest.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        pair.session.streamed(count);
        rest = &rest[count..];
        if count == 0 {
            assert!(
                !pair.session.transmit().is_empty(),
                "no room, and nothing to send"
            );
        }
        let count = pair.session.transmit().len().min(piece);
        pair.send(count);
    }
}

#[test]
fn a_message_of_any_size_goes_out_in_pieces() {
    let payload = payload(5_000);
    for version in [Version::V5, Version::V3_1_1] {
        for (qos, first) in [
            (Qos::AtMostOnce, 0x30),
            (Qos::AtLeastOnce, 0x32),
            (Qos::ExactlyOnce, 0x34),
        ] {
            for piece in [1, 3, 64, 1_000] {
                let is_5 = version == Version::V5;
                let mut pair = Pair::new(64, 64);
                let connect = Connect { version, ..kept() };
                pair.session.connect(&connect, pair.now).unwrap();
                pair.transmit();
                pair.exchange(if is_5 {
                    &[0x20, 3, 0, 0, 0]
                } else {
                    &[0x20, 2, 0, 0]
                })
                .unwrap();
                pair.bytes();
                // Something stands before it.
                pair.publish(Publish::new("t", b"0").qos(Qos::AtLeastOnce));
                let before = pair.session.transmit().to_vec();
                let properties = [Property::ContentType("x")];
                let message = Publish::new("big", b"begin")
                    .qos(qos)
                    .properties(&properties);
                let identifier = pair.session.publish_stream(&message, payload.len());
                assert_eq!(
                    identifier,
                    Ok(PacketIdentifier::new(2).filter(|_| qos != Qos::AtMostOnce))
                );
                assert_eq!(pair.session.stream_missing(), 5_000);
                let full = pair.session.publish(&Publish::new("t", b""));
                assert_eq!(full, Err(PublishError::Full));
                feed(&mut pair, &payload, piece);
                assert_eq!(pair.session.stream_missing(), 0);
                let mut body = field(b"big");
                body.extend(
                    (qos != Qos::AtMostOnce)
                        .then_some([0, 2])
                        .into_iter()
                        .flatten(),
                );
                body.extend(is_5.then_some([4, 3, 0, 1, b'x']).into_iter().flatten());
                body.extend(b"begin");
                body.extend(&payload);
                let whole = [&before[..], &[first], &varint(body.len()), &body].concat();
                assert_eq!(pair.bytes(), whole);
                // Then all goes on as with any message.
                let told = pair.exchange(&ack(0x40, 1));
                assert_eq!(told, Ok(vec![Seen::published(1)]));
                if qos == Qos::ExactlyOnce {
                    assert_eq!(pair.exchange(&ack(0x50, 2)), Ok(vec![]));
                    assert_eq!(pair.bytes(), ack(0x62, 2));
                    assert!(pair.session.is_pending(PacketIdentifier::new(2).unwrap()));
                }
                if qos != Qos::AtMostOnce {
                    let last = if qos == Qos::AtLeastOnce { 0x40 } else { 0x70 };
                    let told = pair.exchange(&ack(last, 2));
                    assert_eq!(told, Ok(vec![Seen::published(2)]));
                }
                assert!(pair.session.is_idle());
                assert!(pair.session.publish(&Publish::new("t", &[0; 40])).is_ok());
            }
        }
    }
}

#[test]
fn nothing_comes_between_the_pieces_and_what_is_owed_comes_after_them() {
    let mut pair = Pair::accepted(64, 64, &kept(), &[]);
    let message = Publish::new("big", b"").qos(Qos::AtMostOnce);
    pair.session.publish_stream(&message, 100).unwrap();
    pair.receive(&[publish_bytes(2, b"t", Some(9), &[], b"on"), ack(0x62, 3)].concat());
    assert_eq!(pair.poll(), Ok(Some(Seen::message("t", b"on", 1))));
    assert_eq!(pair.poll(), Ok(None));
    pair.session.ping(pair.now).unwrap();
    feed(&mut pair, &payload(99), 10);
    pair.transmit();
    assert_eq!(pair.poll(), Ok(None));
    feed(&mut pair, &[1], 1);
    let length = pair.bytes().len();
    assert_eq!(length, 2 + 5 + 1 + 100);
    assert_eq!(pair.poll(), Ok(None));
    let owed = [ack(0x40, 9), vec![0x70, 3, 0, 3, 0x92]].concat();
    assert_eq!(pair.bytes(), owed);
}

#[test]
fn a_message_cut_by_the_end_of_the_connection_is_lost_and_nothing_else_is() {
    for qos in [Qos::AtLeastOnce, Qos::ExactlyOnce] {
        // `fed`: all of it was sent; `received`: and the server has it.
        for (fed, received) in [(50, false), (100, false), (100, true)] {
            let mut pair = Pair::accepted(64, 96, &kept(), &[0x21, 0, 2]);
            let small = pair.publish(Publish::new("t", b"1").qos(Qos::AtLeastOnce));
            let message = Publish::new("big", b"").qos(qos);
            let identifier = pair.session.publish_stream(&message, 100).unwrap().unwrap();
            feed(&mut pair, &payload(fed), 100);
            pair.transmit();
            if received && qos == Qos::ExactlyOnce {
                pair.exchange(&ack(0x50, identifier.value())).unwrap();
            }
            assert!(fed < 100 || pair.session.is_pending(identifier));
            pair.session.closed();
            let goes_on = received && qos == Qos::ExactlyOnce;
            assert_eq!(pair.session.is_pending(identifier), goes_on);
            assert_eq!(pair.session.stream_missing(), 0);
            assert!(pair.session.stream_buffer().is_empty());
            pair.reconnect(&kept(), true, &[0x21, 0, 2]);
            let mut expected = publish_bytes(10, b"t", Some(small), &[], b"1");
            if goes_on {
                expected.extend(ack(0x62, identifier.value()));
            }
            assert_eq!(pair.bytes(), expected);
            // The window has room for as many as are left.
            let room = pair.session.publish(&message);
            assert_eq!(room.is_ok(), !goes_on);
        }
    }
}

#[test]
fn a_pubrel_that_is_owed_when_the_connection_ends_is_sent_on_the_next() {
    let mut pair = Pair::accepted(64, 96, &kept(), &[]);
    pair.publish(Publish::new("t", b"1").qos(Qos::ExactlyOnce));
    pair.transmit();
    let message = Publish::new("big", b"");
    pair.session.publish_stream(&message, 100).unwrap();
    // It cannot be queued while the message goes out.
    pair.receive(&ack(0x50, 1));
    assert_eq!(pair.poll(), Ok(None));
    pair.session.closed();
    pair.reconnect(&kept(), true, &[]);
    assert_eq!(pair.bytes(), ack(0x62, 1));
    let told = pair.exchange(&ack(0x70, 1));
    assert_eq!(told, Ok(vec![Seen::published(1)]));
}

#[test]
fn bytes_that_are_taken_are_a_sign_of_life() {
    let mut pair = Pair::accepted(64, 64, &clean(), &[]);
    pair.session
        .publish_stream(&Publish::new("big", b""), 1_000)
        .unwrap();
    for _ in 0..100 {
        feed(&mut pair, &payload(10), 10);
        pair.transmit();
        pair.advance(40_000);
        assert_eq!(pair.poll(), Ok(None));
    }
    assert_eq!(pair.session.stream_missing(), 0);
    // And when they are not, the link is dead in the usual time.
    pair.session
        .publish_stream(&Publish::new("big", b""), 1_000)
        .unwrap();
    let deadline = pair.session.deadline().unwrap();
    pair.now = deadline;
    assert_eq!(pair.poll(), Ok(None));
    pair.advance(10_000);
    assert_eq!(pair.poll(), Err(Error::PingTimeout));
}

#[test]
fn a_message_that_cannot_be_begun_is_refused() {
    let mut pair = Pair::accepted(64, 64, &clean(), &[0x27, 0, 0, 1, 0, 0x21, 0, 1]);
    let message = Publish::new("big", b"");
    let mut begin = |message: &Publish<'_>, length| {
        let outcome = pair.session.publish_stream(message, length);
        assert!(outcome.is_err() && pair.session.stream_missing() == 0);
        outcome
    };
    // 3 + 5 + 1 + 247 = 256.
    assert_eq!(begin(&message, 248), Err(PublishError::TooLarge));
    assert_eq!(begin(&message, usize::MAX), Err(PublishError::TooLarge));
    let wild = Publish::new("a/+", b"");
    assert_eq!(begin(&wild, 1), Err(PublishError::InvalidTopic));
    let long = "x".repeat(60);
    let long = Publish::new(&long, b"");
    assert_eq!(begin(&long, 1), Err(PublishError::TooLarge));
    pair.publish(message.qos(Qos::AtLeastOnce));
    let second = message.qos(Qos::ExactlyOnce);
    let refused = pair.session.publish_stream(&second, 100);
    assert_eq!(refused, Err(PublishError::Full));
    assert!(pair.session.publish_stream(&message, 247).is_ok());
    let refused = pair.session.publish_stream(&message, 10);
    assert_eq!(refused, Err(PublishError::Full));
    // There is no place for a DISCONNECT: the session is closed.
    pair.session.disconnect().unwrap();
    assert!(pair.session.is_closed());
    let refused = pair.session.publish_stream(&message, 10);
    assert_eq!(refused, Err(PublishError::NotConnected));
}

#[test]
fn a_message_whose_pubrel_waits_for_the_last_piece_is_pending() {
    let mut pair = Pair::connected(64, 128);
    let message = Publish::new("t", b"p").qos(Qos::ExactlyOnce);
    let identifier = pair.session.publish(&message).unwrap().unwrap();
    pair.transmit();
    let pieces = Publish::new("t", b"");
    pair.session.publish_stream(&pieces, 1).unwrap();
    pair.transmit();
    pair.receive(&ack(0x50, 1));
    assert_eq!(pair.poll(), Ok(None));
    assert!(pair.session.is_pending(identifier));
    pair.session.stream_buffer()[0] = b'x';
    pair.session.streamed(1);
    pair.transmit();
    assert_eq!(pair.exchange(&ack(0x70, 1)), Ok(vec![Seen::published(1)]));
    assert!(!pair.session.is_pending(identifier));
}
