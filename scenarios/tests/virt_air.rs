//! The air round the virtual microcontroller: its WiFi.

use std::time::{Duration, Instant};

use monster_scenarios::device::Device;
use monster_scenarios::phone::Phone;
use monster_scenarios::virt::{Virt, VirtDevice};
use monster_scenarios::world::{SOON, World, observe, status};
use serde_json::Value;

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

/// The contract's times, in real ones: nothing here is quicker than on a board.
#[test]
fn two_minutes_after_the_network_is_lost_the_access_point_opens_and_a_minute_after_it_is_back_it_closes()
 {
    let world = World::new(&Virt);
    let broker = world.broker();
    let mut observer = observe(&broker);
    let options = world.options(&broker.url());
    let options = options
        .set("wifi.ssid", "Attic")
        .set("wifi.password", "canary-wifi");
    let mut device = VirtDevice::new(options);
    device.power_on();
    observer.expect_text(&status(), SOON, "online");
    let mut bench = device.bench();
    bench.say("wifi canary-wifi Attic");
    bench.say("access point");
    assert_eq!(bench.hear("ap"), "ap 0");

    bench.say("no wifi Attic");
    let lost = Instant::now();
    bench.hear_within(OPENS + SLACK, "ap 1");
    about(lost.elapsed(), OPENS);
    wait_for_log(&device, "the access point is open: Monster-");

    bench.say("wifi canary-wifi Attic");
    bench.hear("wifi accepted Attic");
    let back = Instant::now();
    observer.expect_text(&status(), Duration::from_secs(30), "online");
    bench.hear_within(CLOSES + SLACK, "ap 0");
    about(back.elapsed(), CLOSES);
}

#[test]
fn with_ap_always_it_is_open_beside_the_network_and_stays_so() {
    let world = World::new(&Virt);
    let broker = world.broker();
    let mut observer = observe(&broker);
    let mut device = VirtDevice::new(world.options(&broker.url()).set("ap", "always"));
    device.power_on();
    observer.expect_text(&status(), SOON, "online");
    let mut bench = device.bench();
    let connected = Instant::now();
    // It would have been closed by now, were it open for another reason.
    while connected.elapsed() < CLOSES + SLACK {
        std::thread::sleep(Duration::from_secs(1));
        bench.say("access point");
        assert_eq!(bench.hear("ap"), "ap 1");
    }
}

/// How long the network is gone before the access point opens, and back before it closes.
const OPENS: Duration = Duration::from_secs(120);
const CLOSES: Duration = Duration::from_secs(60);
/// How much later it may be, on a busy computer.
const SLACK: Duration = Duration::from_secs(10);

fn about(is: Duration, wanted: Duration) {
    let early = Duration::from_secs(1);
    assert!(is + early >= wanted && is <= wanted + SLACK, "{is:?}");
}

fn wait_for_log(device: &VirtDevice, text: &str) {
    let deadline = Instant::now() + SOON;
    while !device.log().iter().any(|line| line.contains(text)) {
        assert!(Instant::now() < deadline, "the log does not say `{text}`");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A device that is blank, and a phone that has joined its access point.
fn blank(world: &World<'_>) -> (VirtDevice, Phone) {
    let phone = Phone::new();
    let mut device = VirtDevice::new(world.options("")).near(phone.tap());
    device.power_on();
    phone.come_near();
    let address = phone.join();
    assert_eq!(address.octets()[..3], [192, 168, 4]);
    (device, phone)
}

fn get(phone: &Phone, path: &str) -> (u16, Value) {
    let (status, _, body) = phone.http(&[&format!("http://192.168.4.1{path}")]);
    let json = serde_json::from_str(&body);
    (
        status,
        json.unwrap_or_else(|error| panic!("{path}: {error}: {body}")),
    )
}

#[test]
fn a_phone_gets_an_address_and_every_name_leads_it_to_the_portal() {
    let world = World::new(&Virt);
    let (device, phone) = blank(&world);
    let log = device.log();
    let rows = log.iter().filter(|line| line.contains('\u{2584}'));
    assert!(rows.count() > 10, "there is no QR code: {log:?}");
    // What phones, computers and browsers ask for, to see whether there is a way out.
    for probe in [
        "http://connectivitycheck.gstatic.com/generate_204",
        "http://clients3.google.com/generate_204",
        "http://captive.apple.com/hotspot-detect.html",
        "http://www.apple.com/library/test/success.html",
        "http://www.msftconnecttest.com/connecttest.txt",
        "http://www.msftncsi.com/ncsi.txt",
        "http://detectportal.firefox.com/canonical.html",
        "http://any.name.at.all/and?any=path",
    ] {
        let (status, to, body) = phone.http(&[probe]);
        let answer = (status, &*to, &*body);
        assert_eq!(answer, (302, "http://192.168.4.1/", ""), "{probe}");
    }
    let (status, _, page) = phone.http(&["--compressed", "http://192.168.4.1/"]);
    assert!(status == 200 && page.contains("<html"), "{status}");
    let mut bench = device.bench();
    bench.say("wifi secret123 Attic");
    bench.say("wifi - Caf\u{e9} \"7\"");
    let (status, wifi) = get(&phone, "/api/wifi");
    assert_eq!((status, &wifi["joined"]), (200, &Value::Null));
    assert_eq!(wifi["name"], format!("Monster-{}", World::ID));
    let networks = wifi["networks"].as_array().expect("networks");
    let of = |place: usize| (&networks[place]["ssid"], &networks[place]["secure"]);
    assert_eq!(of(0), (&"Attic".into(), &true.into()));
    assert_eq!(of(1), (&"Caf\u{e9} \"7\"".into(), &false.into()));
    // All else takes the device's password.
    assert_eq!(get(&phone, "/api/status").0, 401);
    assert_eq!(get(&phone, "/api/settings").0, 401);
    // A page of another site may not do it.
    let foreign = phone.http(&[
        "-H",
        "Origin: http://evil.example",
        "-d",
        "{}",
        "http://192.168.4.1/api/join",
    ]);
    assert_eq!(foreign.0, 403);
}

/// Has the device try these, and waits for what comes of it, while `meanwhile` happens.
fn join(phone: &Phone, ssid: &str, password: &str, broker: &str, meanwhile: impl Fn()) -> Value {
    let body = serde_json::json!({
        "ssid": ssid, "password": password,
        "broker.url": broker, "broker.user": "", "broker.password": "",
    });
    let address = "http://192.168.4.1/api/join";
    let (status, _, answer) = phone.http(&["-d", &body.to_string(), address]);
    assert_eq!((status, &*answer), (202, r#"{"ok":true}"#));
    meanwhile();
    let deadline = Instant::now() + Duration::from_secs(40);
    loop {
        let (status, outcome) = get(phone, "/api/join");
        assert_eq!((status, &outcome["ssid"]), (200, &ssid.into()));
        if outcome["state"] != "trying" {
            return outcome;
        }
        assert!(Instant::now() < deadline, "it goes on trying: {outcome}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn a_blank_device_is_set_up_with_a_wrong_password_and_a_wrong_broker_on_the_way() {
    let world = World::new(&Virt);
    let broker = world.broker();
    let mut observer = observe(&broker);
    let (mut device, phone) = blank(&world);
    let mut bench = device.bench();
    bench.say("wifi secret123 Attic");
    let url = format!("mqtt://{}:{}", world.host(), broker.port());
    let nothing = || {};
    for (body, key) in [
        (r#"{"ssid":"","broker.url":"mqtt://h"}"#, "ssid"),
        (
            r#"{"ssid":"Attic","password":"short","broker.url":"mqtt://h"}"#,
            "wifi.password",
        ),
        (r#"{"ssid":"Attic","broker.url":"ftp://h"}"#, "broker.url"),
    ] {
        let (status, _, answer) = phone.http(&["-d", body, "http://192.168.4.1/api/join"]);
        let answer: Value = serde_json::from_str(&answer).expect("JSON");
        assert_eq!((status, &answer["key"]), (400, &key.into()), "{answer}");
    }
    let refused = join(&phone, "Attic", "canary-wrong", &url, nothing);
    assert_eq!(
        (&refused["state"], &refused["step"]),
        (&"failed".into(), &"wifi".into())
    );
    assert_eq!(refused["error"], "the password is not accepted");
    let lost = join(&phone, "Attic", "secret123", "mqtt://10.0.2.2:1", nothing);
    assert_eq!(
        (&lost["state"], &lost["step"]),
        (&"failed".into(), &"broker".into())
    );
    assert_eq!(lost["error"], "connection refused");
    // Nothing of it was kept.
    assert_eq!(get(&phone, "/api/wifi").1["joined"], Value::Null);
    // The radio goes over to the network's channel, and the phone is thrown off.
    let joined = join(&phone, "Attic", "secret123", &url, || {
        phone.lose();
        std::thread::sleep(Duration::from_secs(1));
        phone.join();
    });
    assert_eq!(
        (&joined["state"], &joined["error"]),
        (&"joined".into(), &Value::Null)
    );
    assert_eq!(joined["ip"], "10.0.2.15");
    observer.expect_text(&status(), SOON, "online");
    // It is set up: who has not the device's password only sees what came of it.
    let body = r#"{"ssid":"Other","broker.url":"mqtt://h"}"#;
    let again = phone.http(&["-d", body, "http://192.168.4.1/api/join"]);
    assert_eq!(again.0, 401);
    // What works is stored: after the power was away it comes back by itself.
    let log = device.log().join("\n");
    assert!(
        !log.contains("canary") && !log.contains("secret123"),
        "{log}"
    );
    device.keep_settings();
    device.cut_power();
    observer.expect_text(&status(), SOON, "offline");
    device.power_on();
    observer.expect_text(&status(), SOON, "online");
}
