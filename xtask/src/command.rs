//! Running other programs.

use std::fmt;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

/// Why a task did not succeed.
#[derive(Debug)]
pub enum Failed {
    /// A program could not be started.
    Start(String, io::Error),
    /// A program said no.
    Exit(String, ExitStatus),
    /// What a person has to do.
    Advice(String),
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failed::Start(command, error) => write!(f, "cannot start `{command}`: {error}"),
            Failed::Exit(command, status) => write!(f, "`{command}` failed: {status}"),
            Failed::Advice(text) => f.write_str(text),
        }
    }
}

/// A program to be run in the root of the repository.
pub struct Task(Command);

/// `cargo` with these words, split at blanks.
pub fn cargo(words: &str) -> Task {
    program(&std::env::var("CARGO").unwrap_or_else(|_| "cargo".into())).args(words.split(' '))
}

/// Any program.
pub fn program(name: &str) -> Task {
    let mut command = Command::new(name);
    command.current_dir(root()).stdin(Stdio::null());
    Task(command)
}

/// The root of the repository.
pub fn root() -> PathBuf {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().unwrap_or(xtask).to_path_buf()
}

impl Task {
    /// More words.
    pub fn args(mut self, words: impl IntoIterator<Item = impl AsRef<std::ffi::OsStr>>) -> Self {
        self.0.args(words);
        self
    }

    /// A variable of its environment.
    pub fn env(mut self, key: &str, value: &str) -> Self {
        self.0.env(key, value);
        self
    }

    /// In this folder, rather than the root of the repository.
    pub fn within(mut self, folder: &Path) -> Self {
        self.0.current_dir(folder);
        self
    }

    /// Without this variable of our own environment.
    pub fn env_remove(mut self, key: &str) -> Self {
        self.0.env_remove(key);
        self
    }

    /// Runs it to its end and returns what it printed; its messages go where ours do.
    pub fn output(mut self) -> Result<String, Failed> {
        let shown = self.shown();
        let output = self.0.stderr(Stdio::inherit()).output();
        let output = output.map_err(|error| Failed::Start(shown.clone(), error))?;
        if output.status.success() {
            Ok(String::from_utf8_lossy(&output.stdout).into_owned())
        } else {
            Err(Failed::Exit(shown, output.status))
        }
    }

    /// The command itself, for who has to talk to the program while it runs.
    pub fn command(self) -> Command {
        self.0
    }

    /// Its name and its words, for another program to run.
    pub fn words(&self) -> Vec<String> {
        std::iter::once(self.0.get_program())
            .chain(self.0.get_args())
            .map(|word| word.to_string_lossy().into_owned())
            .collect()
    }

    /// Runs it to its end; its output goes where ours does.
    pub fn run(self) -> Result<(), Failed> {
        self.each_line(|_| {})
    }

    /// Runs it to its end, shows its output, and hands over each line of it.
    pub fn each_line(mut self, mut line: impl FnMut(&str)) -> Result<(), Failed> {
        let shown = self.shown();
        println!("\n$ {shown}");
        let start = |error| Failed::Start(shown.clone(), error);
        let mut child = self.0.stdout(Stdio::piped()).spawn().map_err(start)?;
        if let Some(out) = child.stdout.take() {
            for text in BufReader::new(out).lines().map_while(Result::ok) {
                println!("{text}");
                line(&text);
            }
        }
        let status = child.wait().map_err(start)?;
        if status.success() {
            Ok(())
        } else {
            Err(Failed::Exit(shown, status))
        }
    }

    fn shown(&self) -> String {
        let name = Path::new(self.0.get_program()).file_name();
        name.into_iter()
            .chain(self.0.get_args())
            .map(|word| word.to_string_lossy())
            .collect::<Vec<_>>()
            .join(" ")
    }
}
