//! Interrupts: which device has something to say, and whom to wake for it.
#![allow(unsafe_code, reason = "interrupts are switched on here")]

use core::task::Waker;

use embassy_sync::waitqueue::AtomicWaker;
use riscv::register::mie;

use super::registers::{PLIC, VIRTIO, VIRTIO_SIZE};
use super::{clock, uart, virtio};

const PRIORITY: usize = 0;
const ENABLE: usize = 0x2000;
const THRESHOLD: usize = 0x20_0000;
const CLAIM: usize = 0x20_0004;
/// The interrupt of the first VIRTIO device; those of the others follow.
const FIRST: u32 = 1;
/// That of the UART.
const UART: u32 = 10;

static WAKERS: [AtomicWaker; virtio::PLACES] = [const { AtomicWaker::new() }; virtio::PLACES];

/// Switches on the interrupts of the clock, of the UART and of all VIRTIO devices.
pub fn init() {
    clock::init();
    let devices = ((1u32 << virtio::PLACES) - 1) << FIRST | 1 << UART;
    for interrupt in (0..u32::BITS).filter(|interrupt| devices & 1 << interrupt != 0) {
        PLIC.write(PRIORITY + 4 * interrupt as usize, 1u32);
    }
    PLIC.write(ENABLE, devices);
    PLIC.write(THRESHOLD, 0u32);
    // SAFETY: all handlers are in place: they are linked in, and their state is in statics. Nothing
    // runs in a critical section yet.
    unsafe {
        mie::set_mtimer();
        mie::set_mext();
        riscv::interrupt::enable();
    }
}

/// Wakes this waker, once, at the next interrupt of the VIRTIO device at this place.
pub(super) fn wake_at(place: usize, waker: &Waker) {
    if let Some(slot) = WAKERS.get(place) {
        slot.register(waker);
    }
}

/// Wakes whoever waits for the VIRTIO device at this place, though it has said nothing.
pub(super) fn wake(place: usize) {
    if let Some(slot) = WAKERS.get(place) {
        slot.wake();
    }
}

#[riscv_rt::core_interrupt(riscv::interrupt::Interrupt::MachineExternal)]
fn machine_external() {
    const STATUS: usize = 0x60;
    const ACKNOWLEDGE: usize = 0x64;
    let interrupt: u32 = PLIC.read(CLAIM);
    let place = interrupt.wrapping_sub(FIRST) as usize;
    if interrupt == UART {
        uart::interrupt();
    }
    if let Some(waker) = WAKERS.get(place) {
        let device = place * VIRTIO_SIZE;
        VIRTIO.write(device + ACKNOWLEDGE, VIRTIO.read::<u32>(device + STATUS));
        waker.wake();
    }
    PLIC.write(CLAIM, interrupt);
}

/// What the processor cannot carry out is a mistake in this firmware.
// SAFETY: riscv-rt looks for a handler of this name and type.
#[unsafe(export_name = "ExceptionHandler")]
extern "C" fn exception(frame: &riscv_rt::TrapFrame) -> ! {
    let cause = riscv::register::mcause::read().code();
    let at = riscv::register::mepc::read();
    panic!("exception {cause} at {at:#x}, called from {:#x}", frame.ra);
}
