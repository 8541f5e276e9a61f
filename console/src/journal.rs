//! The last lines of the log, for those who come later.

use heapless::{Deque, String};
use monster::log::LINE_MAX;
use monster::settings::value::LogLevel;
use umqtt::Instant;

/// How many lines are kept.
pub(crate) const LINES: usize = 20;

/// A line of the log.
pub(crate) struct Line {
    pub at: Instant,
    pub level: LogLevel,
    pub text: String<LINE_MAX>,
}

/// The last lines, each with a number that goes up.
pub(crate) struct Journal {
    lines: Deque<Line, LINES>,
    /// How many lines there have been.
    count: u64,
}

impl Journal {
    pub const fn new() -> Self {
        Journal {
            lines: Deque::new(),
            count: 0,
        }
    }

    pub fn add(&mut self, line: Line) {
        if self.lines.is_full() {
            self.lines.pop_front();
        }
        let _ = self.lines.push_back(line);
        self.count = self.count.saturating_add(1);
    }

    /// Forgets the lines; the numbers go on.
    pub fn clear(&mut self) {
        self.lines.clear();
    }

    /// The number the next line will have.
    pub fn end(&self) -> u64 {
        self.count
    }

    /// The line with this number, or the oldest after it; `next` is then the number to go on with.
    pub fn after(&self, next: &mut u64) -> Option<&Line> {
        let oldest = self.count.saturating_sub(self.lines.len() as u64);
        let number = oldest.max(*next);
        let place = usize::try_from(number.saturating_sub(oldest)).ok()?;
        let line = self.lines.iter().nth(place)?;
        *next = number.saturating_add(1);
        Some(line)
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::string::ToString;
    use std::vec::Vec;

    use super::*;

    fn add(journal: &mut Journal, numbers: core::ops::Range<usize>) {
        for number in numbers {
            journal.add(Line {
                at: Instant::ZERO,
                level: LogLevel::Info,
                text: String::try_from(number.to_string().as_str()).unwrap(),
            });
        }
    }

    fn read(journal: &Journal, next: &mut u64) -> Vec<usize> {
        std::iter::from_fn(|| journal.after(next))
            .map(|line| line.text.parse().unwrap())
            .collect()
    }

    #[test]
    fn a_reader_gets_every_line_once() {
        let mut journal = Journal::new();
        let mut next = 0;
        assert!(read(&journal, &mut next).is_empty());
        add(&mut journal, 0..3);
        assert_eq!(read(&journal, &mut next), [0, 1, 2]);
        add(&mut journal, 3..5);
        assert_eq!(read(&journal, &mut next), [3, 4]);
        assert!(read(&journal, &mut next).is_empty());
    }

    #[test]
    fn a_reader_goes_on_after_the_lines_were_forgotten() {
        let mut journal = Journal::new();
        let mut next = 0;
        add(&mut journal, 0..3);
        assert_eq!(read(&journal, &mut next), [0, 1, 2]);
        journal.clear();
        assert!(read(&journal, &mut 0).is_empty());
        add(&mut journal, 3..4);
        assert_eq!(read(&journal, &mut next), [3]);
    }

    #[test]
    fn a_reader_that_is_too_slow_goes_on_with_the_oldest_there_is() {
        let mut journal = Journal::new();
        let mut next = 0;
        add(&mut journal, 0..LINES + 10);
        assert_eq!(
            read(&journal, &mut next),
            (10..LINES + 10).collect::<Vec<_>>()
        );
    }
}
