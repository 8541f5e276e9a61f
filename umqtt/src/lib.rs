//! A small MQTT client (skeleton).
#![no_std]
#![forbid(unsafe_code)]

mod time;

pub use time::Instant;
