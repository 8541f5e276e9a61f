use monster::device::ResetReason;
use monster::memory::{Memory, Record};
use ring::digest::{SHA256, digest};

use super::*;

struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        Scratch(crate::scratch::folder())
    }

    /// A file as an earlier Monster wrote it.
    fn put(&self, name: &str, content: &[u8]) {
        let sum = digest(&SHA256, content);
        let file = [&sum.as_ref()[..8], content].concat();
        fs::write(self.0.join(name), file).unwrap();
    }

    fn open(&self) -> (Store, Vec<String>) {
        let mut warnings = Vec::new();
        let store = open(&self.0, &mut warnings).unwrap();
        (store, warnings)
    }

    fn files(&self) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(&self.0)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn memory(store: &mut Store) -> String {
    let memory = block_on(store.memory(|key| panic!("{key}"))).unwrap();
    format!("{memory:?}")
}

fn starts(store: &mut Store) -> u32 {
    let starts = block_on(store.count_start(ResetReason::PowerOn)).unwrap();
    starts.total
}

/// The state of a switch that is off, and a command that was carried out.
const SWITCH: &[u8] = &[1, 0];
const COMMAND: &[u8] = b"\x01\0\0\0\0first";

fn expected() -> String {
    let mut memory = Memory::default();
    memory.load(0, SWITCH).unwrap();
    memory.load(16, COMMAND).unwrap();
    format!("{memory:?}")
}

#[test]
fn what_is_kept_is_there_after_a_restart_and_its_owners_alone() {
    let scratch = Scratch::new();
    for start in 1..4 {
        let (mut store, warnings) = scratch.open();
        assert_eq!(starts(&mut store), start);
        assert_eq!(warnings, [""; 0]);
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(scratch.0.join(FILE))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

#[test]
fn what_an_earlier_monster_kept_is_carried_over_once() {
    let scratch = Scratch::new();
    scratch.put("record-00", SWITCH);
    scratch.put("record-10", COMMAND);
    scratch.put("boots", &41u32.to_le_bytes());
    fs::write(scratch.0.join("id"), "kept1\n").unwrap();
    let (mut store, warnings) = scratch.open();
    assert_eq!(warnings, [""; 0]);
    assert_eq!(memory(&mut store), expected());
    assert_eq!(starts(&mut store), 42);
    assert_eq!(scratch.files(), ["id", "store"]);
    // Files that come back, as from a backup, are older than what the device has kept since.
    scratch.put("record-00", &[1, 1]);
    scratch.put("boots", &7u32.to_le_bytes());
    drop(store);
    let (mut store, _) = scratch.open();
    assert_eq!(memory(&mut store), expected());
    assert_eq!(starts(&mut store), 43);
}

#[test]
fn who_loses_power_while_it_is_carried_over_finds_all_of_it() {
    let scratch = Scratch::new();
    scratch.put("record-00", SWITCH);
    scratch.put("record-10", COMMAND);
    // As far as that went before: some of it is in a store that is not finished.
    let mut store = open_file(&scratch.0.join(UNFINISHED)).unwrap();
    let record = Record {
        key: 0,
        bytes: [1, 1].into_iter().collect(),
    };
    block_on(store.save(&record)).unwrap();
    drop(store);
    let (mut store, _) = scratch.open();
    assert_eq!(memory(&mut store), expected());
    assert_eq!(scratch.files(), ["store"]);
}

#[test]
fn what_of_it_is_damaged_is_left_out_with_a_warning_and_left_where_it_is() {
    let scratch = Scratch::new();
    scratch.put("record-00", SWITCH);
    scratch.put("record-10", COMMAND);
    let path = scratch.0.join("record-11");
    fs::write(&path, "no checksum at all").unwrap();
    let (mut store, warnings) = scratch.open();
    let warning = format!("{} is not used: it is damaged", path.display());
    assert_eq!(warnings, [warning]);
    assert_eq!(memory(&mut store), expected());
    assert_eq!(scratch.files(), ["record-11", "store"]);
}

#[test]
fn what_of_it_cannot_be_read_is_an_error_that_changes_nothing() {
    let scratch = Scratch::new();
    scratch.put("record-00", SWITCH);
    fs::create_dir(scratch.0.join("record-10")).unwrap();
    let error = open(&scratch.0, &mut Vec::new()).err().unwrap().to_string();
    assert!(
        error.contains("record-10") && error.contains("--state DIR"),
        "{error}"
    );
    assert_eq!(scratch.files(), ["record-00", "record-10"]);
}

#[test]
fn a_store_that_is_no_file_is_an_error_and_one_that_is_nonsense_a_warning() {
    let scratch = Scratch::new();
    let path = scratch.0.join(FILE);
    fs::create_dir(&path).unwrap();
    let error = open(&scratch.0, &mut Vec::new()).err().unwrap().to_string();
    assert!(
        error.contains(FILE) && error.contains("--state DIR"),
        "{error}"
    );
    fs::remove_dir(&path).unwrap();
    fs::write(&path, vec![0x55; 10_000]).unwrap();
    let (_, warnings) = scratch.open();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    let (_, warnings) = scratch.open();
    assert_eq!(warnings, [""; 0]);
}

#[test]
fn stored_settings_are_seen_while_a_device_uses_them() {
    let scratch = Scratch::new();
    assert_eq!(stored_settings(&scratch.0).unwrap(), []);
    let (mut store, _) = scratch.open();
    assert_eq!(stored_settings(&scratch.0).unwrap(), []);
    block_on(store.save_settings([("broker.user", "ann")])).unwrap();
    let ann = ("broker.user".to_owned(), "ann".to_owned());
    assert_eq!(stored_settings(&scratch.0).unwrap(), [ann]);
}
