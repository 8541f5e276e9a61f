//! Messages that wait until the session may have them.

use core::fmt;

use crate::error::PublishError;
use crate::inbox::move_down;
use crate::packet::properties::PropertyList;
use crate::packet::publish::{Publish, is_topic_name};
use crate::packet::{
    FixedHeader, MAX_REMAINING, PacketIdentifier, Qos, Reader, Writer, packet_length,
};
use crate::session::Session;

/// Messages that wait, in order, in a buffer of the caller's: while there is no connection, or while
/// the session has no room.
///
/// Each takes the bytes of its topic name and payload, and 4 to 7 more. What gives way when there is
/// no room is said by a [`BacklogPolicy`], and counted. Properties are not kept, and it is gone with
/// the power: what is in flight, a session's [`snapshot`](Session::snapshot) keeps.
///
/// ```
/// use umqtt::{Backlog, BacklogError, BacklogPolicy, Publish, Qos, Session};
///
/// # fn example(session: &mut Session<'_>) -> Result<(), BacklogError> {
/// let mut memory = [0; 256];
/// let mut backlog = Backlog::new(&mut memory, BacklogPolicy::KeepLatest);
/// // Whether there is a connection or not:
/// backlog.push(&Publish::new("hall/temperature", b"21.5").qos(Qos::AtLeastOnce))?;
/// // And whenever there may be one, and room. With a driver, `client.session_mut()`, and then
/// // `client.flush()`; with several tasks, `Shared::feed`.
/// backlog.feed(session, |message, queued| {
///     if let Err(refused) = queued {
///         println!("{} never leaves: {refused}", message.topic);
///     }
/// });
/// # Ok(())
/// # }
/// ```
pub struct Backlog<'b> {
    /// Packets as MQTT 3.1.1 writes them at QoS 0, whatever theirs is: without an identifier.
    buffer: &'b mut [u8],
    start: usize,
    end: usize,
    policy: BacklogPolicy,
    dropped: u32,
    replaced: u32,
}

/// What becomes of a message for which a [`Backlog`] has no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BacklogPolicy {
    /// It is not taken: for messages each of which somebody answers for.
    Reject,
    /// The oldest are dropped: for events, of which the newest matter most.
    DropOldest,
    /// As [`DropOldest`](Self::DropOldest); and a message takes away the one of the same topic that
    /// waits, and goes behind all others: for states, of which only the latest matters.
    KeepLatest,
}

/// Why a [`Backlog`] did not take a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BacklogError {
    /// There is no room for now, and the policy is [`BacklogPolicy::Reject`].
    Full,
    /// It is larger than the backlog's buffer, or than any packet may be.
    TooLarge,
    /// Empty, longer than 65,535 bytes, or with a wildcard or U+0000 (section 4.7).
    InvalidTopic,
    /// It has properties, which are not kept: publish it when there is a connection.
    Properties,
}

impl fmt::Display for BacklogError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            BacklogError::Full => "the backlog is full: feed a session, or drop some",
            BacklogError::TooLarge => "the message is larger than the backlog's buffer",
            BacklogError::InvalidTopic => {
                "not a topic name: that has 1 to 65,535 bytes, and no +, # or U+0000"
            }
            BacklogError::Properties => {
                "a backlog does not keep properties: publish it while there is a connection"
            }
        })
    }
}

impl core::error::Error for BacklogError {}

impl<'b> Backlog<'b> {
    /// An empty backlog.
    pub const fn new(buffer: &'b mut [u8], policy: BacklogPolicy) -> Self {
        Backlog {
            buffer,
            start: 0,
            end: 0,
            policy,
            dropped: 0,
            replaced: 0,
        }
    }

    /// Puts a message behind those that wait. One that is not taken counts as
    /// [dropped](Self::dropped).
    pub fn push(&mut self, message: &Publish<'_>) -> Result<(), BacklogError> {
        let pushed = self.try_push(message);
        if pushed.is_err() {
            self.count_dropped();
        }
        pushed
    }

    fn try_push(&mut self, message: &Publish<'_>) -> Result<(), BacklogError> {
        if !is_topic_name(message.topic) {
            return Err(BacklogError::InvalidTopic);
        }
        if !message.properties.is_empty() {
            return Err(BacklogError::Properties);
        }
        let remaining = 2 + message.topic.len() + message.payload.len();
        let length = packet_length(remaining);
        // What will never fit must not drive others out.
        if remaining > MAX_REMAINING || length > self.buffer.len() {
            return Err(BacklogError::TooLarge);
        }
        if self.policy == BacklogPolicy::KeepLatest && self.remove(message.topic) {
            self.replaced = self.replaced.saturating_add(1);
        }
        while length > self.buffer.len() - (self.end - self.start) {
            if self.policy == BacklogPolicy::Reject {
                return Err(BacklogError::Full);
            }
            self.pop();
            self.count_dropped();
        }
        if length > self.buffer.len() - self.end {
            move_down(self.buffer, self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        let packet = self.buffer.get_mut(self.end..self.end + length);
        let mut writer = Writer::packet(packet.unwrap_or_default(), message.first(), remaining);
        writer.field(message.topic.as_bytes());
        writer.bytes(message.payload);
        self.end += length;
        Ok(())
    }

    /// Removes the message with this topic; `false` if there is none.
    fn remove(&mut self, topic: &str) -> bool {
        let mut at = self.start;
        while let Some((message, length)) = self.entry(at) {
            if message.topic == topic {
                move_down(self.buffer, at + length..self.end, at);
                self.end -= length;
                return true;
            }
            at += length;
        }
        false
    }

    /// Publishes those that wait, the oldest first, until the session has no room, or none is left;
    /// returns how many it took. Call it again when something was
    /// [transmitted](Session::transmitted) or acknowledged.
    ///
    /// Each that leaves the backlog is handed to `told`, with what [`Session::publish`] said. One that
    /// the session will never take is dropped; [`PublishError::Full`] and
    /// [`PublishError::NotConnected`] keep it here, and are not told.
    pub fn feed(
        &mut self,
        session: &mut Session<'_>,
        mut told: impl FnMut(&Publish<'_>, Result<Option<PacketIdentifier>, PublishError>),
    ) -> usize {
        let mut taken = 0;
        while let Some(message) = self.front() {
            let queued = session.publish(&message);
            if let Err(PublishError::Full | PublishError::NotConnected) = queued {
                break;
            }
            told(&message, queued);
            self.pop();
            match queued {
                Ok(_) => taken += 1,
                Err(_) => self.count_dropped(),
            }
        }
        taken
    }

    /// The message that has waited longest.
    #[must_use]
    pub fn front(&self) -> Option<Publish<'_>> {
        self.entry(self.start).map(|(message, _)| message)
    }

    /// Takes the message away that has waited longest: it was sent by other means, or is no longer
    /// wanted. `false` if none waits.
    pub fn pop(&mut self) -> bool {
        let Some((_, length)) = self.entry(self.start) else {
            return false;
        };
        self.start += length;
        if self.start == self.end {
            self.start = 0;
            self.end = 0;
        }
        true
    }

    /// Takes all of them away; none counts as dropped.
    pub fn clear(&mut self) {
        self.start = 0;
        self.end = 0;
    }

    /// The messages that wait, the oldest first.
    pub fn iter(&self) -> impl Iterator<Item = Publish<'_>> {
        let mut at = self.start;
        core::iter::from_fn(move || {
            let (message, length) = self.entry(at)?;
            at += length;
            Some(message)
        })
    }

    /// Whether none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Messages that were handed in and will not be sent, since there was no room for them, or
    /// since neither backlog nor session would ever take them.
    #[must_use]
    pub fn dropped(&self) -> u32 {
        self.dropped
    }

    /// Messages that gave way to a later one of their topic, with [`BacklogPolicy::KeepLatest`].
    #[must_use]
    pub fn replaced(&self) -> u32 {
        self.replaced
    }

    fn count_dropped(&mut self) {
        self.dropped = self.dropped.saturating_add(1);
    }

    /// The message that begins at `at`, and its bytes.
    fn entry(&self, at: usize) -> Option<(Publish<'_>, usize)> {
        let bytes = self.buffer.get(at..self.end)?;
        let header = FixedHeader::decode(bytes)?;
        let length = header.packet_length();
        let mut fields = Reader::new(bytes.get(header.length..length)?);
        let message = Publish {
            topic: core::str::from_utf8(fields.field()).ok()?,
            payload: fields.rest,
            qos: Qos::from_bits(header.first >> 1 & 3)?,
            retain: header.first & 1 != 0,
            properties: PropertyList::NONE,
        };
        Some((message, length))
    }
}
