//! Who is spoken to by UDP, `host[:port]`: who tells a board the time, and who takes the log.

use core::fmt;

use heapless::String;

use super::broker_url::{parse_port, split_port};
use super::value::{Refused, Value};

/// The port of the Network Time Protocol (RFC 5905).
const NTP: u16 = 123;
/// The port of syslog over UDP (RFC 5426).
const SYSLOG: u16 = 514;

/// The longest host name, in bytes.
const HOST_MAX: usize = 40;

/// A server of the Network Time Protocol.
pub type TimeServer = UdpServer<NTP>;
/// A server that takes the log, as RFC 5424 and RFC 5426 have it.
pub type SyslogServer = UdpServer<SYSLOG>;

/// A server behind a UDP port, which is `PORT` unless another was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UdpServer<const PORT: u16> {
    host: String<HOST_MAX, u8>,
    port: u16,
}

impl<const PORT: u16> UdpServer<PORT> {
    /// A host name, an IPv4 address, or an IPv6 address without its brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The UDP port, 1 to 65535.
    pub const fn port(&self) -> u16 {
        self.port
    }
}

impl<const PORT: u16> fmt::Display for UdpServer<PORT> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]", self.host)?;
        } else {
            f.write_str(&self.host)?;
        }
        if self.port == PORT {
            return Ok(());
        }
        write!(f, ":{}", self.port)
    }
}

/// Empty means that nobody is spoken to.
impl<const PORT: u16> Value for Option<UdpServer<PORT>> {
    fn parse(text: &str) -> Result<Self, Refused> {
        if text.is_empty() {
            return Ok(None);
        }
        let (host, port) = split_port(text).map_err(|error| error.reason())?;
        let port = port.map_or(Ok(PORT), parse_port);
        Ok(Some(UdpServer {
            host: String::try_from(host).map_err(|_| "it is too long")?,
            port: port.map_err(|error| error.reason())?,
        }))
    }

    fn allowed(f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "host[:port], the host of at most {HOST_MAX} bytes; empty: nobody"
        )
    }

    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_ref().map_or(Ok(()), |server| write!(f, "{server}"))
    }
}
