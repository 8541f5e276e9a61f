//! A build without the feature `stream`: every message goes out whole.

use super::Outbox;

pub(super) struct Stream;

impl Stream {
    pub const NONE: Stream = Stream;

    pub const fn is_open(&self) -> bool {
        false
    }

    pub const fn queued(&self) -> usize {
        0
    }
}

impl Outbox<'_> {
    pub const fn is_streaming(&self) -> bool {
        false
    }

    pub(super) const fn stream_sent(&mut self) {}
}
