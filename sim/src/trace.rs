//! What happened: the last lines for a person, and a hash of everything for the proof that the same
//! seed gives the same run.

use std::collections::VecDeque;
use std::fmt;
use std::hash::Hasher;

use bytes::Bytes;
use monster::log::Log;

/// How many lines are shown when something is wrong.
const LINES: usize = 50;

/// One line of what happened; made into text only if somebody reads it.
pub(crate) enum Note {
    /// The device published this, and the broker has it.
    Heard(String, Bytes),
    /// The broker passes this on to the device.
    Sent(String, Bytes),
    /// The device's own log.
    Log(Log),
    /// A person, the board or the weather.
    Did(&'static str, u64),
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Note::Heard(topic, payload) => {
                write!(f, "broker <- {topic} {}", payload.escape_ascii())
            }
            Note::Sent(topic, payload) => {
                write!(f, "broker -> {topic} {}", payload.escape_ascii())
            }
            Note::Log(line) => write!(f, "device: {}", line.text),
            Note::Did(what, number) => write!(f, "{what} {number}"),
        }
    }
}

pub(crate) struct Trace {
    lines: VecDeque<(u64, u32, Note)>,
    hash: Mixer,
}

impl Trace {
    pub fn new() -> Self {
        Trace {
            lines: VecDeque::with_capacity(LINES),
            hash: Mixer(0),
        }
    }

    pub fn add(&mut self, now: u64, home: u32, note: Note) {
        match &note {
            Note::Heard(topic, payload) | Note::Sent(topic, payload) => {
                self.hash.write(topic.as_bytes());
                self.hash.write(payload);
            }
            Note::Log(line) => self.hash.write(line.text.as_bytes()),
            Note::Did(what, number) => {
                self.hash.write(what.as_bytes());
                self.hash.write_u64(*number);
            }
        }
        if self.lines.len() == LINES {
            self.lines.pop_front();
        }
        self.lines.push_back((now, home, note));
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
        for (at, home, note) in &self.lines {
            writeln!(f, "{:>12} [{home}] {note}", Clock(*at))?;
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
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
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
