//! The server of the benchmark: `responder WORK COUNT WINDOW` prints the port it listens on, serves one
//! client, in MQTT 3.1.1 or 5 as that asks for, and ends. It answers by rote and as fast as it can:
//! what it costs is not measured.
//!
//! At the end it prints the nanoseconds from CONNACK to the last message, how many messages came, and the nanoseconds that half of the replies, and 99 of 100, took at most.
//!
//! Acknowledgements leave `WINDOW` at a time, so that a run does not depend on who was faster.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::exit;
use std::thread;
use std::time::{Duration, Instant};

use harness::{COMMANDS, PAYLOAD, Work, argument};

/// No run takes longer.
const LIMIT: Duration = Duration::from_secs(300);

fn main() -> io::Result<()> {
    let responder = Responder {
        work: argument(1),
        count: argument(2),
        window: argument(3),
        ..Responder::default()
    };
    thread::spawn(|| {
        thread::sleep(LIMIT);
        exit(1);
    });
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    println!("{}", listener.local_addr()?.port());
    let (socket, _) = listener.accept()?;
    socket.set_nodelay(true)?;
    let Responder { times, .. } = responder.serve(socket)?;
    times.print();
    Ok(())
}

/// When messages came.
#[derive(Default)]
struct Times {
    /// CONNACK was sent.
    start: Option<Instant>,
    /// The last: when, and how many in all.
    last: Option<(Instant, usize)>,
    /// When a command was sent that was not replied to yet.
    asked: Option<Instant>,
    /// Nanoseconds that each reply took.
    replies: Vec<u64>,
}

impl Times {
    /// So many messages have come by now.
    fn note(&mut self, received: usize) {
        self.last = Some((Instant::now(), received));
    }

    fn print(mut self) {
        let (Some(start), Some((end, received))) = (self.start, self.last) else {
            return;
        };
        self.replies.sort_unstable();
        let part = |percent: usize| {
            let index = self.replies.len() * percent / 100;
            self.replies.get(index).copied().unwrap_or_default()
        };
        let time = end.duration_since(start).as_nanos();
        println!("{time} {received} {} {}", part(50), part(99));
    }
}

struct Responder {
    work: Work,
    count: usize,
    window: usize,
    /// Whether the client speaks MQTT 5.
    five: bool,
    /// Messages received.
    received: usize,
    /// Acknowledgements that wait until there are enough of them.
    acknowledgements: Vec<u8>,
    /// What is to be sent.
    out: Vec<u8>,
    times: Times,
}

impl Default for Responder {
    fn default() -> Self {
        Responder {
            work: Work::PublishQos0,
            count: 0,
            window: 1,
            five: false,
            received: 0,
            acknowledgements: Vec::new(),
            out: Vec::new(),
            times: Times::default(),
        }
    }
}

impl Responder {
    fn serve(mut self, mut socket: TcpStream) -> io::Result<Self> {
        let mut buffer = vec![0; 1 << 16];
        let mut end = 0;
        loop {
            let count = socket.read(&mut buffer[end..])?;
            if count == 0 {
                return Ok(self);
            }
            if let Some(asked) = self.times.asked.take() {
                self.times.replies.push(asked.elapsed().as_nanos() as u64);
            }
            let before = self.received;
            end += count;
            let mut start = 0;
            while let Some((header, length)) = frame(&buffer[start..end]) {
                let packet = &buffer[start..start + length];
                self.answer(packet[0], &packet[header..]);
                start += length;
            }
            buffer.copy_within(start..end, 0);
            end -= start;
            if self.received > before {
                self.times.note(self.received);
            }
            if self.work == Work::Reply && self.out.len() > PAYLOAD.len() {
                self.times.asked = Some(Instant::now());
            }
            socket.write_all(&self.out)?;
            self.out.clear();
        }
    }

    fn answer(&mut self, first: u8, body: &[u8]) {
        match first >> 4 {
            1 => {
                self.five = body[6] == 5;
                let connack: &[u8] = match self.five {
                    true => &[0x20, 3, 0, 0, 0],
                    false => &[0x20, 2, 0, 0],
                };
                self.out.extend(connack);
                self.times.start = Some(Instant::now());
            }
            3 => self.message(first, body),
            8 => {
                let properties: &[u8] = if self.five { &[0] } else { &[] };
                let length = 3 + properties.len() as u8;
                self.out.extend([0x90, length, body[0], body[1]]);
                self.out.extend(properties);
                self.out.push(0);
                match self.work {
                    Work::ReceiveQos0 => (0..self.count).for_each(|_| self.publish()),
                    Work::Reply => self.publish(),
                    _ => {}
                }
            }
            12 => self.out.extend([0xd0, 0]),
            _ => {}
        }
    }

    fn message(&mut self, first: u8, body: &[u8]) {
        self.received += 1;
        if first & 0x06 != 0 {
            let topic = 2 + usize::from(u16::from_be_bytes([body[0], body[1]]));
            self.acknowledgements
                .extend([0x40, 2, body[topic], body[topic + 1]]);
            if self.received == self.count || self.acknowledgements.len() == 4 * self.window {
                self.out.append(&mut self.acknowledgements);
            }
        }
        if self.work == Work::Reply && self.received < self.count {
            self.publish();
        }
    }

    fn publish(&mut self) {
        let remaining = 2 + COMMANDS.len() + usize::from(self.five) + PAYLOAD.len();
        self.out
            .extend([0x30, remaining as u8, 0, COMMANDS.len() as u8]);
        self.out.extend(COMMANDS.bytes());
        if self.five {
            self.out.push(0);
        }
        self.out.extend(PAYLOAD);
    }
}

/// Bytes of the fixed header, and of the whole packet, if all of it is there.
fn frame(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut remaining = 0;
    for (index, &byte) in bytes.iter().skip(1).take(4).enumerate() {
        remaining |= usize::from(byte & 0x7f) << (7 * index);
        if byte < 0x80 {
            let header = index + 2;
            return (bytes.len() >= header + remaining).then_some((header, header + remaining));
        }
    }
    None
}
