//! The UART: text to a person.

use core::fmt;

use super::registers::UART;

const DATA: usize = 0;
const LINE_STATUS: usize = 5;
const CAN_TRANSMIT: u8 = 0x20;

/// Writes to the UART, and waits until it has taken everything: QEMU does so at once.
pub struct Uart;

impl fmt::Write for Uart {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            while UART.read::<u8>(LINE_STATUS) & CAN_TRANSMIT == 0 {}
            UART.write(DATA, byte);
        }
        Ok(())
    }
}
