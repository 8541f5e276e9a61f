//! The log, as the broker gets it.

mod common;

use common::Bench;
use monster::device::{Input, LocalCommand};

const CANARY: &str = "canary7canary7";

fn lines(bench: &mut Bench) -> Vec<String> {
    let said = bench.said();
    said.iter()
        .filter_map(|line| line.strip_prefix("monster/a1b2c3/log "))
        .map(str::to_owned)
        .collect()
}

#[test]
fn the_broker_gets_the_log_at_the_level_it_is_set_to_and_nothing_by_default() {
    for (level, expected) in [
        ("off", &[][..]),
        ("error", &[]),
        (
            "warn",
            &["warn: not a command: unknown command; allowed are on, off, toggle, getTH"],
        ),
    ] {
        let mut bench = Bench::online(&[("log.mqtt", level)]);
        lines(&mut bench);
        bench.publish("a1b2c3", b"bogus");
        assert_eq!(lines(&mut bench), expected, "{level}");
    }
    let mut bench = Bench::online(&[("log.mqtt", "info"), ("log.level", "error")]);
    lines(&mut bench);
    bench.publish("a1b2c3", b"off");
    assert_eq!(
        lines(&mut bench),
        [
            "info: <- a1b2c3 off",
            "info: switch off",
            "info: -> a1b2c3After on-0"
        ]
    );
}

#[test]
fn a_line_of_the_log_makes_no_other_line() {
    let mut bench = Bench::online(&[("log.mqtt", "debug")]);
    bench.pass(1_000);
    lines(&mut bench);
    bench.pass(50_000);
    assert_eq!(lines(&mut bench), [""; 0]);
    bench.handle(Input::Local(LocalCommand::parse("off").unwrap()));
    assert_eq!(
        lines(&mut bench).len(),
        3,
        "the switch, and one for each pair"
    );
    bench.pass(5_000);
    assert_eq!(lines(&mut bench), [""; 0]);
}

#[test]
fn why_it_was_away_is_told_when_it_is_back() {
    let mut bench = Bench::online(&[("log.mqtt", "warn")]);
    bench.cut();
    bench.forget();
    bench.connect();
    let told = lines(&mut bench);
    assert!(
        told.iter().any(|line| line.contains("reset by peer")),
        "{told:?}"
    );
}

#[test]
fn without_the_structured_tree_nobody_gets_it() {
    let mut bench = Bench::online(&[("log.mqtt", "debug"), ("structured.enabled", "false")]);
    bench.publish("a1b2c3", b"bogus");
    assert!(!bench.said().iter().any(|line| line.contains("/log ")));
}

#[test]
fn no_secret_is_in_any_line() {
    let url = format!("mqtt://user:{CANARY}@broker.example");
    let mut bench = Bench::new(&[
        ("broker.url", &url),
        ("broker.password", CANARY),
        ("wifi.password", CANARY),
        ("console.password", CANARY),
        ("log.level", "debug"),
        ("log.mqtt", "debug"),
    ]);
    bench.connect();
    let mut told = bench.said();
    bench.publish("a1b2c3", b"toggle");
    bench.cut();
    bench.connect();
    told.extend(bench.said());
    told.extend(std::mem::take(&mut bench.log));
    assert!(told.len() > 10);
    assert!(!told.iter().any(|line| line.contains(CANARY)), "{told:?}");
}
