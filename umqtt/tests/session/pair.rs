//! A session and a hand-written server at the other end, in virtual time.

use std::collections::VecDeque;

use mqttbytes::v4::Packet;
use umqtt::{Connect, Error, Event, Instant, PacketIdentifier, Publish, Session};

use crate::common;

/// An [`Event`] that borrows nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    Connected(bool),
    Message(Heard),
    TooLarge(Option<String>, usize),
    Published(u16),
    /// The granted QoS, or 0x80.
    Subscribed(u16, Vec<u8>),
    Unsubscribed(u16),
    Pong,
}

/// A message that was received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    pub topic: String,
    pub payload: Vec<u8>,
    pub qos: u8,
    pub retain: bool,
    pub dup: bool,
}

impl Seen {
    /// A message that is neither retained nor repeated.
    pub fn message(topic: &str, payload: &[u8], qos: u8) -> Self {
        Seen::Message(Heard {
            topic: topic.into(),
            payload: payload.into(),
            qos,
            retain: false,
            dup: false,
        })
    }
}

impl From<Event<'_>> for Seen {
    fn from(event: Event<'_>) -> Self {
        match event {
            Event::Connected {
                session_present, ..
            } => Seen::Connected(session_present),
            Event::Message(message) => Seen::Message(Heard {
                topic: message.topic.as_str().into(),
                payload: message.payload.into(),
                qos: message.qos as u8,
                retain: message.retain,
                dup: message.dup,
            }),
            Event::TooLarge { topic, length } => {
                Seen::TooLarge(topic.map(|topic| topic.as_str().into()), length)
            }
            Event::Published(identifier, answer) => {
                assert_eq!(answer.reason, umqtt::ReasonCode::SUCCESS);
                Seen::Published(identifier.value())
            }
            Event::Subscribed(identifier, codes) => Seen::Subscribed(
                identifier.value(),
                codes.iter().map(|code| code.0).collect(),
            ),
            Event::Unsubscribed(identifier, _) => Seen::Unsubscribed(identifier.value()),
            Event::Pong => Seen::Pong,
            other => panic!("{other:?}"),
        }
    }
}

pub struct Pair {
    pub session: Session<'static>,
    pub now: Instant,
    /// Bytes that one `received` hands in at most.
    pub chunk: usize,
    /// What the session transmitted and nobody has looked at.
    sent: Vec<u8>,
    /// What the server sent and the session has not received.
    incoming: VecDeque<u8>,
}

impl Pair {
    /// Not connected, with buffers of these sizes.
    pub fn new(receive: usize, send: usize) -> Self {
        // A test's memory ends with the test.
        let leak = |size| Box::leak(vec![0; size].into_boxed_slice());
        Pair {
            session: Session::new(leak(receive), leak(send)),
            now: Instant::from_millis(1_000_000),
            chunk: usize::MAX,
            sent: Vec::new(),
            incoming: VecDeque::new(),
        }
    }

    /// Connected with a clean session and the defaults of [`Connect::new`].
    pub fn connected(receive: usize, send: usize) -> Self {
        let mut pair = Pair::new(receive, send);
        pair.reconnect(&Connect::new("a"), false);
        pair
    }

    /// Connects, drops what was on its way, and has the server accept. Nothing more is transmitted.
    #[track_caller]
    pub fn reconnect(&mut self, connect: &Connect<'_>, session_present: bool) {
        self.incoming.clear();
        self.sent.clear();
        self.session.connect(connect, self.now).expect("CONNECT");
        assert!(matches!(self.packets()[..], [Packet::Connect(_)]));
        self.receive(&[0x20, 2, session_present as u8, 0]);
        assert_eq!(self.poll(), Ok(Some(Seen::Connected(session_present))));
    }

    pub fn advance(&mut self, milliseconds: u64) {
        self.now = self.now.after(milliseconds);
    }

    pub fn poll(&mut self) -> Result<Option<Seen>, Error> {
        let event = self.session.poll(self.now)?;
        Ok(event.map(Seen::from))
    }

    /// Hands in one piece of bytes without polling.
    #[track_caller]
    pub fn receive(&mut self, bytes: &[u8]) {
        self.session.receive_buffer()[..bytes.len()].copy_from_slice(bytes);
        self.session.received(bytes.len(), self.now);
    }

    /// The server sends these bytes; the session does all it can. Returns what it told.
    #[track_caller]
    pub fn exchange(&mut self, bytes: &[u8]) -> Result<Vec<Seen>, Error> {
        self.incoming.extend(bytes);
        let mut events = Vec::new();
        loop {
            while let Some(event) = self.poll()? {
                events.push(event);
            }
            if !self.session.transmit().is_empty() {
                self.transmit();
                continue;
            }
            if self.incoming.is_empty() || self.session.is_closed() {
                return Ok(events);
            }
            let buffer = self.session.receive_buffer();
            assert!(!buffer.is_empty(), "nothing to send and no room to receive");
            let count = buffer.len().min(self.incoming.len()).min(self.chunk);
            for (to, from) in buffer.iter_mut().zip(self.incoming.drain(..count)) {
                *to = from;
            }
            self.session.received(count, self.now);
        }
    }

    /// Transmits all there is.
    pub fn transmit(&mut self) {
        while !self.session.transmit().is_empty() {
            let bytes = self.session.transmit();
            self.sent.extend(bytes);
            let count = bytes.len();
            self.session.transmitted(count, self.now);
        }
    }

    /// Everything transmitted since the last look.
    pub fn bytes(&mut self) -> Vec<u8> {
        self.transmit();
        std::mem::take(&mut self.sent)
    }

    /// Everything transmitted since the last look, decoded.
    #[track_caller]
    pub fn packets(&mut self) -> Vec<Packet> {
        common::decode(&self.bytes())
    }

    /// Queues a message that there is room for.
    #[track_caller]
    pub fn publish(&mut self, publish: Publish<'_>) -> Option<u16> {
        let identifier = self.session.publish(&publish).expect("room");
        identifier.map(PacketIdentifier::value)
    }
}

/// A PUBLISH as raw bytes.
pub fn publish_bytes(flags: u8, topic: &[u8], identifier: Option<u16>, payload: &[u8]) -> Vec<u8> {
    let mut body = (topic.len() as u16).to_be_bytes().to_vec();
    body.extend(topic);
    body.extend(identifier.into_iter().flat_map(u16::to_be_bytes));
    body.extend(payload);
    packet(0x30 | flags, &body)
}

/// Any packet as raw bytes.
pub fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    let mut rest = body.len();
    loop {
        bytes.push((rest & 0x7f) as u8 | if rest > 0x7f { 0x80 } else { 0 });
        rest >>= 7;
        if rest == 0 {
            break;
        }
    }
    bytes.extend(body);
    bytes
}

/// PUBACK and its like, as raw bytes.
pub fn ack(first: u8, identifier: u16) -> Vec<u8> {
    packet(first, &identifier.to_be_bytes())
}
