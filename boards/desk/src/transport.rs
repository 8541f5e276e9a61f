//! Connections to a broker: TCP, or TLS over it, with the broker's certificate and name checked.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use monster::settings::{BrokerSettings, Scheme};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{self, AlertDescription, CertificateError};

mod key_usage;
mod tls;

pub use tls::FileError;

/// How long one of several addresses may take, so that one that is dead does not use up the time
/// for all.
const ADDRESS_TIMEOUT: Duration = Duration::from_secs(2);

/// What is said when nobody listens.
pub const REFUSED: &str = "connection refused";

/// Bytes both ways, in order.
pub trait Connection: AsyncRead + AsyncWrite + Unpin {}
impl<T: AsyncRead + AsyncWrite + Unpin> Connection for T {}

/// An open connection.
pub struct Opened {
    pub connection: Box<dyn Connection>,
    /// The address of our end.
    pub ip: Option<IpAddr>,
}

/// A broker, and all that is needed to connect to it.
#[derive(Clone)]
pub struct Endpoint {
    host: String,
    port: u16,
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

impl Endpoint {
    /// The broker in the settings. For TLS all files are read here, once.
    ///
    /// # Errors
    /// There is no broker, there are no CAs, a file is not what it should be, or the host is no name
    /// that a certificate could have.
    pub fn new(settings: &BrokerSettings) -> Result<Self, EndpointError> {
        let url = settings.url.as_ref().ok_or(EndpointError::NoBroker)?;
        let tls = match url.scheme() {
            Scheme::Mqtt => None,
            Scheme::Mqtts => {
                let name = ServerName::try_from(url.host().to_owned())
                    .map_err(|_| EndpointError::Host(url.host().to_owned()))?;
                Some((tls::connector(settings)?, name))
            }
        };
        Ok(Endpoint {
            host: url.host().to_owned(),
            port: url.port(),
            tls,
        })
    }

    /// Connects. The error says why not, for a person.
    ///
    /// Cancelling it gives up.
    pub async fn open(self) -> Result<Opened, String> {
        let stream = self.open_tcp().await.map_err(|error| explained(&error))?;
        let ip = stream.local_addr().ok().map(|address| address.ip());
        let connection: Box<dyn Connection> = match self.tls {
            None => Box::new(PromptTcp::new(stream)),
            Some((connector, name)) => Box::new(
                connector
                    .connect(name, PromptTcp::new(stream))
                    .await
                    .map_err(|error| explained(&error))?,
            ),
        };
        Ok(Opened { connection, ip })
    }

    async fn open_tcp(&self) -> io::Result<TcpStream> {
        let addresses: Vec<SocketAddr> = lookup_host((self.host.as_str(), self.port))
            .await
            .map_err(|error| self.not_found(&error))?
            .collect();
        let mut last = io::Error::other(format!("{} has no address", self.host));
        for (position, address) in addresses.iter().enumerate() {
            let connecting = TcpStream::connect(address);
            let connected = if position + 1 == addresses.len() {
                connecting.await
            } else {
                timeout(ADDRESS_TIMEOUT, connecting)
                    .await
                    .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
            };
            match connected {
                Ok(stream) => {
                    // A packet leaves when it is written, not when the last one is acknowledged.
                    stream.set_nodelay(true)?;
                    return Ok(stream);
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn not_found(&self, error: &io::Error) -> io::Error {
        let why = error.to_string();
        let why = why
            .strip_prefix("failed to lookup address information: ")
            .unwrap_or(&why);
        io::Error::other(format!("{} is not found: {why}", self.host))
    }
}

/// A TCP connection that acknowledges what it has read with what is written next, or at once if
/// nothing is.
///
/// Many a broker, mosquitto among them, leaves Nagle's algorithm on: it holds back a small packet
/// until the last one was acknowledged, which by default takes 40 ms. Each command that follows a
/// PUBACK would come that much later.
struct PromptTcp {
    stream: TcpStream,
    /// Something was read since the last acknowledgement we asked for.
    unacknowledged: bool,
}

impl PromptTcp {
    fn new(stream: TcpStream) -> Self {
        PromptTcp {
            stream,
            unacknowledged: false,
        }
    }

    /// Nothing more is to be read for now, and what there was to say to it has been written.
    fn acknowledge(&mut self) {
        if std::mem::take(&mut self.unacknowledged) {
            // The system forgets it again and again. Without it, it works too.
            #[cfg(target_os = "linux")]
            let _ = rustix::net::sockopt::set_tcp_quickack(&self.stream, true);
        }
    }
}

impl AsyncRead for PromptTcp {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        match read {
            Poll::Ready(_) => self.unacknowledged = true,
            Poll::Pending => self.acknowledge(),
        }
        read
    }
}

impl AsyncWrite for PromptTcp {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        if written.is_ready() {
            // The acknowledgement goes with it.
            self.unacknowledged = false;
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// Why no connection can ever be made with these settings.
#[derive(Debug)]
pub enum EndpointError {
    File(FileError),
    NoBroker,
    NoSystemCas,
    Host(String),
    Tls(rustls::Error),
}

impl fmt::Display for EndpointError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EndpointError::File(error) => write!(f, "{error}"),
            EndpointError::NoBroker => f.write_str("no broker is set"),
            EndpointError::NoSystemCas => f.write_str(
                "this system has no certificates of CAs, and mqtts:// needs one: name its file \
                 with --ca FILE, or install the system's (ca-certificates)",
            ),
            EndpointError::Host(host) => write!(
                f,
                "broker.url: {host:?} is a host that no certificate can be for"
            ),
            EndpointError::Tls(error) => write!(f, "TLS cannot be used: {error}"),
        }
    }
}

/// What an error of a connection means, in a few words.
pub fn explained(error: &io::Error) -> String {
    let tls = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match tls {
        Some(rustls::Error::InvalidCertificate(
            CertificateError::UnknownIssuer | CertificateError::BadSignature,
        )) => "no known CA vouches for the broker's certificate (--ca FILE names one)".to_owned(),
        Some(rustls::Error::InvalidMessage(_)) => "the broker does not speak TLS there".to_owned(),
        Some(rustls::Error::AlertReceived(AlertDescription::CertificateRequired)) => {
            "the broker wants a certificate of ours (--cert FILE --key FILE)".to_owned()
        }
        Some(rustls::Error::AlertReceived(
            alert @ (AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA
            | AlertDescription::DecryptError
            | AlertDescription::AccessDenied),
        )) => format!("the broker does not accept our certificate, broker.cert ({alert:?})"),
        Some(rustls::Error::InvalidCertificate(CertificateError::Other(why))) => {
            format!("the broker's certificate is not trusted: {}", why.0)
        }
        Some(tls) => tls.to_string(),
        None => match error.kind() {
            io::ErrorKind::ConnectionRefused => REFUSED.to_owned(),
            io::ErrorKind::ConnectionReset => "connection reset".to_owned(),
            io::ErrorKind::UnexpectedEof => "closed by the broker".to_owned(),
            io::ErrorKind::TimedOut => "timed out".to_owned(),
            _ => error.to_string(),
        },
    }
}

#[cfg(test)]
mod tests;
