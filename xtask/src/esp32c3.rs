//! The ESP32-C3: its firmware, the image that is flashed, and what both take.

mod part;
mod partitions;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use clap::Args;
use monster_store::file::{FileFlash, block_on};
use monster_store::{Name, Store};

use crate::certificates::ForBoard;
use crate::command::{Failed, Task, program, root};
use crate::elf;
use crate::packages::{self, path_text};
use crate::record::{Record, Verdict};
use crate::toolchain::Toolchain;
use part::Part;
use partitions::Partition;

const TARGET: &str = "riscv32imc-unknown-none-elf";
const BOARD: &str = "boards/esp32c3";
const PARTITIONS: &str = "boards/esp32c3/partitions.csv";
const RECORD: &str = "boards/esp32c3/size.csv";
const HEADER: &str = "toolchain,image,ram";
/// Where everything goes that is made here.
const OUTPUT: &str = "target/esp32c3";
/// An erase block of the chip's flash, in bytes.
const BLOCK: usize = 4096;
/// How much RAM the console may take, in bytes.
const CONSOLE_RAM: u64 = 48 * 1024;
/// How the flash of nearly every board is to be read.
const FLASH: [&str; 6] = [
    "--flash-mode",
    "dio",
    "--flash-freq",
    "80m",
    "--flash-size",
    "4MB",
];
/// What turns a program into an image, from PyPI.
const ESPTOOL: &str = "esptool>=5,<6";

/// How the firmware is built.
#[derive(Default, Args)]
pub struct Options {
    /// Write the figures down as those that later ones are held against.
    #[arg(long)]
    record: bool,
}

/// How a board is flashed.
#[derive(Args)]
pub struct FlashOptions {
    /// The serial port the board is at; without it, the only one there is.
    #[arg(long)]
    port: Option<String>,
    /// A setting to be stored on the board, in place of all that are there; may be given many
    /// times.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    settings: Vec<String>,
}

/// Builds the firmware and its image, prints what they take, and fails if it is too much.
pub fn esp32c3(options: &Options) -> Result<(), Failed> {
    let toolchain = Toolchain::find(TARGET)?;
    let slot = partition("ota_0")?.size;
    let mut without_console = None;
    for parts in Parts::EACH {
        build(&toolchain, parts)?;
        let image = image()?;
        let sizes = Sizes::measure(&image)?;
        sizes.print(slot, parts);
        if let (Parts::Console, Some(without)) = (parts, without_console) {
            let console = sizes.ram().saturating_sub(without);
            println!("| RAM, static, of the console | {console} | {CONSOLE_RAM} |");
            if console > CONSOLE_RAM {
                return Err(Failed::Advice(format!(
                    "the console takes {console} bytes of RAM, and may take {CONSOLE_RAM}"
                )));
            }
        }
        println!("\nthe image: {}", image.display());
        let key = toolchain.name()? + parts.suffix();
        sizes.judge(slot, &key, options.record)?;
        without_console = Some(sizes.ram());
    }
    Ok(())
}

/// Builds the firmware in all the ways in which it is measured.
pub fn build_all() -> Result<(), Failed> {
    let toolchain = Toolchain::find(TARGET)?;
    let mut each = Parts::EACH.into_iter();
    each.try_for_each(|parts| build(&toolchain, parts))
}

/// What of the firmware is built.
#[derive(Clone, Copy)]
enum Parts {
    /// What a device needs at the least.
    Least,
    /// And what talks to `mqtts://` brokers.
    Tls,
    /// And the console.
    Console,
    /// And the access point.
    All,
}

impl Parts {
    /// The one that is flashed comes last, and stays.
    const EACH: [Parts; 4] = [Parts::Least, Parts::Tls, Parts::Console, Parts::All];

    /// What tells their records apart.
    fn suffix(self) -> &'static str {
        match self {
            Parts::Least => "",
            Parts::Tls => " with TLS",
            Parts::Console => " with TLS and console",
            Parts::All => " with TLS, console and access point",
        }
    }

    /// The flags for cargo.
    fn features(self) -> &'static str {
        match self {
            Parts::Least => " --no-default-features",
            Parts::Tls => " --no-default-features --features tls",
            Parts::Console => " --no-default-features --features tls,console",
            Parts::All => "",
        }
    }
}

/// Puts firmware, partition table and settings onto a board, and shows what it says.
pub fn flash(options: &FlashOptions) -> Result<(), Failed> {
    let espflash = || program("espflash");
    espflash().args(["--version"]).output().map_err(|_| {
        Failed::Advice(
            "this needs espflash, which brings the bootloader: `cargo install espflash --locked`"
                .into(),
        )
    })?;
    let pairs = pairs(&options.settings)?;
    let toolchain = Toolchain::find(TARGET)?;
    build(&toolchain, Parts::All)?;
    let port = options.port.iter().flat_map(|port| ["--port", port]);
    let port: Vec<&str> = port.collect();
    if !pairs.is_empty() {
        let store = partition("store")?;
        let path = root().join(OUTPUT).join("store.bin");
        save(&path, store.size, ForBoard::new(pairs)?)?;
        let write = espflash()
            .args(["write-bin", "--chip", "esp32c3"])
            .args(&port)
            .args([&format!("{:#x}", store.offset), path_text(&path)?]);
        ask(write)?;
    }
    // It goes on to show what the board says until it is ended, and takes keys.
    let flash = espflash()
        .args(["flash", "--chip", "esp32c3"])
        .args(FLASH.map(|word| match word {
            "80m" => "80mhz",
            "4MB" => "4mb",
            word => word,
        }))
        .args(["--partition-table", PARTITIONS])
        // Whatever slot was chosen before, the one that is written now is the one that starts.
        .args(["--erase-parts", "otadata", "--monitor"])
        .args(&port)
        .args([path_text(&firmware())?]);
    ask(flash)
}

/// Runs `espflash`, which may ask a person which board is meant.
fn ask(task: Task) -> Result<(), Failed> {
    let start = |error| Failed::Start("espflash".into(), error);
    let status = task.command().stdin(Stdio::inherit()).status();
    match status.map_err(start)? {
        status if status.success() => Ok(()),
        status => Err(Failed::Exit("espflash".into(), status)),
    }
}

/// Builds the firmware.
fn build(toolchain: &Toolchain, parts: Parts) -> Result<(), Failed> {
    let features = parts.features();
    let words = format!(
        "build --config {BOARD}/.cargo/config.toml --release --locked \
         --manifest-path {BOARD}/Cargo.toml{features}"
    );
    toolchain.cargo(&words).run()
}

/// The firmware, once it is built.
fn firmware() -> PathBuf {
    root()
        .join(BOARD)
        .join("target")
        .join(TARGET)
        .join("release/monster-esp32c3")
}

/// Makes the image of the firmware: what is written into a slot of the flash.
fn image() -> Result<PathBuf, Failed> {
    let path = root().join(OUTPUT).join("monster-esp32c3.bin");
    program(path_text(&esptool()?)?)
        .args(["--chip", "esp32c3", "elf2image"])
        .args(FLASH)
        .args(["--output", path_text(&path)?, path_text(&firmware())?])
        .output()?;
    Ok(path)
}

/// Espressif's tool, in an environment of its own below `target`.
fn esptool() -> Result<PathBuf, Failed> {
    packages::from_pypi(ESPTOOL, "esptool", &root().join(OUTPUT).join("esptool"))
}

/// The partition of this name.
fn partition(name: &str) -> Result<Partition, Failed> {
    let path = root().join(PARTITIONS);
    let table = fs::read_to_string(&path).map_err(|error| wrong(&path, error))?;
    partitions::find(&table, name).ok_or_else(|| wrong(&path, format!("there is no `{name}`")))
}

/// What the firmware takes.
struct Sizes {
    image: u64,
    parts: Vec<(Part, u64)>,
}

impl Sizes {
    /// Those of the firmware that was built last, and of its image.
    fn measure(image: &Path) -> Result<Self, Failed> {
        let elf = fs::read(firmware()).map_err(|error| wrong(&firmware(), error))?;
        let sections = elf::sections(&elf).map_err(|error| wrong(&firmware(), error))?;
        let image = fs::metadata(image).map_err(|error| wrong(image, error))?;
        Ok(Sizes {
            image: image.len(),
            parts: part::parts(&sections),
        })
    }

    fn of(&self, part: Part) -> u64 {
        let parts = self.parts.iter().filter(|(its, _)| *its == part);
        parts.map(|(_, bytes)| bytes).sum()
    }

    /// What is in RAM for good: code, variables, and the heap that is one of them.
    fn ram(&self) -> u64 {
        [Part::RamCode, Part::Data, Part::Bss]
            .map(|part| self.of(part))
            .iter()
            .sum()
    }

    fn print(&self, slot: u64, parts: Parts) {
        let with = parts.suffix();
        println!("\n| the firmware of the ESP32-C3{with} | bytes | allowed |");
        println!("|---|--:|--:|");
        println!("| **image** | **{}** | {slot} |", self.image);
        for (name, part) in [
            ("code in flash (.text)", Part::Text),
            ("constants in flash (.rodata)", Part::Rodata),
            ("code in RAM (.trap, .rwtext)", Part::RamCode),
            ("variables with a value (.data)", Part::Data),
            (
                "variables that begin as zero, and the heap (.bss)",
                Part::Bss,
            ),
        ] {
            println!("| {name} | {} | |", self.of(part));
        }
        println!("| **RAM, static** | **{}** | |", self.ram());
        println!("| RAM left for the stack | {} | |", self.of(Part::Stack));
        println!(
            "| RAM of the bootloader, which is heap later | {} | |",
            self.of(Part::LeftBehind)
        );
    }

    fn judge(&self, slot: u64, toolchain: &str, record_it: bool) -> Result<(), Failed> {
        if self.image > slot {
            return Err(Failed::Advice(format!(
                "the image has {} bytes, and a slot of the flash {slot}",
                self.image
            )));
        }
        let figures = [self.image, self.ram()].map(|bytes| bytes as f64);
        let mut record = Record::read(RECORD);
        if record_it {
            record.note(toolchain, figures);
            return record.write(HEADER);
        }
        match record.judge(toolchain, figures) {
            Verdict::Within | Verdict::Better => Ok(()),
            Verdict::Unknown => {
                eprintln!(
                    "{RECORD} has no figures for this toolchain; `cargo xtask esp32c3 --record` \
                     writes them down"
                );
                Ok(())
            }
            Verdict::Worse(which, known, now) => Err(Failed::Advice(format!(
                "{} takes {now} bytes, not {known} as in {RECORD}. If that is worth it, `cargo \
                 xtask esp32c3 --record` writes it down.",
                ["the image", "static RAM"][which]
            ))),
        }
    }
}

/// Settings as they were given on the command line.
fn pairs(settings: &[String]) -> Result<Vec<(String, String)>, Failed> {
    let wrong =
        |setting: &str| Failed::Advice(format!("`--set {setting}`: write it as --set key=value"));
    settings
        .iter()
        .map(|setting| {
            let (key, value) = setting.split_once('=').ok_or_else(|| wrong(setting))?;
            Ok((key.trim().to_owned(), value.trim().to_owned()))
        })
        .collect()
}

/// Makes a store of this size that holds these settings and nothing else.
fn save(path: &Path, size: u64, ForBoard { settings, ca }: ForBoard) -> Result<(), Failed> {
    let advice = |error: &dyn std::fmt::Display| Failed::Advice(error.to_string());
    let size = u32::try_from(size).map_err(|error| wrong(path, error))?;
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(|error| wrong(folder, error))?;
    }
    let _ = fs::remove_file(path);
    let flash = FileFlash::<BLOCK>::open(path, size).map_err(|error| wrong(path, error))?;
    let mut store = block_on(Store::open(flash, 0..size)).map_err(|error| advice(&error))?;
    let settings = settings.iter().map(|(key, value)| (&**key, &**value));
    block_on(store.save_settings(settings)).map_err(|error| advice(&error))?;
    if let Some(ca) = ca {
        block_on(store.save_blob(Name::BrokerCa, &ca)).map_err(|error| advice(&error))?;
    }
    Ok(())
}

fn wrong(path: &Path, error: impl std::fmt::Display) -> Failed {
    Failed::Advice(format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(list: &[&str]) -> Vec<String> {
        list.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn the_settings_of_the_command_line_are_in_the_store_that_is_flashed() {
        let size = partition("store").unwrap().size;
        let folder = std::env::temp_dir().join(format!("monster-store-{}", std::process::id()));
        let path = folder.join("store.bin");
        let given = settings(&["broker.url = mqtt://hub", "broker.user=a=b"]);
        let given = ForBoard::new(pairs(&given).unwrap()).unwrap();
        save(&path, size, given).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().len(), size);
        let size = u32::try_from(size).unwrap();
        let flash = FileFlash::<BLOCK>::open(&path, size).unwrap();
        let mut store = block_on(Store::open(flash, 0..size)).unwrap();
        let stored = block_on(store.settings()).unwrap();
        assert_eq!(stored.broker.user.as_str(), "a=b");
        assert_eq!(stored.broker.url.unwrap().host(), "hub");
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_setting_that_is_not_allowed_makes_no_store() {
        assert!(pairs(&settings(&["broker.url"])).is_err());
        let path = std::env::temp_dir().join(format!("monster-refused-{}", std::process::id()));
        let wrong = ForBoard::new(vec![("colour".into(), "red".into())]).unwrap();
        let refused = save(&path, 0x8000, wrong).unwrap_err();
        assert!(refused.to_string().contains("colour"), "{refused}");
        fs::remove_file(path).unwrap();
    }
}
