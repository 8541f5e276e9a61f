//! `monster run`: the loop round the device. It has no logic of its own: what happens goes in, what
//! the device wants is carried out.

use std::fmt::Display;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use monster::device::{
    Device, Input, Output, RECEIVE_BUFFER, ResetReason, SEND_BUFFER, SESSION_IMAGE, Start,
};
use monster::dht::Reading;
use monster::memory::Memory;
use monster::settings::value::LogLevel;
use monster_console::{Request, failure};
use monster_store::file::block_on;
use monster_store::{Name, Starts};
use tokio::time::{Instant as SystemInstant, sleep_until};
use umqtt::Clock as _;

use crate::Failure;
use crate::clock::Clock;
use crate::control::{self, Control};
use crate::identity::random_bytes;
use crate::keys::{Key, Keys, give_terminal_back};
use crate::life::{Desk, Life, Wired};
use crate::link::{Link, LinkEvent};
use crate::notify::Notifier;
use crate::pins::{Button, Fault, Pins, Sensor};
use crate::signals::{Signal, Signals};
use crate::style::{GOOD, STRONG};
use crate::syslog::Syslog;

/// How long the device may take to say goodbye.
const STOP_TIMEOUT: Duration = Duration::from_secs(3);
/// How long a line of the log may wait, so that nobody waits for an answer while a terminal shows why.
const LOG_DELAY: Duration = Duration::from_millis(50);
/// The exit code of a program that Ctrl-C ended (128 and the signal's number).
const INTERRUPTED: i32 = 130;

/// Why a device ended.
enum End {
    Stopped,
    Restart(ResetReason),
}

/// Runs the device until somebody stops it. A restart is one within this process.
///
/// # Errors
/// It cannot start anew.
pub async fn run(
    mut desk: Desk,
    mut life: Life,
    mut wired: Wired,
    access: Access,
    keys: Option<Keys>,
    notifier: Notifier,
) -> Result<(), Failure> {
    let mut world = World {
        access,
        keys,
        notifier,
        signals: Signals::listen(),
    };
    let mut reset = ResetReason::PowerOn;
    while let End::Restart(reason) = world.run(&mut desk, &life, &mut wired.pins, reset).await {
        reset = reason;
        (life, wired) = desk.start(Some(wired))?;
    }
    Ok(())
}

/// How people come to its console.
pub struct Access {
    pub control: Rc<Control>,
    /// Where it listens.
    pub door: Option<SocketAddr>,
}

/// What outlives a device that starts anew.
struct World {
    access: Access,
    keys: Option<Keys>,
    notifier: Notifier,
    signals: Signals,
}

impl World {
    /// One life.
    async fn run(
        &mut self,
        desk: &mut Desk,
        life: &Life,
        pins: &mut Pins,
        reset: ResetReason,
    ) -> End {
        let World {
            access,
            keys,
            notifier,
            signals,
        } = self;
        let clock = Clock::new();
        let password = desk.console_password();
        control::start(&access.control, clock, life, password.expose());
        let mut receive = [0; RECEIVE_BUFFER];
        let mut send = [0; SEND_BUFFER];
        let start = start(desk, life, reset, pins.start());
        let mut device = Device::new(start, &mut receive, &mut send, clock.now());
        restore_session(&mut device, desk);
        let mut running = Running {
            desk,
            life,
            access,
            device,
            link: Link::Down,
            network: true,
            pins,
            notifier,
            clock,
            sensor_fault: None,
            syslog: life.settings.log.syslog.as_ref().map(Syslog::start),
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
                request = access.control.request() => running.request(request).await,
                () = sleep_until(wake.unwrap_or_else(SystemInstant::now)), if wake.is_some() => {}
            }
        }
    }
}

/// What is stored, and what the device is told of its start.
fn start(desk: &mut Desk, life: &Life, reset: ResetReason, button_pressed: bool) -> Start {
    let (store, warnings) = (&mut desk.store, &mut desk.warnings);
    let damaged = |key| warnings.push(format!("the stored record {key} is left out"));
    let mut memory = block_on(store.memory(damaged)).unwrap_or_else(|error| {
        warnings.push(format!("nothing is remembered: {error}"));
        Memory::default()
    });
    memory.fault = store.fault().or(life.fault);
    let starts = block_on(store.count_start(reset)).unwrap_or_else(|error| {
        warnings.push(format!("this start is not counted: {error}"));
        Starts::default()
    });
    for warning in desk.warnings.drain(..) {
        desk.console.log(LogLevel::Warn, warning);
    }
    Start {
        settings: life.settings.clone(),
        id: life.id.clone(),
        // Without chance the waits are the same as another device's, which is no reason to stop.
        seed: random_bytes().map_or(0, u64::from_le_bytes),
        reset,
        boots: starts.total,
        memory,
        button_pressed,
    }
}

/// The device goes on with the MQTT session that was stored.
fn restore_session(device: &mut Device<'_>, desk: &mut Desk) {
    let mut image = [0; SESSION_IMAGE];
    if let Some(length) = block_on(desk.store.session(&mut image)) {
        device.restore_session(&image[..length]);
    }
}

async fn next_key(keys: &mut Option<Keys>) -> Option<Key> {
    match keys {
        Some(keys) => keys.next().await,
        None => std::future::pending().await,
    }
}

/// One life of the device.
struct Running<'a, 'b> {
    desk: &'a mut Desk,
    life: &'a Life,
    access: &'a Access,
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
                Output::Connect => self.link.open(&self.life.endpoint),
                Output::Close => self.link.close().await,
                Output::Switch { level } => self.switch(level),
                Output::Measure => {
                    if let Some(pulses) = self.pins.sensor.measure() {
                        self.tell(Input::Pulses(&pulses));
                    }
                }
                Output::Save(record) => match self.desk.store.save(&record).await {
                    Ok(()) => self.tell(Input::Saved(record.key)),
                    Err(error) => {
                        self.say(LogLevel::Error, format_args!("cannot store: {error}"));
                        self.tell(Input::SaveFailed(record.key));
                    }
                },
                Output::SaveSession => {
                    let mut image = [0; SESSION_IMAGE];
                    let length = self.device.session_image(&mut image).unwrap_or(0);
                    let store = &mut self.desk.store;
                    if let Err(error) = store.save_blob(Name::Session, &image[..length]).await {
                        let why = format_args!("the MQTT session is not kept: {error}");
                        self.say(LogLevel::Error, why);
                    }
                }
                Output::ForgetSession => {
                    if let Err(error) = self.desk.store.remove_blob(Name::Session).await {
                        let why = format_args!("the MQTT session is still stored: {error}");
                        self.say(LogLevel::Error, why);
                    }
                }
                Output::Identify => {
                    let id = &self.life.id;
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
                        syslog.send(line.syslog(&self.life.id).to_string());
                    }
                    self.say(line.level, line.text);
                }
                Output::FactoryReset => {
                    self.link.close().await;
                    let forgotten = match self.desk.store.factory_reset().await {
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
        self.access.control.update(&self.device, self.clock.now());
        self.notifier.turned(if self.device.is_online() {
            "connected to the broker"
        } else {
            "no connection to the broker"
        });
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
            self.desk.console.log_at(at.into_std(), level, line);
        }
    }

    /// When something is due, if nothing happens before.
    fn wake(&self) -> Option<SystemInstant> {
        let due = [self.device.deadline(), self.access.control.deadline()];
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
                if let Some(door) = self.access.door {
                    let link = control::link(&self.access.control, door);
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
    async fn request(&mut self, request: Request) {
        let control = &self.access.control;
        let answer = match request {
            Request::Command(command) => {
                self.tell(Input::Local(command));
                control.update(&self.device, self.clock.now());
                Ok(())
            }
            Request::Store => {
                let changes = control.changes().await;
                let changes = changes.iter().map(|(key, text)| (key, Some(text)));
                self.desk.change_settings(changes).map_err(failure)
            }
            Request::Try => Err(failure("this computer has no access point to be set up by")),
            Request::Warn => return self.tell(Input::WrongPassword),
        };
        control.answer(answer);
    }

    /// A line for the log.
    fn say(&mut self, level: LogLevel, text: impl Display) {
        let text = text.to_string();
        if level <= self.life.settings.log.level {
            let plain = anstream::adapter::strip_str(&text).to_string();
            let line = format_args!("{}", plain.trim_matches('\x07'));
            self.access.control.log(level, line);
        }
        self.log.push((SystemInstant::now(), level, text));
    }

    /// A line for who sits at the terminal, and nobody else.
    fn show_only(&mut self, text: impl Display) {
        let line = (SystemInstant::now(), LogLevel::Info, text.to_string());
        self.log.push(line);
    }
}
