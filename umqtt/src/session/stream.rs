//! Messages to the server that are larger than the send buffer.

use super::Session;
use crate::error::PublishError;
use crate::packet::publish::Publish;
use crate::packet::{MAX_REMAINING, PacketIdentifier};

impl Session<'_> {
    /// Begins a message whose payload is `message.payload` and `length` bytes more, which follow by
    /// [`stream_buffer`](Self::stream_buffer) and [`streamed`](Self::streamed).
    ///
    /// Until the last of them was sent, nothing else can be: [`publish`](Self::publish) and its like
    /// say that the send buffer is full, a message of QoS 1 or 2 that came in is not acknowledged, and
    /// nothing behind it is read. The bytes must follow within the keep-alive.
    ///
    /// What was sent is not kept. So a message of QoS 1 or 2 cannot be sent again: if the connection
    /// ends before it was acknowledged, its identifier is no longer
    /// [pending](Self::is_pending), and whether it has arrived is not known. Of one of QoS 2 that
    /// the server has received (PUBREC), the rest is done over the next connection.
    pub fn publish_stream(
        &mut self,
        message: &Publish<'_>,
        length: usize,
    ) -> Result<Option<PacketIdentifier>, PublishError> {
        if !self.is_connected() {
            return Err(PublishError::NotConnected);
        }
        let (content, alias) = self.check_publish(message)?;
        let version = self.version;
        let remaining = message.remaining(content).saturating_add(length);
        if remaining > MAX_REMAINING {
            return Err(PublishError::TooLarge);
        }
        let (writer, identifier) =
            self.outbox
                .push_stream(message.first(), remaining, length, message.qos)?;
        message.write(writer, identifier, version, &mut self.told);
        self.announce(alias);
        Ok(identifier)
    }

    /// Where the next bytes go of the message begun with
    /// [`publish_stream`](Self::publish_stream): empty if it is complete or gone, and until what is
    /// there was [transmitted](Self::transmit).
    pub fn stream_buffer(&mut self) -> &mut [u8] {
        self.outbox.stream_space()
    }

    /// `count` bytes were put at the front of [`stream_buffer`](Self::stream_buffer).
    pub fn streamed(&mut self, count: usize) {
        self.outbox.streamed(count);
    }

    /// Bytes of the message that are still to be put there.
    pub fn stream_missing(&self) -> usize {
        self.outbox.stream_missing()
    }
}
