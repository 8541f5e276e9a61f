//! Both versions of the protocol against mosquitto on a free loopback port: what only a real broker
//! shows. What it shares with other brokers, restarts in the middle of handshakes too, is in `brokers`.

#[path = "../common/mosquitto.rs"]
mod broker;
mod dialogue;
