//! The blocking driver: connect, subscribe, publish, receive, disconnect.
//!
//! `cargo run -p umqtt --features std --example blocking -- localhost:1883`

use std::error::Error;

use umqtt::blocking::Client;
use umqtt::std::{Clock, TcpTransport};
use umqtt::{Connect, Event, Publish, Qos, Subscription};

#[allow(dead_code, reason = "the tests call `run` alone")]
fn main() -> Result<(), Box<dyn Error>> {
    let server = std::env::args().nth(1);
    println!("{}", run(server.as_deref().unwrap_or("localhost:1883"))?);
    Ok(())
}

/// Returns what was received.
pub fn run(server: &str) -> Result<String, Box<dyn Error>> {
    let (mut receive, mut send) = ([0; 256], [0; 256]);
    let mut client = Client::new(&mut receive, &mut send, Clock::new());
    let transport = TcpTransport::connect(server, 5_000)?;
    client.connect(transport, &Connect::new("umqtt-blocking"))?;

    let topic = "umqtt/example/blocking";
    let subscribing = client.subscribe(&[Subscription::new(topic, Qos::AtLeastOnce)])?;
    client.settle(subscribing, |_| {})?;

    client.publish(&Publish::new(topic, b"hello").qos(Qos::AtLeastOnce))?;
    let received = loop {
        if let Event::Message(message) = client.receive()? {
            let payload = String::from_utf8_lossy(message.payload);
            break format!("{}: {payload}", message.topic);
        }
    };
    client.disconnect()?;
    Ok(received)
}
