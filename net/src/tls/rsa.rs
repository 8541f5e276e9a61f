//! RSA signatures (RFC 8017), checked without a heap: keys of 2048 to 4096 bits.
//!
//! Only public numbers are worked with, so nothing need take the same time.

use crypto_bigint::{NonZero, U4096};
use pkcs1::RsaPublicKey;
use rustls_pki_types::InvalidSignature;
use sha2::{Digest, Sha256, Sha384, Sha512};

/// The longest modulus, and with it signature, in bytes.
const LENGTH_MAX: usize = 512;
/// The shortest modulus, in bits.
const BITS_MIN: usize = 2048;
/// The longest hash, in bytes.
const HASH_MAX: usize = 64;

/// A hash that signatures are made of.
pub(super) trait Hash: Digest {
    /// What stands before it in a signature of PKCS #1 v1.5 (section 9.2, note 1).
    const PREFIX: [u8; 19];
}

impl Hash for Sha256 {
    const PREFIX: [u8; 19] = prefix(1, 32);
}

impl Hash for Sha384 {
    const PREFIX: [u8; 19] = prefix(2, 48);
}

impl Hash for Sha512 {
    const PREFIX: [u8; 19] = prefix(3, 64);
}

/// The beginning of a DigestInfo: the hash's object identifier ends with `number`.
const fn prefix(number: u8, length: u8) -> [u8; 19] {
    [
        0x30,
        0x11 + length,
        0x30,
        0x0d,
        0x06,
        0x09,
        0x60,
        0x86,
        0x48,
        0x01,
        0x65,
        0x03,
        0x04,
        0x02,
        number,
        0x05,
        0x00,
        0x04,
        length,
    ]
}

/// Checks a signature by PKCS #1 v1.5 (section 8.2.2), as certificates have them.
pub(super) fn verify_pkcs1<H: Hash>(
    key: &[u8],
    message: &[u8],
    signature: &[u8],
) -> Result<(), InvalidSignature> {
    let opened = Opened::new(key, signature).ok_or(InvalidSignature)?;
    let hash = H::digest(message);
    // 00 01 ff … ff 00, the prefix, the hash: there is one way to write it.
    let (head, rest) = opened.bytes().split_at_checked(2).ok_or(InvalidSignature)?;
    let padding = rest
        .len()
        .checked_sub(1 + H::PREFIX.len() + hash.len())
        .ok_or(InvalidSignature)?;
    let (padding, rest) = rest.split_at_checked(padding).ok_or(InvalidSignature)?;
    let rest = rest.strip_prefix(&[0]).ok_or(InvalidSignature)?;
    let rest = rest.strip_prefix(&H::PREFIX).ok_or(InvalidSignature)?;
    let is_right = head == [0, 1]
        && padding.len() >= 8
        && padding.iter().all(|byte| *byte == 0xff)
        && rest == hash.as_slice();
    is_right.then_some(()).ok_or(InvalidSignature)
}

/// Checks a signature by PSS (section 8.1.2), with a salt as long as the hash, as TLS has them.
pub(super) fn verify_pss<H: Hash>(
    key: &[u8],
    message: &[u8],
    signature: &[u8],
) -> Result<(), InvalidSignature> {
    let opened = Opened::new(key, signature).ok_or(InvalidSignature)?;
    is_pss::<H>(&opened, message)
        .filter(|is_right| *is_right)
        .map(drop)
        .ok_or(InvalidSignature)
}

/// Section 9.1.2.
fn is_pss<H: Hash>(opened: &Opened, message: &[u8]) -> Option<bool> {
    // One bit less than the modulus, so that the number is always less than it.
    let bits = opened.bits.checked_sub(1)?;
    let length = bits.div_ceil(8);
    let bytes = opened.bytes();
    let (above, bytes) = bytes.split_at_checked(bytes.len().checked_sub(length)?)?;
    let hash_length = <H as Digest>::output_size();
    let (masked, rest) = bytes.split_at_checked(length.checked_sub(hash_length + 1)?)?;
    let (hash, end) = rest.split_at_checked(hash_length)?;
    let mut block = [0; LENGTH_MAX];
    let block = block.get_mut(..masked.len())?;
    block.copy_from_slice(masked);
    unmask::<H>(block, hash);
    // The bits that the modulus has no room for.
    let free = 8 * length - bits;
    let first = block.first_mut()?;
    let is_small = masked.first()?.checked_shr(8 - free as u32).unwrap_or(0) == 0;
    *first &= 0xff_u8.checked_shr(free as u32).unwrap_or(0);
    let (padding, salt) = block.split_at_checked(block.len().checked_sub(hash_length)?)?;
    let (one, zeros) = padding.split_last()?;
    let expected = H::new()
        .chain_update([0; 8])
        .chain_update(H::digest(message))
        .chain_update(salt)
        .finalize();
    Some(
        above.iter().all(|byte| *byte == 0)
            && end == [0xbc]
            && is_small
            && zeros.iter().all(|byte| *byte == 0)
            && *one == 1
            && expected.as_slice() == hash,
    )
}

/// Takes the mask off that `seed` gives (MGF1, section B.2.1).
fn unmask<H: Hash>(block: &mut [u8], seed: &[u8]) {
    for (number, part) in (0u32..).zip(block.chunks_mut(<H as Digest>::output_size())) {
        let mask = H::new()
            .chain_update(seed)
            .chain_update(number.to_be_bytes())
            .finalize();
        for (byte, mask) in part.iter_mut().zip(mask) {
            *byte ^= mask;
        }
    }
}

/// What a signature says: its number to the power of the public exponent (section 5.2.2).
struct Opened {
    number: [u8; LENGTH_MAX],
    /// How long the modulus is.
    bits: usize,
}

impl Opened {
    fn new(key: &[u8], signature: &[u8]) -> Option<Self> {
        let key = RsaPublicKey::try_from(key).ok()?;
        let (modulus, length) = number(key.modulus.as_bytes())?;
        let bits = modulus.bits_vartime() as usize;
        let is_odd = modulus.bit_vartime(0);
        let exponent = exponent(key.public_exponent.as_bytes())?;
        let (signature, signature_length) = number_of(signature)?;
        if bits < BITS_MIN || !is_odd || signature_length != length || signature >= modulus {
            return None;
        }
        let modulus = NonZero::new(modulus).into_option()?;
        Some(Opened {
            number: power(&signature, exponent, &modulus),
            bits,
        })
    }

    /// As many bytes as the modulus has.
    fn bytes(&self) -> &[u8] {
        let start = LENGTH_MAX.saturating_sub(self.bits.div_ceil(8));
        self.number.get(start..).unwrap_or_default()
    }
}

/// A number to the power of an exponent, in whole bytes.
fn power(base: &U4096, exponent: u64, modulus: &NonZero<U4096>) -> [u8; LENGTH_MAX] {
    let mut power = *base;
    for bit in (0..exponent.ilog2()).rev() {
        power = power.square_mod_vartime(modulus);
        if exponent >> bit & 1 == 1 {
            power = power.mul_mod_vartime(base, modulus);
        }
    }
    let mut bytes = [0; LENGTH_MAX];
    bytes.copy_from_slice(power.to_be_bytes().as_ref());
    bytes
}

/// A number of at most 4096 bits, and how many bytes it takes without zeros before it.
fn number(bytes: &[u8]) -> Option<(U4096, usize)> {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    number_of(bytes.get(zeros..)?)
}

/// A number of at most 4096 bits, and how many bytes it was written in.
fn number_of(bytes: &[u8]) -> Option<(U4096, usize)> {
    let mut padded = [0; LENGTH_MAX];
    let start = LENGTH_MAX.checked_sub(bytes.len())?;
    padded.get_mut(start..)?.copy_from_slice(bytes);
    Some((U4096::from_be_slice(&padded), bytes.len()))
}

/// A public exponent: odd, 3 to 2³³, as every one in use is.
fn exponent(bytes: &[u8]) -> Option<u64> {
    let mut padded = [0; 8];
    let start = padded.len().checked_sub(bytes.len())?;
    padded.get_mut(start..)?.copy_from_slice(bytes);
    let exponent = u64::from_be_bytes(padded);
    ((3..1 << 33).contains(&exponent) && exponent & 1 == 1).then_some(exponent)
}

const _: () = assert!(HASH_MAX * 2 + 2 < BITS_MIN / 8);
