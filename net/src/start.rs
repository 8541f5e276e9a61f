//! What a device starts with: what is stored, and what its chip tells of itself.

use core::fmt;
use core::ops::Range;

use embedded_storage_async::nor_flash::NorFlash;
use monster::device::{ResetReason, Start};
use monster::identity::DeviceId;
use monster::memory::StoreFault;
use monster::settings::Settings;
use monster::settings::value::LogLevel;
use monster_store::Store;

use crate::run::Board;

/// What a board finds out about itself before its device starts.
#[derive(Clone, Copy, Debug)]
pub struct Found {
    /// What the chip or its network card is told apart by: its factory address.
    pub address: [u8; 6],
    /// Why the machine was started.
    pub reset: ResetReason,
    /// Chance that nobody else has.
    pub seed: u64,
    /// Whether the button is held down right now.
    pub button_pressed: bool,
}

/// How much chance a board takes at its start, in bytes.
pub const CHANCE: usize = 72;

/// True chance, which nobody can guess, for each who needs it.
pub struct Chance {
    /// For the device's random waits.
    pub seed: u64,
    /// For the keys of encrypted connections.
    pub entropy: [u8; 32],
    /// For the tokens and passwords of the console.
    pub console: [u8; 32],
}

impl Chance {
    /// These bytes, of which none is used twice.
    pub fn of(bytes: &[u8; CHANCE]) -> Option<Self> {
        let (seed, rest) = bytes.split_first_chunk()?;
        Some(Chance {
            seed: u64::from_le_bytes(*seed),
            entropy: *rest.first_chunk()?,
            console: *rest.last_chunk()?,
        })
    }
}

/// Opens a board's store. If it cannot be, that is said, and the device runs with its defaults: what is
/// in the flash stays as it is, and nothing is stored, until a factory reset.
pub async fn open_store<B: Board, F: NorFlash>(flash: Option<F>, region: Range<u32>) -> Store<F> {
    let (store, error) = Store::open_in_any_case(flash, region).await;
    if let Some(error) = error {
        B::log(
            LogLevel::Error,
            format_args!("the store cannot be opened: {error}"),
        );
    }
    store
}

/// Takes what is stored, counts this start, and says both in the log. What cannot be read is said
/// too, and is as if it had never been stored: the device starts all the same.
pub async fn start<B: Board, F: NorFlash>(store: &mut Store<F>, found: Found) -> Start {
    let warn = |text: fmt::Arguments<'_>| B::log(LogLevel::Warn, text);
    if store.was_damaged() {
        warn(format_args!(
            "what was stored could not be read; it is gone"
        ));
    }
    let mut fault = store.fault();
    let settings = store.settings().await.unwrap_or_else(|error| {
        warn(format_args!("the settings are not used: {error}"));
        fault = fault.or(Some(StoreFault::Settings));
        Settings::default()
    });
    let id = settings.id.clone();
    let id = id.unwrap_or_else(|| DeviceId::from_unique_id(found.address));
    let mut memory = store
        .memory(|key| warn(format_args!("the stored record {key} is left out")))
        .await
        .unwrap_or_else(|error| {
            warn(format_args!("nothing is remembered: {error}"));
            Default::default()
        });
    memory.fault = fault;
    let starts = store
        .count_start(found.reset)
        .await
        .unwrap_or_else(|error| {
            warn(format_args!("this start is not counted: {error}"));
            Default::default()
        });
    let reset = found.reset.as_str();
    B::log(
        LogLevel::Info,
        format_args!("this is {id}, start {} ({reset})", starts.total),
    );
    Start {
        settings,
        id,
        seed: found.seed,
        reset: found.reset,
        boots: starts.total,
        memory,
        button_pressed: found.button_pressed,
    }
}
