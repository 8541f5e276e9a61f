//! The names of the topics.

use heapless::Vec;
use umqtt::{Qos, Subscription};

use crate::device::Rules;
use crate::identity::DeviceId;
use crate::settings::Filled;

/// The classic topic, three set-topics, four groups and Home Assistant's status.
const SUBSCRIPTIONS: usize = 9;

pub(crate) type TopicName = Filled;

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

/// The names of one device's topics, made when they are needed.
#[derive(Clone, Copy)]
pub(crate) struct Topics<'a> {
    pub id: &'a DeviceId,
    pub settings: &'a Rules,
}

impl Topics<'_> {
    /// The full name of a topic the device publishes on.
    pub fn name(&self, topic: Topic) -> TopicName {
        match topic {
            Topic::Classic => self.settings.classic.topic_out.fill(self.id),
            Topic::Status => self.below("status"),
            Topic::Switch => self.below("switch/0"),
            Topic::Climate => self.below("th"),
            Topic::Button => self.below("button/0"),
            Topic::Diagnostics => self.below("diag"),
            Topic::Reply => self.below("reply"),
            Topic::Log => self.below("log"),
            Topic::Discovery => joined([self.prefix(), "/device/", self.id.as_str(), "/config"]),
        }
    }

    /// Whether this is the topic on which Home Assistant says that it is there.
    pub fn is_home_assistant(&self, topic: &str) -> bool {
        self.settings.has_home_assistant()
            && topic.strip_prefix(self.prefix()) == Some(HOME_ASSISTANT_STATUS)
    }

    /// Where Home Assistant looks.
    fn prefix(&self) -> &str {
        self.settings.homeassistant.prefix.as_str()
    }

    fn below(&self, tail: &str) -> TopicName {
        joined(["monster/", self.id.as_str(), "/", tail])
    }

    /// Which inlet a message with this topic came in by.
    pub fn inlet(&self, topic: &str) -> Option<Inlet> {
        if self.classic_in().is_some_and(|name| name == topic) {
            return Some(Inlet::Classic);
        }
        if !self.settings.structured.enabled {
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
        let ours = self.settings.groups.names().any(|name| name == group);
        (ours && tail == SWITCH_SET).then_some(Inlet::Switch)
    }

    /// The name of the classic topic that is listened to, if one is.
    pub fn classic_in(&self) -> Option<TopicName> {
        let classic = &self.settings.classic;
        classic.enabled.then(|| classic.topic_in.fill(self.id))
    }

    /// Hands `subscribe` everything the device listens to.
    pub fn subscribe<R>(&self, subscribe: impl FnOnce(&[Subscription<'_>]) -> R) -> R {
        let mut names: Vec<TopicName, SUBSCRIPTIONS> = Vec::new();
        if self.settings.structured.enabled {
            for tail in [SWITCH_SET, CLIMATE_GET, SYSTEM_SET] {
                let _ = names.push(self.below(tail));
            }
            for group in self.settings.groups.names() {
                let _ = names.push(joined(["monster/group/", group, "/", SWITCH_SET]));
            }
        }
        if self.settings.has_home_assistant() {
            let _ = names.push(joined([self.prefix(), HOME_ASSISTANT_STATUS, "", ""]));
        }
        let classic = self.classic_in();
        let classic = classic.as_deref().map(|name| (name, Qos::AtMostOnce));
        let structured = names.iter().map(|name| (name.as_str(), Qos::AtLeastOnce));
        let all: Vec<Subscription<'_>, SUBSCRIPTIONS> = classic
            .into_iter()
            .chain(structured)
            .map(|(name, qos)| Subscription::new(name, qos))
            .collect();
        subscribe(&all)
    }
}

/// A name of these parts, which fit.
fn joined(parts: [&str; 4]) -> TopicName {
    let mut name = TopicName::new();
    for part in parts {
        let _ = name.push_str(part);
    }
    name
}
