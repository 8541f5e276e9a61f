//! The MQTT session that is kept over restarts.

mod common;

use common::{Bench, Step};
use monster::device::{Input, Output};
use mqttbytes::v4::{ConnectReturnCode, Packet};

const KEPT: [(&str, &str); 2] = [("mqtt.session", "kept"), ("classic.enabled", "false")];

/// What the device asked of the store for its session.
fn asked(bench: &Bench) -> Vec<Output> {
    let outputs = bench.steps.iter().filter_map(|step| match step {
        Step::Output(output @ (Output::SaveSession | Output::ForgetSession)) => Some(output),
        _ => None,
    });
    outputs.cloned().collect()
}

/// A device that was told to restart while the broker had not acknowledged that the button was pressed,
/// nor what came of it.
fn restarted_with_a_press_in_flight() -> Bench {
    let mut bench = Bench::online(&KEPT);
    bench.acknowledges = false;
    bench.press(60);
    assert_eq!(bench.said().len(), 2);
    bench.cut();
    bench.handle(Input::Local(monster::device::LocalCommand::Restart));
    assert!(matches!(bench.ended, Some(Output::Restart(_))));
    assert_eq!(asked(&bench), [Output::SaveSession]);
    bench
}

/// The broker accepts the device that comes back, and knows its session or not.
fn accept(bench: &mut Bench, session_present: bool) {
    bench.wait_for_attempt();
    bench.open();
    assert!(!bench.take_connect().clean_session);
    bench.connack(ConnectReturnCode::Success, session_present);
    let subscribe = bench.take_subscribe();
    bench.suback(&subscribe);
    assert!(bench.device.is_online());
}

#[test]
fn what_was_in_flight_at_a_restart_comes_again_after_it_and_is_then_forgotten() {
    let mut bench = restarted_with_a_press_in_flight().power_cut(&KEPT);
    accept(&mut bench, true);
    let published = bench.published();
    let again: Vec<_> = published.iter().take_while(|it| it.dup).collect();
    assert_eq!(again.len(), 2);
    assert_eq!(&again[0].payload[..], b"off");
    assert_eq!(again[1].topic, "monster/a1b2c3/button/0");
    // Then how things are.
    let states = published.iter().filter(|it| !it.dup && it.retain);
    assert!(states.count() >= 3);
    assert_eq!(asked(&bench), [Output::ForgetSession]);
    assert_eq!(bench.session, None);
}

#[test]
fn it_stays_stored_until_all_of_it_is_acknowledged() {
    let mut bench = restarted_with_a_press_in_flight();
    for _ in 0..3 {
        bench = bench.power_cut(&KEPT);
        bench.acknowledges = false;
        accept(&mut bench, true);
        let again = bench.published();
        let again: Vec<_> = again.iter().filter(|it| it.dup).collect();
        assert_eq!(again.len(), 2);
        // One of the two; then the power goes.
        bench.acknowledge(again[0].pkid);
        assert_eq!(asked(&bench), []);
    }
}

#[test]
fn a_broker_that_has_forgotten_the_session_is_told_how_things_are_and_no_more() {
    let mut bench = restarted_with_a_press_in_flight().power_cut(&KEPT);
    accept(&mut bench, false);
    let published = bench.published();
    assert!(
        published
            .iter()
            .all(|it| !it.dup && !it.topic.contains("button"))
    );
    assert!(
        published
            .iter()
            .any(|it| it.topic == "monster/a1b2c3/switch/0")
    );
    assert_eq!(asked(&bench), [Output::ForgetSession]);
}

#[test]
fn who_has_nothing_in_flight_leaves_the_store_alone() {
    for changes in [
        KEPT,
        [("mqtt.session", "clean"), ("classic.enabled", "false")],
    ] {
        let mut bench = Bench::online(&changes);
        bench.press(60);
        bench.forget();
        bench.command("sys/set", "restart");
        assert!(matches!(bench.ended, Some(Output::Restart(_))));
        assert_eq!(asked(&bench), []);
        let mut bench = bench.power_cut(&changes);
        bench.connect();
        assert_eq!(asked(&bench), []);
    }
}

#[test]
fn a_clean_session_is_not_stored() {
    let mut bench = Bench::online(&[("classic.enabled", "false")]);
    bench.acknowledges = false;
    bench.press(60);
    bench.cut();
    bench.handle(Input::Stop);
    assert_eq!(bench.ended, Some(Output::Stopped));
    assert_eq!(asked(&bench), []);
}

#[test]
fn restarts_while_the_broker_is_away_store_the_same_again() {
    let mut bench = restarted_with_a_press_in_flight();
    let stored = bench.session.clone();
    for _ in 0..3 {
        bench = bench.power_cut(&KEPT);
        bench.wait_for_attempt();
        bench.handle(Input::Stop);
        assert_eq!(bench.session, stored);
    }
}

#[test]
fn a_stored_session_that_is_damaged_or_not_wanted_any_more_is_forgotten_at_once() {
    let stored = restarted_with_a_press_in_flight();
    let mut damaged = stored.session.clone().unwrap();
    damaged[8] ^= 1;
    let bench = Bench::start_with(&KEPT, stored.records.clone(), Some(damaged), false);
    assert_eq!(asked(&bench), [Output::ForgetSession]);
    assert!(
        bench
            .log
            .iter()
            .any(|line| line.contains("session is left out"))
    );

    let mut bench = stored.power_cut(&[("classic.enabled", "false")]);
    assert_eq!(asked(&bench), [Output::ForgetSession]);
    bench.connect();
    assert!(bench.published().iter().all(|it| !it.dup));
}

#[test]
fn a_session_of_another_version_of_mqtt_does_not_clog_the_device() {
    let stored = restarted_with_a_press_in_flight();
    let mut bench = stored.power_cut(&[KEPT[0], KEPT[1], ("mqtt.version", "5")]);
    bench.wait_for_attempt();
    // The bench does not read MQTT 5.
    bench.reads = false;
    bench.open();
    let (length, now) = (bench.device.transmit().len(), bench.instant());
    bench.device.transmitted(length, now);
    // CONNACK, with the session present.
    bench.send(&[0x20, 3, 1, 0, 0]);
    assert_eq!(asked(&bench), [Output::ForgetSession]);
    let subscribe = bench.device.transmit();
    assert_eq!(subscribe[0], 0x82, "and nothing before it");
}

#[test]
fn a_command_that_was_carried_out_and_not_acknowledged_before_a_restart_is_not_carried_out_again() {
    let mut bench = Bench::online(&KEPT);
    bench.reads = false;
    let order = r#"{"command":"toggle","id":"k"}"#;
    bench.command("switch/0/set", order);
    assert_eq!(bench.levels, [false]);
    let kept = [KEPT[0], KEPT[1], ("switch.power_on", "restore")];
    bench.handle(Input::Stop);
    bench.pass(2_000);
    assert_eq!(bench.ended, Some(Output::Stopped));
    let mut bench = bench.power_cut(&kept);
    accept(&mut bench, true);
    bench.forget();
    // The broker has seen no PUBACK.
    bench.command("switch/0/set", order);
    assert_eq!(bench.levels, [] as [bool; 0]);
    let replies = bench
        .packets
        .iter()
        .filter(|packet| matches!(packet, Packet::Publish(it) if it.topic.ends_with("/reply")));
    assert_eq!(replies.count(), 1);
}
