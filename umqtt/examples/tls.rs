//! TLS with the blocking driver: rustls over TCP, and the client over that.
//!
//! `cargo run -p umqtt --features std --example tls -- localhost:8883 ca.pem [client.pem client.key]`

#[path = "common/trust.rs"]
mod trust;

use std::error::Error;
use std::path::Path;

use embedded_io_adapters::std::{FromStd, ToStd};
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};
use umqtt::blocking::Client;
use umqtt::std::{Clock, TcpTransport};
use umqtt::{Connect, Event, Publish, Qos, Subscription};

pub use trust::Files;

#[allow(dead_code, reason = "the tests call `run` alone")]
fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let (server, files) = match &words[..] {
        [server, ca] => (server, (ca, None)),
        [server, ca, certificate, key] => (server, (ca, Some((certificate, key)))),
        _ => return Err("which server and CA? localhost:8883 ca.pem".into()),
    };
    let files = Files {
        ca: Path::new(files.0),
        identity: files
            .1
            .map(|(certificate, key)| (Path::new(certificate), Path::new(key))),
    };
    println!("{}", run(server, files)?);
    Ok(())
}

/// Returns what was received.
pub fn run(server: &str, files: Files<'_>) -> Result<String, Box<dyn Error>> {
    let name = ServerName::try_from(trust::host(server).to_owned())?;
    let tls = ClientConnection::new(files.config()?, name)?;
    let tcp = TcpTransport::connect(server, 5_000)?;
    // The handshake is done by the first write. That TCP gives up every 250 ms, so that the driver can
    // look at the clock, comes through unchanged.
    let transport = FromStd::new(StreamOwned::new(tls, ToStd::new(tcp)));

    let (mut receive, mut send) = ([0; 256], [0; 256]);
    let mut client = Client::new(&mut receive, &mut send, Clock::new());
    client.connect(transport, &Connect::new("umqtt-tls"))?;

    let topic = "umqtt/example/tls";
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
