//! The virtual microcontroller as a board: the firmware in QEMU, run by `cargo xtask virt`.

use std::io::{BufRead, BufReader, Write};
use std::net::Ipv4Addr;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::device::{Board, Device, Options};
use crate::names::with_resolver;
use crate::process::Process;

/// How long QEMU may take to listen, and to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// The firmware in QEMU. `cargo xtask virt` builds it.
#[derive(Debug, Clone, Copy)]
pub struct Virt;

impl Board for Virt {
    fn name(&self) -> &'static str {
        "virt"
    }

    fn host(&self) -> Ipv4Addr {
        // QEMU's own network has it there.
        Ipv4Addr::new(10, 0, 2, 2)
    }

    fn device(&self, options: Options) -> Box<dyn Device> {
        Box::new(VirtDevice::new(options))
    }
}

/// A device that is a QEMU.
#[derive(Debug)]
pub struct VirtDevice {
    options: Options,
    /// The tap that is the air round its access point.
    air: Option<String>,
    /// The settings in its flash stay as they are.
    is_kept: bool,
    process: Option<Process>,
}

impl VirtDevice {
    /// A device that is not started yet.
    pub fn new(options: Options) -> Self {
        Self {
            options,
            air: None,
            is_kept: false,
            process: None,
        }
    }

    /// With this tap as the air round its access point.
    #[must_use]
    pub fn near(self, tap: &str) -> Self {
        Self {
            air: Some(tap.to_owned()),
            ..self
        }
    }

    /// Whatever it stores, it has when it is given power again: the settings too.
    pub fn keep_settings(&mut self) {
        self.is_kept = true;
    }

    /// A line to its bench: the other end of its pins. QEMU takes one at a time; what nobody listened to is lost.
    pub fn bench(&self) -> Bench {
        Bench::connect(&self.options.state)
    }

    /// Types a line at its serial port.
    pub fn type_in(&self, line: &str) {
        let process = self.process.as_ref().expect("it has power");
        process.type_in(&format!("{line}\r"));
    }

    /// Lets what is sent to the port of this computer arrive at a UDP port of the device.
    pub fn forward_udp(&self, from: u16, to: u16) {
        self.forward("udp", from, to);
    }

    /// The same with a TCP port.
    pub fn forward_tcp(&self, from: u16, to: u16) {
        self.forward("tcp", from, to);
    }

    fn forward(&self, protocol: &str, from: u16, to: u16) {
        let line = format!("hostfwd_add station {protocol}:127.0.0.1:{from}-:{to}");
        let arguments = serde_json::json!({ "command-line": line });
        let said = self.control("human-monitor-command", &arguments);
        assert_eq!(said, "", "QEMU did not forward the port");
    }

    /// Plugs the cable of its station in, or pulls it out.
    fn set_link(&self, is_up: bool) {
        let arguments = serde_json::json!({ "name": "station", "up": is_up });
        self.control("set_link", &arguments);
    }

    /// Has QEMU do this, and returns what it answers.
    fn control(&self, command: &str, arguments: &Value) -> Value {
        let mut control = connect(&self.options.state.join("qmp.sock"));
        for command in [
            serde_json::json!({ "execute": "qmp_capabilities" }),
            serde_json::json!({ "execute": command, "arguments": arguments }),
        ] {
            writeln!(control, "{command}").expect("QEMU takes commands");
        }
        BufReader::new(control)
            .lines()
            .map_while(Result::ok)
            .filter_map(|line| {
                let mut answer: Value = serde_json::from_str(&line).ok()?;
                answer.get_mut("return").map(Value::take)
            })
            .nth(1)
            .unwrap_or_else(|| panic!("QEMU did not obey: {command}"))
    }
}

impl Device for VirtDevice {
    fn power_on(&mut self) {
        self.cut_power();
        let mut command = run(&self.options, self.is_kept);
        if let Some(tap) = &self.air {
            command.args(["--access-point", tap]);
        }
        let command = with_resolver(command, self.options.resolver.as_deref());
        self.process = Some(Process::spawn_typing("virt", command));
    }

    fn cut_power(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill();
        }
    }

    fn pull_cable(&mut self) {
        self.set_link(false);
    }

    fn restore_cable(&mut self) {
        self.set_link(true);
    }

    fn is_alive(&mut self) -> bool {
        self.process.as_mut().is_some_and(Process::is_running)
    }

    fn log(&self) -> Vec<String> {
        self.process.as_ref().map_or_else(Vec::new, Process::log)
    }
}

/// A line to a board's bench.
#[derive(Debug)]
pub struct Bench(BufReader<UnixStream>);

impl Bench {
    fn connect(state: &Path) -> Self {
        Bench(BufReader::new(connect(&state.join("bench.sock"))))
    }

    /// Says a line to the board.
    pub fn say(&mut self, line: &str) {
        let stream = self.0.get_mut();
        let written = stream.write_all(format!("{line}\n").as_bytes());
        written.expect("the bench takes lines");
    }

    /// The next line from the board that begins like this.
    pub fn hear(&mut self, beginning: &str) -> String {
        let mut heard = self.hear_until(beginning);
        heard.pop().expect("it ends with the line")
    }

    /// All lines from the board up to the next that begins like this.
    pub fn hear_until(&mut self, beginning: &str) -> Vec<String> {
        self.hear_within(PATIENCE, beginning)
    }

    /// The same, for so long.
    pub fn hear_within(&mut self, patience: Duration, beginning: &str) -> Vec<String> {
        let set = self.0.get_ref().set_read_timeout(Some(patience));
        set.expect("a socket has a time-out");
        let deadline = Instant::now() + patience;
        let mut heard = Vec::new();
        while Instant::now() < deadline
            && let Some(line) = self.line()
        {
            let is_last = line.starts_with(beginning);
            heard.push(line);
            if is_last {
                return heard;
            }
        }
        panic!("the bench did not say `{beginning}` within {patience:?}, but only {heard:?}");
    }

    /// What is left of a bench whose board has no power any more.
    pub fn rest(mut self) -> Vec<String> {
        std::iter::from_fn(|| self.line()).collect()
    }

    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        match self.0.read_line(&mut line) {
            Ok(0) | Err(_) => None,
            Ok(_) => Some(line.trim_end().to_owned()),
        }
    }
}

fn connect(socket: &Path) -> UnixStream {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match UnixStream::connect(socket) {
            Ok(stream) => {
                let set = stream.set_read_timeout(Some(PATIENCE));
                set.expect("a socket has a time-out");
                return stream;
            }
            Err(error) => assert!(
                Instant::now() < deadline,
                "{}: {error} after {PATIENCE:?}",
                socket.display()
            ),
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The command line that puts these options into the board's flash and becomes its QEMU.
fn run(options: &Options, is_kept: bool) -> Command {
    let mut command = Command::new(xtask());
    command
        .args(["virt", "--no-build", "--no-console"])
        .args(["--id", &options.id])
        .arg("--state")
        .arg(&options.state);
    if is_kept {
        command.arg("--keep");
        return command;
    }
    // Nobody outside is asked the time, unless the test wants it.
    command.args(["--set", "time.server="]);
    // Without a broker it is blank.
    if !options.broker.is_empty() {
        command.args(["--broker", &options.broker]);
    }
    for (key, value) in &options.settings {
        command.arg("--set").arg(format!("{key}={value}"));
    }
    command
}

/// Beside the test that cargo built: `target/<profile>/xtask`.
pub fn xtask() -> PathBuf {
    let this = std::env::current_exe().expect("a program knows where it is");
    this.ancestors()
        .skip(1)
        .take(2)
        .map(|folder| folder.join("xtask"))
        .find(|path| path.is_file())
        .unwrap_or_else(|| {
            panic!(
                "there is no binary `xtask` beside {}: run `cargo xtask test`, or `cargo build -p xtask` before this",
                this.display()
            )
        })
}
