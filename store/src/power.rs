//! The power goes after every single operation of every kind of save.

use std::collections::BTreeMap;

use heapless::Vec as Bytes;
use monster::device::ResetReason;
use monster::memory::Record;
use monster::settings::Settings;

use crate::file::block_on;
use crate::mock::{Mock, NoPower};
use crate::{SettingsError, Starts, Store, StoreError};

/// Everything a device can find in its store.
#[derive(Clone, Debug, PartialEq)]
struct Found {
    settings: Settings,
    starts: Starts,
    /// The records by their keys, in full: what the core makes of them is its own matter.
    records: BTreeMap<u8, Vec<u8>>,
}

/// A kind of save.
#[derive(Clone, Debug)]
enum Save {
    Settings(Vec<(&'static str, String)>),
    Record(Record),
    Start(ResetReason),
}

impl Save {
    fn run<const BLOCK: usize>(
        &self,
        store: &mut Store<&mut Mock<BLOCK>>,
    ) -> Result<(), StoreError<NoPower>> {
        match self {
            Save::Settings(pairs) => {
                let pairs = pairs.iter().map(|(key, text)| (*key, &**text));
                block_on(store.save_settings(pairs)).map_err(only_the_store)
            }
            Save::Record(record) => block_on(store.save(record)),
            Save::Start(reason) => block_on(store.count_start(*reason)).map(drop),
        }
    }
}

fn open<const BLOCK: usize>(
    flash: &mut Mock<BLOCK>,
) -> Result<Store<&mut Mock<BLOCK>>, StoreError<NoPower>> {
    let end = u32::try_from(flash.bytes.len()).unwrap();
    block_on(Store::open(flash, 0..end))
}

/// What a device finds after the power is back, unless it goes again.
fn look<const BLOCK: usize>(flash: &mut Mock<BLOCK>) -> Result<Found, StoreError<NoPower>> {
    let mut store = open(flash)?;
    let records = block_on(records(&mut store))?;
    let starts = block_on(store.read(crate::KEY_STARTS))?;
    Ok(Found {
        starts: starts.and_then(Starts::read).unwrap_or_default(),
        settings: block_on(store.settings()).map_err(only_the_store)?,
        records,
    })
}

fn found<const BLOCK: usize>(flash: &mut Mock<BLOCK>) -> Found {
    flash.power = None;
    look(flash).unwrap()
}

fn only_the_store(error: SettingsError<NoPower>) -> StoreError<NoPower> {
    match error {
        SettingsError::Store(error) => error,
        other => panic!("{other}"),
    }
}

async fn records<const BLOCK: usize>(
    store: &mut Store<&mut Mock<BLOCK>>,
) -> Result<BTreeMap<u8, Vec<u8>>, StoreError<NoPower>> {
    let mut records = BTreeMap::new();
    let mut items = store.map.fetch_all_items(&mut store.buffer).await?;
    while let Some((key, bytes)) = items.next::<&[u8]>(&mut store.buffer).await? {
        if let Some(key) = crate::record(key) {
            records.insert(key, bytes.to_vec());
        }
    }
    Ok(records)
}

/// Cuts the power after every `step`th operation of a save, and once more while what is there is
/// put in order and looked at. Then does the save in full.
fn cut_everywhere<const BLOCK: usize>(flash: &mut Mock<BLOCK>, save: &Save, step: usize) {
    let old = found(&mut flash.clone());
    let mut whole = flash.clone();
    save.run(&mut open(&mut whole).unwrap()).unwrap();
    let operations = whole.operations - flash.operations;
    let new = found(&mut whole.clone());
    assert_ne!(old, new, "{save:?} changes nothing");
    for cut in (0..operations).step_by(step) {
        let mut flash = flash.clone();
        flash.power = Some(flash.operations + cut);
        let failed = open(&mut flash).and_then(|mut store| save.run(&mut store));
        assert_eq!(failed, Err(StoreError::Flash(NoPower)));
        // Any number will do: over all cuts it is any.
        flash.power = Some(flash.operations + cut * 7919 % operations);
        let again = look(&mut flash);
        let after = found(&mut flash);
        assert!(
            after == old || after == new,
            "{save:?}, cut after {cut} of {operations} operations:\n{after:#?}\nis neither\n{old:#?}"
        );
        assert!(again.is_err() || again == Ok(after));
        save.run(&mut open(&mut flash).unwrap()).unwrap();
        let but_for_starts = Found {
            starts: new.starts,
            ..found(&mut flash)
        };
        assert_eq!(but_for_starts, new, "the same save after the cut");
    }
    *flash = whole;
}

fn record(key: u8, bytes: &[u8]) -> Record {
    Record {
        key,
        bytes: Bytes::from_slice(bytes).unwrap(),
    }
}

/// Saves of all kinds, of which none changes nothing.
fn saves() -> impl Iterator<Item = Save> {
    (0u32..).map(|n| match n % 8 {
        0 => Save::Record(record(0, &[1, (n / 8 % 2) as u8])),
        1 => Save::Start(ResetReason::Command),
        2 if n % 16 == 2 => Save::Settings(vec![
            ("broker.url", format!("mqtt://host-{n}.example")),
            ("broker.password", "p".repeat(100)),
            ("broker.user", "u".into()),
        ]),
        _ => Save::Record(record(
            16 + (n % 16) as u8,
            format!("\u{1}{n:04}a-command-id-of-thirty-six-bytes").as_bytes(),
        )),
    })
}

#[test]
fn the_old_or_the_new_value_is_there_whole_whenever_the_power_goes() {
    let mut flash = Mock::<4096>::new(4);
    open(&mut flash).unwrap();
    for (n, save) in saves().enumerate() {
        // All kinds at first; later those that need an erasure.
        if n < 24 || needs_an_erasure(&flash, &save) {
            cut_everywhere(&mut flash, &save, 1);
        } else {
            save.run(&mut open(&mut flash).unwrap()).unwrap();
        }
        // All blocks have been through everything that can happen to one.
        if flash.erased.iter().all(|erased| *erased >= 2) {
            break;
        }
    }
}

/// Whether a block is erased by this save.
fn needs_an_erasure<const BLOCK: usize>(flash: &Mock<BLOCK>, save: &Save) -> bool {
    let mut after = flash.clone();
    save.run(&mut open(&mut after).unwrap()).unwrap();
    after.erased != flash.erased
}

#[test]
fn the_same_holds_for_blocks_of_256_kib_where_one_gives_way_to_the_next() {
    const BLOCK: usize = 256 * 1024;
    let fill = |saves: &mut dyn Iterator<Item = Save>| {
        let mut flash = Mock::<BLOCK>::new(2);
        let mut store = open(&mut flash).unwrap();
        let mut count = 0;
        for save in saves {
            save.run(&mut store).unwrap();
            count += 1;
            if store.map.flash().erased.iter().sum::<u32>() > 0 {
                break;
            }
        }
        (flash, count)
    };
    let all = || saves().take(24).chain(long_settings());
    let (_, until_an_erasure) = fill(&mut all());
    let (mut flash, _) = fill(&mut all().take(until_an_erasure - 1));
    let save = all().nth(until_an_erasure - 1).unwrap();
    // To look through such a block takes long; that nothing depends on its size is seen by then.
    cut_everywhere(&mut flash, &save, 11);
    assert_eq!(flash.erased.iter().sum::<u32>(), 1);
}

/// Settings that take room, each time others.
fn long_settings() -> impl Iterator<Item = Save> {
    (0..).map(|n| {
        Save::Settings(vec![
            ("broker.user", format!("{n:0128}")),
            ("broker.password", "p".repeat(256)),
            ("classic.on", "x".repeat(64)),
            ("classic.off", "y".repeat(64)),
        ])
    })
}

#[test]
fn flash_with_anything_in_it_becomes_a_store() {
    let mut fillings: Vec<Vec<u8>> = vec![vec![0; 16384], vec![0x55; 16384]];
    let mut state = 1u32;
    for _ in 0..50 {
        fillings.push(
            (0..16384)
                .map(|_| {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    (state >> 24) as u8
                })
                .collect(),
        );
    }
    for bytes in fillings {
        let mut flash = Mock::<4096>::new(4);
        flash.bytes = bytes;
        let save = Save::Start(ResetReason::PowerOn);
        save.run(&mut open(&mut flash).unwrap()).unwrap();
        assert_eq!(found(&mut flash).starts.total, 1);
    }
}

#[test]
fn a_store_of_a_newer_monster_is_left_as_it_is() {
    let mut flash = Mock::<4096>::new(2);
    let mut store = open(&mut flash).unwrap();
    block_on(store.write(crate::KEY_SCHEMA, &[9])).unwrap();
    let before = flash.bytes.clone();
    let error = open(&mut flash).err();
    assert_eq!(error, Some(StoreError::Newer { version: 9 }));
    assert_eq!(flash.bytes, before);
}

#[test]
fn a_region_that_is_not_two_to_eight_whole_blocks_is_refused() {
    let mut flash = Mock::<4096>::new(10);
    for region in [0..4096, 0..8191, 1..8193, 0..9 * 4096, 40960..49152] {
        let error = block_on(Store::open(&mut flash, region)).err();
        assert_eq!(error, Some(StoreError::Region));
    }
    for region in [0..8192, 8192..40960] {
        assert!(block_on(Store::open(&mut flash, region)).is_ok());
    }
}

#[test]
fn settings_that_are_refused_leave_the_old_ones() {
    let mut flash = Mock::<4096>::new(2);
    let mut store = open(&mut flash).unwrap();
    block_on(store.save_settings([("broker.user", "old")])).unwrap();
    for wrong in [
        [("broker.user", "new"), ("mqtt.keep_alive", "x")],
        [
            ("classic.enabled", "false"),
            ("structured.enabled", "false"),
        ],
    ] {
        block_on(store.save_settings(wrong)).unwrap_err();
        let settings = block_on(store.settings()).unwrap();
        assert_eq!(settings.broker.user.as_str(), "old");
    }
}

#[test]
fn the_core_finds_the_newest_of_its_records_and_hears_of_the_damaged() {
    let mut flash = Mock::<4096>::new(2);
    let mut store = open(&mut flash).unwrap();
    for bytes in [&[1, 0], &[1, 1], &[1, 0]] {
        block_on(store.save(&record(0, bytes))).unwrap();
    }
    block_on(store.save(&record(77, &[9]))).unwrap();
    let mut damaged = vec![];
    let memory = block_on(store.memory(|key| damaged.push(key))).unwrap();
    assert_eq!(damaged, [77]);
    let mut expected = monster::memory::Memory::default();
    expected.load(0, &[1, 0]).unwrap();
    assert_eq!(format!("{memory:?}"), format!("{expected:?}"));
}

#[test]
fn all_blocks_wear_alike() {
    let mut flash = Mock::<4096>::new(8);
    let mut store = open(&mut flash).unwrap();
    for save in saves().take(5_000) {
        save.run(&mut store).unwrap();
    }
    let (least, most) = (flash.erased.iter().min(), flash.erased.iter().max());
    assert!(most.unwrap() - least.unwrap() <= 1, "{:?}", flash.erased);
}
