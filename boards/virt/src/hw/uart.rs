//! The UART: text to a person, and what they type.
#![cfg_attr(
    not(feature = "console"),
    allow(dead_code, reason = "only the console reads what is typed")
)]

use core::convert::Infallible;
use core::fmt;
use core::future::poll_fn;
use core::task::Poll;

use embassy_sync::waitqueue::AtomicWaker;
use embedded_io_async::{ErrorType, Read};

use super::registers::UART;

const DATA: usize = 0;
const INTERRUPT_ENABLE: usize = 1;
const ON_RECEIVED: u8 = 0x01;
const RECEIVED: u8 = 0x01;
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

/// What is typed. There is one who reads it.
pub struct Input;

static TYPED: AtomicWaker = AtomicWaker::new();

/// Something was typed: it stays there until it is read, and is not told again before.
pub(super) fn interrupt() {
    UART.write(INTERRUPT_ENABLE, 0u8);
    TYPED.wake();
}

impl ErrorType for Input {
    type Error = Infallible;
}

impl Read for Input {
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Infallible> {
        let Some(place) = buffer.first_mut() else {
            return Ok(0);
        };
        poll_fn(|context| {
            TYPED.register(context.waker());
            if UART.read::<u8>(LINE_STATUS) & RECEIVED == 0 {
                UART.write(INTERRUPT_ENABLE, ON_RECEIVED);
                return Poll::Pending;
            }
            *place = UART.read(DATA);
            Poll::Ready(Ok(1))
        })
        .await
    }
}
