//! What happens in an episode of chaos, drawn from a seed before any of it happens: the same seed gives the same
//! episodes, however long each takes.

use std::fmt;
use std::time::Duration;

use fastrand::Rng;

use crate::proxy::Direction;
use crate::scripted::{CONNACK, frame, publish};
use crate::world::{World, tree};

/// One episode: some commands, a blow, some more commands.
#[derive(Debug, Clone)]
pub struct Episode {
    /// What goes wrong.
    pub blow: Blow,
    /// What is sent before it.
    pub before: Vec<Send>,
    /// What is sent after it.
    pub after: Vec<Send>,
    /// Whether the same command with an id is among them, several times, and no other that moves the pin.
    pub once: bool,
}

/// A message to the device.
#[derive(Debug, Clone)]
pub struct Send {
    /// Its topic.
    pub topic: String,
    /// Its payload.
    pub payload: String,
    /// At which quality of service.
    pub qos: u8,
}

/// What goes wrong, and for how long.
#[derive(Debug, Clone)]
pub enum Blow {
    /// Nothing does.
    Nothing,
    /// The broker is killed, and forgets everything.
    BrokerKilled(Duration),
    /// The broker answers nothing.
    BrokerHeld(Duration),
    /// The cable is out.
    CablePulled(Duration),
    /// QEMU is killed.
    PowerCut(Duration),
    /// It is told to start anew.
    Restart,
    /// The connection is cut after so many bytes.
    Cut(Direction, usize),
    /// In the broker's place somebody sends this: instead of CONNACK, or after it.
    Nonsense(Vec<(bool, Vec<u8>)>),
}

impl Episode {
    /// The `number`th of them.
    pub fn draw(random: &mut Rng, number: usize) -> Self {
        let blow = Blow::draw(random);
        let once = random.bool();
        let same = command(&format!("chaos-{number}"));
        let mut burst = |count: usize| {
            let mut sends = Vec::new();
            for _ in 0..random.usize(0..=count) {
                sends.push(match once {
                    true if random.bool() => same.clone(),
                    true => harmless(random),
                    false => wild(random),
                });
            }
            sends
        };
        let before = burst(4);
        let mut after = burst(3);
        if once {
            // So that it was surely heard once.
            after.push(same);
        }
        Episode {
            blow,
            before,
            after,
            once,
        }
    }

    /// Whether the pin may move long after the last command came.
    pub fn pulses(&self) -> bool {
        let mut sends = self.before.iter().chain(&self.after);
        sends.any(|send| send.payload.starts_with("pulse"))
    }
}

impl Blow {
    fn draw(random: &mut Rng) -> Self {
        let mut span = |most| Duration::from_millis(random.u64(0..most));
        let (short, long) = (span(1500), span(4000));
        match random.u8(0..10) {
            0 => Blow::Nothing,
            1 => Blow::BrokerKilled(short),
            2 => Blow::BrokerHeld(short),
            3 | 4 => Blow::CablePulled(long),
            5 | 6 => Blow::PowerCut(short / 4),
            7 => Blow::Restart,
            8 => {
                let up = random.bool();
                let direction = if up { Direction::Up } else { Direction::Down };
                Blow::Cut(direction, random.usize(1..200))
            }
            _ => {
                let count = random.usize(1..=3);
                let nonsense = (0..count).map(|_| (random.bool(), nonsense(random)));
                Blow::Nonsense(nonsense.collect())
            }
        }
    }

    /// Whether the device starts anew, by whatever means.
    pub fn restarts(&self) -> bool {
        matches!(self, Blow::PowerCut(_) | Blow::Restart)
    }
}

impl fmt::Display for Episode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |sends: &[Send]| {
            let words: Vec<String> = sends.iter().map(Send::to_string).collect();
            words.join(", ")
        };
        write!(
            f,
            "[{}] {} [{}]",
            list(&self.before),
            self.blow,
            list(&self.after)
        )
    }
}

impl fmt::Display for Send {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let topic = self.topic.trim_start_matches("monster/");
        write!(f, "{topic} {:.60} (QoS {})", self.payload, self.qos)
    }
}

impl fmt::Display for Blow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Blow::Nothing => write!(f, "nothing"),
            Blow::BrokerKilled(away) => write!(f, "broker killed for {away:?}"),
            Blow::BrokerHeld(away) => write!(f, "broker held for {away:?}"),
            Blow::CablePulled(away) => write!(f, "cable pulled for {away:?}"),
            Blow::PowerCut(away) => write!(f, "power cut for {away:?}"),
            Blow::Restart => write!(f, "restart"),
            Blow::Cut(direction, bytes) => write!(f, "cut after {bytes} bytes {direction:?}"),
            Blow::Nonsense(all) => {
                write!(f, "nonsense")?;
                for (greeted, bytes) in all {
                    let first = &bytes[..bytes.len().min(24)];
                    let when = if *greeted { "after" } else { "for" };
                    write!(f, ", {when} CONNACK {} bytes {first:02x?}", bytes.len())?;
                }
                Ok(())
            }
        }
    }
}

/// Toggles the switch, once for this id.
fn command(id: &str) -> Send {
    Send {
        topic: tree("/switch/0/set"),
        payload: format!(r#"{{"command":"toggle","id":"{id}"}}"#),
        qos: 1,
    }
}

/// Something that moves no pin.
fn harmless(random: &mut Rng) -> Send {
    let all = [
        (World::ID.to_owned(), "getTH"),
        (World::ID.to_owned(), "nonsense"),
        (tree("/th/get"), ""),
        (tree("/sys/set"), "identify"),
        (tree("/sys/set"), "nonsense"),
        (tree("/switch/0/set"), "pulse 1"),
        (tree("/switch/0/set"), r#"{"command":"jump","id":"x"}"#),
        (tree("/switch/0/set"), r#"{"command":"#),
    ];
    let (topic, payload) = all[random.usize(0..all.len())].clone();
    Send {
        topic,
        payload: payload.to_owned(),
        qos: random.u8(0..=1),
    }
}

/// Anything at all.
fn wild(random: &mut Rng) -> Send {
    let set = || tree("/switch/0/set");
    let (topic, payload) = match random.u8(0..8) {
        0 => (World::ID.to_owned(), "on".to_owned()),
        1 => (World::ID.to_owned(), "off".to_owned()),
        2 => (World::ID.to_owned(), "toggle".to_owned()),
        3 => (set(), "toggle".to_owned()),
        4 => (set(), format!("pulse {}", random.u16(50..600))),
        5 => (set(), "x".repeat(random.usize(1..20_000))),
        6 => return command(&format!("wild-{}", random.u8(0..24))),
        _ => return harmless(random),
    };
    let qos = random.u8(0..=2);
    Send {
        topic,
        payload,
        qos,
    }
}

/// What no broker should send: bytes, or a packet with something wrong. None of it is a command that moves the pin.
fn nonsense(random: &mut Rng) -> Vec<u8> {
    let packets = [
        CONNACK.to_vec(),
        frame(0x90, &[0, 1, 0]),
        frame(0x40, &[0, 1]),
        frame(0x62, &[0, 1]),
        frame(0xd0, &[]),
        publish(tree("/th/get").as_bytes(), Some(1), b""),
        publish(World::ID.as_bytes(), None, b"getTH"),
    ];
    let mut packet = packets[random.usize(0..packets.len())].clone();
    match random.u8(0..5) {
        0 => (0..random.usize(1..64)).map(|_| random.u8(..)).collect(),
        1 => vec![random.u8(..); random.usize(1..20_000)],
        2 => {
            packet.truncate(random.usize(1..=packet.len()));
            packet
        }
        3 => {
            packet[1] = random.u8(..);
            packet
        }
        _ => {
            for _ in 0..random.usize(1..4) {
                let place = random.usize(0..packet.len());
                packet[place] ^= 1 << random.u8(0..8);
            }
            packet
        }
    }
}
