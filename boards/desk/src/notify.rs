//! What systemd is told of the device, in datagrams (sd_notify(3)): that it has started, how it is,
//! that it is alive, that it stops. Whoever started it otherwise is told nothing.

use std::env;
use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use tokio::time::Instant;

/// Tells systemd.
#[derive(Debug)]
pub struct Notifier {
    /// None if nobody listens.
    socket: Option<UnixDatagram>,
    watchdog: Option<Watchdog>,
    status: Option<String>,
}

/// systemd ends a device that says nothing for too long.
#[derive(Debug)]
struct Watchdog {
    interval: Duration,
    next: Instant,
}

impl Notifier {
    /// Listens to whoever the environment names.
    pub fn of_environment() -> Self {
        let text = |name| env::var(name).ok();
        let for_us = text("WATCHDOG_PID").is_none_or(|id| id == std::process::id().to_string());
        let patience = text("WATCHDOG_USEC").and_then(|microseconds| microseconds.parse().ok());
        let patience = patience.map(Duration::from_micros).filter(|_| for_us);
        Notifier::new(env::var_os("NOTIFY_SOCKET").as_deref(), patience)
    }

    /// Tells whoever listens at this address, and has this much patience.
    fn new(address: Option<&OsStr>, patience: Option<Duration>) -> Self {
        let watchdog = patience.filter(|patience| !patience.is_zero());
        Notifier {
            socket: address.and_then(|address| connect(address).ok()),
            watchdog: watchdog.map(|patience| Watchdog {
                interval: patience / 2,
                next: Instant::now(),
            }),
            status: None,
        }
    }

    /// The device has been given its turn, and is like that. To be said in the device's loop and
    /// nowhere else, so that it is said no more when the loop is stuck.
    pub fn turned(&mut self, status: &str) {
        if self.socket.is_none() {
            return;
        }
        if self.status.as_deref() != Some(status) {
            let ready = if self.status.is_none() {
                "READY=1\n"
            } else {
                ""
            };
            self.send(&format!("{ready}STATUS={status}\n"));
            self.status = Some(status.to_owned());
        }
        let now = Instant::now();
        if let Some(watchdog) = self
            .watchdog
            .as_mut()
            .filter(|watchdog| watchdog.next <= now)
        {
            watchdog.next = now + watchdog.interval;
            self.send("WATCHDOG=1\n");
        }
    }

    /// The device has been asked to stop.
    pub fn stopping(&mut self) {
        self.send("STOPPING=1\n");
    }

    /// When the device must be given its turn, so that nobody loses patience.
    pub fn deadline(&self) -> Option<Instant> {
        let watchdog = self.socket.as_ref().and(self.watchdog.as_ref())?;
        Some(watchdog.next)
    }

    /// A device runs whether anybody listens or not.
    fn send(&self, message: &str) {
        if let Some(socket) = &self.socket {
            let _ = socket.send(message.as_bytes());
        }
    }
}

/// An address is a path, or begins with @ and is a name without a file.
fn connect(address: &OsStr) -> io::Result<UnixDatagram> {
    let address = match address.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        _ => SocketAddr::from_pathname(address)?,
    };
    let socket = UnixDatagram::unbound()?;
    socket.connect_addr(&address)?;
    // Nobody who is told waits for the device, and the other way round.
    socket.set_nonblocking(true)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As systemd listens.
    fn listen(address: &OsStr) -> UnixDatagram {
        let socket = match address.as_bytes() {
            [b'@', name @ ..] => {
                UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(name).unwrap())
            }
            _ => UnixDatagram::bind(address),
        };
        let socket = socket.unwrap();
        socket.set_nonblocking(true).unwrap();
        socket
    }

    /// All that was said and not heard yet.
    fn heard(socket: &UnixDatagram) -> Vec<String> {
        let mut buffer = [0; 1000];
        let messages = std::iter::from_fn(|| socket.recv(&mut buffer).ok().map(|n| (n, buffer)));
        messages
            .map(|(length, bytes)| String::from_utf8(bytes[..length].to_vec()).unwrap())
            .collect()
    }

    #[test]
    fn it_is_ready_once_and_its_status_is_said_when_it_changes() {
        let folder = crate::scratch::folder();
        let path = folder.join("notify").into_os_string();
        let name = format!("@monster-test-{}", std::process::id()).into();
        for address in [path, name] {
            let systemd = listen(&address);
            let mut notifier = Notifier::new(Some(&address), None);
            assert_eq!(notifier.deadline(), None);
            assert_eq!(heard(&systemd), [""; 0]);
            notifier.turned("no connection");
            notifier.turned("no connection");
            assert_eq!(heard(&systemd), ["READY=1\nSTATUS=no connection\n"]);
            notifier.turned("connected");
            notifier.turned("connected");
            assert_eq!(heard(&systemd), ["STATUS=connected\n"]);
            notifier.stopping();
            assert_eq!(heard(&systemd), ["STOPPING=1\n"]);
        }
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn the_watchdog_hears_of_each_turn_that_is_due_and_of_no_other() {
        let folder = crate::scratch::folder();
        let address = folder.join("notify").into_os_string();
        let systemd = listen(&address);
        let mut notifier = Notifier::new(Some(&address), Some(Duration::from_secs(3600)));
        assert!(notifier.deadline().unwrap() <= Instant::now());
        notifier.turned("well");
        assert_eq!(heard(&systemd), ["READY=1\nSTATUS=well\n", "WATCHDOG=1\n"]);
        let next = notifier.deadline().unwrap();
        assert!(next > Instant::now() + Duration::from_secs(1700));
        notifier.turned("well");
        assert_eq!(heard(&systemd), [""; 0]);

        notifier.watchdog.as_mut().unwrap().next = Instant::now();
        notifier.turned("well");
        assert_eq!(heard(&systemd), ["WATCHDOG=1\n"]);
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn without_systemd_nothing_is_said_and_nothing_is_due() {
        for address in [None, Some("/nowhere/notify"), Some("")] {
            let second = Some(Duration::from_secs(1));
            let mut notifier = Notifier::new(address.map(OsStr::new), second);
            assert_eq!(notifier.deadline(), None);
            notifier.turned("well");
            notifier.stopping();
        }
    }
}
