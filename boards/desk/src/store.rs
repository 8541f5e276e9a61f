//! The records a device keeps over restarts, each a file in its state folder.
//!
//! Power may go at any instant: a record is written beside the old one, made durable, and then takes
//! its place in one step, so that the old or the new one is there, whole.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use ring::digest::{SHA256, digest};

/// How many bytes of its SHA-256 go before a record: enough to notice what went wrong by chance.
const CHECKSUM: usize = 8;
/// The file that counts the boots.
const BOOTS: &str = "boots";

/// The records in one folder.
#[derive(Debug)]
pub struct Store {
    folder: PathBuf,
}

impl Store {
    /// The records in `folder`, which must exist.
    pub fn new(folder: &Path) -> Self {
        Store {
            folder: folder.to_owned(),
        }
    }

    /// All records that are whole. What is not is left out, with a warning.
    pub fn load(&self, warnings: &mut Vec<String>) -> Vec<(u8, Vec<u8>)> {
        (0..=u8::MAX)
            .filter_map(|key| Some((key, self.read(&name_of(key), warnings)?)))
            .collect()
    }

    /// Keeps `bytes` under `key`, instead of what was kept there.
    ///
    /// # Errors
    /// Those of the system; then what was kept is still there.
    pub fn save(&self, key: u8, bytes: &[u8]) -> io::Result<()> {
        self.write(&name_of(key), bytes, &mut |_| Ok(()))
    }

    /// Forgets every record, and how often there was a boot.
    ///
    /// # Errors
    /// Those of the system; then some may be left.
    pub fn forget(&self) -> io::Result<()> {
        let records = (0..=u8::MAX).map(name_of);
        for name in records.chain([BOOTS.to_owned()]) {
            match fs::remove_file(self.folder.join(name)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        sync_folder(&self.folder)
    }

    /// Counts this boot: how many there have been, this one included.
    pub fn count_boot(&self, warnings: &mut Vec<String>) -> u32 {
        let before = self
            .read(BOOTS, warnings)
            .and_then(|bytes| Some(u32::from_le_bytes(bytes.try_into().ok()?)))
            .unwrap_or(0);
        let boots = before.saturating_add(1);
        if let Err(error) = self.write(BOOTS, &boots.to_le_bytes(), &mut |_| Ok(())) {
            warnings.push(format!("this boot could not be counted: {error}"));
        }
        boots
    }

    fn read(&self, name: &str, warnings: &mut Vec<String>) -> Option<Vec<u8>> {
        let path = self.folder.join(name);
        let wrong = match fs::read(&path) {
            Ok(file) => match file.split_at_checked(CHECKSUM) {
                Some((sum, record)) if *sum == checksum(record) => return Some(record.to_vec()),
                _ => "it is damaged".to_owned(),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => error.to_string(),
        };
        warnings.push(format!("{} is not used: {wrong}", path.display()));
        None
    }

    fn write(
        &self,
        name: &str,
        record: &[u8],
        before: &mut dyn FnMut(Step) -> io::Result<()>,
    ) -> io::Result<()> {
        replace_in_steps(&self.folder, name, &[&checksum(record), record], before)
    }
}

/// Puts a file of this content in place of the one with this name, if there is one, in one step.
///
/// # Errors
/// Those of the system; then the old file is still there.
pub fn replace(folder: &Path, name: &str, content: &[u8]) -> io::Result<()> {
    replace_in_steps(folder, name, &[content], &mut |_| Ok(()))
}

/// Writes a file in steps, before each of which `before` may fail: so can the power.
fn replace_in_steps(
    folder: &Path,
    name: &str,
    parts: &[&[u8]],
    before: &mut dyn FnMut(Step) -> io::Result<()>,
) -> io::Result<()> {
    let new = folder.join(format!("{name}.new"));
    before(Step::Create)?;
    let mut file = private_file(&new)?;
    for (position, part) in parts.iter().enumerate() {
        before(Step::Write(position))?;
        file.write_all(part)?;
    }
    before(Step::Sync)?;
    file.sync_all()?;
    before(Step::Rename)?;
    fs::rename(&new, folder.join(name))?;
    before(Step::SyncFolder)?;
    sync_folder(folder)
}

/// What is done to write a file, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Create,
    /// The part with this number.
    Write(usize),
    Sync,
    Rename,
    SyncFolder,
}

fn name_of(key: u8) -> String {
    format!("record-{key:02x}")
}

fn checksum(record: &[u8]) -> [u8; CHECKSUM] {
    let mut sum = [0; CHECKSUM];
    for (byte, of_digest) in sum.iter_mut().zip(digest(&SHA256, record).as_ref()) {
        *byte = *of_digest;
    }
    sum
}

fn private_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Makes the new name durable. Only Unix opens folders as files; elsewhere the system does it.
fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) {
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Scratch(PathBuf);

    impl Scratch {
        fn new() -> Self {
            Scratch(crate::scratch::folder())
        }

        fn store(&self) -> Store {
            Store::new(&self.0)
        }

        fn load(&self) -> (Vec<(u8, Vec<u8>)>, Vec<String>) {
            let mut warnings = Vec::new();
            (self.store().load(&mut warnings), warnings)
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn records_are_there_again_after_a_restart() {
        let scratch = Scratch::new();
        assert_eq!(scratch.load(), (vec![], vec![]));
        scratch.store().save(7, b"seven").unwrap();
        scratch.store().save(0, b"").unwrap();
        scratch.store().save(255, &[0; 1000]).unwrap();
        scratch.store().save(7, b"VII").unwrap();
        let expected = vec![(0, vec![]), (7, b"VII".to_vec()), (255, vec![0; 1000])];
        assert_eq!(scratch.load(), (expected, vec![]));
    }

    #[test]
    fn a_power_cut_before_any_step_leaves_the_old_or_the_new_record_whole() {
        for (cut, expected) in [
            (Step::Create, "old"),
            (Step::Write(0), "old"),
            (Step::Write(1), "old"),
            (Step::Sync, "old"),
            (Step::Rename, "old"),
            (Step::SyncFolder, "new"),
        ] {
            let scratch = Scratch::new();
            scratch.store().save(1, b"old").unwrap();
            let result = scratch.store().write("record-01", b"new", &mut |step| {
                if step == cut {
                    Err(io::Error::other("power"))
                } else {
                    Ok(())
                }
            });
            assert!(result.is_err(), "{cut:?} is a step");
            let whole = vec![(1, expected.as_bytes().to_vec())];
            assert_eq!(scratch.load(), (whole, vec![]), "{cut:?}");
            // What was left behind is in nobody's way.
            scratch.store().save(1, b"next").unwrap();
            assert_eq!(scratch.load(), (vec![(1, b"next".to_vec())], vec![]));
        }
    }

    #[test]
    fn a_damaged_record_is_left_out_with_a_warning() {
        let scratch = Scratch::new();
        scratch.store().save(1, b"one").unwrap();
        scratch.store().save(2, b"two").unwrap();
        let path = scratch.0.join("record-01");
        let whole = fs::read(&path).unwrap();
        let mut turned = whole.clone();
        turned[CHECKSUM] ^= 1;
        for damaged in [&turned, &whole[..whole.len() - 1], &whole[..3], b""] {
            fs::write(&path, damaged).unwrap();
            let (records, warnings) = scratch.load();
            assert_eq!(records, [(2, b"two".to_vec())]);
            assert_eq!(
                warnings,
                [format!("{} is not used: it is damaged", path.display())]
            );
        }
    }

    #[test]
    fn what_cannot_be_read_is_left_out_with_a_warning() {
        let scratch = Scratch::new();
        fs::create_dir(scratch.0.join("record-01")).unwrap();
        let (records, warnings) = scratch.load();
        assert_eq!(records, []);
        assert_eq!(warnings.len(), 1);
    }

    #[test]
    fn boots_are_counted() {
        let scratch = Scratch::new();
        let mut warnings = Vec::new();
        assert_eq!(scratch.store().count_boot(&mut warnings), 1);
        assert_eq!(scratch.store().count_boot(&mut warnings), 2);
        assert_eq!(warnings, [""; 0]);
        fs::write(scratch.0.join(BOOTS), "rubbish that is long enough").unwrap();
        assert_eq!(scratch.store().count_boot(&mut warnings), 1);
        assert_eq!(warnings.len(), 1);
    }
}
