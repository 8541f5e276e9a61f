//! What MQTT 5 has more, through the blocking driver.

use std::io::Write as _;
use std::net::TcpStream;

use umqtt::blocking::Client;
use umqtt::std::{Clock, TcpTransport};
use umqtt::{
    Chunk, ClientError, Clock as _, Connect, Error, Event, Oversize, Property, PropertyList,
    Publish, PublishError, Qos, ReasonCode, RetainHandling, Subscription, Version,
};

use crate::broker::Mosquitto;

type TestClient = Client<'static, TcpTransport, Clock>;

fn client(size: usize) -> TestClient {
    let leak = || Box::leak(vec![0; size].into_boxed_slice());
    Client::new(leak(), leak(), Clock::new())
}

fn v5(client_id: &str) -> Connect<'_> {
    Connect {
        version: Version::V5,
        ..Connect::new(client_id)
    }
}

fn subscribe(client: &mut TestClient, subscription: Subscription<'_>, properties: &[Property<'_>]) {
    let identifier = client
        .session_mut()
        .subscribe_with(&[subscription], properties)
        .expect("room");
    client.settle(identifier, |_| {}).expect("SUBACK");
}

fn publish(client: &mut TestClient, publish: Publish<'_>) {
    if let Some(identifier) = client.publish(&publish).expect("a connection") {
        client.settle(identifier, |_| {}).expect("PUBACK");
    }
}

/// The next message, as topic, payload, and properties.
#[track_caller]
fn message(client: &mut TestClient) -> (String, Vec<u8>, Vec<String>) {
    let deadline = Clock::new();
    let limit = deadline.now().after(10_000);
    loop {
        assert!(deadline.now() < limit, "no message within 10 s");
        if let Event::Message(message) = client.receive().expect("a connection") {
            let properties = message.properties.iter();
            return (
                message.topic.as_str().to_owned(),
                message.payload.to_owned(),
                properties.map(|property| format!("{property:?}")).collect(),
            );
        }
    }
}

#[test]
fn every_qos_carries_its_properties_there_and_back() {
    let broker = Mosquitto::start();
    let mut client = client(512);
    client.connect(broker.transport(), &v5("echo")).unwrap();
    let subscription = Subscription::new("t/#", Qos::ExactlyOnce);
    subscribe(
        &mut client,
        subscription,
        &[Property::SubscriptionIdentifier(77)],
    );
    let properties = [
        Property::PayloadFormatIndicator(true),
        Property::ContentType("text/plain"),
        Property::ResponseTopic("answers/1"),
        Property::CorrelationData(b"\x00\xff"),
        Property::UserProperty("n", "1"),
        Property::UserProperty("n", "2"),
    ];
    for qos in [Qos::AtMostOnce, Qos::AtLeastOnce, Qos::ExactlyOnce] {
        let sent = Publish::new("t/1", b"payload")
            .qos(qos)
            .properties(&properties);
        client.publish(&sent).unwrap();
        let (topic, payload, mut heard) = message(&mut client);
        assert_eq!((topic.as_str(), &payload[..]), ("t/1", &b"payload"[..]));
        heard.sort();
        let mut expected: Vec<_> = properties
            .iter()
            .map(|property| format!("{property:?}"))
            .collect();
        expected.push("SubscriptionIdentifier(77)".to_owned());
        expected.sort();
        assert_eq!(heard, expected, "{qos:?}");
    }
    client
        .disconnect_with(ReasonCode::SUCCESS, &[Property::UserProperty("by", "e")])
        .unwrap();
}

#[test]
fn subscription_options_do_what_they_say() {
    let broker = Mosquitto::start();
    let mut other = client(256);
    other.connect(broker.transport(), &v5("other")).unwrap();
    publish(
        &mut other,
        Publish::new("r", b"retained")
            .qos(Qos::AtLeastOnce)
            .retained(),
    );

    let mut client = client(256);
    client.connect(broker.transport(), &v5("options")).unwrap();
    let quiet = Subscription {
        no_local: true,
        retain_as_published: true,
        retain_handling: RetainHandling::DoNotSend,
        ..Subscription::new("r", Qos::AtLeastOnce)
    };
    subscribe(&mut client, quiet, &[]);
    publish(&mut client, Publish::new("r", b"own").qos(Qos::AtLeastOnce));
    publish(
        &mut other,
        Publish::new("r", b"theirs")
            .qos(Qos::AtLeastOnce)
            .retained(),
    );
    loop {
        if let Event::Message(message) = client.receive().unwrap() {
            assert_eq!((message.payload, message.retain), (&b"theirs"[..], true));
            break;
        }
    }
    let refused = client.session_mut().unsubscribe(&["r", "never"]).unwrap();
    loop {
        match client.receive().unwrap() {
            Event::Unsubscribed(identifier, codes) => {
                assert_eq!(identifier, refused);
                let codes: Vec<_> = codes.iter().collect();
                let expected = [ReasonCode::SUCCESS, ReasonCode::NO_SUBSCRIPTION_EXISTED];
                assert_eq!(codes, expected);
                break;
            }
            Event::Message(message) => panic!("{message:?}"),
            _ => {}
        }
    }
}

#[test]
fn a_topic_alias_saves_the_name() {
    let broker = Mosquitto::start();
    let mut client = client(256);
    client.connect(broker.transport(), &v5("alias")).unwrap();
    subscribe(
        &mut client,
        Subscription::new("a/long/name", Qos::AtMostOnce),
        &[],
    );
    let alias = [Property::TopicAlias(1)];
    client
        .publish(&Publish::new("a/long/name", b"1").properties(&alias))
        .unwrap();
    client
        .publish(&Publish::new("", b"2").properties(&alias))
        .unwrap();
    for payload in [b"1", b"2"] {
        let (topic, heard, _) = message(&mut client);
        assert_eq!((topic.as_str(), &heard[..]), ("a/long/name", &payload[..]));
    }
}

#[test]
fn a_session_lives_as_long_as_it_was_told_to() {
    let broker = Mosquitto::start();
    for (given, is_kept) in [(None, true), (Some(60), true), (Some(0), false)] {
        let given: Vec<_> = given
            .map(Property::SessionExpiryInterval)
            .into_iter()
            .collect();
        let mut client = client(256);
        let connect = Connect {
            clean_session: false,
            properties: PropertyList::new(&given),
            ..v5("kept")
        };
        let clean = Connect {
            clean_session: true,
            properties: PropertyList::NONE,
            ..connect.clone()
        };
        assert!(!client.connect(broker.transport(), &clean).unwrap());
        client.disconnect().unwrap();
        assert!(!client.connect(broker.transport(), &connect).unwrap());
        subscribe(&mut client, Subscription::new("q", Qos::AtLeastOnce), &[]);
        client.disconnect().unwrap();
        let mut other = self::client(256);
        other.connect(broker.transport(), &v5("other")).unwrap();
        publish(
            &mut other,
            Publish::new("q", b"while away").qos(Qos::AtLeastOnce),
        );
        let present = client.connect(broker.transport(), &connect).unwrap();
        assert_eq!(present, is_kept);
        if is_kept {
            assert_eq!(message(&mut client).1, b"while away");
        }
        client.disconnect().unwrap();
    }
}

#[test]
fn the_broker_makes_up_a_client_identifier() {
    let broker = Mosquitto::start();
    let mut client = client(256);
    client.begin(broker.transport(), &v5("")).unwrap();
    match client.receive().unwrap() {
        Event::Connected { properties, .. } => {
            let assigned = properties.iter().any(|property| {
                matches!(property, Property::AssignedClientIdentifier(name) if !name.is_empty())
            });
            assert!(assigned, "{properties:?}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_broker_that_ends_the_connection_says_why() {
    let broker = Mosquitto::start();
    let stream = TcpStream::connect(&broker.address).expect("a connection");
    let mut behind = stream.try_clone().expect("a second handle");
    let transport = TcpTransport::new(stream).expect("a transport");
    let mut client = client(256);
    client.connect(transport, &v5("liar")).unwrap();
    // A message to a topic with a wildcard: not by this client, but on its connection.
    behind.write_all(b"\x30\x04\x00\x01#\x00").unwrap();
    match client.receive() {
        Err(ClientError::Session(Error::Disconnected(reason))) => assert!(reason.is_error()),
        other => panic!("{other:?}"),
    }
    assert!(!client.is_connected() && client.transport().is_none());
}

#[test]
fn the_will_is_published_for_a_client_that_leaves_with_it() {
    let broker = Mosquitto::start();
    let mut watcher = client(256);
    watcher.connect(broker.transport(), &v5("watcher")).unwrap();
    subscribe(
        &mut watcher,
        Subscription::new("will", Qos::AtLeastOnce),
        &[],
    );
    let properties = [Property::ContentType("text/plain")];
    for reason in [
        ReasonCode::SUCCESS,
        ReasonCode::DISCONNECT_WITH_WILL_MESSAGE,
    ] {
        let mut client = client(256);
        let payload = reason.to_string();
        let connect = Connect {
            will: Some(
                Publish::new("will", payload.as_bytes())
                    .qos(Qos::AtLeastOnce)
                    .properties(&properties),
            ),
            ..v5("mortal")
        };
        client.connect(broker.transport(), &connect).unwrap();
        client.disconnect_with(reason, &[]).unwrap();
    }
    let (_, payload, properties) = message(&mut watcher);
    assert_eq!(payload, b"disconnect with will message (0x04)");
    assert_eq!(properties, ["ContentType(\"text/plain\")"]);
}

#[test]
fn a_message_of_a_megabyte_goes_through_small_buffers_there_and_back() {
    const LENGTH: usize = 1_000_000;
    let payload: Vec<u8> = (0..LENGTH).map(|i| (i * 31 / 8) as u8).collect();
    let broker = Mosquitto::start();
    for version in [Version::V5, Version::V3_1_1] {
        for qos in [Qos::AtMostOnce, Qos::AtLeastOnce, Qos::ExactlyOnce] {
            let (mut sender, mut receiver) = (client(128), client(128));
            let connect = |client_id| Connect {
                version,
                oversize: Oversize::Stream,
                ..Connect::new(client_id)
            };
            sender
                .connect(broker.transport(), &connect("sender"))
                .unwrap();
            receiver
                .connect(broker.transport(), &connect("receiver"))
                .unwrap();
            subscribe(&mut receiver, Subscription::new("big", qos), &[]);
            let publish = Publish::new("big", b"").qos(qos);
            let identifier = sender.publish_stream(&publish, LENGTH).unwrap();
            let full = sender.queue(&publish);
            assert_eq!(
                full.map_err(|error| error.to_string()),
                Err(PublishError::Full.to_string())
            );
            sender.stream_from(&mut &payload[..]).unwrap();
            if let Some(identifier) = identifier {
                sender.settle(identifier, |_| {}).unwrap();
            }
            let mut heard: Vec<u8> = vec![];
            while heard.len() < LENGTH {
                if let Event::Chunk(Chunk {
                    message,
                    offset,
                    total,
                }) = receiver.receive().unwrap()
                {
                    assert_eq!(
                        (message.topic.as_str(), offset, total),
                        ("big", heard.len(), LENGTH)
                    );
                    heard.extend(message.payload);
                }
            }
            assert!(heard == payload);
            // What follows arrives as ever, on both sides.
            sender.publish(&Publish::new("big", b"small")).unwrap();
            assert_eq!(message(&mut receiver).1, b"small");
            sender.disconnect().unwrap();
            receiver.disconnect().unwrap();
        }
    }
}
