//! The program, started as a person would.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// A folder of its own, in which `monster` is started.
pub struct Desk {
    pub folder: PathBuf,
}

impl Desk {
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("monster-program-{}-{count}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder).unwrap();
        Desk { folder }
    }

    pub fn with(settings: &str) -> Self {
        let desk = Desk::new();
        fs::write(desk.folder.join("monster.toml"), settings).unwrap();
        desk
    }

    /// `monster` with these flags and none of the tester's own settings.
    pub fn monster(&self, flags: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_monster"));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("MONSTER_") {
                command.env_remove(name);
            }
        }
        // Whoever tests with cargo does not start the program with it.
        command.env_remove("CARGO_PKG_NAME");
        command
            .args(flags)
            .current_dir(&self.folder)
            .env("XDG_STATE_HOME", self.folder.join("state"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    pub fn run(&self, flags: &[&str]) -> Said {
        Said::from(self.monster(flags).output().unwrap())
    }

    /// `monster` with a broker that is not there.
    pub fn without_broker(&self, flags: &[&str]) -> Running {
        let mut all = vec!["run", "--broker", "mqtt://alice:hunter2@127.0.0.1:1"];
        all.extend(flags);
        Running::start(self.monster(&all))
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// What a program said, and its exit code.
#[derive(Debug)]
pub struct Said {
    pub code: Option<i32>,
    pub out: String,
    pub error: String,
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        Said {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            error: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// A program that runs until it is told to end, or dropped.
pub struct Running {
    pub child: Child,
    out: BufReader<std::process::ChildStdout>,
    said: String,
}

impl Running {
    pub fn start(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        Running {
            child,
            out,
            said: String::new(),
        }
    }

    /// Reads its standard output until it says `text`; returns the line.
    pub fn hear(&mut self, text: &str) -> String {
        loop {
            let mut line = String::new();
            let count = self.out.read_line(&mut line).unwrap();
            assert!(count > 0, "it never said {text:?}, but: {}", self.said);
            self.said.push_str(&line);
            if line.contains(text) {
                return line;
            }
        }
    }

    /// The pipe that it prints to.
    #[cfg(all(target_os = "linux", feature = "broker"))]
    pub fn stdout(&mut self) -> &mut std::process::ChildStdout {
        self.out.get_mut()
    }

    #[cfg(unix)]
    pub fn signal(&self, signal: rustix::process::Signal) {
        let id = rustix::process::Pid::from_raw(self.child.id() as i32).unwrap();
        rustix::process::kill_process(id, signal).unwrap();
    }

    /// Waits until it has ended by itself.
    pub fn end(mut self) -> Said {
        let deadline = Instant::now() + Duration::from_secs(10);
        while self.child.try_wait().unwrap().is_none() {
            assert!(Instant::now() < deadline, "it does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
        let mut out = std::mem::take(&mut self.said);
        self.out.read_to_string(&mut out).unwrap();
        let mut error = String::new();
        let mut stderr = self.child.stderr.take().unwrap();
        stderr.read_to_string(&mut error).unwrap();
        let code = self.child.wait().unwrap().code();
        Said { code, out, error }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
