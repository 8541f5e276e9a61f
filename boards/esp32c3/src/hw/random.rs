//! True random numbers.

use esp_hal::peripherals::{ADC1, RNG};
use esp_hal::rng::{Trng, TrngSource};

/// Bytes nobody can guess. The noise comes from the converter of analog signals, since at the
/// start there is no radio yet; the converter is free again afterwards.
pub fn bytes<const N: usize>(rng: RNG<'_>, converter: ADC1<'_>) -> [u8; N] {
    let _source = TrngSource::new(rng, converter);
    let mut bytes = [0; N];
    let random = Trng::try_new().expect("its source is on");
    random.read(&mut bytes);
    bytes
}
