//! `monster run`: the loop round the device. It has no logic of its own: what happens goes in, what
//! the device wants is carried out.

use std::fmt::Display;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use monster::device::{Device, Input, Output, RECEIVE_BUFFER, ResetReason, SEND_BUFFER, Start};
use monster::dht::Reading;
use monster::identity::DeviceId;
use monster::memory::Memory;
use monster::settings::Settings;
use monster::settings::value::LogLevel;
use monster_console::{Request, failure};
use tokio::time::{Instant as SystemInstant, sleep_until};
use umqtt::Clock as _;

use crate::clock::Clock;
use crate::console::Console;
use crate::control::{self, Control};
use crate::identity::random_bytes;
use crate::keys::{Key, Keys, give_terminal_back};
use crate::link::{Link, LinkEvent};
use crate::notify::Notifier;
use crate::pins::{Button, Fault, Pins, Sensor};
use crate::signals::{Signal, Signals};
use crate::store::Store;
use crate::style::{GOOD, STRONG};
use crate::syslog::Syslog;
use crate::transport::Endpoint;

/// How long the device may take to say goodbye.
const STOP_TIMEOUT: Duration = Duration::from_secs(3);
/// How long a line of the log may wait, so that nobody waits for an answer while a terminal shows why.
const LOG_DELAY: Duration = Duration::from_millis(50);
/// The exit code of a program that Ctrl-C ended (128 and the signal's number).
const INTERRUPTED: i32 = 130;

/// What the device runs with, whatever becomes of it.
pub struct Board {
    pub settings: Settings,
    pub id: DeviceId,
    pub endpoint: Endpoint,
    pub store: Store,
    pub console: Console,
    pub control: Rc<Control>,
    /// Where the console listens.
    pub door: Option<SocketAddr>,
    /// The settings as they were given, before this board completed them.
    pub given: Settings,
    /// The password of the console, unless the settings have one.
    pub password: String,
}

/// Why a device ended.
enum End {
    Stopped,
    Restart(ResetReason),
}

impl Board {
    /// Runs the device until somebody stops it. A restart is one within this process.
    pub async fn run(self, pins: Pins, keys: Option<Keys>, notifier: Notifier) {
        let mut world = World {
            pins,
            keys,
            notifier,
            signals: Signals::listen(),
        };
        let mut reset = ResetReason::PowerOn;
        while let End::Restart(reason) = self.run_once(reset, &mut world).await {
            reset = reason;
        }
    }

    async fn run_once(&self, reset: ResetReason, world: &mut World) -> End {
        let World {
            pins,
            keys,
            notifier,
            signals,
        } = world;
        let clock = Clock::new();
        control::start(&self.control, clock, &self.id, &self.given, &self.password);
        let mut receive = [0; RECEIVE_BUFFER];
        let mut send = [0; SEND_BUFFER];
        let start = self.start(reset, pins.start());
        let mut running = Running {
            board: self,
            device: Device::new(start, &mut receive, &mut send, clock.now()),
            link: Link::Down,
            network: true,
            pins,
            notifier,
            clock,
            sensor_fault: None,
            syslog: self.settings.log.syslog.as_ref().map(Syslog::start),
            log: Vec::new(),
            stopping: None,
        };
        loop {
            let end = running.carry_out().await;
            if end.is_some() || running.log_is_due() {
                running.print_log();
            }
            if let Some(end) = end {
                return end;
            }
            running.show();
            let wake = running.wake();
            tokio::select! {
                event = running.link.event(&mut running.device) => running.link_event(event),
                edge = running.pins.button.edge(&running.clock) => running.button_edge(edge),
                reading = running.pins.sensor.reading() => running.sensor_reading(reading),
                key = next_key(keys) => match key {
                    Some(Key::Quit) => running.stop(),
                    Some(Key::Interrupt) => running.interrupted(),
                    Some(key) => running.key(key),
                    None => *keys = None,
                },
                signal = signals.next() => match signal {
                    Signal::Interrupt => running.interrupted(),
                    Signal::Terminate => running.stop(),
                },
                request = self.control.request() => running.request(request),
                () = sleep_until(wake.unwrap_or_else(SystemInstant::now)), if wake.is_some() => {}
            }
        }
    }

    fn start(&self, reset: ResetReason, button_pressed: bool) -> Start {
        let mut warnings = Vec::new();
        let mut memory = Memory::default();
        for (key, bytes) in self.store.load(&mut warnings) {
            if let Err(error) = memory.load(key, &bytes) {
                warnings.push(error.to_string());
            }
        }
        let boots = self.store.count_boot(&mut warnings);
        for warning in warnings {
            self.console.log(LogLevel::Warn, warning);
        }
        Start {
            settings: self.settings.clone(),
            id: self.id.clone(),
            // Without chance the waits are the same as another device's, which is no reason to stop.
            seed: random_bytes().map_or(0, u64::from_le_bytes),
            reset,
            boots,
            memory,
            button_pressed,
        }
    }
}

/// What outlives a device that starts anew.
struct World {
    pins: Pins,
    keys: Option<Keys>,
    notifier: Notifier,
    signals: Signals,
}

async fn next_key(keys: &mut Option<Keys>) -> Option<Key> {
    match keys {
        Some(keys) => keys.next().await,
        None => std::future::pending().await,
    }
}

/// One life of the device.
struct Running<'a, 'b> {
    board: &'a Board,
    device: Device<'b>,
    link: Link,
    /// Whether the simulated network is there.
    network: bool,
    pins: &'a mut Pins,
    notifier: &'a mut Notifier,
    clock: Clock,
    /// What was said last of a sensor that does not answer.
    sensor_fault: Option<String>,
    syslog: Option<Syslog>,
    /// Lines that are still to be printed, and when they came.
    log: Vec<(SystemInstant, LogLevel, String)>,
    /// Since when the device is asked to stop.
    stopping: Option<SystemInstant>,
}

impl Running<'_, '_> {
    /// Does what the device wants, until it wants nothing more; or returns how it ended.
    async fn carry_out(&mut self) -> Option<End> {
        if self
            .stopping
            .is_some_and(|since| since.elapsed() >= STOP_TIMEOUT)
        {
            self.say(LogLevel::Warn, "stopped without a goodbye");
            return Some(End::Stopped);
        }
        loop {
            let Some(output) = self.device.poll(self.clock.now()) else {
                // Answers first: a terminal takes its time to show a line.
                if self.device.transmit().is_empty() {
                    return None;
                }
                let event = self.link.event_now(&mut self.device).await?;
                self.link_event(event);
                continue;
            };
            match output {
                Output::Connect => self.link.open(&self.board.endpoint),
                Output::Close => self.link.close().await,
                Output::Switch { level } => self.switch(level),
                Output::Measure => {
                    if let Some(pulses) = self.pins.sensor.measure() {
                        self.tell(Input::Pulses(&pulses));
                    }
                }
                Output::Save(record) => {
                    let saved = self.board.store.save(record.key, &record.bytes);
                    match saved {
                        Ok(()) => self.tell(Input::Saved(record.key)),
                        Err(error) => {
                            self.say(LogLevel::Error, format_args!("cannot store: {error}"));
                            self.tell(Input::SaveFailed(record.key));
                        }
                    }
                }
                Output::Identify => {
                    let id = &self.board.id;
                    let text = format!("\x07{STRONG}{GOOD}*** this is {id} ***{GOOD:#}{STRONG:#}");
                    self.say(LogLevel::Info, text);
                }
                Output::Led { lit } => {
                    if let Err(error) = self.pins.set_led(lit) {
                        self.say(LogLevel::Error, format_args!("the status LED: {error}"));
                    }
                }
                // A desk has no radio of its own to open one with.
                Output::AccessPoint { .. } => {}
                Output::Log(line) => {
                    if let Some(syslog) = &self.syslog {
                        syslog.send(line.syslog(&self.board.id).to_string());
                    }
                    self.say(line.level, line.text);
                }
                Output::FactoryReset => {
                    self.link.close().await;
                    let forgotten = match self.board.store.forget() {
                        Ok(()) => "everything is forgotten but what the file, the environment and \
                                   the flags say"
                            .to_owned(),
                        Err(error) => format!("not everything is forgotten: {error}"),
                    };
                    self.say(LogLevel::Warn, forgotten);
                    return Some(End::Restart(ResetReason::Command));
                }
                Output::Restart(reason) => {
                    self.link.close().await;
                    return Some(End::Restart(reason));
                }
                Output::Stopped => {
                    self.link.close().await;
                    return Some(End::Stopped);
                }
            }
        }
    }

    fn switch(&mut self, high: bool) {
        let level = if high { "high" } else { "low" };
        match self.pins.set_switch(high) {
            Ok(()) => self.say(LogLevel::Debug, format_args!("the switch's pin is {level}")),
            Err(error) => self.say(
                LogLevel::Error,
                format_args!("the switch's pin cannot be {level}: {error}"),
            ),
        }
    }

    /// Shows how the device is, to people and to systemd. Only a device that has had its turn is shown.
    fn show(&mut self) {
        self.notifier.turned(if self.device.is_online() {
            "connected to the broker"
        } else {
            "no connection to the broker"
        });
        self.board.control.update(&self.device, self.clock.now());
    }

    /// When the log is to be printed.
    fn log_deadline(&self) -> Option<SystemInstant> {
        self.log.first().map(|(since, ..)| *since + LOG_DELAY)
    }

    fn log_is_due(&self) -> bool {
        self.log_deadline()
            .is_some_and(|due| due <= SystemInstant::now())
    }

    fn print_log(&mut self) {
        for (at, level, line) in self.log.drain(..) {
            self.board.console.log_at(at.into_std(), level, line);
        }
    }

    /// When something is due, if nothing happens before.
    fn wake(&self) -> Option<SystemInstant> {
        let due = [self.device.deadline(), self.board.control.deadline()];
        let due = due.into_iter().flatten().min();
        let stop = self.stopping.map(|since| since + STOP_TIMEOUT);
        [
            due.map(|due| self.clock.system(due)),
            stop,
            self.log_deadline(),
            self.notifier.deadline(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    fn link_event(&mut self, event: LinkEvent) {
        let now = self.clock.now();
        match event {
            LinkEvent::Wrote(count) => self.device.transmitted(count, now),
            LinkEvent::Read(count) => self.device.received(count, now),
            LinkEvent::Opened(ip) => self.tell(Input::Connected { ip }),
            LinkEvent::OpenFailed(reason) => self.tell(Input::ConnectFailed(&reason)),
            LinkEvent::Closed(reason) => self.tell(Input::Closed(&reason)),
        }
    }

    fn button_edge(&mut self, edge: Result<bool, String>) {
        match edge {
            Ok(pressed) => self.tell(Input::Button { pressed }),
            Err(error) => self.say(
                LogLevel::Error,
                format_args!("the button is not heard any more: {error}"),
            ),
        }
    }

    fn sensor_reading(&mut self, reading: Result<Reading, Fault>) {
        let fault = reading.as_ref().err().map(|fault| fault.why.clone());
        if let Some(why) = fault
            .as_ref()
            .filter(|why| self.sensor_fault.as_ref() != Some(why))
        {
            self.say(LogLevel::Warn, format_args!("sensor: {why}"));
        }
        self.sensor_fault = fault;
        self.tell(Input::Reading(reading.map_err(|fault| fault.error)));
    }

    fn key(&mut self, key: Key) {
        let now = self.clock.now();
        match key {
            Key::Press | Key::Hold => {
                if let Button::Simulated(button) = &mut self.pins.button {
                    match key {
                        Key::Press => button.press(now),
                        _ => button.hold(now),
                    }
                }
            }
            Key::Warmer | Key::Colder => {
                if let Sensor::Simulated(sensor) = &mut self.pins.sensor {
                    let reading = sensor.change_temperature(key == Key::Warmer);
                    let celsius = reading.celsius();
                    self.say(
                        LogLevel::Info,
                        format_args!("the sensor is at {celsius} °C"),
                    );
                }
            }
            Key::Network => {
                self.network = !self.network;
                if !self.network {
                    self.link.cut();
                }
                self.tell(Input::Network(self.network));
            }
            Key::Console => {
                if let Some(door) = self.board.door {
                    let link = control::link(&self.board.control, door);
                    self.show_only(format_args!("the console: {STRONG}{link}{STRONG:#}"));
                }
            }
            Key::Quit | Key::Interrupt => {}
        }
    }

    /// Asks the device to stop. Whoever asks twice does not want to wait.
    fn interrupted(&mut self) {
        if self.stopping.is_some() {
            give_terminal_back();
            std::process::exit(INTERRUPTED);
        }
        self.stop();
    }

    fn stop(&mut self) {
        if self.stopping.is_none() {
            self.stopping = Some(SystemInstant::now());
            self.notifier.stopping();
            self.say(LogLevel::Info, "stopping");
            self.tell(Input::Stop);
        }
    }

    fn tell(&mut self, input: Input<'_>) {
        self.device.handle(input, self.clock.now());
    }

    /// What somebody at the console wants.
    fn request(&mut self, request: Request) {
        let answer = match request {
            Request::Command(command) => {
                self.tell(Input::Local(command));
                self.board.control.update(&self.device, self.clock.now());
                Ok(())
            }
            Request::Store => Err(failure(
                "this computer keeps its settings in a file; change them there",
            )),
        };
        self.board.control.answer(answer);
    }

    /// A line for the log.
    fn say(&mut self, level: LogLevel, text: impl Display) {
        let text = text.to_string();
        if level <= self.board.settings.log.level {
            let plain = anstream::adapter::strip_str(&text).to_string();
            let line = format_args!("{}", plain.trim_matches('\x07'));
            self.board.control.log(level, line);
        }
        self.log.push((SystemInstant::now(), level, text));
    }

    /// A line for who sits at the terminal, and nobody else.
    fn show_only(&mut self, text: impl Display) {
        let line = (SystemInstant::now(), LogLevel::Info, text.to_string());
        self.log.push(line);
    }
}
