//! The second flash: two Intel chips side by side (CFI command set 1), so that every command and
//! every answer is there twice in a word.

use core::convert::Infallible;

use embedded_storage_async::nor_flash::{ErrorType, NorFlash, ReadNorFlash};

use super::registers::FLASH;

/// The size of an erase block, in bytes.
pub const BLOCK: usize = 256 * 1024;
/// How much of the flash is for the store: four blocks.
pub const STORE: core::ops::Range<u32> = 0..4 * BLOCK as u32;

const CAPACITY: usize = 32 << 20;
const WORD: usize = 4;
const PROGRAM: u32 = 0x0040_0040;
const ERASE: u32 = 0x0020_0020;
const CONFIRM: u32 = 0x00d0_00d0;
const READ_ARRAY: u32 = 0x00ff_00ff;
const READY: u32 = 0x0080_0080;

/// The flash. There is one.
pub struct Flash(());

impl Flash {
    /// The flash, the first time it is asked for.
    pub fn take() -> Option<Self> {
        static TAKEN: portable_atomic::AtomicBool = portable_atomic::AtomicBool::new(false);
        let taken = TAKEN.swap(true, portable_atomic::Ordering::AcqRel);
        (!taken).then_some(Flash(()))
    }

    /// Gives the word at `offset` a command and waits until it is carried out.
    fn command(&mut self, offset: usize, first: u32, second: u32) {
        FLASH.write(offset, first);
        FLASH.write(offset, second);
        while FLASH.read::<u32>(offset) & READY != READY {}
        FLASH.write(offset, READ_ARRAY);
    }
}

impl ErrorType for Flash {
    type Error = Infallible;
}

impl ReadNorFlash for Flash {
    const READ_SIZE: usize = 1;

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Infallible> {
        for (byte, at) in bytes.iter_mut().zip(offset as usize..) {
            *byte = FLASH.read(at);
        }
        Ok(())
    }

    fn capacity(&self) -> usize {
        CAPACITY
    }
}

impl NorFlash for Flash {
    const WRITE_SIZE: usize = WORD;
    const ERASE_SIZE: usize = BLOCK;

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), Infallible> {
        for block in (from..to).step_by(BLOCK) {
            self.command(block as usize, ERASE, CONFIRM);
        }
        Ok(())
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Infallible> {
        let (words, _) = bytes.as_chunks::<WORD>();
        for (word, at) in words.iter().zip((offset as usize..).step_by(WORD)) {
            self.command(at, PROGRAM, u32::from_le_bytes(*word));
        }
        Ok(())
    }
}
