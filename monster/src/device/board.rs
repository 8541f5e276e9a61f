//! What a device and its board tell each other.

use core::net::IpAddr;

use super::LocalCommand;
use crate::dht::{Reading, SensorError};
use crate::identity::DeviceId;
use crate::log::Log;
use crate::memory::{Memory, Record};
use crate::settings::Settings;

/// What a board knows when it starts its device.
pub struct Start {
    /// The settings; [`Settings::validate`] found nothing wrong with them.
    pub settings: Settings,
    /// Which device this is.
    pub id: DeviceId,
    /// Chance, for the waits between attempts; no two devices should have the same.
    pub seed: u64,
    /// Why the device starts.
    pub reset: ResetReason,
    /// How often it has started, this time included.
    pub boots: u32,
    /// What was stored before.
    pub memory: Memory,
    /// Whether the button is held down right now.
    pub button_pressed: bool,
}

/// Why a device starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResetReason {
    /// The power came on; on a desk, the program was started.
    PowerOn,
    /// Somebody commanded it.
    Command,
    /// The broker was away, and `on_failure` is `restart`.
    Failure,
    /// The watchdog found the firmware stuck.
    Watchdog,
    /// The board cannot tell.
    Unknown,
}

impl ResetReason {
    /// The word for it in diagnostics.
    pub const fn as_str(self) -> &'static str {
        match self {
            ResetReason::PowerOn => "power-on",
            ResetReason::Command => "command",
            ResetReason::Failure => "failure",
            ResetReason::Watchdog => "watchdog",
            ResetReason::Unknown => "unknown",
        }
    }
}

/// What a board tells its device.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// The network is there, or is not. It counts as there until the board says otherwise.
    Network(bool),
    /// The connection that [`Output::Connect`] asked for is open, TLS included.
    Connected {
        /// The address this end of it has.
        ip: Option<IpAddr>,
    },
    /// It could not be opened, and why.
    ConnectFailed(&'a str),
    /// The connection is gone, and why.
    Closed(&'a str),
    /// The button is down, or up. Every edge, bouncing or not.
    Button {
        /// Whether it is down.
        pressed: bool,
    },
    /// The answer to [`Output::Measure`]: the widths of the pulses, as [`decode`](crate::dht::decode)
    /// describes them.
    Pulses(&'a [u16]),
    /// The same, on a board that has it decoded for it.
    Reading(Result<Reading, SensorError>),
    /// The record with this key is stored.
    Saved(u8),
    /// The record with this key could not be stored.
    SaveFailed(u8),
    /// How the board is, for diagnostics; as often as the board likes.
    Vitals(Vitals),
    /// Somebody uses the access point or its portal.
    PortalUsed,
    /// Somebody at the device itself wants something.
    Local(LocalCommand),
    /// Somebody gave a wrong password at the console.
    WrongPassword,
    /// Say goodbye, and stop.
    Stop,
}

/// What a board knows of itself; what it does not know is left out of diagnostics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Vitals {
    /// Bytes of memory that are free.
    pub free: Option<u32>,
    /// How strong the WiFi's signal is, in dBm.
    pub rssi: Option<i8>,
}

/// What a device wants of its board.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Open a connection to `broker.url`, and answer [`Input::Connected`] or
    /// [`Input::ConnectFailed`]. The device gives up by itself when that takes too long.
    Connect,
    /// Close the connection, or stop opening it.
    Close,
    /// Set the switch's pin.
    Switch {
        /// High or low.
        level: bool,
    },
    /// Ask the sensor, and answer [`Input::Pulses`] or [`Input::Reading`].
    Measure,
    /// Store a record, then answer [`Input::Saved`] or [`Input::SaveFailed`].
    Save(Record),
    /// Store what [`session_image`](super::Device::session_image) writes, in place of what was stored
    /// of the MQTT session. It comes only before the end. No answer is waited for.
    SaveSession,
    /// Forget what is stored of the MQTT session. No answer is waited for.
    ForgetSession,
    /// Show a person which device this is, beside the status LED, which blinks of itself.
    Identify,
    /// Light the status LED, or let it be dark. A board without one does nothing.
    Led {
        /// Whether it is lit.
        lit: bool,
    },
    /// Open the access point, or close it. A board without one does nothing.
    AccessPoint {
        /// Whether it is to be up.
        up: bool,
    },
    /// A line for the log.
    Log(Log),
    /// Erase the settings and every record, then start anew. Nothing more comes.
    FactoryReset,
    /// Start anew, with this reason. Nothing more comes.
    Restart(ResetReason),
    /// The answer to [`Input::Stop`]. Nothing more comes.
    Stopped,
}
