//! A child process that cannot outlive the test that started it.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

pub use rustix::process::Signal;

/// How many lines of a child's output are kept for the report of a failure.
const KEPT_LINES: usize = 400;

/// A running child whose output is read as it comes.
///
/// It is killed by its process id when this value is dropped, and by the kernel when the test itself is
/// killed. When a test fails, dropping it prints what the child said.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: Log,
}

impl Process {
    /// Starts `command`, keeping what it writes to both of its outputs.
    pub fn spawn(name: &str, command: Command) -> Self {
        Self::spawn_reading(name, command, |_| Line::Log)
    }

    /// As [`Process::spawn`], with a keyboard: [`Process::type_in`].
    pub fn spawn_typing(name: &str, command: Command) -> Self {
        Self::start(name, command, Stdio::piped(), |_| Line::Log)
    }

    /// As [`Process::spawn`], but hands each line of the standard output to `read` first.
    pub fn spawn_reading(
        name: &str,
        command: Command,
        read: impl FnMut(&str) -> Line + Send + 'static,
    ) -> Self {
        Self::start(name, command, Stdio::null(), read)
    }

    fn start(
        name: &str,
        command: Command,
        stdin: Stdio,
        read: impl FnMut(&str) -> Line + Send + 'static,
    ) -> Self {
        let mut command = bound_to_this_thread(command);
        let mut child = command
            .stdin(stdin)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("could not start {name} ({command:?}): {error}"));
        let log = Log::new();
        if let Some(stdout) = child.stdout.take() {
            log.follow(stdout, read);
        }
        if let Some(stderr) = child.stderr.take() {
            log.follow(stderr, |_| Line::Log);
        }
        Self {
            name: name.to_owned(),
            child,
            log,
        }
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Types this at its keyboard.
    ///
    /// # Panics
    /// If it has none, or is gone.
    pub fn type_in(&self, text: &str) {
        let mut keyboard = self.child.stdin.as_ref().expect("it has a keyboard");
        let typed = keyboard.write_all(text.as_bytes());
        typed.expect("what is typed is taken");
    }

    /// Sends a signal; a process that is gone already is left in peace.
    pub fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.child.id()).expect("a process id is a positive i32");
        if let Some(pid) = rustix::process::Pid::from_raw(id) {
            let _ = rustix::process::kill_process(pid, signal);
        }
    }

    /// Kills it at once (SIGKILL) and waits until it is gone.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Waits for it to end by itself; `None` when it is still running after `within`.
    pub fn wait(&mut self, within: Duration) -> Option<ExitStatus> {
        let deadline = Instant::now() + within;
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) => return Some(status),
                Ok(None) if Instant::now() < deadline => thread::sleep(Duration::from_millis(5)),
                Ok(None) => return None,
                Err(error) => panic!("could not wait for {}: {error}", self.name),
            }
        }
    }

    /// Whether it is still running.
    pub fn is_running(&mut self) -> bool {
        self.wait(Duration::ZERO).is_none()
    }

    /// The last lines it wrote, each with the seconds since it was started.
    pub fn log(&self) -> Vec<String> {
        self.log.lines()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        if thread::panicking() {
            eprintln!("---- {} said:", self.name);
            for line in self.log() {
                eprintln!("{line}");
            }
        }
    }
}

/// What becomes of a line that a child wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line {
    /// Kept in the log.
    Log,
    /// Taken by the reader; not in the log.
    Taken,
}

#[derive(Debug, Clone)]
struct Log {
    started: Instant,
    lines: Arc<Mutex<VecDeque<String>>>,
}

impl Log {
    fn new() -> Self {
        Self {
            started: Instant::now(),
            lines: Arc::default(),
        }
    }

    fn follow(
        &self,
        source: impl Read + Send + 'static,
        mut read: impl FnMut(&str) -> Line + Send + 'static,
    ) {
        let log = self.clone();
        thread::spawn(move || {
            let mut source = BufReader::new(source);
            let mut line = Vec::new();
            while matches!(source.read_until(b'\n', &mut line), Ok(n) if n > 0) {
                let text = String::from_utf8_lossy(&line);
                let text = text.trim_end_matches(['\r', '\n']);
                if read(text) == Line::Log {
                    log.push(text);
                }
                line.clear();
            }
        });
    }

    fn push(&self, line: &str) {
        let mut lines = self.lines.lock().expect("no reader panics holding the log");
        if lines.len() == KEPT_LINES {
            lines.pop_front();
        }
        let seconds = self.started.elapsed().as_secs_f64();
        lines.push_back(format!("{seconds:8.3}  {line}"));
    }

    fn lines(&self) -> Vec<String> {
        let lines = self.lines.lock().expect("no reader panics holding the log");
        lines.iter().cloned().collect()
    }
}

/// Looks for a program in `PATH`, and where Debian keeps daemons, which is not in everybody's `PATH`.
pub fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/usr/local/sbin".into()])
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}

/// Finds a program that the tests cannot do without.
pub fn need(program: &str) -> PathBuf {
    find(program).unwrap_or_else(|| {
        panic!("`{program}` is not installed: run `cargo xtask test`, which installs what the tests need")
    })
}

/// Has the kernel kill the child when the thread that started it ends, however that happens.
fn bound_to_this_thread(command: Command) -> Command {
    let Some(setpriv) = find("setpriv") else {
        return command;
    };
    let mut bound = Command::new(setpriv);
    bound.args(["--pdeathsig", "KILL"]);
    within(bound, &command)
}

/// A command that is given another one, with its words and its environment, as its last words.
pub(crate) fn within(mut outer: Command, inner: &Command) -> Command {
    outer.arg(inner.get_program()).args(inner.get_args());
    for (key, value) in inner.get_envs() {
        match value {
            Some(value) => outer.env(key, value),
            None => outer.env_remove(key),
        };
    }
    if let Some(folder) = inner.get_current_dir() {
        outer.current_dir(folder);
    }
    outer
}
