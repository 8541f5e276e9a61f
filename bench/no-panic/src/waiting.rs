//! The same world, for who can wait.

use core::future::{Future, poll_fn};
use core::pin::pin;
use core::task::{Context, Poll, Waker};

use embedded_io::ErrorKind;
use umqtt::Instant;

use crate::world::{Clock, Transport, any, moved};

impl umqtt::Timer for Clock {
    async fn wait_until(&self, deadline: Instant) {
        any(deadline);
        pause().await;
    }
}

impl embedded_io_async::Read for Transport {
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ErrorKind> {
        pause().await;
        moved(any(buffer).len())
    }
}

impl embedded_io_async::Write for Transport {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        pause().await;
        moved(any(bytes).len())
    }

    async fn flush(&mut self) -> Result<(), ErrorKind> {
        pause().await;
        any(Ok(()))
    }
}

/// Is ready, or not yet.
async fn pause() {
    poll_fn(|context| {
        any(context);
        any(Poll::Ready(()))
    })
    .await;
}

/// Polls a future until it is done, or is cancelled.
pub fn run<F: Future>(future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    while any(true) {
        if let Poll::Ready(output) = future.as_mut().poll(any(&mut context)) {
            return Some(output);
        }
    }
    None
}
