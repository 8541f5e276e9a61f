//! Whether the broker is who it must be: its certificate, and that it has the key to it.

use core::cell::Cell;
use core::fmt;

use embedded_tls::{
    Aes128GcmSha256, CertificateEntryRef, CertificateRef, CertificateVerifyRef, SignatureScheme,
    TlsError, TlsVerifier,
};
use heapless::Vec;
use rustls_pki_types::{CertificateDer, ServerName, TrustAnchor, UnixTime};
use sha2::{Digest, Sha256};
use webpki::{EndEntityCert, Error, KeyUsage, VerifiedPath};

use super::LEAF_MAX;
use super::algorithms::{Algorithm, CERTIFICATES};
use super::usage::{Usage, split_certificate};
use crate::sntp::Utc;

/// How many CAs are looked at.
const CAS_MAX: usize = 8;
/// How many certificates a broker may show beside its own. Each takes some of the stack.
const INTERMEDIATES_MAX: usize = 4;
/// What is signed to show that one has the key (RFC 8446, section 4.4.3), before the hash.
const CONTEXT: &[u8; 34] = b"TLS 1.3, server CertificateVerify\0";

/// Judges one handshake.
pub(super) struct Verifier<'a> {
    /// The CAs' certificates, one behind the other.
    cas: &'a [u8],
    host: ServerName<'a>,
    now: UnixTime,
    /// Where the broker's certificate is kept until it has shown that it has the key.
    leaf: &'a mut Vec<u8, LEAF_MAX>,
    stage: Stage,
    refusal: Option<Refusal>,
}

/// What the broker has shown.
enum Stage {
    Nothing,
    /// A good certificate. What was said up to it, as a hash.
    Certificate(Sha256),
    /// That the certificate is its own.
    Key,
}

impl<'a> Verifier<'a> {
    /// One for the broker of this name or address, at this time. `leaf` is where it keeps what it
    /// needs.
    pub fn new(
        cas: &'a [u8],
        host: ServerName<'a>,
        unix_seconds: u64,
        leaf: &'a mut Vec<u8, LEAF_MAX>,
    ) -> Self {
        Verifier {
            cas,
            host,
            now: UnixTime::since_unix_epoch(core::time::Duration::from_secs(unix_seconds)),
            leaf,
            stage: Stage::Nothing,
            refusal: None,
        }
    }

    /// Whether the broker has shown a good certificate and that it has its key. A handshake can
    /// come to its end without either.
    pub fn is_satisfied(&self) -> bool {
        matches!(self.stage, Stage::Key)
    }

    /// Why the broker was refused, if it was.
    pub fn refusal(self) -> Option<Refusal> {
        self.refusal
    }

    fn judge_certificate(&mut self, transcript: &Sha256, shown: &CertificateRef) -> Verdict {
        if !matches!(self.stage, Stage::Nothing) {
            return Err(Refusal::OutOfOrder);
        }
        let mut certificates = shown.entries.iter().map(|entry| match entry {
            CertificateEntryRef::X509(certificate) => Ok(CertificateDer::from(*certificate)),
            CertificateEntryRef::RawPublicKey(_) => Err(Refusal::NoCertificate),
        });
        let leaf = certificates.next().ok_or(Refusal::NoCertificate)??;
        let mut intermediates = Vec::<_, INTERMEDIATES_MAX>::new();
        for certificate in certificates {
            let pushed = intermediates.push(certificate?);
            pushed.map_err(|_| Refusal::TooLong)?;
        }
        let cas = cas(self.cas);
        let anchors = anchors(&cas);
        if anchors.is_empty() {
            return Err(Refusal::NoCa);
        }
        let misused = Cell::new(None);
        let look_at_usage = |path: &VerifiedPath<'_>| {
            judge_usage(path).map_err(|refusal| {
                misused.set(Some(refusal));
                Error::ExtensionValueInvalid
            })
        };
        let certificate = EndEntityCert::try_from(&leaf).map_err(Refusal::Certificate)?;
        certificate
            .verify_for_usage(
                &CERTIFICATES,
                &anchors,
                &intermediates,
                self.now,
                KeyUsage::server_auth(),
                None,
                Some(&look_at_usage),
            )
            .map_err(|error| misused.take().unwrap_or(Refusal::Certificate(error)))?;
        certificate
            .verify_is_valid_for_subject_name(&self.host)
            .map_err(Refusal::Certificate)?;
        self.leaf.clear();
        let kept = self.leaf.extend_from_slice(&leaf);
        kept.map_err(|_| Refusal::TooLong)?;
        self.stage = Stage::Certificate(transcript.clone());
        Ok(())
    }

    fn judge_key(&mut self, shown: &CertificateVerifyRef) -> Verdict {
        let Stage::Certificate(transcript) = &self.stage else {
            return Err(Refusal::OutOfOrder);
        };
        let algorithm = match shown.signature_scheme {
            SignatureScheme::EcdsaSecp256r1Sha256 => Algorithm::EcdsaP256Sha256,
            SignatureScheme::EcdsaSecp384r1Sha384 => Algorithm::EcdsaP384Sha384,
            SignatureScheme::RsaPssRsaeSha256 => Algorithm::RsaPssSha256,
            SignatureScheme::RsaPssRsaeSha384 => Algorithm::RsaPssSha384,
            SignatureScheme::RsaPssRsaeSha512 => Algorithm::RsaPssSha512,
            _ => return Err(Refusal::Algorithm),
        };
        let mut message = Vec::<u8, 130>::new();
        let written = message
            .extend_from_slice(&[b' '; 64])
            .and_then(|()| message.extend_from_slice(CONTEXT))
            .and_then(|()| message.extend_from_slice(&transcript.clone().finalize()));
        written.map_err(|_| Refusal::TooLong)?;
        let leaf = CertificateDer::from(self.leaf.as_slice());
        EndEntityCert::try_from(&leaf)
            .map_err(Refusal::Certificate)?
            .verify_signature(&algorithm, &message, shown.signature)
            .map_err(|_| Refusal::Key)?;
        self.stage = Stage::Key;
        Ok(())
    }

    fn note(&mut self, verdict: Verdict) -> Result<(), TlsError> {
        verdict.map_err(|refusal| {
            self.refusal = Some(refusal);
            TlsError::InvalidCertificate
        })
    }
}

type Verdict = Result<(), Refusal>;

impl TlsVerifier<Aes128GcmSha256> for Verifier<'_> {
    fn set_hostname_verification(&mut self, _: &str) -> Result<(), TlsError> {
        // It has been told whose certificate it must be, an address too.
        Ok(())
    }

    fn verify_certificate(
        &mut self,
        transcript: &Sha256,
        shown: CertificateRef,
    ) -> Result<(), TlsError> {
        let verdict = self.judge_certificate(transcript, &shown);
        self.note(verdict)
    }

    fn verify_signature(&mut self, shown: CertificateVerifyRef) -> Result<(), TlsError> {
        let verdict = self.judge_key(&shown);
        self.note(verdict)
    }
}

/// The certificates of CAs that are written one behind the other.
fn cas(mut bytes: &[u8]) -> Vec<CertificateDer<'_>, CAS_MAX> {
    let mut cas = Vec::new();
    while let Some((ca, rest)) = split_certificate(bytes) {
        if cas.push(CertificateDer::from(ca)).is_err() {
            break;
        }
        bytes = rest;
    }
    cas
}

/// Those that may vouch for others.
fn anchors<'a>(cas: &'a [CertificateDer<'a>]) -> Vec<TrustAnchor<'a>, CAS_MAX> {
    cas.iter()
        .filter(|ca| Usage::of(ca).is_some_and(Usage::may_sign_certificates))
        .filter_map(|ca| webpki::anchor_from_trusted_cert(ca).ok())
        .collect()
}

/// Whether the keys of a chain of certificates are meant for what they are used for.
fn judge_usage(path: &VerifiedPath<'_>) -> Verdict {
    let usage = |certificate: &[u8]| Usage::of(certificate).ok_or(Refusal::Malformed);
    if !usage(&path.end_entity().der())?.may_sign() {
        return Err(Refusal::KeyUsage);
    }
    for ca in path.intermediate_certificates() {
        if !usage(&ca.der())?.may_sign_certificates() {
            return Err(Refusal::CaKeyUsage);
        }
    }
    Ok(())
}

/// Why a broker is not trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    NoCa,
    NoCertificate,
    OutOfOrder,
    TooLong,
    Malformed,
    Certificate(Error),
    KeyUsage,
    CaKeyUsage,
    Algorithm,
    Key,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let day = |time: &UnixTime| Utc(time.as_secs());
        f.write_str(match self {
            Refusal::NoCa => "broker.ca holds no certificate of a CA",
            Refusal::NoCertificate => "it shows no certificate",
            Refusal::OutOfOrder => "its handshake is out of order",
            Refusal::TooLong => "its certificates are too long for this board",
            Refusal::Malformed => "its certificate is malformed",
            Refusal::KeyUsage => "its certificate's key is not for signing (key usage)",
            Refusal::CaKeyUsage => {
                "a CA's key above it is not for signing certificates (key usage)"
            }
            Refusal::Algorithm => {
                "its key is of a kind this board does not know: not P-256, P-384 or RSA"
            }
            Refusal::Key => "it does not have the key to its certificate",
            Refusal::Certificate(error) => match error {
                Error::UnknownIssuer => "its certificate is not from a CA in broker.ca",
                Error::InvalidSignatureForPublicKey => {
                    "its certificate is not from a CA in broker.ca: the signature is wrong"
                }
                Error::CertNotValidForName(_) => "its certificate is for another name",
                Error::CertExpired { not_after, .. } => {
                    return write!(f, "its certificate expired at {}", day(not_after));
                }
                Error::CertNotValidYet { not_before, .. } => {
                    return write!(f, "its certificate is not valid before {}", day(not_before));
                }
                Error::EndEntityUsedAsCa => "its certificate is signed by one that is no CA's",
                Error::CaUsedAsEndEntity => "its certificate is a CA's own, not a server's",
                Error::PathLenConstraintViolated => "there are more CAs above it than allowed",
                Error::NameConstraintViolation => "its CA may not vouch for this name",
                Error::RequiredEkuNotFoundContext(_) | Error::EmptyEkuExtension => {
                    "its certificate is not for a server (extended key usage)"
                }
                Error::UnsupportedSignatureAlgorithmContext(_)
                | Error::UnsupportedSignatureAlgorithmForPublicKeyContext(_) => {
                    "its certificate is signed in a way this board does not know"
                }
                _ => "its certificate is malformed",
            },
        })
    }
}
