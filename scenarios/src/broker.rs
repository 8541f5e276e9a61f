//! Debian's mosquitto, ours to kill, hold and restart.

use std::fs;
use std::net::{Ipv4Addr, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use crate::process::{Process, Signal, need};
use crate::scratch::{Folder, free_port};

/// How long mosquitto may take until it accepts connections.
const STARTS_WITHIN: Duration = Duration::from_secs(10);

/// How a broker is set up. The default lets anybody in, and forgets everything when killed.
#[derive(Debug, Clone, Default)]
pub struct Setup {
    /// The only user and password it accepts.
    pub password: Option<(String, String)>,
    /// Whether retained messages and sessions outlive a polite end (mosquitto's `persistence`).
    pub persistence: bool,
    /// Whether every packet is logged: for failures worth reading, not for measurements.
    pub quiet: bool,
    /// With what it also speaks TLS, on a port of its own.
    pub tls: Option<Tls>,
}

/// With what a broker speaks TLS.
#[derive(Debug, Clone)]
pub struct Tls {
    /// Its certificate, and those above it, as PEM.
    pub certificates: String,
    /// The private key to it, as PEM.
    pub key: String,
    /// The CA from which it wants a certificate of everybody, as PEM.
    pub clients: Option<String>,
}

/// A mosquitto on a loopback port of its own. It ends when this value is dropped.
#[derive(Debug)]
pub struct Mosquitto {
    port: u16,
    tls_port: u16,
    setup: Setup,
    folder: Folder,
    process: Option<Process>,
}

impl Mosquitto {
    /// Starts one as `setup` says, and waits until it accepts connections.
    pub fn start(setup: Setup) -> Self {
        let mut broker = Self::absent(setup);
        broker.restart();
        broker
    }

    /// A broker whose port is known, but which does not run before [`Mosquitto::restart`].
    pub fn absent(setup: Setup) -> Self {
        Self {
            port: free_port(),
            tls_port: free_port(),
            setup,
            folder: Folder::new(),
            process: None,
        }
    }

    /// The port it listens on, the same after every restart.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The port where it speaks TLS, if it does.
    pub fn tls_port(&self) -> u16 {
        self.tls_port
    }

    /// The URL for a device or a client without a password.
    pub fn url(&self) -> String {
        format!("mqtt://127.0.0.1:{}", self.port)
    }

    /// The user and password it accepts now.
    pub fn password(&self) -> Option<&(String, String)> {
        self.setup.password.as_ref()
    }

    /// Kills it: no goodbye to anybody, nothing saved.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill();
        }
    }

    /// Starts it (again) on its port, and waits until it accepts connections. Returns that moment.
    pub fn restart(&mut self) -> Instant {
        self.kill();
        let mut command = Command::new(need("mosquitto"));
        command.arg("-c").arg(self.write_config());
        let mut process = Process::spawn("mosquitto", command);
        let deadline = Instant::now() + STARTS_WITHIN;
        let accepts = loop {
            // The port for TLS is opened last.
            let ports = [
                Some(self.port),
                self.setup.tls.as_ref().map(|_| self.tls_port),
            ];
            let accepts = |port: &u16| TcpStream::connect((Ipv4Addr::LOCALHOST, *port)).is_ok();
            if ports.iter().flatten().all(accepts) {
                break Instant::now();
            }
            assert!(process.is_running(), "mosquitto ended at its start");
            assert!(
                Instant::now() < deadline,
                "mosquitto does not accept connections on port {} after {STARTS_WITHIN:?}",
                self.port
            );
            thread::sleep(Duration::from_millis(5));
        };
        self.process = Some(process);
        accepts
    }

    /// Freezes it (SIGSTOP): its kernel still accepts and acknowledges, it answers nothing.
    pub fn hold(&self) {
        self.running().signal(Signal::STOP);
    }

    /// Lets it go on after [`Mosquitto::hold`].
    pub fn release(&self) {
        self.running().signal(Signal::CONT);
    }

    /// From now on accepts only this user and password; those who are connected stay.
    pub fn change_password(&mut self, user: &str, password: &str) {
        self.setup.password = Some((user.to_owned(), password.to_owned()));
        self.write_config();
        self.running().signal(Signal::HUP);
    }

    /// What it logged since its last start: every packet, unless its setup is quiet.
    pub fn log(&self) -> Vec<String> {
        self.running().log()
    }

    fn running(&self) -> &Process {
        self.process.as_ref().expect("the broker has been killed")
    }

    fn write_config(&self) -> PathBuf {
        let folder = self.folder.path();
        let mut config = format!(
            "listener {} 127.0.0.1\nlog_dest stderr\nlog_type {}\n",
            self.port,
            if self.setup.quiet { "error" } else { "all" },
        );
        if let Some(tls) = &self.setup.tls {
            let (certificates, key) = (folder.join("certificates.pem"), folder.join("key.pem"));
            fs::write(&certificates, &tls.certificates).expect("the broker's folder is writable");
            fs::write(&key, &tls.key).expect("the broker's folder is writable");
            config += &format!(
                "listener {} 127.0.0.1\ncertfile {}\nkeyfile {}\n",
                self.tls_port,
                certificates.display(),
                key.display()
            );
            if let Some(ca) = &tls.clients {
                let clients = folder.join("clients.pem");
                fs::write(&clients, ca).expect("the broker's folder is writable");
                config += &format!("cafile {}\nrequire_certificate true\n", clients.display());
            }
        }
        // Where the tests run as root, mosquitto would become a user who cannot read this folder.
        if rustix::process::geteuid().is_root() {
            config += "user root\n";
        }
        if self.setup.persistence {
            config += &format!(
                "persistence true\npersistence_location {}/\n",
                folder.display()
            );
        }
        match &self.setup.password {
            None => config += "allow_anonymous true\n",
            Some((user, password)) => {
                let file = folder.join("passwords");
                let made = Command::new(need("mosquitto_passwd"))
                    .args(["-b", "-c"])
                    .arg(&file)
                    .args([user, password])
                    .output()
                    .expect("mosquitto_passwd runs");
                assert!(made.status.success(), "mosquitto_passwd failed: {made:?}");
                config += &format!("allow_anonymous false\npassword_file {}\n", file.display());
            }
        }
        let path = folder.join("mosquitto.conf");
        fs::write(&path, config).expect("the broker's folder is writable");
        path
    }
}
