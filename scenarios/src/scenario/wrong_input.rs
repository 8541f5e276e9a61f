//! What no broker should send, and what few do: the device lives, comes back, and works.

use std::time::{Duration, Instant};

use mqttbytes::v4::Packet;

use crate::device::Device;
use crate::scripted::{CONNACK, Heard, Peer, Scripted, frame, publish};
use crate::world::{SOON, World, after, tree};

/// How long the device may wait before it connects again: a fifth of the time since it started, which in the
/// longest of these scenarios is less than a minute.
const RETRY: Duration = Duration::from_secs(15);

pub fn every_refusal_is_tried_again(world: &World<'_>) {
    let (broker, mut device) = beginning(world);
    // 1 to 5 are the standard's (section 3.2.2.3), 6 and 255 are reserved.
    for code in [1, 2, 3, 4, 5, 6, 255] {
        let mut peer = broker.accept(RETRY);
        peer.connect();
        peer.send(&[0x20, 2, 0, code]);
        assert!(
            peer.closes(SOON),
            "after return code {code} it keeps the connection"
        );
        assert!(device.is_alive(), "return code {code}");
    }
    let (mut peer, _) = broker.welcome(World::ID, RETRY);
    works(&mut peer);
}

pub fn nonsense_instead_of_a_connack_is_survived(world: &World<'_>) {
    let (broker, mut device) = beginning(world);
    let long = vec![0xaa; 100_000];
    let nonsense: [(&str, &[u8]); 11] = [
        ("nothing, and goodbye", &[]),
        ("zeros", &[0; 64]),
        (
            "a web server",
            b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n",
        ),
        (
            "a remaining length of five bytes",
            &[0x20, 0xff, 0xff, 0xff, 0xff, 0x7f],
        ),
        ("a CONNACK of one byte", &[0x20, 1, 0]),
        ("a CONNACK of three bytes", &[0x20, 3, 0, 0, 0]),
        ("a CONNACK with reserved flags", &[0x20, 2, 0xfe, 0]),
        ("a CONNACK with a flag in its first byte", &[0x21, 2, 0, 0]),
        ("a SUBACK first", &[0x90, 3, 0, 1, 0]),
        (
            "a command first",
            &[
                0x30, 12, 0, 8, b'1', b'2', b'2', b'6', b'd', b'8', b'0', b'0', b'o', b'n',
            ],
        ),
        ("a hundred thousand bytes", &long),
    ];
    for (what, bytes) in nonsense {
        let mut peer = broker.accept(RETRY);
        peer.connect();
        peer.send(bytes);
        if bytes.is_empty() {
            drop(peer);
        } else {
            assert!(peer.closes(SOON), "after {what} it keeps the connection");
        }
        assert!(device.is_alive(), "{what}");
    }
    let (mut peer, _) = broker.welcome(World::ID, RETRY);
    works(&mut peer);
}

pub fn a_broker_that_never_answers_is_left(world: &World<'_>) {
    let (broker, mut device) = beginning(world);
    for started in [&CONNACK[..0], &CONNACK[..3]] {
        let mut peer = broker.accept(RETRY);
        peer.connect();
        let since = Instant::now();
        peer.send(started);
        assert!(peer.closes(SOON), "after {started:02x?} it waits for ever");
        let took = since.elapsed();
        assert!(
            took > Duration::from_millis(4500) && took < Duration::from_millis(6500),
            "five seconds for CONNACK, it says; it waited {took:?}"
        );
        assert!(device.is_alive());
    }
    let (mut peer, _) = broker.welcome(World::ID, RETRY);
    works(&mut peer);
}

pub fn packets_against_the_standard_end_the_connection(world: &World<'_>) {
    let (broker, mut device) = beginning(world);
    let id = World::ID.as_bytes();
    let mut qos_3 = publish(id, Some(1), b"off");
    qos_3[0] |= 0x06;
    let violations: [(&str, Vec<u8>); 14] = [
        ("the reserved type 0", vec![0x00, 0]),
        ("the reserved type 15", vec![0xf0, 0]),
        (
            "a CONNECT",
            frame(0x10, b"\x00\x04MQTT\x04\x02\x00\x3c\x00\x01h"),
        ),
        ("a second CONNACK", CONNACK.to_vec()),
        ("a SUBSCRIBE", frame(0x82, b"\x00\x07\x00\x01x\x01")),
        ("a PINGREQ", vec![0xc0, 0]),
        ("a DISCONNECT", vec![0xe0, 0]),
        (
            "a remaining length of five bytes",
            vec![0x30, 0x80, 0x80, 0x80, 0x80, 0x01],
        ),
        ("QoS 3", qos_3),
        (
            "a topic longer than its packet",
            frame(0x30, b"\x00\xff1226d800"),
        ),
        ("a PUBLISH without a topic's length", frame(0x30, b"\x00")),
        (
            "an identifier of 0",
            publish(tree("/switch/0/set").as_bytes(), Some(0), b"off"),
        ),
        ("a PUBACK of one byte", vec![0x40, 1, 0]),
        ("a PINGRESP with a body", vec![0xd0, 1, 0]),
    ];
    let (mut peer, _) = broker.welcome(World::ID, SOON);
    for (what, bytes) in violations {
        peer.send(&bytes);
        assert!(peer.closes(SOON), "after {what} it keeps the connection");
        assert!(device.is_alive(), "{what}");
        (peer, _) = broker.welcome(World::ID, RETRY);
    }
    works(&mut peer);
}

pub fn odd_packets_within_the_standard_are_borne(world: &World<'_>) {
    let (broker, mut device) = beginning(world);
    let id = World::ID.as_bytes();
    let long_payload = vec![b'x'; 70_000];
    let odd: [(&str, Vec<u8>); 12] = [
        ("a PUBACK for nothing", vec![0x40, 2, 0x12, 0x34]),
        ("a PUBREC for nothing", vec![0x50, 2, 0x12, 0x34]),
        ("a PUBREL for nothing", vec![0x62, 2, 0x12, 0x34]),
        ("a PUBCOMP for nothing", vec![0x70, 2, 0x12, 0x34]),
        ("a SUBACK for nothing", vec![0x90, 3, 0x12, 0x34, 0]),
        ("an UNSUBACK for nothing", vec![0xb0, 2, 0x12, 0x34]),
        ("a PINGRESP for nothing", vec![0xd0, 0]),
        (
            "a topic it did not ask for",
            publish(b"somewhere/else", None, b"off"),
        ),
        (
            "a topic of bytes that are not UTF-8",
            publish(b"\xff\xfe", None, b"off"),
        ),
        (
            "a topic with a wildcard",
            publish(b"monster/#", None, b"off"),
        ),
        ("70,000 bytes at QoS 1", publish(id, Some(5), &long_payload)),
        ("a length in more bytes than it needs", {
            let mut padded = vec![0x30, 0x8d, 0x80, 0x00, 0, 8];
            padded.extend_from_slice(id);
            padded.extend_from_slice(b"bog");
            padded
        }),
    ];
    let (mut peer, _) = broker.welcome(World::ID, SOON);
    for (what, bytes) in odd {
        peer.send(&bytes);
        peer = works_or_comes_back(&broker, peer, what);
        assert!(device.is_alive(), "{what}");
    }
}

pub fn a_topic_of_65535_bytes_is_passed_over(world: &World<'_>) {
    let (broker, _device) = beginning(world);
    let (mut peer, _) = broker.welcome(World::ID, SOON);
    let topic = vec![b't'; 65_535];
    peer.send(&publish(&topic, None, b"off"));
    works(&mut peer);
    peer.send(&publish(&topic, Some(9), b"off"));
    let acknowledged = peer.serve(
        SOON,
        |packet| matches!(packet, Packet::PubAck(ack) if ack.pkid == 9),
    );
    assert!(
        matches!(acknowledged, Heard::Packet(_)),
        "unacknowledged, it would be sent for ever: {acknowledged:?}"
    );
    works(&mut peer);
}

pub fn a_packet_cut_anywhere_is_not_obeyed(world: &World<'_>) {
    let (broker, mut device) = beginning(world);
    let whole = publish(World::ID.as_bytes(), None, b"off");
    let (mut peer, _) = broker.welcome(World::ID, SOON);
    // Cut, and then whole: packets are packets however the bytes come.
    for at in 1..whole.len() {
        let (first, rest) = whole.split_at(at);
        let early = peer.send_in_two(first, Duration::from_millis(30), rest);
        assert!(
            !early.iter().any(is_answer),
            "{at} of {} bytes are no packet: {early:?}",
            whole.len()
        );
        let heard = peer.serve(SOON, is_answer);
        assert!(
            is_answer_of(&heard, "on-0"),
            "cut after {at} bytes: {heard:?}"
        );
    }
    works(&mut peer);
    // Cut, and never the rest.
    for at in [1, 2, 3, 7, 12, whole.len() - 1] {
        peer.send(&publish(World::ID.as_bytes(), None, b"on"));
        let heard = peer.serve(SOON, is_answer);
        assert!(is_answer_of(&heard, "on-1"), "{heard:?}");
        peer.send(&whole[..at]);
        drop(peer);
        assert!(device.is_alive(), "cut after {at} bytes");
        (peer, _) = broker.welcome(World::ID, RETRY);
        peer.send(&publish(World::ID.as_bytes(), None, b"toggle"));
        let heard = peer.serve(SOON, is_answer);
        assert!(
            is_answer_of(&heard, "on-0"),
            "it was on until this toggle, cut after {at} bytes: {heard:?}"
        );
    }
}

pub fn a_refused_subscription_does_not_leave_it_deaf(world: &World<'_>) {
    let (broker, mut device) = beginning(world);
    for _ in 0..2 {
        let mut peer = broker.accept(RETRY);
        peer.connect();
        peer.send(&CONNACK);
        // Every filter of every SUBSCRIBE fails (0x80, section 3.9.3), until it gives up this connection.
        let deadline = Instant::now() + SOON;
        let closed = loop {
            match peer.hear(deadline.saturating_duration_since(Instant::now())) {
                Heard::Packet(Packet::Subscribe(subscribe)) => {
                    let mut body = subscribe.pkid.to_be_bytes().to_vec();
                    body.extend(subscribe.filters.iter().map(|_| 0x80));
                    peer.send(&frame(0x90, &body));
                }
                Heard::Packet(_) => {}
                Heard::Closed => break true,
                Heard::Nothing => break false,
            }
        };
        assert!(closed, "connected, and deaf: it must try again");
        assert!(device.is_alive());
    }
    let (mut peer, _) = broker.welcome(World::ID, RETRY);
    works(&mut peer);
}

fn beginning(world: &World<'_>) -> (Scripted, Box<dyn Device>) {
    let broker = Scripted::listen();
    let device = world.started(&broker.url());
    (broker, device)
}

/// Shows that the device obeys on this connection.
fn works(peer: &mut Peer) {
    for (word, expected) in [("on", "on-1"), ("toggle", "on-0")] {
        peer.send(&publish(World::ID.as_bytes(), None, word.as_bytes()));
        let heard = peer.serve(SOON, is_answer);
        assert!(
            is_answer_of(&heard, expected),
            "it does not work: `{word}` gave {heard:?}"
        );
    }
}

/// Shows that the device obeys on this connection, or, if it chose to close it, on its next.
fn works_or_comes_back(broker: &Scripted, mut peer: Peer, what: &str) -> Peer {
    peer.send(&publish(World::ID.as_bytes(), None, b"on"));
    match peer.serve(SOON, is_answer) {
        Heard::Nothing => panic!("after {what} it neither works nor closes the connection"),
        Heard::Closed => {
            (peer, _) = broker.welcome(World::ID, RETRY);
        }
        heard @ Heard::Packet(_) => assert!(is_answer_of(&heard, "on-1"), "{what}: {heard:?}"),
    }
    works(&mut peer);
    peer
}

fn is_answer(packet: &Packet) -> bool {
    matches!(packet, Packet::Publish(p) if p.topic == after() && !p.payload.starts_with(b"t="))
}

fn is_answer_of(heard: &Heard, expected: &str) -> bool {
    matches!(heard, Heard::Packet(Packet::Publish(p)) if p.payload == expected.as_bytes())
}
