//! Listening with a client that is not ours: `mosquitto_sub`.

use std::collections::VecDeque;
use std::fmt;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use crate::broker::Mosquitto;
use crate::process::{Line, Process};
use crate::publisher::{Publish, client};

/// Where an observer finds out that it is subscribed. No wildcard of anybody matches it (MQTT 3.1.1, section 4.7.2).
const PROBE: &str = "$observer/probe";
/// How long a subscription may take.
const SUBSCRIBES_WITHIN: Duration = Duration::from_secs(10);

/// A message as the broker passed it on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// When it arrived here.
    pub at: Instant,
    /// The topic it was published to.
    pub topic: String,
    /// The payload, byte for byte.
    pub payload: Vec<u8>,
    /// The quality of service its publisher chose.
    pub qos: u8,
    /// Whether it was published as retained (live as well as from the broker's store).
    pub retained: bool,
}

impl Message {
    /// The payload as text; bytes that are not UTF-8 are replaced, which no expected text contains.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.payload).into_owned()
    }

    /// The payload as JSON, or a failure that shows it.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.payload)
            .unwrap_or_else(|error| panic!("{self} is not JSON: {error}"))
    }

    fn parse(line: &str) -> Option<Self> {
        let mut parts = line.splitn(4, '|');
        let retained = parts.next()? == "1";
        let qos = parts.next()?.parse().ok()?;
        let payload = unhex(parts.next()?)?;
        Some(Self {
            at: Instant::now(),
            topic: parts.next()?.to_owned(),
            payload,
            qos,
            retained,
        })
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text: String = self.text().chars().take(300).collect();
        let retained = if self.retained { ", retained" } else { "" };
        write!(f, "`{}` {text:?} (QoS {}{retained})", self.topic, self.qos)
    }
}

/// Somebody else's client, subscribed to some topics.
///
/// Messages wait, in order, until they are asked for, topic by topic: what arrives on one topic does not
/// disturb who waits on another. Dropped by a failing test, it prints everything it heard.
#[derive(Debug)]
pub struct Observer {
    incoming: Receiver<Message>,
    waiting: VecDeque<Message>,
    heard: Vec<Message>,
    started: Instant,
    process: Process,
}

impl Observer {
    /// Subscribes to `filters` at QoS 2, and returns when the broker has the subscription: what is
    /// published after this call is heard, and the retained messages are here already.
    pub fn new(broker: &Mosquitto, filters: &[&str]) -> Self {
        // Retained messages come in the order of the filters of the one SUBSCRIBE packet, the probe last.
        Publish::new(PROBE, "subscribed")
            .qos(1)
            .retained()
            .to(broker);
        let mut command = client("mosquitto_sub", broker);
        // Only MQTT 5 can say of a live message that it was published as retained.
        command.args(["-V", "5", "--retain-as-published", "-q", "2"]);
        command.args(["-F", "%r|%q|%x|%t"]);
        for filter in filters {
            command.args(["-t", filter]);
        }
        command.args(["-t", PROBE]);
        let (sender, incoming) = mpsc::channel();
        let process = Process::spawn_reading("mosquitto_sub", command, move |line| {
            match Message::parse(line) {
                // A send fails only when the observer is being dropped.
                Some(message) => {
                    let _ = sender.send(message);
                    Line::Taken
                }
                None => Line::Log,
            }
        });
        let mut observer = Self {
            incoming,
            waiting: VecDeque::new(),
            heard: Vec::new(),
            started: Instant::now(),
            process,
        };
        observer.expect(PROBE, SUBSCRIBES_WITHIN, "its own probe", |_| true);
        observer
    }

    /// The first message on `topic` for which `wanted` holds. Those before it on the same topic are passed over.
    ///
    /// # Panics
    ///
    /// When none has come `within` that time: with `what` was awaited and all that came instead.
    pub fn expect(
        &mut self,
        topic: &str,
        within: Duration,
        what: &str,
        wanted: impl Fn(&Message) -> bool,
    ) -> Message {
        self.find(topic, within, wanted)
            .unwrap_or_else(|passed_over| {
                panic!(
                    "expected {what} on `{topic}` within {within:?}; {}",
                    if passed_over.is_empty() {
                        "nothing came there".to_owned()
                    } else {
                        format!("there came only {}", passed_over.join(", "))
                    }
                )
            })
    }

    /// As [`Observer::expect`], for those who know what to do when it does not come.
    ///
    /// # Errors
    ///
    /// All that came on `topic` instead.
    pub fn find(
        &mut self,
        topic: &str,
        within: Duration,
        wanted: impl Fn(&Message) -> bool,
    ) -> Result<Message, Vec<String>> {
        let deadline = Instant::now() + within;
        let mut passed_over = Vec::new();
        while let Some(message) = self.next_before(topic, deadline) {
            if wanted(&message) {
                return Ok(message);
            }
            passed_over.push(message.to_string());
        }
        Err(passed_over)
    }

    /// The first message on `topic` with exactly this text. Those before it on the same topic are passed over.
    pub fn expect_text(&mut self, topic: &str, within: Duration, text: &str) -> Message {
        self.expect(topic, within, &format!("{text:?}"), |message| {
            message.payload == text.as_bytes()
        })
    }

    /// The next message on `topic`, whatever it is.
    pub fn next(&mut self, topic: &str, within: Duration) -> Message {
        self.expect(topic, within, "a message", |_| true)
    }

    /// Watches `topic` for the whole time `during`, and fails when a message comes for which `unwanted` holds.
    pub fn expect_none(
        &mut self,
        topic: &str,
        during: Duration,
        what: &str,
        unwanted: impl Fn(&Message) -> bool,
    ) {
        let deadline = Instant::now() + during;
        while let Some(message) = self.next_before(topic, deadline) {
            assert!(!unwanted(&message), "expected no {what}, but got {message}");
        }
    }

    /// Everything that has come and that nobody asked for, on all topics.
    pub fn drain(&mut self) -> Vec<Message> {
        while let Ok(message) = self.incoming.try_recv() {
            self.keep(message);
        }
        self.waiting.drain(..).collect()
    }

    /// The oldest unread message on `topic`; waits for one until `deadline`.
    fn next_before(&mut self, topic: &str, deadline: Instant) -> Option<Message> {
        loop {
            if let Some(index) = self.waiting.iter().position(|m| m.topic == topic) {
                return self.waiting.remove(index);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            let message = self.incoming.recv_timeout(left).ok()?;
            self.keep(message);
        }
    }

    fn keep(&mut self, message: Message) {
        self.heard.push(message.clone());
        self.waiting.push_back(message);
    }
}

impl Drop for Observer {
    fn drop(&mut self) {
        self.process.kill();
        if thread::panicking() {
            self.drain();
            eprintln!("---- the observer heard (seconds since it subscribed):");
            for message in &self.heard {
                let at = message.at.saturating_duration_since(self.started);
                eprintln!("{:8.3}  {message}", at.as_secs_f64());
            }
        }
    }
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    let nibble = |digit: u8| char::from(digit).to_digit(16);
    digits
        .chunks_exact(2)
        .map(|pair| u8::try_from(nibble(pair[0])? * 16 + nibble(pair[1])?).ok())
        .collect()
}
