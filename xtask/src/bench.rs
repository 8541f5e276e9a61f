//! What a message costs the client and its peers, on this machine: instructions in user space, by
//! callgrind, and system calls, by strace. Each is the difference of two runs of different length,
//! so that what a program does but once does not count; both can be repeated, whatever else the
//! machine is doing.

mod run;
mod time;

use std::collections::BTreeMap;

use crate::command::{Failed, cargo, program};
use crate::packages;
use crate::readme;
use crate::record::{Record, Verdict};

/// A program that does the works.
struct Client {
    name: &'static str,
    /// Its package in `bench/clients`.
    package: &'static str,
    /// The most messages it can have in flight.
    in_flight: usize,
}

const fn client(name: &'static str, package: &'static str) -> Client {
    Client {
        name,
        package,
        in_flight: 16,
    }
}

/// Ours is the first.
const CLIENTS: [Client; 6] = [
    client("umqtt", "bench-umqtt"),
    client("raw socket", "bench-raw"),
    Client {
        in_flight: 8,
        ..client("minimq", "bench-minimq")
    },
    client("rust-mqtt", "bench-rust-mqtt"),
    client("rumqttc", "bench-rumqttc"),
    client("paho C", "bench-paho"),
];

/// Something to do with each message.
struct Work {
    name: &'static str,
    title: &'static str,
    /// Messages in flight.
    window: usize,
    /// What umqtt should come to: instructions and system calls.
    target: (f64, f64),
}

const fn work(name: &'static str, title: &'static str, window: usize, target: (f64, f64)) -> Work {
    Work {
        name,
        title,
        window,
        target,
    }
}

const WORKS: [Work; 5] = [
    work("publish-qos0", "publish QoS 0", 1, (250.0, 1.0)),
    work(
        "publish-qos1-1",
        "publish QoS 1, one in flight",
        1,
        (700.0, 2.0),
    ),
    work(
        "publish-qos1-16",
        "publish QoS 1, 16 in flight",
        16,
        (700.0, 1.07),
    ),
    work("receive-qos0", "receive QoS 0", 1, (350.0, 0.04)),
    work("reply", "command → reply", 1, (600.0, 2.0)),
];

/// Messages of the two runs.
const SHORT: usize = 2_000;
const LONG: usize = 6_000;

const PROGRAMS: [(&str, &str); 5] = [
    ("valgrind", "valgrind"),
    ("strace", "strace"),
    // For paho C.
    ("cmake", "cmake"),
    ("make", "make"),
    ("cc", "gcc"),
];

const RECORD: &str = "bench/speed.csv";
const HEADER: &str = "compiler,work,client,instructions,syscalls";

/// What to measure, and what to do beside it.
#[derive(Clone, Default, clap::Args)]
pub struct Options {
    /// Print the figures for other programs, and nothing else.
    #[arg(long)]
    json: bool,
    /// Measure this client alone.
    #[arg(long, value_parser = CLIENTS.map(|client| client.name))]
    client: Option<String>,
    /// Print where umqtt's instructions go, by function and file.
    #[arg(long)]
    functions: bool,
    /// Measure umqtt alone, and nothing but what is held against its record.
    #[arg(long, conflicts_with_all = ["client", "record"])]
    gate: bool,
    /// Write the figures down as those that later ones are held against, and into the README.
    #[arg(long, conflicts_with = "client")]
    record: bool,
}

impl Options {
    /// For all tests: only what is held against its record.
    pub fn gate() -> Self {
        Options {
            gate: true,
            ..Options::default()
        }
    }
}

struct Row {
    work: &'static Work,
    client: &'static Client,
    instructions: f64,
    syscalls: f64,
}

/// Measures, prints, and fails if a figure of umqtt is worse than its record.
pub fn bench(options: Options) -> Result<(), Failed> {
    install()?;
    let only = match options.gate {
        true => Some(CLIENTS[0].name),
        false => options.client.as_deref(),
    };
    let clients: Vec<&Client> = CLIENTS
        .iter()
        .filter(|client| only.is_none_or(|name| name == client.name))
        .collect();
    build(&clients)?;

    let mut rows = Vec::new();
    for work in &WORKS {
        for client in &clients {
            eprintln!("{}: {}", client.name, work.name);
            rows.push(measure(work, client)?);
        }
    }
    match options.json {
        true => print_json(&rows),
        false => print_table(&rows),
    }
    let ours: Vec<&Row> = rows
        .iter()
        .filter(|row| row.client.name == CLIENTS[0].name)
        .collect();
    if !options.json {
        print_targets(&ours);
    }
    if options.functions && !options.json {
        for row in &ours {
            print_functions(row.work, row.client)?;
        }
    }
    let compiler = compiler()?;
    if !options.json && !options.gate {
        let timings = time::measure(&clients)?;
        time::print(&timings);
        if options.record {
            time::record(&timings, &compiler)?;
        }
    }
    if options.record {
        let mut record = Record::read(RECORD);
        for row in &rows {
            record.note(&row.key(&compiler), row.figures());
        }
        record.write(HEADER)?;
        readme::write("bench", &compiler, &readme(&compiler)?)?;
    }
    gate(&ours, &compiler)
}

/// Installs what the clients are built with and measured by.
pub fn install() -> Result<(), Failed> {
    packages::install_missing(&PROGRAMS)
}

fn build(clients: &[&Client]) -> Result<(), Failed> {
    let raw = &CLIENTS[1];
    let packages = clients
        .iter()
        .chain([&raw])
        .flat_map(|client| ["--package", client.package]);
    cargo("build --quiet --locked --release --package responder")
        .args(packages)
        .args(["--manifest-path", "bench/Cargo.toml"])
        .args(["--target-dir", "target/bench"])
        .output()
        .map(drop)
}

fn measure(work: &'static Work, client: &'static Client) -> Result<Row, Failed> {
    let window = work.window.min(client.in_flight);
    let run = |count| run::Run {
        client: client.package,
        work: work.name,
        count,
        window,
    };
    let per_message = |short: f64, long: f64| (long - short) / (LONG - SHORT) as f64;
    Ok(Row {
        work,
        client,
        instructions: per_message(run(SHORT).instructions()?, run(LONG).instructions()?),
        syscalls: per_message(run(SHORT).syscalls()?, run(LONG).syscalls()?),
    })
}

fn print_json(rows: &[Row]) {
    let lines: Vec<String> = rows
        .iter()
        .map(|row| {
            format!(
                r#"{{"work":"{}","client":"{}","instructions":{:.0},"syscalls":{:.3}}}"#,
                row.work.name,
                row.client.name,
                row.instructions,
                // A difference of two runs may come out a little below zero.
                row.syscalls.max(0.0)
            )
        })
        .collect();
    println!("[{}]", lines.join(",\n "));
}

fn print_table(rows: &[Row]) {
    println!("\nInstructions and system calls per message:\n");
    print!("{}", table(rows));
    println!(
        "\nPayload of 64 bytes, buffers of 4 KiB, one connection over loopback. minimq has at most \
         8 in flight."
    );
}

fn table(rows: &[Row]) -> String {
    let titles: Vec<&str> = WORKS.iter().map(|work| work.title).collect();
    let mut text = format!("| | {} |\n", titles.join(" | "));
    text.push_str(&format!("|---{}|\n", "|--:".repeat(titles.len())));
    for client in &CLIENTS {
        let mut cells = Vec::new();
        for work in &WORKS {
            if let Some(row) = find(rows, client, work) {
                let syscalls = format!("{:.2}", row.syscalls.max(0.0));
                let syscalls = syscalls.trim_end_matches('0').trim_end_matches('.');
                let instructions = grouped(row.instructions);
                cells.push(format!("{instructions} / {syscalls}"));
            }
        }
        if !cells.is_empty() {
            let name = emphasized(client.name);
            text.push_str(&format!("| {name} | {} |\n", cells.join(" | ")));
        }
    }
    text
}

/// Ours stands out.
fn emphasized(client: &str) -> String {
    match client == CLIENTS[0].name {
        true => format!("**{client}**"),
        false => client.to_owned(),
    }
}

/// A whole number, with commas.
pub fn grouped(figure: f64) -> String {
    let digits = format!("{figure:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn find<'r>(rows: &'r [Row], client: &Client, work: &Work) -> Option<&'r Row> {
    rows.iter()
        .find(|row| row.client.name == client.name && row.work.name == work.name)
}

/// The tables of what was written down.
pub fn readme(compiler: &str) -> Result<String, Failed> {
    let record = Record::read(RECORD);
    let mut rows = Vec::new();
    for client in &CLIENTS {
        for work in &WORKS {
            let mut row = Row {
                work,
                client,
                instructions: 0.0,
                syscalls: 0.0,
            };
            let unknown = || Failed::Advice(format!("{RECORD} has no {}", row.key(compiler)));
            let [instructions, syscalls] = record.find(&row.key(compiler)).ok_or_else(unknown)?;
            row.instructions = instructions;
            row.syscalls = syscalls;
            rows.push(row);
        }
    }
    Ok(format!(
        "\nInstructions and system calls per message, in user space on x86-64:\n\n{}\nMessages a second, \
         and the time of a reply, client and server on one processor:\n\n{}\n",
        table(&rows),
        time::readme(compiler)
    ))
}

fn print_targets(ours: &[&Row]) {
    println!();
    for row in ours {
        let (instructions, syscalls) = row.work.target;
        // To as many digits as the target has.
        let met = row.instructions.round() <= instructions
            && (row.syscalls * 100.0).round() / 100.0 <= syscalls;
        println!(
            "{:<16} {:>6.0} / {:<5.2} target {instructions} / {syscalls}: {}",
            row.work.name,
            row.instructions,
            row.syscalls.max(0.0),
            if met { "met" } else { "not met" }
        );
    }
}

fn print_functions(work: &'static Work, client: &'static Client) -> Result<(), Failed> {
    let run = |count| run::Run {
        client: client.package,
        work: work.name,
        count,
        window: work.window,
    };
    let short = run(SHORT).functions()?;
    let mut functions: BTreeMap<String, Vec<(f64, String)>> = BTreeMap::new();
    for (name, long) in run(LONG).functions()? {
        let count = long - short.get(&name).copied().unwrap_or(0.0);
        let (function, file) = name;
        let part = (count / (LONG - SHORT) as f64, file);
        functions.entry(function).or_default().push(part);
    }
    let total = |parts: &[(f64, String)]| parts.iter().map(|(count, _)| count).sum::<f64>();
    let mut functions: Vec<_> = functions.into_iter().collect();
    functions.sort_by(|(_, a), (_, b)| total(b).total_cmp(&total(a)));
    println!("\n{}, instructions per message:", work.name);
    for (function, mut parts) in functions {
        if total(&parts) < 1.0 {
            break;
        }
        let count = total(&parts);
        parts.sort_by(|(a, _), (b, _)| b.total_cmp(a));
        let parts: Vec<String> = parts
            .iter()
            .filter(|(count, _)| *count >= 1.0)
            .map(|(count, file)| format!("{file} {count:.0}"))
            .collect();
        println!("{count:>7.1}  {function}: {}", parts.join(", "));
    }
    Ok(())
}

fn compiler() -> Result<String, Failed> {
    let version = program("rustc").args(["--version"]).output()?;
    let words: Vec<&str> = version.split(' ').take(2).collect();
    Ok(words.join(" "))
}

impl Row {
    fn key(&self, compiler: &str) -> String {
        format!("{compiler},{},{}", self.work.name, self.client.name)
    }

    fn figures(&self) -> [f64; 2] {
        let thousandths = (self.syscalls.max(0.0) * 1_000.0).round() / 1_000.0;
        [self.instructions.round(), thousandths]
    }
}

fn gate(ours: &[&Row], compiler: &str) -> Result<(), Failed> {
    let record = Record::read(RECORD);
    let mut wrong = Vec::new();
    for row in ours {
        let name = row.work.name;
        match record.judge(&row.key(compiler), row.figures()) {
            Verdict::Within => {}
            Verdict::Unknown => eprintln!("{name}: {RECORD} has no figures for {compiler}"),
            Verdict::Better => wrong.push(format!("{name}: better")),
            Verdict::Worse(which, known, now) => wrong.push(format!(
                "{name}: {now} {}, not {known}",
                ["instructions", "system calls"][which]
            )),
        }
    }
    if wrong.is_empty() {
        return Ok(());
    }
    Err(Failed::Advice(format!(
        "not as in {RECORD}:\n{}\nIf that is worth it, `cargo xtask bench --record` writes it down.",
        wrong.join("\n")
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_numbers_have_commas() {
        assert_eq!(grouped(7.4), "7");
        assert_eq!(grouped(1_234.0), "1,234");
        assert_eq!(grouped(123_456_789.0), "123,456,789");
    }
}
