//! The button: from its pin to ground.

use esp_hal::gpio::{AnyPin, Input, InputConfig, Pull};

/// The button, and whether it was down when somebody asked last.
pub struct Button {
    pin: Input<'static>,
    is_down: bool,
}

impl Button {
    /// A button at this pin, pulled up.
    pub fn new(pin: AnyPin<'static>) -> Self {
        let pin = Input::new(pin, InputConfig::default().with_pull(Pull::Up));
        let is_down = pin.is_low();
        Button { pin, is_down }
    }

    /// Whether it was down when somebody asked last.
    pub fn is_down(&self) -> bool {
        self.is_down
    }

    /// Waits until it is no longer as it was, and says how it is. It waits for a level rather than
    /// for an edge: so nothing that lasts is missed between two calls.
    pub async fn edge(&mut self) -> bool {
        match self.is_down {
            true => self.pin.wait_for_high().await,
            false => self.pin.wait_for_low().await,
        }
        self.is_down = !self.is_down;
        self.is_down
    }
}
