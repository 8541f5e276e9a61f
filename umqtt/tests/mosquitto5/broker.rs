//! A broker that is gone with the test.

use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use umqtt::std::TcpTransport;

pub struct Mosquitto {
    process: Child,
    port: u16,
    folder: PathBuf,
}

static COUNT: AtomicU32 = AtomicU32::new(0);

impl Mosquitto {
    #[track_caller]
    pub fn start() -> Self {
        // Somebody else may take the port before it does.
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
                 persistence_location {}/\nmax_queued_messages 0\n",
                folder.display()
            );
            std::fs::write(folder.join("settings"), settings).expect("its settings");
            let mut broker = Mosquitto {
                process: spawn(&folder),
                port,
                folder,
            };
            if broker.is_up() {
                return broker;
            }
        }
        panic!("mosquitto does not start");
    }

    fn is_up(&mut self) -> bool {
        let limit = Instant::now() + Duration::from_secs(10);
        while Instant::now() < limit {
            if self.process.try_wait().expect("its state").is_some() {
                return false;
            }
            if TcpStream::connect(("127.0.0.1", self.port)).is_ok() {
                return true;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        false
    }

    #[track_caller]
    pub fn stream(&self) -> TcpStream {
        TcpStream::connect(("127.0.0.1", self.port)).expect("a connection")
    }

    #[track_caller]
    pub fn transport(&self) -> TcpTransport {
        TcpTransport::connect(("127.0.0.1", self.port), 5_000).expect("a connection")
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
fn spawn(folder: &std::path::Path) -> Child {
    // Debian keeps it where not every PATH leads.
    for program in ["mosquitto", "/usr/sbin/mosquitto"] {
        let child = Command::new(program)
            .arg("-c")
            .arg(folder.join("settings"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        if let Ok(child) = child {
            return child;
        }
    }
    panic!("these tests need mosquitto: apt-get install mosquitto");
}
