//! The device's connection: opened and closed when the device says so, and its bytes both ways.

use core::fmt::{self, Write as _};
use core::net::IpAddr;

use embassy_futures::select::{Either, select};
use embassy_net::tcp::TcpSocket;
use embassy_net::{IpAddress, Stack};
use embassy_time::{Duration, with_timeout};
use embedded_io_async::{Read, Write};
use heapless::String;
use monster::device::{Input, SEND_BUFFER};
use monster::settings::value::LogLevel;
use monster::settings::{HOST_MAX, Scheme};

use crate::run::{Board, Shared, now};
use crate::tcp::{self, OpenTcpError, TcpBuffers};
#[cfg(feature = "tls")]
use crate::tls::{Line, Link, OpenTlsError, Tls, TlsBuffers};

/// The longest payload a device takes in, in bytes; it is told of longer ones, and passes them over.
pub const PAYLOAD_MAX: usize = 8 * 1024;
/// Room for the rest of a packet with the longest topic.
const PACKET_REST: usize = 512;
/// How many bytes go to or come from the network at once; as a record of TLS, with what belongs to
/// it, they fit one packet.
pub(crate) const CHUNK: usize = 1400;
/// How long after the start the network counts as there, before it has given an address.
const ADDRESS_TIMEOUT: Duration = Duration::from_secs(20);
/// The longest reason why there is no connection, in bytes.
const REASON_MAX: usize = 128;

/// What a device and its connection receive into and send from.
pub struct Buffers {
    pub(crate) receive: [u8; PAYLOAD_MAX + PACKET_REST],
    pub(crate) send: [u8; SEND_BUFFER],
    pub(crate) connection: ConnectionBuffers,
    #[cfg(feature = "tls")]
    pub(crate) tls: TlsBuffers,
}

pub(crate) struct ConnectionBuffers {
    tcp: TcpBuffers,
    chunks: Chunks,
}

/// What came and is not with the device yet, and what the device has given away and has not left.
struct Chunks {
    receive: [u8; CHUNK],
    send: [u8; CHUNK],
}

impl ConnectionBuffers {
    /// Memory for the image of an MQTT session, while there is no connection.
    pub fn image(&mut self) -> &mut [u8] {
        self.tcp.image()
    }
}

impl Buffers {
    /// New ones.
    #[allow(clippy::new_without_default, reason = "a board makes them in a static")]
    pub const fn new() -> Self {
        Buffers {
            receive: [0; _],
            send: [0; _],
            connection: ConnectionBuffers {
                tcp: TcpBuffers::new(),
                chunks: Chunks {
                    receive: [0; _],
                    send: [0; _],
                },
            },
            #[cfg(feature = "tls")]
            tls: TlsBuffers::new(),
        }
    }
}

/// What connections need.
pub(crate) struct Means<'b> {
    tcp: &'b mut TcpBuffers,
    above: Above<'b>,
}

/// The same, above TCP.
struct Above<'b> {
    chunks: &'b mut Chunks,
    #[cfg(feature = "tls")]
    tls: Tls<'b>,
}

impl<'b> Means<'b> {
    pub fn new(
        ConnectionBuffers { tcp, chunks }: &'b mut ConnectionBuffers,
        #[cfg(feature = "tls")] tls: Tls<'b>,
    ) -> Self {
        let above = Above {
            chunks,
            #[cfg(feature = "tls")]
            tls,
        };
        Means { tcp, above }
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
pub(crate) async fn run<B: Board>(shared: &Shared<'_>, stack: Stack<'_>, means: Means<'_>) {
    // The network is looked at first: that it is gone is why its connections are.
    select(watch::<B>(shared, stack), serve(shared, stack, means)).await;
}

async fn serve(shared: &Shared<'_>, stack: Stack<'_>, mut means: Means<'_>) {
    let mut wanted = Wanted::Closed;
    loop {
        wanted = match wanted {
            Wanted::Gone => return,
            Wanted::Closed => shared.wanted.wait().await,
            Wanted::Open => {
                let mut socket = tcp::socket(stack, means.tcp);
                let dialogue = dialogue(shared, stack, &mut socket, &mut means.above);
                let next = match select(shared.wanted.wait(), dialogue).await {
                    Either::First(next) => next,
                    Either::Second(()) => Wanted::Closed,
                };
                tcp::close(socket).await;
                next
            }
        };
    }
}

/// Says what becomes of the network.
async fn watch<B: Board>(shared: &Shared<'_>, stack: Stack<'_>) {
    // Without an address there is no network, whatever was joined.
    if with_timeout(ADDRESS_TIMEOUT, stack.wait_config_up())
        .await
        .is_err()
    {
        shared.network_is(false);
    }
    loop {
        stack.wait_config_up().await;
        if let Some(config) = stack.config_v4() {
            shared.log::<B>(
                LogLevel::Info,
                format_args!("joined the network: {}", Joined(&config)),
            );
        }
        shared.network_is(true);
        stack.wait_config_down().await;
        shared.network_is(false);
    }
}

/// One connection, from its opening to its end.
async fn dialogue(
    shared: &Shared<'_>,
    stack: Stack<'_>,
    socket: &mut TcpSocket<'_>,
    above: &mut Above<'_>,
) {
    let mut reason = String::<REASON_MAX>::new();
    // A reason that is cut is better than none.
    match converse(shared, stack, socket, above).await {
        Ok(ended) => {
            let _ = write!(reason, "{ended}");
            shared.tell(Input::Closed(&reason));
        }
        Err(error) => {
            let _ = write!(reason, "{error}");
            shared.tell(Input::ConnectFailed(&reason));
        }
    }
}

async fn converse(
    shared: &Shared<'_>,
    stack: Stack<'_>,
    socket: &mut TcpSocket<'_>,
    above: &mut Above<'_>,
) -> Result<Ended, OpenError> {
    let broker = Broker::of(shared).ok_or(OpenError::NoBroker)?;
    #[cfg(feature = "tls")]
    let trust = match broker.scheme {
        Scheme::Mqtt => None,
        Scheme::Mqtts => {
            shared.was_tried.is_over();
            Some(above.tls.prepare(&broker.host, &shared.clock).await?)
        }
    };
    #[cfg(not(feature = "tls"))]
    if broker.scheme == Scheme::Mqtts {
        return Err(OpenError::NoTls);
    }
    let connected = tcp::connect(stack, socket, &broker.host, broker.port).await;
    shared.was_tried.is_over();
    connected?;
    let ip = socket.local_endpoint().map(|end| match end.addr {
        IpAddress::Ipv4(address) => IpAddr::V4(address),
    });
    #[cfg(feature = "tls")]
    if let Some(trust) = trust {
        let line = Line::new(socket);
        let mut stream = above.tls.open(Link(&line), trust).await?;
        shared.tell(Input::Connected { ip });
        let (reader, writer) = stream.split();
        return Ok(transfer(shared, reader, writer, above.chunks).await);
    }
    shared.tell(Input::Connected { ip });
    let (reader, writer) = socket.split();
    Ok(transfer(shared, reader, writer, above.chunks).await)
}

/// The broker that is set.
struct Broker {
    scheme: Scheme,
    host: String<HOST_MAX>,
    port: u16,
}

impl Broker {
    fn of(shared: &Shared<'_>) -> Option<Self> {
        let device = shared.device.borrow();
        let address = device.uplink().broker()?;
        Some(Broker {
            scheme: address.scheme(),
            host: String::try_from(address.host()).ok()?,
            port: address.port(),
        })
    }
}

/// Moves bytes both ways until the connection is lost; returns why it is.
///
/// Neither way may be cut off in the middle and begun again: with TLS, what was half done would be
/// lost.
async fn transfer<R, W>(shared: &Shared<'_>, reader: R, writer: W, chunks: &mut Chunks) -> Ended
where
    R: Read,
    W: Write,
    Ended: From<R::Error> + From<W::Error>,
{
    let receiving = receive(shared, reader, &mut chunks.receive);
    let sending = send(shared, writer, &mut chunks.send);
    match select(sending, receiving).await {
        Either::First(ended) | Either::Second(ended) => ended,
    }
}

async fn receive<R>(shared: &Shared<'_>, mut reader: R, chunk: &mut [u8; CHUNK]) -> Ended
where
    R: Read,
    Ended: From<R::Error>,
{
    loop {
        let count = match reader.read(chunk).await {
            Ok(0) => return Ended::ByBroker,
            Ok(count) => count,
            Err(error) => return error.into(),
        };
        let mut rest = chunk.get(..count).unwrap_or_default();
        while !rest.is_empty() {
            let count = hand_over(shared, rest);
            rest = rest.get(count..).unwrap_or_default();
            // The device looks at what came before it gets more.
            shared.looked.reset();
            if count > 0 {
                shared.told();
            }
            shared.looked.wait().await;
        }
    }
}

/// Gives the device what it has room for, and returns how many bytes that is.
fn hand_over(shared: &Shared<'_>, bytes: &[u8]) -> usize {
    let mut device = shared.device.borrow_mut();
    let room = device.receive_buffer();
    let count = room.len().min(bytes.len());
    for (place, byte) in room.iter_mut().zip(bytes) {
        *place = *byte;
    }
    if count > 0 {
        device.received(count, now());
    }
    count
}

async fn send<W>(shared: &Shared<'_>, mut writer: W, chunk: &mut [u8; CHUNK]) -> Ended
where
    W: Write,
    Ended: From<W::Error>,
{
    loop {
        let count = take(shared, chunk);
        if count == 0 {
            shared.to_send.wait().await;
            continue;
        }
        shared.told();
        let bytes = chunk.get(..count).unwrap_or_default();
        if let Err(error) = writer.write_all(bytes).await {
            return error.into();
        }
    }
}

/// Takes what the device has to send, and returns how many bytes that is.
fn take(shared: &Shared<'_>, chunk: &mut [u8]) -> usize {
    let mut device = shared.device.borrow_mut();
    let bytes = device.transmit();
    let count = bytes.len().min(chunk.len());
    for (place, byte) in chunk.iter_mut().zip(bytes) {
        *place = *byte;
    }
    if count > 0 {
        device.transmitted(count, now());
    }
    count
}

/// Why a connection could not be opened.
enum OpenError {
    NoBroker,
    #[cfg(not(feature = "tls"))]
    NoTls,
    Tcp(OpenTcpError),
    #[cfg(feature = "tls")]
    Tls(OpenTlsError),
}

impl From<OpenTcpError> for OpenError {
    fn from(error: OpenTcpError) -> Self {
        OpenError::Tcp(error)
    }
}

#[cfg(feature = "tls")]
impl From<OpenTlsError> for OpenError {
    fn from(error: OpenTlsError) -> Self {
        OpenError::Tls(error)
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OpenError::NoBroker => f.write_str("no broker is set"),
            #[cfg(not(feature = "tls"))]
            OpenError::NoTls => f.write_str("this firmware was built without TLS"),
            OpenError::Tcp(error) => write!(f, "{error}"),
            #[cfg(feature = "tls")]
            OpenError::Tls(error) => write!(f, "{error}"),
        }
    }
}

/// Why a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    ByBroker,
    Reset,
    #[cfg(feature = "tls")]
    Alert,
    #[cfg(feature = "tls")]
    NotTls,
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Ended::ByBroker => "closed by the broker",
            Ended::Reset => "connection reset",
            #[cfg(feature = "tls")]
            Ended::Alert => {
                "the broker ended TLS with an alert; it may want a certificate, and boards have none"
            }
            #[cfg(feature = "tls")]
            Ended::NotTls => "what came is not the broker's TLS",
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
