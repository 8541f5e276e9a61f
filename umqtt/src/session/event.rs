//! What a session tells its caller.

use crate::packet::properties::Properties;
use crate::packet::publish::{DUP, Message, RETAIN};
use crate::packet::reason::ReasonCode;
use crate::packet::subscribe::ReasonCodes;
use crate::packet::{PacketIdentifier, Qos};
use crate::topic::TopicName;

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
    /// comes again from its beginning. With the feature `stream`.
    #[cfg(feature = "stream")]
    Chunk(Chunk<'a>),
    /// A message came in that is larger than the receive buffer; it is thrown away, and answered
    /// as [`Oversize`](crate::Oversize) says. With MQTT 5 also one under an alias for a topic name
    /// that was too long to be remembered.
    TooLarge {
        /// Its topic name, unless that alone, or with the properties, is larger than the buffer.
        topic: Option<TopicName<'a>>,
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
#[cfg(feature = "stream")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunk<'a> {
    /// The message; its payload is this part of it.
    pub message: Message<'a>,
    /// Bytes of the payload that came before.
    pub offset: usize,
    /// Bytes of the whole payload.
    pub total: usize,
}

#[cfg(feature = "stream")]
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

impl Answer<'_> {
    /// Why the server did not take it, if it did not.
    ///
    /// [`ReasonCode::PACKET_IDENTIFIER_NOT_FOUND`], which only a PUBCOMP says, is no such reason: the
    /// server had the message before, and is done with it (MQTT 5, section 3.7.2.1).
    pub fn failure(&self) -> Option<ReasonCode> {
        let is_done = self.reason == ReasonCode::PACKET_IDENTIFIER_NOT_FOUND;
        (self.reason.is_error() && !is_done).then_some(self.reason)
    }
}

/// What `Session::step` found: an [`Event`] without what [`Last`] knows of it. So it is returned in a
/// register, and not copied from hand to hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Connected,
    Message,
    #[cfg(feature = "stream")]
    Chunk,
    TooLarge,
    Headless,
    Published,
    Subscribed,
    Unsubscribed,
    Pong,
    #[cfg(feature = "v5")]
    Authentication,
}

/// The packet that was received last, and where its parts lie.
pub(super) struct Last {
    /// First byte of a message.
    pub first: u8,
    pub session_present: bool,
    pub reason: ReasonCode,
    pub identifier: Option<PacketIdentifier>,
    pub topic: Part,
    /// Payload of a message, or the piece of it that is here; the codes of an answer.
    pub body: Part,
    /// Bytes of the payload before that piece.
    pub offset: usize,
    /// Bytes of the whole payload.
    pub total: usize,
    #[cfg(feature = "v5")]
    pub properties: Part,
    /// What stands for the topic name; 0 for nothing.
    #[cfg(feature = "v5")]
    pub alias: u16,
}

impl Last {
    pub const NOTHING: Last = Last {
        first: 0,
        session_present: false,
        reason: ReasonCode::SUCCESS,
        identifier: None,
        topic: Part::NOTHING,
        body: Part::NOTHING,
        offset: 0,
        total: 0,
        #[cfg(feature = "v5")]
        properties: Part::NOTHING,
        #[cfg(feature = "v5")]
        alias: 0,
    };

    /// Of a message.
    pub fn qos(&self) -> Qos {
        Qos::from_bits(self.first >> 1 & 3).unwrap_or_default()
    }

    /// Offset behind what each piece of a message needs beside itself.
    pub fn head_end(&self) -> usize {
        #[cfg(feature = "v5")]
        return self.properties.at + self.properties.length;
        #[cfg(not(feature = "v5"))]
        return self.topic.at + self.topic.length;
    }
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
    // Of an event, a program pays for what it looks at.
    #[inline(always)]
    pub(crate) fn event(&self, step: Step) -> Event<'_> {
        #[cfg(not(target_pointer_width = "64"))]
        if step == Step::Message {
            return Event::Message(self.message());
        }
        let last = &self.last;
        let identifier = last.identifier.unwrap_or(PacketIdentifier::FIRST);
        match step {
            Step::Message => Event::Message(self.message()),
            #[cfg(feature = "stream")]
            Step::Chunk => Event::Chunk(Chunk {
                message: self.message(),
                offset: last.offset,
                total: last.total,
            }),
            Step::TooLarge => Event::TooLarge {
                topic: Some(self.message().topic),
                length: last.total,
            },
            Step::Headless => Event::TooLarge {
                topic: None,
                length: last.total,
            },
            Step::Connected => Event::Connected {
                session_present: last.session_present,
                properties: self.properties(),
            },
            Step::Published => Event::Published(identifier, self.answer()),
            Step::Subscribed => Event::Subscribed(identifier, self.codes()),
            Step::Unsubscribed => Event::Unsubscribed(identifier, self.codes()),
            Step::Pong => Event::Pong,
            #[cfg(feature = "v5")]
            Step::Authentication => Event::Authentication(self.answer()),
        }
    }

    /// Whether the CONNACK that was received last told of a session.
    pub(crate) fn session_present(&self) -> bool {
        self.last.session_present
    }

    // What a program does not look at is not even put together.
    #[inline(always)]
    fn message(&self) -> Message<'_> {
        let Last { first, .. } = self.last;
        let memory = self.inbox.memory();
        let topic = self.last.topic.of(memory);
        #[cfg(feature = "v5")]
        let topic = match self.last.alias {
            0 => topic,
            alias => self.v5.aliases.topic(alias),
        };
        Message {
            topic: TopicName::checked(topic),
            payload: self.last.body.of(memory),
            qos: self.last.qos(),
            retain: first & RETAIN != 0,
            dup: first & DUP != 0,
            properties: self.properties(),
        }
    }

    fn answer(&self) -> Answer<'_> {
        Answer {
            reason: self.last.reason,
            properties: self.properties(),
        }
    }

    // As the message.
    #[inline(always)]
    fn codes(&self) -> ReasonCodes<'_> {
        ReasonCodes::new(self.last.body.of(self.inbox.memory()), self.properties())
    }

    pub(super) fn properties(&self) -> Properties<'_> {
        #[cfg(feature = "v5")]
        return Properties::checked(self.last.properties.of(self.inbox.memory()));
        #[cfg(not(feature = "v5"))]
        Properties::NONE
    }
}
