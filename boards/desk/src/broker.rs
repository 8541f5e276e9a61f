//! The broker this computer brings along when none is set: `rmqtt`, in a thread of its own.
//!
//! One port speaks MQTT 3.1, 3.1.1 and 5. Everything lives in memory: nothing
//! is read from or written to disk, and all of it is gone once the broker stops.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroU16;
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use async_trait::async_trait;
use rmqtt::context::ServerContext;
use rmqtt::net::{Builder, Listener};
use rmqtt::retain::{RetainStorage, RetainTree};
use rmqtt::router::DefaultRouter;
use rmqtt::server::MqttServer;
use rmqtt::shared::DefaultShared;
use rmqtt::topic::Topic;
use rmqtt::types::{Retain, TimedValue, TopicFilter, TopicName};
use tokio::sync::oneshot;

/// What the broker accepts and keeps.
#[derive(Debug)]
struct Limits {
    /// Largest MQTT packet, in bytes; a client that sends more is disconnected.
    packet_bytes: u32,
    /// Messages waiting for one client, connected or away; past that, QoS 0
    /// loses the newest and QoS 1 and 2 lose the oldest.
    queued_messages: usize,
    /// Retained messages, by number and by bytes (topic and payload together).
    retained_messages: usize,
    retained_bytes: usize,
    /// Levels of a retained topic or of a subscription's filter.
    topic_levels: usize,
    /// How long an MQTT 3 session with `clean_session = 0` outlives its
    /// connection (an MQTT 5 client says it itself).
    session_expiry: Duration,
}

const LIMITS: Limits = Limits {
    packet_bytes: 64 * 1024 * 1024,
    queued_messages: 10_000,
    retained_messages: 10_000,
    retained_bytes: 256 * 1024 * 1024,
    topic_levels: 128,
    session_expiry: Duration::from_secs(24 * 60 * 60),
};

/// The port that MQTT has (registered with IANA).
const PORT: u16 = 1883;

/// A running broker; dropping it stops it.
#[derive(Debug)]
pub struct Broker {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Starts a broker for this computer alone, on port 1883 or the next one that is free.
///
/// # Errors
/// Those of the system: no port can be had, or no thread.
pub fn start() -> io::Result<Broker> {
    let mut port = PORT;
    loop {
        match start_at((Ipv4Addr::LOCALHOST, port).into()) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && port < u16::MAX => port += 1,
            result => return result,
        }
    }
}

/// Starts a broker for this computer alone, on this port; 0 stands for any that is free.
///
/// # Errors
/// Those of the system: the port cannot be had, or no thread.
pub fn start_on(port: u16) -> io::Result<Broker> {
    start_at((Ipv4Addr::LOCALHOST, port).into())
}

/// Starts a broker that listens at `address`, which is bound when this returns.
fn start_at(address: SocketAddr) -> io::Result<Broker> {
    let (ready, bound) = mpsc::sync_channel(1);
    let (stop, stopped) = oneshot::channel();
    let thread = std::thread::Builder::new()
        .name("mqtt-broker".into())
        .spawn(move || run(address, &LIMITS, &ready, stopped))?;
    let address = bound
        .recv()
        .unwrap_or_else(|_| Err(io::Error::other("the broker's thread ended")))?;
    Ok(Broker {
        address,
        stop: Some(stop),
        thread: Some(thread),
    })
}

/// The broker's thread.
fn run(
    address: SocketAddr,
    limits: &Limits,
    ready: &mpsc::SyncSender<io::Result<SocketAddr>>,
    stopped: oneshot::Receiver<()>,
) {
    let runtime = match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return drop(ready.send(Err(error))),
    };
    runtime.block_on(async {
        let bound = bind(address, limits).map_err(io_error);
        let (listener, address) = match bound {
            Ok(bound) => bound,
            Err(error) => return drop(ready.send(Err(error))),
        };
        // The overload check would look at the machine's load every two
        // seconds and turn clients away when the machine is busy.
        let context = ServerContext::new()
            .busy_check_enable(false)
            .task_exec_workers(64)
            .task_exec_queue_max(10_000)
            .build()
            .await;
        *context.extends.retain_mut().await = Box::new(Retained::new(limits));
        let server = MqttServer::new(context.clone())
            .listener_by_id(listener, address.port())
            .build();

        let _ = ready.send(Ok(address));
        tokio::select! {
            _ = server.run() => {}
            _ = stopped => {}
        }

        // The context and these hold each other: replaced, so that all of it is
        // freed.
        *context.extends.shared_mut().await = Box::new(DefaultShared::new(None));
        *context.extends.router_mut().await = Box::new(DefaultRouter::new(None));
    });
    // Dropping the runtime drops every connection's task.
}

fn bind(address: SocketAddr, limits: &Limits) -> rmqtt::Result<(Listener, SocketAddr)> {
    let listener = listener_settings(address, limits).bind()?.tcp()?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

impl Broker {
    /// The address it listens at.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    fn shut_down(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.shut_down();
    }
}

fn listener_settings(address: SocketAddr, limits: &Limits) -> Builder {
    Builder::new()
        .name("broker")
        .laddr(address)
        .nodelay(true)
        // On Unix: bind again right after a stop. On Windows the same option
        // would let two programs share the port.
        .reuseaddr(cfg!(unix).then_some(true))
        .max_connections(10_000)
        .max_handshaking_limit(100)
        .max_packet_size(limits.packet_bytes)
        .max_mqueue_len(limits.queued_messages)
        // A client with more unfinished QoS 2 messages than this is thrown out,
        // and an MQTT 3 client cannot know the limit.
        .max_inflight(NonZeroU16::MAX)
        .max_topic_levels(limits.topic_levels)
        .max_topic_aliases(64)
        // Zero: messages only expire when their publisher says so, and nothing is
        // sent twice to a client that stays connected.
        .message_expiry_interval(Duration::ZERO)
        .message_retry_interval(Duration::ZERO)
        .session_expiry_interval(limits.session_expiry)
        .send_timeout(Duration::from_secs(30))
}

/// `rmqtt` wraps I/O errors in its own; gives the original back where there is one.
fn io_error(error: rmqtt::Error) -> io::Error {
    error
        .downcast::<io::Error>()
        .unwrap_or_else(|error| io::Error::other(format!("{error:#}")))
}

/// Retained messages in memory, bounded.
struct Retained {
    kept: Mutex<Kept>,
    max_messages: usize,
    max_bytes: usize,
    max_levels: usize,
}

#[derive(Default)]
struct Kept {
    tree: RetainTree<TimedValue<Retain>>,
    messages: usize,
    bytes: usize,
}

fn size(retain: &Retain) -> usize {
    retain.publish.topic.len() + retain.publish.payload.len()
}

impl Kept {
    fn remove(&mut self, topic: &Topic) {
        if let Some(old) = self.tree.remove(topic) {
            self.messages -= 1;
            self.bytes -= size(old.value());
        }
    }

    fn remove_expired(&mut self) {
        let (mut messages, mut bytes) = (0, 0);
        self.tree.retain(usize::MAX, |kept| {
            let expired = kept.is_expired();
            if expired {
                messages += 1;
                bytes += size(kept.value());
            }
            !expired
        });
        self.messages -= messages;
        self.bytes -= bytes;
    }
}

impl Retained {
    fn new(limits: &Limits) -> Self {
        Self {
            kept: Mutex::default(),
            max_messages: limits.retained_messages,
            max_bytes: limits.retained_bytes,
            max_levels: limits.topic_levels,
        }
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl RetainStorage for Retained {
    fn enable(&self) -> bool {
        true
    }

    async fn set(
        &self,
        name: &TopicName,
        retain: Retain,
        expiry: Option<Duration>,
    ) -> rmqtt::Result<()> {
        let topic: Topic = name.parse()?;
        // The tree is walked recursively, and a wildcard in it (the broker lets one
        // through in a PUBLISH) would hide what the same filter should find.
        if topic.len() > self.max_levels || name.contains(['#', '+']) {
            return Ok(());
        }
        let mut kept = self.kept();
        kept.remove(&topic);
        if retain.publish.payload.is_empty() {
            return Ok(());
        }
        let full = |kept: &Kept| {
            kept.messages >= self.max_messages || kept.bytes + size(&retain) > self.max_bytes
        };
        if full(&kept) {
            kept.remove_expired();
        }
        // Full: the message still reaches those who listen now.
        if !full(&kept) {
            kept.messages += 1;
            kept.bytes += size(&retain);
            // Zero is the broker's "never", see `message_expiry_interval` above.
            let expiry = expiry.filter(|expiry| !expiry.is_zero());
            kept.tree.insert(&topic, TimedValue::new(retain, expiry));
        }
        Ok(())
    }

    async fn get(&self, filter: &TopicFilter) -> rmqtt::Result<Vec<(TopicName, Retain)>> {
        let filter: Topic = filter.parse()?;
        Ok(self
            .kept()
            .tree
            .matches(&filter)
            .into_iter()
            .filter(|(_, kept)| !kept.is_expired())
            .map(|(topic, kept)| (TopicName::from(topic.to_string()), kept.into_value()))
            .collect())
    }

    async fn count(&self) -> isize {
        self.kept().messages as isize
    }

    async fn max(&self) -> isize {
        self.max_messages as isize
    }
}
