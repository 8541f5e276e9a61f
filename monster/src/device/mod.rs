//! The device: everything it is and does, without any input or output of its own.

mod announce;
mod board;
mod connection;
mod hold;
mod kept;
mod listen;
mod local;
mod rules;
mod speak;
mod status;
mod turn;
mod uplink;

pub use board::{Input, Output, ResetReason, Start, Vitals};
use hold::Held;
use kept::Kept;
pub use kept::SESSION_IMAGE;
pub use local::{LocalCommand, UnknownCommand};
pub(crate) use rules::Rules;
pub use status::{Connection, ConnectionState, LastPress, REASON_MAX};
use turn::Turn;

use core::net::IpAddr;

use heapless::String;
use umqtt::{Instant, PacketIdentifier, Session};

use crate::access_point::AccessPoint;
use crate::backoff::Backoff;
use crate::button::{Button, ButtonEvent};
use crate::climate::{Climate, Offsets};
use crate::dialogue::asker::Asker;
use crate::dialogue::payload::Counters;
use crate::dialogue::topics::Topics;
use crate::heartbeat::Heartbeat;
use crate::identity::DeviceId;
use crate::led::Identify;
use crate::link::Link;
use crate::log::Lines;
use crate::memory::{Executed, Record, StoreFault};
use crate::news::News;
use crate::random::Random;
use crate::settings::value::LogLevel;
use crate::switch::Switch;

/// Bytes of receive buffer that any settings work with: CONNECT with the longest user, password
/// and client id is built in it, and the longest command fits.
pub const RECEIVE_BUFFER: usize = 1024;
/// Bytes of send buffer that any settings work with: SUBSCRIBE, or the messages in flight and one
/// more.
pub const SEND_BUFFER: usize = 2048;

/// Milliseconds between two messages of diagnostics.
const DIAGNOSTICS_MS: u64 = 60_000;
/// How many messages of QoS 1 are in flight at once. So there is always room for an answer: the
/// acknowledgements that make room may stand behind the command that is to be answered.
const IN_FLIGHT: u8 = 4;
/// Milliseconds by which the pair that did not command the switch hears of it later than the one that
/// did: long enough that those of commands in quick succession go together, too short to be seen.
const OTHER_PAIR_MS: u64 = 50;
/// Milliseconds after which Home Assistant, when it has come back, is told everything at the latest:
/// chance spreads the devices, for all of them hear it at once.
const INTRODUCTION_MAX_MS: u32 = 5_000;
/// Milliseconds in which the board must have stored a record.
const SAVE_TIMEOUT_MS: u64 = 5_000;

/// A switch, a button and a climate sensor on an MQTT broker, as a state machine.
///
/// It does no input or output and reads no clock: a board hands in what happens, with the time,
/// and carries out what comes out.
///
/// | call | when |
/// |---|---|
/// | [`poll`](Self::poll), until `None` | first, after any other call, and at the [`deadline`](Self::deadline) |
/// | [`transmit`](Self::transmit), [`transmitted`](Self::transmitted) | after `poll`, while there is something and a connection |
/// | [`receive_buffer`](Self::receive_buffer), [`received`](Self::received) | bytes came, and there is room for them |
/// | [`handle`](Self::handle) | anything else happened |
///
/// Time must not go backwards. No call panics, whatever comes in.
pub struct Device<'b> {
    settings: Rules,
    id: DeviceId,
    session: Session<'b>,
    kept: Kept,
    link: Link,
    backoff: Backoff,
    random: Random,
    /// Whether there was a session before.
    was_connected: bool,
    will: connection::Will,
    in_flight: u8,
    /// Bytes of the message of discovery that is on its way out in pieces.
    discovery: usize,
    /// That message, until it is acknowledged.
    announced: Option<PacketIdentifier>,
    /// What was announced before this boot, and is not to be any more, was cleared.
    withdrawn: bool,
    /// The session has no room; nothing can be said before something was sent or received.
    blocked: bool,

    switch: Switch,
    /// The state that was last given to the board to store.
    saving: bool,
    button: Button,
    climate: Option<Climate>,
    heartbeat: Option<Heartbeat>,
    executed: Executed,
    turn: Turn,
    /// The key of a record that the board took too long to store, and still owes the word for.
    overdue: Option<u8>,
    news: News,
    next_diagnostics: Instant,

    boot: Instant,
    reset: ResetReason,
    boots: u32,
    store_fault: Option<StoreFault>,
    counters: Counters,
    vitals: Vitals,
    ip: Option<IpAddr>,
    /// Why there is no connection, if there is none and one was wanted.
    reason: String<REASON_MAX, u8>,
    /// What the button did last, and when.
    pressed: Option<(ButtonEvent, Instant)>,
    /// What the hold of the button that lasts has done so far.
    held: Held,
    identify: Identify,
    /// When the status LED changes by itself.
    led_deadline: Option<Instant>,
    access_point: AccessPoint,
    /// The settings of WiFi and broker are new, and it is not known yet whether they are right.
    on_trial: bool,

    wanted: Wanted,
    log: Lines,
    /// Everything that was due by then is done, unless something happened since.
    advanced: Option<Instant>,
    /// Nothing is to be done before this, if nothing happens: known from when [`poll`](Self::poll) had
    /// nothing more until something happens.
    quiet_until: Option<Instant>,
    /// The session may have something to say: bytes went in or out since it had nothing.
    unheard: bool,
}

/// A time that does not come.
const NEVER: Instant = Instant::from_millis(u64::MAX);

/// What the board has not been told yet.
#[derive(Default)]
struct Wanted {
    /// The level the pin has.
    level: Option<bool>,
    /// Whether the LED is lit.
    lit: Option<bool>,
    /// Whether the access point is up.
    access_point: bool,
    connect: bool,
    close: bool,
    /// The command whose turn it is stored.
    store: bool,
    measure: bool,
    identify: bool,
    end: Option<End>,
    /// What the switch is to remember was stored before the end.
    end_saved: bool,
}

/// How it will end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Stop,
    Restart(ResetReason),
    FactoryReset,
}

/// Who moved the switch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hand {
    /// The classic topic, which always gets an answer.
    Classic,
    Structured,
    Button,
    Pulse,
    /// Somebody at the device itself, who is not at the button.
    Local,
}

impl<'b> Device<'b> {
    /// A device that was switched on at `now`. `receive` and `send` hold [`RECEIVE_BUFFER`] and
    /// [`SEND_BUFFER`] bytes, or more for longer messages.
    pub fn new(start: Start, receive: &'b mut [u8], send: &'b mut [u8], now: Instant) -> Self {
        let settings = start.settings;
        let kind = settings.climate.kind.on_the_line();
        let offsets = Offsets {
            temperature: settings.climate.temperature_offset.tenths(),
            humidity: settings.climate.humidity_offset.tenths(),
        };
        let power_on = settings.switch.power_on;
        let inverted = settings.switch.inverted;
        let mut log = Lines::new(
            settings.log.level,
            settings
                .log
                .mqtt
                .level()
                .filter(|_| settings.structured.enabled),
        );
        if settings.broker.url.is_none() {
            log.add(LogLevel::Warn, format_args!("no broker is set"));
        }
        Device {
            id: start.id,
            session: Session::new(receive, send),
            kept: Kept::default(),
            link: match settings.broker.url {
                Some(_) => Link::Waiting(now),
                None => Link::NoBroker,
            },
            backoff: Backoff::new(now),
            random: Random::new(start.seed),
            was_connected: false,
            will: connection::Will::WANTED,
            in_flight: 0,
            discovery: 0,
            announced: None,
            withdrawn: false,
            blocked: false,
            switch: Switch::new(power_on, inverted, start.memory.switch),
            saving: false,
            button: Button::new(start.button_pressed),
            climate: kind.map(|kind| Climate::new(kind, offsets, now)),
            heartbeat: settings
                .classic
                .enabled
                .then(|| Heartbeat::new(settings.heartbeat.interval)),
            executed: start.memory.executed,
            turn: Turn::Free,
            overdue: None,
            news: News::default(),
            next_diagnostics: now,
            boot: now,
            reset: start.reset,
            boots: start.boots,
            store_fault: start.memory.fault,
            counters: Counters::default(),
            vitals: Vitals::default(),
            ip: None,
            reason: String::new(),
            pressed: None,
            held: Held::default(),
            identify: Identify::default(),
            led_deadline: None,
            access_point: AccessPoint::new(
                settings.access_point,
                !settings.wifi.ssid.as_str().is_empty(),
                now,
            ),
            on_trial: false,
            wanted: Wanted::default(),
            log,
            advanced: None,
            quiet_until: None,
            unheard: true,
            settings: Rules::new(settings),
        }
    }

    /// Takes in what happened. After the end nothing matters any more.
    pub fn handle(&mut self, input: Input<'_>, now: Instant) {
        if self.link == Link::Ended {
            return;
        }
        self.disturb();
        match input {
            Input::Network(is_there) => {
                self.access_point.handle_network(is_there, now);
                match is_there {
                    true if self.link == Link::Down => self.wait_for_next_attempt(now),
                    true => {}
                    false => self.network_down(now),
                }
            }
            Input::Connected { ip } => self.connected(ip, now),
            Input::ConnectFailed(reason) | Input::Closed(reason) => {
                if self.link.is_open() {
                    self.disconnected(format_args!("{reason}"), now);
                }
            }
            Input::Button { pressed } => {
                let event = self.button.handle_level(pressed, now);
                self.button_event(event, now);
            }
            Input::Pulses(pulses) => {
                if let Some(climate) = &mut self.climate {
                    climate.handle_pulses(pulses, now);
                }
            }
            Input::Reading(reading) => {
                if let Some(climate) = &mut self.climate {
                    climate.handle_reading(reading, now);
                }
            }
            Input::Saved(key) if Record::is_switch(key) => self.switch.saved(self.saving, now),
            Input::Saved(key) => {
                if let Some(pending) = self.answered_pending(key, now) {
                    let asker = Asker {
                        id: Some(pending.id),
                        route: pending.route,
                    };
                    self.execute(pending.action, asker, Hand::Structured, now);
                }
            }
            Input::SaveFailed(key) => self.save_failed(key, now),
            Input::Vitals(vitals) => self.vitals = vitals,
            Input::PortalUsed => self.access_point.handle_use(now),
            Input::Local(command) => self.obey(command, now),
            Input::WrongPassword => {
                let line = format_args!("somebody gave a wrong password at the console");
                self.log.add(LogLevel::Warn, line);
            }
            Input::Stop => self.part(End::Stop, now),
        }
    }

    /// What the board is to do next; call until it returns `None`.
    pub fn poll(&mut self, now: Instant) -> Option<Output> {
        if self.quiet_until.is_some_and(|until| now < until) {
            return None;
        }
        self.quiet_until = None;
        let output = self.next_output(now);
        if output.is_none() {
            self.quiet_until = Some(self.next_deadline());
        }
        output
    }

    fn next_output(&mut self, now: Instant) -> Option<Output> {
        if self.link != Link::Ended {
            if self.advanced != Some(now) {
                self.advance(now);
                self.advanced = Some(now);
            }
        } else if self.wanted.end.is_none() {
            return None;
        }
        let level = self.switch.level();
        if self.wanted.level != Some(level) {
            self.wanted.level = Some(level);
            return Some(Output::Switch { level });
        }
        if take(&mut self.wanted.store)
            && let Some(pending) = self.turn.pending()
        {
            return Some(Output::Save(self.executed.record(&pending.id)));
        }
        if let Some(on) = self.switch.save_due(now) {
            // Until the board says that it is stored it is not, and is due again in a minute.
            self.switch.save_failed(now);
            self.saving = on;
            return Some(Output::Save(Record::switch(on)));
        }
        if let Some(line) = self.log.next() {
            return Some(Output::Log(line));
        }
        if take(&mut self.wanted.close) {
            return Some(Output::Close);
        }
        if take(&mut self.wanted.connect) {
            return Some(Output::Connect);
        }
        if take(&mut self.wanted.measure) {
            return Some(Output::Measure);
        }
        if take(&mut self.wanted.identify) {
            return Some(Output::Identify);
        }
        let up = self.access_point.is_up();
        if self.wanted.access_point != up {
            self.wanted.access_point = up;
            return Some(Output::AccessPoint { up });
        }
        let pattern = self.pattern(now);
        self.led_deadline = pattern.deadline(now);
        let lit = pattern.is_lit(now);
        if self.wanted.lit != Some(lit) {
            self.wanted.lit = Some(lit);
            return Some(Output::Led { lit });
        }
        if self.link == Link::Ended
            && !self.wanted.end_saved
            && let Some(on) = self.switch.unsaved()
        {
            self.wanted.end_saved = true;
            return Some(Output::Save(Record::switch(on)));
        }
        if let Some(output) = self.session_to_store() {
            return Some(output);
        }
        match self.wanted.end.take_if(|_| self.link == Link::Ended)? {
            End::Stop => Some(Output::Stopped),
            End::Restart(reason) => Some(Output::Restart(reason)),
            End::FactoryReset => Some(Output::FactoryReset),
        }
    }

    /// When to call [`poll`](Self::poll) if nothing happens before.
    pub fn deadline(&self) -> Option<Instant> {
        let next = self.quiet_until.unwrap_or_else(|| self.next_deadline());
        (next < NEVER).then_some(next)
    }

    /// The same, [`NEVER`] if there is none, from its parts: this is done after everything that happens.
    fn next_deadline(&self) -> Instant {
        let mut next = NEVER;
        let mut add = |at: Option<Instant>| {
            if let Some(at) = at {
                next = next.min(at);
            }
        };
        if self.link == Link::Ended {
            return next;
        }
        add(self.link.deadline());
        add(self.session.deadline());
        add(self.switch.deadline());
        add(self.button.deadline());
        add(self.climate.as_ref().map(Climate::deadline));
        add(self.turn.pending().map(|pending| pending.deadline));
        add(self.access_point.deadline());
        add(self.hold_deadline());
        if self.blocked {
            return next;
        }
        if self.link.is_in_dialogue() {
            add(self.heartbeat.as_ref().and_then(Heartbeat::deadline));
            add(self.news.introduction);
            if self.settings.structured.enabled {
                add(Some(self.next_diagnostics));
            }
            if self.in_flight < IN_FLIGHT {
                add(self.news.switch.due);
            }
        }
        // The classic pair does not wait for the subscriptions.
        if self.session.is_connected() {
            add(self.news.classic_switch.due);
        }
        next
    }

    /// Bytes for the broker. Send them in one piece.
    pub fn transmit(&self) -> &[u8] {
        self.session.transmit()
    }

    /// The first `count` bytes of [`transmit`](Self::transmit) were sent.
    pub fn transmitted(&mut self, count: usize, now: Instant) {
        self.session.transmitted(count, now);
        self.blocked = false;
        self.unheard = true;
        self.disturb();
    }

    /// Where bytes from the broker go. While it is empty, leave them in the connection.
    pub fn receive_buffer(&mut self) -> &mut [u8] {
        self.session.receive_buffer()
    }

    /// `count` bytes were put at the front of [`receive_buffer`](Self::receive_buffer).
    pub fn received(&mut self, count: usize, now: Instant) {
        self.session.received(count, now);
        self.blocked = false;
        self.unheard = true;
        self.disturb();
    }

    fn topics(&self) -> Topics<'_> {
        Topics {
            id: &self.id,
            settings: &self.settings,
        }
    }

    /// Something happens: what there is to be done is to be looked at anew.
    fn disturb(&mut self) {
        self.advanced = None;
        self.quiet_until = None;
    }

    /// Does everything that is due, also by what comes of the connection and of what was heard on it.
    fn advance(&mut self, now: Instant) {
        loop {
            self.advance_parts(now);
            let has_moved = self.advance_link(now);
            let has_heard = self.advance_session(now);
            if !has_moved && !has_heard || self.link == Link::Ended {
                break;
            }
        }
    }

    fn advance_parts(&mut self, now: Instant) {
        if self.switch.handle_timeout(now) {
            self.switch_moved(true, Hand::Pulse, now);
        }
        let event = self.button.handle_timeout(now);
        self.button_event(event, now);
        self.advance_hold(now);
        self.access_point.handle_timeout(now);
        if self
            .turn
            .pending()
            .is_some_and(|pending| pending.deadline <= now)
        {
            self.give_up_pending();
        }
        self.advance_climate(now);
    }

    fn advance_climate(&mut self, now: Instant) {
        let Some(climate) = &mut self.climate else {
            return;
        };
        climate.handle_timeout(now);
        if climate.poll_measure(now).is_some() {
            self.wanted.measure = true;
        }
        let report = climate.poll_report(now);
        let answer = climate.poll_answer();
        if report.is_some() {
            self.news.climate = true;
        }
        if let Some(Err(error)) = report {
            self.log
                .add(LogLevel::Warn, format_args!("sensor: {}", error.as_str()));
        }
        if answer.is_some() {
            self.news.answer = answer;
            self.news.classic_climate |= take(&mut self.news.classic_asked);
            self.news.climate |= take(&mut self.news.structured_asked);
        }
    }
}

/// What the flag was; it is down afterwards.
fn take(flag: &mut bool) -> bool {
    core::mem::take(flag)
}
