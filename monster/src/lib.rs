//! The device core (docs follow).
#![no_std]
#![forbid(unsafe_code)]

pub mod backoff;
pub mod button;
pub mod climate;
pub mod device;
pub mod dht;
mod dialogue;
pub mod heartbeat;
pub mod identity;
mod link;
pub mod log;
pub mod memory;
mod news;
pub mod random;
pub mod settings;
pub mod switch;

pub use dialogue::payload::Counters;
