//! The status LED: how the device is, and what a hold of the button will do.
//!
//! | what is seen | what it means |
//! |---|---|
//! | dark | all is well: it is in dialogue with its broker |
//! | lit | there is no broker |
//! | a short flash every second | its access point is up |
//! | blinking, 4 changes a second | the button is held: let it go, or at 5 s the access point comes up |
//! | blinking, 16 changes a second | the button is still held: let it go, or at 10 s everything is forgotten |
//! | blinking for five seconds, 8 changes a second | this is the one you asked for |

use umqtt::Instant;

/// How long it blinks to show which device this is, in milliseconds.
const IDENTIFY_MS: u64 = 5_000;

/// How an LED changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pattern {
    /// It stays so.
    Steady(bool),
    /// From that time on it is lit for so many milliseconds, dark for so many, and so on.
    Blink { from: Instant, lit: u64, dark: u64 },
}

impl Pattern {
    /// The button has been held since then, long enough for the access point to come next.
    pub fn access_point_next(since: Instant) -> Self {
        Pattern::even(since, 250)
    }

    /// The button is still held, and the factory reset comes next.
    pub fn factory_reset_next(since: Instant) -> Self {
        Pattern::even(since, 62)
    }

    /// The access point is up.
    pub fn access_point() -> Self {
        Pattern::Blink {
            from: Instant::ZERO,
            lit: 100,
            dark: 900,
        }
    }

    fn even(from: Instant, each: u64) -> Self {
        Pattern::Blink {
            from,
            lit: each,
            dark: each,
        }
    }

    /// Whether the LED is lit now.
    pub fn is_lit(self, now: Instant) -> bool {
        match self {
            Pattern::Steady(lit) => lit,
            Pattern::Blink { from, lit, dark } => now.since(from) % (lit + dark).max(1) < lit,
        }
    }

    /// When that changes.
    pub fn deadline(self, now: Instant) -> Option<Instant> {
        match self {
            Pattern::Steady(_) => None,
            Pattern::Blink { from, lit, dark } => {
                let period = (lit + dark).max(1);
                let within = now.since(from) % period;
                let next = if within < lit { lit } else { period };
                Some(now.after(next - within))
            }
        }
    }
}

/// What makes the LED blink for a while.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Identify {
    since: Option<Instant>,
}

impl Identify {
    /// From now on, for five seconds.
    pub fn start(&mut self, now: Instant) {
        self.since = Some(now);
    }

    /// How it blinks now, if it does.
    pub fn pattern(&self, now: Instant) -> Option<Pattern> {
        let since = self.since?;
        (now.since(since) < IDENTIFY_MS).then(|| Pattern::even(since, 125))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_changes_when_it_says_so_and_not_before() {
        let from = Instant::from_millis(1000);
        for pattern in [
            Pattern::access_point_next(from),
            Pattern::factory_reset_next(from),
            Pattern::access_point(),
        ] {
            let mut now = from;
            for _ in 0..50 {
                let next = pattern.deadline(now).unwrap();
                assert!(next > now);
                let before = Instant::from_millis(next.as_millis() - 1);
                assert_eq!(pattern.is_lit(before), pattern.is_lit(now));
                assert_ne!(pattern.is_lit(next), pattern.is_lit(now));
                now = next;
            }
        }
        for lit in [true, false] {
            assert_eq!(Pattern::Steady(lit).is_lit(from), lit);
            assert_eq!(Pattern::Steady(lit).deadline(from), None);
        }
    }

    #[test]
    fn it_shows_which_device_it_is_for_five_seconds_in_forty_changes() {
        let mut identify = Identify::default();
        let mut now = Instant::from_millis(1000);
        assert_eq!(identify.pattern(now), None);
        identify.start(now);
        let mut changes = 0;
        while let Some(pattern) = identify.pattern(now) {
            now = pattern.deadline(now).unwrap();
            changes += 1;
        }
        assert_eq!((now.as_millis(), changes), (6000, 40));
    }
}
