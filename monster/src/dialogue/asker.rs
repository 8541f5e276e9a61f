//! Who asked, and where the answer goes.

use heapless::{String, Vec};
use umqtt::{Message, Property};

use super::topics::TopicName;
use crate::memory::CommandId;

/// The longest correlation data that is given back, in bytes.
const CORRELATION_MAX: usize = 64;
/// How many who want an answer of their own can wait for one measurement.
const ASKERS: u8 = 4;
/// How many bytes they have together. Only where each has an id and MQTT 5's longest topic and data,
/// fewer can wait: two.
const ASKERS_MAX: usize = 576;
/// The lengths in front of each of them.
const LENGTHS: usize = 3;

/// Who sent a command, if an answer is wanted: with an id, or by MQTT 5's Response Topic
/// (MQTT 5, section 4.10), or both.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Asker {
    pub id: Option<CommandId>,
    pub route: Option<Route>,
}

/// Where MQTT 5 says that an answer goes, and what it carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Route {
    pub topic: TopicName,
    pub correlation: Option<Correlation>,
}

type Correlation = Vec<u8, CORRELATION_MAX, u8>;

impl Asker {
    /// Whether there is anybody to answer.
    pub fn waits(&self) -> bool {
        self.id.is_some() || self.route.is_some()
    }

    /// Its id, its topic and its correlation data, where it has them.
    fn parts(&self) -> [Option<&[u8]>; LENGTHS] {
        let route = self.route.as_ref();
        [
            self.id.as_ref().map(|id| id.as_bytes()),
            route.map(|route| route.topic.as_bytes()),
            route.and_then(|route| route.correlation.as_deref()),
        ]
    }

    fn from_parts([id, topic, correlation]: [Option<&[u8]>; LENGTHS]) -> Option<Self> {
        let text = |bytes| core::str::from_utf8(bytes).ok();
        Some(Asker {
            id: match id {
                Some(id) => Some(String::try_from(text(id)?).ok()?),
                None => None,
            },
            route: match topic {
                Some(topic) => Some(Route {
                    topic: String::try_from(text(topic)?).ok()?,
                    correlation: correlation.and_then(|data| Vec::from_slice(data).ok()),
                }),
                None => None,
            },
        })
    }
}

impl Route {
    /// Where the answer to this message goes; `None` if it does not say, or says it at a length
    /// that is not remembered: then an id is answered as without it.
    pub fn of(message: &Message<'_>) -> Option<Self> {
        let mut topic = None;
        let mut correlation = None;
        for property in message.properties.iter() {
            match property {
                Property::ResponseTopic(name) => topic = Some(String::try_from(name).ok()?),
                Property::CorrelationData(data) => {
                    correlation = Some(Vec::from_slice(data).ok()?);
                }
                _ => {}
            }
        }
        Some(Route {
            topic: topic?,
            correlation,
        })
    }
}

/// Those who wait for one measurement, in the order in which they asked: of each its three lengths,
/// and the bytes of what it has.
#[derive(Default)]
pub(crate) struct Askers {
    count: u8,
    bytes: Vec<u8, ASKERS_MAX, u16>,
}

impl Askers {
    /// Gives them back if too many wait.
    #[must_use]
    pub fn add(&mut self, asker: Asker) -> Option<Asker> {
        let parts = asker.parts();
        let length = LENGTHS + parts.into_iter().flatten().map(<[u8]>::len).sum::<usize>();
        if self.count == ASKERS || length > self.bytes.capacity() - self.bytes.len() {
            return Some(asker);
        }
        // 0 is for what it has not; what it has takes at most 128 bytes.
        let lengths = parts.map(|part| part.map_or(0, |part| part.len() as u8 + 1));
        self.count += 1;
        let _ = self.bytes.extend_from_slice(&lengths);
        for part in parts.into_iter().flatten() {
            let _ = self.bytes.extend_from_slice(part);
        }
        None
    }

    /// The one who waits for longest; it is not among them any more.
    pub fn take_first(&mut self) -> Option<Asker> {
        let (lengths, mut rest) = self.bytes.split_first_chunk::<LENGTHS>()?;
        let mut end = LENGTHS;
        let parts = lengths.map(|length| {
            let (part, others) = rest.split_at_checked(length.checked_sub(1)?.into())?;
            rest = others;
            end += part.len();
            Some(part)
        });
        let asker = Asker::from_parts(parts);
        self.bytes.drain(..end);
        self.count = self.count.saturating_sub(1);
        asker
    }

    pub fn clear(&mut self) {
        *self = Askers::default();
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;

    fn asker(id: Option<&str>, topic: Option<&str>, correlation: Option<&[u8]>) -> Asker {
        Asker {
            id: id.map(|id| String::try_from(id).unwrap()),
            route: topic.map(|topic| Route {
                topic: String::try_from(topic).unwrap(),
                correlation: correlation.map(|data| Vec::from_slice(data).unwrap()),
            }),
        }
    }

    #[test]
    fn askers_come_back_as_they_were_in_their_order() {
        let all = [
            asker(Some("a"), None, None),
            asker(None, Some("answers"), None),
            asker(Some("b"), Some("answers/b"), Some(b"")),
            asker(Some("c"), Some("answers/c"), Some(b"\x00\xff")),
        ];
        let mut askers = Askers::default();
        for round in 0..100 {
            for asker in &all {
                assert_eq!(askers.add(asker.clone()), None, "{round}");
            }
            for asker in &all {
                assert_eq!(askers.take_first().as_ref(), Some(asker));
            }
            assert_eq!(askers.take_first(), None);
        }
    }

    #[test]
    fn four_with_a_uuid_and_a_route_can_wait_and_two_of_the_longest() {
        let uuid = "123e4567-e89b-12d3-a456-426614174000";
        let usual = asker(Some(uuid), Some(&"t".repeat(70)), Some(&[7; 35]));
        let longest = asker(Some(uuid), Some(&"t".repeat(128)), Some(&[7; 64]));
        for (asker, count) in [(usual, 4), (longest, 2)] {
            let mut askers = Askers::default();
            for _ in 0..count {
                assert_eq!(askers.add(asker.clone()), None);
            }
            assert_eq!(askers.add(asker.clone()).as_ref(), Some(&asker));
            assert_eq!(askers.take_first(), Some(asker));
        }
    }
}
