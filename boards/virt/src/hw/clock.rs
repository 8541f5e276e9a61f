//! The time since the machine was started, for embassy: 10 MHz, and an interrupt when it is due.

use core::cell::RefCell;
use core::task::Waker;

use critical_section::Mutex;
use embassy_time_driver::Driver;
use embassy_time_queue_utils::Queue;

use super::registers::CLINT;

const COMPARE: usize = 0x4000;
const TIME: usize = 0xbff8;

struct Clock {
    queue: Mutex<RefCell<Queue>>,
}

embassy_time_driver::time_driver_impl!(static CLOCK: Clock = Clock {
    queue: Mutex::new(RefCell::new(Queue::new())),
});

impl Driver for Clock {
    fn now(&self) -> u64 {
        loop {
            let high: u32 = CLINT.read(TIME + 4);
            let low: u32 = CLINT.read(TIME);
            if CLINT.read::<u32>(TIME + 4) == high {
                return u64::from(high) << 32 | u64::from(low);
            }
        }
    }

    fn schedule_wake(&self, at: u64, waker: &Waker) {
        critical_section::with(|section| {
            let mut queue = self.queue.borrow_ref_mut(section);
            if queue.schedule_wake(at, waker) {
                interrupt_at(queue.next_expiration(self.now()));
            }
        });
    }
}

#[riscv_rt::core_interrupt(riscv::interrupt::Interrupt::MachineTimer)]
fn machine_timer() {
    critical_section::with(|section| {
        let mut queue = CLOCK.queue.borrow_ref_mut(section);
        interrupt_at(queue.next_expiration(CLOCK.now()));
    });
}

/// Nothing is due yet.
pub(super) fn init() {
    interrupt_at(u64::MAX);
}

fn interrupt_at(time: u64) {
    // Never earlier than either, while only one half is written.
    CLINT.write(COMPARE + 4, u32::MAX);
    CLINT.write(COMPARE, time as u32);
    CLINT.write(COMPARE + 4, (time >> 32) as u32);
}
