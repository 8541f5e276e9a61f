//! What can go wrong, one type per operation.

use core::fmt;

use crate::outbox::NoRoom;
use crate::packet::ProtocolError;
use crate::packet::reason::ReasonCode;

/// Why a session's connection is over, from [`Session::poll`](crate::Session::poll). The caller closes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The server refused the CONNECT. MQTT 3.1.1 has five return codes for it: each is told as the
    /// reason code that means the same.
    ///
    /// Connect again later where the reason passes by itself ([`ReasonCode::SERVER_UNAVAILABLE`],
    /// [`ReasonCode::SERVER_BUSY`], [`ReasonCode::QUOTA_EXCEEDED`] and
    /// [`ReasonCode::CONNECTION_RATE_EXCEEDED`]); else change what the CONNECT says, or the server's
    /// settings.
    Refused(ReasonCode),
    /// The server ended the connection (DISCONNECT). MQTT 5. Connect again, after a wait; but not for
    /// [`ReasonCode::SESSION_TAKEN_OVER`]: another client has this one's identifier, and the two
    /// would throw each other out for ever.
    Disconnected(ReasonCode),
    /// No CONNACK came within [`Connect::connack_timeout`](crate::Connect::connack_timeout). Connect
    /// again, after a wait; if it never works, it is no MQTT server that listens there, or it wants
    /// TLS.
    ConnackTimeout,
    /// Nothing came within [`Connect::ping_timeout`](crate::Connect::ping_timeout) after a PINGREQ:
    /// the link is dead. Connect again.
    PingTimeout,
    /// The server sent what no server may send. Connect again, after a wait; if it happens again, the
    /// server is wrong, or the [`version`](crate::Connect::version) is.
    Protocol(ProtocolError),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Refused(code) => write!(f, "the server refused the connection: {code}"),
            Error::Disconnected(code) => write!(f, "the server ended the connection: {code}"),
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
    /// It is larger than the receive buffer, in which it is built behind up to 3 bytes, or a field is
    /// longer than 65,535 bytes. Give it a larger buffer, or a shorter will.
    TooLarge,
    /// The send buffer is smaller than the 12 bytes the session needs for itself: give it those, and
    /// the bytes of the largest message.
    SendBuffer,
    /// The will's topic is not a valid topic name (section 4.7).
    InvalidWillTopic,
    /// A property that CONNECT or a will may not carry, or not twice, or not with this value; or one
    /// that the session sets itself ([`Connect::properties`](crate::Connect::properties)).
    InvalidProperty,
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ConnectError::TooLarge => {
                "CONNECT does not fit: the receive buffer has to hold it, and a field 65,535 bytes"
            }
            ConnectError::SendBuffer => {
                "the send buffer is smaller than 12 bytes, which the session needs for itself"
            }
            ConnectError::InvalidWillTopic => {
                "the will's topic is not a topic name: that has 1 to 65,535 bytes, and no +, # or U+0000"
            }
            ConnectError::InvalidProperty => {
                "a property that a CONNECT or will may not have, or not twice, or not with this value"
            }
        })
    }
}

/// Why a message could not be queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PublishError {
    /// The session is not connected: connect first, or keep the message in a
    /// [`Backlog`](crate::Backlog).
    NotConnected,
    /// The send buffer is full for now, or as many messages of QoS 1 and 2 are in flight as the
    /// server takes at once, or a message goes out in pieces: send, or wait for acknowledgements.
    Full,
    /// The packet is larger than the send buffer will ever hold, or than the server takes. For the
    /// former, a larger buffer, or [`publish_stream`](crate::Session::publish_stream).
    TooLarge,
    /// Empty, longer than 65,535 bytes, or with a wildcard or U+0000 (section 4.7).
    InvalidTopic,
    /// A property that a message may not carry, or not twice, or not with this value.
    InvalidProperty,
    /// A topic alias that is 0, above 32 or what the server takes; with QoS 1 or 2; or in the place
    /// of a topic name that it was not set for on this connection.
    TopicAlias,
    /// The server does not take such messages: [`ReasonCode::QOS_NOT_SUPPORTED`] or
    /// [`ReasonCode::RETAIN_NOT_SUPPORTED`].
    NotSupported(ReasonCode),
}

impl fmt::Display for PublishError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            PublishError::NotSupported(reason) => {
                return write!(f, "the server does not take it: {reason}");
            }
            PublishError::InvalidProperty => {
                "a property that a message may not have, or not twice, or not with this value"
            }
            PublishError::TopicAlias => {
                "a topic alias is for QoS 0, from 1 to what the server takes, and set before it stands alone"
            }
            PublishError::NotConnected => "not connected: connect first",
            PublishError::Full => "the send buffer is full: send, or wait for acknowledgements",
            PublishError::TooLarge => {
                "the message is larger than the send buffer, or than the server takes"
            }
            PublishError::InvalidTopic => {
                "not a topic name: that has 1 to 65,535 bytes, and no +, # or U+0000"
            }
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
    /// The packet is larger than the send buffer will ever hold, or than the server takes.
    TooLarge,
    /// No filter at all [MQTT-3.8.3-3], or one that is not valid (section 4.7.1).
    InvalidFilter,
    /// A property that the packet may not carry, or not twice, or not with this value.
    InvalidProperty,
    /// A shared subscription without the messages of this client [MQTT-3.8.3-4].
    NoLocal,
    /// The server does not take such subscriptions:
    /// [`ReasonCode::SHARED_SUBSCRIPTIONS_NOT_SUPPORTED`],
    /// [`ReasonCode::SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED`] or
    /// [`ReasonCode::WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED`].
    NotSupported(ReasonCode),
}

impl fmt::Display for SubscribeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SubscribeError::NotSupported(reason) => {
                return write!(f, "the server does not take it: {reason}");
            }
            SubscribeError::InvalidProperty => {
                "a property that the packet may not have, or not twice, or not with this value"
            }
            SubscribeError::NoLocal => "a shared subscription cannot leave out the client's own",
            SubscribeError::NotConnected => "not connected: connect first",
            SubscribeError::Full => "the send buffer is full: send, or wait for acknowledgements",
            SubscribeError::TooLarge => {
                "the filters are larger than the send buffer, or than the server takes"
            }
            SubscribeError::InvalidFilter => {
                "no topic filter: + stands alone in its level, and # alone in the last one"
            }
        })
    }
}

/// Why an AUTH, a DISCONNECT with a reason, or a rejection could not be queued. MQTT 5.
#[cfg(feature = "v5")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueueError {
    /// The session is not connected.
    NotConnected,
    /// The send buffer is full for now: send, or wait for acknowledgements.
    Full,
    /// It is larger than the buffer will ever hold, or than the server takes.
    TooLarge,
    /// The reason code or a property is none that this packet may carry, or not now.
    Invalid,
}

#[cfg(feature = "v5")]
impl fmt::Display for QueueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            QueueError::NotConnected => "not connected: connect first",
            QueueError::Full => "the send buffer is full: send, or wait for acknowledgements",
            QueueError::TooLarge => {
                "the packet is larger than the buffer, or than the server takes"
            }
            QueueError::Invalid => {
                "a reason code or property that this packet may not have, or not now"
            }
        })
    }
}

#[cfg(feature = "v5")]
impl core::error::Error for QueueError {}

#[cfg(feature = "v5")]
impl From<NoRoom> for QueueError {
    fn from(room: NoRoom) -> Self {
        match room {
            NoRoom::Now => QueueError::Full,
            NoRoom::Ever => QueueError::TooLarge,
        }
    }
}

/// The session is not connected, so nothing can be queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotConnected;

impl fmt::Display for NotConnected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not connected: connect first")
    }
}

impl core::error::Error for ConnectError {}
impl core::error::Error for PublishError {}

impl From<NoRoom> for PublishError {
    fn from(room: NoRoom) -> Self {
        match room {
            NoRoom::Now => PublishError::Full,
            NoRoom::Ever => PublishError::TooLarge,
        }
    }
}
impl core::error::Error for SubscribeError {}

impl From<NoRoom> for SubscribeError {
    fn from(room: NoRoom) -> Self {
        match room {
            NoRoom::Now => SubscribeError::Full,
            NoRoom::Ever => SubscribeError::TooLarge,
        }
    }
}
impl core::error::Error for NotConnected {}

/// Why a driver's call failed.
///
/// After [`Transport`](Self::Transport), [`Closed`](Self::Closed), [`WriteZero`](Self::WriteZero)
/// and [`Session`](Self::Session) the connection is over and its transport was dropped: connect
/// again over a new one. After the others it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientError<E> {
    /// The transport failed.
    Transport(E),
    /// The server closed the connection: a read returned 0.
    Closed,
    /// The transport takes no more bytes: a write returned 0.
    WriteZero,
    /// The session ended the connection.
    Session(Error),
    /// There is no connection: connect first.
    NotConnected,
    /// The CONNECT cannot be sent.
    Connect(ConnectError),
    /// The message was not queued.
    Publish(PublishError),
    /// The SUBSCRIBE or UNSUBSCRIBE was not queued.
    Subscribe(SubscribeError),
    /// The server refused a subscription, or one of several; with MQTT 5 also a message. To ask
    /// again changes nothing: look for what the server allows this client.
    Refused(ReasonCode),
    /// The server asks for an authentication that [`connect`](crate::blocking::Client::connect)
    /// cannot do: begin the connection with `begin`. MQTT 5.
    Authentication,
    /// The packet was not queued. MQTT 5.
    #[cfg(feature = "v5")]
    Queue(QueueError),
    /// Another task runs the session ([`Shared::run`](crate::Shared::run)): one at a time may.
    Running,
    /// Nothing waits for an answer under this identifier: it was answered before, and the event that said so is
    /// past; or it is lost, with the connection or the session it belonged to. Where it must arrive, publish it
    /// again.
    NotPending,
}

impl<E: fmt::Debug> fmt::Display for ClientError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ClientError::Transport(error) => write!(f, "the transport failed: {error:?}"),
            ClientError::Closed => f.write_str("the server closed the connection"),
            ClientError::WriteZero => f.write_str("the transport takes no more bytes"),
            ClientError::Session(error) => error.fmt(f),
            ClientError::NotConnected => NotConnected.fmt(f),
            ClientError::Connect(error) => error.fmt(f),
            ClientError::Publish(error) => error.fmt(f),
            ClientError::Subscribe(error) => error.fmt(f),
            ClientError::Refused(reason) => write!(f, "the server refused it: {reason}"),
            ClientError::Authentication => f.write_str(
                "the server asks for an authentication: begin the connection by `begin`",
            ),
            #[cfg(feature = "v5")]
            ClientError::Queue(error) => error.fmt(f),
            ClientError::Running => f.write_str("another task runs the session"),
            ClientError::NotPending => f.write_str("nothing waits under this packet identifier"),
        }
    }
}

impl<E: fmt::Debug> core::error::Error for ClientError<E> {}

impl<E> From<Error> for ClientError<E> {
    fn from(error: Error) -> Self {
        ClientError::Session(error)
    }
}

impl<E> From<NotConnected> for ClientError<E> {
    fn from(_: NotConnected) -> Self {
        ClientError::NotConnected
    }
}

#[cfg(feature = "v5")]
impl<E> From<QueueError> for ClientError<E> {
    fn from(error: QueueError) -> Self {
        match error {
            QueueError::NotConnected => ClientError::NotConnected,
            error => ClientError::Queue(error),
        }
    }
}

impl<E> From<ConnectError> for ClientError<E> {
    fn from(error: ConnectError) -> Self {
        ClientError::Connect(error)
    }
}

impl<E> From<PublishError> for ClientError<E> {
    fn from(error: PublishError) -> Self {
        match error {
            PublishError::NotConnected => ClientError::NotConnected,
            error => ClientError::Publish(error),
        }
    }
}

impl<E> From<SubscribeError> for ClientError<E> {
    fn from(error: SubscribeError) -> Self {
        match error {
            SubscribeError::NotConnected => ClientError::NotConnected,
            error => ClientError::Subscribe(error),
        }
    }
}

/// Why the rest of a message could not be sent as it was read from a source.
#[cfg(feature = "stream")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamError<T, S> {
    /// The client could not send it.
    Client(ClientError<T>),
    /// The source failed. The message waits for its rest: call it again, or disconnect.
    Source(S),
    /// The source had less than the message needs, which waits for its rest: call it again with
    /// another source, or disconnect.
    Ended,
}

#[cfg(feature = "stream")]
impl<T: fmt::Debug, S: fmt::Debug> fmt::Display for StreamError<T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StreamError::Client(error) => error.fmt(f),
            StreamError::Source(error) => write!(f, "the source failed: {error:?}"),
            StreamError::Ended => f.write_str("the source has less than the message needs"),
        }
    }
}

#[cfg(feature = "stream")]
impl<T: fmt::Debug, S: fmt::Debug> core::error::Error for StreamError<T, S> {}
