//! From a command to its answer, over a real broker: the device against the least a program can do.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use crate::broker::Mosquitto;
use crate::scripted::{frame, publish};

/// How long a single answer may take.
const ANSWERS_WITHIN: Duration = Duration::from_secs(5);
/// How many commands are sent to the one before it is the other's turn, so that both see the same machine.
const TURN: usize = 100;
/// Between two commands: what follows an answer (states, acknowledgements) is not part of the next one's time. Far
/// less than the 40 ms of a delayed acknowledgement, which would be.
const PAUSE: Duration = Duration::from_millis(1);

/// How long answers took, in order of their length.
#[derive(Debug, Clone)]
pub struct Times(Vec<Duration>);

impl Times {
    /// The time within which this share (0 to 100) of all answers came.
    pub fn percentile(&self, percent: usize) -> Duration {
        let last = self.0.len().saturating_sub(1);
        self.0
            .get(last * percent / 100)
            .copied()
            .expect("at least one answer was measured")
    }
}

/// What two parties took through the same broker.
#[derive(Debug, Clone)]
pub struct Comparison {
    /// The device.
    pub device: Times,
    /// A program that does nothing but echo: hand-written packets on a socket, `TCP_NODELAY`, one write each.
    pub echo: Times,
}

impl Comparison {
    /// The device's median over the echo's: 1.0 is as fast as can be.
    pub fn ratio(&self) -> f64 {
        self.device.percentile(50).as_secs_f64() / self.echo.percentile(50).as_secs_f64()
    }
}

/// Sends `rounds` commands to the device with this id, and as many to an echo, in turns.
pub fn compare(broker: &Mosquitto, id: &str, rounds: usize) -> Comparison {
    const ECHO: &str = "00000000";
    echo(broker, ECHO);
    let mut to_device = Commander::new(broker, id);
    let mut to_echo = Commander::new(broker, ECHO);
    let mut comparison = Comparison {
        device: Times(Vec::with_capacity(rounds)),
        echo: Times(Vec::with_capacity(rounds)),
    };
    // One turn each to warm up.
    for _ in 0..TURN {
        to_device.round_trip();
        to_echo.round_trip();
    }
    while comparison.device.0.len() < rounds {
        let turn = TURN.min(rounds - comparison.device.0.len());
        let times = (0..turn).map(|_| to_device.round_trip());
        comparison.device.0.extend(times);
        let times = (0..turn).map(|_| to_echo.round_trip());
        comparison.echo.0.extend(times);
    }
    comparison.device.0.sort_unstable();
    comparison.echo.0.sort_unstable();
    comparison
}

/// Answers each message on `id` with one on `<id>After`, on a thread that ends with its connection.
fn echo(broker: &Mosquitto, id: &str) {
    let mut stream = Stream::connect(broker, "echo");
    stream.subscribe(id);
    let answer = publish(format!("{id}After").as_bytes(), None, b"on-1");
    thread::spawn(move || {
        while let Some((first, _)) = stream.packet() {
            if first & 0xf0 == 0x30 && stream.socket.write_all(&answer).is_err() {
                return;
            }
        }
    });
}

/// One who sends commands and waits for their answers.
struct Commander {
    stream: Stream,
    command: Vec<u8>,
}

impl Commander {
    fn new(broker: &Mosquitto, id: &str) -> Self {
        let mut stream = Stream::connect(broker, &format!("to-{id}"));
        stream.subscribe(&format!("{id}After"));
        stream
            .socket
            .set_read_timeout(Some(ANSWERS_WITHIN))
            .expect("a time-out can be set");
        Self {
            stream,
            command: publish(id.as_bytes(), None, b"toggle"),
        }
    }

    fn round_trip(&mut self) -> Duration {
        thread::sleep(PAUSE);
        let started = Instant::now();
        self.stream
            .socket
            .write_all(&self.command)
            .expect("the broker takes a command");
        loop {
            let (first, body) = self
                .stream
                .packet()
                .unwrap_or_else(|| panic!("no answer within {ANSWERS_WITHIN:?}"));
            // Heartbeats are answers to nothing.
            if first & 0xf0 == 0x30 && body.windows(3).any(|bytes| bytes == b"on-") {
                return started.elapsed();
            }
        }
    }
}

/// A connection to the broker, with no more between than a buffer.
struct Stream {
    socket: TcpStream,
    buffer: Vec<u8>,
}

impl Stream {
    fn connect(broker: &Mosquitto, client_id: &str) -> Self {
        let socket =
            TcpStream::connect((Ipv4Addr::LOCALHOST, broker.port())).expect("the broker accepts");
        socket.set_nodelay(true).expect("TCP_NODELAY can be set");
        let mut stream = Self {
            socket,
            buffer: Vec::new(),
        };
        // No keep-alive: a measurement may take longer than any.
        let mut connect = b"\x00\x04MQTT\x04\x02\x00\x00\x00".to_vec();
        connect.push(u8::try_from(client_id.len()).expect("a short client id"));
        connect.extend_from_slice(client_id.as_bytes());
        stream.send(&frame(0x10, &connect));
        assert_eq!(stream.packet(), Some((0x20, vec![0, 0])), "CONNACK");
        stream
    }

    fn subscribe(&mut self, topic: &str) {
        let mut subscribe = vec![0, 1, 0];
        subscribe.push(u8::try_from(topic.len()).expect("a short topic"));
        subscribe.extend_from_slice(topic.as_bytes());
        subscribe.push(0);
        self.send(&frame(0x82, &subscribe));
        assert_eq!(self.packet(), Some((0x90, vec![0, 1, 0])), "SUBACK");
    }

    fn send(&mut self, bytes: &[u8]) {
        self.socket.write_all(bytes).expect("the broker reads");
    }

    /// The next packet: its first byte, and what follows its length (always less than 128 here). `None` at
    /// the end of the connection, or of the patience set for it.
    fn packet(&mut self) -> Option<(u8, Vec<u8>)> {
        loop {
            if let [first, length, rest @ ..] = &self.buffer[..]
                && let Some(body) = rest.get(..usize::from(*length))
            {
                let packet = (*first, body.to_vec());
                self.buffer.drain(..2 + packet.1.len());
                return Some(packet);
            }
            let mut bytes = [0; 1024];
            match self.socket.read(&mut bytes) {
                Ok(0) | Err(_) => return None,
                Ok(length) => self.buffer.extend_from_slice(&bytes[..length]),
            }
        }
    }
}
