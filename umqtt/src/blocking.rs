//! The blocking driver: a [`Session`] over [`embedded_io`].
//!
//! Nothing runs in the background: the session lives while one of the calls runs. A program that
//! does nothing else calls [`receive`](Client::receive) in a loop.
//!
//! A transport whose `read` and `write` give up after a while, with
//! [`ErrorKind::TimedOut`], lets the driver look at the clock: only then can it keep
//! the connection alive, find out that it is dead, and keep to a deadline, each as late as one such
//! while. With one that waits for ever, so does the driver.

use embedded_io::{Error as _, ErrorKind, Read, ReadReady, Write};

use crate::clock::Clock;
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

/// An MQTT client over transports of type `T`: connections that `embedded-io` can read and write.
pub struct Client<'b, T, C> {
    session: Session<'b>,
    transport: Option<T>,
    clock: C,
    /// What the clock said when it was read last. A write does without: that it counts as a little
    /// earlier than it was can only bring a PINGREQ forward.
    now: Instant,
    /// Bytes were written since the transport was flushed.
    unflushed: bool,
}

/// How much was sent of what there was to be sent.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sent {
    Nothing,
    Part,
    All,
}

impl<'b, T: Read + Write, C: Clock> Client<'b, T, C> {
    /// A client that is not connected, with the buffers of [`Session::new`].
    pub fn new(receive: &'b mut [u8], send: &'b mut [u8], clock: C) -> Self {
        Client {
            session: Session::new(receive, send),
            transport: None,
            clock,
            now: Instant::ZERO,
            unflushed: false,
        }
    }

    /// Connects over `transport`, and drops the one before. Returns whether the server still had
    /// this client's session: if not, subscribe again.
    pub fn connect(
        &mut self,
        transport: T,
        connect: &Connect<'_>,
    ) -> Result<bool, ClientError<T::Error>> {
        self.begin(transport, connect)?;
        loop {
            match self.next(None)? {
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
        self.now = self.clock.now();
        self.session.connect(connect, self.now)?;
        self.transport = Some(transport);
        self.unflushed = false;
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
    pub fn publish(
        &mut self,
        message: &Publish<'_>,
    ) -> Result<Option<PacketIdentifier>, ClientError<T::Error>> {
        let mut queued = self.session.publish(message);
        if let Err(PublishError::Full) = queued {
            self.flush()?;
            queued = self.session.publish(message);
        }
        let identifier = queued?;
        self.flush()?;
        Ok(identifier)
    }

    /// Begins a message that is larger than the send buffer: its payload is `message.payload` and
    /// `length` bytes more, for which [`stream_from`](Self::stream_from) is to be called next. Read
    /// [`Session::publish_stream`] for what is different with such a message. Room is found as for
    /// [`publish`](Self::publish).
    #[cfg(feature = "stream")]
    pub fn publish_stream(
        &mut self,
        message: &Publish<'_>,
        length: usize,
    ) -> Result<Option<PacketIdentifier>, ClientError<T::Error>> {
        let mut queued = self.session.publish_stream(message, length);
        if let Err(PublishError::Full) = queued {
            self.flush()?;
            queued = self.session.publish_stream(message, length);
        }
        Ok(queued?)
    }

    /// Sends the rest of the message that [`publish_stream`](Self::publish_stream) began, as it is
    /// read from `source`, which may have more.
    #[cfg(feature = "stream")]
    pub fn stream_from<S: Read>(
        &mut self,
        source: &mut S,
    ) -> Result<(), StreamError<T::Error, S::Error>> {
        while self.session.stream_missing() > 0 {
            let buffer = self.session.stream_buffer();
            if buffer.is_empty() {
                // Of a message that is under way the driver has to know when it moved last.
                self.now = self.clock.now();
                self.transfer().map_err(StreamError::Client)?;
                continue;
            }
            let count = source.read(buffer).map_err(StreamError::Source)?;
            if count == 0 {
                return Err(StreamError::Ended);
            }
            self.session.streamed(count);
        }
        self.flush().map_err(StreamError::Client)
    }

    /// Sends a SUBSCRIBE; [`settle`](Self::settle) or [`Event::Subscribed`] tells of the answer.
    /// Room is found as for [`publish`](Self::publish).
    pub fn subscribe(
        &mut self,
        subscriptions: &[Subscription<'_>],
    ) -> Result<PacketIdentifier, ClientError<T::Error>> {
        let mut queued = self.session.subscribe(subscriptions);
        if let Err(SubscribeError::Full) = queued {
            self.flush()?;
            queued = self.session.subscribe(subscriptions);
        }
        let identifier = queued?;
        self.flush()?;
        Ok(identifier)
    }

    /// Sends an UNSUBSCRIBE; [`settle`](Self::settle) or [`Event::Unsubscribed`] tells of the
    /// answer. Room is found as for [`publish`](Self::publish).
    pub fn unsubscribe(
        &mut self,
        filters: &[&str],
    ) -> Result<PacketIdentifier, ClientError<T::Error>> {
        let mut queued = self.session.unsubscribe(filters);
        if let Err(SubscribeError::Full) = queued {
            self.flush()?;
            queued = self.session.unsubscribe(filters);
        }
        let identifier = queued?;
        self.flush()?;
        Ok(identifier)
    }

    /// Sends a PINGREQ; [`Event::Pong`] tells of the answer. The client pings by itself when
    /// keep-alive asks for it.
    pub fn ping(&mut self) -> Result<(), ClientError<T::Error>> {
        self.now = self.clock.now();
        self.session.ping(self.now)?;
        self.flush()
    }

    /// Waits for the next event, and keeps the connection alive meanwhile.
    ///
    /// A message is acknowledged by the next call of this method, or one like it: who comes back
    /// for more has taken this one.
    // Inlined where memory is plenty: of an event, a program pays for what it looks at.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    pub fn receive(&mut self) -> Result<Event<'_>, ClientError<T::Error>> {
        loop {
            if let Some(step) = self.next(None)? {
                return Ok(self.session.event(step));
            }
        }
    }

    /// As [`receive`](Self::receive), but `None` once `deadline` has passed without an event, as soon as
    /// the transport's `read` returns.
    pub fn receive_until(
        &mut self,
        deadline: Instant,
    ) -> Result<Option<Event<'_>>, ClientError<T::Error>> {
        match self.next(Some(deadline))? {
            Some(step) => Ok(Some(self.session.event(step))),
            None => Ok(None),
        }
    }

    /// As [`receive`](Self::receive), but `None` when there is nothing to be had without waiting.
    ///
    /// Called often enough, it also keeps the connection alive.
    pub fn try_receive(&mut self) -> Result<Option<Event<'_>>, ClientError<T::Error>>
    where
        T: ReadReady,
    {
        loop {
            if let Some(step) = self.step()? {
                return Ok(Some(self.session.event(step)));
            }
            if self.send()? != Sent::Nothing {
                continue;
            }
            match self.transport.as_mut().map(T::read_ready) {
                None => return Err(ClientError::NotConnected),
                Some(Err(error)) => return Err(self.failed(ClientError::Transport(error))),
                Some(Ok(true)) => self.transfer()?,
                Some(Ok(false)) => {
                    self.now = self.clock.now();
                    self.expire()?;
                    if !self.has_to_send() {
                        return Ok(None);
                    }
                }
            }
        }
    }

    /// Waits for the server's answer to what has this identifier: a message of QoS 1 or 2, a
    /// SUBSCRIBE or an UNSUBSCRIBE. Events that come meanwhile are handed to `on_event`; a message
    /// is acknowledged once `on_event` has returned.
    ///
    /// A subscription the server refused is [`ClientError::Refused`], and with MQTT 5 a message, too. The QoS it granted, and
    /// which of several filters it refused, is told by [`Event::Subscribed`] alone: for that,
    /// [`receive`](Self::receive).
    pub fn settle(
        &mut self,
        identifier: PacketIdentifier,
        mut on_event: impl FnMut(Event<'_>),
    ) -> Result<(), ClientError<T::Error>> {
        while self.session.is_pending(identifier) {
            let Some(step) = self.next(None)? else {
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
    pub fn flush(&mut self) -> Result<(), ClientError<T::Error>> {
        while self.send()? == Sent::Part {}
        Ok(())
    }

    /// Sends what is queued and DISCONNECT, and drops the transport. The server forgets the will.
    /// Acknowledges the message that was received last.
    pub fn disconnect(&mut self) -> Result<(), ClientError<T::Error>> {
        if self.transport.is_none() {
            return Err(ClientError::NotConnected);
        }
        if self.session.is_connected() {
            self.session.disconnect()?;
        }
        self.leave()
    }

    /// As [`disconnect`](Self::disconnect) with a reason and properties
    /// ([`Session::disconnect_with`]). MQTT 5.
    #[cfg(feature = "v5")]
    pub fn disconnect_with(
        &mut self,
        reason: ReasonCode,
        properties: &[Property<'_>],
    ) -> Result<(), ClientError<T::Error>> {
        if self.transport.is_none() {
            return Err(ClientError::NotConnected);
        }
        self.session.disconnect_with(reason, properties)?;
        self.leave()
    }

    fn leave(&mut self) -> Result<(), ClientError<T::Error>> {
        if !self.session.is_connecting() {
            self.flush()?;
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
    fn next(&mut self, until: Option<Instant>) -> Result<Option<Step>, ClientError<T::Error>> {
        loop {
            if let Some(step) = self.step()? {
                return Ok(Some(step));
            }
            self.transfer()?;
            if until.is_some_and(|until| until <= self.clock.now()) {
                return self.step();
            }
        }
    }

    fn step(&mut self) -> Result<Option<Step>, ClientError<T::Error>> {
        if self.session.is_closed() {
            return Err(self.failed(ClientError::NotConnected));
        }
        self.session
            .step(self.now)
            .map_err(|error| self.failed(error.into()))
    }

    fn expire(&mut self) -> Result<(), ClientError<T::Error>> {
        self.session
            .expire(self.now)
            .map_err(|error| self.failed(error.into()))
    }

    fn has_to_send(&self) -> bool {
        self.unflushed || !self.session.transmit().is_empty()
    }

    /// One piece of input or output: sends what there is to be sent, or else reads.
    fn transfer(&mut self) -> Result<(), ClientError<T::Error>> {
        match self.send()? {
            Sent::Nothing => self.read(),
            _ => Ok(()),
        }
    }

    /// Writes what is to be sent and, once that is all, flushes it.
    // Inlined where memory is plenty: every message passes here.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    fn send(&mut self) -> Result<Sent, ClientError<T::Error>> {
        let bytes = self.session.transmit();
        if bytes.is_empty() && !self.unflushed {
            return Ok(Sent::Nothing);
        }
        let Some(transport) = &mut self.transport else {
            return Err(ClientError::NotConnected);
        };
        if !bytes.is_empty() {
            let count = match transport.write(bytes) {
                Ok(0) => return Err(self.failed(ClientError::WriteZero)),
                Ok(count) => count,
                Err(error) => return self.interrupted(error).map(|()| Sent::Part),
            };
            let is_part = count < bytes.len();
            self.session.transmitted(count, self.now);
            self.unflushed = true;
            if is_part {
                return Ok(Sent::Part);
            }
        }
        match transport.flush() {
            Ok(()) => {
                self.unflushed = false;
                Ok(Sent::All)
            }
            Err(error) => self.interrupted(error).map(|()| Sent::Part),
        }
    }

    fn read(&mut self) -> Result<(), ClientError<T::Error>> {
        let Some(transport) = &mut self.transport else {
            return Err(ClientError::NotConnected);
        };
        match transport.read(self.session.receive_buffer()) {
            Ok(0) => Err(self.failed(ClientError::Closed)),
            Ok(count) => {
                self.now = self.clock.now();
                self.session.received(count, self.now);
                // Something is here: at most a PINGREQ is due, for want of anything sent. Before
                // CONNACK was looked at, its deadline means nothing.
                match self.session.is_connected() {
                    true => self.expire(),
                    false => Ok(()),
                }
            }
            Err(error) => self.interrupted(error),
        }
    }

    /// The transport gave up for now, which is the time to see what is due, or for good.
    #[cold]
    fn interrupted(&mut self, error: T::Error) -> Result<(), ClientError<T::Error>> {
        if !matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::Interrupted) {
            return Err(self.failed(ClientError::Transport(error)));
        }
        self.now = self.clock.now();
        self.expire()
    }

    #[cold]
    #[inline(never)]
    fn failed(&mut self, error: ClientError<T::Error>) -> ClientError<T::Error> {
        #[cfg(feature = "v5")]
        if let (Some(transport), ClientError::Session(_)) = (&mut self.transport, &error) {
            // What the server did wrong, if it listens. `write_all` panics where a write returns 0.
            while let bytes @ [_, ..] = self.session.transmit() {
                let Ok(count @ 1..) = transport.write(bytes) else {
                    break;
                };
                self.session.transmitted(count, self.now);
            }
            let _ = transport.flush();
        }
        self.session.closed();
        self.transport = None;
        self.unflushed = false;
        error
    }
}
