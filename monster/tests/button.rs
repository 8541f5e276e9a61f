//! The button: events, and what becomes of those that cannot be told at once.

mod common;

use common::Bench;
use monster::device::Input;
use mqttbytes::v4::ConnectReturnCode;

const TREE: &[(&str, &str)] = &[("classic.enabled", "false")];

fn event(kind: &str) -> String {
    format!(r#"monster/a1b2c3/button/0 {{"event_type":"{kind}"}}"#)
}

fn events(bench: &mut Bench) -> usize {
    let said = bench.said();
    said.iter()
        .filter(|line| line.contains("/button/0 "))
        .count()
}

fn online() -> Bench {
    let mut bench = Bench::online(TREE);
    bench.said();
    bench
}

#[test]
fn single_toggles_and_double_and_long_are_only_events() {
    let mut bench = online();
    bench.press(100);
    assert_eq!(
        bench.said(),
        ["monster/a1b2c3/switch/0 off".to_owned(), event("single")]
    );
    bench.press(1_500);
    assert_eq!(bench.said(), [event("long")]);
    bench.handle(Input::Button { pressed: true });
    bench.pass(80);
    bench.handle(Input::Button { pressed: false });
    bench.pass(200);
    bench.press(80);
    assert_eq!(bench.said(), [event("double")]);
    assert_eq!(bench.levels.last(), Some(&false));
}

#[test]
fn events_are_of_qos_1_and_never_retained() {
    let mut bench = online();
    bench.press(1_500);
    let said = bench.published();
    assert_eq!(said[0].qos, mqttbytes::QoS::AtLeastOnce);
    assert!(!said[0].retain);
}

#[test]
fn a_button_that_is_stuck_at_boot_is_ignored() {
    let mut bench = Bench::start(TREE, Default::default(), true);
    bench.connect();
    bench.pass(60_000);
    bench.handle(Input::Button { pressed: false });
    bench.pass(1_000);
    assert_eq!(events(&mut bench), 0);
    bench.press(100);
    assert_eq!(events(&mut bench), 1);
}

#[test]
fn an_event_waits_for_a_connection_for_at_most_10_s_and_then_is_counted_as_dropped() {
    for (waits, told) in [(10_000, 1), (10_001, 0)] {
        let mut bench = online();
        bench.handle(Input::Network(false));
        // Long after 1 s, and `press` waits for another second.
        bench.press(1_500);
        let event = bench.now - 1_000;
        bench.pass(event + 6_000 - bench.now);
        bench.handle(Input::Network(true));
        bench.wait_for_attempt();
        bench.open();
        bench.connack(ConnectReturnCode::Success, false);
        let subscribe = bench.take_subscribe();
        bench.pass(event + waits - bench.now);
        bench.suback(&subscribe);
        assert_eq!(events(&mut bench), told, "{waits} ms old");
        assert_eq!(bench.device.counters().drops, 1 - told as u32);
    }
}

#[test]
fn thirty_two_events_wait_and_the_oldest_give_way() {
    let mut bench = online();
    bench.handle(Input::Network(false));
    // 40 double presses within 8 s.
    for level in [true, false].repeat(2 * 40) {
        bench.handle(Input::Button { pressed: level });
        bench.pass(50);
    }
    assert_eq!(bench.device.counters().drops, 8);
    bench.handle(Input::Network(true));
    bench.wait_for_attempt();
    bench.connect();
    let told = events(&mut bench);
    let dropped = bench.device.counters().drops as usize;
    assert_eq!(told + dropped, 40);
    assert!(told >= 20, "{told}");
}

#[test]
fn events_keep_their_order_and_wait_for_room() {
    let mut bench = online();
    bench.acknowledges = false;
    for _ in 0..3 {
        bench.press(1_100);
        bench.press(60);
    }
    let sent = bench.published();
    assert_eq!(sent.len(), 4, "four are in flight");
    bench.acknowledges = true;
    for publish in &sent {
        bench.acknowledge(publish.pkid);
    }
    let said: Vec<String> = bench
        .said()
        .into_iter()
        .filter(|line| line.contains("button"))
        .collect();
    let first = sent.iter().filter(|it| it.topic.contains("button")).count();
    assert_eq!(said.len() + first, 6);
    for (n, line) in said.iter().enumerate() {
        let kind = if (n + first) % 2 == 0 {
            "long"
        } else {
            "single"
        };
        assert_eq!(*line, event(kind));
    }
}

#[test]
fn without_the_structured_tree_events_are_nobodys_and_are_not_counted() {
    let mut bench = Bench::online(&[("structured.enabled", "false")]);
    bench.said();
    bench.press(1_500);
    bench.pass(30_000);
    assert_eq!(bench.said(), [""; 0]);
    assert_eq!(bench.device.counters().drops, 0);
}

#[test]
fn the_switch_works_with_no_network_at_all() {
    let mut bench = Bench::new(TREE);
    bench.handle(Input::Network(false));
    bench.press(100);
    assert_eq!(bench.pin, Some(false));
    bench.press(100);
    assert_eq!(bench.pin, Some(true));
}
