//! Chance: everything in a world is drawn from its seed, and from nothing else.

use monster::random::Random;

/// The dice of one world.
pub(crate) struct Chance(Random);

impl Chance {
    pub fn new(seed: u64) -> Self {
        Chance(Random::new(seed))
    }

    /// A seed for somebody else's dice.
    pub fn seed(&mut self) -> u64 {
        (self.0.next_u32() as u64) << 32 | self.0.next_u32() as u64
    }

    /// A number from 0 to `max`, both included.
    pub fn up_to(&mut self, max: u64) -> u64 {
        match u32::try_from(max) {
            Ok(max) => self.0.up_to(max).into(),
            Err(_) => self.seed() % (max + 1),
        }
    }

    /// A number from `from` to `to`, both included.
    pub fn between(&mut self, from: u64, to: u64) -> u64 {
        from + self.up_to(to - from)
    }

    /// True once in `n` times.
    pub fn one_in(&mut self, n: u64) -> bool {
        self.up_to(n - 1) == 0
    }

    /// A time that is `mean` on average, and never 0.
    pub fn around(&mut self, mean: u64) -> u64 {
        1 + self.up_to(2 * mean)
    }

    /// A time between the two, short ones as likely as long ones: each magnitude has its share.
    pub fn magnitude(&mut self, from: u64, to: u64) -> u64 {
        let mut most = from;
        let steps = (to / from).ilog2() as u64;
        for _ in 0..self.up_to(steps) {
            most *= 2;
        }
        self.between(most / 2, most).clamp(from, to)
    }

    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.up_to(from.len() as u64 - 1) as usize]
    }
}
