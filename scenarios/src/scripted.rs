//! A broker that says what a test tells it to: for what no real broker ever sends.
//!
//! It reads the device's packets with a codec that is not ours, and writes bytes as given.

use std::fmt::Write as _;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use bytes::BytesMut;
pub use mqttbytes::v4::Packet;
use mqttbytes::v4::{Connect, SubscribeFilter};
use mqttbytes::{Error, QoS};

use crate::scratch::free_port;

/// CONNACK: accepted, no session present.
pub const CONNACK: [u8; 4] = [0x20, 2, 0, 0];

/// A loopback port where a test plays the broker.
#[derive(Debug)]
pub struct Scripted {
    port: u16,
    listener: TcpListener,
}

impl Scripted {
    /// Listens on a free port.
    pub fn listen() -> Self {
        let port = free_port();
        let listener =
            TcpListener::bind((Ipv4Addr::LOCALHOST, port)).expect("a free port can be bound");
        listener
            .set_nonblocking(true)
            .expect("a listener can be non-blocking");
        Self { port, listener }
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The URL the device is to connect to.
    pub fn url(&self) -> String {
        format!("mqtt://127.0.0.1:{}", self.port)
    }

    /// The next connection of the device; fails when none comes `within` that time.
    pub fn accept(&self, within: Duration) -> Peer {
        let peer = self.next(within);
        peer.unwrap_or_else(|| panic!("the device did not connect within {within:?}"))
    }

    /// The next connection of the device, if one comes `within` that time.
    pub fn next(&self, within: Duration) -> Option<Peer> {
        let deadline = Instant::now() + within;
        loop {
            match self.listener.accept() {
                Ok((stream, _)) => return Some(Peer::new(stream)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    if Instant::now() >= deadline {
                        return None;
                    }
                    thread::sleep(Duration::from_millis(2));
                }
                Err(error) => panic!("the scripted broker cannot accept: {error}"),
            }
        }
    }

    /// Accepts the next connection and leads it to where it can be used: see [`Peer::welcome`].
    pub fn welcome(&self, id: &str, within: Duration) -> (Peer, Connect) {
        let mut peer = self.accept(within);
        let connect = peer.welcome(id);
        (peer, connect)
    }
}

/// What came, or did not come, from the device.
#[derive(Debug, Clone, PartialEq)]
pub enum Heard {
    /// A whole packet.
    Packet(Packet),
    /// The device closed the connection.
    Closed,
    /// Nothing, in the time given.
    Nothing,
}

/// One connection of the device.
#[derive(Debug)]
pub struct Peer {
    stream: TcpStream,
    received: BytesMut,
    heard: Vec<(Instant, Packet)>,
    accepted: Instant,
}

impl Peer {
    /// How long each step of a greeting may take the device.
    const STEP: Duration = Duration::from_secs(5);

    fn new(stream: TcpStream) -> Self {
        stream
            .set_nonblocking(false)
            .and_then(|()| stream.set_nodelay(true))
            .expect("an accepted stream can be set up");
        Self {
            stream,
            received: BytesMut::new(),
            heard: Vec::new(),
            accepted: Instant::now(),
        }
    }

    /// Sends bytes as they are. A device that has gone away meanwhile is no failure here: what is heard
    /// next says so.
    pub fn send(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
    }

    /// The next whole packet, for at most this long.
    pub fn hear(&mut self, within: Duration) -> Heard {
        let deadline = Instant::now() + within;
        loop {
            let received = self.received.clone();
            match mqttbytes::v4::read(&mut self.received, 1024 * 1024) {
                Ok(packet) => {
                    self.heard.push((Instant::now(), packet.clone()));
                    return Heard::Packet(packet);
                }
                Err(Error::InsufficientBytes(_)) => {}
                Err(error) => panic!(
                    "the device sent no packet of MQTT 3.1.1 ({error:?}): {:02x?}",
                    &received[..]
                ),
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Heard::Nothing;
            }
            self.stream
                .set_read_timeout(Some(left))
                .expect("the time left is not zero");
            let mut buffer = [0; 4096];
            match self.stream.read(&mut buffer) {
                Ok(0) => return Heard::Closed,
                Ok(length) => self.received.extend_from_slice(&buffer[..length]),
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(_) => return Heard::Closed,
            }
        }
    }

    /// The CONNECT with which the device begins.
    pub fn connect(&mut self) -> Connect {
        match self.hear(Self::STEP) {
            Heard::Packet(Packet::Connect(connect)) => connect,
            other => panic!("expected CONNECT, got {other:?}"),
        }
    }

    /// Answers CONNECT, and everything after it, until the device has its subscription to `id`.
    pub fn welcome(&mut self, id: &str) -> Connect {
        let connect = self.connect();
        self.send(&CONNACK);
        let subscribed = self.serve(Self::STEP, |packet| {
            matches!(packet, Packet::Subscribe(s) if s.filters.iter().any(|f| f.path == id))
        });
        assert!(
            matches!(subscribed, Heard::Packet(_)),
            "expected a SUBSCRIBE to `{id}`, got {subscribed:?} and before it {}",
            self.report()
        );
        connect
    }

    /// Does a broker's duty (SUBACK, UNSUBACK, PUBACK, PINGRESP) until a packet comes for which `wanted` holds.
    /// That one has been answered too. [`Heard::Closed`] when the device closed the connection first,
    /// [`Heard::Nothing`] when the time was over.
    pub fn serve(&mut self, within: Duration, mut wanted: impl FnMut(&Packet) -> bool) -> Heard {
        let deadline = Instant::now() + within;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.hear(left) {
                Heard::Packet(packet) => {
                    let answer = duty(&packet);
                    self.send(&answer);
                    if wanted(&packet) {
                        return Heard::Packet(packet);
                    }
                }
                other => return other,
            }
        }
    }

    /// Sends a packet in two parts with a pause between, in which nothing else is sent: what the device says
    /// meanwhile is answered after it, and returned.
    pub fn send_in_two(&mut self, first: &[u8], pause: Duration, rest: &[u8]) -> Vec<Packet> {
        self.send(first);
        let deadline = Instant::now() + pause;
        let mut meanwhile = Vec::new();
        while let Heard::Packet(packet) =
            self.hear(deadline.saturating_duration_since(Instant::now()))
        {
            meanwhile.push(packet);
        }
        self.send(rest);
        for packet in &meanwhile {
            self.send(&duty(packet));
        }
        meanwhile
    }

    /// Waits until the device closes the connection; does a broker's duty meanwhile.
    pub fn closes(&mut self, within: Duration) -> bool {
        self.serve(within, |_| false) == Heard::Closed
    }

    /// Every packet heard on this connection, with the moment it was whole.
    pub fn heard(&self) -> &[(Instant, Packet)] {
        &self.heard
    }

    /// Everything it has been asked to subscribe to.
    pub fn subscriptions(&self) -> Vec<SubscribeFilter> {
        self.heard
            .iter()
            .filter_map(|(_, packet)| match packet {
                Packet::Subscribe(subscribe) => Some(subscribe.filters.clone()),
                _ => None,
            })
            .flatten()
            .collect()
    }

    /// Everything heard, as text for a failure.
    pub fn report(&self) -> String {
        let mut report = String::new();
        for (at, packet) in &self.heard {
            let at = at.saturating_duration_since(self.accepted);
            let _ = writeln!(report, "{:8.3}  {packet:?}", at.as_secs_f64());
        }
        report
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("---- the scripted broker heard (seconds since it accepted):");
            eprint!("{}", self.report());
        }
    }
}

/// What an honest broker sends back.
fn duty(packet: &Packet) -> Vec<u8> {
    match packet {
        Packet::Subscribe(subscribe) => {
            let mut body = subscribe.pkid.to_be_bytes().to_vec();
            body.extend(subscribe.filters.iter().map(|filter| filter.qos as u8));
            frame(0x90, &body)
        }
        Packet::Unsubscribe(unsubscribe) => frame(0xb0, &unsubscribe.pkid.to_be_bytes()),
        Packet::Publish(publish) if publish.qos == QoS::AtLeastOnce => {
            frame(0x40, &publish.pkid.to_be_bytes())
        }
        Packet::PingReq => frame(0xd0, &[]),
        _ => Vec::new(),
    }
}

/// A packet: this first byte, the length of the rest, the rest (MQTT 3.1.1, section 2.2).
pub fn frame(first: u8, rest: &[u8]) -> Vec<u8> {
    let mut packet = vec![first];
    let mut length = rest.len();
    loop {
        let digit = u8::try_from(length % 128).expect("less than 128");
        length /= 128;
        packet.push(if length > 0 { digit | 0x80 } else { digit });
        if length == 0 {
            break;
        }
    }
    packet.extend_from_slice(rest);
    packet
}

/// A PUBLISH at QoS 0, or at QoS 1 with this packet identifier (section 3.3).
pub fn publish(topic: &[u8], id: Option<u16>, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(topic.len()).expect("a topic has 65,535 bytes at most");
    let mut rest = length.to_be_bytes().to_vec();
    rest.extend_from_slice(topic);
    if let Some(id) = id {
        rest.extend_from_slice(&id.to_be_bytes());
    }
    rest.extend_from_slice(payload);
    frame(if id.is_some() { 0x32 } else { 0x30 }, &rest)
}
