//! The time since the machine was started, for embassy: 10 MHz, and an interrupt when it is due.

use core::cell::{Cell, RefCell};
use core::task::Waker;

use critical_section::{CriticalSection, Mutex};
use embassy_time_driver::Driver;
use embassy_time_queue_utils::Queue;
use riscv::register::time;

use super::registers::CLINT;

const COMPARE: usize = 0x4000;
const NEVER: u64 = u64::MAX;

struct Clock {
    queue: Mutex<RefCell<Queue>>,
    /// The time that is compared with: when the interrupt comes.
    due: Mutex<Cell<u64>>,
}

embassy_time_driver::time_driver_impl!(static CLOCK: Clock = Clock {
    queue: Mutex::new(RefCell::new(Queue::new())),
    due: Mutex::new(Cell::new(NEVER)),
});

impl Driver for Clock {
    fn now(&self) -> u64 {
        // The processor's own copy of it: QEMU has the register of the clock guarded by a lock.
        time::read64()
    }

    fn schedule_wake(&self, at: u64, waker: &Waker) {
        critical_section::with(|section| {
            let mut queue = self.queue.borrow_ref_mut(section);
            if queue.schedule_wake(at, waker) {
                self.interrupt_at(section, queue.next_expiration(self.now()));
            }
        });
    }
}

impl Clock {
    /// QEMU is woken by each write, so nothing is written that is there already.
    fn interrupt_at(&self, section: CriticalSection<'_>, time: u64) {
        let (high, low) = halves(time);
        let old = self.due.borrow(section).replace(time);
        if old == time {
            return;
        }
        let is_near = halves(old).0 == high;
        if !is_near {
            // Never earlier than either, while only one half is written.
            CLINT.write(COMPARE + 4, u32::MAX);
        }
        CLINT.write(COMPARE, low);
        if !is_near {
            CLINT.write(COMPARE + 4, high);
        }
    }
}

fn halves(time: u64) -> (u32, u32) {
    ((time >> 32) as u32, time as u32)
}

#[riscv_rt::core_interrupt(riscv::interrupt::Interrupt::MachineTimer)]
fn machine_timer() {
    critical_section::with(|section| {
        let mut queue = CLOCK.queue.borrow_ref_mut(section);
        let next = queue.next_expiration(CLOCK.now());
        CLOCK.interrupt_at(section, next);
    });
}

/// Nothing is due yet.
pub(super) fn init() {
    let (high, low) = halves(NEVER);
    CLINT.write(COMPARE + 4, high);
    CLINT.write(COMPARE, low);
}
