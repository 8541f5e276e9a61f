//! What TLS takes of the board in QEMU: `cargo run --release -p monster-scenarios --bin tls`, after
//! `cargo xtask virt` has built it. Fails if it is too much.
//!
//! Each row is a device that has been at a broker with keys of this kind, its own and those of the CAs, so many of
//! them between it and the one at the top; and that has done what takes the most stack.

use std::fs;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use monster_scenarios::broker::{Mosquitto, Setup};
use monster_scenarios::certificates::{Identity, Kind, broker, ca};
use monster_scenarios::device::{Device, Options};
use monster_scenarios::observer::Observer;
use monster_scenarios::publisher::Publish;
use monster_scenarios::scratch::Folder;
use monster_scenarios::time_server::{Manner, TimeServer};
use monster_scenarios::virt::VirtDevice;

/// How much RAM the firmware may take with TLS, in bytes.
const RAM: usize = 512 * 1024;
const ID: &str = "tls";
const SOON: Duration = Duration::from_secs(60);

fn main() -> ExitCode {
    println!(
        "| the broker's keys | RAM: statics | deepest stack | RAM in all | from the time to connected |"
    );
    println!("|---|--:|--:|--:|--:|");
    let mut most = 0;
    for (name, kind, between) in [
        ("ECDSA P-256, 1 CA between", Kind::P256, 1),
        ("ECDSA P-384, 1 CA between", Kind::P384, 1),
        ("ECDSA P-384, 4 CAs between", Kind::P384, 4),
        ("RSA 4096, 1 CA between", Kind::Rsa(4096), 1),
        ("RSA 2048, 4 CAs between", Kind::Rsa(2048), 4),
    ] {
        let Taken {
            statics,
            stack,
            handshake,
        } = measure(kind, between);
        let all = statics + stack;
        most = most.max(all);
        println!(
            "| {name} | {statics} bytes | {stack} bytes | {all} bytes | {} ms |",
            handshake.as_millis()
        );
    }
    println!("\nRAM in all: at most {most} bytes, allowed {RAM}");
    if most <= RAM {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

struct Taken {
    statics: usize,
    stack: usize,
    handshake: Duration,
}

fn measure(kind: Kind, between: usize) -> Taken {
    let mut cas = vec![Identity::root(kind)];
    for number in 0..between {
        cas.push(cas[number].signs(kind, ca(&format!("Between {number}"))));
    }
    let leaf = cas[between].signs(kind, broker());
    let above: Vec<&Identity> = cas[1..].iter().rev().collect();
    let mosquitto = Mosquitto::start(Setup {
        tls: Some(leaf.tls(&above)),
        ..Setup::default()
    });
    let (time, folder) = (TimeServer::start(&[Manner::Right]), Folder::new());
    let file = folder.path().join("ca.pem");
    fs::write(&file, &cas[0].pem).expect("the folder is writable");
    let options = Options {
        id: ID.into(),
        broker: format!("mqtts://127.0.0.1:{}", mosquitto.tls_port()),
        settings: Vec::new(),
        state: folder.path().join("state"),
        resolver: None,
        has_cable: false,
    };
    let options = options
        .set("time.server", &time.setting())
        .set("broker.ca", file.to_str().expect("a path in UTF-8"));
    let mut observer = Observer::new(&mosquitto, &["tlsAfter", "monster/tls/#"]);
    let mut device = VirtDevice::new(options);
    device.power_on();
    observer.expect_text("monster/tls/status", SOON, "online");
    for (topic, payload) in [
        (ID, "getTH"),
        (ID, &"x".repeat(8 * 1024 - 3)),
        ("monster/tls/switch/0/set", "pulse 50"),
        (
            "monster/tls/switch/0/set",
            r#"{"command":"toggle","id":"0123456789abcdef0123456789abcdef0123"}"#,
        ),
        ("monster/tls/sys/set", "identify"),
    ] {
        Publish::new(topic, payload).qos(1).to(&mosquitto);
    }
    Publish::new(ID, "off").to(&mosquitto);
    observer.expect_text("tlsAfter", SOON, "on-0");
    let mut bench = device.bench();
    bench.say("memory");
    let line = bench.hear("memory");
    let number = |word: &str| -> usize {
        let mut words = line.split(' ').skip_while(|it| *it != word);
        let number = words.nth(1).and_then(|number| number.parse().ok());
        number.unwrap_or_else(|| panic!("there is no `{word}` in {line}"))
    };
    Taken {
        statics: number("statics"),
        stack: number("stack"),
        handshake: at(&device, "connected to mqtts:").saturating_sub(at(&device, "the time is")),
    }
}

/// When the device has said this, after its start.
fn at(device: &VirtDevice, text: &str) -> Duration {
    let deadline = Instant::now() + SOON;
    loop {
        let log = device.log();
        if let Some(line) = log.iter().find(|line| line.contains(text)) {
            // When it was read, and then the device's own line.
            let seconds = line.split_whitespace().nth(1).map(str::parse);
            return Duration::from_secs_f64(seconds.and_then(Result::ok).expect("a time"));
        }
        assert!(Instant::now() < deadline, "it does not say `{text}`");
        thread::sleep(Duration::from_millis(10));
    }
}
