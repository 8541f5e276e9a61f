//! Where the machine's devices are.
#![allow(unsafe_code, reason = "this is where addresses become registers")]

use core::ptr::with_exposed_provenance_mut;

/// SiFive's test device: restarts the machine, or ends QEMU.
// SAFETY: the machine has this device here, and no memory of ours.
pub const TEST: Registers = unsafe { Registers::at(0x0010_0000, 0x1000) };
/// The core-local interruptor: the time, and when to interrupt for it.
// SAFETY: as above.
pub const CLINT: Registers = unsafe { Registers::at(0x0200_0000, 0x1_0000) };
/// The platform's interrupt controller.
// SAFETY: as above.
pub const PLIC: Registers = unsafe { Registers::at(0x0c00_0000, 0x60_0000) };
/// A 16550 UART.
// SAFETY: as above.
pub const UART: Registers = unsafe { Registers::at(0x1000_0000, 0x100) };
/// Eight places for VIRTIO devices, each of [`VIRTIO_SIZE`].
// SAFETY: as above.
pub const VIRTIO: Registers = unsafe { Registers::at(0x1000_1000, 8 * VIRTIO_SIZE) };
/// How much each has of it.
pub const VIRTIO_SIZE: usize = 0x1000;
/// The second flash; the first has the code.
// SAFETY: as above. The linker script puts nothing of ours here.
pub const FLASH: Registers = unsafe { Registers::at(0x2200_0000, 32 << 20) };

/// Some of the machine's addresses at which there is no memory but a device.
#[derive(Clone, Copy)]
pub struct Registers {
    base: usize,
    size: usize,
}

impl Registers {
    /// # Safety
    /// The machine has a device at all these addresses, which answers accesses of any width, and
    /// the compiler has put nothing there.
    const unsafe fn at(base: usize, size: usize) -> Self {
        Registers { base, size }
    }

    /// Where a register is: `offset` from the first.
    pub fn address<T>(self, offset: usize) -> *mut T {
        let fits = offset
            .checked_add(size_of::<T>())
            .is_some_and(|end| end <= self.size);
        assert!(
            fits && offset.is_multiple_of(align_of::<T>()),
            "no register at {offset:#x}"
        );
        with_exposed_provenance_mut(self.base + offset)
    }

    pub fn read<T: Register>(self, offset: usize) -> T {
        // SAFETY: `at` promises a device there, `address` that it is aligned, and a `Register` may
        // have any value.
        unsafe { self.address::<T>(offset).read_volatile() }
    }

    pub fn write<T: Register>(self, offset: usize, value: T) {
        // SAFETY: as for `read`. No device but the VIRTIO ones writes to memory, and those are told
        // which by `virtio` alone.
        unsafe { self.address::<T>(offset).write_volatile(value) }
    }
}

/// An integer as wide as a register.
pub trait Register: Copy {}
impl Register for u8 {}
impl Register for u32 {}
