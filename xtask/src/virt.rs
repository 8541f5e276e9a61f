//! The board in QEMU: builds its firmware, puts settings into its flash, and runs it.

mod figures;
mod image;

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::Args;
use monster_store::file::{FileFlash, block_on};
use monster_store::{Name, Store};

use crate::certificates::ForBoard;
use crate::command::{Failed, cargo, root};
use crate::packages;
use crate::toolchain::Toolchain;

/// What its firmware is built for, and that of the ESP32-C3.
pub const TARGET: &str = "riscv32imc-unknown-none-elf";
const QEMU: &str = "qemu-system-riscv32";
/// What QEMU wants of each flash, in bytes.
const FLASH: u64 = 32 << 20;
/// The erase block of the machine's flash, and how much of it is for the store, as the firmware has
/// them.
const BLOCK: usize = 256 * 1024;
const STORE: u32 = 4 * BLOCK as u32;
/// How much RAM an ESP32-C3 has, in KiB.
const RAM_KIB: u32 = 384;
/// The host, as the machine sees it through QEMU's network.
const HOST: &str = "10.0.2.2";
/// The station's address, and the device's id that comes of it where none is set.
const STATION: &str = "52:54:00:12:34:56";
const OWN_ID: &str = "525400123456";
/// The access point's.
const ACCESS_POINT: &str = "52:54:00:12:34:57";
/// The port of its console.
const CONSOLE_PORT: u16 = 8266;
/// The port of this computer at which its portal is, or the next.
const PORTAL_PORT: u16 = 8366;
/// The WiFi network it joins, unless it is told another. There is every one, until its bench says
/// otherwise.
const NETWORK: &str = "virt";
/// As a broker: the one that is started along with the board.
const EMBEDDED: &str = "embedded";

/// How the board in QEMU is run.
#[derive(Args)]
pub struct Options {
    /// The broker; 127.0.0.1 is this computer. `embedded` is one that is started along with the
    /// board, and ends with it.
    #[arg(long, value_name = "URL")]
    broker: Option<String>,
    /// The device's id; without one it is the network card's address.
    #[arg(long)]
    id: Option<String>,
    /// A setting; may be given many times.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    settings: Vec<String>,
    /// Leave the settings that are in its flash as they are, as those the portal has stored.
    #[arg(long, conflicts_with_all = ["broker", "settings"])]
    keep: bool,
    /// Where its flash is kept; a device finds there what it stored.
    #[arg(long, value_name = "FOLDER", default_value = "target/virt")]
    state: PathBuf,
    /// The port of this computer at which the board's console is reached; 8266, or the next that is
    /// free. The one given has to be free.
    #[arg(long, value_name = "PORT")]
    console: Option<u16>,
    /// Let nobody on this computer reach the board's console.
    #[arg(long, conflicts_with = "console")]
    no_console: bool,
    /// A tap, an interface of this computer, that is the air round the board's access point: who is
    /// at its other end can join it. Without one, its portal is at a port of this computer.
    #[arg(long, value_name = "TAP")]
    access_point: Option<String>,
    /// End after so many seconds.
    #[arg(long = "for", value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..))]
    seconds: Option<u32>,
    /// Run the firmware that was built last.
    #[arg(long)]
    no_build: bool,
    /// Measure instead: image, RAM, deepest stack, start, idle CPU; fail if it is too much.
    #[arg(long)]
    figures: bool,
}

/// Builds the firmware and runs it until it is ended. Does not return unless something is wrong:
/// this process becomes QEMU, so that whoever ends it ends the machine.
pub fn virt(options: &Options) -> Result<(), Failed> {
    if options.figures {
        return figures::print();
    }
    if let Some(port) = options.console.filter(|port| !is_free(*port)) {
        return Err(Failed::Advice(format!(
            "--console {port}: something listens at this port already; name another, or none, and one that is free is taken"
        )));
    }
    if !options.no_build {
        build()?;
    }
    let state = root().join(&options.state);
    let broker = match options.broker.as_deref() {
        Some(EMBEDDED) => Some(embedded_broker(!options.no_build)?),
        broker => broker.map(str::to_owned),
    };
    let mut machine = Machine::new(state);
    machine.seconds = options.seconds;
    if !options.no_console {
        machine.console = options.console.or_else(|| free_port(CONSOLE_PORT));
    }
    machine.air = match &options.access_point {
        Some(tap) => Air::Tap(tap.clone()),
        None if options.no_console => Air::Empty,
        None => free_port(PORTAL_PORT).map_or(Air::Empty, Air::Port),
    };
    machine.is_kept = options.keep;
    let qemu = machine.prepared(&pairs(options, broker.as_deref())?)?;
    print!("{}", how_to_talk(options, broker.as_deref(), &machine));
    Err(become_program(qemu))
}

/// Builds the firmware in all the ways in which it is measured; that which is whole comes last, and
/// stays.
pub fn build_all() -> Result<(), Failed> {
    figures::WAYS.into_iter().try_for_each(build_with)
}

/// Measures what the firmware takes, prints it, and fails if anything is too much.
pub fn figures() -> Result<(), Failed> {
    figures::print()
}

/// Builds the firmware, and installs what it runs on.
pub fn build() -> Result<(), Failed> {
    build_with("")
}

/// The same, with these flags for cargo.
fn build_with(flags: &str) -> Result<(), Failed> {
    packages::install_missing(&[(QEMU, "qemu-system-misc")])?;
    let words = "build --release --locked --manifest-path boards/virt/Cargo.toml";
    Toolchain::find(TARGET)?
        .cargo(&format!("{words}{flags}"))
        .run()
}

/// Starts the broker that the desk brings along; it ends when this process does, and so with the
/// QEMU that this process becomes. Returns its URL.
fn embedded_broker(is_to_build: bool) -> Result<String, Failed> {
    if is_to_build {
        cargo("build --package monster-desk").run()?;
    }
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL"]);
    command
        .arg(root().join("target/debug/monster"))
        .arg("broker");
    let start = |error| Failed::Start("monster broker".into(), error);
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
    let mut url = String::new();
    if let Some(out) = child.map_err(start)?.stdout.take() {
        BufReader::new(out).read_line(&mut url).map_err(start)?;
    }
    match url.trim_end() {
        "" => Err(Failed::Advice("the broker does not start".into())),
        url => Ok(url.to_owned()),
    }
}

/// What a person can do with the board that is being started.
fn how_to_talk(options: &Options, broker: Option<&str>, machine: &Machine) -> String {
    let state = machine.state.display();
    let console = match machine.console {
        None => String::new(),
        Some(port) => format!(
            "the console:              http://127.0.0.1:{port}/ (its password is in the log below)\n"
        ),
    };
    let id = options.id.as_deref().unwrap_or(OWN_ID);
    let broker = match broker {
        None => match &machine.air {
            Air::Port(port) => format!(
                "it is blank, and opens its access point; or give it --broker embedded\n\
                 its portal, as a phone:   http://127.0.0.1:{port}/ (its WiFi: every name, any password; \
                 this computer: {HOST})",
            ),
            _ => "it is blank, and opens its access point; or give it --broker embedded".to_owned(),
        },
        Some(url) => format!(
            "a command:                cargo run -- send --broker {url} {id} toggle\n\
             all it says:              mosquitto_sub -v -L '{url}/#'",
        ),
    };
    format!(
        "{broker}\n{console}\
         the bench (pins, sensor): socat - UNIX-CONNECT:{state}/bench.sock\n\
         QEMU's own control (QMP): socat - UNIX-CONNECT:{state}/qmp.sock\n\
         Ctrl-C ends it at once; its flash stays in {state}\n\n"
    )
}

/// The firmware, once it is built.
fn firmware() -> PathBuf {
    root()
        .join("boards/virt/target")
        .join(TARGET)
        .join("release/monster-virt")
}

/// The settings that were asked for, as they are inside the machine.
fn pairs(options: &Options, broker: Option<&str>) -> Result<Vec<(String, String)>, Failed> {
    let mut pairs: Vec<_> = [
        ("broker.url", broker.map(seen_from_inside)),
        ("id", options.id.clone()),
    ]
    .into_iter()
    .filter_map(|(key, value)| Some((key.to_owned(), value?)))
    .collect();
    if broker.is_some() {
        // A device that is given a broker is set up; without one, it is blank.
        pairs.push(("wifi.ssid".to_owned(), NETWORK.to_owned()));
    }
    for setting in &options.settings {
        let (key, value) = setting.split_once('=').ok_or_else(|| {
            Failed::Advice(format!("`--set {setting}`: write it as --set key=value"))
        })?;
        let key = key.trim();
        pairs.retain(|(set, _)| set != key);
        pairs.push((key.to_owned(), value.trim().to_owned()));
    }
    Ok(pairs)
}

/// A machine: where its state is, and what of it is reached from here.
struct Machine {
    state: PathBuf,
    seconds: Option<u32>,
    /// The port of this computer that is the console's.
    console: Option<u16>,
    air: Air,
    /// The settings in its flash stay as they are.
    is_kept: bool,
}

/// Who is near its access point.
enum Air {
    Empty,
    /// Who comes to this port of this computer; they come to the portal.
    Port(u16),
    /// Who is at the other end of this tap.
    Tap(String),
}

impl Air {
    /// What QEMU calls it.
    fn netdev(&self) -> String {
        const SHUT_IN: &str = "user,id=air,restrict=on,net=192.168.4.0/24,host=192.168.4.254";
        match self {
            Air::Empty => SHUT_IN.to_owned(),
            Air::Port(port) => {
                format!("{SHUT_IN},hostfwd=tcp:127.0.0.1:{port}-192.168.4.1:80")
            }
            Air::Tap(name) => format!("tap,id=air,ifname={name},script=no,downscript=no"),
        }
    }
}

impl Machine {
    /// One that runs until it is ended, and has its state in this folder.
    fn new(state: PathBuf) -> Self {
        Machine {
            state,
            seconds: None,
            console: None,
            air: Air::Empty,
            is_kept: false,
        }
    }

    /// What starts it, with the firmware and these settings in its flash.
    fn prepared(&self, settings: &[(String, String)]) -> Result<Command, Failed> {
        let state = &self.state;
        fs::create_dir_all(state).map_err(|error| wrong(state, error))?;
        let code = state.join("flash0.img");
        image::write(&firmware(), &code, FLASH)?;
        let flash = state.join("flash1.img");
        if !self.is_kept || !flash.exists() {
            save(&flash, ForBoard::new(settings.to_vec())?)?;
        }
        Ok(qemu(&code, &flash, self))
    }
}

/// This port, or one near it, that nobody listens at.
fn free_port(first: u16) -> Option<u16> {
    (first..first + 50).find(|port| is_free(*port))
}

/// Whether nobody listens at this port.
fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// Puts the settings into the flash, as a portal would. Those that are there already stay.
fn save(path: &Path, ForBoard { settings, ca }: ForBoard) -> Result<(), Failed> {
    let pairs = || settings.iter().map(|(key, value)| (&**key, &**value));
    let flash = FileFlash::<BLOCK>::open(path, STORE).map_err(|error| wrong(path, error))?;
    let mut store = block_on(Store::open(flash, 0..STORE)).map_err(advice)?;
    let is_there = block_on(store.pairs()).is_ok_and(|stored| {
        let stored = stored.iter();
        let stored = stored.map(|(key, value)| (key.to_owned(), value.to_owned()));
        stored.eq(settings.iter().cloned())
    });
    if !is_there {
        block_on(store.save_settings(pairs())).map_err(advice)?;
    }
    if let Some(ca) = ca {
        block_on(store.save_blob(Name::BrokerCa, &ca)).map_err(advice)?;
    }
    drop(store);
    // The rest of the flash is not used; a hole in the file does for it.
    let file = fs::OpenOptions::new().write(true).open(path);
    file.and_then(|file| file.set_len(FLASH))
        .map_err(|error| wrong(path, error))
}

/// A broker's URL, where this computer has the address at which the machine sees it.
fn seen_from_inside(url: &str) -> String {
    let at = url.rfind('@').or_else(|| url.find("//").map(|at| at + 1));
    let (before, address) = url.split_at(at.map_or(0, |at| at + 1));
    for host in ["127.0.0.1", "localhost"] {
        if let Some(rest) = address.strip_prefix(host)
            && (rest.is_empty() || rest.starts_with([':', '/']))
        {
            return format!("{before}{HOST}{rest}");
        }
    }
    url.to_owned()
}

/// The machine. Its devices are where the firmware looks for them.
fn qemu(code: &Path, flash: &Path, machine: &Machine) -> Command {
    let mut command = match machine.seconds {
        None => Command::new(QEMU),
        Some(seconds) => {
            let mut command = Command::new("timeout");
            // QEMU ends well when it is asked to.
            command.args(["--foreground", "--preserve-status", "--kill-after=5"]);
            // And it does not stay behind when nobody is left to ask.
            command.args([&seconds.to_string(), "setpriv", "--pdeathsig", "KILL", QEMU]);
            command
        }
    };
    let drive = |unit, path: &Path, more| {
        let path = path.display();
        format!("if=pflash,unit={unit},format=raw,file={path}{more}")
    };
    let state = machine.state.display();
    let socket = |name| format!("path={state}/{name}.sock,server=on,wait=off");
    let mut station = "user,id=station".to_owned();
    if let Some(port) = machine.console {
        station += &format!(",hostfwd=tcp:127.0.0.1:{port}-:{CONSOLE_PORT}");
    }
    command
        .args(["-M", "virt", "-m", &format!("{RAM_KIB}K"), "-bios", "none"])
        .args(["-display", "none", "-monitor", "none", "-serial", "stdio"])
        // A small cache of translated code: the firmware is small too.
        .args(["-accel", "tcg,tb-size=16"])
        .args(["-global", "virtio-mmio.force-legacy=false"])
        .args(["-drive", &drive(0, code, ",readonly=on")])
        .args(["-drive", &drive(1, flash, "")])
        .args(["-netdev", &station])
        .args([
            "-device",
            &format!("virtio-net-device,netdev=station,mac={STATION},bus=virtio-mmio-bus.0"),
        ])
        .args(["-netdev", &machine.air.netdev()])
        .args([
            "-device",
            &format!("virtio-net-device,netdev=air,mac={ACCESS_POINT},bus=virtio-mmio-bus.1"),
        ])
        .args(["-device", "virtio-serial-device,bus=virtio-mmio-bus.2"])
        .args(["-chardev", &format!("socket,id=bench,{}", socket("bench"))])
        .args(["-device", "virtconsole,chardev=bench"])
        .args(["-device", "virtio-rng-device,bus=virtio-mmio-bus.3"])
        .args(["-chardev", &format!("socket,id=qmp,{}", socket("qmp"))])
        .args(["-mon", "chardev=qmp,mode=control"]);
    command
}

/// Replaces this process; returns only if that fails.
fn become_program(mut command: Command) -> Failed {
    let name = command.get_program().to_string_lossy().into_owned();
    #[cfg(unix)]
    let error = std::os::unix::process::CommandExt::exec(&mut command);
    #[cfg(not(unix))]
    let error = std::io::Error::from(std::io::ErrorKind::Unsupported);
    Failed::Start(name, error)
}

fn wrong(path: &Path, error: impl std::fmt::Display) -> Failed {
    Failed::Advice(format!("{}: {error}", path.display()))
}

fn advice(error: impl std::fmt::Display) -> Failed {
    Failed::Advice(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_computer_is_another_address_from_inside() {
        for (url, seen) in [
            ("mqtt://127.0.0.1:1883", "mqtt://10.0.2.2:1883"),
            ("mqtt://localhost", "mqtt://10.0.2.2"),
            ("mqtt://u:p@localhost:1/", "mqtt://u:p@10.0.2.2:1/"),
            ("mqtt://localhost.example", "mqtt://localhost.example"),
            ("mqtt://127.0.0.10:1", "mqtt://127.0.0.10:1"),
            ("mqtt://broker:1", "mqtt://broker:1"),
        ] {
            assert_eq!(seen_from_inside(url), seen);
        }
    }
}
