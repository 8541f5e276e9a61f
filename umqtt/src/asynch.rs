//! The asynchronous driver: a [`Session`] over [`embedded_io_async`].
//!
//! Nothing runs in the background: the session lives while one of the calls is awaited. A program
//! that does nothing else awaits [`receive`](Client::receive) in a loop.
//!
//! Every call may be cancelled; each says what that does. For that, cancelling the transport's
//! `read` and `write` must not lose or send bytes (`embedded-io-async` calls it side-effect-free
//! on cancel), which holds for the sockets of embassy-net and tokio.

use core::future::{Future, poll_fn};
use core::pin::pin;
use core::task::Poll;

use embedded_io_async::{Read, Write};

use crate::clock::Timer;
#[cfg(feature = "v5")]
use crate::error::Error;
#[cfg(feature = "stream")]
use crate::error::StreamError;
use crate::error::{ClientError, PublishError, SubscribeError};
use crate::packet::PacketIdentifier;
use crate::packet::connect::Connect;
#[cfg(feature = "v5")]
use crate::packet::properties::Property;
use crate::packet::publish::Publish;
#[cfg(feature = "v5")]
use crate::packet::reason::ReasonCode;
use crate::packet::subscribe::Subscription;
use crate::session::{Event, Session, Step};
use crate::time::Instant;

/// An MQTT client over transports of type `T`: connections that `embedded-io-async` can read and
/// write.
pub struct Client<'b, T, C> {
    session: Session<'b>,
    transport: Option<T>,
    clock: C,
    /// Bytes were written since the transport was flushed.
    unflushed: bool,
    /// The session has failed, and may have something to say yet.
    #[cfg(feature = "v5")]
    failure: Option<Error>,
}

/// Milliseconds in which a DISCONNECT for an error of the server must be sent.
pub(crate) const FAREWELL: u64 = 1_000;

/// What the transport, or the timer, came up with.
enum Transfer {
    Wrote(usize),
    Flushed,
    Read(usize),
    TimedOut,
}

impl<'b, T: Read + Write, C: Timer> Client<'b, T, C> {
    /// A client that is not connected, with the buffers of [`Session::new`].
    pub fn new(receive: &'b mut [u8], send: &'b mut [u8], clock: C) -> Self {
        Client {
            session: Session::new(receive, send),
            transport: None,
            clock,
            unflushed: false,
            #[cfg(feature = "v5")]
            failure: None,
        }
    }

    /// Connects over `transport`, and drops the one before. Returns whether the server still had
    /// this client's session: if not, subscribe again.
    ///
    /// Cancelling it leaves a connection on which [`receive`](Self::receive) goes on, and returns
    /// [`Event::Connected`].
    pub async fn connect(
        &mut self,
        transport: T,
        connect: &Connect<'_>,
    ) -> Result<bool, ClientError<T::Error>> {
        self.begin(transport, connect)?;
        loop {
            match self.next(None).await? {
                Some(Step::Connected) => return Ok(self.session.session_present()),
                #[cfg(feature = "v5")]
                Some(Step::Authentication) => {
                    return Err(self.failed(ClientError::Authentication));
                }
                _ => {}
            }
        }
    }

    /// Begins to connect over `transport`, and drops the one before. [`receive`](Self::receive)
    /// returns [`Event::Connected`] once the connection stands. So an authentication of MQTT 5 can
    /// come before, with [`Event::Authentication`].
    pub fn begin(
        &mut self,
        transport: T,
        connect: &Connect<'_>,
    ) -> Result<(), ClientError<T::Error>> {
        self.transport = None;
        self.session.connect(connect, self.clock.now())?;
        self.transport = Some(transport);
        self.unflushed = false;
        #[cfg(feature = "v5")]
        {
            self.failure = None;
        }
        Ok(())
    }

    /// Queues a message without sending it, so that several leave in one write, with
    /// [`flush`](Self::flush) or whatever is called next. [`PublishError::Full`] when there is no
    /// room.
    pub fn queue(
        &mut self,
        message: &Publish<'_>,
    ) -> Result<Option<PacketIdentifier>, ClientError<T::Error>> {
        Ok(self.session.publish(message)?)
    }

    /// Queues a message and sends all that is queued. One of QoS 1 or 2 gets an identifier, for
    /// [`settle`](Self::settle) or [`Event::Published`].
    ///
    /// Without room for it, it waits until what is queued was sent. If messages in flight then
    /// still fill the send buffer, that is [`PublishError::Full`]: [`receive`](Self::receive)
    /// until one of them was acknowledged. It never waits for the server by itself, since it would
    /// have to swallow the events that come first.
    ///
    /// Cancelling it before there was room queues nothing; later, the message stays queued and
    /// leaves with whatever is called next. Use [`queue`](Self::queue) where that must be known.
    pub async fn publish(
        &mut self,
        message: &Publish<'_>,
    ) -> Result<Option<PacketIdentifier>, ClientError<T::Error>> {
        let mut queued = self.session.publish(message);
        if let Err(PublishError::Full) = queued {
            self.flush().await?;
            queued = self.session.publish(message);
        }
        let identifier = queued?;
        self.flush().await?;
        Ok(identifier)
    }

    /// Begins a message that is larger than the send buffer: its payload is `message.payload` and
    /// `length` bytes more, for which [`stream_from`](Self::stream_from) is to be called next. Read
    /// [`Session::publish_stream`] for what is different with such a message. Room is found as for
    /// [`publish`](Self::publish).
    ///
    /// Cancelling it before there was room queues nothing; later, go on with
    /// [`stream_from`](Self::stream_from).
    #[cfg(feature = "stream")]
    pub async fn publish_stream(
        &mut self,
        message: &Publish<'_>,
        length: usize,
    ) -> Result<Option<PacketIdentifier>, ClientError<T::Error>> {
        let mut queued = self.session.publish_stream(message, length);
        if let Err(PublishError::Full) = queued {
            self.flush().await?;
            queued = self.session.publish_stream(message, length);
        }
        Ok(queued?)
    }

    /// Sends the rest of the message that [`publish_stream`](Self::publish_stream) began, as it is
    /// read from `source`, which may have more.
    ///
    /// Cancelling it loses nothing if cancelling a read of the source loses nothing: call it again.
    #[cfg(feature = "stream")]
    pub async fn stream_from<S: Read>(
        &mut self,
        source: &mut S,
    ) -> Result<(), StreamError<T::Error, S::Error>> {
        while self.session.stream_missing() > 0 {
            let buffer = self.session.stream_buffer();
            if buffer.is_empty() {
                self.transfer(None).await.map_err(StreamError::Client)?;
                continue;
            }
            let count = source.read(buffer).await.map_err(StreamError::Source)?;
            if count == 0 {
                return Err(StreamError::Ended);
            }
            self.session.streamed(count);
        }
        self.flush().await.map_err(StreamError::Client)
    }

    /// Sends a SUBSCRIBE; [`settle`](Self::settle) or [`Event::Subscribed`] tells of the answer.
    /// Room is found as for [`publish`](Self::publish).
    ///
    /// Cancelling it before there was room queues nothing; later, the SUBSCRIBE stays queued and
    /// leaves with whatever is called next.
    pub async fn subscribe(
        &mut self,
        subscriptions: &[Subscription<'_>],
    ) -> Result<PacketIdentifier, ClientError<T::Error>> {
        let mut queued = self.session.subscribe(subscriptions);
        if let Err(SubscribeError::Full) = queued {
            self.flush().await?;
            queued = self.session.subscribe(subscriptions);
        }
        let identifier = queued?;
        self.flush().await?;
        Ok(identifier)
    }

    /// Sends an UNSUBSCRIBE; [`settle`](Self::settle) or [`Event::Unsubscribed`] tells of the
    /// answer. Room is found as for [`publish`](Self::publish).
    ///
    /// Cancelling it before there was room queues nothing; later, the UNSUBSCRIBE stays queued and
    /// leaves with whatever is called next.
    pub async fn unsubscribe(
        &mut self,
        filters: &[&str],
    ) -> Result<PacketIdentifier, ClientError<T::Error>> {
        let mut queued = self.session.unsubscribe(filters);
        if let Err(SubscribeError::Full) = queued {
            self.flush().await?;
            queued = self.session.unsubscribe(filters);
        }
        let identifier = queued?;
        self.flush().await?;
        Ok(identifier)
    }

    /// Sends a PINGREQ; [`Event::Pong`] tells of the answer. The client pings by itself when
    /// keep-alive asks for it.
    ///
    /// Cancelling it leaves the PINGREQ queued; it leaves with whatever is called next.
    pub async fn ping(&mut self) -> Result<(), ClientError<T::Error>> {
        self.session.ping(self.clock.now())?;
        self.flush().await
    }

    /// Waits for the next event, and keeps the connection alive meanwhile.
    ///
    /// A message is acknowledged by the next call of this method, or one like it: who comes back
    /// for more has taken this one.
    ///
    /// Cancelling it loses nothing: call it again.
    pub async fn receive(&mut self) -> Result<Event<'_>, ClientError<T::Error>> {
        loop {
            if let Some(step) = self.next(None).await? {
                return Ok(self.session.event(step));
            }
        }
    }

    /// As [`receive`](Self::receive), but `None` once `deadline` has passed without an event.
    ///
    /// Cancelling it loses nothing: call it again.
    pub async fn receive_until(
        &mut self,
        deadline: Instant,
    ) -> Result<Option<Event<'_>>, ClientError<T::Error>> {
        match self.next(Some(deadline)).await? {
            Some(step) => Ok(Some(self.session.event(step))),
            None => Ok(None),
        }
    }

    /// As [`receive`](Self::receive), but `None` when there is nothing to be had without waiting.
    ///
    /// Cancelling it loses nothing: call it again.
    pub async fn try_receive(&mut self) -> Result<Option<Event<'_>>, ClientError<T::Error>> {
        self.receive_until(self.clock.now()).await
    }

    /// Waits for the server's answer to what has this identifier: a message of QoS 1 or 2, a
    /// SUBSCRIBE or an UNSUBSCRIBE. Events that come meanwhile are handed to `on_event`; a message
    /// is acknowledged once `on_event` has returned.
    ///
    /// A subscription the server refused is [`ClientError::Refused`], and with MQTT 5 a message, too. The QoS it granted, and
    /// which of several filters it refused, is told by [`Event::Subscribed`] alone: for that,
    /// [`receive`](Self::receive).
    ///
    /// Cancelling it loses nothing: call it again.
    pub async fn settle(
        &mut self,
        identifier: PacketIdentifier,
        mut on_event: impl FnMut(Event<'_>),
    ) -> Result<(), ClientError<T::Error>> {
        while self.session.is_pending(identifier) {
            let Some(step) = self.next(None).await? else {
                continue;
            };
            let failure = match self.session.event(step) {
                Event::Published(answered, answer) if answered == identifier => answer.failure(),
                Event::Subscribed(answered, codes) | Event::Unsubscribed(answered, codes)
                    if answered == identifier =>
                {
                    codes.failure()
                }
                other => {
                    on_event(other);
                    continue;
                }
            };
            return match failure {
                Some(reason) => Err(ClientError::Refused(reason)),
                None => Ok(()),
            };
        }
        Err(ClientError::NotPending)
    }

    /// Acknowledges the message that was received last, without asking for the next event: with
    /// the next [`flush`](Self::flush), or whatever is called next.
    pub fn acknowledge(&mut self) {
        self.session.acknowledge();
    }

    /// Sends what is queued, in one write if the transport takes it.
    ///
    /// Cancelling it loses nothing: what was not sent leaves with whatever is called next.
    pub async fn flush(&mut self) -> Result<(), ClientError<T::Error>> {
        while self.unflushed || !self.session.transmit().is_empty() {
            self.transfer(None).await?;
        }
        Ok(())
    }

    /// Sends what is queued and DISCONNECT, and drops the transport. The server forgets the will.
    /// Acknowledges the message that was received last.
    ///
    /// Cancelling it may leave DISCONNECT unsent: call it again, and it goes on.
    pub async fn disconnect(&mut self) -> Result<(), ClientError<T::Error>> {
        if self.transport.is_none() {
            return Err(ClientError::NotConnected);
        }
        if self.session.is_connected() {
            self.session.disconnect()?;
        }
        self.leave().await
    }

    /// As [`disconnect`](Self::disconnect) with a reason and properties
    /// ([`Session::disconnect_with`]). MQTT 5.
    ///
    /// Cancelling it may leave DISCONNECT unsent: call [`disconnect`](Self::disconnect), and it goes on.
    #[cfg(feature = "v5")]
    pub async fn disconnect_with(
        &mut self,
        reason: ReasonCode,
        properties: &[Property<'_>],
    ) -> Result<(), ClientError<T::Error>> {
        if self.transport.is_none() {
            return Err(ClientError::NotConnected);
        }
        self.session.disconnect_with(reason, properties)?;
        self.leave().await
    }

    async fn leave(&mut self) -> Result<(), ClientError<T::Error>> {
        if !self.session.is_connecting() {
            self.flush().await?;
        }
        self.session.closed();
        self.transport = None;
        Ok(())
    }

    /// The session, for what this driver has no call of its own.
    pub fn session(&self) -> &Session<'b> {
        &self.session
    }

    /// The session, for what this driver has no call of its own. What is queued there leaves with the
    /// next [`flush`](Self::flush), or whatever is called next. What moves bytes, that is
    /// `connect`, `closed`, `transmitted`, `received` and `poll`, is the driver's.
    pub fn session_mut(&mut self) -> &mut Session<'b> {
        &mut self.session
    }

    /// Whether the server has accepted the connection, and it is not known to be over.
    pub fn is_connected(&self) -> bool {
        self.session.is_connected()
    }

    /// Whether this identifier's message or request still waits for the server's answer.
    pub fn is_pending(&self, identifier: PacketIdentifier) -> bool {
        self.session.is_pending(identifier)
    }

    /// Milliseconds that the last answered PINGREQ took.
    pub fn round_trip(&self) -> Option<u32> {
        self.session.round_trip()
    }

    /// The transport, while there is one.
    pub fn transport(&self) -> Option<&T> {
        self.transport.as_ref()
    }

    /// Moves bytes until there is an event; `None` once `until` has passed without one.
    async fn next(
        &mut self,
        until: Option<Instant>,
    ) -> Result<Option<Step>, ClientError<T::Error>> {
        loop {
            if self.session.is_closed() {
                return Err(self.end().await);
            }
            match self.session.step(self.clock.now()) {
                Ok(Some(step)) => return Ok(Some(step)),
                Ok(None) => {}
                #[cfg(feature = "v5")]
                Err(error) => {
                    self.failure = Some(error);
                    continue;
                }
                #[cfg(not(feature = "v5"))]
                Err(error) => return Err(self.failed(error.into())),
            }
            let transfer = self.transfer(until).await?;
            if matches!(transfer, Transfer::TimedOut)
                && until.is_some_and(|until| until <= self.clock.now())
            {
                return Ok(None);
            }
        }
    }

    /// One piece of input or output: writes what is to be sent, or else flushes what was written,
    /// or else reads; until a deadline of the session, or `until`.
    async fn transfer(
        &mut self,
        until: Option<Instant>,
    ) -> Result<Transfer, ClientError<T::Error>> {
        let Some(transport) = &mut self.transport else {
            return Err(ClientError::NotConnected);
        };
        let deadline = match (self.session.deadline(), until) {
            (Some(deadline), Some(until)) => Some(deadline.min(until)),
            (deadline, until) => deadline.or(until),
        };
        let session = &mut self.session;
        let unflushed = self.unflushed;
        let clock = &self.clock;
        let result = {
            let io = async move {
                Ok(if !session.transmit().is_empty() {
                    Transfer::Wrote(transport.write(session.transmit()).await?)
                } else if unflushed {
                    transport.flush().await?;
                    Transfer::Flushed
                } else {
                    Transfer::Read(transport.read(session.receive_buffer()).await?)
                })
            };
            let timer = async move {
                match deadline {
                    Some(deadline) => clock.wait_until(deadline).await,
                    None => core::future::pending().await,
                }
            };
            first(io, timer).await.unwrap_or(Ok(Transfer::TimedOut))
        };
        let now = self.clock.now();
        let done = match result {
            Ok(Transfer::Wrote(0)) => Err(ClientError::WriteZero),
            Ok(Transfer::Read(0)) => Err(ClientError::Closed),
            Ok(transfer) => {
                match transfer {
                    Transfer::Wrote(count) => {
                        self.session.transmitted(count, now);
                        self.unflushed = true;
                    }
                    Transfer::Flushed => self.unflushed = false,
                    Transfer::Read(count) => self.session.received(count, now),
                    Transfer::TimedOut => {}
                }
                // Not after a write: silence is judged only after what came was read.
                match transfer {
                    Transfer::Read(_) if self.session.is_connected() => self.session.expire(now),
                    Transfer::TimedOut => self.session.expire(now),
                    _ => Ok(()),
                }
                .map(|()| transfer)
                .map_err(ClientError::Session)
            }
            Err(error) => Err(ClientError::Transport(error)),
        };
        done.map_err(|error| self.failed(error))
    }

    /// Why there is no connection. With MQTT 5, the server hears of it before, if it was its fault
    /// and it listens.
    async fn end(&mut self) -> ClientError<T::Error> {
        #[cfg(feature = "v5")]
        if let Some(failure) = self.failure {
            if let Some(transport) = &mut self.transport {
                let deadline = self.clock.now().after(FAREWELL);
                let session = &mut self.session;
                let clock = &self.clock;
                let io = async {
                    while !session.transmit().is_empty() {
                        match transport.write(session.transmit()).await {
                            Ok(count @ 1..) => session.transmitted(count, clock.now()),
                            _ => return,
                        }
                    }
                    let _ = transport.flush().await;
                };
                let _ = first(io, clock.wait_until(deadline)).await;
            }
            self.failure = None;
            return self.failed(failure.into());
        }
        self.failed(ClientError::NotConnected)
    }

    fn failed(&mut self, error: ClientError<T::Error>) -> ClientError<T::Error> {
        self.session.closed();
        self.transport = None;
        self.unflushed = false;
        error
    }
}

/// The outcome of `io`, or `None` if `timer` is ready before it.
pub(crate) async fn first<O>(
    io: impl Future<Output = O>,
    timer: impl Future<Output = ()>,
) -> Option<O> {
    let mut io = pin!(io);
    let mut timer = pin!(timer);
    poll_fn(|context| match io.as_mut().poll(context) {
        Poll::Ready(outcome) => Poll::Ready(Some(outcome)),
        Poll::Pending => timer.as_mut().poll(context).map(|()| None),
    })
    .await
}
