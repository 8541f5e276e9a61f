//! The way out: over to another network and another broker, with all else as it is.

use umqtt::Instant;

use super::Device;
use crate::backoff::Backoff;
use crate::link::Link;
use crate::settings::{BrokerSettings, WifiSettings};

impl Device<'_> {
    /// Goes over to another network and another broker, now. Switch, button and all else go on as
    /// they were.
    ///
    /// `on_trial`: they are to show first that they are right ([`trial`](crate::trial)). While they
    /// do, a failure never restarts the machine.
    pub fn go_over(
        &mut self,
        wifi: WifiSettings,
        broker: BrokerSettings,
        on_trial: bool,
        now: Instant,
    ) {
        if self.link == Link::Ended || self.wanted.end.is_some() {
            return;
        }
        let is_set = !wifi.ssid.as_str().is_empty();
        self.access_point.set_network(is_set, now);
        self.settings.wifi = wifi;
        self.settings.broker = broker;
        self.on_trial = on_trial;
        self.drop_connection(now);
        self.reason.clear();
        self.backoff = Backoff::new(now);
        self.link = match (self.link, &self.settings.broker.url) {
            (Link::Down, _) => Link::Down,
            (_, Some(_)) => Link::Waiting(now),
            (_, None) => Link::NoBroker,
        };
    }

    /// The settings of WiFi and broker are right: they are as any others from now on.
    pub fn trial_succeeded(&mut self) {
        self.on_trial = false;
    }
}
