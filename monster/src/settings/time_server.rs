//! Who tells a board the time: `host[:port]`.

use core::fmt;

use heapless::String;

use super::broker_url::{parse_port, split_port};
use super::value::{Refused, Value};

/// The port of the Network Time Protocol (RFC 5905).
const NTP: u16 = 123;

/// The longest host name, in bytes.
const HOST_MAX: usize = 48;

/// A server of the Network Time Protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeServer {
    host: String<HOST_MAX, u16>,
    port: u16,
}

impl TimeServer {
    /// A host name, an IPv4 address, or an IPv6 address without its brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The UDP port, 1 to 65535; 123 unless it was given.
    pub const fn port(&self) -> u16 {
        self.port
    }
}

impl fmt::Display for TimeServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]", self.host)?;
        } else {
            f.write_str(&self.host)?;
        }
        if self.port == NTP {
            return Ok(());
        }
        write!(f, ":{}", self.port)
    }
}

/// `time.server`: empty means that nobody is asked.
impl Value for Option<TimeServer> {
    fn parse(text: &str) -> Result<Self, Refused> {
        if text.is_empty() {
            return Ok(None);
        }
        let (host, port) = split_port(text).map_err(|error| error.reason())?;
        let port = port.map_or(Ok(NTP), parse_port);
        Ok(Some(TimeServer {
            host: String::try_from(host).map_err(|_| "it is too long")?,
            port: port.map_err(|error| error.reason())?,
        }))
    }

    fn allowed(f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "host[:port], the host of at most {HOST_MAX} bytes; empty: nobody is asked"
        )
    }

    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_ref().map_or(Ok(()), |server| write!(f, "{server}"))
    }
}
