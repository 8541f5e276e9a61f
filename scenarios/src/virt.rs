//! The virtual microcontroller as a board: the firmware in QEMU, run by `cargo xtask virt`.

use std::path::PathBuf;
use std::process::Command;

use crate::device::{Board, Device, Options};
use crate::process::Process;

/// The firmware in QEMU. `cargo xtask virt` builds it.
#[derive(Debug, Clone, Copy)]
pub struct Virt;

impl Board for Virt {
    fn name(&self) -> &'static str {
        "virt"
    }

    fn device(&self, options: Options) -> Box<dyn Device> {
        Box::new(VirtDevice {
            options,
            process: None,
        })
    }
}

/// A device that is a QEMU.
#[derive(Debug)]
struct VirtDevice {
    options: Options,
    process: Option<Process>,
}

impl Device for VirtDevice {
    fn power_on(&mut self) {
        self.cut_power();
        self.process = Some(Process::spawn("virt", run(&self.options)));
    }

    fn cut_power(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill();
        }
    }

    fn is_alive(&mut self) -> bool {
        self.process.as_mut().is_some_and(Process::is_running)
    }

    fn log(&self) -> Vec<String> {
        self.process.as_ref().map_or_else(Vec::new, Process::log)
    }
}

/// The command line that puts these options into the board's flash and becomes its QEMU.
fn run(options: &Options) -> Command {
    let mut command = Command::new(xtask());
    command
        .args(["virt", "--no-build"])
        .args(["--broker", &options.broker])
        .args(["--id", &options.id])
        .arg("--state")
        .arg(&options.state)
        // Nobody outside is asked the time, unless the test wants it.
        .args(["--set", "time.server="]);
    for (key, value) in &options.settings {
        command.arg("--set").arg(format!("{key}={value}"));
    }
    command
}

/// Beside the test that cargo built: `target/<profile>/xtask`.
fn xtask() -> PathBuf {
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
