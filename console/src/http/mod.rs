//! HTTP: requests are read, in bounded time and space, and answered. One request a connection.
//!
//! The server reads a request, and finds out what it wants and whether it may; then it is gone, and the
//! answer is written out of the memory the request was in.

mod guard;
mod reply;
mod route;

use core::cell::Cell;
use core::fmt;
use core::future::poll_fn;
use core::marker::PhantomData;
use core::task::Poll;

use embassy_futures::select::{Either, Either3, select, select3};
use embedded_io_async::{ErrorKind, ErrorType, Read};
use picoserve::io::{Socket, Write};
use picoserve::mem::BorrowedCursor;
use picoserve::time::{Duration, Timer};
use picoserve::{Config, Router, Server, Timeouts};

use crate::portal::Entrance;
use crate::state::{Console, Host};
use crate::webrepl;
use reply::{Out, Reply};
use route::{Service, Turn};

/// Bytes for a request's head, and for a small body; and afterwards for a piece of the answer.
pub const REQUEST_BUFFER: usize = 1536;

/// How long things may take: a connection that brings no request, a request, and a piece of an answer.
const CONFIG: Config = Config::new(Timeouts {
    start_read_request: Duration::from_secs(3),
    persistent_start_read_request: Duration::from_secs(1),
    read_request: Duration::from_secs(3),
    write: Duration::from_secs(3),
});

/// How long a request may take to come, and an answer to leave, unless it is a stream of events.
const WHOLE: Duration = Duration::from_secs(20);

/// Serves what comes in by one connection and this entrance, and closes it. `buffer` is of
/// [`REQUEST_BUFFER`] bytes, or more for longer heads.
///
/// Nothing that comes in makes it fail: a connection that breaks is at its end. Cancelling it drops the
/// connection.
pub async fn serve<Runtime, H, T, S>(
    console: &Console<H>,
    timer: &T,
    entrance: Entrance,
    mut socket: S,
    buffer: &mut [u8],
) where
    H: Host,
    T: Timer<Runtime>,
    S: Socket<Runtime>,
{
    // One after the other: what reads the request is gone before the answer is made, and both need
    // the same memory.
    let turn = request(console, timer, entrance, &mut socket, buffer).await;
    let is_whole = match turn {
        Asked::Wanted(Turn::WebSocket(hello)) => {
            webrepl::serve(console, timer, &mut socket, &hello, buffer).await;
            true
        }
        Asked::Wanted(turn) => answer(console, timer, &mut socket, buffer, turn).await,
        Asked::Nothing => false,
    };
    let _ = match is_whole {
        true => socket.shutdown(&CONFIG.timeouts, timer).await,
        false => socket.abort(&CONFIG.timeouts, timer).await,
    };
}

/// What came in by a connection.
enum Asked<'a, H> {
    Wanted(Turn<'a, H>),
    /// No whole request in time, or the connection broke.
    Nothing,
}

/// Reads a request, and finds out what it wants.
async fn request<'a, Runtime, H, T, S>(
    console: &'a Console<H>,
    timer: &T,
    entrance: Entrance,
    socket: &mut S,
    buffer: &mut [u8],
) -> Asked<'a, H>
where
    H: Host,
    T: Timer<Runtime>,
    S: Socket<Runtime>,
{
    let turn = Cell::new(None);
    let app = Router::from_service(Service {
        console,
        entrance,
        turn: &turn,
    });
    let server = Server::custom(&app, Borrowed(timer), &CONFIG, buffer);
    // The server is left as soon as it has found out: it is polled first.
    let found = poll_fn(|_| turn.take().map_or(Poll::Pending, Poll::Ready));
    match select3(server.serve(Lent(socket)), found, timer.delay(WHOLE)).await {
        Either3::Second(turn) => Asked::Wanted(turn),
        // It would have said that this is no request.
        Either3::First(Err(picoserve::Error::Write(_))) => Asked::Wanted(Reply::NONSENSE.into()),
        Either3::First(_) | Either3::Third(()) => Asked::Nothing,
    }
}

/// Does what is wanted, and answers. Returns whether all of the answer was written.
async fn answer<Runtime, H, T, S>(
    console: &Console<H>,
    timer: &T,
    socket: &mut S,
    buffer: &mut [u8],
    turn: Turn<'_, H>,
) -> bool
where
    H: Host,
    T: Timer<Runtime>,
    S: Socket<Runtime>,
{
    let (_, writer) = socket.split();
    let mut out = Out::new(writer, timer, buffer);
    let is_stream = matches!(turn, Turn::Events(_));
    let too_long = async {
        if is_stream {
            core::future::pending().await
        }
        timer.delay(WHOLE).await;
    };
    let answered = select(reply::write(console, turn, &mut out), too_long).await;
    matches!(answered, Either::First(Ok(())))
}

/// A timer that is somebody else's.
struct Borrowed<'a, T>(&'a T);

impl<Runtime, T: Timer<Runtime>> Timer<Runtime> for Borrowed<'_, T> {
    fn delay(&self, duration: Duration) -> impl Future<Output = ()> {
        self.0.delay(duration)
    }
}

/// A connection that is lent to the server: it reads, writes nothing, and leaves it open.
struct Lent<'a, S>(&'a mut S);

impl<Runtime, S: Socket<Runtime>> Socket<Runtime> for Lent<'_, S> {
    type Error = NoMore<S::Error>;
    type ReadHalf<'b>
        = Reader<S::ReadHalf<'b>>
    where
        Self: 'b;
    type WriteHalf<'b>
        = Mute<S::Error>
    where
        Self: 'b;

    fn split(&mut self) -> (Self::ReadHalf<'_>, Self::WriteHalf<'_>) {
        let (reader, _) = self.0.split();
        (Reader(reader), Mute(PhantomData))
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
        Ok(())
    }
}

/// Why the server can do no more.
#[derive(Debug)]
enum NoMore<E> {
    /// The connection is gone.
    Gone(E),
    /// It is not the server who writes.
    Mute,
}

impl<E: fmt::Debug> fmt::Display for NoMore<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl<E: fmt::Debug> core::error::Error for NoMore<E> {}

impl<E: embedded_io_async::Error> embedded_io_async::Error for NoMore<E> {
    fn kind(&self) -> ErrorKind {
        match self {
            NoMore::Gone(error) => error.kind(),
            NoMore::Mute => ErrorKind::Unsupported,
        }
    }
}

struct Reader<R>(R);

impl<R: ErrorType> ErrorType for Reader<R> {
    type Error = NoMore<R::Error>;
}

impl<R: Read> Read for Reader<R> {
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Self::Error> {
        self.0.read(buffer).await.map_err(NoMore::Gone)
    }
}

struct Mute<E>(PhantomData<E>);

impl<E: embedded_io_async::Error> ErrorType for Mute<E> {
    type Error = NoMore<E>;
}

impl<E: embedded_io_async::Error> embedded_io_async::Write for Mute<E> {
    async fn write(&mut self, _: &[u8]) -> Result<usize, Self::Error> {
        Err(NoMore::Mute)
    }

    async fn flush(&mut self) -> Result<(), Self::Error> {
        Err(NoMore::Mute)
    }
}

impl<E: embedded_io_async::Error> Write for Mute<E> {
    async fn write_with<F: FnOnce(BorrowedCursor<'_>) -> R, R>(
        &mut self,
        _: F,
    ) -> Result<R, Self::Error> {
        Err(NoMore::Mute)
    }
}
