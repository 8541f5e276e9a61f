//! The protocol: one session with a server, without any input or output of its own.

#[cfg(feature = "v5")]
mod alias;
#[cfg(feature = "v5")]
mod authenticate;
mod event;
mod message;
mod receive;
mod snapshot;
#[cfg(feature = "stream")]
mod stream;
#[cfg(feature = "v5")]
mod v5;

use crate::error::{ConnectError, Error, NotConnected, PublishError, SubscribeError};
use crate::inbox::Inbox;
use crate::keep_alive::KeepAlive;
use crate::outbox::Outbox;
use crate::packet::connect::{Connect, Oversize};
use crate::packet::properties::{Carrier, Property, PropertyList, Told};
use crate::packet::publish::{Publish, is_topic_name};
use crate::packet::reason::ReasonCode;
use crate::packet::subscribe::{Head, Subscription};
use crate::packet::{PacketIdentifier, Qos, Version, first};
use crate::time::Instant;
use crate::topic::TopicFilter;

#[cfg(feature = "stream")]
pub use event::Chunk;
pub(crate) use event::Step;
pub use event::{Answer, Event};
pub use snapshot::RestoreError;

#[cfg(feature = "v5")]
use alias::Aliases;
use event::Last;
use message::Incoming;

/// An MQTT client session as a state machine.
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
    /// Where CONNECT ends, which is built in the receive buffer: nothing can come in before it is
    /// sent, and the send buffer may be full of messages in flight. So it is with the DISCONNECT for an
    /// error of the server, behind which nothing comes in.
    hello: usize,
    /// Where that of it begins that is not sent.
    hello_sent: usize,
    clean: bool,
    version: Version,
    oversize: Oversize,
    /// The acknowledgement for what was received last, queued once the caller asks for more.
    owed: Option<Owed>,
    incoming: Incoming,
    last: Last,
    /// Identifier of the last SUBSCRIBE or UNSUBSCRIBE, and how many filters it had, modulo 256.
    asked: u16,
    filters: u8,
    /// What the server takes, from its CONNACK (MQTT 5, section 3.2.2.3), and what the last packet with
    /// properties told.
    told: Told,
    #[cfg(feature = "v5")]
    v5: v5::V5<'b>,
}

/// An acknowledgement that is not queued yet.
#[derive(Clone, Copy)]
struct Owed {
    first: u8,
    identifier: PacketIdentifier,
    reason: ReasonCode,
}

impl Owed {
    /// Whether it is of this kind, and no refusal.
    fn is(&self, first: u8) -> bool {
        self.first == first && self.reason == ReasonCode::SUCCESS
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Closed,
    Connecting,
    Connected,
    /// DISCONNECT is queued: nothing more will be.
    Disconnecting,
}

impl<'b> Session<'b> {
    /// A session that is not connected.
    ///
    /// `receive` holds the largest message that can be taken, and CONNECT with 3 bytes more; `send` holds what is
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
            clean: false,
            version: Version::DEFAULT,
            oversize: Oversize::Discard,
            owed: None,
            incoming: Incoming::Nothing,
            last: Last::NOTHING,
            asked: 0,
            filters: 0,
            told: Told::new(),
            #[cfg(feature = "v5")]
            v5: v5::V5::new(Aliases::none()),
        }
    }

    /// The same session with memory for topic aliases, of which the server may then set up to
    /// `maximum` (MQTT 5, section 3.3.2.3.4). Each has its part of the memory, and can stand for a
    /// topic name of so many bytes, less 2.
    #[cfg(feature = "v5")]
    #[must_use]
    pub fn with_topic_aliases(self, memory: &'b mut [u8], maximum: u16) -> Self {
        Session {
            v5: v5::V5::new(Aliases::new(memory, maximum)),
            ..self
        }
    }

    /// Begins a connection: queues CONNECT. Only [`Event::Connected`] says that it stands.
    ///
    /// With `clean_session`, whatever was in flight is forgotten; so it is with another
    /// [`version`](Connect::version) than that of the connection before.
    pub fn connect(&mut self, connect: &Connect<'_>, now: Instant) -> Result<(), ConnectError> {
        self.closed();
        let will = connect.will.as_ref();
        if will.is_some_and(|will| !is_topic_name(will.topic)) {
            return Err(ConnectError::InvalidWillTopic);
        }
        if !self.outbox.is_large_enough() {
            return Err(ConnectError::SendBuffer);
        }
        let packet = match connect.version.is_5() {
            #[cfg(feature = "v5")]
            true => self.connect_5(connect)?,
            _ => connect.encode(&[], &mut self.told, self.inbox.scratch())?,
        };
        self.hello_sent = packet.start;
        self.hello = packet.end;
        self.clean = connect.clean_session;
        if self.clean || self.version != connect.version {
            self.outbox.clear();
        }
        self.version = connect.version;
        self.oversize = connect.oversize;
        self.keep_alive.start(connect, now);
        self.state = State::Connecting;
        Ok(())
    }

    /// The connection is gone. What is in flight stays for the next one.
    pub fn closed(&mut self) {
        self.state = State::Closed;
        self.inbox.clear();
        self.outbox.rewind();
        if let Some(owed) = self.owed() {
            // The caller has that message, or the server has it: it must not come a second time.
            if owed.is(first::PUBREC) {
                self.outbox.remember_unanswered(owed.identifier);
            } else if owed.is(first::PUBREL) {
                self.acknowledge_with(owed);
            }
        }
        self.hello = 0;
        self.hello_sent = 0;
        self.owed = None;
        self.incoming = Incoming::Nothing;
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
        self.state == State::Connecting
    }

    /// The bytes to be sent next, as many as there are. Call [`transmitted`](Self::transmitted) for those
    /// that were.
    ///
    /// With MQTT 5 there may be some after [`poll`](Self::poll) has failed, though the session is
    /// closed: a DISCONNECT that tells the server what it did wrong. Send it if that is easy, and
    /// then close the connection.
    // Inlined where memory is plenty: every message passes here.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    pub fn transmit(&self) -> &[u8] {
        let (memory, unsent) = match self.state {
            State::Closed | State::Connecting => (self.inbox.memory(), self.hello_sent..self.hello),
            State::Connected | State::Disconnecting => self.outbox.to_send(),
        };
        memory.get(unsent).unwrap_or_default()
    }

    /// The first `count` bytes of [`transmit`](Self::transmit) were given to the connection.
    // Inlined where memory is plenty: every message passes here.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    pub fn transmitted(&mut self, count: usize, now: Instant) {
        if count == 0 {
            return;
        }
        self.keep_alive.sent(now);
        if self.outbox.is_streaming() {
            // No PINGREQ can be sent: that the connection takes bytes must be sign of life enough.
            self.keep_alive.received(now);
        }
        if matches!(self.state, State::Closed | State::Connecting) {
            self.hello_sent += count.min(self.hello - self.hello_sent);
            return;
        }
        self.outbox.sent(count);
        if self.state == State::Disconnecting && self.transmit().is_empty() {
            self.closed();
        }
    }

    /// Where the next bytes received go. Empty while CONNECT is being sent, and when there is no
    /// connection; never empty once [`poll`](Self::poll) has returned `Ok(None)` on a connection with
    /// nothing left to [`transmit`](Self::transmit).
    pub fn receive_buffer(&mut self) -> &mut [u8] {
        if self.is_closed() || self.hello_sent < self.hello {
            return &mut [];
        }
        let pinned = match self.incoming.is_in_pieces() {
            true => self.last.head_end(),
            false => 0,
        };
        self.inbox.space(pinned)
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
            Some(step) => Ok(Some(self.event(step))),
            None => self.expire(now).map(|()| None),
        }
    }

    /// When [`poll`](Self::poll) is to be called even if nothing was received.
    pub fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Closed => None,
            _ => self.keep_alive.deadline(),
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
        let (content, alias) = self.check_publish(message)?;
        let version = self.version;
        let remaining = message.remaining(content);
        let first = message.first();
        let identified = message.qos != Qos::AtMostOnce;
        self.outbox.reserve(remaining, identified)?;
        let identifier = identified.then(|| self.outbox.identify());
        let writer = self.outbox.push(first, remaining);
        message.write(writer, identifier, version, &mut self.told);
        self.announce(alias);
        Ok(identifier)
    }

    /// Bytes of the message's properties, and its alias, if this is a message that may be sent.
    fn check_publish(&mut self, message: &Publish<'_>) -> Result<(usize, u16), PublishError> {
        let content = message
            .content(self.version, &mut self.told)
            .ok_or(PublishError::InvalidProperty)?;
        let alias = match self.version.is_5() {
            #[cfg(feature = "v5")]
            true => {
                self.told.check(message.first())?;
                self.check_alias(message)?
            }
            _ => 0,
        };
        let is_alias_alone = alias > 0 && message.topic.is_empty();
        if !is_alias_alone && !is_topic_name(message.topic) {
            return Err(PublishError::InvalidTopic);
        }
        #[cfg(feature = "v5")]
        if message.qos != Qos::AtMostOnce && !self.outbox.has_window() {
            return Err(PublishError::Full);
        }
        Ok((content, alias))
    }

    fn announce(&mut self, alias: u16) {
        #[cfg(feature = "v5")]
        self.v5.announce(alias);
        let _ = alias;
    }

    /// Queues a SUBSCRIBE; [`Event::Subscribed`] names its identifier with the server's answer.
    pub fn subscribe(
        &mut self,
        subscriptions: &[Subscription<'_>],
    ) -> Result<PacketIdentifier, SubscribeError> {
        self.request_subscription(subscriptions, PropertyList::NONE)
    }

    /// As [`subscribe`](Self::subscribe) with properties; MQTT 3.1.1 leaves them out.
    pub fn subscribe_with(
        &mut self,
        subscriptions: &[Subscription<'_>],
        properties: &[Property<'_>],
    ) -> Result<PacketIdentifier, SubscribeError> {
        self.request_subscription(subscriptions, PropertyList::new(properties))
    }

    fn request_subscription(
        &mut self,
        subscriptions: &[Subscription<'_>],
        properties: PropertyList<'_>,
    ) -> Result<PacketIdentifier, SubscribeError> {
        let version = self.version;
        let mut length = 0_usize;
        for each in subscriptions {
            check_filter(each.filter)?;
            #[cfg(feature = "v5")]
            if version.is_5() {
                self.told.check_filter(each)?;
            }
            length = length.saturating_add(each.length());
        }
        let head = Head {
            version,
            properties,
            carrier: Carrier::SUBSCRIBE,
        };
        let remaining = head.remaining(length, &mut self.told)?;
        #[cfg(feature = "v5")]
        if version.is_5() {
            self.told.check_identifier()?;
        }
        let identifier = self.request(remaining, subscriptions.len())?;
        let mut writer = self.outbox.push(first::SUBSCRIBE, remaining);
        head.write(&mut writer, identifier, &mut self.told);
        for each in subscriptions {
            each.write(&mut writer, version);
        }
        self.pass_window();
        Ok(identifier)
    }

    /// Queues an UNSUBSCRIBE; [`Event::Unsubscribed`] names its identifier.
    pub fn unsubscribe(&mut self, filters: &[&str]) -> Result<PacketIdentifier, SubscribeError> {
        self.request_end(filters, PropertyList::NONE)
    }

    /// As [`unsubscribe`](Self::unsubscribe) with properties; MQTT 3.1.1 leaves them out.
    pub fn unsubscribe_with(
        &mut self,
        filters: &[&str],
        properties: &[Property<'_>],
    ) -> Result<PacketIdentifier, SubscribeError> {
        self.request_end(filters, PropertyList::new(properties))
    }

    fn request_end(
        &mut self,
        filters: &[&str],
        properties: PropertyList<'_>,
    ) -> Result<PacketIdentifier, SubscribeError> {
        let mut length = 0_usize;
        for filter in filters {
            check_filter(filter)?;
            length = length.saturating_add(2 + filter.len());
        }
        let head = Head {
            version: self.version,
            properties,
            carrier: Carrier::UNSUBSCRIBE,
        };
        let remaining = head.remaining(length, &mut self.told)?;
        let identifier = self.request(remaining, filters.len())?;
        let mut writer = self.outbox.push(first::UNSUBSCRIBE, remaining);
        head.write(&mut writer, identifier, &mut self.told);
        for filter in filters {
            writer.field(filter.as_bytes());
        }
        self.pass_window();
        Ok(identifier)
    }

    /// Room for a SUBSCRIBE or UNSUBSCRIBE, and an identifier for it.
    fn request(
        &mut self,
        remaining: usize,
        filters: usize,
    ) -> Result<PacketIdentifier, SubscribeError> {
        if !self.is_connected() {
            return Err(SubscribeError::NotConnected);
        }
        if filters == 0 {
            return Err(SubscribeError::InvalidFilter);
        }
        self.outbox.reserve(remaining, true)?;
        let identifier = self.outbox.identify();
        self.asked = identifier.value();
        self.filters = filters as u8;
        Ok(identifier)
    }

    /// What was queued last does not wait for the server's receive maximum [MQTT-4.9.0-3].
    fn pass_window(&mut self) {
        #[cfg(feature = "v5")]
        self.outbox.advance_window();
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

    /// Messages of QoS 1 and 2 that were sent over an earlier connection, and are sent again (with DUP)
    /// over this one or the next: after [`Event::Connected`], all that this connection repeats; then
    /// those of them that the server has not acknowledged yet.
    ///
    /// It is counted when it is asked for: who does not ask, pays nothing.
    pub fn retransmits(&self) -> usize {
        self.outbox.repeated()
    }

    /// Queues DISCONNECT behind what is queued; the session is closed once it was sent. The server
    /// forgets the will. Acknowledges the message that [`poll`](Self::poll) returned last.
    ///
    /// While a message goes out in pieces there is no place for DISCONNECT: then the session is just
    /// closed.
    pub fn disconnect(&mut self) -> Result<(), NotConnected> {
        if !self.is_connected() {
            return Err(NotConnected);
        }
        if self.outbox.is_streaming() {
            self.closed();
            return Ok(());
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
        // While another message goes out in pieces, a PUBREL waits out here.
        #[cfg(feature = "stream")]
        if let Some(owed) = self.owed.filter(|owed| owed.is(first::PUBREL)) {
            return owed.identifier == identifier || self.outbox.is_pending(identifier);
        }
        self.outbox.is_pending(identifier)
    }

    /// How many messages of QoS 1 and 2 are in flight: published, and not acknowledged by the server.
    /// One that [goes out in pieces](Self::publish_stream) is not among them.
    pub fn in_flight(&self) -> usize {
        self.outbox.in_flight()
    }

    /// Whether nothing is queued, and nothing in flight.
    pub fn is_idle(&self) -> bool {
        self.outbox.is_empty()
    }
}

fn check_filter(filter: &str) -> Result<(), SubscribeError> {
    match TopicFilter::new(filter) {
        Ok(_) => Ok(()),
        Err(_) => Err(SubscribeError::InvalidFilter),
    }
}
