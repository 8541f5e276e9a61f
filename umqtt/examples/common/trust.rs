//! What the examples of TLS share: whom they trust, and what they show of themselves.

use std::error::Error;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, OtherError, RootCertStore,
    SignatureScheme,
};
use x509_parser::parse_x509_certificate;

/// Files in PEM.
#[derive(Clone, Copy)]
pub struct Files<'a> {
    /// The certificates of the CAs that may vouch for the server.
    pub ca: &'a Path,
    /// A certificate of ours and its key, for a server that asks for one.
    pub identity: Option<(&'a Path, &'a Path)>,
}

impl Files<'_> {
    /// What rustls needs of them. It judges the server's certificate by its CA, name, dates, and
    /// extended key usage, and every CA between by its constraints; key usage is looked at here.
    pub fn config(self) -> Result<Arc<ClientConfig>, Box<dyn Error>> {
        let mut cas = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(self.ca)? {
            cas.add(certificate?)?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let judge =
            WebPkiServerVerifier::builder_with_provider(Arc::new(cas), Arc::clone(&provider));
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            // It asks for no less than rustls does.
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Judge(judge.build()?)));
        Ok(Arc::new(match self.identity {
            None => config.with_no_client_auth(),
            Some((certificate, key)) => {
                let chain: Result<_, _> = CertificateDer::pem_file_iter(certificate)?.collect();
                config.with_client_auth_cert(chain?, PrivateKeyDer::from_pem_file(key)?)?
            }
        }))
    }
}

/// rustls's own judgement; and that the key is for what a server does with it, at which rustls does not look.
#[derive(Debug)]
struct Judge(Arc<WebPkiServerVerifier>);

impl ServerCertVerifier for Judge {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let verified = self
            .0
            .verify_server_cert(certificate, intermediates, name, ocsp, now)?;
        match may_sign(certificate) {
            true => Ok(verified),
            false => Err(CertificateError::Other(OtherError(Arc::new(NotForSigning))).into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}

/// Whether the key of a certificate is for signatures, by which a server shows that it is the one; a certificate
/// without key usage allows all (RFC 5280, section 4.2.1.3).
fn may_sign(certificate: &CertificateDer<'_>) -> bool {
    parse_x509_certificate(certificate).is_ok_and(|(_, certificate)| {
        match certificate.key_usage() {
            Ok(usage) => usage.is_none_or(|usage| usage.value.digital_signature()),
            Err(_) => false,
        }
    })
}

/// A server's certificate is for something else.
#[derive(Debug)]
struct NotForSigning;

impl fmt::Display for NotForSigning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("its key is not for signing (key usage)")
    }
}

impl std::error::Error for NotForSigning {}

/// The name in `name:port`, by which the server's certificate is judged.
pub fn host(server: &str) -> &str {
    let (host, _) = server.rsplit_once(':').unwrap_or((server, ""));
    host.trim_start_matches('[').trim_end_matches(']')
}
