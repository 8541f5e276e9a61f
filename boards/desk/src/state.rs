//! The folder in which a device keeps what outlives it: one process at a time has it.

use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy;

/// The state folder of this process alone, until it is dropped.
#[derive(Debug)]
pub struct StateFolder {
    path: PathBuf,
    /// Locked; the system unlocks it when the process ends, however it does.
    _lock: File,
}

impl StateFolder {
    /// Makes the folder if there is none, readable to its owner alone, and takes it.
    ///
    /// # Errors
    /// It cannot be made, or another process has it.
    pub fn open(path: PathBuf) -> Result<Self, StateError> {
        let failed = |error| StateError::Unusable(path.clone(), error);
        private_folder().create(&path).map_err(failed)?;
        let lock_path = path.join("lock");
        let mut lock = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(lock_path)
            .map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {
                // Only for the message of the next process that comes.
                let _ = lock.set_len(0);
                let _ = write!(lock, "{}", std::process::id());
                Ok(StateFolder { path, _lock: lock })
            }
            Err(TryLockError::WouldBlock) => Err(StateError::Taken(path, process_in(&lock))),
            Err(TryLockError::Error(error)) => Err(StateError::Unusable(path, error)),
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// The folder `monster` where this platform keeps the state of programs.
pub fn default_folder() -> Option<PathBuf> {
    let base = etcetera::base_strategy::choose_native_strategy().ok()?;
    let folder = base.state_dir().unwrap_or_else(|| base.data_dir());
    Some(folder.join("monster"))
}

fn private_folder() -> DirBuilder {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
}

/// Who wrote their number into the lock, where the system lets us read it.
fn process_in(lock: &File) -> Option<u32> {
    let mut text = String::new();
    lock.take(20).read_to_string(&mut text).ok()?;
    text.parse().ok()
}

/// Why there is no state folder.
#[derive(Debug)]
pub enum StateError {
    /// Another process has it: this one, if it says.
    Taken(PathBuf, Option<u32>),
    /// The system refuses.
    Unusable(PathBuf, io::Error),
}

impl fmt::Display for StateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StateError::Taken(path, process) => {
                f.write_str("another monster")?;
                if let Some(process) = process {
                    write!(f, " (process {process})")?;
                }
                write!(
                    f,
                    " already keeps its state in {}; for a second device, give it its own: \
                     --state DIR --id ID",
                    path.display()
                )
            }
            StateError::Unusable(path, error) => write!(
                f,
                "the state folder {} cannot be used: {error}; name another: --state DIR",
                path.display()
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_made_for_its_owner_alone_and_taken_once() {
        let parent = crate::scratch::folder();
        let path = parent.join("a/b");
        let first = StateFolder::open(path.clone()).unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o700);
        }

        let refused = StateFolder::open(path.clone()).unwrap_err().to_string();
        let process = format!("(process {})", std::process::id());
        #[cfg(unix)]
        assert!(refused.contains(&process), "{refused}");
        assert!(refused.contains("--state DIR --id ID"), "{refused}");

        drop(first);
        StateFolder::open(path).unwrap();
        fs::remove_dir_all(parent).unwrap();
    }

    #[test]
    fn a_file_in_its_place_is_an_error_that_says_what_to_do() {
        let parent = crate::scratch::folder();
        let path = parent.join("file");
        fs::write(&path, "").unwrap();
        let error = StateFolder::open(path).unwrap_err().to_string();
        assert!(error.contains("--state DIR"), "{error}");
        fs::remove_dir_all(parent).unwrap();
    }
}
