//! Both versions of the protocol against mosquitto on a free loopback port: what only a real broker
//! shows, and what becomes of messages when it restarts.

mod broker;
mod dialogue;
mod restart;
