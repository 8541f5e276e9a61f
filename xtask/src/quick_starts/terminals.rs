//! Terminals in which somebody types what a page says, and looks for what it says will be seen.

use std::env;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::command::Failed;

use super::page::is_like;

/// How long a person waits for what should be seen.
const PATIENCE: Duration = Duration::from_secs(40);
/// After what time commands that ended without it are tried again: some servers take a moment until they answer.
const AGAIN: Duration = Duration::from_secs(2);

/// The terminals of one page. What runs in them ends with this process, whose children they are.
pub struct Terminals {
    folder: PathBuf,
    path: std::ffi::OsString,
    open: Vec<Terminal>,
}

struct Terminal {
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Terminals {
    /// None yet; commands are typed in this folder, where programs are looked for in these places first.
    pub fn new(folder: &Path, programs: &[PathBuf]) -> Self {
        let path = env::var_os("PATH").unwrap_or_default();
        let places = programs.iter().cloned().chain(env::split_paths(&path));
        // Debian keeps servers there.
        let places = places.chain(["/usr/sbin".into()]);
        Terminals {
            folder: folder.to_path_buf(),
            path: env::join_paths(places).unwrap_or(path),
            open: Vec::new(),
        }
    }

    /// Types commands into a new terminal, and looks for these lines in any. If there are none to be seen, the commands
    /// must come to a good end.
    pub fn play(&mut self, commands: &str, seen: &[&str]) -> Result<(), Failed> {
        let before: Vec<usize> = self.open.iter().map(|it| it.lines().len()).collect();
        print!("$ {}", commands.replace("\n", "\n  ").trim_end_matches(' '));
        let begun = Instant::now();
        let mut typed = self.typed(commands)?;
        let mut started = Instant::now();
        loop {
            let terminals = self.open.iter().enumerate();
            let is_seen = terminals.into_iter().any(|(index, terminal)| {
                let from = before.get(index).copied().unwrap_or(0);
                is_in(seen, terminal.lines().get(from..).unwrap_or_default())
            });
            let status = self.open[typed].child.try_wait();
            let ended = status.map_err(|error| Failed::Start(commands.into(), error))?;
            match ended {
                Some(status) if seen.is_empty() && status.success() => return Ok(()),
                Some(status) if seen.is_empty() => {
                    return Err(self.fail(commands, &status.to_string()));
                }
                _ if is_seen && !seen.is_empty() => return Ok(()),
                Some(_) if started.elapsed() > AGAIN => {
                    // In the same terminal, so to speak.
                    self.open.truncate(typed);
                    typed = self.typed(commands)?;
                    started = Instant::now();
                }
                _ => {}
            }
            if begun.elapsed() > PATIENCE {
                let what = match seen.is_empty() {
                    true => "it does not end".to_owned(),
                    false => format!("nobody sees\n{}", seen.join("\n")),
                };
                return Err(self.fail(commands, &what));
            }
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Opens a terminal for these commands; returns which it is.
    fn typed(&mut self, commands: &str) -> Result<usize, Failed> {
        let mut command = Command::new("bash");
        command
            .args(["-e", "-c", commands])
            .current_dir(&self.folder);
        command.env("PATH", &self.path).env("HOME", &self.folder);
        command.stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command
            .spawn()
            .map_err(|error| Failed::Start("bash".into(), error))?;
        let lines = Arc::default();
        follow(child.stdout.take(), &lines);
        follow(child.stderr.take(), &lines);
        self.open.push(Terminal { child, lines });
        Ok(self.open.len() - 1)
    }

    fn fail(&self, commands: &str, what: &str) -> Failed {
        let mut text = format!("{commands}{what}\n");
        for (index, terminal) in self.open.iter().enumerate() {
            text += &format!(
                "\nterminal {}:\n{}\n",
                index + 1,
                terminal.lines().join("\n")
            );
        }
        Failed::Advice(text)
    }
}

impl Terminal {
    /// What was shown in it so far.
    fn lines(&self) -> Vec<String> {
        let lines = self.lines.lock();
        lines.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn follow(stream: Option<impl Read + Send + 'static>, lines: &Arc<Mutex<Vec<String>>>) {
    let Some(stream) = stream else { return };
    let lines = Arc::clone(lines);
    thread::spawn(move || {
        let mut stream = BufReader::new(stream);
        let mut line = Vec::new();
        while stream
            .read_until(b'\n', &mut line)
            .is_ok_and(|count| count > 0)
        {
            let text = String::from_utf8_lossy(&line).trim_end().to_owned();
            lines
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(text);
            line.clear();
        }
    });
}

/// Whether these are among the lines, in their order.
fn is_in(seen: &[&str], lines: &[String]) -> bool {
    let mut lines = lines.iter();
    seen.iter()
        .all(|pattern| lines.any(|line| is_like(line, pattern)))
}
