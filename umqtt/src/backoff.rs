//! How long to wait before the next attempt to connect.

/// Waits between attempts to connect: each is random between 0 and a cap, which doubles with every
/// attempt that fails. So clients that lost their server together do not come back together.
#[derive(Clone, Debug)]
pub struct Backoff {
    least: u32,
    greatest: u32,
    cap: u32,
    chance: u32,
}

impl Backoff {
    /// Waits of up to `least` milliseconds at first, and never more than `greatest`. `seed` is
    /// chance; no two clients should have the same.
    pub const fn new(least: u32, greatest: u32, seed: u32) -> Self {
        Backoff {
            least,
            greatest,
            cap: least,
            // The generator below stands still at 0.
            chance: seed | 1,
        }
    }

    /// The next wait, in milliseconds.
    pub fn wait(&mut self) -> u32 {
        // Xorshift, for 32 bits: 13, 17, 5.
        self.chance ^= self.chance << 13;
        self.chance ^= self.chance >> 17;
        self.chance ^= self.chance << 5;
        let cap = self.cap.min(self.greatest);
        self.cap = cap.saturating_mul(2);
        // The high word of the product is evenly spread over 0 to `cap`.
        ((self.chance as u64 * (cap as u64 + 1)) >> 32) as u32
    }

    /// An attempt succeeded: the next outage begins with the least cap.
    pub fn reset(&mut self) {
        self.cap = self.least;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_stay_below_a_cap_that_doubles_up_to_the_greatest() {
        for seed in 0..2000 {
            let mut backoff = Backoff::new(500, 60_000, seed);
            for cap in [500, 1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000] {
                let wait = backoff.wait();
                assert!(wait <= cap, "{wait} {cap}");
            }
            backoff.reset();
            assert!(backoff.wait() <= 500);
        }
    }

    #[test]
    fn clients_with_different_seeds_are_spread_out() {
        let mut tenths = [0; 10];
        for seed in 0..10_000u32 {
            let mut backoff = Backoff::new(1000, 1000, seed.wrapping_mul(2_654_435_761));
            backoff.wait();
            tenths[(backoff.wait() / 101).min(9) as usize] += 1;
        }
        assert!(
            tenths.iter().all(|&count| (800..1200).contains(&count)),
            "{tenths:?}"
        );
    }

    #[test]
    fn the_ends_of_the_range_do_not_overflow() {
        let mut backoff = Backoff::new(u32::MAX, u32::MAX, u32::MAX);
        for _ in 0..10 {
            backoff.wait();
        }
        let mut never = Backoff::new(0, 0, 0);
        assert_eq!(never.wait(), 0);
    }
}
