//! The 37 recorded situations of MicroPython's `umqtt.simple`, and more in which it is wrong,
//! through `umqtt::simple`: same calls, same bytes, same outcome, same delivery.
//!
//! `fixtures/umqtt_wire.jsonl` is what the original did. `fixtures/umqtt_better.jsonl` is what
//! ours does where the original fails; its `original` tells how.

mod common;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt::Write as _;
use std::iter::Peekable;
use std::rc::Rc;
use std::str::Chars;

use common::VirtualClock;
use common::broker::Broker;
use common::wire::{SMOOTH, Wire};
use embedded_io::{ErrorKind, ErrorType, ReadReady};
use serde_json::Value;
use umqtt::simple::MqttClient;
use umqtt::{ClientError, Error, Qos, ReasonCode};

#[test]
fn the_original_s_37_situations_go_the_same_way() {
    let cases = cases(include_str!("fixtures/umqtt_wire.jsonl"));
    assert_eq!(cases.len(), 37);
    for case in &cases {
        check(case);
    }
}

#[test]
fn where_the_original_is_wrong_ours_is_right() {
    let cases = cases(include_str!("fixtures/umqtt_better.jsonl"));
    assert!(cases.len() >= 20);
    for case in &cases {
        assert!(case["original"].is_string(), "{case}");
        check(case);
    }
}

/// The original's identifier overflows here.
#[test]
fn more_than_65535_messages_of_qos_1_find_identifiers() {
    let (broker, clock, counts) = (
        Rc::<RefCell<Broker>>::default(),
        VirtualClock::default(),
        Rc::default(),
    );
    let open = || Ok(Wire::new(&broker, &clock, SMOOTH, &counts));
    let (mut receive, mut send) = ([0; 32], [0; 32]);
    let mut c = MqttClient::new("a", open, clock.clone(), &mut receive, &mut send);
    c.connect(true).unwrap();
    for _ in 0..65_540 {
        c.publish("t", b"p", false, Qos::AtLeastOnce).unwrap();
        // Only the last packets are of interest.
        let mut broker = broker.borrow_mut();
        broker.bytes.clear();
        let surplus = broker.packets.len().saturating_sub(8);
        broker.packets.drain(..surplus);
    }
    let identifiers: Vec<u16> = broker
        .borrow()
        .packets
        .iter()
        .map(|packet| match packet {
            mqttbytes::v4::Packet::Publish(publish) => publish.pkid,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(identifiers, [65_533, 65_534, 65_535, 1, 2, 3, 4, 5]);
    assert_eq!(broker.borrow().published.len(), 65_540);
}

fn cases(lines: &str) -> Vec<Value> {
    let parse = |line| serde_json::from_str(line).expect("a case");
    lines.lines().map(parse).collect()
}

#[track_caller]
fn check(case: &Value) {
    let text = |key: &str| case[key].as_str().expect(key);
    let turns = case["broker_sends"].as_array().expect("broker_sends");
    let turns = turns
        .iter()
        .map(|turn| unhex(turn.as_str().unwrap()))
        .collect();
    let run = run(text("calls"), turns);
    assert_eq!(hex(&run.sent), text("client_sends"), "{}", text("case"));
    assert_eq!(run.outcome, text("outcome"), "{}", text("case"));
    assert_eq!(run.delivered, text("delivered"), "{}", text("case"));
}

/// What came of the calls of one case.
struct Run {
    sent: Vec<u8>,
    outcome: String,
    delivered: String,
}

fn run(calls: &str, turns: VecDeque<Vec<u8>>) -> Run {
    let peer = Rc::new(RefCell::new(Peer {
        turns,
        ..Peer::default()
    }));
    let calls = parse(calls);
    let delivered = RefCell::new(Vec::new());
    let mut callback = |topic: &str, message: &[u8]| {
        let message = String::from_utf8_lossy(message).into_owned();
        delivered
            .borrow_mut()
            .push(format!("(b'{topic}', b'{message}')"));
    };
    let (mut receive, mut send) = (vec![0; 512], vec![0; 20_000]);

    let [constructor, calls @ ..] = &calls[..] else {
        panic!("no calls");
    };
    assert_eq!(constructor.verb, "C");
    let open = || Ok(Scripted(peer.clone()));
    let clock = VirtualClock::default();
    let client_id = constructor.text(0, "client_id");
    let mut c = MqttClient::new(client_id, open, clock, &mut receive, &mut send);
    if let Some(Python::Text(user)) = constructor.argument(usize::MAX, "user") {
        c = c.user(user, constructor.text(usize::MAX, "password"));
    }
    c = c.keepalive(constructor.number(usize::MAX, "keepalive") as u16);
    c.set_callback(&mut callback);

    let mut outcome = Ok("None".to_owned());
    for call in calls {
        let none = |()| "None".to_owned();
        outcome = match call.verb.as_str() {
            "set_last_will" => {
                c.set_last_will(
                    call.text(0, "topic"),
                    call.text(1, "msg").as_bytes(),
                    call.flag("retain", false),
                    call.qos(3),
                );
                Ok("None".to_owned())
            }
            "connect" => c
                .connect(call.flag("clean_session", true))
                .map(|present| (present as u8).to_string()),
            "publish" => {
                let message = call.text(1, "msg").as_bytes();
                let retain = call.flag("retain", false);
                c.publish(call.text(0, "topic"), message, retain, call.qos(3))
                    .map(none)
            }
            "subscribe" => c.subscribe(call.text(0, "topic"), call.qos(1)).map(none),
            "wait_msg" => c.wait_msg().map(none),
            "check_msg" => c.check_msg().map(none),
            "ping" => c.ping().map(none),
            "disconnect" => c.disconnect().map(none),
            verb => panic!("no verb {verb}"),
        };
        if outcome.is_err() && !call.fails {
            break;
        }
    }
    let outcome = match outcome {
        Ok(value) => format!("RET {value}"),
        Err(ClientError::Session(Error::Refused(code))) => {
            let names = [
                ReasonCode::UNSUPPORTED_PROTOCOL_VERSION,
                ReasonCode::CLIENT_IDENTIFIER_NOT_VALID,
                ReasonCode::SERVER_UNAVAILABLE,
                ReasonCode::BAD_USER_NAME_OR_PASSWORD,
                ReasonCode::NOT_AUTHORIZED,
            ];
            let number = names.iter().position(|&name| name == code);
            format!("EXC MQTTException({},)", 1 + number.expect("one of five"))
        }
        Err(ClientError::Refused(_)) => "EXC MQTTException(128,)".to_owned(),
        Err(error) => format!("ERR {error:?}"),
    };
    drop(c);
    let sent = peer.borrow().sent.clone();
    Run {
        sent,
        outcome,
        delivered: format!("[{}]", delivered.into_inner().join(", ")),
    }
}

/// Sends the next of its turns whenever the client reads after it has written.
#[derive(Default)]
struct Peer {
    turns: VecDeque<Vec<u8>>,
    sent: Vec<u8>,
    written: bool,
    readable: VecDeque<u8>,
}

impl Peer {
    fn listen(&mut self) {
        if self.written && self.readable.is_empty() {
            self.written = false;
            self.readable
                .extend(self.turns.pop_front().unwrap_or_default());
        }
    }
}

struct Scripted(Rc<RefCell<Peer>>);

impl ErrorType for Scripted {
    type Error = ErrorKind;
}

impl embedded_io::Read for Scripted {
    /// The end of the stream where the peer has no more to say.
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ErrorKind> {
        let peer = &mut *self.0.borrow_mut();
        peer.listen();
        let count = buffer.len().min(peer.readable.len());
        for (to, from) in buffer.iter_mut().zip(peer.readable.drain(..count)) {
            *to = from;
        }
        Ok(count)
    }
}

impl embedded_io::Write for Scripted {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        let peer = &mut *self.0.borrow_mut();
        peer.sent.extend(bytes);
        peer.written = true;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<(), ErrorKind> {
        Ok(())
    }
}

impl ReadReady for Scripted {
    fn read_ready(&mut self) -> Result<bool, ErrorKind> {
        let peer = &mut *self.0.borrow_mut();
        peer.listen();
        Ok(!peer.readable.is_empty())
    }
}

/// One call of a case: `c=C('a')`, `r=c.publish('t','x'*9,qos=1)`, `c.ping()`.
struct Call {
    verb: String,
    arguments: Vec<(Option<String>, Python)>,
    /// Written as `try:c.connect()`: the case goes on although this call fails.
    fails: bool,
}

enum Python {
    Text(String),
    Number(u32),
    Flag(bool),
}

impl Call {
    /// The argument at this place, or of this name.
    fn argument(&self, at: usize, name: &str) -> Option<&Python> {
        let positional = self.arguments.iter().filter(|(name, _)| name.is_none());
        let named = |given: &&(Option<String>, Python)| given.0.as_deref() == Some(name);
        positional
            .clone()
            .nth(at)
            .or_else(|| self.arguments.iter().find(named))
            .map(|(_, value)| value)
    }

    fn text(&self, at: usize, name: &str) -> &str {
        match self.argument(at, name) {
            Some(Python::Text(text)) => text,
            _ => panic!("{} wants the text {name}", self.verb),
        }
    }

    fn number(&self, at: usize, name: &str) -> u32 {
        match self.argument(at, name) {
            Some(Python::Number(number)) => *number,
            None => 0,
            _ => panic!("{} wants the number {name}", self.verb),
        }
    }

    fn flag(&self, name: &str, default: bool) -> bool {
        match self.argument(usize::MAX, name) {
            Some(Python::Flag(flag)) => *flag,
            None => default,
            _ => panic!("{} wants the flag {name}", self.verb),
        }
    }

    fn qos(&self, at: usize) -> Qos {
        Qos::from_bits(self.number(at, "qos") as u8).expect("a QoS")
    }
}

fn parse(calls: &str) -> Vec<Call> {
    calls
        .split(';')
        .map(|call| parse_call(call.trim()))
        .collect()
}

fn parse_call(text: &str) -> Call {
    let (fails, text) = match text.strip_prefix("try:") {
        Some(text) => (true, text),
        None => (false, text),
    };
    let (target, arguments) = text.split_once('(').expect("a call");
    let verb = target.rsplit(['=', '.']).next().expect("a verb").to_owned();
    let mut chars = arguments.chars().peekable();
    let mut arguments = Vec::new();
    while chars.next_if_eq(&')').is_none() {
        chars.next_if_eq(&',');
        let word = word(&mut chars);
        if chars.next_if_eq(&'=').is_some() {
            arguments.push((Some(word), value(&mut chars, String::new())));
        } else {
            arguments.push((None, value(&mut chars, word)));
        }
    }
    assert_eq!(chars.next(), None, "{text}");
    Call {
        verb,
        arguments,
        fails,
    }
}

fn word(chars: &mut Peekable<Chars>) -> String {
    let mut word = String::new();
    while let Some(char) = chars.next_if(|char| char.is_ascii_alphanumeric() || *char == '_') {
        word.push(char);
    }
    word
}

/// A value, of which `begun` was read already.
fn value(chars: &mut Peekable<Chars>, begun: String) -> Python {
    let begun = if begun.is_empty() { word(chars) } else { begun };
    match begun.as_str() {
        "True" => Python::Flag(true),
        "False" => Python::Flag(false),
        "" => {
            assert_eq!(chars.next(), Some('\''), "a text");
            let text: String = chars.by_ref().take_while(|char| *char != '\'').collect();
            match chars.next_if_eq(&'*') {
                Some(_) => Python::Text(text.repeat(word(chars).parse().expect("a count"))),
                None => Python::Text(text),
            }
        }
        number => Python::Number(number.parse().expect("a number")),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").unwrap();
        hex
    })
}

fn unhex(hex: &str) -> Vec<u8> {
    assert_eq!(hex.len() % 2, 0);
    (0..hex.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex"))
        .collect()
}
