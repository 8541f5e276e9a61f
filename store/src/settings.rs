//! Settings as bytes: for each the length of its key (1 byte), the key, the length of its text
//! (2 bytes, little-endian), the text. Any text can be stored so, a password with any character
//! in it too.

use monster::settings::Settings;

use crate::error::{SettingsError, StoreError};

/// Writes settings into `bytes`; returns how many bytes they take.
///
/// # Errors
/// [`SettingsError::TooLong`] if they do not fit.
pub fn write<'a, E>(
    settings: impl IntoIterator<Item = (&'a str, &'a str)>,
    bytes: &mut [u8],
) -> Result<usize, SettingsError<E>> {
    let room = bytes.len();
    let mut rest = bytes;
    for (key, text) in settings {
        let key_length = u8::try_from(key.len()).map_err(|_| SettingsError::TooLong)?;
        let text_length = u16::try_from(text.len()).map_err(|_| SettingsError::TooLong)?;
        for part in [
            &[key_length][..],
            key.as_bytes(),
            &text_length.to_le_bytes(),
            text.as_bytes(),
        ] {
            let (place, after) = rest
                .split_at_mut_checked(part.len())
                .ok_or(SettingsError::TooLong)?;
            place.copy_from_slice(part);
            rest = after;
        }
    }
    Ok(room - rest.len())
}

/// The settings written into `bytes`, and the defaults of all others; valid as a whole.
///
/// # Errors
/// [`SettingsError`] if the bytes are not what [`write()`] writes, or a setting is not allowed.
pub fn read<E>(bytes: &[u8]) -> Result<Settings, SettingsError<E>> {
    let mut settings = Settings::default();
    let mut rest = bytes;
    while !rest.is_empty() {
        let (key, text, after) = entry(rest).ok_or(SettingsError::Store(StoreError::Damaged))?;
        settings.set(key, text)?;
        rest = after;
    }
    settings.validate()?;
    Ok(settings)
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

#[cfg(test)]
mod tests {
    use super::*;

    type Error = SettingsError<()>;

    #[test]
    fn what_is_written_is_read_with_any_character_in_a_password() {
        let mut bytes = [0; 200];
        let password = "a=b\n\"c\"\0ä";
        let pairs = [("broker.user", "me"), ("broker.password", password)];
        let length = write::<()>(pairs, &mut bytes).unwrap();
        let settings = read::<()>(&bytes[..length]).unwrap();
        assert_eq!(settings.broker.user.as_str(), "me");
        assert_eq!(settings.broker.password.expose(), password);
    }

    #[test]
    fn settings_that_do_not_fit_are_refused() {
        let pairs = [("id", "abc")];
        for room in 0..8 {
            let written = write::<()>(pairs, &mut vec![0; room]);
            assert_eq!(written, Err(Error::TooLong));
        }
        assert_eq!(write::<()>(pairs, &mut [0; 8]), Ok(8));
        let long = "x".repeat(1 << 16);
        let mut bytes = vec![0; 1 << 20];
        assert_eq!(
            write::<()>([("id", &*long)], &mut bytes),
            Err(Error::TooLong)
        );
        assert_eq!(
            write::<()>([(&*long, "x")], &mut bytes),
            Err(Error::TooLong)
        );
    }

    #[test]
    fn bytes_cut_anywhere_inside_an_entry_are_damaged() {
        let mut bytes = [0; 100];
        let pairs = [("id", "abc"), ("log.level", "debug")];
        let length = write::<()>(pairs, &mut bytes).unwrap();
        let first = write::<()>([("id", "abc")], &mut [0; 100]).unwrap();
        for cut in (1..length).filter(|cut| *cut != first) {
            assert_eq!(
                read::<()>(&bytes[..cut]),
                Err(Error::Store(StoreError::Damaged)),
                "{cut}"
            );
        }
    }

    #[test]
    fn a_setting_that_is_not_allowed_is_named() {
        let mut bytes = [0; 100];
        for (key, text) in [("mqtt.keepalive", "60"), ("mqtt.keep_alive", "-1")] {
            let length = write::<()>([(key, text)], &mut bytes).unwrap();
            let error = read::<()>(&bytes[..length]).unwrap_err();
            assert!(error.to_string().contains(key), "{error}");
        }
    }
}
