//! A broker of one client: it remembers the session over connections, sends again what was not
//! acknowledged, and counts what it was given.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::BytesMut;
use mqttbytes::v4::{
    ConnAck, ConnectReturnCode, Packet, PubAck, PubComp, PubRec, PubRel, Publish, SubAck,
    SubscribeReasonCode, UnsubAck,
};
use mqttbytes::{Error, QoS, v4};

#[derive(Default)]
pub struct Broker {
    input: BytesMut,
    output: VecDeque<u8>,
    session: bool,
    /// Messages to the client that were not acknowledged: the PUBLISH, or its PUBREL.
    in_flight: BTreeMap<u16, Packet>,
    /// Identifiers of the client's messages of QoS 2 that were not released.
    received: BTreeSet<u16>,
    /// Sent to the client when it subscribes.
    pub retained: Vec<Publish>,
    /// Filters that are refused.
    pub refused: Vec<String>,
    /// Every packet the client sent.
    pub packets: Vec<Packet>,
    /// Every byte the client sent.
    pub bytes: Vec<u8>,
    /// Messages the client published, as subscribers would see them.
    pub published: Vec<(String, Vec<u8>)>,
    /// The client said DISCONNECT.
    pub left: bool,
}

impl Broker {
    /// A new connection.
    pub fn accept(&mut self) {
        self.input.clear();
        self.output.clear();
        self.left = false;
    }

    /// Whether there are bytes for the client.
    pub fn has_output(&self) -> bool {
        !self.output.is_empty()
    }

    pub fn read(&mut self, buffer: &mut [u8]) -> usize {
        let count = buffer.len().min(self.output.len());
        for (to, from) in buffer.iter_mut().zip(self.output.drain(..count)) {
            *to = from;
        }
        count
    }

    pub fn write(&mut self, bytes: &[u8]) {
        self.bytes.extend(bytes);
        self.input.extend_from_slice(bytes);
        loop {
            match v4::read(&mut self.input, usize::MAX) {
                Ok(packet) => {
                    self.packets.push(packet.clone());
                    self.handle(packet);
                }
                Err(Error::InsufficientBytes(_)) => return,
                Err(error) => panic!("the client sent {error:?} in {:02x?}", self.bytes),
            }
        }
    }

    /// Sends a message to the client.
    pub fn send_message(&mut self, publish: Publish) {
        if publish.qos != QoS::AtMostOnce {
            self.in_flight
                .insert(publish.pkid, Packet::Publish(publish.clone()));
        }
        self.send(Packet::Publish(publish));
    }

    fn send(&mut self, packet: Packet) {
        self.output.extend(super::encode(&packet));
    }

    fn handle(&mut self, packet: Packet) {
        match packet {
            Packet::Connect(connect) => {
                if connect.clean_session {
                    self.session = false;
                    self.in_flight.clear();
                    self.received.clear();
                }
                let present = std::mem::replace(&mut self.session, !connect.clean_session);
                self.send(Packet::ConnAck(ConnAck::new(
                    ConnectReturnCode::Success,
                    present,
                )));
                for packet in self.in_flight.values().cloned().collect::<Vec<_>>() {
                    self.send(match packet {
                        Packet::Publish(publish) => Packet::Publish(Publish {
                            dup: true,
                            ..publish
                        }),
                        other => other,
                    });
                }
            }
            Packet::Subscribe(subscribe) => {
                // Retained messages may come before SUBACK [MQTT-3.8.4-1].
                for publish in self.retained.clone() {
                    self.send_message(publish);
                }
                let codes = subscribe
                    .filters
                    .iter()
                    .map(|filter| match self.refused.contains(&filter.path) {
                        true => SubscribeReasonCode::Failure,
                        false => SubscribeReasonCode::Success(filter.qos),
                    })
                    .collect();
                self.send(Packet::SubAck(SubAck::new(subscribe.pkid, codes)));
            }
            Packet::Unsubscribe(unsubscribe) => {
                self.send(Packet::UnsubAck(UnsubAck::new(unsubscribe.pkid)));
            }
            Packet::Publish(publish) => {
                let new = publish.qos != QoS::ExactlyOnce || self.received.insert(publish.pkid);
                if new {
                    self.published
                        .push((publish.topic.clone(), publish.payload.to_vec()));
                }
                match publish.qos {
                    QoS::AtMostOnce => {}
                    QoS::AtLeastOnce => self.send(Packet::PubAck(PubAck::new(publish.pkid))),
                    QoS::ExactlyOnce => self.send(Packet::PubRec(PubRec::new(publish.pkid))),
                }
            }
            Packet::PubRel(pubrel) => {
                self.received.remove(&pubrel.pkid);
                self.send(Packet::PubComp(PubComp::new(pubrel.pkid)));
            }
            Packet::PubAck(puback) => {
                self.in_flight.remove(&puback.pkid);
            }
            Packet::PubRec(pubrec) => {
                let pubrel = Packet::PubRel(PubRel::new(pubrec.pkid));
                self.in_flight.insert(pubrec.pkid, pubrel.clone());
                self.send(pubrel);
            }
            Packet::PubComp(pubcomp) => {
                self.in_flight.remove(&pubcomp.pkid);
            }
            Packet::PingReq => self.send(Packet::PingResp),
            Packet::Disconnect => self.left = true,
            other => panic!("no client sends {other:?}"),
        }
    }

    /// Whether nothing is left to be acknowledged, on either side.
    pub fn is_settled(&self) -> bool {
        self.in_flight.is_empty() && self.received.is_empty()
    }
}
