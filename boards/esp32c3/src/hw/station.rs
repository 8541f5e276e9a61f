//! The radio as a station: joins a network, and joins it again whenever it is lost.

use core::cell::Cell;
use core::fmt;

use embassy_futures::select::{Either, select};
use embassy_time::{Duration, Timer};
use esp_hal::peripherals::WIFI;
use esp_radio::wifi::sta::StationConfig;
use esp_radio::wifi::{
    AuthenticationMethodConfig, Config, ConnectionError, ControllerConfig, DisconnectReason,
    WifiController, WifiError,
};
use heapless::String;
use monster::settings::value::LogLevel;
use monster::settings::{SSID_MAX, WIFI_PASSWORD_MAX};

use crate::log;

/// How long to wait before the next attempt to join.
const RETRY: Duration = Duration::from_secs(5);
/// How often the signal is measured.
const SIGNAL: Duration = Duration::from_secs(5);

/// A network, and what opens it.
pub struct Network {
    ssid: String<SSID_MAX>,
    /// Empty if it is open.
    password: String<WIFI_PASSWORD_MAX>,
}

impl Network {
    /// The network of this name, if it is one.
    pub fn named(ssid: &str, password: &str) -> Option<Self> {
        let network = Network {
            ssid: ssid.try_into().ok()?,
            password: password.try_into().ok()?,
        };
        (!network.ssid.is_empty()).then_some(network)
    }
}

/// The station, as the rest of the board sees it.
pub struct Station {
    rssi: Cell<Option<i8>>,
}

impl Station {
    /// One that has joined nothing.
    pub const fn new() -> Self {
        Station {
            rssi: Cell::new(None),
        }
    }

    /// How strong the signal is, in dBm, while a network is joined.
    pub fn rssi(&self) -> Option<i8> {
        self.rssi.get()
    }

    /// Joins the network, for ever; returns if the radio cannot be used at all.
    pub async fn run(&self, radio: WIFI<'static>, network: Network) {
        let mut controller = match open(radio, &network) {
            Ok(controller) => controller,
            Err(error) => {
                log::line(
                    LogLevel::Error,
                    format_args!("the radio cannot be used: {}", Reason::of(error)),
                );
                return;
            }
        };
        loop {
            match controller.connect_async().await {
                Ok(_) => {
                    let why = self.stay(&controller).await;
                    self.rssi.set(None);
                    log::line(LogLevel::Warn, format_args!("WiFi lost: {why}"));
                }
                Err(error) => {
                    let why = match error {
                        ConnectionError::Failed(info) => Reason::Left(info.reason),
                        ConnectionError::WifiError(error) => Reason::Radio(error),
                        _ => Reason::Radio(WifiError::Other),
                    };
                    log::line(
                        LogLevel::Warn,
                        format_args!(
                            "cannot join {}: {why}; again in {} s",
                            network.ssid,
                            RETRY.as_secs()
                        ),
                    );
                }
            }
            Timer::after(RETRY).await;
        }
    }

    /// Measures the signal until the network is lost; returns why it is.
    async fn stay(&self, controller: &WifiController<'_>) -> Reason {
        loop {
            let rssi = controller.rssi().ok();
            self.rssi.set(rssi.and_then(|rssi| i8::try_from(rssi).ok()));
            let lost = controller.wait_for_disconnect_async();
            match select(lost, Timer::after(SIGNAL)).await {
                Either::First(Ok(info)) => return Reason::Left(info.reason),
                Either::First(Err(error)) => return Reason::Radio(error),
                Either::Second(()) => {}
            }
        }
    }
}

fn open(radio: WIFI<'static>, network: &Network) -> Result<WifiController<'static>, WifiError> {
    let authentication = match network.password.as_str() {
        "" => AuthenticationMethodConfig::Open,
        password => AuthenticationMethodConfig::Wpa2Personal(password.try_into()?),
    };
    let station = StationConfig::default()
        .with_ssid(network.ssid.as_str().try_into()?)
        .with_authentication(authentication);
    let config = ControllerConfig::default().with_initial_config(Config::Station(station));
    WifiController::new(radio, config)
}

/// Why a network is not joined, in words for a person.
enum Reason {
    Left(DisconnectReason),
    Radio(WifiError),
}

impl Reason {
    fn of(error: WifiError) -> Self {
        Reason::Radio(error)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use DisconnectReason as Left;
        f.write_str(match self {
            Reason::Left(Left::NoAccessPointFound) => "there is no such network here",
            Reason::Left(
                Left::FourWayHandshakeTimeout
                | Left::HandshakeTimeout
                | Left::AuthenticationFailed
                | Left::AuthenticationExpired
                | Left::MicFailure,
            ) => "the password is not accepted",
            Reason::Left(
                Left::NoAccessPointFoundWithCompatibleSecurity
                | Left::NoAccessPointFoundInAuthmodeThreshold,
            ) => "the network does not speak WPA2, or is open and a password is set",
            Reason::Left(Left::AssociationTooMany) => "the access point has no room",
            Reason::Left(Left::BeaconTimeout) => "the access point is not heard any more",
            Reason::Left(other) => return write!(f, "{other:?}"),
            Reason::Radio(error) => return write!(f, "{error:?}"),
        })
    }
}
