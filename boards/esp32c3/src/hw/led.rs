//! The status LED: its pin is low when it is lit.

use esp_hal::gpio::{AnyPin, Level, Output, OutputConfig};

/// The LED.
pub struct Led(Output<'static>);

impl Led {
    /// The LED on this pin, dark.
    pub fn new(pin: AnyPin<'static>) -> Self {
        Led(Output::new(pin, Level::High, OutputConfig::default()))
    }

    /// Lights it, or lets it be dark.
    pub fn set(&mut self, lit: bool) {
        self.0.set_level(Level::from(!lit));
    }
}
