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
use monster_console::{Answer, Host, Request, failure};
use monster_store::{PASSWORD, Password, Store};
use umqtt::Instant;

use super::Console;
use crate::radio::Credentials;
use crate::run::{Board, Shared, now};
use crate::trial;

/// How long an answer may take to leave before the machine starts anew.
const FAREWELL: Duration = Duration::from_millis(300);

/// The console, if the board has one.
pub(crate) struct Local(Option<&'static Console>);

impl Local {
    /// A device starts: its console is told of it. A password that the board made up is told to
    /// whoever looks at its serial port, and to nobody else.
    pub async fn start<B: Board, F: NorFlash>(
        board: &B,
        start: &Start,
        store: &mut Store<F>,
    ) -> Self {
        let Some(console) = board.console() else {
            return Local(None);
        };
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
        Local(Some(console))
    }

    /// A line for the log.
    pub fn log(&self, level: LogLevel, line: fmt::Arguments<'_>) {
        if let Some(console) = self.0 {
            console.log(level, line);
        }
    }

    /// How the device is now.
    pub fn update(&self, device: &Device<'_>, now: Instant) {
        if let Some(console) = self.0 {
            console.update(device, now);
        }
    }

    /// When [`update`](Self::update) is due, if nothing happens before.
    pub fn deadline(&self) -> Option<Instant> {
        self.0.and_then(Console::deadline)
    }

    /// Waits until somebody wants something.
    ///
    /// Cancelling it loses nothing.
    pub async fn request(&self) -> Request {
        match self.0 {
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
        let Some(console) = self.0 else {
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
        };
        console.update(&shared.device.borrow(), now());
        console.answer(answer);
    }

    /// Stores what somebody changed.
    pub async fn store_changes<F: NorFlash>(&self, store: &mut Store<F>) -> Answer {
        let Some(console) = self.0 else {
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
        if let Some(console) = self.0 {
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
        let console = self.0?;
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
        if let Some(console) = self.0 {
            console.set_access_point(up);
        }
    }

    /// Whether somebody has used the portal since this was asked last.
    pub fn was_portal_used(&self) -> bool {
        self.0.is_some_and(Console::was_portal_used)
    }

    /// Waits until somebody wants to know which networks there are.
    ///
    /// Cancelling it loses nothing.
    pub async fn scan_wanted(&self) {
        match self.0 {
            Some(console) => console.scan_wanted().await,
            None => pending().await,
        }
    }

    /// The networks the radio hears.
    pub fn heard(&self, networks: Networks) {
        if let Some(console) = self.0 {
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
