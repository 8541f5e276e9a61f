//! A session carried over a power cut (section 4.1).

use umqtt::{Connect, PacketIdentifier, Publish, Qos, RestoreError, Version};

use crate::pair::{Pair, Seen, ack, kept, publish_bytes};

fn image(pair: &Pair) -> Vec<u8> {
    let mut image = vec![0; 1_024];
    let length = pair.session.snapshot(&mut image).unwrap();
    image.truncate(length);
    image
}

/// A session with one message in each state.
fn busy() -> Pair {
    let mut pair = Pair::accepted(64, 256, &kept(), &[]);
    for (payload, qos) in [
        (b"1", Qos::AtLeastOnce),
        (b"2", Qos::ExactlyOnce),
        (b"3", Qos::ExactlyOnce),
        (b"4", Qos::AtLeastOnce),
    ] {
        pair.publish(Publish::new("t", payload).qos(qos));
        pair.transmit();
    }
    pair.publish(Publish::new("t", b"5").qos(Qos::AtLeastOnce));
    pair.publish(Publish::new("t", b"0"));
    pair.session.unsubscribe(&["t"]).unwrap();
    pair.receive(&[ack(0x50, 3), ack(0x40, 4)].concat());
    assert_eq!(pair.poll(), Ok(Some(Seen::published(4))));
    assert_eq!(pair.poll(), Ok(None));
    pair.receive(&publish_bytes(4, b"in", Some(70), &[], b"a"));
    assert!(matches!(pair.poll(), Ok(Some(Seen::Message(_)))));
    assert_eq!(pair.poll(), Ok(None));
    pair.receive(&publish_bytes(4, b"in", Some(71), &[], b"b"));
    assert!(matches!(pair.poll(), Ok(Some(Seen::Message(_)))));
    pair
}

#[test]
fn a_session_goes_on_after_a_power_cut_as_after_a_broken_connection() {
    let pair = busy();
    let image = image(&pair);
    let mut pair = Pair::new(64, 256);
    pair.session.restore(&image).unwrap();
    for identifier in 1..=9 {
        let pending = pair
            .session
            .is_pending(PacketIdentifier::new(identifier).unwrap());
        assert_eq!(pending, [1, 2, 3, 5].contains(&identifier), "{identifier}");
    }
    pair.reconnect(&kept(), true, &[]);
    let expected = [
        publish_bytes(10, b"t", Some(1), &[], b"1"),
        publish_bytes(12, b"t", Some(2), &[], b"2"),
        // It may have been sent after the image was made.
        publish_bytes(10, b"t", Some(5), &[], b"5"),
        ack(0x62, 3),
    ];
    assert_eq!(pair.bytes(), expected.concat());
    // What was delivered is not delivered again, also if it was not acknowledged.
    for identifier in [70, 71] {
        let again = publish_bytes(12, b"in", Some(identifier), &[], b"x");
        assert_eq!(pair.exchange(&again), Ok(vec![]));
        assert_eq!(pair.bytes(), ack(0x50, identifier));
        assert_eq!(pair.exchange(&ack(0x62, identifier)), Ok(vec![]));
        assert_eq!(pair.bytes(), ack(0x70, identifier));
    }
    // Identifiers go on behind those that were used.
    assert_eq!(
        pair.publish(Publish::new("t", b"").qos(Qos::AtLeastOnce)),
        7
    );
    for (first, identifier) in [(0x40, 1), (0x70, 3), (0x40, 5)] {
        let told = pair.exchange(&ack(first, identifier));
        assert_eq!(told, Ok(vec![Seen::published(identifier)]));
    }
}

#[test]
fn an_image_of_a_restored_session_is_the_same() {
    let first = image(&busy());
    let mut pair = Pair::new(64, 256);
    pair.session.restore(&first).unwrap();
    let mut second = Pair::new(64, 256);
    second.session.restore(&image(&pair)).unwrap();
    assert_eq!(image(&second), image(&pair));
    // An empty one, too.
    let empty = image(&Pair::new(64, 64));
    assert_eq!(empty.len(), 10);
    pair.session.restore(&empty).unwrap();
    assert!(pair.session.is_idle());
}

#[test]
fn a_repeated_message_is_remembered_once() {
    let mut pair = Pair::accepted(64, 64, &kept(), &[]);
    let message = publish_bytes(4, b"t", Some(9), &[], b"x");
    pair.exchange(&message).unwrap();
    // Its PUBREC is sent again by the next poll.
    pair.receive(&message);
    pair.receive(&publish_bytes(0, b"t", None, &[], b"x"));
    assert!(matches!(pair.poll(), Ok(Some(Seen::Message(_)))));
    let once = image(&pair);
    let mut pair = Pair::new(64, 64);
    pair.session.restore(&once).unwrap();
    pair.reconnect(&kept(), true, &[]);
    pair.exchange(&ack(0x62, 9)).unwrap();
    assert_eq!(pair.bytes(), ack(0x70, 9));
    assert!(pair.session.is_idle());
}

#[test]
fn an_image_is_of_its_version_alone() {
    let image = image(&busy());
    let mut pair = Pair::new(64, 256);
    pair.session.restore(&image).unwrap();
    let old = Connect {
        version: Version::V3_1_1,
        ..kept()
    };
    pair.session.connect(&old, pair.now).unwrap();
    assert!(pair.session.is_idle());
}

#[test]
fn a_damaged_image_is_an_error_and_leaves_nothing() {
    let good = image(&busy());
    let check = |bytes: &[u8]| {
        let mut pair = busy();
        pair.session.closed();
        let refused = pair.session.restore(bytes);
        assert!(refused.is_err() && pair.session.is_idle(), "{refused:?}");
        refused.unwrap_err()
    };
    for length in 0..good.len() {
        assert_eq!(check(&good[..length]), RestoreError::Damaged);
    }
    for at in 0..good.len() {
        for bit in 0..8 {
            let mut bad = good.clone();
            bad[at] ^= 1 << bit;
            assert_eq!(check(&bad), RestoreError::Damaged);
        }
    }
    let mut pair = busy();
    assert_eq!(pair.session.restore(&good), Err(RestoreError::Connected));
    let mut small = Pair::new(64, 32);
    assert_eq!(small.session.restore(&good), Err(RestoreError::Unfit));
    assert_eq!(pair.session.snapshot(&mut [0; 20]), None);
    for length in 0..good.len() {
        assert_eq!(pair.session.snapshot(&mut vec![0; length]), None);
    }
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ byte as u32, |crc, _| {
            crc >> 1 ^ (if crc & 1 > 0 { 0xedb8_8320 } else { 0 })
        })
    })
}

/// An image with a check that is right.
fn sealed(head: &[u8], packets: &[u8]) -> Vec<u8> {
    let content = [head, packets].concat();
    let check = crc32(&content).to_be_bytes();
    [&content[..], &check].concat()
}

#[test]
fn an_image_of_what_no_session_remembers_is_refused() {
    let head = b"MQ\x01\x05\x00\x01";
    let restore = |bytes: &[u8]| {
        let mut pair = Pair::new(64, 64);
        let outcome = pair.session.restore(bytes);
        assert!(outcome.is_ok() || pair.session.is_idle());
        outcome
    };
    assert_eq!(restore(&sealed(head, &[])), Ok(()));
    let message = publish_bytes(2, b"t", Some(1), &[], b"x");
    assert_eq!(restore(&sealed(head, &message)), Ok(()));
    for bad in [
        b"MQ\x02\x05\x00\x01",
        b"XQ\x01\x05\x00\x01",
        b"MQ\x01\x03\x00\x01",
    ] {
        assert_eq!(restore(&sealed(bad, &[])), Err(RestoreError::Unknown));
    }
    let zero = sealed(b"MQ\x01\x05\x00\x00", &[]);
    assert_eq!(restore(&zero), Err(RestoreError::Damaged));
    for packets in [
        publish_bytes(0, b"t", None, &[], b"x"),
        publish_bytes(2, b"t", Some(0), &[], b"x"),
        publish_bytes(6, b"t", Some(1), &[], b"x"),
        message[..message.len() - 1].to_vec(),
        vec![0x32, 3, 0, 9, 0],
        vec![0x32, 3, 0, 1, 0],
        vec![0x32, 0],
        ack(0x40, 1),
        ack(0x70, 1),
        ack(0x82, 1),
        ack(0x50, 0),
        vec![0x50, 3, 0, 1, 0x97],
        vec![0x02, 2, 0, 1],
        vec![0x00, 2, 0, 1],
        vec![0x62],
        vec![0x62, 0xff, 0xff, 0xff, 0xff],
    ] {
        let refused = restore(&sealed(head, &packets));
        assert_eq!(refused, Err(RestoreError::Unfit), "{packets:02x?}");
    }
    // Messages in flight that leave no room to acknowledge what comes before they are: the session would
    // stand still.
    let message = publish_bytes(2, b"t", Some(1), &[], &[b'x'; 64 - 12 - 8]);
    assert_eq!(message.len(), 64 - 12);
    let received = [ack(0x50, 1), ack(0x50, 2)].concat();
    let full = [message.clone(), received].concat();
    assert_eq!(restore(&sealed(head, &full)), Ok(()));
    let fuller = publish_bytes(2, b"t", Some(1), &[], &[b'x'; 64 - 12 - 7]);
    assert_eq!(restore(&sealed(head, &fuller)), Err(RestoreError::Unfit));
    // Anything at all, with a check that is right.
    let mut random = 1_u64;
    for _ in 0..20_000 {
        let mut next = || {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random
        };
        let length = next() as usize % 24;
        let mut packets: Vec<u8> = (0..length).map(|_| next() as u8).collect();
        if let [first, second, ..] = &mut packets[..] {
            *first = [0x32, 0x34, 0x62, 0x50][next() as usize % 4];
            *second %= 24;
        }
        let mut pair = Pair::new(64, 64);
        if pair.session.restore(&sealed(head, &packets)).is_ok() {
            pair.reconnect(&kept(), true, &[]);
            pair.transmit();
        }
    }
}
