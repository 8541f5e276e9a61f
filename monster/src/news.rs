//! What is still to be said: states as their latest value, events one after the other.

use heapless::{Deque, Vec};
use umqtt::Instant;

use crate::button::ButtonEvent;
use crate::climate::Outcome;
use crate::dialogue::asker::Asker;
use crate::dialogue::payload::Answer;

/// How many events wait.
const EVENTS: usize = 32;
/// How long they do, in milliseconds: one that is told later would fire somebody's automation
/// when nobody expects it any more.
const EVENT_AGE_MS: u64 = 10_000;
/// How many states of the switch wait for one pair.
const STATES: usize = 8;
/// How many who want an answer of their own can wait for one measurement.
const ASKERS: usize = 4;

/// What the device has to say and has not said yet.
#[derive(Default)]
pub(crate) struct News {
    /// The answer to a command; the next message is not read before it is said.
    pub reply: Option<(Asker, Answer)>,
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
    pub cleared: usize,
    /// The measurement that is asked for is to be told on the classic topic.
    pub classic_asked: bool,
    /// The measurement that is asked for is to be told on the structured topic.
    pub structured_asked: bool,
    /// What came of the measurement, for those who asked by id.
    pub answer: Option<Outcome>,
    askers: Vec<Asker, ASKERS>,
    events: Deque<(ButtonEvent, Instant), EVENTS>,
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
        self.reply = None;
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
        self.askers.push(asker).err()
    }

    /// One of those who wait for a measurement that is over.
    pub fn next_asker(&mut self) -> Option<Asker> {
        self.askers.pop()
    }

    /// Adds an event; returns how many were dropped for it.
    #[must_use]
    pub fn add_event(&mut self, event: ButtonEvent, now: Instant) -> u32 {
        let dropped = self.events.is_full() && self.events.pop_front().is_some();
        let _ = self.events.push_back((event, now));
        dropped as u32
    }

    /// Drops events that are too old; returns how many.
    #[must_use]
    pub fn drop_old_events(&mut self, now: Instant) -> u32 {
        let mut dropped = 0;
        while self
            .events
            .pop_front_if(|(_, at)| now.since(*at) > EVENT_AGE_MS)
            .is_some()
        {
            dropped += 1;
        }
        dropped
    }

    /// The next event to tell.
    pub fn event(&self) -> Option<ButtonEvent> {
        self.events.front().map(|(event, _)| *event)
    }

    /// The event was told.
    pub fn event_told(&mut self) {
        self.events.pop_front();
    }
}

/// States of the switch that one pair is still to be told, in their order.
#[derive(Default)]
pub(crate) struct States {
    waiting: Deque<bool, STATES>,
    /// When they are told, if there are any.
    pub due: Option<Instant>,
}

impl States {
    /// Adds a state, to be told `at` that time, or sooner if others are. When there are too many,
    /// they are told now; when they cannot be, the oldest gives way to the latest.
    pub fn add(&mut self, on: bool, at: Instant, now: Instant) {
        if self.waiting.is_full() {
            self.waiting.pop_front();
        }
        let _ = self.waiting.push_back(on);
        let at = if self.waiting.is_full() { now } else { at };
        self.due = Some(self.due.map_or(at, |due| due.min(at)));
    }

    /// Puts one state in place of all, to be told now.
    pub fn replace(&mut self, on: bool, now: Instant) {
        self.clear();
        self.add(on, now, now);
    }

    pub fn clear(&mut self) {
        self.waiting.clear();
        self.due = None;
    }

    /// The next state to tell.
    pub fn next(&self) -> Option<bool> {
        self.waiting.front().copied()
    }

    /// It was told.
    pub fn told(&mut self) {
        self.waiting.pop_front();
        if self.waiting.is_empty() {
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
