//! How long to wait between two attempts to reach the broker.

use umqtt::Instant;

use crate::random::Random;

/// A session that lasted this long was healthy: the next outage begins from nothing.
pub const HEALTHY_MS: u64 = 60_000;
/// The least cap of a wait, in milliseconds.
pub const LEAST_CAP_MS: u64 = 1_000;
/// The greatest cap of a wait, in milliseconds.
pub const GREATEST_CAP_MS: u64 = 120_000;
/// The cap is the length of the outage divided by this.
const OUTAGE_SHARE: u64 = 5;

/// The back-off of a device between attempts to connect.
///
/// Each wait is random between 0 and a cap. The cap is a fifth of the outage so far, at least 1 s
/// and at most 120 s. So a short outage ends soon after the broker is back, a long one is polled
/// gently, and ten thousand devices that lost the broker together come back spread out.
///
/// The outage is the time spent *without* a session since the last healthy one ended, or since
/// boot. Time spent in sessions that were too short to be healthy is not part of it: a device that
/// was happily connected for its first 30 s has been away for 0 s when the broker goes. The short
/// sessions do not end the outage either, so a broker that accepts and drops at once sees the
/// attempts thin out like one that is away.
///
/// No call panics.
#[derive(Clone, Debug)]
pub struct Backoff {
    /// Where the outage would have begun if it had had no sessions in it.
    outage_from: Instant,
    /// When the session that is up began.
    session_from: Option<Instant>,
}

impl Backoff {
    /// The back-off of a device that started at `boot`.
    pub const fn new(boot: Instant) -> Self {
        Backoff {
            outage_from: boot,
            session_from: None,
        }
    }

    /// The broker has accepted the connection (CONNACK with return code 0).
    pub fn session_started(&mut self, now: Instant) {
        // A session that was never said to have ended ends here.
        self.session_ended(now);
        self.session_from = Some(now);
    }

    /// The session is over, for whatever reason. Does nothing if none was up.
    pub fn session_ended(&mut self, now: Instant) {
        if let Some(from) = self.session_from.take() {
            let lasted = now.since(from);
            self.outage_from = if lasted >= HEALTHY_MS {
                now
            } else {
                self.outage_from.after(lasted)
            };
        }
    }

    /// How many milliseconds to wait from `now` until the next attempt.
    #[must_use]
    pub fn wait(&self, now: Instant, random: &mut Random) -> u32 {
        random.up_to(self.cap(now))
    }

    /// The most [`wait`](Self::wait) gives at `now`, in milliseconds.
    fn cap(&self, now: Instant) -> u32 {
        let outage = self.session_from.unwrap_or(now).since(self.outage_from);
        let cap = (outage / OUTAGE_SHARE).clamp(LEAST_CAP_MS, GREATEST_CAP_MS);
        cap as u32
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::vec::Vec;

    use super::*;

    const HOUR: u64 = 3_600_000;

    fn at(ms: u64) -> Instant {
        Instant::from_millis(ms)
    }

    /// The first attempt at or after `back`, of a device that begins to wait at `from` and whose
    /// attempts fail at once until then.
    fn first_attempt_after(backoff: &Backoff, random: &mut Random, from: u64, back: u64) -> u64 {
        let mut now = from;
        loop {
            now += u64::from(backoff.wait(at(now), random));
            if now >= back {
                return now;
            }
        }
    }

    #[test]
    fn a_broker_away_for_less_than_10_s_is_tried_within_2_s_of_its_return() {
        let mut random = Random::new(5);
        for seed in 0..20_000 {
            let away = u64::from(random.up_to(9_999));
            // Any length of session before the outage, the unhealthy ones included.
            let lasted = u64::from(random.up_to(200_000));
            let boot = u64::from(random.up_to(10_000));
            let mut backoff = Backoff::new(at(boot));
            backoff.session_started(at(boot));
            let lost = boot + lasted;
            backoff.session_ended(at(lost));

            let attempt = first_attempt_after(&backoff, &mut Random::new(seed), lost, lost + away);
            assert!(attempt - (lost + away) <= 2_000, "seed {seed}, away {away}");
        }
    }

    #[test]
    fn the_cap_is_a_fifth_of_the_outage_within_its_bounds() {
        let backoff = Backoff::new(at(1_000_000));
        for (outage, cap) in [
            (0, 1_000),
            (5_000, 1_000),
            (5_005, 1_001),
            (10_000, 2_000),
            (60_000, 12_000),
            (599_999, 119_999),
            (600_000, 120_000),
            (HOUR, 120_000),
            (u64::MAX, 120_000),
        ] {
            assert_eq!(backoff.cap(at(1_000_000).after(outage)), cap, "{outage}");
        }
    }

    #[test]
    fn waits_reach_from_nothing_to_the_cap() {
        let backoff = Backoff::new(at(0));
        let mut random = Random::new(6);
        let waits: Vec<u32> = (0..100_000)
            .map(|_| backoff.wait(at(100_000), &mut random))
            .collect();
        assert!(waits.iter().all(|wait| *wait <= 20_000));
        assert!(waits.iter().any(|wait| *wait < 10));
        assert!(waits.iter().any(|wait| *wait > 19_990));
    }

    #[test]
    fn a_session_of_60_s_ends_the_outage_and_one_of_less_does_not() {
        for (lasted, cap) in [(59_999, 120_000), (60_000, 1_000)] {
            let mut backoff = Backoff::new(at(0));
            backoff.session_started(at(HOUR));
            backoff.session_ended(at(HOUR + lasted));
            assert_eq!(backoff.cap(at(HOUR + lasted)), cap);
        }
    }

    #[test]
    fn time_in_short_sessions_is_not_part_of_the_outage() {
        let mut backoff = Backoff::new(at(0));
        backoff.session_started(at(1_000));
        backoff.session_ended(at(31_000));
        assert_eq!(backoff.cap(at(31_000)), 1_000);
        backoff.session_started(at(40_000));
        assert_eq!(backoff.cap(at(80_000)), 2_000);
        backoff.session_ended(at(80_000));
        // 1 s and 9 s without a session so far.
        assert_eq!(backoff.cap(at(80_000)), 2_000);
        assert_eq!(backoff.cap(at(90_000)), 4_000);
    }

    #[test]
    fn a_broker_that_accepts_and_drops_is_not_stormed() {
        for seed in 0..100 {
            // A broker that holds each session for so long before it drops it.
            for held in [0, 10, 1_000] {
                let mut random = Random::new(seed);
                let mut backoff = Backoff::new(at(0));
                let (mut now, mut attempts, mut in_last_half) = (0, 0, 0);
                while now < HOUR {
                    attempts += 1;
                    in_last_half += u32::from(now >= HOUR / 2);
                    backoff.session_started(at(now));
                    now += held;
                    backoff.session_ended(at(now));
                    now += u64::from(backoff.wait(at(now), &mut random));
                }
                // Half the cap on average: about 30 attempts in the last half hour.
                assert!((60..200).contains(&attempts), "{attempts} attempts");
                assert!(in_last_half < 60, "{in_last_half} in the last half hour");
            }
        }
    }

    #[test]
    fn a_broker_that_is_away_for_an_hour_is_polled_about_once_a_minute_in_the_end() {
        for seed in 0..100 {
            let mut random = Random::new(seed);
            let backoff = Backoff::new(at(0));
            let (mut now, mut attempts) = (0, 0);
            while now < HOUR {
                attempts += 1;
                now += u64::from(backoff.wait(at(now), &mut random));
            }
            assert!((60..200).contains(&attempts), "{attempts} attempts");
        }
    }

    #[test]
    fn ten_thousand_devices_that_lose_the_broker_together_come_back_spread_out() {
        // Away for so long, in milliseconds, and the most any wait can then be.
        for (away, cap) in [(0, 1_000), (9_000, 1_800), (600_000, 120_000)] {
            let mut per_tenth = [0u32; 10];
            for device in 0..10_000 {
                let mut backoff = Backoff::new(at(0));
                backoff.session_started(at(0));
                backoff.session_ended(at(HOUR));
                let attempt =
                    first_attempt_after(&backoff, &mut Random::new(device), HOUR, HOUR + away);
                let late = attempt - HOUR - away;
                assert!(late <= cap);
                per_tenth[(late * 10 / (cap + 1)) as usize] += 1;
            }
            // At once after the loss they are even. Later, those with a short wait have come and
            // gone, and what is left of a wait is likelier to be short: at most twice the mean.
            let most = if away == 0 { 1_150 } else { 2_300 };
            assert!(per_tenth.iter().all(|n| *n <= most), "{per_tenth:?}");
            if away == 0 {
                assert!(per_tenth.iter().all(|n| *n >= 850), "{per_tenth:?}");
            }
        }
    }

    #[test]
    fn any_order_of_calls_at_any_time_gives_a_wait_within_bounds() {
        let mut random = Random::new(7);
        let mut backoff = Backoff::new(at(u64::MAX));
        for _ in 0..50_000 {
            let now = match random.up_to(9) {
                0 => at(0),
                1 => at(u64::MAX),
                _ => at(u64::from(random.next_u32())),
            };
            match random.up_to(2) {
                0 => backoff.session_started(now),
                1 => backoff.session_ended(now),
                _ => assert!(u64::from(backoff.wait(now, &mut random)) <= GREATEST_CAP_MS),
            }
        }
    }
}
