//! When the device's own access point is up, so that a person can set it up with a phone.

use umqtt::Instant;

use crate::settings::value::AccessPoint as Rule;

/// Milliseconds without the network after which the access point comes up.
pub const LOST_MS: u64 = 120_000;
/// Milliseconds that the network must be back, and nobody use the portal, before it goes down.
pub const IDLE_MS: u64 = 60_000;

/// The rules of the access point.
///
/// It comes up when the network has been lost for 120 s, at once when no network is set and there
/// is none, and when the button asks for it: every time, not only the first. It goes down 60 s after
/// the network is back and nobody uses it.
///
/// After every call, look at [`is_up`](Self::is_up) and [`deadline`](Self::deadline) again. No call
/// panics.
#[derive(Clone, Debug)]
pub struct AccessPoint {
    rule: Rule,
    /// A network to join is set.
    is_set: bool,
    up: bool,
    /// Since when the network is there, or is not.
    network: Network,
    /// When somebody used the access point last, or asked for it.
    used: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Network {
    There(Instant),
    Lost(Instant),
}

impl AccessPoint {
    /// One that is down; whether a network to join `is_set`. The network counts as there.
    pub fn new(rule: Rule, is_set: bool, now: Instant) -> Self {
        AccessPoint {
            rule,
            is_set,
            up: rule == Rule::Always,
            network: Network::There(now),
            used: now,
        }
    }

    /// Whether it is to be up.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.up
    }

    /// The network is there, or is not. Telling the same twice does no harm.
    pub fn handle_network(&mut self, is_there: bool, now: Instant) {
        self.network = match (self.network, is_there) {
            (Network::There(since), true) => Network::There(since),
            (Network::Lost(since), false) => Network::Lost(since),
            (_, true) => Network::There(now),
            (_, false) => Network::Lost(now),
        };
        self.handle_timeout(now);
    }

    /// Another network is to be joined, or none any more.
    pub fn set_network(&mut self, is_set: bool, now: Instant) {
        self.handle_timeout(now);
        self.is_set = is_set;
        self.handle_timeout(now);
    }

    /// Somebody uses the access point or its portal.
    pub fn handle_use(&mut self, now: Instant) {
        self.handle_timeout(now);
        self.used = now;
    }

    /// The button asks for it.
    pub fn request(&mut self, now: Instant) {
        if self.rule != Rule::Off {
            self.up = true;
            self.used = now;
        }
    }

    /// Does what has become due by `now`.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.deadline().is_some_and(|at| at <= now) {
            self.up = !self.up;
            // It has just come up: whoever it is for needs a while.
            self.used = now;
        }
    }

    /// When to call [`handle_timeout`](Self::handle_timeout).
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        if self.rule != Rule::Auto {
            return None;
        }
        match (self.up, self.network) {
            (false, Network::Lost(since)) if self.is_set => Some(since.after(LOST_MS)),
            (false, Network::Lost(since)) => Some(since),
            (true, Network::There(since)) => Some(since.max(self.used).after(IDLE_MS)),
            (false, Network::There(_)) | (true, Network::Lost(_)) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Instant {
        Instant::from_millis(ms)
    }

    fn auto() -> AccessPoint {
        AccessPoint::new(Rule::Auto, true, at(0))
    }

    /// What it is after so many milliseconds, if its deadlines are kept.
    fn after(access_point: &mut AccessPoint, ms: u64) -> bool {
        while let Some(deadline) = access_point.deadline()
            && deadline <= at(ms)
        {
            access_point.handle_timeout(deadline);
        }
        access_point.is_up()
    }

    #[test]
    fn it_comes_up_120_s_after_the_network_is_lost_every_time() {
        let mut access_point = auto();
        assert!(!after(&mut access_point, 1_000_000));
        for start in [1_000_000, 2_000_000] {
            access_point.handle_network(false, at(start));
            access_point.handle_network(false, at(start + 60_000));
            assert!(!after(&mut access_point, start + 119_999));
            assert!(after(&mut access_point, start + 120_000));
            assert!(after(&mut access_point, start + 500_000));
            access_point.handle_network(true, at(start + 500_000));
            assert!(after(&mut access_point, start + 559_999));
            assert!(!after(&mut access_point, start + 560_000));
        }
    }

    #[test]
    fn a_network_that_comes_back_in_time_keeps_it_down() {
        let mut access_point = auto();
        access_point.handle_network(false, at(0));
        access_point.handle_network(true, at(119_000));
        access_point.handle_network(false, at(120_000));
        assert!(!after(&mut access_point, 239_999));
        assert!(after(&mut access_point, 240_000));
    }

    #[test]
    fn it_comes_up_at_once_when_no_network_is_set_and_there_is_none() {
        let mut access_point = AccessPoint::new(Rule::Auto, false, at(0));
        assert!(!after(&mut access_point, 1_000), "a cable needs no setting");
        access_point.handle_network(false, at(1_000));
        assert!(access_point.is_up());
        access_point.handle_network(true, at(2_000));
        assert!(!after(&mut access_point, 62_000));
    }

    #[test]
    fn it_comes_up_at_once_when_the_network_is_unset_while_there_is_none() {
        let mut access_point = auto();
        access_point.handle_network(false, at(0));
        access_point.set_network(false, at(5_000));
        assert!(access_point.is_up());
    }

    #[test]
    fn whoever_uses_it_keeps_it_up() {
        let mut access_point = auto();
        access_point.request(at(0));
        for ms in (0..600_000).step_by(59_000) {
            assert!(after(&mut access_point, ms));
            access_point.handle_use(at(ms));
        }
        assert!(after(&mut access_point, 590_000 + 59_999));
        assert!(!after(&mut access_point, 590_000 + 60_000));
    }

    #[test]
    fn the_button_brings_it_up_for_60_s_or_until_there_is_a_network() {
        let mut access_point = auto();
        access_point.request(at(5_000));
        assert!(after(&mut access_point, 64_999));
        assert!(!after(&mut access_point, 65_000));
        access_point.handle_network(false, at(70_000));
        access_point.request(at(71_000));
        assert!(after(&mut access_point, 10_000_000));
    }

    #[test]
    fn always_is_always_and_off_is_never() {
        let mut always = AccessPoint::new(Rule::Always, true, at(0));
        let mut off = AccessPoint::new(Rule::Off, false, at(0));
        for ms in [0, 100_000, 200_000, 900_000] {
            for (access_point, up) in [(&mut always, true), (&mut off, false)] {
                assert_eq!(after(access_point, ms), up);
                access_point.handle_network(ms % 200_000 == 0, at(ms));
                access_point.request(at(ms));
                access_point.handle_use(at(ms));
                assert_eq!(access_point.is_up(), up);
            }
        }
    }
}
