//! A mosquitto on a loopback port that is gone with the test.

use std::io::{self, BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use umqtt::std::TcpTransport;

pub struct Mosquitto {
    process: Child,
    pub address: String,
    folder: PathBuf,
}

static COUNT: AtomicU32 = AtomicU32::new(0);

impl Mosquitto {
    /// Starts one that remembers nothing of another test.
    #[track_caller]
    pub fn start() -> Self {
        // Somebody else may take the port before it does: then it ends.
        for _ in 0..10 {
            let port = TcpListener::bind("127.0.0.1:0")
                .and_then(|listener| listener.local_addr())
                .expect("a free port")
                .port();
            let number = COUNT.fetch_add(1, Ordering::Relaxed);
            let name = format!("umqtt-mosquitto-{}-{number}", std::process::id());
            let folder = std::env::temp_dir().join(name);
            std::fs::create_dir_all(&folder).expect("a folder");
            let settings = format!(
                "listener {port} 127.0.0.1\nallow_anonymous true\nuser root\npersistence true\n\
                 persistence_location {}/\nmax_queued_messages 0\n\
                 log_dest stderr\nlog_type information\n",
                folder.display()
            );
            std::fs::write(folder.join("settings"), settings).expect("its settings");
            let mut broker = Mosquitto {
                process: spawn(&folder),
                address: format!("127.0.0.1:{port}"),
                folder,
            };
            if broker.runs() {
                return broker;
            }
        }
        panic!("mosquitto does not start");
    }

    /// Waits until it says that it runs. That a connection is accepted is not enough: on a port
    /// that was free a moment ago it may be somebody else who accepts it.
    fn runs(&mut self) -> bool {
        let mut log = BufReader::new(self.process.stderr.take().expect("its log"));
        let (says, said) = mpsc::channel();
        // Reads on to the end, so that the broker never waits for its log to be read.
        thread::spawn(move || {
            let mut line = String::new();
            while log.read_line(&mut line).is_ok_and(|length| length > 0) {
                if line.trim_end().ends_with(" running") {
                    let _ = says.send(());
                }
                line.clear();
            }
        });
        // An error as soon as the log ends with the broker.
        said.recv_timeout(Duration::from_secs(10)).is_ok()
    }

    #[track_caller]
    pub fn transport(&self) -> TcpTransport {
        TcpTransport::connect(&self.address, 5_000).expect("a connection")
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

#[track_caller]
fn spawn(folder: &Path) -> Child {
    // Debian keeps it where not every PATH leads.
    for program in ["mosquitto", "/usr/sbin/mosquitto"] {
        let child = Command::new(program)
            .arg("-c")
            .arg(folder.join("settings"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn();
        match child {
            Ok(child) => return child,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => panic!("{program} does not start: {error}"),
        }
    }
    panic!("these tests need mosquitto: apt-get install mosquitto");
}
