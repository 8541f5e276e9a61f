//! The radio: a network that is joined, and joined again whenever it is lost; and the access point,
//! opened and closed beside it.

use core::cell::{Cell, RefCell};
use core::fmt;

use embassy_futures::select::{Either, select};
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::signal::Signal;
use embassy_time::{Duration, Timer};
use heapless::String;
use monster::settings::WifiSettings;
use monster::settings::value::LogLevel;

use crate::run::{Board, Shared};

/// How long to wait before the next attempt to join.
const RETRY: Duration = Duration::from_secs(5);
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

    /// Opens the access point of this board, or closes it. The network that is joined may be lost
    /// over it.
    fn set_access_point(&mut self, up: bool);
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

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            JoinError::NoSuchNetwork => "there is no such network here",
            JoinError::Refused => "the password is not accepted",
            JoinError::Other(reason) => &reason.0,
        })
    }
}

/// What the radio is to do, and how far it is.
pub(crate) struct Air {
    network: RefCell<WifiSettings>,
    access_point: Cell<bool>,
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
    pub fn new(network: WifiSettings) -> Self {
        Air {
            network: RefCell::new(network),
            access_point: Cell::new(false),
            changed: Signal::new(),
            stands: RefCell::new(Stands::Nowhere),
        }
    }

    /// The access point is to be open, or not.
    pub fn set_access_point(&self, up: bool) {
        self.access_point.set(up);
        self.changed.signal(());
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
pub(crate) async fn run<B: Board, R: Radio>(shared: &Shared<'_>, radio: &mut R) -> ! {
    let air = &shared.air;
    let mut keeper = Keeper {
        air,
        radio,
        is_open: false,
    };
    loop {
        keeper.set_access_point();
        let Some(network) = air.network() else {
            air.stand(Stands::Nowhere);
            shared.network_is(false);
            air.changed.wait().await;
            continue;
        };
        air.stand(Stands::Joining);
        match select(keeper.radio.join(&network), air.changed.wait()).await {
            Either::First(Ok(())) => {
                air.stand(Stands::Joined);
                shared.told();
                if let Some(why) = keeper.stay(&network).await {
                    shared.log::<B>(LogLevel::Warn, format_args!("WiFi lost: {why}"));
                }
            }
            Either::First(Err(error)) => {
                let (ssid, wait) = (network.ssid.as_str(), RETRY.as_secs());
                let text = format_args!("cannot join {ssid}: {error}; again in {wait} s");
                shared.log::<B>(LogLevel::Warn, text);
                air.stand(Stands::Failed(error));
                shared.network_is(false);
                select(Timer::after(RETRY), air.changed.wait()).await;
            }
            Either::Second(()) => keeper.radio.leave().await,
        }
    }
}

/// The radio, while it is worked with.
struct Keeper<'a, R> {
    air: &'a Air,
    radio: &'a mut R,
    /// The access point is open.
    is_open: bool,
}

impl<R: Radio> Keeper<'_, R> {
    /// Opens the access point, or closes it, as it is wanted.
    fn set_access_point(&mut self) {
        let up = self.air.access_point.get();
        if self.is_open != up {
            self.is_open = up;
            self.radio.set_access_point(up);
        }
    }

    /// Keeps the network that is joined, until it is lost or another is wanted.
    /// Returns why it is lost.
    async fn stay(&mut self, network: &WifiSettings) -> Option<Reason> {
        loop {
            match select(self.radio.lost(), self.air.changed.wait()).await {
                Either::First(why) => {
                    return Some(why);
                }
                Either::Second(()) if self.air.network().as_ref() == Some(network) => {
                    self.set_access_point();
                }
                Either::Second(()) => {
                    self.radio.leave().await;
                    return None;
                }
            }
        }
    }
}
