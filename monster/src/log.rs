//! What the device says of itself: lines, made here so that every board says the same.

use core::fmt::{self, Write};

use heapless::{Deque, String};

use crate::identity::{DeviceId, ID_MAX};
use crate::settings::value::LogLevel;

/// The longest line, in bytes; what is longer is cut.
pub const LINE_MAX: usize = 160;
/// The longest line of syslog, in bytes: what comes before the text, with the longest id.
pub const SYSLOG_MAX: usize = LINE_MAX + "<15>1 - Monster- monster - - - ".len() + ID_MAX;
/// How many lines wait for the board before the oldest is dropped.
const LINES: usize = 8;

/// One line of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// How important it is; never less than the setting `log.level` asks for.
    pub level: LogLevel,
    /// The line, without an end of line. It holds no secret, and no control characters.
    pub text: String<LINE_MAX>,
}

impl Log {
    /// A line; what is longer is cut, and control characters are replaced: a stranger could use them to write into
    /// somebody's terminal.
    pub fn new(level: LogLevel, line: fmt::Arguments<'_>) -> Self {
        let mut text = Line(String::new());
        let _ = text.write_fmt(line);
        Log {
            level,
            text: text.0,
        }
    }

    /// The line as syslog has it (RFC 5424), from the device `id`: facility `user`, and no time,
    /// which the server knows better than a device.
    pub fn syslog(&self, id: &DeviceId) -> impl fmt::Display {
        const USER: u8 = 1;
        let severity = match self.level {
            LogLevel::Error => 3,
            LogLevel::Warn => 4,
            LogLevel::Info => 6,
            LogLevel::Debug => 7,
        };
        let priority = USER * 8 + severity;
        fmt::from_fn(move |f| {
            let text = &self.text;
            write!(f, "<{priority}>1 - Monster-{id} monster - - - {text}")
        })
    }
}

/// Lines that wait for the board, and for the broker.
pub(crate) struct Lines {
    level: LogLevel,
    broker: Option<LogLevel>,
    lines: Deque<Waiting, LINES>,
}

struct Waiting {
    log: Log,
    for_board: bool,
    for_broker: bool,
}

impl Lines {
    /// Lines of these levels for the board, and for the broker.
    pub fn new(level: LogLevel, broker: Option<LogLevel>) -> Self {
        Lines {
            level,
            broker,
            lines: Deque::new(),
        }
    }

    /// Adds a line, if the level is one that is wanted.
    pub fn add(&mut self, level: LogLevel, line: fmt::Arguments<'_>) {
        let for_board = level <= self.level;
        let for_broker = self.broker.is_some_and(|wanted| level <= wanted);
        if !for_board && !for_broker {
            return;
        }
        if self.lines.is_full() {
            self.lines.pop_front();
        }
        let _ = self.lines.push_back(Waiting {
            log: Log::new(level, line),
            for_board,
            for_broker,
        });
    }

    /// The next line for the board.
    pub fn next(&mut self) -> Option<Log> {
        let line = self.lines.iter_mut().find(|line| line.for_board)?;
        line.for_board = false;
        let log = line.log.clone();
        self.drop_told();
        Some(log)
    }

    /// The next line for the broker.
    pub fn next_for_broker(&self) -> Option<&Log> {
        let line = self.lines.iter().find(|line| line.for_broker)?;
        Some(&line.log)
    }

    /// The broker has it.
    pub fn told_broker(&mut self) {
        if let Some(line) = self.lines.iter_mut().find(|line| line.for_broker) {
            line.for_broker = false;
        }
        self.drop_told();
    }

    fn drop_told(&mut self) {
        while self
            .lines
            .pop_front_if(|line| !line.for_board && !line.for_broker)
            .is_some()
        {}
    }
}

/// A line in the making: it takes what fits, and no control characters.
struct Line(String<LINE_MAX>);

impl Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            let shown = if character.is_control() {
                char::REPLACEMENT_CHARACTER
            } else {
                character
            };
            self.0.push(shown).map_err(|_| fmt::Error)?;
        }
        Ok(())
    }
}

/// A payload as a log shows it: text where it is text, cut where it is long.
pub(crate) struct Payload<'a>(pub &'a [u8]);

impl fmt::Display for Payload<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 64;
        let shown = self.0.get(..SHOWN).unwrap_or(self.0);
        for chunk in shown.utf8_chunks() {
            f.write_str(chunk.valid())?;
            if !chunk.invalid().is_empty() {
                f.write_char(char::REPLACEMENT_CHARACTER)?;
            }
        }
        if shown.len() < self.0.len() {
            write!(f, "… ({} bytes)", self.0.len())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_above_the_level_are_not_kept() {
        let mut lines = Lines::new(LogLevel::Info, None);
        lines.add(LogLevel::Debug, format_args!("quiet"));
        lines.add(LogLevel::Warn, format_args!("loud"));
        assert_eq!(lines.next().unwrap().text, "loud");
        assert_eq!(lines.next(), None);
    }

    #[test]
    fn a_long_line_is_cut_and_control_characters_are_replaced() {
        let mut lines = Lines::new(LogLevel::Info, None);
        let long = core::str::from_utf8(&[b'x'; 500]).unwrap();
        lines.add(LogLevel::Info, format_args!("{long}"));
        assert_eq!(lines.next().unwrap().text.len(), LINE_MAX);
        lines.add(LogLevel::Info, format_args!("a\x1b[2J\nb"));
        assert_eq!(lines.next().unwrap().text, "a\u{fffd}[2J\u{fffd}b");
    }

    #[test]
    fn the_oldest_line_gives_way() {
        let mut lines = Lines::new(LogLevel::Info, None);
        for n in 0..LINES + 2 {
            lines.add(LogLevel::Info, format_args!("{n}"));
        }
        assert_eq!(lines.next().unwrap().text, "2");
    }

    #[test]
    fn the_board_and_the_broker_get_each_line_once_in_order_as_far_as_they_want_them() {
        let mut lines = Lines::new(LogLevel::Warn, Some(LogLevel::Info));
        for (level, text) in [
            (LogLevel::Info, "a"),
            (LogLevel::Warn, "b"),
            (LogLevel::Debug, "c"),
            (LogLevel::Error, "d"),
        ] {
            lines.add(level, format_args!("{text}"));
        }
        assert_eq!(lines.next().unwrap().text, "b");
        for text in ["a", "b", "d"] {
            assert_eq!(lines.next_for_broker().unwrap().text, text);
            lines.told_broker();
        }
        assert_eq!(lines.next_for_broker(), None);
        assert_eq!(lines.next().unwrap().text, "d");
        assert_eq!(lines.next(), None);
        assert!(lines.lines.is_empty());
    }

    #[test]
    fn a_line_of_syslog_is_one_of_rfc_5424() {
        extern crate std;
        use std::string::ToString;

        let id = DeviceId::parse("a1b2").unwrap();
        let log = |level| Log {
            level,
            text: String::try_from("hello é").unwrap(),
        };
        for (level, priority) in [
            (LogLevel::Error, 11),
            (LogLevel::Warn, 12),
            (LogLevel::Info, 14),
            (LogLevel::Debug, 15),
        ] {
            let line = log(level).syslog(&id).to_string();
            let expected = std::format!("<{priority}>1 - Monster-a1b2 monster - - - hello é");
            assert_eq!(line, expected);
        }
        let id = DeviceId::parse("abcdefghijklmnopqrstuvw").unwrap();
        let longest = Log::new(LogLevel::Debug, format_args!("{:500}", ""));
        assert_eq!(longest.syslog(&id).to_string().len(), SYSLOG_MAX);
    }
}
