//! Prints what share of a core a device takes that has nothing to do but its heartbeats.
//!
//! `cargo run --release -p monster-scenarios --bin idle [SECONDS [LIMIT]]`: fails when it is over LIMIT percent.

use std::fs;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use monster_scenarios::broker::{Mosquitto, Setup};
use monster_scenarios::desk::{Desk, DeskDevice};
use monster_scenarios::device::Device;
use monster_scenarios::world::{SOON, World, observe, status};

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let seconds = arguments.next().map_or(30, |text| {
        text.parse().expect("SECONDS is a whole number, such as 30")
    });
    let limit: Option<f64> = arguments
        .next()
        .map(|text| text.parse().expect("LIMIT is a percentage, such as 0.5"));

    let world = World::new(&Desk);
    let broker = Mosquitto::start(Setup {
        quiet: true,
        ..Setup::default()
    });
    let mut device = DeskDevice::new(world.options(&broker.url()));
    device.power_on();
    observe(&broker).expect_text(&status(), SOON, "online");
    // What it does once, at its start, is over by then.
    thread::sleep(Duration::from_secs(2));
    let (before, since) = (cpu_time(device.process_id()), Instant::now());
    thread::sleep(Duration::from_secs(seconds));
    let used = cpu_time(device.process_id()) - before;
    let percent = 100.0 * used.as_secs_f64() / since.elapsed().as_secs_f64();
    println!("idle: {percent:.3} % of a core over {seconds} s");
    match limit {
        Some(limit) if percent > limit => {
            eprintln!("that is over {limit} %");
            ExitCode::FAILURE
        }
        _ => ExitCode::SUCCESS,
    }
}

/// The processor time of all threads of a process so far (`utime` and `stime` of proc(5)).
fn cpu_time(process: u32) -> Duration {
    let path = format!("/proc/{process}/stat");
    let stat = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    // The second field, the name, is in parentheses and may hold anything.
    let (_, fields) = stat.rsplit_once(')').expect("the name is in parentheses");
    let ticks: u64 = fields
        .split_whitespace()
        .skip(11)
        .take(2)
        .map(|field| field.parse::<u64>().expect("a count of ticks"))
        .sum();
    let per_second = rustix::param::clock_ticks_per_second();
    Duration::from_millis(ticks * 1000 / per_second)
}
