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
/// How much is programmed at once, at most: what the chips' buffers hold, from such an address on.
const BUFFER: usize = 2048;
const PROGRAM: u32 = 0x00e8_00e8;
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

    fn erase_block(&mut self, offset: usize) {
        FLASH.write(offset, ERASE);
        self.confirm(offset);
    }

    /// Programs these words, which end where the buffer of `offset` does, or before.
    fn program(&mut self, offset: usize, words: &[[u8; WORD]]) {
        let Some(more) = words.len().checked_sub(1) else {
            return;
        };
        FLASH.write(offset, PROGRAM);
        self.wait(offset);
        FLASH.write(offset, more as u32 * 0x0001_0001);
        for (word, at) in words.iter().zip((offset..).step_by(WORD)) {
            FLASH.write(at, u32::from_le_bytes(*word));
        }
        self.confirm(offset);
    }

    /// Has the command carried out, and waits until it is.
    fn confirm(&mut self, offset: usize) {
        FLASH.write(offset, CONFIRM);
        self.wait(offset);
        FLASH.write(offset, READ_ARRAY);
    }

    fn wait(&mut self, offset: usize) {
        while FLASH.read::<u32>(offset) & READY != READY {}
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
            self.erase_block(block as usize);
        }
        Ok(())
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Infallible> {
        let (mut words, _) = bytes.as_chunks::<WORD>();
        let mut at = offset as usize;
        while !words.is_empty() {
            let room = (BUFFER - at % BUFFER) / WORD;
            let (now, later) = words.split_at(words.len().min(room));
            self.program(at, now);
            at += now.len() * WORD;
            words = later;
        }
        Ok(())
    }
}
