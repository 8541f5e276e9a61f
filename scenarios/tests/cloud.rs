//! The quick start for a cloud that prescribes topics and client id, against one that is played: it hangs up at
//! anything it does not prescribe.

use std::fs;
use std::path::Path;

use monster_scenarios::desk::{Desk, monster};
use monster_scenarios::process::Process;
use monster_scenarios::scripted::{CONNACK, Heard, Packet, Peer, Scripted, publish};
use monster_scenarios::world::{SOON, World};
use mqttbytes::{Protocol, QoS};

/// What the page says is in `monster.toml`.
fn settings() -> String {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/quick-starts/cloud.md");
    let page = fs::read_to_string(page).expect("the page is there");
    let (_, rest) = page
        .split_once("`monster.toml`:\n\n```toml\n")
        .expect("a block of TOML");
    rest.split_once("```").expect("its end").0.to_owned()
}

/// The value of a setting on the page.
fn value(settings: &str, key: &str) -> String {
    let line = settings.lines().find(|line| line.starts_with(key));
    let line = line.unwrap_or_else(|| panic!("{key} is not on the page"));
    line.split('"')
        .nth(1)
        .expect("a value in quotes")
        .to_owned()
}

#[test]
fn the_settings_of_the_page_are_all_that_such_a_cloud_wants() {
    let settings = settings();
    let [key, inlet, outlet] =
        ["mqtt.client_id", "classic.in", "classic.out"].map(|key| value(&settings, key));
    let cloud = Scripted::listen();
    let world = World::new(&Desk);
    let options = world.options(&cloud.url());
    fs::create_dir_all(&options.state).expect("a folder");
    let config = options.state.join("monster.toml");
    fs::write(&config, &settings).expect("it can be written");
    let mut command = monster();
    command.args(["run", "--broker", &options.broker]);
    command.arg("--config").arg(&config);
    command.arg("--state").arg(&options.state);
    let _device = Process::spawn("monster", command);

    let mut peer = cloud.accept(SOON);
    let connect = peer.connect();
    assert_eq!(connect.protocol, Protocol::V4, "MQTT 3.1.1");
    assert_eq!(connect.client_id, key, "the key to the account");
    assert!(connect.clean_session);
    assert_eq!((connect.last_will, connect.login), (None, None));
    peer.send(&CONNACK);
    let subscribed = peer.serve(SOON, |packet| matches!(packet, Packet::Subscribe(_)));
    assert!(matches!(subscribed, Heard::Packet(_)), "{}", peer.report());
    for (word, state) in [
        ("off", "off"),
        ("on", "on"),
        ("toggle", "off"),
        ("on", "on"),
    ] {
        peer.send(&publish(inlet.as_bytes(), None, word.as_bytes()));
        hear(&mut peer, &outlet, state);
    }
    peer.send(&publish(inlet.as_bytes(), None, b"getTH"));
    hear(&mut peer, &outlet, "th=");

    for (_, packet) in peer.heard() {
        match packet {
            Packet::Connect(_) => {}
            Packet::Subscribe(subscribe) => {
                let asked = subscribe.filters.iter().map(|it| (&*it.path, it.qos));
                assert!(asked.eq([(&*inlet, QoS::AtMostOnce)]), "{subscribe:?}");
            }
            Packet::Publish(publish) => {
                assert_eq!(publish.topic, outlet);
                assert_eq!((publish.qos, publish.retain), (QoS::AtMostOnce, false));
            }
            other => panic!("such a cloud hangs up at {other:?}"),
        }
    }
}

/// Waits for a message that begins like this.
fn hear(peer: &mut Peer, topic: &str, beginning: &str) {
    let heard = peer.serve(SOON, |packet| {
        matches!(packet, Packet::Publish(it)
            if it.topic == topic && it.payload.starts_with(beginning.as_bytes()))
    });
    assert!(
        matches!(heard, Heard::Packet(_)),
        "no {beginning:?}: {}",
        peer.report()
    );
}
