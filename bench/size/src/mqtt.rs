//! What all programs with MQTT say.

use umqtt::{Clock, Connect, Credentials, Instant, Message, Publish, Qos, Subscription, Timer};

use crate::{milliseconds, yield_now};

/// Bytes of each buffer.
pub const BUFFER: usize = 256;

/// A will and a password; a PINGREQ after 0.75 s of silence. A build that speaks both versions learns
/// which only at run time, as a program with a setting for it does: so neither is optimized away.
pub fn connect() -> Connect<'static> {
    Connect {
        #[cfg(all(feature = "v3", feature = "v5"))]
        version: core::hint::black_box(umqtt::Version::V5),
        keep_alive: 1,
        will: Some(
            Publish::new("m/1/status", b"offline")
                .qos(Qos::AtLeastOnce)
                .retained(),
        ),
        credentials: Some(Credentials {
            user_name: "ann",
            password: Some(b"secret"),
        }),
        ..Connect::new("m1")
    }
}

/// Where commands come in.
pub const COMMANDS: Subscription<'static> = Subscription::new("m/1/set", Qos::AtLeastOnce);

/// What is said once it is connected.
pub const ONLINE: Publish<'static> = retained("m/1/status", b"online");

const fn retained(topic: &'static str, payload: &'static [u8]) -> Publish<'static> {
    Publish::new(topic, payload)
        .qos(Qos::AtLeastOnce)
        .retained()
}

/// What a command asks for.
pub enum Command {
    /// To be switched, and to say so.
    Switch(Publish<'static>),
    /// To end the program.
    End,
}

impl Command {
    /// Reads a message.
    pub fn from_message(message: &Message<'_>) -> Option<Self> {
        match message.payload {
            b"on" => Some(Command::Switch(retained("m/1/state", b"on"))),
            b"off" => Some(Command::Switch(retained("m/1/state", b"off"))),
            b"end" => Some(Command::End),
            _ => None,
        }
    }
}

/// The board's clock.
pub struct BoardClock;

impl Clock for BoardClock {
    fn now(&self) -> Instant {
        Instant::from_millis(milliseconds() as u64)
    }
}

impl Timer for BoardClock {
    async fn wait_until(&self, deadline: Instant) {
        while self.now() < deadline {
            yield_now().await;
        }
    }
}
