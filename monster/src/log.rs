//! What the device says of itself: lines, made here so that every board says the same.

use core::fmt::{self, Write};

use heapless::{String, Vec};

use crate::identity::{DeviceId, ID_MAX};
use crate::settings::value::LogLevel;

/// The longest line, in bytes; what is longer is cut.
pub const LINE_MAX: usize = 160;
/// The longest line of syslog, in bytes: what comes before the text, with the longest id.
pub const SYSLOG_MAX: usize = LINE_MAX + "<15>1 - Monster- monster - - - ".len() + ID_MAX;
/// How many bytes of lines wait, before the oldest line is dropped: eight lines, as they come.
const WAITING_MAX: usize = 640;
/// The bytes in front of each: who is to have it and how important it is, and its length.
const HEAD: usize = 2;

/// One line of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// How important it is; never less than the setting `log.level` asks for.
    pub level: LogLevel,
    /// The line, without an end of line. It holds no secret, and no control characters.
    pub text: String<LINE_MAX, u8>,
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
    /// One behind the other, the oldest first, each behind its head.
    lines: Vec<u8, WAITING_MAX, u16>,
}

/// The first byte of a head: a bit for the board, one for the broker, and the level.
#[derive(Clone, Copy)]
struct Mark(u8);

impl Mark {
    const BOARD: u8 = 1;
    const BROKER: u8 = 2;

    fn new(for_board: bool, for_broker: bool, level: LogLevel) -> Self {
        let board = if for_board { Self::BOARD } else { 0 };
        let broker = if for_broker { Self::BROKER } else { 0 };
        Mark(board | broker | ((level as u8) << 2))
    }

    fn is_for(self, whom: u8) -> bool {
        self.0 & whom > 0
    }

    fn level(self) -> LogLevel {
        const ALL: [LogLevel; 4] = [
            LogLevel::Error,
            LogLevel::Warn,
            LogLevel::Info,
            LogLevel::Debug,
        ];
        ALL.get(usize::from(self.0 >> 2))
            .copied()
            .unwrap_or(LogLevel::Debug)
    }
}

impl Lines {
    /// Lines of these levels for the board, and for the broker.
    pub fn new(level: LogLevel, broker: Option<LogLevel>) -> Self {
        Lines {
            level,
            broker,
            lines: Vec::new(),
        }
    }

    /// Adds a line, if the level is one that is wanted.
    #[inline]
    pub fn add(&mut self, level: LogLevel, line: fmt::Arguments<'_>) {
        let for_board = level <= self.level;
        let for_broker = self.broker.is_some_and(|wanted| level <= wanted);
        if for_board || for_broker {
            self.keep(Mark::new(for_board, for_broker, level), line);
        }
    }

    #[inline(never)]
    fn keep(&mut self, mark: Mark, line: fmt::Arguments<'_>) {
        let line = Log::new(mark.level(), line);
        let text = line.text.as_bytes();
        while HEAD + text.len() > self.lines.capacity() - self.lines.len() && self.drop_first() {}
        // A line is shorter than 256 bytes.
        let _ = self.lines.extend_from_slice(&[mark.0, text.len() as u8]);
        let _ = self.lines.extend_from_slice(text);
    }

    /// The next line for the board.
    #[inline]
    pub fn next(&mut self) -> Option<Log> {
        if self.lines.is_empty() {
            return None;
        }
        self.take(Mark::BOARD)
    }

    /// The next line for the broker.
    pub fn next_for_broker(&self) -> Option<Log> {
        self.broker?;
        self.first_for(Mark::BROKER).map(|(_, line)| line)
    }

    /// The broker has it.
    pub fn told_broker(&mut self) {
        self.take(Mark::BROKER);
    }

    fn take(&mut self, whom: u8) -> Option<Log> {
        let (at, line) = self.first_for(whom)?;
        if let Some(mark) = self.lines.get_mut(at) {
            *mark &= !whom;
        }
        while let Some(mark) = self.lines.first()
            && !Mark(*mark).is_for(Mark::BOARD | Mark::BROKER)
        {
            self.drop_first();
        }
        Some(line)
    }

    /// The first line for these, and where its head stands.
    fn first_for(&self, whom: u8) -> Option<(usize, Log)> {
        let mut at = 0;
        loop {
            let rest = self.lines.get(at..)?;
            let (&[mark, length], rest) = rest.split_first_chunk::<HEAD>()?;
            let mark = Mark(mark);
            if mark.is_for(whom) {
                let text = core::str::from_utf8(rest.get(..length.into())?).ok()?;
                let line = Log {
                    level: mark.level(),
                    text: String::try_from(text).ok()?,
                };
                return Some((at, line));
            }
            at += HEAD + usize::from(length);
        }
    }

    /// Drops the oldest line; `false` if there is none.
    fn drop_first(&mut self) -> bool {
        let Some([_, length]) = self.lines.first_chunk::<HEAD>().copied() else {
            return false;
        };
        let end = (HEAD + usize::from(length)).min(self.lines.len());
        self.lines.drain(..end);
        true
    }
}

/// A line in the making: it takes what fits, and no control characters.
struct Line(String<LINE_MAX, u8>);

impl Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        // As a rule there is nothing to replace, and it fits.
        let is_plain = |byte: u8| (b' '..=b'~').contains(&byte);
        if text.bytes().all(is_plain) && self.0.push_str(text).is_ok() {
            return Ok(());
        }
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
        extern crate std;
        let mut lines = Lines::new(LogLevel::Info, None);
        for n in 0..10 {
            lines.add(LogLevel::Info, format_args!("{n:078}"));
        }
        // Each takes 80 bytes.
        for n in 2..10 {
            let line = lines.next().unwrap();
            assert_eq!(line.text, *std::format!("{n:078}"));
        }
        assert_eq!(lines.next(), None);
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
