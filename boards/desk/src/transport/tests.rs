use std::path::PathBuf;

use monster::settings::Settings;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use super::*;

/// A CA, and what it vouches for.
struct Ca {
    issuer: CertifiedIssuer<'static, KeyPair>,
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
        Ca { issuer, folder }
    }

    fn file(&self) -> String {
        self.folder.join("ca.pem").to_str().unwrap().to_owned()
    }

    /// A server with a certificate for `name`, which echoes one byte.
    async fn serve(&self, name: &str) -> u16 {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec![name.to_owned()])
            .unwrap()
            .signed_by(&key, &self.issuer)
            .unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
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
    let mut settings = Settings::default();
    settings.set("broker.url", url).unwrap();
    settings.set("broker.ca", ca).unwrap();
    Endpoint::new(&settings.broker)
}

async fn open(url: &str, ca: &str) -> Result<Opened, String> {
    endpoint(url, ca).unwrap().open().await
}

#[tokio::test]
async fn a_broker_whom_the_ca_vouches_for_is_spoken_to() {
    let ca = Ca::new();
    for name in ["localhost", "127.0.0.1"] {
        let port = ca.serve(name).await;
        let mut opened = open(&format!("mqtts://{name}:{port}"), &ca.file())
            .await
            .unwrap();
        assert_eq!(opened.ip, Some("127.0.0.1".parse().unwrap()));
        opened.connection.write_u8(7).await.unwrap();
        opened.connection.flush().await.unwrap();
        assert_eq!(opened.connection.read_u8().await.unwrap(), 7);
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
