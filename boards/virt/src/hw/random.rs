//! True random numbers, from the host.

use virtio_drivers::device::rng::VirtIORng;
use virtio_drivers::transport::DeviceType;

use super::virtio::{Device, Pages};

/// Bytes nobody can guess, from the device at this place of the bus.
pub fn bytes<const N: usize>(place: usize) -> Option<[u8; N]> {
    let device = Device::open(place, DeviceType::EntropySource)?;
    let mut source = VirtIORng::<Pages, _>::new(device.transport.into_inner()).ok()?;
    let mut bytes = [0; N];
    let mut filled = 0;
    while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        // It may give less than it was asked for, but not nothing.
        match source.request_entropy(rest) {
            Ok(count) if count > 0 => filled += count,
            _ => return None,
        }
    }
    Some(bytes)
}
