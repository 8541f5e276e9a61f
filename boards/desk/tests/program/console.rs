//! The console that `monster run` serves.

use std::net::TcpListener;

use crate::harness::Desk;
use crate::http::{Visitor, link};

const ANY_PORT: [&str; 2] = ["--console", "127.0.0.1:0"];

#[test]
fn the_link_it_prints_signs_in_whoever_opens_it_first() {
    let desk = Desk::new();
    let mut running = desk.without_broker(&[&ANY_PORT[..], &["--id", "a1"]].concat());
    let (door, path) = link(&mut running);
    assert!(door.ip().is_loopback());

    let mut stranger = Visitor::stranger(door);
    assert_eq!(stranger.ask("GET", "/api/status", "").status, 401);
    assert_eq!(stranger.open("/").status, 200);
    let mut first = Visitor::stranger(door);
    assert_eq!(first.open(&path).status, 303);
    assert_eq!(stranger.open(&path).status, 303, "and is not signed in");
    assert_eq!(stranger.ask("GET", "/api/status", "").status, 401);

    let status = first.status();
    assert_eq!(
        (&status["id"], &status["board"]),
        (&"a1".into(), &"desk".into())
    );
    assert_eq!(status["switch"], "on");
    let done = first.command("toggle").json();
    assert_eq!((&done["ok"], &done["state"]), (&true.into(), &"off".into()));
    assert_eq!(first.status()["switch"], "off");
}

#[test]
fn a_restart_at_the_console_keeps_who_is_signed_in_and_begins_anew() {
    let desk = Desk::new();
    let mut running = desk.without_broker(&ANY_PORT);
    let visitor = Visitor::invited(&mut running);
    assert_eq!(visitor.command("off").status, 200);
    assert_eq!(visitor.command("restart").status, 200);
    running.hear("restarting");
    while visitor.status()["diag"]["reset"] != "command" {}
    let status = visitor.status();
    assert_eq!(status["switch"], "on", "as it is set for a start");
    assert_eq!(status["diag"]["boots"], 2);
}

#[test]
fn what_a_flag_the_environment_or_the_file_has_set_is_not_to_be_changed_at_the_console() {
    let desk = Desk::with("heartbeat.seconds = 7\n");
    let flags = [&["run", "--broker", "mqtt://127.0.0.1:1"], &ANY_PORT[..]].concat();
    let mut monster = desk.monster(&flags);
    monster.env("MONSTER_MQTT_KEEP_ALIVE", "30");
    let mut running = crate::harness::Running::start(monster);
    let visitor = Visitor::invited(&mut running);
    for (key, origin, value) in [
        ("broker.url", "flag", "mqtt://127.0.0.1:1"),
        ("mqtt.keep_alive", "environment", "30"),
        ("heartbeat.seconds", "file", "7"),
    ] {
        let setting = visitor.setting(key);
        assert_eq!(setting["fixed"], origin, "{setting}");
        assert_eq!(setting["value"], value, "{setting}");
        let body = format!(r#"{{"{key}":"9"}}"#);
        let answer = visitor.ask("PUT", "/api/settings", &body);
        assert_eq!(answer.status, 400, "{answer:?}");
        assert_eq!(answer.json()["key"], key);
    }
    assert!(visitor.setting("classic.on")["fixed"].is_null());
}

#[test]
fn what_is_changed_at_the_console_is_stored_and_holds_from_the_next_start_on() {
    let desk = Desk::with("heartbeat.seconds = 7\n");
    let mut running = desk.without_broker(&ANY_PORT);
    let visitor = Visitor::invited(&mut running);
    // What only this board knows to be wrong.
    let refused = visitor.ask("PUT", "/api/settings", r#"{"switch.gpio":"D5"}"#);
    assert_ne!(refused.status, 200);
    assert!(
        refused.json()["error"]
            .as_str()
            .unwrap()
            .contains("gpiochip"),
        "{refused:?}"
    );
    assert_eq!(visitor.status()["switch"], "on");
    let body = r#"{"switch.power_on":"off","mqtt.keep_alive":"30"}"#;
    let answer = visitor.ask("PUT", "/api/settings", body);
    assert_eq!(answer.status, 200, "{answer:?}");
    while visitor.status()["diag"]["reset"] != "command" {}
    assert_eq!(visitor.status()["switch"], "off");
    assert!(visitor.setting("switch.power_on")["fixed"].is_null());

    // Seen from outside while it runs, and after it has ended.
    let shown = "switch.power_on             off  (stored; default: on)\n";
    for running in [Some(running), None] {
        let said = desk.run(&["settings"]);
        assert!(said.out.contains(shown), "{}", said.out);
        drop(running);
    }
    let mut running = desk.without_broker(&ANY_PORT);
    assert_eq!(Visitor::invited(&mut running).status()["switch"], "off");
}

#[test]
fn a_port_that_is_taken_is_no_reason_not_to_be_a_device() {
    // Without a wish it is another one of this computer's.
    let desks = [Desk::new(), Desk::new()];
    let mut devices = desks.each_ref().map(|desk| desk.without_broker(&[]));
    let doors = devices.each_mut().map(|device| link(device).0);
    assert_ne!(doors[0], doors[1]);

    // With a wish it is said.
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let desk = Desk::new();
    let mut running = desk.without_broker(&["--console", &address, "--log", "debug"]);
    running.hear("connecting to");
    running.signal(rustix::process::Signal::TERM);
    let said = running.end();
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(
        said.error.contains(&format!("no console on {address}")),
        "{said:?}"
    );
}

#[test]
fn who_wants_no_console_has_none() {
    let desk = Desk::new();
    let mut running = desk.without_broker(&["--no-console", "--log", "debug"]);
    running.hear("connecting to");
    running.signal(rustix::process::Signal::TERM);
    let said = running.end();
    assert!(!said.out.contains("http://"), "{said:?}");
}
