//! The log, sent to a server of syslog over UDP: nobody waits for it, and what is lost is lost.

use monster::settings::SyslogServer;
use tokio::net::{UdpSocket, lookup_host};
use tokio::sync::mpsc::{self, Receiver, Sender};

/// How many lines wait while the server's name is looked up; what comes then is left out.
const WAITING: usize = 64;

/// The way to a server.
pub struct Syslog {
    lines: Sender<String>,
}

impl Syslog {
    /// Begins to send; ends when it is dropped. Must be called within a runtime.
    pub fn start(server: &SyslogServer) -> Self {
        let (lines, waiting) = mpsc::channel(WAITING);
        let (host, port) = (server.host().to_owned(), server.port());
        tokio::spawn(send(host, port, waiting));
        Syslog { lines }
    }

    /// Sends a line, some time.
    pub fn send(&self, line: String) {
        let _ = self.lines.try_send(line);
    }
}

async fn send(host: String, port: u16, mut lines: Receiver<String>) {
    let mut socket = None;
    while let Some(line) = lines.recv().await {
        if socket.is_none() {
            socket = open(&host, port).await;
        }
        if let Some(open) = &socket
            && open.send(line.as_bytes()).await.is_err()
        {
            // The server may have moved: its name is looked up again for the next line.
            socket = None;
        }
    }
}

async fn open(host: &str, port: u16) -> Option<UdpSocket> {
    for address in lookup_host((host, port)).await.ok()? {
        let any = if address.is_ipv4() {
            "0.0.0.0:0"
        } else {
            "[::]:0"
        };
        if let Ok(socket) = UdpSocket::bind(any).await
            && socket.connect(address).await.is_ok()
        {
            return Some(socket);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use monster::settings::value::Value as _;

    use super::*;

    #[tokio::test]
    async fn each_line_is_a_datagram() {
        let server = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = server.local_addr().unwrap().to_string();
        let address = Option::<SyslogServer>::parse(&address).unwrap().unwrap();
        let syslog = Syslog::start(&address);
        for line in ["<14>1 - a", "<14>1 - b"] {
            syslog.send(line.to_owned());
            let mut datagram = [0; 64];
            let received = server.recv(&mut datagram);
            let count = tokio::time::timeout(Duration::from_secs(10), received)
                .await
                .expect("it comes")
                .unwrap();
            assert_eq!(&datagram[..count], line.as_bytes());
        }
    }
}
