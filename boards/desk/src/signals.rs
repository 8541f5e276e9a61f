//! How the system asks a program to end.

/// A request to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Ctrl-C: somebody is waiting.
    Interrupt,
    /// Whoever manages the program; or the terminal is gone.
    Terminate,
}

/// All requests to end.
#[cfg(unix)]
pub struct Signals(Vec<(Signal, tokio::signal::unix::Signal)>);

#[cfg(unix)]
impl Signals {
    /// Listens from now on; to be called within the runtime.
    pub fn listen() -> Self {
        use tokio::signal::unix::{SignalKind, signal};
        let kinds = [
            (Signal::Interrupt, SignalKind::interrupt()),
            (Signal::Terminate, SignalKind::terminate()),
            (Signal::Terminate, SignalKind::hangup()),
            (Signal::Terminate, SignalKind::quit()),
        ];
        let listening = kinds
            .into_iter()
            .filter_map(|(meaning, kind)| Some((meaning, signal(kind).ok()?)));
        Signals(listening.collect())
    }

    /// Waits for a request to end.
    ///
    /// Cancelling it loses nothing.
    pub async fn next(&mut self) -> Signal {
        use std::task::Poll;
        std::future::poll_fn(|context| {
            self.0
                .iter_mut()
                .find_map(|(meaning, signal)| {
                    signal.poll_recv(context).is_ready().then_some(*meaning)
                })
                .map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }
}

/// All requests to end.
#[cfg(not(unix))]
pub struct Signals;

#[cfg(not(unix))]
impl Signals {
    /// Listens from now on; to be called within the runtime.
    pub fn listen() -> Self {
        Signals
    }

    /// Waits for a request to end.
    pub async fn next(&mut self) -> Signal {
        match tokio::signal::ctrl_c().await {
            Ok(()) => Signal::Interrupt,
            Err(_) => std::future::pending().await,
        }
    }
}
