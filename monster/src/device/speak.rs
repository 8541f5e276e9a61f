//! The device as it speaks: what is to be said, in which order, as far as there is room.

use core::fmt::Write;

use heapless::String;
use umqtt::{
    Instant, PacketIdentifier, Property, PropertyList, Publish, PublishError, Qos, ReasonCode,
};

use super::turn::Turn;
use super::{DIAGNOSTICS_MS, Device, End, IN_FLIGHT};
use crate::dialogue::payload::{self, Answer};
use crate::dialogue::topics::Topic;
use crate::link::Link;
use crate::log::{LINE_MAX, Payload};
use crate::settings::Filled;
use crate::settings::value::LogLevel;

impl Device<'_> {
    /// Says what is to be said, as far as there is room.
    pub(super) fn speak(&mut self, now: Instant) {
        self.counters.drops += self.news.drop_old_events(now);
        if !self.session.is_connected() {
            // A command that was being stored when the connection broke: who asked will ask again.
            self.turn.forget_answer();
            return;
        }
        self.next_reply();
        // The first that finds no room ends the round: what is said keeps its order.
        let _ = self
            .go_on_announcing()
            .and_then(|()| self.speak_reply())
            .and_then(|()| self.speak_classic(now))
            .and_then(|()| self.speak_structured(now))
            .and_then(|()| self.speak_log());
    }

    /// Turns those who wait for a measurement that is over into replies, one by one.
    fn next_reply(&mut self) {
        if self.turn.is_free()
            && let Some(outcome) = self.news.answer
        {
            match self.news.next_asker() {
                Some(asker) => self.turn = Turn::Answering(asker, Answer::Climate(outcome)),
                None => self.news.answer = None,
            }
        }
    }

    fn speak_reply(&mut self) -> Result<(), NoRoom> {
        while let Turn::Answering(asker, answer) = &self.turn {
            let payload = payload::reply(asker.id.as_ref(), answer);
            let (name, correlation) = match &asker.route {
                Some(route) => (route.topic.clone(), route.correlation.clone()),
                None => (self.topics().name(Topic::Reply), None),
            };
            let correlation = correlation.as_deref().map(Property::CorrelationData);
            let message = Publish {
                properties: PropertyList::new(correlation.as_slice()),
                ..Publish::new(&name, payload.as_bytes())
            };
            self.publish(&message, LogLevel::Info)?;
            self.turn = Turn::Free;
            self.next_reply();
        }
        Ok(())
    }

    fn speak_classic(&mut self, now: Instant) -> Result<(), NoRoom> {
        if !self.settings.classic.enabled {
            self.news.classic_switch.clear();
            return Ok(());
        }
        while self.is_due(self.news.classic_switch.due, now)
            && let Some(on) = self.news.classic_switch.next()
        {
            let classic = &self.settings.classic;
            let text = if on {
                classic.on.clone()
            } else {
                classic.off.clone()
            };
            self.say(Topic::Classic, text.as_str().as_bytes(), LogLevel::Info)?;
            self.news.classic_switch.told();
        }
        if self.news.classic_climate {
            let text = self.classic_climate();
            self.say(Topic::Classic, text.as_bytes(), LogLevel::Info)?;
            self.news.classic_climate = false;
        }
        if let Some(number) = self.heartbeat.as_ref().and_then(|it| it.due(now)) {
            let mut text = Filled::new();
            let format = &self.settings.classic.heartbeat;
            let _ = format.fill(number.into(), &mut text);
            self.say(Topic::Classic, text.as_bytes(), LogLevel::Debug)?;
            if let Some(heartbeat) = &mut self.heartbeat {
                heartbeat.sent(now);
            }
        }
        Ok(())
    }

    /// The answer to `getTH`.
    fn classic_climate(&self) -> Filled {
        let mut text = Filled::new();
        let _ = match self.climate() {
            Some(Ok(reading)) => {
                let format = &self.settings.classic.th;
                format.fill(reading.celsius(), reading.percent(), &mut text)
            }
            Some(Err(error)) => write!(text, "th=error,{}", error.as_str()),
            None => text.write_str("th=error,none"),
        };
        text
    }

    /// Whether this is to be told now. At the end nothing waits.
    fn is_due(&self, at: Option<Instant>, now: Instant) -> bool {
        at.is_some_and(|at| at <= now || matches!(self.link, Link::Parting(_)))
    }

    fn speak_structured(&mut self, now: Instant) -> Result<(), NoRoom> {
        if !self.settings.structured.enabled {
            // There is nobody to tell; the classic pair has no events.
            self.news.switch.clear();
            while self.news.event().is_some() {
                self.news.event_told();
            }
            return Ok(());
        }
        // Who reads `online` may send commands: the subscriptions must stand.
        if !self.link.is_in_dialogue() {
            return Ok(());
        }
        if self.wanted.end == Some(End::FactoryReset) {
            return self.clear_retained();
        }
        if self.news.introduction.is_some_and(|at| at <= now) {
            self.news.introduce(self.switch.is_on(), now);
        }
        if now >= self.next_diagnostics {
            self.news.diagnostics = true;
            self.next_diagnostics = now.after(DIAGNOSTICS_MS);
        }
        let parting = matches!(self.link, Link::Parting(_));
        if self.news.status && !parting {
            self.keep_informed(Topic::Status, b"online")?;
            self.news.status = false;
        }
        self.announce()?;
        while self.is_due(self.news.switch.due, now)
            && let Some(on) = self.news.switch.next()
        {
            self.keep_informed(Topic::Switch, payload::state(on).as_bytes())?;
            self.news.switch.told();
        }
        if self.news.climate {
            if let Some(climate) = &self.climate
                && let Some(outcome) = climate.outcome()
            {
                let payload = payload::climate(outcome, climate.age(now).unwrap_or(0));
                self.keep_informed(Topic::Climate, payload.as_bytes())?;
            }
            self.news.climate = false;
        }
        while let Some(event) = self.news.event() {
            let payload = payload::button(event).as_bytes();
            let name = self.topics().name(Topic::Button);
            let message = Publish::new(&name, payload).qos(Qos::AtLeastOnce);
            self.publish(&message, LogLevel::Info)?;
            self.news.event_told();
        }
        if self.news.diagnostics {
            let payload = self.diagnostics(now).payload();
            self.keep_informed(Topic::Diagnostics, payload.as_bytes())?;
            self.news.diagnostics = false;
        }
        if self.news.status && parting {
            self.keep_informed(Topic::Status, b"offline")?;
            self.news.status = false;
        }
        Ok(())
    }

    /// Tells the broker what the log says. Nothing is logged of that, or there would be no end of it.
    fn speak_log(&mut self) -> Result<(), NoRoom> {
        while self.link.is_in_dialogue()
            && let Some(line) = self.log.next_for_broker()
        {
            let mut payload = String::<{ LINE_MAX + 8 }>::new();
            let _ = write!(payload, "{}: {}", line.level.as_str(), line.text);
            let name = self.topics().name(Topic::Log);
            let queued = self
                .session
                .publish(&Publish::new(&name, payload.as_bytes()));
            if let Err(PublishError::Full | PublishError::NotConnected) = queued {
                self.blocked = true;
                return Err(NoRoom);
            }
            self.log.told_broker();
        }
        Ok(())
    }

    /// Publishes a message of QoS 0.
    fn say(&mut self, topic: Topic, payload: &[u8], level: LogLevel) -> Result<(), NoRoom> {
        let name = self.topics().name(topic);
        self.publish(&Publish::new(&name, payload), level)
    }

    /// Publishes a state: QoS 1, retained.
    pub(super) fn keep_informed(&mut self, topic: Topic, payload: &[u8]) -> Result<(), NoRoom> {
        let name = self.topics().name(topic);
        let message = Publish::new(&name, payload).qos(Qos::AtLeastOnce);
        self.publish(&message.retained(), LogLevel::Debug)
    }

    fn publish(&mut self, message: &Publish<'_>, level: LogLevel) -> Result<(), NoRoom> {
        if message.qos != Qos::AtMostOnce && self.in_flight >= IN_FLIGHT {
            return Err(NoRoom);
        }
        let name = message.topic;
        let session = &mut self.session;
        let queued = as_taken(message, |message| session.publish(message));
        if self.queued(name, queued)? {
            self.log.add(
                level,
                format_args!("-> {name} {}", Payload(message.payload)),
            );
        }
        Ok(())
    }

    /// Whether the session has taken a message.
    pub(super) fn queued(
        &mut self,
        name: &str,
        outcome: Result<Option<PacketIdentifier>, PublishError>,
    ) -> Result<bool, NoRoom> {
        match outcome {
            Ok(identifier) => {
                self.in_flight += identifier.is_some() as u8;
                Ok(true)
            }
            Err(PublishError::Full | PublishError::NotConnected) => {
                self.blocked = true;
                Err(NoRoom)
            }
            // It would never go: better said once than tried for ever.
            Err(error) => {
                self.log
                    .add(LogLevel::Error, format_args!("-> {name}: {error}"));
                Ok(false)
            }
        }
    }
}

/// The session has no room for a message now.
pub(super) struct NoRoom;

/// Publishes, and leaves out of a message what the broker does not take, rather than the message.
pub(super) fn as_taken<R>(
    message: &Publish<'_>,
    mut publish: impl FnMut(&Publish<'_>) -> Result<R, PublishError>,
) -> Result<R, PublishError> {
    let mut message = *message;
    loop {
        match publish(&message) {
            Err(PublishError::NotSupported(ReasonCode::QOS_NOT_SUPPORTED))
                if message.qos != Qos::AtMostOnce =>
            {
                message.qos = Qos::AtMostOnce;
            }
            Err(PublishError::NotSupported(ReasonCode::RETAIN_NOT_SUPPORTED)) if message.retain => {
                message.retain = false;
            }
            outcome => break outcome,
        }
    }
}
