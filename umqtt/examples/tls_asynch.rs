//! TLS with the asynchronous driver: tokio-rustls over TCP, and the client over that.
//!
//! `cargo run -p umqtt --example tls_asynch -- localhost:8883 ca.pem`

#[path = "common/trust.rs"]
mod trust;

use std::error::Error;
use std::path::Path;
use std::time::Duration;

use embedded_io_adapters::tokio_1::FromTokio;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use umqtt::asynch::Client;
use umqtt::{Connect, Event, Instant, Publish, Qos, Subscription};

pub use trust::Files;

/// tokio's clock, from when it was made.
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

#[allow(dead_code, reason = "the tests call `run` alone")]
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [server, ca] = &words[..] else {
        return Err("which server and CA? localhost:8883 ca.pem".into());
    };
    let files = Files {
        ca: Path::new(ca),
        identity: None,
    };
    println!("{}", run(server, files).await?);
    Ok(())
}

/// Returns what was received.
pub async fn run(server: &str, files: Files<'_>) -> Result<String, Box<dyn Error>> {
    let name = ServerName::try_from(trust::host(server).to_owned())?;
    let tcp = TcpStream::connect(server).await?;
    tcp.set_nodelay(true)?;
    let tls = TlsConnector::from(files.config()?)
        .connect(name, tcp)
        .await?;

    let (mut receive, mut send) = ([0; 256], [0; 256]);
    let clock = Clock(tokio::time::Instant::now());
    let mut client = Client::new(&mut receive, &mut send, clock);
    client
        .connect(FromTokio::new(tls), &Connect::new("umqtt-tls-asynch"))
        .await?;

    let topic = "umqtt/example/tls_asynch";
    let subscriptions = [Subscription::new(topic, Qos::AtLeastOnce)];
    let subscribing = client.subscribe(&subscriptions).await?;
    client.settle(subscribing, |_| {}).await?;

    client
        .publish(&Publish::new(topic, b"hello").qos(Qos::AtLeastOnce))
        .await?;
    let received = loop {
        if let Event::Message(message) = client.receive().await? {
            let payload = String::from_utf8_lossy(message.payload);
            break format!("{}: {payload}", message.topic);
        }
    };
    client.disconnect().await?;
    Ok(received)
}
