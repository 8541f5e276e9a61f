//! Several tasks that publish while another one receives.

#![cfg(feature = "v3")]

use std::cell::RefCell;
use std::net::TcpListener;
use std::thread;
use std::time::Duration;

use embedded_io_adapters::tokio_1::FromTokio;
use mqttbytes::v4::{self, Packet};
use std::io::{Read, Write};
use umqtt::{Backlog, BacklogPolicy, ClientError, Connect, Event, Instant, Publish, Qos, Shared};

const EACH: usize = 50;

struct Clock(tokio::time::Instant);

impl umqtt::Clock for Clock {
    fn now(&self) -> Instant {
        Instant::from_millis(self.0.elapsed().as_millis() as u64)
    }
}

impl umqtt::Timer for Clock {
    async fn wait_until(&self, deadline: Instant) {
        let since_start = Duration::from_millis(deadline.as_millis());
        tokio::time::sleep_until(self.0 + since_start).await;
    }
}

/// Acknowledges every message, sends one of its own after each, and closes after `count`. Returns
/// what it was sent.
fn server(listener: &TcpListener, count: usize) -> Vec<Vec<u8>> {
    let (mut stream, _) = listener.accept().expect("a connection");
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .expect("a time-out");
    let mut bytes = bytes::BytesMut::new();
    let mut heard = Vec::new();
    while heard.len() < count {
        let packet = match v4::read(&mut bytes, 1 << 16) {
            Ok(packet) => packet,
            Err(mqttbytes::Error::InsufficientBytes(_)) => {
                let mut more = [0; 512];
                let length = stream.read(&mut more).expect("bytes");
                assert!(length > 0, "the client is gone");
                bytes.extend_from_slice(&more[..length]);
                continue;
            }
            Err(error) => panic!("{error:?}"),
        };
        match packet {
            Packet::Connect(_) => stream.write_all(&[0x20, 2, 0, 0]).expect("CONNACK"),
            Packet::Publish(publish) => {
                let [high, low] = publish.pkid.to_be_bytes();
                stream.write_all(&[0x40, 2, high, low]).expect("PUBACK");
                stream.write_all(b"0\x08\x00\x04downhi").expect("PUBLISH");
                heard.push(publish.payload.to_vec());
            }
            other => panic!("{other:?}"),
        }
    }
    // Until the client has read all of it.
    stream.shutdown(std::net::Shutdown::Write).expect("the end");
    let _ = stream.read(&mut [0; 64]);
    heard
}

#[tokio::test]
async fn many_publish_through_a_small_buffer_while_one_receives() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let server = thread::spawn(move || server(&listener, 6 * EACH));

    // Room for three messages in flight, for six publishers.
    let (mut receive, mut send, mut scratch) = ([0; 64], [0; 64], [0; 7]);
    let start = tokio::time::Instant::now();
    let shared = Shared::new(&mut receive, &mut send, Clock(start));
    let stream = tokio::net::TcpStream::connect(address)
        .await
        .expect("it listens");
    let received = RefCell::new(0);
    let connect = Connect::new("both");
    let runner = shared.run(FromTokio::new(stream), &connect, &mut scratch, |event| {
        if let Event::Message(message) = event {
            assert_eq!(message.payload, b"hi");
            *received.borrow_mut() += 1;
        }
    });
    let publisher = async |name: u8| {
        shared.connected().await;
        for number in 0..EACH as u8 {
            let payload = [name, number];
            let message = Publish::new("up", &payload).qos(Qos::AtLeastOnce);
            let identifier = shared.publish(&message).await.expect("it is connected");
            shared
                .settle(identifier.expect("QoS 1 has one"))
                .await
                .expect("an answer");
        }
    };
    let publishers = async {
        tokio::join!(
            publisher(0),
            publisher(1),
            publisher(2),
            publisher(3),
            publisher(4),
            publisher(5)
        )
    };
    let limit = Duration::from_secs(20);
    let (ended, _) = tokio::time::timeout(limit, async { tokio::join!(runner, publishers) })
        .await
        .expect("it does not hang");
    assert!(matches!(ended, Err(ClientError::Closed)), "{ended:?}");
    assert_eq!(received.into_inner(), 6 * EACH);

    let heard = server.join().expect("the server saw what it expected");
    for name in 0..6 {
        let numbers: Vec<u8> = heard
            .iter()
            .filter(|payload| payload[0] == name)
            .map(|payload| payload[1])
            .collect();
        assert!(
            numbers.iter().copied().eq(0..EACH as u8),
            "in order, once: {numbers:?}"
        );
    }
    let late = shared.publish(&Publish::new("up", b"late")).await;
    assert_eq!(late, Err(umqtt::PublishError::NotConnected));
}

#[tokio::test]
async fn what_waits_in_a_backlog_is_published_once_there_is_a_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let server = thread::spawn(move || server(&listener, 2 * EACH));

    let (mut receive, mut send, mut scratch) = ([0; 64], [0; 64], [0; 64]);
    let mut memory = [0; 1024];
    let start = tokio::time::Instant::now();
    let shared = Shared::new(&mut receive, &mut send, Clock(start));
    let backlog = RefCell::new(Backlog::new(&mut memory, BacklogPolicy::Reject));

    let push = |name: u8, number: usize| {
        let payload = [name, number as u8];
        let message = Publish::new("up", &payload).qos(Qos::AtLeastOnce);
        backlog.borrow_mut().push(&message).expect("room");
    };
    for number in 0..EACH {
        push(0, number);
    }
    let stays = shared.feed(&backlog, |_, _| {}).await;
    assert_eq!(stays, Err(umqtt::NotConnected));
    assert_eq!(backlog.borrow().iter().count(), EACH);

    let stream = tokio::net::TcpStream::connect(address)
        .await
        .expect("it listens");
    let connect = Connect::new("both");
    let runner = shared.run(FromTokio::new(stream), &connect, &mut scratch, |_| {});
    // Two tasks that push and feed, through a send buffer with room for three.
    let publisher = async |name: u8, from: usize| {
        shared.connected().await;
        for number in from..EACH {
            push(name, number);
            let all = shared.feed(&backlog, |_, queued| assert!(queued.is_ok()));
            all.await.expect("a connection");
        }
        shared
            .feed(&backlog, |_, _| {})
            .await
            .expect("a connection");
    };
    let publishers = async { tokio::join!(publisher(0, EACH), publisher(1, 0)) };
    let limit = Duration::from_secs(20);
    let (ended, _) = tokio::time::timeout(limit, async { tokio::join!(runner, publishers) })
        .await
        .expect("it does not hang");
    assert!(matches!(ended, Err(ClientError::Closed)), "{ended:?}");
    let heard = server.join().expect("the server saw what it expected");
    for name in 0..2 {
        let numbers = heard.iter().filter(|payload| payload[0] == name);
        assert!(numbers.map(|payload| payload[1]).eq(0..EACH as u8));
    }
    assert_eq!(backlog.borrow().dropped(), 0);
}
