//! The sensor's line: pulled low by us to ask, then by the sensor to answer, and up by a resistor.
//!
//! The widths of the answer's pulses are measured by the remote-control peripheral, while the
//! processor does something else: no interrupt can bend them, and none needs to be masked for them.

use embassy_time::{Duration, Timer, with_timeout};
use esp_hal::Async;
use esp_hal::gpio::{AnyPin, DriveMode, Flex, InputConfig, Level, OutputConfig, Pull};
use esp_hal::peripherals::RMT;
use esp_hal::rmt::{Channel, ConfigError, PulseCode, Rmt, Rx, RxChannelConfig, RxChannelCreator};
use esp_hal::time::Rate;
use heapless::Vec;
use monster::dht::{Kind, PULSES};

/// What the peripheral counts: 80 MHz, divided so that it counts microseconds.
const CLOCK: Rate = Rate::from_mhz(80);
const DIVIDER: u8 = 80;
/// Pulses shorter than this many ticks of the undivided clock are noise.
const NOISE: u8 = 160;
/// When the line was still for so many microseconds, the answer is over: the longest silence in
/// one is 200.
const STILL_US: u16 = 1000;
/// How long an answer can take, with room for its end.
const ANSWER: Duration = Duration::from_millis(20);
/// How many pairs of pulses an answer can have: more than a good one.
const CODES: usize = 64;

/// A sensor at a pin.
pub struct Sensor {
    line: Flex<'static>,
    channel: Channel<'static, Async, Rx>,
    start: Duration,
    codes: [PulseCode; CODES],
    pulses: Vec<u16, { 2 * CODES }>,
}

impl Sensor {
    /// A sensor of this kind at this pin; its line is let go.
    pub fn new(kind: Kind, pin: AnyPin<'static>, rmt: RMT<'static>) -> Result<Self, ConfigError> {
        const { assert!(2 * CODES > PULSES + 2) };
        let config = RxChannelConfig::default()
            .with_clk_divider(DIVIDER)
            .with_filter_threshold(NOISE)
            .with_idle_threshold(STILL_US);
        let mut line = Flex::new(pin);
        let rmt = Rmt::new(rmt, CLOCK)?.into_async();
        let channel = rmt.channel2.configure_rx(&config)?;
        let channel = channel.with_pin(line.peripheral_input());
        line.set_high();
        let open_drain = OutputConfig::default().with_drive_mode(DriveMode::OpenDrain);
        line.apply_output_config(&open_drain.with_pull(Pull::Up));
        line.apply_input_config(&InputConfig::default().with_pull(Pull::Up));
        line.set_input_enable(true);
        line.set_output_enable(true);
        Ok(Sensor {
            line,
            channel,
            start: match kind {
                Kind::Dht11 => Duration::from_millis(20),
                Kind::Dht22 => Duration::from_millis(2),
            },
            codes: [PulseCode::default(); CODES],
            pulses: Vec::new(),
        })
    }

    /// Asks it; the widths of the pulses it answers with, in microseconds, the low of its response
    /// first. None if it does not answer.
    pub async fn measure(&mut self) -> &[u16] {
        self.codes.fill(PulseCode::default());
        self.line.set_low();
        Timer::after(self.start).await;
        let answer = self.channel.receive(&mut self.codes);
        self.line.set_high();
        // An answer that is too long is looked at as far as it goes: the core finds what is wrong.
        let _ = with_timeout(ANSWER, answer).await;
        self.pulses.clear();
        let levels = self.codes.iter().flat_map(|code| {
            [
                (code.level1(), code.length1()),
                (code.level2(), code.length2()),
            ]
        });
        levels
            .take_while(|(_, length)| *length != 0)
            // The line going up when it was let go, and what came before it.
            .skip_while(|(level, _)| *level == Level::Low)
            .skip(1)
            .map_while(|(_, length)| self.pulses.push(length).ok())
            .for_each(|()| {});
        &self.pulses
    }
}
