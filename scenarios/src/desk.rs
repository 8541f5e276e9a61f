//! The desk as a board: the binary `monster`, run as a process.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Duration;

use crate::device::{Board, Device, Options};
use crate::names::with_resolver;
use crate::process::{Process, Signal};
use crate::proxy::{Proxy, Weather};

/// This computer as the device: `monster run`.
#[derive(Debug, Clone, Copy)]
pub struct Desk;

impl Board for Desk {
    fn name(&self) -> &'static str {
        "desk"
    }

    fn host(&self) -> Ipv4Addr {
        Ipv4Addr::LOCALHOST
    }

    fn device(&self, options: Options) -> Box<dyn Device> {
        Box::new(DeskDevice::new(options))
    }
}

/// A device that is a `monster run`.
#[derive(Debug)]
pub struct DeskDevice {
    options: Options,
    /// The cable, if there is one that can be pulled: in the place of the network's hardware.
    cable: Option<Proxy>,
    process: Option<Process>,
}

impl DeskDevice {
    /// A device that is not started yet.
    pub fn new(options: Options) -> Self {
        let mut options = options;
        let cable = options.has_cable.then(|| {
            let (before, port) = options.broker.rsplit_once(':').expect("host:port");
            let proxy = Proxy::to(port.parse().expect("a port"));
            options.broker = format!("{before}:{}", proxy.port());
            proxy
        });
        Self {
            options,
            cable,
            process: None,
        }
    }

    /// Asks it to end, as Ctrl-C and service managers do (SIGTERM).
    pub fn ask_to_end(&self) {
        self.running().signal(Signal::TERM);
    }

    /// Waits until it has ended by itself; `None` when it still runs after `within`.
    pub fn wait(&mut self, within: Duration) -> Option<ExitStatus> {
        self.process
            .as_mut()
            .expect("it has been started")
            .wait(within)
    }

    /// Its process id.
    pub fn process_id(&self) -> u32 {
        self.running().id()
    }

    fn cable(&self) -> &Proxy {
        let cable = self.cable.as_ref();
        cable.expect("the options say that its cable will be pulled")
    }

    fn running(&self) -> &Process {
        self.process.as_ref().expect("it has been started")
    }
}

impl Device for DeskDevice {
    fn power_on(&mut self) {
        self.cut_power();
        let command = run(&self.options);
        let command = with_resolver(command, self.options.resolver.as_deref());
        self.process = Some(Process::spawn("monster", command));
    }

    fn cut_power(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill();
        }
    }

    fn pull_cable(&mut self) {
        self.cable().set(Weather::Silent);
    }

    fn restore_cable(&mut self) {
        self.cable().set(Weather::Fair);
    }

    fn is_alive(&mut self) -> bool {
        self.process.as_mut().is_some_and(Process::is_running)
    }

    fn log(&self) -> Vec<String> {
        self.process.as_ref().map_or_else(Vec::new, Process::log)
    }
}

/// The command line that starts a device with these options.
pub fn run(options: &Options) -> Command {
    let mut command = monster();
    command
        .arg("run")
        .args(["--broker", &options.broker])
        .args(["--id", &options.id])
        .arg("--state")
        .arg(&options.state);
    for (key, value) in &options.settings {
        command.arg("--set").arg(format!("{key}={value}"));
    }
    command
}

/// The binary `monster`, told nothing yet, with none of the caller's own settings in its environment.
pub fn monster() -> Command {
    let mut command = Command::new(binary());
    for (key, _) in std::env::vars_os() {
        if key.to_string_lossy().starts_with("MONSTER_") {
            command.env_remove(key);
        }
    }
    command
}

/// Where the binary is: `MONSTER_BIN`, or beside the test that cargo built (`target/<profile>/monster`).
fn binary() -> PathBuf {
    if let Some(path) = std::env::var_os("MONSTER_BIN") {
        let path = PathBuf::from(path);
        assert!(
            path.is_file(),
            "MONSTER_BIN is {}, which is not a file",
            path.display()
        );
        return path;
    }
    let this = std::env::current_exe().expect("a program knows where it is");
    this.ancestors()
        .skip(1)
        .take(2)
        .map(|folder: &Path| folder.join("monster"))
        .find(|path| path.is_file())
        .unwrap_or_else(|| {
            panic!(
                "there is no binary `monster` beside {}: run `cargo xtask test`, or `cargo build -p \
                 monster-desk` before this, or set MONSTER_BIN",
                this.display()
            )
        })
}
