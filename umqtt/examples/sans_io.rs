//! The session without a driver: this program moves the bytes and reads the clock.
//!
//! `cargo run -p umqtt --example sans_io -- localhost:1883`

use std::error::Error;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use umqtt::{Connect, Event, Instant, Publish, Qos, Session, Subscription};

#[allow(dead_code, reason = "the tests call `run` alone")]
fn main() -> Result<(), Box<dyn Error>> {
    let server = std::env::args().nth(1);
    println!("{}", run(server.as_deref().unwrap_or("localhost:1883"))?);
    Ok(())
}

/// Returns what was received.
pub fn run(server: &str) -> Result<String, Box<dyn Error>> {
    let mut stream = TcpStream::connect(server)?;
    stream.set_nodelay(true)?;
    let start = std::time::Instant::now();
    let now = || Instant::from_millis(start.elapsed().as_millis() as u64);

    let topic = "umqtt/example/sans_io";
    let mut received = String::new();
    let (mut receive, mut send) = ([0; 256], [0; 256]);
    let mut session = Session::new(&mut receive, &mut send);
    session.connect(&Connect::new("umqtt-sans-io"), now())?;

    while !session.is_closed() {
        // What happened.
        while let Some(event) = session.poll(now())? {
            match event {
                Event::Connected { .. } => {
                    session.subscribe(&[Subscription::new(topic, Qos::AtLeastOnce)])?;
                }
                Event::Subscribed(..) => {
                    session.publish(&Publish::new(topic, b"hello").qos(Qos::AtLeastOnce))?;
                }
                Event::Message(message) => {
                    let payload = String::from_utf8_lossy(message.payload);
                    received = format!("{}: {payload}", message.topic);
                    session.disconnect()?;
                }
                _ => {}
            }
        }
        // What is to be sent.
        if !session.transmit().is_empty() {
            let count = stream.write(session.transmit())?;
            session.transmitted(count, now());
            continue;
        }
        // What comes, until the next deadline.
        let wait = session
            .deadline()
            .map(|deadline| deadline.since(now()).max(1));
        stream.set_read_timeout(wait.map(Duration::from_millis))?;
        match stream.read(session.receive_buffer()) {
            Ok(0) => return Err("the server closed the connection".into()),
            Ok(count) => session.received(count, now()),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) if error.kind() == ErrorKind::TimedOut => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(received)
}
