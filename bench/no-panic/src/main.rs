//! A program that calls all of umqtt, with values of which the compiler knows nothing: what it cannot
//! prove to be right, it keeps. `cargo xtask no-panic` links it and looks for a way to `panicked`:
//! there must be none; and with the feature `everything`, none but those in `left.txt`.
//!
//! It is never run.

#![no_std]
#![no_main]

#[cfg(feature = "everything")]
mod asynchronous;
mod blocking;
mod session;
#[cfg(feature = "everything")]
mod shared;
mod text;
mod topics;
#[cfg(feature = "everything")]
mod waiting;
mod world;

use core::arch::global_asm;
use core::panic::PanicInfo;

// In a section of its own, which the linker drops if nobody calls it; and in assembly, which the
// compiler does not look into.
global_asm!(
    ".section .text.panicked, \"ax\"",
    ".global panicked",
    "panicked:",
    "j panicked",
);

#[allow(improper_ctypes, reason = "it is only passed on")]
unsafe extern "C" {
    fn panicked(info: &PanicInfo<'_>) -> !;
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    // SAFETY: it is the loop above. That it seems to read why keeps the compiler from making all
    // panics one, and nobody could tell where they come from.
    unsafe { panicked(info) }
}

#[unsafe(no_mangle)]
extern "C" fn _start() {
    session::all();
    blocking::all();
    topics::all();
    #[cfg(feature = "everything")]
    {
        asynchronous::all();
        shared::all();
    }
}
