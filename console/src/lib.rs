//! Local control of a device, with no broker and no cloud: a page for the browser and the HTTP API
//! behind it, MicroPython's WebREPL protocol, and a line console that a serial port, WebREPL and a
//! desk share.
//!
//! ```text
//!   browser ──▶ serve ──┐                   ┌─▶ request ──▶ the board's loop ──▶ Device
//!   WebREPL ──▶ serve ──┼──▶ Console (here) ┤                                      │
//!   serial ───▶ Shell ──┘                   └◀─ update, log, answer ◀──────────────┘
//! ```
//!
//! A [`Console`] is what is known of the device, and one slot for what somebody wants of it. The board's
//! loop owns the device: it tells the console what happened ([`Console::update`], [`Console::log`]),
//! takes what is wanted ([`Console::request`]) and answers it ([`Console::answer`]). So nobody at the
//! console, slow or hostile, ever holds up the device.
//!
//! A board serves connections with [`serve`], as many at once as it has memory for, and its serial port
//! with a [`Shell`].
//!
//! # Scope
//!
//! Sockets, ports and tasks are the board's; so is storing settings. Where the device's access point is
//! concerned, the board says what there is.
//!
//! Nothing here allocates, and nothing that comes in makes it panic.

#![no_std]
#![forbid(unsafe_code)]
// There is no alloc to box an error or a line in, and each is made once a request.
#![allow(clippy::result_large_err, clippy::large_enum_variant)]

pub mod access;
mod changes;
mod history;
mod http;
mod journal;
mod json;
mod line;
pub mod page;
mod portal;
mod shell;
mod state;
mod status;
mod toml;
mod webrepl;

pub use changes::{CHANGES_MAX, Changes};
pub use http::{REQUEST_BUFFER, serve};
pub use portal::Entrance;
pub use shell::{Sheet, Shell, Terminal};
pub use state::{Answer, BODY_MAX, Console, EVENT_STREAMS, Host, Origin, Request, failure};
