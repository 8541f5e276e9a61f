//! The protocol: one session with a server, without any input or output of its own.

use core::fmt;

use crate::inbox::Inbox;
use crate::keep_alive::{Due, KeepAlive};
use crate::outbox::{Answered, NoRoom, Outbox};
use crate::packet::connect::{Connect, ConnectReturnCode, decode_connack};
use crate::packet::publish::{Layout, Message, Publish, is_topic_name};
use crate::packet::subscribe::{
    ReturnCodes, Subscription, decode_suback, is_topic_filter, subscribe_remaining,
    unsubscribe_remaining, write_subscribe, write_unsubscribe,
};
use crate::packet::{
    FixedHeader, MAX_REMAINING, PacketIdentifier, ProtocolError, Qos, Writer, ack, first,
};
use crate::time::Instant;

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
/// | [`poll`](Self::poll) | after `received`, and at the [`deadline`](Self::deadline), until it returns `None` |
/// | [`closed`](Self::closed) | the connection is gone |
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

/// What happened, from [`Session::poll`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event<'a> {
    /// The server accepted the connection (CONNACK).
    Connected {
        /// Whether the server still had this client's session: if not, subscribe again.
        session_present: bool,
    },
    /// A message came in. One of QoS 1 or 2 is acknowledged by the next call of
    /// [`Session::poll`]: who comes back for more has taken this one.
    Message(Message<'a>),
    /// A message came in that is larger than the receive buffer; it is thrown away, and
    /// acknowledged so that it does not come back.
    TooLarge {
        /// Its topic name, unless that alone is larger than the buffer.
        topic: Option<&'a str>,
        /// Bytes of its payload.
        length: usize,
    },
    /// A message of QoS 1 or 2 has arrived at the server (PUBACK or PUBCOMP).
    Published(PacketIdentifier),
    /// The server answered a SUBSCRIBE, filter by filter (SUBACK).
    Subscribed(PacketIdentifier, ReturnCodes<'a>),
    /// The server took back the subscriptions of an UNSUBSCRIBE (UNSUBACK).
    Unsubscribed(PacketIdentifier),
    /// The server answered a PINGREQ.
    Pong,
}

/// Why a session's connection is over, from [`Session::poll`]. The caller closes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The server refused the CONNECT.
    Refused(ConnectReturnCode),
    /// No CONNACK came within [`Connect::connack_timeout`].
    ConnackTimeout,
    /// Nothing came within [`Connect::ping_timeout`] after a PINGREQ.
    PingTimeout,
    /// The server sent what no server may send.
    Protocol(ProtocolError),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Refused(code) => write!(f, "the server refused the connection: {code}"),
            Error::ConnackTimeout => f.write_str("the server did not answer CONNECT"),
            Error::PingTimeout => f.write_str("the server did not answer PINGREQ"),
            Error::Protocol(error) => write!(f, "the server broke the protocol: {error}"),
        }
    }
}

impl core::error::Error for Error {}

impl From<ProtocolError> for Error {
    fn from(error: ProtocolError) -> Self {
        Error::Protocol(error)
    }
}

/// Why a CONNECT could not be queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectError {
    /// It is larger than the receive buffer, in which it is built, or a field is longer than
    /// 65,535 bytes.
    TooLarge,
    /// The will's topic is not a valid topic name (section 4.7).
    InvalidWillTopic,
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ConnectError::TooLarge => "CONNECT does not fit into the receive buffer",
            ConnectError::InvalidWillTopic => "the will's topic is not a valid topic name",
        })
    }
}

/// Why a message could not be queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PublishError {
    /// The session is not connected.
    NotConnected,
    /// The send buffer is full for now: send, or wait for acknowledgements.
    Full,
    /// The packet is larger than the send buffer will ever hold.
    TooLarge,
    /// Empty, longer than 65,535 bytes, or with a wildcard or U+0000 (section 4.7).
    InvalidTopic,
}

impl fmt::Display for PublishError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            PublishError::NotConnected => "not connected",
            PublishError::Full => "the send buffer is full",
            PublishError::TooLarge => "the message does not fit into the send buffer",
            PublishError::InvalidTopic => "not a valid topic name",
        })
    }
}

/// Why a SUBSCRIBE or UNSUBSCRIBE could not be queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubscribeError {
    /// The session is not connected.
    NotConnected,
    /// The send buffer is full for now: send, or wait for acknowledgements.
    Full,
    /// The packet is larger than the send buffer will ever hold.
    TooLarge,
    /// No filter at all [MQTT-3.8.3-3], or one that is not valid (section 4.7.1).
    InvalidFilter,
}

impl fmt::Display for SubscribeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SubscribeError::NotConnected => "not connected",
            SubscribeError::Full => "the send buffer is full",
            SubscribeError::TooLarge => "the filters do not fit into the send buffer",
            SubscribeError::InvalidFilter => "not a valid topic filter",
        })
    }
}

/// The session is not connected, so nothing can be queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotConnected;

impl fmt::Display for NotConnected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not connected")
    }
}

impl core::error::Error for ConnectError {}
impl core::error::Error for PublishError {}
impl core::error::Error for SubscribeError {}
impl core::error::Error for NotConnected {}

/// What [`Session::step`] found: an [`Event`] that does not borrow yet.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    Connected { session_present: bool },
    Message { at: usize, layout: Layout },
    TooLarge { at: usize, layout: Layout },
    Headless { length: usize },
    Published(PacketIdentifier),
    Subscribed { at: usize, length: usize },
    Unsubscribed(PacketIdentifier),
    Pong,
}

/// What became of the packet at the front of the receive buffer.
enum Progress {
    /// It was dealt with, and is of interest to the caller.
    Event(Step),
    /// It was dealt with.
    Silent,
    /// It is not whole yet.
    Incomplete,
}

impl<'b> Session<'b> {
    /// A session that is not connected.
    ///
    /// `receive` holds the largest message that can be taken, and CONNECT; `send` holds what is
    /// queued and what is in flight, and ten bytes more.
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
        self.hello = connect
            .encode(self.inbox.scratch())
            .ok_or(ConnectError::TooLarge)?;
        self.clean = connect.clean_session;
        if self.clean {
            self.outbox.clear();
        } else {
            self.outbox.rewind();
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
            None => Ok(None),
        }
    }

    /// When [`poll`](Self::poll) is to be called even if nothing was received.
    pub fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Connecting { deadline } => Some(deadline),
            State::Connected => self.keep_alive.deadline(),
            State::Closed | State::Disconnecting => None,
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
        let identifier = match message.qos {
            Qos::AtMostOnce => None,
            _ => Some(self.outbox.next_identifier().ok_or(PublishError::Full)?),
        };
        let remaining = message.remaining();
        if remaining > MAX_REMAINING {
            return Err(PublishError::TooLarge);
        }
        match self.outbox.push_packet(message.first(), remaining) {
            Ok(writer) => {
                message.write(writer, identifier);
                Ok(identifier)
            }
            Err(NoRoom::Now) => Err(PublishError::Full),
            Err(NoRoom::Ever) => Err(PublishError::TooLarge),
        }
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
        if remaining > MAX_REMAINING {
            return Err(SubscribeError::TooLarge);
        }
        let identifier = self.outbox.next_identifier().ok_or(SubscribeError::Full)?;
        match self.outbox.push_packet(first, remaining) {
            Ok(writer) => Ok((writer, identifier)),
            Err(NoRoom::Now) => Err(SubscribeError::Full),
            Err(NoRoom::Ever) => Err(SubscribeError::TooLarge),
        }
    }

    /// Queues a PINGREQ; [`Event::Pong`] tells of the answer. The session pings by itself when
    /// keep-alive asks for it.
    pub fn ping(&mut self, now: Instant) -> Result<(), NotConnected> {
        if !self.is_connected() {
            return Err(NotConnected);
        }
        // Without room for it there are bytes on their way which the server must answer as well.
        self.outbox.push_empty(first::PINGREQ);
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
        self.acknowledge();
        self.outbox.push_empty(first::DISCONNECT);
        self.state = State::Disconnecting;
        Ok(())
    }

    /// Whether this identifier's message or request still waits for the server's answer.
    pub fn is_pending(&self, identifier: PacketIdentifier) -> bool {
        self.outbox.is_pending(identifier)
    }

    /// Whether nothing is queued, and nothing in flight.
    pub fn is_idle(&self) -> bool {
        self.outbox.is_empty()
    }

    /// Does what is due, up to the next thing the caller wants to know of.
    pub(crate) fn step(&mut self, now: Instant) -> Result<Option<Step>, Error> {
        if matches!(self.state, State::Closed | State::Disconnecting) {
            return Ok(None);
        }
        let result = self.try_step(now);
        if result.is_err() {
            self.closed();
        }
        result
    }

    fn try_step(&mut self, now: Instant) -> Result<Option<Step>, Error> {
        while self.acknowledge() {
            match self.packet(now)? {
                Progress::Event(step) => return Ok(Some(step)),
                Progress::Silent => {}
                Progress::Incomplete => break,
            }
        }
        match self.state {
            State::Connecting { deadline } if deadline <= now => Err(Error::ConnackTimeout),
            State::Connected => match self.keep_alive.due(now) {
                Due::Nothing => Ok(None),
                Due::Dead => Err(Error::PingTimeout),
                Due::Ping => {
                    let _ = self.ping(now);
                    Ok(None)
                }
            },
            _ => Ok(None),
        }
    }

    /// Queues the acknowledgement that is owed; `false` if something has to be sent first.
    fn acknowledge(&mut self) -> bool {
        if let Some((first, identifier)) = self.owed {
            if !self.outbox.push_ack(first, identifier) {
                return false;
            }
            self.owed = None;
        }
        true
    }

    /// Deals with the packet at the front of the receive buffer.
    fn packet(&mut self, now: Instant) -> Result<Progress, Error> {
        if let Some((qos, length)) = self.headless {
            return Ok(self.headless(qos, length)?);
        }
        let bytes = self.inbox.bytes();
        let Some(header) = FixedHeader::decode(bytes)? else {
            return Ok(Progress::Incomplete);
        };
        if let State::Connecting { .. } = self.state
            && header.first != first::CONNACK
        {
            return Err(ProtocolError::UnexpectedPacket(header.first).into());
        }
        if header.first & 0xf0 == first::PUBLISH {
            return Ok(self.publish_received(&header)?);
        }
        let length = header.packet_length();
        if length > self.inbox.capacity() {
            return Err(ProtocolError::TooLarge.into());
        }
        let Some(body) = bytes.get(header.length..length) else {
            return Ok(Progress::Incomplete);
        };
        let progress = match header.first {
            first::CONNACK if self.state != State::Connected => {
                let session_present = decode_connack(body)?.map_err(Error::Refused)?;
                if !session_present {
                    self.outbox.clear();
                } else if self.clean {
                    // There is nothing a clean session could have left [MQTT-3.2.2-1].
                    return Err(ProtocolError::ReturnCode(1).into());
                }
                self.state = State::Connected;
                Progress::Event(Step::Connected { session_present })
            }
            first::PUBACK => {
                let identifier = ack::decode(body)?;
                self.settled(
                    Answered::PUBLISH_QOS1,
                    identifier,
                    Step::Published(identifier),
                )
            }
            first::PUBREC => {
                let identifier = ack::decode(body)?;
                if self.outbox.settle(Answered::PUBLISH_QOS2, identifier) {
                    self.owed = Some((first::PUBREL, identifier));
                }
                Progress::Silent
            }
            first::PUBREL => {
                let identifier = ack::decode(body)?;
                self.outbox.settle(Answered::PUBREC, identifier);
                self.owed = Some((first::PUBCOMP, identifier));
                Progress::Silent
            }
            first::PUBCOMP => {
                let identifier = ack::decode(body)?;
                self.settled(Answered::PUBREL, identifier, Step::Published(identifier))
            }
            first::SUBACK => {
                let (identifier, _) = decode_suback(body)?;
                let step = Step::Subscribed {
                    at: self.inbox.position() + header.length,
                    length: body.len(),
                };
                self.settled(Answered::SUBSCRIBE, identifier, step)
            }
            first::UNSUBACK => {
                let identifier = ack::decode(body)?;
                self.settled(
                    Answered::UNSUBSCRIBE,
                    identifier,
                    Step::Unsubscribed(identifier),
                )
            }
            first::PINGRESP => {
                if !body.is_empty() {
                    return Err(ProtocolError::Length.into());
                }
                self.keep_alive.ponged(now);
                Progress::Event(Step::Pong)
            }
            other => return Err(unexpected(other).into()),
        };
        self.inbox.consume(length);
        Ok(progress)
    }

    /// An acknowledgement: the caller hears of it if it answers something. One that answers
    /// nothing is left alone: it may be for what an earlier connection sent.
    fn settled(
        &mut self,
        answered: Answered,
        identifier: PacketIdentifier,
        step: Step,
    ) -> Progress {
        if self.outbox.settle(answered, identifier) {
            Progress::Event(step)
        } else {
            Progress::Silent
        }
    }

    fn publish_received(&mut self, header: &FixedHeader) -> Result<Progress, ProtocolError> {
        let bytes = self.inbox.bytes();
        let Some(layout) = Layout::decode(header, bytes)? else {
            return Ok(Progress::Incomplete);
        };
        let fits = layout.end <= self.inbox.capacity();
        let needed = if fits { layout.end } else { layout.payload };
        if needed > self.inbox.capacity() {
            self.inbox.consume(layout.topic_end);
            self.headless = Some((layout.qos, layout.end - layout.payload));
            return Ok(Progress::Silent);
        }
        if bytes.len() < needed {
            return Ok(Progress::Incomplete);
        }
        let identifier = layout.identifier(bytes)?;
        let at = self.inbox.position();
        self.inbox.consume(layout.end);
        if !self.owe(layout.qos, identifier) {
            return Ok(Progress::Silent);
        }
        Ok(Progress::Event(if fits {
            Step::Message { at, layout }
        } else {
            Step::TooLarge { at, layout }
        }))
    }

    /// Goes on with a message whose topic was thrown away, once its packet identifier is here.
    fn headless(&mut self, qos: Qos, length: usize) -> Result<Progress, ProtocolError> {
        let identifier = match qos {
            Qos::AtMostOnce => None,
            _ => {
                let Some(bytes) = self.inbox.bytes().get(..2) else {
                    return Ok(Progress::Incomplete);
                };
                let identifier = crate::packet::Reader(bytes).packet_identifier()?;
                self.inbox.consume(2);
                Some(identifier)
            }
        };
        self.headless = None;
        self.inbox.consume(length);
        Ok(if self.owe(qos, identifier) {
            Progress::Event(Step::Headless { length })
        } else {
            Progress::Silent
        })
    }

    /// Notes what a message is to be answered with; `false` if it was delivered before.
    fn owe(&mut self, qos: Qos, identifier: Option<PacketIdentifier>) -> bool {
        let Some(identifier) = identifier else {
            return true;
        };
        if qos == Qos::AtLeastOnce {
            self.owed = Some((first::PUBACK, identifier));
            return true;
        }
        let repeated = self.outbox.is_received(identifier);
        // A PUBREC that was not sent yet will be; one that was is sent again.
        if !repeated || self.outbox.settle(Answered::PUBREC, identifier) {
            self.owed = Some((first::PUBREC, identifier));
        }
        !repeated
    }

    /// The event a step stands for. On an error the session is closed.
    pub(crate) fn event(&mut self, step: Step) -> Result<Event<'_>, Error> {
        let memory = self.inbox.memory();
        let event = match step {
            Step::Connected { session_present } => Ok(Event::Connected { session_present }),
            Step::Message { at, layout } => layout
                .message(memory.get(at..).unwrap_or_default())
                .map(Event::Message),
            Step::TooLarge { at, layout } => layout
                .message(memory.get(at..).unwrap_or_default())
                .map(|message| Event::TooLarge {
                    topic: Some(message.topic),
                    length: layout.end - layout.payload,
                }),
            Step::Headless { length } => Ok(Event::TooLarge {
                topic: None,
                length,
            }),
            Step::Published(identifier) => Ok(Event::Published(identifier)),
            Step::Subscribed { at, length } => {
                decode_suback(memory.get(at..at + length).unwrap_or_default())
                    .map(|(identifier, codes)| Event::Subscribed(identifier, codes))
            }
            Step::Unsubscribed(identifier) => Ok(Event::Unsubscribed(identifier)),
            Step::Pong => Ok(Event::Pong),
        };
        if event.is_err() {
            self.state = State::Closed;
        }
        event.map_err(Error::Protocol)
    }
}

/// What is wrong with a packet of this first byte: its flags, or that it is here at all.
fn unexpected(first: u8) -> ProtocolError {
    match first & 0xf0 {
        first::CONNACK
        | first::PUBACK
        | first::PUBREC
        | 0x60
        | first::PUBCOMP
        | first::SUBACK
        | first::UNSUBACK
        | first::PINGRESP
            if first & 0x0f != if first & 0xf0 == 0x60 { 2 } else { 0 } =>
        {
            ProtocolError::Flags(first)
        }
        _ => ProtocolError::UnexpectedPacket(first),
    }
}
