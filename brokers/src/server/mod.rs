//! Brokers, each started by itself on a loopback port, with a folder of its own.

mod mosquitto;
mod nats;
mod rabbitmq;
mod rmqtt;

use std::io;
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use monster_scenarios::process::{Process, Signal};
use monster_scenarios::scratch::{Folder, free_port};
use umqtt::blocking::Client;
use umqtt::std::{Clock, TcpTransport};
use umqtt::{Connect, Qos, Version};

pub use nats::WebSockets;

/// All brokers.
pub const BROKERS: [&dyn Broker; 4] = [
    &mosquitto::Mosquitto,
    &rmqtt::Rmqtt,
    &nats::Nats,
    &rabbitmq::RabbitMq,
];

/// The only user that a broker with passwords knows.
pub const USER: &str = "ann";
/// And the password.
pub const PASSWORD: &str = "s3cret";

/// How long a broker may take until clients are let in: RabbitMQ first starts a machine.
const STARTS_WITHIN: Duration = Duration::from_secs(90);
/// How long a broker may take to its end, once it was asked.
const ENDS_WITHIN: Duration = Duration::from_secs(30);

/// A broker that can be started.
pub trait Broker: Sync {
    /// What it is called.
    fn name(&self) -> &'static str;

    /// The versions of the protocol that it is played with.
    fn versions(&self) -> &'static [Version];

    /// What to say of how it is set up: for the document.
    fn setup(&self) -> &'static str;

    /// The highest quality of service it grants: what is not about that is played up to it.
    fn highest_qos(&self) -> Qos {
        Qos::ExactlyOnce
    }

    /// Whether a restart takes seconds: then there is one in each handshake, not one at each step.
    fn is_slow(&self) -> bool {
        false
    }

    /// Starts one. It keeps sessions and messages over a restart if it can, lets everybody in who
    /// gives no password, and knows one user.
    fn start(&self) -> Server;
}

/// Makes the command that starts a broker, for a folder and a port.
type MakeCommand = Box<dyn Fn(&Path, u16) -> Command + Send>;

/// A broker that runs. It ends with this value.
pub struct Server {
    /// Its version.
    pub release: String,
    version: Version,
    port: u16,
    command: MakeCommand,
    process: Option<Process>,
    /// What it needs beside itself.
    _companion: Option<Process>,
    /// Removed last.
    folder: Folder,
}

impl Server {
    /// Starts it by the command that is made for a folder and a port, and waits until it lets
    /// clients in. The companion is what must run before it, and as long.
    fn start(
        release: String,
        version: Version,
        command: impl Fn(&Path, u16) -> Command + Send + 'static,
        companion: Option<Command>,
    ) -> Self {
        let mut server = Server {
            release,
            version,
            port: free_port(),
            folder: Folder::new(),
            command: Box::new(command),
            process: None,
            _companion: companion.map(|command| Process::spawn("its companion", command)),
        };
        server.run();
        server
    }

    fn run(&mut self) {
        let command = (self.command)(self.folder.path(), self.port);
        let mut process = Process::spawn("the broker", command);
        let deadline = Instant::now() + STARTS_WITHIN;
        while !self.lets_clients_in() {
            assert!(process.is_running(), "it ended at its start");
            assert!(Instant::now() < deadline, "not up after {STARTS_WITHIN:?}");
            thread::sleep(Duration::from_millis(5));
        }
        self.process = Some(process);
    }

    fn lets_clients_in(&self) -> bool {
        let (mut receive, mut send) = ([0; 256], [0; 256]);
        let mut client = Client::new(&mut receive, &mut send, Clock::new());
        let connect = Connect {
            version: self.version,
            ..Connect::new("first")
        };
        self.transport()
            .is_ok_and(|transport| client.connect(transport, &connect).is_ok())
    }

    /// A connection to it.
    pub fn transport(&self) -> io::Result<TcpTransport> {
        TcpTransport::new(TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?)
    }

    /// Ends it as operating systems do (SIGTERM), and starts it again.
    pub fn restart(&mut self) {
        let mut process = self.process.take().expect("it runs");
        process.signal(Signal::TERM);
        let ended = process.wait(ENDS_WITHIN);
        assert!(ended.is_some(), "it runs on {ENDS_WITHIN:?} after SIGTERM");
        self.run();
    }
}

/// What a program prints when it is asked for its version.
fn printed(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output();
    let output = output.unwrap_or_else(|error| panic!("{command:?} does not run: {error}"));
    String::from_utf8_lossy(&output.stdout).into_owned()
}
