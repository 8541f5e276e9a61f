//! All tests, in the order in which they are cheapest to fail.

use std::fs;
use std::panic::resume_unwind;
use std::thread;
use std::time::{Duration, Instant};

use crate::command::{Failed, cargo, program, root};
use crate::{
    bench, conformance, console, docs, esp32c3, fuzz, lint, no_panic, packages, page, published,
    quick_starts, readme, semver, size, virt, wear,
};

/// Installs what is missing and runs everything.
pub fn everything() -> Result<(), Failed> {
    let mut stages = Stages::new();
    stages.run("install", || {
        packages::install()?;
        packages::brokers()
    })?;
    stages.run("lint", lint::everything)?;
    stages.run("readme", || readme::readme(false))?;
    stages.run("docs", docs::docs)?;
    stages.run("conformance", || conformance::conformance(false))?;
    stages.run("no-panic", no_panic::no_panic)?;
    stages.run("published", published::published)?;
    stages.run("semver", || semver::semver(false))?;

    stages.count("unit tests", || {
        tests("test --workspace --exclude monster-scenarios --all-features")
    })?;
    stages.count("fuzz", || tests(fuzz::SEEDS))?;
    stages.run("build", build_for_scenarios)?;
    stages.count("scenarios", || {
        tests(&scenario_tests(&["--lib", "--bins"], |test| test != AIR)?)
    })?;
    // Minutes of waiting, with ten seconds of patience.
    let air = || tests(&scenario_tests(&[], |test| test == AIR)?);
    stages.beside("air", air, |stages| {
        stages.count("brokers", || tests(BROKERS))?;
        stages.run("console", console::console)
    })?;
    stages.count("page", || page::page(&page::Options::default()))?;
    stages.run("portal", page::portal)?;
    stages.count("quick starts", || quick_starts::quick_starts(&[]))?;
    // The board mostly waits for its blows. What is counted or built meanwhile does not mind them; it must not
    // build that board.
    let chaos = || chaos(1, 2).map(|()| 0);
    stages.beside("chaos", chaos, |stages| {
        stages.run("sim", || {
            cargo("run --quiet --release --package monster-sim -- --seed 1 --hours 5000").run()
        })?;
        stages.run("build of the release", build_release)?;
        count(stages)
    })?;
    measure(&mut stages)?;
    stages.print();
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

/// The end-to-end tests of access points, whose times are minutes, and are not shortened.
const AIR: &str = "virt_air";

/// What `cargo` is told for these targets and those of the end-to-end tests that are chosen by name.
///
/// They start the device as a person would. They mostly wait, so there may be more of them at once than
/// there are processors.
fn scenario_tests(more: &[&str], is_chosen: impl Fn(&str) -> bool) -> Result<String, Failed> {
    let folder = root().join("scenarios/tests");
    let entries = fs::read_dir(&folder)
        .map_err(|error| Failed::Advice(format!("cannot read {}: {error}", folder.display())))?;
    let mut words: Vec<String> = more.iter().map(ToString::to_string).collect();
    for entry in entries.flatten() {
        let path = entry.path();
        let name = path.file_stem().and_then(|name| name.to_str());
        words.extend(
            name.filter(|name| is_chosen(name))
                .map(|name| format!("--test {name}")),
        );
    }
    let words = words.join(" ");
    Ok(format!(
        "test --package monster-scenarios {words} -- --test-threads 8"
    ))
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
    let mut stages = Stages::new();
    build_release()?;
    count(&mut stages)?;
    measure(&mut stages)
}

/// What is measured on this computer.
fn build_release() -> Result<(), Failed> {
    cargo("build --release --package monster-desk").run()?;
    cargo("build --release --package monster-scenarios --bins").run()
}

/// These are the same whatever else this computer does: erased sectors, bytes.
fn count(stages: &mut Stages) -> Result<(), Failed> {
    stages.run("wear", wear::wear)?;
    stages.run("size", || size::size(size::Options::gate()))
}

/// Builds all the firmware that is measured: of two boards at a time, since the end of each build
/// keeps but one processor busy.
fn build_boards() -> Result<(), Failed> {
    thread::scope(|scope| {
        let virt = scope.spawn(virt::build_all);
        let esp32c3 = esp32c3::build_all();
        virt.join().unwrap_or_else(|panic| resume_unwind(panic))?;
        esp32c3
    })
}

/// Nothing runs beside these: they measure time.
fn measure(stages: &mut Stages) -> Result<(), Failed> {
    stages.run("builds of the boards", build_boards)?;
    stages.run("latency", || {
        // On one processor: what a wake-up from one to another takes would hide the difference.
        let latency = "-c 0 cargo run --quiet --release --package monster-scenarios --bin latency";
        program("taskset").args(latency.split(' ')).run()
    })?;
    stages.run("idle", || {
        cargo("run --quiet --release --package monster-scenarios --bin idle -- 20 0.5").run()
    })?;
    stages.run("virt", virt::figures)?;
    stages.run("esp32c3", || esp32c3::esp32c3(&esp32c3::Options::default()))?;
    stages.run("bench", || bench::bench(bench::Options::gate()))
}

/// Runs `cargo` with these words, and counts how many tests passed by what its test runner says.
fn tests(words: &str) -> Result<u64, Failed> {
    let mut passed = 0;
    cargo(words).each_line(|line| {
        let count = line
            .strip_prefix("test result: ok. ")
            .and_then(|rest| rest.split(' ').next()?.parse::<u64>().ok());
        passed += count.unwrap_or(0);
    })?;
    Ok(passed)
}

/// What was run, and how long it took.
struct Stages {
    started: Instant,
    took: Vec<(&'static str, Duration)>,
    passed: u64,
}

impl Stages {
    fn new() -> Self {
        Stages {
            started: Instant::now(),
            took: Vec::new(),
            passed: 0,
        }
    }

    fn run(
        &mut self,
        name: &'static str,
        stage: impl FnOnce() -> Result<(), Failed>,
    ) -> Result<(), Failed> {
        self.count(name, || stage().map(|()| 0))
    }

    /// One that says how many tests passed.
    fn count(
        &mut self,
        name: &'static str,
        stage: impl FnOnce() -> Result<u64, Failed>,
    ) -> Result<(), Failed> {
        let started = Instant::now();
        self.passed += stage()?;
        self.took.push((name, started.elapsed()));
        Ok(())
    }

    /// One that says how many tests passed, while the others run. It is waited for, whatever becomes of
    /// them.
    fn beside(
        &mut self,
        name: &'static str,
        stage: impl FnOnce() -> Result<u64, Failed> + Send,
        others: impl FnOnce(&mut Self) -> Result<(), Failed>,
    ) -> Result<(), Failed> {
        let started = Instant::now();
        let (outcome, others, took) = thread::scope(|scope| {
            let running = scope.spawn(|| (stage(), started.elapsed()));
            let others = others(self);
            let (outcome, took) = running.join().unwrap_or_else(|panic| resume_unwind(panic));
            (outcome, others, took)
        });
        self.took.push((name, took));
        self.passed += outcome?;
        others
    }

    fn print(&self) {
        println!("\nSeconds of each stage:");
        for (name, took) in &self.took {
            println!("{:>6}  {name}", took.as_secs());
        }
        println!(
            "\nEverything passed in {} s.\n{} passed, 0 failed",
            self.started.elapsed().as_secs(),
            self.passed
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fails() -> Result<(), Failed> {
        Err(Failed::Advice("it failed".into()))
    }

    #[test]
    fn if_one_of_two_stages_fails_both_do_and_both_are_waited_for() {
        let mut stages = Stages::new();
        let well = stages.beside("one", || Ok(3), |stages| stages.run("other", || Ok(())));
        assert!(well.is_ok());
        assert_eq!((stages.passed, stages.took.len()), (3, 2));
        let fails_to_count = || fails().map(|()| 0);
        let one = stages.beside("one", fails_to_count, |stages| {
            stages.run("other", || Ok(()))
        });
        assert!(one.is_err());
        let mut has_ended = false;
        let slow = || {
            thread::sleep(Duration::from_millis(20));
            has_ended = true;
            Ok(0)
        };
        let other = stages.beside("one", slow, |stages| stages.run("other", fails));
        assert!(other.is_err() && has_ended);
    }

    #[test]
    fn the_tests_of_all_stages_count_and_a_failure_is_told() {
        let mut stages = Stages::new();
        assert!(stages.count("some", || Ok(3)).is_ok());
        assert!(stages.count("more", || Ok(4)).is_ok());
        assert!(stages.run("failing", fails).is_err());
        assert_eq!((stages.passed, stages.took.len()), (7, 2));
    }
}
