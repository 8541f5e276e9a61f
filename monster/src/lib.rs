//! The device core (skeleton).
#![no_std]
#![forbid(unsafe_code)]

pub mod identity;
pub mod settings;
