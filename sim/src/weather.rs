//! Everything that goes wrong: networks, power, the broker. And how soon all must be well again.

use monster::device::{Input, ResetReason};
use monster::settings::value::{OnFailure, PowerOn};

use crate::agenda::What;
use crate::home::Home;
use crate::world::World;

/// The longest anything bad lasts, in milliseconds.
const LONGEST: u64 = 3_600_000;
/// A dead connection is found within this: three quarters of the keep-alive, and 10 s.
const DEAD_LINK: u64 = 55_000;
/// An attempt that hangs is given up within this: 5 s each for TCP, CONNACK and SUBACK.
const ATTEMPT: u64 = 15_000;
/// A connection is opened, greeted and subscribed within this, if all is well.
const HANDSHAKE: u64 = 3_000;
/// After this long without any disturbance everything is said.
const QUIET: u64 = 20_000;

impl Home<'_> {
    /// Something bad happens to this home.
    pub fn trouble(&mut self, world: &mut World) {
        if world.now >= world.peace {
            return;
        }
        let next = world.chance.around(self.trouble_mean);
        world.after(next, self.number, What::Trouble);
        let length = world.chance.magnitude(100, LONGEST);
        let until = world.now + length;
        world.tally.troubles += 1;
        match world.chance.up_to(6) {
            0 => {
                world.note(self.number, "the connection is cut", 0);
                self.cut(world);
                self.unwell_until(world.now, world);
            }
            1 => {
                world.note(self.number, "the connection dies without a word", 0);
                self.half_open();
                self.unwell_until(world.now, world);
            }
            2 => {
                let length = length.min(30_000);
                world.note(self.number, "the network stalls for ms", length);
                self.stall(world.now + length);
                self.unwell_until(world.now + length, world);
            }
            3 => {
                world.note(self.number, "connections are not answered for ms", length);
                self.path.black_until = until;
                if world.chance.one_in(2) {
                    self.half_open();
                }
                self.unwell_until(until, world);
            }
            4 if self.path.is_down(world.now) => {}
            4 => {
                world.note(self.number, "the network is down for ms", length);
                self.path.down_until = until;
                self.path.is_told = world.chance.one_in(2);
                self.half_open();
                self.unwell_until(until, world);
                if self.path.is_told {
                    self.handle(Input::Network(false), world);
                    let boot = self.boots;
                    world.after(length, self.number, What::NetworkBack { boot });
                }
            }
            _ => self.power_cut_for(world),
        }
    }

    pub fn network_back(&mut self, world: &mut World) {
        if !self.path.is_down(world.now) {
            self.judge.waits(world.now);
            self.handle(Input::Network(true), world);
        }
    }

    /// The power goes, and comes back.
    pub fn power_cut_for(&mut self, world: &mut World) {
        if self.board.is_none() {
            return;
        }
        world.tally.power_cuts += 1;
        let length = world.chance.magnitude(10, 600_000);
        self.reset = ResetReason::PowerOn;
        self.power_cut(world);
        self.unwell_until(world.now + length, world);
        world.after(length, self.number, What::Boot);
    }

    /// Something is wrong until then.
    pub fn unwell_until(&mut self, until: u64, world: &mut World) {
        self.judge.disturbed = world.now;
        self.well_from = self.well_from.max(until).max(world.broker.well_from);
        let since = self.well_from;
        world.agenda.add(since, self.number, What::Calm { since });
    }

    /// All is well since then, if nothing else happened; sees to it that the device comes back.
    pub fn calm(&mut self, since: u64, world: &mut World) {
        if self.well_from != since || world.broker.well_from > since {
            return;
        }
        if world.now == since {
            let within = self.back_within(world);
            world.after(within, self.number, What::Calm { since });
            return;
        }
        let device = self.board.as_ref().map(|board| &board.device);
        assert!(
            device.is_some_and(|device| device.is_online()),
            "all is well since {} ms, and the device is not online",
            world.now - since
        );
    }

    /// How soon the device must be online if nothing bad happens from now on.
    fn back_within(&self, world: &World) -> u64 {
        let is_waiting = self.wire.is_none() && self.dialling.is_none();
        let retries = self.settings.on_failure == OnFailure::Retry;
        let told = self.path.is_told;
        // Nothing is read while a command is being stored, and a whole queue of them may wait.
        let storing = if self.judge.slow_store { 105_000 } else { 0 };
        let handshake = HANDSHAKE + storing;
        if is_waiting && retries && !told && self.board.is_some() {
            return self.judge.cap(world.now) + handshake;
        }
        let found = DEAD_LINK + ATTEMPT;
        // A restart takes 10 s to begin, and up to 2 s until the device is there again.
        let restart = if retries { 0 } else { 12_000 };
        found + restart + self.judge.cap(world.now + found) + handshake
    }

    /// Looks whether all is as it should be.
    pub fn look(&mut self, world: &mut World) {
        if world.now < world.peace + 600_000 {
            let next = world.chance.around(300_000);
            world.after(next, self.number, What::Look);
        }
        let now = world.now;
        let quiet_since = self.judge.disturbed.max(self.well_from);
        let Some(board) = &self.board else {
            // After power has gone the broker gives the device up, and says its will.
            if now > quiet_since.max(self.off_since) + 200_000 && !world.broker.down {
                let status = self.account.retained(&self.topic("status"));
                assert!(
                    status != Some(b"online"),
                    "a device without power is online"
                );
            }
            return;
        };
        let online_for = self.judge.online_since.map_or(0, |since| now - since);
        if online_for < QUIET || now - quiet_since.min(now) < QUIET || self.well_from > now {
            return;
        }
        // A dead connection is not noticed at once.
        let is_dead = self
            .wires
            .iter()
            .any(|wire| Some(wire.id) == self.wire && wire.is_dead);
        if is_dead || world.broker.well_from + QUIET > now {
            return;
        }
        world.tally.looks += 1;
        self.judge.all_said();
        assert!(
            !self.account.is_in_flight(),
            "a message is not acknowledged"
        );
        assert!(self.account.is_subscribed(), "the device does not listen");
        let on = board.device.switch_is_on();
        if self.settings.structured.enabled {
            let state: &[u8] = if on { b"on" } else { b"off" };
            assert_eq!(
                self.account.retained(&self.topic("switch/0")),
                Some(state),
                "the state that was published last is not the switch's"
            );
            assert_eq!(
                self.account.retained(&self.topic("status")),
                Some(&b"online"[..])
            );
        }
        if self.settings.classic.enabled {
            let period = self.settings.heartbeat.interval.seconds() as u64 * 1000;
            let since = now - self.judge.last_beat;
            assert!(since <= period + 2_000, "no heartbeat for {since} ms");
        }
        self.look_at_store(now);
    }

    /// What is to be restored is stored, a minute after the last change at the latest.
    fn look_at_store(&self, now: u64) {
        if !self.is_exact() || now - self.judge.disturbed <= 130_000 {
            return;
        }
        let stored = self.store.get(&0).map(|bytes| bytes[1] == 1);
        let lasting = Some(self.judge.lasting());
        match self.settings.switch.power_on {
            // Nothing stored is restored as on.
            PowerOn::Restore => assert_eq!(stored.or(Some(true)), lasting, "not stored"),
            PowerOn::Toggle => assert_eq!(stored, lasting, "not stored"),
            PowerOn::On | PowerOn::Off => assert_eq!(stored, None, "stored for nothing"),
        }
    }

    fn topic(&self, tail: &str) -> String {
        format!("monster/{}/{tail}", self.id)
    }

    /// The broker goes down, and takes every connection with it.
    pub fn broker_dies(&mut self, forgets: bool, world: &mut World) {
        if world.broker.silent {
            self.half_open();
        }
        self.close_all(world);
        self.account.crash(forgets);
    }
}

/// Something bad happens to the broker, and so to everybody.
pub(crate) fn broker_trouble(homes: &mut [Home<'_>], mean: u64, world: &mut World) {
    if world.now >= world.peace {
        return;
    }
    let next = world.chance.around(mean);
    world.after(next, 0, What::BrokerTrouble);
    if world.broker.well_from > world.now {
        return;
    }
    world.tally.troubles += 1;
    let length = world.chance.magnitude(100, LONGEST);
    let until = world.now + length;
    match world.chance.up_to(5) {
        0 => {
            world.note(0, "the broker is stopped for ms", length);
            world.broker.frozen_until = until;
        }
        1 => {
            world.note(0, "the broker refuses everybody for ms", length);
            world.broker.refusing_until = until;
            for home in homes.iter_mut() {
                home.cut(world);
            }
        }
        2 => {
            world.note(0, "the broker does not answer SUBSCRIBE for ms", length);
            world.broker.mute_until = until;
        }
        3 => {
            world.note(0, "the broker refuses every SUBSCRIBE for ms", length);
            world.broker.refusing_subscriptions_until = until;
        }
        _ => {
            let forgets = world.chance.one_in(2);
            world.note(0, "the broker is down for ms", length);
            world.broker.down = true;
            world.broker.silent = world.chance.one_in(4);
            for home in homes.iter_mut() {
                home.broker_dies(forgets, world);
            }
            world.after(length, 0, What::BrokerBack);
        }
    }
    world.broker.well_from = until;
    for home in homes {
        home.unwell_until(until, world);
    }
}
