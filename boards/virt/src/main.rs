//! Monster on QEMU's riscv32 `virt` machine: the firmware as it is on a real board, with no
//! hardware.
//!
//! It is a thin shell round the device core: the loop is `monster_net`'s, what is kept
//! `monster_store`'s, and here are the drivers ([`hw`]) and the pins ([`bench`]).

#![no_std]
#![no_main]
#![deny(unsafe_code)]

mod bench;
mod hw;
mod log;
mod radio;

use core::fmt;

use embassy_executor::{Executor, Spawner};
#[cfg(feature = "console")]
use embassy_net::Stack;
use embassy_net::{Config, Runner, StackResources};
use heapless::Vec;
use monster::device::ResetReason;
use monster::settings::value::LogLevel;
#[cfg(feature = "console")]
use monster_net::access_point;
#[cfg(feature = "console")]
use monster_net::console::{self, Console, Door, Doors, Entrance};
use monster_net::{Buffers, Found};
use monster_store::Store;
use static_cell::{ConstStaticCell, StaticCell};

use bench::Bench;
use hw::console::{Console as Line, Pieces};
use hw::flash::{self, Flash};
use hw::nic::{Frames, Gate, Nic};
use hw::{interrupts, memory, power, random, stack};
use radio::Radio;

/// Which device is at which place of the bus; `cargo xtask virt` puts them there.
mod place {
    pub const STATION: usize = 0;
    pub const ACCESS_POINT: usize = 1;
    pub const BENCH: usize = 2;
    pub const RANDOM: usize = 3;
}

/// How many sockets there are at once: DHCP's, DNS's, the broker's, the time's, that of the name, the log's, and
/// the console's.
const SOCKETS: usize = 7 + VISITORS + DOORS;

/// How many visitors the console serves at once.
const VISITORS: usize = if cfg!(feature = "console") { 4 } else { 0 };
/// At how many doors of a network they come in.
const DOORS: usize = if cfg!(feature = "console") { 2 } else { 0 };

#[riscv_rt::entry]
fn main() -> ! {
    memory::paint();
    stack::guard();
    interrupts::init();
    static EXECUTOR: StaticCell<Executor> = StaticCell::new();
    EXECUTOR.init(Executor::new()).run(|spawner| {
        spawner.spawn(board(spawner).expect("it is spawned once"));
    })
}

/// The board, from power-on to restart.
#[embassy_executor::task]
async fn board(spawner: Spawner) {
    static STATION: Gate = Gate::new(place::STATION);
    static ACCESS_POINT: Gate = Gate::new(place::ACCESS_POINT);
    static FRAMES: ConstStaticCell<Frames> = ConstStaticCell::new(Frames::new());
    static PIECES: ConstStaticCell<Pieces> = ConstStaticCell::new(Pieces::new());
    static STORE: StaticCell<Store<Flash>> = StaticCell::new();
    static BENCH: StaticCell<Bench> = StaticCell::new();
    static RESOURCES: StaticCell<StackResources<SOCKETS>> = StaticCell::new();
    static BUFFERS: ConstStaticCell<Buffers> = ConstStaticCell::new(Buffers::new());

    let reset = power::reset_reason();
    let Some(nic) = Nic::open(&STATION, FRAMES.take()) else {
        panic!("there is no network card at bus {}", place::STATION);
    };
    let chance = random::bytes::<72>(place::RANDOM);
    if chance.is_none() {
        log::line(
            LogLevel::Warn,
            format_args!(
                "there is no source of random numbers at bus {}",
                place::RANDOM
            ),
        );
    }
    let chance = chance.and_then(Chance::of);
    let seed = chance.as_ref().map_or(0, |chance| chance.seed);
    let flash = Flash::take().expect("it is taken once");
    let store = match Store::open(flash, flash::STORE).await {
        Ok(store) => STORE.init(store),
        Err(error) => panic!("{error}"),
    };
    let found = Found {
        address: nic.mac(),
        reset,
        seed,
        button_pressed: false,
    };
    let start = monster_net::start::<Board, _>(store, found).await;
    log::set_level(start.settings.log.level);

    let line = Line::open(place::BENCH, PIECES.take());
    let bench = &*BENCH.init(Bench::new(line, start.settings.climate.kind));
    let resources = RESOURCES.init(StackResources::new());
    let (stack, runner) =
        embassy_net::new(nic, Config::dhcpv4(Default::default()), resources, seed);
    spawner.spawn(network(runner).expect("it is spawned once"));
    spawner.spawn(pins(bench).expect("it is spawned once"));

    #[cfg(feature = "console")]
    let console = chance.as_ref().and_then(|chance| {
        let access_point = open_access_point(spawner, &ACCESS_POINT, seed)?;
        Some(open_console(spawner, [stack, access_point], chance.console))
    });
    let mut board = Board {
        bench,
        pulses: Vec::new(),
        entropy: chance.map(|chance| chance.device),
        #[cfg(feature = "console")]
        console,
    };
    let mut radio = Radio::new(bench, &STATION, &ACCESS_POINT);
    let reason =
        monster_net::run(start, stack, BUFFERS.take(), store, &mut board, &mut radio).await;
    power::restart(reason)
}

/// What nobody can guess, for each who needs it.
struct Chance {
    seed: u64,
    device: [u8; 32],
    #[cfg(feature = "console")]
    console: [u8; 32],
}

impl Chance {
    fn of(bytes: [u8; 72]) -> Option<Self> {
        let (seed, rest) = bytes.split_first_chunk()?;
        Some(Chance {
            seed: u64::from_le_bytes(*seed),
            device: *rest.first_chunk()?,
            #[cfg(feature = "console")]
            console: *rest.last_chunk()?,
        })
    }
}

/// The network of the access point, if there is a card for it, and those who serve it.
#[cfg(feature = "console")]
fn open_access_point(spawner: Spawner, gate: &'static Gate, seed: u64) -> Option<Stack<'static>> {
    const SOCKETS: usize = access_point::SOCKETS + VISITORS + DOORS;
    static FRAMES: ConstStaticCell<Frames> = ConstStaticCell::new(Frames::new());
    static RESOURCES: StaticCell<StackResources<SOCKETS>> = StaticCell::new();
    let nic = Nic::open(gate, FRAMES.take())?;
    let resources = RESOURCES.init(StackResources::new());
    // The numbers of its connections are others than the station's.
    let (stack, runner) = embassy_net::new(nic, access_point::config(), resources, !seed);
    spawner.spawn(network(runner).expect("there are as many as that"));
    spawner.spawn(serve_access_point(stack).expect("it is spawned once"));
    Some(stack)
}

#[cfg(feature = "console")]
#[embassy_executor::task]
async fn serve_access_point(stack: Stack<'static>) {
    access_point::serve(stack).await;
}

/// A console, and where those come in who want it: on the station's network, and on the access
/// point's.
#[cfg(feature = "console")]
#[derive(Clone, Copy)]
struct Served {
    console: &'static Console,
    doors: &'static Doors<'static, { 2 * DOORS }>,
}

#[cfg(feature = "console")]
fn open_console(
    spawner: Spawner,
    [station, access_point]: [Stack<'static>; 2],
    chance: [u8; 32],
) -> Served {
    static CONSOLE: StaticCell<Console> = StaticCell::new();
    static DOORS_OF_IT: StaticCell<Doors<'static, { 2 * DOORS }>> = StaticCell::new();
    let console = &*CONSOLE.init_with(|| Console::new(console::Host::new("virt", chance)));
    let (network, own) = (Entrance::Network, Entrance::AccessPoint);
    let doors = &*DOORS_OF_IT.init(Doors::new([
        Door::new(station, console::PORT, network),
        Door::new(station, console::HTTP_PORT, network),
        Door::new(access_point, console::PORT, own),
        Door::new(access_point, console::HTTP_PORT, own),
    ]));
    for _ in 0..VISITORS {
        spawner.spawn(serve(console, doors).expect("there are as many as that"));
    }
    for place in 0..2 * DOORS {
        spawner.spawn(turn_away(doors, place).expect("there are as many as that"));
    }
    Served { console, doors }
}

#[cfg(feature = "console")]
#[embassy_executor::task(pool_size = VISITORS)]
async fn serve(console: &'static Console, doors: &'static Doors<'static, { 2 * DOORS }>) {
    console::serve(console, doors).await;
}

#[cfg(feature = "console")]
#[embassy_executor::task(pool_size = 2 * DOORS)]
async fn turn_away(doors: &'static Doors<'static, { 2 * DOORS }>, place: usize) {
    console::turn_away(doors, place).await;
}

#[embassy_executor::task(pool_size = 2)]
async fn network(mut runner: Runner<'static, Nic>) {
    runner.run().await;
}

#[embassy_executor::task]
async fn pins(bench: &'static Bench) {
    bench.run().await;
}

/// This board's pins, for the device's loop.
struct Board {
    bench: &'static Bench,
    pulses: Vec<u16, { bench::PULSES_MAX }>,
    entropy: Option<[u8; 32]>,
    #[cfg(feature = "console")]
    console: Option<Served>,
}

impl monster_net::Board for Board {
    fn set_switch(&mut self, level: bool) {
        self.bench.set_switch(level);
    }

    async fn button_edge(&mut self) -> bool {
        self.bench.button_edge().await
    }

    async fn measure(&mut self) -> &[u16] {
        self.pulses = self.bench.measure();
        &self.pulses
    }

    fn entropy(&mut self) -> Option<[u8; 32]> {
        self.entropy.take()
    }

    #[cfg(feature = "console")]
    fn console(&self) -> Option<&'static Console> {
        self.console.map(|served| served.console)
    }

    #[cfg(feature = "console")]
    fn set_access_point(&mut self, up: bool) {
        if let Some(served) = &self.console {
            served.doors.set_open(Entrance::AccessPoint, up);
        }
    }

    fn set_led(&mut self, lit: bool) {
        self.bench.set_led(lit);
    }

    fn identify(&mut self) {
        log::line(LogLevel::Info, format_args!("*** this is the one ***"));
        self.bench.identify();
    }

    fn log(level: LogLevel, line: fmt::Arguments<'_>) {
        log::line(level, line);
    }
}

/// A mistake in this firmware: it is said, and the machine starts anew.
#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    log::line(LogLevel::Error, format_args!("{info}"));
    power::restart(ResetReason::Unknown)
}
