//! The examples, and what only a real broker can show, against mosquitto on a free loopback port.

#[path = "../examples/asynch.rs"]
mod asynch_example;
#[path = "../examples/backlog.rs"]
mod backlog_example;
#[path = "../examples/blocking.rs"]
mod blocking_example;
#[path = "common/mosquitto.rs"]
mod broker;
#[path = "../examples/sans_io.rs"]
mod sans_io_example;
#[path = "../examples/simple.rs"]
mod simple_example;

use broker::Mosquitto;
use umqtt::blocking::Client;
use umqtt::std::{Clock, TcpTransport};
use umqtt::{ClientError, Clock as _, Connect, Error, Event, TopicName};
use umqtt::{Publish, Qos, ReasonCode, Subscription};

fn kept(client_id: &str) -> Connect<'_> {
    Connect {
        clean_session: false,
        ..Connect::new(client_id)
    }
}

/// The next message, as topic and payload.
fn message(client: &mut Client<'_, TcpTransport, Clock>, clock: Clock) -> (String, Vec<u8>) {
    let deadline = clock.now().after(5_000);
    loop {
        match client.receive_until(deadline).expect("a connection") {
            Some(Event::Message(message)) => {
                return (
                    message.topic.as_str().to_owned(),
                    message.payload.to_owned(),
                );
            }
            Some(_) => {}
            None => panic!("no message within 5 s"),
        }
    }
}

// 3.1.1: [MQTT-7.0.0-2] [MQTT-7.1.2-1]
#[test]
fn the_examples_run_and_end_by_themselves() {
    let broker = Mosquitto::start();
    let server = &broker.address;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let outcomes = [
        ("blocking", blocking_example::run(server)),
        ("asynch", runtime.block_on(asynch_example::run(server))),
        ("sans_io", sans_io_example::run(server)),
        ("simple", simple_example::run(server)),
    ];
    for (name, outcome) in outcomes {
        let received = outcome.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(received, format!("umqtt/example/{name}: hello"));
    }
    let outcome = runtime.block_on(backlog_example::run(server));
    assert_eq!(outcome.expect("it ran"), "2 arrived, 4 replaced");
}

#[test]
fn a_kept_session_gets_what_came_while_it_was_away_and_sends_what_was_not_acknowledged() {
    let broker = Mosquitto::start();
    let clock = Clock::new();
    let (mut receive, mut send) = ([0; 256], [0; 256]);
    let mut client = Client::new(&mut receive, &mut send, clock);
    assert!(!client.connect(broker.transport(), &kept("kept")).unwrap());
    let subscribing = client
        .subscribe(&[Subscription::new("in", Qos::ExactlyOnce)])
        .unwrap();
    client.settle(subscribing, |_| {}).unwrap();
    // Sent, and the connection gone before the answer was read.
    let late = Publish::new("out", b"late").qos(Qos::ExactlyOnce);
    let identifier = client.queue(&late).unwrap().unwrap();
    client.flush().unwrap();
    // `connect` drops the old connection; the broker sees it end, or the new one take over.
    let (mut other_receive, mut other_send) = ([0; 256], [0; 256]);
    let mut other = Client::new(&mut other_receive, &mut other_send, clock);
    other
        .connect(broker.transport(), &Connect::new("other"))
        .unwrap();
    let subscribing = other
        .subscribe(&[Subscription::new("out", Qos::ExactlyOnce)])
        .unwrap();
    other.settle(subscribing, |_| {}).unwrap();

    assert!(client.connect(broker.transport(), &kept("kept")).unwrap());
    client
        .settle(identifier, |event| panic!("{event:?}"))
        .unwrap();
    assert_eq!(message(&mut other, clock), ("out".into(), b"late".into()));

    client.disconnect().unwrap();
    for payload in [b"1", b"2"] {
        let publish = Publish::new("in", payload).qos(Qos::ExactlyOnce);
        let identifier = other.publish(&publish).unwrap().unwrap();
        other
            .settle(identifier, |event| panic!("{event:?}"))
            .unwrap();
    }
    assert!(client.connect(broker.transport(), &kept("kept")).unwrap());
    assert_eq!(message(&mut client, clock), ("in".into(), b"1".into()));
    assert_eq!(message(&mut client, clock), ("in".into(), b"2".into()));
}

#[test]
fn the_will_is_published_for_a_connection_that_breaks_and_not_for_one_that_ends() {
    let broker = Mosquitto::start();
    let clock = Clock::new();
    let (mut receive, mut send) = ([0; 256], [0; 256]);
    let mut watcher = Client::new(&mut receive, &mut send, clock);
    watcher
        .connect(broker.transport(), &Connect::new("watcher"))
        .unwrap();
    let subscribing = watcher
        .subscribe(&[Subscription::new("#", Qos::AtLeastOnce)])
        .unwrap();
    watcher.settle(subscribing, |_| {}).unwrap();

    for (breaks, expected) in [(false, "end"), (true, "will")] {
        let (mut receive, mut send) = ([0; 256], [0; 256]);
        let mut client = Client::new(&mut receive, &mut send, clock);
        let connect = Connect {
            will: Some(Publish::new("will", b"gone").qos(Qos::AtLeastOnce)),
            ..Connect::new("mortal")
        };
        client.connect(broker.transport(), &connect).unwrap();
        if !breaks {
            client.publish(&Publish::new("end", b"bye")).unwrap();
            client.disconnect().unwrap();
        }
        drop(client);
        assert_eq!(message(&mut watcher, clock).0, expected);
    }
}

#[test]
fn ten_megabytes_for_a_small_buffer_are_drained_and_what_follows_arrives() {
    let broker = Mosquitto::start();
    let clock = Clock::new();
    let (mut receive, mut send) = ([0; 64], [0; 64]);
    let mut client = Client::new(&mut receive, &mut send, clock);
    client
        .connect(broker.transport(), &Connect::new("small"))
        .unwrap();
    let subscribing = client
        .subscribe(&[Subscription::new("in", Qos::AtLeastOnce)])
        .unwrap();
    client.settle(subscribing, |_| {}).unwrap();

    let payload = vec![b'x'; 10_000_000];
    let publisher = std::thread::spawn({
        let transport = broker.transport();
        move || {
            let (mut receive, mut send) = ([0; 64], vec![0; payload.len() + 64]);
            let mut large = Client::new(&mut receive, &mut send, clock);
            large.connect(transport, &Connect::new("large")).unwrap();
            for payload in [&payload[..], b"on"] {
                let publish = Publish::new("in", payload).qos(Qos::AtLeastOnce);
                let identifier = large.publish(&publish).unwrap().unwrap();
                large.settle(identifier, |_| {}).unwrap();
            }
        }
    });
    let deadline = clock.now().after(60_000);
    assert_eq!(
        client.receive_until(deadline).unwrap(),
        Some(Event::TooLarge {
            topic: TopicName::new("in").ok(),
            length: 10_000_000
        })
    );
    assert_eq!(message(&mut client, clock), ("in".into(), b"on".into()));
    publisher.join().unwrap();
}

#[test]
fn a_refused_connect_has_its_reason() {
    let broker = Mosquitto::start();
    let (mut receive, mut send) = ([0; 64], [0; 64]);
    let mut client = Client::new(&mut receive, &mut send, Clock::new());
    // A kept session needs a client identifier of its own (section 3.1.3.1).
    match client.connect(broker.transport(), &kept("")) {
        Err(ClientError::Session(Error::Refused(code))) => {
            assert_eq!(code, ReasonCode::CLIENT_IDENTIFIER_NOT_VALID);
        }
        other => panic!("{other:?}"),
    }
    assert!(client.transport().is_none());
}
