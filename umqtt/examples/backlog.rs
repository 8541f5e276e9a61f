//! A sensor that goes on measuring while it has no connection: its readings wait in a backlog, and a
//! connection is brought back as often as it takes.
//!
//! `cargo run -p umqtt --example backlog -- localhost:1883`

use std::error::Error;
use std::time::Duration;

use embedded_io_adapters::tokio_1::FromTokio;
use tokio::net::TcpStream;
use umqtt::asynch::Client;
use umqtt::{Backlog, BacklogPolicy, Backoff, Connect, Event, Instant, Publish, Qos, Reconnect};

/// tokio's clock, from when it was made.
#[derive(Clone, Copy)]
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

/// Returns how many readings arrived at the server, and how many gave way to later ones.
pub async fn run(server: &str) -> Result<String, Box<dyn Error>> {
    let (mut receive, mut send, mut memory) = ([0; 256], [0; 256], [0; 256]);
    let clock = Clock(tokio::time::Instant::now());
    let mut client = Client::new(&mut receive, &mut send, clock);
    let mut backlog = Backlog::new(&mut memory, BacklogPolicy::KeepLatest);

    // There is no connection yet: of each room only the latest reading waits.
    for reading in ["20.5", "21.0", "21.5"] {
        for topic in ["umqtt/example/hall", "umqtt/example/cellar"] {
            backlog.push(&Publish::new(topic, reading.as_bytes()).qos(Qos::AtLeastOnce))?;
        }
    }

    let connect = Connect {
        clean_session: false,
        ..Connect::new("umqtt-backlog")
    };
    let mut way = Reconnect::new(connect, &[], Backoff::new(500, 60_000, 7), clock);
    let mut arrived = 0;
    while !backlog.is_empty() || !client.session().is_idle() {
        if !client.is_connected() {
            let open = async || TcpStream::connect(server).await.map(FromTokio::new);
            if let Err(error) = way.attempt(&mut client, open, |_| {}).await {
                eprintln!("attempt {}: {error}", way.attempts());
                continue;
            }
        }
        // As much as there is room for; what was in flight when a connection broke is sent again.
        backlog.feed(client.session_mut(), |message, queued| {
            if let Err(refused) = queued {
                eprintln!("{} never leaves: {refused}", message.topic);
            }
        });
        match client.receive().await {
            Ok(Event::Published(..)) => arrived += 1,
            Ok(_) => {}
            Err(error) => eprintln!("the connection broke: {error}"),
        }
    }
    client.disconnect().await?;
    Ok(format!(
        "{arrived} arrived, {} replaced",
        backlog.replaced()
    ))
}
