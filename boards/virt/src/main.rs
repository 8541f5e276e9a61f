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
#[cfg(feature = "access-point")]
use embassy_net::Stack;
use embassy_net::{Config, Runner, StackResources};
use heapless::Vec;
use monster::device::ResetReason;
use monster::settings::value::LogLevel;
#[cfg(feature = "access-point")]
use monster_net::access_point;
#[cfg(feature = "console")]
use monster_net::console::{self, Console, Networks, Served};
use monster_net::{Buffers, CHANCE, Chance, Found, SOCKETS};
use monster_store::Store;
use static_cell::{ConstStaticCell, StaticCell};

use bench::Bench;
use hw::console::{Console as Line, Pieces};
use hw::flash::{self, Flash};
use hw::nic::{Frames, Gate, Nic};
#[cfg(feature = "console")]
use hw::uart;
use hw::{interrupts, memory, power, random, stack};
use radio::Radio;

/// Which device is at which place of the bus; `cargo xtask virt` puts them there.
mod place {
    pub const STATION: usize = 0;
    pub const ACCESS_POINT: usize = 1;
    pub const BENCH: usize = 2;
    pub const RANDOM: usize = 3;
}

#[riscv_rt::entry]
fn main() -> ! {
    memory::paint();
    stack::guard();
    interrupts::init();
    static EXECUTOR: StaticCell<Executor> = StaticCell::new();
    let given = Given::new();
    EXECUTOR.init(Executor::new()).run(|spawner| {
        spawner.spawn(board(spawner, given).expect("it is spawned once"));
    })
}

/// What is made while the stack is still empty.
struct Given {
    chance: Option<Chance>,
    #[cfg(feature = "console")]
    console: Option<&'static Console>,
}

impl Given {
    fn new() -> Self {
        let chance = random::bytes::<CHANCE>(place::RANDOM);
        let chance = chance.as_ref().and_then(Chance::of);
        if chance.is_none() {
            let place = place::RANDOM;
            let none = format_args!("there is no source of random numbers at bus {place}");
            log::line(LogLevel::Warn, none);
        }
        Given {
            #[cfg(feature = "console")]
            console: chance
                .as_ref()
                .map(|chance| console::console("virt", chance.console)),
            chance,
        }
    }
}

/// The board, from power-on to restart.
#[embassy_executor::task]
async fn board(spawner: Spawner, given: Given) {
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
    let chance = given.chance;
    let seed = chance.as_ref().map_or(0, |chance| chance.seed);
    let flash = Flash::take().expect("it is taken once");
    let store = monster_net::open_store::<Board, _>(Some(flash), flash::STORE).await;
    let store = STORE.init(store);
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
    let console = given.console.and_then(|console| {
        let networks = Networks {
            joined: stack,
            #[cfg(feature = "access-point")]
            own: open_access_point(spawner, &ACCESS_POINT, seed)?,
        };
        spawner.spawn(talk(console).expect("it is spawned once"));
        Some(Served::open(spawner, console, networks))
    });
    let mut board = Board {
        bench,
        pulses: Vec::new(),
        entropy: chance.map(|chance| chance.entropy),
        #[cfg(feature = "console")]
        console,
    };
    let mut radio = Radio::new(bench, &STATION, &ACCESS_POINT);
    let reason =
        monster_net::run(start, stack, BUFFERS.take(), store, &mut board, &mut radio).await;
    power::restart(reason)
}

/// The network of the access point, if there is a card for it, and those who serve it.
#[cfg(feature = "access-point")]
fn open_access_point(spawner: Spawner, gate: &'static Gate, seed: u64) -> Option<Stack<'static>> {
    static FRAMES: ConstStaticCell<Frames> = ConstStaticCell::new(Frames::new());
    static RESOURCES: StaticCell<StackResources<{ access_point::SOCKETS }>> = StaticCell::new();
    let nic = Nic::open(gate, FRAMES.take())?;
    let resources = RESOURCES.init(StackResources::new());
    // The numbers of its connections are others than the station's.
    let (stack, runner) = embassy_net::new(nic, access_point::config(), resources, !seed);
    spawner.spawn(network(runner).expect("there are as many as that"));
    access_point::open(spawner, stack);
    Some(stack)
}

#[cfg(feature = "console")]
#[embassy_executor::task]
async fn talk(console: &'static Console) {
    console::talk(console, uart::Input, uart::Uart).await;
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
    fn console(&self) -> Option<Served> {
        self.console
    }

    fn set_led(&mut self, lit: bool) {
        self.bench.set_led(lit);
    }

    fn identify(&mut self) {
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
