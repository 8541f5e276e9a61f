//! Where the settings say that the pins are.

use std::fmt;
use std::path::{Path, PathBuf};

use monster::settings::Settings;
use monster::settings::value::PinName;

/// The name of a pin that is simulated; also what a pin without a name is.
const SIMULATED: &str = "sim";
/// Where Linux shows the sensors it has drivers for.
const IIO_DEVICES: &str = "/sys/bus/iio/devices";

/// Where each pin is; `None` is simulated.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wiring {
    pub switch: Option<Line>,
    pub button: Option<Line>,
    pub led: Option<Line>,
    pub sensor: Option<IioDevice>,
}

impl Wiring {
    /// Reads the names of the pins.
    ///
    /// # Errors
    /// The first name that is none, or a line that is to be two pins.
    pub fn of(settings: &Settings) -> Result<Self, PinError> {
        let wiring = Wiring {
            switch: line(Pin::Switch, &settings.switch.gpio)?,
            button: line(Pin::Button, &settings.button.gpio)?,
            led: line(Pin::Led, &settings.led.gpio)?,
            sensor: place(Pin::Sensor, &settings.climate.gpio, IioDevice::parse)?,
        };
        wiring.find_line_used_twice()?;
        Ok(wiring)
    }

    fn find_line_used_twice(&self) -> Result<(), PinError> {
        let lines = [
            (Pin::Switch, &self.switch),
            (Pin::Button, &self.button),
            (Pin::Led, &self.led),
        ];
        for (position, (pin, line)) in lines.iter().enumerate() {
            let before = lines.iter().take(position);
            let twin = before
                .filter(|_| line.is_some())
                .find(|(_, other)| other == line);
            if let Some((other, _)) = twin {
                let why = format!("{} is that line already", other.key());
                return Err(PinError::new(*pin, line, why));
            }
        }
        Ok(())
    }
}

/// A line of one of Linux's GPIO chips, as in `gpiochip0:17`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// As in `gpiochip0`.
    pub chip: String,
    pub offset: u32,
}

impl Line {
    fn parse(name: &str) -> Option<Self> {
        let (chip, offset) = name.split_once(':')?;
        number(chip.strip_prefix("gpiochip")?)?;
        Some(Line {
            chip: chip.to_owned(),
            offset: number(offset)?,
        })
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.chip, self.offset)
    }
}

/// A sensor that Linux has a driver for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IioDevice {
    name: String,
    /// Its files.
    pub folder: PathBuf,
}

impl IioDevice {
    fn parse(name: &str) -> Option<Self> {
        let is_device = name.strip_prefix("iio:device").and_then(number).is_some();
        if !is_device && !name.starts_with('/') {
            return None;
        }
        Some(IioDevice {
            name: name.to_owned(),
            // A path that begins with / takes the place of all before it.
            folder: Path::new(IIO_DEVICES).join(name),
        })
    }
}

impl fmt::Display for IioDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

fn line(pin: Pin, name: &PinName) -> Result<Option<Line>, PinError> {
    place(pin, name, |name| {
        cfg!(target_os = "linux")
            .then(|| Line::parse(name))
            .flatten()
    })
}

fn place<T>(
    pin: Pin,
    name: &PinName,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<Option<T>, PinError> {
    match name.name() {
        None | Some(SIMULATED) => Ok(None),
        Some(name) => match parse(name) {
            Some(place) => Ok(Some(place)),
            None => Err(PinError {
                pin,
                name: name.to_owned(),
                why: "this computer has no such pin".to_owned(),
            }),
        },
    }
}

/// Digits alone: no sign, which `u32::from_str` would take.
fn number(text: &str) -> Option<u32> {
    let is_digits = text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|_| is_digits)
}

/// One of the pins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pin {
    Switch,
    Button,
    Led,
    Sensor,
}

impl Pin {
    /// The setting that names it.
    pub fn key(self) -> &'static str {
        match self {
            Pin::Switch => "switch.gpio",
            Pin::Button => "button.gpio",
            Pin::Led => "led.gpio",
            Pin::Sensor => "climate.gpio",
        }
    }

    fn allowed(self) -> &'static str {
        match self {
            Pin::Sensor => {
                "sim; iio:deviceN, or the path of its folder, for a sensor that Linux has a driver \
                 for; empty: sim"
            }
            _ if cfg!(target_os = "linux") => {
                "sim; gpiochipN:LINE for a line of a GPIO chip; empty: sim"
            }
            _ => "sim (lines of GPIO chips are for Linux); empty: sim",
        }
    }
}

/// What a setting that names a pin allows on this board; `None` if it names none.
pub fn allowed(key: &str) -> Option<&'static str> {
    [Pin::Switch, Pin::Button, Pin::Led, Pin::Sensor]
        .into_iter()
        .find(|pin| pin.key() == key)
        .map(Pin::allowed)
}

/// A pin that this computer cannot drive: which, and why not.
#[derive(Debug, PartialEq, Eq)]
pub struct PinError {
    pin: Pin,
    name: String,
    why: String,
}

impl PinError {
    pub fn new<T: fmt::Display>(pin: Pin, place: &Option<T>, why: String) -> Self {
        let name = place.as_ref().map_or(SIMULATED.to_owned(), T::to_string);
        PinError { pin, name, why }
    }
}

impl fmt::Display for PinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let PinError { pin, name, why } = self;
        write!(
            f,
            "{} = {name:?}: {why}; allowed: {}",
            pin.key(),
            pin.allowed()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wiring(pins: &[(&str, &str)]) -> Result<Wiring, String> {
        let mut settings = Settings::default();
        for (key, name) in pins {
            settings.set(key, name).unwrap();
        }
        Wiring::of(&settings).map_err(|error| error.to_string())
    }

    #[test]
    fn a_pin_without_a_name_is_simulated() {
        assert_eq!(wiring(&[]), Ok(Wiring::default()));
        let keys = ["switch.gpio", "button.gpio", "led.gpio", "climate.gpio"];
        let named = keys.map(|key| (key, "sim"));
        assert_eq!(wiring(&named), Ok(Wiring::default()));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_line_is_named_by_its_chip_and_number() {
        let wiring = wiring(&[
            ("switch.gpio", "gpiochip0:17"),
            ("button.gpio", "gpiochip12:0"),
            ("led.gpio", "gpiochip0:4294967295"),
        ]);
        let line = |chip: &str, offset| {
            let chip = chip.to_owned();
            Some(Line { chip, offset })
        };
        let expected = Wiring {
            switch: line("gpiochip0", 17),
            button: line("gpiochip12", 0),
            led: line("gpiochip0", u32::MAX),
            sensor: None,
        };
        assert_eq!(wiring, Ok(expected));
    }

    #[test]
    fn a_sensor_is_an_iio_device_by_number_or_path() {
        for (name, folder) in [
            ("iio:device0", "/sys/bus/iio/devices/iio:device0"),
            ("/sys/devices/x/iio:device3", "/sys/devices/x/iio:device3"),
        ] {
            let sensor = wiring(&[("climate.gpio", name)]).unwrap().sensor;
            assert_eq!(sensor.unwrap().folder, Path::new(folder));
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_this_computer_cannot_drive_is_named_with_what_is_allowed() {
        for (key, name) in [
            ("switch.gpio", "5"),
            ("switch.gpio", "gpiochip0"),
            ("button.gpio", "gpiochip0:"),
            ("button.gpio", "gpiochip:1"),
            ("led.gpio", "gpiochip0:+1"),
            ("led.gpio", "gpiochip0:4294967296"),
            ("led.gpio", "gpiochip../x:1"),
            ("switch.gpio", "iio:device0"),
        ] {
            let expected = format!(
                "{key} = {name:?}: this computer has no such pin; allowed: sim; gpiochipN:LINE for \
                 a line of a GPIO chip; empty: sim"
            );
            assert_eq!(wiring(&[(key, name)]), Err(expected));
        }
    }

    #[test]
    fn a_sensor_that_is_no_device_is_named_with_what_is_allowed() {
        for name in ["4", "gpiochip0:4", "iio:device", "iio:device../x", "x/y"] {
            let expected = format!(
                "climate.gpio = {name:?}: this computer has no such pin; allowed: sim; \
                 iio:deviceN, or the path of its folder, for a sensor that Linux has a driver for; \
                 empty: sim"
            );
            assert_eq!(wiring(&[("climate.gpio", name)]), Err(expected));
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_line_is_one_pin() {
        let twice = [
            ("switch.gpio", "gpiochip0:17"),
            ("button.gpio", "gpiochip1:17"),
            ("led.gpio", "gpiochip0:17"),
        ];
        let error = wiring(&twice).unwrap_err();
        let expected = "led.gpio = \"gpiochip0:17\": switch.gpio is that line already; ";
        assert!(error.starts_with(expected), "{error}");
    }
}
