//! The console as its clients see it: over TCP, round a real device core.

mod bench;
mod http;
mod memory;
mod portal;
mod webrepl;
