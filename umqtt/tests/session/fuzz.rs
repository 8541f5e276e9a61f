//! Random operations and random bytes from the server: nothing panics, and the promises of
//! `Session`'s documentation hold after each step.

use umqtt::{Connect, Instant, PacketIdentifier, Publish, Qos, Session, Subscription};

use crate::pair::{ack, packet, publish_bytes};

/// xorshift64*: the same sequence for the same seed everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    fn qos(&mut self) -> Qos {
        Qos::from_bits(self.below(3) as u8).unwrap()
    }
}

/// Bytes of a server that is right, nearly right, or out of its mind.
fn server_bytes(random: &mut Random) -> Vec<u8> {
    let identifier = 1 + random.below(12) as u16;
    let mut bytes = match random.below(12) {
        0 => vec![0x20, 2, random.below(2) as u8, 0],
        1 => ack(0x40, identifier),
        2 => ack(0x50, identifier),
        3 => ack(0x62, identifier),
        4 => ack(0x70, identifier),
        5 => packet(0x90, &[0, identifier as u8, random.below(3) as u8]),
        6 => ack(0xb0, identifier),
        7 => vec![0xd0, 0],
        8 => (0..random.below(20)).map(|_| random.next() as u8).collect(),
        _ => {
            let qos = random.below(3) as u8;
            let topic = vec![b't'; 1 + random.below(90)];
            let payload = vec![b'p'; random.below(120)];
            publish_bytes(qos << 1, &topic, (qos > 0).then_some(identifier), &payload)
        }
    };
    if random.below(40) == 0 && !bytes.is_empty() {
        let at = random.below(bytes.len());
        bytes[at] ^= 1 << random.below(8);
    }
    bytes
}

struct Run<'b> {
    session: Session<'b>,
    now: Instant,
    incoming: Vec<u8>,
    connections: usize,
    events: usize,
    /// Everything transmitted on this connection.
    transmitted: Vec<u8>,
}

impl Run<'_> {
    fn operate(&mut self, random: &mut Random) {
        let text = "t".repeat(1 + random.below(40));
        match random.below(14) {
            0..=2 => {
                let payload = vec![0; random.below(50)];
                let publish = Publish::new(&text, &payload).qos(random.qos());
                let _ = self.session.publish(&publish);
            }
            3 => {
                let _ = self
                    .session
                    .subscribe(&[Subscription::new(&text, random.qos())]);
            }
            4 => {
                let _ = self.session.unsubscribe(&[&text]);
            }
            5 => {
                let _ = self.session.ping(self.now);
            }
            6 if random.below(20) == 0 => {
                let _ = self.session.disconnect();
            }
            7 if random.below(10) == 0 => self.session.closed(),
            8 => self.now = self.now.after(random.next() % 60_000),
            9 => self.session.acknowledge(),
            10 => {
                let count = self.session.transmit().len().min(random.below(9));
                self.transmit(count);
            }
            _ => self.incoming.extend(server_bytes(random)),
        }
        if self.session.is_closed() {
            self.connect(random);
        }
    }

    fn connect(&mut self, random: &mut Random) {
        check_stream(&self.transmitted);
        self.transmitted.clear();
        self.incoming.clear();
        self.connections += 1;
        let connect = Connect {
            clean_session: random.below(4) == 0,
            ..Connect::new("fuzz")
        };
        self.session.connect(&connect, self.now).unwrap();
        let present = !connect.clean_session && random.below(8) > 0;
        self.incoming.extend([0x20, 2, present as u8, 0]);
    }

    fn transmit(&mut self, count: usize) {
        self.transmitted.extend(&self.session.transmit()[..count]);
        self.session.transmitted(count, self.now);
    }

    /// What a driver does: poll, transmit, receive, until nothing moves.
    fn drive(&mut self, random: &mut Random) {
        for turns in 0.. {
            assert!(turns < 10_000, "the session gets nowhere");
            match self.session.poll(self.now) {
                Ok(Some(_)) => {
                    self.events += 1;
                    // Once in a while the caller does something else first.
                    if random.below(8) == 0 {
                        return;
                    }
                    continue;
                }
                Ok(None) => {}
                Err(_) => {
                    assert!(self.session.is_closed() && self.session.transmit().is_empty());
                    return;
                }
            }
            assert!(
                self.session
                    .deadline()
                    .is_none_or(|deadline| deadline > self.now)
            );
            let count = self.session.transmit().len();
            if count > 0 {
                self.transmit(count.min(1 + random.below(80)));
                continue;
            }
            if self.session.is_closed() {
                return;
            }
            let buffer = self.session.receive_buffer();
            assert!(!buffer.is_empty(), "nothing to send and no room to receive");
            let count = buffer
                .len()
                .min(self.incoming.len())
                .min(1 + random.below(80));
            if count == 0 {
                return;
            }
            buffer[..count].copy_from_slice(&self.incoming[..count]);
            self.incoming.drain(..count);
            self.session.received(count, self.now);
        }
    }
}

/// What was transmitted is a sequence of valid packets, the last of them perhaps cut.
fn check_stream(bytes: &[u8]) {
    let mut stream = bytes::BytesMut::from(bytes);
    loop {
        match mqttbytes::v4::read(&mut stream, usize::MAX) {
            Ok(_) => {}
            Err(mqttbytes::Error::InsufficientBytes(_)) => return,
            Err(error) => panic!("{error:?} in {bytes:02x?}"),
        }
    }
}

fn run(seed: u64, steps: usize) -> (usize, usize) {
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let (mut receive, mut send) = ([0; 64], [0; 80]);
    let receive = &mut receive[..32 + random.below(32)];
    let send = &mut send[..12 + random.below(68)];
    let mut run = Run {
        session: Session::new(receive, send),
        now: Instant::ZERO,
        incoming: Vec::new(),
        connections: 0,
        events: 0,
        transmitted: Vec::new(),
    };
    for _ in 0..steps {
        run.operate(&mut random);
        run.drive(&mut random);
    }
    // It always ends, and a new connection always works.
    run.session.closed();
    assert!(run.session.transmit().is_empty() && run.session.is_closed());
    for value in 1..=12 {
        run.session
            .is_pending(PacketIdentifier::new(value).unwrap());
    }
    let clean = Connect::new("end");
    run.session.connect(&clean, run.now).unwrap();
    assert!(run.session.is_idle());
    (run.connections, run.events)
}

#[test]
fn random_servers_and_random_callers_break_nothing() {
    let (mut connections, mut events) = (0, 0);
    for seed in 1..=400 {
        let (more_connections, more_events) = run(seed, 500);
        connections += more_connections;
        events += more_events;
    }
    // The walk reached what it is to reach.
    assert!(
        connections > 2_000 && events > 20_000,
        "{connections} {events}"
    );
}
