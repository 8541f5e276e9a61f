//! What can go wrong, one type per operation.

use core::fmt;

use crate::outbox::NoRoom;
use crate::packet::ProtocolError;
use crate::packet::connect::ConnectReturnCode;
use crate::packet::subscribe::SubscribeFailure;

/// Why a session's connection is over, from [`Session::poll`](crate::Session::poll). The caller closes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The server refused the CONNECT.
    Refused(ConnectReturnCode),
    /// No CONNACK came within [`Connect::connack_timeout`](crate::Connect::connack_timeout).
    ConnackTimeout,
    /// Nothing came within [`Connect::ping_timeout`](crate::Connect::ping_timeout) after a PINGREQ.
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
    /// The send buffer is smaller than the 12 bytes the session needs for itself.
    SendBuffer,
    /// The will's topic is not a valid topic name (section 4.7).
    InvalidWillTopic,
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ConnectError::TooLarge => "CONNECT does not fit into the receive buffer",
            ConnectError::SendBuffer => "the send buffer is smaller than 12 bytes",
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
    /// There is no connection.
    NotConnected,
    /// The CONNECT cannot be sent.
    Connect(ConnectError),
    /// The message was not queued.
    Publish(PublishError),
    /// The SUBSCRIBE or UNSUBSCRIBE was not queued.
    Subscribe(SubscribeError),
    /// The server refused a subscription, or one of several.
    Refused(SubscribeFailure),
    /// Nothing waits for an answer under this identifier: it was answered before, or forgotten
    /// with the connection or session it belonged to.
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
            ClientError::Refused(error) => error.fmt(f),
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
