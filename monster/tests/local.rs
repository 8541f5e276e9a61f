//! Hands at the device itself: its console, its page; and what they are shown.

mod common;

use common::{Bench, ID};
use monster::button::ButtonEvent;
use monster::device::{
    ConnectionState, Input, LastPress, LocalCommand, Output, ResetReason, Vitals,
};
use monster::dht::{Reading, SensorError};
use mqttbytes::v4::ConnectReturnCode;
use umqtt::Instant;

fn obey(bench: &mut Bench, command: &str) {
    let command = LocalCommand::parse(command).unwrap();
    bench.handle(Input::Local(command));
}

fn status(bench: &Bench) -> (ConnectionState, Option<String>, Option<u64>) {
    let connection = bench.device.connection(bench.instant());
    let reason = connection.reason.map(str::to_owned);
    (connection.state, reason, connection.retry_in)
}

#[test]
fn a_change_by_a_hand_at_the_device_is_told_on_both_pairs() {
    let mut bench = Bench::online(&[]);
    bench.said();
    for (command, on) in [
        ("off", false),
        ("toggle", true),
        ("toggle", false),
        ("on", true),
    ] {
        obey(&mut bench, command);
        assert_eq!(bench.device.switch_is_on(), on);
        let (classic, structured) = if on { ("on-1", "on") } else { ("on-0", "off") };
        assert_eq!(
            bench.said(),
            [
                format!("{ID}After {classic}"),
                format!("monster/{ID}/switch/0 {structured}")
            ],
            "{command}"
        );
    }
    obey(&mut bench, "on");
    assert_eq!(bench.said(), [""; 0], "it was on already");
}

#[test]
fn a_pulse_from_the_console_is_told_at_both_ends() {
    let mut bench = Bench::online(&[("classic.enabled", "false"), ("switch.power_on", "off")]);
    bench.said();
    obey(&mut bench, "pulse 500");
    assert_eq!(bench.said(), [format!("monster/{ID}/switch/0 on")]);
    bench.pass(499);
    assert_eq!(bench.pin, Some(true));
    bench.pass(1);
    assert_eq!(bench.pin, Some(false));
    assert_eq!(bench.said(), [format!("monster/{ID}/switch/0 off")]);
}

#[test]
fn the_console_works_with_no_network_at_all() {
    let mut bench = Bench::new(&[("climate.kind", "dht22")]);
    bench.handle(Input::Network(false));
    obey(&mut bench, "off");
    assert_eq!(bench.pin, Some(false));
    obey(&mut bench, "identify");
    assert_eq!(bench.identified, 1);
    bench.pass(1_000);
    let before = bench.measures;
    bench.handle(Input::Reading(Ok(READING)));
    bench.pass(2_500);
    obey(&mut bench, "th");
    assert_eq!(bench.measures, before + 1, "it does not wait for its turn");
    obey(&mut bench, "restart");
    assert_eq!(bench.ended, Some(Output::Restart(ResetReason::Command)));
}

#[test]
fn only_who_asked_hears_of_a_measurement_that_changed_nothing() {
    let mut bench = Bench::online(&[("climate.kind", "dht22"), ("heartbeat.seconds", "3600")]);
    bench.pass(1_000);
    bench.handle(Input::Reading(Ok(READING)));
    bench.pass(4_000);
    bench.said();
    obey(&mut bench, "th");
    bench.handle(Input::Reading(Ok(READING)));
    assert_eq!(bench.said(), [""; 0]);
}

#[test]
fn other_words_are_refused_with_those_that_are_allowed() {
    for (text, part) in [
        ("", "allowed are on, off"),
        ("On", "factory-reset"),
        ("reboot", "identify, restart"),
        ("pulse 1", "50 to 600000 ms"),
    ] {
        let error = LocalCommand::parse(text).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    }
}

const READING: Reading = Reading {
    temperature: 234,
    humidity: 560,
};

#[test]
fn the_connection_is_shown_with_its_reason_and_the_next_attempt() {
    let mut bench = Bench::new(&[]);
    assert_eq!(status(&bench), (ConnectionState::Connecting, None, None));
    bench.dialling = false;
    bench.handle(Input::ConnectFailed("connection refused"));
    let (state, reason, retry) = status(&bench);
    assert_eq!(state, ConnectionState::Waiting);
    assert_eq!(reason.as_deref(), Some("connection refused"));
    assert!(retry.unwrap() <= 1_000);
    bench.wait_for_attempt();
    let (state, reason, retry) = status(&bench);
    assert_eq!((state, retry), (ConnectionState::Connecting, None));
    assert_eq!(
        reason.as_deref(),
        Some("connection refused"),
        "of the last one"
    );
    bench.connect_on_open();
    assert_eq!(status(&bench), (ConnectionState::Online, None, None));
    let broker = bench.device.connection(bench.instant()).broker;
    assert_eq!(broker.unwrap().to_string(), "mqtt://broker.example:1883");
    bench.handle(Input::Network(false));
    let (state, reason, _) = status(&bench);
    assert_eq!(state, ConnectionState::NoNetwork);
    assert_eq!(reason.as_deref(), Some("the network is gone"));
    bench.handle(Input::Stop);
    assert_eq!(status(&bench).0, ConnectionState::Stopped);
}

#[test]
fn a_refused_login_is_the_reason() {
    let mut bench = Bench::new(&[]);
    bench.open();
    bench.take_connect();
    bench.connack(ConnectReturnCode::BadUserNamePassword, false);
    let reason = status(&bench).1.unwrap();
    assert!(reason.contains("password"), "{reason}");
}

#[test]
fn without_a_broker_nothing_is_tried_and_the_switch_works() {
    let mut bench = Bench::new(&[("broker.url", "")]);
    assert_eq!(status(&bench).0, ConnectionState::NoBroker);
    assert_eq!(bench.log, ["no broker is set"]);
    bench.pass(1_000_000);
    assert!(!bench.dialling);
    obey(&mut bench, "off");
    assert_eq!(bench.pin, Some(false));
    bench.handle(Input::Network(false));
    bench.handle(Input::Network(true));
    bench.pass(1_000_000);
    assert!(!bench.dialling);
    obey(&mut bench, "restart");
    assert_eq!(bench.ended, Some(Output::Restart(ResetReason::Command)));
}

#[test]
fn the_last_press_is_shown_with_its_age() {
    let mut bench = Bench::new(&[]);
    assert_eq!(bench.device.last_press(bench.instant()), None);
    bench.press(1_500);
    bench.pass(10_000);
    let press = LastPress {
        event: ButtonEvent::Long,
        age: 500 + 500 + 10_000,
    };
    assert_eq!(bench.device.last_press(bench.instant()), Some(press));
}

#[test]
fn the_climate_is_shown_with_its_age() {
    let mut bench = Bench::new(&[("climate.kind", "dht22")]);
    assert!(bench.device.has_climate());
    assert_eq!(bench.device.climate_age(bench.instant()), None);
    bench.pass(1_000);
    bench.handle(Input::Reading(Ok(READING)));
    bench.pass(3_999);
    assert_eq!(bench.device.climate(), Some(Ok(READING)));
    assert_eq!(bench.device.climate_age(bench.instant()), Some(3));
    bench.pass(1_001);
    for _ in 0..3 {
        bench.handle(Input::Reading(Err(SensorError::Checksum)));
        bench.pass(2_000);
    }
    assert_eq!(bench.device.climate(), Some(Err(SensorError::Checksum)));
    assert_eq!(bench.device.climate_age(bench.instant()), None);
    assert!(!Bench::new(&[]).device.has_climate());
}

#[test]
fn diagnostics_are_those_of_the_topic() {
    let mut bench = Bench::online(&[]);
    let vitals = Vitals {
        free: Some(1_000),
        rssi: Some(-60),
    };
    bench.handle(Input::Vitals(vitals));
    bench.pass(61_000);
    let diagnostics = bench.device.diagnostics(Instant::from_millis(bench.now));
    assert_eq!(diagnostics.uptime, bench.now / 1000);
    assert_eq!(diagnostics.reset, ResetReason::PowerOn);
    assert_eq!((diagnostics.boots, diagnostics.vitals), (3, vitals));
    assert_eq!(diagnostics.ip, Some([192, 168, 1, 7].into()));
    assert_eq!(diagnostics.counters, bench.device.counters());
}

#[test]
fn a_factory_reset_says_goodbye_and_asks_the_board_to_forget() {
    let mut bench = Bench::online(&[]);
    bench.forget();
    obey(&mut bench, "factory-reset");
    assert_eq!(bench.ended, Some(Output::FactoryReset));
    assert!(!bench.open);
    let mut bench = Bench::new(&[]);
    obey(&mut bench, "factory-reset");
    assert_eq!(
        bench.ended,
        Some(Output::FactoryReset),
        "without a network too"
    );
}
