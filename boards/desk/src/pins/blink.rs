//! Blinking for a while, so that a person sees which device it is.

use umqtt::Instant;

/// How long the LED stays as it is, in milliseconds.
const CHANGE_MS: u64 = 125;
/// How long it blinks, in milliseconds.
const BLINK_MS: u64 = 40 * CHANGE_MS;

/// An LED that blinks, or does not.
#[derive(Debug, Default)]
pub struct Blink {
    since: Option<Instant>,
}

impl Blink {
    /// Blinks from now on, for five seconds.
    pub fn start(&mut self, now: Instant) {
        self.since = Some(now);
    }

    /// Whether the LED is lit now, if it were `lit` without blinking.
    pub fn change(&self, lit: bool, now: Instant) -> bool {
        match self.elapsed(now) {
            Some(elapsed) => lit == ((elapsed / CHANGE_MS) % 2 == 1),
            None => lit,
        }
    }

    /// When [`change`](Self::change) says something else.
    pub fn deadline(&self, now: Instant) -> Option<Instant> {
        let elapsed = self.elapsed(now)?;
        Some(now.after(CHANGE_MS - elapsed % CHANGE_MS))
    }

    fn elapsed(&self, now: Instant) -> Option<u64> {
        let elapsed = now.since(self.since?);
        (elapsed < BLINK_MS).then_some(elapsed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_changes_forty_times_and_ends_as_it_began() {
        for lit in [true, false] {
            let mut blink = Blink::default();
            let mut now = Instant::from_millis(1000);
            assert_eq!((blink.change(lit, now), blink.deadline(now)), (lit, None));
            blink.start(now);
            let mut last = lit;
            for _ in 0..40 {
                assert_eq!(blink.change(lit, now), !last);
                last = !last;
                now = blink.deadline(now).unwrap();
                assert!(now.as_millis().is_multiple_of(125));
            }
            assert_eq!((blink.change(lit, now), blink.deadline(now)), (lit, None));
            assert_eq!(now.as_millis(), 1000 + 5000);
        }
    }
}
