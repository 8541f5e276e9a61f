//! A transport and a clock for programs on an operating system.

use libstd::io::{self, Read as _, Write as _};
use libstd::net::{TcpStream, ToSocketAddrs};
use libstd::time::Duration;

use embedded_io::{ErrorType, ReadReady};

use crate::clock;
#[cfg(feature = "v3")]
use crate::simple::MqttClient;
use crate::time::Instant;

/// Milliseconds after which a read or write of a [`TcpTransport`] gives up, so that the driver can
/// look at the clock.
const PATIENCE: Duration = Duration::from_millis(250);

/// A TCP connection for the [blocking driver](crate::blocking): with TCP_NODELAY, since each write
/// is a whole batch; a read or write that got nowhere for 250 ms gives up with
/// [`ErrorKind::TimedOut`](embedded_io::ErrorKind::TimedOut).
#[derive(Debug)]
pub struct TcpTransport(TcpStream);

impl TcpTransport {
    /// Connects to the first of the addresses that accepts within `timeout` milliseconds each.
    pub fn connect(addresses: impl ToSocketAddrs, timeout: u32) -> io::Result<Self> {
        let timeout = Duration::from_millis(timeout.max(1) as u64);
        let mut result = Err(io::ErrorKind::NotFound.into());
        for address in addresses.to_socket_addrs()? {
            result = TcpStream::connect_timeout(&address, timeout);
            if result.is_ok() {
                break;
            }
        }
        Self::new(result?)
    }

    /// A connection that is already open.
    pub fn new(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(TcpTransport(stream))
    }
}

impl ErrorType for TcpTransport {
    type Error = io::Error;
}

impl embedded_io::Read for TcpTransport {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer).map_err(timed_out)
    }
}

impl embedded_io::Write for TcpTransport {
    #[inline(always)]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes).map_err(timed_out)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl ReadReady for TcpTransport {
    fn read_ready(&mut self) -> io::Result<bool> {
        self.0.set_nonblocking(true)?;
        let peeked = self.0.peek(&mut [0]);
        self.0.set_nonblocking(false)?;
        match peeked {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// Unix says that a read timed out by `WouldBlock`, for which `embedded-io` has no word.
fn timed_out(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::WouldBlock => io::ErrorKind::TimedOut.into(),
        _ => error,
    }
}

/// The operating system's monotonic clock; its origin is when it was made.
#[derive(Clone, Copy, Debug)]
pub struct Clock(libstd::time::Instant);

impl Clock {
    /// A clock that starts now.
    pub fn new() -> Self {
        Clock(libstd::time::Instant::now())
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}

impl clock::Clock for Clock {
    fn now(&self) -> Instant {
        let elapsed = self.0.elapsed();
        Instant::from_millis(elapsed.as_secs() * 1_000 + elapsed.subsec_millis() as u64)
    }
}

/// `MQTTClient(client_id, server, port)`: a [simple](crate::simple) client over TCP, which waits
/// 5 s for a connection.
#[cfg(feature = "v3")]
pub fn mqtt_client<'a>(
    client_id: &'a str,
    server: &'a str,
    port: u16,
    receive: &'a mut [u8],
    send: &'a mut [u8],
) -> MqttClient<'a, TcpTransport, impl FnMut() -> io::Result<TcpTransport> + use<'a>, Clock> {
    let open = move || TcpTransport::connect((server, port), 5_000);
    MqttClient::new(client_id, open, Clock::new(), receive, send)
}
