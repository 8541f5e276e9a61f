//! The radio: a station, and an access point beside it.

use core::cell::Cell;
use core::fmt;

use embassy_futures::select::{Either, select};
use embassy_time::{Duration, Timer};
use esp_hal::peripherals::WIFI;
use esp_radio::wifi::ap::AccessPointConfig;
use esp_radio::wifi::scan::ScanConfig;
use esp_radio::wifi::sta::StationConfig;
use esp_radio::wifi::{
    AuthenticationMethod, AuthenticationMethodConfig, Config, ConnectionError, ControllerConfig,
    DisconnectReason, WifiController, WifiError,
};
use monster::settings::WifiSettings;
use monster::settings::value::LogLevel;
use monster::wifi::{Heard, Networks};
use monster_net::{Credentials, JoinError, Reason, access_point};

use crate::log;

/// How many can join the access point: as many as it has addresses for.
const VISITORS: u16 = access_point::LEASES as u16;
/// How often the signal is measured.
const SIGNAL: Duration = Duration::from_secs(5);

/// How strong the network's signal is, as the rest of the board sees it.
pub struct Signal(Cell<Option<i8>>);

impl Signal {
    /// There is none yet.
    pub const fn new() -> Self {
        Signal(Cell::new(None))
    }

    /// In dBm, while a network is joined.
    pub fn rssi(&self) -> Option<i8> {
        self.0.get()
    }
}

/// The radio.
pub struct Radio {
    controller: Result<WifiController<'static>, WifiError>,
    signal: &'static Signal,
    station: StationConfig,
    /// While it is open.
    access_point: Option<AccessPointConfig>,
}

impl Radio {
    /// A radio that has joined nothing.
    pub fn new(radio: WIFI<'static>, signal: &'static Signal) -> Self {
        Radio {
            controller: WifiController::new(radio, ControllerConfig::default()),
            signal,
            station: StationConfig::default().with_authentication(AuthenticationMethodConfig::Open),
            access_point: None,
        }
    }

    async fn try_join(&mut self, network: &WifiSettings) -> Result<(), Left> {
        self.station = station(network)?;
        self.configure()?.connect_async().await?;
        Ok(())
    }

    fn try_set_access_point(&mut self, credentials: Option<&Credentials>) -> Result<(), WifiError> {
        self.access_point = credentials.map(own).transpose()?;
        self.configure().map(drop)
    }

    /// Has the radio be what it is to be. Opening or closing the access point stops it for a moment.
    fn configure(&mut self) -> Result<&mut WifiController<'static>, WifiError> {
        let controller = self.controller.as_mut().map_err(|error| *error)?;
        let station = self.station.clone();
        let config = match self.access_point.clone() {
            Some(access_point) => Config::AccessPointStation(station, access_point),
            None => Config::Station(station),
        };
        controller.set_config(&config)?;
        Ok(controller)
    }
}

impl monster_net::Radio for Radio {
    async fn join(&mut self, network: &WifiSettings) -> Result<(), JoinError> {
        self.try_join(network).await.map_err(JoinError::from)
    }

    async fn lost(&mut self) -> Reason {
        let controller = match &self.controller {
            Ok(controller) => controller,
            Err(error) => return Reason::new(Left::Radio(*error)),
        };
        loop {
            let rssi = controller.rssi().ok();
            self.signal
                .0
                .set(rssi.and_then(|rssi| i8::try_from(rssi).ok()));
            let lost = controller.wait_for_disconnect_async();
            let why = match select(lost, Timer::after(SIGNAL)).await {
                Either::First(Ok(info)) => Left::Network(info.reason),
                Either::First(Err(error)) => Left::Radio(error),
                Either::Second(()) => continue,
            };
            self.signal.0.set(None);
            return Reason::new(why);
        }
    }

    async fn leave(&mut self) {
        if let Ok(controller) = &mut self.controller {
            // One that is not joined is left.
            let _ = controller.disconnect_async().await;
        }
        self.signal.0.set(None);
    }

    async fn scan(&mut self) -> Networks {
        let mut heard = Networks::new();
        if let Ok(controller) = &mut self.controller
            && let Ok(found) = controller.scan_async(&ScanConfig::default()).await
        {
            for network in found {
                heard.add(Heard {
                    ssid: network.ssid.as_str().try_into().unwrap_or_default(),
                    rssi: network.signal_strength,
                    is_secure: network.auth_method != Some(AuthenticationMethod::None),
                });
            }
        }
        heard
    }

    fn set_access_point(&mut self, credentials: Option<&Credentials>) {
        if let Err(error) = self.try_set_access_point(credentials) {
            let why = Left::Radio(error);
            log::line(LogLevel::Error, format_args!("the access point: {why}"));
        }
    }
}

/// The access point of this chip.
fn own(credentials: &Credentials) -> Result<AccessPointConfig, WifiError> {
    let Credentials { ssid, password } = credentials;
    let password = password.expose().try_into()?;
    Ok(AccessPointConfig::default()
        .with_ssid(ssid.as_str().try_into()?)
        .with_authentication(AuthenticationMethodConfig::Wpa2Personal(password))
        .with_max_connections(VISITORS))
}

fn station(network: &WifiSettings) -> Result<StationConfig, WifiError> {
    let authentication = match network.password.expose() {
        "" => AuthenticationMethodConfig::Open,
        password => AuthenticationMethodConfig::Wpa2Personal(password.try_into()?),
    };
    Ok(StationConfig::default()
        .with_ssid(network.ssid.as_str().try_into()?)
        .with_authentication(authentication))
}

/// Why a network is not joined, or no more.
enum Left {
    Network(DisconnectReason),
    Radio(WifiError),
}

impl From<WifiError> for Left {
    fn from(error: WifiError) -> Self {
        Left::Radio(error)
    }
}

impl From<ConnectionError> for Left {
    fn from(error: ConnectionError) -> Self {
        match error {
            ConnectionError::Failed(info) => Left::Network(info.reason),
            ConnectionError::WifiError(error) => Left::Radio(error),
            _ => Left::Radio(WifiError::Other),
        }
    }
}

impl From<Left> for JoinError {
    fn from(left: Left) -> Self {
        use DisconnectReason as Why;
        match left {
            Left::Network(Why::NoAccessPointFound) => JoinError::NoSuchNetwork,
            Left::Network(
                Why::FourWayHandshakeTimeout
                | Why::HandshakeTimeout
                | Why::AuthenticationFailed
                | Why::AuthenticationExpired
                | Why::MicFailure,
            ) => JoinError::Refused,
            other => JoinError::Other(Reason::new(other)),
        }
    }
}

impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use DisconnectReason as Why;
        f.write_str(match self {
            Left::Network(
                Why::NoAccessPointFoundWithCompatibleSecurity
                | Why::NoAccessPointFoundInAuthmodeThreshold,
            ) => "the network does not speak WPA2, or is open and a password is set",
            Left::Network(Why::AssociationTooMany) => "the access point has no room",
            Left::Network(Why::BeaconTimeout) => "the access point is not heard any more",
            Left::Network(other) => return write!(f, "{other:?}"),
            Left::Radio(error) => return write!(f, "the radio says {error:?}"),
        })
    }
}
