//! The names of the topics.

use core::fmt::Write;

use heapless::{String, Vec};
use umqtt::{Qos, Subscription};

use crate::identity::DeviceId;
use crate::settings::value::TopicPrefix;
use crate::settings::{FILLED_MAX, Filled, Settings};

/// The longest topic name, in bytes.
pub(crate) const TOPIC_MAX: usize = FILLED_MAX;
/// The classic topic, three set-topics, four groups and Home Assistant's status.
const SUBSCRIPTIONS: usize = 9;

pub(crate) type TopicName = String<TOPIC_MAX>;

/// The topics the device publishes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Topic {
    Classic,
    Status,
    Switch,
    Climate,
    Button,
    Diagnostics,
    Reply,
    Log,
    /// Where Home Assistant reads what the device is.
    Discovery,
}

/// The topics the device listens to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Inlet {
    Classic,
    /// Its own, or that of one of its groups.
    Switch,
    Climate,
    System,
}

const SWITCH_SET: &str = "switch/0/set";
const CLIMATE_GET: &str = "th/get";
const SYSTEM_SET: &str = "sys/set";
/// Behind the prefix.
const HOME_ASSISTANT_STATUS: &str = "/status";

/// The names of one device's topics.
pub(crate) struct Topics {
    id: DeviceId,
    classic_in: Option<Filled>,
    classic_out: Filled,
    structured: bool,
    /// Where Home Assistant looks.
    prefix: TopicPrefix,
    /// Whether it is spoken to.
    home_assistant: bool,
}

impl Topics {
    pub fn new(id: &DeviceId, settings: &Settings) -> Self {
        let classic = &settings.classic;
        Topics {
            id: id.clone(),
            classic_in: classic.enabled.then(|| classic.topic_in.fill(id)),
            classic_out: classic.topic_out.fill(id),
            structured: settings.structured.enabled,
            prefix: settings.homeassistant.prefix.clone(),
            home_assistant: settings.structured.enabled && settings.homeassistant.enabled,
        }
    }

    /// The full name of a topic the device publishes on.
    pub fn name(&self, topic: Topic) -> TopicName {
        match topic {
            Topic::Classic => self.classic_out.clone(),
            Topic::Status => self.below("status"),
            Topic::Switch => self.below("switch/0"),
            Topic::Climate => self.below("th"),
            Topic::Button => self.below("button/0"),
            Topic::Diagnostics => self.below("diag"),
            Topic::Reply => self.below("reply"),
            Topic::Log => self.below("log"),
            Topic::Discovery => {
                let mut name = TopicName::new();
                let _ = write!(name, "{}/device/{}/config", self.prefix.as_str(), self.id);
                name
            }
        }
    }

    /// Whether Home Assistant is spoken to.
    pub fn has_home_assistant(&self) -> bool {
        self.home_assistant
    }

    /// Whether this is the topic on which Home Assistant says that it is there.
    pub fn is_home_assistant(&self, topic: &str) -> bool {
        self.home_assistant
            && topic.strip_prefix(self.prefix.as_str()) == Some(HOME_ASSISTANT_STATUS)
    }

    fn below(&self, tail: &str) -> TopicName {
        let mut name = TopicName::new();
        let _ = write!(name, "monster/{}/{tail}", self.id);
        name
    }

    /// Which inlet a message with this topic came in by.
    pub fn inlet(&self, topic: &str, settings: &Settings) -> Option<Inlet> {
        if self.classic_in.as_ref().is_some_and(|name| name == topic) {
            return Some(Inlet::Classic);
        }
        if !self.structured {
            return None;
        }
        let (owner, tail) = topic.strip_prefix("monster/")?.split_once('/')?;
        if owner == self.id.as_str() {
            return match tail {
                SWITCH_SET => Some(Inlet::Switch),
                CLIMATE_GET => Some(Inlet::Climate),
                SYSTEM_SET => Some(Inlet::System),
                _ => None,
            };
        }
        let (group, tail) = tail.split_once('/').filter(|_| owner == "group")?;
        let ours = settings.groups.names().any(|name| name == group);
        (ours && tail == SWITCH_SET).then_some(Inlet::Switch)
    }

    /// The name of the classic topic, for the log.
    pub fn classic_in(&self) -> Option<&str> {
        self.classic_in.as_deref()
    }

    /// Hands `subscribe` everything the device listens to.
    pub fn subscribe<R>(
        &self,
        settings: &Settings,
        subscribe: impl FnOnce(&[Subscription<'_>]) -> R,
    ) -> R {
        let mut names: Vec<TopicName, SUBSCRIPTIONS> = Vec::new();
        if self.structured {
            for tail in [SWITCH_SET, CLIMATE_GET, SYSTEM_SET] {
                let _ = names.push(self.below(tail));
            }
            for group in settings.groups.names() {
                let mut name = TopicName::new();
                let _ = write!(name, "monster/group/{group}/{SWITCH_SET}");
                let _ = names.push(name);
            }
        }
        if self.home_assistant {
            let mut name = TopicName::new();
            let _ = write!(name, "{}{HOME_ASSISTANT_STATUS}", self.prefix.as_str());
            let _ = names.push(name);
        }
        let classic = self.classic_in().map(|name| (name, Qos::AtMostOnce));
        let structured = names.iter().map(|name| (name.as_str(), Qos::AtLeastOnce));
        let all: Vec<Subscription<'_>, SUBSCRIPTIONS> = classic
            .into_iter()
            .chain(structured)
            .map(|(name, qos)| Subscription::new(name, qos))
            .collect();
        subscribe(&all)
    }
}
