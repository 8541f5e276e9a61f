//! The factory reset: everything a person told the device is forgotten, and what it made up itself.

use embedded_storage_async::nor_flash::NorFlash;

use crate::{KEY_RECORDS, KEY_RESET, KEY_SETTINGS, Name, Store, StoreError};

/// Bytes that are written over and over until every block has been used anew.
const FILLING: [u8; 1024] = [1; 1024];

impl<F: NorFlash> Store<F> {
    /// Forgets everything but how often the device has started: settings, certificates, the MQTT
    /// session, the records of the core; and its secret and passwords, in place of which others will
    /// be made. Afterwards nothing of it can be read out of the flash either. Power that goes once
    /// this has begun does not save anything: the rest goes when the store is opened.
    ///
    /// # Errors
    /// Those of the flash.
    pub async fn factory_reset(&mut self) -> Result<(), StoreError<F::Error>> {
        self.begin_anew().await?;
        self.write(KEY_RESET, &[1]).await?;
        self.finish_reset().await
    }

    pub(crate) async fn finish_reset(&mut self) -> Result<(), StoreError<F::Error>> {
        self.forget(KEY_SETTINGS).await?;
        for name in Name::ALL {
            self.remove_blob(name).await?;
        }
        for record in 0..=u8::MAX {
            self.forget(KEY_RECORDS + u16::from(record)).await?;
        }
        self.forget_secrets().await?;
        // What was forgotten is still written where it was. The map erases each block before it
        // uses it anew, and loses nothing then, whenever the power goes.
        let region = self.map.as_mut().map_or(0..0, |map| map.flash_range());
        let round = region.len() + F::ERASE_SIZE;
        for _ in 0..round.div_ceil(FILLING.len()) {
            self.write(KEY_RESET, &FILLING).await?;
        }
        self.forget(KEY_RESET).await
    }
}

#[cfg(test)]
mod tests {
    use monster::device::ResetReason;
    use monster::memory::Record;

    use super::*;
    use crate::file::block_on;
    use crate::mock::Mock;
    use crate::{Password, Starts};

    fn open<const BLOCK: usize>(flash: &mut Mock<BLOCK>) -> Store<&mut Mock<BLOCK>> {
        let end = flash.bytes.len() as u32;
        block_on(Store::open(flash, 0..end)).unwrap()
    }

    /// Whether each of the things that can be forgotten is there.
    fn remembered<const BLOCK: usize>(flash: &mut Mock<BLOCK>) -> ([bool; 5], Starts) {
        let mut store = open(flash);
        let session = block_on(store.blob(Name::Session, &mut [0; 4096])).unwrap();
        let is_there = [
            block_on(store.pairs()).unwrap().iter().count() > 0,
            session.is_some(),
            format!("{:?}", block_on(store.memory(|key| panic!("{key}")))).contains("Some"),
            block_on(store.device_secret(|| None)).unwrap().is_some(),
            block_on(store.password(Password::Console, || None))
                .unwrap()
                .is_some(),
        ];
        let starts = block_on(store.read(crate::KEY_STARTS)).unwrap();
        (is_there, starts.and_then(Starts::read).unwrap())
    }

    /// A flash with each of them.
    fn used<const BLOCK: usize>(blocks: usize) -> Mock<BLOCK> {
        let mut flash = Mock::new(blocks);
        let mut store = open(&mut flash);
        block_on(store.count_start(ResetReason::PowerOn)).unwrap();
        block_on(store.save_settings([("broker.password", "p"), ("broker.user", "u")])).unwrap();
        block_on(store.save_blob(Name::Session, &[1; 3000])).unwrap();
        let record = Record {
            key: 0,
            bytes: heapless::Vec::from_slice(&[1, 1]).unwrap(),
        };
        block_on(store.save(&record)).unwrap();
        block_on(store.device_secret(|| Some([1; 32]))).unwrap();
        block_on(store.password(Password::Console, || Some([1; 12]))).unwrap();
        flash
    }

    /// How many operations a factory reset takes, which forgets all there is.
    fn operations<const BLOCK: usize>(used: &Mock<BLOCK>) -> u32 {
        assert_eq!(remembered(&mut used.clone()).0, [true; 5]);
        let mut whole = used.clone();
        block_on(open(&mut whole).factory_reset()).unwrap();
        assert_eq!(remembered(&mut whole).0, [false; 5]);
        whole.operations - used.operations
    }

    /// What it does before the power goes does not depend on when that will be: so it is done once, and
    /// its operations again, one after the other.
    #[test]
    fn all_or_nothing_is_forgotten_after_whichever_operation_the_power_goes() {
        let used = used::<4096>(3);
        let (_, starts) = remembered(&mut used.clone());
        let operations = operations(&used) as usize;
        let look_after_each = |turn: usize| {
            let mut flash = used.clone();
            flash.watch();
            block_on(open(&mut flash).factory_reset()).unwrap();
            let done = flash.watched();
            assert_eq!(done.len(), operations);
            done.iter().rev().for_each(|change| flash.take_back(change));
            assert_eq!(flash.bytes, used.bytes);
            let mut has_begun = false;
            for (cut, change) in done.iter().enumerate() {
                if cut % 2 == turn {
                    let (left, same) = remembered(&mut flash.clone());
                    has_begun |= left == [false; 5];
                    assert_eq!(left, [!has_begun; 5], "after {cut} of {operations}");
                    assert_eq!(same, starts);
                }
                flash.do_again(change);
            }
            assert_eq!(remembered(&mut flash).0, [false; 5]);
        };
        std::thread::scope(|scope| {
            scope.spawn(|| look_after_each(0));
            look_after_each(1);
        });
    }

    /// Of these the first, then some: to use all blocks anew takes many thousands of operations.
    #[test]
    fn the_same_holds_on_the_flash_of_each_board() {
        fn cut<const BLOCK: usize>(blocks: usize, first: u32, step: usize) {
            let used = used::<BLOCK>(blocks);
            let (_, starts) = remembered(&mut used.clone());
            let operations = operations(&used);
            let later = (first..operations).step_by(step);
            let mut has_begun = false;
            for cut in (0..first).chain(later).chain([operations]) {
                let mut flash = used.clone();
                flash.power = Some(flash.operations + cut);
                let done = block_on(open(&mut flash).factory_reset());
                assert_eq!(done.is_ok(), cut == operations);
                flash.power = None;
                let (left, same) = remembered(&mut flash);
                assert_eq!(same, starts);
                has_begun |= left == [false; 5] || cut == operations;
                assert_eq!(left, [!has_begun; 5], "after {cut} of {operations}");
            }
        }
        cut::<4096>(8, 800, 97);
        cut::<{ 256 * 1024 }>(2, 0, 49_999);
    }

    #[test]
    fn nothing_that_was_forgotten_can_be_read_out_of_the_flash() {
        for blocks in 2..=8 {
            let mut flash = Mock::<4096>::new(blocks);
            let mut store = open(&mut flash);
            for n in 0..50 {
                let password = format!("secret-{n}");
                let pairs = [("broker.user", "u"), ("broker.password", &*password)];
                block_on(store.save_settings(pairs)).unwrap();
            }
            let is_there = |flash: &Mock<4096>| flash.bytes.windows(7).any(|it| it == b"secret-");
            assert!(is_there(&flash));
            block_on(open(&mut flash).factory_reset()).unwrap();
            assert!(!is_there(&flash), "{blocks}");
        }
    }
}
