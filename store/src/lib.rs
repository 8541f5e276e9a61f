//! What a device keeps over restarts, in the flash of a board or in a file: its settings, the
//! records of its core, and how often it has started.
//!
//! It is a map that is only ever added to, in a ring of erase blocks, so that all of them wear
//! alike. The power may go at any instant: each value is the old or the new one, whole, and so are
//! the settings as a set, which are one value.
//!
//! | key | value |
//! |---|---|
//! | 0 | the [`SCHEMA`] of all the others, one byte |
//! | 1 | the settings that were set: for each its key and its text, with their lengths ([`Pairs`]) |
//! | 2 | how often the device has started, in all and for each reason, as little-endian `u32`s |
//! | 3, 4, 5 | the device's secret, the password of its access point, that of its console ([`Password`]) |
//! | 6 | not empty while a [factory reset](Store::factory_reset) is not done |
//! | 0x100 + *n* | the core's record *n* ([`monster::memory`]) |
//! | 0x200 + 16 *n* | what is longer than a record, by its [`Name`], and its pieces behind it |
//!
//! Not here: what the records mean, and what to do with settings that are refused.

#![cfg_attr(not(any(test, feature = "std")), no_std)]
#![forbid(unsafe_code)]

mod blob;
mod error;
#[cfg(any(test, feature = "std"))]
pub mod file;
#[cfg(test)]
mod mock;
#[cfg(test)]
mod power;
mod reset;
mod schema;
mod secret;
mod settings;
#[cfg(test)]
mod words;

use core::ops::Range;

use embedded_storage_async::nor_flash::NorFlash;
use monster::device::ResetReason;
use monster::memory::{Memory, Record, StoreFault};
use monster::settings::{SettingError, Settings};
use sequential_storage::cache::Cache;
use sequential_storage::cache::key_pointers::ArrayKeyPointers;
use sequential_storage::cache::page_pointers::ArrayPagePointers;
use sequential_storage::cache::page_states::ArrayPageStates;
use sequential_storage::map::{MapConfig, MapStorage};

pub use blob::{BLOB_MAX, Name};
pub use error::{SettingsError, StoreError};
pub use schema::SCHEMA;
pub use secret::{PASSWORD, Password, SECRET, unkept_password};
pub use settings::Pairs;
use settings::Written;

/// How many erase blocks a store uses at most.
pub const BLOCKS_MAX: usize = 8;
/// The longest settings, as `settings` writes them, in bytes: they fit a block of 4 KiB.
pub const SETTINGS_MAX: usize = 3600;

/// Room for the longest value and its key, in whole words of any flash.
const BUFFER: usize = SETTINGS_MAX + 32;
/// How many keys' places are remembered, so that they need not be searched for: all there are.
const KEYS: usize = 48;

type Key = u16;
const KEY_SCHEMA: Key = 0;
const KEY_SETTINGS: Key = 1;
const KEY_STARTS: Key = 2;
// 3 to 5: the secrets.
const KEY_RESET: Key = 6;
const KEY_RECORDS: Key = 0x100;

type Places = Cache<
    ArrayPageStates<BLOCKS_MAX>,
    ArrayPagePointers<BLOCKS_MAX>,
    ArrayKeyPointers<Key, KEYS>,
    Key,
>;

type Map<F> = MapStorage<Key, F, Places>;

/// A part of a flash in which a device keeps what it needs over restarts.
///
/// No call panics, whatever is in the flash. Cancelling one is like the power going in it.
pub struct Store<F: NorFlash> {
    /// There is always one but while it is made anew.
    map: Option<Map<F>>,
    buffer: [u8; BUFFER],
    was_damaged: bool,
    /// Why nothing in it is read or written.
    locked: Option<Lock>,
}

/// Why nothing in a store is read or written.
#[derive(Clone, Copy)]
enum Lock {
    /// A Monster with this schema wrote it.
    Newer(u8),
    /// It could not be read.
    Unreadable,
}

/// How often a device has started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Starts {
    /// In all.
    pub total: u32,
    /// For each [`ResetReason`], in the order they are declared in.
    pub by_reason: [u32; REASONS],
}

/// How many reasons to start there are.
pub const REASONS: usize = 5;

impl<F: NorFlash> Store<F> {
    /// Whether something else was in the flash, or nothing that could be read: it is gone now.
    pub fn was_damaged(&self) -> bool {
        self.was_damaged
    }

    /// What is wrong with it, for the device to tell in its diagnostics.
    pub fn fault(&self) -> Option<StoreFault> {
        match self.locked {
            Some(Lock::Newer(_)) => Some(StoreFault::Newer),
            Some(Lock::Unreadable) => Some(StoreFault::Unreadable),
            None => self.was_damaged.then_some(StoreFault::Lost),
        }
    }

    /// The stored settings; the defaults if none are.
    ///
    /// # Errors
    /// [`SettingsError`] names the setting this Monster does not allow, or says that they are
    /// damaged.
    pub async fn settings(&mut self) -> Result<Settings, SettingsError<F::Error>> {
        Ok(self.pairs().await?.settings()?)
    }

    /// The stored settings as they were set, without the defaults of all others.
    ///
    /// # Errors
    /// [`SettingsError`] if they are damaged, or of a newer Monster.
    pub async fn pairs(&mut self) -> Result<Pairs<'_>, SettingsError<F::Error>> {
        match self.read(KEY_SETTINGS).await? {
            None => Ok(Pairs::default()),
            Some(bytes) => Pairs::parse(bytes),
        }
    }

    /// Keeps these settings, each a key and a text that [`Settings::set`] takes, in place of all
    /// that were kept; the others have their defaults.
    ///
    /// # Errors
    /// [`SettingsError`] names the setting that is not allowed, or says that they are too long, or
    /// what the flash said; the old settings are still there then.
    pub async fn save_settings<'a>(
        &mut self,
        settings: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<(), SettingsError<F::Error>> {
        let mut place = [0; SETTINGS_MAX];
        let written = Written::of(&mut place, settings)?;
        self.keep_settings(&written, whole).await
    }

    /// Changes some of the stored settings, each to this text, or back to what holds where none is
    /// stored. What cannot be read, be it damaged or of a newer Monster, counts as nothing stored.
    /// `check` decides whether all that are stored then are allowed: [`whole`], if nothing else is
    /// said elsewhere.
    ///
    /// # Errors
    /// [`SettingsError`] is what `check` said, or that they are too long, or what the flash said;
    /// the old settings are still there then.
    pub async fn change_settings<'a>(
        &mut self,
        changes: impl IntoIterator<Item = (&'a str, Option<&'a str>)> + Clone,
        check: impl FnOnce(Pairs<'_>) -> Result<(), SettingError>,
    ) -> Result<(), SettingsError<F::Error>> {
        let mut place = [0; SETTINGS_MAX];
        self.change_settings_in(&mut place, changes, check).await
    }

    /// The same, where there is little memory: they are put together in `place`, which is left with
    /// nothing of them in it.
    ///
    /// # Errors
    /// Those of [`change_settings`](Self::change_settings).
    pub async fn change_settings_in<'a>(
        &mut self,
        place: &mut [u8; SETTINGS_MAX],
        changes: impl IntoIterator<Item = (&'a str, Option<&'a str>)> + Clone,
        check: impl FnOnce(Pairs<'_>) -> Result<(), SettingError>,
    ) -> Result<(), SettingsError<F::Error>> {
        let changed = self.change_settings_at(place, changes, check).await;
        place.fill(0);
        changed
    }

    async fn change_settings_at<'a>(
        &mut self,
        place: &mut [u8; SETTINGS_MAX],
        changes: impl IntoIterator<Item = (&'a str, Option<&'a str>)> + Clone,
        check: impl FnOnce(Pairs<'_>) -> Result<(), SettingError>,
    ) -> Result<(), SettingsError<F::Error>> {
        let old = match self.pairs().await {
            Err(SettingsError::Store(StoreError::Flash(error))) => {
                return Err(StoreError::Flash(error).into());
            }
            old => old.unwrap_or_default(),
        };
        let is_changed = |key| {
            changes
                .clone()
                .into_iter()
                .any(|(changed, _)| changed == key)
        };
        let kept = old.iter().filter(|(key, _)| !is_changed(*key));
        let new = changes.clone().into_iter();
        let new = new.filter_map(|(key, text)| Some((key, text?)));
        let mut written = Written::of(place, kept)?;
        for (key, text) in new {
            written.add(key, text)?;
        }
        self.keep_settings(&written, check).await
    }

    async fn keep_settings(
        &mut self,
        settings: &Written<'_>,
        check: impl FnOnce(Pairs<'_>) -> Result<(), SettingError>,
    ) -> Result<(), SettingsError<F::Error>> {
        check(settings.pairs())?;
        if let Some(Lock::Newer(_)) = self.locked {
            self.begin_anew().await?;
        }
        Ok(self.write(KEY_SETTINGS, settings.bytes()).await?)
    }

    /// The records of the core. What is damaged is left out, and `damaged` is told its key.
    ///
    /// # Errors
    /// Those of the flash.
    pub async fn memory(
        &mut self,
        mut damaged: impl FnMut(u8),
    ) -> Result<Memory, StoreError<F::Error>> {
        let map = known(&mut self.map, self.locked)?;
        // A key is there once for every time it was stored, the newest last. So one pass finds
        // where the newest are, and another takes them.
        let mut newest = [None; 1 + u8::MAX as usize];
        let mut items = map.fetch_all_items(&mut self.buffer).await?;
        let mut place = 0u32;
        while let Some((key, _)) = items.next::<&[u8]>(&mut self.buffer).await? {
            if let Some(newest) = record(key).and_then(|key| newest.get_mut(usize::from(key))) {
                *newest = Some(place);
            }
            place = place.saturating_add(1);
        }
        let mut memory = Memory::default();
        let mut items = map.fetch_all_items(&mut self.buffer).await?;
        let mut place = 0u32;
        while let Some((key, bytes)) = items.next::<&[u8]>(&mut self.buffer).await? {
            if let Some(key) = record(key)
                && newest.get(usize::from(key)) == Some(&Some(place))
                && !bytes.is_empty()
                && memory.load(key, bytes).is_err()
            {
                damaged(key);
            }
            place = place.saturating_add(1);
        }
        Ok(memory)
    }

    /// Keeps a record of the core.
    ///
    /// # Errors
    /// Those of the flash; what was kept is still there then.
    pub async fn save(&mut self, record: &Record) -> Result<(), StoreError<F::Error>> {
        self.write(KEY_RECORDS + Key::from(record.key), &record.bytes)
            .await
    }

    /// Counts this start: how many there have been, this one included.
    ///
    /// # Errors
    /// Those of the flash.
    pub async fn count_start(
        &mut self,
        reason: ResetReason,
    ) -> Result<Starts, StoreError<F::Error>> {
        let mut starts = self
            .read(KEY_STARTS)
            .await?
            .and_then(Starts::read)
            .unwrap_or_default();
        starts.count(reason);
        self.write(KEY_STARTS, &starts.written()).await?;
        Ok(starts)
    }

    /// Keeps how often the device has started elsewhere, or before it had this store.
    ///
    /// # Errors
    /// Those of the flash; what was counted is still there then.
    pub async fn set_starts(&mut self, starts: Starts) -> Result<(), StoreError<F::Error>> {
        self.write(KEY_STARTS, &starts.written()).await
    }

    async fn read(&mut self, key: Key) -> Result<Option<&[u8]>, StoreError<F::Error>> {
        let map = known(&mut self.map, self.locked)?;
        Ok(map.fetch_item(&mut self.buffer, &key).await?)
    }

    async fn write(&mut self, key: Key, bytes: &[u8]) -> Result<(), StoreError<F::Error>> {
        let map = known(&mut self.map, self.locked)?;
        Ok(map.store_item(&mut self.buffer, &key, &bytes).await?)
    }

    /// Makes the value empty, if there is one.
    async fn forget(&mut self, key: Key) -> Result<(), StoreError<F::Error>> {
        match self.read(key).await? {
            None | Some([]) => Ok(()),
            Some(_) => self.write(key, &[]).await,
        }
    }
}

/// The map, if what is in it is known.
fn known<F: NorFlash>(
    map: &mut Option<Map<F>>,
    locked: Option<Lock>,
) -> Result<&mut Map<F>, StoreError<F::Error>> {
    match locked {
        None => map.as_mut().ok_or(StoreError::Damaged),
        Some(Lock::Newer(version)) => Err(StoreError::Newer { version }),
        Some(Lock::Unreadable) => Err(StoreError::Unreadable),
    }
}

/// Whether these settings, and the defaults of all others, are a valid whole.
///
/// # Errors
/// Names what is not allowed.
pub fn whole(pairs: Pairs<'_>) -> Result<(), SettingError> {
    pairs.settings().map(drop)
}

fn map<F: NorFlash>(flash: F, region: Range<u32>) -> Result<Map<F>, StoreError<F::Error>> {
    let config = MapConfig::try_new(region).map_err(|_| StoreError::Region)?;
    let places = Cache::new(
        ArrayPageStates::new(),
        ArrayPagePointers::new(),
        ArrayKeyPointers::new(),
    );
    Ok(MapStorage::new(flash, config, places))
}

/// Which record of the core is under a key, if one is.
fn record(key: Key) -> Option<u8> {
    u8::try_from(key.checked_sub(KEY_RECORDS)?).ok()
}

impl Starts {
    const BYTES: usize = 4 * (1 + REASONS);

    fn count(&mut self, reason: ResetReason) {
        self.total = self.total.saturating_add(1);
        let reason = match reason {
            ResetReason::PowerOn => 0,
            ResetReason::Command => 1,
            ResetReason::Failure => 2,
            ResetReason::Watchdog => 3,
            ResetReason::Unknown => 4,
        };
        if let Some(count) = self.by_reason.get_mut(reason) {
            *count = count.saturating_add(1);
        }
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let mut numbers = bytes.as_chunks().0.iter().copied().map(u32::from_le_bytes);
        let mut starts = Starts {
            total: numbers.next()?,
            ..Starts::default()
        };
        for count in &mut starts.by_reason {
            *count = numbers.next()?;
        }
        Some(starts)
    }

    fn written(self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        let numbers = [self.total].into_iter().chain(self.by_reason);
        for (place, number) in bytes.as_chunks_mut().0.iter_mut().zip(numbers) {
            *place = number.to_le_bytes();
        }
        bytes
    }
}
