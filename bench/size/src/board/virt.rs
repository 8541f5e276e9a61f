//! QEMU's riscv32 `virt`: a 16550 and the timer of the CLINT.

use core::arch::global_asm;
use core::ptr::{read_volatile, write_volatile};

const UART: usize = 0x1000_0000;
/// Line status register of the UART, and its bits: received data, room to send.
const LSR: usize = UART + 5;
const READY: u8 = 0x01;
const EMPTY: u8 = 0x20;
/// Low word of `mtime`, 10 MHz: enough for a run of seven minutes.
const MTIME: usize = 0x0200_bff8;

global_asm!(
    ".section .start, \"ax\"",
    ".global start",
    "start:",
    "la sp, stack_start",
    "la t0, stack_end",
    "li t1, {paint}",
    "1:",
    "sw t1, 0(t0)",
    "addi t0, t0, 4",
    "bltu t0, sp, 1b",
    "call program",
    "tail finish",
    paint = const crate::PAINT,
);

/// Milliseconds since the start.
pub fn milliseconds() -> u32 {
    // SAFETY: the address is a register of this machine.
    unsafe { read_volatile(MTIME as *const u32) / 10_000 }
}

pub fn receive() -> Option<u8> {
    // SAFETY: the addresses are registers of this machine.
    unsafe {
        (read_volatile(LSR as *const u8) & READY != 0).then(|| read_volatile(UART as *const u8))
    }
}

pub fn send(byte: u8) {
    // SAFETY: the addresses are registers of this machine.
    unsafe {
        while read_volatile(LSR as *const u8) & EMPTY == 0 {}
        write_volatile(UART as *mut u8, byte);
    }
}
