//! The broker, as far as one client is concerned. It reads and writes with `mqttbytes`.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use mqttbytes::QoS;
use mqttbytes::v4::{
    ConnAck, Connect, ConnectReturnCode, Packet, PingResp, PubAck, Publish, SubAck, Subscribe,
    SubscribeReasonCode,
};

use crate::agenda::What;
use crate::trace::Note;
use crate::world::World;

/// What one client left at the broker, and its connection if it has one.
#[derive(Default)]
pub(crate) struct Account {
    pub client: Option<Client>,
    retained: Vec<(String, Vec<u8>)>,
    subscriptions: Vec<(String, QoS)>,
    /// Sent, and not acknowledged.
    in_flight: VecDeque<Publish>,
    /// Messages for a client that is away, and has a session.
    queue: VecDeque<Publish>,
    has_session: bool,
    /// Messages that the device has stored before it ended, and has to send again.
    owed: Vec<Publish>,
    last_identifier: u16,
}

/// A client that is connected.
pub(crate) struct Client {
    pub wire: u32,
    clean: bool,
    keep_alive: u64,
    pub last_heard: u64,
    will: Option<mqttbytes::v4::LastWill>,
}

/// What becomes of the connection.
pub(crate) enum Then {
    Go,
    /// The broker closes it.
    Close,
    /// The client has said goodbye.
    Goodbye,
    /// A message came in.
    Heard(Publish),
}

impl Account {
    /// What is retained under this topic.
    pub fn retained(&self, topic: &str) -> Option<&[u8]> {
        self.retained
            .iter()
            .find(|(name, _)| name == topic)
            .map(|(_, payload)| payload.as_slice())
    }

    /// Puts something under a topic, as somebody else's retained message.
    pub fn retain(&mut self, topic: &str, payload: &[u8]) {
        let known = self.retained.iter().position(|(name, _)| name == topic);
        match known {
            Some(at) if payload.is_empty() => drop(self.retained.swap_remove(at)),
            Some(at) => {
                let (_, retained) = &mut self.retained[at];
                retained.clear();
                retained.extend_from_slice(payload);
            }
            None if payload.is_empty() => {}
            None => self.retained.push((topic.to_owned(), payload.to_vec())),
        }
    }

    pub fn is_subscribed(&self) -> bool {
        self.client.is_some() && !self.subscriptions.is_empty()
    }

    pub fn is_in_flight(&self) -> bool {
        !self.in_flight.is_empty()
    }

    /// The device has stored this image of its session.
    pub fn owe(&mut self, image: &[u8]) {
        // Behind its head and before its check, there are packets as on the wire.
        let mut packets = BytesMut::from(&image[6..image.len() - 4]);
        self.owed.clear();
        while !packets.is_empty() {
            match mqttbytes::v4::read(&mut packets, image.len()) {
                Ok(Packet::Publish(publish)) => self.owed.push(publish),
                other => panic!("stored, and not to be sent again: {other:?}"),
            }
        }
        assert!(!self.owed.is_empty(), "stored for nothing");
    }

    /// The device has forgotten what it stored: all of it must be here.
    pub fn owes_nothing(&self) {
        assert!(self.owed.is_empty(), "forgotten too early: {:?}", self.owed);
    }

    /// The broker dies, and forgets what it has not written to disk.
    pub fn crash(&mut self, forget_all: bool) {
        if self.client.take().is_some_and(|client| client.clean) {
            self.end_session();
        }
        if forget_all {
            self.end_session();
            self.retained.clear();
        }
    }

    fn end_session(&mut self) {
        self.has_session = false;
        self.subscriptions.clear();
        self.in_flight.clear();
        self.queue.clear();
    }

    /// The client's connection is over: the broker says its will.
    pub fn lost(&mut self) {
        let Some(client) = self.client.take() else {
            return;
        };
        if let Some(will) = client.will {
            self.retain(&will.topic, &will.message);
        }
        if client.clean {
            self.end_session();
        }
    }

    /// Reads one packet of the client's; what it is answered goes to `out`.
    pub fn receive(
        &mut self,
        packet: Packet,
        wire: u32,
        world: &mut World,
        out: &mut BytesMut,
    ) -> Then {
        if let Some(client) = &mut self.client
            && client.wire == wire
        {
            client.last_heard = world.now;
        } else if !matches!(packet, Packet::Connect(_)) {
            return Then::Close;
        }
        match packet {
            Packet::Connect(connect) => return self.connect(connect, wire, world, out),
            Packet::Subscribe(subscribe) => self.subscribe(subscribe, world, out),
            Packet::Publish(publish) => {
                self.owed
                    .retain(|owed| (owed.pkid, &owed.payload) != (publish.pkid, &publish.payload));
                if publish.qos == QoS::AtLeastOnce {
                    PubAck::new(publish.pkid).write(out).expect("PUBACK");
                }
                if publish.retain {
                    self.retain(&publish.topic, &publish.payload);
                }
                return Then::Heard(publish);
            }
            Packet::PubAck(ack) => self.in_flight.retain(|publish| publish.pkid != ack.pkid),
            Packet::PingReq => {
                PingResp.write(out).expect("PINGRESP");
            }
            Packet::Disconnect => {
                if let Some(client) = &mut self.client {
                    client.will = None;
                }
                self.lost();
                return Then::Goodbye;
            }
            other => panic!("the device sent {other:?}"),
        }
        Then::Go
    }

    fn connect(
        &mut self,
        connect: Connect,
        wire: u32,
        world: &mut World,
        out: &mut BytesMut,
    ) -> Then {
        if world.broker.refusing_until > world.now {
            let code = world.chance.pick(&[
                ConnectReturnCode::ServiceUnavailable,
                ConnectReturnCode::NotAuthorized,
                ConnectReturnCode::BadUserNamePassword,
            ]);
            ConnAck::new(code, false).write(out).expect("CONNACK");
            return Then::Close;
        }
        self.lost();
        let present = !connect.clean_session && self.has_session;
        if !present {
            self.end_session();
            // Who has no session there has nothing to go on with.
            self.owed.clear();
        }
        self.has_session = true;
        ConnAck::new(ConnectReturnCode::Success, present)
            .write(out)
            .expect("CONNACK");
        self.client = Some(Client {
            wire,
            clean: connect.clean_session,
            keep_alive: connect.keep_alive as u64 * 1500,
            last_heard: world.now,
            will: connect.last_will,
        });
        for publish in &mut self.in_flight {
            publish.dup = true;
            publish.write(out).expect("PUBLISH");
        }
        for publish in std::mem::take(&mut self.queue) {
            self.send(publish, out);
        }
        Then::Go
    }

    fn subscribe(&mut self, subscribe: Subscribe, world: &mut World, out: &mut BytesMut) {
        if world.broker.mute_until > world.now {
            return;
        }
        let refused = world.broker.refusing_subscriptions_until > world.now;
        let codes = subscribe.filters.iter().map(|filter| match refused {
            true => SubscribeReasonCode::Failure,
            false => SubscribeReasonCode::Success(filter.qos),
        });
        SubAck::new(subscribe.pkid, codes.collect())
            .write(out)
            .expect("SUBACK");
        if refused {
            return;
        }
        for filter in subscribe.filters {
            self.subscriptions.retain(|(name, _)| *name != filter.path);
            if let Some(payload) = self.retained(&filter.path) {
                let payload = Bytes::copy_from_slice(payload);
                let mut publish = Publish::from_bytes(filter.path.clone(), filter.qos, payload);
                publish.retain = true;
                self.send(publish, out);
            }
            self.subscriptions.push((filter.path, filter.qos));
        }
    }

    /// Passes a message on, if the client has subscribed to its topic; whether it was sent.
    pub fn deliver(
        &mut self,
        topic: &str,
        payload: &Bytes,
        qos: QoS,
        home: u32,
        world: &mut World,
        out: &mut BytesMut,
    ) -> bool {
        let Some((_, granted)) = self.subscriptions.iter().find(|(name, _)| name == topic) else {
            return false;
        };
        let qos = match (*granted, qos) {
            (QoS::AtLeastOnce, QoS::AtLeastOnce) => QoS::AtLeastOnce,
            _ => QoS::AtMostOnce,
        };
        let publish = Publish::from_bytes(topic, qos, payload.clone());
        if self.client.is_none() {
            if qos == QoS::AtLeastOnce && self.queue.len() < 20 {
                self.queue.push_back(publish);
            }
            return false;
        }
        let note = Note::Sent(topic, payload);
        world.trace.add(world.now, home, note);
        self.send(publish, out);
        true
    }

    fn send(&mut self, mut publish: Publish, out: &mut BytesMut) {
        if publish.qos == QoS::AtLeastOnce {
            self.last_identifier = self.last_identifier % u16::MAX + 1;
            publish.pkid = self.last_identifier;
        }
        publish.write(out).expect("PUBLISH");
        if publish.qos == QoS::AtLeastOnce {
            self.in_flight.push_back(publish);
        }
    }

    /// Sends everything again that is in flight, as an impatient broker does.
    pub fn repeat(&mut self, out: &mut BytesMut) {
        for publish in &mut self.in_flight {
            publish.dup = true;
            publish.write(out).expect("PUBLISH");
        }
    }

    /// Looks whether the client was heard of; returns when to look again, if it still is here.
    pub fn expire(&mut self, wire: u32, now: u64) -> Expiry {
        match &self.client {
            Some(client) if client.wire == wire && client.keep_alive > 0 => {
                match client.last_heard + client.keep_alive {
                    at if at > now => Expiry::LookAgain(at),
                    _ => Expiry::Expired,
                }
            }
            _ => Expiry::Gone,
        }
    }
}

pub(crate) enum Expiry {
    LookAgain(u64),
    Expired,
    Gone,
}

impl What {
    /// When the broker first looks whether a client is still there.
    pub const FIRST_EXPIRY: u64 = 90_000;
}
