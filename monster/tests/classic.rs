//! The classic pair, as the original program speaks it.

mod common;

use common::{Bench, ID, message};
use monster::device::Input;

/// Nothing but the pair.
const BARE: &[(&str, &str)] = &[("structured.enabled", "false")];

const ON: &str = "a1b2c3After on-1";
const OFF: &str = "a1b2c3After on-0";

fn bare(more: &[(&'static str, &'static str)]) -> Bench {
    let mut bench = Bench::online(&[BARE, more].concat());
    bench.said();
    bench
}

#[test]
fn without_the_structured_tree_connect_and_subscribe_are_the_originals_to_the_byte() {
    let mut bench = Bench::new(BARE);
    bench.open();
    // Level 4, clean session, keep-alive 60, no will, no user.
    let connect = b"\x10\x12\x00\x04MQTT\x04\x02\x00\x3c\x00\x06a1b2c3";
    assert_eq!(bench.wire, connect);
    bench.take_connect();
    bench.wire.clear();
    bench.connack(mqttbytes::v4::ConnectReturnCode::Success, false);
    assert_eq!(bench.wire, b"\x82\x0b\x00\x01\x00\x06a1b2c3\x00");
    let subscribe = bench.take_subscribe();
    bench.wire.clear();
    bench.suback(&subscribe);
    assert_eq!(bench.wire, b"\x30\x10\x00\x0ba1b2c3Aftert=0");
}

#[test]
fn answers_are_the_originals_to_the_byte() {
    let mut bench = bare(&[]);
    bench.wire.clear();
    // What mosquitto sends for `mosquitto_pub -t a1b2c3 -m toggle`.
    bench.send(b"\x30\x0e\x00\x06a1b2c3toggle");
    assert_eq!(bench.wire, b"\x30\x11\x00\x0ba1b2c3Afteron-0");
}

#[test]
fn the_originals_dialogue_with_its_faults_mended() {
    let mut bench = bare(&[]);
    assert_eq!(bench.pin, Some(true), "on at boot");
    for (payload, level, answer) in [
        ("on", true, ON),
        ("off", false, OFF),
        ("toggle", true, ON),
        ("toggle", false, OFF),
        ("on", true, ON),
        ("toggle", false, OFF),
        ("toggle", true, ON),
        ("getTH", true, "a1b2c3After th=error,none"),
    ] {
        bench.publish(ID, payload.as_bytes());
        assert_eq!(bench.said(), [answer], "{payload}");
        assert_eq!(bench.pin, Some(level), "{payload}");
    }
}

#[test]
fn the_first_toggle_after_boot_gives_off() {
    let mut bench = bare(&[]);
    bench.publish(ID, b"toggle");
    assert_eq!(bench.said(), [OFF]);
}

#[test]
fn what_is_no_command_gets_no_answer_and_is_counted() {
    let mut bench = bare(&[]);
    let nonsense: [&[u8]; 9] = [
        b"",
        b"bogus",
        b"On",
        b"on ",
        b"ON",
        b"\xff\xfe",
        b"toggle\0",
        br#"{"command":"on"}"#,
        &[b'x'; 900],
    ];
    for (count, payload) in nonsense.into_iter().enumerate() {
        bench.publish(ID, payload);
        assert_eq!(bench.device.counters().rejected, count as u32 + 1);
    }
    bench.publish(ID, &[b'x'; 60_000]);
    assert_eq!(bench.device.counters().rejected, 10);
    assert_eq!(bench.said(), [""; 0]);
    bench.publish(ID, b"toggle");
    assert_eq!(bench.said(), [OFF], "it still listens");
}

#[test]
fn inverted_changes_the_pin_and_not_what_is_said() {
    let mut bench = bare(&[("switch.inverted", "true")]);
    assert_eq!(bench.pin, Some(false));
    bench.publish(ID, b"off");
    assert_eq!(bench.said(), [OFF]);
    assert_eq!(bench.pin, Some(true));
}

#[test]
fn a_heartbeat_comes_at_once_on_connect_and_every_5_s() {
    let mut bench = Bench::online(&[("structured.enabled", "false"), ("heartbeat.seconds", "5")]);
    let connected = bench.now;
    for n in 1..100 {
        bench.pass(4_999);
        assert_eq!(bench.said(), [""; 0]);
        bench.pass(1);
        assert_eq!(bench.said(), [format!("a1b2c3After t={n}")]);
        assert_eq!(bench.now - connected, n * 5_000);
    }
}

#[test]
fn a_reconnect_goes_on_counting_heartbeats_and_the_time_offline_is_not_counted() {
    let mut bench = Bench::online(&[("structured.enabled", "false"), ("heartbeat.seconds", "5")]);
    bench.pass(12_000);
    assert_eq!(bench.said().last().unwrap(), "a1b2c3After t=2");
    bench.cut();
    for _ in 0..100 {
        bench.wait_for_attempt();
        bench.dialling = false;
        bench.handle(Input::ConnectFailed("refused"));
    }
    assert!(bench.now > 600_000, "{}", bench.now);
    bench.connect();
    assert_eq!(bench.said(), ["a1b2c3After t=3"]);
}

#[test]
fn a_retained_command_is_ignored_and_counted() {
    let mut bench = bare(&[]);
    bench.send(&message(ID, b"toggle", None, true));
    assert_eq!(bench.said(), [""; 0]);
    assert_eq!(bench.pin, Some(true));
    assert_eq!(bench.device.counters().retained_ignored, 1);
}

#[test]
fn a_retained_command_is_obeyed_if_the_settings_say_so() {
    let mut bench = bare(&[("classic.retained", "obey")]);
    bench.send(&message(ID, b"toggle", None, true));
    assert_eq!(bench.said(), [OFF]);
    assert_eq!(bench.device.counters().retained_ignored, 0);
}

#[test]
fn topics_client_id_and_words_are_settings() {
    let mut bench = Bench::new(&[
        ("structured.enabled", "false"),
        ("mqtt.client_id", "0123456789abcdef"),
        ("classic.in", "lamp002"),
        ("classic.out", "lamp002/up"),
        ("classic.on", "on"),
        ("classic.off", "off"),
        ("classic.th", "#%t#%h"),
        ("classic.heartbeat", "alive %n"),
    ]);
    bench.open();
    assert_eq!(bench.take_connect().client_id, "0123456789abcdef");
    bench.connack(mqttbytes::v4::ConnectReturnCode::Success, false);
    let subscribe = bench.take_subscribe();
    let filters: Vec<&str> = subscribe
        .filters
        .iter()
        .map(|it| it.path.as_str())
        .collect();
    assert_eq!(filters, ["lamp002"]);
    bench.suback(&subscribe);
    assert_eq!(bench.said(), ["lamp002/up alive 0"]);
    bench.publish("lamp002", b"toggle");
    bench.publish("lamp002", b"on");
    assert_eq!(bench.said(), ["lamp002/up off", "lamp002/up on"]);
}

#[test]
fn commands_in_one_piece_each_get_an_answer() {
    let mut bench = bare(&[]);
    let mut bytes = Vec::new();
    for _ in 0..55 {
        bytes.extend(message(ID, b"toggle", None, false));
    }
    bench.send(&bytes);
    let answers = bench.said();
    assert_eq!(answers.len(), 55);
    for (n, answer) in answers.iter().enumerate() {
        assert_eq!(answer, if n % 2 == 0 { OFF } else { ON });
    }
    assert_eq!(bench.pin, Some(false));
}

#[test]
fn a_command_of_qos_1_is_acknowledged_and_answered_in_one_piece() {
    let mut bench = bare(&[]);
    bench.wire.clear();
    bench.steps.clear();
    bench.send(&message(ID, b"on", Some(9), false));
    assert_eq!(
        bench.wire,
        b"\x30\x11\x00\x0ba1b2c3Afteron-1\x40\x02\x00\x09"
    );
    assert_eq!(bench.steps.len(), 1, "{:?}", bench.steps);
}

#[test]
fn a_press_of_the_button_is_reported_and_one_while_away_is_told_later() {
    let mut bench = bare(&[]);
    bench.press(100);
    assert_eq!(bench.said(), [OFF]);
    bench.cut();
    bench.press(100);
    assert_eq!(bench.pin, Some(true), "the switch works without a network");
    bench.connect();
    assert_eq!(bench.said(), [ON, "a1b2c3After t=1"]);
}

#[test]
fn nothing_but_the_pair_is_ever_said() {
    let mut bench = Bench::online(&[("structured.enabled", "false"), ("heartbeat.seconds", "5")]);
    for _ in 0..200 {
        bench.pass(30_000);
        bench.press(1_500);
        bench.publish("monster/a1b2c3/switch/0/set", b"toggle");
    }
    let said = bench.said();
    assert!(said.len() > 1_000);
    assert!(
        said.iter().all(|line| line.starts_with("a1b2c3After t=")),
        "{said:?}"
    );
}
