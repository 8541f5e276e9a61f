//! Time, as the device and the MQTT client want it handed in.

use std::time::Duration;

use tokio::time::{Instant as SystemInstant, sleep_until};
use umqtt::{Clock as _, Instant};

/// The longest that is slept at once: the system's time cannot be added to without end.
const FAR: Duration = Duration::from_secs(3600);

/// Milliseconds since it was made.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: SystemInstant,
}

impl Clock {
    pub fn new() -> Self {
        Clock {
            start: SystemInstant::now(),
        }
    }

    /// The system's time at which it is `instant` here, or an earlier one that is an hour away.
    pub fn system(&self, instant: Instant) -> SystemInstant {
        let wait = Duration::from_millis(instant.as_millis());
        self.start + wait.min(self.start.elapsed() + FAR)
    }
}

impl umqtt::Clock for Clock {
    fn now(&self) -> Instant {
        let elapsed = self.start.elapsed().as_millis();
        Instant::from_millis(u64::try_from(elapsed).unwrap_or(u64::MAX))
    }
}

impl umqtt::Timer for Clock {
    async fn wait_until(&self, deadline: Instant) {
        while self.now() < deadline {
            sleep_until(self.system(deadline)).await;
        }
    }
}
