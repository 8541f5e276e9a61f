//! Certificates, good ones and bad ones.

use std::net::Ipv4Addr;
use std::process::Command;
use std::time::{Duration, SystemTime};

pub use rcgen;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_RSA_SHA256, SanType,
};

use crate::broker::Tls;
use crate::process::need;

/// This computer, as the machine in QEMU sees it.
pub const HOST: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 2);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// A kind of key.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// ECDSA with the curve P-256.
    P256,
    /// ECDSA with the curve P-384.
    P384,
    /// RSA, of so many bits.
    Rsa(u16),
}

/// A certificate and its key.
#[derive(Debug)]
pub struct Identity {
    params: CertificateParams,
    key: KeyPair,
    /// The certificate.
    pub pem: String,
    /// The same.
    pub der: Vec<u8>,
}

impl Identity {
    /// A CA that nobody vouches for.
    pub fn root(kind: Kind) -> Self {
        let (params, key) = (ca("Root"), key(kind));
        let certificate = params.self_signed(&key).expect("a certificate");
        Self {
            params,
            key,
            pem: certificate.pem(),
            der: certificate.der().to_vec(),
        }
    }

    /// One that this one vouches for.
    pub fn signs(&self, kind: Kind, params: CertificateParams) -> Self {
        let key = key(kind);
        let issuer = Issuer::from_params(&self.params, &self.key);
        let certificate = params.signed_by(&key, &issuer).expect("a certificate");
        Self {
            params,
            key,
            pem: certificate.pem(),
            der: certificate.der().to_vec(),
        }
    }

    /// The private key, as PKCS #8.
    pub fn key(&self) -> Vec<u8> {
        self.key.serialize_der()
    }

    /// What a broker with this certificate, and these above it, is started with.
    pub fn tls(&self, above: &[&Identity]) -> Tls {
        let above = above.iter().map(|identity| &*identity.pem);
        Tls {
            certificates: [&*self.pem].into_iter().chain(above).collect(),
            key: self.key.serialize_pem(),
            clients: None,
        }
    }
}

/// What a CA's certificate says.
pub fn ca(name: &str) -> CertificateParams {
    let mut params = named(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

/// What a broker's certificate says, for this computer's address as QEMU shows it.
pub fn broker() -> CertificateParams {
    let mut params = named("broker");
    params.subject_alt_names = vec![SanType::IpAddress(HOST.into())];
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params
}

fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    let now = SystemTime::now();
    params.not_before = (now - DAY).into();
    params.not_after = (now + DAY).into();
    params
}

/// The same, but valid from and to so many days from now.
pub fn valid(mut params: CertificateParams, from: i32, to: i32) -> CertificateParams {
    let day = |days: i32| {
        let distance = DAY * days.unsigned_abs();
        let now = SystemTime::now();
        if days < 0 {
            now - distance
        } else {
            now + distance
        }
    };
    params.not_before = day(from).into();
    params.not_after = day(to).into();
    params
}

fn key(kind: Kind) -> KeyPair {
    let generated = match kind {
        Kind::P256 => KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256),
        Kind::P384 => KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384),
        Kind::Rsa(bits) => KeyPair::from_pkcs8_pem_and_sign_algo(&rsa_key(bits), &PKCS_RSA_SHA256),
    };
    generated.expect("a key")
}

fn rsa_key(bits: u16) -> String {
    let made = Command::new(need("openssl"))
        .args(["genpkey", "-quiet", "-algorithm", "RSA"])
        .args(["-pkeyopt", &format!("rsa_keygen_bits:{bits}")])
        .output()
        .expect("openssl runs");
    assert!(made.status.success(), "openssl failed: {made:?}");
    String::from_utf8(made.stdout).expect("PEM is text")
}
