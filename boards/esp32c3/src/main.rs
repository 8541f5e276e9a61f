//! Monster on an ESP32-C3.
//!
//! It is a thin shell round the device core: the loop is `monster_net`'s, what is kept
//! `monster_store`'s, and here are the drivers ([`hw`]) and how they are wired.

#![no_std]
#![no_main]
#![deny(unsafe_code)]

mod hw;
mod log;

use core::fmt;

use embassy_executor::Spawner;
#[cfg(feature = "access-point")]
use embassy_net::Stack;
use embassy_net::{Config, Runner, StackResources};
use esp_hal::clock::CpuClock;
use esp_hal::efuse;
use esp_hal::gpio::Pin;
#[cfg(feature = "console")]
use esp_hal::peripherals::USB_DEVICE;
use esp_hal::rtc_cntl::Rtc;
use esp_hal::timer::timg::TimerGroup;
#[cfg(feature = "console")]
use esp_hal::usb::usb_serial_jtag::UsbSerialJtag;
use esp_radio::wifi::Interface;
use monster::device::{ResetReason, Vitals};
use monster::settings::value::LogLevel;
#[cfg(feature = "access-point")]
use monster_net::access_point;
#[cfg(feature = "console")]
use monster_net::console::{self, Console, Networks, Served};
use monster_net::{Buffers, CHANCE, Chance, Found, SOCKETS};
use monster_store::Store;
use static_cell::{ConstStaticCell, StaticCell};

use hw::button::Button;
use hw::flash::Partition;
use hw::led::Led;
use hw::pins::{NoPin, Pins};
use hw::power::{self, Watchdog};
use hw::radio::{Radio, Signal};
use hw::random;
use hw::sensor::Sensor;
use hw::switch::Switch;

esp_bootloader_esp_idf::esp_app_desc!();

/// The pins, where the settings name no others.
mod pin {
    pub const SENSOR: usize = 4;
    pub const SWITCH: usize = 5;
    pub const LED: usize = 8;
    pub const BUTTON: usize = 9;
}

/// Memory for the radio and its threads: what the bootloader leaves behind, and some more.
const HEAP_RECLAIMED: usize = 64 * 1024;
const HEAP_OWN: usize = 36 * 1024;

/// The board, from power-on to restart.
#[esp_rtos::main]
async fn main(spawner: Spawner) {
    static WATCHDOG: ConstStaticCell<Watchdog> = ConstStaticCell::new(Watchdog::new());
    static SIGNAL: ConstStaticCell<Signal> = ConstStaticCell::new(Signal::new());
    static STORE: StaticCell<Store<Partition>> = StaticCell::new();
    static RESOURCES: StaticCell<StackResources<SOCKETS>> = StaticCell::new();
    static BUFFERS: ConstStaticCell<Buffers> = ConstStaticCell::new(Buffers::new());

    #[cfg(feature = "radio-log")]
    esp_println::logger::init_logger(::log::LevelFilter::Info);
    let p = esp_hal::init(esp_hal::Config::default().with_cpu_clock(CpuClock::max()));
    let timer = power::watch(p.RTC_TIMER);
    esp_alloc::heap_allocator!(#[esp_hal::ram(reclaimed)] size: HEAP_RECLAIMED);
    esp_alloc::heap_allocator!(size: HEAP_OWN);
    esp_rtos::start(TimerGroup::new(p.TIMG0).timer0, p.FROM_CPU_INTR0);
    let (watchdog, signal) = (&*WATCHDOG.take(), &*SIGNAL.take());
    spawner.spawn(watch(watchdog, timer).expect("it is spawned once"));

    let reset = power::reset_reason();
    let chance = Chance::of(&random::bytes::<CHANCE>(p.RNG, p.ADC1));
    let seed = chance.as_ref().map_or(0, |chance| chance.seed);
    let mut address = [0; 6];
    address.copy_from_slice(efuse::base_mac_address().as_bytes());
    let partition = Partition::store(p.FLASH);
    if partition.is_none() {
        let why = format_args!("the partition table has no partition `store`");
        log::line(LogLevel::Error, why);
    }
    let range = partition.as_ref().map_or(0..0, Partition::range);
    let store = STORE.init(monster_net::open_store::<Board, _>(partition, range).await);
    let mut pins = Pins::new([
        (0, p.GPIO0.degrade()),
        (1, p.GPIO1.degrade()),
        (2, p.GPIO2.degrade()),
        (3, p.GPIO3.degrade()),
        (4, p.GPIO4.degrade()),
        (5, p.GPIO5.degrade()),
        (6, p.GPIO6.degrade()),
        (7, p.GPIO7.degrade()),
        (8, p.GPIO8.degrade()),
        (9, p.GPIO9.degrade()),
        (10, p.GPIO10.degrade()),
        (20, p.GPIO20.degrade()),
        (21, p.GPIO21.degrade()),
    ]);
    let found = Found {
        address,
        reset,
        seed,
        button_pressed: false,
    };
    let mut start = monster_net::start::<Board, _>(store, found).await;
    let settings = &start.settings;
    log::set_level(settings.log.level);
    let mut take = |key: &str, name, default| {
        pins.take(name, default)
            .map_err(|pin| no_pin(key, pin))
            .ok()
    };
    let switch = take("switch.gpio", &settings.switch.gpio, pin::SWITCH);
    let button = take("button.gpio", &settings.button.gpio, pin::BUTTON).map(Button::new);
    let sensor = settings.climate.kind.on_the_line();
    let sensor = sensor.and_then(|kind| {
        let pin = take("climate.gpio", &settings.climate.gpio, pin::SENSOR)?;
        Sensor::new(kind, pin, p.RMT).ok()
    });
    let led = take("led.gpio", &settings.led.gpio, pin::LED).map(Led::new);
    start.button_pressed = button.as_ref().is_some_and(Button::is_down);

    let resources = RESOURCES.init(StackResources::new());
    let config = Config::dhcpv4(Default::default());
    let (stack, runner) = embassy_net::new(Interface::station(), config, resources, seed);
    spawner.spawn(network(runner).expect("it is spawned once"));
    #[cfg(feature = "console")]
    let console = chance.as_ref().map(|chance| {
        let console = console::console("esp32c3", chance.console);
        let networks = Networks {
            joined: stack,
            #[cfg(feature = "access-point")]
            own: open_access_point(spawner, seed),
        };
        spawner.spawn(talk(console, p.USB_DEVICE).expect("it is spawned once"));
        Served::open(spawner, console, networks)
    });
    let mut board = Board {
        switch: switch.map_or(Switch::Missing, Switch::Floating),
        button,
        sensor,
        led,
        signal,
        watchdog,
        entropy: chance.map(|chance| chance.entropy),
        #[cfg(feature = "console")]
        console,
    };
    let mut radio = Radio::new(p.WIFI, signal);
    let reason =
        monster_net::run(start, stack, BUFFERS.take(), store, &mut board, &mut radio).await;
    power::restart(reason)
}

/// The network of the access point, and those who serve it.
#[cfg(feature = "access-point")]
fn open_access_point(spawner: Spawner, seed: u64) -> Stack<'static> {
    static RESOURCES: StaticCell<StackResources<{ access_point::SOCKETS }>> = StaticCell::new();
    let resources = RESOURCES.init(StackResources::new());
    let (card, config) = (Interface::access_point(), access_point::config());
    // The numbers of its connections are others than the station's.
    let (stack, runner) = embassy_net::new(card, config, resources, !seed);
    spawner.spawn(network(runner).expect("there are as many as that"));
    access_point::open(spawner, stack);
    stack
}

/// What is typed comes by USB alone: the pins of the UART may be somebody else's.
#[cfg(feature = "console")]
#[embassy_executor::task]
async fn talk(console: &'static Console, port: USB_DEVICE<'static>) {
    let (reader, _) = UsbSerialJtag::new(port).into_async().split();
    console::talk(console, reader, esp_println::Printer).await;
}

#[embassy_executor::task]
async fn watch(watchdog: &'static Watchdog, timer: Rtc<'static>) {
    watchdog.run(timer).await;
}

#[embassy_executor::task(pool_size = 2)]
async fn network(mut runner: Runner<'static, Interface>) {
    runner.run().await;
}

/// A pin that is set but cannot be had: what hangs on it does nothing, and all else works.
fn no_pin(key: &str, pin: NoPin<'_>) {
    let name = pin.0.unwrap_or("the default");
    log::line(
        LogLevel::Error,
        format_args!("{key}: this board has no free pin `{name}`; it has 0 to 10, 20 and 21"),
    );
}

/// This board's pins, for the device's loop.
struct Board {
    switch: Switch,
    button: Option<Button>,
    sensor: Option<Sensor>,
    led: Option<Led>,
    signal: &'static Signal,
    watchdog: &'static Watchdog,
    entropy: Option<[u8; 32]>,
    #[cfg(feature = "console")]
    console: Option<Served>,
}

impl monster_net::Board for Board {
    fn set_switch(&mut self, level: bool) {
        self.switch.set(level);
    }

    async fn button_edge(&mut self) -> bool {
        match &mut self.button {
            Some(button) => button.edge().await,
            None => core::future::pending().await,
        }
    }

    async fn measure(&mut self) -> &[u16] {
        match &mut self.sensor {
            Some(sensor) => sensor.measure().await,
            None => &[],
        }
    }

    fn entropy(&mut self) -> Option<[u8; 32]> {
        self.entropy.take()
    }

    #[cfg(feature = "console")]
    fn console(&self) -> Option<Served> {
        self.console
    }

    fn set_led(&mut self, lit: bool) {
        if let Some(led) = &mut self.led {
            led.set(lit);
        }
    }

    fn vitals(&mut self) -> Vitals {
        self.watchdog.alive();
        Vitals {
            free: u32::try_from(esp_alloc::HEAP.free()).ok(),
            rssi: self.signal.rssi(),
        }
    }

    fn log(level: LogLevel, line: fmt::Arguments<'_>) {
        log::line(level, line);
    }
}

/// A mistake in this firmware: it is said, and the chip starts anew.
#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    log::line(LogLevel::Error, format_args!("{info}"));
    power::restart(ResetReason::Unknown)
}
