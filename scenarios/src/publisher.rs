//! Sending with a client that is not ours: `mosquitto_pub`.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::broker::Mosquitto;
use crate::process::need;

/// A message to send: at QoS 0 and not retained, unless told.
#[derive(Debug, Clone)]
#[must_use = "nothing is sent before `to`"]
pub struct Publish {
    topic: String,
    payload: Vec<u8>,
    qos: u8,
    retained: bool,
}

impl Publish {
    /// A message with this topic and payload.
    pub fn new(topic: impl Into<String>, payload: impl Into<Vec<u8>>) -> Self {
        Self {
            topic: topic.into(),
            payload: payload.into(),
            qos: 0,
            retained: false,
        }
    }

    /// Sends it at this quality of service (0, 1 or 2).
    pub fn qos(mut self, qos: u8) -> Self {
        self.qos = qos;
        self
    }

    /// Asks the broker to retain it.
    pub fn retained(mut self) -> Self {
        self.retained = true;
        self
    }

    /// Sends it through the broker, and returns once the broker has it (at QoS 1 and 2: has acknowledged it).
    pub fn to(self, broker: &Mosquitto) {
        let mut command = client("mosquitto_pub", broker);
        command.args(["-t", &self.topic, "-q", &self.qos.to_string()]);
        if self.retained {
            command.arg("-r");
        }
        // An empty message has an option of its own; every other is any bytes, over the standard input.
        command.arg(if self.payload.is_empty() { "-n" } else { "-s" });
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("mosquitto_pub runs");
        if let Some(mut stdin) = child.stdin.take() {
            // It may have failed already; its status says so below.
            let _ = stdin.write_all(&self.payload);
        }
        let done = child.wait_with_output().expect("mosquitto_pub ends");
        assert!(
            done.status.success(),
            "mosquitto_pub could not send {} bytes to `{}`: {}{}",
            self.payload.len(),
            self.topic,
            String::from_utf8_lossy(&done.stdout),
            String::from_utf8_lossy(&done.stderr),
        );
    }
}

/// One of mosquitto's clients, told where the broker is and how to get in.
pub(crate) fn client(program: &str, broker: &Mosquitto) -> Command {
    let mut command = Command::new(need(program));
    command.args(["-h", "127.0.0.1", "-p", &broker.port().to_string()]);
    if let Some((user, password)) = broker.password() {
        command.args(["-u", user, "-P", password]);
    }
    command
}
