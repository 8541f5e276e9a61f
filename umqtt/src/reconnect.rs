//! Coming back after the connection was lost.

use core::fmt;

use embedded_io_async::{Read, Write};

use crate::asynch::Client;
use crate::backoff::Backoff;
use crate::clock::Timer;
use crate::error::ClientError;
use crate::packet::connect::Connect;
use crate::packet::subscribe::Subscription;
use crate::session::Event;

/// What a client does whenever it has no connection.
pub struct Reconnect<'a, T> {
    /// What it connects with.
    pub connect: Connect<'a>,
    /// What it subscribes to, unless the server still has its session, and has answered the SUBSCRIBE
    /// in it.
    pub subscriptions: &'a [Subscription<'a>],
    /// How long it waits before each attempt.
    pub backoff: Backoff,
    timer: T,
    attempts: u32,
    connections: u32,
    retransmits: u32,
    /// A session of the server has begun, and the SUBSCRIBE in it was not answered.
    unanswered: bool,
}

/// Why an attempt to come back failed. The next one may succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReconnectError<O, E> {
    /// The transport could not be opened.
    Open(O),
    /// It could, and then this happened: a refusal, a broken connection, a refused subscription.
    Client(ClientError<E>),
}

impl<O: fmt::Display, E: fmt::Debug> fmt::Display for ReconnectError<O, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReconnectError::Open(error) => write!(f, "the connection could not be opened: {error}"),
            ReconnectError::Client(error) => write!(f, "{error}"),
        }
    }
}

impl<'a, T: Timer> Reconnect<'a, T> {
    /// A way back that waits by this `timer`.
    pub const fn new(
        connect: Connect<'a>,
        subscriptions: &'a [Subscription<'a>],
        backoff: Backoff,
        timer: T,
    ) -> Self {
        Reconnect {
            connect,
            subscriptions,
            backoff,
            timer,
            attempts: 0,
            connections: 0,
            retransmits: 0,
            unanswered: false,
        }
    }

    /// Attempts made, also those that failed.
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// Connections the server accepted, but for the first.
    pub fn reconnects(&self) -> u32 {
        self.connections.saturating_sub(1)
    }

    /// Messages that had to be sent once more, by all connections together
    /// ([`Session::retransmits`](crate::Session::retransmits)).
    pub fn retransmits(&self) -> u32 {
        self.retransmits
    }

    /// Waits as long as it is time for, then makes one attempt: opens a transport, connects, and
    /// subscribes if the server has no session, or one in which it has not answered the SUBSCRIBE. Returns
    /// whether it had one. Events that come before the subscriptions stand are handed to `on_event`.
    ///
    /// After an error call it again: it waits longer, and no shorter before an attempt has
    /// succeeded.
    ///
    /// Cancelling it leaves the client with or without a connection: call it again, and it begins a
    /// new one.
    pub async fn attempt<'b, S: Read + Write, C: Timer, O>(
        &mut self,
        client: &mut Client<'b, S, C>,
        open: impl AsyncFnOnce() -> Result<S, O>,
        on_event: impl FnMut(Event<'_>),
    ) -> Result<bool, ReconnectError<O, S::Error>> {
        let wait = self.backoff.wait();
        let start = self.timer.now().after(wait.into());
        self.timer.wait_until(start).await;
        self.attempts = self.attempts.saturating_add(1);
        let transport = open().await.map_err(ReconnectError::Open)?;
        let session_present = self
            .establish(client, transport, on_event)
            .await
            .map_err(ReconnectError::Client)?;
        self.backoff.reset();
        Ok(session_present)
    }

    async fn establish<'b, S: Read + Write, C: Timer>(
        &mut self,
        client: &mut Client<'b, S, C>,
        transport: S,
        on_event: impl FnMut(Event<'_>),
    ) -> Result<bool, ClientError<S::Error>> {
        let session_present = client.connect(transport, &self.connect).await?;
        self.connections = self.connections.saturating_add(1);
        let retransmits = client.session().retransmits() as u32;
        self.retransmits = self.retransmits.saturating_add(retransmits);
        // The server may have kept its session from a connection that broke before the answer.
        self.unanswered |= !session_present;
        if self.unanswered && !self.subscriptions.is_empty() {
            let subscribing = client.subscribe(self.subscriptions).await?;
            let answer = client.settle(subscribing, on_event).await;
            self.unanswered = !matches!(answer, Ok(()) | Err(ClientError::Refused(_)));
            answer?;
        }
        Ok(session_present)
    }
}
