//! A client of a broker that sees the bytes as they come: as much of MQTT 3.1.1 as these tests need.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// No answer takes as long.
const LIMIT: Duration = Duration::from_secs(10);

pub struct Mqtt {
    socket: TcpStream,
    /// All that came.
    pub heard: Vec<u8>,
}

impl Mqtt {
    /// Connects to a broker, and hears what is published on the topics of this filter.
    pub fn listen(broker: &str, filter: &str) -> Self {
        let door = broker.strip_prefix("mqtt://").unwrap();
        let socket = TcpStream::connect(door).unwrap();
        socket.set_nodelay(true).unwrap();
        let mut mqtt = Mqtt {
            socket,
            heard: Vec::new(),
        };
        mqtt.send(0x10, &[&[0, 4], b"MQTT", &[4, 2, 0, 0], &text("listener")]);
        mqtt.hear(|heard| heard.starts_with(&[0x20]) && heard.len() >= 4);
        mqtt.send(0x82, &[&[0, 1], &text(filter), &[0]]);
        mqtt.hear(|heard| heard.contains(&0x90));
        mqtt
    }

    pub fn publish(&mut self, topic: &str, payload: &str) {
        self.send(0x30, &[&text(topic), payload.as_bytes()]);
    }

    /// Publishes, and says how long it takes until `answer` is heard.
    pub fn ask(&mut self, topic: &str, payload: &str, answer: &str) -> Duration {
        self.heard.clear();
        let asked = Instant::now();
        self.publish(topic, payload);
        self.hear(|heard| find(heard, answer));
        asked.elapsed()
    }

    /// Reads until this is so.
    pub fn hear(&mut self, is_it: impl Fn(&[u8]) -> bool) {
        let deadline = Instant::now() + LIMIT;
        while !is_it(&self.heard) {
            assert!(Instant::now() < deadline, "{:?}", self.heard);
            self.read(LIMIT);
        }
    }

    /// Reads what is there already.
    pub fn hear_rest(&mut self) {
        while self.read(Duration::from_millis(100)) {}
    }

    /// Whether anything came in this time.
    fn read(&mut self, patience: Duration) -> bool {
        self.socket.set_read_timeout(Some(patience)).unwrap();
        let mut buffer = [0; 4096];
        match self.socket.read(&mut buffer) {
            Ok(count) => {
                self.heard.extend(&buffer[..count]);
                count > 0
            }
            Err(error) if [ErrorKind::WouldBlock, ErrorKind::TimedOut].contains(&error.kind()) => {
                false
            }
            Err(error) => panic!("{error}"),
        }
    }

    fn send(&mut self, kind: u8, parts: &[&[u8]]) {
        let body = parts.concat();
        let length = u8::try_from(body.len()).ok().filter(|it| *it < 128);
        let mut packet = vec![kind, length.expect("a short packet")];
        packet.extend(body);
        self.socket.write_all(&packet).unwrap();
    }
}

fn text(text: &str) -> Vec<u8> {
    let length = u16::try_from(text.len()).unwrap();
    [&length.to_be_bytes(), text.as_bytes()].concat()
}

/// Whether this text is among the bytes.
pub fn find(bytes: &[u8], text: &str) -> bool {
    bytes
        .windows(text.len())
        .any(|window| window == text.as_bytes())
}
