//! Who asked, and where the answer goes.

use heapless::{String, Vec};
use umqtt::{Message, Property};

use super::topics::TopicName;
use crate::memory::CommandId;

/// The longest correlation data that is given back, in bytes.
const CORRELATION_MAX: usize = 64;

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
    pub correlation: Option<Vec<u8, CORRELATION_MAX>>,
}

impl Asker {
    /// Whether there is anybody to answer.
    pub fn waits(&self) -> bool {
        self.id.is_some() || self.route.is_some()
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
