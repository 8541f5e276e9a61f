//! What systemd hears of the program, as it hears it.

use std::io::{self, Read};
use std::os::unix::net::UnixDatagram;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::harness::{Desk, Running};
use crate::own_broker::connected;

/// How long a device may say nothing before systemd ends it.
const PATIENCE: Duration = Duration::from_millis(200);

/// systemd, as far as a service can tell.
struct Systemd(UnixDatagram);

impl Systemd {
    /// Starts a device as a service whose WatchdogSec is [`PATIENCE`].
    fn start(desk: &Desk, flags: &[&str]) -> (Self, Running) {
        let path = desk.folder.join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        let mut monster = desk.monster(flags);
        monster
            .env("NOTIFY_SOCKET", path)
            .env("WATCHDOG_USEC", PATIENCE.as_micros().to_string());
        (Systemd(socket), Running::start(monster))
    }

    /// The next message within this time.
    fn hear(&self, patience: Duration) -> Option<String> {
        self.0.set_read_timeout(Some(patience)).unwrap();
        let mut buffer = [0; 1000];
        match self.0.recv(&mut buffer) {
            Ok(length) => Some(String::from_utf8(buffer[..length].to_vec()).unwrap()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
            Err(error) => panic!("{error}"),
        }
    }

    /// Waits for a message like this, and returns those before it.
    fn hear_of(&self, text: &str) -> Vec<String> {
        let deadline = Instant::now() + Duration::from_secs(10);
        let mut before = Vec::new();
        loop {
            assert!(Instant::now() < deadline, "never {text:?}, but {before:?}");
            match self.hear(Duration::from_secs(1)) {
                Some(message) if message.contains(text) => return before,
                other => before.extend(other),
            }
        }
    }
}

#[test]
fn a_service_is_ready_at_once_tells_how_it_is_and_says_when_it_stops() {
    let desk = Desk::new();
    let flags = ["run", "--broker", "mqtt://127.0.0.1:1"];
    let (systemd, running) = Systemd::start(&desk, &flags);
    let first = systemd.hear(Duration::from_secs(10)).unwrap();
    assert_eq!(first, "READY=1\nSTATUS=no connection to the broker\n");
    systemd.hear_of("WATCHDOG=1");
    running.signal(Signal::TERM);
    systemd.hear_of("STOPPING=1");
    assert_eq!(running.end().code, Some(0));
}

#[test]
fn the_watchdog_is_fed_by_the_loop_of_the_device_and_by_nothing_else() {
    let desk = Desk::new();
    let (systemd, mut running) = Systemd::start(&desk, &["--id", "a1"]);
    let broker = connected(&mut running);
    systemd.hear_of("STATUS=connected");
    for _ in 0..5 {
        systemd.hear_of("WATCHDOG=1");
    }

    // The loop prints to a pipe that nobody reads any more: once it is full, the loop is stuck.
    let least = rustix::pipe::fcntl_setpipe_size(running.stdout(), 1).unwrap();
    let is_stuck = AtomicBool::new(false);
    thread::scope(|scope| {
        let talk = || {
            while !is_stuck.load(Ordering::Relaxed) {
                desk.run(&[
                    "send",
                    "--broker",
                    &broker,
                    "--timeout",
                    "1",
                    "a1",
                    "toggle",
                ]);
            }
        };
        scope.spawn(talk);
        let deadline = Instant::now() + Duration::from_secs(60);
        while let Some(message) = systemd.hear(5 * PATIENCE) {
            assert!(Instant::now() < deadline, "it is not stuck: {message:?}");
        }
        is_stuck.store(true, Ordering::Relaxed);
        // Somebody reads it: the loop goes on.
        let printed = running.stdout().read(&mut vec![0; least]).unwrap();
        assert!(printed > 0);
        systemd.hear_of("WATCHDOG=1");
    });
}
