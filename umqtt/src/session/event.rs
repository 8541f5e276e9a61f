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

/// What `Session::step` found: an [`Event`] that does not borrow yet.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    Connected {
        session_present: bool,
        properties: Part,
    },
    Message {
        at: usize,
        layout: Layout,
        alias: u16,
    },
    Chunk {
        layout: Layout,
        alias: u16,
        offset: usize,
        at: usize,
        length: usize,
    },
    TooLarge {
        at: usize,
        layout: Layout,
        alias: u16,
    },
    Headless {
        length: usize,
    },
    Published(PacketIdentifier, ReasonCode, Part),
    Subscribed(PacketIdentifier, Part, Part),
    Unsubscribed(PacketIdentifier, Part, Part),
    Pong,
    #[cfg(feature = "v5")]
    Authentication(ReasonCode, Part),
}

/// A part of the receive buffer.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Part {
    pub at: usize,
    pub length: usize,
}

impl Part {
    pub fn of(self, memory: &[u8]) -> &[u8] {
        memory
            .get(self.at..self.at + self.length)
            .unwrap_or_default()
    }

    fn properties(self, memory: &[u8]) -> Properties<'_> {
        Properties::checked(self.of(memory))
    }
}

impl super::Session<'_> {
    /// The event a step stands for.
    pub(crate) fn event(&self, step: Step) -> Event<'_> {
        let memory = self.inbox.memory();
        match step {
            Step::Connected {
                session_present,
                properties,
            } => Event::Connected {
                session_present,
                properties: properties.properties(memory),
            },
            Step::Message { at, layout, alias } => Event::Message(self.message(at, &layout, alias)),
            Step::Chunk {
                layout,
                alias,
                offset,
                at,
                length,
            } => Event::Chunk(Chunk {
                message: Message {
                    payload: Part { at, length }.of(memory),
                    ..self.message(0, &layout, alias)
                },
                offset,
                total: layout.end - layout.payload,
            }),
            Step::TooLarge { at, layout, alias } => Event::TooLarge {
                topic: Some(self.message(at, &layout, alias).topic),
                length: layout.end - layout.payload,
            },
            Step::Headless { length } => Event::TooLarge {
                topic: None,
                length,
            },
            Step::Published(identifier, reason, properties) => {
                let properties = properties.properties(memory);
                Event::Published(identifier, Answer { reason, properties })
            }
            Step::Subscribed(identifier, properties, codes) => {
                let properties = properties.properties(memory);
                Event::Subscribed(identifier, ReasonCodes::new(codes.of(memory), properties))
            }
            Step::Unsubscribed(identifier, properties, codes) => {
                let properties = properties.properties(memory);
                Event::Unsubscribed(identifier, ReasonCodes::new(codes.of(memory), properties))
            }
            Step::Pong => Event::Pong,
            #[cfg(feature = "v5")]
            Step::Authentication(reason, properties) => Event::Authentication(Answer {
                reason,
                properties: properties.properties(memory),
            }),
        }
    }

    fn message(&self, at: usize, layout: &Layout, alias: u16) -> Message<'_> {
        let packet = self.inbox.memory().get(at..).unwrap_or_default();
        let message = layout.message(packet);
        #[cfg(feature = "v5")]
        if alias > 0 {
            return Message {
                topic: self.v5.aliases.topic(alias),
                ..message
            };
        }
        let _ = alias;
        message
    }
}
