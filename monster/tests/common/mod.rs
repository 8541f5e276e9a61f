//! A bench: a device, its clock, its store, and a peer that speaks MQTT with somebody else's codec.

#![allow(dead_code)]

use std::collections::BTreeMap;

use bytes::BytesMut;
use monster::device::{
    Device, Input, Output, RECEIVE_BUFFER, ResetReason, SEND_BUFFER, SESSION_IMAGE, Start,
};
use monster::identity::DeviceId;
use monster::memory::{Memory, Record};
use monster::settings::Settings;
use mqttbytes::QoS;
use mqttbytes::v4::{
    ConnAck, Connect, ConnectReturnCode, Packet, PingResp, PubAck, Publish, SubAck, Subscribe,
    SubscribeReasonCode,
};
use umqtt::Instant;

pub const ID: &str = "a1b2c3";

/// What happened, in order.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// The device asked its board for something; lines of the log are left out.
    Output(Output),
    /// It sent these packets in one piece.
    Sent(Vec<Packet>),
}

/// What the store does when it is asked to store a record.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Store {
    /// It does, at once.
    Works,
    /// It says that it could not.
    Fails,
    /// It writes the record, and does not say so yet.
    Writes,
    /// It does nothing, and says nothing.
    Hangs,
}

pub struct Bench {
    pub device: Device<'static>,
    pub now: u64,
    pub store: Store,
    pub records: BTreeMap<u8, Vec<u8>>,
    /// What is stored of the MQTT session.
    pub session: Option<Vec<u8>>,
    pub pin: Option<bool>,
    /// The pin is low when the switch is on.
    inverted: bool,
    /// Every level the pin had.
    pub levels: Vec<bool>,
    /// The device wants a connection.
    pub dialling: bool,
    /// There is a connection.
    pub open: bool,
    /// The peer reads what the device sends.
    pub reads: bool,
    /// The peer acknowledges messages of QoS 1.
    pub acknowledges: bool,
    /// The peer answers PINGREQ.
    pub pongs: bool,
    pub measures: u32,
    pub identified: u32,
    /// Whether the status LED is lit, and when it changed.
    pub lit: Option<bool>,
    pub flashes: Vec<(u64, bool)>,
    pub access_point: bool,
    pub ended: Option<Output>,
    pub log: Vec<String>,
    pub steps: Vec<Step>,
    /// All that device and board told each other, since ever, as `Debug` shows it.
    pub shown: Vec<String>,
    /// Every byte the device sent on this connection.
    pub wire: Vec<u8>,
    inbox: BytesMut,
    /// What the peer has sent and the device has not taken.
    pub outgoing: Vec<u8>,
    /// Packets the peer has received and nobody has looked at.
    pub packets: Vec<Packet>,
}

/// The settings most tests begin with: nothing that happens by itself gets in their way.
pub fn settings(changes: &[(&str, &str)]) -> Settings {
    let mut settings = Settings::default();
    let quiet = [
        ("broker.url", "mqtt://broker.example"),
        ("climate.kind", "none"),
        ("heartbeat.seconds", "3600"),
        ("homeassistant.enabled", "false"),
    ];
    for (key, value) in quiet.iter().chain(changes) {
        settings.set(key, value).unwrap();
    }
    settings.validate().unwrap();
    settings
}

pub fn memory(records: &BTreeMap<u8, Vec<u8>>) -> Memory {
    let mut memory = Memory::default();
    for (key, bytes) in records {
        memory.load(*key, bytes).unwrap();
    }
    memory
}

impl Bench {
    /// A device that was just switched on.
    pub fn new(changes: &[(&str, &str)]) -> Self {
        Bench::start(changes, BTreeMap::new(), false)
    }

    pub fn start(
        changes: &[(&str, &str)],
        records: BTreeMap<u8, Vec<u8>>,
        button_pressed: bool,
    ) -> Self {
        Bench::start_with(changes, records, None, button_pressed)
    }

    /// A device that finds this in its store.
    pub fn start_with(
        changes: &[(&str, &str)],
        records: BTreeMap<u8, Vec<u8>>,
        session: Option<Vec<u8>>,
        button_pressed: bool,
    ) -> Self {
        let settings = settings(changes);
        let inverted = settings.switch.inverted;
        let start = Start {
            settings,
            id: DeviceId::parse(ID).unwrap(),
            seed: 7,
            reset: ResetReason::PowerOn,
            boots: 3,
            memory: memory(&records),
            button_pressed,
        };
        let mut device = Device::new(
            start,
            vec![0; RECEIVE_BUFFER].leak(),
            vec![0; SEND_BUFFER].leak(),
            Instant::ZERO,
        );
        if let Some(image) = &session {
            device.restore_session(image);
        }
        let mut bench = Bench {
            device,
            now: 0,
            store: Store::Works,
            records,
            session,
            pin: None,
            inverted,
            levels: Vec::new(),
            dialling: false,
            open: false,
            reads: true,
            acknowledges: true,
            pongs: true,
            measures: 0,
            identified: 0,
            lit: None,
            flashes: Vec::new(),
            access_point: false,
            ended: None,
            log: Vec::new(),
            steps: Vec::new(),
            shown: Vec::new(),
            wire: Vec::new(),
            inbox: BytesMut::new(),
            outgoing: Vec::new(),
            packets: Vec::new(),
        };
        bench.settle();
        bench
    }

    /// A device that is online, and has said what it says then.
    pub fn online(changes: &[(&str, &str)]) -> Self {
        let mut bench = Bench::new(changes);
        bench.connect();
        bench.forget();
        bench
    }

    /// The same device after its power went and came back.
    pub fn power_cut(&self, changes: &[(&str, &str)]) -> Self {
        Bench::start_with(changes, self.records.clone(), self.session.clone(), false)
    }

    /// Nobody has seen anything so far.
    pub fn forget(&mut self) {
        self.steps.clear();
        self.packets.clear();
        self.log.clear();
        self.wire.clear();
        self.levels.clear();
    }

    pub fn instant(&self) -> Instant {
        Instant::from_millis(self.now)
    }

    pub fn handle(&mut self, input: Input<'_>) {
        self.shown.push(format!("Input::{input:?}"));
        self.device.handle(input, self.instant());
        self.settle();
    }

    /// Does what the device wants until it wants nothing more.
    pub fn settle(&mut self) {
        let now = self.instant();
        for round in 0.. {
            assert!(round < 1_000, "no end of wishes");
            let mut idle = true;
            while let Some(output) = self.device.poll(now) {
                idle = false;
                self.carry_out(output);
            }
            if self.open && self.reads && !self.device.transmit().is_empty() {
                idle = false;
                let bytes = self.device.transmit().to_vec();
                self.device.transmitted(bytes.len(), now);
                self.sent(&bytes);
            }
            if self.open && self.feed() > 0 {
                idle = false;
            }
            if idle {
                break;
            }
        }
        if let Some(at) = self.device.deadline() {
            assert!(
                at > now,
                "a deadline, {at}, is not in the future: a busy loop"
            );
        }
        let on = self.device.switch_is_on();
        let level = on != self.inverted;
        assert_eq!(self.pin, Some(level), "the pin is not where the switch is");
    }

    fn carry_out(&mut self, output: Output) {
        assert_eq!(self.ended, None, "nothing comes after the end");
        self.shown.push(format!("Output::{output:?}"));
        let answer = match &output {
            Output::Log(line) => {
                self.log.push(line.text.as_str().to_owned());
                return;
            }
            Output::Connect => {
                assert!(!self.open && !self.dialling, "a second connection");
                self.dialling = true;
                None
            }
            Output::Close => {
                self.dialling = false;
                self.open = false;
                None
            }
            Output::Switch { level } => {
                self.pin = Some(*level);
                self.levels.push(*level);
                None
            }
            Output::Measure => {
                self.measures += 1;
                None
            }
            Output::Save(record) => self.save(record),
            Output::SaveSession => {
                let mut image = [0; SESSION_IMAGE];
                let length = self.device.session_image(&mut image).unwrap();
                self.session = Some(image[..length].to_vec());
                None
            }
            Output::ForgetSession => {
                assert_ne!(self.session.take(), None, "nothing is stored");
                None
            }
            Output::Led { lit } => {
                assert_ne!(self.lit, Some(*lit), "it is so already");
                self.lit = Some(*lit);
                self.flashes.push((self.now, *lit));
                return;
            }
            Output::AccessPoint { up } => {
                assert_ne!(self.access_point, *up, "it is so already");
                self.access_point = *up;
                None
            }
            Output::Identify => {
                self.identified += 1;
                None
            }
            Output::FactoryReset | Output::Restart(_) | Output::Stopped => {
                self.ended = Some(output.clone());
                None
            }
        };
        self.steps.push(Step::Output(output));
        if let Some(answer) = answer {
            self.shown.push(format!("Input::{answer:?}"));
            self.device.handle(answer, self.instant());
        }
    }

    fn save(&mut self, record: &Record) -> Option<Input<'static>> {
        if matches!(self.store, Store::Works | Store::Writes) {
            self.records.insert(record.key, record.bytes.to_vec());
        }
        match self.store {
            Store::Works => Some(Input::Saved(record.key)),
            Store::Fails => Some(Input::SaveFailed(record.key)),
            Store::Writes | Store::Hangs => None,
        }
    }

    /// The peer receives what the device sent in one piece.
    fn sent(&mut self, bytes: &[u8]) {
        self.wire.extend_from_slice(bytes);
        self.inbox.extend_from_slice(bytes);
        let mut packets = Vec::new();
        while !self.inbox.is_empty() {
            match mqttbytes::v4::read(&mut self.inbox, 100_000) {
                Ok(packet) => packets.push(packet),
                Err(mqttbytes::Error::InsufficientBytes(_)) => break,
                Err(error) => panic!("not MQTT: {error:?}"),
            }
        }
        let mut answers = BytesMut::new();
        for packet in &packets {
            match packet {
                Packet::Publish(it) if self.acknowledges && it.qos == QoS::AtLeastOnce => {
                    PubAck::new(it.pkid).write(&mut answers).unwrap();
                }
                Packet::PingReq if self.pongs => {
                    PingResp.write(&mut answers).unwrap();
                }
                _ => {}
            }
        }
        self.packets.extend(packets.iter().cloned());
        self.steps.push(Step::Sent(packets));
        self.outgoing.extend(answers);
    }

    pub fn acknowledge(&mut self, identifier: u16) {
        let mut bytes = BytesMut::new();
        PubAck::new(identifier).write(&mut bytes).unwrap();
        self.offer(&bytes);
    }

    /// Hands the device what the peer has sent, as far as it has room.
    fn feed(&mut self) -> usize {
        let now = self.instant();
        let buffer = self.device.receive_buffer();
        let count = self.outgoing.len().min(buffer.len());
        buffer[..count].copy_from_slice(&self.outgoing[..count]);
        self.outgoing.drain(..count);
        if count > 0 {
            self.device.received(count, now);
        }
        count
    }

    /// The peer sends bytes; the device takes all of them, unless it closes the connection.
    pub fn send(&mut self, bytes: &[u8]) {
        self.offer(bytes);
        assert!(
            self.outgoing.is_empty() || !self.open,
            "{} bytes are not taken",
            self.outgoing.len()
        );
    }

    /// The peer sends bytes; the device may be too busy to take them.
    pub fn offer(&mut self, bytes: &[u8]) {
        self.outgoing.extend_from_slice(bytes);
        self.settle();
    }

    pub fn publish(&mut self, topic: &str, payload: &[u8]) {
        self.send(&message(topic, payload, None, false));
    }

    /// A message to the device's own structured topic of this name, of QoS 1.
    pub fn command(&mut self, tail: &str, payload: &str) {
        let topic = format!("monster/{ID}/{tail}");
        self.send(&message(&topic, payload.as_bytes(), Some(100), false));
    }

    /// Time passes; the device is woken at each of its deadlines.
    pub fn pass(&mut self, ms: u64) {
        let end = self.now + ms;
        for wakes in 0.. {
            assert!(wakes < 1_000_000, "it is woken all the time");
            match self.device.deadline() {
                Some(at) if at.as_millis() <= end => {
                    self.now = at.as_millis();
                    self.settle();
                }
                _ => break,
            }
        }
        self.now = end;
        self.settle();
    }

    /// The connection the device asked for is open.
    pub fn open(&mut self) {
        assert!(
            std::mem::take(&mut self.dialling),
            "nobody wants to connect"
        );
        self.open = true;
        self.inbox.clear();
        self.outgoing.clear();
        self.packets.clear();
        self.wire.clear();
        self.handle(Input::Connected {
            ip: Some([192, 168, 1, 7].into()),
        });
    }

    /// The connection is gone.
    pub fn cut(&mut self) {
        self.open = false;
        self.handle(Input::Closed("reset by peer"));
    }

    /// Waits until the device wants to connect; how long it took.
    pub fn wait_for_attempt(&mut self) -> u64 {
        let from = self.now;
        while !self.dialling {
            let at = self.device.deadline().expect("it never connects");
            self.pass(at.as_millis() - self.now);
        }
        self.now - from
    }

    pub fn connack(&mut self, code: ConnectReturnCode, session_present: bool) {
        let mut bytes = BytesMut::new();
        ConnAck::new(code, session_present)
            .write(&mut bytes)
            .unwrap();
        self.send(&bytes);
    }

    pub fn suback(&mut self, subscribe: &Subscribe) {
        let codes = subscribe
            .filters
            .iter()
            .map(|filter| SubscribeReasonCode::Success(filter.qos))
            .collect();
        self.suback_with(subscribe.pkid, codes);
    }

    pub fn suback_with(&mut self, identifier: u16, codes: Vec<SubscribeReasonCode>) {
        let mut bytes = BytesMut::new();
        SubAck::new(identifier, codes).write(&mut bytes).unwrap();
        self.send(&bytes);
    }

    /// The CONNECT that was received last.
    pub fn take_connect(&mut self) -> Connect {
        match self.packets.pop() {
            Some(Packet::Connect(connect)) => connect,
            other => panic!("no CONNECT but {other:?}"),
        }
    }

    /// The SUBSCRIBE that was received last.
    pub fn take_subscribe(&mut self) -> Subscribe {
        let is_subscribe = |packet: &Packet| matches!(packet, Packet::Subscribe(_));
        let at = self.packets.iter().position(is_subscribe);
        match self
            .packets
            .remove(at.unwrap_or_else(|| panic!("no SUBSCRIBE; {:?}", self.log)))
        {
            Packet::Subscribe(subscribe) => subscribe,
            _ => unreachable!(),
        }
    }

    /// Brings the device online.
    pub fn connect(&mut self) {
        self.wait_for_attempt();
        self.connect_on_open();
    }

    /// Brings the device online, once it wants a connection.
    pub fn connect_on_open(&mut self) {
        self.open();
        self.take_connect();
        self.connack(ConnectReturnCode::Success, false);
        let subscribe = self.take_subscribe();
        self.suback(&subscribe);
        assert!(self.device.is_online());
    }

    /// What the device published since somebody last looked, one line each: topic and payload.
    pub fn said(&mut self) -> Vec<String> {
        let said = self.published();
        said.iter()
            .map(|publish| {
                let payload = String::from_utf8(publish.payload.to_vec()).unwrap();
                format!("{} {payload}", publish.topic)
            })
            .collect()
    }

    /// The messages the device published since somebody last looked.
    pub fn published(&mut self) -> Vec<Publish> {
        let packets = std::mem::take(&mut self.packets);
        packets
            .into_iter()
            .filter_map(|packet| match packet {
                Packet::Publish(publish) => Some(publish),
                _ => None,
            })
            .collect()
    }

    /// A press of the button that lasts so long, and the time until it counts.
    pub fn press(&mut self, ms: u64) {
        self.handle(Input::Button { pressed: true });
        self.pass(ms);
        self.handle(Input::Button { pressed: false });
        self.pass(500);
    }
}

/// A PUBLISH as bytes, of QoS 1 if there is an identifier.
pub fn message(topic: &str, payload: &[u8], identifier: Option<u16>, retain: bool) -> Vec<u8> {
    let qos = match identifier {
        Some(_) => QoS::AtLeastOnce,
        None => QoS::AtMostOnce,
    };
    let mut publish = Publish::new(topic, qos, payload);
    publish.pkid = identifier.unwrap_or(0);
    publish.retain = retain;
    let mut bytes = BytesMut::new();
    publish.write(&mut bytes).unwrap();
    bytes.to_vec()
}
