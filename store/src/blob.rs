//! What is longer than a record: certificates, a session. Each has a name of its own and takes the
//! place of what was kept under it in one step, however long it is.
//!
//! A short one is one value. A long one is written in pieces that lie beside those of the old one;
//! then a value that says where they are takes the place of the old: whoever loses power before that
//! has the old one, and after it the new one.

use embedded_storage_async::nor_flash::NorFlash;

use crate::{Key, Store, StoreError};

/// The longest that can be kept under one [`Name`], in bytes.
pub const BLOB_MAX: usize = 4096;

/// The longest piece. So small that a page of 4 KiB can be filled with them.
const PIECE: usize = 1024;
/// Pieces of the longest.
const PIECES: u16 = BLOB_MAX.div_ceil(PIECE) as u16;

const KEY_BLOBS: Key = 0x200;
/// The keys of one name: where it is, and the pieces of both places.
const KEYS_EACH: Key = 16;

/// The head of one that is whole behind it.
const WHOLE: u8 = 0;
/// The head of one in pieces: the place (0 or 1) and the length, little-endian.
const PIECEWISE: u8 = 1;

/// What can be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Name {
    /// The certificates of the CAs that vouch for the broker: PEM, or DER.
    BrokerCa,
    /// The certificate shown to the broker: PEM, or DER.
    ClientCertificate,
    /// The private key to it: PEM, or DER.
    ClientKey,
    /// The MQTT session, as [`umqtt::Session::snapshot`] writes it.
    ///
    /// [`umqtt::Session::snapshot`]: https://docs.rs/umqtt
    Session,
}

impl Name {
    pub(crate) const ALL: [Name; 4] = [
        Name::BrokerCa,
        Name::ClientCertificate,
        Name::ClientKey,
        Name::Session,
    ];

    /// The number stays when names are added: it is in the flash.
    fn head(self) -> Key {
        let number = match self {
            Name::BrokerCa => 0,
            Name::ClientCertificate => 1,
            Name::ClientKey => 2,
            Name::Session => 3,
        };
        KEY_BLOBS + number * KEYS_EACH
    }

    /// All its keys.
    #[cfg(test)]
    pub(crate) fn keys(self) -> core::ops::Range<Key> {
        self.head()..self.head() + KEYS_EACH
    }

    fn piece(self, place: u8, number: u16) -> Key {
        self.head() + 1 + Key::from(place & 1) * PIECES + number
    }
}

/// Where the bytes of one are.
enum Place {
    /// Behind its head; so many bytes.
    Whole(usize),
    Pieces {
        place: u8,
        length: usize,
    },
}

impl<F: NorFlash> Store<F> {
    /// Reads what is kept under this name to the front of `to`, and returns its length; `None` if
    /// nothing is. [`BLOB_MAX`] bytes are always enough.
    ///
    /// # Errors
    /// [`StoreError::TooLong`] if it does not fit into `to`; [`StoreError::Damaged`] if it is not
    /// whole; those of the flash.
    pub async fn blob(
        &mut self,
        name: Name,
        to: &mut [u8],
    ) -> Result<Option<usize>, StoreError<F::Error>> {
        match self.place(name).await? {
            None => Ok(None),
            Some(Place::Whole(length)) => {
                let head = self.read(name.head()).await?;
                let bytes = head.and_then(|head| head.get(1..));
                let to = to.get_mut(..length).ok_or(StoreError::TooLong)?;
                to.copy_from_slice(
                    bytes
                        .filter(|bytes| bytes.len() == length)
                        .ok_or(StoreError::Damaged)?,
                );
                Ok(Some(length))
            }
            Some(Place::Pieces { place, length }) => {
                let to = to.get_mut(..length).ok_or(StoreError::TooLong)?;
                for (to, number) in to.chunks_mut(PIECE).zip(0..PIECES) {
                    let piece = self.read(name.piece(place, number)).await?;
                    let piece = piece.filter(|piece| piece.len() == to.len());
                    to.copy_from_slice(piece.ok_or(StoreError::Damaged)?);
                }
                Ok(Some(length))
            }
        }
    }

    /// Reads the MQTT session to the front of `to`, for
    /// [`Device::restore_session`](monster::device::Device::restore_session), and returns its length:
    /// 0 if there is one that cannot be read, which the device will have forgotten. `None` if there is
    /// none to be had.
    pub async fn session(&mut self, to: &mut [u8]) -> Option<usize> {
        match self.blob(Name::Session, to).await {
            Ok(length) => length,
            Err(StoreError::Damaged | StoreError::TooLong) => Some(0),
            Err(_) => None,
        }
    }

    /// Keeps these bytes under this name, in place of what was there. The same again is not written.
    ///
    /// # Errors
    /// [`StoreError::TooLong`] if they are more than [`BLOB_MAX`]; those of the flash. What was kept
    /// is still there then.
    pub async fn save_blob(
        &mut self,
        name: Name,
        bytes: &[u8],
    ) -> Result<(), StoreError<F::Error>> {
        if bytes.len() > BLOB_MAX {
            return Err(StoreError::TooLong);
        }
        let old = match self.place(name).await {
            // It is to be replaced.
            Err(StoreError::Damaged) => None,
            place => place?,
        };
        if let Some(old) = &old
            && self.is_same(name, old, bytes).await?
        {
            return Ok(());
        }
        let old = match old {
            Some(Place::Pieces { place, length }) => Some((place, length)),
            _ => None,
        };
        if bytes.len() <= PIECE {
            let mut head = [WHOLE; 1 + PIECE];
            let (head, _) = head
                .split_at_mut_checked(1 + bytes.len())
                .ok_or(StoreError::TooLong)?;
            if let Some(content) = head.get_mut(1..) {
                content.copy_from_slice(bytes);
            }
            self.write(name.head(), head).await?;
        } else {
            let place = old.map_or(0, |(place, _)| 1 - (place & 1));
            for (piece, number) in bytes.chunks(PIECE).zip(0..PIECES) {
                self.write(name.piece(place, number), piece).await?;
            }
            let [low, high] = (bytes.len() as u16).to_le_bytes();
            self.write(name.head(), &[PIECEWISE, place, low, high])
                .await?;
        }
        if let Some((place, length)) = old {
            // It is kept. What stays behind of the old one only takes room.
            let _ = self.clear_pieces(name, place, length).await;
        }
        Ok(())
    }

    /// Whether just these bytes are at this place.
    async fn is_same(
        &mut self,
        name: Name,
        old: &Place,
        bytes: &[u8],
    ) -> Result<bool, StoreError<F::Error>> {
        match *old {
            Place::Whole(_) => {
                let head = self.read(name.head()).await?;
                Ok(head.and_then(|head| head.get(1..)) == Some(bytes))
            }
            Place::Pieces { length, .. } if length != bytes.len() => Ok(false),
            Place::Pieces { place, .. } => {
                for (piece, number) in bytes.chunks(PIECE).zip(0..PIECES) {
                    if self.read(name.piece(place, number)).await? != Some(piece) {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
        }
    }

    /// Forgets what is kept under this name.
    ///
    /// # Errors
    /// Those of the flash; what was kept is still there then.
    pub async fn remove_blob(&mut self, name: Name) -> Result<(), StoreError<F::Error>> {
        let old = match self.place(name).await {
            Err(StoreError::Damaged) => None,
            Ok(None) => return Ok(()),
            place => place?,
        };
        self.write(name.head(), &[]).await?;
        if let Some(Place::Pieces { place, length }) = old {
            let _ = self.clear_pieces(name, place, length).await;
        }
        Ok(())
    }

    async fn clear_pieces(
        &mut self,
        name: Name,
        place: u8,
        length: usize,
    ) -> Result<(), StoreError<F::Error>> {
        for number in (0..PIECES).take(length.div_ceil(PIECE)) {
            self.write(name.piece(place, number), &[]).await?;
        }
        Ok(())
    }

    async fn place(&mut self, name: Name) -> Result<Option<Place>, StoreError<F::Error>> {
        match self.read(name.head()).await? {
            None | Some([]) => Ok(None),
            Some([WHOLE, content @ ..]) => Ok(Some(Place::Whole(content.len()))),
            Some(&[PIECEWISE, place, low, high]) => Ok(Some(Place::Pieces {
                place,
                length: u16::from_le_bytes([low, high]).into(),
            })),
            Some(_) => Err(StoreError::Damaged),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file::block_on;
    use crate::mock::Mock;

    /// Bytes that are others at each place, and for each `salt`.
    fn bytes(length: usize, salt: usize) -> Vec<u8> {
        (0..length)
            .map(|at| (at * 31 + at / 256 + salt) as u8)
            .collect()
    }

    #[test]
    fn what_is_kept_under_a_name_is_read_again_whatever_its_length() {
        let mut flash = Mock::<4096>::new(8);
        let mut store = block_on(Store::open(&mut flash, 0..32768)).unwrap();
        let lengths = [0, 1, 1023, 1024, 1025, 2048, 3000, 4095, 4096, 7, 4096, 0];
        for (round, length) in lengths.into_iter().enumerate() {
            for (salt, name) in Name::ALL.into_iter().enumerate() {
                // Those of one name leave alone those of another.
                let kept = bytes(length.min(4096 - salt * 1000), salt + round);
                block_on(store.save_blob(name, &kept)).unwrap();
            }
            for (salt, name) in Name::ALL.into_iter().enumerate() {
                let kept = bytes(length.min(4096 - salt * 1000), salt + round);
                let mut to = [0; BLOB_MAX];
                let found = block_on(store.blob(name, &mut to)).unwrap();
                assert_eq!(found, Some(kept.len()));
                assert_eq!(to[..kept.len()], kept);
            }
        }
    }

    #[test]
    fn the_same_again_costs_no_flash() {
        let mut flash = Mock::<4096>::new(8);
        let mut store = block_on(Store::open(&mut flash, 0..32768)).unwrap();
        for length in [0, 100, 1024, 1025, 4095] {
            let kept = bytes(length, 1);
            let mut operations = || {
                block_on(store.save_blob(Name::Session, &kept)).unwrap();
                store.map.as_mut().unwrap().flash().operations
            };
            let first = operations();
            assert_eq!(operations(), first, "{length}");
            let mut other = bytes(length, 2);
            other.push(0);
            for other in [&other[..], &other[..length]] {
                block_on(store.save_blob(Name::Session, other)).unwrap();
                let mut to = [0; BLOB_MAX];
                let found = block_on(store.blob(Name::Session, &mut to)).unwrap();
                assert_eq!(found, Some(other.len()));
                assert_eq!(to[..other.len()], *other);
            }
        }
    }

    #[test]
    fn what_is_removed_is_not_there_and_its_room_is_free() {
        let mut flash = Mock::<4096>::new(4);
        let mut store = block_on(Store::open(&mut flash, 0..16384)).unwrap();
        // All of them together are longer than the flash.
        for round in 0..5 {
            for name in Name::ALL {
                block_on(store.save_blob(name, &bytes(4096, round))).unwrap();
                block_on(store.remove_blob(name)).unwrap();
                block_on(store.remove_blob(name)).unwrap();
                let found = block_on(store.blob(name, &mut [0; BLOB_MAX])).unwrap();
                assert_eq!(found, None);
            }
        }
    }

    #[test]
    fn what_is_too_long_is_refused_and_the_old_one_stays() {
        let mut flash = Mock::<4096>::new(8);
        let mut store = block_on(Store::open(&mut flash, 0..32768)).unwrap();
        for length in [3, 3000] {
            let kept = bytes(length, 0);
            block_on(store.save_blob(Name::BrokerCa, &kept)).unwrap();
            let longer = bytes(BLOB_MAX + 1, 0);
            let refused = block_on(store.save_blob(Name::BrokerCa, &longer));
            assert_eq!(refused, Err(StoreError::TooLong));
            let mut to = vec![0; length];
            assert_eq!(
                block_on(store.blob(Name::BrokerCa, &mut to[1..])),
                Err(StoreError::TooLong)
            );
            let found = block_on(store.blob(Name::BrokerCa, &mut to)).unwrap();
            assert_eq!((found, to), (Some(length), kept));
        }
    }

    #[test]
    fn damage_is_noticed_and_can_be_replaced() {
        let mut flash = Mock::<4096>::new(8);
        let mut store = block_on(Store::open(&mut flash, 0..32768)).unwrap();
        let name = Name::Session;
        for head in [
            &[9][..],
            &[PIECEWISE],
            &[PIECEWISE, 0, 0, 16],
            &[PIECEWISE, 7, 1, 1, 1],
        ] {
            block_on(store.write(name.head(), head)).unwrap();
            assert_eq!(
                block_on(store.blob(name, &mut [0; BLOB_MAX])),
                Err(StoreError::Damaged)
            );
            assert_eq!(block_on(store.session(&mut [0; BLOB_MAX])), Some(0));
        }
        block_on(store.save_blob(name, b"new")).unwrap();
        let mut to = [0; 3];
        assert_eq!(block_on(store.blob(name, &mut to)), Ok(Some(3)));
        assert_eq!(&to, b"new");
        assert_eq!(block_on(store.session(&mut to)), Some(3));
        block_on(store.remove_blob(name)).unwrap();
        assert_eq!(block_on(store.session(&mut to)), None);
    }
}
