//! Brokers and networks that fail, and how soon the device is back.

use std::time::{Duration, Instant};

use crate::broker::{Mosquitto, Setup};
use crate::names::Names;
use crate::observer::{Message, Observer};
use crate::proxy::{Direction, Proxy, Weather};
use crate::publisher::Publish;
use crate::world::{SOON, World, after, answer, diagnostics, observe, status, tree};

/// The promise for a broker that was away for less than ten seconds.
const BACK_WITHIN: Duration = Duration::from_secs(2);
/// The same for the scenarios that keep the device away for longer: a fifth of the time since its start at
/// most, and then the handshake.
const BACK_LATER: Duration = Duration::from_secs(12);
/// When mosquitto must have noticed that a device with a keep-alive of 5 s is dead: after one and a half of that
/// (section 3.1.2.10), for which it looks every five seconds.
const BROKER_NOTICES_WITHIN: Duration = Duration::from_secs(8 + 5 + 2);
/// When a dead link must have been noticed with a keep-alive of 8 s: no packet for three quarters of it, none
/// within the ten seconds after that, and a second for a busy machine.
const NOTICED_WITHIN: Duration = Duration::from_secs(6 + 10 + 1);

pub fn it_is_online_within_two_seconds_of_a_killed_brokers_return(world: &World<'_>) {
    let mut scene = world.scene();
    let outages = [
        Duration::ZERO,
        Duration::from_secs(1),
        Duration::from_secs(5),
    ];
    for (number, away) in outages.into_iter().enumerate() {
        let word = if number % 2 == 0 { "off" } else { "on" };
        scene.ask(word);
        scene.broker.kill();
        std::thread::sleep(away);
        let returned = scene.broker.restart();
        scene.observer = observe(&scene.broker);
        scene.observer.expect_text(&status(), BACK_WITHIN, "online");
        let took = returned.elapsed();
        assert!(
            took <= BACK_WITHIN,
            "online {took:?} after a broker returned that was away {away:?}"
        );
        // The broker forgot everything; the device tells it all again.
        scene.observer.expect_text(&tree("/switch/0"), SOON, word);
        let reconnects = diagnostics(&mut scene.observer)["reconnects"].as_u64();
        assert_eq!(reconnects, u64::try_from(number + 1).ok(), "`reconnects`");
        assert_eq!(
            scene.ask("toggle"),
            if word == "on" { "on-0" } else { "on-1" }
        );
    }
}

pub fn it_comes_back_from_a_broker_that_was_held_past_the_keep_alive(world: &World<'_>) {
    let broker = world.broker();
    let proxy = Proxy::to(broker.port());
    let mut observer = observe(&broker);
    let options = world.options(&proxy.url());
    let _device = world.started_with(options.set("mqtt.keep_alive", "8"));
    observer.expect_text(&status(), SOON, "online");
    Publish::new(World::ID, "off").to(&broker);
    assert_eq!(answer(&mut observer), "on-0");
    broker.hold();
    proxy.wait_until_closed(1, NOTICED_WITHIN);
    // The next ones are accepted by the broker's kernel, and answered by nobody.
    proxy.wait_until_closed(2, BACK_LATER);
    broker.release();
    // Whoever listens from now on hears what was left in the broker's queues first: old states, the will.
    responds(&broker, &mut observe(&broker));
    let mut late = observe(&broker);
    assert_eq!(
        late.next(&status(), SOON).text(),
        "online",
        "what the broker retains"
    );
    assert_eq!(
        late.next(&tree("/switch/0"), SOON).text(),
        "off",
        "what the broker retains"
    );
    Publish::new(World::ID, "toggle").to(&broker);
    late.expect_text(&tree("/switch/0"), SOON, "on");
}

pub fn it_gets_in_once_the_password_is_right(world: &World<'_>) {
    let mut broker = Mosquitto::start(Setup {
        password: Some(("monster".into(), "the right one".into())),
        ..Setup::default()
    });
    let proxy = Proxy::to(broker.port());
    let url = proxy
        .url()
        .replace("mqtt://", "mqtt://monster:the%20wrong%20one@");
    let mut device = world.started(&url);
    proxy.wait_until_opened(3, SOON);
    assert!(device.is_alive(), "refused, it tries again");
    assert!(
        !device.log().iter().any(|line| line.contains("wrong one")),
        "the log shows the password"
    );
    broker.change_password("monster", "the wrong one");
    observe(&broker).expect_text(&status(), BACK_LATER, "online");
    Publish::new(World::ID, "on").to(&broker);
}

pub fn a_cut_in_the_middle_of_any_packet_is_survived(world: &World<'_>) {
    let broker = world.broker();
    let proxy = Proxy::to(broker.port());
    let mut observer = observe(&broker);
    // In the first packets of a connection, on the way up (CONNECT, SUBSCRIBE, states) and down (CONNACK, SUBACK).
    proxy.cut_after(Direction::Up, 1);
    let mut device = world.started(&proxy.url());
    proxy.wait_until_cut(SOON);
    for (direction, bytes) in [
        (Direction::Down, 3),
        (Direction::Up, 13),
        (Direction::Down, 6),
        (Direction::Up, 75),
        (Direction::Up, 100),
        (Direction::Up, 200),
    ] {
        let opened = proxy.opened();
        proxy.cut_after(direction, bytes);
        proxy.cut();
        proxy.wait_until_cut(BACK_LATER);
        assert!(
            proxy.opened() > opened && device.is_alive(),
            "{direction:?} {bytes}"
        );
    }
    responds(&broker, &mut observer);

    // In a command on its way down: it is not obeyed by half.
    proxy.cut_after(Direction::Down, 7);
    Publish::new(tree("/switch/0/set"), "off")
        .qos(1)
        .to(&broker);
    proxy.wait_until_cut(SOON);
    responds(&broker, &mut observer);
    observer.drain();
    Publish::new(World::ID, "toggle").to(&broker);
    observer.expect_text(&tree("/switch/0"), SOON, "off");

    // In what the device says to a command: it is done, once, and what was not heard is said again.
    proxy.cut_after(Direction::Up, 1);
    let command = r#"{"command":"toggle","id":"c1"}"#;
    Publish::new(tree("/switch/0/set"), command)
        .qos(1)
        .to(&broker);
    proxy.wait_until_cut(SOON);
    responds(&broker, &mut observer);
    observer.expect_text(&tree("/switch/0"), SOON, "on");
    Publish::new(tree("/switch/0/set"), command)
        .qos(1)
        .to(&broker);
    let reply = observer.next(&tree("/reply"), SOON).json();
    assert_eq!(
        reply,
        serde_json::json!({ "id": "c1", "ok": true, "state": "on" })
    );
    let command = r#"{"command":"toggle","id":"c2"}"#;
    Publish::new(tree("/switch/0/set"), command)
        .qos(1)
        .to(&broker);
    let reply = observer.next(&tree("/reply"), SOON).json();
    assert_eq!(reply["state"], "off", "it was on until this toggle");
}

pub fn a_half_open_network_is_noticed_by_the_keep_alive(world: &World<'_>) {
    let broker = world.broker();
    let proxy = Proxy::to(broker.port());
    let mut observer = observe(&broker);
    let options = world.options(&proxy.url());
    let _device = world.started_with(options.set("mqtt.keep_alive", "8"));
    observer.expect_text(&status(), SOON, "online");
    // From now on its heartbeats are acknowledged by a kernel, and read by nobody.
    proxy.set(Weather::Silent);
    proxy.wait_until_closed(1, NOTICED_WITHIN);
    proxy.set(Weather::Fair);
    observer.expect_text(&status(), BACK_LATER, "online");
    Publish::new(World::ID, "toggle").to(&broker);
    assert_eq!(answer(&mut observer), "on-0");
}

pub fn a_refused_connection_is_tried_again_until_there_is_a_broker(world: &World<'_>) {
    let mut broker = Mosquitto::absent(Setup::default());
    let mut device = world.started(&broker.url());
    std::thread::sleep(Duration::from_secs(4));
    assert!(device.is_alive(), "without a broker it waits");
    let appeared = broker.restart();
    let mut observer = observe(&broker);
    observer.expect_text(&status(), BACK_WITHIN, "online");
    let took = appeared.elapsed();
    assert!(
        took <= BACK_WITHIN,
        "online {took:?} after the broker appeared"
    );
    Publish::new(World::ID, "toggle").to(&broker);
    assert_eq!(answer(&mut observer), "on-0");
}

pub fn it_is_back_after_its_cable_was_pulled_and_put_back(world: &World<'_>) {
    let broker = world.broker();
    let mut observer = observe(&broker);
    let mut options = world.options(&broker.url()).set("mqtt.keep_alive", "5");
    options.has_cable = true;
    let mut device = world.started_with(options);
    observer.expect_text(&status(), SOON, "online");
    Publish::new(World::ID, "off").to(&broker);
    assert_eq!(answer(&mut observer), "on-0");

    device.pull_cable();
    // The broker finds out by the keep-alive, and says what the device had asked it to.
    observer.expect_text(&status(), BROKER_NOTICES_WITHIN, "offline");
    assert!(device.is_alive(), "without a network it waits");
    Publish::new(World::ID, "on").to(&broker);

    device.restore_cable();
    observer.expect_text(&status(), BACK_LATER, "online");
    observer.expect_text(&tree("/switch/0"), SOON, "off");
    Publish::new(World::ID, "toggle").to(&broker);
    assert_eq!(
        answer(&mut observer),
        "on-1",
        "what was sent meanwhile is lost"
    );
}

pub fn a_name_that_appears_later_is_found(world: &World<'_>) {
    const NAME: &str = "broker.example";
    let broker = world.broker();
    let mut observer = observe(&broker);
    let names = Names::start();
    let mut options = world.options(&format!("mqtt://{NAME}:{}", broker.port()));
    options.resolver = Some(names.resolver());
    let mut device = world.started_with(options);
    let deadline = Instant::now() + SOON;
    while !names.was_asked(NAME) {
        assert!(Instant::now() < deadline, "it does not ask for the name");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(device.is_alive(), "without an answer it asks again");

    names.add(NAME, world.host());
    observer.expect_text(&status(), BACK_LATER, "online");
    Publish::new(World::ID, "toggle").to(&broker);
    assert_eq!(answer(&mut observer), "on-0");
}

pub fn bytes_that_trickle_are_still_packets(world: &World<'_>) {
    let broker = world.broker();
    let proxy = Proxy::to(broker.port());
    proxy.set(Weather::Trickle);
    let mut observer = observe(&broker);
    let _device = world.started(&proxy.url());
    observer.expect_text(&status(), SOON, "online");
    for (word, expected) in [
        ("off", "on-0"),
        ("toggle", "on-1"),
        ("nonsense", ""),
        ("toggle", "on-0"),
    ] {
        Publish::new(World::ID, word).to(&broker);
        if !expected.is_empty() {
            assert_eq!(answer(&mut observer), expected);
        }
    }
    let command = r#"{"command":"on","id":"drop by drop"}"#;
    Publish::new(tree("/switch/0/set"), command)
        .qos(2)
        .to(&broker);
    assert_eq!(observer.next(&tree("/reply"), SOON).json()["state"], "on");
    assert_eq!(proxy.opened(), 1, "connections");
}

pub fn the_counter_neither_restarts_nor_advances_while_away(world: &World<'_>) {
    let mut broker = world.broker();
    let proxy = Proxy::to(broker.port());
    let mut observer = Observer::new(&broker, &[&after()]);
    let _device = world.started_with(world.options(&proxy.url()).set("heartbeat.seconds", "2"));
    for n in 0..=2 {
        assert_eq!(observer.next(&after(), SOON).text(), format!("t={n}"));
    }
    // Right after a heartbeat, so that none is lost on its way.
    proxy.set(Weather::Refusing);
    broker.kill();
    std::thread::sleep(Duration::from_secs(5));
    broker.restart();
    // Who listens must be there before the device is.
    let mut observer = Observer::new(&broker, &[&after()]);
    proxy.set(Weather::Fair);
    for n in 3..=4 {
        assert_eq!(observer.next(&after(), SOON).text(), format!("t={n}"));
    }
}

/// Waits until the device answers a question that changes nothing, asked again and again.
fn responds(broker: &Mosquitto, observer: &mut Observer) {
    let deadline = Instant::now() + BACK_LATER;
    let is_reading = |message: &Message| message.payload.starts_with(b"th=");
    observer.drain();
    while Instant::now() < deadline {
        Publish::new(World::ID, "getTH").to(broker);
        let patience = Duration::from_millis(300);
        if observer.find(&after(), patience, is_reading).is_ok() {
            return;
        }
    }
    panic!("the device does not answer within {BACK_LATER:?}");
}
