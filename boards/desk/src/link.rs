//! The device's connection, as its loop waits for it: being opened, open, or not there.

use std::future::{Future, poll_fn};
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use monster::device::Device;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::timeout;

use crate::transport::{Connection, Endpoint, Opened, explained};

/// How long a polite end of a connection may hold up the device.
const CLOSE_TIMEOUT: Duration = Duration::from_millis(200);

/// At most one connection.
pub enum Link {
    Down,
    Opening(Pin<Box<dyn Future<Output = Result<Opened, String>>>>),
    Up {
        connection: Box<dyn Connection>,
        /// Bytes were written since the connection was flushed.
        unflushed: bool,
    },
}

/// What came of waiting.
pub enum LinkEvent {
    Opened(Option<IpAddr>),
    /// It is not, or not any more; and why.
    OpenFailed(String),
    Closed(String),
    Wrote(usize),
    Read(usize),
}

impl Link {
    /// Begins to open a connection, instead of whatever there was.
    pub fn open(&mut self, endpoint: &Endpoint) {
        *self = Link::Opening(Box::pin(endpoint.clone().open()));
    }

    /// Closes the connection, or stops opening it.
    pub async fn close(&mut self) {
        if let Link::Up { mut connection, .. } = self.take() {
            let _ = timeout(CLOSE_TIMEOUT, connection.shutdown()).await;
        }
    }

    /// Lets go of the connection as if its cable had been cut: nothing is said to anybody.
    pub fn cut(&mut self) {
        self.take();
    }

    fn take(&mut self) -> Link {
        std::mem::replace(self, Link::Down)
    }

    /// Waits until the connection is opened or lost, or bytes moved: to the broker all at once, or
    /// from it, if the device has room. Forever, if there is no connection.
    ///
    /// Cancelling it loses nothing.
    pub async fn event(&mut self, device: &mut Device<'_>) -> LinkEvent {
        poll_fn(|context| self.poll(device, context)).await
    }

    /// As [`event`](Self::event), but `None` when nothing is to be had without waiting.
    pub async fn event_now(&mut self, device: &mut Device<'_>) -> Option<LinkEvent> {
        poll_fn(|context| {
            Poll::Ready(match self.poll(device, context) {
                Poll::Ready(event) => Some(event),
                Poll::Pending => None,
            })
        })
        .await
    }

    fn poll(&mut self, device: &mut Device<'_>, context: &mut Context<'_>) -> Poll<LinkEvent> {
        match self {
            Link::Down => Poll::Pending,
            Link::Opening(opening) => {
                let event = match ready!(opening.as_mut().poll(context)) {
                    Ok(Opened { connection, ip }) => {
                        *self = Link::Up {
                            connection,
                            unflushed: false,
                        };
                        LinkEvent::Opened(ip)
                    }
                    Err(reason) => {
                        self.cut();
                        LinkEvent::OpenFailed(reason)
                    }
                };
                Poll::Ready(event)
            }
            Link::Up {
                connection,
                unflushed,
            } => {
                let moved = poll_transfer(connection, unflushed, device, context);
                let event = match ready!(moved) {
                    Ok(event) => event,
                    Err(error) => {
                        self.cut();
                        LinkEvent::Closed(explained(&error))
                    }
                };
                Poll::Ready(event)
            }
        }
    }
}

fn poll_transfer(
    connection: &mut Box<dyn Connection>,
    unflushed: &mut bool,
    device: &mut Device<'_>,
    context: &mut Context<'_>,
) -> Poll<io::Result<LinkEvent>> {
    if !device.transmit().is_empty()
        && let Poll::Ready(written) =
            Pin::new(&mut *connection).poll_write(context, device.transmit())
    {
        *unflushed = true;
        return Poll::Ready(match written {
            Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => Ok(LinkEvent::Wrote(count)),
            Err(error) => Err(error),
        });
    }
    if *unflushed && let Poll::Ready(flushed) = Pin::new(&mut *connection).poll_flush(context) {
        *unflushed = false;
        if let Err(error) = flushed {
            return Poll::Ready(Err(error));
        }
    }
    if device.receive_buffer().is_empty() {
        return Poll::Pending;
    }
    let mut buffer = ReadBuf::new(device.receive_buffer());
    ready!(Pin::new(&mut *connection).poll_read(context, &mut buffer))?;
    Poll::Ready(match buffer.filled().len() {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        count => Ok(LinkEvent::Read(count)),
    })
}
