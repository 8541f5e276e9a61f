//! The connection: opened, refused, lost, dead; and how long the device waits.

mod common;

use common::{Bench, ID, Step};
use monster::device::{Input, Output, ResetReason};
use mqttbytes::v4::{ConnectReturnCode, Packet, SubscribeReasonCode};

fn bench() -> Bench {
    Bench::online(&[])
}

/// The device lets go of its connection, and wants another one within this.
fn lost_within(bench: &mut Bench, ms: u64) -> u64 {
    let from = bench.now;
    while bench.open {
        let at = bench.device.deadline().unwrap().as_millis();
        assert!(at <= from + ms, "still open after {} ms", at - from);
        bench.pass(at - bench.now);
    }
    bench.now - from
}

#[test]
fn it_connects_at_once_when_it_is_switched_on() {
    let bench = Bench::new(&[]);
    assert!(bench.dialling);
    assert!(!bench.device.is_online());
}

#[test]
fn a_connection_that_is_not_open_within_5_s_is_given_up() {
    let mut bench = Bench::new(&[]);
    bench.pass(4_999);
    assert!(bench.dialling);
    bench.pass(1);
    assert!(!bench.dialling);
    assert!(
        bench.log.last().unwrap().contains("does not answer"),
        "{:?}",
        bench.log
    );
    assert!(bench.wait_for_attempt() <= 1_000);
}

#[test]
fn connack_is_waited_for_5_s() {
    let mut bench = Bench::new(&[]);
    bench.open();
    bench.pass(4_999);
    assert!(bench.open);
    bench.pass(1);
    assert!(!bench.open);
    assert!(bench.wait_for_attempt() <= 1_001);
}

#[test]
fn suback_is_waited_for_5_s() {
    let mut bench = Bench::new(&[]);
    bench.open();
    bench.connack(ConnectReturnCode::Success, false);
    bench.pass(4_999);
    assert!(bench.open);
    bench.pass(1);
    assert!(!bench.open);
    assert!(!bench.device.is_online());
    assert!(bench.wait_for_attempt() <= 2_000);
}

#[test]
fn a_refused_connect_is_logged_with_its_reason_and_tried_again() {
    for (code, reason) in [
        (ConnectReturnCode::RefusedProtocolVersion, "version"),
        (ConnectReturnCode::BadClientId, "identifier"),
        (ConnectReturnCode::ServiceUnavailable, "unavailable"),
        (ConnectReturnCode::BadUserNamePassword, "password"),
        (ConnectReturnCode::NotAuthorized, "authorized"),
    ] {
        let mut bench = Bench::new(&[]);
        bench.open();
        bench.connack(code, false);
        assert!(!bench.open);
        let line = bench.log.last().unwrap();
        assert!(line.contains(reason), "{code:?}: {line}");
        assert!(bench.wait_for_attempt() <= 1_000);
        bench.connect();
    }
}

#[test]
fn a_broker_that_grants_no_subscription_is_left_and_one_that_grants_some_is_not() {
    let mut bench = Bench::new(&[]);
    bench.open();
    bench.connack(ConnectReturnCode::Success, false);
    let subscribe = bench.take_subscribe();
    let mut codes = vec![SubscribeReasonCode::Failure; subscribe.filters.len()];
    bench.suback_with(subscribe.pkid, codes.clone());
    assert!(!bench.open);
    bench.wait_for_attempt();
    bench.open();
    bench.connack(ConnectReturnCode::Success, false);
    let subscribe = bench.take_subscribe();
    codes[0] = SubscribeReasonCode::Success(mqttbytes::QoS::AtMostOnce);
    bench.suback_with(subscribe.pkid, codes);
    assert!(bench.device.is_online());
    assert!(
        bench.log.iter().any(|line| line.contains("refused 3 of")),
        "{:?}",
        bench.log
    );
}

#[test]
fn the_log_says_where_it_is_connected_and_what_it_listens_to_and_why_it_is_not() {
    let mut bench = Bench::new(&[("broker.url", "mqtt://ann:secret@broker.example:1884")]);
    bench.connect();
    assert_eq!(
        bench.log.last().unwrap(),
        "connected to mqtt://broker.example:1884, listening on a1b2c3"
    );
    bench.cut();
    let line = bench.log.last().unwrap();
    assert!(
        line.starts_with(
            "no connection to mqtt://broker.example:1884: reset by peer; trying again in "
        ),
        "{line}"
    );
    assert!(!bench.log.iter().any(|line| line.contains("secret")));
}

#[test]
fn a_short_outage_ends_within_two_seconds_of_the_brokers_return() {
    for seed in 0..200 {
        let mut bench = bench();
        // Different moments give different waits.
        bench.pass(60_000 + seed * 37);
        bench.cut();
        let away = bench.now + 50 * seed;
        while bench.now < away {
            bench.wait_for_attempt();
            if bench.now < away {
                bench.dialling = false;
                bench.handle(Input::ConnectFailed("refused"));
            }
        }
        assert!(bench.now - away <= 2_000, "{}", bench.now - away);
    }
}

#[test]
fn each_wait_is_at_most_a_fifth_of_the_outage_and_at_most_120_s() {
    let mut bench = bench();
    bench.pass(70_000);
    bench.cut();
    let lost = bench.now;
    let mut waits = Vec::new();
    while bench.now - lost < 4 * 3_600_000 {
        let cap = ((bench.now - lost) / 5).clamp(1_000, 120_000);
        let wait = bench.wait_for_attempt();
        assert!(wait <= cap, "{wait} of {cap}");
        waits.push(wait);
        bench.dialling = false;
        bench.handle(Input::ConnectFailed("refused"));
    }
    // Random: about half the cap, and not all of it each time.
    let late = &waits[waits.len() - 100..];
    let mean = late.iter().sum::<u64>() / 100;
    assert!((45_000..75_000).contains(&mean), "{mean}");
    assert!(late.iter().any(|wait| *wait < 20_000));
}

#[test]
fn a_broker_that_accepts_and_drops_is_not_stormed() {
    let mut bench = Bench::new(&[]);
    let mut attempts = 0;
    while bench.now < 3_600_000 {
        bench.connect();
        bench.pass(100);
        bench.cut();
        bench.wait_for_attempt();
        attempts += 1;
    }
    assert!((60..200).contains(&attempts), "{attempts}");
}

#[test]
fn a_connection_is_pinged_after_45_s_without_a_packet_received() {
    let mut bench = Bench::online(&[("heartbeat.seconds", "5")]);
    bench.forget();
    bench.pass(44_999);
    assert!(!bench.packets.contains(&Packet::PingReq));
    bench.pass(1);
    assert!(
        bench.packets.contains(&Packet::PingReq),
        "heartbeats alone show nothing"
    );
    bench.pass(3_600_000);
    assert!(bench.open, "it is answered");
}

#[test]
fn nothing_received_within_10_s_after_a_ping_means_that_the_link_is_dead() {
    for heartbeat in ["5", "3600"] {
        let mut bench = Bench::online(&[("heartbeat.seconds", heartbeat)]);
        bench.pongs = false;
        bench.acknowledges = false;
        bench.pass(54_999);
        assert!(bench.open);
        bench.pass(1);
        assert!(!bench.open);
        assert!(bench.wait_for_attempt() <= 1_000 + 55_000 / 5);
        bench.pongs = true;
        bench.connect();
    }
}

#[test]
fn a_broker_that_reads_nothing_any_more_is_found_dead_and_keeps_nobody_awake() {
    for heartbeat in ["1", "3600"] {
        let mut bench =
            Bench::online(&[("heartbeat.seconds", heartbeat), ("climate.kind", "dht22")]);
        bench.reads = false;
        for _ in 0..30 {
            bench.press(60);
        }
        let took = lost_within(&mut bench, 55_000);
        assert!(took > 10_000, "{took}");
        bench.reads = true;
        bench.wait_for_attempt();
        bench.connect();
        assert!(
            bench
                .said()
                .contains(&"monster/a1b2c3/switch/0 on".to_owned())
        );
    }
}

#[test]
fn a_broker_that_sends_and_does_not_read_keeps_nobody_awake() {
    let mut bench = Bench::online(&[("heartbeat.seconds", "1")]);
    bench.reads = false;
    for n in 0..2_000 {
        bench.offer(&common::message(ID, b"toggle", Some(n + 1), false));
        bench.pass(100);
        if !bench.open {
            return;
        }
    }
    panic!("it is not found dead in 200 s");
}

#[test]
fn a_connection_that_reads_slowly_is_used_on() {
    let mut bench = bench();
    for _ in 0..100 {
        bench.reads = false;
        for _ in 0..40 {
            bench.publish(ID, b"toggle");
        }
        bench.pass(3_000);
        bench.reads = true;
        bench.settle();
    }
    assert!(bench.open);
    bench.said();
    bench.publish(ID, b"toggle");
    assert_eq!(bench.said()[0], "a1b2c3After on-0");
}

#[test]
fn without_a_network_nothing_is_tried_and_with_it_soon_again() {
    let mut bench = bench();
    bench.pass(60_000);
    bench.handle(Input::Network(false));
    assert!(!bench.open);
    bench.pass(600_000);
    assert!(!bench.dialling);
    bench.handle(Input::Network(true));
    assert!(bench.wait_for_attempt() <= 120_000);
    bench.connect();
}

#[test]
fn a_network_that_goes_while_connecting_ends_the_attempt() {
    let mut bench = Bench::new(&[]);
    bench.handle(Input::Network(false));
    assert!(!bench.dialling);
    bench.handle(Input::Connected { ip: None });
    assert_eq!(bench.device.transmit(), b"", "it comes too late");
    bench.handle(Input::Network(true));
    bench.wait_for_attempt();
}

#[test]
fn under_on_failure_restart_the_machine_restarts_10_s_after_the_failure() {
    let mut bench = Bench::online(&[("on_failure", "restart")]);
    bench.pass(5_000);
    bench.cut();
    bench.pass(9_999);
    assert_eq!(bench.ended, None);
    assert!(!bench.dialling);
    bench.pass(1);
    assert_eq!(bench.ended, Some(Output::Restart(ResetReason::Failure)));
    assert!(
        bench
            .log
            .iter()
            .any(|line| line.ends_with("restarting in 10.0 s"))
    );
}

#[test]
fn words_about_a_connection_nobody_has_are_ignored() {
    let mut bench = bench();
    bench.cut();
    let deadline = bench.device.deadline();
    bench.handle(Input::Closed("again"));
    bench.handle(Input::ConnectFailed("what"));
    bench.handle(Input::Connected { ip: None });
    assert_eq!(bench.device.deadline(), deadline);
    assert_eq!(bench.device.transmit(), b"");
}

#[test]
fn with_a_kept_session_what_was_in_flight_comes_again_with_dup() {
    let mut bench = Bench::online(&[("mqtt.session", "kept"), ("classic.enabled", "false")]);
    bench.acknowledges = false;
    bench.command("switch/0/set", "off");
    bench.forget();
    bench.cut();
    bench.acknowledges = true;
    bench.wait_for_attempt();
    bench.open();
    bench.connack(ConnectReturnCode::Success, true);
    let again = bench.published();
    assert_eq!(again.len(), 1);
    assert!(again[0].dup && again[0].retain);
    assert_eq!(&again[0].payload[..], b"off");
}

#[test]
fn with_a_kept_session_outage_after_outage_does_not_clog_the_device() {
    let mut bench = Bench::online(&[("mqtt.session", "kept")]);
    for _ in 0..50 {
        bench.acknowledges = false;
        for _ in 0..10 {
            bench.press(60);
        }
        bench.cut();
        bench.wait_for_attempt();
        bench.open();
        bench.connack(ConnectReturnCode::Success, true);
        let subscribe = bench.take_subscribe();
        bench.suback(&subscribe);
    }
    bench.cut();
    bench.acknowledges = true;
    bench.wait_for_attempt();
    bench.open();
    bench.connack(ConnectReturnCode::Success, true);
    let subscribe = bench.take_subscribe();
    bench.suback(&subscribe);
    bench.forget();
    bench.command("switch/0/set", r#"{"command":"on","id":"x"}"#);
    assert_eq!(
        bench.said()[0],
        r#"monster/a1b2c3/reply {"id":"x","ok":true,"state":"on"}"#
    );
}

#[test]
fn each_packet_is_sent_in_one_piece() {
    let mut bench = Bench::new(&[]);
    bench.connect();
    // CONNECT; SUBSCRIBE; then the heartbeat, no more Home Assistant, and all states together.
    let sent: Vec<usize> = bench
        .steps
        .iter()
        .filter_map(|step| match step {
            Step::Sent(packets) => Some(packets.len()),
            Step::Output(_) => None,
        })
        .collect();
    assert_eq!(sent, [1, 1, 5]);
}
