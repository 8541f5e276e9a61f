//! What somebody wants other settings to be: keys and texts, as they came, until the whole of it is
//! found right or refused.

use core::fmt::{self, Write};

use heapless::{String, Vec};
use monster::settings::{SettingError, Settings, TABLE};

use crate::json::{self, KEY_MAX, TEXT_MAX};

/// The most that can be changed at once: keys, texts and three bytes for each, in bytes.
pub const CHANGES_MAX: usize = 2048;
/// The longest explanation, in bytes.
const ERROR_MAX: usize = 400;

/// Settings that are to be others: for each its key and its new text.
#[derive(Default)]
pub struct Changes {
    /// For each: the lengths of the key (one byte) and the text (two), the key, the text.
    bytes: Vec<u8, CHANGES_MAX>,
}

impl Changes {
    pub(crate) const fn new() -> Self {
        Changes { bytes: Vec::new() }
    }

    /// The keys and the texts, in the order in which they came.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> + Clone {
        let mut rest = self.bytes.as_slice();
        core::iter::from_fn(move || {
            let ([key, low, high], after) = rest.split_first_chunk()?;
            let (key, after) = after.split_at_checked(usize::from(*key))?;
            let text = u16::from_le_bytes([*low, *high]);
            let (text, after) = after.split_at_checked(usize::from(text))?;
            rest = after;
            Some((str::from_utf8(key).ok()?, str::from_utf8(text).ok()?))
        })
    }

    pub(crate) fn clear(&mut self) {
        // What was there may have been a secret.
        self.bytes.fill(0);
        self.bytes.clear();
    }

    pub(crate) fn add(&mut self, key: &str, text: &str) -> Result<(), Refusal> {
        let full = || {
            Refusal::new(
                Some(key),
                format_args!(
                    "{key}: too much to change at once; allowed: {CHANGES_MAX} bytes in all"
                ),
            )
        };
        let key_length = u8::try_from(key.len()).map_err(|_| full())?;
        let [low, high] = u16::try_from(text.len()).map_err(|_| full())?.to_le_bytes();
        if self.bytes.capacity() - self.bytes.len() < 3 + key.len() + text.len() {
            return Err(full());
        }
        for part in [
            &[key_length, low, high][..],
            key.as_bytes(),
            text.as_bytes(),
        ] {
            self.bytes.extend_from_slice(part).map_err(|_| full())?;
        }
        Ok(())
    }

    /// Takes `{"key":"text",…}`.
    pub(crate) fn add_json(&mut self, json: &[u8]) -> Result<(), Refusal> {
        let mut refusal = None;
        let read = json::read(json, &mut |key, text| match self.add(key, text) {
            Ok(()) => true,
            Err(full) => {
                refusal = Some(full);
                false
            }
        });
        match (read, refusal) {
            (Ok(()), _) => Ok(()),
            (Err(_), Some(refusal)) => Err(refusal),
            (Err(_), None) => Err(Refusal::new(
                None,
                format_args!(
                    "this is not a JSON object of settings; allowed: an object whose values are all \
                     texts, as {{\"mqtt.keep_alive\":\"30\"}}, each up to {TEXT_MAX} bytes"
                ),
            )),
        }
    }

    /// Makes these changes, in a copy of the settings: it is of no use if they are not all allowed
    /// together.
    pub(crate) fn apply(&self, settings: &mut Settings) -> Result<(), Refusal> {
        // Settings of a newer Monster may have keys that are unknown here; its error says so.
        for is_version in [true, false] {
            let due = |(key, _): &(&str, &str)| (*key == "version") == is_version;
            for (key, text) in self.iter().filter(due) {
                settings
                    .set(key, text)
                    .map_err(|error| Refusal::of(Some(key), &error))?;
            }
        }
        settings
            .validate()
            .map_err(|error| Refusal::of(None, &error))
    }

    /// Leaves out what is so already: a text that is the one shown. So a broker's address that is
    /// given back as it was shown, without its password, does not lose the password.
    pub(crate) fn retain_new(&mut self, settings: &Settings) {
        let mut kept = Changes::new();
        for (key, text) in self.iter() {
            let is_shown = TABLE
                .iter()
                .find(|setting| setting.key() == key)
                .is_some_and(|setting| {
                    !is_secret(setting) && displays(setting.show(settings), text)
                });
            if !is_shown {
                // It fitted before.
                let _ = kept.add(key, text);
            }
        }
        self.clear();
        let _ = self.bytes.extend_from_slice(&kept.bytes);
        kept.clear();
    }
}

/// Whether a setting's text is shown to nobody.
pub(crate) fn is_secret(setting: &monster::settings::Setting) -> bool {
    setting.kind() == monster::settings::value::Kind::Secret
}

/// Whether this is what `value` displays.
pub(crate) fn displays(value: impl fmt::Display, text: &str) -> bool {
    struct Expected<'a>(&'a str);
    impl Write for Expected<'_> {
        fn write_str(&mut self, piece: &str) -> fmt::Result {
            self.0 = self.0.strip_prefix(piece).ok_or(fmt::Error)?;
            Ok(())
        }
    }
    let mut rest = Expected(text);
    write!(rest, "{value}").is_ok() && rest.0.is_empty()
}

/// Why settings stay as they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// The setting it is about, if it is about one.
    pub key: Option<String<KEY_MAX>>,
    /// What is wrong and what to do; it holds no secret.
    pub error: String<ERROR_MAX>,
}

impl Refusal {
    pub fn new(key: Option<&str>, error: fmt::Arguments<'_>) -> Self {
        let mut text = Cut(String::new());
        let _ = text.write_fmt(error);
        Refusal {
            key: key.and_then(|key| String::try_from(key).ok()),
            error: text.0,
        }
    }

    fn of(key: Option<&str>, error: &SettingError) -> Self {
        Refusal::new(key, format_args!("{error}"))
    }
}

/// Takes as much of a text as fits.
struct Cut<const N: usize>(String<N>);

impl<const N: usize> Write for Cut<N> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.chars()
            .try_for_each(|character| self.0.push(character).map_err(|_| fmt::Error))
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::string::ToString;
    use std::vec::Vec;

    use super::*;

    fn read(json: &str) -> Result<Vec<(std::string::String, std::string::String)>, Refusal> {
        let mut changes = Changes::new();
        changes.add_json(json.as_bytes())?;
        Ok(changes
            .iter()
            .map(|(key, text)| (key.to_string(), text.to_string()))
            .collect())
    }

    fn pair(key: &str, text: &str) -> (std::string::String, std::string::String) {
        (key.to_string(), text.to_string())
    }

    #[test]
    fn an_object_of_texts_is_read_with_its_escapes() {
        assert_eq!(read("{}").unwrap(), []);
        assert_eq!(
            read(r#" { "id" : "a1", "classic.on":"\u706f \"on\"\\\n" } "#).unwrap(),
            [pair("id", "a1"), pair("classic.on", "灯 \"on\"\\\n")]
        );
    }

    #[test]
    fn what_is_no_object_of_texts_is_refused() {
        for json in [
            "",
            "[]",
            "{",
            "null",
            r#""id""#,
            r#"{"id":1}"#,
            r#"{"id":null}"#,
            r#"{"id":{"a":"b"}}"#,
            r#"{"id":"a"} x"#,
            r#"{"id":"a""#,
            r#"{"id":"\x"}"#,
            r#"{1:"a"}"#,
        ] {
            let refusal = read(json).unwrap_err();
            assert!(refusal.error.contains("JSON object"), "{json}: {refusal:?}");
        }
        let long = std::format!(r#"{{"id":"{}"}}"#, "x".repeat(TEXT_MAX + 1));
        assert!(read(&long).is_err());
    }

    #[test]
    fn too_much_at_once_is_refused() {
        let mut changes = Changes::new();
        let text = "x".repeat(600);
        for _ in 0..3 {
            changes.add("classic.on", &text).unwrap();
        }
        let refusal = changes.add("classic.on", &text).unwrap_err();
        assert!(refusal.error.contains("too much"), "{refusal:?}");
        assert_eq!(changes.iter().count(), 3);
    }

    #[test]
    fn all_changes_are_made_or_none() {
        let mut changes = Changes::new();
        changes.add("broker.password", "p").unwrap();
        let refusal = changes.apply(&mut Settings::default()).unwrap_err();
        assert!(refusal.error.contains("broker.user"), "{refusal:?}");
        changes.add("broker.user", "u").unwrap();
        let mut settings = Settings::default();
        changes.apply(&mut settings).unwrap();
        assert_eq!(settings.broker.user.as_str(), "u");
        changes.add("mqtt.keep_alive", "4").unwrap();
        let refusal = changes.apply(&mut Settings::default()).unwrap_err();
        assert_eq!(refusal.key.as_deref(), Some("mqtt.keep_alive"));
        assert!(refusal.error.contains("5 to 65535"), "{refusal:?}");
    }

    #[test]
    fn what_is_so_already_is_no_change() {
        let mut settings = Settings::default();
        settings.set("broker.url", "mqtt://al:secret@h").unwrap();
        settings.set("broker.password", "canary").unwrap();
        let mut changes = Changes::new();
        for (key, text) in [
            ("broker.url", "mqtt://h:1883"),
            ("mqtt.keep_alive", "60"),
            ("broker.password", "(set)"),
            ("classic.on", "an"),
        ] {
            changes.add(key, text).unwrap();
        }
        let shown = std::format!("{}", settings.broker.url.as_ref().unwrap());
        changes.add("broker.url", &shown).unwrap();
        changes.retain_new(&settings);
        let left: Vec<&str> = changes.iter().map(|(key, _)| key).collect();
        assert!(left.contains(&"broker.password") && left.contains(&"classic.on"));
        assert!(!left.contains(&"mqtt.keep_alive"));
        assert!(left.iter().filter(|key| **key == "broker.url").count() <= 1);
    }
}
