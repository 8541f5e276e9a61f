//! What the drivers ask of time.

use crate::time::Instant;

/// Tells what time it is.
pub trait Clock {
    /// The time now; never earlier than what was told before.
    fn now(&self) -> Instant;
}

/// Waits for a point in time.
pub trait Timer: Clock {
    /// Waits until `deadline`; at once ready if that has passed.
    ///
    /// Cancelling it does nothing.
    #[allow(async_fn_in_trait, reason = "no driver asks for Send")]
    async fn wait_until(&self, deadline: Instant);
}

impl<C: Clock + ?Sized> Clock for &C {
    fn now(&self) -> Instant {
        (**self).now()
    }
}

impl<T: Timer + ?Sized> Timer for &T {
    async fn wait_until(&self, deadline: Instant) {
        (**self).wait_until(deadline).await;
    }
}
