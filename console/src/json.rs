//! JSON as it is written.

use core::fmt::{self, Write};

/// A text as a JSON string, with its quotes.
#[derive(Clone, Copy)]
pub(crate) struct Text<'a>(pub &'a str);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        write!(Escaped(f), "{}", self.0)?;
        f.write_char('"')
    }
}

/// What something displays, as a JSON string, with its quotes.
pub(crate) struct Quoted<T>(pub T);

impl<T: fmt::Display> fmt::Display for Quoted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        write!(Escaped(f), "{}", self.0)?;
        f.write_char('"')
    }
}

/// Writes what a JSON string may hold.
struct Escaped<'a, 'b>(&'a mut fmt::Formatter<'b>);

impl Write for Escaped<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let is_special = |c: char| matches!(c, '"' | '\\') || c.is_control();
        for piece in text.split_inclusive(is_special) {
            let Some(last) = piece.chars().next_back().filter(|last| is_special(*last)) else {
                self.0.write_str(piece)?;
                continue;
            };
            self.0.write_str(piece.strip_suffix(last).unwrap_or_default())?;
            match last {
                '"' | '\\' => write!(self.0, "\\{last}")?,
                '\n' => self.0.write_str("\\n")?,
                _ => write!(self.0, "\\u{:04x}", u32::from(last))?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::format;

    use super::*;

    #[test]
    fn a_text_is_what_json_reads_back() {
        for text in ["", "plain", "a\"b\\c", "灯\n\u{1b}[2J", "\u{7f}\u{9f}\"", "\\"] {
            let json = format!("{}", Text(text));
            let back: std::string::String = serde_json::from_str(&json).unwrap();
            assert_eq!(back, text);
            assert!(!json.contains(char::is_control), "{json}");
        }
    }
}
