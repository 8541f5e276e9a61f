//! `sim --seed N --hours H [--devices D] [--worlds W]`: runs worlds, and says what happened.

use std::process::ExitCode;

use cpu_time::ProcessTime;
use monster_sim::{BYTES_PER_DEVICE, Config, Summary, run};

const USAGE: &str = "usage: sim [--seed N] [--hours H] [--devices D] [--worlds W]
  --seed N     which world (1)
  --hours H    hours of virtual time (1000)
  --devices D  devices in each world (1)
  --worlds W   so many worlds, with the seeds from N on (1)";

fn main() -> ExitCode {
    let (config, worlds) = match arguments(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(error) => {
            eprintln!("sim: {error}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let start = ProcessTime::now();
    let mut summary = Summary::default();
    for seed in config.seed..config.seed + worlds {
        let outcome = std::panic::catch_unwind(|| run(Config { seed, ..config }));
        let Ok(world) = outcome else {
            eprintln!(
                "once more: cargo xtask sim --seed {seed} --hours {} -- --devices {}",
                config.hours, config.devices
            );
            return ExitCode::FAILURE;
        };
        summary = summary.and(world);
    }
    let seconds = start.elapsed().as_secs_f64();
    println!("{summary}");
    println!("violations             0");
    println!("bytes per device       {BYTES_PER_DEVICE}");
    println!(
        "{} device-hours in {seconds:.2} s of a core: {:.0} per second",
        summary.device_hours,
        summary.device_hours as f64 / seconds
    );
    ExitCode::SUCCESS
}

fn arguments(mut words: impl Iterator<Item = String>) -> Result<(Config, u64), String> {
    let mut config = Config {
        seed: 1,
        hours: 1000,
        devices: 1,
    };
    let mut worlds = 1;
    while let Some(flag) = words.next() {
        let value = words
            .next()
            .ok_or_else(|| format!("{flag} needs a number"))?;
        let number: u32 = value
            .parse()
            .map_err(|_| format!("{flag} {value}: a number from 0 to {} is allowed", u32::MAX))?;
        match flag.as_str() {
            "--seed" => config.seed = number.into(),
            "--hours" => config.hours = number.into(),
            "--devices" => config.devices = number,
            "--worlds" => worlds = number.into(),
            _ => return Err(format!("there is no flag {flag}")),
        }
    }
    Ok((config, worlds))
}
