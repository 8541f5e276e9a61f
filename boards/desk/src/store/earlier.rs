//! What a Monster kept before it had a store: each record a file of its own, behind a checksum.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use monster::memory::{Memory, Record};
use monster_store::file::{FileError, block_on};
use monster_store::{Starts, StoreError};
use ring::digest::{SHA256, digest};

use super::{Store, StoreFailure, failed};

/// How many bytes of its SHA-256 go before a record.
const CHECKSUM: usize = 8;
/// The file that counts the starts.
const STARTS: &str = "boots";

/// What there is of it.
#[derive(Debug, Default)]
pub struct Earlier {
    records: Vec<Record>,
    starts: u32,
    /// The files it is in.
    files: Vec<PathBuf>,
}

impl Earlier {
    /// What is in this folder, if anything is. What is damaged is left out, and its file stays.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn find(folder: &Path, warnings: &mut Vec<String>) -> Result<Option<Self>, StoreFailure> {
        let mut earlier = Earlier::default();
        for key in 0..=u8::MAX {
            let path = folder.join(format!("record-{key:02x}"));
            if let Some(bytes) = read(&path)? {
                match record(key, &bytes) {
                    Some(record) => {
                        earlier.records.push(record);
                        earlier.files.push(path);
                    }
                    None => warnings.push(damaged(&path)),
                }
            }
        }
        let path = folder.join(STARTS);
        if let Some(bytes) = read(&path)? {
            match content(&bytes).and_then(|bytes| bytes.try_into().ok()) {
                Some(starts) => {
                    earlier.starts = u32::from_le_bytes(starts);
                    earlier.files.push(path);
                }
                None => warnings.push(damaged(&path)),
            }
        }
        Ok((!earlier.files.is_empty()).then_some(earlier))
    }

    pub fn put_into(&self, store: &mut Store) -> Result<(), StoreError<FileError>> {
        for record in &self.records {
            block_on(store.save(record))?;
        }
        // It did not count the reasons.
        block_on(store.set_starts(Starts {
            total: self.starts,
            ..Starts::default()
        }))
    }

    /// Removes the files. One that stays is in nobody's way.
    pub fn remove(&self) {
        for path in &self.files {
            let _ = fs::remove_file(path);
        }
    }
}

fn read(path: &Path) -> Result<Option<Vec<u8>>, StoreFailure> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(path)(error)),
    }
}

/// The record in a file, if it is whole and one that a device takes.
fn record(key: u8, file: &[u8]) -> Option<Record> {
    let bytes = content(file)?;
    Memory::default().load(key, bytes).ok()?;
    let bytes = bytes.iter().copied().collect();
    Some(Record { key, bytes })
}

/// What is behind the checksum, if it is right.
fn content(file: &[u8]) -> Option<&[u8]> {
    let (sum, content) = file.split_at_checked(CHECKSUM)?;
    let digest = digest(&SHA256, content);
    digest.as_ref().starts_with(sum).then_some(content)
}

fn damaged(path: &Path) -> String {
    format!("{} is not used: it is damaged", path.display())
}
