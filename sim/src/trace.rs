//! What happened: the last lines for a person, and a hash of everything for the proof that the same
//! seed gives the same run.

use std::fmt;
use std::hash::Hasher;

/// How many lines are shown when something is wrong.
const LINES: usize = 50;

/// One line of what happened.
pub(crate) enum Note<'a> {
    /// The device published this, and the broker has it.
    Heard(&'a str, &'a [u8]),
    /// The broker passes this on to the device.
    Sent(&'a str, &'a [u8]),
    /// The device's own log.
    Log(&'a str),
    /// A person, the board or the weather.
    Did(&'static str, u64),
}

/// The same, kept; made into a line only if somebody reads it. The next that is kept in its place takes
/// its memory.
#[derive(Default)]
struct Line {
    at: u64,
    home: u32,
    kind: &'static str,
    text: String,
    payload: Vec<u8>,
    number: Option<u64>,
}

impl Line {
    fn set(&mut self, note: &Note<'_>) {
        let (kind, text, payload, number) = match *note {
            Note::Heard(topic, payload) => ("broker <- ", topic, payload, None),
            Note::Sent(topic, payload) => ("broker -> ", topic, payload, None),
            Note::Log(text) => ("device: ", text, &b""[..], None),
            Note::Did(what, number) => (what, "", &b""[..], Some(number)),
        };
        self.kind = kind;
        self.text.clear();
        self.text.push_str(text);
        self.payload.clear();
        self.payload.extend_from_slice(payload);
        self.number = number;
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let payload = self.payload.escape_ascii();
        write!(f, "{}{} {payload}", self.kind, self.text)?;
        self.number.map_or(Ok(()), |number| write!(f, "{number}"))
    }
}

pub(crate) struct Trace {
    lines: [Line; LINES],
    /// The oldest of them, which is overwritten next.
    next: usize,
    hash: Mixer,
}

impl Trace {
    pub fn new() -> Self {
        Trace {
            lines: std::array::from_fn(|_| Line::default()),
            next: 0,
            hash: Mixer(0),
        }
    }

    pub fn add(&mut self, now: u64, home: u32, note: Note<'_>) {
        match note {
            Note::Heard(topic, payload) | Note::Sent(topic, payload) => {
                self.hash.write(topic.as_bytes());
                self.hash.write(payload);
            }
            Note::Log(text) => self.hash.write(text.as_bytes()),
            Note::Did(what, number) => {
                self.hash.write(what.as_bytes());
                self.hash.write_u64(number);
            }
        }
        let line = &mut self.lines[self.next];
        self.next = (self.next + 1) % LINES;
        line.at = now;
        line.home = home;
        line.set(&note);
    }

    /// Counts something in that is not worth a line.
    pub fn mix(&mut self, number: u64) {
        self.hash.write_u64(number);
    }

    pub fn hash(&self) -> u64 {
        self.hash.finish()
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (newer, older) = self.lines.split_at(self.next);
        let all = older.iter().chain(newer);
        for line in all.filter(|line| !line.kind.is_empty()) {
            writeln!(f, "{:>12} [{}] {line}", Clock(line.at), line.home)?;
        }
        Ok(())
    }
}

/// A time as hours, minutes, seconds, milliseconds.
pub(crate) struct Clock(pub u64);

impl fmt::Display for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Clock(ms) = *self;
        let (h, m, s) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60);
        f.pad(&format!("{h}:{m:02}:{s:02}.{:03}", ms % 1000))
    }
}

/// A hash that is the same on every machine and in every version.
struct Mixer(u64);

impl Hasher for Mixer {
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks();
        for word in words {
            self.write_u64(u64::from_le_bytes(*word));
        }
        if !rest.is_empty() {
            let mut word = [0; 8];
            word[..rest.len()].copy_from_slice(rest);
            self.write_u64(u64::from_le_bytes(word));
        }
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
