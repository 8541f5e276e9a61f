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
//! | 1 | the settings that are not the defaults: for each its key and its text, with their lengths ([`settings`]) |
//! | 2 | how often the device has started, in all and for each reason, as little-endian `u32`s |
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
pub mod settings;
#[cfg(test)]
mod words;

use core::ops::Range;

use embedded_storage_async::nor_flash::NorFlash;
use monster::device::ResetReason;
use monster::memory::{Memory, Record};
use monster::settings::Settings;
use sequential_storage::cache::Cache;
use sequential_storage::cache::key_pointers::ArrayKeyPointers;
use sequential_storage::cache::page_pointers::ArrayPagePointers;
use sequential_storage::cache::page_states::ArrayPageStates;
use sequential_storage::map::{MapConfig, MapStorage};

pub use blob::{BLOB_MAX, Name};
pub use error::{SettingsError, StoreError};

/// The version of what is stored; a store of a newer one is refused, and left as it is.
pub const SCHEMA: u8 = 1;
/// How many erase blocks a store uses at most.
pub const BLOCKS_MAX: usize = 8;
/// The longest settings, as [`settings`] writes them, in bytes: they fit a block of 4 KiB.
pub const SETTINGS_MAX: usize = 3584;

/// Room for the longest value and its key, in whole words of any flash.
const BUFFER: usize = SETTINGS_MAX + 32;
/// How many keys' places are remembered, so that they need not be searched for: all there are.
const KEYS: usize = 48;

type Key = u16;
const KEY_SCHEMA: Key = 0;
const KEY_SETTINGS: Key = 1;
const KEY_STARTS: Key = 2;
const KEY_RECORDS: Key = 0x100;

type Places = Cache<
    ArrayPageStates<BLOCKS_MAX>,
    ArrayPagePointers<BLOCKS_MAX>,
    ArrayKeyPointers<Key, KEYS>,
    Key,
>;

/// A part of a flash in which a device keeps what it needs over restarts.
///
/// No call panics, whatever is in the flash. Cancelling one is like the power going in it.
pub struct Store<F: NorFlash> {
    map: MapStorage<Key, F, Places>,
    buffer: [u8; BUFFER],
    was_damaged: bool,
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
    /// The store in these bytes of the flash: 2 to [`BLOCKS_MAX`] whole erase blocks. Flash that
    /// was never used, or that holds something else, becomes an empty store.
    ///
    /// # Errors
    /// [`StoreError::Newer`] if a newer Monster wrote it; [`StoreError::Region`] if the bytes are
    /// no such blocks; those of the flash.
    pub async fn open(flash: F, region: Range<u32>) -> Result<Self, StoreError<F::Error>> {
        let blocks = region.end.saturating_sub(region.start) as usize / F::ERASE_SIZE;
        if blocks > BLOCKS_MAX || region.end as usize > flash.capacity() {
            return Err(StoreError::Region);
        }
        let mut store = Store {
            map: map(flash, region.clone())?,
            buffer: [0; BUFFER],
            was_damaged: false,
        };
        match store.schema().await {
            Ok(Some(SCHEMA)) => return Ok(store),
            Ok(Some(version)) => return Err(StoreError::Newer { version }),
            // Nothing in it is ours, or can be read.
            Ok(None) | Err(StoreError::Damaged) => {}
            Err(error) => return Err(error),
        }
        if !store.is_blank().await? {
            store.was_damaged = true;
            store.map.erase_all().await?;
            // What it has found out about the flash is not so any more.
            store.map = map(store.map.destroy().0, region)?;
        }
        store.write(KEY_SCHEMA, &[SCHEMA]).await?;
        Ok(store)
    }

    /// Whether something else was in the flash, or nothing that could be read: it is gone now.
    pub fn was_damaged(&self) -> bool {
        self.was_damaged
    }

    /// The stored settings; the defaults if none are.
    ///
    /// # Errors
    /// [`SettingsError`] names the setting this Monster does not allow, or says that they are
    /// damaged.
    pub async fn settings(&mut self) -> Result<Settings, SettingsError<F::Error>> {
        match self.read(KEY_SETTINGS).await? {
            None => Ok(Settings::default()),
            Some(bytes) => settings::read(bytes),
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
        let mut bytes = [0; SETTINGS_MAX];
        let length = settings::write(settings, &mut bytes)?;
        let bytes = bytes.get(..length).ok_or(SettingsError::TooLong)?;
        settings::read(bytes)?;
        Ok(self.write(KEY_SETTINGS, bytes).await?)
    }

    /// The records of the core. What is damaged is left out, and `damaged` is told its key.
    ///
    /// # Errors
    /// Those of the flash.
    pub async fn memory(
        &mut self,
        mut damaged: impl FnMut(u8),
    ) -> Result<Memory, StoreError<F::Error>> {
        // A key is there once for every time it was stored, the newest last. So one pass finds
        // where the newest are, and another takes them.
        let mut newest = [None; 1 + u8::MAX as usize];
        let mut items = self.map.fetch_all_items(&mut self.buffer).await?;
        let mut place = 0u32;
        while let Some((key, _)) = items.next::<&[u8]>(&mut self.buffer).await? {
            if let Some(newest) = record(key).and_then(|key| newest.get_mut(usize::from(key))) {
                *newest = Some(place);
            }
            place = place.saturating_add(1);
        }
        let mut memory = Memory::default();
        let mut items = self.map.fetch_all_items(&mut self.buffer).await?;
        let mut place = 0u32;
        while let Some((key, bytes)) = items.next::<&[u8]>(&mut self.buffer).await? {
            if let Some(key) = record(key)
                && newest.get(usize::from(key)) == Some(&Some(place))
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

    /// Forgets everything. The store is of no use afterwards, before it is [opened](Self::open) again.
    ///
    /// # Errors
    /// Those of the flash.
    pub async fn erase(&mut self) -> Result<(), StoreError<F::Error>> {
        Ok(self.map.erase_all().await?)
    }

    /// Whether all of the flash is erased.
    async fn is_blank(&mut self) -> Result<bool, StoreError<F::Error>> {
        let Range { start, end } = self.map.flash_range();
        // Blocks are powers of two, and so is this.
        let mut piece = [0; 256];
        for at in (start..end).step_by(piece.len()) {
            let flash = self.map.flash();
            flash
                .read(at, &mut piece)
                .await
                .map_err(StoreError::Flash)?;
            if piece.iter().any(|byte| *byte != 0xff) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn schema(&mut self) -> Result<Option<u8>, StoreError<F::Error>> {
        match self.read(KEY_SCHEMA).await? {
            None => Ok(None),
            Some(&[version]) => Ok(Some(version)),
            Some(_) => Err(StoreError::Damaged),
        }
    }

    async fn read(&mut self, key: Key) -> Result<Option<&[u8]>, StoreError<F::Error>> {
        Ok(self.map.fetch_item(&mut self.buffer, &key).await?)
    }

    async fn write(&mut self, key: Key, bytes: &[u8]) -> Result<(), StoreError<F::Error>> {
        Ok(self.map.store_item(&mut self.buffer, &key, &bytes).await?)
    }
}

fn map<F: NorFlash>(
    flash: F,
    region: Range<u32>,
) -> Result<MapStorage<Key, F, Places>, StoreError<F::Error>> {
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
