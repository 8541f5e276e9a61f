//! The asynchronous driver on tokio: connect, subscribe, publish, receive, disconnect.
//!
//! `cargo run -p umqtt --example asynch -- localhost:1883`

use std::error::Error;
use std::time::Duration;

use embedded_io_adapters::tokio_1::FromTokio;
use tokio::net::TcpStream;
use umqtt::asynch::Client;
use umqtt::{Connect, Event, Instant, Publish, Qos, Subscription};

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
    let server = std::env::args().nth(1);
    println!(
        "{}",
        run(server.as_deref().unwrap_or("localhost:1883")).await?
    );
    Ok(())
}

/// Returns what was received.
pub async fn run(server: &str) -> Result<String, Box<dyn Error>> {
    let stream = TcpStream::connect(server).await?;
    stream.set_nodelay(true)?;
    let (mut receive, mut send) = ([0; 256], [0; 256]);
    let clock = Clock(tokio::time::Instant::now());
    let mut client = Client::new(&mut receive, &mut send, clock);
    client
        .connect(FromTokio::new(stream), &Connect::new("umqtt-asynch"))
        .await?;

    let topic = "umqtt/example/asynch";
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
