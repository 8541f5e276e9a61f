//! How the device is, for those who show it.

use umqtt::Instant;

use super::Device;
use crate::button::ButtonEvent;
use crate::climate::Outcome;
use crate::dialogue::payload::{Counters, Diagnostics};
use crate::identity::DeviceId;
use crate::link::Link;
use crate::settings::{BrokerAddress, Uplink};

/// The longest reason for having no connection, in bytes; what is longer is cut.
pub const REASON_MAX: usize = 96;

/// Where the device stands with its broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connection<'a> {
    /// In one word.
    pub state: ConnectionState,
    /// The broker, if one is set.
    pub broker: Option<&'a BrokerAddress>,
    /// Why there is no connection, if one was tried and there is none.
    pub reason: Option<&'a str>,
    /// In how many milliseconds the next attempt is made, if that is known; under
    /// `on_failure = "restart"`, the restart.
    pub retry_in: Option<u64>,
}

/// Where the device stands with its broker, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionState {
    /// In dialogue.
    Online,
    /// An attempt is under way.
    Connecting,
    /// The last attempt failed, or the connection was lost; another will be made.
    Waiting,
    /// There is no network.
    NoNetwork,
    /// No broker is set.
    NoBroker,
    /// It says goodbye, or has done so.
    Stopped,
}

impl ConnectionState {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            ConnectionState::Online => "online",
            ConnectionState::Connecting => "connecting",
            ConnectionState::Waiting => "waiting",
            ConnectionState::NoNetwork => "no_network",
            ConnectionState::NoBroker => "no_broker",
            ConnectionState::Stopped => "stopped",
        }
    }
}

/// What the button did last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastPress {
    /// What it was.
    pub event: ButtonEvent,
    /// How long ago, in milliseconds.
    pub age: u64,
}

impl Device<'_> {
    /// The way out it goes.
    pub fn uplink(&self) -> &Uplink {
        &self.settings.uplink
    }

    /// Which device it is.
    pub fn id(&self) -> &DeviceId {
        &self.id
    }

    /// The logical state of the switch.
    pub fn switch_is_on(&self) -> bool {
        self.switch.is_on()
    }

    /// Whether it is in dialogue with the broker.
    pub fn is_online(&self) -> bool {
        self.link.is_in_dialogue()
    }

    /// Where it stands with its broker, and why.
    pub fn connection(&self, now: Instant) -> Connection<'_> {
        let state = match self.link {
            Link::Down => ConnectionState::NoNetwork,
            Link::NoBroker => ConnectionState::NoBroker,
            Link::Waiting(_) | Link::Failed(_) => ConnectionState::Waiting,
            Link::Opening(_) | Link::Greeting | Link::Subscribing(..) => {
                ConnectionState::Connecting
            }
            Link::Online => ConnectionState::Online,
            Link::Parting(_) | Link::Ended => ConnectionState::Stopped,
        };
        Connection {
            state,
            broker: self.settings.uplink.broker(),
            reason: Some(self.reason.as_str()).filter(|reason| !reason.is_empty()),
            retry_in: match self.link {
                Link::Waiting(at) | Link::Failed(at) => Some(at.since(now)),
                _ => None,
            },
        }
    }

    /// What the sensor measured last, if anything.
    pub fn climate(&self) -> Option<Outcome> {
        self.climate.as_ref()?.outcome()
    }

    /// How many whole seconds ago the value was measured that [`climate`](Self::climate) gives; none
    /// if it gives none.
    pub fn climate_age(&self, now: Instant) -> Option<u64> {
        self.climate.as_ref().and_then(|climate| climate.age(now))
    }

    /// Whether there is a sensor, going by the settings.
    pub fn has_climate(&self) -> bool {
        self.climate.is_some()
    }

    /// What the button did last, if it did anything since boot.
    pub fn last_press(&self, now: Instant) -> Option<LastPress> {
        self.pressed.map(|(event, at)| LastPress {
            event,
            age: now.since(at),
        })
    }

    /// What it has counted since it was switched on.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// What it tells of itself, as on its topic of diagnostics.
    pub fn diagnostics(&self, now: Instant) -> Diagnostics {
        Diagnostics {
            uptime: now.since(self.boot) / 1000,
            reset: self.reset,
            boots: self.boots,
            counters: self.counters,
            store: self.store_fault,
            ping: self.session.round_trip(),
            vitals: self.vitals,
            ip: self.ip,
        }
    }
}
