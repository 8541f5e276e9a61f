//! An emulated board with a serial port and a clock, and the little that all programs measured
//! on it have in common: the program without MQTT has it too, so it does not count.
//!
//! A program is a function that ends. The board then sends over the serial port how deep its stack
//! was, in bytes: the stack was painted before.

#![no_std]

#[cfg_attr(target_arch = "riscv32", path = "board/virt.rs")]
#[cfg_attr(target_arch = "arm", path = "board/mps2.rs")]
mod board;
pub mod mqtt;
mod serial;

pub use board::milliseconds;
pub use serial::{Serial, block_on, yield_now};

/// What lies in the stack where it was never used.
const PAINT: u32 = 0xa5a5_a5a5;

/// Makes a function the program of this board.
#[macro_export]
macro_rules! program {
    ($main:path) => {
        #[panic_handler]
        fn panic(_: &core::panic::PanicInfo) -> ! {
            loop {
                core::hint::spin_loop();
            }
        }

        #[unsafe(no_mangle)]
        extern "C" fn program() {
            $main();
        }
    };
}

unsafe extern "C" {
    /// The lowest and the highest end of the stack, from the linker.
    static stack_end: u32;
    static stack_start: u32;
}

/// Sends the depth of the stack; the program has ended.
#[unsafe(no_mangle)]
extern "C" fn finish() -> ! {
    let mut at = &raw const stack_end;
    let start = &raw const stack_start;
    // SAFETY: the words between the two are the stack, and start-up has written each of them.
    while at < start && unsafe { at.read_volatile() } == PAINT {
        at = at.wrapping_add(1);
    }
    let depth = (start as u32).wrapping_sub(at as u32);
    for byte in depth.to_le_bytes() {
        board::send(byte);
    }
    loop {
        core::hint::spin_loop();
    }
}
