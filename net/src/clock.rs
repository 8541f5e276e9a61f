//! The time of day, once it is known.

use core::cell::Cell;

use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::signal::Signal;
use embassy_time::Instant;

/// The time of day: how far it is ahead of the time since the machine was started.
pub(crate) struct Clock {
    ahead: Cell<Option<u64>>,
    was_set: Signal<NoopRawMutex, ()>,
}

impl Clock {
    /// One that has not been set.
    pub const fn new() -> Self {
        Clock {
            ahead: Cell::new(None),
            was_set: Signal::new(),
        }
    }

    /// It is this many milliseconds after the beginning of 1970 (UTC).
    pub fn set(&self, unix_millis: u64) {
        let ahead = unix_millis.checked_sub(Instant::now().as_millis());
        self.ahead.set(ahead);
        self.was_set.signal(());
    }

    /// Seconds since the beginning of 1970 (UTC), leap seconds left out; `None` before it was set.
    #[cfg(feature = "tls")]
    pub fn unix_seconds(&self) -> Option<u64> {
        let ahead = self.ahead.get()?;
        Some(ahead.saturating_add(Instant::now().as_millis()) / 1000)
    }

    /// Waits until it is set. One at a time can wait.
    #[cfg(feature = "tls")]
    pub async fn wait_until_set(&self) {
        while self.ahead.get().is_none() {
            self.was_set.wait().await;
        }
    }
}
