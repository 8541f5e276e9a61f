//! What came of each scenario on each broker.

use umqtt::Version;

use crate::differences::Difference;
use crate::scenario::Scenario;
use crate::{Played, version_number};

/// A scenario that was played on a broker, in a version.
pub struct Cell {
    pub scenario: &'static str,
    pub version: Version,
    pub verdict: Verdict,
}

/// What came of it, beside what was declared.
pub enum Verdict {
    /// As the standard has it.
    Standard,
    /// Otherwise, as declared.
    Declared(&'static Difference),
    /// Otherwise, and nobody said so.
    Unexpected(String),
    /// As the standard has it, though something else is declared.
    Better(&'static Difference),
}

impl Verdict {
    pub fn new(seen: Option<String>, declared: Option<&'static Difference>) -> Self {
        match (seen, declared) {
            (None, None) => Verdict::Standard,
            (None, Some(declared)) if declared.is_of_the_moment => Verdict::Standard,
            (None, Some(declared)) => Verdict::Better(declared),
            (Some(seen), Some(declared)) if declared.seen.iter().any(|it| seen.contains(it)) => {
                Verdict::Declared(declared)
            }
            (Some(seen), _) => Verdict::Unexpected(seen),
        }
    }

    fn sign(&self) -> &'static str {
        match self {
            Verdict::Standard => "yes",
            Verdict::Declared(_) => "differs",
            Verdict::Unexpected(_) => "FAILED",
            Verdict::Better(_) => "BETTER",
        }
    }
}

impl Cell {
    pub fn is_as_declared(&self) -> bool {
        matches!(self.verdict, Verdict::Standard | Verdict::Declared(_))
    }
}

/// Prints scenario × broker and version, and under it what differs.
pub fn print(scenarios: &[&'static Scenario], played: &[Played]) {
    let columns: Vec<_> = played
        .iter()
        .flat_map(|it| {
            it.broker
                .versions()
                .iter()
                .map(move |version| (it, *version))
        })
        .collect();
    let width = scenarios.iter().map(|it| it.name.len()).max().unwrap_or(0);
    let heads = |line: &dyn Fn(&Played, Version) -> String| {
        let cells = columns
            .iter()
            .map(|(it, version)| format!("{:10}", line(it, *version)));
        cells.collect::<String>()
    };
    println!(
        "{:width$}  {}",
        "",
        heads(&|it, _| it.broker.name().to_owned())
    );
    println!("{:width$}  {}", "", heads(&|it, _| it.release.clone()));
    let mqtt = |_: &Played, version| format!("MQTT {}", version_number(version));
    println!("{:width$}  {}", "", heads(&mqtt));
    for scenario in scenarios {
        let row = heads(&|it, version| {
            let is_it = |cell: &&Cell| cell.scenario == scenario.name && cell.version == version;
            let cell = it.cells.iter().find(is_it);
            cell.map_or("-", |cell| cell.verdict.sign()).to_owned()
        });
        println!("{:width$}  {}", scenario.name, row.trim_end());
    }
    for it in played {
        let mut told: Vec<&str> = Vec::new();
        for cell in &it.cells {
            if let Verdict::Declared(Difference { why, .. }) = cell.verdict
                && !told.contains(why)
            {
                println!("\n{}, {}: {why}", it.broker.name(), cell.scenario);
                told.push(why);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::differences::DIFFERENCES;
    use crate::scenario::SCENARIOS;
    use crate::server::BROKERS;

    fn is_as_declared(seen: Option<&str>, declared: Option<&'static Difference>) -> bool {
        let verdict = Verdict::new(seen.map(str::to_owned), declared);
        Cell {
            scenario: "",
            version: Version::V5,
            verdict,
        }
        .is_as_declared()
    }

    #[test]
    fn a_cell_is_as_the_standard_has_it_or_differs_as_was_declared() {
        let is_always = |it: &&Difference| !it.is_of_the_moment;
        let declared = DIFFERENCES.iter().find(is_always).expect("there is one");
        let seen = format!("before {} after", declared.seen[0]);
        assert!(is_as_declared(None, None));
        assert!(is_as_declared(Some(&seen), Some(declared)));
        assert!(!is_as_declared(Some(&seen), None));
        assert!(!is_as_declared(None, Some(declared)));
        assert!(!is_as_declared(Some("something else"), Some(declared)));
        let sometimes = DIFFERENCES.iter().find(|it| it.is_of_the_moment);
        assert!(sometimes.is_some() && is_as_declared(None, sometimes));
        assert!(!is_as_declared(Some("something else"), sometimes));
    }

    #[test]
    fn each_difference_is_of_a_cell_that_is_played_and_declared_once() {
        for difference in DIFFERENCES {
            let scenario = SCENARIOS.iter().find(|it| it.name == difference.scenario);
            let broker = BROKERS.iter().find(|it| it.name() == difference.broker);
            let (Some(scenario), Some(broker)) = (scenario, broker) else {
                panic!("{difference:?} is of no cell");
            };
            for version in difference.versions {
                let is_played = broker.versions().contains(version);
                assert!(
                    is_played && scenario.versions.contains(version),
                    "{difference:?}"
                );
                let is_same = |it: &&Difference| {
                    it.scenario == difference.scenario
                        && it.broker == difference.broker
                        && it.versions.contains(version)
                };
                assert_eq!(
                    DIFFERENCES.iter().filter(is_same).count(),
                    1,
                    "{difference:?}"
                );
            }
        }
    }
}
