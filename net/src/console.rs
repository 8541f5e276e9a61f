//! The device's console on the network: the page, its API and WebREPL.
//!
//! There are as many who serve as a board has memory for. Whoever comes while all of them are busy is
//! told to wait.

mod doors;
mod local;
mod serial;

use core::cell::RefCell;
use core::future::pending;

use embassy_executor::Spawner;
use embassy_futures::select::select;
use embassy_net::tcp::TcpSocket;
use embassy_time::{Duration, Timer};
use embedded_io_async::Write;
use monster_console::{EVENT_STREAMS, REQUEST_BUFFER};
use picoserve::time::EmbassyTimer;
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use static_cell::StaticCell;
use umqtt::Instant;

use crate::run::now;
pub use doors::Networks;
use doors::{DOORS, Door, Doors};
pub(crate) use local::Local;
use monster_console::Entrance;
pub use serial::talk;

/// The ports of the console: WebREPL's own, and the one that a browser takes by itself.
pub(crate) const PORTS: [u16; 2] = [8266, 80];
/// How many visitors a board has memory for at once: pages that are open, and some who only ask.
pub(crate) const VISITORS: usize = EVENT_STREAMS + 2;

/// What a connection receives into: requests are small.
const RECEIVE: usize = 448;
/// What a connection sends from.
const SEND: usize = 704;
/// How long somebody may be silent who was sent something, or who only begins to connect.
const SILENCE: Duration = Duration::from_secs(15);
/// How often somebody who is silent is asked whether it is there still.
const PROBE: Duration = Duration::from_secs(10);

/// The console of a board.
pub type Console = monster_console::Console<Host>;

/// The console of the board of this name, the first time; to be called while there is stack to spare,
/// since it is made there. `chance` is true chance, which nobody else has, and which is never the same
/// again.
///
/// # Panics
/// The second time.
#[inline(never)]
pub fn console(board: &'static str, chance: [u8; 32]) -> &'static Console {
    static CONSOLE: StaticCell<Console> = StaticCell::new();
    CONSOLE.init_with(|| {
        Console::new(Host {
            board,
            random: RefCell::new(ChaCha20Rng::from_seed(chance)),
        })
    })
}

/// What a board's console needs to know of it.
pub struct Host {
    board: &'static str,
    random: RefCell<ChaCha20Rng>,
}

impl monster_console::Host for Host {
    fn now(&self) -> Instant {
        now()
    }

    fn random(&self, bytes: &mut [u8]) {
        self.random.borrow_mut().fill_bytes(bytes);
    }

    fn board(&self) -> &'static str {
        self.board
    }

    fn has_radio(&self) -> bool {
        true
    }
}

/// A console that is open to whoever comes by a network.
#[derive(Clone, Copy)]
pub struct Served {
    console: &'static Console,
    doors: &'static Doors<'static>,
}

impl Served {
    /// Lets people in to the console by these networks. A board does it once.
    ///
    /// # Panics
    /// The second time.
    pub fn open(spawner: Spawner, console: &'static Console, networks: Networks<'static>) -> Self {
        static ALL: StaticCell<Doors<'static>> = StaticCell::new();
        let doors = &*ALL.init(Doors::new(networks));
        for _ in 0..VISITORS {
            spawner.spawn(serving(console, doors).expect("there are as many as that"));
        }
        for place in 0..DOORS {
            spawner.spawn(turning_away(doors, place).expect("there are as many as that"));
        }
        Served { console, doors }
    }

    pub(crate) fn console(self) -> &'static Console {
        self.console
    }

    /// People can come by this entrance, or cannot.
    pub(crate) fn set_open(self, entrance: Entrance, is_open: bool) {
        self.doors.set_open(entrance, is_open);
    }
}

#[embassy_executor::task(pool_size = VISITORS)]
async fn serving(console: &'static Console, doors: &'static Doors<'static>) {
    serve(console, doors).await;
}

#[embassy_executor::task(pool_size = DOORS)]
async fn turning_away(doors: &'static Doors<'static>, place: usize) {
    turn_away(doors, place).await;
}

/// Serves those who come to one of the doors, one after the other, for ever.
async fn serve(console: &Console, doors: &Doors<'_>) {
    let (mut receive, mut send) = ([0; RECEIVE], [0; SEND]);
    let mut request = [0; REQUEST_BUFFER];
    let Some(mut news) = doors.news() else {
        return pending().await;
    };
    loop {
        let Some(door) = doors.neediest() else {
            news.changed().await;
            continue;
        };
        let mut socket = socket(door, &mut receive, &mut send);
        if doors.visitor(door, &mut socket, &mut news).await {
            let entrance = door.entrance();
            monster_console::serve(console, &EmbassyTimer, entrance, socket, &mut request).await;
        }
    }
}

/// Tells those to wait who come to this door while nobody there is free, for ever.
async fn turn_away(doors: &Doors<'_>, place: usize) {
    const BUSY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\n\
        Connection: close\r\nContent-Type: application/json\r\nCache-Control: no-store\r\n\r\n\
        {\"error\":\"the device serves as many as it has room for; try again in 5 s\"}";
    /// How long somebody may take to ask, to be told and to go: the next one may be waiting.
    const PATIENCE: Duration = Duration::from_millis(300);
    let (mut receive, mut send) = ([0; 64], [0; BUSY.len()]);
    let (Some(door), Some(mut news)) = (doors.door(place), doors.news()) else {
        return pending().await;
    };
    loop {
        while !door.is_deserted() {
            news.changed().await;
        }
        let mut socket = socket(door, &mut receive, &mut send);
        let manned = async {
            while door.is_deserted() {
                news.changed().await;
            }
        };
        if !door.accept(&mut socket, manned).await {
            continue;
        }
        doors.came_by(door);
        let say = async {
            let _ = socket.write_all(BUSY).await;
            socket.close();
            // What it asks for is of no interest, but an answer counts only when all was said.
            while let Ok(1..) = socket.read_with(|bytes| (bytes.len(), bytes.len())).await {}
            let _ = socket.flush().await;
        };
        select(say, Timer::after(PATIENCE)).await;
    }
}

fn socket<'a>(door: &Door<'a>, receive: &'a mut [u8], send: &'a mut [u8]) -> TcpSocket<'a> {
    let mut socket = TcpSocket::new(door.stack(), receive, send);
    socket.set_timeout(Some(SILENCE));
    socket.set_keep_alive(Some(PROBE));
    socket.set_nagle_enabled(false);
    socket
}
