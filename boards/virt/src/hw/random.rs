//! True random numbers, from the host.

use virtio_drivers::device::rng::VirtIORng;
use virtio_drivers::transport::DeviceType;

use super::virtio::{Device, Pages};

/// A number nobody can guess, from the device at this place of the bus.
pub fn number(place: usize) -> Option<u64> {
    let device = Device::open(place, DeviceType::EntropySource)?;
    let mut source = VirtIORng::<Pages, _>::new(device.transport.into_inner()).ok()?;
    let mut bytes = [0; 8];
    let count = source.request_entropy(&mut bytes).ok()?;
    (count == bytes.len()).then(|| u64::from_ne_bytes(bytes))
}
