//! Connections by TCP: to an address of the broker, and to their end.

use core::fmt;

use embassy_net::Stack;
use embassy_net::tcp::{ConnectError, Error as TcpError, TcpSocket};
use embassy_time::{Duration, with_timeout};
use monster::device::SESSION_IMAGE;

use crate::connection::Ended;
use crate::resolve::{NameError, resolve};

/// Two segments and more, so that neither end waits for the other's acknowledgement.
const TCP_BUFFER: usize = 4096;
/// How long one of several addresses may take, so that one that is dead does not use up the time
/// for all.
const ADDRESS_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a polite end of a connection may hold up the device.
const CLOSE_TIMEOUT: Duration = Duration::from_millis(200);

pub(crate) struct TcpBuffers {
    receive: [u8; TCP_BUFFER],
    send: [u8; TCP_BUFFER],
}

const _: () = assert!(TCP_BUFFER >= SESSION_IMAGE);

impl TcpBuffers {
    pub const fn new() -> Self {
        TcpBuffers {
            receive: [0; _],
            send: [0; _],
        }
    }

    /// Memory for the image of an MQTT session, while there is no connection.
    pub fn image(&mut self) -> &mut [u8] {
        &mut self.receive
    }
}

/// A socket that is not connected yet.
pub(crate) fn socket<'b>(stack: Stack<'b>, buffers: &'b mut TcpBuffers) -> TcpSocket<'b> {
    TcpSocket::new(stack, &mut buffers.receive, &mut buffers.send)
}

/// Connects to a host, at the first of its addresses that can be reached.
pub(crate) async fn connect(
    stack: Stack<'_>,
    socket: &mut TcpSocket<'_>,
    host: &str,
    port: u16,
) -> Result<(), OpenTcpError> {
    stack.wait_config_up().await;
    // A packet leaves when it is written, not when the last one is acknowledged.
    socket.set_nagle_enabled(false);
    let addresses = resolve(stack, host).await.map_err(OpenTcpError::Name)?;
    let mut result = Err(OpenTcpError::TimedOut);
    for (position, address) in addresses.iter().enumerate() {
        let connecting = socket.connect((*address, port));
        let is_last = position + 1 == addresses.len();
        result = if is_last {
            connecting.await.map_err(OpenTcpError::from)
        } else {
            with_timeout(ADDRESS_TIMEOUT, connecting)
                .await
                .map_or(Err(OpenTcpError::TimedOut), |result| Ok(result?))
        };
        if result.is_ok() {
            break;
        }
        socket.abort();
    }
    result
}

/// Ends a connection: what was written is sent, if the other end still takes it.
pub(crate) async fn close(mut socket: TcpSocket<'_>) {
    socket.close();
    let _ = with_timeout(CLOSE_TIMEOUT, socket.flush()).await;
}

/// Why a connection could not be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OpenTcpError {
    Name(NameError),
    TimedOut,
    Refused,
    NoRoute,
}

impl From<ConnectError> for OpenTcpError {
    fn from(error: ConnectError) -> Self {
        match error {
            ConnectError::TimedOut => OpenTcpError::TimedOut,
            ConnectError::ConnectionReset | ConnectError::InvalidState => OpenTcpError::Refused,
            ConnectError::NoRoute => OpenTcpError::NoRoute,
        }
    }
}

impl fmt::Display for OpenTcpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            OpenTcpError::Name(error) => return write!(f, "{error}"),
            OpenTcpError::TimedOut => "timed out",
            OpenTcpError::Refused => "connection refused",
            OpenTcpError::NoRoute => "there is no way to its address",
        })
    }
}

impl From<TcpError> for Ended {
    fn from(error: TcpError) -> Self {
        match error {
            TcpError::ConnectionReset => Ended::Reset,
        }
    }
}
