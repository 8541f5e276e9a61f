//! Keep-alive (section 3.1.2.10), and finding out that a link is dead.
//!
//! A client that sends often would never have to ping; but only an answer shows that the server
//! is still there, since its kernel acknowledges what a dead process never reads. So a PINGREQ is
//! due when three quarters of the keep-alive passed without a packet sent, or without one received.

use crate::time::Instant;

pub(crate) struct KeepAlive {
    /// Three quarters of the keep-alive, in milliseconds; 0 when it is off.
    interval: u32,
    /// Milliseconds in which something must be received after a PINGREQ.
    timeout: u32,
    sent: Instant,
    received: Instant,
    ping: Option<Instant>,
    round_trip: Option<u32>,
}

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    Nothing,
    Ping,
    /// A PINGREQ was not answered, by nothing at all.
    Dead,
}

impl KeepAlive {
    pub const fn new() -> Self {
        KeepAlive {
            interval: 0,
            timeout: 0,
            sent: Instant::ZERO,
            received: Instant::ZERO,
            ping: None,
            round_trip: None,
        }
    }

    /// A connection begins.
    pub fn start(&mut self, seconds: u16, timeout: u32, now: Instant) {
        *self = KeepAlive {
            interval: seconds as u32 * 750,
            timeout,
            sent: now,
            received: now,
            ping: None,
            round_trip: self.round_trip,
        };
    }

    /// The server wants another keep-alive than the client did.
    #[cfg(feature = "v5")]
    pub fn set_interval(&mut self, seconds: u16) {
        self.interval = seconds as u32 * 750;
    }

    pub fn sent(&mut self, now: Instant) {
        self.sent = now;
    }

    pub fn received(&mut self, now: Instant) {
        self.received = now;
    }

    /// A PINGREQ was queued. Another one does not give the server more time to answer the first.
    pub fn pinged(&mut self, now: Instant) {
        if self.unanswered().is_none() {
            self.ping = Some(now);
        }
    }

    /// A PINGRESP came.
    pub fn ponged(&mut self, now: Instant) {
        if let Some(ping) = self.ping.take() {
            self.round_trip = Some(now.since(ping).min(u32::MAX as u64) as u32);
        }
    }

    /// Milliseconds from the last answered PINGREQ to its PINGRESP.
    pub fn round_trip(&self) -> Option<u32> {
        self.round_trip
    }

    pub fn due(&self, now: Instant) -> Due {
        match self.deadline() {
            Some(deadline) if deadline <= now => match self.unanswered() {
                Some(_) => Due::Dead,
                None => Due::Ping,
            },
            _ => Due::Nothing,
        }
    }

    /// When something is due next.
    pub fn deadline(&self) -> Option<Instant> {
        match self.unanswered() {
            Some(ping) => Some(ping.after(self.timeout as u64)),
            None if self.interval == 0 => None,
            None => Some(self.sent.min(self.received).after(self.interval as u64)),
        }
    }

    /// When the PINGREQ was queued after which nothing has been received.
    fn unanswered(&self) -> Option<Instant> {
        self.ping.filter(|&ping| self.received <= ping)
    }
}
