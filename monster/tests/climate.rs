//! Temperature and humidity: when the sensor is asked, and what is told to whom.

mod common;

use common::Bench;
use monster::climate::Outcome;
use monster::device::Input;
use monster::dht::{Kind, Reading, SensorError, encode};

const TREE: &[(&str, &str)] = &[("classic.enabled", "false"), ("climate.kind", "dht22")];

fn reading(temperature: i16, humidity: u16) -> Outcome {
    Ok(Reading {
        temperature,
        humidity,
    })
}

/// Waits for the next try, and answers it.
fn measure(bench: &mut Bench, outcome: Outcome) -> u64 {
    let from = bench.now;
    let before = bench.measures;
    while bench.measures == before {
        let at = bench.device.deadline().unwrap().as_millis();
        bench.pass(at - bench.now);
    }
    bench.handle(Input::Reading(outcome));
    bench.now - from
}

/// A device that has measured 21.5 °C and 48 %, and said so.
fn measured(settings: &[(&str, &str)]) -> Bench {
    let mut bench = Bench::online(settings);
    measure(&mut bench, reading(215, 480));
    bench.said();
    bench
}

fn th(rest: &str) -> String {
    format!("monster/a1b2c3/th {rest}")
}

#[test]
fn the_first_measurement_is_told_retained_with_its_age() {
    let mut bench = Bench::online(TREE);
    assert_eq!(measure(&mut bench, reading(-5, 1000)), 1_000);
    let said = bench.published();
    assert_eq!(said[0].topic, "monster/a1b2c3/th");
    assert!(said[0].retain);
    assert_eq!(
        &said[0].payload[..],
        br#"{"temperature":-0.5,"humidity":100.0,"age":0}"#
    );
    assert_eq!(said.len(), 1);
}

#[test]
fn pulses_are_read_as_the_sensor_sends_them() {
    for (kind, name) in [(Kind::Dht22, "dht22"), (Kind::Dht11, "dht11")] {
        let mut bench = Bench::online(&[("classic.enabled", "false"), ("climate.kind", name)]);
        bench.pass(1_000);
        let sent = Reading {
            temperature: 234,
            humidity: 560,
        };
        bench.handle(Input::Pulses(&encode(kind, sent)));
        assert_eq!(
            bench.said(),
            [th(r#"{"temperature":23.4,"humidity":56.0,"age":0}"#)]
        );
    }
}

#[test]
fn a_change_of_three_tenths_or_two_percent_is_told_and_a_smaller_one_is_not() {
    let mut bench = measured(TREE);
    for (temperature, humidity, told) in [
        (217, 480, false),
        (215, 499, false),
        (218, 480, true),
        (218, 500, true),
        (216, 499, false),
        (215, 500, true),
    ] {
        measure(&mut bench, reading(temperature, humidity));
        assert_eq!(
            bench.said().len(),
            usize::from(told),
            "{temperature} {humidity}"
        );
    }
}

#[test]
fn an_unchanged_value_is_told_every_300_s() {
    let mut bench = measured(TREE);
    let from = bench.now;
    let mut told = Vec::new();
    while bench.now - from < 1_000_000 {
        measure(&mut bench, reading(215, 480));
        let times = bench
            .said()
            .iter()
            .filter(|line| line.contains("/th "))
            .count();
        told.extend(std::iter::repeat_n(bench.now - from, times));
    }
    assert_eq!(told, [300_000, 600_000, 900_000]);
}

#[test]
fn a_fault_is_told_after_three_tries_and_never_a_value_that_was_made_up() {
    let mut bench = measured(TREE);
    for error in [SensorError::Timeout, SensorError::Checksum] {
        measure(&mut bench, Err(error));
        assert_eq!(bench.said(), [""; 0]);
    }
    measure(&mut bench, Err(SensorError::Edge));
    assert_eq!(
        bench.said(),
        [th(r#"{"temperature":null,"humidity":null,"error":"edge"}"#)]
    );
    measure(&mut bench, reading(215, 480));
    assert_eq!(
        bench.said(),
        [th(r#"{"temperature":21.5,"humidity":48.0,"age":0}"#)]
    );
}

#[test]
fn a_sensor_that_never_answers_is_a_timeout() {
    let mut bench = Bench::online(TREE);
    bench.pass(5_600);
    assert_eq!(bench.measures, 3);
    assert_eq!(
        bench.said(),
        [th(
            r#"{"temperature":null,"humidity":null,"error":"timeout"}"#
        )]
    );
}

#[test]
fn the_sensor_is_never_asked_more_often_than_every_2_s_whoever_asks() {
    let mut bench = measured(&[("climate.kind", "dht22")]);
    let mut asked_at = Vec::new();
    for _ in 0..2_000 {
        let before = bench.measures;
        bench.publish(common::ID, b"getTH");
        bench.command("th/get", "");
        if bench.measures > before {
            asked_at.push(bench.now);
            bench.handle(Input::Reading(reading(215, 480)));
        }
        bench.pass(37);
    }
    assert!(asked_at.len() > 20);
    assert!(asked_at.windows(2).all(|pair| pair[1] - pair[0] >= 2_000));
}

#[test]
fn get_th_is_answered_on_the_classic_topic_and_a_get_on_the_structured_one() {
    let mut bench = measured(&[("climate.kind", "dht22")]);
    bench.publish(common::ID, b"getTH");
    assert_eq!(bench.said(), ["a1b2c3After th=21.5,48.0"], "fresh enough");
    bench.pass(2_000);
    bench.command("th/get", "anything");
    assert_eq!(bench.said(), [""; 0], "it measures");
    bench.handle(Input::Reading(reading(216, 481)));
    assert_eq!(
        bench.said(),
        [th(r#"{"temperature":21.6,"humidity":48.1,"age":0}"#)]
    );
}

#[test]
fn get_th_says_what_is_wrong_with_the_sensor() {
    let mut bench = Bench::online(&[("climate.kind", "dht22"), ("structured.enabled", "false")]);
    bench.said();
    bench.publish(common::ID, b"getTH");
    for _ in 0..3 {
        measure(&mut bench, Err(SensorError::Checksum));
    }
    assert_eq!(bench.said(), ["a1b2c3After th=error,checksum"]);
}

#[test]
fn who_asks_with_an_id_gets_an_answer_and_the_fifth_at_once_is_refused() {
    let mut bench = measured(TREE);
    bench.pass(2_000);
    for n in 0..5 {
        bench.command("th/get", &format!(r#"{{"command":"get","id":"q{n}"}}"#));
    }
    let why = "too many are waiting for a measurement";
    assert_eq!(
        bench.said(),
        [format!(
            r#"monster/a1b2c3/reply {{"id":"q4","ok":false,"error":"{why}"}}"#
        )]
    );
    bench.handle(Input::Reading(reading(216, 480)));
    let mut said = bench.said();
    said.sort();
    let mut expected: Vec<String> = (0..4)
        .map(|n| {
            let rest = r#""ok":true,"temperature":21.6,"humidity":48.0"#;
            format!(r#"monster/a1b2c3/reply {{"id":"q{n}",{rest}}}"#)
        })
        .collect();
    expected.push(th(r#"{"temperature":21.6,"humidity":48.0,"age":0}"#));
    assert_eq!(said, expected);
    assert!(bench.records.is_empty(), "asking is not worth a write");
}

#[test]
fn a_repeated_question_is_asked_again() {
    let mut bench = measured(TREE);
    let question = r#"{"command":"get","id":"q"}"#;
    bench.command("th/get", question);
    assert!(bench.said()[0].contains(r#""temperature":21.5"#));
    bench.pass(2_000);
    bench.command("th/get", question);
    bench.handle(Input::Reading(reading(230, 480)));
    assert!(bench.said()[0].contains(r#""temperature":23.0"#));
}

#[test]
fn a_device_without_a_sensor_says_so() {
    let mut bench = Bench::online(&[]);
    bench.said();
    bench.command("th/get", "");
    assert_eq!(bench.said(), [""; 0]);
    bench.command("th/get", r#"{"command":"get","id":"q"}"#);
    let reply = r#"monster/a1b2c3/reply {"id":"q","ok":false,"error":"there is no sensor"}"#;
    assert_eq!(bench.said(), [reply]);
    bench.handle(Input::Reading(reading(1, 1)));
    assert_eq!(bench.measures, 0);
}

#[test]
fn the_offsets_are_added() {
    let mut bench = Bench::online(&[
        ("classic.enabled", "false"),
        ("climate.kind", "dht22"),
        ("climate.temperature_offset", "-1.5"),
        ("climate.humidity_offset", "3.0"),
    ]);
    measure(&mut bench, reading(215, 480));
    assert_eq!(
        bench.said(),
        [th(r#"{"temperature":20.0,"humidity":51.0,"age":0}"#)]
    );
}

#[test]
fn what_is_measured_while_away_is_told_with_its_age_when_online_again() {
    let mut bench = measured(TREE);
    bench.cut();
    bench.handle(Input::Network(false));
    measure(&mut bench, reading(300, 480));
    measure(&mut bench, reading(300, 480));
    let at = bench.now;
    bench.handle(Input::Network(true));
    bench.wait_for_attempt();
    bench.connect();
    let age = (bench.now - at) / 1000;
    let line = th(&format!(
        r#"{{"temperature":30.0,"humidity":48.0,"age":{age}}}"#
    ));
    assert!(bench.said().contains(&line));
}
