//! A transport for clients that read and write a few bytes at a time, and leave it to the
//! transport to make few system calls of them.

use std::future::Future;
use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use embedded_io_async::{ErrorType, Read, Write};

use crate::BUFFER;

/// A socket with a buffer each way. It blocks instead of being pending, which costs least.
pub struct Buffered {
    socket: TcpStream,
    received: Box<[u8; BUFFER]>,
    start: usize,
    end: usize,
    written: Vec<u8>,
}

impl Buffered {
    /// Connects to the responder.
    pub fn connect(port: u16) -> io::Result<Self> {
        let socket = TcpStream::connect(("127.0.0.1", port))?;
        socket.set_nodelay(true)?;
        Ok(Buffered {
            socket,
            received: Box::new([0; BUFFER]),
            start: 0,
            end: 0,
            written: Vec::with_capacity(BUFFER),
        })
    }
}

impl ErrorType for Buffered {
    type Error = io::Error;
}

impl Read for Buffered {
    async fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.start == self.end {
            self.start = 0;
            self.end = self.socket.read(&mut *self.received)?;
        }
        let count = buffer.len().min(self.end - self.start);
        buffer[..count].copy_from_slice(&self.received[self.start..self.start + count]);
        self.start += count;
        Ok(count)
    }
}

impl Write for Buffered {
    async fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.written.len() + bytes.len() > BUFFER {
            self.flush().await?;
        }
        self.written.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    async fn flush(&mut self) -> io::Result<()> {
        if !self.written.is_empty() {
            self.socket.write_all(&self.written)?;
            self.written.clear();
        }
        Ok(())
    }
}

/// Runs a future that is never pending.
///
/// # Panics
///
/// If it is.
pub fn block_on<F: Future>(future: F) -> F::Output {
    let future = pin!(future);
    match future.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("a blocking transport is never pending"),
    }
}
