//! The binary `monster`: this computer as a device.
//!
//! It is a thin shell round the device core: [`run`] is the loop, round one [`life`] after the other; [`transport`] and [`link`] are its
//! connection, [`pins`] and [`keys`] its hands, [`store`] its memory; [`notify`] tells systemd that it
//! is well; [`control`] is its console, for browsers. [`config`] reads settings.
//! What a device does is in the crate `monster` alone.

#![forbid(unsafe_code)]

mod banner;
#[cfg_attr(not(feature = "broker"), path = "no_broker.rs")]
mod broker;
mod cli;
mod clock;
mod config;
mod console;
mod control;
mod identity;
mod keys;
mod life;
mod link;
#[cfg_attr(not(target_os = "linux"), path = "no_notify.rs")]
mod notify;
mod pins;
mod run;
#[cfg(test)]
mod scratch;
mod send;
mod show_settings;
mod signals;
mod start;
mod state;
mod store;
mod style;
mod syslog;
mod transport;
mod watch;

use std::fmt;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use cli::{Cli, Command, SettingsArgs};
use config::{Config, DEFAULT_FILE, Problem, Sources};

fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match cli.command {
        None => start::run(&cli.run),
        Some(Command::Run(args)) => start::run(&args),
        Some(Command::Send(args)) => send::send(&args),
        Some(Command::Watch(args)) => watch::watch(&args),
        Some(Command::Broker(arguments)) => start::broker(arguments.port),
        Some(Command::Settings(args)) => settings(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.lines.iter().for_each(console::error);
            ExitCode::from(failure.code)
        }
    }
}

/// Why the program ends early: what is said, and its exit code.
#[derive(Debug)]
pub struct Failure {
    lines: Vec<String>,
    code: u8,
}

impl Failure {
    /// The world is not as it should be.
    pub fn failed(line: impl fmt::Display) -> Self {
        Failure {
            lines: vec![line.to_string()],
            code: 1,
        }
    }

    /// What was asked for makes no sense.
    pub fn usage(line: impl fmt::Display) -> Self {
        Failure {
            lines: vec![line.to_string()],
            code: 2,
        }
    }

    /// The device did not answer.
    pub fn no_answer(line: impl fmt::Display) -> Self {
        Failure {
            lines: vec![line.to_string()],
            code: 3,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.lines.join("; "))
    }
}

impl From<Vec<Problem>> for Failure {
    fn from(problems: Vec<Problem>) -> Self {
        Failure {
            lines: problems.iter().map(Problem::to_string).collect(),
            code: 2,
        }
    }
}

/// `monster settings`
fn settings(args: &SettingsArgs) -> Result<(), Failure> {
    let environment = std::env::vars_os().collect();
    if args.check {
        return check(args.config.clone(), environment);
    }
    let folder = start::state_folder(args.state.as_ref(), &environment);
    let stored = folder.map(|folder| store::stored_settings(&folder));
    let stored = stored.unwrap_or(Ok(Vec::new())).map_err(Failure::failed)?;
    let layers = Sources {
        file: args.config.clone(),
        environment,
        ..Sources::default()
    }
    .read();
    let config = layers.over(&stored)?;
    warn(&config);
    // Whoever stops reading has read enough.
    let _ = console::print(&show_settings::page(&config));
    Ok(())
}

/// A file is right or not whatever the environment says.
fn check(file: Option<PathBuf>, environment: config::Environment) -> Result<(), Failure> {
    let file = file.or_else(|| config::variable(&environment, config::CONFIG_VARIABLE));
    let config = Sources {
        file,
        ..Sources::default()
    };
    let Some(file) = config.load()?.file else {
        return Err(Failure::usage(format_args!(
            "there is no {DEFAULT_FILE} here; name the file to check: --config FILE"
        )));
    };
    let _ = console::print(&format!("{}: ok\n", file.display()));
    Ok(())
}

/// Says what is probably a mistake.
fn warn(config: &Config) {
    config.warnings.iter().for_each(console::warning);
}
