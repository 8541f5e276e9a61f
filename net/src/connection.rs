//! The device's connection: opened and closed when the device says so, and its bytes both ways.

use core::fmt::{self, Write};
use core::future::poll_fn;
use core::net::IpAddr;
use core::pin::pin;
use core::task::{Context, Poll, ready};

use embassy_futures::select::{Either, select};
use embassy_net::tcp::{ConnectError, Error as TcpError, TcpSocket};
use embassy_net::{IpAddress, Stack};
use embassy_time::{Duration, with_timeout};
use heapless::String;
use monster::device::{Input, SEND_BUFFER};
use monster::settings::value::LogLevel;
use monster::settings::{HOST_MAX, Scheme};

use crate::resolve::{NameError, resolve};
use crate::run::{Board, Shared, now};

/// The longest payload a device takes in, in bytes; it is told of longer ones, and passes them over.
pub const PAYLOAD_MAX: usize = 8 * 1024;
/// Room for the rest of a packet with the longest topic.
const PACKET_REST: usize = 512;
/// Two segments and more, so that neither end waits for the other's acknowledgement.
const TCP_BUFFER: usize = 4096;
/// How long one of several addresses may take, so that one that is dead does not use up the time
/// for all.
const ADDRESS_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a polite end of a connection may hold up the device.
const CLOSE_TIMEOUT: Duration = Duration::from_millis(200);
/// The longest reason why there is no connection, in bytes.
const REASON_MAX: usize = 96;

/// What a device and its connection receive into and send from.
pub struct Buffers {
    pub(crate) receive: [u8; PAYLOAD_MAX + PACKET_REST],
    pub(crate) send: [u8; SEND_BUFFER],
    pub(crate) tcp: TcpBuffers,
}

pub(crate) struct TcpBuffers {
    receive: [u8; TCP_BUFFER],
    send: [u8; TCP_BUFFER],
}

impl Buffers {
    /// New ones.
    #[allow(clippy::new_without_default, reason = "a board makes them in a static")]
    pub const fn new() -> Self {
        Buffers {
            receive: [0; _],
            send: [0; _],
            tcp: TcpBuffers {
                receive: [0; _],
                send: [0; _],
            },
        }
    }
}

/// What the device wants of its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    Open,
    Closed,
    /// It is never needed again.
    Gone,
}

/// Does what is wanted until the connection is never needed again.
pub(crate) async fn run<B: Board>(shared: &Shared<'_>, stack: Stack<'_>, buffers: &mut TcpBuffers) {
    // The network is looked at first: that it is gone is why its connections are.
    select(watch::<B>(shared, stack), serve(shared, stack, buffers)).await;
}

async fn serve(shared: &Shared<'_>, stack: Stack<'_>, buffers: &mut TcpBuffers) {
    let mut wanted = Wanted::Closed;
    loop {
        wanted = match wanted {
            Wanted::Gone => return,
            Wanted::Closed => shared.wanted.wait().await,
            Wanted::Open => {
                let mut socket = TcpSocket::new(stack, &mut buffers.receive, &mut buffers.send);
                let dialogue = dialogue(shared, stack, &mut socket);
                let next = match select(shared.wanted.wait(), dialogue).await {
                    Either::First(next) => next,
                    Either::Second(()) => Wanted::Closed,
                };
                close(socket).await;
                next
            }
        };
    }
}

/// Says what becomes of the network.
async fn watch<B: Board>(shared: &Shared<'_>, stack: Stack<'_>) {
    let mut was_lost = false;
    loop {
        stack.wait_config_up().await;
        if let Some(config) = stack.config_v4() {
            B::log(
                LogLevel::Info,
                format_args!("joined the network: {}", Joined(&config)),
            );
        }
        if was_lost {
            shared.tell(Input::Network(true));
        }
        stack.wait_config_down().await;
        was_lost = true;
        shared.tell(Input::Network(false));
    }
}

/// One connection, from its opening to its end.
async fn dialogue(shared: &Shared<'_>, stack: Stack<'_>, socket: &mut TcpSocket<'_>) {
    let mut reason = String::<REASON_MAX>::new();
    if let Err(error) = open(shared, stack, socket).await {
        // A reason that is cut is better than none.
        let _ = write!(reason, "{error}");
        shared.tell(Input::ConnectFailed(&reason));
        return;
    }
    let ip = socket.local_endpoint().map(|end| match end.addr {
        IpAddress::Ipv4(address) => IpAddr::V4(address),
    });
    shared.tell(Input::Connected { ip });
    let _ = write!(reason, "{}", transfer(shared, socket).await);
    shared.tell(Input::Closed(&reason));
}

async fn open(
    shared: &Shared<'_>,
    stack: Stack<'_>,
    socket: &mut TcpSocket<'_>,
) -> Result<(), OpenError> {
    let (host, port) = {
        let device = shared.device.borrow();
        let url = device.settings().broker.url.as_ref();
        let url = url.ok_or(OpenError::NoBroker)?;
        if url.scheme() == Scheme::Mqtts {
            return Err(OpenError::NoTls);
        }
        let host = String::<HOST_MAX>::try_from(url.host()).unwrap_or_default();
        (host, url.port())
    };
    stack.wait_config_up().await;
    // A packet leaves when it is written, not when the last one is acknowledged.
    socket.set_nagle_enabled(false);
    let addresses = resolve(stack, &host).await.map_err(OpenError::Name)?;
    let mut result = Err(OpenError::TimedOut);
    for (position, address) in addresses.iter().enumerate() {
        let connecting = socket.connect((*address, port));
        let is_last = position + 1 == addresses.len();
        result = if is_last {
            connecting.await.map_err(OpenError::from)
        } else {
            with_timeout(ADDRESS_TIMEOUT, connecting)
                .await
                .map_or(Err(OpenError::TimedOut), |result| Ok(result?))
        };
        if result.is_ok() {
            break;
        }
        socket.abort();
    }
    result
}

/// Moves bytes both ways until the connection is lost; returns why it is.
async fn transfer(shared: &Shared<'_>, socket: &mut TcpSocket<'_>) -> Ended {
    loop {
        let step = poll_fn(|context| poll_transfer(shared, socket, context));
        match select(step, shared.moved.wait()).await {
            Either::First(Ok(())) => {
                // The device looks at what came before it gets more.
                shared.moved.reset();
                shared.told();
                shared.moved.wait().await;
            }
            Either::First(Err(ended)) => return ended,
            Either::Second(()) => {}
        }
    }
}

fn poll_transfer(
    shared: &Shared<'_>,
    socket: &mut TcpSocket<'_>,
    context: &mut Context<'_>,
) -> Poll<Result<(), Ended>> {
    let mut device = shared.device.borrow_mut();
    if !device.transmit().is_empty() {
        let written = pin!(socket.write(device.transmit())).poll(context);
        if let Poll::Ready(count) = written {
            device.transmitted(count?, now());
            return Poll::Ready(Ok(()));
        }
    }
    if device.receive_buffer().is_empty() {
        return Poll::Pending;
    }
    let read = pin!(socket.read(device.receive_buffer())).poll(context);
    match ready!(read)? {
        0 => Poll::Ready(Err(Ended::ByBroker)),
        count => {
            device.received(count, now());
            Poll::Ready(Ok(()))
        }
    }
}

/// Ends a connection: what was written is sent, if the other end still takes it.
async fn close(mut socket: TcpSocket<'_>) {
    socket.close();
    let _ = with_timeout(CLOSE_TIMEOUT, socket.flush()).await;
}

/// Why a connection could not be opened.
enum OpenError {
    NoBroker,
    NoTls,
    Name(NameError),
    TimedOut,
    Refused,
    NoRoute,
}

impl From<ConnectError> for OpenError {
    fn from(error: ConnectError) -> Self {
        match error {
            ConnectError::TimedOut => OpenError::TimedOut,
            ConnectError::ConnectionReset | ConnectError::InvalidState => OpenError::Refused,
            ConnectError::NoRoute => OpenError::NoRoute,
        }
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OpenError::NoBroker => f.write_str("no broker is set"),
            OpenError::NoTls => f.write_str("this board does not speak TLS"),
            OpenError::Name(error) => write!(f, "{error}"),
            OpenError::TimedOut => f.write_str("timed out"),
            OpenError::Refused => f.write_str("connection refused"),
            OpenError::NoRoute => f.write_str("there is no way to its address"),
        }
    }
}

/// Why a connection ended.
enum Ended {
    ByBroker,
    Reset,
}

impl From<TcpError> for Ended {
    fn from(error: TcpError) -> Self {
        match error {
            TcpError::ConnectionReset => Ended::Reset,
        }
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Ended::ByBroker => "closed by the broker",
            Ended::Reset => "connection reset",
        })
    }
}

/// The network as it was joined.
struct Joined<'a>(&'a embassy_net::StaticConfigV4);

impl fmt::Display for Joined<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (address, mask) = (self.0.address.address(), self.0.address.netmask());
        write!(f, "address {address}, mask {mask}")?;
        if let Some(gateway) = self.0.gateway {
            write!(f, ", gateway {gateway}")?;
        }
        for server in &self.0.dns_servers {
            write!(f, ", DNS {server}")?;
        }
        Ok(())
    }
}
