//! The drivers of QEMU's riscv32 `virt` machine. All of this firmware's `unsafe` is in this folder.
//!
//! The addresses are those of `hw/riscv/virt.c` in QEMU, which keeps them from version to version.

pub mod clock;
pub mod console;
pub mod flash;
pub mod interrupts;
pub mod memory;
pub mod nic;
pub mod power;
pub mod random;
mod registers;
pub mod stack;
pub mod uart;
mod virtio;
