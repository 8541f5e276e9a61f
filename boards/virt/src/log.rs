//! Lines on the UART.

use core::fmt;

use monster::settings::value::LogLevel;
use monster_net::Log;

use crate::hw::uart::Uart;

static LOG: Log = Log::new();

/// From now on, lines of this level and of more important ones.
pub fn set_level(level: LogLevel) {
    LOG.set_level(level);
}

/// A line.
pub fn line(level: LogLevel, text: fmt::Arguments<'_>) {
    LOG.line(&mut Uart, level, text);
}
