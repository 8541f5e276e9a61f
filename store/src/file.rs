//! A file that stands in for flash, for a computer, and to prepare a board's flash on one.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::future::Future;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::Path;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use embedded_storage_async::nor_flash::{
    ErrorType, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash,
};

/// What every byte of erased flash is.
const ERASED: u8 = 0xff;
/// How often a copy is compared with the file at most.
const COPIES: usize = 10;

/// A file as NOR flash with erase blocks of `BLOCK` bytes. Every write is durable when it returns.
///
/// It is read once, when it is opened: one process at a time may write to it.
pub struct FileFlash<const BLOCK: usize = 4096> {
    /// `None` for one that is in memory alone.
    file: Option<File>,
    bytes: Vec<u8>,
}

/// Not its bytes: there are passwords among them.
impl<const BLOCK: usize> fmt::Debug for FileFlash<BLOCK> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileFlash")
            .field("file", &self.file)
            .finish_non_exhaustive()
    }
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
        let mut file = options.open(path)?;
        let mut bytes = content(&mut file, capacity)?;
        let missing = bytes.len();
        bytes.resize(capacity as usize, ERASED);
        if let Some(missing) = bytes.get(missing..).filter(|missing| !missing.is_empty()) {
            file.write_all(missing)?;
            file.sync_all()?;
        }
        Ok(FileFlash {
            file: Some(file),
            bytes,
        })
    }

    /// A flash that is nowhere but in memory, erased.
    pub fn in_memory(capacity: u32) -> Self {
        FileFlash {
            file: None,
            bytes: vec![ERASED; capacity as usize],
        }
    }

    /// A copy of the flash in the file, which may be another process's: what is written to it is
    /// nowhere else.
    ///
    /// # Errors
    /// Those of the system; there is no such file.
    pub fn copy(path: &Path, capacity: u32) -> io::Result<Self> {
        let mut bytes = content(&mut File::open(path)?, capacity)?;
        // Whoever writes meanwhile would be seen in part.
        for _ in 0..COPIES {
            let again = content(&mut File::open(path)?, capacity)?;
            if core::mem::replace(&mut bytes, again) == bytes {
                break;
            }
        }
        bytes.resize(capacity as usize, ERASED);
        Ok(FileFlash { file: None, bytes })
    }

    fn write_at(&mut self, offset: u32, bytes: &[u8]) -> Result<(), FileError> {
        let place = place(offset, bytes.len());
        let place = self.bytes.get_mut(place).ok_or(OUT_OF_BOUNDS)?;
        if let Some(file) = &mut self.file {
            file.seek(SeekFrom::Start(offset.into()))?;
            file.write_all(bytes)?;
            file.sync_data()?;
        }
        place.copy_from_slice(bytes);
        Ok(())
    }
}

/// What the first `capacity` bytes of a file are, or as many as there are.
fn content(file: &mut File, capacity: u32) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(capacity.into()).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn place(offset: u32, length: usize) -> Range<usize> {
    let start = offset as usize;
    start..start.saturating_add(length)
}

impl<const BLOCK: usize> ErrorType for FileFlash<BLOCK> {
    type Error = FileError;
}

impl<const BLOCK: usize> ReadNorFlash for FileFlash<BLOCK> {
    const READ_SIZE: usize = 1;

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), FileError> {
        let found = self.bytes.get(place(offset, bytes.len()));
        bytes.copy_from_slice(found.ok_or(OUT_OF_BOUNDS)?);
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.bytes.len()
    }
}

impl<const BLOCK: usize> NorFlash for FileFlash<BLOCK> {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = BLOCK;

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), FileError> {
        self.write_at(from, &vec![ERASED; to.saturating_sub(from) as usize])
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), FileError> {
        self.write_at(offset, bytes)
    }
}

/// What went wrong with the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileError(pub io::ErrorKind);

const OUT_OF_BOUNDS: FileError = FileError(io::ErrorKind::InvalidInput);

impl From<io::Error> for FileError {
    fn from(error: io::Error) -> Self {
        FileError(error.kind())
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
    fn debug_does_not_show_what_is_in_it() {
        let path = std::env::temp_dir().join(format!("monster-store-shown-{}", std::process::id()));
        let flash = FileFlash::<4096>::open(&path, CAPACITY).unwrap();
        let mut store = block_on(Store::open(flash, 0..CAPACITY)).unwrap();
        block_on(store.save_settings([("broker.user", "ann")])).unwrap();
        drop(store);
        let flash = FileFlash::<4096>::open(&path, CAPACITY).unwrap();
        assert!(flash.bytes.windows(3).any(|bytes| bytes == b"ann"));
        assert!(!format!("{flash:?}").contains("97, 110, 110"));
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn what_is_written_to_a_copy_is_not_in_the_file() {
        let path = std::env::temp_dir().join(format!("monster-store-copy-{}", std::process::id()));
        assert!(FileFlash::<4096>::copy(&path, CAPACITY).is_err());
        let flash = FileFlash::<4096>::open(&path, CAPACITY).unwrap();
        let mut store = block_on(Store::open(flash, 0..CAPACITY)).unwrap();
        block_on(store.save_settings([("broker.user", "ann")])).unwrap();
        let before = std::fs::read(&path).unwrap();
        for _ in 0..2 {
            let copy = FileFlash::<4096>::copy(&path, CAPACITY).unwrap();
            let mut store = block_on(Store::open(copy, 0..CAPACITY)).unwrap();
            let user = block_on(store.settings()).unwrap().broker.user;
            assert_eq!(user.as_str(), "ann");
            block_on(store.factory_reset()).unwrap();
        }
        assert_eq!(std::fs::read(&path).unwrap(), before);
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
