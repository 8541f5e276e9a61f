//! What Home Assistant is told of the device: one message of MQTT discovery, for the device as a
//! whole, made from one [table](COMPONENTS).
//!
//! | Home Assistant's rule | how it is kept |
//! |---|---|
//! | `origin` is required | it is there |
//! | an unknown key at the root or in `device` makes the message void | there are none |
//! | `~` is not replaced at the root | topics stand in full |
//! | a unit must fit its device class | those of the table do |
//! | what is left out stays for ever; what has its platform alone is removed | a component that the settings switch off has its platform alone |
//!
//! Keys are the short ones that Home Assistant defines.

use core::fmt::{self, Write};

use crate::identity::DeviceId;
use crate::settings::Settings;
use crate::settings::value::ClimateKind;

/// A trigger of the device, for automations: what the button did.
macro_rules! trigger {
    ($key:literal, $kind:literal, $press:literal, $done:literal) => {
        Component {
            key: $key,
            platform: TRIGGER,
            name: None,
            about: concat!("A trigger for automations: the button is ", $done, "."),
            needs: Needs::Nothing,
            category: None,
            config: &[
                ("atype", Value::Text("trigger")),
                ("type", Value::Text($kind)),
                ("stype", Value::Text("button_1")),
                ("t", Value::Topic("button/0")),
                ("val_tpl", Value::Field("event_type")),
                ("pl", Value::Text($press)),
                ("qos", Value::Json("1")),
            ],
        }
    };
}

/// What the device has, as Home Assistant sees it.
pub static COMPONENTS: &[Component] = &[
    Component {
        key: "switch",
        platform: "switch",
        name: None,
        about: "The switch. It has the device's name.",
        needs: Needs::Nothing,
        category: None,
        config: &[
            ("stat_t", Value::Topic("switch/0")),
            ("cmd_t", Value::Topic("switch/0/set")),
            ("pl_on", Value::Text("on")),
            ("pl_off", Value::Text("off")),
            ("qos", Value::Json("1")),
        ],
    },
    Component {
        key: "temperature",
        platform: "sensor",
        name: Some("Temperature"),
        about: "Temperature in °C; unknown while the sensor has a fault.",
        needs: Needs::Sensor,
        category: None,
        config: &[
            ("stat_t", Value::Topic("th")),
            ("val_tpl", Value::Field("temperature")),
            ("dev_cla", Value::Text("temperature")),
            ("unit_of_meas", Value::Text("°C")),
            ("stat_cla", Value::Text("measurement")),
        ],
    },
    Component {
        key: "humidity",
        platform: "sensor",
        name: Some("Humidity"),
        about: "Relative humidity in %; unknown while the sensor has a fault.",
        needs: Needs::Sensor,
        category: None,
        config: &[
            ("stat_t", Value::Topic("th")),
            ("val_tpl", Value::Field("humidity")),
            ("dev_cla", Value::Text("humidity")),
            ("unit_of_meas", Value::Text("%")),
            ("stat_cla", Value::Text("measurement")),
        ],
    },
    Component {
        key: "button",
        platform: "event",
        name: Some("Button"),
        about: "What the button did: `single`, `double` or `long`.",
        needs: Needs::Nothing,
        category: None,
        config: &[
            ("stat_t", Value::Topic("button/0")),
            ("dev_cla", Value::Text("button")),
            ("evt_typ", Value::Json(r#"["single","double","long"]"#)),
            ("qos", Value::Json("1")),
        ],
    },
    trigger!(
        "button_single",
        "button_short_press",
        "single",
        "pressed once"
    ),
    trigger!(
        "button_double",
        "button_double_press",
        "double",
        "pressed twice"
    ),
    trigger!("button_long", "button_long_press", "long", "held"),
    Component {
        key: "uptime",
        platform: "sensor",
        name: Some("Uptime"),
        about: "Seconds since the device started.",
        needs: Needs::Nothing,
        category: DIAGNOSTIC,
        config: &[
            ("stat_t", Value::Topic("diag")),
            ("val_tpl", Value::Field("uptime")),
            ("dev_cla", Value::Text("duration")),
            ("unit_of_meas", Value::Text("s")),
            ("sug_dsp_prc", Value::Json("0")),
            ("stat_cla", Value::Text("measurement")),
        ],
    },
    Component {
        key: "signal",
        platform: "sensor",
        name: Some("Signal"),
        about: "Strength of the WiFi's signal in dBm; unknown on a board without WiFi.",
        needs: Needs::Nothing,
        category: DIAGNOSTIC,
        config: &[
            ("stat_t", Value::Topic("diag")),
            ("val_tpl", Value::Field("rssi")),
            ("dev_cla", Value::Text("signal_strength")),
            ("unit_of_meas", Value::Text("dBm")),
            ("stat_cla", Value::Text("measurement")),
        ],
    },
    Component {
        key: "restart_reason",
        platform: "sensor",
        name: Some("Restart reason"),
        about: "Why it started: `power-on`, `command`, `failure`, `watchdog` or `unknown`.",
        needs: Needs::Nothing,
        category: DIAGNOSTIC,
        config: &[
            ("stat_t", Value::Topic("diag")),
            ("val_tpl", Value::Field("reset")),
        ],
    },
    Component {
        key: "reconnects",
        platform: "sensor",
        name: Some("Reconnects"),
        about: "How often it came back to the broker since it started.",
        needs: Needs::Nothing,
        category: DIAGNOSTIC,
        config: &[
            ("stat_t", Value::Topic("diag")),
            ("val_tpl", Value::Field("reconnects")),
            ("stat_cla", Value::Text("total_increasing")),
        ],
    },
    Component {
        key: "restart",
        platform: "button",
        name: Some("Restart"),
        about: "Restarts the device.",
        needs: Needs::Nothing,
        category: DIAGNOSTIC,
        config: &[
            ("cmd_t", Value::Topic("sys/set")),
            ("pl_prs", Value::Text("restart")),
            ("dev_cla", Value::Text("restart")),
            ("qos", Value::Json("1")),
        ],
    },
];

/// The platform of triggers, which are no entities: they have neither a name nor a unique id.
const TRIGGER: &str = "device_automation";
const DIAGNOSTIC: Option<&str> = Some("diagnostic");

/// One row of [`COMPONENTS`].
#[derive(Debug)]
pub struct Component {
    /// What tells it apart from the others of the device; the end of its unique id.
    pub key: &'static str,
    /// What it is to Home Assistant.
    pub platform: &'static str,
    /// Its name, behind the device's; `None` for what has the device's own, or none.
    pub name: Option<&'static str>,
    /// What it shows or does, in a sentence.
    pub about: &'static str,
    /// Where Home Assistant puts it, if not with what is used every day.
    pub category: Option<&'static str>,
    needs: Needs,
    config: &'static [(&'static str, Value)],
}

/// What must be switched on in the settings for a component to be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Needs {
    Nothing,
    /// `climate.kind` is not `none`.
    Sensor,
}

/// What stands behind a key.
#[derive(Clone, Copy, Debug)]
enum Value {
    Text(&'static str),
    /// A topic below `monster/<id>/`.
    Topic(&'static str),
    /// The template that takes this field out of a message; one that is not there is unknown.
    Field(&'static str),
    /// JSON as it stands.
    Json(&'static str),
}

impl Component {
    /// Whether it is there with these settings.
    pub fn is_on(&self, settings: &Settings) -> bool {
        self.is_there(settings.climate.kind != ClimateKind::None)
    }

    fn is_there(&self, has_sensor: bool) -> bool {
        match self.needs {
            Needs::Nothing => true,
            Needs::Sensor => has_sensor,
        }
    }

    fn write(&self, id: &str, out: &mut dyn Write) -> fmt::Result {
        if self.platform != TRIGGER {
            write_all(out, &[r#","uniq_id":""#, id, "_", self.key, r#"","name":"#])?;
            match self.name {
                Some(name) => write_all(out, &["\"", name, "\""])?,
                None => out.write_str("null")?,
            }
        }
        for (key, value) in self.config {
            write_all(out, &[",\"", key, "\":"])?;
            match value {
                Value::Text(text) => write_all(out, &["\"", text, "\""])?,
                Value::Topic(tail) => write_all(out, &["\"monster/", id, "/", tail, "\""])?,
                Value::Field(field) => {
                    write_all(out, &["\"{{value_json.", field, "|default(none)}}\""])?;
                }
                Value::Json(json) => out.write_str(json)?,
            }
        }
        match self.category {
            Some(category) => write_all(out, &[r#","ent_cat":""#, category, "\""]),
            None => Ok(()),
        }
    }
}

/// Writes the message of discovery, as the device `id` announces itself with these settings.
///
/// # Errors
/// Those of `out`.
pub fn write_announcement(id: &DeviceId, settings: &Settings, out: &mut dyn Write) -> fmt::Result {
    Discovery {
        id,
        has_sensor: settings.climate.kind != ClimateKind::None,
    }
    .write(out)
}

/// The message of discovery. It is larger than a send buffer, so that it is made in pieces.
pub(crate) struct Discovery<'a> {
    pub id: &'a DeviceId,
    /// Whether there is a sensor of temperature and humidity.
    pub has_sensor: bool,
}

impl Discovery<'_> {
    /// Bytes of the whole message.
    pub fn length(&self) -> usize {
        let mut counter = Window {
            skip: usize::MAX,
            into: &mut [],
            filled: 0,
        };
        let _ = self.write(&mut counter);
        usize::MAX - counter.skip
    }

    /// Writes into `into` what stands from `position` on; returns how many bytes that are.
    pub fn piece(&self, position: usize, into: &mut [u8]) -> usize {
        let mut window = Window {
            skip: position,
            into,
            filled: 0,
        };
        let _ = self.write(&mut window);
        window.filled
    }

    fn write(&self, out: &mut dyn Write) -> fmt::Result {
        let id = self.id.as_str();
        write_all(
            out,
            &[
                r#"{"dev":{"ids":["monster-"#,
                id,
                r#""],"name":"Monster-"#,
                id,
                r#"","mf":"Monster","mdl":"Switch","sn":""#,
                id,
                concat!(r#"","sw":""#, env!("CARGO_PKG_VERSION"), r#""},"#),
                concat!(r#""o":{"name":"Monster","sw":""#, env!("CARGO_PKG_VERSION")),
                concat!(r#"","url":""#, env!("CARGO_PKG_REPOSITORY"), r#""},"#),
                r#""avty_t":"monster/"#,
                id,
                r#"/status","cmps":{"#,
            ],
        )?;
        for (position, component) in COMPONENTS.iter().enumerate() {
            let comma = if position == 0 { "" } else { "," };
            let Component { key, platform, .. } = component;
            write_all(out, &[comma, "\"", key, "\":{\"p\":\"", platform, "\""])?;
            if component.is_there(self.has_sensor) {
                component.write(id, out)?;
            }
            out.write_str("}")?;
        }
        out.write_str("}}")
    }
}

/// Every part as it is, which costs a fraction of what a format would: a message in many pieces is
/// written many times.
fn write_all(out: &mut dyn Write, parts: &[&str]) -> fmt::Result {
    parts.iter().try_for_each(|part| out.write_str(part))
}

/// Takes the part of a text that is wanted.
struct Window<'a> {
    /// Bytes before it.
    skip: usize,
    into: &'a mut [u8],
    filled: usize,
}

impl Write for Window<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if let Some(left) = self.skip.checked_sub(text.len()) {
            self.skip = left;
        } else {
            let wanted = text.as_bytes().get(self.skip..).unwrap_or_default();
            self.skip = 0;
            let room = self.into.get_mut(self.filled..).unwrap_or_default();
            let count = wanted.len().min(room.len());
            if let (Some(room), Some(wanted)) = (room.get_mut(..count), wanted.get(..count)) {
                room.copy_from_slice(wanted);
            }
            self.filled += count;
        }
        match self.filled == self.into.len() && self.skip == 0 {
            // The rest is not wanted.
            true => Err(fmt::Error),
            false => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::string::String;
    use std::vec;

    use super::*;

    #[test]
    fn the_pieces_make_the_whole_however_long_they_are() {
        let id = DeviceId::parse("a1b2").unwrap();
        for has_sensor in [true, false] {
            let discovery = Discovery {
                id: &id,
                has_sensor,
            };
            let mut whole = String::new();
            discovery.write(&mut whole).unwrap();
            assert_eq!(discovery.length(), whole.len());
            for size in [1, 7, 64, 1000, 10_000] {
                let mut pieces = vec![];
                while pieces.len() < whole.len() {
                    let mut piece = vec![0; size];
                    let count = discovery.piece(pieces.len(), &mut piece);
                    assert!(count > 0);
                    pieces.extend_from_slice(&piece[..count]);
                }
                assert_eq!(pieces, whole.as_bytes(), "{size}");
            }
            assert_eq!(discovery.piece(whole.len(), &mut [0; 8]), 0);
        }
    }
}
