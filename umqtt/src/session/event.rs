//! What a session tells its caller.

use crate::packet::PacketIdentifier;
use crate::packet::properties::Properties;
use crate::packet::publish::{Layout, Message};
use crate::packet::reason::ReasonCode;
use crate::packet::subscribe::ReasonCodes;

/// What happened, from [`Session::poll`](crate::Session::poll).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event<'a> {
    /// The server accepted the connection (CONNACK).
    Connected {
        /// Whether the server still had this client's session: if not, subscribe again.
        session_present: bool,
        /// What the server takes and gives. MQTT 5. What limits the client, the session keeps to by
        /// itself.
        properties: Properties<'a>,
    },
    /// A message came in. One of QoS 1 or 2 is acknowledged by the next call of
    /// [`Session::poll`](crate::Session::poll): who comes back for more has taken this one.
    Message(Message<'a>),
    /// A part of a message came in that is larger than the receive buffer, with
    /// [`Oversize::Stream`](crate::Oversize::Stream). The last one is acknowledged as
    /// [`Message`](Self::Message) is. Should the connection break before, the message of QoS 1 or 2
    /// comes again from its beginning.
    Chunk(Chunk<'a>),
    /// A message came in that is larger than the receive buffer; it is thrown away, and answered
    /// as [`Oversize`](crate::Oversize) says. With MQTT 5 also one under an alias for a topic name
    /// that was too long to be remembered.
    TooLarge {
        /// Its topic name, unless that alone, or with the properties, is larger than the buffer.
        topic: Option<&'a str>,
        /// Bytes of its payload.
        length: usize,
    },
    /// A message of QoS 1 or 2 has arrived at the server (PUBACK or PUBCOMP), or, with MQTT 5, was
    /// refused (with a PUBREC, too).
    Published(PacketIdentifier, Answer<'a>),
    /// The server answered a SUBSCRIBE, filter by filter (SUBACK).
    Subscribed(PacketIdentifier, ReasonCodes<'a>),
    /// The server answered an UNSUBSCRIBE (UNSUBACK): with MQTT 5, filter by filter.
    Unsubscribed(PacketIdentifier, ReasonCodes<'a>),
    /// The server answered a PINGREQ.
    Pong,
    /// The server goes on with an authentication (AUTH): if its reason is
    /// [`ReasonCode::CONTINUE_AUTHENTICATION`], with
    /// [`Session::authenticate`](crate::Session::authenticate) so do you. MQTT 5.
    Authentication(Answer<'a>),
}

/// A part of a message that is larger than the receive buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunk<'a> {
    /// The message; its payload is this part of it.
    pub message: Message<'a>,
    /// Bytes of the payload that came before.
    pub offset: usize,
    /// Bytes of the whole payload.
    pub total: usize,
}

impl Chunk<'_> {
    /// Whether nothing of the message follows.
    pub const fn is_last(&self) -> bool {
        self.offset + self.message.payload.len() == self.total
    }
}

/// What the server says to something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer<'a> {
    /// [`ReasonCode::SUCCESS`], unless MQTT 5 has more to say.
    pub reason: ReasonCode,
    /// More of it. MQTT 5.
    pub properties: Properties<'a>,
}

/// What `Session::step` found: an [`Event`] that does not borrow yet, and says no more than what
/// [`Last`] does not know. So it is returned in registers, and not copied from hand to hand.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    Connected {
        session_present: bool,
    },
    Message,
    Chunk {
        offset: usize,
    },
    TooLarge,
    Headless {
        length: usize,
    },
    Published(PacketIdentifier, ReasonCode),
    Subscribed(PacketIdentifier),
    Unsubscribed(PacketIdentifier),
    Pong,
    #[cfg(feature = "v5")]
    Authentication(ReasonCode),
}

/// Where the parts of the packet lie that was received last.
pub(super) struct Last {
    /// Of a message.
    pub layout: Layout,
    /// Offset of the message's first byte.
    pub at: usize,
    #[cfg(feature = "v5")]
    pub alias: u16,
    /// The codes of an answer, or this piece of a message's payload.
    pub part: Part,
    /// Properties of what is no message.
    #[cfg(feature = "v5")]
    pub properties: Part,
}

impl Last {
    pub const NOTHING: Last = Last {
        layout: Layout::NOTHING,
        at: 0,
        #[cfg(feature = "v5")]
        alias: 0,
        part: Part::NOTHING,
        #[cfg(feature = "v5")]
        properties: Part::NOTHING,
    };
}

/// A part of the receive buffer.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Part {
    pub at: usize,
    pub length: usize,
}

impl Part {
    pub const NOTHING: Part = Part { at: 0, length: 0 };

    pub fn of(self, memory: &[u8]) -> &[u8] {
        memory
            .get(self.at..self.at + self.length)
            .unwrap_or_default()
    }
}

impl super::Session<'_> {
    /// The event the last step stands for.
    pub(crate) fn event(&self, step: Step) -> Event<'_> {
        match step {
            Step::Connected { session_present } => Event::Connected {
                session_present,
                properties: self.properties(),
            },
            Step::Message => Event::Message(self.message()),
            Step::Chunk { offset } => Event::Chunk(Chunk {
                message: Message {
                    payload: self.last.part.of(self.inbox.memory()),
                    ..self.message()
                },
                offset,
                total: self.last.layout.payload_length(),
            }),
            Step::TooLarge => Event::TooLarge {
                topic: Some(self.message().topic),
                length: self.last.layout.payload_length(),
            },
            Step::Headless { length } => Event::TooLarge {
                topic: None,
                length,
            },
            Step::Published(identifier, reason) => Event::Published(
                identifier,
                Answer {
                    reason,
                    properties: self.properties(),
                },
            ),
            Step::Subscribed(identifier) => Event::Subscribed(identifier, self.codes()),
            Step::Unsubscribed(identifier) => Event::Unsubscribed(identifier, self.codes()),
            Step::Pong => Event::Pong,
            #[cfg(feature = "v5")]
            Step::Authentication(reason) => Event::Authentication(Answer {
                reason,
                properties: self.properties(),
            }),
        }
    }

    fn codes(&self) -> ReasonCodes<'_> {
        ReasonCodes::new(self.last.part.of(self.inbox.memory()), self.properties())
    }

    fn properties(&self) -> Properties<'_> {
        #[cfg(feature = "v5")]
        return Properties::checked(self.last.properties.of(self.inbox.memory()));
        #[cfg(not(feature = "v5"))]
        Properties::NONE
    }

    fn message(&self) -> Message<'_> {
        let memory = self.inbox.memory();
        let packet = memory.get(self.last.at..).unwrap_or_default();
        let message = self.last.layout.message(packet);
        #[cfg(feature = "v5")]
        if self.last.alias > 0 {
            return Message {
                topic: self.v5.aliases.topic(self.last.alias),
                ..message
            };
        }
        message
    }
}
