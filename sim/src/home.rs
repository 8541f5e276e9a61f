//! One home: a device on its board, its store, its button, and the judge who watches it.

use std::collections::BTreeMap;

use bumpalo::Bump;
use bytes::BytesMut;
use monster::device::{
    Device, Input, Output, RECEIVE_BUFFER, ResetReason, SEND_BUFFER, SESSION_IMAGE, Start,
};
use monster::dht::{Reading, SensorError};
use monster::identity::DeviceId;
use monster::memory::{Memory, Record};
use monster::settings::Settings;
use monster::settings::value::{OnFailure, PowerOn, RetainedCommands};
use umqtt::Instant;

use crate::account::Account;
use crate::agenda::What;
use crate::chance::Chance;
use crate::judge::Judge;
use crate::network::{Path, Wire};
use crate::person::Person;
use crate::trace::Note;
use crate::world::World;

/// How long a device waits for its store, in milliseconds.
const PATIENCE: u64 = 5_000;

pub(crate) struct Home<'a> {
    pub number: u32,
    pub id: DeviceId,
    pub settings: Settings,
    memory: &'a Bump,
    pub board: Option<Board<'a>>,
    /// What is written: the records, by key.
    pub store: BTreeMap<u8, Vec<u8>>,
    /// What is written of the MQTT session.
    session: Option<Vec<u8>>,
    flaky: bool,
    slow_store: u64,
    pub boots: u32,
    pub reset: ResetReason,
    pub off_since: u64,

    pub wires: Vec<Wire>,
    /// The connection the device uses.
    pub wire: Option<u32>,
    pub dialling: Option<u32>,
    pub last_wire: u32,
    pub path: Path,
    pub account: Account,
    /// What the broker says in return, while it does.
    pub answers: BytesMut,
    pub person: Person,
    pub trouble_mean: u64,
    /// From here on nothing stands between device and broker, as far as is known.
    pub well_from: u64,
    pub judge: Judge,
    climate: Reading,
}

/// A device that has power.
pub(crate) struct Board<'a> {
    pub device: Device<'a>,
    /// When the power came on.
    since: u64,
    pub boot: u32,
    pin: Option<bool>,
    writing: Vec<Writing>,
    tickets: u32,
    /// It has stored its MQTT session, which it does last of all.
    has_saved_session: bool,
    has_forgotten_session: bool,
    wake: Option<u64>,
}

/// A record that is being written.
struct Writing {
    ticket: u32,
    record: Record,
    /// Whether it will succeed.
    fine: bool,
    since: u64,
}

impl<'a> Home<'a> {
    pub fn new(number: u32, memory: &'a Bump, world: &mut World) -> Self {
        let chance = &mut world.chance;
        let settings = draw_settings(chance);
        let id = DeviceId::parse(&format!("dev{number}")).expect("an id");
        let exact = settings.structured.enabled
            && settings.classic.retained == RetainedCommands::Ignore
            && !chance.one_in(4);
        let person = Person::new(exact, &settings, chance);
        let trouble_mean = chance.pick(&[60_000, 600_000, 3_600_000, 36_000_000]);
        let slow_store = chance.pick(&[0, 0, 5, 300, 8_000]);
        let mut judge = Judge::new(exact);
        judge.slow_store = slow_store > PATIENCE;
        let home = Home {
            number,
            id,
            settings,
            memory,
            board: None,
            store: BTreeMap::new(),
            session: None,
            flaky: chance.one_in(2),
            slow_store,
            boots: 0,
            reset: ResetReason::PowerOn,
            off_since: 0,
            wires: Vec::new(),
            wire: None,
            dialling: None,
            last_wire: 0,
            path: Path::default(),
            account: Account::default(),
            answers: BytesMut::new(),
            person,
            trouble_mean,
            well_from: 0,
            judge,
            climate: Reading {
                temperature: 215,
                humidity: 480,
            },
        };
        let first = world.chance.up_to(2_000);
        world.after(first, number, What::Boot);
        let action = world.chance.around(home.person.mean);
        world.after(action, number, What::Person);
        let trouble = world.chance.around(trouble_mean);
        world.after(trouble, number, What::Trouble);
        world.after(600_000, number, What::Look);
        home
    }

    pub fn is_exact(&self) -> bool {
        self.judge.exact
    }

    /// The power comes on.
    pub fn boot(&mut self, world: &mut World) {
        if self.board.is_some() {
            return;
        }
        self.boots += 1;
        world.tally.boots += 1;
        let mut memory = Memory::default();
        for (key, bytes) in &self.store {
            memory
                .load(*key, bytes)
                .expect("a record as it was written");
        }
        let start = Start {
            settings: self.settings.clone(),
            id: self.id.clone(),
            seed: world.chance.seed(),
            reset: self.reset,
            boots: self.boots,
            memory,
            button_pressed: self.person.is_pressing(),
        };
        let restored = self.store.get(&0).map(|bytes| bytes[1] == 1);
        self.judge.booted(
            match self.settings.switch.power_on {
                PowerOn::On => true,
                PowerOn::Off => false,
                PowerOn::Restore => restored.unwrap_or(true),
                PowerOn::Toggle => restored.is_none_or(|on| !on),
            },
            world.now,
        );
        world.note(self.number, "power, boot", self.boots.into());
        let mut device = Device::new(
            start,
            self.memory.alloc_slice_fill_copy(RECEIVE_BUFFER, 0),
            self.memory.alloc_slice_fill_copy(SEND_BUFFER, 0),
            Instant::ZERO,
        );
        if let Some(image) = &self.session {
            device.restore_session(image);
        }
        self.board = Some(Board {
            device,
            since: world.now,
            boot: self.boots,
            pin: None,
            writing: Vec::new(),
            tickets: 0,
            has_saved_session: false,
            has_forgotten_session: false,
            wake: None,
        });
        if self.path.is_down(world.now) && self.path.is_told {
            self.handle(Input::Network(false), world);
        } else {
            self.settle(world);
        }
    }

    /// The power goes. What is being written is written whole or not at all.
    pub fn power_cut(&mut self, world: &mut World) {
        let Some(board) = self.board.take() else {
            return;
        };
        world.note(self.number, "power cut", 0);
        for writing in board.writing {
            if !world.chance.one_in(2) {
                break;
            }
            self.finish(writing);
        }
        self.off_since = world.now;
        self.person.lets_go();
        self.vanish();
    }

    /// A record is written, and the device is not there to hear of it.
    fn finish(&mut self, writing: Writing) {
        if writing.fine {
            if writing.record.key != 0 {
                let number = Judge::number(&writing.record.bytes[5..]);
                self.judge.loses(number);
            }
            self.write(writing.record);
        }
    }

    fn write(&mut self, record: Record) {
        self.store.insert(record.key, record.bytes.to_vec());
    }

    /// The device's clock.
    fn instant(&self, world: &World) -> Instant {
        let since = self.board.as_ref().map_or(0, |board| board.since);
        Instant::from_millis(world.now - since)
    }

    pub fn boot_number(&self) -> u32 {
        self.boots
    }

    pub fn handle(&mut self, input: Input<'_>, world: &mut World) {
        let now = self.instant(world);
        if let Some(board) = &mut self.board {
            board.device.handle(input, now);
            self.settle(world);
        }
    }

    pub fn wake(&mut self, world: &mut World) {
        if let Some(board) = &mut self.board
            && board.wake == Some(world.now)
        {
            board.wake = None;
            self.settle(world);
        }
    }

    /// A record is written, or is not.
    pub fn stored(&mut self, boot: u32, ticket: u32, world: &mut World) {
        let now = self.instant(world);
        let Some(board) = &mut self.board else { return };
        let at = board.writing.iter().position(|it| it.ticket == ticket);
        let Some(at) = at.filter(|_| board.boot == boot) else {
            return;
        };
        let Writing {
            record,
            fine,
            since,
            ..
        } = board.writing.remove(at);
        let key = record.key;
        if fine {
            board.device.handle(Input::Saved(key), now);
            if key != 0 {
                let number = Judge::number(&record.bytes[5..]);
                if world.now - since > PATIENCE {
                    self.judge.stores_late(number);
                } else {
                    world.tally.executed += 1;
                    self.judge.executes(number, boot, world.now);
                }
            }
            self.write(record);
        } else {
            world.note(self.number, "a write fails, key", key.into());
            self.judge.disturbed = world.now;
            if key != 0 {
                self.judge.fails(Judge::number(&record.bytes[5..]));
            }
            board.device.handle(Input::SaveFailed(key), now);
        }
        self.settle(world);
    }

    /// The sensor has answered, or says nothing for once.
    pub fn measured(&mut self, boot: u32, world: &mut World) {
        if self.board.as_ref().is_none_or(|board| board.boot != boot) {
            return;
        }
        let drift = |chance: &mut Chance| chance.up_to(2) as i16 - 1;
        self.climate.temperature =
            (self.climate.temperature + drift(&mut world.chance)).clamp(100, 400);
        self.climate.humidity = self
            .climate
            .humidity
            .saturating_add_signed(drift(&mut world.chance))
            .clamp(200, 900);
        let reading = match world.chance.up_to(999) {
            0 => Err(SensorError::Checksum),
            1 => Err(SensorError::Timeout),
            2 => Ok(Reading {
                temperature: 600,
                humidity: 0,
            }),
            3 => return,
            _ => Ok(self.climate),
        };
        self.handle(Input::Reading(reading), world);
    }

    /// Does what the device wants, until it wants nothing more.
    pub fn settle(&mut self, world: &mut World) {
        let now = self.instant(world);
        world.tally.steps += 1;
        loop {
            while let Some(board) = &mut self.board
                && let Some(output) = board.device.poll(now)
            {
                self.carry_out(output, world);
            }
            let sent = self.transmit(now, world);
            if !self.receive(now, world) && !sent {
                break;
            }
        }
        self.watch(now, world);
    }

    fn carry_out(&mut self, output: Output, world: &mut World) {
        let Some(board) = &mut self.board else { return };
        match output {
            Output::Connect => {
                assert!(self.wire.is_none(), "a second connection");
                self.judge.connects(world.now);
                self.dial(world);
            }
            Output::Close => {
                self.judge.waits(world.now);
                self.hang_up(world);
            }
            Output::Switch { level } => board.pin = Some(level),
            Output::Measure => {
                let delay = world.chance.between(5, 30);
                let boot = board.boot;
                world.after(delay, self.number, What::Measured { boot });
            }
            Output::Save(record) => self.save(record, world),
            Output::SaveSession => {
                assert!(!board.has_saved_session, "it stores the session again");
                board.has_saved_session = true;
                let mut image = [0; SESSION_IMAGE];
                let length = board.device.session_image(&mut image).expect("it fits");
                self.account.owe(&image[..length]);
                self.session = Some(image[..length].to_vec());
                world.tally.sessions += 1;
            }
            Output::ForgetSession => {
                assert!(!board.has_forgotten_session, "it forgets again");
                board.has_forgotten_session = true;
                assert!(self.session.take().is_some(), "nothing is stored");
                self.account.owes_nothing();
            }
            Output::Led { .. } | Output::AccessPoint { .. } => {}
            Output::Identify => self.judge.identified(),
            Output::Log(line) => {
                let note = Note::Log(&line.text);
                world.trace.add(world.now, self.number, note);
            }
            Output::FactoryReset => panic!("nobody asked it to forget"),
            Output::Restart(reason) => {
                match reason {
                    ResetReason::Command => assert!(
                        std::mem::take(&mut self.judge.restarts) > 0,
                        "restarted without a command"
                    ),
                    ResetReason::Failure => {
                        assert_eq!(self.settings.on_failure, OnFailure::Restart);
                    }
                    other => panic!("restarted with {other:?}"),
                }
                self.reset = reason;
                let delay = world.chance.between(100, 2_000);
                self.switch_off(delay, world);
            }
            Output::Stopped => {
                self.reset = ResetReason::PowerOn;
                let delay = world.chance.magnitude(1_000, 600_000);
                self.switch_off(delay, world);
            }
        }
    }

    /// The device has ended by itself. Its board writes what there is to write, and is gone.
    fn switch_off(&mut self, for_ms: u64, world: &mut World) {
        if let Some(board) = self.board.take() {
            for writing in board.writing {
                self.finish(writing);
            }
        }
        self.off_since = world.now;
        self.person.lets_go();
        self.hang_up(world);
        self.unwell_until(world.now + for_ms, world);
        world.after(for_ms, self.number, What::Boot);
    }

    fn save(&mut self, record: Record, world: &mut World) {
        let Some(board) = &mut self.board else { return };
        if record.key == 0 {
            self.judge.storing_switch(world.now);
        } else {
            let id = &record.bytes[5..];
            let is_stored = self.store.values().any(|it| it.get(5..) == Some(id));
            self.judge.storing(Judge::number(id), is_stored);
        }
        board.tickets += 1;
        let ticket = board.tickets;
        let boot = board.boot;
        let fine = !(self.flaky && world.chance.one_in(20));
        board.writing.push(Writing {
            ticket,
            record,
            fine,
            since: world.now,
        });
        let mut delay = world.chance.up_to(self.slow_store);
        // Which comes first, the word or the end of patience, is nobody's business.
        delay += (delay == PATIENCE) as u64;
        world.after(delay, self.number, What::Stored { boot, ticket });
        // Now and then the power goes just then.
        if world.now < world.peace && world.chance.one_in(300) {
            self.power_cut_for(world);
        }
    }

    /// Asks the judge, and the device when it wants to be woken.
    fn watch(&mut self, now: Instant, world: &mut World) {
        let Some(board) = &mut self.board else { return };
        let device = &board.device;
        let on = device.switch_is_on();
        self.judge.stepped(on, device.counters(), world.now);
        let level = on != self.settings.switch.inverted;
        assert_eq!(board.pin, Some(level), "the pin is not where the switch is");
        let was = self.judge.online_since.is_some();
        self.judge.is_online(device.is_online(), world.now);
        if !was && device.is_online() {
            world.tally.connects += 1;
        }
        let deadline = device.deadline();
        if let Some(at) = deadline {
            assert!(
                at > now,
                "a deadline, {at}, is not in the future: a busy loop"
            );
            let at = board.since + at.as_millis();
            if board.wake != Some(at) {
                board.wake = Some(at);
                world.agenda.add(at, self.number, What::Wake);
            }
        }
        world.trace.mix(world.now << 8 | self.number as u64);
    }
}

fn draw_settings(chance: &mut Chance) -> Settings {
    let mut settings = Settings::default();
    let mut set = |key: &str, value: &str| settings.set(key, value).expect("a setting");
    set("broker.url", "mqtt://broker.example");
    set(
        "heartbeat.seconds",
        chance.pick(&["5", "5", "1", "60", "3600"]),
    );
    set("climate.kind", chance.pick(&["dht22", "none", "dht11"]));
    set("mqtt.session", chance.pick(&["clean", "kept"]));
    set(
        "switch.power_on",
        chance.pick(&["on", "off", "restore", "toggle"]),
    );
    set("switch.inverted", chance.pick(&["true", "false"]));
    set(
        "on_failure",
        chance.pick(&["retry", "retry", "retry", "restart"]),
    );
    set(
        "homeassistant.enabled",
        chance.pick(&["true", "true", "true", "false"]),
    );
    set("groups", chance.pick(&["", "all", "all,some"]));
    match chance.up_to(9) {
        0 => set("structured.enabled", "false"),
        1 => set("classic.enabled", "false"),
        2 => set("classic.retained", "obey"),
        _ => {}
    }
    settings.validate().expect("settings that can be used");
    settings
}
