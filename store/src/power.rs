//! The power goes after every single operation of every kind of save.

mod kinds;

use std::collections::BTreeMap;

use embedded_storage_async::nor_flash::NorFlash;
use heapless::Vec as Bytes;
use monster::device::ResetReason;
use monster::memory::Record;
use monster::settings::Settings;

use crate::file::block_on;
use crate::mock::{Cut, CutFile, Mock, NoPower};
use crate::{Name, PASSWORD, Password, SECRET, SettingsError, Starts, Store, StoreError, whole};

/// Everything a device can find in its store.
#[derive(Clone, Debug, PartialEq)]
struct Found {
    settings: Settings,
    starts: Starts,
    /// The records by their keys, in full: what the core makes of them is its own matter.
    records: BTreeMap<u8, Vec<u8>>,
    blobs: [Option<Vec<u8>>; Name::ALL.len()],
    secret: Option<[u8; SECRET]>,
    passwords: [Option<String>; 2],
}

/// A kind of save.
#[derive(Clone, Debug)]
enum Save {
    Settings(Vec<(&'static str, String)>),
    Change(&'static str, Option<String>),
    Record(Record),
    Start(ResetReason),
    Blob(Name, Vec<u8>),
    NoBlob(Name),
    Secret(u8),
    Password(Password, u8),
}

impl Save {
    fn run<F: NorFlash<Error = NoPower>>(
        &self,
        store: &mut Store<F>,
    ) -> Result<(), StoreError<NoPower>> {
        match self {
            Save::Settings(pairs) => {
                let pairs = pairs.iter().map(|(key, text)| (*key, &**text));
                block_on(store.save_settings(pairs)).map_err(only_the_store)
            }
            Save::Change(key, text) => {
                let change = [(*key, text.as_deref())];
                block_on(store.change_settings(change, whole)).map_err(only_the_store)
            }
            Save::Record(record) => block_on(store.save(record)),
            Save::Start(reason) => block_on(store.count_start(*reason)).map(drop),
            Save::Blob(name, bytes) => block_on(store.save_blob(*name, bytes)),
            Save::NoBlob(name) => block_on(store.remove_blob(*name)),
            Save::Secret(salt) => block_on(store.device_secret(|| Some([*salt; SECRET]))).map(drop),
            Save::Password(which, salt) => {
                block_on(store.password(*which, || Some([*salt; PASSWORD]))).map(drop)
            }
        }
    }
}

fn open<F: Cut>(flash: &mut F) -> Result<Store<&mut F>, StoreError<NoPower>> {
    let end = u32::try_from(flash.capacity()).unwrap();
    block_on(Store::open(flash, 0..end))
}

/// What a device finds after the power is back, unless it goes again.
fn look<F: Cut>(flash: &mut F) -> Result<Found, StoreError<NoPower>> {
    let mut store = open(flash)?;
    let records = block_on(records(&mut store))?;
    let starts = block_on(store.read(crate::KEY_STARTS))?;
    let starts = starts.and_then(Starts::read).unwrap_or_default();
    let mut blobs = [const { None }; Name::ALL.len()];
    for (found, name) in blobs.iter_mut().zip(Name::ALL) {
        let mut bytes = vec![0; crate::BLOB_MAX];
        *found = block_on(store.blob(name, &mut bytes))?.map(|length| {
            bytes.truncate(length);
            bytes
        });
    }
    let mut password = |which| -> Result<_, StoreError<NoPower>> {
        let kept = block_on(store.password(which, || None))?;
        Ok(kept.map(|kept| kept.expose().to_owned()))
    };
    let passwords = [
        password(Password::AccessPoint)?,
        password(Password::Console)?,
    ];
    Ok(Found {
        starts,
        settings: block_on(store.settings()).map_err(only_the_store)?,
        records,
        blobs,
        secret: block_on(store.device_secret(|| None))?,
        passwords,
    })
}

fn found<F: Cut>(flash: &mut F) -> Found {
    flash.set_power(None);
    look(flash).unwrap()
}

fn only_the_store(error: SettingsError<NoPower>) -> StoreError<NoPower> {
    match error {
        SettingsError::Store(error) => error,
        other => panic!("{other}"),
    }
}

async fn records<F: Cut>(
    store: &mut Store<&mut F>,
) -> Result<BTreeMap<u8, Vec<u8>>, StoreError<NoPower>> {
    let mut records = BTreeMap::new();
    let map = store.map.as_mut().unwrap();
    let mut items = map.fetch_all_items(&mut store.buffer).await?;
    while let Some((key, bytes)) = items.next::<&[u8]>(&mut store.buffer).await? {
        if let Some(key) = crate::record(key) {
            records.insert(key, bytes.to_vec());
        }
    }
    Ok(records)
}

/// Cuts the power after every `step`th operation of a save, and once more while what is there is
/// put in order and looked at. Then does the save in full.
fn cut_everywhere<F: Cut>(flash: &mut F, save: &Save, step: usize) {
    let old = found(&mut flash.copy());
    let mut after_all = flash.copy();
    save.run(&mut open(&mut after_all).unwrap()).unwrap();
    let operations = after_all.operations() - flash.operations();
    let new = found(&mut after_all.copy());
    assert_ne!(old, new, "{save:?} changes nothing");
    for cut in (0..operations).step_by(step) {
        let mut flash = flash.copy();
        flash.set_power(Some(flash.operations() + cut));
        let done = open(&mut flash).and_then(|mut store| save.run(&mut store));
        // Any number will do: over all cuts it is any.
        flash.set_power(Some(flash.operations() + cut * 7919 % operations));
        let again = look(&mut flash);
        let after = found(&mut flash);
        // Who is told that it is kept finds it, though the room of the old one is not free yet.
        assert!(done == Err(StoreError::Flash(NoPower)) || done == Ok(()) && after == new);
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
    *flash = after_all;
}

fn record(key: u8, bytes: &[u8]) -> Record {
    Record {
        key,
        bytes: Bytes::from_slice(bytes).unwrap(),
    }
}

/// Saves of all kinds, of which none changes nothing.
fn saves() -> impl Iterator<Item = Save> {
    let first = [
        Save::Secret(1),
        Save::Password(Password::AccessPoint, 2),
        Save::Password(Password::Console, 3),
    ];
    let rest = (0u32..).map(|n| match n % 16 {
        0 => Save::Record(record(0, &[1, (n / 16 % 2) as u8])),
        1 => Save::Start(ResetReason::Command),
        2 => Save::Settings(vec![
            ("broker.url", format!("mqtt://host-{n}.example")),
            ("broker.password", "p".repeat(100)),
            ("broker.user", "u".into()),
        ]),
        3 => Save::Change("mqtt.keep_alive", Some(format!("{}", 20 + n / 16 % 30))),
        4 => Save::Change("mqtt.keep_alive", None),
        // A session with a message or two in flight, and one with as much as can be.
        5 => Save::Blob(Name::Session, vec![n as u8; 150]),
        6 => Save::Blob(Name::Session, vec![n as u8; 2058]),
        7 if n % 32 == 7 => Save::Blob(Name::BrokerCa, vec![n as u8; 1500]),
        7 => Save::NoBlob(Name::BrokerCa),
        _ => Save::Record(record(
            16 + (n % 16) as u8,
            format!("\u{1}{n:04}a-command-id-of-thirty-six-bytes").as_bytes(),
        )),
    });
    first.into_iter().chain(rest)
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

#[test]
fn the_same_holds_for_a_file_of_which_a_write_may_be_there_in_part() {
    let mut file = CutFile::new(8);
    open(&mut file).unwrap();
    for save in saves().take(24) {
        cut_everywhere(&mut file, &save, 1);
    }
}

/// Whether a block is erased by this save.
fn needs_an_erasure<const BLOCK: usize>(flash: &Mock<BLOCK>, save: &Save) -> bool {
    let mut after = flash.clone();
    save.run(&mut open(&mut after).unwrap()).unwrap();
    after.erased != flash.erased
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

#[test]
fn a_store_that_is_full_says_so_and_loses_nothing() {
    let mut flash = Mock::<4096>::new(3);
    let mut store = open(&mut flash).unwrap();
    block_on(store.save_settings([("broker.user", "ann")])).unwrap();
    block_on(store.save_blob(Name::Session, &[7; 600])).unwrap();
    let names = [Name::BrokerCa, Name::ClientCertificate, Name::ClientKey];
    for round in 0..4 {
        let kept = names.map(|name| block_on(store.save_blob(name, &[round; 4096])));
        assert_eq!(kept.last(), Some(&Err(StoreError::Full)));
    }
    let mut bytes = [0; 4096];
    assert_eq!(
        block_on(store.blob(Name::Session, &mut bytes)),
        Ok(Some(600))
    );
    assert_eq!(bytes[..600], [7; 600]);
    let user = block_on(store.settings()).unwrap().broker.user;
    assert_eq!(user.as_str(), "ann");
    // Whoever makes room can go on.
    for name in names {
        block_on(store.remove_blob(name)).unwrap();
    }
    block_on(store.save_blob(Name::Session, &[8; 600])).unwrap();
}
