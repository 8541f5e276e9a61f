//! What all homes of a world share: time, chance, and the broker's health.

use crate::Summary;
use crate::agenda::{Agenda, What};
use crate::chance::Chance;
use crate::pipe::Manners;
use crate::trace::{Clock, Note, Trace};

pub(crate) struct World {
    pub seed: u64,
    /// Milliseconds since the world began.
    pub now: u64,
    pub agenda: Agenda,
    pub chance: Chance,
    pub trace: Trace,
    pub manners: Manners,
    pub broker: Health,
    /// Nothing bad begins after this.
    pub peace: u64,
    pub tally: Summary,
}

/// How the broker is.
#[derive(Default)]
pub(crate) struct Health {
    pub down: bool,
    /// Its host does not even refuse connections.
    pub silent: bool,
    /// It reads nothing before this: its process is stopped.
    pub frozen_until: u64,
    /// It refuses every CONNECT before this.
    pub refusing_until: u64,
    /// It does not answer SUBSCRIBE before this.
    pub mute_until: u64,
    /// It refuses every SUBSCRIBE before this.
    pub refusing_subscriptions_until: u64,
    /// It delivers twice now and then.
    pub sloppy: bool,
    /// From here on it is as it should be, as far as is known.
    pub well_from: u64,
}

impl World {
    pub fn new(seed: u64, hours: u64) -> Self {
        let mut chance = Chance::new(seed);
        let manners = Manners {
            delay: chance.up_to(40),
            jitter: chance.pick(&[0, 1, 20, 150]),
            split: chance.pick(&[1, 2, 10, 1000]),
            window: chance.pick(&[300, 1_460, 4_096]),
        };
        let sloppy = chance.one_in(3);
        World {
            seed,
            now: 0,
            agenda: Agenda::default(),
            chance,
            trace: Trace::new(),
            manners,
            broker: Health {
                sloppy,
                ..Health::default()
            },
            peace: hours * 3_600_000,
            tally: Summary::default(),
        }
    }

    pub fn note(&mut self, home: u32, what: &'static str, number: u64) {
        self.trace.add(self.now, home, Note::Did(what, number));
    }

    pub fn after(&mut self, delay: u64, home: u32, what: What) {
        self.agenda.add(self.now + delay, home, what);
    }

    /// How long a small packet takes, one way.
    pub fn one_way(&mut self) -> u64 {
        self.manners.delay + self.chance.up_to(self.manners.jitter)
    }
}

/// Tells where it was when something is wrong, here or in a device.
impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!(
                "\nthe world of seed {} at {}; what came before:\n{}",
                self.seed,
                Clock(self.now),
                self.trace
            );
        }
    }
}
