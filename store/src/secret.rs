//! What a device makes up once, out of true chance, and keeps: its secret and its passwords.
//!
//! They are never derived from anything else, so that nobody who knows the device's id, or its
//! firmware, knows them.

use embedded_storage_async::nor_flash::NorFlash;
use monster::settings::Secret;
use monster::settings::value::Value;

use crate::{Key, Store, StoreError};

/// Bytes of the secret of a device.
pub const SECRET: usize = 32;
/// Characters of a password, of 5 bits each.
pub const PASSWORD: usize = 12;

pub(crate) const KEY_SECRET: Key = 3;
const KEY_ACCESS_POINT: Key = 4;
const KEY_CONSOLE: Key = 5;

/// Small letters and digits, but for those that are mistaken for others: l, o, 0, 1.
const ALPHABET: [u8; 32] = *b"abcdefghijkmnpqrstuvwxyz23456789";

/// What a password is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Password {
    /// To join the device's access point.
    AccessPoint,
    /// To use its console.
    Console,
}

impl Password {
    pub(crate) const fn key(self) -> Key {
        match self {
            Password::AccessPoint => KEY_ACCESS_POINT,
            Password::Console => KEY_CONSOLE,
        }
    }
}

impl<F: NorFlash> Store<F> {
    /// The secret of the device, which nobody is ever told. The first time it is made of what
    /// `random` gives: true chance, or `None` if the board has none; then there is no secret.
    ///
    /// # Errors
    /// Those of the flash: a secret that cannot be kept is none.
    pub async fn device_secret(
        &mut self,
        random: impl FnOnce() -> Option<[u8; SECRET]>,
    ) -> Result<Option<[u8; SECRET]>, StoreError<F::Error>> {
        if let Some(kept) = self.read(KEY_SECRET).await?
            && let Ok(secret) = kept.try_into()
        {
            return Ok(Some(secret));
        }
        let Some(secret) = random() else {
            return Ok(None);
        };
        self.write(KEY_SECRET, &secret).await?;
        Ok(Some(secret))
    }

    /// The password for this: [`PASSWORD`] small letters and digits. The first time it is made of
    /// what `random` gives: true chance, or `None` if the board has none; then there is no password.
    ///
    /// # Errors
    /// Those of the flash: a password that cannot be kept is none.
    pub async fn password(
        &mut self,
        which: Password,
        random: impl FnOnce() -> Option<[u8; PASSWORD]>,
    ) -> Result<Option<Secret<PASSWORD>>, StoreError<F::Error>> {
        if let Some(kept) = self.read(which.key()).await?
            && kept.len() == PASSWORD
            && let Some(password) = secret(kept)
        {
            return Ok(Some(password));
        }
        let Some(random) = random() else {
            return Ok(None);
        };
        let text = characters(random);
        self.write(which.key(), &text).await?;
        Ok(secret(&text))
    }

    /// Forgets the secret and the passwords; others are made when they are asked for.
    pub(crate) async fn forget_secrets(&mut self) -> Result<(), StoreError<F::Error>> {
        for key in [KEY_SECRET, KEY_ACCESS_POINT, KEY_CONSOLE] {
            self.forget(key).await?;
        }
        Ok(())
    }
}

/// A password as a [`Store`] makes them, for a device that cannot keep one.
pub fn unkept_password(random: [u8; PASSWORD]) -> Secret<PASSWORD> {
    secret(&characters(random)).unwrap_or_default()
}

fn characters(random: [u8; PASSWORD]) -> [u8; PASSWORD] {
    random.map(|byte| {
        let index = usize::from(byte) % ALPHABET.len();
        ALPHABET.get(index).copied().unwrap_or(b'a')
    })
}

fn secret(text: &[u8]) -> Option<Secret<PASSWORD>> {
    Secret::parse(core::str::from_utf8(text).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file::block_on;
    use crate::mock::Mock;

    #[test]
    fn secrets_are_made_once_of_what_chance_gives_and_kept() {
        let mut flash = Mock::<4096>::new(2);
        let mut first = None;
        for round in 0..3 {
            let mut store = block_on(Store::open(&mut flash, 0..8192)).unwrap();
            let chance = |salt| move || (round == 0).then_some([salt; PASSWORD]);
            let found = (
                block_on(store.device_secret(|| (round == 0).then_some([9; SECRET]))).unwrap(),
                block_on(store.password(Password::AccessPoint, chance(1))).unwrap(),
                block_on(store.password(Password::Console, chance(255))).unwrap(),
            );
            assert_eq!(first.get_or_insert(found.clone()), &found);
        }
        let (secret, access_point, console) = first.unwrap();
        assert_eq!(secret, Some([9; SECRET]));
        assert_eq!(access_point.unwrap().expose(), "bbbbbbbbbbbb");
        assert_eq!(console.unwrap().expose(), "999999999999");
    }

    #[test]
    fn without_chance_there_is_no_secret_and_it_is_made_later() {
        let mut flash = Mock::<4096>::new(2);
        let mut store = block_on(Store::open(&mut flash, 0..8192)).unwrap();
        let console = Password::Console;
        assert_eq!(block_on(store.device_secret(|| None)), Ok(None));
        assert_eq!(block_on(store.password(console, || None)), Ok(None));
        let made = block_on(store.password(console, || Some([0; PASSWORD]))).unwrap();
        assert_eq!(made.unwrap().expose().len(), PASSWORD);
    }

    #[test]
    fn all_characters_are_equally_likely() {
        let mut counts = [0; 32];
        for byte in 0..=u8::MAX {
            counts[usize::from(byte) % ALPHABET.len()] += 1;
        }
        assert_eq!(counts, [8; 32]);
        let mut sorted = ALPHABET;
        sorted.sort_unstable();
        assert!(sorted.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(sorted.iter().all(|c| !b"lo01".contains(c)));
    }
}
