//! TLS 1.3 to a broker whose certificate a CA of ours vouches for.
//!
//! The protocol is `embedded-tls`'s; who is trusted is judged here, by `webpki` ([`verifier`]). What
//! that library leaves open is closed here too: that a handshake showed a certificate at all, and
//! records at which it would panic ([`guard`]).

mod algorithms;
mod guard;
mod link;
mod rsa;
#[cfg(test)]
mod tests;
mod usage;
mod verifier;

use core::fmt;

use embassy_time::{Duration, with_timeout};
use embedded_io_async::{ErrorKind, ErrorType, Write};
use embedded_storage_async::nor_flash::NorFlash;
use embedded_tls::alert::AlertDescription;
use embedded_tls::{
    Aes128GcmSha256, CryptoProvider, FlushPolicy, TlsConfig, TlsConnection, TlsContext, TlsError,
    TlsReader, TlsVerifier, TlsWriter,
};
use heapless::Vec;
use monster::settings::Settings;
use monster::settings::value::LogLevel;
use monster_store::{BLOB_MAX, Name, Store};
use rand_chacha::ChaCha20Rng;
use rand_core::{CryptoRngCore, SeedableRng};
use rustls_pki_types::ServerName;

use crate::clock::Clock;
use crate::connection::{CHUNK, Ended};
use crate::run::Board;
use guard::RECORD_MAX;
pub(crate) use link::{Line, Link};
use verifier::{Refusal, Verifier};

/// The longest certificate of a broker, in bytes.
const LEAF_MAX: usize = 3072;
/// The certificates of CAs, in bytes: what is left of the longest that is stored as PEM.
const CAS_MAX: usize = BLOB_MAX;
/// How long a connection waits for the time of day.
const TIME_TIMEOUT: Duration = Duration::from_secs(3);
/// What a record takes beside its content.
const RECORD_REST: usize = 128;

/// What TLS needs room for.
pub(crate) struct TlsBuffers {
    receive: [u8; RECORD_MAX],
    send: [u8; CHUNK + RECORD_REST],
    leaf: Vec<u8, LEAF_MAX>,
    cas: Vec<u8, CAS_MAX>,
}

impl TlsBuffers {
    pub const fn new() -> Self {
        TlsBuffers {
            receive: [0; _],
            send: [0; _],
            leaf: Vec::new(),
            cas: Vec::new(),
        }
    }
}

/// What connections by TLS have in common.
pub(crate) struct Tls<'b> {
    buffers: &'b mut TlsBuffers,
    random: Option<ChaCha20Rng>,
}

impl<'b> Tls<'b> {
    /// Takes the CAs out of the store; if they cannot be read, the log says so, and none are trusted.
    /// `entropy` is true chance that nobody else has.
    pub async fn new<B: Board, F: NorFlash>(
        buffers: &'b mut TlsBuffers,
        entropy: Option<[u8; 32]>,
        store: &mut Store<F>,
        settings: &Settings,
    ) -> Self {
        if let Err(error) = load_cas(buffers, store).await {
            B::log(LogLevel::Error, format_args!("broker.ca: {error}"));
            buffers.cas.clear();
        }
        if !settings.broker.cert.as_str().is_empty() {
            let none = "broker.cert: boards show no certificate of their own";
            B::log(LogLevel::Warn, format_args!("{none}"));
        }
        Tls {
            buffers,
            random: entropy.map(ChaCha20Rng::from_seed),
        }
    }

    /// Finds out by what a broker of this name or address is judged.
    pub async fn prepare<'h>(
        &self,
        host: &'h str,
        clock: &Clock,
    ) -> Result<Trust<'h>, OpenTlsError> {
        if self.buffers.cas.is_empty() {
            return Err(OpenTlsError::NoCa);
        }
        let name = ServerName::try_from(host).map_err(|_| OpenTlsError::Name)?;
        // After a start the time is on its way.
        let _ = with_timeout(TIME_TIMEOUT, clock.wait_until_set()).await;
        let unix_seconds = clock.unix_seconds().ok_or(OpenTlsError::NoTime)?;
        Ok(Trust {
            host,
            name,
            unix_seconds,
        })
    }

    /// Opens TLS over a connection to the broker, if it is to be trusted.
    pub async fn open<'s>(
        &'s mut self,
        link: Link<'s>,
        trust: Trust<'_>,
    ) -> Result<TlsStream<'s>, OpenTlsError> {
        let random = self.random.as_mut().ok_or(OpenTlsError::NoChance)?;
        let TlsBuffers {
            receive,
            send,
            leaf,
            cas,
        } = &mut *self.buffers;
        let mut config = TlsConfig::new().enable_rsa_signatures();
        // An address is no server name (RFC 6066, section 3).
        if matches!(trust.name, ServerName::DnsName(_)) {
            config = config.with_server_name(trust.host);
        }
        let mut provider = Provider {
            random,
            verifier: Verifier::new(cas, trust.name, trust.unix_seconds, leaf),
        };
        let mut connection = TlsConnection::new(link, receive, send);
        // What is written leaves at once; nobody waits until it is acknowledged.
        connection.set_flush_policy(FlushPolicy::Relaxed);
        let context = TlsContext::new(&config, &mut provider);
        let opened = connection.open(context).await;
        let is_satisfied = provider.verifier.is_satisfied();
        match (opened, provider.verifier.refusal()) {
            (_, Some(refusal)) => Err(OpenTlsError::Refused(refusal)),
            (Err(error), None) => Err(OpenTlsError::Handshake(error)),
            (Ok(()), None) if !is_satisfied => Err(OpenTlsError::Refused(Refusal::NoCertificate)),
            (Ok(()), None) => {
                link.open();
                Ok(TlsStream(connection))
            }
        }
    }
}

/// By what a broker is judged.
pub(crate) struct Trust<'h> {
    host: &'h str,
    name: ServerName<'h>,
    unix_seconds: u64,
}

/// Reads the CAs' certificates, and leaves them one behind the other.
async fn load_cas<F: NorFlash>(
    buffers: &mut TlsBuffers,
    store: &mut Store<F>,
) -> Result<(), CaError> {
    let TlsBuffers { receive, cas, .. } = buffers;
    let found = store.blob(Name::BrokerCa, receive).await;
    let length = found.map_err(|_| CaError::Store)?.unwrap_or(0);
    let stored = receive.get(..length).unwrap_or_default();
    read_cas(stored, cas)
}

/// Takes certificates, PEM or DER, and leaves them as DER.
fn read_cas(stored: &[u8], cas: &mut Vec<u8, CAS_MAX>) -> Result<(), CaError> {
    const BEGIN: &[u8] = b"-----BEGIN ";
    const END: &[u8] = b"-----END CERTIFICATE-----";
    cas.clear();
    let begins = |bytes: &[u8]| bytes.windows(BEGIN.len()).position(|part| part == BEGIN);
    if begins(stored).is_none() {
        return cas.extend_from_slice(stored).map_err(|_| CaError::Pem);
    }
    let mut rest = stored;
    while let Some(begin) = begins(rest) {
        rest = rest.get(begin..).unwrap_or_default();
        let end = rest.windows(END.len()).position(|part| part == END);
        let end = end.ok_or(CaError::Pem)?.saturating_add(END.len());
        let (pem, after) = rest.split_at_checked(end).ok_or(CaError::Pem)?;
        let from = cas.len();
        // What is not written is cut off again.
        cas.resize_default(CAS_MAX).map_err(|_| CaError::Pem)?;
        let room = cas.get_mut(from..).unwrap_or_default();
        let decoded = pem_rfc7468::decode(pem, room).map(|(_, der)| der.len());
        cas.truncate(from.saturating_add(decoded.map_err(|_| CaError::Pem)?));
        rest = after;
    }
    Ok(())
}

/// A connection that is open.
pub(crate) struct TlsStream<'s>(TlsConnection<'s, Link<'s>, Aes128GcmSha256>);

impl<'s> TlsStream<'s> {
    /// Its two directions.
    pub fn split(
        &mut self,
    ) -> (
        TlsReader<'_, Link<'s>, Aes128GcmSha256>,
        Sender<TlsWriter<'_, Link<'s>, Aes128GcmSha256>>,
    ) {
        let (reader, writer) = self.0.split();
        (reader, Sender(writer))
    }
}

/// Sends what is written in a record of its own, at once.
pub(crate) struct Sender<W>(W);

impl<W: ErrorType> ErrorType for Sender<W> {
    type Error = W::Error;
}

impl<W: Write> Write for Sender<W> {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, W::Error> {
        let count = self.0.write(bytes).await?;
        self.0.flush().await?;
        Ok(count)
    }

    async fn flush(&mut self) -> Result<(), W::Error> {
        self.0.flush().await
    }
}

/// What a handshake needs of ours.
struct Provider<'a> {
    random: &'a mut ChaCha20Rng,
    verifier: Verifier<'a>,
}

impl CryptoProvider for Provider<'_> {
    type CipherSuite = Aes128GcmSha256;
    type Signature = [u8; 0];

    fn rng(&mut self) -> impl CryptoRngCore {
        &mut *self.random
    }

    fn verifier(&mut self) -> Result<&mut impl TlsVerifier<Aes128GcmSha256>, TlsError> {
        Ok(&mut self.verifier)
    }
}

/// Why the certificates of CAs could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CaError {
    Store,
    Pem,
}

impl fmt::Display for CaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CaError::Store => "what is stored cannot be read",
            CaError::Pem => "it is neither PEM nor DER, or too long",
        })
    }
}

/// Why TLS could not be opened.
pub(crate) enum OpenTlsError {
    NoTime,
    NoChance,
    NoCa,
    Name,
    Refused(Refusal),
    Handshake(TlsError),
}

impl fmt::Display for OpenTlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            OpenTlsError::NoTime => {
                "TLS needs the time, to judge certificates by, and nobody has told it yet (time.server)"
            }
            OpenTlsError::NoChance => "TLS needs random numbers, and this board has no source",
            OpenTlsError::NoCa => "TLS needs the certificate of a CA (broker.ca), and none is stored",
            OpenTlsError::Name => "no certificate can be for such a name",
            OpenTlsError::Refused(refusal) => return write!(f, "not trusted: {refusal}"),
            OpenTlsError::Handshake(error) => match error {
                TlsError::HandshakeAborted(_, AlertDescription::ProtocolVersion) => {
                    "it does not speak TLS 1.3"
                }
                TlsError::HandshakeAborted(_, AlertDescription::HandshakeFailure) => {
                    "it wants another kind of encryption than this board has"
                }
                TlsError::HandshakeAborted(_, AlertDescription::UnrecognizedName) => {
                    "it does not go by this name"
                }
                TlsError::HandshakeAborted(_, description) => {
                    return write!(f, "it refuses TLS (alert {})", *description as u8);
                }
                TlsError::IoError => "closed by the broker in the middle of the TLS handshake",
                TlsError::Io(ErrorKind::ConnectionReset) => {
                    "connection reset in the middle of the TLS handshake"
                }
                _ => "what it says is no handshake of TLS 1.3",
            },
        })
    }
}

impl From<TlsError> for Ended {
    fn from(error: TlsError) -> Self {
        match error {
            // The second is an end without a goodbye, as without TLS.
            TlsError::ConnectionClosed | TlsError::IoError => Ended::ByBroker,
            TlsError::Io(ErrorKind::ConnectionReset) => Ended::Reset,
            TlsError::InternalError => Ended::Alert,
            _ => Ended::NotTls,
        }
    }
}
