use std::path::PathBuf;
use std::sync::Arc;

use monster::settings::Settings;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

use super::*;

/// A CA, and what it vouches for.
struct Ca {
    issuer: CertifiedIssuer<'static, KeyPair>,
    /// What it says the keys are for.
    key_usages: Vec<KeyUsagePurpose>,
    folder: PathBuf,
}

impl Ca {
    fn new() -> Self {
        Ca::called("A CA")
    }

    fn called(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let folder = crate::scratch::folder();
        std::fs::write(folder.join("ca.pem"), issuer.pem()).unwrap();
        Ca {
            issuer,
            key_usages: Vec::new(),
            folder,
        }
    }

    fn file(&self) -> String {
        self.folder.join("ca.pem").to_str().unwrap().to_owned()
    }

    /// A certificate for `name`, and its key.
    fn vouch(&self, name: &str) -> (rcgen::Certificate, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.key_usages = self.key_usages.clone();
        (params.signed_by(&key, &self.issuer).unwrap(), key)
    }

    /// The same in two files, as `broker.cert` and `broker.key` name them.
    fn vouch_in_files(&self, name: &str) -> [String; 2] {
        let (certificate, key) = self.vouch(name);
        [
            self.write(&format!("{name}.pem"), &certificate.pem()),
            self.write(&format!("{name}.key"), &key.serialize_pem()),
        ]
    }

    fn write(&self, name: &str, text: &str) -> String {
        let path = self.folder.join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// A server with a certificate for `name`, which echoes one byte.
    async fn serve(&self, name: &str) -> u16 {
        self.serve_clients(name, None).await
    }

    /// The same, but only for clients whom `clients` vouches for.
    async fn serve_clients(&self, name: &str, clients: Option<&Ca>) -> u16 {
        let (certificate, key) = self.vouch(name);
        let provider = Arc::new(ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .unwrap();
        let config = match clients {
            None => config.with_no_client_auth(),
            Some(ca) => {
                let mut cas = RootCertStore::empty();
                let ca: &CertificateDer = ca.issuer.der();
                cas.add(ca.clone()).unwrap();
                let verifier = WebPkiClientVerifier::builder_with_provider(cas.into(), provider);
                config.with_client_cert_verifier(verifier.build().unwrap())
            }
        };
        let config = config
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
            )
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            if let Ok(mut stream) = acceptor.accept(stream).await {
                let byte = stream.read_u8().await.unwrap();
                stream.write_u8(byte).await.unwrap();
                stream.flush().await.unwrap();
            }
        });
        port
    }
}

impl Drop for Ca {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn endpoint(url: &str, ca: &str) -> Result<Endpoint, EndpointError> {
    endpoint_with(url, &[("broker.ca", ca)])
}

fn endpoint_with(url: &str, files: &[(&str, &str)]) -> Result<Endpoint, EndpointError> {
    let mut settings = Settings::default();
    settings.set("broker.url", url).unwrap();
    for (key, file) in files {
        settings.set(key, file).unwrap();
    }
    Endpoint::new(&settings.broker)
}

/// Sends a byte to a server that echoes it: only then it is sure that the server takes us.
async fn echo(opened: Opened) -> io::Result<u8> {
    let mut connection = opened.connection;
    connection.write_u8(7).await?;
    connection.flush().await?;
    connection.read_u8().await
}

async fn open(url: &str, ca: &str) -> Result<Opened, String> {
    endpoint(url, ca).unwrap().open().await
}

#[tokio::test]
async fn a_broker_whom_the_ca_vouches_for_is_spoken_to() {
    let ca = Ca::new();
    for name in ["localhost", "127.0.0.1"] {
        let port = ca.serve(name).await;
        let opened = open(&format!("mqtts://{name}:{port}"), &ca.file())
            .await
            .unwrap();
        assert_eq!(opened.ip, Some("127.0.0.1".parse().unwrap()));
        assert_eq!(echo(opened).await.unwrap(), 7);
    }
}

#[tokio::test]
async fn a_broker_whom_no_known_ca_vouches_for_is_refused() {
    let ca = Ca::new();
    for known in ["Another CA", "A CA"] {
        let known = Ca::called(known);
        let port = ca.serve("localhost").await;
        let refused = open(&format!("mqtts://localhost:{port}"), &known.file()).await;
        assert_eq!(
            refused.err().unwrap(),
            "no known CA vouches for the broker's certificate (--ca FILE names one)"
        );
    }
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused() {
    let ca = Ca::new();
    let port = ca.serve("broker.example").await;
    let refused = open(&format!("mqtts://localhost:{port}"), &ca.file()).await;
    let refused = refused.err().unwrap();
    assert!(refused.contains("not valid for name"), "{refused}");
}

#[tokio::test]
async fn a_certificate_whose_key_is_for_something_else_is_refused() {
    let mut ca = Ca::new();
    for (usage, expected) in [
        (KeyUsagePurpose::DigitalSignature, None),
        (
            KeyUsagePurpose::KeyEncipherment,
            Some("the broker's certificate is not trusted: its key is not for signing (key usage)"),
        ),
    ] {
        ca.key_usages = vec![usage];
        let port = ca.serve("localhost").await;
        let outcome = open(&format!("mqtts://localhost:{port}"), &ca.file()).await;
        assert_eq!(outcome.err().as_deref(), expected);
    }
}

#[tokio::test]
async fn a_port_without_tls_is_told_apart() {
    let ca = Ca::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b" \x02\0\0 this is no TLS").await.unwrap();
        let _ = stream.read(&mut [0; 1000]).await;
    });
    let refused = open(&format!("mqtts://localhost:{port}"), &ca.file()).await;
    assert_eq!(
        refused.err().unwrap(),
        "the broker does not speak TLS there"
    );
}

#[tokio::test]
async fn nobody_there_is_said_in_plain_words() {
    let port = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap().port()
    };
    let refused = open(&format!("mqtt://127.0.0.1:{port}"), "").await;
    assert_eq!(refused.err().unwrap(), "connection refused");
}

#[test]
fn a_ca_that_is_none_is_named() {
    let ca = Ca::new();
    let empty = ca.folder.join("empty.pem");
    std::fs::write(&empty, "nothing").unwrap();
    for (file, why) in [
        (empty.to_str().unwrap(), "there is no certificate in it"),
        ("/nowhere/ca.pem", "No such file or directory"),
    ] {
        let error = endpoint("mqtts://localhost", file)
            .err()
            .unwrap()
            .to_string();
        assert!(
            error.starts_with(&format!("broker.ca = {file:?}: ")),
            "{error}"
        );
        assert!(error.contains(why), "{error}");
    }
}

#[tokio::test]
async fn a_broker_that_asks_who_we_are_is_shown_our_certificate() {
    let (ca, devices) = (Ca::new(), Ca::called("The CA of devices"));
    let port = ca.serve_clients("localhost", Some(&devices)).await;
    let (ca, [cert, key]) = (ca.file(), devices.vouch_in_files("a1"));
    let files = [
        ("broker.ca", ca.as_str()),
        ("broker.cert", &cert),
        ("broker.key", &key),
    ];
    let endpoint = endpoint_with(&format!("mqtts://localhost:{port}"), &files).unwrap();
    assert_eq!(echo(endpoint.open().await.unwrap()).await.unwrap(), 7);
}

#[tokio::test]
async fn a_broker_that_does_not_take_our_certificate_is_understood() {
    let (ca, devices) = (Ca::new(), Ca::called("The CA of devices"));
    let others = Ca::called("The CA of others");
    let (ca_file, [cert, key]) = (ca.file(), others.vouch_in_files("a1"));
    for (shown, expected) in [
        (
            &[][..],
            "the broker wants a certificate of ours (--cert FILE --key FILE)",
        ),
        (
            &[("broker.cert", cert.as_str()), ("broker.key", &key)],
            "the broker does not accept our certificate, broker.cert (UnknownCA)",
        ),
    ] {
        let port = ca.serve_clients("localhost", Some(&devices)).await;
        let files = [&[("broker.ca", ca_file.as_str())], shown].concat();
        let endpoint = endpoint_with(&format!("mqtts://localhost:{port}"), &files).unwrap();
        let mut opened = endpoint.open().await.unwrap();
        let refused = opened.connection.read_u8().await.unwrap_err();
        assert_eq!(explained(&refused), expected);
    }
}

#[test]
fn a_certificate_or_key_that_is_none_is_named() {
    let ca = Ca::new();
    let ca_file = ca.file();
    let [cert, key] = ca.vouch_in_files("a1");
    let [_, other] = ca.vouch_in_files("a2");
    let empty = ca.write("empty.pem", "nothing");
    let broken = ca.write(
        "broken.pem",
        "-----BEGIN CERTIFICATE-----\n&\n-----END CERTIFICATE-----\n",
    );
    let none = ca.folder.join("none.pem");
    let none = none.to_str().unwrap();
    let is_not_the_key = format!("it is not the key of the certificate in {cert:?}");
    for (named, cert, key, why) in [
        (
            "broker.cert",
            none,
            key.as_str(),
            "No such file or directory",
        ),
        ("broker.cert", &empty, &key, "there is no certificate in it"),
        ("broker.cert", &broken, &key, "base64"),
        ("broker.cert", &key, &key, "there is no certificate in it"),
        ("broker.key", &cert, none, "No such file or directory"),
        ("broker.key", &cert, &empty, "there is no private key in it"),
        ("broker.key", &cert, &cert, "there is no private key in it"),
        ("broker.key", &cert, &other, &is_not_the_key),
    ] {
        let files = [
            ("broker.ca", ca_file.as_str()),
            ("broker.cert", cert),
            ("broker.key", key),
        ];
        let error = endpoint_with("mqtts://localhost", &files).err().unwrap();
        let error = error.to_string();
        let file = if named == "broker.cert" { cert } else { key };
        let expected = format!("{named} = {file:?}: ");
        assert!(error.starts_with(&expected), "{error}");
        assert!(error.contains(why) && error.ends_with("in PEM"), "{error}");
    }
}
