//! A connection to a [`Broker`] that pends, splits and fails where a test wants it to; for both
//! drivers.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use embedded_io::{ErrorKind, ErrorType, ReadReady};

use super::VirtualClock;
use super::broker::Broker;

/// What a wire does to the bytes.
#[derive(Clone, Copy)]
pub struct Conduct {
    /// Bytes that one read or write moves at most.
    pub chunk: usize,
    /// Every other poll of a read, write or flush is pending, though it could go on.
    pub pends: bool,
    /// Bytes after which everything fails.
    pub fails_after: Option<usize>,
}

pub const SMOOTH: Conduct = Conduct {
    chunk: usize::MAX,
    pends: false,
    fails_after: None,
};

/// One connection to the broker.
pub struct Wire {
    pub broker: Rc<RefCell<Broker>>,
    clock: VirtualClock,
    conduct: Conduct,
    pended: bool,
    moved: usize,
    counts: Rc<Counts>,
}

/// What was asked of all wires of a test.
#[derive(Default)]
pub struct Counts {
    pub writes: Cell<usize>,
    pub reads: Cell<usize>,
    pub flushes: Cell<usize>,
}

impl Wire {
    pub fn new(
        broker: &Rc<RefCell<Broker>>,
        clock: &VirtualClock,
        conduct: Conduct,
        counts: &Rc<Counts>,
    ) -> Self {
        broker.borrow_mut().accept();
        Wire {
            broker: broker.clone(),
            clock: clock.clone(),
            conduct,
            pended: false,
            moved: 0,
            counts: counts.clone(),
        }
    }

    /// How many of `wanted` bytes move now.
    fn admit(&mut self, wanted: usize) -> Result<usize, ErrorKind> {
        let mut count = wanted.min(self.conduct.chunk);
        if let Some(limit) = self.conduct.fails_after {
            count = count.min(limit - self.moved);
            if count == 0 {
                return Err(ErrorKind::ConnectionReset);
            }
        }
        self.moved += count;
        Ok(count)
    }

    fn put(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        let count = self.admit(bytes.len())?;
        self.counts.writes.set(self.counts.writes.get() + 1);
        self.broker.borrow_mut().write(&bytes[..count]);
        Ok(count)
    }

    /// `None` when there is nothing to be read yet.
    fn take(&mut self, buffer: &mut [u8]) -> Option<Result<usize, ErrorKind>> {
        let broker = self.broker.clone();
        let mut broker = broker.borrow_mut();
        if !broker.has_output() {
            self.clock.starve();
            return broker.left.then_some(Ok(0));
        }
        assert!(!buffer.is_empty(), "a read without room");
        Some(self.admit(buffer.len()).map(|count| {
            self.counts.reads.set(self.counts.reads.get() + 1);
            broker.read(&mut buffer[..count])
        }))
    }

    /// Whether this poll is to be pending for no reason.
    fn pends(&mut self) -> bool {
        self.pended = self.conduct.pends && !self.pended;
        self.pended
    }

    async fn hesitate(&mut self) {
        poll_fn(|_| match self.pends() {
            true => Poll::Pending,
            false => Poll::Ready(()),
        })
        .await
    }
}

impl ErrorType for Wire {
    type Error = ErrorKind;
}

impl embedded_io_async::Read for Wire {
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ErrorKind> {
        poll_fn(|_| match self.pends() {
            true => Poll::Pending,
            false => self.take(buffer).map_or(Poll::Pending, Poll::Ready),
        })
        .await
    }
}

impl embedded_io_async::Write for Wire {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        self.hesitate().await;
        self.put(bytes)
    }

    async fn flush(&mut self) -> Result<(), ErrorKind> {
        self.hesitate().await;
        self.counts.flushes.set(self.counts.flushes.get() + 1);
        Ok(())
    }
}

impl embedded_io::Read for Wire {
    /// A read that finds nothing gives up after a second.
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ErrorKind> {
        self.take(buffer).unwrap_or_else(|| {
            self.clock.advance(1_000);
            Err(ErrorKind::TimedOut)
        })
    }
}

impl embedded_io::Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        if self.pends() {
            return Err(ErrorKind::Interrupted);
        }
        self.put(bytes)
    }

    fn flush(&mut self) -> Result<(), ErrorKind> {
        self.counts.flushes.set(self.counts.flushes.get() + 1);
        Ok(())
    }
}

impl ReadReady for Wire {
    fn read_ready(&mut self) -> Result<bool, ErrorKind> {
        let broker = self.broker.borrow();
        Ok(broker.has_output() || broker.left)
    }
}

/// Runs futures in virtual time, and cancels one of them.
pub struct Executor {
    clock: VirtualClock,
    /// Polls that were pending so far, over all futures.
    pub pending: usize,
    /// The one after which the future is dropped.
    pub cancel_at: Option<usize>,
}

impl Executor {
    pub fn new(clock: &VirtualClock, cancel_at: Option<usize>) -> Self {
        Executor {
            clock: clock.clone(),
            pending: 0,
            cancel_at,
        }
    }

    /// The future's outcome; `None` if it was cancelled. Time goes on only while the future waits
    /// for bytes that do not come.
    #[track_caller]
    pub fn run<F: Future>(&mut self, future: F) -> Option<F::Output> {
        let mut future = pin!(future);
        let mut context = Context::from_waker(Waker::noop());
        for polls in 1.. {
            if let Poll::Ready(outcome) = future.as_mut().poll(&mut context) {
                return Some(outcome);
            }
            self.pending += 1;
            if self.cancel_at == Some(self.pending) {
                return None;
            }
            assert!(polls < 100_000, "the future gets nowhere");
            self.clock.advance_if_starved();
        }
        unreachable!()
    }
}
