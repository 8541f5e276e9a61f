//! The desk in a terminal: its keys, pressed through a pseudo-terminal that `script` (Debian's
//! bsdutils, on every system) gives it.

use std::io::Write;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use monster_scenarios::desk::{Desk, monster, run};
use monster_scenarios::observer::Observer;
use monster_scenarios::scratch::Folder;
use monster_scenarios::world::{SOON, World, after, observe, status, tree};

/// A `monster` in a terminal of its own.
struct Terminal {
    script: Child,
    /// What it has written to the terminal.
    typescript: Folder,
}

impl Terminal {
    fn open(command: &Command) -> Self {
        let quoted = std::iter::once(command.get_program())
            .chain(command.get_args())
            .map(|word| format!("'{}'", word.to_str().expect("words without surprises")))
            .collect::<Vec<_>>()
            .join(" ");
        let sized = format!("stty rows 24 columns 100; exec {quoted}");
        let typescript = Folder::new();
        let mut script = Command::new("script");
        script.args(["--quiet", "--return", "--flush", "--command", &sized]);
        script.arg(typescript.path().join("screen"));
        for (key, value) in command.get_envs() {
            match value {
                Some(value) => script.env(key, value),
                None => script.env_remove(key),
            };
        }
        let script = script
            .env("TERM", "xterm")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("`script` is on the path; `cargo xtask test` installs what is not");
        Terminal { script, typescript }
    }

    /// Waits until it has written this.
    fn expect(&self, text: &str) {
        let deadline = Instant::now() + SOON;
        let screen = self.typescript.path().join("screen");
        loop {
            let written = std::fs::read(&screen).unwrap_or_default();
            let written = String::from_utf8_lossy(&written).into_owned();
            if written.contains(text) {
                return;
            }
            assert!(Instant::now() < deadline, "no {text:?} in {written:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn press(&mut self, keys: &str) {
        let stdin = self.script.stdin.as_mut().expect("it is piped");
        stdin.write_all(keys.as_bytes()).expect("it reads keys");
        stdin.flush().expect("it reads keys");
    }

    fn wait(&mut self, within: Duration) -> Option<ExitStatus> {
        let deadline = Instant::now() + within;
        while Instant::now() < deadline {
            if let Some(status) = self.script.try_wait().expect("it is our child") {
                return Some(status);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        None
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.script.kill();
        let _ = self.script.wait();
    }
}

#[test]
fn the_keys_press_the_button_warm_the_sensor_cut_the_network_and_quit() {
    let world = World::new(&Desk);
    let broker = world.broker();
    let mut observer = observe(&broker);
    let mut terminal = Terminal::open(&run(&world.options(&broker.url())));
    observer.expect_text(&status(), SOON, "online");
    observer.expect_text(&tree("/switch/0"), SOON, "on");
    observer.expect(&tree("/th"), SOON, "the first reading", |message| {
        message.json()["temperature"] == 23.4
    });

    terminal.press("b");
    assert_eq!(event(&mut observer), "single");
    observer.expect_text(&tree("/switch/0"), SOON, "off");
    observer.expect_text(&after(), SOON, "on-0");

    terminal.press("bb");
    assert_eq!(event(&mut observer), "double");
    terminal.press("l");
    assert_eq!(event(&mut observer), "long");

    // The arrow keys, as a terminal sends them.
    terminal.press("\x1b[A");
    observer.expect(&tree("/th"), SOON, "a warmer reading", |message| {
        message.json()["temperature"].as_f64() > Some(23.4)
    });

    terminal.press("n");
    observer.expect_text(&status(), SOON, "offline");
    terminal.press("n");
    observer.expect_text(&status(), SOON, "online");

    terminal.press("q");
    observer.expect_text(&status(), SOON, "offline");
    let ended = terminal.wait(SOON).expect("`q` ends it");
    assert_eq!(ended.code(), Some(0));
}

#[test]
fn the_table_of_watch_shows_a_device_toggles_it_and_ends_with_q() {
    let world = World::new(&Desk);
    let broker = world.broker();
    let mut observer = observe(&broker);
    let _device = world.started(&broker.url());
    observer.expect_text(&tree("/switch/0"), SOON, "on");
    let mut watch = monster();
    watch.args(["watch", "--broker", &broker.url()]);
    let mut terminal = Terminal::open(&watch);
    terminal.expect(World::ID);
    terminal.expect("● online");
    terminal.expect("23.4");
    terminal.press(" ");
    observer.expect_text(&tree("/switch/0"), SOON, "off");
    terminal.expect("off");
    terminal.press("q");
    let ended = terminal.wait(SOON).expect("`q` ends it");
    assert_eq!(ended.code(), Some(0));
}

fn event(observer: &mut Observer) -> String {
    let event = observer.next(&tree("/button/0"), SOON);
    assert!(!event.retained, "an event is never retained");
    event.json()["event_type"]
        .as_str()
        .expect("a word")
        .to_owned()
}
