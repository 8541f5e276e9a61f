//! The binary `monster` as somebody at a terminal, or a script, meets it.

mod console;
mod harness;
mod http;
#[cfg(all(unix, feature = "broker"))]
mod mqtt;
#[cfg(feature = "broker")]
mod own_broker;
mod pins;
#[cfg(all(unix, feature = "broker"))]
mod security;
#[cfg(all(target_os = "linux", feature = "broker"))]
mod systemd;

use std::fs;
#[cfg(unix)]
use std::io::{BufRead, BufReader};

use harness::{Desk, Said};

#[test]
fn it_says_which_version_it_is() {
    let said = Desk::new().run(&["--version"]);
    assert_eq!(said.out, format!("monster {}\n", env!("CARGO_PKG_VERSION")));
    assert_eq!(said.code, Some(0));
}

#[test]
fn the_help_tells_a_newcomer_what_to_type() {
    let said = Desk::new().run(&["--help"]);
    assert_eq!(said.code, Some(0));
    for word in [
        "run", "send", "watch", "settings", "--broker", "--state", "MONSTER_",
    ] {
        assert!(said.out.contains(word), "{word}: {}", said.out);
    }
}

#[test]
fn wrong_usage_is_exit_code_2() {
    let desk = Desk::new();
    for (flags, hint) in [
        (&["--brokr", "x"][..], "--broker"),
        (&["fly"], "fly"),
        (&["send"], "<ID>"),
        (&["send", "a1"], "<COMMAND>"),
        (&["send", "a1", "on", "--timeout", "0"], "--timeout"),
        (&["send", "A1", "on"], "0-9 and a-z"),
        (&["send", "a1", "fly"], "pulse MILLISECONDS"),
        (&["watch", "A1"], "0-9 and a-z"),
        (&["--quiet", "--log", "info"], "--log"),
        (&["--set", "mqtt.keep_alive"], "KEY=VALUE"),
    ] {
        let said = desk.run(flags);
        assert_eq!(said.code, Some(2), "{flags:?}: {said:?}");
        assert!(said.error.contains(hint), "{flags:?}: {said:?}");
        assert_eq!(said.out, "");
    }
}

#[test]
fn a_wrong_setting_is_exit_code_2_and_names_where_it_is_what_it_is_and_what_is_allowed() {
    let desk = Desk::with("[mqtt]\nkeep_alive = 3\n");
    let said = desk.run(&["run", "--log", "loud", "--set", "id=X"]);
    assert_eq!(said.code, Some(2));
    assert_eq!(
        said.error,
        "error: monster.toml:2: mqtt.keep_alive = \"3\": it is not a keep-alive; allowed: 5 to \
         65535 seconds; 0: off, and a dead link goes unnoticed\n\
         error: --set: id = \"X\": it has a character other than 0-9 and a-z; allowed: 1 to 23 of \
         0-9a-z, and not group; empty: the board's own\n\
         error: --log: log.level = \"loud\": it is not a level; allowed: error | warn | info | \
         debug\n"
    );
    assert!(!desk.folder.join("state").exists(), "nothing was changed");
}

#[test]
fn a_wrong_variable_is_named() {
    let desk = Desk::new();
    let mut monster = desk.monster(&["settings"]);
    monster.env("MONSTER_HEARTBEAT_SECONDS", "often");
    let said = Said::from(monster.output().unwrap());
    assert_eq!(said.code, Some(2));
    let expected = "error: MONSTER_HEARTBEAT_SECONDS: heartbeat.seconds = \"often\": ";
    assert!(said.error.starts_with(expected), "{said:?}");
}

#[test]
fn topics_that_meet_only_with_this_id_are_refused_before_the_device_starts() {
    let desk = Desk::with("classic.out = \"a1\"\n");
    assert_eq!(desk.run(&["settings"]).code, Some(0));
    let said = desk.run(&["--id", "a1", "--broker", "mqtt://127.0.0.1:1"]);
    assert_eq!(said.code, Some(2), "{said:?}");
    assert!(
        said.error.contains("classic.in and classic.out"),
        "{said:?}"
    );
}

#[test]
fn a_ca_that_is_not_there_is_a_wrong_setting() {
    let said = Desk::new().run(&["--broker", "mqtts://localhost", "--ca", "none.pem"]);
    assert_eq!(said.code, Some(2));
    assert!(
        said.error.starts_with("error: broker.ca = \"none.pem\": "),
        "{said:?}"
    );
}

#[test]
fn a_certificate_comes_with_its_key_and_both_are_there() {
    let desk = Desk::new();
    for (flags, error) in [
        (
            &["--cert", "a.pem"][..],
            "broker.cert is set and broker.key is not",
        ),
        (
            &["--key", "a.pem"],
            "broker.key is set and broker.cert is not",
        ),
        (
            &["--cert", "a.pem", "--key", "b.pem"],
            "broker.cert = \"a.pem\": No such file",
        ),
    ] {
        let broker = ["--broker", "mqtts://127.0.0.1:1"];
        let said = desk.run(&[flags, &broker].concat());
        assert_eq!(said.code, Some(2), "{said:?}");
        assert!(
            said.error.starts_with(&format!("error: {error}")),
            "{said:?}"
        );
    }
    let said = desk.run(&["send", "--cert", "a.pem", "a1", "on"]);
    assert_eq!(said.code, Some(2), "{said:?}");
}

#[test]
fn the_settings_are_shown_with_their_sources_and_without_secrets() {
    let desk = Desk::with("broker.user = \"alice\"\nbroker.password = \"hunter2\"\n");
    let mut monster = desk.monster(&["settings"]);
    monster.env("MONSTER_MQTT_KEEP_ALIVE", "30");
    let said = Said::from(monster.output().unwrap());
    assert_eq!(said.code, Some(0));
    for setting in monster::settings::TABLE {
        let key = setting.key();
        assert!(said.out.contains(&format!("\n{key} ")), "{key}");
        assert!(said.out.contains(setting.meaning()), "{key}");
        // What names of pins are allowed is for this board to say.
        let allowed = match key.strip_suffix(".gpio") {
            Some("climate") => "allowed: sim; iio:deviceN".to_owned(),
            Some(_) => "allowed: sim".to_owned(),
            None => setting.allowed().to_string(),
        };
        assert!(said.out.contains(&allowed), "{key}");
    }
    assert!(
        said.out
            .contains("mqtt.keep_alive             30  (MONSTER_MQTT_KEEP_ALIVE; default: 60)\n"),
        "{}",
        said.out
    );
    let password =
        "broker.password             set, not shown  (monster.toml:2; default: not set)\n";
    assert!(said.out.contains(password), "{}", said.out);
    assert!(!said.out.contains("hunter2"));
    assert!(!said.out.contains('\x1b'), "colour is for terminals");
}

#[test]
fn a_file_is_checked_by_itself() {
    let desk = Desk::with("mqtt.keep_alive = 30\n");
    let mut monster = desk.monster(&["settings", "--check"]);
    monster.env("MONSTER_ID", "THIS IS NO ID");
    let said = Said::from(monster.output().unwrap());
    assert_eq!(
        (said.code, said.out.as_str()),
        (Some(0), "monster.toml: ok\n")
    );

    fs::write(desk.folder.join("b.toml"), "a = 1\nmqtt.keep_alive = 1\n").unwrap();
    let said = desk.run(&["settings", "--check", "--config", "b.toml"]);
    assert_eq!(said.code, Some(2));
    assert_eq!(said.error.lines().count(), 2, "{said:?}");
    assert!(
        said.error.contains("b.toml:1: there is no setting \"a\""),
        "{said:?}"
    );

    let said = desk.run(&["settings", "--check", "--config", "c.toml"]);
    assert_eq!(said.code, Some(2));
    assert!(
        said.error.contains("c.toml: there is no such file"),
        "{said:?}"
    );

    let said = Desk::new().run(&["settings", "--check"]);
    assert_eq!(said.code, Some(2));
    assert!(said.error.contains("--config FILE"), "{said:?}");
}

#[test]
fn a_command_without_a_broker_is_exit_code_1_and_says_what_to_do() {
    let said = Desk::new().run(&["send", "--broker", "mqtt://127.0.0.1:1", "a1", "on"]);
    assert_eq!(said.code, Some(1));
    assert!(
        said.error.contains("cannot connect to mqtt://127.0.0.1:1"),
        "{said:?}"
    );
    assert!(said.error.contains("--broker"), "{said:?}");
}

#[test]
fn a_state_folder_has_one_device() {
    let desk = Desk::new();
    let mut first = desk.without_broker(&["--state", "here"]);
    first.hear("mosquitto_pub");
    let said = desk.run(&["run", "--broker", "mqtt://127.0.0.1:1", "--state", "here"]);
    assert_eq!(said.code, Some(1));
    assert!(
        said.error.contains("already keeps its state in here"),
        "{said:?}"
    );
    assert!(said.error.contains("--state DIR --id ID"), "{said:?}");
}

#[cfg(unix)]
#[test]
fn a_device_ends_well_when_asked_to_and_has_told_nobody_the_password() {
    use rustix::process::Signal;
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        let desk = Desk::new();
        let mut running = desk.without_broker(&["--id", "a1", "--log", "debug"]);
        running.hear("connecting to mqtt://127.0.0.1:1");
        running.signal(signal);
        let said = running.end();
        assert_eq!(said.code, Some(0), "{said:?}");
        assert!(said.out.contains("-P PASSWORD"), "{said:?}");
        assert!(!format!("{said:?}").contains("hunter2"), "{said:?}");
        assert!(
            !format!("{said:?}").contains('\x1b'),
            "colour is for terminals"
        );
        assert!(desk.folder.join("state/monster/store").exists());
    }
}

#[cfg(unix)]
#[test]
fn a_quiet_device_says_only_what_is_wrong() {
    let desk = Desk::new();
    let mut running = desk.without_broker(&["--quiet"]);
    let mut line = String::new();
    BufReader::new(running.child.stderr.as_mut().unwrap())
        .read_line(&mut line)
        .unwrap();
    assert!(line.contains("warning: no connection"), "{line}");
    running.signal(rustix::process::Signal::TERM);
    assert_eq!(running.end().out, "");
}

#[cfg(not(feature = "broker"))]
#[test]
fn without_any_broker_it_says_how_to_name_one() {
    let said = Desk::new().run(&[]);
    assert_eq!(said.code, Some(2));
    assert!(said.error.contains("MONSTER_BROKER"), "{said:?}");
}
