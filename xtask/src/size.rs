//! What the client costs on a small machine: bytes of flash and of RAM.
//!
//! A little firmware is built with and without MQTT; flash is the difference of the two. RAM is
//! all of it: variables, buffers and futures, and the deepest stack of a real run in QEMU.

mod emulator;
mod footprint;

use std::path::PathBuf;

use crate::bench::grouped;
use crate::command::{Failed, program, root};
use crate::packages;
use crate::readme;
use crate::record::{Record, Verdict};
use crate::toolchain::Toolchain;

/// A machine, and what emulates it.
struct Machine {
    target: &'static str,
    emulator: &'static [&'static str],
    package: (&'static str, &'static str),
    /// Flash and RAM of others on the same work, measured in November 2026.
    peers: &'static [(&'static str, &'static str, u32, u32)],
}

const MACHINES: [Machine; 2] = [
    Machine {
        target: "riscv32imc-unknown-none-elf",
        emulator: &["qemu-system-riscv32", "-M", "virt", "-bios", "none"],
        package: ("qemu-system-riscv32", "qemu-system-misc"),
        peers: &[
            ("paho embedded-C", "3.1.1, one in flight", 3_251, 1_136),
            ("coreMQTT 2.3.1 (C)", "3.1.1", 4_747, 780),
            ("coreMQTT 5.0.2 (C)", "5", 9_839, 1_052),
            ("minimq 0.13", "5", 21_728, 3_408),
            ("mountain-mqtt 0.2", "5, QoS 0 and 1", 26_425, 5_212),
            ("mqttrust 1.0", "3.1.1", 26_266, 4_644),
            ("rust-mqtt 0.6", "5", 45_000, 1_804),
            (
                "by hand, no library",
                "3.1.1, no QoS 2, no resend",
                1_614,
                748,
            ),
        ],
    },
    Machine {
        target: "thumbv7m-none-eabi",
        emulator: &["qemu-system-arm", "-M", "mps2-an385"],
        package: ("qemu-system-arm", "qemu-system-arm"),
        peers: &[
            ("paho embedded-C", "3.1.1, one in flight", 3_526, 1_064),
            ("coreMQTT 2.3.1 (C)", "3.1.1", 4_450, 748),
            ("coreMQTT 5.0.2 (C)", "5", 9_284, 996),
            ("minimq 0.13", "5", 18_126, 3_600),
            ("mountain-mqtt 0.2", "5, QoS 0 and 1", 22_381, 5_312),
            ("mqttrust 1.0", "3.1.1", 22_510, 4_676),
            ("rust-mqtt 0.6", "5", 33_670, 1_912),
            (
                "by hand, no library",
                "3.1.1, no QoS 2, no resend",
                1_610,
                728,
            ),
        ],
    },
];

/// A choice of the client's cargo features.
struct Features {
    name: &'static str,
    /// What `cargo` has to be told.
    options: &'static [&'static str],
    /// What flash and RAM should come to.
    target: (u32, u32),
}

const FEATURES: [Features; 3] = [
    Features {
        name: "3.1.1",
        options: &["--no-default-features", "--features", "v3"],
        target: (4_000, 900),
    },
    Features {
        name: "5",
        options: &["--no-default-features", "--features", "v5"],
        target: (9_000, 1_100),
    },
    Features {
        name: "3.1.1+5",
        options: &["--no-default-features", "--features", "v3,v5"],
        target: (9_000, 1_100),
    },
];

/// Ways to use the client. The first is the one that is compared and gated; a program per way.
const WAYS: [&str; 3] = ["blocking", "asynch", "session"];

const BASELINE: &str = "without";
const RECORD: &str = "bench/size.csv";
const HEADER: &str = "toolchain,target,features,way,flash,ram";

/// What to do beside measuring.
#[derive(Clone, Copy, Default, clap::Args)]
pub struct Options {
    /// Print the figures for other programs, and nothing else.
    #[arg(long)]
    json: bool,
    /// Print the largest symbols of the program, too.
    #[arg(long)]
    symbols: bool,
    /// Measure on the first target alone, and nothing but what is held against its record.
    #[arg(long, conflicts_with_all = ["record", "json"])]
    gate: bool,
    /// Write the figures down as those that later ones are held against, and into the README.
    #[arg(long)]
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
    target: &'static str,
    features: &'static Features,
    way: &'static str,
    flash: u32,
    ram: u32,
    verdict: Verdict,
}

/// Measures, prints, and fails if a figure is worse than its record.
pub fn size(options: Options) -> Result<(), Failed> {
    let (machines, ways) = match options.gate {
        true => (&MACHINES[..1], &WAYS[..1]),
        false => (&MACHINES[..], &WAYS[..]),
    };
    let mut needed: Vec<_> = machines.iter().map(|machine| machine.package).collect();
    if options.symbols {
        needed.push(("llvm-nm", "llvm"));
    }
    packages::install_missing(&needed)?;

    let mut record = Record::read(RECORD);
    let mut rows = Vec::new();
    let mut name = String::new();
    for machine in machines {
        let toolchain = Toolchain::find(machine.target)?;
        name = toolchain.name()?;
        for features in &FEATURES {
            let built = build(&toolchain, machine.target, features)?;
            let without = footprint::footprint(&built(BASELINE))?;
            for &way in ways {
                let with = footprint::footprint(&built(way))?;
                let stack = emulator::stack_depth(machine.emulator, &built(way))?;
                let (flash, ram) = (with.flash - without.flash, with.statics + stack);
                let key = format!("{name},{},{},{way}", machine.target, features.name);
                let figures = [flash, ram].map(f64::from);
                if options.record {
                    record.note(&key, figures);
                }
                rows.push(Row {
                    target: machine.target,
                    features,
                    way,
                    flash,
                    ram,
                    verdict: record.judge(&key, figures),
                });
            }
            if options.symbols && !options.json {
                symbols(&built(WAYS[0]))?;
            }
        }
    }
    if options.record {
        record.write(HEADER)?;
        readme::write("size", &name, &readme(&name)?)?;
    }
    match options.json {
        true => print_json(&rows),
        false => print_table(&rows),
    }
    gate(&rows)
}

/// Builds all programs for a target; returns where each is.
fn build(
    toolchain: &Toolchain,
    target: &str,
    features: &Features,
) -> Result<impl Fn(&str) -> PathBuf + use<>, Failed> {
    toolchain
        .cargo("build --quiet --locked --profile size --package size --bins")
        .args(["--manifest-path", "bench/Cargo.toml"])
        .args(["--target-dir", "target/bench"])
        .args(features.options)
        .output()?;
    let folder = root().join("target/bench").join(target).join("size");
    Ok(move |program: &str| folder.join(program))
}

fn symbols(file: &std::path::Path) -> Result<(), Failed> {
    let list = program("llvm-nm")
        .args([
            "--print-size",
            "--size-sort",
            "--reverse-sort",
            "--demangle",
        ])
        .args([file])
        .output()?;
    println!("\nLargest symbols of {}, bytes:", file.display());
    for line in list.lines().take(40) {
        let mut words = line.splitn(4, ' ').skip(1);
        if let (Some(size), Some(_kind), Some(name)) = (words.next(), words.next(), words.next()) {
            let size = u32::from_str_radix(size, 16).unwrap_or(0);
            println!("{size:>7}  {name}");
        }
    }
    Ok(())
}

fn print_json(rows: &[Row]) {
    let lines: Vec<String> = rows
        .iter()
        .filter(|row| row.way == WAYS[0])
        .map(|row| {
            format!(
                r#"{{"target":"{}","features":"{}","flash":{},"ram":{}}}"#,
                row.target, row.features.name, row.flash, row.ram
            )
        })
        .collect();
    println!("[{}]", lines.join(",\n "));
}

fn print_table(rows: &[Row]) {
    for machine in &MACHINES {
        if rows.iter().all(|row| row.target != machine.target) {
            continue;
        }
        println!("\n{}\n", machine.target);
        println!("| | speaks | flash | RAM |\n|---|---|--:|--:|");
        for row in rows.iter().filter(|row| row.target == machine.target) {
            println!(
                "| **umqtt, {}** | {} | **{}** | **{}** |",
                row.way, row.features.name, row.flash, row.ram
            );
        }
        for (name, speaks, flash, ram) in machine.peers {
            println!("| {name} | {speaks} | {flash} | {ram} |");
        }
    }
    println!(
        "\nBytes. Flash: what MQTT adds to the program. RAM: variables, two buffers of 256 bytes, \
         futures, deepest stack, all in.\nThe others were measured on the same work in November \
         2026.\n"
    );
    for row in rows.iter().filter(|row| row.way == WAYS[0]) {
        let (flash, ram) = row.features.target;
        println!(
            "{}, {}: flash {}, RAM {}",
            row.target,
            row.features.name,
            against(row.flash, flash),
            against(row.ram, ram)
        );
    }
}

fn against(figure: u32, target: u32) -> String {
    match figure <= target {
        true => format!("{figure} is within its target of {target}"),
        false => format!(
            "{figure} is {} over its target of {target}",
            figure - target
        ),
    }
}

/// The table of what was written down.
pub fn readme(toolchain: &str) -> Result<String, Failed> {
    let record = Record::read(RECORD);
    let [first, second] = &MACHINES;
    let mut text = format!(
        "\n| | speaks | {} | RAM | {} | RAM |\n|---|---|--:|--:|--:|--:|\n",
        short(first),
        short(second)
    );
    for features in &FEATURES {
        let find = |machine: &Machine| {
            let key = format!(
                "{toolchain},{},{},{}",
                machine.target, features.name, WAYS[0]
            );
            let unknown = || Failed::Advice(format!("{RECORD} has no {key}"));
            let [flash, ram] = record.find(&key).ok_or_else(unknown)?;
            Ok(format!("{} | {}", grouped(flash), grouped(ram)))
        };
        text.push_str(&format!(
            "| **umqtt, {}** | {} | {} | {} |\n",
            WAYS[0],
            features.name.replace('+', " and "),
            find(first)?,
            find(second)?
        ));
    }
    for (peer, same) in first.peers.iter().zip(second.peers) {
        let figures = [peer.2, peer.3, same.2, same.3].map(|figure| grouped(figure.into()));
        text.push_str(&format!(
            "| {} | {} | {} |\n",
            peer.0,
            peer.1,
            figures.join(" | ")
        ));
    }
    text.push('\n');
    Ok(text)
}

/// The name of a machine's target, without what goes without saying.
fn short(machine: &Machine) -> &str {
    let end = machine.target.find('-');
    &machine.target[..end.unwrap_or(machine.target.len())]
}

fn gate(rows: &[Row]) -> Result<(), Failed> {
    let mut wrong = Vec::new();
    for row in rows {
        let what = format!("{}, {}, {}", row.target, row.features.name, row.way);
        match row.verdict {
            Verdict::Within => {}
            Verdict::Unknown => eprintln!(
                "{what}: {RECORD} has no figures for this toolchain; `cargo xtask size --record` \
                 writes them down"
            ),
            Verdict::Better => wrong.push(format!("{what}: better")),
            Verdict::Worse(which, known, now) => wrong.push(format!(
                "{what}: {now} bytes of {}, not {known}",
                ["flash", "RAM"][which]
            )),
        }
    }
    if wrong.is_empty() {
        return Ok(());
    }
    Err(Failed::Advice(format!(
        "not as in {RECORD}:\n{}\nIf that is worth it, `cargo xtask size --record` writes it \
         down.",
        wrong.join("\n")
    )))
}
