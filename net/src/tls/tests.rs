//! The parts of the judgement, against keys and certificates that other libraries made. The whole,
//! against real brokers, is shown in `scenarios/tests/virt_tls`.

extern crate std;

use std::string::String;
use std::vec;
use std::vec::Vec as StdVec;

use embedded_tls::{CertificateEntryRef, CertificateRef, CertificateVerifyRef};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use ring::rand::SystemRandom;
use ring::signature::{self, KeyPair as _, RsaEncoding, RsaKeyPair};
use rustls_pki_types::SignatureVerificationAlgorithm;
use sha2::{Digest, Sha256};

use super::algorithms::Algorithm;
use super::usage::{Usage, split_certificate};
use super::*;

/// Made for these tests.
const RSA_KEYS: [&[u8]; 3] = [
    include_bytes!("testdata/rsa2048.der"),
    include_bytes!("testdata/rsa3072.der"),
    include_bytes!("testdata/rsa4096.der"),
];

fn rsa_kinds() -> [(&'static dyn RsaEncoding, Algorithm); 6] {
    [
        (&signature::RSA_PKCS1_SHA256, Algorithm::RsaPkcs1Sha256),
        (&signature::RSA_PKCS1_SHA384, Algorithm::RsaPkcs1Sha384),
        (&signature::RSA_PKCS1_SHA512, Algorithm::RsaPkcs1Sha512),
        (&signature::RSA_PSS_SHA256, Algorithm::RsaPssSha256),
        (&signature::RSA_PSS_SHA384, Algorithm::RsaPssSha384),
        (&signature::RSA_PSS_SHA512, Algorithm::RsaPssSha512),
    ]
}

fn sign(key: &RsaKeyPair, encoding: &'static dyn RsaEncoding, message: &[u8]) -> StdVec<u8> {
    let mut signature = vec![0; key.public().modulus_len()];
    key.sign(encoding, &SystemRandom::new(), message, &mut signature)
        .unwrap();
    signature
}

#[test]
fn signatures_by_rsa_are_good_for_their_message_key_and_kind_alone() {
    for der in RSA_KEYS {
        let key = RsaKeyPair::from_der(der).unwrap();
        let public = key.public_key().as_ref();
        for (place, (encoding, algorithm)) in rsa_kinds().into_iter().enumerate() {
            let good = sign(&key, encoding, b"message");
            assert!(
                algorithm
                    .verify_signature(public, b"message", &good)
                    .is_ok()
            );
            assert!(
                algorithm
                    .verify_signature(public, b"massage", &good)
                    .is_err()
            );
            let (_, other) = rsa_kinds()[(place + 1) % 6];
            assert!(other.verify_signature(public, b"message", &good).is_err());
        }
    }
    let [one, other] = [0, 1].map(|key| RsaKeyPair::from_der(RSA_KEYS[key]).unwrap());
    let (encoding, algorithm) = rsa_kinds()[0];
    let good = sign(&one, encoding, b"message");
    let public = other.public_key().as_ref();
    assert!(
        algorithm
            .verify_signature(public, b"message", &good)
            .is_err()
    );
}

#[test]
fn a_signature_by_rsa_with_one_bit_changed_or_of_another_length_is_none() {
    let key = RsaKeyPair::from_der(RSA_KEYS[0]).unwrap();
    let public = key.public_key().as_ref();
    for (encoding, algorithm) in [rsa_kinds()[0], rsa_kinds()[3]] {
        let good = sign(&key, encoding, b"message");
        for bit in (0..good.len() * 8).step_by(97) {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(
                algorithm
                    .verify_signature(public, b"message", &bad)
                    .is_err()
            );
        }
        for bad in [
            &good[1..],
            &good[..good.len() - 1],
            &[&[0], &good[..]].concat(),
            &[],
            &[0; 256],
            &[0xff; 256],
            &[0; 600],
        ] {
            assert!(algorithm.verify_signature(public, b"message", bad).is_err());
        }
    }
}

#[test]
fn a_key_that_is_none_is_refused() {
    let good = RsaKeyPair::from_der(RSA_KEYS[0]).unwrap();
    let good = good.public_key().as_ref().to_vec();
    let mut even = good.clone();
    // The exponent 65537 takes the last five bytes.
    let last_of_modulus = even.len() - 6;
    even[last_of_modulus] &= 0xfe;
    let mut one = good.clone();
    let end = one.len();
    one[end - 3..].copy_from_slice(&[0, 0, 1]);
    for (_, algorithm) in rsa_kinds() {
        let verify =
            |key: &[u8], signature: &[u8]| algorithm.verify_signature(key, b"message", signature);
        for key in [&even, &one, &good[..40].to_vec(), &vec![]] {
            assert!(verify(key, &[1; 256]).is_err());
        }
        for cut in 0..good.len() {
            assert!(verify(&good[..cut], &[1; 256]).is_err());
        }
    }
    for algorithm in [Algorithm::EcdsaP256Sha256, Algorithm::EcdsaP384Sha384] {
        for key in [&[][..], &[4; 65], &[4; 97], &[0; 65]] {
            let verdict = algorithm.verify_signature(key, b"message", &[0x30, 0]);
            assert!(verdict.is_err());
        }
    }
}

fn certificate(change: impl FnOnce(&mut CertificateParams)) -> StdVec<u8> {
    let mut params = CertificateParams::default();
    change(&mut params);
    let key = KeyPair::generate().unwrap();
    params.self_signed(&key).unwrap().der().to_vec()
}

#[test]
fn a_certificate_says_what_its_key_is_for() {
    let usage = |is_ca: bool, usages: &[KeyUsagePurpose]| {
        let der = certificate(|params| {
            params.key_usages = usages.to_vec();
            if is_ca {
                params.is_ca = IsCa::Ca(BasicConstraints::Constrained(3));
            }
        });
        let usage = Usage::of(&der).unwrap();
        (usage.may_sign(), usage.may_sign_certificates())
    };
    use KeyUsagePurpose::{DigitalSignature, KeyAgreement, KeyCertSign};
    assert_eq!(usage(false, &[]), (true, false));
    assert_eq!(usage(true, &[]), (true, true));
    assert_eq!(usage(false, &[DigitalSignature]), (true, false));
    assert_eq!(
        usage(false, &[DigitalSignature, KeyCertSign]),
        (true, false)
    );
    assert_eq!(usage(true, &[KeyCertSign]), (false, true));
    assert_eq!(usage(true, &[DigitalSignature]), (true, false));
    assert_eq!(usage(true, &[KeyAgreement]), (false, false));
}

#[test]
fn what_is_cut_off_is_no_certificate() {
    let der = certificate(|params| params.key_usages = vec![KeyUsagePurpose::KeyAgreement]);
    for cut in 0..der.len() {
        assert_eq!(Usage::of(&der[..cut]), None);
        assert_eq!(split_certificate(&der[..cut]), None);
    }
    let two = [&der[..], b"rest"].concat();
    assert_eq!(split_certificate(&two), Some((&der[..], &b"rest"[..])));
}

#[test]
fn cas_are_read_from_pem_and_from_der() {
    let ders = [(); 2].map(|()| certificate(|_| ()));
    let pem: String = ders
        .iter()
        .map(|der| pem_rfc7468::encode_string("CERTIFICATE", pem_rfc7468::LineEnding::LF, der))
        .map(Result::unwrap)
        .collect();
    let mut cas = Vec::new();
    for stored in [
        std::format!("a remark\n{pem}").into_bytes(),
        pem.replace('\n', "\r\n").into_bytes(),
        ders.concat(),
    ] {
        assert_eq!(read_cas(&stored, &mut cas), Ok(()));
        assert_eq!(cas.as_slice(), ders.concat());
    }
    assert_eq!(read_cas(b"", &mut cas), Ok(()));
    assert_eq!(cas, b"");
    for broken in [&pem[..pem.len() - 9], &pem.replace('M', "!")] {
        assert_eq!(read_cas(broken.as_bytes(), &mut cas), Err(CaError::Pem));
    }
}

#[test]
fn a_handshake_that_shows_nothing_or_in_another_order_satisfies_nobody() {
    let root_key = KeyPair::generate().unwrap();
    let mut root = CertificateParams::default();
    root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = root.self_signed(&root_key).unwrap().der().to_vec();
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new([String::from("host")])
        .unwrap()
        .signed_by(&key, &Issuer::from_params(&root, &root_key))
        .unwrap();
    let signature = CertificateVerifyRef {
        signature_scheme: embedded_tls::SignatureScheme::EcdsaSecp256r1Sha256,
        signature: &[0x30, 0],
    };
    let name = || ServerName::try_from("host").unwrap();
    let now = 1_800_000_000;
    let mut room = Vec::new();

    let mut verifier = Verifier::new(&ca, name(), now, &mut room);
    assert!(!verifier.is_satisfied());
    assert!(verifier.verify_signature(signature).is_err());
    assert_eq!(verifier.refusal(), Some(Refusal::OutOfOrder));

    let mut verifier = Verifier::new(&ca, name(), now, &mut room);
    let nothing = CertificateRef::with_context(&[]);
    assert!(
        verifier
            .verify_certificate(&Sha256::new(), nothing)
            .is_err()
    );
    assert_eq!(verifier.refusal(), Some(Refusal::NoCertificate));

    let shown = || {
        let mut shown = CertificateRef::with_context(&[]);
        shown.add(CertificateEntryRef::X509(leaf.der())).unwrap();
        shown
    };
    let mut verifier = Verifier::new(&ca, name(), now, &mut room);
    assert!(verifier.verify_certificate(&Sha256::new(), shown()).is_ok());
    assert!(!verifier.is_satisfied());
    // A second one, as if the first had not been.
    assert!(
        verifier
            .verify_certificate(&Sha256::new(), shown())
            .is_err()
    );
    assert_eq!(verifier.refusal(), Some(Refusal::OutOfOrder));
}
