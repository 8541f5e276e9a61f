//! What boards on embassy-net share: the loop round the device core, and the device's connection to
//! its broker.
//!
//! ```text
//!   pins, sensor, log ──▶ Board ─┐
//!                                ├─▶ run ──▶ monster::Device
//!   embassy-net ──▶ connection ──┤
//!   flash ──▶ monster_store ─────┘
//! ```
//!
//! Not here: drivers, and whatever else only one board has.

#![no_std]
#![forbid(unsafe_code)]

pub mod access_point;
mod clock;
mod connection;
#[cfg(feature = "console")]
pub mod console;
mod local;
mod log;
mod mdns;
#[cfg(feature = "console")]
mod qr;
mod radio;
pub mod reset;
mod resolve;
mod run;
mod sntp;
mod start;
mod syslog;
mod tcp;
#[cfg(feature = "tls")]
mod tls;
mod trial;
mod turn;
mod udp;

pub use connection::{Buffers, PAYLOAD_MAX};
pub use log::Log;
pub use radio::{Credentials, JoinError, Radio, Reason};
pub use run::{Board, run};
pub use start::{CHANCE, Chance, Found, open_store, start};

/// How many sockets there are at once on the network that is joined: DHCP's, DNS's, the broker's, the
/// time's, that of the name, the log's, one to spare; and those of the console.
pub const SOCKETS: usize = 7 + CONSOLE_SOCKETS;
#[cfg(feature = "console")]
const CONSOLE_SOCKETS: usize = console::VISITORS + console::PORTS.len();
#[cfg(not(feature = "console"))]
const CONSOLE_SOCKETS: usize = 0;
