//! The way out, as far as a device goes it itself.

use super::value::Text;
use super::{
    BrokerAddress, BrokerSettings, BrokerUrl, Login, PASSWORD_MAX, Secret, USER_MAX, WifiSettings,
};

/// What a device goes by of the settings of WiFi and broker: where the broker is, how to log in, and
/// whether there is a network to join. The rest, the network's password and files, is for its board.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uplink {
    has_network: bool,
    broker: Option<BrokerAddress>,
    user: Text<0, USER_MAX>,
    password: Secret<PASSWORD_MAX>,
}

impl Uplink {
    /// The way out by this network to this broker.
    pub fn new(wifi: &WifiSettings, broker: &BrokerSettings) -> Self {
        Uplink {
            has_network: !wifi.ssid.as_str().is_empty(),
            broker: broker.url.as_ref().map(BrokerUrl::address).cloned(),
            user: broker.user().cloned().unwrap_or_default(),
            password: broker.password().cloned().unwrap_or_default(),
        }
    }

    /// Whether a WiFi network is set.
    pub fn has_network(&self) -> bool {
        self.has_network
    }

    /// The broker, if one is set.
    pub fn broker(&self) -> Option<&BrokerAddress> {
        self.broker.as_ref()
    }

    /// As [`BrokerSettings::login`].
    pub fn login(&self) -> Option<Login<'_>> {
        (!self.user.as_str().is_empty()).then(|| Login {
            user: self.user.as_str(),
            password: Some(&self.password).filter(|password| password.is_set()),
        })
    }
}
