//! Every kind of save, cut after every single operation, on blocks of both boards: where there is room
//! for it, and where a block has to be erased first.

use std::collections::BTreeMap;
use std::ops::Range;

use super::*;
use crate::mock::Change;
use crate::{KEY_RECORDS, KEY_SETTINGS, KEY_STARTS, Key};

/// The erase block of the ESP32-C3, and that of QEMU's flash.
const SMALL: usize = 4096;
const LARGE: usize = 256 * 1024;

/// A save of each kind: what it is called, what is stored before, and what takes its place.
fn kinds() -> [(&'static str, Option<Save>, Save); 14] {
    let settings = |user: &str| {
        Save::Settings(vec![
            ("broker.url", "mqtt://host.example".into()),
            ("broker.user", user.into()),
            ("mqtt.keep_alive", "30".into()),
        ])
    };
    let keep_alive = |text: Option<&str>| Save::Change("mqtt.keep_alive", text.map(Into::into));
    let blob = |name, length, byte| Save::Blob(name, vec![byte; length]);
    let ca = |byte| blob(Name::BrokerCa, 1500, byte);
    let session = |length, byte| blob(Name::Session, length, byte);
    let id = |byte| Save::Record(record(20, &[byte; 40]));
    let start = Save::Start(ResetReason::Command);
    [
        ("secret", None, Save::Secret(1)),
        (
            "access point's password",
            None,
            Save::Password(Password::AccessPoint, 2),
        ),
        (
            "console's password",
            None,
            Save::Password(Password::Console, 3),
        ),
        ("settings", Some(settings("old")), settings("new")),
        ("setting", Some(settings("old")), keep_alive(Some("40"))),
        (
            "setting taken back",
            Some(settings("old")),
            keep_alive(None),
        ),
        ("record", Some(id(1)), id(2)),
        ("start", Some(start.clone()), start),
        ("first session", None, session(150, 2)),
        ("session", Some(session(150, 1)), session(150, 2)),
        ("long session", Some(session(2058, 1)), session(2058, 2)),
        ("shorter session", Some(session(2058, 1)), session(150, 2)),
        ("certificate", Some(ca(1)), ca(2)),
        (
            "certificate taken away",
            Some(ca(1)),
            Save::NoBlob(Name::BrokerCa),
        ),
    ]
}

impl Save {
    /// Under which keys of the map it keeps what it saves.
    fn keys(&self) -> Range<Key> {
        let one = |key| key..key + 1;
        match self {
            Save::Settings(_) | Save::Change(..) => one(KEY_SETTINGS),
            Save::Record(record) => one(KEY_RECORDS + Key::from(record.key)),
            Save::Start(_) => one(KEY_STARTS),
            Save::Blob(name, _) | Save::NoBlob(name) => name.keys(),
            Save::Secret(_) => one(crate::secret::KEY_SECRET),
            Save::Password(which, _) => one(which.key()),
        }
    }

    /// What is found of it, as the device asks for it.
    fn found<F: Cut>(&self, store: &mut Store<&mut F>) -> String {
        match self {
            Save::Settings(_) | Save::Change(..) => {
                format!("{:?}", block_on(store.settings()).unwrap())
            }
            Save::Record(record) => {
                let key = KEY_RECORDS + Key::from(record.key);
                format!("{:?}", block_on(store.read(key)).unwrap())
            }
            Save::Start(_) => {
                let starts = block_on(store.read(KEY_STARTS)).unwrap();
                format!("{:?}", starts.and_then(Starts::read))
            }
            Save::Blob(name, _) | Save::NoBlob(name) => {
                let mut bytes = [0; crate::BLOB_MAX];
                let length = block_on(store.blob(*name, &mut bytes)).unwrap();
                format!("{:?}", length.map(|length| &bytes[..length]))
            }
            Save::Secret(_) => format!("{:?}", block_on(store.device_secret(|| None)).unwrap()),
            Save::Password(which, _) => {
                let kept = block_on(store.password(*which, || None)).unwrap();
                format!("{:?}", kept.map(|kept| kept.expose().to_owned()))
            }
        }
    }
}

/// What is there of this save, and of all others.
#[derive(Debug, PartialEq)]
struct There {
    its: String,
    others: BTreeMap<Key, Vec<u8>>,
}

/// What a device finds after a start; the flash is as it was afterwards.
fn there<const BLOCK: usize>(flash: &mut Mock<BLOCK>, save: &Save) -> There {
    flash.watch();
    let mut store = open(flash).unwrap();
    let its = save.found(&mut store);
    let mut others = BTreeMap::new();
    let map = store.map.as_mut().unwrap();
    let mut items = block_on(map.fetch_all_items(&mut store.buffer)).unwrap();
    // The newest of a key comes last.
    while let Some((key, bytes)) = block_on(items.next::<&[u8]>(&mut store.buffer)).unwrap() {
        if !save.keys().contains(&key) {
            others.insert(key, bytes.to_vec());
        }
    }
    let done = flash.watched();
    done.iter().rev().for_each(|change| flash.take_back(change));
    There { its, others }
}

/// Cuts the power after every operation of a save. What it does before the power goes does not depend
/// on when that will be: so it is done once, and its operations again, one after the other. Returns how
/// many there are, and whether a block is erased by them.
fn cut_after_each<const BLOCK: usize>(flash: &mut Mock<BLOCK>, save: &Save) -> (u32, bool) {
    let old = there(flash, save);
    let before = flash.operations;
    flash.watch();
    save.run(&mut open(flash).unwrap()).unwrap();
    let operations: Vec<Change> = flash.watched();
    let count = flash.operations - before;
    assert_eq!(u32::try_from(operations.len()), Ok(count), "each is one");
    let new = there(flash, save);
    assert_ne!(old.its, new.its, "{save:?} changes nothing");
    assert_eq!(old.others, new.others, "{save:?} changes something else");
    let take_back = |change| flash.take_back(change);
    operations.iter().rev().for_each(take_back);
    for (done, operation) in operations.iter().enumerate() {
        let found = there(flash, save);
        assert!(
            found == old || found == new,
            "{save:?}, cut after {done} of {count} operations:\n{found:?}\nis neither\n{old:?}\nnor\n{new:?}"
        );
        flash.do_again(operation);
    }
    assert_eq!(there(flash, save), new);
    let erases = operations.iter().any(Change::is_erasure);
    (count, erases)
}

/// A flash with something of each short kind in it, written over and over until its first block is
/// nearly full, if a block is that large.
fn used<const BLOCK: usize>() -> Mock<BLOCK> {
    let mut flash = Mock::new(if BLOCK == LARGE { 2 } else { 4 });
    let mut store = open(&mut flash).unwrap();
    for n in 0..6 {
        let save = Save::Record(record(30 + n, &[n; 30]));
        save.run(&mut store).unwrap();
    }
    for n in 0..(BLOCK / 1024).saturating_sub(16) {
        filler(n, 1000).run(&mut store).unwrap();
    }
    flash
}

/// What takes room, and is never missed.
fn filler(n: usize, length: usize) -> Save {
    Save::Blob(Name::ClientKey, vec![n as u8; length])
}

/// Fills a flash until the next save, of whatever kind, needs an erasure.
fn fill<const BLOCK: usize>(flash: &mut Mock<BLOCK>) {
    for length in [1000, 100, 1] {
        for n in 0.. {
            let save = filler(n, length);
            if needs_an_erasure(flash, &save) {
                break;
            }
            save.run(&mut open(flash).unwrap()).unwrap();
        }
    }
}

/// Cuts each kind of save everywhere, with room for it and without; returns how many operations that
/// are.
fn cut_every_kind<const BLOCK: usize>() -> u32 {
    let used = &used::<BLOCK>();
    let cut = |(name, before, save): &(&str, Option<Save>, Save)| {
        let counts = [false, true].map(|is_full| {
            let mut flash = match is_full {
                true => used.clone(),
                false => Mock::new(used.erased.len()),
            };
            if let Some(before) = before {
                before.run(&mut open(&mut flash).unwrap()).unwrap();
            }
            if is_full {
                fill(&mut flash);
            }
            let (count, erases) = cut_after_each(&mut flash, save);
            assert!(count > 0 && erases == is_full, "{name}: {count}, {erases}");
            count
        });
        println!(
            "blocks of {BLOCK}, {name}: {} operations, {} with an erasure",
            counts[0], counts[1]
        );
        counts[0] + counts[1]
    };
    let kinds = kinds();
    let (first, second) = kinds.split_at(kinds.len() - 3);
    std::thread::scope(|scope| {
        let others = scope.spawn(|| second.iter().map(cut).sum::<u32>());
        first.iter().map(cut).sum::<u32>() + others.join().unwrap()
    })
}

#[test]
fn every_kind_of_save_is_cut_after_every_operation_in_blocks_of_4_kib() {
    assert!(cut_every_kind::<SMALL>() > 3_000);
}

#[test]
fn every_kind_of_save_is_cut_after_every_operation_in_blocks_of_256_kib() {
    assert!(cut_every_kind::<LARGE>() > 3_000);
}
