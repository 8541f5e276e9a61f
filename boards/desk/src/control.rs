//! The console of this computer's device: its page, its API and WebREPL, on a port of this computer.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use monster_console::{Console, Entrance, Host, Origin, serve};
use picoserve::time::TokioTimer;
use ring::digest::{Context, SHA256};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use umqtt::{Clock as _, Instant};

use crate::clock::Clock;
use crate::config::{self, Origins};
use crate::identity::random_bytes;
use crate::life::Life;

/// Where the console is unless somebody wants it elsewhere.
pub const DEFAULT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8266);
/// How many ports are tried from that one on: other devices of this computer have theirs.
const PORTS: u16 = 32;
/// How many connections are served at once; the others wait. A browser has six.
const CONNECTIONS: usize = 64;
/// How long the head of a request may be: a browser shows all cookies of this computer's address.
const REQUEST: usize = 8192;
/// How long nothing is accepted after the system refused to.
const PAUSE: Duration = Duration::from_millis(200);

/// The console, and what it needs of this computer.
pub type Control = Console<Here>;

/// This computer, as the console asks it.
pub struct Here {
    clock: Cell<Clock>,
    chance: Chance,
    origins: RefCell<Origins>,
}

impl Host for Here {
    fn now(&self) -> Instant {
        self.clock.get().now()
    }

    fn random(&self, bytes: &mut [u8]) {
        self.chance.fill(bytes);
    }

    fn board(&self) -> &'static str {
        "desk"
    }

    fn origin(&self, key: &str) -> Option<Origin> {
        match self.origins.borrow().of(key) {
            config::Origin::Default | config::Origin::Stored => None,
            config::Origin::File(..) => Some(Origin::File),
            config::Origin::Environment(_) => Some(Origin::Environment),
            config::Origin::Flag(_) => Some(Origin::Flag),
        }
    }
}

/// A console of a device that has not started yet.
///
/// # Errors
/// The system has no random numbers: then no password and no link would be safe.
pub fn console() -> io::Result<Control> {
    Ok(Console::new(Here {
        clock: Cell::new(Clock::new()),
        chance: Chance::new(random_bytes()?),
        origins: RefCell::default(),
    }))
}

/// A device starts, with a clock of its own, and the password it has made up.
pub fn start(control: &Control, clock: Clock, life: &Life, password: &str) {
    control.board().clock.set(clock);
    control.board().origins.replace(life.origins.clone());
    control.start(&life.id, &life.given, password);
}

/// A link that signs in whoever opens it first; the ones before it do not any more.
pub fn link(control: &Control, door: SocketAddr) -> String {
    // Whoever listens on every address is here by this one too.
    let ip = match door.ip() {
        ip if ip.is_unspecified() => DEFAULT.ip(),
        ip => ip,
    };
    let door = SocketAddr::new(ip, door.port());
    format!("http://{door}{}", control.ticket())
}

/// The port the console is served on.
pub struct Door {
    listener: TcpListener,
    address: SocketAddr,
}

impl Door {
    /// Takes the port that is wanted, or else the first that is free from [`DEFAULT`] on.
    ///
    /// # Errors
    /// The system refuses.
    pub async fn open(wanted: Option<SocketAddr>) -> io::Result<Self> {
        let listener = match wanted {
            Some(address) => TcpListener::bind(address).await?,
            None => first_free().await?,
        };
        let address = listener.local_addr()?;
        Ok(Door { listener, address })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves everybody who comes, until it is dropped. It must run in a
    /// [`LocalSet`](tokio::task::LocalSet).
    pub async fn serve(self, control: Rc<Control>) {
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        while let Ok(place) = places.clone().acquire_owned().await {
            let socket = match self.listener.accept().await {
                Ok((socket, _)) => socket,
                Err(_) => {
                    // One that is gone already, or no file is to be had for it: both pass.
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            };
            // A piece of an answer must not wait until the last one was acknowledged.
            let _ = socket.set_nodelay(true);
            let control = control.clone();
            tokio::task::spawn_local(async move {
                let mut buffer = [0; REQUEST];
                serve(
                    &control,
                    &TokioTimer,
                    Entrance::Network,
                    socket,
                    &mut buffer,
                )
                .await;
                drop(place);
            });
        }
    }
}

async fn first_free() -> io::Result<TcpListener> {
    let mut refused = io::Error::from(io::ErrorKind::AddrInUse);
    for port in (DEFAULT.port()..).take(PORTS.into()) {
        match TcpListener::bind((DEFAULT.ip(), port)).await {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => refused = error,
            result => return result,
        }
    }
    Err(refused)
}

/// Chance that never runs out: made of a seed that nobody knows, a block at a time.
struct Chance {
    seed: [u8; 32],
    blocks: Cell<u64>,
}

impl Chance {
    fn new(seed: [u8; 32]) -> Self {
        Chance {
            seed,
            blocks: Cell::new(0),
        }
    }

    fn fill(&self, bytes: &mut [u8]) {
        for piece in bytes.chunks_mut(SHA256.output_len()) {
            let block = self.blocks.get();
            self.blocks.set(block.wrapping_add(1));
            let mut hash = Context::new(&SHA256);
            hash.update(&self.seed);
            hash.update(&block.to_le_bytes());
            piece.copy_from_slice(&hash.finish().as_ref()[..piece.len()]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chance_never_repeats_itself_and_is_another_with_another_seed() {
        let draw = |chance: &Chance| {
            let mut bytes = [0; 40];
            chance.fill(&mut bytes);
            bytes
        };
        let (one, other) = (Chance::new([1; 32]), Chance::new([2; 32]));
        let drawn = [draw(&one), draw(&one), draw(&other)];
        assert_ne!(drawn[0], drawn[1]);
        assert_ne!(drawn[0], drawn[2]);
        assert_ne!(drawn[0][..8], drawn[0][32..]);
    }
}
