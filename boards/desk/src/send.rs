//! `monster send`: one command to one device, and its answer.

use std::io;
use std::time::Duration;

use embedded_io_adapters::tokio_1::FromTokio;
use monster::identity::DeviceId;
use monster::settings::{BrokerSettings, BrokerUrl};
use serde_json::{Value, json};
use tokio::time::timeout;
use umqtt::asynch::Client;
use umqtt::{
    ClientError, Clock as _, Connect, Credentials, Event, Instant, Message, Publish, Qos,
    Subscription,
};

use crate::Failure;
use crate::cli::SendArgs;
use crate::clock::Clock;
use crate::config::{Problem, Sources};
use crate::console;
use crate::identity::random_bytes;
use crate::style::{GOOD, STRONG};
use crate::transport::{Connection, Endpoint, REFUSED, explained};

/// Where a broker is when nothing says so.
const LOCAL: &str = "mqtt://127.0.0.1:1883";
/// The longest that connecting takes, TLS and greeting included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes for what comes in: more than any answer.
const RECEIVE_BUFFER: usize = 8 * 1024;
/// Bytes for what goes out: more than any command.
const SEND_BUFFER: usize = 2 * 1024;

type BrokerClient<'b> = Client<'b, FromTokio<Box<dyn Connection>>, Clock>;

/// `monster send`
pub fn send(args: &SendArgs) -> Result<(), Failure> {
    let id = DeviceId::parse(&args.id)
        .map_err(|error| Failure::usage(format_args!("the id {:?}: {error}", args.id)))?;
    let command = Command::parse(&args.command)?;
    let broker = broker(args.broker.sources())?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Failure::failed)?;
    let answer = runtime.block_on(ask(&broker, &id, &command, args.timeout));
    runtime.shutdown_background();
    let text = answer?.text()?;
    let _ = console::print(&format!("{text}\n"));
    Ok(())
}

/// The broker that `monster send` uses with these sources of settings.
pub fn broker(sources: Sources) -> Result<BrokerSettings, Vec<Problem>> {
    let mut broker = sources.load()?.settings.broker;
    if broker.url.is_none() {
        broker.url = BrokerUrl::parse(LOCAL).ok();
    }
    Ok(broker)
}

/// A command, and where it goes.
#[derive(Debug, PartialEq, Eq)]
struct Command {
    /// The topic below `monster/<id>/`.
    topic: &'static str,
    words: String,
}

impl Command {
    fn parse(words: &[String]) -> Result<Self, Failure> {
        let words = words.join(" ");
        let mut parts = words.split_ascii_whitespace();
        let known = match (parts.next(), parts.next(), parts.next()) {
            (Some("on" | "off" | "toggle"), None, None) => Some("switch/0/set"),
            (Some("pulse"), Some(_), None) => Some("switch/0/set"),
            (Some("th" | "getTH"), None, None) => Some("th/get"),
            (Some("restart" | "identify"), None, None) => Some("sys/set"),
            _ => None,
        };
        match known {
            Some(topic) => Ok(Command { topic, words }),
            None => Err(Failure::usage(format_args!(
                "there is no command {words:?}; allowed: on, off, toggle, pulse MILLISECONDS, th, \
                 restart, identify"
            ))),
        }
    }
}

async fn ask(
    broker: &BrokerSettings,
    id: &DeviceId,
    command: &Command,
    patience: Duration,
) -> Result<Answer, Failure> {
    let chance = random_bytes().map_err(Failure::failed)?;
    let question = format!("{:016x}", u64::from_le_bytes(chance));
    let (mut receive, mut send) = ([0; RECEIVE_BUFFER], [0; SEND_BUFFER]);
    let clock = Clock::new();
    let mut client = Client::new(&mut receive, &mut send, clock);
    let connecting = connect(&mut client, broker, &question);
    let connected = timeout(CONNECT_TIMEOUT, connecting).await;
    connected
        .unwrap_or_else(|_| Err("timed out".to_owned()))
        .map_err(|why| no_connection(broker, &why))?;

    let deadline = clock.now().after(patience.as_millis() as u64);
    let mut status = None;
    let answer = converse(&mut client, id, command, &question, deadline, &mut status)
        .await
        .map_err(|why| Failure::failed(format_args!("the connection to the broker: {why}")))?;
    let _ = client.disconnect().await;
    answer.ok_or_else(|| no_answer(id, patience, status))
}

async fn connect(
    client: &mut BrokerClient<'_>,
    broker: &BrokerSettings,
    question: &str,
) -> Result<(), String> {
    let endpoint = Endpoint::new(broker).map_err(|error| error.to_string())?;
    let opened = endpoint.open().await?;
    let client_id = format!("send-{question}");
    let connect = Connect {
        credentials: broker.login().map(|login| Credentials {
            user_name: login.user,
            password: login.password.map(|password| password.expose().as_bytes()),
        }),
        ..Connect::new(&client_id)
    };
    client
        .connect(FromTokio::new(opened.connection), &connect)
        .await
        .map_err(said)?;
    Ok(())
}

/// What an error means, in a few words.
pub fn said(error: ClientError<io::Error>) -> String {
    match error {
        ClientError::Transport(error) => explained(&error),
        error => error.to_string(),
    }
}

/// Sends the command and waits for the answer to it; notes on the way what the broker holds for the
/// device's status.
async fn converse(
    client: &mut BrokerClient<'_>,
    id: &DeviceId,
    command: &Command,
    question: &str,
    deadline: Instant,
    status: &mut Option<String>,
) -> Result<Option<Answer>, String> {
    let topics = [
        format!("monster/{id}/reply"),
        format!("monster/{id}/status"),
    ];
    let subscriptions = topics
        .each_ref()
        .map(|topic| Subscription::new(topic, Qos::AtLeastOnce));
    let subscribing = client.subscribe(&subscriptions).await.map_err(said)?;

    let topic = format!("monster/{id}/{}", command.topic);
    let payload = json!({ "command": command.words, "id": question }).to_string();
    let message = Publish::new(&topic, payload.as_bytes()).qos(Qos::AtLeastOnce);
    let mut is_sent = false;
    loop {
        let Some(event) = client.receive_until(deadline).await.map_err(said)? else {
            return Ok(None);
        };
        let mut is_subscribed = false;
        match event {
            Event::Message(Message { topic, payload, .. }) if topic == *topics[0] => {
                if let Some(answer) = Answer::to(question, payload) {
                    return Ok(Some(answer));
                }
            }
            Event::Message(Message { topic, payload, .. }) if topic == *topics[1] => {
                *status = Some(String::from_utf8_lossy(payload).into_owned());
            }
            Event::Subscribed(answered, codes) if answered == subscribing => {
                if !codes.all_granted() {
                    return Err("the broker does not let us listen to the device".to_owned());
                }
                is_subscribed = true;
            }
            _ => {}
        }
        if is_subscribed && !is_sent {
            is_sent = true;
            client.publish(&message).await.map_err(said)?;
        }
    }
}

/// What a device answered.
#[derive(Debug)]
struct Answer(Value);

impl Answer {
    /// The answer to this question, if `payload` is it.
    fn to(question: &str, payload: &[u8]) -> Option<Self> {
        let value: Value = serde_json::from_slice(payload).ok()?;
        (value.get("id")?.as_str()? == question).then_some(Answer(value))
    }

    /// As a person reads it.
    fn text(&self) -> Result<String, Failure> {
        let field = |name| self.0.get(name);
        if field("ok").and_then(Value::as_bool) != Some(true) {
            let error = field("error").and_then(Value::as_str);
            let error = error.unwrap_or("the device refused, and does not say why");
            return Err(Failure::failed(error.escape_debug()));
        }
        let number = |name| field(name).and_then(Value::as_f64);
        Ok(match (number("temperature"), number("humidity")) {
            (Some(temperature), Some(humidity)) => {
                format!("{STRONG}{temperature:.1} °C  {humidity:.1} %{STRONG:#}")
            }
            _ => {
                let state = field("state").and_then(Value::as_str).unwrap_or("done");
                let style = if state == "on" { GOOD } else { STRONG };
                format!("{style}{}{style:#}", state.escape_debug())
            }
        })
    }
}

fn no_connection(broker: &BrokerSettings, why: &str) -> Failure {
    let url = broker.url.as_ref().map(BrokerUrl::to_string);
    let url = url.unwrap_or_default();
    let hint = if why == REFUSED {
        "; is there a broker? `monster` starts one, --broker names another"
    } else {
        ""
    };
    Failure::failed(format_args!("cannot connect to {url}: {why}{hint}"))
}

fn no_answer(id: &DeviceId, patience: Duration, status: Option<String>) -> Failure {
    let seconds = patience.as_secs_f64();
    let hint = match status.as_deref() {
        Some("online") => "the broker says it is online: try again, or look at its log".to_owned(),
        Some("offline") => "the broker says it is offline: is it switched on?".to_owned(),
        Some(other) => format!("the broker says it is {other:?}"),
        None => "the broker knows no device with this id: is the id right, and this its broker?"
            .to_owned(),
    };
    Failure::no_answer(format_args!(
        "{id} did not answer within {seconds} s; {hint}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(words: &str) -> Option<&'static str> {
        let words: Vec<String> = words.split(' ').map(str::to_owned).collect();
        Command::parse(&words).ok().map(|command| command.topic)
    }

    #[test]
    fn each_command_has_its_topic() {
        for word in ["on", "off", "toggle", "pulse 500"] {
            assert_eq!(command(word), Some("switch/0/set"), "{word}");
        }
        assert_eq!(command("th"), Some("th/get"));
        assert_eq!(command("getTH"), Some("th/get"));
        assert_eq!(command("restart"), Some("sys/set"));
        assert_eq!(command("identify"), Some("sys/set"));
        for wrong in ["", "On", "on off", "pulse", "pulse 1 2", "th 1", "format"] {
            assert_eq!(command(wrong), None, "{wrong}");
        }
    }

    fn text(payload: &str) -> Result<String, Failure> {
        let text = Answer::to("q", payload.as_bytes()).unwrap().text()?;
        Ok(anstream::adapter::strip_str(&text).to_string())
    }

    #[test]
    fn an_answer_is_read_to_people() {
        assert_eq!(text(r#"{"id":"q","ok":true,"state":"on"}"#).unwrap(), "on");
        let climate = r#"{"id":"q","ok":true,"temperature":23.4,"humidity":56.0}"#;
        assert_eq!(text(climate).unwrap(), "23.4 °C  56.0 %");
        assert_eq!(text(r#"{"id":"q","ok":true}"#).unwrap(), "done");
        let refused = text(r#"{"id":"q","ok":false,"error":"timeout"}"#).unwrap_err();
        assert_eq!(
            (refused.lines, refused.code),
            (vec!["timeout".to_owned()], 1)
        );
    }

    #[test]
    fn what_is_no_answer_to_us_is_passed_over() {
        for payload in [
            "",
            "{",
            "[]",
            "{}",
            r#"{"id":1}"#,
            r#"{"id":"other","ok":true}"#,
        ] {
            assert!(Answer::to("q", payload.as_bytes()).is_none(), "{payload}");
        }
    }
}
