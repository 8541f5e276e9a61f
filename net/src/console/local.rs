//! The console and the device's loop: what each tells the other.

use core::fmt;
use core::future::pending;

use embassy_time::{Duration, Timer};
use embedded_storage_async::nor_flash::NorFlash;
use monster::device::{Device, Input, Start};
use monster::settings::value::LogLevel;
use monster_console::{Host, Request, failure};
use monster_store::{PASSWORD, Password, Store};
use umqtt::Instant;

use super::Console;
use crate::run::{Board, Shared, now};

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
    pub async fn carry_out<F: NorFlash>(
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
            Request::Store => {
                let changes = console.changes().await;
                let changes = changes.iter().map(|(key, text)| (key, Some(text)));
                let stored = store.change_settings(changes, monster_store::whole).await;
                stored.map_err(failure)
            }
        };
        console.update(&shared.device.borrow(), now());
        console.answer(answer);
    }

    /// Leaves time for the last answer, before the machine starts anew.
    pub async fn farewell(&self) {
        if self.0.is_some() {
            Timer::after(FAREWELL).await;
        }
    }
}
