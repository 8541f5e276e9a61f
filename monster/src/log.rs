//! What the device says of itself: lines, made here so that every board says the same.

use core::fmt::{self, Write};

use heapless::{Deque, String};

use crate::settings::value::LogLevel;

/// The longest line, in bytes; what is longer is cut.
pub const LINE_MAX: usize = 160;
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

/// Lines that wait for the board.
pub(crate) struct Lines {
    level: LogLevel,
    lines: Deque<Log, LINES>,
}

impl Lines {
    pub fn new(level: LogLevel) -> Self {
        Lines {
            level,
            lines: Deque::new(),
        }
    }

    /// Adds a line, if the level is one that is wanted.
    pub fn add(&mut self, level: LogLevel, line: fmt::Arguments<'_>) {
        if level > self.level {
            return;
        }
        let mut text = Line(String::new());
        let _ = text.write_fmt(line);
        if self.lines.is_full() {
            self.lines.pop_front();
        }
        let _ = self.lines.push_back(Log {
            level,
            text: text.0,
        });
    }

    pub fn next(&mut self) -> Option<Log> {
        self.lines.pop_front()
    }
}

/// A line in the making: it takes what fits, and no control characters, which a stranger could use
/// to write into somebody's terminal.
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
        let mut lines = Lines::new(LogLevel::Info);
        lines.add(LogLevel::Debug, format_args!("quiet"));
        lines.add(LogLevel::Warn, format_args!("loud"));
        assert_eq!(lines.next().unwrap().text, "loud");
        assert_eq!(lines.next(), None);
    }

    #[test]
    fn a_long_line_is_cut_and_control_characters_are_replaced() {
        let mut lines = Lines::new(LogLevel::Info);
        let long = core::str::from_utf8(&[b'x'; 500]).unwrap();
        lines.add(LogLevel::Info, format_args!("{long}"));
        assert_eq!(lines.next().unwrap().text.len(), LINE_MAX);
        lines.add(LogLevel::Info, format_args!("a\x1b[2J\nb"));
        assert_eq!(lines.next().unwrap().text, "a\u{fffd}[2J\u{fffd}b");
    }

    #[test]
    fn the_oldest_line_gives_way() {
        let mut lines = Lines::new(LogLevel::Info);
        for n in 0..LINES + 2 {
            lines.add(LogLevel::Info, format_args!("{n}"));
        }
        assert_eq!(lines.next().unwrap().text, "2");
    }
}
