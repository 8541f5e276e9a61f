//! A flash in memory whose power goes after so many operations.

use embedded_storage_async::nor_flash::{
    ErrorType, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash,
};

/// What a flash of this kind is written in, in bytes.
const WORD: usize = 4;

/// NOR flash: writing clears bits, erasing sets them. An operation is the write of one word, or one
/// half of the erasure of one block: an erasure that the power cut leaves the block half erased.
#[derive(Clone, Debug)]
pub struct Mock<const BLOCK: usize> {
    pub bytes: Vec<u8>,
    /// How many operations it does before the power goes.
    pub power: Option<u32>,
    /// How many it has done.
    pub operations: u32,
    /// How often each block has been erased.
    pub erased: Vec<u32>,
}

/// There is no power.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoPower;

impl<const BLOCK: usize> Mock<BLOCK> {
    pub fn new(blocks: usize) -> Self {
        Mock {
            bytes: vec![0xff; BLOCK * blocks],
            power: None,
            operations: 0,
            erased: vec![0; blocks],
        }
    }

    fn operate(&mut self) -> Result<(), NoPower> {
        if self.power == Some(self.operations) {
            return Err(NoPower);
        }
        self.operations += 1;
        Ok(())
    }
}

impl NorFlashError for NoPower {
    fn kind(&self) -> NorFlashErrorKind {
        NorFlashErrorKind::Other
    }
}

impl<const BLOCK: usize> ErrorType for Mock<BLOCK> {
    type Error = NoPower;
}

impl<const BLOCK: usize> ReadNorFlash for Mock<BLOCK> {
    const READ_SIZE: usize = 1;

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), NoPower> {
        let offset = offset as usize;
        bytes.copy_from_slice(&self.bytes[offset..offset + bytes.len()]);
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.bytes.len()
    }
}

impl<const BLOCK: usize> NorFlash for Mock<BLOCK> {
    const WRITE_SIZE: usize = WORD;
    const ERASE_SIZE: usize = BLOCK;

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), NoPower> {
        for block in from as usize / BLOCK..to as usize / BLOCK {
            let start = block * BLOCK;
            for half in [start..start + BLOCK / 2, start + BLOCK / 2..start + BLOCK] {
                self.operate()?;
                self.bytes[half].fill(0xff);
            }
            self.erased[block] += 1;
        }
        Ok(())
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), NoPower> {
        assert!((offset as usize).is_multiple_of(WORD) && bytes.len().is_multiple_of(WORD));
        for (word, at) in bytes.chunks(WORD).zip((offset as usize..).step_by(WORD)) {
            self.operate()?;
            for (bit, byte) in self.bytes[at..at + WORD].iter_mut().zip(word) {
                assert_eq!(*bit, 0xff, "a word is written once between two erasures");
                *bit &= byte;
            }
        }
        Ok(())
    }
}
