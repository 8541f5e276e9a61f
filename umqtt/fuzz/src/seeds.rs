//! The targets on any compiler: every seed, and mutations of seeds drawn from a number.
//!
//! Seeds are inputs that libFuzzer found, the fewest that reach all it ever reached. A file of them is
//! one behind the other, each after its length in two bytes, the high one first.

use arbitrary::{Arbitrary, Unstructured};

use crate::{packets, round_trip, session, snapshot};

/// A target, and its seeds.
pub struct Target {
    pub name: &'static str,
    seeds: &'static [u8],
    /// Plays the input these bytes stand for.
    play: fn(&[u8]),
}

/// All targets there are.
pub const TARGETS: [Target; 4] = [
    Target {
        name: "packets",
        seeds: include_bytes!("../seeds/packets"),
        play: |bytes| packets::run(&input(bytes)),
    },
    Target {
        name: "round_trip",
        seeds: include_bytes!("../seeds/round_trip"),
        play: |bytes| round_trip::run(&input(bytes)),
    },
    Target {
        name: "session",
        seeds: include_bytes!("../seeds/session"),
        play: |bytes| session::run(&input(bytes)),
    },
    Target {
        name: "snapshot",
        seeds: include_bytes!("../seeds/snapshot"),
        play: |bytes| snapshot::run(&input(bytes)),
    },
];

/// As libFuzzer makes an input from bytes.
fn input<'a, T: Arbitrary<'a>>(bytes: &'a [u8]) -> T {
    T::arbitrary_take_rest(Unstructured::new(bytes)).expect("any bytes will do")
}

impl Target {
    fn seeds(&self) -> Vec<&[u8]> {
        let mut rest = self.seeds;
        let mut seeds = Vec::new();
        while let Some((length, tail)) = rest.split_first_chunk() {
            let (seed, tail) = tail.split_at(u16::from_be_bytes(*length).into());
            seeds.push(seed);
            rest = tail;
        }
        seeds
    }

    /// Plays every seed, and then so many mutations of them.
    pub fn play(&self, mutations: usize) {
        let seeds = self.seeds();
        assert!(seeds.len() > 100, "{} has few seeds", self.name);
        for seed in &seeds {
            self.try_one(seed);
        }
        let mut chance = Chance(1);
        for _ in 0..mutations {
            self.try_one(&chance.mutation(&seeds));
        }
    }

    fn try_one(&self, bytes: &[u8]) {
        if std::panic::catch_unwind(|| (self.play)(bytes)).is_err() {
            panic!("{} fails with {bytes:02x?}", self.name);
        }
    }
}

/// Numbers drawn one from the other: xorshift.
struct Chance(u64);

impl Chance {
    /// Below `end`, which is not 0.
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % end
    }

    /// A seed with a few changes.
    fn mutation(&mut self, seeds: &[&[u8]]) -> Vec<u8> {
        let mut bytes = seeds[self.below(seeds.len())].to_vec();
        for _ in 0..=self.below(4) {
            let at = self.below(bytes.len() + 1);
            let end = bytes.len().min(at + self.below(9));
            match self.below(4) {
                0 => drop(bytes.drain(at..end)),
                1 => {
                    let byte = [0, 1, 0x7f, 0x80, 0xff, self.below(256) as u8][self.below(6)];
                    bytes[at..end].fill(byte);
                }
                2 => {
                    let other = seeds[self.below(seeds.len())];
                    let from = self.below(other.len() + 1);
                    let to = other.len().min(from + self.below(40));
                    bytes.splice(at..end, other[from..to].iter().copied());
                }
                _ => {
                    if let Some(byte) = bytes.get_mut(at) {
                        *byte ^= 1 << self.below(8);
                    }
                }
            }
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MUTATIONS: usize = 100_000;

    fn play(name: &str) {
        let target = TARGETS.into_iter().find(|target| target.name == name);
        target.expect("a target").play(MUTATIONS);
    }

    #[test]
    fn any_packets_in_any_pieces_are_borne() {
        play("packets");
    }

    #[test]
    fn what_one_end_says_the_other_one_hears() {
        play("round_trip");
    }

    #[test]
    fn any_operations_bytes_and_time_are_borne() {
        play("session");
    }

    #[test]
    fn images_of_sessions_are_taken_whole_or_not_at_all() {
        play("snapshot");
    }

    #[test]
    #[should_panic(expected = "snapshot fails with [03]")]
    fn a_failure_says_the_bytes_it_comes_of() {
        let target = Target {
            name: "snapshot",
            seeds: &[],
            play: |bytes| assert_eq!(bytes, [1, 2]),
        };
        target.try_one(&[3]);
    }
}
