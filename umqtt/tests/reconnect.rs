//! Coming back: the waits, and subscribing again only where the server forgot.

#![cfg(feature = "v3")]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use embedded_io_adapters::tokio_1::FromTokio;
use umqtt::asynch::Client;
use umqtt::{Backoff, Connect, Event, Instant, Qos, Reconnect, ReconnectError, Subscription};

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

/// Reads one packet of less than 128 bytes.
fn packet(stream: &mut TcpStream) -> Vec<u8> {
    let mut header = [0; 2];
    stream.read_exact(&mut header).expect("a header");
    let mut body = vec![0; header[1] as usize];
    stream.read_exact(&mut body).expect("a body");
    [&header[..], &body].concat()
}

/// The next connection, up to its CONNECT.
fn accept(listener: &TcpListener) -> TcpStream {
    let (mut stream, _) = listener.accept().expect("a connection");
    stream
        .set_read_timeout(Some(Duration::from_secs(5)))
        .expect("a time-out");
    assert_eq!(packet(&mut stream)[0], 0x10, "CONNECT");
    stream
}

/// A server of five connections: refuses, forgets, refuses the subscription, remembers but does not
/// acknowledge, remembers.
fn server(listener: TcpListener) {
    let accept = || accept(&listener);
    accept().write_all(&[0x20, 2, 0, 3]).expect("CONNACK");

    let mut stream = accept();
    stream.write_all(&[0x20, 2, 0, 0]).expect("CONNACK");
    let subscribe = packet(&mut stream);
    assert_eq!(subscribe[0], 0x82, "SUBSCRIBE");
    // A retained message that overtakes SUBACK.
    stream.write_all(b"\x31\x05\x00\x01ahi").expect("PUBLISH");
    stream
        .write_all(&[0x90, 3, subscribe[2], subscribe[3], 1])
        .expect("SUBACK");
    drop(stream);

    let mut stream = accept();
    stream.write_all(&[0x20, 2, 0, 0]).expect("CONNACK");
    let subscribe = packet(&mut stream);
    stream
        .write_all(&[0x90, 3, subscribe[2], subscribe[3], 0x80])
        .expect("SUBACK");
    drop(stream);

    let mut stream = accept();
    stream.write_all(&[0x20, 2, 1, 0]).expect("CONNACK");
    assert_eq!(packet(&mut stream), b"\x32\x06\x00\x01t\x00\x03m");
    drop(stream);

    let mut stream = accept();
    stream.write_all(&[0x20, 2, 1, 0]).expect("CONNACK");
    assert_eq!(packet(&mut stream), b"\x3a\x06\x00\x01t\x00\x03m");
    assert_eq!(
        packet(&mut stream),
        [0xe0, 0],
        "DISCONNECT, and no SUBSCRIBE"
    );
}

#[tokio::test]
async fn it_comes_back_and_subscribes_only_where_the_server_forgot() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let server = thread::spawn(move || server(listener));

    let (mut receive, mut send) = ([0; 256], [0; 256]);
    let start = tokio::time::Instant::now();
    let mut client = Client::new(&mut receive, &mut send, Clock(start));
    let subscriptions = [Subscription::new("a", Qos::AtLeastOnce)];
    let connect = Connect {
        clean_session: false,
        ..Connect::new("c")
    };
    let mut way = Reconnect::new(
        connect,
        &subscriptions,
        Backoff::new(2, 20, 7),
        Clock(start),
    );
    let open = async || {
        tokio::net::TcpStream::connect(address)
            .await
            .map(FromTokio::new)
    };

    // Nothing listens there at all.
    let nowhere = way
        .attempt(&mut client, async || Err("no such host"), |_| {})
        .await;
    assert!(matches!(nowhere, Err(ReconnectError::Open("no such host"))));
    let refused = way.attempt(&mut client, open, |_| {}).await;
    assert!(
        matches!(refused, Err(ReconnectError::Client(_))),
        "{refused:?}"
    );
    assert!(!client.is_connected());

    let mut heard = Vec::new();
    let present = way
        .attempt(&mut client, open, |event| {
            if let Event::Message(message) = event {
                heard.push(message.payload.to_vec());
            }
        })
        .await;
    assert!(matches!(present, Ok(false)), "{present:?}");
    assert_eq!(heard, [b"hi"]);
    assert!(client.receive().await.is_err(), "the server is gone again");

    let refused = way.attempt(&mut client, open, |_| {}).await;
    assert!(
        matches!(refused, Err(ReconnectError::Client(_))),
        "{refused:?}"
    );
    let present = way.attempt(&mut client, open, |_| {}).await;
    assert!(matches!(present, Ok(true)), "{present:?}");
    let message = umqtt::Publish::new("t", b"m").qos(Qos::AtLeastOnce);
    client.publish(&message).await.expect("it is sent");
    assert!(client.receive().await.is_err(), "the server is gone again");
    assert_eq!(way.retransmits(), 0);
    let present = way.attempt(&mut client, open, |_| {}).await;
    assert!(matches!(present, Ok(true)), "{present:?}");
    client.flush().await.expect("it is sent again");

    assert_eq!(way.attempts(), 6);
    assert_eq!(way.reconnects(), 3, "the refused CONNECT is none");
    assert_eq!(way.retransmits(), 1);
    client.disconnect().await.expect("a farewell");
    server.join().expect("the server saw what it expected");
}

/// Has a session from the first connection on, which is lost before the SUBACK; on the second one the
/// SUBSCRIBE is answered; on the third nothing is left to ask.
fn server_that_dies_before_the_suback(listener: TcpListener) {
    let mut stream = accept(&listener);
    stream.write_all(&[0x20, 2, 0, 0]).expect("CONNACK");
    assert_eq!(packet(&mut stream)[0], 0x82, "SUBSCRIBE");
    drop(stream);

    let mut stream = accept(&listener);
    stream.write_all(&[0x20, 2, 1, 0]).expect("CONNACK");
    let subscribe = packet(&mut stream);
    assert_eq!(subscribe[0], 0x82, "SUBSCRIBE, for it was not answered");
    stream
        .write_all(&[0x90, 3, subscribe[2], subscribe[3], 1])
        .expect("SUBACK");
    // Until the client has it.
    assert_eq!(packet(&mut stream), b"\x30\x03\x00\x01t");
    drop(stream);

    let mut stream = accept(&listener);
    stream.write_all(&[0x20, 2, 1, 0]).expect("CONNACK");
    assert_eq!(packet(&mut stream), [0xe0, 0], "DISCONNECT");
}

#[tokio::test]
async fn a_subscription_that_was_lost_with_the_connection_is_asked_for_again() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let server = thread::spawn(move || server_that_dies_before_the_suback(listener));

    let (mut receive, mut send) = ([0; 256], [0; 256]);
    let start = tokio::time::Instant::now();
    let mut client = Client::new(&mut receive, &mut send, Clock(start));
    let subscriptions = [Subscription::new("a", Qos::AtLeastOnce)];
    let connect = Connect {
        clean_session: false,
        ..Connect::new("c")
    };
    let backoff = Backoff::new(2, 20, 7);
    let mut way = Reconnect::new(connect, &subscriptions, backoff, Clock(start));
    let open = async || {
        tokio::net::TcpStream::connect(address)
            .await
            .map(FromTokio::new)
    };
    let lost = way.attempt(&mut client, open, |_| {}).await;
    assert!(matches!(lost, Err(ReconnectError::Client(_))), "{lost:?}");
    let present = way.attempt(&mut client, open, |_| {}).await;
    assert!(matches!(present, Ok(true)), "{present:?}");
    let message = umqtt::Publish::new("t", b"");
    client.publish(&message).await.expect("it is sent");
    assert!(client.receive().await.is_err(), "the server is gone again");
    let present = way.attempt(&mut client, open, |_| {}).await;
    assert!(matches!(present, Ok(true)), "{present:?}");
    client.disconnect().await.expect("a farewell");
    server.join().expect("the server saw what it expected");
}
