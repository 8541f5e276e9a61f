//! The pins that something can be wired to, each of which is given away once.

use esp_hal::gpio::AnyPin;
use monster::settings::value::PinName;

/// The highest number of a pin, and one more.
pub const COUNT: usize = 22;

/// The chip's free pins, by their numbers. Not among them: the flash's (11 to 17) and those of the
/// USB port (18, 19), through which the board is flashed.
pub struct Pins([Option<AnyPin<'static>>; COUNT]);

impl Pins {
    /// These pins, each with its number.
    pub fn new(pins: impl IntoIterator<Item = (usize, AnyPin<'static>)>) -> Self {
        let mut all = [const { None }; COUNT];
        for (number, pin) in pins {
            if let Some(place) = all.get_mut(number) {
                *place = Some(pin);
            }
        }
        Pins(all)
    }

    /// Takes the pin of this name, or the one of this number if no name is set.
    ///
    /// # Errors
    /// The name, if this board has no such pin or has given it away.
    pub fn take<'a>(
        &mut self,
        name: &'a PinName,
        default: usize,
    ) -> Result<AnyPin<'static>, NoPin<'a>> {
        let number = match name.name() {
            None => Some(default),
            Some(name) => name.parse().ok(),
        };
        number
            .and_then(|number| self.0.get_mut(number)?.take())
            .ok_or(NoPin(name.name()))
    }
}

/// There is no such pin, or it is in use; the name that was asked for, unless it was the default.
pub struct NoPin<'a>(pub Option<&'a str>);
