//! What the device keeps over restarts: the same store as a board's, in a file of the state folder that
//! stands for its flash.

mod earlier;

use std::fmt;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use monster_store::file::{FileError, FileFlash, block_on};
use monster_store::{BLOCKS_MAX, StoreError};

use earlier::Earlier;

/// The store of a desk.
pub type Store = monster_store::Store<FileFlash<BLOCK>>;

/// The file in the state folder.
const FILE: &str = "store";
/// A store that is still being made of what an earlier Monster kept.
const UNFINISHED: &str = "store.new";
const BLOCK: usize = 4096;
const CAPACITY: u32 = (BLOCKS_MAX * BLOCK) as u32;

/// Opens the store in this folder, which must exist. The first time it takes in what an earlier
/// Monster kept there in files of its own; whoever loses power meanwhile finds those as they were.
///
/// # Errors
/// Something that is there cannot be read; then nothing is changed.
pub fn open(folder: &Path, warnings: &mut Vec<String>) -> Result<Store, StoreFailure> {
    let path = folder.join(FILE);
    if !path.try_exists().map_err(failed(&path))? {
        carry_over(folder, warnings)?;
    }
    let store = open_file(&path)?;
    sync_folder(folder).map_err(failed(folder))?;
    if store.was_damaged() {
        let path = path.display();
        warnings.push(format!("{path} could not be read; what was stored is gone"));
    }
    if let Some(version) = store.newer() {
        warnings.push(StoreError::<()>::Newer { version }.to_string());
    }
    Ok(store)
}

/// The settings that are stored in this folder, whoever else uses it right now: for each its key and
/// its text. None if there are none.
///
/// # Errors
/// They cannot be read.
pub fn stored_settings(folder: &Path) -> Result<Vec<(String, String)>, StoreFailure> {
    let path = folder.join(FILE);
    match FileFlash::copy(&path, CAPACITY) {
        Ok(flash) => {
            let mut store = open_flash(flash, &path)?;
            settings_of(&mut store).map_err(|error| StoreFailure(path, error))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(failed(&path)(error)),
    }
}

/// The settings that are stored, as they were set.
///
/// # Errors
/// They are damaged, or a newer Monster's.
pub fn settings_of(store: &mut Store) -> Result<Vec<(String, String)>, String> {
    let pairs = block_on(store.pairs()).map_err(|error| error.to_string())?;
    let owned = |(key, text): (&str, &str)| (key.to_owned(), text.to_owned());
    Ok(pairs.iter().map(owned).collect())
}

/// Makes a store of what an earlier Monster kept, if it did; its files are removed once it is there.
fn carry_over(folder: &Path, warnings: &mut Vec<String>) -> Result<(), StoreFailure> {
    let Some(earlier) = Earlier::find(folder, warnings)? else {
        return Ok(());
    };
    let unfinished = folder.join(UNFINISHED);
    match fs::remove_file(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(failed(&unfinished)(error));
        }
        _ => {}
    }
    let mut store = open_file(&unfinished)?;
    let put = earlier.put_into(&mut store);
    put.map_err(|error| StoreFailure(unfinished.clone(), error.to_string()))?;
    drop(store);
    fs::rename(&unfinished, folder.join(FILE)).map_err(failed(&unfinished))?;
    sync_folder(folder).map_err(failed(folder))?;
    earlier.remove();
    Ok(())
}

fn open_file(path: &Path) -> Result<Store, StoreFailure> {
    let flash = FileFlash::open(path, CAPACITY).map_err(failed(path))?;
    open_flash(flash, path)
}

fn open_flash(flash: FileFlash<BLOCK>, path: &Path) -> Result<Store, StoreFailure> {
    let opened = block_on(Store::open(flash, 0..CAPACITY));
    opened.map_err(|error: StoreError<FileError>| StoreFailure(path.into(), error.to_string()))
}

/// Puts a file of this content in place of the one with this name, if there is one, in one step.
///
/// # Errors
/// Those of the system; then the old file is still there.
pub fn replace(folder: &Path, name: &str, content: &[u8]) -> io::Result<()> {
    use std::io::Write;
    let new = folder.join(format!("{name}.new"));
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&new)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&new, folder.join(name))?;
    sync_folder(folder)
}

/// Makes new names durable. Only Unix opens folders as files; elsewhere the system does it.
fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) {
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}

/// Why there is no store: the file, and what is wrong with it.
#[derive(Debug)]
pub struct StoreFailure(PathBuf, String);

fn failed(path: &Path) -> impl Fn(io::Error) -> StoreFailure {
    move |error| StoreFailure(path.to_owned(), error.to_string())
}

impl fmt::Display for StoreFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "what this device keeps cannot be read: {}: {}; nothing is changed. Mend it, or name \
             another folder: --state DIR",
            self.0.display(),
            self.1
        )
    }
}

#[cfg(test)]
mod tests;
