//! How much of the RAM is used, the deepest stack so far too: its free part is painted at the
//! start, and what is not paint any more has been used.
#![allow(
    unsafe_code,
    reason = "the stack's unused part is read and written here"
)]

const PAINT: u32 = 0x6e69_6150;
/// What is left alone below the stack pointer while painting, in bytes.
const MARGIN: usize = 256;

unsafe extern "C" {
    static __sdata: u8;
    static __euninit: u8;
    static __estack: u8;
    static _stack_start: u8;
    static _ram_size: u8;
}

/// How the RAM is used, in bytes.
pub struct Use {
    /// By statics, for good.
    pub statics: usize,
    /// By the deepest stack since the start.
    pub stack: usize,
    /// What there is in all.
    pub total: usize,
}

/// Paints the stack that is not in use. To be called first.
pub fn paint() {
    let here = 0u32;
    let end = (&raw const here).addr() - MARGIN;
    let mut word = lowest();
    while word.addr() < end {
        // SAFETY: the linker script gives the stack this memory and nobody else, and all of it is
        // below the frames that are in use, of which this one is the last.
        unsafe {
            word.write_volatile(PAINT);
            word = word.add(1);
        }
    }
}

/// How much is in use, and was.
pub fn usage() -> Use {
    let top = (&raw const _stack_start).addr();
    let mut word = lowest();
    while word.addr() < top {
        // SAFETY: it is RAM of the stack, which the painting has initialized.
        if unsafe { word.read_volatile() } != PAINT {
            break;
        }
        // SAFETY: it stays at or below the top.
        word = unsafe { word.add(1) };
    }
    Use {
        statics: (&raw const __euninit).addr() - (&raw const __sdata).addr(),
        stack: top - word.addr(),
        total: (&raw const _ram_size).addr(),
    }
}

/// The lowest word of the stack's memory; it grows down to it.
fn lowest() -> *mut u32 {
    let end = (&raw const __estack).cast_mut();
    end.map_addr(|address| address.next_multiple_of(align_of::<u32>()))
        .cast()
}
