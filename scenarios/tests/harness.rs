//! The harness itself, shown with mosquitto on both sides: a failing scenario must be the device's fault.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::{Duration, Instant};

use monster_scenarios::broker::{Mosquitto, Setup};
use monster_scenarios::observer::Observer;
use monster_scenarios::proxy::{Direction, Proxy, Weather};
use monster_scenarios::publisher::Publish;
use monster_scenarios::scripted::{CONNACK, Heard, Packet, Scripted, frame, publish};

const SOON: Duration = Duration::from_secs(8);

#[test]
fn a_message_arrives_with_its_bytes_its_quality_and_its_retain_flag() {
    let broker = Mosquitto::start(Setup::default());
    let mut observer = Observer::new(&broker, &["a/#"]);
    Publish::new("a/0", "zero").to(&broker);
    Publish::new("a/1", [0xff, 0x00, b'|', b'\n'])
        .qos(1)
        .retained()
        .to(&broker);
    Publish::new("a/2", "").qos(2).to(&broker);
    let first = observer.next("a/0", SOON);
    assert_eq!(
        (first.text().as_str(), first.qos, first.retained),
        ("zero", 0, false)
    );
    let second = observer.next("a/1", SOON);
    assert_eq!(second.payload, [0xff, 0x00, b'|', b'\n']);
    assert_eq!((second.qos, second.retained), (1, true));
    let third = observer.next("a/2", SOON);
    assert_eq!((third.payload.len(), third.qos), (0, 2));
}

#[test]
fn what_was_retained_is_here_when_an_observer_is() {
    let broker = Mosquitto::start(Setup::default());
    Publish::new("a/b", "kept").qos(1).retained().to(&broker);
    let kept = Observer::new(&broker, &["a/#"]).drain();
    assert_eq!(kept.len(), 1);
    assert_eq!((kept[0].text().as_str(), kept[0].retained), ("kept", true));
}

#[test]
fn each_topic_is_read_on_its_own_and_in_order() {
    let broker = Mosquitto::start(Setup::default());
    let mut observer = Observer::new(&broker, &["#"]);
    for payload in ["1", "2", "3"] {
        Publish::new("x", payload).to(&broker);
        Publish::new("y", payload).to(&broker);
    }
    assert_eq!(observer.next("y", SOON).text(), "1");
    observer.expect_text("x", SOON, "3");
    assert_eq!(observer.next("y", SOON).text(), "2");
    observer.expect_none("x", Duration::from_millis(50), "more", |_| true);
    let rest = observer.drain();
    assert_eq!(rest.len(), 1, "{rest:?}");
}

#[test]
#[should_panic(expected = "there came only `a` \"other\"")]
fn a_wait_in_vain_says_what_came_instead() {
    let broker = Mosquitto::start(Setup::default());
    let mut observer = Observer::new(&broker, &["a"]);
    Publish::new("a", "other").to(&broker);
    observer.expect_text("a", Duration::from_millis(500), "awaited");
}

#[test]
fn a_killed_broker_forgets_and_returns_on_its_port() {
    let mut broker = Mosquitto::start(Setup::default());
    let port = broker.port();
    Publish::new("a", "kept").retained().to(&broker);
    broker.kill();
    assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err());
    broker.restart();
    assert_eq!(broker.port(), port);
    assert_eq!(Observer::new(&broker, &["#"]).drain(), []);
}

#[test]
fn a_held_broker_accepts_but_does_not_answer_until_it_is_released() {
    let broker = Mosquitto::start(Setup::default());
    broker.hold();
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, broker.port())).unwrap();
    stream.write_all(&connect()).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_millis(300)))
        .unwrap();
    assert!(stream.read(&mut [0; 4]).is_err());
    broker.release();
    stream.set_read_timeout(Some(SOON)).unwrap();
    let mut answer = [0; 4];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(answer, CONNACK);
}

#[test]
fn a_changed_password_shuts_out_who_has_the_old_one() {
    let mut broker = Mosquitto::start(Setup {
        password: Some(("m".into(), "old".into())),
        ..Setup::default()
    });
    Publish::new("a", "in").to(&broker);
    assert_eq!(refusal(&broker), 5, "without a password");
    broker.change_password("m", "new");
    Publish::new("a", "in").to(&broker);
}

#[test]
fn a_proxy_carries_counts_and_cuts_where_it_is_told() {
    let broker = Mosquitto::start(Setup::default());
    let proxy = Proxy::to(broker.port());
    let mut whole = dial(&proxy);
    whole.write_all(&connect()).unwrap();
    let mut answer = [0; 4];
    whole.read_exact(&mut answer).unwrap();
    assert_eq!(answer, CONNACK);
    assert_eq!((proxy.opened(), proxy.live()), (1, 1));
    proxy.cut();
    assert_eq!(whole.read(&mut answer).unwrap(), 0);
    assert_eq!(proxy.live(), 0);

    proxy.cut_after(Direction::Down, 3);
    let mut cut = dial(&proxy);
    cut.write_all(&connect()).unwrap();
    let mut received = Vec::new();
    cut.read_to_end(&mut received).unwrap();
    assert_eq!(received, CONNACK[..3]);
    assert_eq!(proxy.opened(), 2);
}

#[test]
fn a_cut_on_the_way_up_leaves_the_broker_half_a_packet() {
    let broker = Scripted::listen();
    let port = broker.url().rsplit(':').next().unwrap().parse().unwrap();
    let proxy = Proxy::to(port);
    proxy.cut_after(Direction::Up, 5);
    let mut stream = dial(&proxy);
    stream.write_all(&connect()).unwrap();
    let mut peer = broker.accept(SOON);
    assert_eq!(peer.hear(SOON), Heard::Closed);
    assert_eq!(stream.read(&mut [0; 4]).unwrap(), 0);
}

#[test]
fn a_silent_network_tells_nobody_anything_even_when_it_is_fair_again() {
    let broker = Mosquitto::start(Setup::default());
    let proxy = Proxy::to(broker.port());
    let mut stream = dial(&proxy);
    proxy.set(Weather::Silent);
    stream.write_all(&connect()).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_millis(200)))
        .unwrap();
    assert!(stream.read(&mut [0; 4]).is_err());
    proxy.set(Weather::Fair);
    stream.write_all(&connect()).unwrap();
    assert!(stream.read(&mut [0; 4]).is_err());
    drop(stream);
    proxy.wait_until_closed(1, SOON);
}

#[test]
fn a_refusing_network_accepts_again_when_it_is_fair() {
    let broker = Mosquitto::start(Setup::default());
    let proxy = Proxy::to(broker.port());
    proxy.set(Weather::Refusing);
    assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, proxy.port())).is_err());
    proxy.set(Weather::Fair);
    dial(&proxy);
    proxy.wait_until_opened(1, SOON);
}

#[test]
fn bytes_trickle_one_by_one_and_all_arrive() {
    let broker = Mosquitto::start(Setup::default());
    let proxy = Proxy::to(broker.port());
    proxy.set(Weather::Trickle);
    let mut stream = dial(&proxy);
    let started = Instant::now();
    stream.write_all(&connect()).unwrap();
    let mut answer = [0; 4];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(answer, CONNACK);
    assert!(started.elapsed() > Duration::from_millis(3));
}

#[test]
fn a_scripted_broker_greets_serves_and_notices_a_goodbye() {
    let broker = Scripted::listen();
    let port: u16 = broker.url().rsplit(':').next().unwrap().parse().unwrap();
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    stream.write_all(&connect()).unwrap();
    stream
        .write_all(&frame(0x82, b"\x00\x07\x00\x01x\x01"))
        .unwrap();
    let (mut peer, greeting) = broker.welcome("x", SOON);
    assert_eq!(greeting.client_id, "h");
    let mut answers = [0; 9];
    stream.read_exact(&mut answers).unwrap();
    assert_eq!(answers, [0x20, 2, 0, 0, 0x90, 3, 0, 7, 1]);
    stream.write_all(&publish(b"t", Some(9), b"hi")).unwrap();
    let heard = peer.serve(SOON, |packet| matches!(packet, Packet::Publish(_)));
    assert!(
        matches!(heard, Heard::Packet(Packet::Publish(p)) if p.topic == "t" && p.payload == "hi")
    );
    let mut acknowledged = [0; 4];
    stream.read_exact(&mut acknowledged).unwrap();
    assert_eq!(acknowledged, [0x40, 2, 0, 9]);
    drop(stream);
    assert!(peer.closes(SOON));
}

#[test]
fn frames_have_the_lengths_of_the_standard() {
    assert_eq!(frame(0x30, &[0; 127])[..2], [0x30, 0x7f]);
    assert_eq!(frame(0x30, &[0; 128])[..3], [0x30, 0x80, 0x01]);
    assert_eq!(frame(0x30, &[0; 16_384])[..4], [0x30, 0x80, 0x80, 0x01]);
}

/// CONNECT of MQTT 3.1.1, clean session, client id `h`.
fn connect() -> Vec<u8> {
    frame(0x10, b"\x00\x04MQTT\x04\x02\x00\x3c\x00\x01h")
}

fn dial(proxy: &Proxy) -> TcpStream {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, proxy.port())).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    stream
}

/// The return code of the CONNACK for a client without a password.
fn refusal(broker: &Mosquitto) -> u8 {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, broker.port())).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    stream.write_all(&connect()).unwrap();
    let mut answer = [0; 4];
    stream.read_exact(&mut answer).unwrap();
    answer[3]
}
