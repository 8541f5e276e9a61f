//! No secret is in anything that `Debug` shows: not in what device and board tell each other, nor in what
//! is known of the device.

mod common;

use std::any::type_name;
use std::fmt;

use common::{Bench, Store, settings};
use monster::device::{Input, LocalCommand, Output, Vitals};
use monster::dht::{Kind, Reading, encode};
use monster::settings::{TABLE, Uplink, value};
use monster::trial::{Progress, Trial};
use mqttbytes::v4::ConnectReturnCode;

const CANARY: &str = "canary7canary7";

/// The names of all variants of an enum. It does not compile when there is another one.
macro_rules! variants {
    ($Enum:ident: $($Variant:ident)+) => {{
        const _: fn(&$Enum) = |it| match it {
            $($Enum::$Variant { .. } => {})+
        };
        [$(concat!(stringify!($Enum), "::", stringify!($Variant))),+]
    }};
}

/// Each secret there is, and what makes a device do all it can.
fn with_secrets() -> Vec<(&'static str, String)> {
    let secrets = TABLE.iter().filter(|setting| setting.is_sensitive());
    let secrets = secrets.map(|setting| match (setting.key(), setting.kind()) {
        (key, value::Kind::Secret) => (key, CANARY.to_owned()),
        (key @ "broker.url", _) => (key, format!("mqtt://al:{CANARY}@broker.example")),
        (key, _) => panic!("how is a secret in {key}?"),
    });
    let all: Vec<_> = secrets
        .chain(
            [
                ("classic.enabled", "false"),
                ("wifi.ssid", "Attic"),
                ("climate.kind", "dht22"),
                ("mqtt.session", "kept"),
                ("log.level", "debug"),
                ("log.mqtt", "debug"),
            ]
            .map(|(key, text)| (key, text.to_owned())),
        )
        .collect();
    assert!(all.len() >= 4 + 6, "there are four secrets at least");
    all
}

/// What the device is told and wants in several lives, with all its secrets.
fn lives() -> Vec<String> {
    let secrets = with_secrets();
    let changes: Vec<_> = secrets.iter().map(|(key, text)| (*key, &**text)).collect();
    let local = |bench: &mut Bench, text| {
        let command = LocalCommand::parse(text).unwrap();
        bench.handle(Input::Local(command));
    };

    // All that can happen, but for the end.
    let mut bench = Bench::new(&changes);
    bench.wait_for_attempt();
    bench.dialling = false;
    bench.handle(Input::ConnectFailed("connection refused"));
    bench.connect();
    bench.command("switch/0/set", r#"{"command":"off","id":"1"}"#);
    bench.store = Store::Fails;
    bench.command("switch/0/set", r#"{"command":"on","id":"2"}"#);
    bench.store = Store::Works;
    bench.command("switch/0/set", "bogus");
    bench.pass(2_000);
    let reading = Reading {
        temperature: 215,
        humidity: 480,
    };
    bench.handle(Input::Pulses(&encode(Kind::Dht22, reading)));
    bench.handle(Input::Reading(Ok(reading)));
    bench.handle(Input::Vitals(Vitals {
        free: Some(1),
        rssi: Some(-60),
    }));
    bench.press(60);
    bench.press(6_000);
    bench.handle(Input::PortalUsed);
    bench.handle(Input::WrongPassword);
    local(&mut bench, "identify");
    bench.handle(Input::Network(false));
    bench.handle(Input::Network(true));
    let now = bench.instant();
    let other = settings(&changes);
    let uplink = Uplink::new(&other.wifi, &other.broker);
    bench.device.go_over(uplink, true, now);
    bench.settle();
    bench.open();
    bench.take_connect();
    bench.connack(ConnectReturnCode::BadUserNamePassword, false);
    bench.pass(60_000);
    bench.connect();
    // With something on its way.
    bench.acknowledges = false;
    bench.press(60);
    bench.cut();
    local(&mut bench, "restart");
    let mut shown = std::mem::take(&mut bench.shown);

    // The next ones, with what is left of it.
    let mut bench = bench.power_cut(&changes);
    bench.connect();
    bench.handle(Input::Stop);
    shown.append(&mut bench.shown);
    let mut bench = Bench::online(&changes);
    local(&mut bench, "factory-reset");
    shown.append(&mut bench.shown);
    shown
}

/// Whether a text has the secret in it, in letters or as bytes.
fn tells(text: &str) -> bool {
    let bytes = format!("{:?}", CANARY.as_bytes());
    text.contains(CANARY) || text.contains(bytes.trim_matches(['[', ']']))
}

#[test]
fn nothing_that_device_and_board_tell_each_other_shows_a_secret() {
    let shown = lives();
    let inputs = variants!(Input: Network Connected ConnectFailed Closed Button Pulses Reading Saved SaveFailed
        Vitals PortalUsed Local WrongPassword Stop);
    let outputs = variants!(Output: Connect Close Switch Measure Save SaveSession ForgetSession Identify Led
        AccessPoint Log FactoryReset Restart Stopped);
    for variant in inputs.into_iter().chain(outputs) {
        let is_it = |line: &&String| {
            let rest = line.strip_prefix(variant);
            rest.is_some_and(|rest| !rest.starts_with(char::is_alphanumeric))
        };
        assert!(
            shown.iter().any(|line| is_it(&line)),
            "no {variant} was seen"
        );
    }
    let told: Vec<_> = shown.iter().filter(|line| tells(line)).collect();
    assert!(told.is_empty(), "{told:?}");
}

#[test]
fn nothing_that_is_known_of_a_device_shows_a_secret() {
    let secrets = with_secrets();
    let changes: Vec<_> = secrets.iter().map(|(key, text)| (*key, &**text)).collect();
    let settings = settings(&changes);
    let mut bench = Bench::new(&changes);
    let mut trial = Trial::new(bench.instant());
    trial.handle(Progress::Failed("wrong password"), bench.instant());
    bench.connect();

    let mut shown = Vec::new();
    let uplink = Uplink::new(&settings.wifi, &settings.broker);
    for part in [
        &settings as &dyn fmt::Debug,
        &settings.broker.url,
        &settings.broker.login(),
        &uplink,
        &uplink.login(),
        &bench.device.uplink(),
        &bench.device.connection(bench.instant()),
        &bench.device.diagnostics(bench.instant()),
        &trial,
        &trial.outcome(),
    ] {
        shown.push(format!("{part:?} {part:#?}"));
    }
    let told: Vec<_> = shown.iter().filter(|line| tells(line)).collect();
    assert!(told.is_empty(), "{told:?}");
    // There was a secret to tell, and the search finds one.
    let login = uplink.login().and_then(|login| login.password);
    assert!(tells(login.expect("there is a password").expose()));
    assert!(tells(&format!("{:?}", CANARY.as_bytes())));
}

/// Of these there is nothing to look at: they have no `Debug` at all.
#[test]
fn what_holds_settings_and_messages_cannot_be_shown() {
    /// Ambiguous, and so an error, where `Debug` is there too.
    trait NotShown<Or> {
        fn name() -> &'static str {
            type_name::<Self>()
        }
    }
    impl<T: ?Sized> NotShown<()> for T {}
    impl<T: ?Sized + fmt::Debug> NotShown<u8> for T {}

    let names = [
        <monster::device::Start as NotShown<_>>::name(),
        <monster::device::Device<'_> as NotShown<_>>::name(),
        <umqtt::Session<'_> as NotShown<_>>::name(),
    ];
    assert!(names.iter().all(|name| name.contains("::")));
}
