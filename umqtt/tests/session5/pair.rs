//! A session and a hand-written server at the other end, in virtual time.

use std::collections::VecDeque;

use bytes::BytesMut;
use mqttbytes::v5::{self, Packet};
use umqtt::{
    Answer, Connect, Error, Event, Instant, Properties, Publish, ReasonCode, Session, Version,
};

/// An [`Event`] that borrows nothing; properties as they are shown for debugging.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    Connected(bool, Vec<String>),
    Message(Heard),
    /// Offset, total, and a message of which the payload is this part.
    Chunk(usize, usize, Heard),
    TooLarge(Option<String>, usize),
    Published(u16, u8, Vec<String>),
    Subscribed(u16, Vec<u8>, Vec<String>),
    Unsubscribed(u16, Vec<u8>, Vec<String>),
    Pong,
    Authentication(u8, Vec<String>),
}

/// A message that was received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    pub topic: String,
    pub payload: Vec<u8>,
    pub qos: u8,
    pub retain: bool,
    pub dup: bool,
    pub properties: Vec<String>,
}

impl Seen {
    /// A message that is neither retained nor repeated, without properties.
    pub fn message(topic: &str, payload: &[u8], qos: u8) -> Self {
        Seen::Message(Heard {
            topic: topic.into(),
            payload: payload.into(),
            qos,
            retain: false,
            dup: false,
            properties: vec![],
        })
    }

    /// A message or request that was taken as it was sent.
    pub fn published(identifier: u16) -> Self {
        Seen::Published(identifier, 0, vec![])
    }
}

pub fn shown(properties: Properties<'_>) -> Vec<String> {
    properties
        .iter()
        .map(|property| format!("{property:?}"))
        .collect()
}

fn heard(message: umqtt::Message<'_>) -> Heard {
    Heard {
        topic: message.topic.as_str().into(),
        payload: message.payload.into(),
        qos: message.qos as u8,
        retain: message.retain,
        dup: message.dup,
        properties: shown(message.properties),
    }
}

impl From<Event<'_>> for Seen {
    fn from(event: Event<'_>) -> Self {
        let answer = |answer: Answer<'_>| (answer.reason.0, shown(answer.properties));
        match event {
            Event::Connected {
                session_present,
                properties,
            } => Seen::Connected(session_present, shown(properties)),
            Event::Message(message) => Seen::Message(heard(message)),
            Event::Chunk(chunk) => {
                let heard = heard(chunk.message);
                let end = chunk.offset + heard.payload.len();
                assert_eq!(chunk.is_last(), end == chunk.total);
                Seen::Chunk(chunk.offset, chunk.total, heard)
            }
            Event::TooLarge { topic, length } => {
                Seen::TooLarge(topic.map(|topic| topic.as_str().into()), length)
            }
            Event::Published(identifier, given) => {
                let (reason, properties) = answer(given);
                Seen::Published(identifier.value(), reason, properties)
            }
            Event::Subscribed(identifier, codes) => Seen::Subscribed(
                identifier.value(),
                codes.iter().map(|code| code.0).collect(),
                shown(codes.properties),
            ),
            Event::Unsubscribed(identifier, codes) => Seen::Unsubscribed(
                identifier.value(),
                codes.iter().map(|code| code.0).collect(),
                shown(codes.properties),
            ),
            Event::Pong => Seen::Pong,
            Event::Authentication(given) => {
                let (reason, properties) = answer(given);
                Seen::Authentication(reason, properties)
            }
            other => panic!("{other:?}"),
        }
    }
}

pub struct Pair {
    pub session: Session<'static>,
    pub now: Instant,
    /// Bytes that one `received` hands in at most.
    pub chunk: usize,
    sent: Vec<u8>,
    incoming: VecDeque<u8>,
}

/// A test's memory ends with the test.
pub fn leak(size: usize) -> &'static mut [u8] {
    Box::leak(vec![0; size].into_boxed_slice())
}

/// A clean session of MQTT 5.
pub fn clean() -> Connect<'static> {
    Connect {
        version: Version::V5,
        ..Connect::new("a")
    }
}

/// A session of MQTT 5 that is kept.
pub fn kept() -> Connect<'static> {
    Connect {
        clean_session: false,
        ..clean()
    }
}

impl Pair {
    /// Not connected, with buffers of these sizes.
    pub fn new(receive: usize, send: usize) -> Self {
        Pair {
            session: Session::new(leak(receive), leak(send)),
            now: Instant::from_millis(1_000_000),
            chunk: usize::MAX,
            sent: Vec::new(),
            incoming: VecDeque::new(),
        }
    }

    /// Connected with a clean session.
    pub fn connected(receive: usize, send: usize) -> Self {
        Pair::accepted(receive, send, &clean(), &[])
    }

    /// Connected, and the CONNACK has these properties.
    #[track_caller]
    pub fn accepted(receive: usize, send: usize, connect: &Connect<'_>, properties: &[u8]) -> Self {
        let mut pair = Pair::new(receive, send);
        pair.reconnect(connect, false, properties);
        pair
    }

    /// Connects, drops what was on its way, and has the server accept. Nothing more is transmitted.
    #[track_caller]
    pub fn reconnect(&mut self, connect: &Connect<'_>, session_present: bool, properties: &[u8]) {
        self.incoming.clear();
        self.sent.clear();
        self.session.connect(connect, self.now).expect("CONNECT");
        self.transmit();
        self.sent.clear();
        self.receive(&connack(session_present, 0, properties));
        match self.poll() {
            Ok(Some(Seen::Connected(present, _))) => assert_eq!(present, session_present),
            other => panic!("{other:?}"),
        }
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

    /// Transmits the next so many bytes.
    pub fn send(&mut self, count: usize) {
        self.sent.extend(&self.session.transmit()[..count]);
        self.session.transmitted(count, self.now);
    }

    /// Everything transmitted since the last look.
    pub fn bytes(&mut self) -> Vec<u8> {
        self.transmit();
        std::mem::take(&mut self.sent)
    }

    /// Everything transmitted since the last look, decoded.
    #[track_caller]
    pub fn packets(&mut self) -> Vec<Packet> {
        decode(&self.bytes())
    }

    /// Queues a message that there is room for.
    #[track_caller]
    pub fn publish(&mut self, publish: Publish<'_>) -> u16 {
        let identifier = self.session.publish(&publish).expect("room");
        identifier.map_or(0, |identifier| identifier.value())
    }
}

/// The packets these bytes hold, as `mqttbytes` reads them.
#[track_caller]
pub fn decode(bytes: &[u8]) -> Vec<Packet> {
    let mut stream = BytesMut::from(bytes);
    let mut packets = Vec::new();
    while !stream.is_empty() {
        packets.push(v5::read(&mut stream, usize::MAX).expect("whole, valid packets"));
    }
    packets
}

/// Any packet as raw bytes.
pub fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    [&[first][..], &varint(body.len()), body].concat()
}

/// A variable byte integer (section 1.5.5).
pub fn varint(mut value: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let more = value > 0x7f;
        bytes.push((value & 0x7f) as u8 | (more as u8) << 7);
        value >>= 7;
        if !more {
            return bytes;
        }
    }
}

/// A string or binary data, its length first.
pub fn field(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u16).to_be_bytes(), bytes].concat()
}

/// A block of properties, its length first.
pub fn block(properties: &[u8]) -> Vec<u8> {
    [&varint(properties.len())[..], properties].concat()
}

pub fn connack(session_present: bool, reason: u8, properties: &[u8]) -> Vec<u8> {
    let head = [session_present as u8, reason];
    packet(0x20, &[&head[..], &block(properties)].concat())
}

/// A PUBLISH as raw bytes.
pub fn publish_bytes(
    flags: u8,
    topic: &[u8],
    identifier: Option<u16>,
    properties: &[u8],
    payload: &[u8],
) -> Vec<u8> {
    let mut body = field(topic);
    body.extend(identifier.into_iter().flat_map(u16::to_be_bytes));
    body.extend(block(properties));
    body.extend(payload);
    packet(0x30 | flags, &body)
}

/// PUBACK and its like without a reason.
pub fn ack(first: u8, identifier: u16) -> Vec<u8> {
    packet(first, &identifier.to_be_bytes())
}

/// PUBACK and its like with a reason.
pub fn ack_with(first: u8, identifier: u16, reason: u8) -> Vec<u8> {
    let [high, low] = identifier.to_be_bytes();
    packet(first, &[high, low, reason])
}

/// The DISCONNECT that tells the server what it did wrong.
pub fn farewell(reason: ReasonCode) -> Vec<u8> {
    vec![0xe0, 1, reason.0]
}
