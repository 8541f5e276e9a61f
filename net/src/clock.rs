//! The time of day, once it is known.

use core::cell::Cell;

use embassy_time::Instant;

/// The time of day: how far it is ahead of the time since the machine was started.
pub(crate) struct Clock {
    ahead: Cell<Option<u64>>,
}

impl Clock {
    /// One that has not been set.
    pub const fn new() -> Self {
        Clock {
            ahead: Cell::new(None),
        }
    }

    /// It is this many milliseconds after the beginning of 1970 (UTC).
    pub fn set(&self, unix_millis: u64) {
        let ahead = unix_millis.checked_sub(Instant::now().as_millis());
        self.ahead.set(ahead);
    }
}
