//! The people at one home: one at the button, others with an MQTT client.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use monster::device::Input;
use monster::settings::Settings;
use monster::settings::value::RetainedCommands;
use monster::switch::{PulseLength, SwitchCommand};
use mqttbytes::QoS;

use crate::agenda::What;
use crate::chance::Chance;
use crate::home::Home;
use crate::judge::{Act, Judge};
use crate::world::World;

pub(crate) struct Person {
    /// The mean time between two actions, in milliseconds.
    pub mean: u64,
    /// Nobody does anything that leaves the switch in a state that cannot be foreseen.
    exact: bool,
    structured: bool,
    classic: bool,
    /// Digits in the ids.
    width: usize,
    pressing: bool,
    /// What the button's level will do.
    edges: VecDeque<(u64, bool)>,
}

impl Person {
    pub fn new(exact: bool, settings: &Settings, chance: &mut Chance) -> Self {
        Person {
            mean: chance.pick(&[3_000, 30_000, 300_000, 3_600_000]),
            exact,
            structured: settings.structured.enabled,
            classic: settings.classic.enabled,
            width: chance.pick(&[1, 8, 35]),
            pressing: false,
            edges: VecDeque::new(),
        }
    }

    pub fn is_pressing(&self) -> bool {
        self.pressing
    }

    /// Whoever presses lets go, in the dark.
    pub fn lets_go(&mut self) {
        self.edges.clear();
        self.pressing = false;
    }
}

impl Home<'_> {
    /// Somebody does something.
    pub fn act(&mut self, world: &mut World) {
        let mut next = world.chance.around(self.person.mean);
        if world.chance.one_in(20) {
            next += world.chance.magnitude(30_000, 1_800_000);
        }
        world.after(next, self.number, What::Person);
        if world.chance.one_in(4) {
            self.press(world);
            return;
        }
        if !self.person.structured {
            self.send_classic(world);
            return;
        }
        let wild = !self.person.exact;
        match world.chance.up_to(19) {
            0..=5 => self.send_order(world),
            6..=7 => self.repeat_order(world),
            8 => self.ask_climate(world),
            9 => self.send_nonsense(world),
            10 => self.leave_retained(world),
            11 if world.chance.one_in(20) && world.now < world.peace => {
                world.note(self.number, "somebody stops it", 0);
                self.judge.disturbed = world.now;
                self.handle(Input::Stop, world);
            }
            12..=14 if self.person.classic => self.send_classic(world),
            15 => self.home_assistant_comes_back(world),
            16..=19 if wild => {
                let word = word(draw(&mut world.chance));
                self.publish("switch/0/set", word, world);
            }
            _ => {}
        }
    }

    fn send_order(&mut self, world: &mut World) {
        let act = match world.chance.up_to(99) {
            0..=79 => Act::Switch(draw(&mut world.chance)),
            80 if world.now < world.peace => Act::Restart,
            _ => Act::Identify,
        };
        let (number, id) = self.judge.order(act, false, self.person.width);
        self.give(number, &id, act, world);
    }

    fn repeat_order(&mut self, world: &mut World) {
        let back = world.chance.up_to(7);
        if let Some((number, act)) = self.judge.recent_order(back) {
            // Doing it anew would be as good as a first time to the eye of a person who sees a
            // device restart for the second time.
            if act == Act::Restart && world.now >= world.peace {
                return;
            }
            world.tally.repeated += 1;
            let id = Judge::id(number, self.person.width);
            self.give(number, &id, act, world);
        }
    }

    fn give(&mut self, number: u64, id: &str, act: Act, world: &mut World) {
        let (topic, command) = match act {
            Act::Switch(command) => ("switch/0/set", word(command)),
            Act::Measure => ("th/get", "get".to_owned()),
            Act::Restart => ("sys/set", "restart".to_owned()),
            Act::Identify => ("sys/set", "identify".to_owned()),
            Act::Nonsense => ("switch/0/set", "explode".to_owned()),
        };
        world.tally.orders += 1;
        let payload = format!(r#"{{"command":"{command}","id":"{id}"}}"#);
        let is_grouped = self.settings.groups.names().any(|name| name == "all");
        let sent = if topic == "switch/0/set" && is_grouped && world.chance.one_in(4) {
            self.publish_on("monster/group/all/switch/0/set", payload, world)
        } else {
            self.publish(topic, payload, world)
        };
        if sent {
            self.judge.sent(number);
        }
    }

    fn home_assistant_comes_back(&mut self, world: &mut World) {
        if self.publish_on("homeassistant/status", "online".to_owned(), world) {
            self.judge.home_assistant_asks();
        }
    }

    fn ask_climate(&mut self, world: &mut World) {
        let (number, id) = self.judge.order(Act::Measure, false, self.person.width);
        self.give(number, &id, Act::Measure, world);
    }

    fn send_nonsense(&mut self, world: &mut World) {
        if world.chance.one_in(2) {
            let (number, id) = self.judge.order(Act::Nonsense, false, self.person.width);
            self.give(number, &id, Act::Nonsense, world);
            return;
        }
        let long = "x".repeat(world.chance.between(1_000, 3_000) as usize);
        let payload = match world.chance.up_to(5) {
            0 => "",
            1 => "{",
            2 => "On",
            3 => "pulse 1",
            4 => r#"{"command":"toggle","id":""}"#,
            _ => &long,
        };
        self.publish("switch/0/set", payload.to_owned(), world);
    }

    /// Somebody has sent a command retained: it comes with every subscription, and is not obeyed.
    fn leave_retained(&mut self, world: &mut World) {
        let (_, id) = self.judge.order(Act::Identify, true, self.person.width);
        let (tail, payload) = match world.chance.up_to(3) {
            0 => (
                "sys/set",
                format!(r#"{{"command":"identify","id":"{id}"}}"#),
            ),
            1 => ("sys/set", "restart".to_owned()),
            2 => ("switch/0/set", "toggle".to_owned()),
            _ => ("switch/0/set", String::new()),
        };
        let topic = format!("monster/{}/{tail}", self.id);
        self.account.retain(&topic, payload.as_bytes());
    }

    fn send_classic(&mut self, world: &mut World) {
        let obeys = self.settings.classic.retained == RetainedCommands::Obey;
        if obeys && world.chance.one_in(5) {
            self.account.retain(self.id.as_str(), b"toggle");
        }
        let payload = match world.chance.up_to(5) {
            0 => "bogus",
            1 => "getTH",
            2 if !self.person.exact => "on",
            3 if !self.person.exact => "off",
            4 if !self.person.exact => "toggle",
            _ => "getTH",
        };
        let topic = self.id.as_str().to_owned();
        if !self.publish_on(&topic, payload.to_owned(), world) {
            return;
        }
        match payload {
            "getTH" => self.judge.climate_owed = true,
            "bogus" => {}
            _ => self.judge.classic_sent(),
        }
    }

    fn publish(&mut self, tail: &str, payload: String, world: &mut World) -> bool {
        let topic = format!("monster/{}/{tail}", self.id);
        self.publish_on(&topic, payload, world)
    }

    /// Somebody publishes; whether the broker passes it on to the device now.
    pub fn publish_on(&mut self, topic: &str, payload: String, world: &mut World) -> bool {
        if world.broker.down || world.broker.frozen_until > world.now {
            return false;
        }
        self.judge.disturbed = world.now;
        let qos = world.chance.pick(&[QoS::AtMostOnce, QoS::AtLeastOnce]);
        let payload = Bytes::from(payload);
        let mut out = BytesMut::new();
        let number = self.number;
        let sent = self
            .account
            .deliver(topic, &payload, qos, number, world, &mut out);
        if let Some(wire) = self.account.client.as_ref().map(|client| client.wire) {
            self.send_down(wire, &out, world);
            if sent && world.broker.sloppy && world.chance.one_in(5) {
                let delay = world.chance.around(5_000);
                world.after(delay, number, What::Repeat { wire });
            }
        }
        sent
    }

    /// Somebody comes to the button.
    fn press(&mut self, world: &mut World) {
        if !self.person.edges.is_empty() || self.person.pressing || self.board.is_none() {
            return;
        }
        let chance = &mut world.chance;
        let mut at = world.now;
        let mut edges = VecDeque::new();
        let mut edge = |at: &mut u64, level: bool, chance: &mut Chance| {
            edges.push_back((*at, level));
            for _ in 0..chance.up_to(2) {
                *at += chance.between(1, 10);
                edges.push_back((*at, !level));
                *at += chance.between(1, 10);
                edges.push_back((*at, level));
            }
        };
        edge(&mut at, true, chance);
        match chance.up_to(3) {
            0 => {
                at += chance.between(1_100, 6_000);
                edge(&mut at, false, chance);
            }
            1 => {
                at += chance.between(60, 700);
                edge(&mut at, false, chance);
                at += chance.between(60, 300);
                edge(&mut at, true, chance);
                at += chance.between(60, 3_000);
                edge(&mut at, false, chance);
            }
            _ => {
                at += chance.between(60, 900);
                edge(&mut at, false, chance);
                self.judge.presses_once(at + 400);
            }
        }
        // Whoever comes next comes after the double press would be over.
        edges.push_back((at + 1_000, false));
        self.person.edges = edges;
        world.tally.presses += 1;
        self.button(world);
    }

    /// The button's level changes.
    pub fn button(&mut self, world: &mut World) {
        while let Some((at, level)) = self.person.edges.front().copied() {
            if at > world.now {
                world.agenda.add(at, self.number, What::Button);
                return;
            }
            self.person.edges.pop_front();
            self.person.pressing = level;
            self.judge.disturbed = world.now;
            self.handle(Input::Button { pressed: level }, world);
        }
    }
}

fn draw(chance: &mut Chance) -> SwitchCommand {
    match chance.up_to(6) {
        0 => SwitchCommand::On,
        1 => SwitchCommand::Off,
        2 => {
            let ms = chance.magnitude(50, 600_000) as u32;
            SwitchCommand::Pulse(PulseLength::from_millis(ms).expect("a pulse"))
        }
        _ => SwitchCommand::Toggle,
    }
}

fn word(command: SwitchCommand) -> String {
    match command {
        SwitchCommand::On => "on".to_owned(),
        SwitchCommand::Off => "off".to_owned(),
        SwitchCommand::Toggle => "toggle".to_owned(),
        SwitchCommand::Pulse(length) => format!("pulse {}", length.as_millis()),
    }
}
