//! The way out: over to another network and another broker, with all else as it is.

use umqtt::Instant;

use super::Device;
use crate::backoff::Backoff;
use crate::link::Link;
use crate::settings::Uplink;

impl Device<'_> {
    /// Goes over to another network and another broker, now. Switch, button and all else go on as
    /// they were.
    ///
    /// `on_trial`: they are to show first that they are right ([`trial`](crate::trial)). While they
    /// do, a failure never restarts the machine.
    pub fn go_over(&mut self, uplink: Uplink, on_trial: bool, now: Instant) {
        if self.link == Link::Ended || self.wanted.end.is_some() {
            return;
        }
        self.access_point.set_network(uplink.has_network(), now);
        self.disturb();
        self.settings.uplink = uplink;
        self.on_trial = on_trial;
        self.drop_connection(now);
        self.reason.clear();
        self.backoff = Backoff::new(now);
        self.link = match (self.link, self.settings.uplink.broker()) {
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
