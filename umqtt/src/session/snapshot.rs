//! A session carried over a power cut.
//!
//! An image is, in this order, all numbers with their highest byte first:
//!
//! | bytes | what |
//! |---|---|
//! | 2 | `MQ` |
//! | 1 | the format: 1 |
//! | 1 | the level of the protocol: 4 or 5 |
//! | 2 | the next packet identifier |
//! | … | packets, as on the wire |
//! | 4 | CRC-32 (ISO-HDLC) of all before |

use core::fmt;

use super::Session;
use crate::packet::{PacketIdentifier, Version, first};

const HEAD: usize = 6;
const CHECK: usize = 4;

impl Session<'_> {
    /// Writes what the session remembers beyond a connection to `image`, and returns its length:
    /// the messages of QoS 1 and 2 that were not acknowledged, and the identifiers of those of QoS 2
    /// that were received. `None` if it does not fit; the length of the send buffer and 10 bytes
    /// more are always enough.
    ///
    /// It does not change the session. What happens later is not in the image: a message published
    /// after it is lost in a power cut, and one delivered after it may come again.
    pub fn snapshot(&self, image: &mut [u8]) -> Option<usize> {
        let level = if self.version.is_5() { 5 } else { 4 };
        let [high, low] = self.outbox.next().value().to_be_bytes();
        image
            .get_mut(..HEAD)?
            .copy_from_slice(&[b'M', b'Q', 1, level, high, low]);
        let mut end = HEAD + self.outbox.save(image.get_mut(HEAD..)?)?;
        let owed = self.owed().filter(|owed| {
            (owed.is(first::PUBREL)
                || owed.is(first::PUBREC) && !self.outbox.is_received(owed.identifier))
                && end - HEAD + 4 <= self.outbox.capacity()
        });
        if let Some(owed) = owed {
            let [high, low] = owed.identifier.value().to_be_bytes();
            image
                .get_mut(end..end + 4)?
                .copy_from_slice(&[owed.first, 2, high, low]);
            end += 4;
        }
        let check = crc32(image.get(..end)?).to_be_bytes();
        image.get_mut(end..end + CHECK)?.copy_from_slice(&check);
        Some(end + CHECK)
    }

    /// Goes on with the session of an image, in the place of what this one remembers. Then
    /// [`connect`](Self::connect) with `clean_session` false, and with the version that it had: with
    /// another one it is forgotten.
    ///
    /// On an error the session remembers nothing.
    pub fn restore(&mut self, image: &[u8]) -> Result<(), RestoreError> {
        if !self.is_closed() {
            return Err(RestoreError::Connected);
        }
        self.outbox.clear();
        let (content, check) = image
            .split_last_chunk::<CHECK>()
            .ok_or(RestoreError::Damaged)?;
        let (head, packets) = content
            .split_first_chunk::<HEAD>()
            .ok_or(RestoreError::Damaged)?;
        if crc32(content).to_be_bytes() != *check {
            return Err(RestoreError::Damaged);
        }
        let &[b'M', b'Q', 1, level, high, low] = head else {
            return Err(RestoreError::Unknown);
        };
        let version = match level {
            #[cfg(feature = "v3")]
            4 => Version::V3_1_1,
            #[cfg(feature = "v5")]
            5 => Version::V5,
            _ => return Err(RestoreError::Unknown),
        };
        let next = PacketIdentifier::new(u16::from_be_bytes([high, low]));
        let next = next.ok_or(RestoreError::Damaged)?;
        self.version = version;
        match self.outbox.load(packets, next) {
            true => Ok(()),
            false => Err(RestoreError::Unfit),
        }
    }
}

/// Why an image could not be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestoreError {
    /// The session is connected: an image is taken before.
    Connected,
    /// It is not whole, or not as it was written. Begin a new session (`clean_session`).
    Damaged,
    /// It is of another format, or of a version of the protocol that this build does not have.
    Unknown,
    /// It does not fit into the send buffer, with the 12 bytes that are kept for acknowledgements, or
    /// holds what no session remembers. Give it a buffer as large as the one it was made with.
    Unfit,
}

impl fmt::Display for RestoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            RestoreError::Connected => "the session is connected: restore it before",
            RestoreError::Damaged => "the image is damaged: begin a new session",
            RestoreError::Unknown => "the image is of a format or version that is not known here",
            RestoreError::Unfit => "the image does not fit into this send buffer",
        })
    }
}

impl core::error::Error for RestoreError {}

/// CRC-32, of Ethernet and zip.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |mut crc, &byte| {
        crc ^= byte as u32;
        for _ in 0..8 {
            let carry = crc & 1 != 0;
            crc >>= 1;
            if carry {
                crc ^= 0xedb8_8320;
            }
        }
        crc
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_is_the_crc_everybody_has() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }
}
