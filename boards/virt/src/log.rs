//! Lines on the UART, each with the seconds since the machine was started.

use core::fmt::{self, Write};

use embassy_time::Instant;
use monster::settings::value::LogLevel;
use portable_atomic::{AtomicU8, Ordering};

use crate::hw::uart::Uart;

static LEVEL: AtomicU8 = AtomicU8::new(LogLevel::Info as u8);

/// From now on, lines of this level and of more important ones.
pub fn set_level(level: LogLevel) {
    LEVEL.store(level as u8, Ordering::Relaxed);
}

/// A line.
pub fn line(level: LogLevel, text: fmt::Arguments<'_>) {
    if level as u8 > LEVEL.load(Ordering::Relaxed) {
        return;
    }
    let mark = match level {
        LogLevel::Error => "error: ",
        LogLevel::Warn => "warning: ",
        LogLevel::Info | LogLevel::Debug => "",
    };
    let time = Instant::now().as_millis();
    // The UART takes everything.
    let _ = writeln!(Uart, "{:5}.{:03}  {mark}{text}\r", time / 1000, time % 1000);
}
