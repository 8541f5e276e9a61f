//! The pins this computer does not have: a button for the keys of a keyboard, and a sensor of
//! temperature and humidity that answers in pulses, as a real one does.

use std::collections::VecDeque;

use monster::dht::{self, Kind, PULSES, Reading};
use monster::settings::value::ClimateKind;
use umqtt::Instant;

/// How long `b` holds the button, in milliseconds: longer than the device's debounce.
const PRESS_MS: u64 = 70;
/// How long `l` does: longer than a long press.
const HOLD_MS: u64 = 1200;
/// How long it is up before the next press, in milliseconds: longer than the debounce too.
const RELEASE_MS: u64 = 70;
/// What the up and down keys change, in tenths of a degree: more than the device leaves unsaid.
const STEP: i16 = 5;
/// Where the up and down keys stop: what every kind of sensor can measure.
const TEMPERATURES: (i16, i16) = (0, 500);

/// A simulated button.
#[derive(Debug, Default)]
pub struct Button {
    /// Its edges to come: when, and whether it is down then.
    edges: VecDeque<(Instant, bool)>,
}

impl Button {
    /// Somebody presses it for a moment.
    pub fn press(&mut self, now: Instant) {
        self.hold_for(PRESS_MS, now);
    }

    /// Somebody holds it.
    pub fn hold(&mut self, now: Instant) {
        self.hold_for(HOLD_MS, now);
    }

    /// A key that comes while the last one is still at work is held back for its turn, but only one
    /// is: a key that repeats itself must not press on for minutes.
    fn hold_for(&mut self, duration: u64, now: Instant) {
        if self.edges.len() > 2 {
            return;
        }
        let last = self.edges.back();
        let down = last.map_or(now, |(up, _)| now.max(up.after(RELEASE_MS)));
        self.edges.push_back((down, true));
        self.edges.push_back((down.after(duration), false));
    }

    /// Nobody presses it any more.
    pub fn let_go(&mut self) {
        self.edges.clear();
    }

    /// When it moves next.
    pub fn deadline(&self) -> Option<Instant> {
        self.edges.front().map(|(at, _)| *at)
    }

    /// Whether it is down, if it has moved by now; ask until it has not.
    pub fn edge(&mut self, now: Instant) -> Option<bool> {
        let (_, pressed) = self.edges.pop_front_if(|(at, _)| *at <= now)?;
        Some(pressed)
    }
}

/// A simulated sensor.
#[derive(Debug)]
pub struct Sensor {
    kind: Option<Kind>,
    reading: Reading,
}

impl Sensor {
    /// A sensor of this kind. Until somebody changes it, it is 23.4 °C and 56.0 %.
    pub fn new(kind: ClimateKind) -> Self {
        Sensor {
            kind: kind.on_the_line(),
            reading: Reading {
                temperature: 234,
                humidity: 560,
            },
        }
    }

    /// Its answer; no pulses if there is no sensor.
    pub fn pulses(&self) -> Vec<u16> {
        self.kind.map_or_else(Vec::new, |kind| {
            let pulses: [u16; PULSES] = dht::encode(kind, self.reading);
            pulses.to_vec()
        })
    }

    /// Makes it warmer, or colder; returns what it is now.
    pub fn change_temperature(&mut self, warmer: bool) -> Reading {
        let step = if warmer { STEP } else { -STEP };
        let (coldest, warmest) = TEMPERATURES;
        self.reading.temperature = (self.reading.temperature + step).clamp(coldest, warmest);
        self.reading
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milliseconds: u64) -> Instant {
        Instant::from_millis(milliseconds)
    }

    /// When the button goes down and up until it rests.
    fn edges(button: &mut Button) -> Vec<(u64, bool)> {
        let mut edges = Vec::new();
        while let Some(deadline) = button.deadline() {
            let pressed = button.edge(deadline).unwrap();
            edges.push((deadline.as_millis(), pressed));
        }
        edges
    }

    #[test]
    fn the_sensor_says_23_4_and_56_0_until_a_key_changes_it() {
        let mut sensor = Sensor::new(ClimateKind::Dht22);
        let measure = |sensor: &Sensor, kind| dht::decode(kind, &sensor.pulses()).unwrap();
        let reading = measure(&sensor, Kind::Dht22);
        assert_eq!((reading.temperature, reading.humidity), (234, 560));
        assert_eq!(measure(&sensor, Kind::Dht22), reading);
        sensor.change_temperature(true);
        sensor.change_temperature(true);
        sensor.change_temperature(false);
        assert_eq!(measure(&sensor, Kind::Dht22).temperature, 239);

        let dht11 = measure(&Sensor::new(ClimateKind::Dht11), Kind::Dht11);
        assert_eq!((dht11.temperature, dht11.humidity), (234, 560));
        assert!(Sensor::new(ClimateKind::None).pulses().is_empty());
    }

    #[test]
    fn the_temperature_stays_within_what_a_sensor_can_measure() {
        for kind in [ClimateKind::Dht11, ClimateKind::Dht22] {
            let mut sensor = Sensor::new(kind);
            for warmer in [true, false] {
                for _ in 0..1000 {
                    sensor.change_temperature(warmer);
                }
                let kind = sensor.kind.unwrap();
                assert!(dht::decode(kind, &sensor.pulses()).is_ok());
            }
        }
    }

    #[test]
    fn a_press_is_short_and_a_hold_is_long() {
        let mut button = Button::default();
        button.press(at(1000));
        assert_eq!(button.edge(at(999)), None);
        assert_eq!(edges(&mut button), [(1000, true), (1070, false)]);
        button.hold(at(2000));
        assert_eq!(edges(&mut button), [(2000, true), (3200, false)]);
    }

    #[test]
    fn two_presses_in_a_row_are_two_and_a_key_that_repeats_itself_is_not_more() {
        let mut button = Button::default();
        button.press(at(0));
        assert_eq!(button.edge(at(0)), Some(true));
        for repeated in 1..50 {
            button.press(at(repeated));
        }
        assert_eq!(edges(&mut button), [(70, false), (140, true), (210, false)]);
    }
}
