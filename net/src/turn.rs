//! The broker has the first turn on a network.

use embassy_net::Stack;
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::signal::Signal;
use embassy_time::{Duration, with_timeout};

/// How long the others wait for it at most.
const PATIENCE: Duration = Duration::from_secs(2);

/// Whether the broker had its turn. Having asked for one neighbour, the stack is silent for a second
/// before it asks for the next: whoever is first does not wait.
pub(crate) struct Turn(Signal<NoopRawMutex, ()>);

impl Turn {
    pub const fn new() -> Self {
        Turn(Signal::new())
    }

    /// It had.
    pub fn is_over(&self) {
        self.0.signal(());
    }

    /// Waits until there is a network and the broker had its turn there, or for a moment. Several may
    /// wait, in the same task.
    pub async fn wait(&self, stack: Stack<'_>) {
        stack.wait_config_up().await;
        let _ = with_timeout(PATIENCE, self.0.wait()).await;
        self.0.signal(());
    }
}
