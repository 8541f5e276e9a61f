//! MQTT in a WebSocket, `ws://` or `wss://`, with the blocking driver: tungstenite over TCP or rustls.
//!
//! `cargo run -p umqtt --features std --example websocket -- ws://localhost:8080/mqtt`
//! `cargo run -p umqtt --features std --example websocket -- wss://localhost:8443/mqtt ca.pem`

#[path = "common/trust.rs"]
mod trust;

use std::error::Error;
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};
use tungstenite::client::IntoClientRequest;
use tungstenite::http::HeaderValue;
use tungstenite::{Bytes, HandshakeError, Message, WebSocket};
use umqtt::blocking::Client;
use umqtt::std::Clock;
use umqtt::{Connect, Event, Publish, Qos, Subscription};

pub use trust::Files;

#[allow(dead_code, reason = "the tests call `run` alone")]
fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let url = words.first().map_or("ws://localhost:8080/mqtt", |url| url);
    let files = words.get(1).map(|ca| Files {
        ca: Path::new(ca),
        identity: None,
    });
    println!("{}", run(url, files)?);
    Ok(())
}

/// Returns what was received.
pub fn run(url: &str, files: Option<Files<'_>>) -> Result<String, Box<dyn Error>> {
    let transport = WebSocketTransport::connect(url, files)?;
    let (mut receive, mut send) = ([0; 256], [0; 256]);
    let mut client = Client::new(&mut receive, &mut send, Clock::new());
    client.connect(transport, &Connect::new("umqtt-websocket"))?;

    let topic = "umqtt/example/websocket";
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

/// How long the server may take to answer, before MQTT begins.
const HANDSHAKE: Duration = Duration::from_secs(5);
/// How long a read or write waits, so that the driver can look at the clock.
const PATIENCE: Duration = Duration::from_millis(250);

/// Bytes both ways.
trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

/// A transport for the blocking driver: what is written goes into binary messages, and the binary
/// messages that come are read as one stream, wherever they begin and end [MQTT-6.0.0-2].
pub struct WebSocketTransport {
    socket: WebSocket<Box<dyn Stream>>,
    /// What is left of the last message.
    rest: Bytes,
}

impl WebSocketTransport {
    /// Connects to `ws://host:port/path` or `wss://host:port/path`. Whom to trust, the files say: TLS
    /// needs them.
    pub fn connect(url: &str, files: Option<Files<'_>>) -> Result<Self, Box<dyn Error>> {
        let mut request = url.into_client_request()?;
        let headers = request.headers_mut();
        // [MQTT-6.0.0-3]
        headers.insert("Sec-WebSocket-Protocol", HeaderValue::from_static("mqtt"));
        let host = request.uri().host().ok_or("the URL has no host")?;
        let is_tls = request.uri().scheme_str() == Some("wss");
        let port = request
            .uri()
            .port_u16()
            .unwrap_or(if is_tls { 443 } else { 80 });

        let tcp = TcpStream::connect((trust::host(host), port))?;
        tcp.set_nodelay(true)?;
        tcp.set_read_timeout(Some(HANDSHAKE))?;
        tcp.set_write_timeout(Some(HANDSHAKE))?;
        let timeouts = tcp.try_clone()?;
        let stream: Box<dyn Stream> = match is_tls {
            false => Box::new(tcp),
            true => {
                let files = files.ok_or("wss:// needs the file of a CA")?;
                let name = ServerName::try_from(trust::host(host).to_owned())?;
                let tls = ClientConnection::new(files.config()?, name)?;
                Box::new(StreamOwned::new(tls, tcp))
            }
        };
        let (socket, _) = tungstenite::client(request, stream).map_err(|error| match error {
            HandshakeError::Failure(error) => error,
            HandshakeError::Interrupted(_) => io::Error::from(ErrorKind::TimedOut).into(),
        })?;
        timeouts.set_read_timeout(Some(PATIENCE))?;
        timeouts.set_write_timeout(Some(PATIENCE))?;
        Ok(WebSocketTransport {
            socket,
            rest: Bytes::new(),
        })
    }
}

impl embedded_io::ErrorType for WebSocketTransport {
    type Error = io::Error;
}

impl embedded_io::Read for WebSocketTransport {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.rest.is_empty() {
            match self.socket.read() {
                Ok(Message::Binary(bytes)) => self.rest = bytes,
                Ok(Message::Close(_)) | Err(tungstenite::Error::ConnectionClosed) => return Ok(0),
                // [MQTT-6.0.0-1]
                Ok(Message::Text(_)) => return Err(ErrorKind::InvalidData.into()),
                // tungstenite answers pings by itself.
                Ok(_) => {}
                Err(error) => return Err(io_error(error)),
            }
        }
        let count = buffer.len().min(self.rest.len());
        let part = self.rest.split_to(count);
        for (to, from) in buffer.iter_mut().zip(part) {
            *to = from;
        }
        Ok(count)
    }
}

impl embedded_io::Write for WebSocketTransport {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self
            .socket
            .write(Message::Binary(Bytes::copy_from_slice(bytes)));
        match written.map_err(io_error) {
            // The message is in tungstenite's buffer, from which `flush` goes on.
            Err(error) if error.kind() != ErrorKind::TimedOut => Err(error),
            _ => Ok(bytes.len()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.socket.flush().map_err(io_error)
    }
}

/// A timeout is one by the same name on every system: so the driver knows it.
fn io_error(error: tungstenite::Error) -> io::Error {
    match error {
        tungstenite::Error::Io(error) if error.kind() == ErrorKind::WouldBlock => {
            ErrorKind::TimedOut.into()
        }
        tungstenite::Error::Io(error) => error,
        other => io::Error::other(other),
    }
}
