//! The climate: when the sensor is asked, what of its answers is believed, and what is reported.

use umqtt::Instant;

use crate::dht::{self, Kind, Reading, SensorError};

/// The least time between the starts of two tries, in milliseconds: the sensor cannot do more.
pub const TRY_INTERVAL_MS: u64 = 2_000;
/// The sensor is not asked sooner than this after boot, in milliseconds: it must settle first.
pub const WARM_UP_MS: u64 = 1_000;
/// The time between the starts of two measurements that nobody asked for, in milliseconds.
pub const SAMPLE_INTERVAL_MS: u64 = 5_000;
/// A measurement fails when so many tries in a row have failed.
pub const TRIES: u8 = 3;
/// A board has this long to deliver the outcome of a try, in milliseconds.
pub const TRY_TIMEOUT_MS: u64 = 500;
/// An unchanged value is reported again after this time, in milliseconds.
pub const REPORT_INTERVAL_MS: u64 = 300_000;
/// A change of temperature that is reported at once, in tenths of a degree Celsius.
pub const REPORT_TEMPERATURE: u16 = 3;
/// A change of humidity that is reported at once, in tenths of a percent.
pub const REPORT_HUMIDITY: u16 = 20;
/// Temperatures that are further apart than this, in tenths of a degree Celsius, are a jump.
pub const JUMP_TEMPERATURE: u16 = 50;
/// Humidities that are further apart than this, in tenths of a percent, are a jump.
pub const JUMP_HUMIDITY: u16 = 200;

/// What a measurement came to: a value, with the offsets applied, or the reason why there is none.
pub type Outcome = Result<Reading, SensorError>;

/// What is added to each quantity to put a sensor right.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offsets {
    /// Added to the temperature, in tenths of a degree Celsius.
    pub temperature: i16,
    /// Added to the humidity, in tenths of a percent. The sum stays within 0 and 100 %.
    pub humidity: i16,
}

/// The sensor, between the board that asks it and those who want to know.
///
/// A *measurement* is made every 5 s, and when somebody [`request`](Self::request)s one. It
/// consists of up to three *tries*, 2 s apart; the first that succeeds ends it. The last outcome
/// stands until the next measurement is over.
///
/// A try succeeds if its reading is whole, is one that the sensor can measure, and is no jump: one
/// that is far from the last good reading is held back until a second one, normally the next try,
/// agrees with it. A real change thus comes 2 s late, and a freak never. The very first reading has
/// nothing to be compared with.
///
/// After every call that takes `&mut self` and the time, call [`poll_measure`](Self::poll_measure),
/// [`poll_answer`](Self::poll_answer) and [`poll_report`](Self::poll_report), and look at
/// [`deadline`](Self::deadline) again.
///
/// A device that has no sensor owns no `Climate`.
///
/// No call panics.
#[derive(Clone, Debug)]
pub struct Climate {
    kind: Kind,
    offsets: Offsets,
    phase: Phase,
    /// No try starts before this.
    earliest: Instant,
    /// Tries started in the measurement under way; 0 if none is.
    tries: u8,
    /// When the measurement under way, or the last one, started its first try.
    began: Instant,
    /// The last good reading as it came from the sensor.
    good: Option<Reading>,
    /// A reading that was a jump, and waits for a second that agrees.
    held_back: Option<Reading>,
    outcome: Option<Outcome>,
    /// When `outcome` came to be.
    measured: Instant,
    asked: bool,
    answer: Option<Outcome>,
    reported: Option<(Outcome, Instant)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The next try starts then, not before `earliest`.
    Waiting(Instant),
    /// A try is under way; the board has until then.
    Trying(Instant),
}

impl Climate {
    /// A sensor that nobody has asked since `boot`.
    pub fn new(kind: Kind, offsets: Offsets, boot: Instant) -> Self {
        let earliest = boot.after(WARM_UP_MS);
        Climate {
            kind,
            offsets,
            phase: Phase::Waiting(earliest),
            earliest,
            tries: 0,
            began: boot,
            good: None,
            held_back: None,
            outcome: None,
            measured: boot,
            asked: false,
            answer: None,
            reported: None,
        }
    }

    /// Whether the board is to ask the sensor now: send it the start signal of this kind, and hand
    /// the pulses to [`handle_pulses`](Self::handle_pulses).
    ///
    /// Never twice within 2 s. The try begins with this call.
    #[must_use]
    pub fn poll_measure(&mut self, now: Instant) -> Option<Kind> {
        match self.phase {
            Phase::Waiting(at) if now >= at => {
                self.phase = Phase::Trying(now.after(TRY_TIMEOUT_MS));
                self.earliest = now.after(TRY_INTERVAL_MS);
                if self.tries == 0 {
                    self.began = now;
                }
                self.tries = self.tries.saturating_add(1);
                Some(self.kind)
            }
            _ => None,
        }
    }

    /// The widths of the pulses that answered the try, as [`dht::decode`] describes them; none if
    /// there was no answer. What comes when no try is under way is ignored.
    pub fn handle_pulses(&mut self, pulses: &[u16], now: Instant) {
        self.handle_reading(dht::decode(self.kind, pulses), now);
    }

    /// As [`handle_pulses`](Self::handle_pulses), for a board that has the answer decoded for it.
    pub fn handle_reading(&mut self, reading: Result<Reading, SensorError>, now: Instant) {
        self.handle_timeout(now);
        if matches!(self.phase, Phase::Trying(_)) {
            let reading = reading
                .and_then(|reading| self.kind.check(reading))
                .and_then(|reading| self.check_jump(reading));
            self.end_try(reading, now);
        }
    }

    /// Gives up a try whose board has not delivered in time.
    pub fn handle_timeout(&mut self, now: Instant) {
        if let Phase::Trying(until) = self.phase
            && now >= until
        {
            self.end_try(Err(SensorError::Timeout), now);
        }
    }

    /// Somebody wants to know. The answer comes from [`poll_answer`](Self::poll_answer): at once if
    /// the last try was less than 2 s ago, for nothing newer can be had; otherwise when the
    /// measurement that is under way, or starts now, is over. All who ask until then share it.
    pub fn request(&mut self, now: Instant) {
        if self.tries == 0 && now < self.earliest && self.outcome.is_some() {
            self.answer = self.outcome;
        } else {
            self.asked = true;
            if self.tries == 0 {
                self.phase = Phase::Waiting(self.earliest);
            }
        }
    }

    /// The answer to those who have asked, once.
    #[must_use]
    pub fn poll_answer(&mut self) -> Option<Outcome> {
        self.answer.take()
    }

    /// What is to be reported, if anything is: the first outcome; a change since the last report
    /// of 0.3 °C or 2 %; a fault after a value, and a value after a fault; and whatever there is,
    /// 300 s after the last report. A fault that is followed by one of another kind is not news.
    #[must_use]
    pub fn poll_report(&mut self, now: Instant) -> Option<Outcome> {
        let outcome = self.outcome?;
        let news = self.reported.is_none_or(|(last, at)| {
            now.since(at) >= REPORT_INTERVAL_MS
                || match (last, outcome) {
                    (Ok(last), Ok(reading)) => {
                        last.temperature.abs_diff(reading.temperature) >= REPORT_TEMPERATURE
                            || last.humidity.abs_diff(reading.humidity) >= REPORT_HUMIDITY
                    }
                    (Err(_), Err(_)) => false,
                    (Ok(_), Err(_)) | (Err(_), Ok(_)) => true,
                }
        });
        if news {
            self.reported = Some((outcome, now));
        }
        news.then_some(outcome)
    }

    /// The outcome of the last measurement; none before the first is over.
    #[must_use]
    pub fn outcome(&self) -> Option<Outcome> {
        self.outcome
    }

    /// How many whole seconds old the value is that [`outcome`](Self::outcome) gives; none if it
    /// gives none.
    #[must_use]
    pub fn age(&self, now: Instant) -> Option<u64> {
        self.outcome?.ok()?;
        Some(now.since(self.measured) / 1000)
    }

    /// When to call [`handle_timeout`](Self::handle_timeout), and then the `poll` functions; in the
    /// past if one of them has something already.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        let (Phase::Waiting(at) | Phase::Trying(at)) = self.phase;
        match self.reported {
            Some((_, reported)) => at.min(reported.after(REPORT_INTERVAL_MS)),
            None => at,
        }
    }

    fn check_jump(&mut self, reading: Reading) -> Result<Reading, SensorError> {
        let agrees = |with: Option<Reading>| {
            with.is_some_and(|other| {
                other.temperature.abs_diff(reading.temperature) <= JUMP_TEMPERATURE
                    && other.humidity.abs_diff(reading.humidity) <= JUMP_HUMIDITY
            })
        };
        if self.good.is_none() || agrees(self.good) || agrees(self.held_back) {
            self.good = Some(reading);
            self.held_back = None;
            Ok(reading)
        } else {
            self.held_back = Some(reading);
            Err(SensorError::Jump)
        }
    }

    fn end_try(&mut self, reading: Result<Reading, SensorError>, now: Instant) {
        if reading.is_err() && self.tries < TRIES {
            self.phase = Phase::Waiting(self.earliest);
            return;
        }
        let outcome = reading.map(|reading| self.correct(reading));
        self.outcome = Some(outcome);
        self.measured = now;
        if self.asked {
            self.asked = false;
            self.answer = Some(outcome);
        }
        self.tries = 0;
        let next = self.began.after(SAMPLE_INTERVAL_MS);
        self.phase = Phase::Waiting(next.max(self.earliest));
    }

    fn correct(&self, reading: Reading) -> Reading {
        Reading {
            temperature: reading.temperature.saturating_add(self.offsets.temperature),
            humidity: reading
                .humidity
                .saturating_add_signed(self.offsets.humidity)
                .min(1000),
        }
    }
}

#[cfg(test)]
mod tests;
