//! `monster watch` where there is no terminal: a line for every change.

use std::time::{Duration, Instant};

use monster_scenarios::desk::{Desk, monster};
use monster_scenarios::process::{Process, Signal};
use monster_scenarios::publisher::Publish;
use monster_scenarios::world::{SOON, World, observe, status, tree};

fn watch(arguments: &[&str]) -> Process {
    let mut command = monster();
    command.arg("watch").args(arguments);
    Process::spawn("monster watch", command)
}

fn expect(watch: &Process, line: &str) {
    let deadline = Instant::now() + SOON;
    while !watch.log().iter().any(|said| said.ends_with(line)) {
        assert!(
            Instant::now() < deadline,
            "no {line:?} in {:?}",
            watch.log()
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn each_change_is_a_line_and_it_comes_back_when_the_broker_does() {
    let world = World::new(&Desk);
    let mut broker = world.broker();
    let mut observer = observe(&broker);
    let mut watch = watch(&["--broker", &broker.url()]);
    let mut device = world.started(&broker.url());
    observer.expect_text(&status(), SOON, "online");
    for line in [
        "1226d800  online",
        "1226d800  switch on",
        "1226d800  23.4 °C  56.0 %",
    ] {
        expect(&watch, line);
    }
    Publish::new(tree("/switch/0/set"), "off").to(&broker);
    expect(&watch, "1226d800  switch off");

    broker.kill();
    let url = broker.url();
    expect(
        &watch,
        &format!("no connection to {url}: the server closed the connection"),
    );
    broker.restart();
    observe(&broker).expect_text(&status(), SOON, "online");
    device.cut_power();
    expect(&watch, "1226d800  offline");

    watch.signal(Signal::TERM);
    assert_eq!(watch.wait(SOON).and_then(|ended| ended.code()), Some(0));
}

#[test]
fn named_devices_are_the_only_ones_watched_and_a_wrong_id_is_an_error() {
    let world = World::new(&Desk);
    let broker = world.broker();
    let mut observer = observe(&broker);
    let watch = watch(&["other", "--broker", &broker.url()]);
    let _device = world.started(&broker.url());
    observer.expect_text(&status(), SOON, "online");
    Publish::new("monster/other/status", "online")
        .retained()
        .to(&broker);
    expect(&watch, "other  online");
    assert!(!watch.log().iter().any(|line| line.contains(World::ID)));

    let wrong = monster().args(["watch", "Kitchen"]).output();
    let wrong = wrong.expect("monster runs");
    assert_eq!(wrong.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("0-9 and a-z"));
}
