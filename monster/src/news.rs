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
/// How many who want an answer of their own can wait for one measurement.
const ASKERS: usize = 4;

/// What the device has to say and has not said yet.
#[derive(Default)]
pub(crate) struct News {
    /// The answer to a command; the next message is not read before it is said.
    pub reply: Option<(Asker, Answer)>,
    /// The switch's state, on the classic topic, from then on.
    pub classic_switch: Option<Instant>,
    /// The outcome of a measurement, on the classic topic.
    pub classic_climate: bool,
    /// `online` or `offline`.
    pub status: bool,
    /// The switch's state, on the structured topic, from then on.
    pub switch: Option<Instant>,
    /// Temperature and humidity.
    pub climate: bool,
    /// Diagnostics.
    pub diagnostics: bool,
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
    /// A session begins: every state is told.
    pub fn connected(&mut self, now: Instant) {
        self.status = true;
        self.switch = Some(now);
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
