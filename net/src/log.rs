//! Lines for a person on a serial port, each with the seconds since the machine was started.

use core::fmt;
use core::sync::atomic::{AtomicU8, Ordering};

use embassy_time::Instant;
use monster::settings::value::LogLevel;

/// A board's log. It is one static, since everything on the board writes to it.
pub struct Log {
    level: AtomicU8,
}

impl Log {
    /// A log of what is at least [`LogLevel::Info`].
    #[allow(clippy::new_without_default, reason = "a board makes it in a static")]
    pub const fn new() -> Self {
        Log {
            level: AtomicU8::new(LogLevel::Info as u8),
        }
    }

    /// From now on, lines of this level and of more important ones.
    pub fn set_level(&self, level: LogLevel) {
        self.level.store(level as u8, Ordering::Relaxed);
    }

    /// Writes a line to the serial port, if it is important enough.
    pub fn line(&self, port: &mut impl fmt::Write, level: LogLevel, text: fmt::Arguments<'_>) {
        if level as u8 > self.level.load(Ordering::Relaxed) {
            return;
        }
        let mark = match level {
            LogLevel::Error => "error: ",
            LogLevel::Warn => "warning: ",
            LogLevel::Info | LogLevel::Debug => "",
        };
        let time = Instant::now().as_millis();
        // There is nobody to tell that the port does not take it.
        let _ = writeln!(port, "{:5}.{:03}  {mark}{text}\r", time / 1000, time % 1000);
    }
}
