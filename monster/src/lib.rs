//! The device core: an MQTT switch, button and climate sensor as a pure state machine.
//!
//! It does no input or output, reads no clock, allocates nothing and contains no unsafe code: time and
//! what happened are handed in, what is to be done is polled out. So it is the same on every board, can
//! be tested in virtual time, and ten thousand of it fit into one process.
//!
//! ```text
//!   Input  (button edge, pulses, connected, ...) ─▶ handle ┐
//!   bytes from the broker ───▶ receive_buffer, received  ──┤        ┌──▶ poll ──▶ Output (pin, save, ...)
//!   the time ──────────────────────────────────────────────┼─ Device┼──▶ transmit ──▶ bytes for the broker
//!   records that were stored ──▶ Memory::load ──▶ new ─────┘        └──▶ deadline: when to poll again
//! ```
//!
//! A board is a loop round [`device::Device`]:
//!
//! ```
//! use monster::device::{Device, Input, Output, RECEIVE_BUFFER, ResetReason, SEND_BUFFER, Start};
//! use monster::identity::DeviceId;
//! use monster::memory::Memory;
//! use monster::settings::Settings;
//! use umqtt::Instant;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut settings = Settings::default();
//! settings.set("broker.url", "mqtt://broker.example")?;
//! settings.validate()?;
//!
//! let (mut receive, mut send) = ([0; RECEIVE_BUFFER], [0; SEND_BUFFER]);
//! let start = Start {
//!     settings,
//!     id: DeviceId::parse("1226d800")?,
//!     seed: 7,
//!     reset: ResetReason::PowerOn,
//!     boots: 1,
//!     memory: Memory::default(),
//!     button_pressed: false,
//! };
//! let now = Instant::from_millis(0);
//! let mut device = Device::new(start, &mut receive, &mut send, now);
//!
//! // The switch is on at boot, a connection is wanted, and the LED is lit while there is none.
//! assert_eq!(device.poll(now), Some(Output::Switch { level: true }));
//! assert_eq!(device.poll(now), Some(Output::Connect));
//! assert_eq!(device.poll(now), Some(Output::Led { lit: true }));
//! assert_eq!(device.poll(now), None);
//!
//! // The board has opened it: CONNECT is to be sent, and an answer awaited until the deadline.
//! device.handle(Input::Connected { ip: None }, now);
//! assert_eq!(device.poll(now), None);
//! assert_eq!(device.transmit().first(), Some(&0x10));
//! assert!(device.deadline() > Some(now));
//! # Ok(())
//! # }
//! ```
//!
//! # Scope
//!
//! Sockets, TLS, DNS, pins, flash and the clock are the board's. What several boards need beside the core
//! is in crates of its own.
#![no_std]
#![forbid(unsafe_code)]

pub mod access_point;
pub mod backoff;
pub mod button;
pub mod climate;
pub mod device;
pub mod dht;
mod dialogue;
pub mod heartbeat;
pub mod homeassistant;
pub mod identity;
mod led;
mod link;
pub mod log;
pub mod memory;
mod news;
pub mod random;
pub mod settings;
pub mod switch;
pub mod trial;
pub mod wifi;

pub use dialogue::payload::{Counters, Diagnostics};
