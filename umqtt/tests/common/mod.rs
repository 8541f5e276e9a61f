//! What the tests share: virtual time, packets encoded and decoded by a crate that is not ours,
//! and a small broker behind a wire that pends, splits and fails.

#![allow(
    dead_code,
    reason = "each test is a crate of its own and uses a part of it"
)]

pub mod broker;
pub mod wire;

use std::cell::Cell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;

use bytes::BytesMut;
use mqttbytes::v4::{self, Packet};
use umqtt::{Clock, Instant, Timer};

/// Time that passes only when a test says so. Clones tell the same time.
#[derive(Clone, Default)]
pub struct VirtualClock {
    now: Rc<Cell<u64>>,
    /// The deadline somebody waits for.
    waiting: Rc<Cell<Option<Instant>>>,
    /// Somebody found nothing to read.
    starved: Rc<Cell<bool>>,
}

impl VirtualClock {
    pub fn advance(&self, milliseconds: u64) {
        self.now.set(self.now.get() + milliseconds);
    }

    /// Notes that there was nothing to read.
    pub fn starve(&self) {
        self.starved.set(true);
    }

    /// Goes on to the deadline somebody waits for, if only that can help.
    pub fn advance_if_starved(&self) {
        if self.starved.take()
            && let Some(deadline) = self.waiting.get()
        {
            self.now.set(self.now.get().max(deadline.as_millis()));
        }
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Instant {
        Instant::from_millis(self.now.get())
    }
}

impl Timer for VirtualClock {
    async fn wait_until(&self, deadline: Instant) {
        struct Waiting<'a>(&'a Cell<Option<Instant>>);
        impl Drop for Waiting<'_> {
            fn drop(&mut self) {
                self.0.set(None);
            }
        }
        self.waiting.set(Some(deadline));
        let _waiting = Waiting(&self.waiting);
        poll_fn(|_| match self.now() >= deadline {
            true => Poll::Ready(()),
            false => Poll::Pending,
        })
        .await;
    }
}

/// The packets these bytes hold, as `mqttbytes` reads them.
#[track_caller]
pub fn decode(bytes: &[u8]) -> Vec<Packet> {
    let mut stream = BytesMut::from(bytes);
    let mut packets = Vec::new();
    while !stream.is_empty() {
        // It does not frame packets of less than their content: see to it that none is cut.
        packets.push(v4::read(&mut stream, usize::MAX).expect("whole, valid packets"));
    }
    packets
}

/// A packet's bytes, as `mqttbytes` writes them.
pub fn encode(packet: &Packet) -> Vec<u8> {
    let mut bytes = BytesMut::new();
    match packet {
        Packet::ConnAck(packet) => packet.write(&mut bytes),
        Packet::Publish(packet) => packet.write(&mut bytes),
        Packet::PubAck(packet) => packet.write(&mut bytes),
        Packet::PubRec(packet) => packet.write(&mut bytes),
        Packet::PubRel(packet) => packet.write(&mut bytes),
        Packet::PubComp(packet) => packet.write(&mut bytes),
        Packet::SubAck(packet) => packet.write(&mut bytes),
        Packet::UnsubAck(packet) => packet.write(&mut bytes),
        Packet::PingResp => v4::PingResp.write(&mut bytes),
        other => panic!("no server sends {other:?}"),
    }
    .expect("a packet that can be written");
    bytes.to_vec()
}

/// A message from the server.
pub fn message(topic: &str, payload: &[u8], qos: mqttbytes::QoS, pkid: u16) -> v4::Publish {
    let mut publish = v4::Publish::new(topic, qos, payload);
    publish.pkid = pkid;
    publish
}
