//! Nothing is executed twice, and what is to be remembered is, over a power cut.

use std::time::Duration;

use mqttbytes::v4::Packet;
use serde_json::json;

use crate::scripted::{Heard, Scripted, publish};
use crate::world::{SOON, World, after, status, tree};

/// How long after a change the state is surely stored, when it may be.
const STORED_WITHIN: Duration = Duration::from_secs(1);

pub fn a_repeated_id_is_not_executed_again_after_a_power_cut(world: &World<'_>) {
    let mut scene = world.scene();
    let set = tree("/switch/0/set");
    let first = scene.command(&set, "toggle", "once");
    assert_eq!(first, json!({ "id": "once", "ok": true, "state": "off" }));
    for round in 1..=2 {
        // No moment to tidy up: the id was stored before the pin moved.
        scene.device.cut_power();
        scene.observer.expect_text(&status(), SOON, "offline");
        scene.device.power_on();
        scene.observer.expect_text(&status(), SOON, "online");
        // The first answer, or, where only the id is kept, the state as it is now.
        let again = scene.command(&set, "toggle", "once");
        assert_eq!(
            (&again["id"], &again["ok"]),
            (&first["id"], &first["ok"]),
            "{again}"
        );
        let fresh = scene.command(&set, "toggle", &format!("fresh {round}"));
        assert_eq!(
            fresh["state"], "off",
            "it was on, as at boot, until this toggle"
        );
    }
}

pub fn sixteen_ids_are_remembered_over_a_power_cut(world: &World<'_>) {
    let mut scene = world.scene();
    let set = tree("/switch/0/set");
    let mut firsts = Vec::new();
    for number in 0..16 {
        let id = format!("number {number}");
        let reply = scene.command(&set, "toggle", &id);
        let state = if number % 2 == 0 { "off" } else { "on" };
        assert_eq!(reply, json!({ "id": id, "ok": true, "state": state }));
        firsts.push((id, reply));
    }
    scene.device.cut_power();
    scene.observer.expect_text(&status(), SOON, "offline");
    scene.observer.drain();
    scene.device.power_on();
    scene.observer.expect_text(&status(), SOON, "online");
    for (id, first) in firsts {
        let again = scene.command(&set, "toggle", &id);
        assert_eq!((&again["id"], &again["ok"]), (&first["id"], &first["ok"]));
    }
    assert_eq!(
        scene.ask("on"),
        "on-1",
        "the first answer of this life: nothing was toggled"
    );
}

pub fn a_message_delivered_twice_is_executed_once(world: &World<'_>) {
    let broker = Scripted::listen();
    let _device = world.started(&broker.url());
    let (mut peer, _) = broker.welcome(World::ID, SOON);
    let mut message = publish(
        tree("/switch/0/set").as_bytes(),
        Some(7),
        br#"{"command":"toggle","id":"d"}"#,
    );
    let is_ack = |packet: &Packet| matches!(packet, Packet::PubAck(ack) if ack.pkid == 7);
    let is_reply = |packet: &Packet| {
        matches!(packet, Packet::Publish(p) if p.topic == tree("/reply")
            && p.payload == br#"{"id":"d","ok":true,"state":"off"}"#[..])
    };
    let mut acks = 0;
    let mut replies = 0;
    for _ in 0..3 {
        peer.send(&message);
        // Sent again: with DUP set (section 3.3.1.1).
        message[0] |= 0x08;
    }
    let heard = peer.serve(SOON, |packet| {
        acks += usize::from(is_ack(packet));
        replies += usize::from(is_reply(packet));
        acks == 3 && replies == 3
    });
    assert!(
        matches!(heard, Heard::Packet(_)),
        "{acks} acknowledgements, {replies} replies: {heard:?}"
    );
    peer.send(&publish(World::ID.as_bytes(), None, b"toggle"));
    let heard = peer.serve(
        SOON,
        |packet| matches!(packet, Packet::Publish(p) if p.topic == after() && p.payload == "on-1"),
    );
    assert!(
        matches!(heard, Heard::Packet(_)),
        "it was off until this toggle: {heard:?}"
    );
}

pub fn the_state_of_the_switch_is_restored_when_the_settings_say_so(world: &World<'_>) {
    let mut scene = world.scene_with(&[("switch.power_on", "restore")]);
    let switch = tree("/switch/0");
    assert_eq!(
        scene.observer.next(&switch, SOON).text(),
        "on",
        "with nothing to restore"
    );
    // The state is stored at most once a minute, and may have been at boot: the change comes in the next life.
    std::thread::sleep(STORED_WITHIN);
    for state in ["off", "on"] {
        scene.device.cut_power();
        scene.observer.expect_text(&status(), SOON, "offline");
        scene.device.power_on();
        scene.observer.expect_text(&status(), SOON, "online");
        scene.send(&tree("/switch/0/set"), state);
        scene.observer.expect_text(&switch, SOON, state);
        std::thread::sleep(STORED_WITHIN);
        scene.device.cut_power();
        scene.observer.expect_text(&status(), SOON, "offline");
        scene.observer.drain();
        scene.device.power_on();
        assert_eq!(
            scene.observer.next(&switch, SOON).text(),
            state,
            "after the power cut"
        );
    }
}
