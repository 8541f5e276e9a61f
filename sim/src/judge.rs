//! What must be true, whatever happens. A violation is a panic.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};

use monster::Counters;
use monster::switch::SwitchCommand;

/// How many commands with ids the device must remember.
const REMEMBERED: usize = 16;

/// What a command with an id asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    Switch(SwitchCommand),
    Measure,
    Restart,
    Identify,
    /// No command at all.
    Nonsense,
}

/// A command with an id, from the day it was given.
pub(crate) struct Order {
    pub act: Act,
    /// It is only ever retained: it must not be obeyed.
    pub retained: bool,
    executed: bool,
    /// It was stored, and then the power went: it is not executed, and need not be.
    lost: bool,
    /// It could not be stored, at least once.
    failed: bool,
    /// It was stored too late: the device had given it up, but knows it after a power cut.
    late: bool,
    /// So many others came after it that the device may have forgotten it.
    forgotten: bool,
    /// In which life of the device it was executed, and the state of the switch it must tell.
    answer: Option<(u32, bool)>,
}

/// Knows what one device must do.
pub(crate) struct Judge {
    /// Only what can be foreseen moves the switch: its state is known at every instant.
    pub exact: bool,
    /// The store may take longer than the device waits.
    pub slow_store: bool,
    on: bool,
    pulse_end: Option<u64>,
    /// When single presses of the button become toggles.
    singles: VecDeque<u64>,

    orders: VecDeque<Order>,
    /// The number of the first of `orders`.
    first: u64,
    /// Executed or lost, the last 16.
    recent: VecDeque<u64>,
    /// Sent on this connection and not answered.
    owed: Vec<u64>,
    pub climate_owed: bool,
    /// Home Assistant has come back, and waits.
    announcement_owed: bool,
    /// What was announced first: its hash.
    announcement: Option<u64>,
    classic_sent: u64,
    classic_heard: u64,
    /// What the last answer on the classic topic said, on this connection.
    classic_said: Option<bool>,
    pub restarts: u32,
    identified: bool,
    must_identify: bool,
    beat: Option<(u32, u32, u64)>,
    pub last_beat: u64,
    counters: Counters,
    switch_saved: Option<u64>,
    /// Flash was written sooner than a minute after the last time: only for the end.
    hasty: bool,

    pub online_since: Option<u64>,
    outage_from: u64,
    waiting_since: u64,
    /// When anything last happened that takes a moment to settle.
    pub disturbed: u64,
}

impl Judge {
    pub fn new(exact: bool) -> Self {
        Judge {
            exact,
            slow_store: false,
            on: true,
            pulse_end: None,
            singles: VecDeque::new(),
            orders: VecDeque::new(),
            first: 0,
            recent: VecDeque::new(),
            owed: Vec::new(),
            climate_owed: false,
            announcement_owed: false,
            announcement: None,
            classic_sent: 0,
            classic_heard: 0,
            classic_said: None,
            restarts: 0,
            identified: false,
            must_identify: false,
            beat: None,
            last_beat: 0,
            counters: Counters::default(),
            switch_saved: None,
            hasty: false,
            online_since: None,
            outage_from: 0,
            waiting_since: 0,
            disturbed: 0,
        }
    }

    /// The device starts, and its switch must be so.
    pub fn booted(&mut self, on: bool, now: u64) {
        self.on = on;
        self.pulse_end = None;
        self.singles.clear();
        self.restarts = 0;
        self.identified = false;
        self.must_identify = false;
        self.counters = Counters::default();
        self.switch_saved = None;
        self.hasty = false;
        self.online_since = None;
        self.outage_from = now;
        self.waiting_since = now;
        self.disturbed = now;
        self.wire_ended();
    }

    // Commands with ids.

    /// Somebody makes up a command; its id.
    pub fn order(&mut self, act: Act, retained: bool, width: usize) -> (u64, String) {
        let number = self.first + self.orders.len() as u64;
        self.orders.push_back(Order {
            act,
            retained,
            executed: false,
            lost: false,
            failed: false,
            late: false,
            forgotten: false,
            answer: None,
        });
        if self.orders.len() > 400 {
            self.orders.pop_front();
            self.first += 1;
        }
        (number, Judge::id(number, width))
    }

    /// The id of the command with this number.
    pub fn id(number: u64, width: usize) -> String {
        format!("k{number:0width$}")
    }

    /// One of the last commands, not retained.
    pub fn recent_order(&self, back: u64) -> Option<(u64, Act)> {
        let number = (self.first + self.orders.len() as u64).checked_sub(1 + back)?;
        let order = self.find(number)?;
        (!order.retained).then_some((number, order.act))
    }

    pub fn number(id: &[u8]) -> u64 {
        std::str::from_utf8(id)
            .ok()
            .and_then(|id| id.strip_prefix('k')?.parse().ok())
            .unwrap_or_else(|| panic!("nobody gave the id {}", id.escape_ascii()))
    }

    fn find(&self, number: u64) -> Option<&Order> {
        self.orders.get(number.checked_sub(self.first)? as usize)
    }

    fn find_mut(&mut self, number: u64) -> Option<&mut Order> {
        self.orders
            .get_mut(number.checked_sub(self.first)? as usize)
    }

    /// A command goes out to the device, on a connection that stands.
    pub fn sent(&mut self, number: u64) {
        self.owed.push(number);
    }

    pub fn classic_sent(&mut self) {
        self.classic_sent += 1;
    }

    /// The device wants the command stored. The ids in the store are the ones it must know.
    pub fn storing(&self, number: u64, is_stored: bool) {
        let Some(order) = self.find(number) else {
            return;
        };
        assert!(!order.retained, "a retained command, {number}, is obeyed");
        assert!(
            !is_stored || order.late,
            "the command {number} is about to be executed although it is stored"
        );
        assert!(
            !self.recent.contains(&number),
            "the command {number} is about to be executed again"
        );
    }

    /// The command is stored, and so it is executed.
    pub fn executes(&mut self, number: u64, boot: u32, now: u64) {
        self.remember(number);
        self.disturbed = now;
        let Some(order) = self.find(number) else {
            return;
        };
        match order.act {
            Act::Switch(command) => self.apply(command, now),
            Act::Identify => self.must_identify = true,
            Act::Restart => self.restarts += 1,
            act @ (Act::Measure | Act::Nonsense) => panic!("{act:?} is stored"),
        }
        let on = self.on;
        if let Some(order) = self.find_mut(number) {
            assert!(!order.executed, "the command {number} is executed twice");
            order.executed = true;
            order.answer = Some((boot, on));
        }
    }

    /// The command is stored, so late that the device has given it up.
    pub fn stores_late(&mut self, number: u64) {
        if let Some(order) = self.find_mut(number) {
            order.late = true;
            order.failed = true;
        }
    }

    /// The command could not be stored: it is not executed, and may be given once more.
    pub fn fails(&mut self, number: u64) {
        if let Some(order) = self.find_mut(number) {
            order.failed = true;
        }
    }

    /// The command is stored, and the power goes before it is executed.
    pub fn loses(&mut self, number: u64) {
        self.remember(number);
        if let Some(order) = self.find_mut(number) {
            order.lost = true;
        }
    }

    fn remember(&mut self, number: u64) {
        self.recent.push_back(number);
        if self.recent.len() > REMEMBERED
            && let Some(old) = self.recent.pop_front()
            && let Some(order) = self.find_mut(old)
        {
            order.executed = false;
            order.lost = false;
            order.forgotten = true;
            order.answer = None;
        }
    }

    pub fn identified(&mut self) {
        assert!(!self.identified, "identified twice");
        self.identified = true;
    }

    // The switch.

    pub fn presses_once(&mut self, toggle_at: u64) {
        self.singles.push_back(toggle_at);
    }

    fn apply(&mut self, command: SwitchCommand, now: u64) {
        self.pass_time(now, false);
        self.pulse_end = None;
        self.on = match command {
            SwitchCommand::On => true,
            SwitchCommand::Off => false,
            SwitchCommand::Toggle => !self.on,
            SwitchCommand::Pulse(length) => {
                self.pulse_end = Some(now + length.as_millis() as u64);
                true
            }
        };
        self.disturbed = now;
    }

    fn pass_time(&mut self, now: u64, button: bool) {
        if self.pulse_end.is_some_and(|end| end <= now) {
            self.pulse_end = None;
            self.on = false;
            self.disturbed = now;
        }
        while button && self.singles.front().is_some_and(|at| *at <= now) {
            self.singles.pop_front();
            self.apply(SwitchCommand::Toggle, now);
        }
    }

    /// The state of the switch that is wanted at the end of every step of the device.
    pub fn stepped(&mut self, on: bool, counters: Counters, now: u64) {
        self.pass_time(now, true);
        assert!(!self.hasty, "flash is written too often");
        if self.exact {
            assert_eq!(on, self.on, "the switch is not as everybody left it");
        } else if self.on != on {
            self.on = on;
            self.disturbed = now;
        }
        assert_eq!(
            std::mem::take(&mut self.identified),
            std::mem::take(&mut self.must_identify),
            "identified without a command, or not with one"
        );
        let before = std::mem::replace(&mut self.counters, counters);
        assert!(
            counters.reconnects >= before.reconnects
                && counters.drops >= before.drops
                && counters.rejected >= before.rejected
                && counters.retained_ignored >= before.retained_ignored,
            "a counter goes back: {before:?}, {counters:?}"
        );
    }

    /// The device wants the state of the switch stored.
    pub fn storing_switch(&mut self, now: u64) {
        let last = self.switch_saved.replace(now);
        self.hasty |= last.is_some_and(|last| now - last < 60_000);
    }

    /// The state of the switch without its pulse.
    pub fn lasting(&self) -> bool {
        self.on && self.pulse_end.is_none()
    }

    // What the broker hears.

    /// Something on the classic topic.
    pub fn heard_classic(&mut self, payload: &[u8], wire: u32, boot: u32, now: u64) {
        if let Some(number) = payload.strip_prefix(b"t=") {
            let number: u64 = std::str::from_utf8(number).unwrap().parse().unwrap();
            self.last_beat = now;
            let last = self.beat.replace((wire, boot, number));
            match last {
                Some((last_wire, _, last)) if last_wire == wire => {
                    assert_eq!(number, last + 1, "a heartbeat is out of order");
                }
                Some((_, last_boot, last)) if last_boot == boot => {
                    assert!(number > last, "a reconnect resets the heartbeat");
                }
                _ => assert!(
                    number < 1000,
                    "the first heartbeats were not sent: {number}"
                ),
            }
        } else if payload.starts_with(b"th=") {
            self.climate_owed = false;
        } else {
            self.classic_heard += 1;
            self.classic_said = Some(match payload {
                b"on-1" => true,
                b"on-0" => false,
                other => panic!("{} on the classic topic", other.escape_ascii()),
            });
        }
    }

    /// Home Assistant says that it is back.
    pub fn home_assistant_asks(&mut self) {
        self.announcement_owed = true;
    }

    /// What Home Assistant is told: always the same, and whole.
    pub fn heard_announcement(&mut self, payload: &[u8]) {
        self.announcement_owed = false;
        assert!(payload.starts_with(b"{\"dev\":{") && payload.ends_with(b"}}}"));
        let mut hasher = DefaultHasher::new();
        payload.hash(&mut hasher);
        let hash = hasher.finish();
        let first = *self.announcement.get_or_insert(hash);
        assert_eq!(hash, first, "another announcement than before");
    }

    /// An answer to a command with an id.
    pub fn heard_reply(&mut self, payload: &[u8], boot: u32) {
        let text = std::str::from_utf8(payload).unwrap();
        let (id, rest) = text
            .strip_prefix(r#"{"id":""#)
            .and_then(|rest| rest.split_once(r#"","ok":"#))
            .unwrap_or_else(|| panic!("no reply: {text}"));
        let number = Judge::number(id.as_bytes());
        if let Some(at) = self.owed.iter().position(|owed| *owed == number) {
            self.owed.swap_remove(at);
        }
        let exact = self.exact;
        let Some(order) = self.find(number) else {
            return;
        };
        let state = match rest {
            r#"true,"state":"on"}"# => Some(true),
            r#"true,"state":"off"}"# => Some(false),
            _ => None,
        };
        match (order.act, state) {
            (Act::Switch(_) | Act::Restart | Act::Identify, Some(state)) => {
                assert!(
                    order.executed || order.lost || order.late || order.forgotten,
                    "the command {number} is answered, and was not executed: {text}"
                );
                if let Some((executed_in, answer)) = order.answer
                    && executed_in == boot
                    && exact
                {
                    assert_eq!(state, answer, "a wrong answer to the command {number}");
                }
            }
            (Act::Switch(_) | Act::Restart | Act::Identify, None) => {
                assert!(rest.contains("could not be stored"), "{text}");
                // What takes too long is refused before anybody knows what becomes of it.
                assert!(
                    order.failed || self.slow_store,
                    "the command {number} was stored: {text}"
                );
            }
            (Act::Measure, _) => assert!(
                rest.starts_with(r#"true,"temperature":"#) || rest.starts_with("false,"),
                "{text}"
            ),
            (Act::Nonsense, _) => assert!(rest.starts_with("false,"), "{text}"),
        }
    }

    // The connection.

    /// The connection the broker has ended, and what was sent on it may be lost.
    pub fn wire_ended(&mut self) {
        self.owed.clear();
        self.announcement_owed = false;
        self.climate_owed = false;
        self.classic_sent = 0;
        self.classic_heard = 0;
        self.classic_said = None;
    }

    /// The longest wait the contract allows for one that begins at `now`.
    pub fn cap(&self, now: u64) -> u64 {
        ((now - self.outage_from) / 5).clamp(1_000, 120_000)
    }

    pub fn is_online(&mut self, online: bool, now: u64) {
        match self.online_since {
            None if online => self.online_since = Some(now),
            Some(since) if !online => {
                self.online_since = None;
                if now - since >= 60_000 {
                    self.outage_from = now;
                }
            }
            _ => {}
        }
    }

    /// An attempt, a session or an absence of the network is over: the device waits from now on.
    pub fn waits(&mut self, now: u64) {
        self.waiting_since = now;
    }

    /// The device tries to connect.
    pub fn connects(&self, now: u64) {
        let waited = now - self.waiting_since;
        let cap = self.cap(self.waiting_since);
        assert!(waited <= cap, "waited {waited} ms of at most {cap} ms");
    }

    /// Nothing happened for a while: everything must have been said.
    pub fn all_said(&self) {
        assert!(self.owed.is_empty(), "not answered: {:?}", self.owed);
        assert!(!self.climate_owed, "getTH is not answered");
        assert!(!self.announcement_owed, "Home Assistant is not answered");
        assert!(
            self.classic_heard >= self.classic_sent,
            "{} classic commands have {} answers",
            self.classic_sent,
            self.classic_heard
        );
        if let Some(said) = self.classic_said {
            assert_eq!(said, self.on, "the classic topic has the wrong state");
        }
    }
}
