//! The binary `monster` as somebody at a terminal, or a script, meets it.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// A folder of its own, in which `monster` is started.
struct Desk {
    folder: PathBuf,
}

impl Desk {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("monster-program-{}-{count}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder).unwrap();
        Desk { folder }
    }

    fn with(settings: &str) -> Self {
        let desk = Desk::new();
        fs::write(desk.folder.join("monster.toml"), settings).unwrap();
        desk
    }

    /// `monster` with these flags and none of the tester's own settings.
    fn monster(&self, flags: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_monster"));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("MONSTER_") {
                command.env_remove(name);
            }
        }
        // Whoever tests with cargo does not start the program with it.
        command.env_remove("CARGO_PKG_NAME");
        command
            .args(flags)
            .current_dir(&self.folder)
            .env("XDG_STATE_HOME", self.folder.join("state"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn run(&self, flags: &[&str]) -> Said {
        Said::from(self.monster(flags).output().unwrap())
    }

    /// `monster` with a broker that is not there.
    fn without_broker(&self, flags: &[&str]) -> Running {
        let mut all = vec!["run", "--broker", "mqtt://alice:hunter2@127.0.0.1:1"];
        all.extend(flags);
        Running::start(self.monster(&all))
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// What a program said, and its exit code.
#[derive(Debug)]
struct Said {
    code: Option<i32>,
    out: String,
    error: String,
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        Said {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            error: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// A program that runs until it is told to end, or dropped.
struct Running {
    child: Child,
    out: BufReader<std::process::ChildStdout>,
    said: String,
}

impl Running {
    fn start(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        Running {
            child,
            out,
            said: String::new(),
        }
    }

    /// Reads its standard output until it says `text`; returns the line.
    fn hear(&mut self, text: &str) -> String {
        loop {
            let mut line = String::new();
            let count = self.out.read_line(&mut line).unwrap();
            assert!(count > 0, "it never said {text:?}, but: {}", self.said);
            self.said.push_str(&line);
            if line.contains(text) {
                return line;
            }
        }
    }

    #[cfg(unix)]
    fn signal(&self, signal: rustix::process::Signal) {
        let id = rustix::process::Pid::from_raw(self.child.id() as i32).unwrap();
        rustix::process::kill_process(id, signal).unwrap();
    }

    /// Waits until it has ended by itself.
    fn end(mut self) -> Said {
        let deadline = Instant::now() + Duration::from_secs(10);
        while self.child.try_wait().unwrap().is_none() {
            assert!(Instant::now() < deadline, "it does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
        let mut out = std::mem::take(&mut self.said);
        self.out.read_to_string(&mut out).unwrap();
        let mut error = String::new();
        let mut stderr = self.child.stderr.take().unwrap();
        stderr.read_to_string(&mut error).unwrap();
        let code = self.child.wait().unwrap().code();
        Said { code, out, error }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

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
    for word in ["run", "send", "settings", "--broker", "--state", "MONSTER_"] {
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
        assert!(said.out.contains(&setting.allowed().to_string()), "{key}");
    }
    assert!(
        said.out
            .contains("mqtt.keep_alive             30  (default: 60)\n"),
        "{}",
        said.out
    );
    assert!(said.out.contains("set, not shown"), "{}", said.out);
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
        assert!(desk.folder.join("state/monster/boots").exists());
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

#[cfg(feature = "broker")]
mod own_broker {
    use super::*;

    /// A device with its own broker, and that broker's URL.
    fn device(desk: &Desk, flags: &[&str]) -> (Running, String) {
        let mut running = Running::start(desk.monster(flags));
        let line = running.hear("mqtt://127.0.0.1:");
        let url = line.split_whitespace().nth(1).unwrap().to_owned();
        running.hear("connected to");
        (running, url)
    }

    #[test]
    fn a_device_without_settings_answers_commands() {
        let desk = Desk::new();
        let (_running, broker) = device(&desk, &["--id", "a1"]);
        let send = |words: &[&str]| {
            let mut flags = vec!["send", "--broker", &broker, "a1"];
            flags.extend(words);
            desk.run(&flags)
        };
        for (command, answer) in [
            (&["toggle"][..], "off\n"),
            (&["on"], "on\n"),
            (&["pulse", "50"], "on\n"),
            (&["th"], "23.4 °C  56.0 %\n"),
            (&["identify"], "off\n"),
        ] {
            let said = send(command);
            let expected = (Some(0), answer);
            // A pulse that is over by now has left the switch off.
            std::thread::sleep(Duration::from_millis(100));
            assert_eq!(
                (said.code, said.out.as_str()),
                expected,
                "{command:?}: {said:?}"
            );
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
}
