//! The structured tree: states, commands, the will, diagnostics, groups.

mod common;

use common::{Bench, ID, Store, message};
use monster::device::{Input, Output, ResetReason, Vitals};
use mqttbytes::QoS;
use mqttbytes::v4::{ConnectReturnCode, Packet};

const ONLINE: &str = "monster/a1b2c3/status online";

/// Without the classic pair, so that every message is one of the tree.
fn tree(more: &[(&'static str, &'static str)]) -> Bench {
    let mut bench = Bench::online(&[&[("classic.enabled", "false")], more].concat());
    bench.said();
    bench
}

#[test]
fn the_will_says_offline_and_stays_with_the_broker() {
    let mut bench = Bench::new(&[("mqtt.session", "kept"), ("broker.user", "ann")]);
    bench.open();
    let connect = bench.take_connect();
    let will = connect.last_will.unwrap();
    assert_eq!(will.topic, "monster/a1b2c3/status");
    assert_eq!(&will.message[..], b"offline");
    assert_eq!((will.qos, will.retain), (QoS::AtLeastOnce, true));
    assert_eq!(connect.client_id, ID);
    assert!(!connect.clean_session);
    assert_eq!(connect.login.unwrap().username, "ann");
}

#[test]
fn one_subscribe_asks_for_the_pair_at_qos_0_and_for_the_tree_and_the_groups_at_qos_1() {
    let mut bench = Bench::new(&[("groups", "kitchen,ground floor,c,d")]);
    bench.open();
    bench.take_connect();
    bench.connack(ConnectReturnCode::Success, false);
    let asked: Vec<(String, QoS)> = bench
        .take_subscribe()
        .filters
        .into_iter()
        .map(|filter| (filter.path, filter.qos))
        .collect();
    let expected = [
        (ID, QoS::AtMostOnce),
        ("monster/a1b2c3/switch/0/set", QoS::AtLeastOnce),
        ("monster/a1b2c3/th/get", QoS::AtLeastOnce),
        ("monster/a1b2c3/sys/set", QoS::AtLeastOnce),
        ("monster/group/kitchen/switch/0/set", QoS::AtLeastOnce),
        ("monster/group/ground floor/switch/0/set", QoS::AtLeastOnce),
        ("monster/group/c/switch/0/set", QoS::AtLeastOnce),
        ("monster/group/d/switch/0/set", QoS::AtLeastOnce),
    ];
    assert_eq!(asked, expected.map(|(name, qos)| (name.to_owned(), qos)));
}

#[test]
fn once_subscribed_every_state_is_told_retained_and_with_qos_1() {
    let mut bench = Bench::new(&[]);
    bench.connect();
    let said = bench.published();
    let told: Vec<(&str, QoS, bool)> = said
        .iter()
        .map(|it| (it.topic.as_str(), it.qos, it.retain))
        .collect();
    assert_eq!(
        told,
        [
            ("a1b2c3After", QoS::AtMostOnce, false),
            ("monster/a1b2c3/status", QoS::AtLeastOnce, true),
            // The bench's settings are without Home Assistant.
            ("homeassistant/device/a1b2c3/config", QoS::AtLeastOnce, true),
            ("monster/a1b2c3/switch/0", QoS::AtLeastOnce, true),
            ("monster/a1b2c3/diag", QoS::AtLeastOnce, true),
        ]
    );
    assert_eq!(&said[1].payload[..], b"online");
    assert_eq!(&said[2].payload[..], b"");
    assert_eq!(&said[3].payload[..], b"on");
    assert_eq!(
        &said[4].payload[..],
        concat!(
            r#"{"uptime":0,"reset":"power-on","boots":3,"reconnects":0,"drops":0,"#,
            r#""rejected":0,"retained_ignored":0,"ip":"192.168.1.7","version":""#,
            env!("CARGO_PKG_VERSION"),
            r#""}"#
        )
        .as_bytes()
    );
}

#[test]
fn nobody_reads_online_before_the_subscriptions_stand() {
    let mut bench = Bench::new(&[]);
    bench.open();
    bench.take_connect();
    bench.connack(ConnectReturnCode::Success, false);
    let subscribe = bench.take_subscribe();
    bench.pass(4_000);
    assert_eq!(bench.said(), [""; 0]);
    bench.suback(&subscribe);
    assert!(bench.said().contains(&ONLINE.to_owned()));
}

#[test]
fn the_switch_obeys_its_topic_and_tells_its_state() {
    let mut bench = tree(&[]);
    for (command, state) in [
        ("off", "off"),
        ("off", "off"),
        ("on", "on"),
        ("toggle", "off"),
        (r#"{"command":"toggle"}"#, "on"),
        (r#" {"command": "off"} "#, "off"),
    ] {
        bench.command("switch/0/set", command);
        assert_eq!(bench.said(), [format!("monster/a1b2c3/switch/0 {state}")]);
        assert_eq!(bench.pin, Some(state == "on"));
    }
}

#[test]
fn a_change_on_one_pair_is_told_on_both_and_an_order_that_changes_nothing_only_where_it_came_in() {
    let mut bench = Bench::online(&[]);
    // Whoever did not command it may hear of it a moment later.
    let both = |bench: &mut Bench, state: &str, word: &str| {
        bench.pass(50);
        let mut said = bench.said();
        said.sort();
        let classic = format!("a1b2c3After {word}");
        assert_eq!(said, [classic, format!("monster/a1b2c3/switch/0 {state}")]);
    };
    bench.command("switch/0/set", "off");
    both(&mut bench, "off", "on-0");
    bench.publish(ID, b"toggle");
    both(&mut bench, "on", "on-1");
    bench.command("switch/0/set", "on");
    bench.pass(50);
    assert_eq!(bench.said(), ["monster/a1b2c3/switch/0 on"]);
}

#[test]
fn a_pulse_ends_by_itself_and_a_command_ends_it_early() {
    let mut bench = tree(&[("switch.power_on", "off")]);
    bench.command("switch/0/set", "pulse 1500");
    assert_eq!(bench.said(), ["monster/a1b2c3/switch/0 on"]);
    bench.pass(1_499);
    assert_eq!(bench.said(), [""; 0]);
    bench.pass(1);
    assert_eq!(bench.said(), ["monster/a1b2c3/switch/0 off"]);
    assert_eq!(bench.pin, Some(false));

    bench.command("switch/0/set", "pulse 600000");
    bench.command("switch/0/set", "on");
    bench.said();
    bench.pass(30_000);
    assert_eq!(bench.pin, Some(true));
    for wrong in [
        "pulse",
        "pulse 49",
        "pulse 600001",
        "pulse +100",
        "pulse  100",
        "pulse 1e3",
    ] {
        bench.said();
        bench.command("switch/0/set", wrong);
        assert_eq!(bench.said(), [""; 0], "{wrong}");
    }
    assert_eq!(bench.device.counters().rejected, 6);
}

#[test]
fn a_pulse_ends_in_time_without_a_network() {
    let mut bench = tree(&[("switch.power_on", "off")]);
    bench.command("switch/0/set", "pulse 60000");
    bench.handle(Input::Network(false));
    bench.pass(59_999);
    assert_eq!(bench.pin, Some(true));
    bench.pass(1);
    assert_eq!(bench.pin, Some(false));
}

#[test]
fn what_is_no_command_changes_nothing_and_is_counted() {
    let mut bench = tree(&[]);
    let wrong = [
        "",
        "On",
        " on",
        "{",
        "{}",
        r#"{"command":"explode"}"#,
        r#"{"command":1}"#,
        "restart",
    ];
    for (count, payload) in wrong.into_iter().enumerate() {
        bench.command("switch/0/set", payload);
        assert_eq!(bench.device.counters().rejected, count as u32 + 1);
    }
    bench.command("sys/set", "on");
    let topic = "monster/a1b2c3/switch/0/set";
    bench.send(&message(topic, b"\xff\xff", Some(5), false));
    bench.send(&message(topic, &[b'x'; 5_000], Some(6), false));
    bench.send(&message("monster/a1b2c3/else", b"on", Some(7), false));
    bench.send(&message(
        "monster/other1/switch/0/set",
        b"off",
        Some(8),
        false,
    ));
    assert_eq!(bench.device.counters().rejected, 13);
    assert_eq!(bench.said(), [""; 0]);
    assert_eq!(bench.pin, Some(true));
}

#[test]
fn every_message_of_qos_1_is_acknowledged_also_one_that_is_no_command_or_too_large() {
    let mut bench = tree(&[]);
    let topic = "monster/a1b2c3/switch/0/set";
    for (identifier, payload) in [
        (11, vec![b'x'; 3]),
        (12, vec![b'x'; 5_000]),
        (13, Vec::new()),
    ] {
        bench.packets.clear();
        bench.send(&message(topic, &payload, Some(identifier), false));
        assert!(
            matches!(&bench.packets[..], [Packet::PubAck(ack)] if ack.pkid == identifier),
            "{:?}",
            bench.packets
        );
    }
}

#[test]
fn retained_commands_are_ignored_and_counted_whatever_the_classic_pair_does() {
    let mut bench = Bench::online(&[("classic.retained", "obey")]);
    let retained = [
        ("monster/a1b2c3/switch/0/set", "toggle"),
        (
            "monster/a1b2c3/switch/0/set",
            r#"{"command":"off","id":"x"}"#,
        ),
        ("monster/a1b2c3/sys/set", "restart"),
        ("monster/a1b2c3/th/get", ""),
    ];
    for (count, (topic, payload)) in retained.into_iter().enumerate() {
        bench.send(&message(topic, payload.as_bytes(), Some(40), true));
        assert_eq!(bench.device.counters().retained_ignored, count as u32 + 1);
    }
    assert_eq!(bench.said(), [""; 0]);
    assert_eq!(bench.pin, Some(true));
    assert!(bench.records.is_empty());
    assert_eq!(bench.ended, None);
}

#[test]
fn a_group_commands_its_devices_and_no_others() {
    let mut bench = tree(&[("groups", "kitchen,all")]);
    bench.publish("monster/group/kitchen/switch/0/set", b"off");
    assert_eq!(bench.said(), ["monster/a1b2c3/switch/0 off"]);
    bench.publish(
        "monster/group/all/switch/0/set",
        br#"{"command":"on","id":"g1"}"#,
    );
    assert_eq!(
        bench.said(),
        [
            r#"monster/a1b2c3/reply {"id":"g1","ok":true,"state":"on"}"#,
            "monster/a1b2c3/switch/0 on",
        ]
    );
    bench.publish("monster/group/cellar/switch/0/set", b"off");
    bench.publish("monster/group/kitchen/sys/set", b"restart");
    assert_eq!(bench.said(), [""; 0]);
    assert_eq!(bench.device.counters().rejected, 2);
}

#[test]
fn diagnostics_come_every_60_s_and_count() {
    let mut bench = tree(&[]);
    bench.press(1_200);
    bench.command("switch/0/set", "nonsense");
    bench.said();
    bench.pass(40_000);
    let before = bench.now;
    bench.pass(60_000 - before);
    let said = bench.said();
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(
        said[0].starts_with(r#"monster/a1b2c3/diag {"uptime":60,"reset":"power-on","boots":3,"reconnects":0,"drops":0,"rejected":1,"#),
        "{said:?}"
    );
    bench.pass(59_999);
    assert_eq!(bench.said(), [""; 0]);
    bench.pass(1);
    assert_eq!(bench.said().len(), 1);
}

#[test]
fn diagnostics_tell_how_the_board_is_as_far_as_it_knows() {
    let mut bench = tree(&[]);
    for ((free, rssi), told) in [
        ((None, None), ""),
        ((Some(81_920), None), r#","free":81920"#),
        ((Some(40_000), Some(-61)), r#","free":40000,"rssi":-61"#),
        ((None, Some(-70)), r#","rssi":-70"#),
    ] {
        bench.handle(Input::Vitals(Vitals { free, rssi }));
        assert_eq!(bench.said(), [""; 0], "they wait for the next diagnostics");
        bench.pass(60_000);
        let said = bench.said().pop().unwrap().replace(r#","ping_ms":0"#, "");
        let expected = format!(r#""retained_ignored":0{told},"ip":"#);
        assert!(said.contains(&expected), "{said}");
    }
}

#[test]
fn identify_is_shown() {
    let mut bench = tree(&[]);
    bench.command("sys/set", "identify");
    assert_eq!(bench.identified, 1);
    bench.command("sys/set", r#"{"command":"identify","id":"i"}"#);
    assert_eq!(bench.identified, 2);
    assert_eq!(
        bench.said(),
        [r#"monster/a1b2c3/reply {"id":"i","ok":true,"state":"on"}"#]
    );
}

#[test]
fn with_four_messages_in_flight_states_wait_and_the_last_eight_are_told_in_order() {
    let mut bench = tree(&[]);
    bench.acknowledges = false;
    for _ in 0..20 {
        bench.command("switch/0/set", "toggle");
    }
    bench.command("switch/0/set", "off");
    let sent = bench.published();
    assert_eq!(sent.len(), 4, "{sent:?}");
    assert_eq!(bench.pin, Some(false));
    bench.acknowledges = true;
    bench.acknowledge(sent[0].pkid);
    bench.settle();
    let state = |on| format!("monster/a1b2c3/switch/0 {}", if on { "on" } else { "off" });
    let last_eight: Vec<_> = (0..8).map(|n| state(n % 2 == 0)).collect();
    assert_eq!(bench.said(), last_eight);
}

#[test]
fn a_state_that_changes_while_away_is_told_once_as_it_is_then() {
    let mut bench = tree(&[]);
    bench.cut();
    for _ in 0..5 {
        bench.press(100);
    }
    bench.pass(11_000);
    bench.connect();
    let said = bench.said();
    assert_eq!(said[..2], [ONLINE, "monster/a1b2c3/switch/0 off"]);
    assert!(said[2].contains(r#""reconnects":1,"drops":5"#), "{said:?}");
    assert_eq!(said.len(), 3);
}

#[test]
fn the_state_to_be_restored_is_stored_and_a_write_that_fails_is_tried_again_in_a_minute() {
    let restore = [("classic.enabled", "false"), ("switch.power_on", "restore")];
    let mut bench = Bench::online(&restore);
    assert_eq!(bench.records.get(&0), None, "nothing stored means on");
    bench.store = Store::Fails;
    bench.command("switch/0/set", "off");
    assert_eq!(bench.records.get(&0), None);
    let saves = |bench: &Bench| {
        let is_save = |step: &&common::Step| matches!(step, common::Step::Output(Output::Save(_)));
        bench.steps.iter().filter(is_save).count()
    };
    let before = saves(&bench);
    bench.store = Store::Works;
    bench.pass(59_999);
    assert_eq!(saves(&bench), before, "flash is spared");
    bench.pass(1);
    assert_eq!(saves(&bench), before + 1);
    assert_eq!(bench.records.get(&0).unwrap(), &[1, 0]);
    assert_eq!(bench.power_cut(&restore).pin, Some(false));
}

#[test]
fn a_store_that_never_answers_is_asked_again_in_a_minute() {
    let mut bench = Bench::new(&[("switch.power_on", "restore")]);
    bench.store = Store::Hangs;
    bench.records.clear();
    bench.press(100);
    bench.store = Store::Works;
    bench.pass(120_000);
    assert_eq!(bench.records.get(&0).unwrap(), &[1, 0]);
}

#[test]
fn every_state_at_boot_is_the_one_the_setting_says() {
    for (power_on, stored, level) in [
        ("on", Some(0), true),
        ("off", Some(1), false),
        ("restore", Some(0), false),
        ("restore", Some(1), true),
        ("restore", None, true),
        ("toggle", Some(1), false),
        ("toggle", Some(0), true),
        ("toggle", None, true),
    ] {
        let records = stored.map(|on| (0, vec![1, on])).into_iter().collect();
        let bench = Bench::start(&[("switch.power_on", power_on)], records, false);
        assert_eq!(bench.pin, Some(level), "{power_on} {stored:?}");
        // The level is the first thing of all.
        assert_eq!(
            bench.steps[0],
            common::Step::Output(Output::Switch { level })
        );
    }
}

#[test]
fn a_restart_by_command_is_the_last_thing_that_comes() {
    let mut bench = tree(&[]);
    bench.command("sys/set", "restart");
    assert_eq!(bench.ended, Some(Output::Restart(ResetReason::Command)));
    assert_eq!(bench.device.deadline(), None);
    bench.pass(1_000_000);
}
