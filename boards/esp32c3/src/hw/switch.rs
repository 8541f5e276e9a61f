//! The switch's pin.

use esp_hal::gpio::{AnyPin, Level, Output, OutputConfig};

/// A pin that floats until its first level is known, so that what hangs on it does not flick at
/// boot.
pub enum Switch {
    /// Nobody has set it.
    Floating(AnyPin<'static>),
    /// It is driven.
    Driven(Output<'static>),
    /// There is none.
    Missing,
}

impl Switch {
    /// Sets the level; the first time before the pin becomes an output.
    pub fn set(&mut self, level: bool) {
        let level = Level::from(level);
        *self = match core::mem::replace(self, Switch::Missing) {
            // The driver sets the level first, and the direction after it.
            Switch::Floating(pin) => {
                Switch::Driven(Output::new(pin, level, OutputConfig::default()))
            }
            Switch::Driven(mut pin) => {
                pin.set_level(level);
                Switch::Driven(pin)
            }
            Switch::Missing => Switch::Missing,
        };
    }
}
