//! What an outsider could send that the TLS library does not take well is stopped before it: it
//! panics at an encrypted record with nothing in it, and at a handshake in the clear after the
//! handshake. Neither is allowed (RFC 8446, sections 5.1 and 5.4).

/// Content types of records.
const CHANGE_CIPHER_SPEC: u8 = 20;
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const APPLICATION_DATA: u8 = 23;
/// The shortest encrypted record: a content type and a tag.
const ENCRYPTED_MIN: u16 = 17;
/// The longest record: 2¹⁴ bytes, and what encryption may add.
pub(super) const RECORD_MAX: usize = 16_384 + 256;
/// The length of a record's head.
const HEAD: usize = 5;

/// Watches the records that come in.
#[derive(Debug, Default)]
pub(super) struct Guard {
    head: [u8; HEAD],
    /// How much of the head there is.
    head_length: usize,
    /// How much of the record's content is still to come.
    rest: usize,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    /// The broker says hello, in the clear.
    #[default]
    Hello,
    /// The rest of the handshake is encrypted.
    Handshake,
    Open,
}

/// A record that must not be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Forbidden;

impl Guard {
    /// The handshake is over.
    pub fn open(&mut self) {
        self.stage = Stage::Open;
    }

    /// Looks at bytes, in the order they come.
    pub fn look(&mut self, mut bytes: &[u8]) -> Result<(), Forbidden> {
        while let Some((&byte, after)) = bytes.split_first() {
            if self.rest > 0 {
                let skipped = self.rest.min(bytes.len());
                self.rest -= skipped;
                bytes = bytes.get(skipped..).unwrap_or_default();
                continue;
            }
            bytes = after;
            if let Some(place) = self.head.get_mut(self.head_length) {
                *place = byte;
                self.head_length += 1;
            }
            if self.head_length == HEAD {
                self.head_length = 0;
                let [content, _, _, high, low] = self.head;
                let length = u16::from_be_bytes([high, low]);
                self.begin(content, length)?;
                self.rest = usize::from(length);
            }
        }
        Ok(())
    }

    /// A record begins.
    fn begin(&mut self, content: u8, length: u16) -> Result<(), Forbidden> {
        if usize::from(length) > RECORD_MAX {
            return Err(Forbidden);
        }
        match (content, self.stage) {
            (HANDSHAKE, Stage::Hello) => {
                self.stage = Stage::Handshake;
                Ok(())
            }
            (APPLICATION_DATA, Stage::Handshake | Stage::Open) if length >= ENCRYPTED_MIN => Ok(()),
            // It has no meaning any more, and is sent for the sake of old equipment.
            (CHANGE_CIPHER_SPEC, Stage::Handshake) => Ok(()),
            (ALERT, Stage::Hello | Stage::Handshake) => Ok(()),
            _ => Err(Forbidden),
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::vec;
    use std::vec::Vec;

    use super::*;

    fn record(content: u8, length: u16) -> Vec<u8> {
        let [high, low] = length.to_be_bytes();
        let mut record = vec![content, 3, 3, high, low];
        record.resize(HEAD + usize::from(length), 0);
        record
    }

    fn after_hello() -> Guard {
        let mut guard = Guard::default();
        guard.look(&record(HANDSHAKE, 90)).unwrap();
        guard
    }

    #[test]
    fn a_handshake_passes_in_pieces_of_any_size() {
        let whole = [
            record(HANDSHAKE, 90),
            record(CHANGE_CIPHER_SPEC, 1),
            record(APPLICATION_DATA, 1200),
            record(APPLICATION_DATA, ENCRYPTED_MIN),
        ]
        .concat();
        for size in [1, 2, 3, 5, 7, 94, 95, 96, 2000] {
            let mut guard = Guard::default();
            for piece in whole.chunks(size) {
                assert_eq!(guard.look(piece), Ok(()), "{size}");
            }
        }
    }

    #[test]
    fn an_encrypted_record_is_never_empty() {
        for length in 0..ENCRYPTED_MIN {
            let record = record(APPLICATION_DATA, length);
            assert_eq!(after_hello().look(&record), Err(Forbidden));
            let mut open = after_hello();
            open.open();
            assert_eq!(open.look(&record), Err(Forbidden));
        }
    }

    #[test]
    fn after_the_handshake_everything_is_encrypted() {
        for content in [0, CHANGE_CIPHER_SPEC, ALERT, HANDSHAKE, 24, 255] {
            let mut guard = after_hello();
            guard.open();
            assert_eq!(guard.look(&record(content, 100)), Err(Forbidden));
        }
    }

    #[test]
    fn only_the_hello_is_a_handshake_in_the_clear() {
        assert_eq!(after_hello().look(&record(HANDSHAKE, 40)), Err(Forbidden));
    }

    #[test]
    fn no_record_is_longer_than_the_buffer_for_it() {
        let longest = u16::try_from(RECORD_MAX).unwrap();
        assert_eq!(
            after_hello().look(&record(APPLICATION_DATA, longest)),
            Ok(())
        );
        let longer = record(APPLICATION_DATA, longest + 1);
        assert_eq!(after_hello().look(&longer), Err(Forbidden));
    }
}
