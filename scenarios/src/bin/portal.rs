//! A blank virtual microcontroller is set up with a phone, in its browser: `portal SCRIPT`, where SCRIPT is run by
//! node on the phone, with the name of a network, its password and a broker. When it says `lose`, the phone loses the
//! access point for a while.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use monster_scenarios::device::Device;
use monster_scenarios::phone::Phone;
use monster_scenarios::virt::{Virt, VirtDevice};
use monster_scenarios::world::{SOON, World, observe, status};

/// The whole set-up takes a person a minute.
const WITHIN: Duration = Duration::from_secs(180);
/// A radio that changes its channel is away for about so long.
const AWAY: Duration = Duration::from_secs(3);
const SSID: &str = "Attic";
const PASSWORD: &str = "secret123";

fn main() {
    let script = std::env::args().nth(1).expect("portal SCRIPT");
    let world = World::new(&Virt);
    let broker = world.broker();
    let mut observer = observe(&broker);
    let phone = Phone::new();
    let mut device = VirtDevice::new(world.options("")).near(phone.tap());
    device.power_on();
    phone.come_near();
    phone.join();
    let mut bench = device.bench();
    bench.say(&format!("wifi {PASSWORD} {SSID}"));
    bench.say("wifi other-secret Neighbour's");
    bench.say("wifi - Café");

    let url = format!("mqtt://{}:{}", world.host(), broker.port());
    let mut browser = phone.command("timeout");
    browser
        .args([&WITHIN.as_secs().to_string(), "node", &script])
        .args([SSID, PASSWORD, &url]);
    run(browser, || {
        phone.lose();
        std::thread::sleep(AWAY);
        phone.join();
    });
    observer.expect_text(&status(), SOON, "online");

    // What it was told outlives a power cut.
    device.keep_settings();
    device.cut_power();
    observer.expect_text(&status(), SOON, "offline");
    device.power_on();
    observer.expect_text(&status(), SOON, "online");
    println!("a blank device was set up by a phone's browser, and came back by itself");
}

/// Runs it to its end, and does this whenever it says `lose`.
fn run(mut command: Command, lose: impl Fn()) {
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
    let mut child = child.expect("node runs");
    let mut is_done = false;
    for line in BufReader::new(child.stdout.take().expect("it is piped")).lines() {
        match &*line.expect("lines") {
            "lose" => lose(),
            "done" => is_done = true,
            other => println!("{other}"),
        }
    }
    let ended = child.wait().expect("it ends");
    assert!(ended.success() && is_done, "the browser: {ended}");
}
