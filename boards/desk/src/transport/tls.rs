//! What TLS needs: who vouches for the broker, and who vouches for us.

use std::fmt;
use std::sync::Arc;

use monster::settings::BrokerSettings;
use rustls_native_certs::load_native_certs;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ClientConfig, Error, InconsistentKeys, RootCertStore};

use super::EndpointError;
use super::key_usage::Judge;

/// Reads the files that the settings name.
pub fn connector(settings: &BrokerSettings) -> Result<TlsConnector, EndpointError> {
    let provider = Arc::new(ring::default_provider());
    let cas = Arc::new(match settings.ca.as_str() {
        "" => system_cas()?,
        file => cas_in(file)?,
    });
    let judge = WebPkiServerVerifier::builder_with_provider(cas, Arc::clone(&provider))
        .build()
        .map_err(|error| EndpointError::Tls(Error::General(error.to_string())))?;
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(EndpointError::Tls)?
        // It asks for no less than rustls does.
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Judge(judge)));
    // The settings have both or none: they were validated.
    let config = match (settings.cert.as_str(), settings.key.as_str()) {
        ("", _) | (_, "") => config.with_no_client_auth(),
        (cert, key) => {
            let chain = certificates_in(TlsFile::Certificate, cert)?;
            let private = key_in(key)?;
            config
                .with_client_auth_cert(chain, private)
                .map_err(|error| unusable_key(key, cert, error))?
        }
    };
    Ok(TlsConnector::from(Arc::new(config)))
}

fn system_cas() -> Result<RootCertStore, EndpointError> {
    let found = load_native_certs();
    let mut cas = RootCertStore::empty();
    cas.add_parsable_certificates(found.certs);
    if cas.is_empty() {
        return Err(EndpointError::NoSystemCas);
    }
    Ok(cas)
}

fn cas_in(file: &str) -> Result<RootCertStore, FileError> {
    let mut cas = RootCertStore::empty();
    for certificate in certificates_in(TlsFile::Ca, file)? {
        cas.add(certificate)
            .map_err(|error| FileError::new(TlsFile::Ca, file, error))?;
    }
    Ok(cas)
}

fn certificates_in(role: TlsFile, file: &str) -> Result<Vec<CertificateDer<'static>>, FileError> {
    let certificates = CertificateDer::pem_file_iter(file)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| FileError::of_pem(role, file, error))?;
    if certificates.is_empty() {
        let why = "there is no certificate in it";
        return Err(FileError::new(role, file, why));
    }
    Ok(certificates)
}

fn key_in(file: &str) -> Result<PrivateKeyDer<'static>, FileError> {
    PrivateKeyDer::from_pem_file(file).map_err(|error| match error {
        pem::Error::NoItemsFound => FileError::new(
            TlsFile::Key,
            file,
            "there is no private key in it, or one that a password protects",
        ),
        error => FileError::of_pem(TlsFile::Key, file, error),
    })
}

fn unusable_key(key: &str, cert: &str, error: Error) -> FileError {
    match error {
        Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
            let why = format_args!("it is not the key of the certificate in {cert:?}").to_string();
            FileError::new(TlsFile::Key, key, why)
        }
        Error::InvalidCertificate(_) => FileError::new(TlsFile::Certificate, cert, error),
        error => FileError::new(TlsFile::Key, key, error),
    }
}

/// What a file is for.
#[derive(Clone, Copy, Debug)]
enum TlsFile {
    Ca,
    Certificate,
    Key,
}

/// A file is not what it should be.
#[derive(Debug)]
pub struct FileError {
    role: TlsFile,
    file: String,
    why: String,
}

impl FileError {
    fn new(role: TlsFile, file: &str, why: impl fmt::Display) -> Self {
        FileError {
            role,
            file: file.to_owned(),
            why: why.to_string(),
        }
    }

    fn of_pem(role: TlsFile, file: &str, error: pem::Error) -> Self {
        match error {
            pem::Error::Io(error) => FileError::new(role, file, error),
            error => FileError::new(role, file, error),
        }
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (setting, allowed) = match self.role {
            TlsFile::Ca => ("broker.ca", "the certificates of CAs"),
            TlsFile::Certificate => (
                "broker.cert",
                "the device's certificate, and those between it and a CA that the broker knows,",
            ),
            TlsFile::Key => (
                "broker.key",
                "the private key to broker.cert, without a password,",
            ),
        };
        let FileError { file, why, .. } = self;
        write!(
            f,
            "{setting} = {file:?}: {why}; allowed: a file with {allowed} in PEM"
        )
    }
}

impl From<FileError> for EndpointError {
    fn from(error: FileError) -> Self {
        EndpointError::File(error)
    }
}
