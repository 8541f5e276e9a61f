//! The connection is cut, or the broker restarts, in the middle of each handshake: nothing acknowledged is lost,
//! nothing of QoS 2 comes twice.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use embedded_io::{Read, Write};
use umqtt::std::{Clock, TcpTransport};
use umqtt::{
    Clock as _, Connect, Error, Event, PacketIdentifier, Publish, Qos, ReasonCode, Session,
    Subscription,
};

use crate::World;
use crate::peer::{Failed, Outcome, expect};

/// How long all connections of one message may take, not counting what the broker takes to restart.
const LIMIT: Duration = Duration::from_secs(10);

pub fn a_message_of_qos_1_survives_a_cut_at_every_step_of_its_way_out(
    world: &mut World<'_>,
) -> Outcome {
    outgoing(world, Qos::AtLeastOnce, Blow::Cut)
}

pub fn a_message_of_qos_2_arrives_once_over_a_cut_at_every_step_of_its_way_out(
    world: &mut World<'_>,
) -> Outcome {
    outgoing(world, Qos::ExactlyOnce, Blow::Cut)
}

pub fn a_message_of_qos_1_survives_a_cut_at_every_step_of_its_way_in(
    world: &mut World<'_>,
) -> Outcome {
    incoming(world, Qos::AtLeastOnce, Blow::Cut)
}

pub fn a_message_of_qos_2_comes_once_over_a_cut_at_every_step_of_its_way_in(
    world: &mut World<'_>,
) -> Outcome {
    incoming(world, Qos::ExactlyOnce, Blow::Cut)
}

pub fn a_message_of_qos_1_survives_a_restart_of_the_broker_at_every_step_of_its_way_out(
    world: &mut World<'_>,
) -> Outcome {
    outgoing(world, Qos::AtLeastOnce, Blow::Restart)
}

pub fn a_message_of_qos_2_arrives_once_over_a_restart_at_every_step_of_its_way_out(
    world: &mut World<'_>,
) -> Outcome {
    outgoing(world, Qos::ExactlyOnce, Blow::Restart)
}

pub fn a_message_of_qos_1_survives_a_restart_of_the_broker_at_every_step_of_its_way_in(
    world: &mut World<'_>,
) -> Outcome {
    incoming(world, Qos::AtLeastOnce, Blow::Restart)
}

pub fn a_message_of_qos_2_comes_once_over_a_restart_at_every_step_of_its_way_in(
    world: &mut World<'_>,
) -> Outcome {
    incoming(world, Qos::ExactlyOnce, Blow::Restart)
}

/// What happens in the middle.
#[derive(Clone, Copy, PartialEq)]
enum Blow {
    /// The connection ends.
    Cut,
    /// The broker, too, and comes back.
    Restart,
}

/// Where it happens: before or after this many writes and reads of a connection.
#[derive(Clone, Copy, Debug)]
struct Cut {
    step: usize,
    /// What is written at that step is lost; else it arrives, and its answer is lost.
    loses_write: bool,
}

/// Each step of a handshake; or, where that would take minutes, one in its middle.
fn cuts(world: &World<'_>, steps: usize, blow: Blow) -> Vec<Cut> {
    let at = |step| [true, false].map(|loses_write| Cut { step, loses_write });
    match blow == Blow::Restart && world.restarts_slowly {
        true => vec![at(steps - 2)[1]],
        false => (0..steps).flat_map(at).collect(),
    }
}

/// What a client keeps between its connections.
struct Kept {
    session: Session<'static>,
    /// The broker has a session, too.
    is_known: bool,
    /// The messages that came.
    events: Vec<String>,
}

impl Kept {
    fn new() -> Self {
        let buffer = || Box::leak(vec![0; 512].into_boxed_slice());
        Kept {
            session: Session::new(buffer(), buffer()),
            is_known: false,
            events: Vec::new(),
        }
    }

    /// How often a message came.
    fn count(&self, payload: &str) -> usize {
        self.events.iter().filter(|event| *event == payload).count()
    }
}

/// A client that moves its bytes itself.
struct Driver<'w, 's> {
    kept: Kept,
    world: &'w mut World<'s>,
    name: String,
    blow: Blow,
    transport: Option<TcpTransport>,
    clock: Clock,
    deadline: Instant,
    /// Writes and reads since the cut was set.
    steps: usize,
    cut: Option<Cut>,
    answered: Option<PacketIdentifier>,
}

impl<'w, 's> Driver<'w, 's> {
    fn new(world: &'w mut World<'s>, name: &str, kept: Kept, blow: Blow) -> Self {
        Driver {
            kept,
            name: world.name(name),
            world,
            blow,
            transport: None,
            clock: Clock::new(),
            deadline: Instant::now(),
            steps: 0,
            cut: None,
            answered: None,
        }
    }

    /// Goes on until `is_done`, over as many connections as it takes.
    fn run(&mut self, is_done: impl Fn(&Self) -> bool) -> Outcome {
        self.deadline = Instant::now() + LIMIT;
        while !is_done(self) {
            if Instant::now() > self.deadline {
                let events = &self.kept.events;
                return Err(Failed(format!(
                    "nothing comes for {LIMIT:?} after {events:?}"
                )));
            }
            if self.transport.is_none() {
                let connect = Connect {
                    clean_session: false,
                    ..self.world.as_client(&self.name)
                };
                self.kept.session.connect(&connect, self.clock.now())?;
                self.transport = Some(self.world.transport()?);
            }
            if self.step()?.is_none() {
                self.kept.session.closed();
                self.transport = None;
            }
        }
        Ok(())
    }

    /// `None` when the connection is gone.
    fn step(&mut self) -> Outcome<Option<()>> {
        let Kept {
            session,
            is_known,
            events,
        } = &mut self.kept;
        let event = match session.poll(self.clock.now()) {
            // The connection before is still being cleared away: a client tries again.
            Err(Error::Refused(ReasonCode::SERVER_UNAVAILABLE)) => return Ok(None),
            event => event?,
        };
        match event {
            Some(Event::Connected {
                session_present, ..
            }) => {
                let is_lost = *is_known && !session_present;
                expect("the broker has forgotten the session", is_lost, false)?;
                *is_known = true;
            }
            Some(Event::Message(message)) => {
                events.push(String::from_utf8_lossy(message.payload).into_owned());
            }
            Some(Event::Published(identifier, answer)) => {
                expect("refused", answer.reason.is_error(), false)?;
                self.answered = Some(identifier);
            }
            Some(Event::Subscribed(identifier, codes)) => {
                expect("the QoS is granted", codes.all_granted(), true)?;
                self.answered = Some(identifier);
            }
            Some(_) => {}
            None => return Ok(self.transfer()),
        }
        Ok(Some(()))
    }

    fn transfer(&mut self) -> Option<()> {
        let session = &mut self.kept.session;
        let writes = !session.transmit().is_empty();
        let cut = self.cut.filter(|cut| cut.step == self.steps);
        if cut.is_some_and(|cut| cut.loses_write || !writes) {
            return self.strike();
        }
        let transport = self.transport.as_mut()?;
        if writes {
            transport.write_all(session.transmit()).ok()?;
            let count = session.transmit().len();
            session.transmitted(count, self.clock.now());
            self.steps += 1;
        } else {
            match transport.read(session.receive_buffer()) {
                Ok(0) => return None,
                Ok(count) => {
                    session.received(count, self.clock.now());
                    self.steps += 1;
                }
                Err(error) if error.kind() == ErrorKind::TimedOut => {}
                Err(_) => return None,
            }
        }
        match cut {
            Some(_) => self.strike(),
            None => Some(()),
        }
    }

    fn strike(&mut self) -> Option<()> {
        self.cut = None;
        self.transport = None;
        if self.blow == Blow::Restart {
            let started = Instant::now();
            self.world.server.restart();
            self.deadline += started.elapsed();
        }
        None
    }

    fn is_connected(&self) -> bool {
        self.kept.session.is_connected()
    }

    /// Subscribes to `topic`, and waits for the answer.
    fn subscribe(&mut self, topic: &str, qos: Qos) -> Outcome {
        self.run(Self::is_connected)?;
        let subscription = Subscription::new(topic, qos);
        let identifier = self.kept.session.subscribe(&[subscription])?;
        self.run(|driver| driver.answered == Some(identifier))
    }

    /// Publishes, and waits for the answer.
    fn publish(&mut self, topic: &str, payload: &str, qos: Qos) -> Outcome {
        self.run(Self::is_connected)?;
        let publish = Publish::new(topic, payload.as_bytes()).qos(qos);
        let identifier = self.kept.session.publish(&publish)?;
        self.run(|driver| driver.answered == identifier)
    }

    fn leave(mut self) -> Outcome<Kept> {
        self.cut = None;
        self.run(Self::is_connected)?;
        self.kept.session.disconnect()?;
        self.run(|driver| driver.kept.session.is_closed())?;
        Ok(self.kept)
    }
}

/// Whether a message came as often as its QoS says.
fn judge(qos: Qos, kept: &Kept, number: usize, cut: Cut) -> Outcome {
    let (count, events) = (kept.count(&number.to_string()), &kept.events);
    match (qos, count) {
        (_, 0) => Err(Failed(format!("a message is lost: {cut:?}, {events:?}"))),
        (Qos::ExactlyOnce, 2..) => Err(Failed(format!(
            "a message comes twice: {cut:?}, {events:?}"
        ))),
        _ => Ok(()),
    }
}

/// A message to the broker: PUBLISH and PUBACK, or PUBLISH, PUBREC, PUBREL and PUBCOMP.
fn outgoing(world: &mut World<'_>, qos: Qos, blow: Blow) -> Outcome {
    let topic = world.topic("out");
    let mut listener = Driver::new(world, "listener", Kept::new(), blow);
    listener.subscribe(&topic, qos)?;
    let mut listening = listener.leave()?;
    let cuts = cuts(world, if qos == Qos::ExactlyOnce { 4 } else { 2 }, blow);
    // A broker may not care for the session of a client that has no subscription.
    let mut publisher = Driver::new(world, "publisher", Kept::new(), blow);
    let other = publisher.world.topic("other");
    publisher.subscribe(&other, qos)?;
    let mut publishing = publisher.leave()?;
    for (number, cut) in cuts.iter().copied().enumerate() {
        let mut client = Driver::new(world, "publisher", publishing, blow);
        client.run(Driver::is_connected)?;
        client.steps = 0;
        client.cut = Some(cut);
        client.publish(&topic, &number.to_string(), qos)?;
        expect("the cut is still to come", client.cut.is_some(), false)?;
        publishing = client.leave()?;
    }
    let mut client = Driver::new(world, "publisher", publishing, blow);
    client.publish(&topic, "end", qos)?;
    client.leave()?;
    let mut listener = Driver::new(world, "listener", listening, blow);
    listener.run(|driver| driver.kept.count("end") > 0)?;
    listening = listener.leave()?;
    for (number, cut) in cuts.into_iter().enumerate() {
        judge(qos, &listening, number, cut)?;
    }
    Ok(())
}

/// A message from the broker: CONNECT and CONNACK, and then its handshake.
fn incoming(world: &mut World<'_>, qos: Qos, blow: Blow) -> Outcome {
    let topic = world.topic("in");
    let mut client = Driver::new(world, "client", Kept::new(), blow);
    client.subscribe(&topic, qos)?;
    let mut kept = client.leave()?;
    let cuts = cuts(world, if qos == Qos::ExactlyOnce { 6 } else { 4 }, blow);
    for (number, cut) in cuts.iter().copied().enumerate() {
        let payload = number.to_string();
        let mut publisher = Driver::new(world, "publisher", Kept::new(), blow);
        publisher.publish(&topic, &payload, qos)?;
        publisher.leave()?;

        let mut client = Driver::new(world, "client", kept, blow);
        client.cut = Some(cut);
        client.run(|driver| driver.kept.count(&payload) > 0 && driver.kept.session.is_idle())?;
        // Another message, behind which nothing of this one can come.
        let end = format!("end of {payload}");
        client.publish(&topic, &end, qos)?;
        client.run(|driver| driver.kept.count(&end) > 0 && driver.kept.session.is_idle())?;
        kept = client.leave()?;
    }
    for (number, cut) in cuts.into_iter().enumerate() {
        judge(qos, &kept, number, cut)?;
    }
    Ok(())
}
