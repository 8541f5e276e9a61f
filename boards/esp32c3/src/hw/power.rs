//! Why the chip was started, starting it anew, and the watchdog.

use core::cell::Cell;

use embassy_time::Timer;
use esp_hal::peripherals::RTC_TIMER;
use esp_hal::ram;
use esp_hal::rtc_cntl::{Rtc, RwdtStage, SocResetReason};
use esp_hal::system;
use monster::device::ResetReason;
use monster_net::reset;
use portable_atomic::{AtomicU32, Ordering};

/// How long the device may be stuck. Its loop tells every six seconds, at the latest, that it is not.
const PATIENCE: esp_hal::time::Duration = esp_hal::time::Duration::from_secs(15);

/// Memory that is left as it is over a restart, but not over a power cut.
#[ram(unstable(rtc_fast, persistent))]
static REASON: AtomicU32 = AtomicU32::new(0);

/// Why the chip was started; to be asked once.
pub fn reset_reason() -> ResetReason {
    let noted = reset::noted(REASON.load(Ordering::Relaxed));
    REASON.store(0, Ordering::Relaxed);
    use SocResetReason as Soc;
    match system::reset_reason() {
        Some(Soc::ChipPowerOn | Soc::SysBrownOut | Soc::CorePwrGlitch) => ResetReason::PowerOn,
        Some(Soc::CoreSw | Soc::Cpu0Sw) => noted.unwrap_or(ResetReason::Unknown),
        Some(
            Soc::CoreMwdt0
            | Soc::CoreMwdt1
            | Soc::CoreRtcWdt
            | Soc::Cpu0Mwdt0
            | Soc::Cpu0Mwdt1
            | Soc::Cpu0RtcWdt
            | Soc::SysRtcWdt
            | Soc::SysSuperWdt,
        ) => ResetReason::Watchdog,
        _ => ResetReason::Unknown,
    }
}

/// Restarts the chip.
pub fn restart(reason: ResetReason) -> ! {
    REASON.store(reset::note(reason), Ordering::Relaxed);
    system::software_reset()
}

/// The watchdog: it restarts the chip unless the device says again and again that it goes on.
pub struct Watchdog {
    is_alive: Cell<bool>,
}

impl Watchdog {
    /// One that has heard nothing yet.
    pub const fn new() -> Self {
        Watchdog {
            is_alive: Cell::new(false),
        }
    }

    /// The device goes on.
    pub fn alive(&self) {
        self.is_alive.set(true);
    }

    /// Feeds it, for ever, as long as the device goes on. That takes both: a device that spins
    /// without end never lets this run, and one that hangs says nothing.
    pub async fn run(&self, mut timer: Rtc<'static>) -> ! {
        loop {
            if self.is_alive.take() {
                timer.rwdt.feed();
            }
            Timer::after_secs(1).await;
        }
    }
}

/// Starts the watchdog's timer, as early as can be; it must be fed from now on.
pub fn watch(timer: RTC_TIMER<'static>) -> Rtc<'static> {
    let mut timer = Rtc::new(timer);
    timer.rwdt.enable();
    timer.rwdt.set_timeout(RwdtStage::Stage0, PATIENCE);
    timer.rwdt.feed();
    timer
}
