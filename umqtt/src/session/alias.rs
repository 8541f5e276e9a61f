//! Topic aliases (MQTT 5, section 3.3.2.3.4). They end with the connection.

use super::message::Named;
use crate::packet::properties::Told;
use crate::packet::{ProtocolError, Reader, Writer};
use crate::topic::TopicName;

/// Topic names for which the server has set aliases: a slot of the caller's memory for each, with
/// two bytes for the length.
pub(super) struct Aliases<'b> {
    memory: &'b mut [u8],
    maximum: u16,
    /// No message's properties went by unread.
    is_complete: bool,
    /// [`take`](Aliases::take): a program that gives no memory is without it.
    take: Option<Take>,
}

type Take = fn(&mut Aliases<'_>, u16, &[u8]) -> Result<Named, ProtocolError>;

/// The length of a topic name that did not fit into its slot.
const TOO_LONG: usize = u16::MAX as usize;

impl<'b> Aliases<'b> {
    pub fn none() -> Self {
        Aliases {
            memory: &mut [],
            maximum: 0,
            is_complete: true,
            take: None,
        }
    }

    pub fn new(memory: &'b mut [u8], maximum: u16) -> Self {
        Aliases {
            memory,
            maximum,
            take: Some(|aliases, alias, topic| aliases.take(alias, topic)),
            ..Aliases::none()
        }
    }

    /// The highest alias there is room for.
    pub fn maximum(&self) -> u16 {
        self.maximum
    }

    /// A connection begins.
    pub fn clear(&mut self) {
        self.is_complete = true;
        self.memory.fill(0);
    }

    /// A message was thrown away that may have set an alias.
    pub fn missed_one(&mut self) {
        self.is_complete = false;
    }

    /// Takes notice of a message's topic name and alias, of which one may be missing.
    pub fn resolve(&mut self, alias: u32, topic: &[u8]) -> Result<Named, ProtocolError> {
        if alias == Told::NOTHING {
            return match topic.is_empty() {
                true => Err(ProtocolError::NoTopic),
                false => Ok(Named::Here),
            };
        }
        match self.take {
            Some(take) if (1..=self.maximum as u32).contains(&alias) => {
                take(self, alias as u16, topic)
            }
            _ => Err(ProtocolError::TopicAlias),
        }
    }

    /// Remembers the topic name that has this alias from now on, or else looks for the one that has it.
    fn take(&mut self, alias: u16, topic: &[u8]) -> Result<Named, ProtocolError> {
        if !topic.is_empty() {
            let is_topic = TopicName::from_bytes(topic).is_some();
            if let Some(slot) = self.slot_mut(alias).filter(|_| is_topic) {
                let fits = 2 + topic.len() <= slot.len() && topic.len() < TOO_LONG;
                let mut writer = Writer::new(slot);
                match fits {
                    true => writer.field(topic),
                    false => writer.u16(TOO_LONG as u16),
                }
            }
            return Ok(Named::Here);
        }
        match self.length(alias) {
            0 if self.is_complete => Err(ProtocolError::NoTopic),
            0 | TOO_LONG => Ok(Named::Unknown),
            _ => Ok(Named::Alias(alias)),
        }
    }

    /// The topic name an alias was resolved to.
    pub fn topic(&self, alias: u16) -> &[u8] {
        Reader::new(self.slot(alias)).field()
    }

    fn length(&self, alias: u16) -> usize {
        match self.slot(alias) {
            &[high, low, ..] => u16::from_be_bytes([high, low]) as usize,
            _ => TOO_LONG,
        }
    }

    fn slot(&self, alias: u16) -> &[u8] {
        let size = self.size();
        let at = size * (alias as usize - 1);
        self.memory.get(at..at + size).unwrap_or_default()
    }

    fn slot_mut(&mut self, alias: u16) -> Option<&mut [u8]> {
        let size = self.size();
        let at = size * (alias as usize - 1);
        self.memory.get_mut(at..at + size)
    }

    fn size(&self) -> usize {
        self.memory.len() / (self.maximum.max(1) as usize)
    }
}
