//! A broker of MQTT 5 that takes less than the device would like: it still gets to know everything.

mod common;

use bytes::BytesMut;
use common::{ID, settings};
use monster::device::{Device, Input, Output, RECEIVE_BUFFER, ResetReason, SEND_BUFFER, Start};
use monster::identity::DeviceId;
use monster::memory::Memory;
use mqttbytes::QoS;
use mqttbytes::v5::{self, Packet};
use umqtt::Instant;

/// CONNACKs: refusals of a will, and an acceptance with Maximum QoS 0 and Retain Available 0.
const QOS_NOT_SUPPORTED: &[u8] = &[0x20, 3, 0, 0x9b, 0];
const RETAIN_NOT_SUPPORTED: &[u8] = &[0x20, 3, 0, 0x9a, 0];
const POOR: &[u8] = &[0x20, 7, 0, 0, 4, 0x24, 0, 0x25, 0];

struct Peer {
    device: Device<'static>,
    now: Instant,
    /// What the device sent on this connection, and nobody looked at.
    inbox: BytesMut,
    lines: Vec<String>,
}

impl Peer {
    fn new() -> Self {
        let start = Start {
            settings: settings(&[("mqtt.version", "5")]),
            id: DeviceId::parse(ID).unwrap(),
            seed: 7,
            reset: ResetReason::PowerOn,
            boots: 3,
            memory: Memory::default(),
            button_pressed: false,
        };
        let (receive, send) = (vec![0; RECEIVE_BUFFER], vec![0; SEND_BUFFER]);
        Peer {
            device: Device::new(start, receive.leak(), send.leak(), Instant::ZERO),
            now: Instant::ZERO,
            inbox: BytesMut::new(),
            lines: Vec::new(),
        }
    }

    /// Until the device has nothing more to do now; whether it asked for a connection.
    fn settle(&mut self) -> bool {
        let mut dials = false;
        loop {
            match self.device.poll(self.now) {
                Some(Output::Connect) => dials = true,
                Some(Output::Log(line)) => self.lines.push(line.text.as_str().to_owned()),
                Some(_) => {}
                None if self.device.transmit().is_empty() => return dials,
                None => {
                    let bytes = self.device.transmit().to_vec();
                    self.device.transmitted(bytes.len(), self.now);
                    self.inbox.extend_from_slice(&bytes);
                }
            }
        }
    }

    /// Waits for the next attempt, and returns its CONNECT.
    fn connect(&mut self) -> v5::Connect {
        while !self.settle() {
            self.now = self.device.deadline().expect("it tries again");
        }
        self.inbox.clear();
        self.device.handle(Input::Connected { ip: None }, self.now);
        self.settle();
        match &self.packets()[..] {
            [Packet::Connect(connect)] => connect.clone(),
            other => panic!("{other:?}"),
        }
    }

    fn send(&mut self, bytes: &[u8]) {
        self.device.receive_buffer()[..bytes.len()].copy_from_slice(bytes);
        self.device.received(bytes.len(), self.now);
        self.settle();
    }

    fn packets(&mut self) -> Vec<Packet> {
        let mut packets = Vec::new();
        while !self.inbox.is_empty() {
            packets.push(v5::read(&mut self.inbox, 100_000).expect("MQTT 5"));
        }
        packets
    }
}

#[test]
fn a_broker_that_refuses_the_will_gets_one_it_takes() {
    let mut peer = Peer::new();
    let will = |connect: v5::Connect| {
        let will = connect.last_will.expect("a will");
        (will.qos, will.retain)
    };
    assert_eq!(will(peer.connect()), (QoS::AtLeastOnce, true));
    peer.send(QOS_NOT_SUPPORTED);
    assert_eq!(will(peer.connect()), (QoS::AtMostOnce, true));
    peer.send(RETAIN_NOT_SUPPORTED);
    assert_eq!(will(peer.connect()), (QoS::AtMostOnce, false));
}

#[test]
fn a_broker_without_qos_1_and_retained_messages_is_told_everything_all_the_same() {
    let mut peer = Peer::new();
    peer.connect();
    peer.send(POOR);
    let filters = match &peer.packets()[..] {
        [Packet::Subscribe(subscribe)] => subscribe.filters.len(),
        other => panic!("{other:?}"),
    };
    let granted = vec![0; filters];
    let suback = [&[0x90, 3 + filters as u8, 0, 1, 0][..], &granted].concat();
    peer.send(&suback);
    // The log and the other pair follow a little later.
    peer.now = peer.now.after(1_000);
    peer.settle();

    let mut topics = Vec::new();
    for packet in peer.packets() {
        let Packet::Publish(publish) = packet else {
            panic!("{packet:?}");
        };
        assert_eq!((publish.qos, publish.retain), (QoS::AtMostOnce, false));
        topics.push(publish.topic);
    }
    for topic in ["status", "switch/0", "diag"] {
        let topic = format!("monster/{ID}/{topic}");
        assert!(topics.contains(&topic), "{topic}: {topics:?}");
    }
    let complaint = peer
        .lines
        .iter()
        .find(|line| line.contains("does not take"));
    assert_eq!(complaint, None, "nothing was dropped");
}
