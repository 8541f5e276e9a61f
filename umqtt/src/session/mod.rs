//! The protocol: one session with a server, without any input or output of its own.

mod event;
mod receive;

use crate::error::{ConnectError, Error, NotConnected, PublishError, SubscribeError};
use crate::inbox::Inbox;
use crate::keep_alive::KeepAlive;
use crate::outbox::Outbox;
use crate::packet::connect::Connect;
use crate::packet::publish::{Publish, is_topic_name};
use crate::packet::subscribe::{
    Subscription, is_topic_filter, subscribe_remaining, unsubscribe_remaining, write_subscribe,
    write_unsubscribe,
};
use crate::packet::{PacketIdentifier, Qos, Writer, first};
use crate::time::Instant;

pub use event::Event;
pub(crate) use event::Step;

/// An MQTT 3.1.1 client session as a state machine.
///
/// It opens no socket and reads no clock. The caller moves bytes between it and a connection, and
/// says what time it is:
///
/// | call | when |
/// |---|---|
/// | [`connect`](Self::connect) | a new connection is open |
/// | [`transmit`](Self::transmit), [`transmitted`](Self::transmitted) | after any other call, until nothing is left to send |
/// | [`receive_buffer`](Self::receive_buffer), [`received`](Self::received) | bytes can be read, and [`poll`](Self::poll) has returned `None` |
/// | [`poll`](Self::poll) | after `received`, and at the [`deadline`](Self::deadline), until it returns `None` with nothing to transmit |
/// | [`closed`](Self::closed) | the connection is gone |
///
/// At the deadline, hand in first what has been received by then: `poll` takes silence for a dead
/// link.
///
/// No call panics, whatever the server sends and in whatever order they come. Each does work
/// bounded by the size of the two buffers.
///
/// A session outlives its connections: after an error, [`connect`](Self::connect) again over a new one. With
/// `clean_session` false, messages of QoS 1 and 2 that were not acknowledged are then sent again.
pub struct Session<'b> {
    state: State,
    inbox: Inbox<'b>,
    outbox: Outbox<'b>,
    keep_alive: KeepAlive,
    /// Bytes of CONNECT, which is built in the receive buffer: nothing can come in before it is
    /// sent, and the send buffer may be full of messages in flight.
    hello: usize,
    hello_sent: usize,
    clean: bool,
    /// The acknowledgement for what was received last, queued once the caller asks for more.
    owed: Option<(u8, PacketIdentifier)>,
    /// A message whose topic is larger than the receive buffer: at its packet identifier, with so
    /// many bytes of payload behind it.
    headless: Option<(Qos, usize)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Closed,
    Connecting {
        deadline: Instant,
    },
    Connected,
    /// DISCONNECT is queued: nothing more will be.
    Disconnecting,
}

impl<'b> Session<'b> {
    /// A session that is not connected.
    ///
    /// `receive` holds the largest message that can be taken, and CONNECT; `send` holds what is
    /// queued and what is in flight, and 12 bytes more. Of each message of QoS 2 that the server
    /// has in flight to this client, `send` keeps 4 bytes; when they leave no room, the oldest is
    /// forgotten, and delivered once more should the connection break just then.
    pub fn new(receive: &'b mut [u8], send: &'b mut [u8]) -> Self {
        Session {
            state: State::Closed,
            inbox: Inbox::new(receive),
            outbox: Outbox::new(send),
            keep_alive: KeepAlive::new(),
            hello: 0,
            hello_sent: 0,
            clean: true,
            owed: None,
            headless: None,
        }
    }

    /// Begins a connection: queues CONNECT. Only [`Event::Connected`] says that it stands.
    ///
    /// With `clean_session`, whatever was in flight is forgotten.
    pub fn connect(&mut self, connect: &Connect<'_>, now: Instant) -> Result<(), ConnectError> {
        self.closed();
        if let Some(will) = &connect.will
            && !is_topic_name(will.topic)
        {
            return Err(ConnectError::InvalidWillTopic);
        }
        if !self.outbox.is_large_enough() {
            return Err(ConnectError::SendBuffer);
        }
        self.hello = connect
            .encode(self.inbox.scratch())
            .ok_or(ConnectError::TooLarge)?;
        self.clean = connect.clean_session;
        if self.clean {
            self.outbox.clear();
        }
        self.keep_alive
            .start(connect.keep_alive, connect.ping_timeout, now);
        self.state = State::Connecting {
            deadline: now.after(connect.connack_timeout as u64),
        };
        Ok(())
    }

    /// The connection is gone. What is in flight stays for the next one.
    pub fn closed(&mut self) {
        self.state = State::Closed;
        self.inbox.clear();
        self.outbox.rewind();
        if let Some((first::PUBREC, identifier)) = self.owed {
            // The caller has that message: it must not come a second time.
            self.outbox.push_received(identifier);
        }
        self.hello = 0;
        self.hello_sent = 0;
        self.owed = None;
        self.headless = None;
    }

    /// Whether the server has accepted the connection, and it is not known to be over.
    pub fn is_connected(&self) -> bool {
        self.state == State::Connected
    }

    /// Whether there is no connection to use: none was begun, it failed, or it was ended.
    pub fn is_closed(&self) -> bool {
        self.state == State::Closed
    }

    /// Whether CONNECT is on its way, or waits for its answer.
    pub(crate) fn is_connecting(&self) -> bool {
        matches!(self.state, State::Connecting { .. })
    }

    /// The bytes to be sent next, as many as there are. Call [`transmitted`](Self::transmitted) for those
    /// that were.
    pub fn transmit(&self) -> &[u8] {
        match self.state {
            State::Closed => &[],
            State::Connecting { .. } => self
                .inbox
                .memory()
                .get(self.hello_sent..self.hello)
                .unwrap_or_default(),
            State::Connected | State::Disconnecting => self.outbox.to_send(),
        }
    }

    /// The first `count` bytes of [`transmit`](Self::transmit) were given to the connection.
    pub fn transmitted(&mut self, count: usize, now: Instant) {
        if count == 0 {
            return;
        }
        self.keep_alive.sent(now);
        match self.state {
            State::Closed => {}
            State::Connecting { .. } => {
                self.hello_sent = self.hello.min(self.hello_sent.saturating_add(count));
            }
            State::Connected => self.outbox.sent(count),
            State::Disconnecting => {
                self.outbox.sent(count);
                if self.outbox.to_send().is_empty() {
                    self.closed();
                }
            }
        }
    }

    /// Where the next bytes received go. Empty while CONNECT is being sent, and when there is no
    /// connection; never empty once [`poll`](Self::poll) has returned `Ok(None)` on a connection with
    /// nothing left to [`transmit`](Self::transmit).
    pub fn receive_buffer(&mut self) -> &mut [u8] {
        if self.is_closed() || self.hello_sent < self.hello {
            return &mut [];
        }
        self.inbox.space()
    }

    /// `count` bytes were put at the front of [`receive_buffer`](Self::receive_buffer).
    pub fn received(&mut self, count: usize, now: Instant) {
        if count > 0 {
            self.inbox.filled(count);
            self.keep_alive.received(now);
        }
    }

    /// What happened since the last call: call again until it returns `Ok(None)`, also at the
    /// [`deadline`](Self::deadline).
    ///
    /// Acknowledges the message that the call before returned. On an error the session is closed.
    pub fn poll(&mut self, now: Instant) -> Result<Option<Event<'_>>, Error> {
        match self.step(now)? {
            Some(step) => self.event(step).map(Some),
            None => self.expire(now).map(|()| None),
        }
    }

    /// When [`poll`](Self::poll) is to be called even if nothing was received.
    pub fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Connecting { deadline } => Some(deadline),
            State::Connected | State::Disconnecting => self.keep_alive.deadline(),
            State::Closed => None,
        }
    }

    /// Queues a message. One of QoS 1 or 2 gets an identifier, which [`Event::Published`] names
    /// once the server has it.
    pub fn publish(
        &mut self,
        message: &Publish<'_>,
    ) -> Result<Option<PacketIdentifier>, PublishError> {
        if !self.is_connected() {
            return Err(PublishError::NotConnected);
        }
        if !is_topic_name(message.topic) {
            return Err(PublishError::InvalidTopic);
        }
        let (writer, identifier) = self.outbox.push_packet(
            message.first(),
            message.remaining(),
            message.qos != Qos::AtMostOnce,
        )?;
        message.write(writer, identifier);
        Ok(identifier)
    }

    /// Queues a SUBSCRIBE; [`Event::Subscribed`] names its identifier with the server's answer.
    pub fn subscribe(
        &mut self,
        subscriptions: &[Subscription<'_>],
    ) -> Result<PacketIdentifier, SubscribeError> {
        if !subscriptions
            .iter()
            .all(|each| is_topic_filter(each.filter))
        {
            return Err(SubscribeError::InvalidFilter);
        }
        let remaining = subscribe_remaining(subscriptions);
        let (writer, identifier) = self.request(first::SUBSCRIBE, remaining)?;
        write_subscribe(writer, identifier, subscriptions);
        Ok(identifier)
    }

    /// Queues an UNSUBSCRIBE; [`Event::Unsubscribed`] names its identifier.
    pub fn unsubscribe(&mut self, filters: &[&str]) -> Result<PacketIdentifier, SubscribeError> {
        if !filters.iter().all(|filter| is_topic_filter(filter)) {
            return Err(SubscribeError::InvalidFilter);
        }
        let remaining = unsubscribe_remaining(filters);
        let (writer, identifier) = self.request(first::UNSUBSCRIBE, remaining)?;
        write_unsubscribe(writer, identifier, filters);
        Ok(identifier)
    }

    /// Room for a SUBSCRIBE or UNSUBSCRIBE, and an identifier for it.
    fn request(
        &mut self,
        first: u8,
        remaining: usize,
    ) -> Result<(Writer<'_>, PacketIdentifier), SubscribeError> {
        if !self.is_connected() {
            return Err(SubscribeError::NotConnected);
        }
        if remaining == 2 {
            return Err(SubscribeError::InvalidFilter);
        }
        match self.outbox.push_packet(first, remaining, true)? {
            (writer, Some(identifier)) => Ok((writer, identifier)),
            (_, None) => Err(SubscribeError::Full),
        }
    }

    /// Queues a PINGREQ; [`Event::Pong`] tells of the answer. The session pings by itself when
    /// keep-alive asks for it.
    pub fn ping(&mut self, now: Instant) -> Result<(), NotConnected> {
        if !self.is_connected() {
            return Err(NotConnected);
        }
        self.outbox.push_pingreq();
        self.keep_alive.pinged(now);
        Ok(())
    }

    /// Milliseconds that the last answered PINGREQ took.
    pub fn round_trip(&self) -> Option<u32> {
        self.keep_alive.round_trip()
    }

    /// Queues DISCONNECT behind what is queued; the session is closed once it was sent. The server
    /// forgets the will. Acknowledges the message that [`poll`](Self::poll) returned last.
    pub fn disconnect(&mut self) -> Result<(), NotConnected> {
        if !self.is_connected() {
            return Err(NotConnected);
        }
        self.try_acknowledge();
        self.outbox.push_disconnect();
        self.state = State::Disconnecting;
        Ok(())
    }

    /// Queues the acknowledgement of the message that [`poll`](Self::poll) returned last, without
    /// asking for the next event. Without room for it, the next `poll` does it.
    pub fn acknowledge(&mut self) {
        self.try_acknowledge();
    }

    /// Whether this identifier's message or request still waits for the server's answer.
    pub fn is_pending(&self, identifier: PacketIdentifier) -> bool {
        self.outbox.is_pending(identifier)
    }

    /// Whether nothing is queued, and nothing in flight.
    pub fn is_idle(&self) -> bool {
        self.outbox.is_empty()
    }
}
