//! In the place of `broker`, in a program that was built without one (without the feature
//! `broker`): there never is any.

use std::io;
use std::net::SocketAddr;

/// A broker of our own.
#[derive(Debug)]
pub enum Broker {}

/// Says what to do instead.
pub fn start() -> io::Result<Broker> {
    Err(io::Error::new(
        io::ErrorKind::Unsupported,
        "no broker is set, and this monster was built without one of its own (feature `broker`): \
         name one with --broker URL, MONSTER_BROKER, or broker.url in monster.toml",
    ))
}

/// Says what to do instead.
pub fn start_on(_: u16) -> io::Result<Broker> {
    start()
}

impl Broker {
    pub fn address(&self) -> SocketAddr {
        match *self {}
    }
}
