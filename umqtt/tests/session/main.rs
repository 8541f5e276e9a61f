//! The session alone, in virtual time, chapter by chapter.

#[path = "../common/mod.rs"]
mod common;

mod connect;
mod fuzz;
mod keep_alive;
mod malformed;
mod pair;
mod publish;
mod receive;
mod resume;
mod standard;
mod subscribe;
