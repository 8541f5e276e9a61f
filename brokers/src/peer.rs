//! A client of a scenario, and what is said of a broker that does otherwise than it should.

use std::collections::VecDeque;
use std::error::Error;
use std::fmt;
use std::io;
use std::thread;
use std::time::{Duration, Instant};

use umqtt::blocking::Client;
use umqtt::std::{Clock, TcpTransport};
use umqtt::{
    ClientError, Clock as _, Connect, Event, Message, Properties, Property, Publish, Qos,
    ReasonCode, Subscription,
};

use crate::World;

/// How long a broker may take for anything.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// What went otherwise than it should.
#[derive(Debug)]
pub struct Failed(pub String);

/// What comes of a scenario, or of a part of it.
pub type Outcome<T = ()> = Result<T, Failed>;

impl<E: Error> From<E> for Failed {
    fn from(error: E) -> Self {
        Failed(error.to_string())
    }
}

/// Fails unless both are the same; `what` they are is said then.
pub fn expect<T: PartialEq<U> + fmt::Debug, U: fmt::Debug>(
    what: &str,
    seen: T,
    wanted: U,
) -> Outcome {
    match seen == wanted {
        true => Ok(()),
        false => Err(Failed(format!("{what}: {seen:?}, not {wanted:?}"))),
    }
}

/// A message as it came.
#[derive(Clone, Debug, PartialEq)]
pub struct Heard {
    pub topic: String,
    pub payload: Vec<u8>,
    pub qos: Qos,
    pub retain: bool,
    pub dup: bool,
    /// Each as Rust shows it.
    pub properties: Vec<String>,
}

impl Heard {
    /// The payload, for people.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.payload).into_owned()
    }
}

/// A client, with a buffer for what it has heard.
pub struct Peer {
    client: Client<'static, TcpTransport, Clock>,
    clock: Clock,
    heard: VecDeque<Heard>,
    /// What CONNACK said of a session, and its properties.
    pub session_present: bool,
    pub connack: Vec<String>,
}

impl World<'_> {
    /// A name that no other scenario has.
    pub fn name(&self, word: &str) -> String {
        format!("{}{word}", self.prefix)
    }

    /// What this broker grants, from the lowest.
    pub fn every_qos(&self) -> impl Iterator<Item = Qos> + use<> {
        let highest = self.highest;
        let every = [Qos::AtMostOnce, Qos::AtLeastOnce, Qos::ExactlyOnce];
        every.into_iter().filter(move |qos| *qos <= highest)
    }

    /// A topic that no other scenario has.
    pub fn topic(&self, word: &str) -> String {
        format!("{}/{word}", self.prefix)
    }

    /// What a client of this name connects with, unless it says otherwise.
    pub fn as_client<'a>(&self, name: &'a str) -> Connect<'a> {
        Connect {
            version: self.version,
            connack_timeout: PATIENCE.as_millis() as u32,
            ..Connect::new(name)
        }
    }

    /// A client of this name, connected.
    pub fn client(&self, word: &str) -> Outcome<Peer> {
        let name = self.name(word);
        self.connect(&self.as_client(&name))
    }

    /// A client, connected.
    pub fn connect(&self, connect: &Connect<'_>) -> Outcome<Peer> {
        let mut peer = Peer::new();
        peer.connect(self, connect)?;
        Ok(peer)
    }

    /// A transport to the broker.
    pub fn transport(&self) -> io::Result<TcpTransport> {
        self.server.transport()
    }
}

impl Peer {
    /// One that is not connected.
    pub fn new() -> Self {
        // As many as there are scenarios; they end with the program.
        let buffer = || Box::leak(vec![0; 4096].into_boxed_slice());
        let clock = Clock::new();
        Peer {
            client: Client::new(buffer(), buffer(), clock),
            clock,
            heard: VecDeque::new(),
            session_present: false,
            connack: Vec::new(),
        }
    }

    /// Connects, and drops the connection before. A broker that is still clearing that away may close
    /// the new one before it answers: then it is tried again, as clients do.
    pub fn connect(&mut self, world: &World<'_>, connect: &Connect<'_>) -> Outcome {
        let limit = Instant::now() + PATIENCE;
        loop {
            self.client.begin(world.transport()?, connect)?;
            match self.client.receive() {
                Ok(Event::Connected {
                    session_present,
                    properties,
                }) => {
                    self.session_present = session_present;
                    self.connack = shown(properties);
                    return Ok(());
                }
                Ok(other) => return Err(Failed(format!("instead of CONNACK: {other:?}"))),
                Err(ClientError::Closed | ClientError::Transport(_)) if Instant::now() < limit => {
                    thread::sleep(Duration::from_millis(100));
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Subscribes; what the broker grants must be what was asked for.
    pub fn subscribe(&mut self, filter: &str, qos: Qos) -> Outcome {
        self.subscribe_with(Subscription::new(filter, qos), &[])
    }

    /// The same, with all that MQTT 5 has more.
    pub fn subscribe_with(
        &mut self,
        subscription: Subscription<'_>,
        properties: &[Property<'_>],
    ) -> Outcome {
        let session = self.client.session_mut();
        let identifier = session.subscribe_with(&[subscription], properties)?;
        let granted = self.answer(|event| match event {
            Event::Subscribed(answered, codes) if *answered == identifier => codes.iter().next(),
            _ => None,
        })?;
        let wanted = ReasonCode(subscription.qos as u8);
        expect("the granted QoS", granted, wanted)
    }

    /// Unsubscribes; returns what the broker says to it.
    pub fn unsubscribe(&mut self, filter: &str) -> Outcome<Option<ReasonCode>> {
        let identifier = self.client.unsubscribe(&[filter])?;
        self.answer(|event| match event {
            Event::Unsubscribed(answered, codes) if *answered == identifier => {
                Some(codes.iter().next())
            }
            _ => None,
        })
    }

    /// Publishes, and waits until the broker has it.
    pub fn publish(&mut self, message: &Publish<'_>) -> Outcome {
        let Some(identifier) = self.client.publish(message)? else {
            return Ok(());
        };
        let reason = self.answer(|event| match event {
            Event::Published(answered, answer) if *answered == identifier => Some(answer.reason),
            _ => None,
        })?;
        match reason.is_error() {
            true => Err(Failed(format!("a message is refused: {reason}"))),
            false => Ok(()),
        }
    }

    /// Pings, and waits for the answer.
    pub fn ping(&mut self) -> Outcome {
        self.client.ping()?;
        self.answer(|event| matches!(event, Event::Pong).then_some(()))
    }

    /// The next message.
    #[allow(clippy::should_implement_trait, reason = "it waits, and can fail")]
    pub fn next(&mut self) -> Outcome<Heard> {
        let deadline = self.after(PATIENCE);
        while self.heard.is_empty() {
            if !self.listen(deadline)? {
                return Err(Failed("no message comes".into()));
            }
        }
        Ok(self.heard.pop_front().expect("it is not empty"))
    }

    /// The payloads of the messages up to the one that says `end`.
    pub fn until(&mut self, end: &str) -> Outcome<Vec<String>> {
        let mut payloads = Vec::new();
        loop {
            let heard = self.next();
            let text = heard.map_err(|why| Failed(format!("after {payloads:?}: {}", why.0)))?;
            match text.text() {
                text if text == end => return Ok(payloads),
                text => payloads.push(text),
            }
        }
    }

    /// What ends the connection, seen by this side.
    pub fn end(&mut self) -> Outcome<ClientError<io::Error>> {
        let deadline = self.after(PATIENCE);
        loop {
            match self.client.receive_until(deadline) {
                Err(end) => return Ok(end),
                Ok(None) => return Err(Failed("the connection stays".into())),
                Ok(Some(_)) => {}
            }
        }
    }

    /// Takes what comes for a while, answering as a client does.
    pub fn idle(&mut self, time: Duration) -> Outcome {
        let deadline = self.after(time);
        while self.listen(deadline)? {}
        Ok(())
    }

    /// DISCONNECT.
    pub fn leave(&mut self) -> Outcome {
        Ok(self.client.disconnect()?)
    }

    /// DISCONNECT, with a reason and properties.
    pub fn leave_with(&mut self, reason: ReasonCode, properties: &[Property<'_>]) -> Outcome {
        Ok(self.client.disconnect_with(reason, properties)?)
    }

    /// The driver, for what is not here.
    pub fn driver(&mut self) -> &mut Client<'static, TcpTransport, Clock> {
        &mut self.client
    }

    /// So long from now, by the client's clock.
    fn after(&self, time: Duration) -> umqtt::Instant {
        self.clock.now().after(time.as_millis() as u64)
    }

    /// Whether something came before the deadline; a message is kept.
    fn listen(&mut self, deadline: umqtt::Instant) -> Outcome<bool> {
        match self.client.receive_until(deadline)? {
            Some(Event::Message(message)) => {
                self.heard.push_back(heard(&message));
                Ok(true)
            }
            Some(_) => Ok(true),
            None => Ok(false),
        }
    }

    /// Waits for an event of which `answer` makes something.
    fn answer<T>(&mut self, mut answer: impl FnMut(&Event<'_>) -> Option<T>) -> Outcome<T> {
        let deadline = self.after(PATIENCE);
        loop {
            let Some(event) = self.client.receive_until(deadline)? else {
                return Err(Failed("no answer comes".into()));
            };
            if let Event::Message(message) = &event {
                self.heard.push_back(heard(message));
            }
            if let Some(answer) = answer(&event) {
                return Ok(answer);
            }
        }
    }
}

fn heard(message: &Message<'_>) -> Heard {
    Heard {
        topic: message.topic.as_str().to_owned(),
        payload: message.payload.to_owned(),
        qos: message.qos,
        retain: message.retain,
        dup: message.dup,
        properties: shown(message.properties),
    }
}

/// Properties, each as Rust shows it.
pub fn shown(properties: Properties<'_>) -> Vec<String> {
    let shown = |property| format!("{property:?}");
    properties.iter().map(shown).collect()
}
