//! Restarts, and what the last one was for: a word of RAM that survives a restart, and that is zero
//! when QEMU has just been started.
#![allow(unsafe_code, reason = "a word of RAM that nobody initializes")]

use core::mem::MaybeUninit;

use monster::device::ResetReason;
use monster_net::reset;

use super::registers::TEST;

const RESTART: u32 = 0x7777;

#[unsafe(link_section = ".uninit.reason")]
static mut REASON: MaybeUninit<u32> = MaybeUninit::zeroed();

/// Why the machine was started; to be asked once.
pub fn reset_reason() -> ResetReason {
    reset::noted(swap(0)).unwrap_or(ResetReason::PowerOn)
}

/// Restarts the machine.
pub fn restart(reason: ResetReason) -> ! {
    swap(reset::note(reason));
    TEST.write(0, RESTART);
    // QEMU does it between two instructions.
    loop {
        riscv::asm::wfi();
    }
}

fn swap(new: u32) -> u32 {
    critical_section::with(|_| {
        let word = &raw mut REASON;
        // SAFETY: no interrupt comes between, there is one core, and nobody else knows the word.
        // It is zeroed RAM or holds what was written last; any value is a u32.
        unsafe {
            let old = word.cast::<u32>().read_volatile();
            word.cast::<u32>().write_volatile(new);
            old
        }
    })
}
