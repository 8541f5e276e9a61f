//! A hold of the button, the status LED, and the access point.

mod common;

use common::Bench;
use monster::device::{Input, LocalCommand, Output};

const TREE: &[(&str, &str)] = &[("classic.enabled", "false"), ("wifi.ssid", "home")];

fn hold(bench: &mut Bench, ms: u64) {
    bench.handle(Input::Button { pressed: true });
    bench.pass(ms);
}

fn release(bench: &mut Bench) {
    bench.handle(Input::Button { pressed: false });
    bench.pass(500);
}

/// How often the LED changed since somebody last asked.
fn changes(bench: &mut Bench) -> usize {
    std::mem::take(&mut bench.flashes).len()
}

#[test]
fn the_led_is_lit_until_there_is_a_broker_and_when_it_is_gone() {
    let mut bench = Bench::new(TREE);
    assert_eq!(bench.lit, Some(true));
    bench.connect();
    assert_eq!(bench.lit, Some(false));
    bench.cut();
    assert_eq!(bench.lit, Some(true));
}

#[test]
fn a_hold_of_5_s_brings_up_the_access_point_and_the_led_says_so_before() {
    let mut bench = Bench::online(TREE);
    let levels = bench.levels.len();
    changes(&mut bench);
    hold(&mut bench, 999);
    assert_eq!(changes(&mut bench), 0, "it may be a press");
    bench.pass(4_000);
    assert!(!bench.access_point);
    assert!(
        (15..=17).contains(&changes(&mut bench)),
        "4 changes a second"
    );
    bench.pass(1);
    assert!(bench.access_point);
    bench.pass(1_000);
    assert!((15..=17).contains(&changes(&mut bench)), "what comes next");
    release(&mut bench);
    assert_eq!(bench.ended, None);
    assert_eq!(bench.levels.len(), levels, "never on the switch");
    changes(&mut bench);
    bench.pass(10_000);
    assert_eq!(changes(&mut bench), 20, "a flash every second");
    bench.pass(48_499);
    assert!(bench.access_point);
    bench.pass(60_000);
    assert!(!bench.access_point);
    assert_eq!(bench.lit, Some(false));
}

#[test]
fn a_hold_of_10_s_makes_it_forget_everything() {
    let mut bench = Bench::online(TREE);
    let levels = bench.levels.len();
    hold(&mut bench, 9_999);
    assert_eq!(bench.ended, None);
    bench.pass(1);
    assert_eq!(bench.ended, Some(Output::FactoryReset));
    assert_eq!(bench.levels.len(), levels);

    let mut bench = Bench::new(TREE);
    bench.handle(Input::Network(false));
    hold(&mut bench, 10_000);
    assert_eq!(
        bench.ended,
        Some(Output::FactoryReset),
        "without a network too"
    );
}

#[test]
fn a_hold_that_ends_at_9_9_s_forgets_nothing_and_the_next_one_begins_anew() {
    let mut bench = Bench::online(TREE);
    hold(&mut bench, 9_900);
    release(&mut bench);
    hold(&mut bench, 4_900);
    release(&mut bench);
    hold(&mut bench, 9_900);
    release(&mut bench);
    bench.pass(30_000);
    assert_eq!(bench.ended, None);
}

#[test]
fn a_button_that_is_stuck_asks_for_nothing() {
    let mut bench = Bench::start(TREE, Default::default(), true);
    bench.pass(30_000);
    assert!(!bench.access_point);
    assert_eq!(bench.ended, None);
}

#[test]
fn the_one_that_was_asked_for_blinks_for_five_seconds() {
    let mut bench = Bench::online(TREE);
    changes(&mut bench);
    let identify = LocalCommand::parse("identify").unwrap();
    bench.handle(Input::Local(identify));
    bench.pass(20_000);
    let flashes = std::mem::take(&mut bench.flashes);
    assert_eq!(flashes.len(), 40);
    assert_eq!(flashes[39].0 - flashes[0].0, 39 * 125);
    assert_eq!((bench.identified, bench.lit), (1, Some(false)));
    bench.command("sys/set", "identify");
    bench.pass(20_000);
    assert_eq!(changes(&mut bench), 40);
}

#[test]
fn the_access_point_comes_up_when_the_network_is_lost_and_goes_when_it_is_back() {
    let mut bench = Bench::online(TREE);
    bench.handle(Input::Network(false));
    bench.pass(119_999);
    assert!(!bench.access_point);
    bench.pass(1);
    assert!(bench.access_point);
    bench.handle(Input::Network(true));
    bench.pass(50_000);
    bench.handle(Input::PortalUsed);
    bench.pass(59_999);
    assert!(bench.access_point);
    bench.pass(1);
    assert!(!bench.access_point);
}

#[test]
fn without_a_network_to_join_the_access_point_is_up_at_once_and_always_is_always() {
    let mut bench = Bench::new(&[]);
    assert!(!bench.access_point);
    bench.handle(Input::Network(false));
    assert!(bench.access_point);
    let mut bench = Bench::online(&[("ap", "always")]);
    bench.pass(1_000_000);
    assert!(bench.access_point);
    let mut bench = Bench::new(&[("ap", "off")]);
    bench.handle(Input::Network(false));
    bench.pass(1_000_000);
    hold(&mut bench, 6_000);
    assert!(!bench.access_point);
}
