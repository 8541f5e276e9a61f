//! The air round the virtual microcontroller: its WiFi.

use std::time::{Duration, Instant};

use monster_scenarios::device::Device;
use monster_scenarios::virt::{Virt, VirtDevice};
use monster_scenarios::world::{SOON, World, observe, status};

#[test]
fn a_network_that_is_gone_refuses_or_comes_back_is_told_and_joined_again() {
    let world = World::new(&Virt);
    let broker = world.broker();
    let mut observer = observe(&broker);
    let options = world.options(&broker.url());
    let options = options
        .set("wifi.ssid", "Attic room")
        .set("wifi.password", "canary-wifi");
    let mut device = VirtDevice::new(options);
    device.power_on();
    observer.expect_text(&status(), SOON, "online");
    let mut bench = device.bench();
    bench.say("wifi canary-wifi Attic room");
    bench.say("no wifi Attic room");
    assert_eq!(bench.hear("wifi"), "wifi none Attic room");
    bench.say("wifi canary-other Attic room");
    assert_eq!(bench.hear("wifi"), "wifi refused Attic room");
    bench.say("wifi canary-wifi Attic room");
    assert_eq!(bench.hear("wifi"), "wifi accepted Attic room");
    observer.expect_text(&status(), Duration::from_secs(30), "online");
    let log = device.log().join("\n");
    for said in [
        "WiFi lost: the access point is not heard any more",
        "cannot join Attic room: there is no such network here",
        "cannot join Attic room: the password is not accepted",
    ] {
        assert!(log.contains(said), "{said}: {log}");
    }
    assert!(!log.contains("canary"), "{log}");
}

#[test]
fn without_a_network_that_is_set_it_opens_its_access_point_at_once_and_the_switch_works() {
    let world = World::new(&Virt);
    let options = world.options("mqtt://127.0.0.1:1").set("wifi.ssid", "");
    let mut device = VirtDevice::new(options);
    device.power_on();
    let mut bench = device.bench();
    wait_for_log(&device, "the network is gone");
    bench.say("access point");
    assert_eq!(bench.hear("ap"), "ap 1");
    bench.say("button 1");
    std::thread::sleep(Duration::from_millis(100));
    bench.say("button 0");
    assert_eq!(bench.hear("switch 0"), "switch 0");
}

fn wait_for_log(device: &VirtDevice, text: &str) {
    let deadline = Instant::now() + SOON;
    while !device.log().iter().any(|line| line.contains(text)) {
        assert!(Instant::now() < deadline, "the log does not say `{text}`");
        std::thread::sleep(Duration::from_millis(10));
    }
}
