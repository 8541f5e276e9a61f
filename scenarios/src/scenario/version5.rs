//! The same dialogue in MQTT 5, and what only MQTT 5 has.

use std::process::Stdio;

use crate::broker::Mosquitto;
use crate::publisher::client;
use crate::world::{SOON, Scene, World, after, status, tree};

fn scene(world: &World<'_>) -> Scene {
    let scene = world.scene_with(&[("mqtt.version", "5")]);
    // As mosquitto writes it: p5 is protocol level 5.
    let connected = format!(" as {} (p5,", World::ID);
    assert!(
        scene
            .broker
            .log()
            .iter()
            .any(|line| line.contains(&connected)),
        "it did not connect with MQTT 5: {:?}",
        scene.broker.log()
    );
    scene
}

pub fn the_dialogue_in_mqtt_5_is_the_same(world: &World<'_>) {
    let mut scene = scene(world);
    assert_eq!(scene.ask("toggle"), "on-0");
    assert_eq!(scene.ask("on"), "on-1");
    assert!(scene.ask("getTH").starts_with("th="));
    let reply = scene.command(&tree("/switch/0/set"), "off", "five");
    assert_eq!(
        (&reply["ok"], &reply["state"]),
        (&true.into(), &"off".into())
    );
    scene.observer.expect_text(&after(), SOON, "on-0");
    scene.device.cut_power();
    scene.observer.expect_text(&status(), SOON, "offline");
}

pub fn a_response_topic_is_answered_with_its_correlation_data(world: &World<'_>) {
    let scene = scene(world);
    let set = tree("/switch/0/set");
    assert_eq!(
        request(&scene.broker, &set, "toggle"),
        r#"42 {"ok":true,"state":"off"}"#
    );
    assert_eq!(
        request(&scene.broker, &set, r#"{"command":"toggle","id":"a"}"#),
        r#"42 {"id":"a","ok":true,"state":"on"}"#
    );
    let refused = request(&scene.broker, &set, "explode");
    assert!(
        refused.starts_with(r#"42 {"ok":false,"error":"#),
        "{refused}"
    );
    let climate = request(&scene.broker, &tree("/th/get"), "");
    assert!(
        climate.starts_with(r#"42 {"ok":true,"temperature":"#),
        "{climate}"
    );
}

/// Asks with `mosquitto_rr`, and returns the correlation data and the payload of the answer.
fn request(broker: &Mosquitto, topic: &str, payload: &str) -> String {
    let output = client("mosquitto_rr", broker)
        .args(["-V", "5", "-t", topic, "-e", "answers/here", "-W", "5"])
        .args(["-D", "publish", "correlation-data", "42"])
        .args(["-F", "%D %p", "-m", payload])
        .stdin(Stdio::null())
        .output()
        .expect("mosquitto_rr runs");
    assert!(
        output.status.success(),
        "no answer: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout)
        .trim_end()
        .to_owned()
}
