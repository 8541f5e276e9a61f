//! The radio: a network that is joined, and joined again whenever it is lost; and the access point,
//! opened and closed beside it.

use core::cell::{Cell, Ref, RefCell};
use core::fmt;
use core::future::pending;
use core::pin::pin;

use embassy_futures::select::{Either, Either3, select, select3};
use embassy_net::Stack;
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::signal::Signal;
use embassy_time::{Duration, Timer, with_timeout};
use heapless::String;
use monster::settings::value::LogLevel;
use monster::settings::{SSID_MAX, Secret, WifiSettings};
use monster::wifi::Networks;
use monster_store::PASSWORD;

use crate::run::{Board, Shared};

/// How long to wait before the next attempt to join.
const RETRY: Duration = Duration::from_secs(5);
/// How long the stack may take to forget a network that was left.
const FORGET: Duration = Duration::from_secs(1);
/// The longest reason why a network is not joined, in bytes.
const REASON_MAX: usize = 96;

/// A board's radio, as its driver has it.
#[allow(async_fn_in_trait, reason = "a board runs on one core")]
pub trait Radio {
    /// Joins a network: once, it is not tried again here. The stack's link comes up with it.
    ///
    /// Cancelling it leaves it undecided; [`leave`](Self::leave) decides it.
    ///
    /// # Errors
    /// [`JoinError`] says why it is not joined.
    async fn join(&mut self, network: &WifiSettings) -> Result<(), JoinError>;

    /// Waits until the network that was joined is lost; returns why it is.
    ///
    /// Cancelling it loses nothing.
    async fn lost(&mut self) -> Reason;

    /// Leaves the network, or stops joining it.
    async fn leave(&mut self);

    /// Listens which networks there are, beside one that is joined. It takes a few seconds at most.
    ///
    /// Cancelling it ends it.
    async fn scan(&mut self) -> Networks;

    /// Opens the access point of this board, which goes by these; or closes it. The network that is
    /// joined may be lost over it.
    fn set_access_point(&mut self, credentials: Option<&Credentials>);
}

/// By what an access point is found and joined.
pub struct Credentials {
    /// Its name, `Monster-<id>`.
    pub ssid: String<SSID_MAX>,
    /// Its password: the device's own.
    pub password: Secret<PASSWORD>,
}

/// Why a network is not joined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JoinError {
    /// There is none of this name.
    NoSuchNetwork,
    /// It does not take the password.
    Refused,
    /// Something else.
    Other(Reason),
}

/// Why there is no network, in words for a person.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reason(String<REASON_MAX>);

impl Reason {
    /// This reason; what is too long is cut.
    pub fn new(text: impl fmt::Display) -> Self {
        let mut reason = Reason::default();
        let _ = fmt::Write::write_fmt(&mut reason, format_args!("{text}"));
        reason
    }
}

impl fmt::Write for Reason {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.chars()
            .try_for_each(|character| self.0.push(character).map_err(|_| fmt::Error))
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl JoinError {
    /// What it says.
    pub fn as_str(&self) -> &str {
        match self {
            JoinError::NoSuchNetwork => "there is no such network here",
            JoinError::Refused => "the password is not accepted",
            JoinError::Other(reason) => &reason.0,
        }
    }
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What the radio is to do, and how far it is.
pub(crate) struct Air {
    network: RefCell<WifiSettings>,
    access_point: Cell<bool>,
    credentials: Option<Credentials>,
    changed: Signal<NoopRawMutex, ()>,
    stands: RefCell<Stands>,
}

/// How far the radio is with its network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stands {
    /// None is set.
    Nowhere,
    /// It is being joined.
    Joining,
    /// It was not joined, and is tried again.
    Failed(JoinError),
    /// It is joined.
    Joined,
}

impl Air {
    /// To join this network, if it is one, and to open an access point that goes by these.
    pub fn new(network: WifiSettings, credentials: Option<Credentials>) -> Self {
        Air {
            network: RefCell::new(network),
            access_point: Cell::new(false),
            credentials,
            changed: Signal::new(),
            stands: RefCell::new(Stands::Nowhere),
        }
    }

    /// The access point is to be open, or not.
    pub fn set_access_point(&self, up: bool) {
        self.access_point.set(up);
        self.changed.signal(());
    }

    /// This network is to be joined, from now on.
    pub fn set_network(&self, network: WifiSettings) {
        let is_new = *self.network.borrow() != network;
        if is_new || *self.stands.borrow() != Stands::Joined {
            *self.network.borrow_mut() = network;
            self.stand(Stands::Joining);
            self.changed.signal(());
        }
    }

    /// The network that is set, which may be none.
    #[cfg(feature = "console")]
    pub fn set(&self) -> WifiSettings {
        self.network.borrow().clone()
    }

    /// How far it is.
    pub fn stands(&self) -> Ref<'_, Stands> {
        self.stands.borrow()
    }

    fn network(&self) -> Option<WifiSettings> {
        let network = self.network.borrow();
        (!network.ssid.as_str().is_empty()).then(|| network.clone())
    }

    fn stand(&self, stands: Stands) {
        *self.stands.borrow_mut() = stands;
    }
}

/// Does what the air is to be, for ever.
pub(crate) async fn run<B: Board, R: Radio>(
    shared: &Shared<'_>,
    stack: Stack<'_>,
    radio: &mut R,
) -> ! {
    let air = &shared.air;
    let mut keeper = Keeper {
        shared,
        radio,
        is_open: false,
    };
    loop {
        keeper.set_access_point::<B>();
        let Some(network) = air.network() else {
            air.stand(Stands::Nowhere);
            shared.network_is(false);
            keeper.wait(pending()).await;
            continue;
        };
        air.stand(Stands::Joining);
        match select(keeper.radio.join(&network), air.changed.wait()).await {
            Either::First(Ok(())) => {
                air.stand(Stands::Joined);
                shared.told();
                if let Some(why) = keeper.stay::<B>(&network).await {
                    shared.log::<B>(LogLevel::Warn, format_args!("WiFi lost: {why}"));
                }
                // What the network gave is forgotten before the next one is joined.
                shared.network_is(false);
                let _ = with_timeout(FORGET, stack.wait_config_down()).await;
            }
            Either::First(Err(error)) => {
                let (ssid, wait) = (network.ssid.as_str(), RETRY.as_secs());
                let text = format_args!("cannot join {ssid}: {error}; again in {wait} s");
                shared.log::<B>(LogLevel::Warn, text);
                air.stand(Stands::Failed(error));
                shared.network_is(false);
                shared.told();
                keeper.wait(Timer::after(RETRY)).await;
            }
            Either::Second(()) => keeper.radio.leave().await,
        }
    }
}

/// The radio, while it is worked with.
struct Keeper<'a, 'd, R> {
    shared: &'a Shared<'d>,
    radio: &'a mut R,
    /// The access point is open.
    is_open: bool,
}

impl<R: Radio> Keeper<'_, '_, R> {
    /// Opens the access point, or closes it, as it is wanted.
    fn set_access_point<B: Board>(&mut self) {
        let air = &self.shared.air;
        let up = air.access_point.get();
        if self.is_open == up {
            return;
        }
        self.is_open = up;
        match (&air.credentials, up) {
            (Some(credentials), true) => {
                let Credentials { ssid, password } = credentials;
                let password = password.expose();
                // To who has the device in hand: the serial port alone.
                B::log(
                    LogLevel::Info,
                    format_args!("the access point is open: {ssid}, password {password}"),
                );
                #[cfg(feature = "console")]
                crate::qr::each_row(credentials, |row| B::log(LogLevel::Info, row));
            }
            (None, true) => {
                let why =
                    "no access point: this firmware has no console, or the board no random numbers";
                self.shared.log::<B>(LogLevel::Error, format_args!("{why}"));
                return;
            }
            (_, false) => {
                let line = format_args!("the access point is closed");
                self.shared.log::<B>(LogLevel::Info, line);
            }
        }
        self.radio
            .set_access_point(air.credentials.as_ref().filter(|_| up));
    }

    /// Waits for this, or for something else that is wanted.
    async fn wait(&mut self, until: impl Future<Output = ()>) {
        let mut until = pin!(until);
        let Shared { air, local, .. } = self.shared;
        while let Either3::Third(()) =
            select3(until.as_mut(), air.changed.wait(), local.scan_wanted()).await
        {
            let heard = self.radio.scan().await;
            local.heard(heard);
        }
    }

    /// Keeps the network that is joined, until it is lost or another is wanted. Returns why it is
    /// lost.
    async fn stay<B: Board>(&mut self, network: &WifiSettings) -> Option<Reason> {
        let Shared { air, local, .. } = self.shared;
        loop {
            match select3(self.radio.lost(), air.changed.wait(), local.scan_wanted()).await {
                Either3::First(why) => return Some(why),
                Either3::Second(()) if air.network().as_ref() == Some(network) => {
                    self.set_access_point::<B>();
                }
                Either3::Second(()) => {
                    self.radio.leave().await;
                    return None;
                }
                Either3::Third(()) => {
                    let heard = self.radio.scan().await;
                    local.heard(heard);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ambiguous, and so an error, for a type that has `Debug`.
    trait NotShown<Or> {
        fn name() -> &'static str {
            core::any::type_name::<Self>()
        }
    }
    impl<T: ?Sized> NotShown<()> for T {}
    impl<T: ?Sized + fmt::Debug> NotShown<u8> for T {}

    #[test]
    fn what_holds_passwords_and_chance_cannot_be_shown() {
        let names = [
            <Credentials as NotShown<_>>::name(),
            <Air as NotShown<_>>::name(),
            <crate::start::Chance as NotShown<_>>::name(),
        ];
        assert!(names.iter().all(|name| name.starts_with("monster_net")));
    }
}
