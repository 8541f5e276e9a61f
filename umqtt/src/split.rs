//! Publishing from several tasks, while another one receives.
//!
//! The tasks run on one executor thread, as embassy's do: what they share is not `Sync`.

use core::cell::{Cell, Ref, RefCell, RefMut};
use core::convert::Infallible;
use core::future::poll_fn;
use core::mem;
use core::task::{Context, Poll, Waker};

use embedded_io_async::{Read, Write};

use crate::asynch::{FAREWELL, first};
use crate::backlog::Backlog;
use crate::clock::Timer;
use crate::error::{ClientError, NotConnected, PublishError};
use crate::packet::PacketIdentifier;
use crate::packet::connect::Connect;
use crate::packet::publish::Publish;
use crate::packet::reason::ReasonCode;
use crate::session::{Event, Session};
use crate::time::Instant;

/// How many publishers are remembered as waiting; one more is woken too often, never too rarely.
const WAITING: usize = 8;

/// How many answers of the server are remembered. After so many, those who wait for one have their turn
/// before the next is looked at.
const ANSWERS: usize = 16;

/// A session that several tasks use: one runs it, any number publish.
///
/// ```
/// # use umqtt::{Connect, Event, Publish, Qos, Shared, Timer};
/// # async fn example<T: embedded_io_async::Read + embedded_io_async::Write>(
/// #     transport: T, clock: impl Timer,
/// # ) -> Result<(), Box<dyn std::error::Error>> {
/// let (mut receive, mut send, mut scratch) = ([0; 512], [0; 512], [0; 128]);
/// let shared = Shared::new(&mut receive, &mut send, clock);
///
/// let connect = Connect::new("both");
/// let receiver = shared.run(transport, &connect, &mut scratch, |event| {
///     if let Event::Message(message) = event {
///         println!("{}", message.topic);
///     }
/// });
/// let publisher = async {
///     shared.connected().await;
///     let message = Publish::new("a/b", b"from another task").qos(Qos::AtLeastOnce);
///     if let Some(identifier) = shared.publish(&message).await? {
///         shared.settle(identifier).await?;
///     }
///     Ok::<(), Box<dyn std::error::Error>>(())
/// };
/// // Both at once, by the executor's `join` or as two tasks.
/// # let _ = (receiver, publisher);
/// # Ok(())
/// # }
/// ```
pub struct Shared<'b, C> {
    session: RefCell<Session<'b>>,
    clock: C,
    is_running: Cell<bool>,
    /// The task that runs the session.
    runner: Cell<Option<Waker>>,
    publishers: [Cell<Option<Waker>>; WAITING],
    answers: [Cell<Option<Answered>>; ANSWERS],
    /// Where the next answer goes.
    next_answer: Cell<usize>,
    /// Answers since those who wait for one had their turn.
    news: Cell<usize>,
}

/// What the server has answered, and why it refused, if it did.
#[derive(Clone, Copy)]
struct Answered {
    identifier: PacketIdentifier,
    failure: Option<ReasonCode>,
}

/// What the running task is woken by.
enum Turn<E> {
    Read(Result<usize, E>),
    /// There is something to send, or the time has come.
    Other,
}

impl<'b, C: Timer> Shared<'b, C> {
    /// A session that is not connected, with the buffers of [`Session::new`].
    pub fn new(receive: &'b mut [u8], send: &'b mut [u8], clock: C) -> Self {
        Shared {
            session: RefCell::new(Session::new(receive, send)),
            clock,
            is_running: Cell::new(false),
            runner: Cell::new(None),
            publishers: [const { Cell::new(None) }; WAITING],
            answers: [const { Cell::new(None) }; ANSWERS],
            next_answer: Cell::new(0),
            news: Cell::new(0),
        }
    }

    /// Connects over `transport` and keeps the session going until the connection ends, and returns
    /// why. What comes is read through `scratch` and handed to `on_event`, which must not use this
    /// `Shared` itself: it queues what it wants to publish for a task that does.
    ///
    /// One task at a time may run it: the second is told [`ClientError::Running`]. Cancelling it closes the connection; what is in flight stays
    /// for the next, as [`Session::closed`] says.
    pub async fn run<T: Read + Write>(
        &self,
        mut transport: T,
        connect: &Connect<'_>,
        scratch: &mut [u8],
        mut on_event: impl FnMut(Event<'_>),
    ) -> Result<Infallible, ClientError<T::Error>> {
        if self.is_running.replace(true) {
            return Err(ClientError::Running);
        }
        let connection = Connection(self);
        self.session_mut()?.connect(connect, self.clock.now())?;
        let (mut taken, mut filled) = (0, 0);
        loop {
            // All that is here is dealt with before more is read.
            loop {
                let rest = scratch.get(taken..filled).unwrap_or_default();
                match self.take_in(rest, &mut on_event) {
                    Ok(Some(0)) => break,
                    Ok(Some(count)) => taken += count,
                    Ok(None) => self.pause().await,
                    Err(error) => {
                        // With MQTT 5 the server hears what it did wrong, if it listens.
                        let io = async { while let Ok(true) = self.send(&mut transport).await {} };
                        let end = self.clock.now().after(FAREWELL);
                        let _ = first(io, self.clock.wait_until(end)).await;
                        return Err(error);
                    }
                }
            }
            self.wake_publishers();
            if self.send(&mut transport).await? {
                continue;
            }
            if taken < filled {
                continue;
            }
            match self.wait(&mut transport, scratch).await? {
                Turn::Read(Ok(0)) => break,
                Turn::Read(Ok(count)) => (taken, filled) = (0, count),
                Turn::Read(Err(error)) => return Err(ClientError::Transport(error)),
                Turn::Other => {}
            }
        }
        drop(connection);
        Err(ClientError::Closed)
    }

    /// Lets those have their turn who wait for an answer.
    async fn pause(&self) {
        self.wake_publishers();
        let mut is_over = false;
        poll_fn(|context| match mem::replace(&mut is_over, true) {
            true => Poll::Ready(()),
            false => {
                context.waker().wake_by_ref();
                Poll::Pending
            }
        })
        .await;
        self.news.set(0);
    }

    /// Deals with what was received, then receives these bytes, as many as there is room for; returns
    /// how many. `None` if there was too much news first.
    fn take_in<E>(
        &self,
        bytes: &[u8],
        on_event: &mut impl FnMut(Event<'_>),
    ) -> Result<Option<usize>, ClientError<E>> {
        let mut session = self.session_mut()?;
        let now = self.clock.now();
        while let Some(event) = session.poll(now)? {
            self.note(&event);
            on_event(event);
            if self.news.get() >= ANSWERS {
                return Ok(None);
            }
        }
        let space = session.receive_buffer();
        let count = bytes.len().min(space.len());
        for (to, from) in space.iter_mut().zip(bytes) {
            *to = *from;
        }
        session.received(count, now);
        Ok(Some(count))
    }

    /// Remembers an answer, in the place of the oldest.
    fn note(&self, event: &Event<'_>) {
        let (identifier, failure) = match event {
            Event::Published(identifier, answer) => (*identifier, answer.failure()),
            Event::Subscribed(identifier, codes) | Event::Unsubscribed(identifier, codes) => {
                (*identifier, codes.failure())
            }
            _ => return,
        };
        let place = self.next_answer.get() % ANSWERS;
        if let Some(answer) = self.answers.get(place) {
            answer.set(Some(Answered {
                identifier,
                failure,
            }));
        }
        self.next_answer.set(place + 1);
        self.news.set(self.news.get() + 1);
    }

    /// The last answer to what has this identifier, if it is remembered.
    fn answered(&self, identifier: PacketIdentifier) -> Option<Answered> {
        let newest = self.next_answer.get();
        let (later, earlier) = self.answers.split_at_checked(newest)?;
        let mut newest_first = later.iter().rev().chain(earlier.iter().rev());
        newest_first.find_map(|answer| answer.get().filter(|it| it.identifier == identifier))
    }

    /// Sends what is to be sent, in one piece; `false` if there is nothing.
    #[allow(
        clippy::await_holding_refcell_ref,
        reason = "publishers find the session borrowed meanwhile, and wait"
    )]
    async fn send<T: Write>(&self, transport: &mut T) -> Result<bool, ClientError<T::Error>> {
        let written = {
            let session = self.session()?;
            if session.transmit().is_empty() {
                return Ok(false);
            }
            let timer = self.wait_until(session.deadline());
            first(transport.write(session.transmit()), timer).await
        };
        let now = self.clock.now();
        match written {
            Some(Ok(0)) => return Err(ClientError::WriteZero),
            Some(Ok(count)) => self.session_mut()?.transmitted(count, now),
            Some(Err(error)) => return Err(ClientError::Transport(error)),
            None => return self.expire(now),
        }
        self.wake_publishers();
        if self.session()?.transmit().is_empty() {
            let timer = self.wait_until(self.session()?.deadline());
            match first(transport.flush(), timer).await {
                Some(flushed) => flushed.map_err(ClientError::Transport)?,
                None => return self.expire(self.clock.now()),
            }
        }
        Ok(true)
    }

    /// A transport that takes nothing does not hide that the link is dead.
    fn expire<E>(&self, now: Instant) -> Result<bool, ClientError<E>> {
        self.session_mut()?.expire(now)?;
        Ok(true)
    }

    /// The session, for the task that runs it: nobody else keeps it while that task has its turn.
    fn session_mut<E>(&self) -> Result<RefMut<'_, Session<'b>>, ClientError<E>> {
        self.session.try_borrow_mut().or(Err(ClientError::Running))
    }

    fn session<E>(&self) -> Result<Ref<'_, Session<'b>>, ClientError<E>> {
        self.session.try_borrow().or(Err(ClientError::Running))
    }

    async fn wait_until(&self, deadline: Option<Instant>) {
        match deadline {
            Some(deadline) => self.clock.wait_until(deadline).await,
            None => core::future::pending().await,
        }
    }

    /// Waits for bytes, for something to send, or for the session's deadline.
    async fn wait<T: Read>(
        &self,
        transport: &mut T,
        scratch: &mut [u8],
    ) -> Result<Turn<T::Error>, ClientError<T::Error>> {
        let deadline = self.session()?.deadline();
        let mut read = core::pin::pin!(transport.read(scratch));
        let mut timer = core::pin::pin!(self.wait_until(deadline));
        poll_fn(|context| {
            if let Poll::Ready(read) = read.as_mut().poll(context) {
                return Poll::Ready(Ok(Turn::Read(read)));
            }
            self.runner.set(Some(context.waker().clone()));
            let due = timer.as_mut().poll(context).is_ready();
            if due || !self.session()?.transmit().is_empty() {
                return Poll::Ready(Ok(Turn::Other));
            }
            Poll::Pending
        })
        .await
    }

    /// Publishes a message, and waits for room for it, but not for its answer. One of QoS 1 or 2
    /// gets an identifier, for [`settle`](Self::settle).
    ///
    /// Cancelling it publishes the message or does not, never a part of it.
    pub async fn publish(
        &self,
        message: &Publish<'_>,
    ) -> Result<Option<PacketIdentifier>, PublishError> {
        let queued = poll_fn(|context| {
            let Ok(mut session) = self.session.try_borrow_mut() else {
                return self.wait_as_publisher(context);
            };
            match session.publish(message) {
                Err(PublishError::Full) => self.wait_as_publisher(context),
                queued => Poll::Ready(queued),
            }
        })
        .await;
        if let Some(runner) = self.runner.take() {
            runner.wake();
        }
        queued
    }

    /// Publishes what waits in a backlog, and waits for room for all of it, but not for answers;
    /// `told` as [`Backlog::feed`] says. Without a connection what is left stays where it is:
    /// [`connected`](Self::connected) tells of the next one.
    ///
    /// So a task that publishes whether there is a connection or not puts its message into the
    /// backlog, and then calls this; another one, that brings the connection back, calls it
    /// whenever there is one.
    ///
    /// Cancelling it loses nothing: what was not published is still in the backlog.
    pub async fn feed(
        &self,
        backlog: &RefCell<Backlog<'_>>,
        mut told: impl FnMut(&Publish<'_>, Result<Option<PacketIdentifier>, PublishError>),
    ) -> Result<(), NotConnected> {
        poll_fn(|context| {
            let (Ok(mut session), Ok(mut backlog)) =
                (self.session.try_borrow_mut(), backlog.try_borrow_mut())
            else {
                return self.wait_as_publisher(context);
            };
            if backlog.feed(&mut session, &mut told) > 0 {
                if let Some(runner) = self.runner.take() {
                    runner.wake();
                }
            }
            if backlog.is_empty() {
                Poll::Ready(Ok(()))
            } else if session.is_connected() {
                self.wait_as_publisher(context)
            } else {
                Poll::Ready(Err(NotConnected))
            }
        })
        .await
    }

    /// Waits for the server's answer to what has this identifier: a message of QoS 1 or 2, a SUBSCRIBE or
    /// an UNSUBSCRIBE. What the server refused is [`ClientError::Refused`].
    ///
    /// [`ClientError::NotConnected`] if there is no connection, and it is in flight still: call it again once
    /// there is one. [`ClientError::NotPending`] if it is lost, or was answered so long ago that there were 16
    /// answers since.
    ///
    /// Cancelling it loses nothing: call it again.
    pub async fn settle(
        &self,
        identifier: PacketIdentifier,
    ) -> Result<(), ClientError<Infallible>> {
        poll_fn(|context| {
            let Ok(session) = self.session.try_borrow() else {
                return self.wait_as_publisher(context);
            };
            if session.is_pending(identifier) {
                return match session.is_connected() {
                    true => self.wait_as_publisher(context),
                    false => Poll::Ready(Err(ClientError::NotConnected)),
                };
            }
            Poll::Ready(match self.answered(identifier) {
                None => Err(ClientError::NotPending),
                Some(Answered { failure: None, .. }) => Ok(()),
                Some(Answered {
                    failure: Some(reason),
                    ..
                }) => Err(ClientError::Refused(reason)),
            })
        })
        .await
    }

    /// Waits until there is a connection.
    ///
    /// Cancelling it loses nothing: call it again.
    pub async fn connected(&self) {
        poll_fn(|context| match self.session.try_borrow() {
            Ok(session) if session.is_connected() => Poll::Ready(()),
            _ => self.wait_as_publisher(context),
        })
        .await
    }

    /// Uses the session itself, to subscribe for instance. `None` while bytes of it are being sent.
    pub fn with_session<R>(&self, use_it: impl FnOnce(&mut Session<'b>) -> R) -> Option<R> {
        let result = use_it(&mut *self.session.try_borrow_mut().ok()?);
        if let Some(runner) = self.runner.take() {
            runner.wake();
        }
        Some(result)
    }

    fn wait_as_publisher<R>(&self, context: &Context<'_>) -> Poll<R> {
        let waker = context.waker();
        let mut free = None;
        for place in &self.publishers {
            match place.take() {
                Some(known) if known.will_wake(waker) => {
                    place.set(Some(known));
                    return Poll::Pending;
                }
                None => free = free.or(Some(place)),
                other => place.set(other),
            }
        }
        match free {
            Some(place) => place.set(Some(waker.clone())),
            // Nobody may wait unremembered: who comes too many asks again.
            None => waker.wake_by_ref(),
        }
        Poll::Pending
    }

    fn wake_publishers(&self) {
        for place in &self.publishers {
            if let Some(publisher) = place.take() {
                publisher.wake();
            }
        }
    }
}

/// Closes the session when the running task ends, also by being cancelled.
struct Connection<'s, 'b, C: Timer>(&'s Shared<'b, C>);

impl<C: Timer> Drop for Connection<'_, '_, C> {
    fn drop(&mut self) {
        if let Ok(mut session) = self.0.session.try_borrow_mut() {
            session.closed();
        }
        self.0.is_running.set(false);
        self.0.wake_publishers();
    }
}
