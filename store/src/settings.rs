//! Settings as bytes: for each the length of its key (1 byte), the key, the length of its text
//! (2 bytes, little-endian), the text. Any text can be stored so, a password with any character
//! in it too. The first is `version`, which tells what the others mean.

use core::fmt;

use monster::settings::value::SchemaVersion;
use monster::settings::{SettingError, Settings};

use crate::SETTINGS_MAX;
use crate::error::{SettingsError, StoreError};

/// The key of the version of the settings.
const VERSION: &str = "version";
/// The version that is written.
const CURRENT: &str = "1";
const _: () = assert!(SchemaVersion::CURRENT == 1, "it is what CURRENT says");

/// Some settings, each with its key and the text that sets it: those that were set by hand, not the
/// defaults of all others.
#[derive(Clone, Copy, Default)]
pub struct Pairs<'a>(&'a [u8]);

/// The keys only: there may be secrets among the texts.
impl fmt::Debug for Pairs<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.iter().map(|(key, _)| key))
            .finish()
    }
}

impl<'a> Pairs<'a> {
    /// Each key and its text, without `version`. One that is there twice counts as it stands last.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        let mut rest = self.0;
        core::iter::from_fn(move || {
            let (key, text, after) = entry(rest)?;
            rest = after;
            Some((key, text))
        })
        .filter(|(key, _)| *key != VERSION)
    }

    /// These settings, and the defaults of all others; valid as a whole.
    ///
    /// # Errors
    /// Names the setting that is not allowed, or those that are not allowed together.
    pub fn settings(&self) -> Result<Settings, SettingError> {
        let mut settings = Settings::default();
        for (key, text) in self.iter() {
            settings.set(key, text)?;
        }
        settings.validate()?;
        Ok(settings)
    }

    /// What [`Written`] wrote.
    ///
    /// # Errors
    /// [`SettingsError`] if it did not, or if a newer Monster did.
    pub(crate) fn parse<E>(bytes: &'a [u8]) -> Result<Self, SettingsError<E>> {
        let mut settings = Settings::default();
        let mut rest = bytes;
        while !rest.is_empty() {
            let (key, text, after) =
                entry(rest).ok_or(SettingsError::Store(StoreError::Damaged))?;
            if key == VERSION {
                settings.set(key, text)?;
            }
            rest = after;
        }
        Ok(Pairs(bytes))
    }
}

/// The first entry, and what comes after it.
fn entry(bytes: &[u8]) -> Option<(&str, &str, &[u8])> {
    let (&length, bytes) = bytes.split_first()?;
    let (key, bytes) = bytes.split_at_checked(length.into())?;
    let (&length, bytes) = bytes.split_first_chunk()?;
    let (text, bytes) = bytes.split_at_checked(u16::from_le_bytes(length).into())?;
    Some((
        core::str::from_utf8(key).ok()?,
        core::str::from_utf8(text).ok()?,
        bytes,
    ))
}

/// Settings as they are written.
pub(crate) struct Written<'p> {
    bytes: &'p mut [u8; SETTINGS_MAX],
    length: usize,
}

impl<'p> Written<'p> {
    /// None but the version.
    pub fn new<E>(bytes: &'p mut [u8; SETTINGS_MAX]) -> Result<Self, SettingsError<E>> {
        let mut written = Written { bytes, length: 0 };
        written.push(VERSION, CURRENT)?;
        Ok(written)
    }

    /// These.
    pub fn of<'a, E>(
        bytes: &'p mut [u8; SETTINGS_MAX],
        pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, SettingsError<E>> {
        let mut written = Written::new(bytes)?;
        for (key, text) in pairs {
            written.add(key, text)?;
        }
        Ok(written)
    }

    /// Adds one; not a `version`, which is there.
    ///
    /// # Errors
    /// [`SettingsError::TooLong`] if it does not fit.
    pub fn add<E>(&mut self, key: &str, text: &str) -> Result<(), SettingsError<E>> {
        if key == VERSION {
            // It must be known here; which one it was does not matter any more.
            return Ok(Settings::default().set(key, text)?);
        }
        self.push(key, text)
    }

    fn push<E>(&mut self, key: &str, text: &str) -> Result<(), SettingsError<E>> {
        let key_length = u8::try_from(key.len()).map_err(|_| SettingsError::TooLong)?;
        let text_length = u16::try_from(text.len()).map_err(|_| SettingsError::TooLong)?;
        for part in [
            &[key_length][..],
            key.as_bytes(),
            &text_length.to_le_bytes(),
            text.as_bytes(),
        ] {
            let end = self.length + part.len();
            self.bytes
                .get_mut(self.length..end)
                .ok_or(SettingsError::TooLong)?
                .copy_from_slice(part);
            self.length = end;
        }
        Ok(())
    }

    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }

    pub fn pairs(&self) -> Pairs<'_> {
        Pairs(self.bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Error = SettingsError<()>;

    fn written(pairs: &[(&str, &str)]) -> Result<Written<'static>, Error> {
        Written::of(place(), pairs.iter().copied())
    }

    fn place() -> &'static mut [u8; SETTINGS_MAX] {
        Box::leak(Box::new([0; SETTINGS_MAX]))
    }

    fn read(bytes: &[u8]) -> Result<Settings, Error> {
        Ok(Pairs::parse::<()>(bytes)?.settings()?)
    }

    #[test]
    fn what_is_written_is_read_with_any_character_in_a_password() {
        let password = "a=b\n\"c\"\0ä";
        let pairs = [("broker.user", "me"), ("broker.password", password)];
        let written = written(&pairs).unwrap();
        let settings = read(written.bytes()).unwrap();
        assert_eq!(settings.broker.user.as_str(), "me");
        assert_eq!(settings.broker.password.expose(), password);
        assert_eq!(written.pairs().iter().collect::<Vec<_>>(), pairs);
        let shown = format!("{:?}", written.pairs());
        assert_eq!(shown, r#"["broker.user", "broker.password"]"#, "no secret");
    }

    #[test]
    fn settings_that_do_not_fit_are_refused() {
        let head = Written::new::<()>(place()).unwrap().length;
        // An entry has three bytes of its own.
        let room = SETTINGS_MAX - head - "id".len() - 3;
        let fits = written(&[("id", &"x".repeat(room))]).unwrap();
        assert_eq!(fits.length, SETTINGS_MAX);
        for (key, text) in [
            ("id", "x".repeat(room + 1)),
            ("id", "x".repeat(1 << 16)),
            (&"x".repeat(1 << 8), String::new()),
        ] {
            assert_eq!(written(&[(key, &text)]).err(), Some(Error::TooLong));
        }
    }

    #[test]
    fn bytes_cut_anywhere_inside_an_entry_are_damaged() {
        let all = written(&[("id", "abc"), ("log.level", "debug")]).unwrap();
        let ends = [
            0,
            written(&[]).unwrap().length,
            written(&[("id", "abc")]).unwrap().length,
        ];
        for cut in (0..all.length).filter(|cut| !ends.contains(cut)) {
            assert_eq!(
                read(&all.bytes()[..cut]),
                Err(Error::Store(StoreError::Damaged)),
                "{cut}"
            );
        }
    }

    #[test]
    fn a_setting_that_is_not_allowed_is_named() {
        for (key, text) in [("mqtt.keepalive", "60"), ("mqtt.keep_alive", "-1")] {
            let error = read(written(&[(key, text)]).unwrap().bytes()).unwrap_err();
            assert!(error.to_string().contains(key), "{error}");
        }
    }

    #[test]
    fn settings_of_a_newer_monster_are_refused_before_their_keys_are_looked_at() {
        let mut newer = Written {
            bytes: place(),
            length: 0,
        };
        newer.push::<()>("switch.colour", "red").unwrap();
        newer.push::<()>(VERSION, "2").unwrap();
        let error = read(newer.bytes()).unwrap_err().to_string();
        assert!(error.contains("a newer Monster"), "{error}");
        assert!(written(&[(VERSION, "2")]).is_err());
        assert!(written(&[(VERSION, CURRENT)]).is_ok());
    }
}
