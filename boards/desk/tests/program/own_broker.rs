//! The program with the broker it brings.

use crate::harness::{Desk, Running};

/// A device with its own broker, and that broker's URL.
pub fn device(desk: &Desk, flags: &[&str]) -> (Running, String) {
    let mut running = Running::start(desk.monster(flags));
    let url = connected(&mut running);
    (running, url)
}

/// Waits until a device is connected to its own broker; returns that broker's URL.
pub fn connected(running: &mut Running) -> String {
    let line = running.hear("mqtt://127.0.0.1:");
    running.hear("connected to");
    line.split_whitespace().nth(1).unwrap().to_owned()
}

#[test]
fn a_device_without_settings_answers_commands() {
    let desk = Desk::new();
    let (mut running, broker) = device(&desk, &["--id", "a1"]);
    let send = |words: &[&str]| {
        let mut flags = vec!["send", "--broker", &broker, "a1"];
        flags.extend(words);
        desk.run(&flags)
    };
    for (command, answer, then) in [
        (&["toggle"][..], "off\n", Some("switch off")),
        (&["on"], "on\n", Some("switch on")),
        // At its end.
        (&["pulse", "50"], "on\n", Some("switch off")),
        (&["th"], "23.4 °C  56.0 %\n", None),
        (&["identify"], "off\n", None),
    ] {
        let said = send(command);
        let expected = (Some(0), answer);
        assert_eq!(
            (said.code, said.out.as_str()),
            expected,
            "{command:?}: {said:?}"
        );
        if let Some(line) = then {
            running.hear(line);
        }
    }
    let said = send(&["pulse", "1"]);
    assert_eq!((said.code, said.out.as_str()), (Some(1), ""));
    assert!(said.error.contains("50 to 600000"), "{said:?}");
}

#[test]
fn a_device_that_does_not_answer_is_exit_code_3_with_what_is_known_of_it() {
    let desk = Desk::new();
    let (running, broker) = device(&desk, &["--id", "a1"]);
    let send = |id| desk.run(&["send", "--broker", &broker, id, "on", "--timeout", "0.3"]);
    let said = send("a2");
    assert_eq!(said.code, Some(3));
    assert!(
        said.error.contains("knows no device with this id"),
        "{said:?}"
    );
    drop(running);
}

#[test]
fn a_restarted_device_restores_its_switch() {
    let desk = Desk::new();
    let flags = ["--id", "a1", "--set", "switch.power_on=restore"];
    let (mut running, broker) = device(&desk, &flags);
    let send = |word| desk.run(&["send", "--broker", &broker, "a1", word]);
    let mut restart = || {
        assert_eq!(send("restart").code, Some(0));
        running.hear("restarting");
        running.hear("connected to");
    };
    // Its first state was stored at the start, and the next one would be a minute later.
    restart();
    assert_eq!(send("toggle").out, "off\n");
    restart();
    assert_eq!(send("toggle").out, "on\n");
}

#[test]
fn two_devices_have_a_broker_each() {
    let (one, other) = (Desk::new(), Desk::new());
    let (_running, first) = device(&one, &["--id", "a1"]);
    let (_running_too, second) = device(&other, &["--id", "a2"]);
    assert_ne!(first, second);
}
