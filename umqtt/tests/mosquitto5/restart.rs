//! The broker restarts in the middle of each handshake: nothing acknowledged is lost, nothing of
//! QoS 2 comes twice.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use embedded_io::{Read, Write};
use umqtt::std::{Clock, TcpTransport};
use umqtt::{
    Clock as _, Connect, Event, PacketIdentifier, Publish, Qos, Session, Subscription, Version,
};

use crate::broker::Mosquitto;

/// Where a connection is cut: before or after this many writes and reads of it.
#[derive(Clone, Copy, Debug)]
struct Cut {
    step: usize,
    /// What is written at that step is lost; else it arrives, and its answer is lost.
    loses_write: bool,
}

/// A client that moves its bytes itself.
struct Driver<'a> {
    session: Session<'static>,
    transport: Option<TcpTransport>,
    broker: &'a mut Mosquitto,
    connect: Connect<'a>,
    clock: Clock,
    /// Writes and reads since the cut was set.
    steps: usize,
    cut: Option<Cut>,
    events: Vec<String>,
    done: Option<PacketIdentifier>,
}

impl<'a> Driver<'a> {
    fn new(broker: &'a mut Mosquitto, version: Version, client_id: &'a str) -> Self {
        let leak = || Box::leak(vec![0; 512].into_boxed_slice());
        Driver {
            session: Session::new(leak(), leak()),
            transport: None,
            broker,
            connect: Connect {
                version,
                clean_session: false,
                ..Connect::new(client_id)
            },
            clock: Clock::new(),
            steps: 0,
            cut: None,
            events: vec![],
            done: None,
        }
    }

    /// Goes on until `is_done`, over as many connections as it takes.
    #[track_caller]
    fn run(&mut self, is_done: impl Fn(&Self) -> bool) {
        let limit = Instant::now() + Duration::from_secs(20);
        while !is_done(self) {
            assert!(Instant::now() < limit, "after 20 s: {:?}", self.events);
            if self.transport.is_none() {
                let now = self.clock.now();
                self.session.connect(&self.connect, now).expect("CONNECT");
                self.transport = Some(self.broker.transport());
            }
            if self.step().is_none() {
                self.session.closed();
                self.transport = None;
            }
        }
    }

    /// `None` when the connection is gone.
    fn step(&mut self) -> Option<()> {
        let now = self.clock.now();
        match self.session.poll(now).ok()? {
            Some(Event::Connected {
                session_present, ..
            }) => {
                self.events.push(format!("connected {session_present}"));
            }
            Some(Event::Message(message)) => {
                let payload = String::from_utf8_lossy(message.payload).into_owned();
                self.events.push(payload);
            }
            Some(Event::Published(identifier, answer)) => {
                assert!(!answer.reason.is_error(), "{}", answer.reason);
                self.done = Some(identifier);
            }
            Some(Event::Subscribed(identifier, codes)) => {
                assert!(codes.all_granted());
                self.done = Some(identifier);
            }
            Some(_) => {}
            None => return self.transfer(),
        }
        Some(())
    }

    fn transfer(&mut self) -> Option<()> {
        let writes = !self.session.transmit().is_empty();
        let cut = self.cut.filter(|cut| cut.step == self.steps);
        if let Some(cut) = cut.filter(|cut| cut.loses_write || !writes) {
            return self.break_off(cut);
        }
        let transport = self.transport.as_mut()?;
        if writes {
            transport.write_all(self.session.transmit()).ok()?;
            let count = self.session.transmit().len();
            self.session.transmitted(count, self.clock.now());
            self.steps += 1;
        } else {
            match transport.read(self.session.receive_buffer()) {
                Ok(0) => return None,
                Ok(count) => {
                    self.session.received(count, self.clock.now());
                    self.steps += 1;
                }
                Err(error) if error.kind() == ErrorKind::TimedOut => {}
                Err(_) => return None,
            }
        }
        match cut {
            Some(cut) => self.break_off(cut),
            None => Some(()),
        }
    }

    fn break_off(&mut self, _: Cut) -> Option<()> {
        self.cut = None;
        self.transport = None;
        self.broker.restart();
        None
    }

    fn connected(&self) -> bool {
        self.session.is_connected()
    }

    /// Subscribes to `topic`, and waits for the answer.
    fn subscribe(&mut self, topic: &str) {
        self.run(Self::connected);
        let subscription = Subscription::new(topic, Qos::ExactlyOnce);
        let identifier = self.session.subscribe(&[subscription]).expect("room");
        self.run(|driver| driver.done == Some(identifier));
    }

    fn leave(&mut self) {
        self.cut = None;
        self.run(Self::connected);
        self.session.disconnect().expect("a connection");
        self.run(|driver| driver.session.is_closed());
        self.transport = None;
    }
}

fn cuts() -> impl Iterator<Item = Cut> {
    (0..10).flat_map(|step| [true, false].map(|loses_write| Cut { step, loses_write }))
}

/// How often each message came.
fn count(events: &[String], payload: &str) -> usize {
    events.iter().filter(|event| *event == payload).count()
}

#[track_caller]
fn check(qos: Qos, count: usize, context: &dyn std::fmt::Debug) {
    match qos {
        Qos::ExactlyOnce => assert_eq!(count, 1, "{context:?}"),
        _ => assert!(count >= 1, "{context:?}"),
    }
}

/// A message to the broker, the connection cut at each step of its handshake.
fn outgoing(version: Version, qos: Qos) {
    let mut broker = Mosquitto::start();
    let mut listener = Driver::new(&mut broker, version, "listener");
    listener.subscribe("out");
    listener.leave();
    let Driver { session, .. } = listener;
    let mut reached = 0;
    for (number, cut) in cuts().enumerate() {
        let payload = number.to_string();
        let mut client = Driver::new(&mut broker, version, "publisher");
        client.run(Driver::connected);
        client.steps = 0;
        client.cut = Some(cut);
        let publish = Publish::new("out", payload.as_bytes()).qos(qos);
        let identifier = client.session.publish(&publish).expect("room");
        client.run(|driver| driver.done == identifier);
        reached += client.cut.is_none() as usize;
        client.leave();
    }
    assert!(
        reached >= if qos == Qos::ExactlyOnce { 8 } else { 4 },
        "{reached}"
    );
    let mut listener = Driver {
        session,
        ..Driver::new(&mut broker, version, "listener")
    };
    let last = (cuts().count() - 1).to_string();
    listener.run(|driver| count(&driver.events, &last) > 0);
    for number in 0..cuts().count() {
        let payload = number.to_string();
        check(
            qos,
            count(&listener.events, &payload),
            &(number, &listener.events),
        );
    }
}

/// A message from the broker, the connection cut at each step of its handshake.
fn incoming(version: Version, qos: Qos) {
    let mut broker = Mosquitto::start();
    let mut client = Driver::new(&mut broker, version, "client");
    client.subscribe("in");
    client.leave();
    let Driver {
        mut session,
        mut events,
        ..
    } = client;
    let mut reached = 0;
    for (number, cut) in cuts().enumerate() {
        let payload = number.to_string();
        let mut publisher = Driver::new(&mut broker, version, "publisher");
        publisher.run(Driver::connected);
        let publish = Publish::new("in", payload.as_bytes()).qos(qos);
        let identifier = publisher.session.publish(&publish).expect("room");
        publisher.run(|driver| driver.done == identifier);
        publisher.leave();

        let mut client = Driver {
            session,
            events,
            ..Driver::new(&mut broker, version, "client")
        };
        client.cut = Some(cut);
        // Another message, behind which nothing of this one can come.
        client.run(|driver| count(&driver.events, &payload) > 0 && driver.session.is_idle());
        client.run(Driver::connected);
        let end = format!("end of {payload}");
        let publish = Publish::new("in", end.as_bytes()).qos(Qos::ExactlyOnce);
        client.session.publish(&publish).expect("room");
        client.run(|driver| count(&driver.events, &end) > 0 && driver.session.is_idle());
        reached += client.cut.is_none() as usize;
        client.leave();
        Driver {
            session,
            events,
            ..
        } = client;
    }
    assert!(reached >= 8, "{reached}");
    for number in 0..cuts().count() {
        let payload = number.to_string();
        check(qos, count(&events, &payload), &(number, &events));
    }
    assert_eq!(count(&events, "connected false"), 1, "{events:?}");
}

#[test]
fn qos_1_of_mqtt_3_1_1_survives_restarts_on_its_way_out() {
    outgoing(Version::V3_1_1, Qos::AtLeastOnce);
}

#[test]
fn qos_2_of_mqtt_3_1_1_survives_restarts_on_its_way_out() {
    outgoing(Version::V3_1_1, Qos::ExactlyOnce);
}

#[test]
fn qos_1_of_mqtt_5_survives_restarts_on_its_way_out() {
    outgoing(Version::V5, Qos::AtLeastOnce);
}

#[test]
fn qos_2_of_mqtt_5_survives_restarts_on_its_way_out() {
    outgoing(Version::V5, Qos::ExactlyOnce);
}

#[test]
fn qos_1_of_mqtt_3_1_1_survives_restarts_on_its_way_in() {
    incoming(Version::V3_1_1, Qos::AtLeastOnce);
}

#[test]
fn qos_2_of_mqtt_3_1_1_survives_restarts_on_its_way_in() {
    incoming(Version::V3_1_1, Qos::ExactlyOnce);
}

#[test]
fn qos_1_of_mqtt_5_survives_restarts_on_its_way_in() {
    incoming(Version::V5, Qos::AtLeastOnce);
}

#[test]
fn qos_2_of_mqtt_5_survives_restarts_on_its_way_in() {
    incoming(Version::V5, Qos::ExactlyOnce);
}
