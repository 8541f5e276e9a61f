//! Random operations and random bytes from the server, with both versions: nothing panics, and the
//! promises of `Session`'s documentation hold after each step.

use umqtt::{
    Connect, Instant, Oversize, PacketIdentifier, Property, PropertyList, Publish, Qos, ReasonCode,
    Session, Subscription, Version,
};

use crate::pair::{ack, block, connack, field, packet};

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

struct Run<'b> {
    session: Session<'b>,
    version: Version,
    now: Instant,
    incoming: Vec<u8>,
    connections: usize,
    events: usize,
    restored: usize,
    /// Everything transmitted on this connection.
    transmitted: Vec<u8>,
}

impl Run<'_> {
    fn is_5(&self) -> bool {
        self.version == Version::V5
    }

    /// Bytes of a server that is right, nearly right, or out of its mind.
    fn server_bytes(&self, random: &mut Random) -> Vec<u8> {
        let is_5 = self.is_5();
        let identifier = 1 + random.below(12) as u16;
        let reason = [0x00, 0x00, 0x10, 0x92, 0x97][random.below(5)];
        let answer = |first| match is_5 && reason > 0 {
            true => packet(first, &[0, identifier as u8, reason]),
            false => ack(first, identifier),
        };
        let mut bytes = match random.below(14) {
            0 => vec![0x20, 2, random.below(2) as u8, 0],
            1 => answer(0x40),
            2 => answer(0x50),
            3 => answer(0x62),
            4 => answer(0x70),
            5 if is_5 => packet(0x90, &[0, identifier as u8, 0, random.below(3) as u8]),
            5 => packet(0x90, &[0, identifier as u8, random.below(3) as u8]),
            6 if is_5 => packet(0xb0, &[0, identifier as u8, 0, 0]),
            6 => ack(0xb0, identifier),
            7 => vec![0xd0, 0],
            8 => (0..random.below(20)).map(|_| random.next() as u8).collect(),
            9 if random.below(4) == 0 => vec![0xe0, 1, 0x8b],
            10 => packet(0xf0, &[0x18, 4, 0x15, 0, 1, b'M']),
            _ => {
                let qos = random.below(3) as u8;
                let topic = vec![b't'; random.below(90)];
                let mut body = field(&topic);
                body.extend(
                    (qos > 0)
                        .then_some([0, identifier as u8])
                        .into_iter()
                        .flatten(),
                );
                if is_5 {
                    let alias = [0x23, 0, 1 + random.below(3) as u8];
                    let properties: &[u8] = match random.below(3) {
                        0 => &alias,
                        1 => &[0x0b, 1, 0x0b, 2, 0x01, 1],
                        _ => &[],
                    };
                    body.extend(block(properties));
                }
                body.extend(vec![b'p'; random.below(220)]);
                packet(0x30 | qos << 1, &body)
            }
        };
        if random.below(40) == 0 && !bytes.is_empty() {
            let at = random.below(bytes.len());
            bytes[at] ^= 1 << random.below(8);
        }
        bytes
    }

    fn operate(&mut self, random: &mut Random) {
        let text = "t".repeat(random.below(40));
        let alias = [Property::TopicAlias(1 + random.below(3) as u16)];
        let content = [Property::ContentType(&text)];
        let properties: &[Property<'_>] = match random.below(4) {
            0 => &alias,
            1 => &content,
            _ => &[],
        };
        match random.below(19) {
            0..=2 => {
                let payload = vec![0; random.below(50)];
                let publish = Publish::new(&text, &payload)
                    .qos(random.qos())
                    .properties(properties);
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
                let reason = ReasonCode(random.below(6) as u8);
                let _ = self.session.disconnect_with(reason, &[]);
            }
            7 if random.below(10) == 0 => self.session.closed(),
            8 => self.now = self.now.after(random.next() % 60_000),
            9 => self.session.acknowledge(),
            10 => {
                let count = self.session.transmit().len().min(random.below(9));
                self.transmit(count);
            }
            11 => {
                let publish = Publish::new(&text, b"").qos(random.qos());
                let _ = self.session.publish_stream(&publish, random.below(300));
            }
            12 | 13 => {
                let count = self.session.stream_buffer().len();
                self.session.streamed(count.min(random.below(40)));
            }
            14 => {
                let _ = self.session.reject(ReasonCode::QUOTA_EXCEEDED);
            }
            15 => {
                let reason = ReasonCode(0x18 + random.below(2) as u8);
                let method = [Property::AuthenticationMethod("M")];
                let _ = self.session.authenticate(reason, &method);
            }
            16 if random.below(8) == 0 => self.cut_power(),
            _ => self.incoming.extend(self.server_bytes(random)),
        }
        if self.session.is_closed() {
            self.connect(random);
        }
    }

    fn cut_power(&mut self) {
        let mut image = [0; 200];
        let length = self.session.snapshot(&mut image).expect("room");
        self.session.closed();
        // What is in it is what the session remembers.
        let mut after = [0; 200];
        let pending = |session: &Session<'_>| {
            (1..200)
                .filter(|&value| session.is_pending(PacketIdentifier::new(value).unwrap()))
                .count()
        };
        let before = pending(&self.session);
        assert_eq!(self.session.restore(&image[..length]), Ok(()));
        assert_eq!(pending(&self.session), before);
        assert_eq!(self.session.snapshot(&mut after), Some(length));
        self.restored += 1;
    }

    fn connect(&mut self, random: &mut Random) {
        check_stream(&self.transmitted);
        self.transmitted.clear();
        self.incoming.clear();
        self.connections += 1;
        if random.below(30) == 0 {
            self.version = match self.version {
                Version::V5 => Version::V3_1_1,
                Version::V3_1_1 => Version::V5,
            };
        }
        let method = [Property::AuthenticationMethod("M")];
        let connect = Connect {
            version: self.version,
            clean_session: random.below(4) == 0,
            oversize: [Oversize::Discard, Oversize::Refuse, Oversize::Stream][random.below(3)],
            properties: match random.below(2) {
                0 => PropertyList::new(&method),
                _ => PropertyList::NONE,
            },
            ..Connect::new("fuzz")
        };
        self.session.connect(&connect, self.now).unwrap();
        let present = !connect.clean_session && random.below(8) > 0;
        let properties: &[u8] = match random.below(3) {
            0 => &[0x21, 0, 2, 0x22, 0, 2],
            1 => &[0x21, 0, 1, 0x27, 0, 0, 0, 40],
            _ => &[],
        };
        self.incoming.extend(match self.is_5() {
            true => connack(present, 0, properties),
            false => vec![0x20, 2, present as u8, 0],
        });
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
                    assert!(self.session.is_closed());
                    let farewell = self.session.transmit().len();
                    assert!(farewell == 0 || farewell == 3 && self.is_5());
                    self.transmit(random.below(farewell + 1));
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
            if self.session.stream_missing() > 0 {
                // What comes in may have to wait for it.
                let count = self.session.stream_buffer().len();
                assert!(count > 0, "nothing to send and no room to stream");
                self.session.streamed(count.min(1 + random.below(30)));
                if random.below(3) == 0 {
                    return;
                }
                continue;
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

/// What was transmitted is a sequence of a client's packets, CONNECT first, DISCONNECT last, the last
/// of them perhaps cut.
fn check_stream(bytes: &[u8]) {
    let mut rest = bytes;
    let mut is_first = true;
    while let [first, tail @ ..] = rest {
        let kinds = [
            0x10, 0x30, 0x40, 0x50, 0x62, 0x70, 0x82, 0xa2, 0xc0, 0xe0, 0xf0,
        ];
        let kind = if first >> 4 == 3 { 0x30 } else { *first };
        assert!(kinds.contains(&kind), "{first:02x} in {bytes:02x?}");
        assert_eq!(kind == 0x10, is_first, "{bytes:02x?}");
        is_first = false;
        let Some(end) = tail.iter().position(|&byte| byte < 0x80) else {
            return;
        };
        let length = tail[..=end]
            .iter()
            .rev()
            .fold(0, |sum, &byte| sum << 7 | (byte & 0x7f) as usize);
        match tail.get(end + 1 + length..) {
            Some(next) => rest = next,
            None => return,
        }
        assert!(kind != 0xe0 || rest.is_empty(), "{bytes:02x?}");
    }
}

fn run(seed: u64, steps: usize) -> [usize; 3] {
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let (mut receive, mut send) = ([0; 64], [0; 100]);
    let receive = &mut receive[..40 + random.below(24)];
    let send = &mut send[..12 + random.below(88)];
    let mut aliases = [0; 64];
    let maximum = random.below(4) as u16;
    let mut run = Run {
        session: Session::new(receive, send).with_topic_aliases(&mut aliases, maximum),
        version: Version::V5,
        now: Instant::ZERO,
        incoming: Vec::new(),
        connections: 0,
        events: 0,
        restored: 0,
        transmitted: Vec::new(),
    };
    for _ in 0..steps {
        run.operate(&mut random);
        run.drive(&mut random);
    }
    // It always ends, and a new connection always works.
    run.session.closed();
    assert!(run.session.transmit().is_empty() && run.session.is_closed());
    run.session.connect(&Connect::new("end"), run.now).unwrap();
    assert!(run.session.is_idle());
    [run.connections, run.events, run.restored]
}

#[test]
fn random_servers_and_random_callers_break_nothing() {
    let mut sums = [0; 3];
    for seed in 1..=600 {
        for (sum, more) in sums.iter_mut().zip(run(seed, 500)) {
            *sum += more;
        }
    }
    // The walk reached what it is to reach.
    let [connections, events, restored] = sums;
    assert!(
        connections > 2_000 && events > 20_000 && restored > 500,
        "{sums:?}"
    );
}
