//! The serial port as a transport.

use core::future::{Future, poll_fn};
use core::pin::pin;
use core::task::{Context, Poll, Waker};

use embedded_io::{ErrorKind, ErrorType, Read, Write};

use crate::board;

/// Milliseconds after which a blocking read gives up.
const PATIENCE: u32 = 50;

/// The serial port.
#[derive(Clone, Copy)]
pub struct Serial;

impl ErrorType for Serial {
    type Error = ErrorKind;
}

impl Serial {
    /// What is there, without waiting.
    fn take(self, buffer: &mut [u8]) -> usize {
        let mut count = 0;
        for to in buffer {
            let Some(byte) = board::receive() else { break };
            *to = byte;
            count += 1;
        }
        count
    }
}

impl Read for Serial {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ErrorKind> {
        let start = board::milliseconds();
        loop {
            let count = self.take(buffer);
            if count > 0 {
                return Ok(count);
            }
            if board::milliseconds().wrapping_sub(start) > PATIENCE {
                return Err(ErrorKind::TimedOut);
            }
        }
    }
}

impl Write for Serial {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        for byte in bytes {
            board::send(*byte);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<(), ErrorKind> {
        Ok(())
    }
}

impl embedded_io_async::Read for Serial {
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ErrorKind> {
        poll_fn(|_| match self.take(buffer) {
            0 => Poll::Pending,
            count => Poll::Ready(Ok(count)),
        })
        .await
    }
}

impl embedded_io_async::Write for Serial {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        Write::write(self, bytes)
    }

    async fn flush(&mut self) -> Result<(), ErrorKind> {
        Ok(())
    }
}

/// Polls a future until it is done.
pub fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
    }
}

/// Lets the others have a turn.
pub async fn yield_now() {
    let mut yielded = false;
    poll_fn(|_| match core::mem::replace(&mut yielded, true) {
        true => Poll::Ready(()),
        false => Poll::Pending,
    })
    .await;
}
