use super::*;

/// A folder of its own, with this in `monster.toml`.
struct Folder(PathBuf);

impl Folder {
    fn with(text: &str) -> Self {
        let folder = crate::scratch::folder();
        fs::write(folder.join(DEFAULT_FILE), text).unwrap();
        Folder(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn load(
    file: &str,
    environment: &[(&str, &str)],
    flags: &[(&str, &str)],
) -> Result<Config, Vec<String>> {
    let folder = Folder::with(file);
    let sources = Sources {
        file: None,
        folder: folder.0.clone(),
        environment: environment
            .iter()
            .map(|(key, value)| (key.into(), value.into()))
            .collect(),
        flags: flags
            .iter()
            .map(|(key, value)| Flag {
                name: "--set",
                key: (*key).to_owned(),
                value: (*value).to_owned(),
            })
            .collect(),
    };
    let path = format!("{}/", folder.0.display());
    sources.load().map_err(|problems| {
        problems
            .iter()
            .map(|problem| problem.to_string().replace(&path, ""))
            .collect()
    })
}

fn keep_alive(file: &str, environment: &[(&str, &str)], flags: &[(&str, &str)]) -> u16 {
    load(file, environment, flags)
        .unwrap()
        .settings
        .mqtt
        .keep_alive
        .seconds()
}

#[test]
fn flags_beat_the_environment_which_beats_the_file_which_beats_the_default() {
    let file = "mqtt.keep_alive = 10";
    let environment = [("MONSTER_MQTT_KEEP_ALIVE", "20")];
    let flags = [("mqtt.keep_alive", "30")];
    assert_eq!(keep_alive("", &[], &[]), 60);
    assert_eq!(keep_alive(file, &[], &[]), 10);
    assert_eq!(keep_alive(file, &environment, &[]), 20);
    assert_eq!(keep_alive(file, &environment, &flags), 30);
    assert_eq!(keep_alive(file, &[], &flags), 30);
}

#[test]
fn a_file_has_nested_tables_or_dotted_keys_and_values_of_every_kind() {
    let nested = "version = 1\ngroups = [\"a\", \"b c\"]\n[switch]\ninverted = true\n\
                  [climate]\ntemperature_offset = -1.5\nhumidity_offset = 2\n";
    let dotted = "version = \"1\"\ngroups = \"a, b c\"\nswitch.inverted = \"true\"\n\
                  climate.temperature_offset = \"-1.5\"\nclimate.humidity_offset = 2.0\n";
    let [nested, dotted] = [nested, dotted].map(|file| load(file, &[], &[]).unwrap().settings);
    assert_eq!(nested, dotted);
    assert!(nested.switch.inverted);
    assert_eq!(nested.climate.temperature_offset.tenths(), -15);
    assert_eq!(nested.climate.humidity_offset.tenths(), 20);
    assert_eq!(nested.groups.names().collect::<Vec<_>>(), ["a", "b c"]);
}

#[test]
fn every_setting_has_a_variable() {
    let mut names: Vec<String> = TABLE.iter().map(|s| variable_of(s.key())).collect();
    assert!(names.contains(&"MONSTER_BROKER_URL".to_owned()));
    assert!(names.contains(&"MONSTER_ON_FAILURE".to_owned()));
    names.sort();
    names.dedup();
    assert_eq!(names.len(), TABLE.len(), "no two share one");

    let by_name: Environment = TABLE
        .iter()
        .map(|s| (variable_of(s.key()).into(), s.default_text().into()))
        .collect();
    let config = Sources {
        environment: by_name,
        folder: PathBuf::from("/nowhere"),
        ..Sources::default()
    };
    let config = config.load().unwrap();
    assert_eq!(config.settings, Settings::default());
    assert_eq!(config.warnings, [""; 0]);
}

#[test]
fn the_long_name_of_the_broker_wins_over_the_short_one() {
    let short = ("MONSTER_BROKER", "mqtt://short");
    let long = ("MONSTER_BROKER_URL", "mqtt://long");
    let host = |environment: &[(&str, &str)]| {
        let url = load("", environment, &[]).unwrap().settings.broker.url;
        url.unwrap().host().to_owned()
    };
    assert_eq!(host(&[short]), "short");
    assert_eq!(host(&[short, long]), "long");
    assert_eq!(host(&[long, short]), "long");
}

#[test]
fn all_that_is_wrong_is_named_with_its_line() {
    let problems = load(
        "mqtt.keep_alive = 3\n\n[log]\nlevel = \"loud\"\n[mqtt2]\nx = 1\n",
        &[("MONSTER_HEARTBEAT_SECONDS", "0")],
        &[("switch.invertd", "true")],
    )
    .unwrap_err();
    assert_eq!(
        problems,
        [
            "monster.toml:1: mqtt.keep_alive = \"3\": it is not a keep-alive; allowed: 5 to 65535 \
             seconds; 0: off, and a dead link goes unnoticed",
            "monster.toml:4: log.level = \"loud\": it is not a level; allowed: error | warn | info \
             | debug",
            "monster.toml:6: there is no setting \"mqtt2.x\"",
            "MONSTER_HEARTBEAT_SECONDS: heartbeat.seconds = \"0\": it is not a whole number of \
             seconds in range; allowed: 1 to 3600 seconds",
            "--set: there is no setting \"switch.invertd\"; did you mean switch.inverted?",
        ]
    );
}

#[test]
fn a_file_of_a_newer_version_is_refused_for_that_alone() {
    let problems = load("new.thing = 1\nversion = 2\n", &[], &[]).unwrap_err();
    assert_eq!(
        problems,
        [
            "monster.toml:2: version = \"2\": these settings are of a newer Monster than this one; \
          allowed: 1"
        ]
    );
}

#[test]
fn what_is_no_toml_is_named_with_its_line_and_without_its_text() {
    let problems = load(
        "log.level = \"info\"\nbroker.password = hunter2\n",
        &[],
        &[],
    )
    .unwrap_err();
    let [problem] = problems.as_slice() else {
        panic!("{problems:?}");
    };
    assert!(
        problem.starts_with("monster.toml:2: it is not TOML: "),
        "{problem}"
    );
    assert!(!problem.contains("hunter2"), "{problem}");
}

#[test]
fn a_value_that_no_setting_could_have_is_named() {
    for value in [
        "1979-05-27",
        "[1, 2]",
        "[\"a,b\"]",
        "[[\"a\"]]",
        "[{ a = 1 }]",
    ] {
        let problems = load(&format!("groups = {value}\n"), &[], &[]).unwrap_err();
        assert_eq!(problems.len(), 1);
        assert!(
            problems[0].starts_with("monster.toml:1: groups: a value is"),
            "{problems:?}"
        );
    }
}

#[test]
fn no_problem_repeats_a_secret() {
    let long = "hunter2".repeat(100);
    for (key, value) in [
        ("broker.url", "mqtt:/alice:hunter2@host"),
        ("broker.url", "mqtt://alice:hunter2@host:99999"),
        ("broker.password", long.as_str()),
    ] {
        let toml = format!("{key} = \"{value}\"");
        let variable = variable_of(key);
        for problems in [
            load(&toml, &[], &[]),
            load("", &[(&variable, value)], &[]),
            load("", &[], &[(key, value)]),
        ] {
            let problems = problems.unwrap_err();
            assert!(!format!("{problems:?}").contains("hunter2"), "{problems:?}");
        }
    }
}

#[test]
fn values_that_exclude_each_other_are_found_across_sources() {
    let problems = load(
        "classic.enabled = false",
        &[],
        &[("structured.enabled", "false")],
    );
    assert_eq!(
        problems.unwrap_err(),
        ["classic.enabled and structured.enabled are both false: one of them must be true"]
    );
}

#[test]
fn a_pin_that_this_computer_has_not_is_refused() {
    let pins = "switch.gpio = \"sim\"\nclimate.gpio = \"iio:device0\"\n";
    let wiring = load(pins, &[], &[]).unwrap().wiring;
    assert!(wiring.switch.is_none() && wiring.sensor.is_some());
    let problems = load("", &[], &[("switch.gpio", "5")]).unwrap_err();
    assert_eq!(problems.len(), 1);
    let expected = "switch.gpio = \"5\": this computer has no such pin; allowed: sim";
    assert!(problems[0].starts_with(expected), "{problems:?}");
}

#[test]
fn a_stronger_url_with_a_user_replaces_the_weaker_user_and_password() {
    let file = "broker.user = \"file\"\nbroker.password = \"secret\"\n";
    let login = |flags: &[(&str, &str)]| {
        let settings = load(file, &[], flags).unwrap().settings;
        let login = settings.broker.login().unwrap();
        let password = login.password.map(|password| password.expose().to_owned());
        (login.user.to_owned(), password)
    };
    let file = ("file".to_owned(), Some("secret".to_owned()));
    assert_eq!(login(&[("broker.url", "mqtt://host")]), file);
    assert_eq!(
        login(&[("broker.url", "mqtt://flag@host")]),
        ("flag".to_owned(), None)
    );
    let both = [("broker.url", "mqtt://flag@host"), ("broker.user", "user")];
    assert_eq!(login(&both), ("user".to_owned(), None));
}

#[test]
fn a_stronger_url_without_tls_needs_no_files() {
    let file = "broker.url = \"mqtts://host\"\nbroker.ca = \"ca.pem\"\n\
                broker.cert = \"cert.pem\"\nbroker.key = \"key.pem\"\n";
    assert!(load(file, &[], &[("broker.url", "mqtt://host")]).is_ok());
    assert!(load(&file.replace("mqtts", "mqtt"), &[], &[]).is_err());
}

#[test]
fn a_file_that_was_asked_for_must_exist() {
    let sources = || Sources {
        folder: PathBuf::from("/nowhere"),
        ..Sources::default()
    };
    assert_eq!(sources().load().unwrap().file, None);

    let flag = Sources {
        file: Some("/nowhere/a.toml".into()),
        ..sources()
    };
    let expected = [Problem::new("/nowhere/a.toml", "there is no such file")];
    assert_eq!(flag.load().unwrap_err(), expected);

    let environment = vec![(CONFIG_VARIABLE.into(), "/nowhere/a.toml".into())];
    let environment = Sources {
        environment,
        ..sources()
    };
    assert_eq!(environment.load().unwrap_err(), expected);

    let empty = Sources {
        environment: vec![(CONFIG_VARIABLE.into(), "".into())],
        ..sources()
    };
    assert_eq!(empty.load().unwrap().file, None);
}

#[test]
fn a_variable_that_is_no_setting_is_a_warning() {
    let config = load(
        "",
        &[("MONSTER_BROKR", "x"), ("MONSTER_BIN", "y"), ("HOME", "z")],
        &[],
    );
    let warnings = config.unwrap().warnings;
    assert_eq!(
        warnings,
        ["MONSTER_BROKR: no setting has this name; `monster settings` lists them"]
    );
}

#[cfg(unix)]
#[test]
fn what_is_not_utf8_is_named() {
    use std::os::unix::ffi::OsStringExt;
    let environment = vec![("MONSTER_ID".into(), OsString::from_vec(vec![0xff]))];
    let sources = Sources {
        environment,
        folder: "/nowhere".into(),
        ..Sources::default()
    };
    let problems = sources.load().unwrap_err();
    assert_eq!(problems, [Problem::new("MONSTER_ID", "it is not UTF-8")]);

    let folder = Folder::with("");
    fs::write(folder.0.join(DEFAULT_FILE), [b'i', 0xff]).unwrap();
    let sources = Sources {
        folder: folder.0.clone(),
        ..Sources::default()
    };
    assert!(
        sources.load().unwrap_err()[0]
            .to_string()
            .ends_with("monster.toml: it is not UTF-8")
    );
}
