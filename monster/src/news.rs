//! What is still to be said: states as their latest value, events one after the other.

use heapless::Deque;
use umqtt::Instant;

use crate::button::ButtonEvent;
use crate::climate::Outcome;
use crate::dialogue::asker::{Asker, Askers};

/// How many events wait.
const EVENTS: usize = 32;
/// How long they do, in milliseconds: one that is told later would fire somebody's automation
/// when nobody expects it any more.
const EVENT_AGE_MS: u64 = 10_000;
/// How many states of the switch wait for one pair.
const STATES: u8 = 8;

/// What the device has to say and has not said yet.
#[derive(Default)]
pub(crate) struct News {
    /// The switch's states, on the classic topic.
    pub classic_switch: States,
    /// The outcome of a measurement, on the classic topic.
    pub classic_climate: bool,
    /// `online` or `offline`.
    pub status: bool,
    /// The switch's states, on the structured topic.
    pub switch: States,
    /// Temperature and humidity.
    pub climate: bool,
    /// Diagnostics.
    pub diagnostics: bool,
    /// What Home Assistant is told.
    pub discovery: bool,
    /// Home Assistant has come back: then it is told everything again.
    pub introduction: Option<Instant>,
    /// How many of the retained topics were cleared, before everything is forgotten.
    pub cleared: u8,
    /// The measurement that is asked for is to be told on the classic topic.
    pub classic_asked: bool,
    /// The measurement that is asked for is to be told on the structured topic.
    pub structured_asked: bool,
    /// What came of the measurement, for those who asked by id.
    pub answer: Option<Outcome>,
    askers: Askers,
    events: Deque<Event, EVENTS>,
}

impl News {
    /// A session begins, with the switch `on` or off: every state is told, as it is now.
    pub fn connected(&mut self, on: bool, now: Instant) {
        self.introduce(on, now);
        if self.classic_switch.due.is_some() {
            self.classic_switch.replace(on, now);
        }
    }

    /// Home Assistant is told what the device is, and everybody who listens to the structured tree
    /// every state.
    pub fn introduce(&mut self, on: bool, now: Instant) {
        self.introduction = None;
        self.discovery = true;
        self.status = true;
        self.switch.replace(on, now);
        self.climate = true;
        self.diagnostics = true;
    }

    /// The session is over: who asked will ask again.
    pub fn disconnected(&mut self) {
        self.classic_climate = false;
        self.classic_asked = false;
        self.structured_asked = false;
        self.answer = None;
        self.introduction = None;
        self.askers.clear();
    }

    /// Somebody waits for a measurement. Gives them back if too many do.
    #[must_use]
    pub fn ask(&mut self, asker: Asker) -> Option<Asker> {
        self.askers.add(asker)
    }

    /// One of those who wait for a measurement that is over.
    pub fn next_asker(&mut self) -> Option<Asker> {
        self.askers.take_first()
    }

    /// Adds an event; returns how many were dropped for it.
    #[must_use]
    pub fn add_event(&mut self, event: ButtonEvent, now: Instant) -> u32 {
        let dropped = self.events.is_full() && self.events.pop_front().is_some();
        let _ = self.events.push_back(Event::new(event, now));
        dropped as u32
    }

    /// Drops events that are too old; returns how many.
    #[must_use]
    pub fn drop_old_events(&mut self, now: Instant) -> u32 {
        let mut dropped = 0;
        while self
            .events
            .pop_front_if(|event| now.since(event.at()) > EVENT_AGE_MS)
            .is_some()
        {
            dropped += 1;
        }
        dropped
    }

    /// The next event to tell.
    pub fn event(&self) -> Option<ButtonEvent> {
        self.events.front().map(|event| event.what())
    }

    /// The event was told.
    pub fn event_told(&mut self) {
        self.events.pop_front();
    }
}

/// What the button did, and when: the time in milliseconds, times four, and a number that says what.
#[derive(Clone, Copy)]
struct Event(u64);

impl Event {
    fn new(what: ButtonEvent, at: Instant) -> Self {
        let what = match what {
            ButtonEvent::Single => 0,
            ButtonEvent::Double => 1,
            ButtonEvent::Long => 2,
        };
        Event((at.as_millis() << 2) | what)
    }

    fn what(self) -> ButtonEvent {
        match self.0 & 3 {
            0 => ButtonEvent::Single,
            1 => ButtonEvent::Double,
            _ => ButtonEvent::Long,
        }
    }

    fn at(self) -> Instant {
        Instant::from_millis(self.0 >> 2)
    }
}

/// States of the switch that one pair is still to be told, in their order.
#[derive(Default)]
pub(crate) struct States {
    /// Each is a bit, the next one to tell the lowest.
    waiting: u8,
    /// How many there are, up to [`STATES`].
    count: u8,
    /// When they are told, if there are any.
    pub due: Option<Instant>,
}

impl States {
    /// Adds a state, to be told `at` that time, or sooner if others are. When there are too many,
    /// they are told now; when they cannot be, the oldest gives way to the latest.
    pub fn add(&mut self, on: bool, at: Instant, now: Instant) {
        if self.count == STATES {
            self.told();
        }
        self.waiting |= (on as u8) << self.count;
        self.count += 1;
        let at = if self.count == STATES { now } else { at };
        self.due = Some(self.due.map_or(at, |due| due.min(at)));
    }

    /// Puts one state in place of all, to be told now.
    pub fn replace(&mut self, on: bool, now: Instant) {
        self.clear();
        self.add(on, now, now);
    }

    pub fn clear(&mut self) {
        *self = States::default();
    }

    /// The next state to tell.
    pub fn next(&self) -> Option<bool> {
        (self.count > 0).then_some(self.waiting & 1 == 1)
    }

    /// It was told.
    pub fn told(&mut self) {
        self.waiting >>= 1;
        self.count = self.count.saturating_sub(1);
        if self.count == 0 {
            self.due = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_told_in_order_at_the_soonest_time_and_the_latest_is_never_lost() {
        let at = Instant::from_millis;
        let mut states = States::default();
        assert_eq!((states.next(), states.due), (None, None));
        states.add(true, at(60), at(10));
        states.add(false, at(20), at(20));
        assert_eq!(states.due, Some(at(20)));
        assert_eq!(states.next(), Some(true));
        states.told();
        assert_eq!((states.next(), states.due), (Some(false), Some(at(20))));
        states.told();
        assert_eq!((states.next(), states.due), (None, None));
        for n in 0..100 {
            states.add(n % 2 == 0, at(1_000), at(30));
        }
        assert_eq!(states.due, Some(at(30)), "too many do not wait");
        let mut last = None;
        let mut told = 0;
        while let Some(on) = states.next() {
            last = Some(on);
            told += 1;
            states.told();
        }
        assert_eq!((last, told), (Some(false), STATES));
    }
}
