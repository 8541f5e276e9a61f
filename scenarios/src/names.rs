//! Names: Debian's dnsmasq, which answers only what it is told, and devices that ask nobody else.

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use crate::process::{Process, Signal, need, within};
use crate::scratch::Folder;

/// How long dnsmasq may take until it answers.
const STARTS_WITHIN: Duration = Duration::from_secs(10);

/// A server of names at an address of its own. It ends when this value is dropped.
#[derive(Debug)]
pub struct Names {
    folder: Folder,
    process: Process,
}

impl Names {
    /// Starts one that knows no name.
    ///
    /// Port 53, the only one devices ask at, wants a privilege: this works as root alone.
    pub fn start() -> Self {
        let folder = Folder::new();
        // All of 127.0.0.0/8 is this computer; the process's number keeps scenarios apart that run at once.
        let [.., high, low] = std::process::id().to_be_bytes();
        let address = Ipv4Addr::new(127, 53, high, low);
        let hosts = folder.path().join("hosts");
        fs::write(&hosts, "").expect("the folder is writable");
        let resolver = format!("nameserver {address}\n");
        fs::write(folder.path().join("resolv.conf"), resolver).expect("the folder is writable");
        let mut command = Command::new(need("dnsmasq"));
        command
            .args(["--keep-in-foreground", "--log-facility=-", "--log-queries"])
            .args(["--conf-file=/dev/null", "--pid-file", "--user=root"])
            .args([
                "--no-resolv",
                "--no-hosts",
                "--no-negcache",
                "--local=/example/",
            ])
            .args(["--bind-interfaces", &format!("--listen-address={address}")])
            .arg(format!("--addn-hosts={}", hosts.display()));
        let process = Process::spawn("dnsmasq", command);
        // Before that, a signal ends it.
        let deadline = Instant::now() + STARTS_WITHIN;
        while !process.log().iter().any(|line| line.contains("started")) {
            assert!(Instant::now() < deadline, "dnsmasq does not start");
            thread::sleep(Duration::from_millis(5));
        }
        Self { folder, process }
    }

    /// From now on this name is at this address.
    pub fn add(&self, name: &str, address: Ipv4Addr) {
        let hosts = self.folder.path().join("hosts");
        fs::write(hosts, format!("{address} {name}\n")).expect("the folder is writable");
        self.process.signal(Signal::HUP);
    }

    /// The `resolv.conf` for who is to ask here.
    pub fn resolver(&self) -> PathBuf {
        self.folder.path().join("resolv.conf")
    }

    /// Whether somebody has asked for this name.
    pub fn was_asked(&self, name: &str) -> bool {
        let log = self.process.log();
        log.iter()
            .any(|line| line.contains("query[A]") && line.contains(name))
    }
}

/// The command, in a world of files where this is `/etc/resolv.conf`.
pub(crate) fn with_resolver(command: Command, resolver: Option<&Path>) -> Command {
    let Some(resolver) = resolver else {
        return command;
    };
    let mut inside = Command::new(need("unshare"));
    inside
        .args(["--mount", "sh", "-c"])
        .arg(r#"mount --bind "$0" /etc/resolv.conf && exec "$@""#)
        .arg(resolver);
    within(inside, &command)
}
