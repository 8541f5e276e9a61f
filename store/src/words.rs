//! A chip whose flash can only be read in whole words finds what others have stored, and they find
//! what it has.

use embedded_storage_async::nor_flash::{ErrorType, NorFlash, ReadNorFlash};
use monster::device::ResetReason;

use crate::Store;
use crate::file::block_on;
use crate::mock::{Mock, NoPower};

const BLOCK: usize = 4096;
const WORD: usize = 4;

/// The same flash, read in words: that of the ESP32-C3.
struct Words<'a>(&'a mut Mock<BLOCK>);

impl ErrorType for Words<'_> {
    type Error = NoPower;
}

impl ReadNorFlash for Words<'_> {
    const READ_SIZE: usize = WORD;

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), NoPower> {
        assert!((offset as usize | bytes.len()).is_multiple_of(WORD));
        self.0.read(offset, bytes).await
    }

    fn capacity(&self) -> usize {
        self.0.capacity()
    }
}

impl NorFlash for Words<'_> {
    const WRITE_SIZE: usize = WORD;
    const ERASE_SIZE: usize = BLOCK;

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), NoPower> {
        self.0.erase(from, to).await
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), NoPower> {
        self.0.write(offset, bytes).await
    }
}

#[test]
fn a_flash_that_is_read_in_words_holds_the_same_store() {
    let mut flash = Mock::<BLOCK>::new(2);
    let end = flash.capacity() as u32;
    let mut bytewise = block_on(Store::open(&mut flash, 0..end)).unwrap();
    block_on(bytewise.save_settings([("broker.user", "ann")])).unwrap();

    let mut wordwise = block_on(Store::open(Words(&mut flash), 0..end)).unwrap();
    assert!(!wordwise.was_damaged());
    let settings = block_on(wordwise.settings()).unwrap();
    assert_eq!(settings.broker.user.as_str(), "ann");
    // Until every block has been erased, with values of lengths that are no whole words.
    for round in 1..=1000_u32 {
        let name = "x".repeat(round as usize % 9);
        let starts = block_on(wordwise.count_start(ResetReason::PowerOn)).unwrap();
        assert_eq!(starts.total, round);
        block_on(wordwise.save_settings([("broker.user", &*name)])).unwrap();
        let settings = block_on(wordwise.settings()).unwrap();
        assert_eq!(settings.broker.user.as_str(), name);
    }
    block_on(wordwise.memory(|key| panic!("{key}"))).unwrap();

    assert!(flash.erased.iter().all(|erased| *erased >= 2));
    let mut bytewise = block_on(Store::open(&mut flash, 0..end)).unwrap();
    let starts = block_on(bytewise.count_start(ResetReason::PowerOn)).unwrap();
    assert_eq!(starts.total, 1001);
}
