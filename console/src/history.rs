//! The last hour of temperature and humidity.

use heapless::Deque;
use monster::climate::Outcome;
use monster::dht::Reading;
use umqtt::Instant;

/// Seconds between two points.
pub(crate) const STEP_SECONDS: u64 = 30;
/// How many points there are at most: an hour.
pub(crate) const POINTS: usize = 120;

/// A reading every [`STEP_SECONDS`]; none where there was none.
pub(crate) struct History {
    points: Deque<Option<Reading>, POINTS>,
    next: Instant,
}

impl History {
    pub const fn new() -> Self {
        History {
            points: Deque::new(),
            next: Instant::ZERO,
        }
    }

    /// Takes a point, if it is time to.
    pub fn update(&mut self, outcome: Option<Outcome>, now: Instant) {
        if now < self.next || (outcome.is_none() && self.points.is_empty()) {
            return;
        }
        let step = STEP_SECONDS * 1000;
        // Points that were missed are points without a reading.
        let missed = match self.points.is_empty() {
            true => 0,
            false => (now.since(self.next) / step).min(POINTS as u64),
        };
        for _ in 0..missed {
            self.push(None);
        }
        self.push(outcome.and_then(Result::ok));
        self.next = Instant::from_millis(now.as_millis() / step * step).after(step);
    }

    /// When the next point is due; none before there was a first reading.
    pub fn deadline(&self) -> Option<Instant> {
        (!self.points.is_empty()).then_some(self.next)
    }

    /// The point at this place; the oldest is at 0.
    pub fn point(&self, place: usize) -> Option<Option<Reading>> {
        self.points.iter().nth(place).copied()
    }

    fn push(&mut self, point: Option<Reading>) {
        if self.points.is_full() {
            self.points.pop_front();
        }
        let _ = self.points.push_back(point);
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::vec::Vec;

    use monster::dht::SensorError;

    use super::*;

    fn reading(temperature: i16) -> Reading {
        Reading {
            temperature,
            humidity: 500,
        }
    }

    fn at(seconds: u64) -> Instant {
        Instant::from_millis(seconds * 1000)
    }

    fn temperatures(history: &History) -> Vec<Option<i16>> {
        history
            .points
            .iter()
            .map(|point| point.map(|reading| reading.temperature))
            .collect()
    }

    #[test]
    fn it_begins_with_the_first_reading_and_takes_one_every_half_minute() {
        let mut history = History::new();
        history.update(None, at(1));
        assert_eq!(history.deadline(), None);
        history.update(Some(Ok(reading(1))), at(2));
        history.update(Some(Ok(reading(2))), at(20));
        history.update(Some(Ok(reading(3))), at(30));
        history.update(Some(Err(SensorError::Timeout)), at(60));
        assert_eq!(temperatures(&history), [Some(1), Some(3), None]);
        assert_eq!(history.deadline(), Some(at(90)));
    }

    #[test]
    fn what_was_missed_is_a_gap() {
        let mut history = History::new();
        history.update(Some(Ok(reading(1))), at(0));
        history.update(Some(Ok(reading(2))), at(95));
        assert_eq!(temperatures(&history), [Some(1), None, None, Some(2)]);
    }

    #[test]
    fn it_is_an_hour_long() {
        let mut history = History::new();
        for n in 0..200 {
            history.update(Some(Ok(reading(n))), at(n as u64 * STEP_SECONDS));
        }
        let points = temperatures(&history);
        assert_eq!(points.len(), POINTS);
        assert_eq!(points.first(), Some(&Some(80)));
        assert_eq!(points.last(), Some(&Some(199)));
    }
}
