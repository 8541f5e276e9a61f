//! All tests, in the order in which they are cheapest to fail.

use std::time::Instant;

use crate::command::{Failed, cargo, program};
use crate::{
    bench, conformance, console, esp32c3, fuzz, lint, no_panic, packages, page, published,
    quick_starts, readme, size, virt, wear,
};

/// Installs what is missing and runs everything.
pub fn everything() -> Result<(), Failed> {
    let start = Instant::now();
    packages::install()?;
    packages::brokers()?;
    let mut tally = Tally::default();

    lint::everything()?;
    readme::readme(false)?;
    conformance::conformance(false)?;
    no_panic::no_panic()?;
    published::published()?;

    tally.count("test --workspace --exclude monster-scenarios --all-features")?;
    tally.count(fuzz::SEEDS)?;
    // The end-to-end tests start the program as a person would. They mostly wait, so there may be
    // more of them at once than there are processors.
    build_for_scenarios()?;
    tally.count("test --package monster-scenarios -- --test-threads 8")?;
    tally.count(BROKERS)?;
    console::console()?;
    tally.passed += page::page()?;
    page::portal()?;
    tally.passed += quick_starts::quick_starts(&[])?;
    chaos(1, 2)?;
    cargo("run --quiet --release --package monster-sim -- --seed 1 --hours 5000").run()?;
    figures()?;

    println!(
        "\nEverything passed in {} s.\n{} passed, 0 failed",
        start.elapsed().as_secs(),
        tally.passed
    );
    Ok(())
}

/// Plays the scenarios on all boards, and prints their table.
pub fn scenarios(more: &[String]) -> Result<(), Failed> {
    packages::install()?;
    build_for_scenarios()?;
    cargo("test --quiet --package monster-scenarios --test scenarios --")
        .args(more)
        .run()
}

/// Plays the client's scenarios against all brokers, and prints their table.
pub fn brokers(more: &[String]) -> Result<(), Failed> {
    packages::install()?;
    packages::brokers()?;
    // One of them is `monster broker`.
    cargo("build --package monster-desk").run()?;
    cargo(BROKERS).args(more).run()
}

const BROKERS: &str = "run --quiet --package umqtt-brokers --";

/// Plays chaos on the board in QEMU.
pub fn chaos(seed: u64, minutes: u64) -> Result<(), Failed> {
    packages::install()?;
    build_for_scenarios()?;
    cargo("run --quiet --package monster-scenarios --bin chaos --")
        .args([seed.to_string(), (60 * minutes).to_string()])
        .run()
}

fn build_for_scenarios() -> Result<(), Failed> {
    cargo("build --package monster-desk --package xtask").run()?;
    virt::build()
}

/// Figures that are gated: each command prints what it measured, and fails where it is not enough.
pub fn figures() -> Result<(), Failed> {
    wear::wear()?;
    cargo("build --release --package monster-desk").run()?;
    // On one processor: what a wake-up from one to another takes would hide the difference.
    let latency = "-c 0 cargo run --quiet --release --package monster-scenarios --bin latency";
    program("taskset").args(latency.split(' ')).run()?;
    cargo("run --quiet --release --package monster-scenarios --bin idle -- 20 0.5").run()?;
    virt::figures()?;
    esp32c3::esp32c3(&esp32c3::Options::default())?;
    size::size(size::Options::gate())?;
    bench::bench(bench::Options::gate())
}

/// How many tests passed.
#[derive(Default)]
struct Tally {
    passed: u64,
}

impl Tally {
    /// Runs `cargo` with these words, and counts what its test runner says has passed.
    fn count(&mut self, words: &str) -> Result<(), Failed> {
        cargo(words).each_line(|line| {
            let passed = line
                .strip_prefix("test result: ok. ")
                .and_then(|rest| rest.split(' ').next()?.parse::<u64>().ok());
            self.passed += passed.unwrap_or(0);
        })
    }
}
