//! A session that is kept over restarts: nothing that was acknowledged is lost, and nothing is done twice.

use std::time::Duration;

use mqttbytes::v4::{Packet, Publish};
use serde_json::json;

use crate::scripted::{Heard, Peer, Scripted, publish};
use crate::world::{SOON, World, diagnostics, status, tree};

const KEPT: (&str, &str) = ("mqtt.session", "kept");
/// A CONNACK that says that the broker has the session.
const SESSION_PRESENT: [u8; 4] = [0x20, 2, 1, 0];
/// How long nothing more may come of a command.
const QUIET: Duration = Duration::from_secs(3);

pub fn what_is_not_acknowledged_before_a_restart_comes_again_after_it(world: &World<'_>) {
    let broker = Scripted::listen();
    let options = world.options(&broker.url()).set(KEPT.0, KEPT.1);
    let options = options.set("climate.kind", "none");
    let mut device = world.started_with(options.set("homeassistant.enabled", "false"));
    let (mut peer, connect) = broker.welcome(World::ID, SOON);
    assert!(!connect.clean_session);
    peer.serve(SOON, |packet| is_message(packet, &tree("/diag")));

    // From now on the broker acknowledges nothing.
    peer.send(&publish(tree("/switch/0/set").as_bytes(), Some(7), b"off"));
    let state = next(&mut peer, &tree("/switch/0"));
    assert_eq!(&state.payload[..], b"off");
    peer.send(&publish(tree("/sys/set").as_bytes(), Some(8), b"restart"));
    let mut acknowledged = Vec::new();
    while let Heard::Packet(packet) = peer.hear(SOON) {
        if let Packet::PubAck(ack) = packet {
            acknowledged.push(ack.pkid);
        }
    }
    assert!(
        acknowledged.ends_with(&[8]),
        "or it would be told to restart again: {acknowledged:?}"
    );

    let mut peer = present(&broker);
    let again = next(&mut peer, &tree("/switch/0"));
    assert!(again.dup, "{again:?}");
    assert_eq!((again.pkid, &again.payload), (state.pkid, &state.payload));
    // Then how things are since the start; and all of it is acknowledged.
    peer.send(&[0x40, 2, (again.pkid >> 8) as u8, again.pkid as u8]);
    peer.serve(SOON, |packet| is_message(packet, &tree("/diag")));
    // Whoever answers this has heard of the acknowledgements before it.
    peer.send(&publish(World::ID.as_bytes(), None, b"getTH"));
    let answered = peer.serve(
        SOON,
        |packet| matches!(packet, Packet::Publish(message) if message.payload.starts_with(b"th=")),
    );
    assert!(matches!(answered, Heard::Packet(_)), "{}", peer.report());

    // What has arrived is forgotten.
    device.cut_power();
    device.power_on();
    let mut peer = present(&broker);
    peer.serve(SOON, |packet| is_message(packet, &tree("/diag")));
    let repeated = peer.heard().iter().find(|(_, packet)| is_repeated(packet));
    assert_eq!(repeated, None);
}

/// The next connection, told that the broker has its session.
fn present(broker: &Scripted) -> Peer {
    let mut peer = broker.accept(SOON);
    assert!(!peer.connect().clean_session);
    peer.send(&SESSION_PRESENT);
    peer
}

/// The next message on this topic. Nothing is acknowledged.
fn next(peer: &mut Peer, topic: &str) -> Publish {
    loop {
        match peer.hear(SOON) {
            Heard::Packet(Packet::Publish(message)) if message.topic == topic => return message,
            Heard::Packet(_) => {}
            other => panic!("no message on {topic}, but {other:?}: {}", peer.report()),
        }
    }
}

fn is_message(packet: &Packet, topic: &str) -> bool {
    matches!(packet, Packet::Publish(message) if message.topic == topic)
}

fn is_repeated(packet: &Packet) -> bool {
    matches!(packet, Packet::Publish(message) if message.dup)
}

pub fn a_command_waits_for_a_device_without_power_and_is_executed_once(world: &World<'_>) {
    let mut scene = world.scene_with(&[KEPT]);
    scene.device.cut_power();
    scene.observer.expect_text(&status(), SOON, "offline");
    let toggle = json!({ "command": "toggle", "id": "k" }).to_string();
    scene.send(&tree("/switch/0/set"), &toggle);
    scene.device.power_on();
    assert_eq!(
        scene.reply(),
        json!({ "id": "k", "ok": true, "state": "off" })
    );
    for _ in 0..2 {
        scene.device.cut_power();
        scene.observer.expect_text(&status(), SOON, "offline");
        scene.device.power_on();
        scene.observer.expect_text(&status(), SOON, "online");
    }
    let replies = tree("/reply");
    scene
        .observer
        .expect_none(&replies, QUIET, "reply", |_| true);
    assert_eq!(scene.ask("toggle"), "on-0", "it was on, as at every start");
}

pub fn a_command_that_comes_during_a_restart_is_executed_once(world: &World<'_>) {
    let mut scene = world.scene_with(&[KEPT]);
    assert_eq!(diagnostics(&mut scene.observer)["boots"], 1);
    for round in 2..5 {
        let id = format!("round {round}");
        let off = json!({ "command": "off", "id": id }).to_string();
        scene.send(&tree("/sys/set"), "restart");
        scene.send(&tree("/switch/0/set"), &off);
        assert_eq!(
            scene.reply(),
            json!({ "id": id, "ok": true, "state": "off" })
        );
        let after = diagnostics(&mut scene.observer);
        assert_eq!(
            (&after["boots"], &after["reset"]),
            (&json!(round), &json!("command"))
        );
    }
    let replies = tree("/reply");
    scene
        .observer
        .expect_none(&replies, QUIET, "reply", |_| true);
}
