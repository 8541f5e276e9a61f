//! Figures written down in the repository: one that got worse fails.

use std::fs;
use std::path::PathBuf;

use crate::command::{Failed, root};

/// What a figure may be larger than its record, in percent: compilers and machines differ a little.
const MARGIN: f64 = 2.0;

/// What it may be smaller, in percent, before it has to be written down anew.
const GAIN: f64 = 5.0;

/// And what it may be larger in any case, which is for figures near zero.
const SLACK: f64 = 0.01;

/// A file of lines `key,figure,figure`; a key may have commas of its own.
pub struct Record {
    path: PathBuf,
    header: String,
    lines: Vec<(String, [f64; 2])>,
}

/// How a measured figure stands to its record.
pub enum Verdict {
    /// It was never written down.
    Unknown,
    Within,
    /// So much smaller that it is to be written down: what is said of it is no longer true.
    Better,
    /// Which of the figures, the first or the second; what it was, and what it is.
    Worse(usize, f64, f64),
}

impl Record {
    /// Reads the file of this path in the repository; there need not be one.
    pub fn read(path: &str) -> Self {
        let path = root().join(path);
        let text = fs::read_to_string(&path).unwrap_or_default();
        let mut lines = text.lines();
        let header = lines.next().unwrap_or_default().to_owned();
        let lines = lines.filter_map(parse).collect();
        Record {
            path,
            header,
            lines,
        }
    }

    /// What was written down under `key`.
    pub fn find(&self, key: &str) -> Option<[f64; 2]> {
        let (_, figures) = self.lines.iter().find(|(name, _)| name == key)?;
        Some(*figures)
    }

    /// Compares what was measured under `key`.
    pub fn judge(&self, key: &str, figures: [f64; 2]) -> Verdict {
        let Some(known) = self.find(key) else {
            return Verdict::Unknown;
        };
        let limit = |known: f64| known * (1.0 + MARGIN / 100.0) + SLACK;
        let worse = known
            .iter()
            .zip(figures)
            .enumerate()
            .find(|&(_, (&known, figure))| figure > limit(known));
        match worse {
            Some((which, (&known, figure))) => Verdict::Worse(which, known, figure),
            None if known
                .iter()
                .zip(figures)
                .any(|(&known, figure)| figure < known * (1.0 - GAIN / 100.0) - SLACK) =>
            {
                Verdict::Better
            }
            None => Verdict::Within,
        }
    }

    /// Notes what was measured under `key`, in place of what was known.
    pub fn note(&mut self, key: &str, figures: [f64; 2]) {
        match self.lines.iter_mut().find(|(name, _)| name == key) {
            Some((_, known)) => *known = figures,
            None => self.lines.push((key.to_owned(), figures)),
        }
    }

    /// Writes the file, with `header` as its first line if it is new.
    pub fn write(mut self, header: &str) -> Result<(), Failed> {
        if self.header.is_empty() {
            self.header = header.to_owned();
        }
        self.lines.sort_by(|(a, _), (b, _)| a.cmp(b));
        let mut text = self.header;
        for (key, [a, b]) in self.lines {
            text.push_str(&format!("\n{key},{a},{b}"));
        }
        text.push('\n');
        fs::write(&self.path, text)
            .map_err(|error| Failed::Start(format!("write {}", self.path.display()), error))
    }
}

fn parse(line: &str) -> Option<(String, [f64; 2])> {
    let (rest, second) = line.rsplit_once(',')?;
    let (key, first) = rest.rsplit_once(',')?;
    Some((key.to_owned(), [first.parse().ok()?, second.parse().ok()?]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Record {
        Record {
            path: PathBuf::new(),
            header: String::new(),
            lines: ["a,b,100,50", "no figures,x,y"]
                .into_iter()
                .filter_map(parse)
                .collect(),
        }
    }

    #[test]
    fn a_figure_may_be_two_percent_larger_than_its_record() {
        assert!(matches!(
            record().judge("a,b", [102.0, 50.0]),
            Verdict::Within
        ));
        assert!(matches!(
            record().judge("a,b", [103.0, 50.0]),
            Verdict::Worse(0, 100.0, 103.0)
        ));
        // That the one got better is no excuse for the other.
        assert!(matches!(
            record().judge("a,b", [10.0, 51.5]),
            Verdict::Worse(1, 50.0, 51.5)
        ));
        assert!(matches!(record().judge("c", [0.0, 0.0]), Verdict::Unknown));
    }

    #[test]
    fn a_figure_that_is_five_percent_smaller_is_to_be_written_down() {
        assert!(matches!(
            record().judge("a,b", [95.5, 50.0]),
            Verdict::Within
        ));
        for better in [[94.0, 50.0], [100.0, 47.0]] {
            assert!(matches!(record().judge("a,b", better), Verdict::Better));
        }
    }

    #[test]
    fn a_noted_figure_replaces_the_one_before() {
        let mut record = record();
        record.note("a,b", [7.0, 7.0]);
        assert!(matches!(
            record.judge("a,b", [8.0, 7.0]),
            Verdict::Worse(0, 7.0, 8.0)
        ));
        assert_eq!(record.lines.len(), 1);
    }
}
