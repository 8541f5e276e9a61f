//! The loop round the device. It has no logic of its own: what happens goes in, what the device
//! wants is carried out.

use core::cell::{Cell, RefCell};
use core::fmt;
use core::future::pending;
use core::pin::pin;

use embassy_futures::join::{join, join4};
use embassy_futures::select::{Either, Either3, select, select3};
use embassy_net::Stack;
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::signal::Signal;
use embassy_time::{Duration, Instant as SystemInstant, Timer};
use embedded_storage_async::nor_flash::NorFlash;
use monster::device::{Device, Input, Output, ResetReason, Start, Vitals};
use monster::identity::DeviceId;
use monster::random::Random;
use monster::settings::value::LogLevel;
use monster::settings::{LogSettings, SyslogServer, TimeServer};
use monster_store::{Name, Store};
use umqtt::Instant;

use crate::clock::Clock;
use crate::connection::{self, Buffers, Means, Wanted};
#[cfg(feature = "console")]
use crate::console::Served;
use crate::local::Local;
use crate::mdns;
use crate::radio::{self, Air, Radio};
use crate::sntp;
use crate::syslog::Syslog;
#[cfg(feature = "tls")]
use crate::tls::Tls;
use crate::trial::{self, Trying};
use crate::turn::Turn;

/// How often the board is asked how it is.
const VITALS_EVERY: Duration = Duration::from_secs(5);
/// How much later that may be, so that one who sleeps is not woken for this alone.
const VITALS_LATE: Duration = Duration::from_secs(1);

/// What a device's board has besides a network and flash.
#[allow(async_fn_in_trait, reason = "a board runs on one core")]
pub trait Board {
    /// Sets the switch's pin.
    fn set_switch(&mut self, level: bool);

    /// Waits for the next edge of the button's pin; returns whether the button is down.
    ///
    /// Cancelling it loses no edge.
    async fn button_edge(&mut self) -> bool;

    /// Asks the sensor; the widths of its pulses in microseconds, none if it does not answer
    /// ([`monster::dht`]).
    async fn measure(&mut self) -> &[u16];

    /// Shows a person which device this is, beside the status LED and a line of the log.
    fn identify(&mut self) {}

    /// Lights the status LED, or lets it be dark, if there is one.
    fn set_led(&mut self, _lit: bool) {}

    /// True chance that nobody else has, and that is never the same again: the keys of encrypted
    /// connections are made of it. It is asked once, at the start; `None` if the board has no source
    /// of it, and then there are none.
    fn entropy(&mut self) -> Option<[u8; 32]>;

    /// How the board is. It is asked every five or six seconds, as long as the device's loop goes
    /// round: so this is where a board learns that its watchdog may be fed.
    fn vitals(&mut self) -> Vitals {
        Vitals::default()
    }

    /// The console of this board, if it has one.
    #[cfg(feature = "console")]
    fn console(&self) -> Option<Served> {
        None
    }

    /// A line for the log.
    fn log(level: LogLevel, line: fmt::Arguments<'_>);
}

/// Runs a device until it is to be started anew, and returns why.
pub async fn run<B: Board, R: Radio, F: NorFlash>(
    start: Start,
    stack: Stack<'_>,
    buffers: &mut Buffers,
    store: &mut Store<F>,
    board: &mut B,
    radio: &mut R,
) -> ResetReason {
    let time_server = start.settings.time.server.clone();
    let LogSettings { level, syslog, .. } = start.settings.log.clone();
    // The device's own numbers say nothing of these.
    let random = Random::new(!start.seed);
    let Buffers {
        receive,
        send,
        connection,
        ..
    } = buffers;
    #[cfg(feature = "tls")]
    let tls = Tls::new::<B, F>(&mut buffers.tls, board.entropy(), store, &start.settings).await;
    let id = start.id.clone();
    let local = Local::start(board, &start, store).await;
    let credentials = local.credentials::<B, F>(&start.id, store).await;
    let air = Air::new(start.settings.wifi.clone(), credentials);
    let mut device = Device::new(start, receive, send, now());
    let image = connection.image();
    if let Some(length) = store.session(image).await {
        device.restore_session(image.get(..length).unwrap_or_default());
    }
    let shared = Shared::new(device, local, air, level, syslog.is_some());
    let reason = {
        let means = Means::new(
            connection,
            #[cfg(feature = "tls")]
            tls,
        );
        let mut connection = pin!(connection::run::<B>(&shared, stack, means));
        let background = join4(
            keep_time::<B>(stack, time_server.as_ref(), random, &shared),
            mdns::run(stack, &id),
            radio::run::<B, R>(&shared, stack, radio),
            send_log(stack, syslog.as_ref(), &id, &shared),
        );
        let running = select3(
            run_device(&shared, store, board),
            connection.as_mut(),
            background,
        );
        let reason = match running.await {
            Either3::First(reason) => reason,
            // It ends only when it is told to, below.
            Either3::Second(()) => return ResetReason::Unknown,
            Either3::Third((never, ..)) => never,
        };
        shared.wanted.signal(Wanted::Gone);
        join(connection, shared.local.farewell()).await;
        reason
    };
    if shared.keeps_session.get() {
        keep_session::<B, F>(&shared, store, connection.image()).await;
    }
    reason
}

/// Stores the MQTT session, once there is no connection any more.
async fn keep_session<B: Board, F: NorFlash>(
    shared: &Shared<'_>,
    store: &mut Store<F>,
    image: &mut [u8],
) {
    let length = shared.device.borrow().session_image(image);
    let image = length.and_then(|length| image.get(..length));
    let kept = store.save_blob(Name::Session, image.unwrap_or_default());
    if let Err(error) = kept.await {
        let why = format_args!("the MQTT session is not kept: {error}");
        shared.log::<B>(LogLevel::Error, why);
    }
}

async fn keep_time<B: Board>(
    stack: Stack<'_>,
    server: Option<&TimeServer>,
    random: Random,
    shared: &Shared<'_>,
) -> ! {
    match server {
        Some(server) => sntp::run::<B>(stack, server, random, shared).await,
        None => pending().await,
    }
}

async fn send_log(
    stack: Stack<'_>,
    server: Option<&SyslogServer>,
    id: &DeviceId,
    shared: &Shared<'_>,
) -> ! {
    match server {
        Some(server) => {
            shared
                .syslog
                .run(stack, server, id, &shared.was_tried)
                .await
        }
        None => pending().await,
    }
}

/// The device, and what its loop and its connection tell each other.
pub(crate) struct Shared<'a> {
    pub device: RefCell<Device<'a>>,
    pub clock: Clock,
    pub air: Air,
    /// The network is there, as far as the device was told.
    is_there: Cell<bool>,
    /// What the device wants of its connection, from now on.
    pub wanted: Signal<NoopRawMutex, Wanted>,
    /// The device may have bytes to send.
    pub to_send: Signal<NoopRawMutex, ()>,
    /// The broker's address was found and tried, or waits for the time of day.
    pub was_tried: Turn,
    /// The device has looked at what it was told, and may have room for more.
    pub looked: Signal<NoopRawMutex, ()>,
    /// The device was told something.
    told: Signal<NoopRawMutex, ()>,
    /// At the end, the MQTT session is to be stored.
    keeps_session: Cell<bool>,
    /// Whoever is at the device itself.
    pub local: Local,
    /// How much the log says.
    level: LogLevel,
    /// Somebody takes it by syslog.
    has_log_server: bool,
    /// The log on its way to a server.
    syslog: Syslog,
    /// Other settings that are being tried.
    pub trying: RefCell<Option<Trying>>,
}

impl<'a> Shared<'a> {
    fn new(
        device: Device<'a>,
        local: Local,
        air: Air,
        level: LogLevel,
        has_log_server: bool,
    ) -> Self {
        Shared {
            device: RefCell::new(device),
            clock: Clock::new(),
            air,
            is_there: Cell::new(true),
            wanted: Signal::new(),
            to_send: Signal::new(),
            was_tried: Turn::new(),
            looked: Signal::new(),
            told: Signal::new(),
            keeps_session: Cell::new(false),
            local,
            level,
            has_log_server,
            syslog: Syslog::new(),
            trying: RefCell::new(None),
        }
    }

    /// Tells the device what happened.
    pub fn tell(&self, input: Input<'_>) {
        self.device.borrow_mut().handle(input, now());
        self.told();
    }

    /// The network is there, or is not: the device is told what is new.
    pub fn network_is(&self, there: bool) {
        if self.is_there.replace(there) != there {
            self.tell(Input::Network(there));
        }
    }

    /// Whether it is there, as far as the device was told.
    pub fn has_network(&self) -> bool {
        self.is_there.get()
    }

    /// The device was told something.
    pub fn told(&self) {
        self.told.signal(());
    }

    /// A line for the log, wherever it is shown.
    pub fn log<B: Board>(&self, level: LogLevel, line: fmt::Arguments<'_>) {
        B::log(level, line);
        if level <= self.level {
            self.local.log(level, line);
            if self.has_log_server {
                self.syslog.add(level, line);
            }
        }
    }

    /// When the device's loop goes round again, if nothing happens before.
    fn deadline(&self) -> Option<Instant> {
        let device = self.device.borrow().deadline();
        let trying = self.trying.borrow();
        let trial = trying.as_ref().and_then(Trying::deadline);
        [device, self.local.deadline(), trial]
            .into_iter()
            .flatten()
            .min()
    }
}

async fn run_device<B: Board, F: NorFlash>(
    shared: &Shared<'_>,
    store: &mut Store<F>,
    board: &mut B,
) -> ResetReason {
    let mut next_vitals = SystemInstant::now();
    let mut was_there = true;
    loop {
        if let Some(reason) = carry_out(shared, store, board).await {
            return reason;
        }
        trial::look::<B, F>(shared, store).await;
        let is_there = shared.has_network();
        if core::mem::replace(&mut was_there, is_there) != is_there {
            shared.local.set_network(is_there);
        }
        shared.local.update(&shared.device.borrow(), now());
        if shared.local.was_portal_used() {
            shared.tell(Input::PortalUsed);
        }
        shared.to_send.signal(());
        shared.looked.signal(());
        let deadline = shared.deadline();
        let latest = next_vitals + VITALS_LATE;
        let due = deadline.map_or(latest, |deadline| system(deadline).min(latest));
        let told = shared.told.wait();
        let hands = select(board.button_edge(), shared.local.request());
        match select3(told, hands, Timer::at(due)).await {
            Either3::Second(Either::First(pressed)) => shared.tell(Input::Button { pressed }),
            Either3::Second(Either::Second(request)) => {
                shared.local.carry_out::<B, F>(request, shared, store).await;
            }
            Either3::First(()) | Either3::Third(()) => {}
        }
        if next_vitals <= SystemInstant::now() {
            shared.tell(Input::Vitals(board.vitals()));
            next_vitals = SystemInstant::now() + VITALS_EVERY;
        }
    }
}

/// Does what the device wants, until it wants nothing more; or returns why it is to be restarted.
async fn carry_out<B: Board, F: NorFlash>(
    shared: &Shared<'_>,
    store: &mut Store<F>,
    board: &mut B,
) -> Option<ResetReason> {
    loop {
        let output = shared.device.borrow_mut().poll(now())?;
        match output {
            Output::Connect => shared.wanted.signal(Wanted::Open),
            Output::Close => shared.wanted.signal(Wanted::Closed),
            Output::Switch { level } => board.set_switch(level),
            Output::Measure => shared.tell(Input::Pulses(board.measure().await)),
            Output::Save(record) => match store.save(&record).await {
                Ok(()) => shared.tell(Input::Saved(record.key)),
                Err(error) => {
                    shared.log::<B>(LogLevel::Error, format_args!("cannot store: {error}"));
                    shared.tell(Input::SaveFailed(record.key));
                }
            },
            // Its image wants memory that the connection has until the end.
            Output::SaveSession => shared.keeps_session.set(true),
            Output::ForgetSession => {
                if let Err(error) = store.remove_blob(Name::Session).await {
                    let why = format_args!("the MQTT session is still stored: {error}");
                    shared.log::<B>(LogLevel::Error, why);
                }
            }
            Output::Identify => {
                B::log(LogLevel::Info, format_args!("*** this is the one ***"));
                board.identify();
            }
            Output::Led { lit } => board.set_led(lit),
            Output::AccessPoint { up } => {
                shared.air.set_access_point(up);
                shared.local.set_access_point(up);
            }
            Output::Log(line) => shared.log::<B>(line.level, format_args!("{}", line.text)),
            Output::FactoryReset => {
                if let Err(error) = store.factory_reset().await {
                    B::log(LogLevel::Error, format_args!("cannot forget: {error}"));
                }
                return Some(ResetReason::Command);
            }
            Output::Restart(reason) => return Some(reason),
            // Nobody asks a board to stop; should the core do so, a start is the way out.
            Output::Stopped => return Some(ResetReason::Unknown),
        }
    }
}

pub(crate) fn now() -> Instant {
    Instant::from_millis(SystemInstant::now().as_millis())
}

fn system(instant: Instant) -> SystemInstant {
    SystemInstant::try_from_millis(instant.as_millis()).unwrap_or(SystemInstant::MAX)
}
