use std::fs;
use std::path::PathBuf;

use monster::settings::value::LogLevel;

use super::*;
use crate::config::{Flag, Origin, Sources};

/// A device at home in a folder of its own.
struct Home(PathBuf);

impl Home {
    fn new() -> Self {
        Home(crate::scratch::folder())
    }

    /// The device that was given this file and these flags.
    fn desk(&self, file: &str, flags: &[(&str, &str)]) -> Desk {
        fs::write(self.0.join("monster.toml"), file).unwrap();
        let flags = [("broker.url", "mqtt://127.0.0.1:1"), ("id", "a1")]
            .iter()
            .chain(flags)
            .map(|(key, value)| Flag::new("--set", key, value));
        let layers = Sources {
            folder: self.0.clone(),
            flags: flags.collect(),
            ..Sources::default()
        };
        let mut warnings = Vec::new();
        let state = self.0.join("state");
        let folder = StateFolder::open(state.clone()).unwrap();
        Desk {
            layers: layers.read(),
            folder,
            store: store::open(&state, &mut warnings).unwrap(),
            console: Console::new(LogLevel::Error),
            warnings,
            unkept: Secret::default(),
            own_broker: None,
        }
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn start(desk: &mut Desk) -> Life {
    desk.start(None).unwrap().0
}

#[test]
fn what_is_stored_beats_the_defaults_and_everything_else_beats_what_is_stored() {
    let home = Home::new();
    let mut desk = home.desk("mqtt.keep_alive = 10", &[]);
    let changes = [
        ("mqtt.keep_alive", Some("20")),
        ("heartbeat.seconds", Some("7")),
        ("classic.on", Some("an")),
    ];
    desk.change_settings(changes).unwrap();
    desk.change_settings([("classic.on", None)]).unwrap();
    let life = start(&mut desk);
    assert_eq!(life.settings.mqtt.keep_alive.seconds(), 10);
    assert_eq!(life.settings.heartbeat.interval.seconds(), 7);
    assert_eq!(life.settings.classic.on.as_str(), "on-1");
    let file = Origin::File(home.0.join("monster.toml"), 1);
    for (key, origin) in [
        ("id", Origin::Flag("--set")),
        ("mqtt.keep_alive", file),
        ("heartbeat.seconds", Origin::Stored),
        ("classic.on", Origin::Default),
    ] {
        assert_eq!(*life.origins.of(key), origin, "{key}");
    }
    // The same after a restart of the program.
    drop(desk);
    let life = start(&mut home.desk("", &[]));
    assert_eq!(life.settings.mqtt.keep_alive.seconds(), 20);
    assert_eq!(life.settings.heartbeat.interval.seconds(), 7);
}

#[test]
fn a_change_with_which_the_device_could_not_start_is_refused_and_changes_nothing() {
    let home = Home::new();
    let mut desk = home.desk("classic.enabled = false", &[("broker.url", "mqtts://b")]);
    desk.change_settings([("heartbeat.seconds", Some("7"))])
        .unwrap();
    for (key, text) in [
        ("mqtt.keep_alive", "x"),
        ("no.such", "1"),
        // Each of these only with what is set elsewhere.
        ("structured.enabled", "false"),
        ("broker.ca", "/nowhere/ca.pem"),
        ("switch.gpio", "D5"),
    ] {
        let why = desk.change_settings([(key, Some(text))]).unwrap_err();
        assert!(!why.is_empty());
    }
    let kept = [("heartbeat.seconds".to_owned(), "7".to_owned())];
    assert_eq!(store::settings_of(&mut desk.store).unwrap(), kept);
}

#[test]
fn stored_settings_that_the_device_cannot_start_with_are_not_used_and_can_be_mended() {
    let home = Home::new();
    let mut desk = home.desk("", &[]);
    let changes = [
        ("structured.enabled", Some("false")),
        ("mqtt.keep_alive", Some("20")),
    ];
    desk.change_settings(changes).unwrap();
    drop(desk);
    // What was stored was right, until somebody changed the file.
    let mut desk = home.desk("classic.enabled = false", &[]);
    let life = start(&mut desk);
    assert!(life.settings.structured.enabled);
    assert_eq!(life.settings.mqtt.keep_alive.seconds(), 60);
    assert_eq!(life.fault, Some(StoreFault::Settings));
    let [warning] = desk.warnings.as_slice() else {
        panic!("{:?}", desk.warnings)
    };
    assert!(
        warning.contains("the stored settings are not used"),
        "{warning}"
    );
    desk.change_settings([("structured.enabled", None)])
        .unwrap();
    let life = start(&mut desk);
    assert_eq!(life.settings.mqtt.keep_alive.seconds(), 20);
    assert_eq!(life.fault, None);
}

#[test]
fn the_consoles_password_is_made_once_and_again_after_a_factory_reset() {
    let home = Home::new();
    let password = home.desk("", &[]).console_password();
    assert_eq!(password.expose().len(), PASSWORD);
    let mut desk = home.desk("", &[]);
    assert!(desk.console_password() == password);
    desk.change_settings([("mqtt.keep_alive", Some("20"))])
        .unwrap();
    block_on(desk.store.factory_reset()).unwrap();
    assert!(desk.console_password() != password);
    assert_eq!(start(&mut desk).settings.mqtt.keep_alive.seconds(), 60);
}
