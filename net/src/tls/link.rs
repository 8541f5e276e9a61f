//! The TCP connection below TLS: shared by both directions, and watched.

use core::cell::RefCell;
use core::future::poll_fn;
use core::pin::pin;
use core::task::{Poll, ready};

use embassy_net::tcp::{TcpReader, TcpSocket, TcpWriter};
use embedded_io_async::{ErrorKind, ErrorType, Read, Write};

use super::guard::Guard;

/// The two directions of a connection, and the guard of what comes in.
pub(crate) struct Line<'a> {
    reader: RefCell<TcpReader<'a>>,
    writer: RefCell<TcpWriter<'a>>,
    guard: RefCell<Guard>,
}

impl<'a> Line<'a> {
    /// One over this connection.
    pub fn new(socket: &'a mut TcpSocket<'_>) -> Self {
        let (reader, writer) = socket.split();
        Line {
            reader: RefCell::new(reader),
            writer: RefCell::new(writer),
            guard: RefCell::default(),
        }
    }
}

/// An end of a [`Line`], as the TLS library wants it.
#[derive(Clone, Copy)]
pub(crate) struct Link<'l>(pub &'l Line<'l>);

impl Link<'_> {
    /// The handshake is over.
    pub(super) fn open(self) {
        self.0.guard.borrow_mut().open();
    }
}

impl ErrorType for Link<'_> {
    type Error = ErrorKind;
}

impl Read for Link<'_> {
    async fn read(&mut self, bytes: &mut [u8]) -> Result<usize, ErrorKind> {
        let read = poll_fn(|context| {
            let mut reader = self.0.reader.borrow_mut();
            let count = ready!(pin!(reader.read(bytes)).poll(context));
            Poll::Ready(count.map_err(|_| ErrorKind::ConnectionReset))
        });
        let count = read.await?;
        let came = bytes.get(..count).unwrap_or_default();
        let looked = self.0.guard.borrow_mut().look(came);
        looked.map_err(|_| ErrorKind::InvalidData)?;
        Ok(count)
    }
}

impl Write for Link<'_> {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        poll_fn(|context| {
            let mut writer = self.0.writer.borrow_mut();
            let count = ready!(pin!(writer.write(bytes)).poll(context));
            Poll::Ready(count.map_err(|_| ErrorKind::ConnectionReset))
        })
        .await
    }

    /// The network sends by itself.
    async fn flush(&mut self) -> Result<(), ErrorKind> {
        Ok(())
    }
}
