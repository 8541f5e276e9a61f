//! The sign of life: a number that grows by one with every beat that was sent.

use umqtt::Instant;

use crate::settings::value::HeartbeatInterval;

/// Decides when a beat is due, and what its number is.
///
/// The first beat is due at once on every connect, the next ones at whole periods after it. A beat
/// that is sent late does not move those that follow, and beats that were missed are left out, not
/// caught up with. The number counts the beats sent since boot: neither a reconnect nor the time
/// offline changes it.
///
/// No call panics.
#[derive(Clone, Debug)]
pub struct Heartbeat {
    period_ms: u64,
    number: u32,
    /// When the next beat is due; none while offline.
    next: Option<Instant>,
}

impl Heartbeat {
    /// A heartbeat that is silent until [`connected`](Self::connected).
    pub fn new(interval: HeartbeatInterval) -> Self {
        Heartbeat {
            // An interval is 1 to 3600 s: no more than a few million, and never zero.
            period_ms: u64::from(interval.seconds()) * 1000,
            number: 0,
            next: None,
        }
    }

    /// The session is up: a beat is due at once.
    pub fn connected(&mut self, now: Instant) {
        self.next = Some(now);
    }

    /// The session is gone: nothing is due until it is back.
    pub fn disconnected(&mut self) {
        self.next = None;
    }

    /// The number of the beat to send, if one is due. It stays due until [`sent`](Self::sent).
    #[must_use]
    pub fn due(&self, now: Instant) -> Option<u32> {
        self.next
            .is_some_and(|next| now >= next)
            .then_some(self.number)
    }

    /// The beat that was due has been sent. Does nothing if none was due.
    pub fn sent(&mut self, now: Instant) {
        if let Some(next) = self.next
            && now >= next
        {
            let late = now.since(next);
            // To the first whole period after `now`, so that neither this delay nor any before it
            // adds up.
            self.next = Some(now.after(self.period_ms - late % self.period_ms));
            // One beat a second reaches the end of the numbers after 136 years.
            self.number = self.number.wrapping_add(1);
        }
    }

    /// When to ask [`due`](Self::due) again; `None` while offline.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.next
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;
    use crate::settings::value::Value;

    fn at(ms: u64) -> Instant {
        Instant::from_millis(ms)
    }

    fn every(seconds: &str) -> Heartbeat {
        Heartbeat::new(HeartbeatInterval::parse(seconds).unwrap())
    }

    #[test]
    fn nothing_is_due_before_the_first_connect() {
        let heartbeat = every("5");
        assert_eq!(heartbeat.due(at(1_000_000)), None);
        assert_eq!(heartbeat.deadline(), None);
    }

    #[test]
    fn the_first_beat_is_due_at_once_on_connect_and_is_number_zero() {
        let mut heartbeat = every("5");
        heartbeat.connected(at(1234));
        assert_eq!(heartbeat.due(at(1234)), Some(0));
        heartbeat.sent(at(1234));
        assert_eq!(heartbeat.due(at(6233)), None);
        assert_eq!(heartbeat.deadline(), Some(at(6234)));
        assert_eq!(heartbeat.due(at(6234)), Some(1));
    }

    #[test]
    fn a_beat_that_could_not_be_sent_stays_due_with_the_same_number() {
        let mut heartbeat = every("5");
        heartbeat.connected(at(0));
        assert_eq!(heartbeat.due(at(0)), Some(0));
        assert_eq!(heartbeat.due(at(700)), Some(0));
        assert_eq!(heartbeat.deadline(), Some(at(0)));
    }

    #[test]
    fn calls_that_are_late_by_some_do_not_make_the_beat_drift() {
        let mut heartbeat = every("5");
        let mut random = Random::new(3);
        heartbeat.connected(at(100));
        for n in 0..10_000u64 {
            assert_eq!(heartbeat.deadline(), Some(at(100 + n * 5000)));
            let late = at(100 + n * 5000 + u64::from(random.up_to(4999)));
            assert_eq!(heartbeat.due(late), Some(n as u32));
            heartbeat.sent(late);
        }
    }

    #[test]
    fn a_call_that_is_late_by_periods_sends_one_beat_and_leaves_the_missed_ones_out() {
        let mut heartbeat = every("5");
        heartbeat.connected(at(0));
        heartbeat.sent(at(0));
        assert_eq!(heartbeat.due(at(61_000)), Some(1));
        heartbeat.sent(at(61_000));
        assert_eq!(heartbeat.due(at(61_000)), None);
        assert_eq!(heartbeat.deadline(), Some(at(65_000)));
    }

    #[test]
    fn a_reconnect_beats_at_once_with_the_next_number() {
        let mut heartbeat = every("5");
        heartbeat.connected(at(0));
        heartbeat.sent(at(0));
        heartbeat.sent(at(5000));
        heartbeat.disconnected();
        assert_eq!(heartbeat.due(at(3_600_000)), None);
        assert_eq!(heartbeat.deadline(), None);
        heartbeat.connected(at(3_600_001));
        assert_eq!(heartbeat.due(at(3_600_001)), Some(2));
    }

    #[test]
    fn what_was_not_due_is_not_counted_as_sent() {
        let mut heartbeat = every("5");
        heartbeat.sent(at(0));
        heartbeat.connected(at(10));
        heartbeat.sent(at(10));
        heartbeat.sent(at(11));
        heartbeat.disconnected();
        heartbeat.sent(at(50_000));
        heartbeat.connected(at(60_000));
        assert_eq!(heartbeat.due(at(60_000)), Some(1));
    }

    #[test]
    fn any_order_of_calls_at_any_time_keeps_the_number_growing_by_one_a_beat() {
        let mut random = Random::new(4);
        for seconds in ["1", "5", "3600"] {
            let mut heartbeat = every(seconds);
            let mut sent = 0;
            for _ in 0..20_000 {
                let now = match random.up_to(9) {
                    0 => at(0),
                    1 => at(u64::MAX),
                    2 => at(u64::MAX - u64::from(random.next_u32())),
                    _ => at(u64::from(random.next_u32())),
                };
                match random.up_to(3) {
                    0 => heartbeat.connected(now),
                    1 => heartbeat.disconnected(),
                    _ => {
                        if let Some(number) = heartbeat.due(now) {
                            assert_eq!(number, sent);
                            sent += 1;
                        }
                        heartbeat.sent(now);
                    }
                }
            }
            assert!(sent > 0);
        }
    }
}
