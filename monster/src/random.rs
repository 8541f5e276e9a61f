//! Chance, for spreading devices out in time.

/// A small generator of pseudo-random numbers (SplitMix64).
///
/// It is chosen because neighbouring seeds, such as consecutive serial numbers, give unrelated
/// sequences from the first number on, and because its whole state is one word.
///
/// It is **not for secrets**: whoever sees a few numbers can compute all the others. Passwords and
/// keys come from the board's true random source.
///
/// No call panics.
#[derive(Clone, Debug)]
pub struct Random {
    state: u64,
}

impl Random {
    /// A generator that gives the same numbers for the same `seed`. Every seed is a good one.
    pub const fn new(seed: u64) -> Self {
        Random { state: seed }
    }

    /// The next number, each of the 2³² equally likely.
    pub const fn next_u32(&mut self) -> u32 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        (mixed >> 32) as u32
    }

    /// A number from 0 to `max`, both included.
    ///
    /// The high half of a product takes the place of a division. No value is more than one part in
    /// 2³² likelier or less likely than it ought to be.
    pub const fn up_to(&mut self, max: u32) -> u32 {
        let values = max as u64 + 1;
        ((self.next_u32() as u64 * values) >> 32) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_those_of_splitmix64() {
        // The high halves of the published reference sequence for the seed 1234567.
        let mut random = Random::new(1_234_567);
        for whole in [
            6_457_827_717_110_365_317u64,
            3_203_168_211_198_807_973,
            9_817_491_932_198_370_423,
            4_593_380_528_125_082_431,
            16_408_922_859_458_223_821,
        ] {
            assert_eq!(random.next_u32(), (whole >> 32) as u32);
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_numbers_and_another_seed_others() {
        let numbers = |seed| {
            let mut random = Random::new(seed);
            [(); 8].map(|()| random.next_u32())
        };
        assert_eq!(numbers(7), numbers(7));
        assert_ne!(numbers(7), numbers(8));
    }

    #[test]
    fn a_number_never_exceeds_its_maximum_whatever_the_maximum() {
        let mut random = Random::new(1);
        for max in [0, 1, 2, 3, 999, 1 << 16, u32::MAX - 1, u32::MAX] {
            for _ in 0..1000 {
                assert!(random.up_to(max) <= max);
            }
        }
        assert_eq!(random.up_to(0), 0);
    }

    #[test]
    fn both_ends_of_a_range_occur_and_all_values_about_equally_often() {
        let mut random = Random::new(2);
        let mut seen = [0u32; 7];
        for _ in 0..70_000 {
            seen[random.up_to(6) as usize] += 1;
        }
        assert!(seen.iter().all(|n| (9_500..10_500).contains(n)), "{seen:?}");
    }

    #[test]
    fn the_first_numbers_of_consecutive_seeds_are_spread_evenly() {
        let mut seen = [0u32; 10];
        for seed in 0..10_000 {
            seen[Random::new(seed).up_to(9) as usize] += 1;
        }
        assert!(seen.iter().all(|n| (850..1_150).contains(n)), "{seen:?}");
    }
}
