//! The classic pair: every row of its table.

use std::time::Duration;

use crate::proxy::Proxy;
use crate::publisher::Publish;
use crate::world::{SOON, Scene, World, after, answer, diagnostics, observe, status, tree};

/// What the original means by its heartbeat, and we mean exactly.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// How far a heartbeat may be off on a machine that is busy with other tests.
const JITTER: Duration = Duration::from_millis(700);

pub fn the_first_heartbeat_comes_at_once_and_then_one_every_five_seconds(world: &World<'_>) {
    let broker = world.broker();
    let mut observer = observe(&broker);
    let _device = world.started(&broker.url());
    let online = observer.expect_text(&status(), SOON, "online");
    let mut last = observer.next(&after(), SOON);
    assert_eq!(last.text(), "t=0", "the first message of the pair");
    let apart = last.at.max(online.at) - last.at.min(online.at);
    assert!(apart < JITTER, "`t=0` came {apart:?} from `online`");
    for n in 1..=2 {
        let beat = observer.next(&after(), HEARTBEAT + JITTER);
        assert_eq!(beat.text(), format!("t={n}"));
        assert_eq!((beat.qos, beat.retained), (0, false));
        let gap = beat.at - last.at;
        assert!(
            gap > HEARTBEAT - JITTER && gap < HEARTBEAT + JITTER,
            "`t={n}` came {gap:?} after the heartbeat before it"
        );
        last = beat;
    }
}

pub fn every_word_is_answered_at_every_quality_of_service(world: &World<'_>) {
    let mut scene = world.scene();
    wait_for_a_reading(&mut scene);
    for qos in 0..=2 {
        for (word, expected) in [
            ("on", "on-1"),
            ("off", "on-0"),
            ("toggle", "on-1"),
            ("toggle", "on-0"),
            ("off", "on-0"),
            ("toggle", "on-1"),
            ("on", "on-1"),
            ("toggle", "on-0"),
        ] {
            Publish::new(World::ID, word).qos(qos).to(&scene.broker);
            assert_eq!(
                scene.answer(),
                expected,
                "the answer to `{word}` at QoS {qos}"
            );
        }
        Publish::new(World::ID, "getTH").qos(qos).to(&scene.broker);
        let reading = scene.answer();
        assert!(
            is_reading(&reading),
            "`getTH` at QoS {qos} was answered with {reading:?}, not as `th=23.4,56.0`"
        );
    }
    let answers = scene.observer.drain();
    let retained = answers.iter().find(|m| m.topic == after() && m.retained);
    assert_eq!(retained, None, "nothing of the pair is retained");
}

pub fn what_is_no_word_gets_no_answer_and_is_counted(world: &World<'_>) {
    let broker = world.broker();
    let proxy = Proxy::to(broker.port());
    let mut observer = observe(&broker);
    let _device = world.started(&proxy.url());
    let before = diagnostics(&mut observer)["rejected"].as_u64();
    observer.next(&after(), SOON);
    let strange: [&[u8]; 12] = [
        b"bogus",
        b"",
        b"ON",
        b"on ",
        b" on",
        b"on\n",
        b"on\0",
        b"toggle toggle",
        b"\xff\xfe\x00\xc3",
        b"on-1",
        &[b'o'; 300],
        &[0; 5000],
    ];
    for payload in strange {
        for qos in 0..=2 {
            Publish::new(World::ID, payload).qos(qos).to(&broker);
        }
    }
    Publish::new(World::ID, "off").to(&broker);
    assert_eq!(
        answer(&mut observer),
        "on-0",
        "the first answer of all is that to `off`"
    );
    assert_eq!(
        proxy.opened(),
        1,
        "connections: none of it is worth a new one"
    );

    proxy.cut();
    let counted = diagnostics(&mut observer)["rejected"].as_u64();
    assert_eq!(
        counted,
        before.map(|n| n + 36),
        "`rejected` in the diagnostics"
    );
}

pub fn ten_megabytes_are_passed_over_on_the_same_connection(world: &World<'_>) {
    let broker = world.broker();
    let proxy = Proxy::to(broker.port());
    let mut observer = observe(&broker);
    let _device = world.started(&proxy.url());
    observer.expect_text(&status(), SOON, "online");
    let heap = vec![b'x'; 10 * 1024 * 1024];
    for qos in 0..=2 {
        Publish::new(World::ID, heap.as_slice())
            .qos(qos)
            .to(&broker);
        Publish::new(World::ID, "off").to(&broker);
        assert_eq!(answer(&mut observer), "on-0", "after 10 MB at QoS {qos}");
    }
    assert_eq!(proxy.opened(), 1, "connections");
}

pub fn a_change_is_reported_on_both_pairs(world: &World<'_>) {
    let mut scene = world.scene();
    let switch = tree("/switch/0");
    assert_eq!(
        scene.observer.next(&switch, SOON).text(),
        "on",
        "the state on connecting"
    );
    assert_eq!(scene.ask("toggle"), "on-0");
    assert_eq!(scene.observer.next(&switch, SOON).text(), "off");
    scene.send(&tree("/switch/0/set"), "on");
    assert_eq!(
        scene.answer(),
        "on-1",
        "the classic answer to a structured command"
    );
    assert_eq!(scene.observer.next(&switch, SOON).text(), "on");
}

pub fn a_retained_word_is_ignored_and_counted(world: &World<'_>) {
    let broker = world.broker();
    Publish::new(World::ID, "off").qos(1).retained().to(&broker);
    let proxy = Proxy::to(broker.port());
    let mut observer = observe(&broker);
    let _device = world.started(&proxy.url());
    observer.expect_text(&status(), SOON, "online");
    diagnostics(&mut observer);
    // The broker sent the retained word with its SUBACK, long before this one.
    Publish::new(World::ID, "on").to(&broker);
    assert_eq!(answer(&mut observer), "on-1", "the first answer of all");
    // Published live, the same word with the same flag is a command: the broker delivers it without RETAIN.
    Publish::new(World::ID, "off").retained().to(&broker);
    assert_eq!(answer(&mut observer), "on-0");

    // Not there any more at the next connection, where it would be counted again, before or after the diagnostics.
    Publish::new(World::ID, "").retained().to(&broker);
    proxy.cut();
    assert_eq!(
        diagnostics(&mut observer)["retained_ignored"].as_u64(),
        Some(1),
        "`retained_ignored` in the diagnostics after the first connection"
    );
}

pub fn a_retained_word_is_obeyed_when_the_settings_say_so(world: &World<'_>) {
    let broker = world.broker();
    Publish::new(World::ID, "off").qos(1).retained().to(&broker);
    let mut observer = observe(&broker);
    let options = world.options(&broker.url()).set("classic.retained", "obey");
    let _device = world.started_with(options);
    assert_eq!(
        answer(&mut observer),
        "on-0",
        "the answer to the retained `off`"
    );
}

/// Waits until the sensor, which needs a moment after it got power, has been read.
fn wait_for_a_reading(scene: &mut Scene) {
    scene.observer.expect(
        &tree("/th"),
        Duration::from_secs(15),
        "a reading without an error",
        |message| message.json().get("error").is_none(),
    );
}

/// Whether this is `th=<°C>,<%>`, each with one decimal.
fn is_reading(text: &str) -> bool {
    let has_one_decimal = |number: &str| {
        number.split_once('.').is_some_and(|(whole, tenths)| {
            whole.parse::<i16>().is_ok() && tenths.len() == 1 && tenths.parse::<u8>().is_ok()
        })
    };
    text.strip_prefix("th=")
        .and_then(|reading| reading.split_once(','))
        .is_some_and(|(temperature, humidity)| {
            has_one_decimal(temperature) && has_one_decimal(humidity)
        })
}

#[cfg(test)]
mod tests {
    use super::is_reading;

    #[test]
    fn a_reading_has_two_numbers_with_one_decimal_each() {
        for good in ["th=23.4,56.0", "th=-3.5,9.9", "th=-0.5,100.0"] {
            assert!(is_reading(good), "{good}");
        }
        for bad in [
            "th=error,timeout",
            "th=23,56",
            "th=23.45,56.0",
            "23.4,56.0",
            "th=23.4",
            "th=.4,5.0",
        ] {
            assert!(!is_reading(bad), "{bad}");
        }
    }
}
