//! Which Monster wrote what is in the flash, and what another one makes of it.
//!
//! - An **older** one's is carried over to this one's [`SCHEMA`], step by step, when the store is
//!   opened. Whoever loses power meanwhile finds the old one, and the step is done again.
//! - A **newer** one's is left as it is, to the last bit: the device runs with its defaults, says so,
//!   and keeps nothing ([`StoreError::Newer`]), so that the newer Monster finds all of it again. Only
//!   when a person sets settings anew does a new store take its place.
//! - What **nobody** can read becomes an empty store.
//!
//! | schema | what is different from the one before |
//! |---|---|
//! | 1 | |
//! | 2 | the settings begin with their own `version`, so that a Monster can tell whether it knows their keys |

use core::ops::Range;

use embedded_storage_async::nor_flash::NorFlash;

use crate::SETTINGS_MAX;
use crate::error::{SettingsError, StoreError};
use crate::settings::{Pairs, Written};
use crate::{BLOCKS_MAX, BUFFER, KEY_RESET, KEY_SCHEMA, KEY_SETTINGS, Lock, Store, map};

/// The version of what is stored.
pub const SCHEMA: u8 = 2;

impl<F: NorFlash> Store<F> {
    /// The store in these bytes of the flash: 2 to [`BLOCKS_MAX`] whole erase blocks. Flash that
    /// was never used, or that holds something else, becomes an empty store; an older store becomes
    /// one of this version; of a [`newer`](Self::newer) one nothing is read or changed.
    ///
    /// # Errors
    /// [`StoreError::Region`] if the bytes are no such blocks; those of the flash.
    pub async fn open(flash: F, region: Range<u32>) -> Result<Self, StoreError<F::Error>> {
        match Store::open_in_any_case(Some(flash), region).await {
            (store, None) => Ok(store),
            (_, Some(error)) => Err(error),
        }
    }

    /// The same for a device that starts whatever is wrong with its flash: with the store comes why it
    /// could not be opened, if it could not, or [`StoreError::Region`] if there is no flash. Then
    /// nothing can be read or kept ([`StoreError::Unreadable`]), and what is in the flash stays as it
    /// is, until a [factory reset](Self::factory_reset), or until it can be read at another start.
    pub async fn open_in_any_case(
        flash: Option<F>,
        region: Range<u32>,
    ) -> (Self, Option<StoreError<F::Error>>) {
        let mut store = Store {
            map: None,
            buffer: [0; BUFFER],
            was_damaged: false,
            locked: None,
        };
        let error = store.set_up(flash, region).await.err();
        if error.is_some() {
            store.locked = Some(Lock::Unreadable);
        }
        (store, error)
    }

    async fn set_up(
        &mut self,
        flash: Option<F>,
        region: Range<u32>,
    ) -> Result<(), StoreError<F::Error>> {
        let blocks = region.end.saturating_sub(region.start) as usize / F::ERASE_SIZE;
        let flash = flash
            .filter(|flash| blocks <= BLOCKS_MAX && region.end as usize <= flash.capacity())
            .ok_or(StoreError::Region)?;
        self.map = Some(map(flash, region)?);
        match self.schema().await {
            Ok(Some(version @ 1..SCHEMA)) => self.migrate(version).await?,
            Ok(Some(SCHEMA)) => {}
            Ok(Some(version @ 3..)) => {
                self.locked = Some(Lock::Newer(version));
                return Ok(());
            }
            // Nothing in it is ours, or can be read.
            Ok(Some(0) | None) | Err(StoreError::Damaged) => {
                if !self.is_blank().await? {
                    self.was_damaged = true;
                    self.erase().await?;
                }
                self.write(KEY_SCHEMA, &[SCHEMA]).await?;
            }
            Err(error) => return Err(error),
        }
        let reset = self.read(KEY_RESET).await?;
        if reset.is_some_and(|it| !it.is_empty()) {
            self.finish_reset().await?;
        }
        Ok(())
    }

    /// The version of what is stored, if a newer Monster wrote it. Then nothing can be read, and
    /// nothing but settings be kept: with those a new store begins, and what was there is gone.
    pub fn newer(&self) -> Option<u8> {
        match self.locked {
            Some(Lock::Newer(version)) => Some(version),
            Some(Lock::Unreadable) | None => None,
        }
    }

    /// Makes an empty store in the place of what is not read.
    pub(crate) async fn begin_anew(&mut self) -> Result<(), StoreError<F::Error>> {
        if let Some(lock) = self.locked {
            self.erase().await?;
            self.locked = None;
            let begun = self.write(KEY_SCHEMA, &[SCHEMA]).await;
            // What cannot be written either stays as unreadable as it was.
            self.locked = begun.is_err().then_some(lock);
            begun?;
        }
        Ok(())
    }

    async fn erase(&mut self) -> Result<(), StoreError<F::Error>> {
        let mut old = self.map.take().ok_or(StoreError::Region)?;
        let erased = old.erase_all().await;
        // What it has found out about the flash is not so any more.
        let region = old.flash_range();
        self.map = Some(map(old.destroy().0, region)?);
        Ok(erased?)
    }

    /// Carries over what a Monster of this version wrote. Each step leaves what the version before
    /// can read too, until the last write, which says that it is done.
    async fn migrate(&mut self, version: u8) -> Result<(), StoreError<F::Error>> {
        if version == 1 {
            self.put_the_version_first().await?;
        }
        self.write(KEY_SCHEMA, &[SCHEMA]).await
    }

    /// From 1 to 2. Settings that are damaged, or longer than any can be now, stay as they are: who
    /// reads them hears of it.
    async fn put_the_version_first(&mut self) -> Result<(), StoreError<F::Error>> {
        let Some(old) = self.read(KEY_SETTINGS).await? else {
            return Ok(());
        };
        let mut place = [0; SETTINGS_MAX];
        let new = Pairs::parse(old).and_then(|pairs| Written::of(&mut place, pairs.iter()));
        match new {
            Ok(new) => self.write(KEY_SETTINGS, new.bytes()).await,
            Err(SettingsError::Store(error @ StoreError::Flash(_))) => Err(error),
            Err(_) => Ok(()),
        }
    }

    async fn schema(&mut self) -> Result<Option<u8>, StoreError<F::Error>> {
        match self.read(KEY_SCHEMA).await? {
            None => Ok(None),
            Some(&[version]) => Ok(Some(version)),
            Some(_) => Err(StoreError::Damaged),
        }
    }

    /// Whether all of the flash is erased.
    async fn is_blank(&mut self) -> Result<bool, StoreError<F::Error>> {
        let map = self.map.as_mut().ok_or(StoreError::Damaged)?;
        let Range { start, end } = map.flash_range();
        // Blocks are powers of two, and so is this.
        let mut piece = [0; 256];
        for at in (start..end).step_by(piece.len()) {
            map.flash()
                .read(at, &mut piece)
                .await
                .map_err(StoreError::Flash)?;
            if piece.iter().any(|byte| *byte != 0xff) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use monster::device::ResetReason;
    use monster::memory::{Record, StoreFault};

    use super::*;
    use crate::file::block_on;
    use crate::mock::{Mock, NoPower};
    use crate::{KEY_RECORDS, Name, Password};

    const BLOCK: usize = 4096;

    fn open(flash: &mut Mock<BLOCK>) -> Store<&mut Mock<BLOCK>> {
        let end = flash.bytes.len() as u32;
        block_on(Store::open(flash, 0..end)).unwrap()
    }

    /// A store as the Monster before the settings' version left it: its bytes are those of then.
    fn of_schema_1() -> Mock<BLOCK> {
        let mut flash = Mock::new(2);
        let mut store = open(&mut flash);
        let mut write = |key, bytes: &[u8]| block_on(store.write(key, bytes)).unwrap();
        write(KEY_SCHEMA, &[1]);
        write(
            KEY_SETTINGS,
            b"\x0bbroker.user\x03\x00ann\x0fmqtt.keep_alive\x02\x0030",
        );
        let starts = [7u32, 4, 1, 0, 2, 0].map(u32::to_le_bytes);
        write(crate::KEY_STARTS, starts.as_flattened());
        write(KEY_RECORDS, &[1, 0]);
        write(KEY_RECORDS + 16, b"\x01\0\0\0\0first");
        flash
    }

    #[test]
    fn the_store_of_an_older_monster_is_carried_over_with_all_that_is_in_it() {
        let mut flash = of_schema_1();
        for starts in 8..10 {
            let mut store = open(&mut flash);
            assert!(!store.was_damaged());
            assert_eq!(block_on(store.schema()), Ok(Some(SCHEMA)));
            let settings = block_on(store.settings()).unwrap();
            assert_eq!(settings.broker.user.as_str(), "ann");
            assert_eq!(settings.mqtt.keep_alive.seconds(), 30);
            let bytes = block_on(store.read(KEY_SETTINGS)).unwrap().unwrap();
            assert!(bytes.starts_with(b"\x07version\x01\x001\x0bbroker.user"));
            let memory = block_on(store.memory(|key| panic!("{key}"))).unwrap();
            let memory = format!("{memory:?}");
            assert!(
                memory.contains("first") && memory.contains("Some(false)"),
                "{memory}"
            );
            let counted = block_on(store.count_start(ResetReason::PowerOn)).unwrap();
            assert_eq!((counted.total, counted.by_reason[1]), (starts, 1));
        }
    }

    #[test]
    fn the_power_may_go_at_any_operation_of_being_carried_over() {
        let flash = of_schema_1();
        let mut whole = flash.clone();
        open(&mut whole);
        let operations = whole.operations - flash.operations;
        assert!(operations > 10, "{operations}");
        for cut in 0..operations {
            let mut flash = flash.clone();
            flash.power = Some(flash.operations + cut);
            let end = flash.bytes.len() as u32;
            let failed = block_on(Store::open(&mut flash, 0..end)).err();
            assert_eq!(failed, Some(StoreError::Flash(NoPower)), "{cut}");
            flash.power = None;
            let mut store = open(&mut flash);
            assert!(!store.was_damaged());
            assert_eq!(block_on(store.schema()), Ok(Some(SCHEMA)));
            let settings = block_on(store.settings()).unwrap();
            assert_eq!(settings.broker.user.as_str(), "ann");
            let starts = block_on(store.count_start(ResetReason::PowerOn)).unwrap();
            assert_eq!(starts.total, 8);
        }
    }

    #[test]
    fn damaged_settings_of_an_older_monster_are_still_reported_once_carried_over() {
        let mut flash = of_schema_1();
        let mut store = open(&mut flash);
        block_on(store.write(KEY_SCHEMA, &[1])).unwrap();
        block_on(store.write(KEY_SETTINGS, &[200, 1])).unwrap();
        let mut store = open(&mut flash);
        assert_eq!(
            block_on(store.settings()),
            Err(SettingsError::Store(StoreError::Damaged))
        );
        assert_eq!(
            block_on(store.count_start(ResetReason::PowerOn))
                .unwrap()
                .total,
            8
        );
    }

    /// A store of a Monster that is not there yet.
    fn of_a_newer_schema() -> Mock<BLOCK> {
        let mut flash = of_schema_1();
        block_on(open(&mut flash).write(KEY_SCHEMA, &[9])).unwrap();
        flash
    }

    #[test]
    fn the_store_of_a_newer_monster_is_left_as_it_is_by_all_that_a_device_does_by_itself() {
        let mut flash = of_a_newer_schema();
        let before = flash.bytes.clone();
        let newer = StoreError::Newer { version: 9 };
        for _ in 0..3 {
            let mut store = open(&mut flash);
            assert_eq!(store.newer(), Some(9));
            assert_eq!(store.fault(), Some(StoreFault::Newer));
            assert!(!store.was_damaged());
            assert_eq!(block_on(store.settings()), Err(SettingsError::Store(newer)));
            assert_eq!(block_on(store.memory(|_| ())).err(), Some(newer));
            let record = Record {
                key: 0,
                bytes: heapless::Vec::from_slice(&[1, 1]).unwrap(),
            };
            assert_eq!(block_on(store.save(&record)), Err(newer));
            assert_eq!(
                block_on(store.count_start(ResetReason::PowerOn)),
                Err(newer)
            );
            let session = Name::Session;
            assert_eq!(block_on(store.save_blob(session, &[1; 2000])), Err(newer));
            assert_eq!(block_on(store.blob(session, &mut [])), Err(newer));
            assert_eq!(block_on(store.remove_blob(session)), Err(newer));
            assert_eq!(block_on(store.device_secret(|| Some([1; 32]))), Err(newer));
            let console = Password::Console;
            let password = block_on(store.password(console, || Some([1; 12])));
            assert_eq!(password.err(), Some(newer));
            // Settings that are refused are nothing set anew.
            assert!(block_on(store.save_settings([("broker.url", "nonsense")])).is_err());
        }
        assert_eq!(flash.bytes, before);
    }

    #[test]
    fn settings_that_a_person_sets_anew_begin_a_new_store_in_place_of_a_newer_one() {
        let flash = of_a_newer_schema();
        let ann = [("broker.user", Some("ann"))];
        let mut whole = flash.clone();
        let mut store = open(&mut whole);
        block_on(store.change_settings(ann, crate::whole)).unwrap();
        assert_eq!(store.newer(), None);
        let operations = whole.operations - flash.operations;
        for cut in 0..=operations {
            let mut flash = flash.clone();
            flash.power = Some(flash.operations + cut);
            let changed = block_on(open(&mut flash).change_settings(ann, crate::whole));
            assert_eq!(changed.is_ok(), cut == operations);
            flash.power = None;
            let mut store = open(&mut flash);
            // Until it is done the device finds what it found before: its defaults.
            let user = match block_on(store.settings()) {
                Ok(settings) => settings.broker.user.as_str().to_owned(),
                Err(error) => {
                    let newer = StoreError::Newer { version: 9 };
                    assert_eq!(error, SettingsError::Store(newer));
                    String::new()
                }
            };
            assert_eq!(user, if changed.is_ok() { "ann" } else { "" });
        }
    }

    #[test]
    fn a_store_that_cannot_be_read_is_left_as_it_is_until_a_factory_reset() {
        let mut flash = of_schema_1();
        open(&mut flash);
        let before = flash.bytes.clone();
        let end = before.len() as u32;
        flash.is_deaf = true;
        for _ in 0..2 {
            let (mut store, error) = block_on(Store::open_in_any_case(Some(&mut flash), 0..end));
            assert_eq!(error, Some(StoreError::Flash(NoPower)));
            assert_eq!(store.fault(), Some(StoreFault::Unreadable));
            let unreadable = StoreError::Unreadable;
            let settings = block_on(store.settings());
            assert_eq!(settings, Err(SettingsError::Store(unreadable)));
            let changed = block_on(store.change_settings([("id", Some("a"))], crate::whole));
            assert_eq!(changed, Err(SettingsError::Store(unreadable)));
            let saved = block_on(store.save_settings([("id", "a")]));
            assert_eq!(saved, Err(SettingsError::Store(unreadable)));
            assert_eq!(
                block_on(store.save_blob(Name::Session, &[1])),
                Err(unreadable)
            );
            assert_eq!(block_on(store.session(&mut [0; 4096])), None);
            let counted = block_on(store.count_start(ResetReason::PowerOn));
            assert_eq!(counted, Err(unreadable));
            assert_eq!(
                block_on(store.device_secret(|| Some([1; 32]))),
                Err(unreadable)
            );
        }
        assert_eq!(flash.bytes, before);
        // It can be read again: all of it is there.
        flash.is_deaf = false;
        let user = block_on(open(&mut flash).settings()).unwrap().broker.user;
        assert_eq!(user.as_str(), "ann");
        // Or somebody has it forgotten, and it works from then on.
        flash.is_deaf = true;
        let (mut store, _) = block_on(Store::open_in_any_case(Some(&mut flash), 0..end));
        assert!(block_on(store.factory_reset()).is_err());
        store.map.as_mut().unwrap().flash().is_deaf = false;
        block_on(store.factory_reset()).unwrap();
        assert_eq!(store.fault(), None);
        block_on(store.save_settings([("broker.user", "bob")])).unwrap();
        let user = block_on(open(&mut flash).settings()).unwrap().broker.user;
        assert_eq!(user.as_str(), "bob");
    }

    #[test]
    fn a_device_without_flash_runs_and_keeps_nothing() {
        let missing = Store::<&mut Mock<BLOCK>>::open_in_any_case(None, 0..0);
        let (mut store, error) = block_on(missing);
        assert_eq!(error, Some(StoreError::Region));
        assert_eq!(store.fault(), Some(StoreFault::Unreadable));
        let counted = block_on(store.count_start(ResetReason::PowerOn));
        assert_eq!(counted, Err(StoreError::Unreadable));
        assert_eq!(block_on(store.factory_reset()), Err(StoreError::Region));
    }

    #[test]
    fn flash_with_anything_in_it_becomes_a_store() {
        let mut fillings: Vec<Vec<u8>> = vec![vec![0; 16384], vec![0x55; 16384]];
        let mut state = 1u32;
        for _ in 0..50 {
            fillings.push(
                (0..16384)
                    .map(|_| {
                        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                        (state >> 24) as u8
                    })
                    .collect(),
            );
        }
        for bytes in fillings {
            let mut flash = Mock::<4096>::new(4);
            flash.bytes = bytes;
            let mut store = open(&mut flash);
            assert!(store.was_damaged());
            block_on(store.count_start(ResetReason::PowerOn)).unwrap();
            let mut store = open(&mut flash);
            assert!(!store.was_damaged());
            let starts = block_on(store.count_start(ResetReason::PowerOn)).unwrap();
            assert_eq!(starts.total, 2);
        }
    }

    #[test]
    fn a_region_that_is_not_two_to_eight_whole_blocks_is_refused() {
        let mut flash = Mock::<4096>::new(10);
        for region in [0..4096, 0..8191, 1..8193, 0..9 * 4096, 40960..49152] {
            let error = block_on(Store::open(&mut flash, region)).err();
            assert_eq!(error, Some(StoreError::Region));
        }
        for region in [0..8192, 8192..40960] {
            assert!(block_on(Store::open(&mut flash, region)).is_ok());
        }
    }
}
