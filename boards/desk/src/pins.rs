//! The device's pins. Each is simulated, or one that Linux has; the settings say which ([`wiring`]).
//! What differs between the two is here, so that the loop sees pins.

#[cfg_attr(not(target_os = "linux"), path = "pins/no_gpio.rs")]
mod gpio;
mod iio;
mod sim;
pub mod wiring;

use std::future::pending;

use monster::dht::{Reading, SensorError};
use monster::settings::value::ClimateKind;
use umqtt::{Clock as _, Timer as _};

use crate::clock::Clock;
use wiring::{Pin, PinError, Wiring};

/// All pins of a device.
pub struct Pins {
    switch: Option<gpio::Output>,
    led: Option<gpio::Output>,
    pub button: Button,
    pub sensor: Sensor,
}

impl Pins {
    /// Finds the pins, and takes those that are inputs.
    ///
    /// # Errors
    /// The first pin that is not there, or that somebody else has.
    pub fn open(wiring: &Wiring, kind: ClimateKind) -> Result<Self, PinError> {
        let output = |pin: Pin, line: &Option<_>| {
            let found = line.as_ref().map(gpio::Output::find).transpose();
            found.map_err(|why| PinError::new(pin, line, why))
        };
        let button = match &wiring.button {
            None => Button::Simulated(sim::Button::default()),
            Some(line) => Button::Line(
                gpio::Input::take(line)
                    .map_err(|why| PinError::new(Pin::Button, &wiring.button, why))?,
            ),
        };
        let sensor = match &wiring.sensor {
            // Nobody will ask it.
            _ if kind == ClimateKind::None => Sensor::Simulated(sim::Sensor::new(kind)),
            None => Sensor::Simulated(sim::Sensor::new(kind)),
            Some(device) => Sensor::Iio(
                iio::Sensor::find(&device.folder)
                    .map_err(|why| PinError::new(Pin::Sensor, &wiring.sensor, why))?,
            ),
        };
        Ok(Pins {
            switch: output(Pin::Switch, &wiring.switch)?,
            led: output(Pin::Led, &wiring.led)?,
            button,
            sensor,
        })
    }

    /// Sets the switch's level. Its pin is an output from the first time on.
    ///
    /// # Errors
    /// What the system says.
    pub fn set_switch(&mut self, high: bool) -> Result<(), String> {
        self.switch.as_mut().map_or(Ok(()), |line| line.set(high))
    }

    /// Lights the status LED, or lets it be dark, if there is one.
    ///
    /// # Errors
    /// What the system says.
    pub fn set_led(&mut self, lit: bool) -> Result<(), String> {
        self.led.as_mut().map_or(Ok(()), |line| line.set(lit))
    }

    /// A device starts, with a clock of its own; returns whether its button is down.
    pub fn start(&mut self) -> bool {
        match &mut self.button {
            Button::Simulated(button) => {
                button.let_go();
                false
            }
            Button::Line(line) => line.is_active(),
        }
    }
}

/// The button.
pub enum Button {
    Simulated(sim::Button),
    Line(gpio::Input),
}

impl Button {
    /// Waits for the next edge; returns whether the button is down.
    ///
    /// Cancelling it loses no edge.
    ///
    /// # Errors
    /// What the system says; no edges come after that.
    pub async fn edge(&mut self, clock: &Clock) -> Result<bool, String> {
        match self {
            Button::Simulated(button) => {
                let Some(deadline) = button.deadline() else {
                    return pending().await;
                };
                clock.wait_until(deadline).await;
                Ok(button.edge(clock.now()).unwrap_or(false))
            }
            Button::Line(line) => line.edge().await,
        }
    }
}

/// The sensor.
pub enum Sensor {
    Simulated(sim::Sensor),
    Iio(iio::Sensor),
}

impl Sensor {
    /// Asks it. A simulated one answers at once, with pulses; of another the answer comes from
    /// [`reading`](Self::reading).
    pub fn measure(&mut self) -> Option<Vec<u16>> {
        match self {
            Sensor::Simulated(sensor) => Some(sensor.pulses()),
            Sensor::Iio(sensor) => {
                sensor.measure();
                None
            }
        }
    }

    /// Waits for the answer, if one is to come.
    ///
    /// Cancelling it loses nothing.
    pub async fn reading(&mut self) -> Result<Reading, Fault> {
        match self {
            Sensor::Simulated(_) => pending().await,
            Sensor::Iio(sensor) => sensor.reading().await,
        }
    }
}

/// Why there is no reading: for the device, and in words.
#[derive(Debug, PartialEq, Eq)]
pub struct Fault {
    pub error: SensorError,
    pub why: String,
}
