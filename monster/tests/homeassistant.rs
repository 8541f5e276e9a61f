//! What Home Assistant is told, when, and that its rules are kept.

mod common;

use std::collections::BTreeSet;

use common::{Bench, ID, message};
use monster::device::Input;
use monster::homeassistant::COMPONENTS;
use mqttbytes::QoS;
use mqttbytes::v4::{ConnectReturnCode, Packet, Publish};
use serde_json::{Map, Value};

const CONFIG: &str = "homeassistant/device/a1b2c3/config";
const ON: (&str, &str) = ("homeassistant.enabled", "true");
const TREE: (&str, &str) = ("classic.enabled", "false");

fn announcements(published: &[Publish]) -> Vec<&Publish> {
    let is_config = |publish: &&Publish| publish.topic.ends_with("/config");
    published.iter().filter(is_config).collect()
}

/// What the device announces with these settings, if anything.
fn announcement(changes: &[(&str, &str)]) -> Option<Value> {
    let mut changes = changes.to_vec();
    changes.insert(0, ON);
    let mut bench = Bench::new(&changes);
    bench.connect();
    let published = bench.published();
    let announced = announcements(&published);
    assert!(announced.len() <= 1, "once");
    let publish = announced.first()?;
    assert_eq!(publish.qos, QoS::AtLeastOnce);
    assert!(publish.retain);
    Some(serde_json::from_slice(&publish.payload).unwrap())
}

#[test]
fn a_device_that_connects_is_announced_once_and_then_tells_every_state() {
    let mut bench = Bench::new(&[ON, TREE]);
    bench.connect();
    let published = bench.published();
    let topics: Vec<&str> = published.iter().map(|it| &*it.topic).collect();
    assert_eq!(
        topics,
        [
            "monster/a1b2c3/status",
            CONFIG,
            "monster/a1b2c3/switch/0",
            "monster/a1b2c3/diag"
        ]
    );
    let payload = &published[1].payload;
    assert!(
        payload.len() > monster::device::SEND_BUFFER,
        "it goes out in pieces: {} bytes",
        payload.len()
    );
    bench.pass(300_000);
    assert!(announcements(&bench.published()).is_empty());
}

#[test]
fn when_home_assistant_comes_back_everything_is_said_again_after_0_to_5_s() {
    let mut bench = Bench::online(&[ON, TREE]);
    let mut delays = Vec::new();
    for _ in 0..30 {
        bench.pass(10_000);
        bench.said();
        bench.publish("homeassistant/status", b"online");
        let mut waited = 0;
        while announcements(&bench.published()).is_empty() {
            assert!(waited < 5_000, "not announced");
            bench.forget();
            bench.pass(10);
            waited += 10;
        }
        delays.push(waited);
    }
    assert!(delays.iter().any(|delay| *delay < 1_500), "{delays:?}");
    assert!(delays.iter().any(|delay| *delay > 3_500), "{delays:?}");

    bench.pass(10_000);
    bench.said();
    bench.publish("homeassistant/status", b"online");
    bench.pass(5_000);
    let published = bench.published();
    let topics: Vec<&str> = published.iter().map(|it| &*it.topic).collect();
    for topic in [
        "monster/a1b2c3/status",
        CONFIG,
        "monster/a1b2c3/switch/0",
        "monster/a1b2c3/diag",
    ] {
        assert!(topics.contains(&topic), "{topic} of {topics:?}");
    }
    let place = |topic: &str| topics.iter().position(|it| *it == topic);
    assert!(place(CONFIG) < place("monster/a1b2c3/switch/0"));
}

#[test]
fn other_words_of_home_assistant_and_retained_ones_are_not_answered() {
    let mut bench = Bench::online(&[ON, TREE]);
    bench.said();
    let counters = bench.device.counters();
    for word in [&b"offline"[..], b"", b"ONLINE", b"on"] {
        bench.publish("homeassistant/status", word);
    }
    bench.send(&message("homeassistant/status", b"online", None, true));
    bench.pass(20_000);
    assert_eq!(bench.said(), [""; 0]);
    assert_eq!(bench.device.counters(), counters);
}

#[test]
fn its_status_is_listened_to_under_the_prefix_of_the_settings() {
    let mut bench = Bench::new(&[ON, ("homeassistant.prefix", "home/ha")]);
    bench.open();
    bench.connack(ConnectReturnCode::Success, false);
    let subscribe = bench.take_subscribe();
    let filters: Vec<&str> = subscribe.filters.iter().map(|it| &*it.path).collect();
    assert!(filters.contains(&"home/ha/status"), "{filters:?}");
    bench.suback(&subscribe);
    let published = bench.published();
    assert_eq!(
        announcements(&published)[0].topic,
        "home/ha/device/a1b2c3/config"
    );
}

#[test]
fn what_was_announced_before_is_cleared_once_when_home_assistant_is_switched_off() {
    let mut bench = Bench::new(&[("homeassistant.enabled", "false"), TREE]);
    bench.connect();
    let published = bench.published();
    let cleared = announcements(&published);
    assert_eq!(cleared.len(), 1, "{published:?}");
    assert_eq!(cleared[0].topic, CONFIG);
    assert!(cleared[0].retain && cleared[0].payload.is_empty());
    assert_eq!(cleared[0].qos, QoS::AtLeastOnce);
    bench.cut();
    bench.wait_for_attempt();
    bench.connect();
    assert!(announcements(&bench.published()).is_empty());
}

#[test]
fn nothing_is_said_to_home_assistant_when_it_is_switched_off() {
    for off in [
        ("homeassistant.enabled", "false"),
        ("structured.enabled", "false"),
    ] {
        let mut bench = Bench::new(&[ON, off]);
        bench.open();
        bench.connack(ConnectReturnCode::Success, false);
        let subscribe = bench.take_subscribe();
        let about = |topic: &str| topic.starts_with("homeassistant");
        assert!(!subscribe.filters.iter().any(|it| about(&it.path)));
        bench.suback(&subscribe);
        let first = bench.published();
        let cleared = first.iter().filter(|it| about(&it.topic));
        assert!(cleared.into_iter().all(|it| it.payload.is_empty()));
        bench.publish("homeassistant/status", b"online");
        bench.pass(10_000);
        assert!(!bench.published().iter().any(|it| about(&it.topic)));
    }
}

#[test]
fn a_broker_that_reads_slowly_gets_the_whole_message() {
    let whole = announcement(&[TREE]);
    for step in [1, 3, 100, 1000] {
        let mut bench = Bench::new(&[ON, TREE]);
        bench.open();
        bench.connack(ConnectReturnCode::Success, false);
        let subscribe = bench.take_subscribe();
        bench.reads = false;
        bench.suback(&subscribe);
        let mut sent = Vec::new();
        for _ in 0..10_000 {
            let now = bench.instant();
            let bytes = bench.device.transmit();
            if bytes.is_empty() {
                break;
            }
            let count = bytes.len().min(step);
            sent.extend_from_slice(&bytes[..count]);
            bench.device.transmitted(count, now);
            bench.settle();
        }
        let mut bytes = bytes::BytesMut::from(&sent[..]);
        let mut announced = Vec::new();
        while let Ok(packet) = mqttbytes::v4::read(&mut bytes, 100_000) {
            if let Packet::Publish(publish) = packet
                && publish.topic == CONFIG
            {
                announced.push(serde_json::from_slice::<Value>(&publish.payload).unwrap());
            }
        }
        assert_eq!(announced, [whole.clone().unwrap()], "{step}");
    }
}

#[test]
fn a_command_is_answered_and_acknowledged_also_if_it_comes_in_the_middle_of_an_announcement() {
    let mut bench = Bench::new(&[ON, TREE]);
    bench.open();
    bench.connack(ConnectReturnCode::Success, false);
    let subscribe = bench.take_subscribe();
    bench.reads = false;
    bench.suback(&subscribe);
    let count = bench.device.transmit().len();
    let now = bench.instant();
    bench.device.transmitted(count - 1, now);
    bench.settle();
    bench.offer(&message(
        &format!("monster/{ID}/switch/0/set"),
        br#"{"command":"off","id":"x"}"#,
        Some(9),
        false,
    ));
    assert_eq!(bench.pin, Some(false));
    bench.reads = true;
    // The peer has not seen the first bytes, and cannot read the rest: it is looked at as it is.
    let mut rest = Vec::new();
    loop {
        let now = bench.instant();
        let bytes = bench.device.transmit().to_vec();
        if bytes.is_empty() {
            break;
        }
        rest.extend_from_slice(&bytes);
        bench.device.transmitted(bytes.len(), now);
        while bench.device.poll(now).is_some() {}
    }
    let contains = |part: &[u8]| rest.windows(part.len()).any(|window| window == part);
    assert!(contains(br#"{"id":"x","ok":true,"state":"off"}"#));
    assert!(contains(&[0x40, 2, 0, 9]), "PUBACK");
}

#[test]
fn announcements_that_were_cut_off_leave_room_for_the_next_ones() {
    let mut bench = Bench::new(&[ON, TREE, ("mqtt.session", "kept")]);
    for round in 0..10 {
        bench.wait_for_attempt();
        bench.open();
        bench.connack(ConnectReturnCode::Success, round > 0);
        let subscribe = bench.take_subscribe();
        bench.acknowledges = false;
        bench.suback(&subscribe);
        bench.cut();
        bench.forget();
    }
    bench.acknowledges = true;
    bench.wait_for_attempt();
    bench.open();
    bench.connack(ConnectReturnCode::Success, true);
    let subscribe = bench.take_subscribe();
    bench.suback(&subscribe);
    assert_eq!(announcements(&bench.published()).len(), 1);
}

#[test]
fn a_factory_reset_clears_what_the_broker_keeps_of_the_device() {
    for (enabled, config) in [("true", true), ("false", false)] {
        let mut bench = Bench::online(&[("homeassistant.enabled", enabled)]);
        bench.said();
        bench.handle(Input::Local(
            monster::device::LocalCommand::parse("factory-reset").unwrap(),
        ));
        let cleared = bench.published();
        for publish in &cleared {
            assert!(publish.retain && publish.payload.is_empty(), "{publish:?}");
        }
        let topics: Vec<&str> = cleared.iter().map(|it| &*it.topic).collect();
        let mut expected = vec![
            "monster/a1b2c3/switch/0",
            "monster/a1b2c3/th",
            "monster/a1b2c3/diag",
            "monster/a1b2c3/status",
        ];
        if config {
            expected.insert(0, CONFIG);
        }
        assert_eq!(topics, expected);
        assert_eq!(bench.ended, Some(monster::device::Output::FactoryReset));
    }
}

#[test]
fn a_factory_reset_does_not_wait_longer_than_2_s_for_the_broker() {
    let mut bench = Bench::online(&[ON]);
    bench.acknowledges = false;
    bench.handle(Input::Local(
        monster::device::LocalCommand::parse("factory-reset").unwrap(),
    ));
    bench.pass(1_999);
    assert_eq!(bench.ended, None);
    bench.pass(1);
    assert_eq!(bench.ended, Some(monster::device::Output::FactoryReset));
}

#[test]
fn a_component_that_is_switched_off_has_its_platform_alone() {
    let with = announcement(&[]).unwrap();
    let without = announcement(&[("climate.kind", "none")]).unwrap();
    let sensors = ["temperature", "humidity"];
    // The tests' settings are without a sensor, so the first one is made with it.
    let with_sensor = announcement(&[("climate.kind", "dht22")]).unwrap();
    assert_eq!(with, without);
    for (key, component) in with_sensor["cmps"].as_object().unwrap() {
        if sensors.contains(&&**key) {
            assert!(component["stat_t"].is_string());
            assert_eq!(without["cmps"][key], serde_json::json!({"p": "sensor"}));
        } else {
            assert_eq!(&without["cmps"][key], component);
        }
    }
}

#[test]
fn home_assistants_rules_are_kept_with_every_combination_of_settings() {
    let mut combinations = 0;
    for kind in ["dht22", "dht11", "none"] {
        for classic in ["true", "false"] {
            for prefix in ["homeassistant", "ha/discovery"] {
                for groups in ["", "kitchen,灯"] {
                    for retained in ["ignore", "obey"] {
                        let config = announcement(&[
                            ("climate.kind", kind),
                            ("classic.enabled", classic),
                            ("homeassistant.prefix", prefix),
                            ("groups", groups),
                            ("classic.retained", retained),
                        ]);
                        rules::check(&config.expect("an announcement"));
                        combinations += 1;
                    }
                }
            }
        }
    }
    assert_eq!(combinations, 48);
}

#[test]
fn the_message_has_what_the_contract_lists() {
    let config = announcement(&[("climate.kind", "dht22")]).unwrap();
    assert_eq!(config["dev"]["name"], "Monster-a1b2c3");
    assert_eq!(config["avty_t"], "monster/a1b2c3/status");
    let found: BTreeSet<(String, String)> = config["cmps"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(key, component)| (key.clone(), component["p"].as_str().unwrap().to_owned()))
        .collect();
    let expected = [
        ("switch", "switch"),
        ("temperature", "sensor"),
        ("humidity", "sensor"),
        ("button", "event"),
        ("button_single", "device_automation"),
        ("button_double", "device_automation"),
        ("button_long", "device_automation"),
        ("uptime", "sensor"),
        ("signal", "sensor"),
        ("restart_reason", "sensor"),
        ("reconnects", "sensor"),
        ("restart", "button"),
    ];
    let expected = expected.map(|(key, platform)| (key.to_owned(), platform.to_owned()));
    assert_eq!(found, BTreeSet::from(expected));
}

#[test]
fn the_list_of_entities_in_the_documentation_is_that_of_the_table() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/home-assistant.md");
    let text = std::fs::read_to_string(path).unwrap();
    let (begin, end) = ("<!-- entities -->\n", "<!-- end of entities -->");
    let listed = text
        .split_once(begin)
        .and_then(|(_, rest)| rest.split_once(end))
        .expect("the marks are there")
        .0;
    let mut expected =
        String::from("\n| component | entity | kind | what it is |\n|---|---|---|---|\n");
    for component in COMPONENTS {
        let name = match (component.name, component.platform) {
            (Some(name), _) => name,
            (None, "switch") => "`Monster-<id>`",
            (None, _) => "–",
        };
        let category = match component.category {
            Some(category) => format!(", {category}"),
            None => String::new(),
        };
        expected += &format!(
            "| `{}` | {name} | {}{category} | {} |\n",
            component.key, component.platform, component.about
        );
    }
    expected.push('\n');
    assert!(
        listed == expected,
        "docs/home-assistant.md has another list than monster/src/homeassistant.rs; it should be:\n{expected}"
    );
}

/// Home Assistant's rules for a message of device discovery, in our words: those of its release
/// 2026.2, with the short keys it defines.
mod rules {
    use super::*;

    const ENTITY: &[&str] = &[
        "p", "uniq_id", "name", "ent_cat", "ic", "en", "qos", "e", "avty_t", "dev_cla",
    ];

    /// The keys of a platform besides those of every entity, and which of them must be there.
    fn keys(platform: &str) -> (&'static [&'static str], &'static [&'static str]) {
        match platform {
            "switch" => (
                &[
                    "cmd_t", "stat_t", "pl_on", "pl_off", "stat_on", "stat_off", "val_tpl", "opt",
                    "ret",
                ],
                &["cmd_t"],
            ),
            "sensor" => (
                &[
                    "stat_t",
                    "val_tpl",
                    "unit_of_meas",
                    "sug_dsp_prc",
                    "stat_cla",
                    "exp_aft",
                    "ops",
                ],
                &["stat_t"],
            ),
            "event" => (&["stat_t", "val_tpl", "evt_typ"], &["stat_t", "evt_typ"]),
            "button" => (&["cmd_t", "pl_prs", "ret"], &["cmd_t"]),
            "device_automation" => (
                &["p", "atype", "type", "stype", "t", "pl", "val_tpl", "qos"],
                &["atype", "type", "stype", "t"],
            ),
            other => panic!("{other} is no platform of MQTT that is known here"),
        }
    }

    pub fn check(config: &Value) {
        let root = object(config);
        only(root, &["dev", "o", "avty_t", "cmps"]);
        device(&root["dev"]);
        origin(&root["o"]);
        topic(&root["avty_t"]);
        let mut ids = BTreeSet::new();
        for (key, component) in object(&root["cmps"]) {
            let component = object(component);
            let platform = text(&component["p"]);
            let (allowed, required) = keys(platform);
            if component.len() == 1 {
                continue;
            }
            if platform == "device_automation" {
                only(component, allowed);
                assert_eq!(component["atype"], "trigger");
            } else {
                let all: Vec<&str> = [ENTITY, allowed].concat();
                only(component, &all);
                assert!(
                    ids.insert(text(&component["uniq_id"])),
                    "{key} has another's id"
                );
            }
            for required in required {
                assert!(component.contains_key(*required), "{key} needs {required}");
            }
            for (name, value) in component {
                setting(key, name, value);
            }
            if platform == "sensor" {
                sensor(key, component);
            }
        }
        assert!(!ids.is_empty());
    }

    fn device(device: &Value) {
        let device = object(device);
        only(
            device,
            &[
                "ids", "cns", "name", "mf", "mdl", "mdl_id", "hw", "sw", "sn", "sa", "cu",
            ],
        );
        let ids = device["ids"].as_array().unwrap();
        assert!(!ids.is_empty() && ids.iter().all(Value::is_string));
    }

    fn origin(origin: &Value) {
        let origin = object(origin);
        only(origin, &["name", "sw", "url"]);
        assert!(!text(&origin["name"]).is_empty());
        assert!(text(&origin["url"]).starts_with("https://"));
    }

    fn setting(key: &str, name: &str, value: &Value) {
        match name {
            "qos" => assert!(value.as_u64().is_some_and(|qos| qos <= 2)),
            "name" => assert!(value.is_null() || value.is_string(), "{key}"),
            "evt_typ" => {
                let types = value.as_array().unwrap();
                assert!(!types.is_empty() && types.iter().all(Value::is_string));
            }
            "sug_dsp_prc" => assert!(value.is_u64(), "{key}"),
            "stat_t" | "cmd_t" | "t" => topic(value),
            "val_tpl" => {
                let template = text(value);
                assert!(template.starts_with("{{") && template.ends_with("}}"));
            }
            // Not `config`, which Home Assistant refuses for sensors.
            "ent_cat" => assert_eq!(text(value), "diagnostic", "{key}"),
            _ => assert!(!text(value).is_empty(), "{key}: {name}"),
        }
    }

    fn sensor(key: &str, sensor: &Map<String, Value>) {
        let unit = sensor.get("unit_of_meas").map(text);
        let units: &[Option<&str>] = match sensor.get("dev_cla").map(text) {
            Some("temperature") => &[Some("°C"), Some("°F"), Some("K")],
            Some("humidity") => &[Some("%")],
            Some("duration") => &[Some("s"), Some("min"), Some("h"), Some("d"), Some("ms")],
            Some("signal_strength") => &[Some("dB"), Some("dBm")],
            None => &[None],
            Some(other) => panic!("{other} is no class of sensors that is known here"),
        };
        assert!(units.contains(&unit), "{key}: {unit:?}");
        if let Some(class) = sensor.get("stat_cla") {
            assert!(["measurement", "total", "total_increasing"].contains(&text(class)));
        }
    }

    fn topic(topic: &Value) {
        let topic = text(topic);
        assert!(
            !topic.is_empty() && !topic.contains(['+', '#', '~', '\0']),
            "{topic}"
        );
    }

    fn object(value: &Value) -> &Map<String, Value> {
        value
            .as_object()
            .unwrap_or_else(|| panic!("no object: {value}"))
    }

    fn text(value: &Value) -> &str {
        value.as_str().unwrap_or_else(|| panic!("no text: {value}"))
    }

    fn only(map: &Map<String, Value>, allowed: &[&str]) {
        for key in map.keys() {
            assert!(allowed.contains(&&**key), "the key {key} is not known");
        }
    }
}
