//! Prints how long a command takes to its answer, and how long the least program there can be takes for the same.
//!
//! `cargo run --release -p monster-scenarios --bin latency [ROUNDS [LIMIT [KEY=VALUE]...]]`: fails when the ratio of
//! the medians is over LIMIT. The settings are the device's.

use std::process::ExitCode;
use std::time::Duration;

use monster_scenarios::broker::{Mosquitto, Setup};
use monster_scenarios::desk::Desk;
use monster_scenarios::latency::{Times, compare};
use monster_scenarios::observer::Observer;
use monster_scenarios::world::{SOON, World, after};

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let rounds = arguments.next().map_or(2000, |text| {
        text.parse()
            .expect("ROUNDS is a whole number, such as 2000")
    });
    let limit: Option<f64> = arguments
        .next()
        .map(|text| text.parse().expect("LIMIT is a number, such as 1.20"));

    let world = World::new(&Desk);
    let broker = Mosquitto::start(Setup {
        quiet: true,
        ..Setup::default()
    });
    let mut options = world.options(&broker.url());
    for setting in arguments {
        let (key, value) = setting.split_once('=').expect("KEY=VALUE");
        options = options.set(key, value);
    }
    let mut observer = Observer::new(&broker, &[&after()]);
    let _device = world.started_with(options);
    observer.next(&after(), SOON);
    // Who listens to the device but not to the echo would slow down one of them.
    drop(observer);
    let comparison = compare(&broker, World::ID, rounds);
    print("device", &comparison.device);
    print("raw socket", &comparison.echo);
    let ratio = comparison.ratio();
    println!("ratio of the medians: {ratio:.2}");
    match limit {
        Some(limit) if ratio > limit => {
            eprintln!("that is over {limit:.2}");
            ExitCode::FAILURE
        }
        _ => ExitCode::SUCCESS,
    }
}

fn print(name: &str, times: &Times) {
    let micros = |time: Duration| time.as_micros();
    println!(
        "{name:10}  p50 {:6} µs  p99 {:6} µs",
        micros(times.percentile(50)),
        micros(times.percentile(99)),
    );
}
