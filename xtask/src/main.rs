//! What is done to this repository: `cargo xtask <command>`.

mod bench;
mod certificates;
mod command;
mod conformance;
mod console;
mod docs;
mod elf;
mod esp32c3;
mod fuzz;
mod homeassistant;
mod lint;
mod no_panic;
mod oldest;
mod packages;
mod page;
mod published;
mod quick_starts;
mod readme;
mod record;
mod semver;
mod size;
mod test;
mod toolchain;
mod virt;
mod wear;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use command::{Failed, cargo};

/// Set-up, tests, figures.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Install what the tests need, then run all of them: format, lints, docs, unit, end to end,
    /// simulation, figures.
    Test,
    /// Check format, lints and documentation of everything, boards and bench too.
    Lint,
    /// Install what the tests need, and nothing else.
    Setup,
    /// Run devices in a simulated world, in virtual time; the same seed gives the same run.
    Sim {
        /// Where the world is drawn from.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Hours of virtual time.
        #[arg(long, default_value_t = 1000)]
        hours: u64,
        /// More for the simulator, as it is.
        #[arg(last = true)]
        more: Vec<String>,
    },
    /// Play every scenario on every board that needs no hardware, and print one table.
    Scenarios {
        /// More for the player: words of the scenarios' names, --board NAME.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        more: Vec<String>,
    },
    /// Play the client's scenarios against every broker that can be had, and print one table; fail
    /// where one does otherwise than docs/brokers.md says.
    Brokers {
        /// More for the player: words of the scenarios' names, --broker NAME, --write for the
        /// document.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        more: Vec<String>,
    },
    /// Run the board in QEMU while brokers die, cables are pulled, power is cut and nonsense comes in;
    /// fail if it does not come back, or does anything twice. The same seed gives the same blows.
    Chaos {
        /// Where the blows are drawn from.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// For so long.
        #[arg(long, default_value_t = 2)]
        minutes: u64,
    },
    /// Play a year of use into the store, and print how often each sector of its flash is erased; fail
    /// if that is more than docs/store.md says.
    Wear,
    /// Measure the time from a command to its reply against a raw socket through the same broker,
    /// and the CPU an idle device takes.
    Figures,
    /// Measure what the MQTT client costs on a small machine, in flash and RAM; fail if it grew.
    Size(size::Options),
    /// Measure what a message costs the MQTT client and its peers, in instructions and system
    /// calls; fail if the client got slower.
    Bench(bench::Options),
    /// Check that each statement of the MQTT standards that binds a client has a test, and that
    /// docs/conformance.md says which.
    Conformance {
        /// Write the document.
        #[arg(long)]
        write: bool,
    },
    /// Fuzz the client with libFuzzer, on nightly; installs what that needs.
    Fuzz(fuzz::Options),
    /// Check that in a program that uses all of the client, no way leads to the panic handler.
    NoPanic,
    /// Check that the client can be published: its package, without warnings, and its oldest compiler.
    Published,
    /// Check that programs written for the client as it was still compile.
    Semver {
        /// What is public now has to stay from now on: for a release, with its version.
        #[arg(long)]
        write: bool,
    },
    /// Check that the tables of the client's README are what `size` and `bench` wrote down.
    Readme {
        /// Make them so.
        #[arg(long)]
        write: bool,
    },
    /// Check that links of the documentation lead somewhere, and that what is written in English and Chinese
    /// shows the same commands and files.
    Docs,
    /// Run the firmware on a virtual microcontroller, in QEMU, against a broker on this computer.
    Virt(virt::Options),
    /// Talk to a device's console with programs of others: MicroPython's WebREPL client, and Schemathesis
    /// along the API's description.
    Console,
    /// Go through every control of the console's page in a headless Chromium, on a desk and on the board
    /// in QEMU, in two widths, two languages, light and dark; look for what would keep somebody out.
    /// The pictures are in `console/page/tests/screenshots`.
    Page(page::Options),
    /// Give what the device tells Home Assistant to Home Assistant's own code, for every combination of settings.
    /// The first time it is installed, from PyPI, into a small Debian if need be: that takes two minutes.
    Homeassistant(homeassistant::Options),
    /// Follow the quick starts of the documentation as they are written, in a network of their own.
    QuickStarts {
        /// Only those of these names, as `mosquitto`.
        pages: Vec<String>,
        /// Follow this one here and now: the network is ours already.
        #[arg(long, hide = true)]
        inside: Option<String>,
    },
    /// Set a blank device in QEMU up with a phone's browser, over its access point, with a wrong WiFi
    /// password and a wrong broker on the way. It needs root, for a network of the phone's own.
    Portal,
    /// Build the firmware of the ESP32-C3 and its image, and print what they take; fail if it grew.
    Esp32c3(esp32c3::Options),
    /// Flash an ESP32-C3 that is plugged in, and show what it says.
    Flash(esp32c3::FlashOptions),
}

fn main() -> ExitCode {
    let result = match Arguments::parse().task {
        Task::Test => test::everything(),
        Task::Lint => lint::everything(),
        Task::Setup => packages::install().and_then(|()| packages::brokers()),
        Task::Sim { seed, hours, more } => sim(seed, hours, &more),
        Task::Scenarios { more } => test::scenarios(&more),
        Task::Brokers { more } => test::brokers(&more),
        Task::Chaos { seed, minutes } => test::chaos(seed, minutes),
        Task::Size(options) => size::size(options),
        Task::Bench(options) => bench::bench(options),
        Task::Conformance { write } => conformance::conformance(write),
        Task::Fuzz(options) => fuzz::fuzz(&options),
        Task::NoPanic => no_panic::no_panic(),
        Task::Published => published::published(),
        Task::Semver { write } => semver::semver(write),
        Task::Readme { write } => readme::readme(write),
        Task::Docs => docs::docs(),
        Task::Virt(options) => virt::virt(&options),
        Task::Console => console::console(),
        Task::Page(options) => page::page(&options).map(drop),
        Task::QuickStarts { inside, .. } if inside.is_some() => {
            quick_starts::inside(&inside.unwrap_or_default())
        }
        Task::QuickStarts { pages, .. } => quick_starts::quick_starts(&pages).map(drop),
        Task::Homeassistant(options) => homeassistant::homeassistant(&options),
        Task::Portal => page::portal(),
        Task::Esp32c3(options) => esp32c3::esp32c3(&options),
        Task::Flash(options) => esp32c3::flash(&options),
        Task::Wear => wear::wear(),
        Task::Figures => packages::install().and_then(|()| test::figures()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nxtask: {error}");
            ExitCode::FAILURE
        }
    }
}

fn sim(seed: u64, hours: u64, more: &[String]) -> Result<(), Failed> {
    cargo("run --quiet --release --package monster-sim --")
        .args(["--seed", &seed.to_string(), "--hours", &hours.to_string()])
        .args(more)
        .run()
}
