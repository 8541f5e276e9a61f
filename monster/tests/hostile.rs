//! What no broker should send, and what no network should do.

mod common;

use bytes::BytesMut;
use common::{Bench, ID, message};
use monster::device::Input;
use monster::dht::{Reading, SensorError};
use monster::random::Random;
use mqttbytes::v4::{ConnAck, ConnectReturnCode, Packet, SubAck, SubscribeReasonCode};

const OFF: &str = "a1b2c3After on-0";

#[test]
fn a_message_of_ten_megabytes_is_thrown_away_and_the_next_command_is_obeyed() {
    let mut bench = Bench::online(&[]);
    bench.said();
    let mut bytes = message(ID, &vec![b'x'; 10_000_000], None, false);
    bytes.extend(message(ID, b"toggle", None, false));
    // A board reads as much as there is room for.
    for piece in bytes.chunks(65_536) {
        bench.send(piece);
    }
    assert_eq!(bench.said()[0], OFF);
    assert_eq!(bench.device.counters().rejected, 1);
    let line = bench
        .log
        .iter()
        .find(|line| line.contains("too long"))
        .unwrap();
    assert_eq!(line, "<- a1b2c3 10000000 bytes: too long");
}

#[test]
fn a_topic_of_65535_bytes_is_thrown_away_and_the_next_command_is_obeyed() {
    for identifier in [None, Some(77)] {
        let mut bench = Bench::online(&[]);
        bench.forget();
        let topic = "x".repeat(65_535);
        bench.send(&message(&topic, b"toggle", identifier, false));
        assert_eq!(bench.device.counters().rejected, 1);
        if identifier.is_some() {
            assert_eq!(
                bench.wire,
                [0x40, 2, 0, 77],
                "acknowledged, lest it come again"
            );
        }
        bench.forget();
        bench.publish(ID, b"toggle");
        assert_eq!(bench.said()[0], OFF);
    }
}

#[test]
fn the_largest_message_that_fits_is_read_and_one_byte_more_is_not() {
    let mut bench = Bench::online(&[]);
    let room = monster::device::RECEIVE_BUFFER - 5 - ID.len();
    let padded = |length: usize| {
        let mut command = br#"{"command":"off"}"#.to_vec();
        command.resize(length, b' ');
        command
    };
    let topic = "monster/a1b2c3/switch/0/set";
    let room = room + ID.len() - topic.len();
    bench.send(&message(topic, &padded(room + 1), None, false));
    assert_eq!(bench.pin, Some(true));
    bench.send(&message(topic, &padded(room), None, false));
    assert_eq!(bench.pin, Some(false));
}

#[test]
fn what_breaks_the_protocol_ends_the_connection_with_the_reason_and_no_more() {
    let broken: [(&str, Vec<u8>); 12] = [
        (
            "a topic that is not UTF-8",
            b"\x30\x05\x00\x02\xff\xfeX".to_vec(),
        ),
        ("a topic with a wildcard", b"\x30\x05\x00\x02a#X".to_vec()),
        ("no topic", b"\x30\x03\x00\x00X".to_vec()),
        ("QoS 3", b"\x36\x06\x00\x01a\x00\x01X".to_vec()),
        ("identifier 0", b"\x32\x06\x00\x01a\x00\x00X".to_vec()),
        (
            "a topic longer than the packet",
            b"\x30\x04\x00\x09ab".to_vec(),
        ),
        (
            "a remaining length of five bytes",
            b"\x30\xff\xff\xff\xff\x7f".to_vec(),
        ),
        ("CONNECT", b"\x10\x00".to_vec()),
        ("SUBSCRIBE", b"\x82\x05\x00\x01\x00\x00\x00".to_vec()),
        ("type 0", b"\x00\x00".to_vec()),
        ("a second CONNACK", b"\x20\x02\x00\x00".to_vec()),
        ("a PUBACK with wrong flags", b"\x42\x02\x00\x01".to_vec()),
    ];
    for (what, bytes) in broken {
        let mut bench = Bench::online(&[]);
        bench.pass(60_000);
        bench.send(&bytes);
        assert!(!bench.open, "{what}");
        let line = bench.log.last().unwrap();
        assert!(line.contains("broke the protocol"), "{what}: {line}");
        assert!(bench.wait_for_attempt() <= 1_000, "{what}");
        bench.connect();
        bench.said();
        bench.publish(ID, b"toggle");
        assert_eq!(bench.said()[0], OFF, "{what}");
    }
}

#[test]
fn acknowledgements_of_nothing_are_left_alone() {
    let mut bench = Bench::online(&[]);
    for bytes in [
        b"\x40\x02\x12\x34",
        b"\x50\x02\x12\x34",
        b"\x70\x02\x12\x34",
        b"\xb0\x02\x12\x34",
    ] {
        bench.send(bytes);
        assert!(bench.open);
    }
}

/// Everything a broker sends in a short life of the device.
fn life() -> Vec<Vec<u8>> {
    let mut connack = BytesMut::new();
    ConnAck::new(ConnectReturnCode::Success, false)
        .write(&mut connack)
        .unwrap();
    let mut suback = BytesMut::new();
    let codes = vec![SubscribeReasonCode::Success(mqttbytes::QoS::AtLeastOnce); 4];
    SubAck::new(1, codes).write(&mut suback).unwrap();
    let tree = "monster/a1b2c3/switch/0/set";
    vec![
        connack.to_vec(),
        suback.to_vec(),
        message(ID, b"toggle", None, false),
        message(tree, br#"{"command":"toggle","id":"a"}"#, Some(5), false),
        message(tree, br#"{"command":"toggle","id":"a"}"#, Some(5), false),
        message(ID, &[b'x'; 3_000], Some(6), false),
        message(tree, b"on", Some(7), true),
        message(ID, b"toggle", Some(8), false),
    ]
}

/// A bench whose peer puts nothing of its own between the pieces.
fn pieces() -> Bench {
    let mut bench = Bench::new(&[]);
    bench.acknowledges = false;
    bench.open();
    bench
}

fn after_life(bench: &mut Bench) {
    bench.acknowledges = true;
    let acknowledged: Vec<u16> = bench
        .packets
        .iter()
        .filter_map(|packet| match packet {
            Packet::Publish(publish) if publish.pkid > 0 => Some(publish.pkid),
            _ => None,
        })
        .collect();
    for identifier in acknowledged {
        bench.acknowledge(identifier);
    }
    assert!(bench.device.is_online(), "{:?}", bench.log);
    let counters = bench.device.counters();
    assert_eq!((counters.rejected, counters.retained_ignored), (1, 1));
    assert_eq!(bench.pin, Some(false), "three toggles");
    bench.pass(50);
    let said = bench.said();
    let of = |start: &str| said.iter().filter(|line| line.starts_with(start)).count();
    assert_eq!(of("a1b2c3After on-"), 3);
    assert_eq!(of("monster/a1b2c3/reply"), 2);
    assert_eq!(of("monster/a1b2c3/status online"), 1);
    assert_eq!(said.last().unwrap(), "monster/a1b2c3/switch/0 off");
}

#[test]
fn packets_may_be_cut_at_any_byte() {
    let bytes = life().concat();
    let connack = 4;
    for at in 0..=bytes.len() {
        let mut bench = pieces();
        // No broker answers SUBSCRIBE before it has come.
        bench.send(&bytes[..at.min(connack)]);
        bench.send(&bytes[at.min(connack)..at.max(connack)]);
        bench.pass(500);
        bench.send(&bytes[at.max(connack)..]);

        after_life(&mut bench);
    }
    let mut bench = pieces();
    for byte in &bytes {
        bench.send(&[*byte]);
    }
    after_life(&mut bench);
}

#[test]
fn a_connection_may_break_after_any_byte_and_nothing_is_executed_twice() {
    let bytes = life().concat();
    for at in 0..=bytes.len() {
        let mut bench = Bench::new(&[]);
        bench.open();
        bench.send(&bytes[..at]);
        bench.cut();
        let toggled = bench.levels.len();
        let once = bench.records.len();
        bench.connect();
        let tree = "monster/a1b2c3/switch/0/set";
        bench.send(&message(
            tree,
            br#"{"command":"toggle","id":"a"}"#,
            Some(5),
            false,
        ));
        assert_eq!(bench.levels.len(), toggled + 1 - once, "cut at {at}");
        bench.pass(120_000);
        assert!(bench.device.is_online(), "cut at {at}");
    }
}

#[test]
fn whatever_bytes_come_nothing_panics_and_the_device_comes_back() {
    let mut random = Random::new(11);
    for round in 0..3_000 {
        let mut bench = Bench::new(&[("mqtt.session", ["clean", "kept"][round % 2])]);
        bench.open();
        let mut bytes = life().concat();
        for _ in 0..=random.up_to(6) {
            let at = random.up_to(bytes.len() as u32 - 1) as usize;
            match random.up_to(3) {
                0 => bytes[at] = random.next_u32() as u8,
                1 => bytes.insert(at, random.next_u32() as u8),
                2 => drop(bytes.remove(at)),
                _ => {
                    let end = at + random.up_to((bytes.len() - at) as u32 - 1) as usize;
                    let copy = bytes[at..end].to_vec();
                    bytes.extend(copy);
                }
            }
        }
        while !bytes.is_empty() && bench.open {
            let count = random.up_to(bytes.len() as u32 - 1) as usize + 1;
            bench.offer(&bytes[..count]);
            bytes.drain(..count);
            bench.pass(random.up_to(2_000).into());
        }
        if bench.ended.is_some() {
            continue;
        }
        if bench.open {
            bench.cut();
        }
        bench.connect();
        bench.said();
        let was = bench.device.switch_is_on();
        bench.publish(ID, b"toggle");
        assert_ne!(bench.device.switch_is_on(), was);
    }
}

#[test]
fn noise_never_panics() {
    let mut random = Random::new(12);
    for _ in 0..2_000 {
        let mut bench = Bench::new(&[]);
        bench.open();
        if random.up_to(1) == 0 {
            let life = life();
            bench.send(&life[0]);
            bench.send(&life[1]);
        }
        for _ in 0..random.up_to(20) {
            let first = (random.up_to(15) as u8) << 4 | random.up_to(3) as u8;
            let length = random.up_to(40) as u8;
            let mut bytes = vec![first, length];
            bytes.extend((0..length).map(|_| random.up_to(255) as u8));
            if bench.open {
                bench.offer(&bytes);
            }
        }
        bench.pass(30_000);
    }
}

#[test]
fn any_order_of_inputs_at_any_time_does_not_panic_and_leaves_no_busy_loop() {
    let mut random = Random::new(13);
    let settings: [&[(&str, &str)]; 4] = [
        &[("climate.kind", "dht22"), ("heartbeat.seconds", "5")],
        &[("on_failure", "restart"), ("switch.power_on", "restore")],
        &[("mqtt.session", "kept"), ("log.level", "error")],
        &[("structured.enabled", "false"), ("log.level", "debug")],
    ];
    for round in 0..2_000 {
        let mut bench = Bench::new(settings[round % 4]);
        let stores = [
            common::Store::Works,
            common::Store::Fails,
            common::Store::Hangs,
        ];
        for _ in 0..60 {
            if bench.ended.is_some() {
                break;
            }
            match random.up_to(17) {
                0 => bench.handle(Input::Network(false)),
                1 => bench.handle(Input::Network(true)),
                2 if bench.dialling => bench.open(),
                3 if bench.dialling => {
                    bench.dialling = false;
                    bench.handle(Input::ConnectFailed("no"));
                }
                4 if bench.open => bench.cut(),
                5 => bench.handle(Input::Button { pressed: true }),
                6 => bench.handle(Input::Button { pressed: false }),
                7 => bench.handle(Input::Pulses(&[80, 80, 50])),
                8 => bench.handle(Input::Reading(Err(SensorError::Timeout))),
                9 => bench.handle(Input::Reading(Ok(Reading {
                    temperature: random.up_to(1_000) as i16,
                    humidity: random.up_to(1_200) as u16,
                }))),
                10 => bench.handle(Input::Saved(random.up_to(40) as u8)),
                11 => bench.handle(Input::SaveFailed(random.up_to(40) as u8)),
                12 => bench.store = stores[random.up_to(2) as usize],
                13 if bench.open => {
                    for bytes in life() {
                        bench.offer(&bytes);
                    }
                }
                14 => bench.reads = !bench.reads,
                15 => bench.pass(random.up_to(200_000).into()),
                16 if random.up_to(20) == 0 => bench.handle(Input::Stop),
                _ => bench.pass(random.up_to(3_000).into()),
            }
        }
    }
}
