//! The status LED: lit while there is no network, quickly blinking to show which device this is.

use embassy_futures::select::{Either, select};
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::signal::Signal;
use embassy_time::{Duration, Timer};
use esp_hal::gpio::{AnyPin, Level, Output, OutputConfig};

/// How often it changes, and how long each lasts, when it shows which device this is: five seconds.
const CHANGES: u32 = 40;
const CHANGE: Duration = Duration::from_millis(125);

/// What the LED is told.
pub struct Led {
    joined: Signal<NoopRawMutex, bool>,
    identify: Signal<NoopRawMutex, ()>,
}

impl Led {
    /// One of a board that has not joined a network.
    pub const fn new() -> Self {
        Led {
            joined: Signal::new(),
            identify: Signal::new(),
        }
    }

    /// The network was joined, or lost.
    pub fn joined(&self, joined: bool) {
        self.joined.signal(joined);
    }

    /// A person wants to see which device this is.
    pub fn identify(&self) {
        self.identify.signal(());
    }

    /// Shows it, for ever, on a pin that is low when the LED is lit.
    pub async fn run(&self, pin: AnyPin<'static>) -> ! {
        let mut pin = Output::new(pin, Level::Low, OutputConfig::default());
        let mut joined = false;
        loop {
            match select(self.joined.wait(), self.identify.wait()).await {
                Either::First(now) => joined = now,
                Either::Second(()) => {
                    for _ in 0..CHANGES {
                        pin.toggle();
                        Timer::after(CHANGE).await;
                    }
                }
            }
            pin.set_level(Level::from(joined));
        }
    }
}
