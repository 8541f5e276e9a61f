//! What a client may rely on, against brokers that are not ours: `cargo xtask brokers`.
//!
//! A scenario is a function of a `World`: a broker, and a version of the protocol. It is played on every broker and in
//! each version that the broker speaks, and says what went otherwise than the standard has it. A broker that is known
//! to do so is in `differences.rs`, with the reason: a cell of the table that is not as declared there fails, also one
//! that is better.
//!
//! `docs/brokers.md` is made of the same lists.

#![forbid(unsafe_code)]

mod differences;
mod document;
mod peer;
mod scenario;
pub mod server;
mod table;

use std::process::ExitCode;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use umqtt::{Qos, Version};

use differences::declared;
use scenario::{SCENARIOS, Scenario};
use server::{BROKERS, Broker, Server};
use table::{Cell, Verdict};

/// Plays what the words of a command line say, and prints the table.
pub fn run(words: impl Iterator<Item = String>) -> ExitCode {
    let wanted = match Wanted::read(words) {
        Ok(wanted) => wanted,
        Err(why) => {
            eprintln!("{why}: [--broker NAME] [--write] [WORD of a scenario's name …]");
            return ExitCode::FAILURE;
        }
    };
    let started = Instant::now();
    let played = play(&wanted);
    table::print(&wanted.scenarios, &played);
    let cells = || played.iter().flat_map(|broker| &broker.cells);
    let failed = cells().filter(|cell| !cell.is_as_declared()).count();
    let stale = match (wanted.write, wanted.is_everything) {
        (true, true) if failed == 0 => document::write(&played),
        (false, true) => document::check(),
        _ => Ok(()),
    };
    if let Err(why) = &stale {
        eprintln!("{why}");
    }
    println!(
        "\ntest result: {}. {} passed; {failed} failed; finished in {:.1} s",
        if failed == 0 { "ok" } else { "FAILED" },
        cells().count() - failed,
        started.elapsed().as_secs_f64()
    );
    match failed == 0 && stale.is_ok() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

/// What is to be played.
struct Wanted {
    brokers: Vec<&'static dyn Broker>,
    scenarios: Vec<&'static Scenario>,
    is_everything: bool,
    write: bool,
}

impl Wanted {
    fn read(words: impl Iterator<Item = String>) -> Result<Self, String> {
        let (mut brokers, mut filters, mut write) = (Vec::new(), Vec::new(), false);
        let mut words = words;
        while let Some(word) = words.next() {
            match word.as_str() {
                "--write" => write = true,
                "--broker" => {
                    let name = words.next().unwrap_or_default();
                    let found = BROKERS.into_iter().find(|broker| broker.name() == name);
                    brokers.push(found.ok_or_else(|| {
                        let names = BROKERS.map(|broker| broker.name()).join(", ");
                        format!("there is no broker `{name}`; there are {names}")
                    })?);
                }
                _ if word.starts_with('-') => return Err(format!("there is no option {word}")),
                _ => filters.push(word),
            }
        }
        let is_wanted = |scenario: &&Scenario| {
            let found = |filter: &String| scenario.name.contains(filter.as_str());
            filters.is_empty() || filters.iter().any(found)
        };
        let scenarios: Vec<_> = SCENARIOS.iter().filter(is_wanted).collect();
        // To play nothing is no success.
        if scenarios.is_empty() {
            let filters = filters.join(" or ");
            return Err(format!("no scenario has {filters} in its name"));
        }
        Ok(Wanted {
            is_everything: brokers.is_empty() && filters.is_empty(),
            brokers: match brokers.is_empty() {
                true => BROKERS.to_vec(),
                false => brokers,
            },
            scenarios,
            write,
        })
    }
}

/// A broker, and what it did.
struct Played {
    broker: &'static dyn Broker,
    release: String,
    cells: Vec<Cell>,
}

/// Plays all scenarios, on all brokers at once; on each of them one after the other.
fn play(wanted: &Wanted) -> Vec<Played> {
    let played = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for (place, broker) in wanted.brokers.iter().enumerate() {
            let played = &played;
            scope.spawn(move || {
                let mut server = broker.start();
                let release = server.release.clone();
                let cells = cells(*broker, &mut server, &wanted.scenarios);
                let broker = *broker;
                let it = Played {
                    broker,
                    release,
                    cells,
                };
                played
                    .lock()
                    .expect("nobody panics holding it")
                    .push((place, it));
            });
        }
    });
    let mut played = played.into_inner().expect("nobody panics holding it");
    played.sort_by_key(|(place, _)| *place);
    played.into_iter().map(|(_, played)| played).collect()
}

fn cells(broker: &dyn Broker, server: &mut Server, scenarios: &[&'static Scenario]) -> Vec<Cell> {
    let mut cells = Vec::new();
    for (number, scenario) in scenarios.iter().enumerate() {
        for &version in scenario.versions {
            if !broker.versions().contains(&version) {
                continue;
            }
            let started = Instant::now();
            let mut world = World {
                server,
                restarts_slowly: broker.is_slow(),
                version,
                highest: broker.highest_qos(),
                prefix: format!("s{number}v{}", version_number(version).replace('.', "")),
            };
            let seen = (scenario.play)(&mut world).err().map(|failed| failed.0);
            let took = started.elapsed();
            let declared = declared(scenario.name, broker.name(), version);
            let verdict = Verdict::new(seen, declared);
            note(broker, scenario, version, &verdict, took);
            cells.push(Cell {
                scenario: scenario.name,
                version,
                verdict,
            });
        }
    }
    cells
}

/// Says at once what is not as declared.
fn note(
    broker: &dyn Broker,
    scenario: &Scenario,
    version: Version,
    verdict: &Verdict,
    took: Duration,
) {
    let place = format!(
        "{} {}: {}",
        broker.name(),
        version_number(version),
        scenario.name
    );
    match verdict {
        Verdict::Unexpected(seen) => eprintln!("{place}: {seen}"),
        Verdict::Better(declared) => {
            eprintln!("{place}: this difference is gone: {:?}", declared.seen);
        }
        _ if took > Duration::from_secs(5) => eprintln!("{place}: {:.1} s", took.as_secs_f64()),
        _ => {}
    }
}

/// How people write a version.
fn version_number(version: Version) -> &'static str {
    match version {
        Version::V3_1_1 => "3.1.1",
        Version::V5 => "5",
    }
}

/// What a scenario is played in.
struct World<'s> {
    server: &'s mut Server,
    restarts_slowly: bool,
    /// What it grants at most.
    highest: Qos,
    version: Version,
    /// What is before each name, so that scenarios share a broker and nothing else.
    prefix: String,
}
