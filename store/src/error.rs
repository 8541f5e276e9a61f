//! What can go wrong with what is kept.

use core::fmt;

use monster::settings::SettingError;
use sequential_storage::Error;

/// Why something could not be read or kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreError<E> {
    /// The flash said no, and why.
    Flash(E),
    /// A newer Monster wrote it.
    Newer {
        /// The version of its schema.
        version: u8,
    },
    /// It could not be read when the device started: it is left as it is, and nothing is stored.
    Unreadable,
    /// It is not 2 to [`BLOCKS_MAX`](crate::BLOCKS_MAX) whole erase blocks of the flash.
    Region,
    /// There is no room left.
    Full,
    /// It is longer than what can be kept, or than the room for it.
    TooLong,
    /// What is in the flash makes no sense, and could not be repaired.
    Damaged,
}

impl<E> From<Error<E>> for StoreError<E> {
    fn from(error: Error<E>) -> Self {
        match error {
            Error::Storage { value, .. } => StoreError::Flash(value),
            Error::FullStorage | Error::ItemTooBig => StoreError::Full,
            _ => StoreError::Damaged,
        }
    }
}

impl<E: fmt::Debug> fmt::Display for StoreError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StoreError::Flash(error) => write!(f, "the flash failed: {error:?}"),
            StoreError::Newer { version } => write!(
                f,
                "what is stored is of a newer Monster (version {version}; this one knows {}); it is \
                 left as it is until settings are set anew",
                crate::SCHEMA
            ),
            StoreError::Unreadable => f.write_str(
                "what is stored could not be read when the device started; it is left as it is, and \
                 nothing is stored, until a factory reset",
            ),
            StoreError::Region => write!(
                f,
                "a store takes 2 to {} whole erase blocks of the flash",
                crate::BLOCKS_MAX
            ),
            StoreError::Full => f.write_str("there is no room left in the flash"),
            StoreError::TooLong => f.write_str("it is too long"),
            StoreError::Damaged => f.write_str("what is stored is damaged"),
        }
    }
}

impl<E: fmt::Debug> core::error::Error for StoreError<E> {}

/// Why settings could not be read or kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SettingsError<E> {
    /// One of them is not allowed, or two of them together are not.
    Setting(SettingError),
    /// Together they are longer than [`SETTINGS_MAX`](crate::SETTINGS_MAX), or one is longer than
    /// any can be.
    TooLong,
    /// The store failed.
    Store(StoreError<E>),
}

impl<E> From<StoreError<E>> for SettingsError<E> {
    fn from(error: StoreError<E>) -> Self {
        SettingsError::Store(error)
    }
}

impl<E> From<SettingError> for SettingsError<E> {
    fn from(error: SettingError) -> Self {
        SettingsError::Setting(error)
    }
}

impl<E: fmt::Debug> fmt::Display for SettingsError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SettingsError::Setting(error) => error.fmt(f),
            SettingsError::TooLong => write!(
                f,
                "the settings are longer than {} bytes together",
                crate::SETTINGS_MAX
            ),
            SettingsError::Store(error) => error.fmt(f),
        }
    }
}

impl<E: fmt::Debug> core::error::Error for SettingsError<E> {}
