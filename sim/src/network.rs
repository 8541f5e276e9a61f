//! Between board and broker: connections that are opened, cut, and die without a word.

use bytes::BytesMut;
use monster::device::Input;
use mqttbytes::v4;
use umqtt::Instant;

use crate::account::{Expiry, Then};
use crate::agenda::What;
use crate::home::Home;
use crate::pipe::Pipe;
use crate::trace::Note;
use crate::world::World;

/// The largest packet the broker reads.
const LARGEST: usize = 10_000;

/// A connection, as long as either end believes in it.
pub(crate) struct Wire {
    pub id: u32,
    /// The life of the device it belongs to.
    boot: u32,
    up: Pipe,
    down: Pipe,
    /// Nothing gets through any more, and nobody is told.
    pub is_dead: bool,
    /// The board has closed its end.
    board_closed: bool,
    /// The broker has closed its end.
    broker_closed: bool,
    /// What the broker has received and not read.
    inbox: BytesMut,
}

/// The way from the home to the broker.
#[derive(Default)]
pub(crate) struct Path {
    pub down_until: u64,
    /// The board knows when it is down.
    pub is_told: bool,
    /// New connections are not answered before this.
    pub black_until: u64,
}

impl Path {
    pub fn is_down(&self, now: u64) -> bool {
        self.down_until > now
    }
}

impl Home<'_> {
    fn find(&mut self, id: u32) -> Option<&mut Wire> {
        self.wires.iter_mut().find(|wire| wire.id == id)
    }

    /// The board opens a connection.
    pub fn dial(&mut self, world: &mut World) {
        self.last_wire += 1;
        let wire = self.last_wire;
        self.dialling = Some(wire);
        world.tally.attempts += 1;
        if self.path.is_down(world.now) || self.path.black_until > world.now {
            return;
        }
        let round_trip = world.one_way() + world.one_way();
        if world.broker.down && world.broker.silent {
            return;
        }
        let open = !world.broker.down;
        world.after(round_trip, self.number, What::Dialled { wire, open });
    }

    pub fn dialled(&mut self, id: u32, open: bool, world: &mut World) {
        if self.dialling != Some(id) || self.path.is_down(world.now) {
            return;
        }
        self.dialling = None;
        if !open || world.broker.down {
            self.judge.waits(world.now);
            self.handle(Input::ConnectFailed("connection refused"), world);
            return;
        }
        self.wires.push(Wire {
            id,
            boot: self.boot_number(),
            up: Pipe::default(),
            down: Pipe::default(),
            is_dead: false,
            board_closed: false,
            broker_closed: false,
            inbox: BytesMut::new(),
        });
        self.wire = Some(id);
        let ip = world.chance.one_in(2).then(|| [10, 0, 0, 7].into());
        self.handle(Input::Connected { ip }, world);
    }

    /// The board closes the connection, or stops opening it.
    pub fn hang_up(&mut self, world: &mut World) {
        self.dialling = None;
        let Some(id) = self.wire.take() else { return };
        let delay = world.one_way();
        let Some(wire) = self.find(id) else { return };
        wire.board_closed = true;
        let at = wire.up.last().max(world.now + delay);
        if wire.is_dead || wire.broker_closed {
            self.wires.retain(|wire| wire.id != id);
        } else {
            world.agenda.add(at, self.number, What::Up { wire: id });
        }
    }

    /// The board is gone from one instant to the next.
    pub fn vanish(&mut self) {
        self.dialling = None;
        self.wire = None;
        self.wires.clear();
    }

    /// Everything under way is lost, and nobody is told.
    pub fn half_open(&mut self) {
        for wire in &mut self.wires {
            wire.is_dead = true;
        }
    }

    /// Both ends are told that the connection is gone.
    pub fn cut(&mut self, world: &mut World) {
        self.close_all(world);
        self.account.lost();
    }

    /// The broker's end of every connection is closed.
    pub fn close_all(&mut self, world: &mut World) {
        let ids: Vec<u32> = self.wires.iter().map(|wire| wire.id).collect();
        for id in ids {
            self.broker_closes(id, world);
        }
        self.judge.wire_ended();
    }

    /// Nothing gets through before this, and then everything does.
    pub fn stall(&mut self, until: u64) {
        for wire in &mut self.wires {
            wire.up.stall(until);
            wire.down.stall(until);
        }
    }

    /// Sends what the device has to send, as far as there is room; whether anything was.
    pub fn transmit(&mut self, now: Instant, world: &mut World) -> bool {
        let Some(board) = &mut self.board else {
            return false;
        };
        let Some(id) = self.wire else { return false };
        let bytes = board.device.transmit();
        if bytes.is_empty() {
            return false;
        }
        let Some(wire) = self.wires.iter_mut().find(|wire| wire.id == id) else {
            return false;
        };
        let mut count = bytes.len().min(wire.up.room(&world.manners));
        if count > 1 && world.chance.one_in(world.manners.split * 4) {
            count = world.chance.between(1, count as u64) as usize;
        }
        if count == 0 {
            return false;
        }
        let arrival = wire.up.send(
            &bytes[..count],
            world.now,
            &world.manners,
            &mut world.chance,
        );
        if let Some(at) = arrival
            && !wire.is_dead
        {
            world.agenda.add(at, self.number, What::Up { wire: id });
        }
        board.device.transmitted(count, now);
        true
    }

    /// Hands the device what has arrived, as far as it has room; whether anything was.
    pub fn receive(&mut self, now: Instant, world: &mut World) -> bool {
        let Some(board) = &mut self.board else {
            return false;
        };
        let Some(id) = self.wire else { return false };
        let Some(wire) = self.wires.iter_mut().find(|wire| wire.id == id) else {
            return false;
        };
        if !wire.down.has_arrived() {
            return false;
        }
        let buffer = board.device.receive_buffer();
        let count = wire.down.take(buffer);
        if count > 0 {
            board.device.received(count, now);
            world.tally.received += count as u64;
        }
        count > 0
    }

    /// Bytes arrive at the board.
    pub fn down(&mut self, id: u32, world: &mut World) {
        let number = self.number;
        let Some(wire) = self.find(id).filter(|wire| !wire.is_dead) else {
            return;
        };
        if let Some(at) = wire.down.arrive(world.now) {
            world.agenda.add(at, number, What::Down { wire: id });
        }
        if self.wire == Some(id) && self.board.is_some() {
            self.settle(world);
        }
    }

    /// The board learns that the broker's end is closed, once it has read what came before.
    pub fn hangup(&mut self, id: u32, world: &mut World) {
        let Some(wire) = self.find(id).filter(|wire| !wire.is_dead) else {
            return;
        };
        let last = wire.down.last();
        if !wire.down.is_empty() && last >= world.now {
            world
                .agenda
                .add(last + 1, self.number, What::Hangup { wire: id });
            return;
        }
        self.wires.retain(|wire| wire.id != id);
        if self.wire == Some(id) {
            self.wire = None;
            self.judge.waits(world.now);
            self.handle(Input::Closed("closed by the broker"), world);
        }
    }

    /// The broker closes its end.
    pub fn broker_closes(&mut self, id: u32, world: &mut World) {
        let delay = world.one_way();
        let number = self.number;
        let Some(wire) = self.find(id).filter(|wire| !wire.broker_closed) else {
            return;
        };
        wire.broker_closed = true;
        wire.inbox.clear();
        let at = wire.down.last().max(world.now + delay);
        if wire.board_closed {
            self.wires.retain(|wire| wire.id != id);
        } else {
            world.agenda.add(at, number, What::Hangup { wire: id });
        }
    }

    /// Bytes arrive at the broker, or the end of them.
    pub fn up(&mut self, id: u32, world: &mut World) {
        let frozen_until = world.broker.frozen_until;
        let number = self.number;
        let Some(at) = self.wires.iter().position(|wire| wire.id == id) else {
            return;
        };
        let wire = &mut self.wires[at];
        if wire.is_dead {
            return;
        }
        if frozen_until > world.now {
            wire.up.stall(frozen_until);
            world
                .agenda
                .add(frozen_until, number, What::Up { wire: id });
            return;
        }
        let had_room = wire.up.room(&world.manners);
        if let Some(at) = wire.up.arrive(world.now) {
            world.agenda.add(at, number, What::Up { wire: id });
        }
        wire.up.take_all(&mut wire.inbox);
        if wire.broker_closed {
            wire.inbox.clear();
        }
        let boot = wire.boot;
        let mut inbox = std::mem::take(&mut wire.inbox);
        let mut out = std::mem::take(&mut self.answers);
        let mut closes = false;
        while !closes && !inbox.is_empty() {
            let packet = match v4::read(&mut inbox, LARGEST) {
                Ok(packet) => packet,
                Err(mqttbytes::Error::InsufficientBytes(_)) => break,
                Err(error) => panic!("the device sent what is not MQTT: {error:?}"),
            };
            if let v4::Packet::Connect(connect) = &packet {
                self.meet(connect, id, world);
            }
            match self.account.receive(packet, id, world, &mut out) {
                Then::Go => {}
                Then::Heard(publish) => self.heard(publish, id, boot, world),
                Then::Close | Then::Goodbye => closes = true,
            }
        }
        self.send_down(id, &out, world);
        out.clear();
        self.answers = out;
        if closes {
            self.broker_closes(id, world);
        } else if let Some(wire) = self.find(id) {
            wire.inbox = inbox;
            if wire.board_closed && wire.up.is_empty() {
                self.wires.retain(|wire| wire.id != id);
                if self.account.client.as_ref().is_some_and(|it| it.wire == id) {
                    self.account.lost();
                    self.judge.wire_ended();
                }
            } else if had_room == 0 && self.wire == Some(id) && self.board.is_some() {
                self.settle(world);
            }
        }
    }

    /// A client says hello: whoever had its name before is thrown out.
    fn meet(&mut self, connect: &v4::Connect, id: u32, world: &mut World) {
        assert_eq!(connect.client_id, self.id.as_str());
        assert_eq!(
            connect.last_will.is_some(),
            self.settings.structured.enabled
        );
        world.note(self.number, "CONNECT on wire", id.into());
        self.judge.wire_ended();
        if let Some(old) = self.account.client.as_ref().map(|client| client.wire)
            && old != id
        {
            self.broker_closes(old, world);
        }
        world.after(What::FIRST_EXPIRY, self.number, What::Expire { wire: id });
    }

    fn heard(&mut self, publish: v4::Publish, id: u32, boot: u32, world: &mut World) {
        world.tally.heard += 1;
        let topic = publish.topic.as_str();
        let payload = &publish.payload;
        let tail = topic
            .strip_prefix("monster/")
            .and_then(|rest| rest.strip_prefix(self.id.as_str()));
        let announced = topic
            .strip_prefix("homeassistant/device/")
            .and_then(|rest| rest.strip_suffix("/config"));
        match tail {
            None if announced == Some(self.id.as_str()) => {
                assert!(self.settings.structured.enabled);
                assert!(publish.retain && publish.qos == mqttbytes::QoS::AtLeastOnce);
                match self.settings.homeassistant.enabled {
                    true => self.judge.heard_announcement(payload),
                    false => assert!(payload.is_empty(), "it is not to be announced"),
                }
            }
            None => {
                assert_eq!(topic.strip_suffix("After"), Some(self.id.as_str()));
                self.judge.heard_classic(payload, id, boot, world.now);
                world.tally.beats += payload.starts_with(b"t=") as u64;
            }
            Some("/reply") => {
                world.tally.replies += 1;
                self.judge.heard_reply(payload, boot);
            }
            Some("/status" | "/switch/0" | "/th" | "/diag") => {
                assert!(
                    publish.retain && publish.qos == mqttbytes::QoS::AtLeastOnce,
                    "{topic}"
                );
            }
            Some("/button/0") => assert!(!publish.retain),
            Some(_) => panic!("the device published on {topic}"),
        }
        let note = Note::Heard(topic, payload);
        world.trace.add(world.now, self.number, note);
    }

    /// The broker sends bytes to the device.
    pub fn send_down(&mut self, id: u32, bytes: &[u8], world: &mut World) {
        if bytes.is_empty() {
            return;
        }
        let number = self.number;
        let Some(wire) = self.wires.iter_mut().find(|wire| wire.id == id) else {
            return;
        };
        if wire.broker_closed {
            return;
        }
        let arrival = wire
            .down
            .send(bytes, world.now, &world.manners, &mut world.chance);
        if let Some(at) = arrival
            && !wire.is_dead
        {
            world.agenda.add(at, number, What::Down { wire: id });
        }
    }

    /// The broker looks whether it has heard of the client lately.
    pub fn expire(&mut self, id: u32, world: &mut World) {
        if world.broker.frozen_until > world.now {
            let delay = world.broker.frozen_until - world.now;
            world.after(delay + 1_000, self.number, What::Expire { wire: id });
            return;
        }
        match self.account.expire(id, world.now) {
            Expiry::LookAgain(at) => world.agenda.add(at, self.number, What::Expire { wire: id }),
            Expiry::Expired => {
                world.note(self.number, "the broker gives up wire", id.into());
                self.account.lost();
                self.judge.wire_ended();
                self.broker_closes(id, world);
            }
            Expiry::Gone => {}
        }
    }

    /// The broker sends again what was not acknowledged.
    pub fn repeat(&mut self, id: u32, world: &mut World) {
        if world.broker.down || self.account.client.as_ref().is_none_or(|it| it.wire != id) {
            return;
        }
        let mut out = BytesMut::new();
        self.account.repeat(&mut out);
        self.send_down(id, &out, world);
    }
}
