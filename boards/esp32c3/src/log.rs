//! Lines on the serial port: the USB port's while a computer listens there, else the UART's.

use core::fmt;

use esp_println::Printer;
use monster::settings::value::LogLevel;
use monster_net::Log;

static LOG: Log = Log::new();

/// From now on, lines of this level and of more important ones.
pub fn set_level(level: LogLevel) {
    LOG.set_level(level);
}

/// A line.
pub fn line(level: LogLevel, text: fmt::Arguments<'_>) {
    LOG.line(&mut Printer, level, text);
}
