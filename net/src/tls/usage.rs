//! What a certificate's key may be used for, in a certificate that `webpki` has taken: it looks at
//! neither key usage nor at what a trusted CA's own certificate says.

/// Bit 0 of a key usage (RFC 5280, section 4.2.1.3).
const DIGITAL_SIGNATURE: u8 = 0x80;
/// Bit 5.
const KEY_CERT_SIGN: u8 = 0x04;
/// 2.5.29.15
const KEY_USAGE: [u8; 3] = [0x55, 0x1d, 0x0f];
/// 2.5.29.19
const BASIC_CONSTRAINTS: [u8; 3] = [0x55, 0x1d, 0x13];

/// Tags of DER.
const BOOLEAN: u8 = 0x01;
const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const OBJECT_IDENTIFIER: u8 = 0x06;
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;
const EXTENSIONS: u8 = 0xa3;

/// What a certificate says of its key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Usage {
    /// Of X.509's first version, which has nothing to say it with.
    is_first_version: bool,
    is_ca: bool,
    key_usage: Option<u8>,
}

impl Usage {
    /// What this certificate says; `None` if it is none.
    pub fn of(certificate: &[u8]) -> Option<Self> {
        let (SEQUENCE, certificate, _) = value(certificate)? else {
            return None;
        };
        let (SEQUENCE, mut rest, _) = value(certificate)? else {
            return None;
        };
        let mut usage = Usage {
            is_first_version: rest.first() != Some(&VERSION),
            ..Usage::default()
        };
        while !rest.is_empty() {
            let (tag, content, after) = value(rest)?;
            if tag == EXTENSIONS {
                let (SEQUENCE, extensions, _) = value(content)? else {
                    return None;
                };
                usage.read(extensions)?;
            }
            rest = after;
        }
        Some(usage)
    }

    fn read(&mut self, mut extensions: &[u8]) -> Option<()> {
        while !extensions.is_empty() {
            let (SEQUENCE, extension, after) = value(extensions)? else {
                return None;
            };
            let (OBJECT_IDENTIFIER, name, rest) = value(extension)? else {
                return None;
            };
            let (content, _) = match value(rest)? {
                // Whether it is critical.
                (BOOLEAN, _, rest) => match value(rest)? {
                    (OCTET_STRING, content, rest) => (content, rest),
                    _ => return None,
                },
                (OCTET_STRING, content, rest) => (content, rest),
                _ => return None,
            };
            if name == KEY_USAGE {
                let (BIT_STRING, bits, _) = value(content)? else {
                    return None;
                };
                // The number of bits that do not count, then the bits; without any, none is set.
                self.key_usage = Some(bits.get(1).copied().unwrap_or(0));
            } else if name == BASIC_CONSTRAINTS {
                let (SEQUENCE, constraints, _) = value(content)? else {
                    return None;
                };
                self.is_ca = matches!(value(constraints), Some((BOOLEAN, [0xff], _)));
            }
            extensions = after;
        }
        Some(())
    }

    /// Whether a CA's certificate may vouch for others.
    pub fn may_sign_certificates(self) -> bool {
        self.is_first_version || (self.is_ca && self.allows(KEY_CERT_SIGN))
    }

    /// Whether a server may prove with it that it is the one (RFC 8446, section 4.4.2.2).
    pub fn may_sign(self) -> bool {
        self.allows(DIGITAL_SIGNATURE)
    }

    /// A certificate that says nothing of it allows all (RFC 5280, section 4.2.1.3).
    fn allows(self, usage: u8) -> bool {
        self.key_usage.is_none_or(|allowed| allowed & usage != 0)
    }
}

/// The first certificate of many that are written one behind the other, and the others.
pub(super) fn split_certificate(certificates: &[u8]) -> Option<(&[u8], &[u8])> {
    let (SEQUENCE, _, rest) = value(certificates)? else {
        return None;
    };
    certificates.split_at_checked(certificates.len().checked_sub(rest.len())?)
}

/// The first value: its tag, its content, and what comes after it.
fn value(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, bytes) = bytes.split_first()?;
    let (&length, bytes) = bytes.split_first()?;
    let (length, bytes) = match length {
        0..=0x7f => (usize::from(length), bytes),
        // Certificates are shorter than what two bytes can count.
        0x81 => {
            let (&length, bytes) = bytes.split_first()?;
            (usize::from(length), bytes)
        }
        0x82 => {
            let (&length, bytes) = bytes.split_first_chunk()?;
            (usize::from(u16::from_be_bytes(length)), bytes)
        }
        _ => return None,
    };
    let (content, rest) = bytes.split_at_checked(length)?;
    Some((tag, content, rest))
}
