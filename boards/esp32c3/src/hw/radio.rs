//! The radio, as a station: joins a network.

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
use monster::settings::WifiSettings;
use monster_net::{JoinError, Reason};

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
}

impl Radio {
    /// A radio that has joined nothing.
    pub fn new(radio: WIFI<'static>, signal: &'static Signal) -> Self {
        Radio {
            controller: WifiController::new(radio, ControllerConfig::default()),
            signal,
        }
    }

    async fn try_join(&mut self, network: &WifiSettings) -> Result<(), Left> {
        let config = Config::Station(station(network)?);
        let controller = self
            .controller
            .as_mut()
            .map_err(|error| Left::Radio(*error))?;
        controller.set_config(&config)?;
        controller.connect_async().await?;
        Ok(())
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

    fn set_access_point(&mut self, _up: bool) {}
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
