//! HTTP: requests are read, in bounded time and space, and answered. One request a connection.

mod guard;
mod reply;
mod route;

use core::cell::{Cell, RefCell};

use embassy_futures::select::select;
use embedded_io_async::{ErrorKind, ErrorType, Read};
use picoserve::io::{Socket, Write};
use picoserve::mem::BorrowedCursor;
use picoserve::time::{Duration, Timer};
use picoserve::{Config, Router, Server, Timeouts};

use crate::state::{Console, Host};
use crate::webrepl::{self, Accept};
pub(crate) use reply::cut;
use route::Service;

/// Bytes for a request's head, and for a small body.
pub const REQUEST_BUFFER: usize = 2048;

/// How long things may take: a connection that brings no request, a request, and a piece of an answer.
const CONFIG: Config = Config::new(Timeouts {
    start_read_request: Duration::from_secs(3),
    persistent_start_read_request: Duration::from_secs(1),
    read_request: Duration::from_secs(3),
    write: Duration::from_secs(3),
});

/// How long an answer may take in all, unless it is a stream of events.
const ANSWER: Duration = Duration::from_secs(20);

/// Serves what comes in by one connection, and closes it. `buffer` is of [`REQUEST_BUFFER`] bytes.
///
/// Nothing that comes in makes it fail: a connection that breaks is at its end. Cancelling it drops the
/// connection.
pub async fn serve<Runtime, H, T, S>(
    console: &Console<H>,
    timer: &T,
    mut socket: S,
    buffer: &mut [u8],
) where
    H: Host,
    T: Timer<Runtime>,
    S: Socket<Runtime>,
{
    let turns = Turns::default();
    {
        let app = Router::from_service(Service {
            console,
            turns: &turns,
        });
        let lent = Lent {
            socket: &mut socket,
            turns: &turns,
        };
        let server = Server::custom(&app, Borrowed(timer), &CONFIG, buffer);
        let too_long = async {
            timer.delay(ANSWER).await;
            if turns.is_stream.get() {
                core::future::pending().await
            }
        };
        // A connection that broke is nobody's business.
        let _ = select(server.serve(lent), too_long).await;
    }
    let _ = match (turns.upgrade.take(), turns.is_whole.get()) {
        (Some(accept), _) => {
            webrepl::serve(console, timer, &mut socket, &accept, buffer).await;
            socket.shutdown(&CONFIG.timeouts, timer).await
        }
        (None, true) => socket.shutdown(&CONFIG.timeouts, timer).await,
        (None, false) => socket.abort(&CONFIG.timeouts, timer).await,
    };
}

/// What a connection turns out to be.
#[derive(Default)]
struct Turns {
    /// A WebSocket: HTTP lets go of it.
    upgrade: RefCell<Option<Accept>>,
    /// A stream of events, which takes as long as it takes.
    is_stream: Cell<bool>,
    /// All of the answer was written.
    is_whole: Cell<bool>,
}

/// A timer that is somebody else's.
struct Borrowed<'a, T>(&'a T);

impl<Runtime, T: Timer<Runtime>> Timer<Runtime> for Borrowed<'_, T> {
    fn delay(&self, duration: Duration) -> impl Future<Output = ()> {
        self.0.delay(duration)
    }
}

/// A connection as long as it is HTTP's. Once it is upgraded, nothing more is written to it, and it
/// stays open.
struct Lent<'a, S> {
    socket: &'a mut S,
    turns: &'a Turns,
}

impl<Runtime, S: Socket<Runtime>> Socket<Runtime> for Lent<'_, S> {
    type Error = Gone<S::Error>;
    type ReadHalf<'b>
        = Half<'b, S::ReadHalf<'b>>
    where
        Self: 'b;
    type WriteHalf<'b>
        = Half<'b, S::WriteHalf<'b>>
    where
        Self: 'b;

    fn split(&mut self) -> (Self::ReadHalf<'_>, Self::WriteHalf<'_>) {
        let (reader, writer) = self.socket.split();
        let turns = self.turns;
        (
            Half {
                inner: reader,
                turns,
            },
            Half {
                inner: writer,
                turns,
            },
        )
    }

    async fn abort<T: Timer<Runtime>>(
        self,
        _: &Timeouts,
        _: &T,
    ) -> Result<(), picoserve::Error<Self::Error>> {
        Ok(())
    }

    async fn shutdown<T: Timer<Runtime>>(
        self,
        _: &Timeouts,
        _: &T,
    ) -> Result<(), picoserve::Error<Self::Error>> {
        self.turns.is_whole.set(true);
        Ok(())
    }
}

struct Half<'a, I> {
    inner: I,
    turns: &'a Turns,
}

/// Why a connection is not HTTP's any more.
#[derive(Debug)]
enum Gone<E> {
    Broken(E),
    Upgraded,
}

impl<E: core::fmt::Debug> core::fmt::Display for Gone<E> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        core::fmt::Debug::fmt(self, f)
    }
}

impl<E: core::fmt::Debug> core::error::Error for Gone<E> {}

impl<E: embedded_io_async::Error> embedded_io_async::Error for Gone<E> {
    fn kind(&self) -> ErrorKind {
        match self {
            Gone::Broken(error) => error.kind(),
            Gone::Upgraded => ErrorKind::NotConnected,
        }
    }
}

impl<I: ErrorType> ErrorType for Half<'_, I> {
    type Error = Gone<I::Error>;
}

impl<I: Read> Read for Half<'_, I> {
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Self::Error> {
        self.inner.read(buffer).await.map_err(Gone::Broken)
    }
}

impl<I> Half<'_, I> {
    fn check<E>(&self) -> Result<(), Gone<E>> {
        match self.turns.upgrade.try_borrow() {
            Ok(upgrade) if upgrade.is_none() => Ok(()),
            _ => Err(Gone::Upgraded),
        }
    }
}

impl<I: embedded_io_async::Write> embedded_io_async::Write for Half<'_, I> {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, Self::Error> {
        self.check()?;
        self.inner.write(bytes).await.map_err(Gone::Broken)
    }

    async fn flush(&mut self) -> Result<(), Self::Error> {
        self.check()?;
        self.inner.flush().await.map_err(Gone::Broken)
    }
}

impl<I: Write> Write for Half<'_, I> {
    async fn write_with<F: FnOnce(BorrowedCursor<'_>) -> R, R>(
        &mut self,
        fill: F,
    ) -> Result<R, Self::Error> {
        self.check()?;
        self.inner.write_with(fill).await.map_err(Gone::Broken)
    }
}
