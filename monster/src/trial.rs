//! New settings of WiFi and broker, tried before the old ones are given up.
//!
//! A board keeps the old settings stored, starts its device with the new ones, and tells the
//! [`Trial`] how far it gets: the network joined, an address, the broker's acceptance. It says when
//! that has succeeded, and the new settings are to be stored, or failed, and the device is to be
//! started with the old ones. What came of it stays here, for a phone that was thrown off meanwhile.
//!
//! ```
//! use monster::trial::{Outcome, Progress, Step, Trial};
//! use umqtt::Instant;
//!
//! let mut trial = Trial::new(Instant::ZERO);
//! trial.handle(Progress::Joined, Instant::from_millis(2_000));
//! trial.handle(Progress::Failed("there is no DHCP server"), Instant::from_millis(9_000));
//! let Outcome::Failed(failure) = trial.outcome() else { panic!() };
//! assert_eq!((failure.step, failure.reason.as_str()), (Step::Address, "there is no DHCP server"));
//! ```

use heapless::String;
use umqtt::Instant;

/// Milliseconds in which the network must be joined: a station tries for a while.
pub const JOIN_MS: u64 = 20_000;
/// Milliseconds from then in which there must be an address.
pub const ADDRESS_MS: u64 = 10_000;
/// Milliseconds from then in which the broker must have accepted the device.
pub const BROKER_MS: u64 = 20_000;
/// The longest reason, in bytes; what is longer is cut.
pub const REASON_MAX: usize = 96;

/// What must succeed, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// The network is joined.
    Wifi,
    /// It has given an address.
    Address,
    /// The broker has accepted the device.
    Broker,
}

impl Step {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Step::Wifi => "wifi",
            Step::Address => "address",
            Step::Broker => "broker",
        }
    }

    const fn limit(self) -> u64 {
        match self {
            Step::Wifi => JOIN_MS,
            Step::Address => ADDRESS_MS,
            Step::Broker => BROKER_MS,
        }
    }

    const fn late(self) -> &'static str {
        match self {
            Step::Wifi => "the network was not joined in time",
            Step::Address => "the network gave no address",
            Step::Broker => "the broker did not answer in time",
        }
    }
}

/// What a board tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress<'a> {
    /// The network is joined.
    Joined,
    /// There is an address.
    Addressed,
    /// The broker has accepted the device.
    Accepted,
    /// What is being tried has failed for good, as with a wrong password, and why.
    Failed(&'a str),
    /// It has failed, but is tried again until its time is over, and why.
    Stumbled(&'a str),
}

/// How far it got, and why no further.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What failed.
    pub step: Step,
    /// Why, in words for a person; without a secret, if the board gave none.
    pub reason: String<REASON_MAX>,
}

/// How a trial stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// This is being tried.
    Trying(Step),
    /// The new settings work: store them.
    Succeeded,
    /// They do not: go back to the old ones.
    Failed(Failure),
}

/// One trial of new settings. It ends within 50 s, and its outcome stays.
///
/// After every call, look at [`outcome`](Self::outcome) and [`deadline`](Self::deadline) again. No
/// call panics.
#[derive(Clone, Debug)]
pub struct Trial {
    outcome: Outcome,
    since: Instant,
    /// Why what is being tried has failed so far.
    reason: String<REASON_MAX>,
}

impl Trial {
    /// One that begins now.
    pub fn new(now: Instant) -> Self {
        Trial {
            outcome: Outcome::Trying(Step::Wifi),
            since: now,
            reason: String::new(),
        }
    }

    /// How it stands.
    #[must_use]
    pub fn outcome(&self) -> &Outcome {
        &self.outcome
    }

    /// Takes in what happened. After the end, nothing matters any more.
    pub fn handle(&mut self, progress: Progress<'_>, now: Instant) {
        self.handle_timeout(now);
        let Outcome::Trying(step) = self.outcome else {
            return;
        };
        match progress {
            // A board that has an address has joined, and one that was accepted has both.
            Progress::Joined if step < Step::Address => self.go_on(Step::Address, now),
            Progress::Addressed if step < Step::Broker => self.go_on(Step::Broker, now),
            Progress::Joined | Progress::Addressed => {}
            Progress::Accepted => self.outcome = Outcome::Succeeded,
            Progress::Failed(reason) => self.fail(step, reason),
            Progress::Stumbled(reason) => self.reason = cut(reason),
        }
    }

    /// Gives up what has taken too long.
    pub fn handle_timeout(&mut self, now: Instant) {
        if let Outcome::Trying(step) = self.outcome
            && self.deadline().is_some_and(|at| at <= now)
        {
            let reason = core::mem::take(&mut self.reason);
            self.fail(
                step,
                if reason.is_empty() {
                    step.late()
                } else {
                    &reason
                },
            );
        }
    }

    /// When to call [`handle_timeout`](Self::handle_timeout).
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        match self.outcome {
            Outcome::Trying(step) => Some(self.since.after(step.limit())),
            Outcome::Succeeded | Outcome::Failed(_) => None,
        }
    }

    fn go_on(&mut self, step: Step, now: Instant) {
        self.outcome = Outcome::Trying(step);
        self.since = now;
        self.reason.clear();
    }

    fn fail(&mut self, step: Step, reason: &str) {
        self.outcome = Outcome::Failed(Failure {
            step,
            reason: cut(reason),
        });
    }
}

/// As much of a text as fits.
fn cut(text: &str) -> String<REASON_MAX> {
    let mut short = String::new();
    let _ = text
        .chars()
        .try_for_each(|character| short.push(character).map_err(drop));
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Instant {
        Instant::from_millis(ms)
    }

    fn failure(trial: &Trial) -> (Step, &str) {
        match trial.outcome() {
            Outcome::Failed(failure) => (failure.step, &failure.reason),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_gets_as_far_as_the_broker_has_succeeded() {
        let mut trial = Trial::new(at(0));
        for (progress, outcome) in [
            (Progress::Joined, Outcome::Trying(Step::Address)),
            (Progress::Addressed, Outcome::Trying(Step::Broker)),
            (Progress::Stumbled("refused"), Outcome::Trying(Step::Broker)),
            (Progress::Accepted, Outcome::Succeeded),
            (Progress::Failed("late"), Outcome::Succeeded),
        ] {
            trial.handle(progress, at(100));
            assert_eq!(*trial.outcome(), outcome);
        }
        assert_eq!(trial.deadline(), None);
        trial.handle_timeout(at(1_000_000));
        assert_eq!(*trial.outcome(), Outcome::Succeeded);
    }

    #[test]
    fn each_step_has_its_time_and_its_failure_names_it() {
        let steps = [
            (Step::Wifi, JOIN_MS, Progress::Joined),
            (Step::Address, ADDRESS_MS, Progress::Addressed),
            (Step::Broker, BROKER_MS, Progress::Accepted),
        ];
        for failing in 0..steps.len() {
            let mut trial = Trial::new(at(0));
            let mut now = 0;
            for (_, limit, progress) in &steps[..failing] {
                now += limit - 1;
                trial.handle(*progress, at(now));
            }
            let (step, limit, _) = steps[failing];
            assert_eq!(trial.deadline(), Some(at(now + limit)));
            trial.handle_timeout(at(now + limit - 1));
            assert_eq!(*trial.outcome(), Outcome::Trying(step));
            trial.handle_timeout(at(now + limit));
            assert_eq!(failure(&trial), (step, step.late()));
            trial.handle(Progress::Accepted, at(now + limit + 1));
            assert_eq!(failure(&trial).0, step, "it stays");
        }
    }

    #[test]
    fn the_last_reason_is_told_when_the_time_is_over_and_not_that_of_another_step() {
        let mut trial = Trial::new(at(0));
        trial.handle(Progress::Stumbled("the password is not accepted"), at(1));
        trial.handle(Progress::Stumbled("there is no such network here"), at(2));
        let mut later = trial.clone();
        trial.handle_timeout(at(JOIN_MS));
        let reason = "there is no such network here";
        assert_eq!(failure(&trial), (Step::Wifi, reason));
        later.handle(Progress::Joined, at(3));
        later.handle_timeout(at(3 + ADDRESS_MS));
        assert_eq!(failure(&later), (Step::Address, Step::Address.late()));
    }

    #[test]
    fn what_cannot_succeed_is_not_tried_to_the_end() {
        let mut trial = Trial::new(at(0));
        trial.handle(Progress::Addressed, at(10));
        let long = "é".repeat(200);
        trial.handle(Progress::Failed(&long), at(11));
        let (step, reason) = failure(&trial);
        assert_eq!((step, reason.len()), (Step::Broker, REASON_MAX));
    }

    #[test]
    fn success_that_comes_too_late_is_none() {
        let mut trial = Trial::new(at(0));
        trial.handle(Progress::Accepted, at(JOIN_MS));
        assert_eq!(failure(&trial).0, Step::Wifi);
    }

    extern crate std;
}
