//! True random numbers.

use esp_hal::peripherals::{ADC1, RNG};
use esp_hal::rng::{Trng, TrngSource};

/// A number nobody can guess. The noise comes from the converter of analog signals, since at the
/// start there is no radio yet; the converter is free again afterwards.
pub fn number(rng: RNG<'_>, converter: ADC1<'_>) -> u64 {
    let _source = TrngSource::new(rng, converter);
    let mut bytes = [0; 8];
    let random = Trng::try_new().expect("its source is on");
    random.read(&mut bytes);
    u64::from_ne_bytes(bytes)
}
