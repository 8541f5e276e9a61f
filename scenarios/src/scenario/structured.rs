//! The structured tree: every row of its table.

use std::time::Duration;

use serde_json::{Value, json};

use crate::observer::Message;
use crate::proxy::Proxy;
use crate::publisher::Publish;
use crate::world::{SOON, World, diagnostics, observe, status, tree};

/// Everything the diagnostics may hold; what a board has not, it leaves out.
const DIAGNOSTICS: [&str; 12] = [
    "uptime",
    "reset",
    "boots",
    "reconnects",
    "drops",
    "rejected",
    "retained_ignored",
    "ping_ms",
    "free",
    "rssi",
    "ip",
    "version",
];

pub fn it_is_online_until_its_power_is_cut(world: &World<'_>) {
    let broker = world.broker();
    let mut observer = observe(&broker);
    let mut device = world.started(&broker.url());
    let online = observer.next(&status(), SOON);
    assert_eq!(online.text(), "online", "the first word");
    assert_eq!((online.qos, online.retained), (1, true));
    device.cut_power();
    let offline = observer.next(&status(), SOON);
    assert_eq!(offline.text(), "offline", "the will");
    assert_eq!((offline.qos, offline.retained), (1, true));
    device.power_on();
    assert_eq!(
        observer.next(&status(), SOON).text(),
        "online",
        "after the power is back"
    );
}

pub fn the_state_of_the_switch_is_retained(world: &World<'_>) {
    let mut scene = world.scene();
    let topic = tree("/switch/0");
    for (word, state) in [("off", "off"), ("on", "on"), ("toggle", "off")] {
        scene.send(&tree("/switch/0/set"), word);
        let message = scene.observer.expect_text(&topic, SOON, state);
        assert_eq!((message.qos, message.retained), (1, true));
        let kept = observe(&scene.broker).next(&topic, SOON);
        assert_eq!(kept.text(), state, "what one who comes later hears");
    }
}

pub fn every_word_for_the_switch_is_obeyed(world: &World<'_>) {
    let mut scene = world.scene();
    let (topic, set) = (tree("/switch/0"), tree("/switch/0/set"));
    assert_eq!(scene.observer.next(&topic, SOON).text(), "on", "at boot");
    for qos in 0..=2 {
        for (word, state) in [
            ("off", "off"),
            ("toggle", "on"),
            ("toggle", "off"),
            ("on", "on"),
        ] {
            Publish::new(set.as_str(), word).qos(qos).to(&scene.broker);
            assert_eq!(
                scene.observer.next(&topic, SOON).text(),
                state,
                "after `{word}` at QoS {qos}"
            );
        }
    }
    scene.send(&set, "off");
    assert_eq!(scene.observer.next(&topic, SOON).text(), "off");
    scene.send(&set, "pulse 300");
    let on = scene.observer.next(&topic, SOON);
    assert_eq!(on.text(), "on", "the pulse begins");
    let off = scene.observer.next(&topic, SOON);
    assert_eq!(off.text(), "off", "the pulse ends");
    let length = off.at - on.at;
    assert!(
        length > Duration::from_millis(200) && length < Duration::from_millis(600),
        "a pulse of 300 ms took {length:?}"
    );
}

pub fn a_pulse_out_of_range_changes_nothing(world: &World<'_>) {
    let mut scene = world.scene();
    let set = tree("/switch/0/set");
    assert_eq!(scene.ask("off"), "on-0");
    let strange = [
        "pulse",
        "pulse ",
        "pulse 49",
        "pulse 600001",
        "pulse -100",
        "pulse 1e3",
        "pulse 100 100",
        "pulse 99999999999999999999",
        "blink",
        "",
        "ON",
        "on ",
    ];
    for word in strange {
        scene.send(&set, word);
    }
    for (number, word) in ["pulse 49", "pulse 600001", "pulse x"]
        .into_iter()
        .enumerate()
    {
        let id = format!("p{number}");
        let reply = scene.command(&set, word, &id);
        assert_refused(&reply, &id);
    }
    // Anything that had moved the switch would have been answered before this.
    assert_eq!(
        scene.ask("off"),
        "on-0",
        "the first answer since the last `off`"
    );
    for (id, word) in [("q0", "pulse 50"), ("q1", "pulse 600000")] {
        assert_eq!(
            scene.command(&set, word, id)["ok"],
            true,
            "`{word}`, the end of the range"
        );
    }
}

pub fn a_command_with_an_id_is_executed_once_and_answered_every_time(world: &World<'_>) {
    let mut scene = world.scene();
    let (set, reply) = (tree("/switch/0/set"), tree("/reply"));
    let longest = "0123456789abcdef0123456789abcdef0123";
    for (id, state) in [("1", "off"), ("the second", "on"), (longest, "off")] {
        let command = json!({ "command": "toggle", "id": id }).to_string();
        scene.send(&set, &command);
        let first = scene.observer.next(&reply, SOON);
        assert_eq!(
            first.json(),
            json!({ "id": id, "ok": true, "state": state })
        );
        assert_eq!((first.qos, first.retained), (first.qos, false));
        for _ in 0..3 {
            scene.send(&set, &command);
            let again = scene.observer.next(&reply, SOON);
            assert_eq!(again.text(), first.text(), "the answer to a repeated id");
        }
    }
    let switch = tree("/switch/0");
    let states: Vec<String> = scene
        .observer
        .drain()
        .iter()
        .filter(|message| message.topic == switch)
        .map(Message::text)
        .collect();
    assert_eq!(
        states,
        ["on", "off", "on", "off"],
        "at boot, and after each of three commands"
    );
}

pub fn a_bad_command_is_answered_with_its_error(world: &World<'_>) {
    let mut scene = world.scene();
    let set = tree("/switch/0/set");
    assert_refused(&scene.command(&set, "dance", "d1"), "d1");
    assert_refused(&scene.command(&tree("/sys/set"), "explode", "d2"), "d2");
    let strange = [
        r#"{"command":"toggle""#,
        r#"{"command":"toggle","id":}"#,
        r"{}",
        r"[]",
        r#"{"command":7}"#,
        r#""toggle""#,
        r#"{"command":"toggle","id":"0123456789abcdef0123456789abcdef01234"}"#,
        r#"{"command":"toggle"}trailing"#,
        "{\"command\":\"toggle\u{0}",
    ];
    for payload in strange {
        scene.send(&set, payload);
    }
    assert_eq!(scene.ask("on"), "on-1", "the first answer since boot");
    // What has no id, or none that can be read, may be answered, but never as done.
    for message in scene.observer.drain() {
        if message.topic == tree("/reply") {
            assert_eq!(message.json()["ok"], false, "{message}");
        }
    }
    // A command in JSON needs no id.
    scene.send(&set, r#"{"command":"toggle"}"#);
    assert_eq!(scene.answer(), "on-0");
    // Members it does not know are none of its business, and white space is JSON's.
    scene.send(
        &set,
        "{ \"from\": {\"a\": [1, \"}\"]},\r\n\t\"id\" : \"w1\", \"command\" : \"toggle\" }",
    );
    assert_eq!(
        scene.reply(),
        json!({ "id": "w1", "ok": true, "state": "on" })
    );
}

pub fn a_command_too_long_is_acknowledged_and_passed_over(world: &World<'_>) {
    let broker = world.broker();
    let proxy = Proxy::to(broker.port());
    let mut observer = observe(&broker);
    let _device = world.started(&proxy.url());
    observer.expect_text(&status(), SOON, "online");
    let set = tree("/switch/0/set");
    // More than mosquitto sends ahead without an acknowledgement (20): one kept back would stop the rest.
    for length in (1..=30).map(|n| n * 4099) {
        Publish::new(set.as_str(), vec![b' '; length])
            .qos(1)
            .to(&broker);
    }
    Publish::new(set.as_str(), "off").qos(1).to(&broker);
    observer.expect_text(&tree("/switch/0"), SOON, "off");
    assert_eq!(proxy.opened(), 1, "connections");
}

pub fn the_climate_is_published_and_can_be_asked_for(world: &World<'_>) {
    let mut scene = world.scene();
    let topic = tree("/th");
    let reading = scene.observer.expect(
        &topic,
        Duration::from_secs(15),
        "a reading without an error",
        |message| message.json().get("error").is_none(),
    );
    assert_eq!((reading.qos, reading.retained), (1, true));
    assert_is_a_reading(&reading);
    scene.send(&tree("/th/get"), "");
    assert_is_a_reading(&scene.observer.next(&topic, SOON));
    scene.send(&tree("/th/get"), "now, please");
    assert_is_a_reading(&scene.observer.next(&topic, SOON));
}

pub fn the_diagnostics_have_the_keys_of_the_contract(world: &World<'_>) {
    let mut scene = world.scene();
    let message = scene.observer.next(&tree("/diag"), SOON);
    assert_eq!((message.qos, message.retained), (1, true));
    let diagnostics = message.json();
    let object = diagnostics
        .as_object()
        .expect("the diagnostics are an object");
    for key in object.keys() {
        assert!(
            DIAGNOSTICS.contains(&key.as_str()),
            "`{key}` is not in the contract: {message}"
        );
    }
    for key in [
        "uptime",
        "boots",
        "reconnects",
        "drops",
        "rejected",
        "retained_ignored",
    ] {
        assert!(
            object.get(key).is_some_and(Value::is_u64),
            "`{key}` is no count: {message}"
        );
    }
    for key in ["reset", "version"] {
        let text = object.get(key).and_then(Value::as_str);
        assert!(
            text.is_some_and(|text| !text.is_empty()),
            "`{key}` is no text: {message}"
        );
    }
    for key in ["reconnects", "drops", "rejected", "retained_ignored"] {
        assert_eq!(
            object[key], 0,
            "`{key}` of a device that has just started: {message}"
        );
    }
}

pub fn identify_is_answered(world: &World<'_>) {
    let mut scene = world.scene();
    let sys = tree("/sys/set");
    let reply = scene.command(&sys, "identify", "i1");
    assert_eq!(
        (&reply["id"], &reply["ok"]),
        (&json!("i1"), &json!(true)),
        "{reply}"
    );
    scene.send(&sys, "identify");
    assert_eq!(scene.ask("on"), "on-1", "the switch took no part in it");
}

pub fn restart_says_offline_and_comes_back_with_its_reason(world: &World<'_>) {
    let mut scene = world.scene();
    let sys = tree("/sys/set");
    let first = diagnostics(&mut scene.observer);
    scene.send(&sys, "restart");
    assert_eq!(scene.observer.next(&status(), SOON).text(), "offline");
    assert_eq!(scene.observer.next(&status(), SOON).text(), "online");
    let second = diagnostics(&mut scene.observer);
    assert_ne!(
        second["reset"], first["reset"],
        "`reset`, after power on and after `restart`"
    );
    assert_eq!(
        second["boots"].as_u64(),
        first["boots"].as_u64().map(|n| n + 1),
        "`boots`"
    );
    assert_eq!(second["reconnects"], 0, "a restart is no reconnect");

    // With an id it is answered first, and its repetition does not restart the device again.
    let reply = scene.command(&sys, "restart", "r1");
    assert_eq!(
        (&reply["id"], &reply["ok"]),
        (&json!("r1"), &json!(true)),
        "{reply}"
    );
    assert_eq!(scene.observer.next(&status(), SOON).text(), "offline");
    assert_eq!(scene.observer.next(&status(), SOON).text(), "online");
    assert_eq!(
        scene.command(&sys, "restart", "r1"),
        reply,
        "the answer to a repeated id"
    );
    scene
        .observer
        .expect_none(&status(), Duration::from_secs(1), "second restart", |_| {
            true
        });
    assert!(scene.device.is_alive());
}

pub fn a_group_commands_all_its_devices(world: &World<'_>) {
    let mut scene = world.scene_with(&[("groups", "hall,kitchen")]);
    for (group, word, answer) in [
        ("hall", "off", "on-0"),
        ("kitchen", "toggle", "on-1"),
        ("kitchen", r#"{"command":"off","id":"g1"}"#, "on-0"),
    ] {
        scene.send(&format!("monster/group/{group}/switch/0/set"), word);
        assert_eq!(scene.answer(), answer, "`{word}` to the group {group}");
    }
    assert_eq!(
        scene.reply(),
        json!({ "id": "g1", "ok": true, "state": "off" })
    );
    scene.send("monster/group/cellar/switch/0/set", "on");
    assert_eq!(scene.ask("off"), "on-0", "it is not in the cellar");
}

pub fn a_retained_command_is_ignored_and_counted(world: &World<'_>) {
    let broker = world.broker();
    let commands = [
        (tree("/switch/0/set"), "off"),
        (tree("/sys/set"), "restart"),
        (tree("/th/get"), "x"),
        ("monster/group/hall/switch/0/set".to_owned(), "off"),
    ];
    for (topic, payload) in &commands {
        Publish::new(topic.as_str(), *payload)
            .qos(1)
            .retained()
            .to(&broker);
    }
    let proxy = Proxy::to(broker.port());
    let mut observer = observe(&broker);
    let _device = world.started_with(world.options(&proxy.url()).set("groups", "hall"));
    observer.expect_text(&status(), SOON, "online");
    diagnostics(&mut observer);
    Publish::new(tree("/switch/0/set"), r#"{"command":"toggle","id":"t"}"#)
        .qos(1)
        .to(&broker);
    let reply = observer.next(&tree("/reply"), SOON).json();
    assert_eq!(
        reply["state"], "off",
        "it was on, as at boot, until this toggle"
    );

    // The next connection brings none, however soon it tells of those before.
    for (topic, _) in &commands {
        Publish::new(topic.as_str(), "")
            .qos(1)
            .retained()
            .to(&broker);
    }
    proxy.cut();
    assert_eq!(
        diagnostics(&mut observer)["retained_ignored"].as_u64(),
        Some(4),
        "`retained_ignored` in the diagnostics after the first connection"
    );
}

fn assert_refused(reply: &Value, id: &str) {
    assert_eq!(
        (&reply["id"], &reply["ok"]),
        (&json!(id), &json!(false)),
        "{reply}"
    );
    let error = reply["error"].as_str();
    assert!(
        error.is_some_and(|error| !error.is_empty()),
        "no reason is given: {reply}"
    );
}

fn assert_is_a_reading(message: &Message) {
    let reading = message.json();
    let one_decimal = |value: &Value| {
        value.as_f64().is_some_and(|number| {
            let tenths = number * 10.0;
            (tenths - tenths.round()).abs() < 1e-6
        })
    };
    assert!(
        one_decimal(&reading["temperature"]) && one_decimal(&reading["humidity"]),
        "not as {{\"temperature\":23.4,\"humidity\":56.0,\"age\":0}}: {message}"
    );
    assert!(
        reading["age"].is_u64(),
        "no age in whole seconds: {message}"
    );
}
