//! Other settings of WiFi and broker, tried before the old ones are given up: how far the device gets
//! with them, and what becomes of it.

use embedded_storage_async::nor_flash::NorFlash;
#[cfg(feature = "console")]
use monster::settings::BrokerSettings;
use monster::settings::value::LogLevel;
use monster::settings::{Uplink, WifiSettings};
use monster::trial::{Failure, Outcome, Progress, Step, Trial};
use monster_store::Store;
use umqtt::Instant;

use crate::radio::{JoinError, Stands};
use crate::run::{Board, Shared, now};

/// A trial that is under way.
pub(crate) struct Trying {
    trial: Trial,
    /// How it stood when it was last told.
    told: Outcome,
    /// What to go back to.
    old: (WifiSettings, Uplink),
}

impl Trying {
    pub fn deadline(&self) -> Option<Instant> {
        self.trial.deadline()
    }

    /// Looks how far it is. Returns how it stands, if that is new.
    fn look(&mut self, shared: &Shared<'_>) -> Option<Outcome> {
        let (trial, now) = (&mut self.trial, now());
        match &*shared.air.stands() {
            Stands::Nowhere | Stands::Joining => {}
            Stands::Failed(JoinError::Refused) => {
                trial.handle(Progress::Failed("the password is not accepted"), now);
            }
            Stands::Failed(error) => trial.handle(Progress::Stumbled(error.as_str()), now),
            Stands::Joined => {
                trial.handle(Progress::Joined, now);
                if shared.has_network() {
                    trial.handle(Progress::Addressed, now);
                }
            }
        }
        let device = shared.device.borrow();
        if device.is_online() {
            trial.handle(Progress::Accepted, now);
        } else if *trial.outcome() == Outcome::Trying(Step::Broker)
            && let Some(reason) = device.connection(now).reason
        {
            trial.handle(Progress::Stumbled(reason), now);
        }
        trial.handle_timeout(now);
        if *trial.outcome() == self.told {
            return None;
        }
        self.told = trial.outcome().clone();
        Some(self.told.clone())
    }
}

/// Begins to try these.
#[cfg(feature = "console")]
pub(crate) fn begin<B: Board>(shared: &Shared<'_>, wifi: WifiSettings, broker: BrokerSettings) {
    let line = format_args!("trying to join {}", wifi.ssid.as_str());
    shared.log::<B>(LogLevel::Info, line);
    let now = now();
    let trial = Trial::new(now);
    let old = {
        let mut device = shared.device.borrow_mut();
        let old = (shared.air.set(), device.uplink().clone());
        device.go_over(Uplink::new(&wifi, &broker), true, now);
        old
    };
    shared.air.set_network(wifi);
    let told = trial.outcome().clone();
    shared.trying.replace(Some(Trying { trial, told, old }));
    shared.told();
}

/// Looks how far the trial is, if there is one, and ends it when it is at its end.
pub(crate) async fn look<B: Board, F: NorFlash>(shared: &Shared<'_>, store: &mut Store<F>) {
    let outcome = {
        let mut trying = shared.trying.borrow_mut();
        trying.as_mut().and_then(|trying| trying.look(shared))
    };
    let Some(mut outcome) = outcome else {
        return;
    };
    if outcome == Outcome::Succeeded
        && let Err(why) = shared.local.store_changes(store).await
    {
        shared.log::<B>(LogLevel::Error, format_args!("cannot store: {why}"));
        outcome = Outcome::Failed(Failure {
            step: Step::Broker,
            reason: "they work, but cannot be stored"
                .try_into()
                .unwrap_or_default(),
        });
    }
    match &outcome {
        Outcome::Trying(_) => {}
        Outcome::Succeeded => {
            shared.device.borrow_mut().trial_succeeded();
            shared.trying.replace(None);
            let line = format_args!("the new settings work, and are stored");
            shared.log::<B>(LogLevel::Info, line);
        }
        Outcome::Failed(Failure { step, reason }) => {
            let line = format_args!(
                "the new settings failed ({}: {reason}); going on with the old ones",
                step.as_str()
            );
            shared.log::<B>(LogLevel::Warn, line);
            if let Some(Trying { old, .. }) = shared.trying.replace(None) {
                let (wifi, uplink) = old;
                shared.device.borrow_mut().go_over(uplink, false, now());
                shared.air.set_network(wifi);
                shared.told();
            }
        }
    }
    shared.local.tried(outcome).await;
}
