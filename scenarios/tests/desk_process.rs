//! What is the desk's own: a process, its command line, its folder, its end.

use std::process::{Command, Output};
use std::time::{Duration, Instant};

use monster_scenarios::desk::{Desk, DeskDevice, monster, run};
use monster_scenarios::device::Device;
use monster_scenarios::observer::Observer;
use monster_scenarios::process::Process;
use monster_scenarios::world::{SOON, World, after, observe, status, tree};

#[test]
fn asked_to_end_it_says_offline_once_and_ends_well() {
    let world = World::new(&Desk);
    let broker = world.broker();
    let mut observer = observe(&broker);
    let mut device = DeskDevice::new(world.options(&broker.url()));
    device.power_on();
    observer.expect_text(&status(), SOON, "online");
    device.ask_to_end();
    let ended = device.wait(SOON).expect("it ends when asked to");
    assert_eq!(ended.code(), Some(0), "the exit code");
    let offline = observer.next(&status(), SOON);
    assert_eq!(
        (offline.text().as_str(), offline.retained),
        ("offline", true)
    );
    // A broker that had to send the will would have said so by the time it welcomes somebody else.
    let mut late = observe(&broker);
    assert_eq!(late.next(&status(), SOON).text(), "offline");
    observer.expect_none(
        &status(),
        Duration::from_millis(500),
        "second `offline`",
        |_| true,
    );
    let goodbye = format!("Received DISCONNECT from {}", World::ID);
    assert!(
        broker.log().iter().any(|line| line.contains(&goodbye)),
        "no DISCONNECT"
    );
}

#[test]
fn asked_to_end_while_its_broker_is_away_it_ends_soon() {
    let world = World::new(&Desk);
    let mut broker = world.broker();
    let mut observer = observe(&broker);
    let mut device = DeskDevice::new(world.options(&broker.url()));
    device.power_on();
    observer.expect_text(&status(), SOON, "online");
    broker.kill();
    device.ask_to_end();
    assert_eq!(device.wait(SOON).and_then(|ended| ended.code()), Some(0));
}

#[test]
fn asked_to_end_while_its_broker_is_held_it_does_not_wait_for_ever() {
    let world = World::new(&Desk);
    let broker = world.broker();
    let mut observer = observe(&broker);
    let mut device = DeskDevice::new(world.options(&broker.url()));
    device.power_on();
    observer.expect_text(&status(), SOON, "online");
    broker.hold();
    device.ask_to_end();
    let ended = device.wait(SOON);
    broker.release();
    assert!(ended.is_some(), "it still runs after {SOON:?}");
}

#[test]
fn a_second_process_on_one_state_folder_refuses_to_start() {
    let world = World::new(&Desk);
    let broker = world.broker();
    let mut observer = observe(&broker);
    let options = world.options(&broker.url());
    let mut first = DeskDevice::new(options.clone());
    first.power_on();
    observer.expect_text(&status(), SOON, "online");
    let refused = finish(run(&options));
    assert!(!refused.status.success());
    let said = String::from_utf8_lossy(&refused.stderr);
    let folder = options.state.to_string_lossy();
    assert!(said.contains(&*folder), "which folder? {said}");
    assert!(first.is_alive());
    observer.expect_none(
        &status(),
        Duration::from_millis(300),
        "word from the second",
        |_| true,
    );

    // What holds the folder is the process, not a file that a crash would leave behind.
    first.cut_power();
    let mut second = DeskDevice::new(options);
    second.power_on();
    observer.expect_text(&status(), SOON, "online");
}

#[test]
fn send_prints_the_answer() {
    let world = World::new(&Desk);
    let broker = world.broker();
    let mut observer = observe(&broker);
    let mut device = DeskDevice::new(world.options(&broker.url()));
    device.power_on();
    observer.expect_text(&status(), SOON, "online");
    for (word, state) in [
        ("toggle", "off"),
        ("on", "on"),
        ("pulse 60000", "on"),
        ("off", "off"),
    ] {
        let sent = send(&broker.url(), &[World::ID, word]);
        assert_eq!(sent.status.code(), Some(0), "`{word}`: {sent:?}");
        let printed = String::from_utf8_lossy(&sent.stdout);
        assert!(printed.contains(state), "`{word}` printed {printed:?}");
        observer.expect_text(&tree("/switch/0"), SOON, state);
    }
    let refused = send(&broker.url(), &[World::ID, "dance"]);
    assert!(
        !matches!(refused.status.code(), Some(0 | 3) | None),
        "answered, but not done: {refused:?}"
    );
}

#[test]
fn send_says_so_when_nobody_answers() {
    let world = World::new(&Desk);
    let broker = world.broker();
    let started = Instant::now();
    let sent = send(&broker.url(), &["nobody", "toggle", "--timeout", "1"]);
    assert_eq!(sent.status.code(), Some(3), "{sent:?}");
    assert!(
        started.elapsed() < Duration::from_secs(4),
        "{:?}",
        started.elapsed()
    );
    let said = String::from_utf8_lossy(&sent.stderr);
    assert!(said.contains("nobody"), "who did not answer? {said:?}");
}

#[test]
fn a_bad_setting_is_named_with_its_value_and_what_is_allowed() {
    let world = World::new(&Desk);
    for (key, value, allowed) in [
        ("mqtt.keep_alive", "banana", "65535"),
        ("switch.power_on", "perhaps", "restore"),
        ("classic.retained", "yes", "obey"),
        ("no.such.key", "1", ""),
    ] {
        let options = world.options("mqtt://127.0.0.1:1").set(key, value);
        let refused = finish(run(&options));
        assert!(!refused.status.success(), "{key}={value} was taken");
        let said = String::from_utf8_lossy(&refused.stderr);
        for part in [key, if allowed.is_empty() { "" } else { value }, allowed] {
            assert!(
                said.contains(part),
                "{key}={value}: `{part}` is not in {said:?}"
            );
        }
    }
}

#[test]
fn flags_beat_the_environment_and_the_environment_beats_the_file() {
    let world = World::new(&Desk);
    let broker = world.broker();
    let options = world.options(&broker.url());
    let file = options.state.with_file_name("monster.toml");
    let toml = "[classic]\non = \"file\"\noff = \"file\"\nth = \"file\"\n";
    std::fs::write(&file, toml).expect("the world's folder is writable");
    let mut command = run(&options.set("classic.on", "flag"));
    command
        .arg("--config")
        .arg(&file)
        .env("MONSTER_CLASSIC_ON", "environment")
        .env("MONSTER_CLASSIC_OFF", "environment");
    let mut observer = Observer::new(&broker, &[&after(), &status()]);
    let _device = Process::spawn("monster", command);
    observer.expect_text(&status(), SOON, "online");
    for (word, answer) in [("on", "flag"), ("off", "environment"), ("getTH", "file")] {
        monster_scenarios::publisher::Publish::new(World::ID, word).to(&broker);
        observer.expect_text(&after(), SOON, answer);
    }
}

fn send(broker: &str, arguments: &[&str]) -> Output {
    let mut command = monster();
    command.args(["send", "--broker", broker]).args(arguments);
    finish(command)
}

/// Runs a command that is to end by itself, and soon.
fn finish(command: Command) -> Output {
    // `timeout` (coreutils) ends what does not, with exit code 124.
    let mut bounded = Command::new("timeout");
    bounded
        .arg("20")
        .arg(command.get_program())
        .args(command.get_args());
    for (key, value) in command.get_envs() {
        match value {
            Some(value) => bounded.env(key, value),
            None => bounded.env_remove(key),
        };
    }
    let output = bounded.output().expect("timeout runs");
    assert_ne!(output.status.code(), Some(124), "{command:?} does not end");
    output
}
