//! What a year of use does to the flash of a board: the store itself, over a flash that counts.

use std::fs;

use embedded_storage_async::nor_flash::{ErrorType, NorFlash, ReadNorFlash};
use heapless::Vec as Bytes;
use monster::device::ResetReason;
use monster::memory::Record;
use monster_store::file::{FileError, FileFlash, block_on};
use monster_store::{Name, Password, Store, StoreError};

use crate::command::{Failed, root};

/// Where the table stands that this prints.
const DOCUMENT: &str = "docs/store.md";
/// How often a sector of NOR flash can be erased, as its makers promise.
const ENDURANCE: u32 = 100_000;
const MINUTES: u32 = 365 * 24 * 60;

/// A year, and how often a sector may be erased in it: of 4 KiB, of 256 KiB.
struct Year {
    what: &'static str,
    minute: fn(&mut Device<'_>, u32),
    most: [u32; 2],
}

const YEARS: [Year; 3] = [
    Year {
        what: "typical: 40 changes of the switch, 60 commands with ids and a restart a day, other \
               settings every week",
        minute: typical,
        most: [50, 1],
    },
    Year {
        what: "the switch changes all the time: with `restore` it is stored once a minute",
        minute: |device, minute| device.switch(minute),
        most: [230, 7],
    },
    Year {
        what: "a command with an id every 10 s",
        minute: |device, minute| (0..6).for_each(|n| device.command(minute * 6 + n)),
        most: [5_500, 160],
    },
];

/// Prints the table, and checks it.
pub fn wear() -> Result<(), Failed> {
    let mut table =
        String::from("| a year | ESP32-C3: 8 × 4 KiB | `virt`: 4 × 256 KiB |\n|---|---:|---:|\n");
    for year in &YEARS {
        let erased = [
            play::<4096>(8, year.minute),
            play::<{ 256 * 1024 }>(4, year.minute),
        ];
        let [small, large] = erased;
        table += &format!("| {} | {} | {} |\n", year.what, told(small), told(large));
        if small > year.most[0] || large > year.most[1] {
            return Err(Failed::Advice(format!(
                "a sector is erased {erased:?} times a year, and at most {:?} is allowed: {}",
                year.most, year.what
            )));
        }
    }
    print!("Erasures of the sector that is erased most:\n\n{table}");
    let path = root().join(DOCUMENT);
    let said = fs::read_to_string(&path).map_err(|error| Failed::Start(DOCUMENT.into(), error))?;
    if said.contains(&table) {
        Ok(())
    } else {
        Err(Failed::Advice(format!(
            "{DOCUMENT} says otherwise: put this table there"
        )))
    }
}

fn told(erased: u32) -> String {
    match ENDURANCE.checked_div(erased) {
        Some(years) if years < 1_000 => format!("{erased} ({years} years)"),
        _ => format!("{erased} (> 1,000 years)"),
    }
}

/// Plays a year; how often the sector was erased that was erased most.
fn play<const SECTOR: usize>(sectors: usize, minute: fn(&mut Device<'_>, u32)) -> u32 {
    let capacity = (SECTOR * sectors) as u32;
    let mut flash = Counted {
        flash: FileFlash::<SECTOR>::in_memory(capacity),
        erased: vec![0; sectors],
    };
    let mut store = block_on(Store::open(&mut flash, 0..capacity)).expect("a store");
    let mut device = Device(&mut store);
    device.set_up();
    for number in 0..MINUTES {
        minute(&mut device, number);
    }
    flash.erased.into_iter().max().unwrap_or(0)
}

fn typical(device: &mut Device<'_>, minute: u32) {
    let (day, of_day) = (minute / 1440, minute % 1440);
    if of_day % 36 == 0 {
        device.switch(of_day / 36);
    }
    if of_day % 24 == 0 {
        device.command(minute);
    }
    if of_day == 720 {
        // Now and then the broker was away just then.
        if day % 7 == 0 {
            device.keep_session(minute);
            device.change_settings(day);
        }
        device.start(day);
    }
}

/// What a device does to its store.
struct Device<'a>(&'a mut dyn Saves);

impl Device<'_> {
    /// What there is from the first day on, and has to be carried along.
    fn set_up(&mut self) {
        self.0.settings(0);
        self.0.blob(Name::BrokerCa, &[b'A'; 1500]);
        self.0.secrets();
    }

    fn switch(&mut self, number: u32) {
        self.0.record(0, &[1, (number % 2) as u8]);
    }

    /// An id of so many bytes as a UUID has.
    fn command(&mut self, number: u32) {
        let id = format!("\u{1}{:4}{number:036}", "");
        self.0.record(16 + (number % 16) as u8, id.as_bytes());
    }

    fn start(&mut self, day: u32) {
        let reasons = [ResetReason::Command, ResetReason::PowerOn];
        self.0.start(reasons[day as usize % 2]);
    }

    fn keep_session(&mut self, number: u32) {
        self.0.blob(Name::Session, &[number as u8; 300]);
        self.0.no_blob(Name::Session);
    }

    fn change_settings(&mut self, number: u32) {
        self.0.settings(number);
    }
}

/// A store, whatever its flash.
trait Saves {
    fn record(&mut self, key: u8, bytes: &[u8]);
    fn start(&mut self, reason: ResetReason);
    fn settings(&mut self, number: u32);
    fn blob(&mut self, name: Name, bytes: &[u8]);
    fn no_blob(&mut self, name: Name);
    fn secrets(&mut self);
}

impl<F: NorFlash<Error = FileError>> Saves for Store<F> {
    fn record(&mut self, key: u8, bytes: &[u8]) {
        let bytes = Bytes::from_slice(bytes).expect("no record is longer");
        done(block_on(self.save(&Record { key, bytes })));
    }

    fn start(&mut self, reason: ResetReason) {
        done(block_on(self.count_start(reason)).map(drop));
    }

    fn settings(&mut self, number: u32) {
        let user = format!("user-{number:05}");
        let pairs = [
            ("wifi.ssid", "a network at home"),
            ("wifi.password", "a password of it"),
            ("broker.url", "mqtts://broker.example"),
            ("broker.user", &*user),
            ("broker.password", "correct horse battery staple"),
            ("switch.power_on", "restore"),
        ];
        block_on(self.save_settings(pairs)).expect("room for settings");
    }

    fn blob(&mut self, name: Name, bytes: &[u8]) {
        done(block_on(self.save_blob(name, bytes)));
    }

    fn no_blob(&mut self, name: Name) {
        done(block_on(self.remove_blob(name)));
    }

    fn secrets(&mut self) {
        done(block_on(self.device_secret(|| Some([7; 32]))).map(drop));
        for which in [Password::AccessPoint, Password::Console] {
            done(block_on(self.password(which, || Some([7; 12]))).map(drop));
        }
    }
}

fn done(result: Result<(), StoreError<FileError>>) {
    result.expect("it is stored");
}

/// A flash that counts how often each of its sectors is erased.
struct Counted<const SECTOR: usize> {
    flash: FileFlash<SECTOR>,
    erased: Vec<u32>,
}

impl<const SECTOR: usize> ErrorType for Counted<SECTOR> {
    type Error = FileError;
}

impl<const SECTOR: usize> ReadNorFlash for Counted<SECTOR> {
    const READ_SIZE: usize = 1;

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), FileError> {
        self.flash.read(offset, bytes).await
    }

    fn capacity(&self) -> usize {
        self.flash.capacity()
    }
}

impl<const SECTOR: usize> NorFlash for Counted<SECTOR> {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = SECTOR;

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), FileError> {
        for sector in (from as usize..to as usize).step_by(SECTOR) {
            self.erased[sector / SECTOR] += 1;
        }
        self.flash.erase(from, to).await
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), FileError> {
        self.flash.write(offset, bytes).await
    }
}
