//! Keep-alive (section 3.1.2.10), and finding out that a link is dead.
//!
//! A client that sends often would never have to ping; but only an answer shows that the server
//! is still there, since its kernel acknowledges what a dead process never reads. So a PINGREQ is
//! due when three quarters of the keep-alive passed without a packet sent, or without one received.
//!
//! One time is kept whole; the others in milliseconds modulo 2^32, and less than 25 days away from it.

use crate::packet::connect::Connect;
use crate::time::Instant;

pub(crate) struct KeepAlive {
    /// When CONNECT or a PINGREQ was queued, or something was received after it.
    received: Instant,
    /// Three quarters of the keep-alive; 0 when it is off.
    interval: u32,
    /// For CONNACK, and for something to be received after a PINGREQ.
    connack_timeout: u32,
    ping_timeout: u32,
    sent: u32,
    /// When CONNECT or the last PINGREQ was queued.
    asked: u32,
    waits_for: Answer,
    /// The last PINGREQ was not answered by a PINGRESP yet.
    is_pinged: bool,
    /// One more than the milliseconds it took; 0 if no PINGREQ was answered by a PINGRESP yet.
    round_trip: u32,
}

/// What must come within a timeout.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Answer {
    None,
    /// CONNACK.
    Connack,
    /// Anything, after a PINGREQ.
    Any,
}

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    Nothing,
    Ping,
    /// CONNECT was not answered, or a PINGREQ by nothing at all.
    Dead,
}

impl KeepAlive {
    pub const fn new() -> Self {
        KeepAlive {
            received: Instant::ZERO,
            interval: 0,
            connack_timeout: 0,
            ping_timeout: 0,
            sent: 0,
            asked: 0,
            waits_for: Answer::None,
            is_pinged: false,
            round_trip: 0,
        }
    }

    /// A connection begins, with a CONNECT.
    pub fn start(&mut self, connect: &Connect<'_>, now: Instant) {
        self.set_interval(connect.keep_alive);
        self.connack_timeout = connect.connack_timeout;
        self.ping_timeout = connect.ping_timeout;
        self.is_pinged = false;
        self.waits_for = Answer::Connack;
        self.asked = low(now);
        self.sent = low(now);
        self.received = now;
    }

    /// The server accepted it.
    pub fn accepted(&mut self, now: Instant) {
        self.waits_for = Answer::None;
        self.received = now;
    }

    /// The client, or the server in the place of it, wants such a keep-alive.
    pub fn set_interval(&mut self, seconds: u16) {
        self.interval = seconds as u32 * 750;
    }

    pub fn sent(&mut self, now: Instant) {
        self.sent = low(now);
    }

    pub fn received(&mut self, now: Instant) {
        if self.waits_for != Answer::Connack {
            self.received = now;
            self.waits_for = Answer::None;
        }
    }

    /// A PINGREQ was queued. Another one does not give the server more time to answer the first.
    pub fn pinged(&mut self, now: Instant) {
        if self.waits_for == Answer::None {
            self.waits_for = Answer::Any;
            self.is_pinged = true;
            self.asked = low(now);
            // Until something is received, only that counts. Without a keep-alive, nothing may have
            // been for longer than the times can tell.
            self.received = now;
        }
    }

    /// A PINGRESP came.
    pub fn ponged(&mut self, now: Instant) {
        if self.is_pinged {
            self.is_pinged = false;
            self.round_trip = low(now).wrapping_sub(self.asked).wrapping_add(1);
        }
    }

    /// Milliseconds from the last answered PINGREQ to its PINGRESP.
    pub fn round_trip(&self) -> Option<u32> {
        self.round_trip.checked_sub(1)
    }

    /// What is due now.
    pub fn due(&self, now: Instant) -> Due {
        match self.patience() {
            Some(patience) if now.since(self.received) >= patience as u64 => match self.waits_for {
                Answer::None => Due::Ping,
                _ => Due::Dead,
            },
            _ => Due::Nothing,
        }
    }

    /// When something is due next.
    pub fn deadline(&self) -> Option<Instant> {
        Some(self.received.after(self.patience()? as u64))
    }

    /// How many milliseconds after something was received something is due.
    fn patience(&self) -> Option<u32> {
        match self.waits_for {
            Answer::None if self.interval == 0 => None,
            Answer::None => {
                // Of what was sent and what was received, the earlier counts.
                let passed = low(self.received).wrapping_sub(self.sent) as i32;
                Some(self.interval.saturating_sub(passed.max(0) as u32))
            }
            Answer::Connack => Some(self.connack_timeout),
            Answer::Any => Some(self.ping_timeout),
        }
    }
}

/// The time modulo 2^32.
fn low(now: Instant) -> u32 {
    now.as_millis() as u32
}
