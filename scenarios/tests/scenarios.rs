//! Every scenario on every board, and one table of what came of it.
//!
//! `cargo test -p monster-scenarios --test scenarios -- [--board NAME] [--test-threads N] [WORD…]` plays those whose
//! file or name has one of the words. Each is played in a process of its own, so that what a failed one said can be
//! shown in one piece.

use std::process::{Command, ExitCode, Output};
use std::sync::Mutex;
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use monster_scenarios::device::Board;
use monster_scenarios::table::{BOARDS, Scenario, TABLE, scenario};

/// How long a scenario may take: longer than all of its own waits.
const PATIENCE: Duration = Duration::from_secs(300);

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let [flag, board, name] = &words[..]
        && flag == "--one"
    {
        let board = self::board(board).unwrap_or_else(|why| panic!("{why}"));
        scenario(name).run(board);
        return ExitCode::SUCCESS;
    }
    let wanted = match Wanted::read(words) {
        Ok(wanted) => wanted,
        Err(why) => {
            eprintln!("{why}");
            return ExitCode::FAILURE;
        }
    };
    let started = Instant::now();
    let cells = play(&wanted);
    print_table(&wanted, &cells);
    let failed = cells.iter().filter(|cell| !cell.passed).count();
    println!(
        "\ntest result: {}. {} passed; {failed} failed; finished in {:.1} s",
        if failed == 0 { "ok" } else { "FAILED" },
        cells.len() - failed,
        started.elapsed().as_secs_f64()
    );
    match failed {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

/// What is to be played.
struct Wanted {
    boards: Vec<&'static dyn Board>,
    scenarios: Vec<&'static Scenario>,
    at_once: usize,
}

impl Wanted {
    fn read(words: Vec<String>) -> Result<Self, String> {
        let mut boards = BOARDS.to_vec();
        let mut at_once = 8;
        let mut filters = Vec::new();
        let mut words = words.into_iter();
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or(format!("{word} takes a value"));
            match &*word {
                "--board" => boards = vec![board(&value()?)?],
                "--test-threads" => {
                    let threads = value()?.parse();
                    at_once = threads.map_err(|_| format!("{word} takes a number"))?;
                }
                // What is printed is never kept back.
                "--nocapture" | "--no-capture" => {}
                _ if word.starts_with('-') => {
                    return Err(format!(
                        "there is no option {word}: [--board NAME] [--test-threads N] [WORD of a scenario's name …]"
                    ));
                }
                _ => filters.push(word),
            }
        }
        let is_wanted = |scenario: &&Scenario| {
            let name = format!("{}::{}", scenario.file, scenario.name);
            filters.is_empty() || filters.iter().any(|filter| name.contains(filter))
        };
        let scenarios: Vec<_> = TABLE.iter().filter(is_wanted).collect();
        // To play nothing is no success.
        if scenarios.is_empty() {
            return Err(format!(
                "no scenario has {} in its name",
                filters.join(" or ")
            ));
        }
        Ok(Wanted {
            boards,
            scenarios,
            at_once,
        })
    }
}

/// A scenario that was played on a board.
struct Cell {
    board: &'static str,
    scenario: &'static str,
    passed: bool,
    took: Duration,
}

/// Plays all that is wanted, several at once, since they mostly wait.
fn play(wanted: &Wanted) -> Vec<Cell> {
    let pairs = wanted
        .scenarios
        .iter()
        .flat_map(|scenario| wanted.boards.iter().map(move |board| (*scenario, *board)));
    let pairs = Mutex::new(pairs);
    let next = || pairs.lock().expect("nobody panics holding it").next();
    let (played, cells) = channel();
    thread::scope(|scope| {
        for _ in 0..wanted.at_once.max(1) {
            let played: Sender<Cell> = played.clone();
            scope.spawn(move || {
                while let Some((scenario, board)) = next() {
                    let _ = played.send(play_one(scenario, board));
                }
            });
        }
    });
    drop(played);
    cells.into_iter().collect()
}

fn play_one(scenario: &'static Scenario, board: &dyn Board) -> Cell {
    let started = Instant::now();
    let this = std::env::current_exe().expect("a program knows where it is");
    let output = Command::new("timeout")
        .args(["--signal=KILL", &PATIENCE.as_secs().to_string()])
        .arg(this)
        .args(["--one", board.name(), scenario.name])
        .output()
        .expect("`timeout` is on the path");
    let took = started.elapsed();
    let name = format!("{}::{}::{}", board.name(), scenario.file, scenario.name);
    let passed = output.status.success();
    let result = if passed { "ok" } else { "FAILED" };
    let mut report = format!("test {name} ... {result} ({:.1} s)", took.as_secs_f64());
    if !passed {
        report += &said(&output);
    }
    println!("{report}");
    Cell {
        board: board.name(),
        scenario: scenario.name,
        passed,
        took,
    }
}

fn said(output: &Output) -> String {
    let [out, error] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    format!(" with {}\n{out}{error}", output.status)
}

fn print_table(wanted: &Wanted, cells: &[Cell]) {
    let names: Vec<&str> = wanted.boards.iter().map(|board| board.name()).collect();
    println!("\n| scenario | {} |", names.join(" | "));
    println!("|---|{}", "--:|".repeat(names.len()));
    for scenario in &wanted.scenarios {
        let row: Vec<String> = names
            .iter()
            .map(|board| {
                cells
                    .iter()
                    .find(|cell| cell.board == *board && cell.scenario == scenario.name)
                    .map_or("not played".to_owned(), |cell| match cell.passed {
                        true => format!("{:.1} s", cell.took.as_secs_f64()),
                        false => "**failed**".to_owned(),
                    })
            })
            .collect();
        let title = scenario.name.replace('_', " ");
        println!("| {}: {title} | {} |", scenario.file, row.join(" | "));
    }
}

fn board(name: &str) -> Result<&'static dyn Board, String> {
    let found = BOARDS.into_iter().find(|board| board.name() == name);
    found.ok_or_else(|| {
        let names = BOARDS.map(|board| board.name()).join(", ");
        format!("there is no board `{name}`; there are {names}")
    })
}
