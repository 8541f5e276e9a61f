//! What settings change on the wire, down to the device's own packets.

use std::net::{Ipv4Addr, UdpSocket};
use std::time::Duration;

use mqttbytes::v4::{Connect, Packet};
use mqttbytes::{Protocol, QoS};

use crate::publisher::Publish;
use crate::scripted::{Heard, Peer, Scripted};
use crate::world::{SOON, World, after, status, tree};

pub fn a_default_device_asks_for_exactly_the_contract(world: &World<'_>) {
    let broker = Scripted::listen();
    let _device = world.started(&broker.url());
    let (mut peer, connect) = broker.welcome(World::ID, SOON);
    assert_plain(&connect, World::ID);
    let will = connect.last_will.expect("it has a will");
    assert_eq!((will.topic, &will.message[..]), (status(), &b"offline"[..]));
    assert_eq!((will.qos, will.retain), (QoS::AtLeastOnce, true));

    published_until(&mut peer, &after());
    let mut asked: Vec<_> = peer
        .subscriptions()
        .into_iter()
        .map(|filter| (filter.path, filter.qos))
        .collect();
    asked.sort_by(|a, b| a.0.cmp(&b.0));
    let expected = [
        (World::ID.to_owned(), QoS::AtMostOnce),
        ("homeassistant/status".to_owned(), QoS::AtLeastOnce),
        (tree("/switch/0/set"), QoS::AtLeastOnce),
        (tree("/sys/set"), QoS::AtLeastOnce),
        (tree("/th/get"), QoS::AtLeastOnce),
    ];
    assert_eq!(asked, expected);
}

pub fn without_the_structured_tree_only_the_pair_is_left(world: &World<'_>) {
    let broker = Scripted::listen();
    let options = world.options(&broker.url());
    let _device = world.started_with(options.set("structured.enabled", "false"));
    let (mut peer, connect) = broker.welcome(World::ID, SOON);
    assert_plain(&connect, World::ID);
    assert_eq!(connect.last_will, None);
    for (word, expected) in [("toggle", "on-0"), ("on", "on-1")] {
        peer.send(&crate::scripted::publish(
            World::ID.as_bytes(),
            None,
            word.as_bytes(),
        ));
        let heard = peer.serve(SOON, |packet| is_publish(packet, &after(), expected));
        assert!(
            matches!(heard, Heard::Packet(_)),
            "no {expected:?}: {heard:?}"
        );
    }
    // Past the second heartbeat: whatever else it might want to say, it has had the time to.
    let heard = peer.serve(Duration::from_secs(7), |packet| {
        is_publish(packet, &after(), "t=1")
    });
    assert!(
        matches!(heard, Heard::Packet(_)),
        "no second heartbeat: {heard:?}"
    );
    for (_, packet) in peer.heard() {
        match packet {
            Packet::Connect(_) | Packet::PingReq => {}
            Packet::Subscribe(subscribe) => {
                assert_eq!(subscribe.filters.len(), 1, "{subscribe:?}");
                assert_eq!(subscribe.filters[0].path, World::ID);
                assert_eq!(subscribe.filters[0].qos, QoS::AtMostOnce);
            }
            Packet::Publish(publish) => {
                assert_eq!(publish.topic, after(), "{publish:?}");
                assert_eq!((publish.qos, publish.retain), (QoS::AtMostOnce, false));
            }
            other => panic!("an unexpected packet: {other:?}"),
        }
    }
    assert_eq!(peer.subscriptions().len(), 1);
}

pub fn topics_answers_and_client_id_are_settings(world: &World<'_>) {
    let broker = Scripted::listen();
    // As a cloud that prescribes them would have it.
    let options = world
        .options(&broker.url())
        .set("structured.enabled", "false")
        .set("mqtt.client_id", "4d9ec352e0376f2110a0c601a2857225")
        .set("mqtt.keep_alive", "30")
        .set("classic.in", "light002")
        .set("classic.out", "light002/up")
        .set("classic.on", "ON")
        .set("classic.off", "OFF")
        .set("classic.th", "#%t#%h")
        .set("classic.heartbeat", "beat %n")
        .set("heartbeat.seconds", "1");
    let _device = world.started_with(options);
    let (mut peer, connect) = broker.welcome("light002", SOON);
    assert_eq!(connect.client_id, "4d9ec352e0376f2110a0c601a2857225");
    assert_eq!((connect.keep_alive, connect.clean_session), (30, true));
    for (word, expected) in [("toggle", "OFF"), ("toggle", "ON"), ("off", "OFF")] {
        peer.send(&crate::scripted::publish(
            b"light002",
            None,
            word.as_bytes(),
        ));
        let heard = peer.serve(SOON, |packet| is_publish(packet, "light002/up", expected));
        assert!(
            matches!(heard, Heard::Packet(_)),
            "no {expected:?}: {heard:?}"
        );
    }
    for beat in ["beat 1", "beat 2"] {
        let heard = peer.serve(SOON, |packet| is_publish(packet, "light002/up", beat));
        assert!(matches!(heard, Heard::Packet(_)), "no {beat:?}: {heard:?}");
    }
    let reading = (0..10).find_map(|_| {
        peer.send(&crate::scripted::publish(b"light002", None, b"getTH"));
        let heard = peer.serve(
            Duration::from_secs(1),
            |packet| matches!(packet, Packet::Publish(p) if p.payload.starts_with(b"#")),
        );
        matches!(heard, Heard::Packet(_)).then_some(())
    });
    assert!(reading.is_some(), "no reading in the form of the settings");
}

pub fn an_inverted_switch_says_the_same(world: &World<'_>) {
    let mut scene = world.scene_with(&[("switch.inverted", "true")]);
    assert_eq!(
        scene.observer.next(&tree("/switch/0"), SOON).text(),
        "on",
        "at boot"
    );
    for (word, expected) in [
        ("off", "on-0"),
        ("toggle", "on-1"),
        ("on", "on-1"),
        ("toggle", "on-0"),
    ] {
        assert_eq!(scene.ask(word), expected);
    }
}

pub fn the_broker_gets_the_log_at_the_level_it_is_set_to(world: &World<'_>) {
    let mut scene = world.scene_with(&[("log.mqtt", "info"), ("log.level", "error")]);
    let log = tree("/log");
    scene.send(World::ID, "off");
    let line = scene.observer.expect_text(&log, SOON, "info: switch off");
    assert_eq!((line.qos, line.retained), (0, false));
    scene.send(World::ID, "bogus");
    scene.observer.expect(&log, SOON, "a warning", |line| {
        line.text().starts_with("warn: not a command")
    });
}

pub fn a_server_of_syslog_gets_the_log(world: &World<'_>) {
    let server = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let port = server.local_addr().expect("it is bound").port();
    let waits = server.set_read_timeout(Some(SOON));
    waits.expect("a socket has a time-out");
    let address = format!("{}:{port}", world.host());
    let scene = world.scene_with(&[("log.syslog", &address), ("log.level", "info")]);
    let next = |text: &str| {
        // RFC 5424: facility `user`, version 1, no time; then host, program, and nothing more but the line.
        let start = format!("1 - Monster-{} monster - - - ", World::ID);
        let mut datagram = [0; 2048];
        loop {
            let (count, _) = server.recv_from(&mut datagram).unwrap_or_else(|error| {
                panic!("the server of syslog waits for `{text}`: {error}");
            });
            let line = String::from_utf8_lossy(&datagram[..count]).into_owned();
            let (priority, rest) = line.split_once('>').expect("a priority");
            let said = rest.strip_prefix(&start);
            let said = said.unwrap_or_else(|| panic!("{line:?} does not begin as it should"));
            if said.starts_with(text) {
                return priority.to_owned();
            }
        }
    };
    assert_eq!(next("connected to "), "<14");
    scene.send(World::ID, "off");
    assert_eq!(next("switch off"), "<14");
    scene.send(World::ID, "bogus");
    assert_eq!(next("not a command"), "<12");
}

pub fn a_heartbeat_may_be_faster(world: &World<'_>) {
    let mut scene = world.scene_with(&[("heartbeat.seconds", "1")]);
    let mut last = scene.observer.expect_text(&after(), SOON, "t=0");
    for n in 1..=3 {
        let beat = scene.observer.next(&after(), SOON);
        assert_eq!(beat.text(), format!("t={n}"));
        let gap = beat.at - last.at;
        assert!(
            gap > Duration::from_millis(500) && gap < Duration::from_millis(1500),
            "`t={n}` came after {gap:?}"
        );
        last = beat;
    }
    Publish::new(World::ID, "off").to(&scene.broker);
    assert_eq!(scene.answer(), "on-0");
}

/// What every CONNECT has in common.
fn assert_plain(connect: &Connect, client_id: &str) {
    assert_eq!(connect.protocol, Protocol::V4);
    assert_eq!(connect.client_id, client_id);
    assert_eq!((connect.keep_alive, connect.clean_session), (60, true));
    assert_eq!(connect.login, None);
}

fn published_until(peer: &mut Peer, topic: &str) {
    let heard = peer.serve(
        SOON,
        |packet| matches!(packet, Packet::Publish(p) if p.topic == topic),
    );
    assert!(
        matches!(heard, Heard::Packet(_)),
        "nothing on `{topic}`: {heard:?}"
    );
}

fn is_publish(packet: &Packet, topic: &str, payload: &str) -> bool {
    matches!(packet, Packet::Publish(p) if p.topic == topic && p.payload == payload.as_bytes())
}
