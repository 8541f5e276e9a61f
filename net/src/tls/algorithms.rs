//! The signatures this board can check: ECDSA with P-256 and P-384, and RSA.

use rustls_pki_types::{
    AlgorithmIdentifier, InvalidSignature, SignatureVerificationAlgorithm, alg_id,
};
use sha2::{Digest, Sha256, Sha384, Sha512};

use super::rsa;

/// Those in which a certificate may be signed.
pub(super) static CERTIFICATES: [&dyn SignatureVerificationAlgorithm; 7] = [
    &Algorithm::EcdsaP256Sha256,
    &Algorithm::EcdsaP256Sha384,
    &Algorithm::EcdsaP384Sha256,
    &Algorithm::EcdsaP384Sha384,
    &Algorithm::RsaPkcs1Sha256,
    &Algorithm::RsaPkcs1Sha384,
    &Algorithm::RsaPkcs1Sha512,
];

/// A kind of signature.
#[derive(Clone, Copy, Debug)]
pub(super) enum Algorithm {
    EcdsaP256Sha256,
    EcdsaP256Sha384,
    EcdsaP384Sha256,
    EcdsaP384Sha384,
    RsaPkcs1Sha256,
    RsaPkcs1Sha384,
    RsaPkcs1Sha512,
    RsaPssSha256,
    RsaPssSha384,
    RsaPssSha512,
}

impl SignatureVerificationAlgorithm for Algorithm {
    fn verify_signature(
        &self,
        key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), InvalidSignature> {
        match self {
            Algorithm::EcdsaP256Sha256 => verify_p256(key, &Sha256::digest(message), signature),
            Algorithm::EcdsaP256Sha384 => verify_p256(key, &Sha384::digest(message), signature),
            Algorithm::EcdsaP384Sha256 => verify_p384(key, &Sha256::digest(message), signature),
            Algorithm::EcdsaP384Sha384 => verify_p384(key, &Sha384::digest(message), signature),
            Algorithm::RsaPkcs1Sha256 => rsa::verify_pkcs1::<Sha256>(key, message, signature),
            Algorithm::RsaPkcs1Sha384 => rsa::verify_pkcs1::<Sha384>(key, message, signature),
            Algorithm::RsaPkcs1Sha512 => rsa::verify_pkcs1::<Sha512>(key, message, signature),
            Algorithm::RsaPssSha256 => rsa::verify_pss::<Sha256>(key, message, signature),
            Algorithm::RsaPssSha384 => rsa::verify_pss::<Sha384>(key, message, signature),
            Algorithm::RsaPssSha512 => rsa::verify_pss::<Sha512>(key, message, signature),
        }
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        match self {
            Algorithm::EcdsaP256Sha256 | Algorithm::EcdsaP256Sha384 => alg_id::ECDSA_P256,
            Algorithm::EcdsaP384Sha256 | Algorithm::EcdsaP384Sha384 => alg_id::ECDSA_P384,
            Algorithm::RsaPkcs1Sha256
            | Algorithm::RsaPkcs1Sha384
            | Algorithm::RsaPkcs1Sha512
            | Algorithm::RsaPssSha256
            | Algorithm::RsaPssSha384
            | Algorithm::RsaPssSha512 => alg_id::RSA_ENCRYPTION,
        }
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        match self {
            Algorithm::EcdsaP256Sha256 | Algorithm::EcdsaP384Sha256 => alg_id::ECDSA_SHA256,
            Algorithm::EcdsaP256Sha384 | Algorithm::EcdsaP384Sha384 => alg_id::ECDSA_SHA384,
            Algorithm::RsaPkcs1Sha256 => alg_id::RSA_PKCS1_SHA256,
            Algorithm::RsaPkcs1Sha384 => alg_id::RSA_PKCS1_SHA384,
            Algorithm::RsaPkcs1Sha512 => alg_id::RSA_PKCS1_SHA512,
            Algorithm::RsaPssSha256 => alg_id::RSA_PSS_SHA256,
            Algorithm::RsaPssSha384 => alg_id::RSA_PSS_SHA384,
            Algorithm::RsaPssSha512 => alg_id::RSA_PSS_SHA512,
        }
    }
}

fn verify_p256(key: &[u8], hash: &[u8], signature: &[u8]) -> Result<(), InvalidSignature> {
    use p256::ecdsa::signature::hazmat::PrehashVerifier;
    let key = p256::ecdsa::VerifyingKey::from_sec1_bytes(key).map_err(|_| InvalidSignature)?;
    let signature = p256::ecdsa::Signature::from_der(signature).map_err(|_| InvalidSignature)?;
    key.verify_prehash(hash, &signature)
        .map_err(|_| InvalidSignature)
}

fn verify_p384(key: &[u8], hash: &[u8], signature: &[u8]) -> Result<(), InvalidSignature> {
    use p384::ecdsa::signature::hazmat::PrehashVerifier;
    let key = p384::ecdsa::VerifyingKey::from_sec1_bytes(key).map_err(|_| InvalidSignature)?;
    let signature = p384::ecdsa::Signature::from_der(signature).map_err(|_| InvalidSignature)?;
    key.verify_prehash(hash, &signature)
        .map_err(|_| InvalidSignature)
}
