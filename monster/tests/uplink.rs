//! Over to another network and another broker, with all else as it is.

mod common;

use common::{Bench, settings};
use monster::device::Input;
use monster::settings::Uplink;

const OTHER: [(&str, &str); 2] = [
    ("wifi.ssid", "Attic"),
    ("broker.url", "mqtt://other.example"),
];

fn go_over(bench: &mut Bench, on_trial: bool) {
    let other = settings(&OTHER);
    let now = bench.instant();
    let device = &mut bench.device;
    let uplink = Uplink::new(&other.wifi, &other.broker);
    device.go_over(uplink, on_trial, now);
    bench.settle();
}

#[test]
fn it_connects_to_the_other_broker_at_once_and_the_switch_stays_as_it_is() {
    let mut bench = Bench::online(&[]);
    bench.command("switch/0/set", "off");
    let levels = bench.levels.clone();
    assert_eq!(bench.pin, Some(false));
    bench.pass(100_000);
    go_over(&mut bench, false);
    assert!(bench.dialling, "it does not wait");
    let broker = bench.device.uplink().broker();
    assert_eq!(broker.unwrap().host(), "other.example");
    bench.connect_on_open();
    assert!(bench.device.is_online());
    assert_eq!(bench.levels, levels);
}

#[test]
fn without_a_network_it_waits_for_one() {
    let mut bench = Bench::online(&[]);
    bench.handle(Input::Network(false));
    go_over(&mut bench, false);
    assert!(!bench.dialling);
    bench.handle(Input::Network(true));
    bench.wait_for_attempt();
}

#[test]
fn a_trial_that_fails_never_restarts_the_machine_and_what_is_not_on_trial_does() {
    let restart = [("on_failure", "restart")];
    for (on_trial, restarts) in [(true, false), (false, true)] {
        let mut bench = Bench::online(&restart);
        go_over(&mut bench, on_trial);
        assert!(bench.dialling);
        bench.handle(Input::ConnectFailed("connection refused"));
        bench.pass(30_000);
        assert_eq!(bench.ended.is_some(), restarts);
    }
}
