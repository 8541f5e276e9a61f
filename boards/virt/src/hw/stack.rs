//! The end of the stack: below it there is no RAM, and every access is refused. So a stack that
//! grows too far ends in an exception, which is handled on a stack of its own: it is said, and the
//! machine starts anew, with nothing overwritten.
#![allow(
    unsafe_code,
    reason = "memory is protected here, and a stack replaced by another one"
)]

use core::arch::global_asm;
use core::cell::UnsafeCell;

use riscv::register::{Permission, Range, pmpaddr0, pmpcfg0};

/// What is refused: the GiB below the RAM, more than any frame is long. QEMU has PCI's memory there,
/// of which this firmware uses nothing. The address is written as the processor wants it (NAPOT).
const REFUSED: usize = (0x4000_0000 >> 2) | ((0x4000_0000 >> 3) - 1);

/// Has every access below the stack refused, from now on until the next start.
pub fn guard() {
    // SAFETY: it takes away addresses that nothing of ours is at. Locked entries hold for the
    // processor's highest mode too, which is the one this firmware runs in.
    unsafe {
        pmpaddr0::write(REFUSED);
        pmpcfg0::set_pmp(0, Range::NAPOT, Permission::NONE, true);
    }
}

/// The stack on which an overflow of the other one is said.
#[repr(C, align(16))]
struct Spare(UnsafeCell<[u8; SPARE]>);

const SPARE: usize = 2048;

// SAFETY: only the code below uses it, once, and never returns.
unsafe impl Sync for Spare {}

static SPARE_STACK: Spare = Spare(UnsafeCell::new([0; SPARE]));

// riscv-rt comes by here at every trap, before it writes anything to the stack.
global_asm!(
    ".section .trap.start, \"ax\"",
    ".global _pre_default_start_trap",
    "_pre_default_start_trap:",
    "    csrw mscratch, t0",
    "    la t0, __estack",
    "    bltu sp, t0, 1f",
    "    csrr t0, mscratch",
    "    j _pre_default_start_trap_ret",
    "1:  la sp, {spare} + {size}",
    "    call {overflown}",
    spare = sym SPARE_STACK,
    size = const SPARE,
    overflown = sym overflown,
);

extern "C" fn overflown() -> ! {
    panic!("the stack is too small: it grew below its end");
}

/// Uses up the stack, for who wants to see what happens then.
pub fn overflow() {
    deeper(usize::MAX);
}

#[inline(never)]
fn deeper(times: usize) -> usize {
    let frame = core::hint::black_box([times; 64]);
    match times {
        0 => 0,
        _ => deeper(times - 1).wrapping_add(frame[0]),
    }
}
