//! QEMU's `mps2-an385`: a CMSDK UART and the counter of the FPGA system block.

use core::arch::global_asm;
use core::ptr::{read_volatile, write_volatile};

const DATA: usize = 0x4000_4000;
/// State register of the UART, and its bits: transmit buffer full, received data.
const STATE: usize = DATA + 4;
const FULL: u32 = 1;
const READY: u32 = 2;
/// Counts hundredths of a second.
const CLK100HZ: usize = 0x4002_8014;

global_asm!(
    ".section .vectors, \"a\"",
    ".word stack_start",
    ".word start",
    ".text",
    ".global start",
    ".thumb_func",
    "start:",
    "ldr r0, =stack_end",
    "ldr r1, =stack_start",
    "ldr r2, ={paint}",
    "1:",
    "stm r0!, {{r2}}",
    "cmp r0, r1",
    "blo 1b",
    // The UART: its divider, then transmit and receive on.
    "ldr r0, ={data}",
    "movs r1, #16",
    "str r1, [r0, #16]",
    "movs r1, #3",
    "str r1, [r0, #8]",
    "bl program",
    "bl finish",
    paint = const crate::PAINT,
    data = const DATA,
);

/// Milliseconds since the start.
pub fn milliseconds() -> u32 {
    // SAFETY: the address is a register of this machine.
    unsafe { read_volatile(CLK100HZ as *const u32).wrapping_mul(10) }
}

pub fn receive() -> Option<u8> {
    // SAFETY: the addresses are registers of this machine.
    unsafe {
        (read_volatile(STATE as *const u32) & READY != 0)
            .then(|| read_volatile(DATA as *const u32) as u8)
    }
}

pub fn send(byte: u8) {
    // SAFETY: the addresses are registers of this machine.
    unsafe {
        while read_volatile(STATE as *const u32) & FULL != 0 {}
        write_volatile(DATA as *mut u32, byte as u32);
    }
}
