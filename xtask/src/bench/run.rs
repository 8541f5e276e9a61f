//! One run of a client against the responder, under an instrument.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Stdio};

use crate::command::{Failed, Task, program, root};

/// Seconds that a run may take; the longest takes about ten.
const LIMIT: &str = "120";

/// What is to be run.
#[derive(Clone, Copy)]
pub struct Run {
    /// The client's program.
    pub client: &'static str,
    pub work: &'static str,
    /// Messages.
    pub count: usize,
    /// Messages after which the responder acknowledges them.
    pub window: usize,
}

impl Run {
    /// Instructions in user space.
    pub fn instructions(self) -> Result<f64, Failed> {
        let file = self.callgrind()?;
        // `summary:` of one event is the number of all instructions.
        let text = read(&file)?;
        let total = text
            .lines()
            .find_map(|line| line.strip_prefix("summary: ")?.trim().parse().ok());
        total.ok_or_else(|| unreadable(&file))
    }

    /// Instructions in user space of each function, and of the file each part of it was written in.
    pub fn functions(self) -> Result<BTreeMap<(String, String), f64>, Failed> {
        let file = self.callgrind()?;
        let text = program("callgrind_annotate")
            .args(["--auto=no", "--threshold=100"])
            .args([&file])
            .output()?;
        let mut functions = BTreeMap::new();
        for line in text.lines() {
            let line = line.trim();
            let Some((count, rest)) = line.split_once(" (") else {
                continue;
            };
            let name = rest.split_once(')').and_then(|(_, name)| parts(name));
            if let Some((name, count)) = name.zip(count.replace(',', "").parse::<f64>().ok()) {
                *functions.entry(name).or_insert(0.0) += count;
            }
        }
        Ok(functions)
    }

    /// System calls of all threads.
    pub fn syscalls(self) -> Result<f64, Failed> {
        let file = self.scratch("strace");
        let strace = ["strace", "-f", "-c", "-U", "calls,name", "-o"];
        self.against_responder(&[], |client| {
            bounded(&strace)
                .args([&file])
                .args(client)
                .output()
                .map(drop)
        })?;
        // The last line is the total.
        let text = read(&file)?;
        let mut totals = text
            .lines()
            .filter_map(|line| line.trim().strip_suffix("total")?.trim().parse().ok());
        totals.next_back().ok_or_else(|| unreadable(&file))
    }

    fn callgrind(self) -> Result<PathBuf, Failed> {
        let file = self.scratch("callgrind");
        let out = format!("--callgrind-out-file={}", file.display());
        let valgrind = ["valgrind", "--quiet", "--tool=callgrind", &out];
        self.against_responder(&[], |client| {
            bounded(&valgrind).args(client).output().map(drop)
        })?;
        Ok(file)
    }

    /// Times on one processor.
    pub fn times(self) -> Result<Times, Failed> {
        let one_cpu = ["taskset", "--cpu-list", "0"];
        let line = self.against_responder(&one_cpu, |client| {
            bounded(&one_cpu).args(client).output().map(drop)
        })?;
        let unreadable = || Failed::Advice(format!("{}: no times in {line:?}", self.client));
        Times::read(&line).ok_or_else(unreadable)
    }

    /// Starts the responder, hands over the words that start the client, and returns what the
    /// responder said at its end.
    fn against_responder(
        self,
        wrapper: &[&str],
        run: impl FnOnce([String; 4]) -> Result<(), Failed>,
    ) -> Result<String, Failed> {
        let responder = Responder::start(self, wrapper)?;
        let client = folder().join(self.client).display().to_string();
        let words = [client, self.work.into(), self.count.to_string()];
        let [client, work, count] = words;
        run([client, work, count, responder.port.clone()])?;
        responder.end()
    }

    fn scratch(self, what: &str) -> PathBuf {
        folder().join(format!("{}.{what}", self.client))
    }
}

/// What the responder saw of a run.
pub struct Times {
    /// Messages a second.
    pub rate: f64,
    /// Nanoseconds that half of the replies took at most, and 99 of 100.
    pub half: f64,
    pub most: f64,
}

impl Times {
    pub const WORST: Times = Times {
        rate: 0.0,
        half: f64::MAX,
        most: f64::MAX,
    };

    fn read(line: &str) -> Option<Self> {
        let figures: Option<Vec<f64>> = line.split_whitespace().map(|it| it.parse().ok()).collect();
        let &[time, count, half, most] = figures?.as_slice() else {
            return None;
        };
        Some(Times {
            rate: count * 1e9 / time,
            half,
            most,
        })
    }
}

struct Responder {
    process: Child,
    out: Option<BufReader<ChildStdout>>,
    port: String,
}

impl Responder {
    fn start(run: Run, wrapper: &[&str]) -> Result<Self, Failed> {
        let (count, window) = (run.count.to_string(), run.window.to_string());
        let failed = |error| Failed::Start("responder".into(), error);
        let responder = folder().join("responder").display().to_string();
        let mut words = wrapper.to_vec();
        words.extend([&responder, run.work, &count, &window]);
        let mut process = program(words[0])
            .args(&words[1..])
            .command()
            .stdout(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        let mut port = String::new();
        let mut out = process.stdout.take().map(BufReader::new);
        if let Some(out) = &mut out {
            out.read_line(&mut port).map_err(failed)?;
        }
        let port = port.trim().to_owned();
        Ok(Responder { process, out, port })
    }

    /// It ends by itself once the client is gone; what it said then.
    fn end(mut self) -> Result<String, Failed> {
        let mut line = String::new();
        if let Some(out) = &mut self.out {
            let failed = |error| Failed::Start("responder".into(), error);
            out.read_line(&mut line).map_err(failed)?;
        }
        Ok(line)
    }
}

impl Drop for Responder {
    fn drop(&mut self) {
        // It has ended with the connection, if there was one.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A program that is ended when it takes too long.
fn bounded(words: &[&str]) -> Task {
    program("timeout").args([LIMIT]).args(words)
}

fn folder() -> PathBuf {
    root().join("target/bench/release")
}

fn read(file: &Path) -> Result<String, Failed> {
    fs::read_to_string(file)
        .map_err(|error| Failed::Start(format!("read {}", file.display()), error))
}

fn unreadable(file: &Path) -> Failed {
    Failed::Advice(format!("{} has no total", file.display()))
}

/// The function and the file of `file:function [library]`, without folders and hashes.
fn parts(name: &str) -> Option<(String, String)> {
    let (file, function) = name.trim().split_once(':')?;
    let function = function.split(" [").next()?;
    let file = file.rsplit('/').next()?;
    let function = match function.rsplit_once("::h") {
        Some((function, hash)) if hash.len() == 16 => function,
        _ => function,
    };
    Some((function.to_owned(), file.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_functions_lose_folders_hashes_and_libraries() {
        let long = "  /a/umqtt/src/outbox.rs:umqtt::Outbox::push::h0123456789abcdef [/x/y]";
        let expected = ("umqtt::Outbox::push".into(), "outbox.rs".into());
        assert_eq!(parts(long), Some(expected));
        let expected = ("write".into(), "???".into());
        assert_eq!(parts("???:write [/lib/libc.so.6]"), Some(expected));
        assert_eq!(parts("PROGRAM TOTALS"), None);
    }
}
