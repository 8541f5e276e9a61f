//! The console and the device's loop: what each tells the other.

use core::fmt::{self, Write};
use core::future::pending;

use embassy_time::{Duration, Timer};
use embedded_storage_async::nor_flash::NorFlash;
use heapless::String;
use monster::device::{Device, Input, Start};
use monster::identity::DeviceId;
use monster::settings::value::LogLevel;
use monster::trial::Outcome;
use monster::wifi::Networks;
use monster_console::{Answer, Entrance, Host, Request, failure};
use monster_store::{PASSWORD, Password, Store};
use umqtt::Instant;

use super::{Console, Served};
use crate::radio::Credentials;
use crate::run::{Board, Shared, now};
use crate::trial;

/// How long an answer may take to leave before the machine starts anew.
const FAREWELL: Duration = Duration::from_millis(300);

/// The console, if the board has one.
pub(crate) struct Local(Option<Served>);

impl Local {
    /// A device starts: its console is told of it. A password that the board made up is told to
    /// whoever looks at its serial port, and to nobody else.
    pub async fn start<B: Board, F: NorFlash>(
        board: &B,
        start: &Start,
        store: &mut Store<F>,
    ) -> Self {
        let Some(served) = board.console() else {
            return Local(None);
        };
        let console = served.console();
        let mut random = [0; PASSWORD];
        console.board().random(&mut random);
        let made_up = store.password(Password::Console, || Some(random)).await;
        let password = match &made_up {
            Ok(Some(password)) => password.expose(),
            // It is nobody's: no one can sign in.
            Ok(None) => "",
            Err(error) => {
                let why = format_args!("the console has no password: {error}");
                B::log(LogLevel::Error, why);
                ""
            }
        };
        if !start.settings.console.password.is_set() && !password.is_empty() {
            let told = format_args!("the password of the console is {password}");
            B::log(LogLevel::Info, told);
        }
        console.start(&start.id, &start.settings, password);
        Local(Some(served))
    }

    fn console(&self) -> Option<&'static Console> {
        self.0.map(Served::console)
    }

    /// A line for the log.
    pub fn log(&self, level: LogLevel, line: fmt::Arguments<'_>) {
        if let Some(console) = self.console() {
            console.log(level, line);
        }
    }

    /// How the device is now.
    pub fn update(&self, device: &Device<'_>, now: Instant) {
        if let Some(console) = self.console() {
            console.update(device, now);
        }
    }

    /// When [`update`](Self::update) is due, if nothing happens before.
    pub fn deadline(&self) -> Option<Instant> {
        self.console().and_then(Console::deadline)
    }

    /// Waits until somebody wants something.
    ///
    /// Cancelling it loses nothing.
    pub async fn request(&self) -> Request {
        match self.console() {
            Some(console) => console.request().await,
            None => pending().await,
        }
    }

    /// Does what somebody wants, and says what became of it.
    pub async fn carry_out<B: Board, F: NorFlash>(
        &self,
        request: Request,
        shared: &Shared<'_>,
        store: &mut Store<F>,
    ) {
        let Some(console) = self.console() else {
            return;
        };
        let answer = match request {
            Request::Command(command) => {
                shared.tell(Input::Local(command));
                Ok(())
            }
            Request::Store => self.store_changes(store).await,
            Request::Try => {
                let (wifi, broker) = console.on_trial().await;
                trial::begin::<B>(shared, wifi, broker);
                Ok(())
            }
            Request::Warn => return shared.tell(Input::WrongPassword),
        };
        console.update(&shared.device.borrow(), now());
        console.answer(answer);
    }

    /// Stores what somebody changed.
    pub async fn store_changes<F: NorFlash>(&self, store: &mut Store<F>) -> Answer {
        let Some(console) = self.console() else {
            return Ok(());
        };
        let mut scratch = console.scratch();
        let Some(place) = scratch.as_mut().and_then(|bytes| bytes.first_chunk_mut()) else {
            return Err(failure("somebody else is changing settings; try again"));
        };
        let changes = console.changes().await;
        let changes = changes.iter().map(|(key, text)| (key, Some(text)));
        let stored = store.change_settings_in(place, changes, monster_store::whole);
        stored.await.map_err(failure)
    }

    /// How the trial of other settings stands.
    pub async fn tried(&self, outcome: Outcome) {
        if let Some(console) = self.console() {
            console.tried(outcome).await;
        }
    }

    /// By what the access point is found and joined. Its password is made once, of true chance, and
    /// kept; without a console there is nothing to be found there.
    pub async fn credentials<B: Board, F: NorFlash>(
        &self,
        id: &DeviceId,
        store: &mut Store<F>,
    ) -> Option<Credentials> {
        let console = self.console()?;
        let mut random = [0; PASSWORD];
        console.board().random(&mut random);
        let made_up = store.password(Password::AccessPoint, || Some(random));
        let password = match made_up.await {
            Ok(password) => password?,
            Err(error) => {
                let why = format_args!("the access point has no password: {error}");
                B::log(LogLevel::Error, why);
                return None;
            }
        };
        let mut ssid = String::new();
        // The longest id fits.
        let _ = write!(ssid, "Monster-{}", id.as_str());
        Some(Credentials { ssid, password })
    }

    /// The access point is up, or not.
    pub fn set_access_point(&self, up: bool) {
        if let Some(served) = self.0 {
            served.set_open(Entrance::AccessPoint, up);
            served.console().set_access_point(up);
        }
    }

    /// The network is there, or is not: only then somebody can come by it.
    pub fn set_network(&self, is_there: bool) {
        if let Some(served) = self.0 {
            served.set_open(Entrance::Network, is_there);
        }
    }

    /// Whether somebody has used the portal since this was asked last.
    pub fn was_portal_used(&self) -> bool {
        self.console().is_some_and(Console::was_portal_used)
    }

    /// Waits until somebody wants to know which networks there are.
    ///
    /// Cancelling it loses nothing.
    pub async fn scan_wanted(&self) {
        match self.console() {
            Some(console) => console.scan_wanted().await,
            None => pending().await,
        }
    }

    /// The networks the radio hears.
    pub fn heard(&self, networks: Networks) {
        if let Some(console) = self.console() {
            console.heard(networks);
        }
    }

    /// Leaves time for the last answer, before the machine starts anew.
    pub async fn farewell(&self) {
        if self.0.is_some() {
            Timer::after(FAREWELL).await;
        }
    }
}
