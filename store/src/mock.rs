//! A flash in memory whose power goes after so many operations.

use std::path::PathBuf;

use embedded_storage_async::nor_flash::{
    ErrorType, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash,
};

use crate::file::{FileFlash, block_on};

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
    /// Nothing can be read.
    pub is_deaf: bool,
    /// What was done since somebody began to watch.
    watched: Option<Vec<Change>>,
}

/// What one operation did.
#[derive(Clone, Debug)]
pub struct Change {
    at: usize,
    before: Vec<u8>,
    after: Vec<u8>,
}

impl Change {
    /// Whether it was one half of an erasure.
    pub fn is_erasure(&self) -> bool {
        self.after.len() > WORD
    }
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
            is_deaf: false,
            watched: None,
        }
    }

    /// Begins to watch what is done.
    pub fn watch(&mut self) {
        self.watched = Some(Vec::new());
    }

    /// Ends it, and returns what was done since.
    pub fn watched(&mut self) -> Vec<Change> {
        self.watched.take().unwrap_or_default()
    }

    /// Takes back what was done last.
    pub fn take_back(&mut self, change: &Change) {
        self.put(change.at, &change.before);
    }

    /// Does what was done before, or taken back.
    pub fn do_again(&mut self, change: &Change) {
        self.put(change.at, &change.after);
    }

    fn put(&mut self, at: usize, bytes: &[u8]) {
        self.bytes[at..at + bytes.len()].copy_from_slice(bytes);
    }

    /// Does one operation.
    fn change(&mut self, at: usize, after: Vec<u8>) {
        if let Some(watched) = &mut self.watched {
            let before = self.bytes[at..at + after.len()].to_vec();
            watched.push(Change {
                at,
                before,
                after: after.clone(),
            });
        }
        self.put(at, &after);
    }

    fn operate(&mut self) -> Result<(), NoPower> {
        if self.power == Some(self.operations) {
            return Err(NoPower);
        }
        self.operations += 1;
        Ok(())
    }
}

/// A flash, or what stands for one, whose power can be cut.
pub trait Cut: NorFlash<Error = NoPower> {
    /// The same once more, to be changed by itself.
    fn copy(&self) -> Self;
    /// How many operations it does before the power goes.
    fn set_power(&mut self, power: Option<u32>);
    /// How many it has done.
    fn operations(&self) -> u32;
}

impl<const BLOCK: usize> Cut for Mock<BLOCK> {
    fn copy(&self) -> Self {
        self.clone()
    }

    fn set_power(&mut self, power: Option<u32>) {
        self.power = power;
    }

    fn operations(&self) -> u32 {
        self.operations
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
        if self.is_deaf {
            return Err(NoPower);
        }
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
            for half in [start, start + BLOCK / 2] {
                self.operate()?;
                self.change(half, vec![0xff; BLOCK / 2]);
            }
            self.erased[block] += 1;
        }
        Ok(())
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), NoPower> {
        assert!((offset as usize).is_multiple_of(WORD) && bytes.len().is_multiple_of(WORD));
        for (word, at) in bytes.chunks(WORD).zip((offset as usize..).step_by(WORD)) {
            self.operate()?;
            let is_erased = self.bytes[at..at + WORD] == [0xff; WORD];
            assert!(is_erased, "a word is written once between two erasures");
            self.change(at, word.to_vec());
        }
        Ok(())
    }
}

/// The file that stands for flash on a computer. An operation is one half of a write, or of an
/// erasure: that is how much of it reaches the disk before the power goes.
pub struct CutFile {
    file: FileFlash<BLOCK>,
    path: PathBuf,
    power: Option<u32>,
    operations: u32,
}

const BLOCK: usize = 4096;

impl CutFile {
    pub fn new(blocks: usize) -> Self {
        let capacity = (blocks * BLOCK) as u32;
        let path = new_path();
        CutFile {
            file: FileFlash::open(&path, capacity).unwrap(),
            path,
            power: None,
            operations: 0,
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

/// Where no file is.
fn new_path() -> PathBuf {
    use std::sync::atomic::{AtomicU32, Ordering};
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = format!("monster-store-cut-{}-{count}", std::process::id());
    std::env::temp_dir().join(name)
}

impl Cut for CutFile {
    fn copy(&self) -> Self {
        let path = new_path();
        std::fs::copy(&self.path, &path).unwrap();
        CutFile {
            file: FileFlash::open(&path, self.capacity() as u32).unwrap(),
            path,
            power: self.power,
            operations: self.operations,
        }
    }

    fn set_power(&mut self, power: Option<u32>) {
        self.power = power;
    }

    fn operations(&self) -> u32 {
        self.operations
    }
}

impl Drop for CutFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

impl ErrorType for CutFile {
    type Error = NoPower;
}

impl ReadNorFlash for CutFile {
    const READ_SIZE: usize = FileFlash::<BLOCK>::READ_SIZE;

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), NoPower> {
        block_on(self.file.read(offset, bytes)).unwrap();
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.file.capacity()
    }
}

impl NorFlash for CutFile {
    const WRITE_SIZE: usize = FileFlash::<BLOCK>::WRITE_SIZE;
    const ERASE_SIZE: usize = BLOCK;

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), NoPower> {
        let middle = from.midpoint(to);
        for (from, to) in [(from, middle), (middle, to)] {
            self.operate()?;
            block_on(self.file.erase(from, to)).unwrap();
        }
        Ok(())
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), NoPower> {
        let middle = bytes.len() / 2;
        let (first, second) = bytes.split_at(middle);
        for (offset, half) in [(offset, first), (offset + middle as u32, second)] {
            self.operate()?;
            block_on(self.file.write(offset, half)).unwrap();
        }
        Ok(())
    }
}
