//! The log, sent to a server of syslog over UDP (RFC 5424, RFC 5426): nobody waits for it, and what is lost is lost.

use core::fmt::{self, Write};

use embassy_net::{IpEndpoint, Stack};
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::channel::Channel;
use heapless::String;
use monster::identity::DeviceId;
use monster::log::{Log, SYSLOG_MAX};
use monster::settings::SyslogServer;
use monster::settings::value::LogLevel;

use crate::resolve::resolve;
use crate::turn::Turn;
use crate::udp::Memory;

/// How many lines wait for the network; what comes then is left out.
const WAITING: usize = 8;
/// How many datagrams the network has taken and not sent.
const LEAVING: usize = 2;

/// Lines on their way to the server.
pub(crate) struct Syslog {
    lines: Channel<NoopRawMutex, Log, WAITING>,
}

impl Syslog {
    pub const fn new() -> Self {
        Syslog {
            lines: Channel::new(),
        }
    }

    /// Sends a line, some time.
    pub fn add(&self, level: LogLevel, line: fmt::Arguments<'_>) {
        let _ = self.lines.try_send(Log::new(level, line));
    }

    /// Sends what there is, for ever.
    pub async fn run(
        &self,
        stack: Stack<'_>,
        server: &SyslogServer,
        id: &DeviceId,
        broker: &Turn,
    ) -> ! {
        let mut memory = Memory::<0, 0, { LEAVING * SYSLOG_MAX }, LEAVING>::new();
        let mut socket = memory.socket(stack);
        // Any port that is free; there are thousands.
        let _ = socket.bind(0);
        let mut address = None;
        loop {
            let line = self.lines.receive().await;
            broker.wait(stack).await;
            if address.is_none() {
                let found = resolve(stack, server.host()).await;
                address = found.ok().and_then(|found| found.first().copied());
            }
            let Some(known) = address else { continue };
            let mut datagram = String::<SYSLOG_MAX>::new();
            // What belongs to it fits.
            let _ = write!(datagram, "{}", line.syslog(id));
            let to = IpEndpoint::new(known, server.port());
            if socket.send_to(datagram.as_bytes(), to).await.is_err() {
                // The network may be another one by now: the server's name is looked up again.
                address = None;
            }
        }
    }
}
