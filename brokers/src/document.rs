//! `docs/brokers.md`, made of the lists of scenarios and differences.

use std::fs;
use std::path::{Path, PathBuf};

use umqtt::Version;

use crate::differences::{DIFFERENCES, Difference};
use crate::scenario::SCENARIOS;
use crate::server::{BROKERS, Broker};
use crate::{Played, version_number};

const DOCUMENT: &str = "docs/brokers.md";
/// The line with the brokers' versions, which are those of the machine it was written on.
const RELEASES: &str = "Written with ";

/// Writes the document, with the versions that were played.
pub fn write(played: &[Played]) -> Result<(), String> {
    let release = |it: &Played| format!("{} {}", it.broker.name(), it.release);
    let releases: Vec<_> = played.iter().map(release).collect();
    fs::write(path(), render(&releases.join(", "))).map_err(|why| format!("{DOCUMENT}: {why}"))
}

/// Fails unless the document says what is declared.
pub fn check() -> Result<(), String> {
    let without = |text: &str| -> Vec<String> {
        let lines = text.lines().filter(|line| !line.starts_with(RELEASES));
        lines.map(str::to_owned).collect()
    };
    let text = fs::read_to_string(path()).unwrap_or_default();
    match without(&text) == without(&render("")) {
        true => Ok(()),
        false => Err(format!(
            "{DOCUMENT} is out of date: `cargo xtask brokers --write`"
        )),
    }
}

fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .join(DOCUMENT)
}

fn render(releases: &str) -> String {
    let mut text = format!(
        "# Real brokers\n\n\
         The same scenarios of a client, played by `umqtt` against every broker that can be had as a package: \
         `cargo xtask brokers`\nstarts each of them, plays them, and fails where a cell is not as it stands here. \
         The scenarios are in\n[brokers/src/scenario](../brokers/src/scenario), what differs in \
         [differences.rs](../brokers/src/differences.rs), of which this page is made with `--write`.\n\n\
         {RELEASES}{releases}.\n\n| broker | is started |\n|---|---|\n"
    );
    for broker in BROKERS {
        text += &format!("| {} | {} |\n", broker.name(), broker.setup());
    }
    text += "\n✓: as the standard has it. A number: otherwise, see below. –: not played.\n\n| ";
    let columns = columns();
    for (broker, version) in &columns {
        text += &format!("| {}, {} ", broker.name(), version_number(*version));
    }
    text += &format!("|\n|---{}|\n", "|:-:".repeat(columns.len()));
    let mut noted: Vec<&Difference> = Vec::new();
    for scenario in SCENARIOS {
        text += &format!("| {} ", sentence(scenario.name));
        for (broker, version) in &columns {
            let declared = DIFFERENCES.iter().find(|it| {
                it.scenario == scenario.name
                    && it.broker == broker.name()
                    && it.versions.contains(version)
            });
            text += &match declared {
                _ if !scenario.versions.contains(version) => "| – ".to_owned(),
                None => "| ✓ ".to_owned(),
                Some(difference) => format!("| {} ", number(&mut noted, difference)),
            };
        }
        text += "|\n";
    }
    text += "\n## What differs\n\n";
    for (place, difference) in noted.iter().enumerate() {
        let (number, broker) = (place + 1, difference.broker);
        let when = if difference.is_of_the_moment {
            " (not every time)"
        } else {
            ""
        };
        text += &format!("{number}. **{broker}**{when}: {}\n", difference.why);
    }
    text
}

/// Each broker, in each of its versions.
fn columns() -> Vec<(&'static dyn Broker, Version)> {
    let columns =
        |broker: &'static dyn Broker| broker.versions().iter().map(move |it| (broker, *it));
    BROKERS.into_iter().flat_map(columns).collect()
}

/// The number of a difference: of all that have the same reason, the same.
fn number(noted: &mut Vec<&'static Difference>, difference: &'static Difference) -> usize {
    let is_it = |it: &&Difference| it.broker == difference.broker && it.why == difference.why;
    let place = noted.iter().position(is_it).unwrap_or_else(|| {
        noted.push(difference);
        noted.len() - 1
    });
    place + 1
}

/// A name as people write it.
fn sentence(name: &str) -> String {
    let mut text = name
        .replace('_', " ")
        .replace("qos", "QoS")
        .replace(" dup", " DUP");
    if let Some(first) = text.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    text
}
