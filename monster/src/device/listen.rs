//! The device as it listens: what comes in by the session, and what it does on a command.

use umqtt::{Event, Instant};

use super::turn::{Pending, Turn};
use super::{
    Device, End, Hand, INTRODUCTION_MAX_MS, OTHER_PAIR_MS, ResetReason, SAVE_TIMEOUT_MS, take,
};
use crate::button::ButtonEvent;
use crate::dialogue::asker::{Asker, Route};
use crate::dialogue::command::{Action, Command, Rejected};
use crate::dialogue::payload::{self, Answer, Failure};
use crate::dialogue::topics::{Inlet, Topics};
use crate::link::Link;
use crate::log::Payload;
use crate::memory::{CommandId, Record};
use crate::settings::value::{LogLevel, RetainedCommands};
use crate::switch::SwitchCommand;

impl Device<'_> {
    /// Speaks and listens in turn, so that each command is answered before the next is read. Whether
    /// anything was heard.
    pub(super) fn advance_session(&mut self, now: Instant) -> bool {
        let mut has_heard = false;
        loop {
            self.speak(now);
            let busy = !self.turn.is_free();
            if busy && self.session.is_connected() {
                if let Err(error) = self.session.expire(now) {
                    self.failed(error, now);
                }
                return has_heard;
            }
            if !self.unheard && self.session.deadline().is_none_or(|at| now < at) {
                break;
            }
            let topics = Topics {
                id: &self.id,
                settings: &self.settings,
            };
            let event = self.session.poll(now);
            has_heard |= !matches!(event, Ok(None));
            match event {
                Ok(None) => {
                    self.unheard = false;
                    break;
                }
                Ok(Some(Event::Message(message)))
                    if topics.is_home_assistant(message.topic.as_str()) =>
                {
                    // What is retained is old: on connecting everything was said.
                    if message.payload == b"online" && !message.retain {
                        let delay = self.random.up_to(INTRODUCTION_MAX_MS);
                        self.news.introduction = Some(now.after(delay.into()));
                    }
                }
                Ok(Some(Event::Message(message))) => {
                    let Some(inlet) = topics.inlet(message.topic.as_str()) else {
                        self.counters.rejected += 1;
                        continue;
                    };
                    self.log.add(
                        LogLevel::Info,
                        format_args!("<- {} {}", message.topic, Payload(message.payload)),
                    );
                    let retained = message.retain
                        && (inlet != Inlet::Classic
                            || self.settings.classic.retained == RetainedCommands::Ignore);
                    let command = Command::parse(inlet, message.payload);
                    let route = Route::of(&message);
                    if retained {
                        self.counters.retained_ignored += 1;
                        self.log.add(
                            LogLevel::Warn,
                            format_args!("a retained message is not obeyed"),
                        );
                    } else {
                        self.hear(inlet, command, route, now);
                    }
                }
                Ok(Some(Event::TooLarge { topic, length })) => {
                    self.counters.rejected += 1;
                    self.log.add(
                        LogLevel::Warn,
                        format_args!(
                            "<- {} {length} bytes: too long",
                            topic.map_or("(a topic that is too long)", |topic| topic.as_str())
                        ),
                    );
                }
                Ok(Some(Event::Connected { .. })) => self.accepted(now),
                Ok(Some(Event::Subscribed(identifier, codes))) => {
                    let granted = codes.iter().filter(|code| !code.is_error()).count();
                    let refused = codes.iter().count() - granted;
                    if matches!(self.link, Link::Subscribing(ours, _) if ours == identifier) {
                        self.subscribed(granted, refused, now);
                    }
                }
                Ok(Some(Event::Published(identifier, ..))) => {
                    self.announced.take_if(|announced| *announced == identifier);
                    self.in_flight = self.in_flight.saturating_sub(1);
                    self.blocked = false;
                }
                Ok(Some(_)) => {}
                Err(error) => {
                    self.failed(error, now);
                    return true;
                }
            }
        }
        if let Link::Parting(_) = self.link {
            self.finish_parting();
        }
        has_heard
    }

    /// Everything was said: DISCONNECT, and once that was sent, the end.
    fn finish_parting(&mut self) {
        if self.session.is_closed() {
            self.end();
        } else if self.session.is_idle() && !self.blocked {
            let _ = self.session.disconnect();
        }
    }

    fn hear(
        &mut self,
        inlet: Inlet,
        command: Result<Command, Rejected>,
        route: Option<Route>,
        now: Instant,
    ) {
        let hand = match inlet {
            Inlet::Classic => Hand::Classic,
            Inlet::Switch | Inlet::Climate | Inlet::System => Hand::Structured,
        };
        match command {
            Ok(Command {
                action,
                id: Some(id),
            }) if action != Action::Measure => self.execute_once(action, id, route, now),
            Ok(Command { action, id }) => self.execute(action, Asker { id, route }, hand, now),
            Err(Rejected { reason, id }) => {
                self.counters.rejected += 1;
                self.log
                    .add(LogLevel::Warn, format_args!("not a command: {reason}"));
                self.reply_failed(Asker { id, route }, Failure::Rejected(reason));
            }
        }
    }

    /// Carries out a command with an id, unless it was before: it is stored first.
    fn execute_once(&mut self, action: Action, id: CommandId, route: Option<Route>, now: Instant) {
        if let Some(answer) = self.executed.answer(&id) {
            let state = answer.unwrap_or(self.switch.is_on());
            let asker = Asker {
                id: Some(id),
                route,
            };
            self.turn = Turn::Answering(asker, Answer::State(state));
            return;
        }
        if self.overdue.is_some() {
            self.refuse_unstored(id, route);
            return;
        }
        if let Link::Subscribing(_, at) = &mut self.link {
            // SUBACK may stand behind this command, and is not read before it is stored.
            *at = at.after(SAVE_TIMEOUT_MS);
        }
        self.turn = Turn::Storing(Pending {
            action,
            id,
            route,
            key: self.executed.next_key(),
            deadline: now.after(SAVE_TIMEOUT_MS),
        });
        self.wanted.store = true;
    }

    pub(super) fn save_failed(&mut self, key: u8, now: Instant) {
        if Record::is_switch(key) {
            self.log.add(
                LogLevel::Error,
                format_args!("the switch's state could not be stored"),
            );
        } else if let Some(pending) = self.answered_pending(key, now) {
            self.refuse_unstored(pending.id, pending.route);
        }
    }

    /// The pending command, if this is the key the board has answered for.
    pub(super) fn answered_pending(&mut self, key: u8, now: Instant) -> Option<Pending> {
        let Some(pending) = self.turn.take_pending(|pending| pending.key == key) else {
            self.overdue.take_if(|overdue| *overdue == key);
            return None;
        };
        if let Link::Subscribing(_, at) = &mut self.link {
            // It was faster than it had time for.
            let early = pending.deadline.since(now);
            *at = Instant::from_millis(at.as_millis().saturating_sub(early));
        }
        Some(pending)
    }

    /// The board took too long to store the pending command. Should it be stored after all, the
    /// word for it must not be taken for that of another one.
    pub(super) fn give_up_pending(&mut self) {
        if let Some(pending) = self.turn.take_pending(|_| true) {
            // What the board was never asked for it does not answer.
            if !take(&mut self.wanted.store) {
                self.overdue = Some(pending.key);
            }
            self.refuse_unstored(pending.id, pending.route);
        }
    }

    /// A command that is not stored could be executed twice: it is not executed.
    fn refuse_unstored(&mut self, id: CommandId, route: Option<Route>) {
        self.log.add(
            LogLevel::Error,
            format_args!("the command {id} could not be stored"),
        );
        self.reply_failed(
            Asker {
                id: Some(id),
                route,
            },
            Failure::NotStored,
        );
    }

    /// Tells whoever asked, if an answer is wanted, that it was not done.
    fn reply_failed(&mut self, asker: Asker, why: Failure) {
        if asker.waits() {
            self.turn = Turn::Answering(asker, Answer::Failed(why));
        }
    }

    pub(super) fn execute(&mut self, action: Action, asker: Asker, hand: Hand, now: Instant) {
        match action {
            Action::Switch(command) => {
                let moved = self.switch.apply(command, now);
                self.switch_moved(moved, hand, now);
            }
            Action::Measure => {
                self.measure(asker, hand, now);
                return;
            }
            Action::Identify => {
                self.wanted.identify = true;
                self.identify.start(now);
            }
            Action::Restart => {}
        }
        let state = self.switch.is_on();
        if let Some(id) = &asker.id {
            self.executed.done(id.clone(), state);
        }
        if asker.waits() {
            self.turn = Turn::Answering(asker, Answer::State(state));
        }
        if action == Action::Restart {
            self.log
                .add(LogLevel::Info, format_args!("restarting, as commanded"));
            self.part(End::Restart(ResetReason::Command), now);
        }
    }

    fn measure(&mut self, asker: Asker, hand: Hand, now: Instant) {
        match hand {
            Hand::Classic => self.news.classic_asked = true,
            Hand::Structured => self.news.structured_asked = true,
            // It is seen where it was asked for.
            Hand::Button | Hand::Pulse | Hand::Local => {}
        }
        let Some(climate) = &mut self.climate else {
            self.news.classic_climate |= take(&mut self.news.classic_asked);
            self.reply_failed(asker, Failure::NoSensor);
            return;
        };
        climate.request(now);
        if asker.waits()
            && let Some(asker) = self.news.ask(asker)
        {
            self.reply_failed(asker, Failure::Crowd);
        }
    }

    /// The switch was commanded by this hand, and has moved or not. Whoever commanded hears of it at
    /// once; the other pair a moment later, so that nobody's answer waits for what others are told.
    pub(super) fn switch_moved(&mut self, moved: bool, hand: Hand, now: Instant) {
        let moment = |waits: bool| now.after(if waits { OTHER_PAIR_MS } else { 0 });
        let on = self.switch.is_on();
        if hand == Hand::Local && !moved {
            return;
        }
        self.news.switch.add(on, moment(hand == Hand::Classic), now);
        if moved || hand == Hand::Classic {
            let at = moment(hand == Hand::Structured);
            self.news.classic_switch.add(on, at, now);
        }
        if moved {
            self.log.add(
                LogLevel::Info,
                format_args!("switch {}", payload::state(self.switch.is_on())),
            );
        }
    }

    pub(super) fn button_event(&mut self, event: Option<ButtonEvent>, now: Instant) {
        let Some(event) = event else { return };
        self.pressed = Some((event, now));
        self.counters.drops += self.news.add_event(event, now);
        if event == ButtonEvent::Single {
            let moved = self.switch.apply(SwitchCommand::Toggle, now);
            self.switch_moved(moved, Hand::Button, now);
        }
    }
}
