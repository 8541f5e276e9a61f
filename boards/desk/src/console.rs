//! What `monster run` prints: a banner, then a line for everything that happens.
//!
//! What is well goes to the standard output, what is not to the standard error: `--quiet` says
//! nothing unless something is wrong, and a log in a file has no warnings that nobody sees. A
//! reader who has gone away, as `head` does, is no reason to stop being a device.

use std::fmt;
use std::io::{self, Write};
use std::time::Instant;

use monster::settings::value::LogLevel;

use crate::style::{ERROR, FAINT, WARNING};

/// Prints lines, each with the seconds since the program was started.
#[derive(Clone, Copy, Debug)]
pub struct Console {
    level: LogLevel,
    started: Instant,
}

impl Console {
    /// Prints lines of this level and of more important ones.
    pub fn new(level: LogLevel) -> Self {
        Console {
            level,
            started: Instant::now(),
        }
    }

    /// The same, but for the level.
    pub fn at_level(self, level: LogLevel) -> Self {
        Console { level, ..self }
    }

    /// A line for the log.
    pub fn log(&self, level: LogLevel, text: impl fmt::Display) {
        self.log_at(Instant::now(), level, text);
    }

    /// A line for the log, about something that happened `at` this time.
    pub fn log_at(&self, at: Instant, level: LogLevel, text: impl fmt::Display) {
        if level > self.level {
            return;
        }
        let time = at.duration_since(self.started).as_secs_f64();
        let (mark, style) = match level {
            LogLevel::Error => ("error: ", ERROR),
            LogLevel::Warn => ("warning: ", WARNING),
            LogLevel::Info => ("", anstyle::Style::new()),
            LogLevel::Debug => ("", FAINT),
        };
        let line = format!("{FAINT}{time:9.3}{FAINT:#}  {style}{mark}{text}{style:#}\n");
        // In one piece, so that lines of several threads do not mix.
        let _ = match level {
            LogLevel::Error | LogLevel::Warn => anstream::stderr().write_all(line.as_bytes()),
            LogLevel::Info | LogLevel::Debug => print(&line),
        };
    }

    /// Text as it is, unless only warnings are wanted.
    pub fn banner(&self, text: &str) {
        if self.level >= LogLevel::Info {
            let _ = print(text);
        }
    }
}

/// To the standard output, at once.
pub fn print(text: &str) -> io::Result<()> {
    let mut out = anstream::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// An error that ends the program.
pub fn error(text: impl fmt::Display) {
    let line = format!("{ERROR}error:{ERROR:#} {text}\n");
    let _ = anstream::stderr().write_all(line.as_bytes());
}

/// Something that is probably a mistake.
pub fn warning(text: impl fmt::Display) {
    let line = format!("{WARNING}warning:{WARNING:#} {text}\n");
    let _ = anstream::stderr().write_all(line.as_bytes());
}
