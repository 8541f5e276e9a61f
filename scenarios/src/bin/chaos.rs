//! Plays chaos on the virtual microcontroller: `chaos SEED SECONDS`. The same seed gives the same episodes.

use std::time::Duration;

fn main() {
    let mut arguments = std::env::args().skip(1).map(|word| word.parse());
    let (Some(Ok(seed)), Some(Ok(seconds))) = (arguments.next(), arguments.next()) else {
        panic!("chaos SEED SECONDS");
    };
    println!("chaos from seed {seed}: `cargo xtask chaos --seed {seed}` draws the same again");
    monster_scenarios::chaos::run(seed, Duration::from_secs(seconds));
}
