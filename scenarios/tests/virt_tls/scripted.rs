//! A broker with TLS that does what mosquitto never would.

use std::io::Write;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use monster_scenarios::certificates::Identity;
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, ServerConnection};

/// What it does beside the handshake.
#[derive(Clone, Copy, Debug)]
pub enum Manners {
    Good,
    /// It speaks TLS 1.2 alone.
    OldVersion,
    /// After the handshake, a handshake that is not encrypted.
    HandshakeInTheClear,
    /// After the handshake, a record in which nothing is.
    EmptyRecord,
}

/// A server of TLS.
pub struct Scripted {
    port: u16,
}

impl Scripted {
    /// One that shows one certificate and has another's key. It ends with the test.
    pub fn listen(shown: &Identity, has: &Identity, manners: Manners) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let key = PrivateKeyDer::try_from(has.key()).expect("PKCS #8");
        let key = ring::sign::any_supported_type(&key).expect("a key");
        let certificate = CertificateDer::from(shown.der.clone());
        let resolver = Always(Arc::new(CertifiedKey::new(vec![certificate], key)));
        let version = match manners {
            Manners::OldVersion => &rustls::version::TLS12,
            _ => &rustls::version::TLS13,
        };
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[version])
            .expect("it is there")
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(resolver));
        let config = Arc::new(config);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let config = Arc::clone(&config);
                thread::spawn(move || serve(stream, config, manners));
            }
        });
        Self { port }
    }

    pub fn port(&self) -> u16 {
        self.port
    }
}

/// One connection.
fn serve(mut stream: TcpStream, config: Arc<ServerConfig>, manners: Manners) {
    let mut connection = ServerConnection::new(config).expect("the configuration is good");
    while connection.is_handshaking() {
        if connection.complete_io(&mut stream).is_err() {
            return;
        }
    }
    let record: &[u8] = match manners {
        Manners::Good | Manners::OldVersion => &[],
        // An empty EncryptedExtensions.
        Manners::HandshakeInTheClear => &[22, 3, 3, 0, 6, 8, 0, 0, 2, 0, 0],
        Manners::EmptyRecord => &[23, 3, 3, 0, 0],
    };
    let _ = stream.write_all(record);
    // Until the device ends it.
    while !matches!(connection.complete_io(&mut stream), Ok((0, 0)) | Err(_)) {}
}

#[derive(Debug)]
struct Always(Arc<CertifiedKey>);

impl ResolvesServerCert for Always {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}
