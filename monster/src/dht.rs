//! The wire of the DHT11 and DHT22: from pulse widths to a reading, and back.
//!
//! A board pulls the line low (18 ms for a DHT11, 1 ms for a DHT22), lets it go, and measures how
//! long it then stays low and high in turn. The sensor answers with one low and one high of about
//! 80 µs each, and sends 40 bits, each a low of 50 µs and a high of 27 µs for a 0 or 70 µs for a 1.
//! A last low of 50 µs ends it. The bits are five bytes, the most significant bit first: two of
//! humidity, two of temperature, and the sum of these four.
//!
//! No call in this module panics, whatever the pulses are.

use core::fmt;

use crate::settings::value::ClimateKind;

/// The number of widths in a whole answer: two of the response, 80 of the bits, one of the end.
pub const PULSES: usize = 83;

/// Which sensor is on the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// DHT11, and its successor of the same name that measures down to -20 °C.
    Dht11,
    /// DHT22, also sold as AM2302, and the AM2301 (DHT21).
    Dht22,
}

impl ClimateKind {
    /// The sensor on the line, if there is one.
    pub fn on_the_line(self) -> Option<Kind> {
        match self {
            ClimateKind::Dht11 => Some(Kind::Dht11),
            ClimateKind::Dht22 => Some(Kind::Dht22),
            ClimateKind::None => None,
        }
    }
}

impl Kind {
    /// The temperatures the sensor can measure, in tenths of a degree Celsius.
    const fn temperatures(self) -> core::ops::RangeInclusive<i16> {
        match self {
            Kind::Dht11 => -200..=600,
            Kind::Dht22 => -400..=800,
        }
    }

    /// Refuses what the sensor cannot have measured.
    pub fn check(self, reading: Reading) -> Result<Reading, SensorError> {
        if self.temperatures().contains(&reading.temperature) && reading.humidity <= 1000 {
            Ok(reading)
        } else {
            Err(SensorError::Range)
        }
    }
}

/// One measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Temperature in tenths of a degree Celsius.
    pub temperature: i16,
    /// Relative humidity in tenths of a percent.
    pub humidity: u16,
}

impl Reading {
    /// The temperature in degrees Celsius, to be written with one decimal.
    #[must_use]
    pub fn celsius(self) -> Tenths {
        Tenths(i32::from(self.temperature))
    }

    /// The relative humidity in percent, to be written with one decimal.
    #[must_use]
    pub fn percent(self) -> Tenths {
        Tenths(i32::from(self.humidity))
    }
}

/// A number of tenths that is written as a decimal: 234 as `23.4`, -5 as `-0.5`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tenths(pub i32);

impl fmt::Display for Tenths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let tenths = self.0.unsigned_abs();
        write!(f, "{sign}{}.{}", tenths / 10, tenths % 10)
    }
}

/// Why there is no reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SensorError {
    /// The sensor did not answer at all, or the board did not deliver in time.
    Timeout,
    /// An edge is missing from the answer, or there is one too many.
    Edge,
    /// The sum of the four bytes is not the fifth.
    Checksum,
    /// The sensor cannot measure such a value.
    Range,
    /// The value is far from the last good one, and no second reading agreed with it.
    Jump,
}

impl SensorError {
    /// The word for it in payloads, as in `th=error,timeout`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            SensorError::Timeout => "timeout",
            SensorError::Edge => "edge",
            SensorError::Checksum => "checksum",
            SensorError::Range => "range",
            SensorError::Jump => "jump",
        }
    }
}

impl fmt::Display for SensorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl core::error::Error for SensorError {}

/// The least length of a bit that is a 1, in microseconds from one falling edge to the next.
///
/// The sensors' data sheets allow 70 to 85 µs for a 0 and 116 to 130 µs for a 1.
const ONE_FROM_US: u32 = 100;
/// What can be one bit at all, in microseconds, with room for an interrupt that came late.
const BIT_US: core::ops::RangeInclusive<u32> = 50..=180;
/// What can be the response, in microseconds: 160, with the same room.
const RESPONSE_US: core::ops::RangeInclusive<u32> = 100..=240;

/// Reads the answer of a sensor.
///
/// `pulses` are widths in microseconds: low and high in turn, beginning with the low of the
/// sensor's response. The low that ends the answer may be there or not. No pulses at all mean that
/// the sensor did not answer.
///
/// A bit is told by its whole length, low and high together, not by its high alone or by
/// comparing the two. It lasts from one falling edge to the next, and the sensor drives these,
/// while the rising edge between them is left to the pull-up: on a long cable it comes tens of
/// microseconds late, which makes every low longer and every high shorter, but leaves their sum.
/// The lengths of a 0 and a 1 are then so far apart that each falling edge may be seen 15 µs early
/// or late.
pub fn decode(kind: Kind, pulses: &[u16]) -> Result<Reading, SensorError> {
    if pulses.is_empty() {
        return Err(SensorError::Timeout);
    }
    if pulses.len() != PULSES && pulses.len() != PULSES - 1 {
        return Err(SensorError::Edge);
    }
    let mut lengths = pulses
        .chunks_exact(2)
        .map(|pair| pair.iter().map(|width| u32::from(*width)).sum());
    if !lengths.next().is_some_and(|us| RESPONSE_US.contains(&us)) {
        return Err(SensorError::Edge);
    }
    let mut bytes = [0u8; 5];
    for byte in &mut bytes {
        for length in lengths.by_ref().take(8) {
            if !BIT_US.contains(&length) {
                return Err(SensorError::Edge);
            }
            *byte = *byte << 1 | u8::from(length >= ONE_FROM_US);
        }
    }
    from_bytes(kind, bytes)
}

/// The pulses with which a sensor of this `kind` would send `reading`, for boards and tests that
/// have none.
///
/// A reading that the format has no room for is sent as the nearest that it has; one that the
/// sensor could not measure is sent as it is, and [`decode`] refuses it.
#[must_use]
pub fn encode(kind: Kind, reading: Reading) -> [u16; PULSES] {
    pulses_of(to_bytes(kind, reading))
}

fn from_bytes(kind: Kind, bytes: [u8; 5]) -> Result<Reading, SensorError> {
    let [humidity_high, humidity_low, high, low, checksum] = bytes;
    let sum = [humidity_high, humidity_low, high, low]
        .into_iter()
        .fold(0, u8::wrapping_add);
    if sum != checksum {
        return Err(SensorError::Checksum);
    }
    let reading = match kind {
        Kind::Dht22 => Reading {
            temperature: dht22_temperature(u16::from_be_bytes([high, low])),
            humidity: u16::from_be_bytes([humidity_high, humidity_low]),
        },
        Kind::Dht11 => {
            // The first DHT11 sent whole degrees and percents, with decimals of 0. Its successor
            // (data sheet 1.3, 2017) sends tenths of a degree, and a sign in the highest bit of
            // the decimal: 10 and 0x81 are -10.1 °C.
            let magnitude = dht11_tenths(high, low & !DHT11_SIGN)?;
            let negative = low & DHT11_SIGN != 0;
            // At most 2559 tenths, which an i16 holds.
            let magnitude = magnitude as i16;
            Reading {
                temperature: if negative { -magnitude } else { magnitude },
                humidity: dht11_tenths(humidity_high, humidity_low)?,
            }
        }
    };
    kind.check(reading)
}

const DHT11_SIGN: u8 = 0x80;
const DHT22_SIGN: u16 = 0x8000;

/// The temperature of a DHT22, a sign and a magnitude.
///
/// Some of its copies send the two's complement instead. What the sensor can measure tells them
/// apart: -40.0 °C is 0x8190 in the one and 0xfe70 in the other, with nothing valid between.
fn dht22_temperature(raw: u16) -> i16 {
    if raw >= 0xc000 {
        raw.cast_signed()
    } else {
        let magnitude = (raw & !DHT22_SIGN).cast_signed();
        if raw & DHT22_SIGN != 0 {
            -magnitude
        } else {
            magnitude
        }
    }
}

/// A whole number and its one decimal digit, in tenths: at most 2559.
fn dht11_tenths(whole: u8, decimal: u8) -> Result<u16, SensorError> {
    if decimal > 9 {
        return Err(SensorError::Range);
    }
    Ok(u16::from(whole) * 10 + u16::from(decimal))
}

fn to_bytes(kind: Kind, reading: Reading) -> [u8; 5] {
    let magnitude = reading.temperature.unsigned_abs();
    let negative = reading.temperature < 0;
    let ([humidity_high, humidity_low], [high, low]) = match kind {
        Kind::Dht22 => {
            let sign = if negative { DHT22_SIGN } else { 0 };
            // From 0x4000 on, a negative number would be taken for a two's complement.
            let magnitude = magnitude.min(0x3fff);
            (
                reading.humidity.to_be_bytes(),
                (magnitude | sign).to_be_bytes(),
            )
        }
        Kind::Dht11 => {
            let digits = |tenths: u16| {
                let tenths = tenths.min(2559);
                [(tenths / 10) as u8, (tenths % 10) as u8]
            };
            let [whole, decimal] = digits(magnitude);
            let sign = if negative { DHT11_SIGN } else { 0 };
            (digits(reading.humidity), [whole, decimal | sign])
        }
    };
    let sum = [humidity_high, humidity_low, high, low]
        .into_iter()
        .fold(0, u8::wrapping_add);
    [humidity_high, humidity_low, high, low, sum]
}

fn pulses_of(bytes: [u8; 5]) -> [u16; PULSES] {
    let response = [80, 80];
    let bits = bytes
        .into_iter()
        .flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1))
        .flat_map(|bit| [50, if bit == 1 { 70 } else { 27 }]);
    let mut pulses = [50; PULSES];
    for (pulse, width) in pulses.iter_mut().zip(response.into_iter().chain(bits)) {
        *pulse = width;
    }
    pulses
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::string::ToString;

    use super::*;
    use crate::random::Random;

    fn reading(temperature: i16, humidity: u16) -> Reading {
        Reading {
            temperature,
            humidity,
        }
    }

    /// The bytes with the right sum added.
    fn bytes(four: [u8; 4]) -> [u8; 5] {
        let [a, b, c, d] = four;
        [a, b, c, d, four.into_iter().fold(0, u8::wrapping_add)]
    }

    fn decode_bytes(kind: Kind, four: [u8; 4]) -> Result<Reading, SensorError> {
        decode(kind, &pulses_of(bytes(four)))
    }

    #[test]
    fn the_examples_of_the_data_sheets_are_read() {
        // AM2302: 65.2 %, 35.1 °C; and -10.1 °C.
        assert_eq!(
            decode_bytes(Kind::Dht22, [0x02, 0x8c, 0x01, 0x5f]),
            Ok(reading(351, 652))
        );
        assert_eq!(
            decode_bytes(Kind::Dht22, [0x02, 0x8c, 0x80, 0x65]),
            Ok(reading(-101, 652))
        );
        // DHT11, 1.3: 53.0 %, 24.4 °C; and -10.1 °C.
        assert_eq!(
            decode_bytes(Kind::Dht11, [0x35, 0x00, 0x18, 0x04]),
            Ok(reading(244, 530))
        );
        assert_eq!(
            decode_bytes(Kind::Dht11, [0x35, 0x00, 0x0a, 0x81]),
            Ok(reading(-101, 530))
        );
        // The first DHT11, without decimals.
        assert_eq!(
            decode_bytes(Kind::Dht11, [56, 0, 23, 0]),
            Ok(reading(230, 560))
        );
    }

    #[test]
    fn the_pulses_of_a_frame_are_those_of_the_data_sheet() {
        let pulses = encode(Kind::Dht22, reading(351, 652));
        assert_eq!(pulses[..2], [80, 80]);
        // 0x02: six zeros, a one, a zero.
        assert_eq!(pulses[2..4], [50, 27]);
        assert_eq!(pulses[14..18], [50, 70, 50, 27]);
        // The sum, 0xee, ends in a zero; then comes the last low.
        assert_eq!(pulses[80..], [50, 27, 50]);
    }

    #[test]
    fn every_value_a_sensor_can_measure_survives_the_wire() {
        for kind in [Kind::Dht11, Kind::Dht22] {
            for temperature in kind.temperatures() {
                for humidity in [0, 1, 9, 10, 255, 256, 999, 1000] {
                    let sent = reading(temperature, humidity);
                    let pulses = encode(kind, sent);
                    assert_eq!(decode(kind, &pulses), Ok(sent));
                    assert_eq!(decode(kind, &pulses[..82]), Ok(sent), "no last low");
                }
            }
        }
    }

    #[test]
    fn a_dht22_that_sends_a_twos_complement_is_read_too() {
        for temperature in -400..0i16 {
            let [high, low] = temperature.to_be_bytes();
            assert_eq!(
                decode_bytes(Kind::Dht22, [0x02, 0x8c, high, low]),
                Ok(reading(temperature, 652))
            );
        }
        // Minus nought, as both send it on the way to -0.1 °C.
        assert_eq!(
            decode_bytes(Kind::Dht22, [0x02, 0x8c, 0x80, 0x00]),
            Ok(reading(0, 652))
        );
    }

    #[test]
    fn what_a_sensor_cannot_measure_is_out_of_range() {
        for (kind, refused) in [
            (Kind::Dht22, reading(801, 500)),
            (Kind::Dht22, reading(-401, 500)),
            (Kind::Dht22, reading(200, 1001)),
            (Kind::Dht22, reading(i16::MAX, 500)),
            (Kind::Dht22, reading(i16::MIN, 500)),
            (Kind::Dht22, reading(200, u16::MAX)),
            (Kind::Dht11, reading(601, 500)),
            (Kind::Dht11, reading(-201, 500)),
            (Kind::Dht11, reading(200, 1001)),
            (Kind::Dht11, reading(2560, 500)),
            (Kind::Dht11, reading(200, 2560)),
            (Kind::Dht11, reading(i16::MIN, u16::MAX)),
        ] {
            assert_eq!(kind.check(refused), Err(SensorError::Range));
            assert_eq!(
                decode(kind, &encode(kind, refused)),
                Err(SensorError::Range),
                "{kind:?} {refused:?}"
            );
        }
        // No decimal digit.
        assert_eq!(
            decode_bytes(Kind::Dht11, [50, 0, 20, 10]),
            Err(SensorError::Range)
        );
        assert_eq!(
            decode_bytes(Kind::Dht11, [50, 10, 20, 0]),
            Err(SensorError::Range)
        );
        // A DHT22 taken for a DHT11, and the other way round.
        let dht22 = encode(Kind::Dht22, reading(234, 560));
        assert_eq!(decode(Kind::Dht11, &dht22), Err(SensorError::Range));
        let dht11 = encode(Kind::Dht11, reading(230, 560));
        assert_eq!(decode(Kind::Dht22, &dht11), Err(SensorError::Range));
    }

    #[test]
    fn no_pulses_are_a_timeout() {
        for kind in [Kind::Dht11, Kind::Dht22] {
            assert_eq!(decode(kind, &[]), Err(SensorError::Timeout));
        }
    }

    #[test]
    fn any_other_number_of_edges_is_an_error() {
        let mut pulses = [50; 200];
        pulses[..PULSES].copy_from_slice(&encode(Kind::Dht22, reading(234, 560)));
        for count in (1..82).chain(84..200) {
            assert_eq!(
                decode(Kind::Dht22, &pulses[..count]),
                Err(SensorError::Edge),
                "{count}"
            );
        }
    }

    #[test]
    fn a_bit_that_is_turned_round_is_a_checksum_error() {
        let pulses = encode(Kind::Dht22, reading(234, 560));
        for bit in 0..40 {
            let mut wrong = pulses;
            let high = &mut wrong[3 + 2 * bit];
            *high = if *high == 70 { 27 } else { 70 };
            assert_eq!(decode(Kind::Dht22, &wrong), Err(SensorError::Checksum));
        }
    }

    #[test]
    fn a_width_that_is_no_bit_is_an_edge_error() {
        let pulses = encode(Kind::Dht22, reading(234, 560));
        for index in 0..82 {
            for width in [250, 1000, u16::MAX] {
                let mut wrong = pulses;
                wrong[index] = width;
                assert_eq!(decode(Kind::Dht22, &wrong), Err(SensorError::Edge));
            }
        }
        assert_eq!(decode(Kind::Dht22, &[0; 83]), Err(SensorError::Edge));
        assert_eq!(decode(Kind::Dht22, &[u16::MAX; 82]), Err(SensorError::Edge));
    }

    #[test]
    fn a_long_cable_that_slows_the_rising_edges_changes_nothing() {
        let sent = reading(-101, 652);
        let mut pulses = encode(Kind::Dht22, sent);
        for pair in pulses.chunks_exact_mut(2) {
            pair[0] += 26;
            pair[1] -= 26;
        }
        assert_eq!(decode(Kind::Dht22, &pulses), Ok(sent));
    }

    #[test]
    fn a_sensor_whose_clock_is_a_tenth_off_is_read() {
        let sent = reading(-101, 652);
        for percent in 90..=110 {
            let pulses = encode(Kind::Dht22, sent).map(|width| width * percent / 100);
            assert_eq!(decode(Kind::Dht22, &pulses), Ok(sent), "{percent} %");
        }
    }

    #[test]
    fn edges_that_are_seen_late_by_up_to_15_us_change_nothing() {
        let mut random = Random::new(11);
        for _ in 0..20_000 {
            let kind = [Kind::Dht11, Kind::Dht22][random.up_to(1) as usize];
            let sent = reading(random.up_to(500) as i16, random.up_to(1000) as u16);
            let mut pulses = encode(kind, sent);
            let mut delay = 0;
            for pulse in &mut pulses {
                // This pulse begins late, and ends late.
                let end = random.up_to(15) as u16;
                *pulse = *pulse + end - delay;
                delay = end;
            }
            assert_eq!(decode(kind, &pulses), Ok(sent));
        }
    }

    #[test]
    fn noise_of_any_kind_is_an_error_or_a_value_within_range() {
        let mut random = Random::new(12);
        let mut accepted = 0;
        for _ in 0..50_000 {
            let kind = [Kind::Dht11, Kind::Dht22][random.up_to(1) as usize];
            let mut pulses = [0; 100];
            let widest = [40, 90, 200, 65_535][random.up_to(3) as usize];
            for pulse in &mut pulses {
                *pulse = random.up_to(widest) as u16;
            }
            let count = [82, 83, random.up_to(100)][random.up_to(2) as usize];
            if let Ok(reading) = decode(kind, &pulses[..count as usize]) {
                assert_eq!(kind.check(reading), Ok(reading));
                accepted += 1;
            }
        }
        assert!(accepted < 50, "{accepted}");
    }

    #[test]
    fn values_are_written_with_one_decimal() {
        for (tenths, text) in [
            (234, "23.4"),
            (0, "0.0"),
            (5, "0.5"),
            (-5, "-0.5"),
            (-10, "-1.0"),
            (-101, "-10.1"),
            (1000, "100.0"),
            (i32::MIN, "-214748364.8"),
        ] {
            assert_eq!(Tenths(tenths).to_string(), text);
        }
        let reading = reading(234, 560);
        assert_eq!(reading.celsius().to_string(), "23.4");
        assert_eq!(reading.percent().to_string(), "56.0");
    }

    #[test]
    fn each_error_has_its_word() {
        let words = [
            SensorError::Timeout,
            SensorError::Edge,
            SensorError::Checksum,
            SensorError::Range,
            SensorError::Jump,
        ]
        .map(SensorError::as_str);
        assert_eq!(words, ["timeout", "edge", "checksum", "range", "jump"]);
    }
}
