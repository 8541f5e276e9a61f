//! What devices say, as it comes from the broker; and what is said to them.

use std::convert::Infallible;
use std::time::Duration;

use embedded_io_adapters::tokio_1::FromTokio;
use monster::identity::DeviceId;
use monster::settings::BrokerSettings;
use tokio::sync::mpsc::{Receiver, Sender};
use tokio::time::timeout;
use umqtt::asynch::Client;
use umqtt::{
    Backoff, Connect, Credentials, Event, Publish, Qos, Reconnect, ReconnectError, Subscription,
};

use crate::clock::Clock;
use crate::identity::random_bytes;
use crate::send::said;
use crate::transport::{Connection, Endpoint};

/// The longest an attempt to connect takes, its wait included.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(15);
/// Milliseconds between attempts: at first at most, and ever at most.
const WAITS: (u32, u32) = (500, 5_000);
/// Bytes for what comes in: more than anything a device says here.
const RECEIVE_BUFFER: usize = 8 * 1024;
/// Bytes for what goes out: a SUBSCRIBE for as many devices as a command line names.
const SEND_BUFFER: usize = 64 * 1024;
/// What is heard of each device, below `monster/<id>/`.
pub const HEARD: [&str; 5] = ["status", "switch/0", "th", "diag", "button/0"];

/// What the broker brings.
#[derive(Debug)]
pub enum News {
    /// The connection stands, and the broker tells what it holds.
    Connected,
    /// There is no connection, and why. Another attempt follows.
    Lost(String),
    /// A message.
    Said {
        topic: String,
        payload: Vec<u8>,
        retained: bool,
    },
}

type BrokerClient<'b> = Client<'b, FromTokio<Box<dyn Connection>>, Clock>;

/// Tells all that the devices with these `ids` say, all devices if there are none; and toggles the
/// switches of those that are asked for while there is a connection. It comes back by itself, and
/// never ends.
///
/// Cancelling it drops the connection.
pub async fn run(
    broker: &BrokerSettings,
    endpoint: Endpoint,
    ids: &[DeviceId],
    told: Sender<News>,
    mut toggles: Receiver<DeviceId>,
) -> Infallible {
    // Without chance it comes back at the same moments as another one, which does little harm.
    let chance = random_bytes().map_or(0, u64::from_le_bytes);
    let client_id = format!("watch-{chance:016x}");
    let connect = Connect {
        credentials: broker.login().map(|login| Credentials {
            user_name: login.user,
            password: login.password.map(|password| password.expose().as_bytes()),
        }),
        ..Connect::new(&client_id)
    };
    let filters = filters(ids);
    let subscriptions: Vec<Subscription<'_>> = filters
        .iter()
        .map(|filter| Subscription::new(filter, Qos::AtLeastOnce))
        .collect();
    let (least, greatest) = WAITS;
    let backoff = Backoff::new(least, greatest, chance as u32);
    let clock = Clock::new();
    let mut reconnect = Reconnect::new(connect, &subscriptions, backoff, clock);
    let (mut receive, mut send) = (vec![0; RECEIVE_BUFFER], vec![0; SEND_BUFFER]);
    let mut client = Client::new(&mut receive, &mut send, clock);
    loop {
        let mut early = Vec::new();
        let open = async || {
            let opened = endpoint.clone().open().await?;
            Ok::<_, String>(FromTokio::new(opened.connection))
        };
        let attempt = reconnect.attempt(&mut client, open, |event| early.extend(news(&event)));
        let why = match timeout(ATTEMPT_TIMEOUT, attempt).await {
            Err(_) => "timed out".to_owned(),
            Ok(Err(ReconnectError::Open(why))) => why,
            Ok(Err(ReconnectError::Client(error))) => said(error),
            Ok(Ok(_)) => {
                // What was asked for while nobody listened is not wanted any more.
                while toggles.try_recv().is_ok() {}
                tell(&told, News::Connected).await;
                for news in early {
                    tell(&told, news).await;
                }
                serve(&mut client, &told, &mut toggles).await
            }
        };
        tell(&told, News::Lost(why)).await;
    }
}

/// Both ways, until the connection is lost; returns why.
async fn serve(
    client: &mut BrokerClient<'_>,
    told: &Sender<News>,
    toggles: &mut Receiver<DeviceId>,
) -> String {
    loop {
        let result = tokio::select! {
            event = client.receive() => match event {
                Ok(event) => {
                    if let Some(news) = news(&event) {
                        tell(told, news).await;
                    }
                    Ok(())
                }
                Err(error) => Err(error),
            },
            Some(id) = toggles.recv() => {
                let topic = format!("monster/{id}/switch/0/set");
                let toggle = Publish::new(&topic, b"toggle").qos(Qos::AtLeastOnce);
                client.publish(&toggle).await.map(drop)
            }
        };
        if let Err(error) = result {
            return said(error);
        }
    }
}

fn news(event: &Event<'_>) -> Option<News> {
    let Event::Message(message) = event else {
        return None;
    };
    Some(News::Said {
        topic: message.topic.as_str().to_owned(),
        payload: message.payload.to_owned(),
        retained: message.retain,
    })
}

/// Who does not listen any more has ended the program.
async fn tell(told: &Sender<News>, news: News) {
    let _ = told.send(news).await;
}

fn filters(ids: &[DeviceId]) -> Vec<String> {
    let mut names: Vec<&str> = ids.iter().map(DeviceId::as_str).collect();
    if names.is_empty() {
        names.push("+");
    }
    let filter = |name| HEARD.map(|topic| format!("monster/{name}/{topic}"));
    names.into_iter().flat_map(filter).collect()
}
