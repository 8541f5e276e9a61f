//! What the examples of TLS share: whom they trust, and what they show of themselves.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

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
    /// extended key usage, and every CA between by its constraints.
    pub fn config(self) -> Result<Arc<ClientConfig>, Box<dyn Error>> {
        let mut cas = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(self.ca)? {
            cas.add(certificate?)?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(cas);
        Ok(Arc::new(match self.identity {
            None => config.with_no_client_auth(),
            Some((certificate, key)) => {
                let chain: Result<_, _> = CertificateDer::pem_file_iter(certificate)?.collect();
                config.with_client_auth_cert(chain?, PrivateKeyDer::from_pem_file(key)?)?
            }
        }))
    }
}

/// The name in `name:port`, by which the server's certificate is judged.
pub fn host(server: &str) -> &str {
    let (host, _) = server.rsplit_once(':').unwrap_or((server, ""));
    host.trim_start_matches('[').trim_end_matches(']')
}
