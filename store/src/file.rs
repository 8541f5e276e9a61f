//! A file that stands in for flash, for a computer, and to prepare a board's flash on one.

use std::fs::{File, OpenOptions};
use std::future::Future;
use std::io;
use std::path::Path;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use embedded_storage_async::nor_flash::{
    ErrorType, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash,
};

/// A file as NOR flash with erase blocks of `BLOCK` bytes. Every write is durable when it returns.
#[derive(Debug)]
pub struct FileFlash<const BLOCK: usize = 4096> {
    file: File,
    capacity: u32,
}

impl<const BLOCK: usize> FileFlash<BLOCK> {
    /// The flash in the first `capacity` bytes of the file; what is missing is made, erased. A new
    /// file is its owner's alone, since there will be passwords in it.
    ///
    /// # Errors
    /// Those of the system.
    pub fn open(path: &Path, capacity: u32) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(path)?;
        let mut flash = FileFlash { file, capacity };
        let length = u32::try_from(flash.file.metadata()?.len()).unwrap_or(u32::MAX);
        flash.fill(length, capacity)?;
        Ok(flash)
    }

    /// Erases these bytes.
    fn fill(&mut self, from: u32, to: u32) -> io::Result<()> {
        let length = to.saturating_sub(from) as usize;
        if length > 0 {
            self.write_at(from, &vec![0xff; length])?;
        }
        Ok(())
    }

    fn write_at(&mut self, offset: u32, bytes: &[u8]) -> io::Result<()> {
        use std::io::{Seek, SeekFrom, Write};
        self.file.seek(SeekFrom::Start(offset.into()))?;
        self.file.write_all(bytes)?;
        self.file.sync_data()
    }

    fn read_at(&mut self, offset: u32, bytes: &mut [u8]) -> io::Result<()> {
        use std::io::{Read, Seek, SeekFrom};
        self.file.seek(SeekFrom::Start(offset.into()))?;
        self.file.read_exact(bytes)
    }

    fn check(&self, offset: u32, length: usize) -> Result<(), FileError> {
        let end = usize::try_from(offset)
            .ok()
            .and_then(|at| at.checked_add(length));
        match end {
            Some(end) if end <= self.capacity as usize => Ok(()),
            _ => Err(FileError(io::ErrorKind::InvalidInput.into())),
        }
    }
}

impl<const BLOCK: usize> ErrorType for FileFlash<BLOCK> {
    type Error = FileError;
}

impl<const BLOCK: usize> ReadNorFlash for FileFlash<BLOCK> {
    const READ_SIZE: usize = 1;

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), FileError> {
        self.check(offset, bytes.len())?;
        Ok(self.read_at(offset, bytes)?)
    }

    fn capacity(&self) -> usize {
        self.capacity as usize
    }
}

impl<const BLOCK: usize> NorFlash for FileFlash<BLOCK> {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = BLOCK;

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), FileError> {
        self.check(from, to.saturating_sub(from) as usize)?;
        Ok(self.fill(from, to)?)
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), FileError> {
        self.check(offset, bytes.len())?;
        Ok(self.write_at(offset, bytes)?)
    }
}

/// An error of the system.
#[derive(Debug)]
pub struct FileError(pub io::Error);

impl From<io::Error> for FileError {
    fn from(error: io::Error) -> Self {
        FileError(error)
    }
}

impl NorFlashError for FileError {
    fn kind(&self) -> NorFlashErrorKind {
        NorFlashErrorKind::Other
    }
}

/// Runs a call of a [`Store`](crate::Store) over a flash that never makes it wait.
///
/// # Panics
/// If the flash does; a [`FileFlash`] does not.
pub fn block_on<T>(call: impl Future<Output = T>) -> T {
    match pin!(call).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => panic!("this flash makes its caller wait"),
    }
}

#[cfg(test)]
mod tests {
    use monster::device::ResetReason;

    use super::*;
    use crate::Store;

    const CAPACITY: u32 = 16 * 1024;

    #[test]
    fn a_file_keeps_what_was_stored_and_is_its_owners_alone() {
        let path = std::env::temp_dir().join(format!("monster-store-{}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        for start in 1..=3 {
            let flash = FileFlash::<4096>::open(&path, CAPACITY).unwrap();
            let mut store = block_on(Store::open(flash, 0..CAPACITY)).unwrap();
            let starts = block_on(store.count_start(ResetReason::PowerOn)).unwrap();
            assert_eq!(starts.total, start);
        }
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn nothing_is_read_or_written_beyond_the_capacity() {
        let path = std::env::temp_dir().join(format!("monster-store-end-{}", std::process::id()));
        let mut flash = FileFlash::<4096>::open(&path, CAPACITY).unwrap();
        assert!(block_on(flash.read(CAPACITY - 4, &mut [0; 4])).is_ok());
        assert!(block_on(flash.read(CAPACITY - 4, &mut [0; 5])).is_err());
        assert!(block_on(flash.write(CAPACITY, &[0; 4])).is_err());
        assert!(block_on(flash.erase(CAPACITY, CAPACITY + 4096)).is_err());
        std::fs::remove_file(&path).unwrap();
    }
}
