//! The settings as a whole, through their public surface.

extern crate std;
use std::collections::BTreeSet;
use std::format;
use std::string::{String, ToString};
use std::vec::Vec;

use super::*;

const CANARY: &str = "canary7";

fn setting(key: &str) -> &'static Setting {
    TABLE.iter().find(|setting| setting.key() == key).unwrap()
}

fn shown(settings: &Settings, key: &str) -> String {
    setting(key).show(settings).to_string()
}

fn with(changes: &[(&str, &str)]) -> Settings {
    let mut settings = Settings::default();
    for (key, value) in changes {
        settings.set(key, value).unwrap();
    }
    settings
}

/// For every key, values that are allowed, as they are shown, and values that are not.
const CASES: &[(&str, &[&str], &[&str])] = &[
    ("version", &["1"], &["", "0", "2", "65536", "one", "1.0"]),
    (
        "id",
        &["", "a1b2c3"],
        &["A", "group", "a/b", "012345678901234567890123"],
    ),
    (
        "groups",
        &["", "kitchen", "a,b,c,d", "two words"],
        &[
            ",",
            "a,",
            "a,,b",
            "a/b",
            "+",
            "a#",
            "a,a",
            "a,b,c,d,e",
            "a\0",
            "012345678901234567890123456789012",
        ],
    ),
    (
        "on_failure",
        &["retry", "restart"],
        &["", "Retry", "reboot"],
    ),
    ("ap", &["auto", "always", "off"], &["", "on", "Auto"]),
    (
        "wifi.ssid",
        &["", "home", "two words", "012345678901234567890123456789é"],
        &["0123456789012345678901234567890é", "a\0"],
    ),
    ("wifi.password", &[], &["1234567", "seven 7"]),
    (
        "broker.url",
        &["", "mqtt://h:1883", "mqtts://[::1]:8883"],
        &["h", "http://h", "mqtt://h:0"],
    ),
    ("broker.user", &["", "alice"], &["a\0", "a\nb"]),
    ("broker.password", &[], &[]),
    ("broker.ca", &["", "/etc/ca.pem"], &["a\nb"]),
    ("broker.cert", &["", "/etc/cert.pem"], &["a\nb"]),
    ("broker.key", &["", "/etc/key.pem"], &["a\nb"]),
    (
        "mqtt.client_id",
        &["%id%", "monster-%id%", "x"],
        &["", "%i", "a\0"],
    ),
    ("mqtt.version", &["3.1.1", "5"], &["", "5.0", "3.1", "4"]),
    (
        "mqtt.keep_alive",
        &["0", "5", "60", "65535"],
        &[
            "",
            "1",
            "4",
            "65536",
            "-5",
            "+5",
            "5.0",
            "5s",
            "99999999999999999999",
        ],
    ),
    ("mqtt.session", &["clean", "kept"], &["", "true", "CLEAN"]),
    (
        "classic.enabled",
        &["true", "false"],
        &["", "1", "yes", "True"],
    ),
    (
        "classic.in",
        &["%id%", "home/lamp"],
        &["", "+", "a/#", "%", "%t", "a\0"],
    ),
    (
        "classic.out",
        &["%id%After", "home/lamp/is"],
        &["", "+", "a/#", "%n", "a\0"],
    ),
    ("classic.on", &["on-1", "100%"], &["", "a\n"]),
    ("classic.off", &["on-0", "{}"], &["", "a\0"]),
    ("classic.th", &["th=%t,%h", "%t", "5%%"], &["", "%n", "%"]),
    ("classic.heartbeat", &["t=%n", "alive"], &["", "%t", "%"]),
    ("classic.retained", &["ignore", "obey"], &["", "true"]),
    ("structured.enabled", &["true", "false"], &["", "0", "on"]),
    ("homeassistant.enabled", &["true", "false"], &["", "on"]),
    (
        "homeassistant.prefix",
        &["homeassistant", "home/ha", "é"],
        &["", "/", "a/", "/a", "a+", "#", "a\0"],
    ),
    (
        "heartbeat.seconds",
        &["1", "5", "3600"],
        &["", "0", "3601", "5.5", "-1", "+1"],
    ),
    (
        "switch.gpio",
        &["", "5", "gpiochip0:17"],
        &["5 6", "a\n", "é"],
    ),
    ("switch.inverted", &["true", "false"], &["", "no"]),
    (
        "switch.power_on",
        &["on", "off", "restore", "toggle"],
        &["", "true", "last"],
    ),
    ("button.gpio", &["", "9", "sim"], &[" 9", "\0"]),
    ("led.gpio", &["", "8", "pinctrl-bcm2835:47"], &["8 ", "\t"]),
    (
        "climate.kind",
        &["dht22", "dht11", "none"],
        &["", "DHT22", "bme280"],
    ),
    (
        "climate.gpio",
        &["", "4", "iio:device0", "/sys/bus/iio/devices/iio:device0"],
        &["a b", "a\u{7f}"],
    ),
    (
        "climate.temperature_offset",
        &["0.0", "-1.5", "20.0", "-20.0", "-0.1"],
        &[
            "", "20.1", "-20.1", "1.25", "1.", ".5", "-", "--1", "+1", "1,5", "1e1", "nan", "6554",
            "65536",
        ],
    ),
    (
        "climate.humidity_offset",
        &["0.0", "2.5", "-20.0"],
        &["", "21", "-21", "x"],
    ),
    ("console.password", &[], &[]),
    (
        "time.server",
        &["", "pool.ntp.org", "10.0.2.2:12300", "[::1]:124", "[::1]"],
        &["a b", "::1", "h:0", "h:", "mqtt://h"],
    ),
    (
        "log.level",
        &["error", "warn", "info", "debug"],
        &["", "INFO", "trace"],
    ),
    (
        "log.mqtt",
        &["off", "error", "warn", "info", "debug"],
        &["", "true", "none"],
    ),
    (
        "log.syslog",
        &["", "log.example", "10.0.0.1:5140", "[::1]"],
        &[":514", "h:0", "h:x"],
    ),
];

#[test]
fn every_key_is_among_the_cases_once() {
    let tested: Vec<_> = CASES.iter().map(|case| case.0).collect();
    let known: Vec<_> = TABLE.iter().map(Setting::key).collect();
    assert_eq!(tested, known);
    assert_eq!(known.iter().collect::<BTreeSet<_>>().len(), known.len());
}

#[test]
fn every_default_is_shown_as_declared_and_can_be_set() {
    let defaults = Settings::default();
    for setting in TABLE {
        let key = setting.key();
        if setting.kind() != Kind::Secret {
            assert_eq!(shown(&defaults, key), setting.default_text(), "{key}");
        }
        let mut settings = Settings::default();
        settings.set(key, setting.default_text()).unwrap();
        assert_eq!(settings, defaults, "{key}");
    }
}

#[test]
fn the_defaults_are_valid_with_and_without_an_id() {
    assert_eq!(Settings::default().validate(), Ok(()));
    assert_eq!(with(&[("id", "a1b2c3")]).validate(), Ok(()));
}

#[test]
fn every_allowed_value_is_taken_and_shown_as_given() {
    for (key, allowed, _) in CASES {
        for value in *allowed {
            assert_eq!(shown(&with(&[(key, value)]), key), *value, "{key}");
        }
    }
}

#[test]
fn each_key_sets_its_own_setting_and_no_other() {
    for (key, allowed, _) in CASES {
        let default = setting(key).default_text();
        let Some(value) = allowed.iter().find(|value| **value != default) else {
            continue;
        };
        let settings = with(&[(key, value)]);
        for (other, ..) in CASES.iter().filter(|case| case.0 != *key) {
            let default = shown(&Settings::default(), other);
            assert_eq!(shown(&settings, other), default, "{other} after {key}");
        }
    }
}

#[test]
fn every_bad_value_is_refused_with_key_value_and_what_is_allowed_and_changes_nothing() {
    for (key, _, refused) in CASES {
        for value in *refused {
            let mut settings = with(&[("id", "a1b2c3"), ("log.level", "debug")]);
            let before = settings.clone();
            let error = settings.set(key, value).unwrap_err().to_string();
            assert!(error.starts_with(key), "{error}");
            let allowed = setting(key).allowed().to_string();
            assert!(!allowed.is_empty() && error.ends_with(&allowed), "{error}");
            if !setting(key).is_sensitive() {
                let quoted = format!(" = \"{}\": ", value.escape_debug());
                assert!(error.contains(&quoted), "{error}");
            }
            assert_eq!(settings, before, "{key} = {value}");
        }
    }
}

#[test]
fn every_text_is_bounded() {
    for key in [
        "broker.user",
        "broker.password",
        "broker.ca",
        "broker.cert",
        "broker.key",
        "wifi.ssid",
        "wifi.password",
        "console.password",
        "homeassistant.prefix",
        "mqtt.client_id",
        "classic.in",
        "switch.gpio",
        "climate.gpio",
    ]
    .into_iter()
    .chain([
        "classic.out",
        "classic.on",
        "classic.off",
        "classic.th",
        "classic.heartbeat",
    ]) {
        let error = Settings::default()
            .set(key, &"x".repeat(10_000))
            .unwrap_err();
        let error = error.to_string();
        assert!(error.contains("too long") && error.len() < 300, "{error}");
    }
}

#[test]
fn an_unknown_key_is_refused_and_the_nearest_suggested() {
    let mut settings = Settings::default();
    let error = settings
        .set("mqtt.keepalive", "60")
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("\"mqtt.keepalive\"") && error.contains("mqtt.keep_alive?"),
        "{error}"
    );
    let error = settings.set("colour", "red").unwrap_err().to_string();
    assert_eq!(error, "there is no setting \"colour\"");
    assert_eq!(settings, Settings::default());
}

#[test]
fn a_newer_version_is_refused_and_the_known_one_named() {
    let error = Settings::default()
        .set("version", "2")
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("newer") && error.ends_with("allowed: 1"),
        "{error}"
    );
}

#[test]
fn another_mqtt_version_is_refused_with_those_that_are_spoken() {
    let error = Settings::default()
        .set("mqtt.version", "4")
        .unwrap_err()
        .to_string();
    assert_eq!(
        error,
        "mqtt.version = \"4\": it is not a version that is spoken; allowed: 3.1.1 | 5"
    );
}

#[test]
fn numbers_and_lists_may_be_written_in_more_than_one_way() {
    let settings = with(&[
        ("climate.temperature_offset", "5"),
        ("climate.humidity_offset", "-0"),
        ("groups", " a , b"),
        ("mqtt.keep_alive", "007"),
    ]);
    assert_eq!(settings.climate.temperature_offset.tenths(), 50);
    assert_eq!(settings.climate.humidity_offset.tenths(), 0);
    assert_eq!(settings.groups.names().collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(settings.mqtt.keep_alive.seconds(), 7);
}

#[test]
fn no_secret_is_ever_shown() {
    let url = format!("mqtt://{CANARY}u:{CANARY}@h");
    let secret = format!("{CANARY}secret");
    let settings = with(&[
        ("broker.url", &url),
        ("broker.password", CANARY),
        ("wifi.password", &secret),
        ("console.password", &secret),
    ]);
    for setting in TABLE {
        assert!(
            !setting.show(&settings).to_string().contains(CANARY),
            "{setting:?}"
        );
    }
    assert_eq!(shown(&settings, "broker.password"), "(set)");
    assert_eq!(shown(&settings, "broker.url"), "mqtt://h:1883");

    let settings = with(&[
        ("broker.url", &format!("mqtt://u:{CANARY}@h")),
        ("broker.password", CANARY),
    ]);
    let debug = format!("{settings:?} {settings:#?} {:?}", settings.broker.login());
    assert!(!debug.contains(CANARY), "{debug}");
}

#[test]
fn no_error_repeats_a_secret_however_the_value_is_broken() {
    let long = CANARY.repeat(100);
    let broken = [
        ("broker.password", long.clone()),
        ("broker.url", CANARY.into()),
        ("broker.url", format!("mqtt:/u:{CANARY}@h")),
        ("broker.url", format!("mqtt://u:{CANARY}")),
        ("broker.url", format!("mqtt://u:{CANARY}@h:{CANARY}")),
        ("broker.url", format!("mqtt://u:{CANARY}/@h")),
        ("broker.url", format!("mqtt://u:{CANARY}%@h")),
        ("broker.url", format!("mqtt://:{CANARY}@h")),
        ("broker.url", format!("mqtt://u:{long}@h")),
    ];
    for (key, value) in broken {
        let mut settings = Settings::default();
        let error = settings.set(key, &value).unwrap_err();
        assert!(!format!("{error} {error:?}").contains(CANARY), "{error:?}");
        assert_eq!(settings, Settings::default());
    }
    let error = with(&[("broker.password", CANARY)]).validate().unwrap_err();
    assert!(!format!("{error} {error:?}").contains(CANARY), "{error:?}");
}

#[test]
fn user_and_password_win_over_the_url_each_on_its_own() {
    let url = ("broker.url", "mqtt://alice:wonder@h");
    let login = |changes: &[(&str, &str)]| {
        let settings = with(changes);
        settings.validate().unwrap();
        settings.broker.login().map(|login| {
            let password = login.password.map(|password| password.expose().to_string());
            (login.user.to_string(), password)
        })
    };
    let some = |user: &str, password: &str| Some((user.to_string(), Some(password.to_string())));
    assert_eq!(login(&[]), None);
    assert_eq!(login(&[("broker.url", "mqtt://h")]), None);
    assert_eq!(login(&[url]), some("alice", "wonder"));
    assert_eq!(login(&[url, ("broker.user", "bob")]), some("bob", "wonder"));
    assert_eq!(
        login(&[url, ("broker.password", "land")]),
        some("alice", "land")
    );
    assert_eq!(
        login(&[("broker.user", "bob"), ("broker.password", "x"), url]),
        some("bob", "x")
    );
    assert_eq!(
        login(&[("broker.user", "bob")]),
        Some(("bob".to_string(), None))
    );
}

#[test]
fn a_password_needs_a_user() {
    let settings = with(&[("broker.url", "mqtt://h"), ("broker.password", "x")]);
    let error = settings.validate().unwrap_err();
    assert_eq!(error, SettingError::Conflict(Conflict::PasswordWithoutUser));
    assert!(error.to_string().contains("broker.password"), "{error}");
    assert_eq!(settings.broker.login(), None);
}

#[test]
fn something_must_be_spoken() {
    let settings = with(&[
        ("classic.enabled", "false"),
        ("structured.enabled", "false"),
    ]);
    let error = settings.validate().unwrap_err().to_string();
    assert!(
        error.contains("classic.enabled") && error.contains("structured.enabled"),
        "{error}"
    );
    assert_eq!(with(&[("classic.enabled", "false")]).validate(), Ok(()));
    assert_eq!(with(&[("structured.enabled", "false")]).validate(), Ok(()));
}

#[test]
fn the_classic_topics_differ_once_the_id_is_filled_in() {
    let same = [("classic.in", "x/%id%"), ("classic.out", "x/%id%")];
    let error = with(&same).validate().unwrap_err().to_string();
    assert!(
        error.contains("classic.in") && error.contains("x/%id%"),
        "{error}"
    );

    let by_chance = [("classic.in", "%id%"), ("classic.out", "a1b2c3")];
    assert_eq!(with(&by_chance).validate(), Ok(()));
    let mut settings = with(&by_chance);
    settings.set("id", "a1b2c3").unwrap();
    let error = settings.validate().unwrap_err().to_string();
    assert!(
        error.contains("classic.out") && error.contains("\"a1b2c3\""),
        "{error}"
    );
    settings.set("classic.enabled", "false").unwrap();
    assert_eq!(settings.validate(), Ok(()));
}

#[test]
fn the_classic_topics_stay_out_of_the_structured_tree() {
    for (key, topic) in [
        ("classic.in", "monster/group/all/switch/0/set"),
        ("classic.out", "monster/%id%/switch/0/set"),
    ] {
        let mut settings = with(&[(key, topic)]);
        let error = settings.validate().unwrap_err().to_string();
        assert!(error.starts_with(key) && error.contains(topic), "{error}");
        settings.set("structured.enabled", "false").unwrap();
        assert_eq!(settings.validate(), Ok(()));
    }
    // An id may be the word itself.
    let settings = with(&[("id", "monster"), ("classic.in", "%id%/in")]);
    assert!(settings.validate().is_err());
    assert_eq!(with(&[("classic.in", "monsters/%id%")]).validate(), Ok(()));
}

#[test]
fn files_for_tls_are_refused_without_it() {
    let cert = ("broker.cert", "cert.pem");
    let key = ("broker.key", "key.pem");
    for (given, files) in [
        ("broker.ca", &[("broker.ca", "ca.pem")][..]),
        ("broker.cert", &[cert, key]),
        ("broker.key", &[key]),
    ] {
        let mut settings = with(files);
        settings.set("broker.url", "mqtt://h").unwrap();
        let error = settings.validate().unwrap_err();
        assert_eq!(
            error,
            SettingError::Conflict(Conflict::FileWithoutTls(given))
        );
        assert!(error.to_string().starts_with(given), "{error}");
    }
    for files in [&[("broker.ca", "ca.pem")][..], &[cert, key]] {
        assert_eq!(with(files).validate(), Ok(()));
        let mut settings = with(files);
        settings.set("broker.url", "mqtts://h").unwrap();
        assert_eq!(settings.validate(), Ok(()));
    }
}

#[test]
fn a_certificate_and_its_key_belong_together() {
    for (given, missing, file) in [
        ("broker.cert", "broker.key", "cert.pem"),
        ("broker.key", "broker.cert", "key.pem"),
    ] {
        let settings = with(&[(given, file), ("broker.url", "mqtts://h")]);
        let error = settings.validate().unwrap_err().to_string();
        let expected = format!("{given} is set and {missing} is not: ");
        assert!(error.starts_with(&expected), "{error}");
    }
}

#[test]
fn a_pin_without_a_name_is_the_boards_own() {
    assert_eq!(Settings::default().switch.gpio.name(), None);
    let settings = with(&[("switch.gpio", "gpiochip0:17"), ("climate.gpio", "4")]);
    assert_eq!(settings.switch.gpio.name(), Some("gpiochip0:17"));
    assert_eq!(settings.climate.gpio.name(), Some("4"));
    assert_eq!(settings.button.gpio.name(), None);
}

#[test]
fn a_cloud_that_prescribes_topics_and_client_id_needs_settings_alone() {
    let settings = with(&[
        ("broker.url", "mqtt://bemfa.example:9501"),
        ("mqtt.client_id", "0123456789abcdef0123456789abcdef"),
        ("classic.in", "light002"),
        ("classic.out", "light002/up"),
        ("classic.on", "on"),
        ("classic.off", "off"),
        ("structured.enabled", "false"),
    ]);
    assert_eq!(settings.validate(), Ok(()));
    let id = DeviceId::parse("a1b2c3").unwrap();
    assert_eq!(settings.mqtt.client_id.fill(&id).len(), 32);
    assert_eq!(settings.classic.topic_in.fill(&id), "light002");
}

#[test]
fn any_text_at_all_is_refused_or_shown_as_text_that_sets_the_same() {
    const SCRAPS: &[&str] = &[
        "%", "%%", "%id%", "%t", "%h", "%n", "%4", "%41", "mqtt://", "mqtts://", "@", ":", "[",
        "]", "::1", "/", "+", "#", ",", " ", ".", "-", "0", "1", "65535", "a", "é", "\0", "\u{1b}",
        "true",
    ];
    let mut state = 1u64;
    let mut random = move |below: usize| {
        state = state
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (state >> 33) as usize % below
    };
    let mut taken = BTreeSet::new();
    for _ in 0..2_000 {
        let text: String = (0..random(8))
            .map(|_| SCRAPS[random(SCRAPS.len())])
            .collect();
        for setting in TABLE {
            let mut settings = Settings::default();
            if settings.set(setting.key(), &text).is_err() {
                assert_eq!(settings, Settings::default());
            } else if !setting.is_sensitive() {
                let again = with(&[(setting.key(), &shown(&settings, setting.key()))]);
                assert_eq!(settings, again, "{setting:?} = {text:?}");
                taken.insert(setting.key());
            }
        }
    }
    assert!(taken.contains("classic.in") && taken.contains("groups") && taken.contains("id"));
}

#[test]
fn every_setting_is_described() {
    for setting in TABLE {
        let (key, meaning) = (setting.key(), setting.meaning());
        assert!(meaning.ends_with('.') && !meaning.starts_with(' '), "{key}");
        assert!(!setting.allowed().to_string().is_empty(), "{key}");
    }
}

#[test]
fn the_set_fits_a_small_device() {
    let size = size_of::<Settings>();
    assert!(size <= 3072, "{size} bytes");
}
