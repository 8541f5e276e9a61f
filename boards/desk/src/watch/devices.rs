//! What is known of the devices on a broker.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Instant;

use monster::identity::DeviceId;
use serde_json::Value;

/// The most devices that are kept: a stranger's broker may know any number.
const DEVICES_MAX: usize = 100_000;

/// All devices that were heard of, by their ids.
#[derive(Debug, Default)]
pub struct Devices(BTreeMap<DeviceId, Device>);

/// A device, as far as it has told. What it has not is `None`.
#[derive(Debug, Default, PartialEq)]
pub struct Device {
    pub online: Option<bool>,
    pub switch: Option<bool>,
    pub climate: Option<Climate>,
    /// Strength of the WiFi's signal, in dBm.
    pub signal: Option<i64>,
    /// When it last said something itself; what the broker had kept tells nothing of that.
    pub seen: Option<Instant>,
}

/// What the sensor says: °C and %, or what is wrong with it.
#[derive(Debug, Clone, PartialEq)]
pub enum Climate {
    Reading { temperature: f64, humidity: f64 },
    Fault(String),
}

/// What is new about a device.
#[derive(Debug, PartialEq)]
pub enum Change {
    Status(bool),
    Switch(bool),
    Climate(Climate),
    Button(String),
}

impl Devices {
    /// Takes in a message; returns what it changed, if that is something to tell.
    pub fn take(
        &mut self,
        topic: &str,
        payload: &[u8],
        retained: bool,
        now: Instant,
    ) -> Option<(DeviceId, Change)> {
        let (id, topic) = topic.strip_prefix("monster/")?.split_once('/')?;
        let id = DeviceId::parse(id).ok()?;
        if self.0.len() >= DEVICES_MAX && !self.0.contains_key(&id) {
            return None;
        }
        let change = Change::read(topic, payload);
        if change.is_none() && topic != "diag" {
            return None;
        }
        let device = self.0.entry(id.clone()).or_default();
        // The will is the broker's word, not the device's.
        if !retained && change != Some(Change::Status(false)) {
            device.seen = Some(now);
        }
        if topic == "diag" {
            let diagnostics: Option<Value> = serde_json::from_slice(payload).ok();
            device.signal = diagnostics.and_then(|value| value.get("rssi")?.as_i64());
        }
        let change = change?;
        let is_new = match &change {
            Change::Status(online) => device.online.replace(*online) != Some(*online),
            Change::Switch(on) => device.switch.replace(*on) != Some(*on),
            Change::Climate(climate) => {
                device.climate.replace(climate.clone()).as_ref() != Some(climate)
            }
            Change::Button(_) => !retained,
        };
        is_new.then_some((id, change))
    }

    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&DeviceId, &Device)> {
        self.0.iter()
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether this one is known to be away.
    pub fn is_offline(&self, id: &DeviceId) -> bool {
        self.0
            .get(id)
            .is_some_and(|device| device.online == Some(false))
    }

    pub fn online(&self) -> usize {
        self.0
            .values()
            .filter(|device| device.online == Some(true))
            .count()
    }
}

impl Change {
    /// What this payload says, if it is one that a device says on this topic.
    fn read(topic: &str, payload: &[u8]) -> Option<Self> {
        match (topic, payload) {
            ("status", b"online") => Some(Change::Status(true)),
            ("status", b"offline") => Some(Change::Status(false)),
            ("switch/0", b"on") => Some(Change::Switch(true)),
            ("switch/0", b"off") => Some(Change::Switch(false)),
            ("th", _) => Climate::read(payload).map(Change::Climate),
            ("button/0", _) => {
                let value: Value = serde_json::from_slice(payload).ok()?;
                let event = value.get("event_type")?.as_str()?;
                Some(Change::Button(harmless(event)))
            }
            _ => None,
        }
    }
}

impl Climate {
    fn read(payload: &[u8]) -> Option<Self> {
        let value: Value = serde_json::from_slice(payload).ok()?;
        let number = |name| value.get(name).and_then(Value::as_f64);
        match (number("temperature"), number("humidity")) {
            (Some(temperature), Some(humidity)) => Some(Climate::Reading {
                temperature,
                humidity,
            }),
            _ => Some(Climate::Fault(harmless(value.get("error")?.as_str()?))),
        }
    }
}

/// The longest word of a stranger that is shown.
const WORD_MAX: usize = 24;

/// A stranger's word, with nothing in it that a terminal obeys.
fn harmless(word: &str) -> String {
    word.escape_debug().take(WORD_MAX).collect()
}

impl fmt::Display for Climate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Climate::Reading {
                temperature,
                humidity,
            } => write!(f, "{temperature:.1} °C  {humidity:.1} %"),
            Climate::Fault(why) => write!(f, "sensor: {why}"),
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Change::Status(true) => f.write_str("online"),
            Change::Status(false) => f.write_str("offline"),
            Change::Switch(true) => f.write_str("switch on"),
            Change::Switch(false) => f.write_str("switch off"),
            Change::Climate(climate) => climate.fmt(f),
            Change::Button(event) => write!(f, "button {event}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(devices: &mut Devices, topic: &str, payload: &str, retained: bool) -> Option<String> {
        let (id, change) = devices.take(topic, payload.as_bytes(), retained, Instant::now())?;
        Some(format!("{id} {change}"))
    }

    #[test]
    fn what_a_device_says_is_told_when_it_is_new() {
        let mut devices = Devices::default();
        let mut said = |topic, payload| take(&mut devices, topic, payload, false);
        assert_eq!(said("monster/a1/status", "online").unwrap(), "a1 online");
        assert_eq!(said("monster/a1/status", "online"), None);
        assert_eq!(said("monster/a1/switch/0", "on").unwrap(), "a1 switch on");
        assert_eq!(said("monster/a1/switch/0", "on"), None);
        let reading = r#"{"temperature":23.44,"humidity":56,"age":3}"#;
        let told = said("monster/a1/th", reading).unwrap();
        assert_eq!(told, "a1 23.4 °C  56.0 %");
        let fault = r#"{"temperature":null,"humidity":null,"error":"timeout"}"#;
        let told = said("monster/a1/th", fault).unwrap();
        assert_eq!(told, "a1 sensor: timeout");
        let event = r#"{"event_type":"single"}"#;
        for _ in 0..2 {
            let told = said("monster/a1/button/0", event).unwrap();
            assert_eq!(told, "a1 button single");
        }
        assert_eq!(said("monster/a1/diag", r#"{"rssi":-61}"#), None);
        let (_, device) = devices.iter().next().unwrap();
        assert_eq!(device.signal, Some(-61));
    }

    #[test]
    fn only_a_device_itself_shows_that_it_lives() {
        let mut devices = Devices::default();
        take(&mut devices, "monster/a1/switch/0", "on", true);
        take(&mut devices, "monster/a1/status", "offline", false);
        let seen = |devices: &Devices| devices.iter().next().unwrap().1.seen;
        assert_eq!(seen(&devices), None);
        take(&mut devices, "monster/a1/diag", "{}", false);
        assert!(seen(&devices).is_some());
    }

    #[test]
    fn what_is_no_word_of_a_device_is_passed_over() {
        let mut devices = Devices::default();
        for (topic, payload) in [
            ("monster/a1/status", "perhaps"),
            ("monster/a1/th", "23"),
            ("monster/a1/th", "{}"),
            ("monster/a1/button/0", "[]"),
            ("monster/A1/status", "online"),
            ("monster/group/switch/0", "on"),
            ("monster/a1", "online"),
            ("other/a1/status", "online"),
        ] {
            assert_eq!(take(&mut devices, topic, payload, false), None, "{topic}");
        }
        assert_eq!(devices.len(), 0);
    }

    #[test]
    fn a_strangers_word_does_nothing_to_the_terminal() {
        let mut devices = Devices::default();
        let event = r#"{"event_type":"\u001b[2J\u0007 and a lot of words more"}"#;
        let told = take(&mut devices, "monster/a1/button/0", event, false).unwrap();
        assert_eq!(told, r"a1 button \u{1b}[2J\u{7} and a lot");
    }
}
