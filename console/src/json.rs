//! JSON as it is written, and the one form of it that is read: an object of texts.

use core::fmt::{self, Write};

use heapless::String;
use serde::de::{DeserializeSeed, Error as _, MapAccess, Visitor};
use serde_json_core::de::Deserializer;

/// The longest key and the longest text that are read, in bytes.
pub(crate) const KEY_MAX: usize = 48;
pub(crate) const TEXT_MAX: usize = 640;

/// What is read is not an object of texts, or more than there is room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotTexts;

/// Reads `{"key":"text",…}`, and hands on each pair until `take` says no.
pub(crate) fn read(json: &[u8], take: &mut dyn FnMut(&str, &str) -> bool) -> Result<(), NotTexts> {
    let mut unescaped = [0; TEXT_MAX];
    let mut reader = Deserializer::new(json, Some(&mut unescaped));
    serde::Deserializer::deserialize_map(&mut reader, Pairs(take)).map_err(|_| NotTexts)?;
    reader.end().map(drop).map_err(|_| NotTexts)
}

/// The text of this name in an object of texts, if it is there and fits.
pub(crate) fn member<const N: usize>(json: &[u8], name: &str) -> Option<String<N>> {
    let mut found = None;
    let mut take = |key: &str, text: &str| {
        if key == name {
            found = String::try_from(text).ok();
        }
        true
    };
    read(json, &mut take).ok()?;
    found
}

struct Pairs<'a>(&'a mut dyn FnMut(&str, &str) -> bool);

impl<'de> Visitor<'de> for Pairs<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of texts")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key_seed(Copied::<KEY_MAX>)? {
            let text = map.next_value_seed(Copied::<TEXT_MAX>)?;
            if !(self.0)(&key, &text) {
                return Err(A::Error::custom("no more"));
            }
        }
        Ok(())
    }
}

/// Reads a text of at most `N` bytes.
struct Copied<const N: usize>;

impl<'de, const N: usize> DeserializeSeed<'de> for Copied<N> {
    type Value = String<N>;

    fn deserialize<D: serde::Deserializer<'de>>(self, reader: D) -> Result<String<N>, D::Error> {
        reader.deserialize_str(self)
    }
}

impl<const N: usize> Visitor<'_> for Copied<N> {
    type Value = String<N>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<String<N>, E> {
        String::try_from(text).map_err(|_| E::custom("too long"))
    }
}

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
            self.0
                .write_str(piece.strip_suffix(last).unwrap_or_default())?;
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
        for text in [
            "",
            "plain",
            "a\"b\\c",
            "灯\n\u{1b}[2J",
            "\u{7f}\u{9f}\"",
            "\\",
        ] {
            let json = format!("{}", Text(text));
            let back: std::string::String = serde_json::from_str(&json).unwrap();
            assert_eq!(back, text);
            assert!(!json.contains(char::is_control), "{json}");
        }
    }
}
