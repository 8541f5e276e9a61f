//! A device with a console, and clients of it, in one thread.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use monster::device::{Device, Input, Output, RECEIVE_BUFFER, ResetReason, SEND_BUFFER, Start};
use monster::identity::DeviceId;
use monster::memory::Memory;
use monster::settings::Settings;
use monster::settings::value::LogLevel;
use monster::wifi::{Heard, Networks};
use monster_console::{Console, Entrance, Host, REQUEST_BUFFER, Request, serve};
use picoserve::time::TokioTimer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::LocalSet;
use umqtt::Instant;

pub const PASSWORD: &str = "canary-console";
/// No test takes as long.
const LIMIT: Duration = Duration::from_secs(30);

/// The board: a clock, and chance.
pub struct Board {
    start: std::time::Instant,
    /// Added to the clock: nobody waits five minutes.
    ahead: Cell<u64>,
    tokens: Cell<u8>,
    has_radio: Cell<bool>,
}

impl Host for Board {
    fn now(&self) -> Instant {
        let millis = self.start.elapsed().as_millis() as u64;
        Instant::from_millis(millis + self.ahead.get())
    }

    fn random(&self, bytes: &mut [u8]) {
        self.tokens.set(self.tokens.get().wrapping_add(1));
        bytes.fill(self.tokens.get());
    }

    fn board(&self) -> &'static str {
        "desk"
    }

    fn has_radio(&self) -> bool {
        self.has_radio.get()
    }
}

pub struct Bench {
    console: Console<Board>,
    pub address: Cell<Option<SocketAddr>>,
    /// What was stored, in order.
    pub stored: RefCell<Vec<(String, String)>>,
    pub restarts: Cell<u32>,
    /// By which way everybody comes.
    pub entrance: Cell<Entrance>,
    /// The networks and brokers that were tried.
    pub tried: RefCell<Vec<(String, String)>>,
}

impl Bench {
    /// Runs a test against a device with these settings.
    pub fn run<F: Future<Output = ()> + 'static>(
        settings: &[(&str, &str)],
        test: impl FnOnce(Rc<Bench>) -> F,
    ) {
        let bench = Rc::new(Bench {
            console: Console::new(Board {
                start: std::time::Instant::now(),
                ahead: Cell::new(0),
                tokens: Cell::new(0),
                has_radio: Cell::new(false),
            }),
            entrance: Cell::new(Entrance::Network),
            tried: RefCell::default(),
            address: Cell::new(None),
            stored: RefCell::default(),
            restarts: Cell::new(0),
        });
        let mut set = Settings::default();
        for (key, value) in settings {
            set.set(key, value).unwrap();
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let local = LocalSet::new();
        local.block_on(&runtime, async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            bench.address.set(Some(listener.local_addr().unwrap()));
            tokio::task::spawn_local(bench.clone().device(set));
            tokio::task::spawn_local(bench.clone().listen(listener));
            tokio::time::timeout(LIMIT, test(bench.clone()))
                .await
                .expect("it ends in time");
        });
    }

    /// From now on it is a board with a radio, whose access point is up; everybody comes by it.
    pub async fn open_access_point(&self) {
        // The device has started when it answers.
        self.request("GET", "/", "", "").await;
        self.console.board().has_radio.set(true);
        self.console.set_access_point(true);
        self.entrance.set(Entrance::AccessPoint);
    }

    pub fn pass(&self, seconds: u64) {
        let ahead = &self.console.board().ahead;
        ahead.set(ahead.get() + seconds * 1000);
    }

    pub fn console(&self) -> &Console<Board> {
        &self.console
    }

    async fn listen(self: Rc<Self>, listener: TcpListener) {
        while let Ok((socket, _)) = listener.accept().await {
            let bench = self.clone();
            tokio::task::spawn_local(async move {
                let mut buffer = [0; REQUEST_BUFFER];
                serve(
                    &bench.console,
                    &TokioTimer,
                    bench.entrance.get(),
                    socket,
                    &mut buffer,
                )
                .await;
            });
        }
    }

    async fn device(self: Rc<Self>, settings: Settings) {
        let id = DeviceId::parse("1226d800").unwrap();
        self.console.start(&id, &settings, PASSWORD);
        let (mut receive, mut send) = ([0; RECEIVE_BUFFER], [0; SEND_BUFFER]);
        let start = Start {
            settings,
            id,
            seed: 7,
            reset: ResetReason::PowerOn,
            boots: 1,
            memory: Memory::default(),
            button_pressed: false,
        };
        let now = || self.console.board().now();
        let mut device = Device::new(start, &mut receive, &mut send, now());
        loop {
            while let Some(output) = device.poll(now()) {
                match output {
                    Output::Connect => device.handle(Input::ConnectFailed("refused"), now()),
                    Output::Measure => {
                        let reading = monster::dht::Reading {
                            temperature: 234,
                            humidity: 560,
                        };
                        device.handle(Input::Reading(Ok(reading)), now());
                    }
                    Output::Save(record) => device.handle(Input::Saved(record.key), now()),
                    Output::Log(line) => {
                        self.console.log(line.level, format_args!("{}", line.text))
                    }
                    Output::Restart(_) => self.restarts.set(self.restarts.get() + 1),
                    _ => {}
                }
            }
            self.console.update(&device, now());
            let wake = [device.deadline(), self.console.deadline()]
                .into_iter()
                .flatten()
                .min()
                .map_or(1000, |due| due.since(now()).max(1));
            tokio::select! {
                request = self.console.request() => {
                    match request {
                        Request::Try => {
                            let (wifi, broker) = self.console.on_trial().await;
                            let url = broker.url.map(|url| url.to_string());
                            let ssid = wifi.ssid.as_str().to_owned();
                            self.tried.borrow_mut().push((ssid, url.unwrap_or_default()));
                        }
                        Request::Command(command) => {
                            device.handle(Input::Local(command), now());
                        }
                        Request::Warn => {
                            device.handle(Input::WrongPassword, now());
                            continue;
                        }
                        Request::Store => {
                            let changes = self.console.changes().await;
                            let pairs = changes.iter().map(|(key, text)| (key.into(), text.into()));
                            self.stored.borrow_mut().extend(pairs);
                        }
                    }
                    self.console.update(&device, now());
                    self.console.answer(Ok(()));
                }
                () = self.console.scan_wanted() => {
                    let mut networks = Networks::new();
                    for (ssid, rssi) in [("Attic", -48), ("caf\u{e9} \"7\"", -60)] {
                        networks.add(Heard {
                            ssid: ssid.try_into().unwrap(),
                            rssi,
                            is_secure: rssi > -50,
                        });
                    }
                    self.console.heard(networks);
                }
                () = tokio::time::sleep(Duration::from_millis(wake.min(100))) => {}
            }
        }
    }

    pub fn log(&self, text: &str) {
        self.console.log(LogLevel::Info, format_args!("{text}"));
    }

    pub async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address.get().unwrap())
            .await
            .unwrap()
    }

    /// Sends bytes, and returns all that comes back until the connection is closed.
    pub async fn exchange(&self, bytes: &[u8]) -> String {
        let mut socket = self.connect().await;
        socket.write_all(bytes).await.unwrap();
        let mut answer = Vec::new();
        // A reset after the answer is an end too.
        let _ = socket.read_to_end(&mut answer).await;
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// A request with these extra headers, and what is answered.
    pub async fn request(&self, method: &str, path: &str, headers: &str, body: &str) -> Answer {
        let length = body.len();
        let text = self
            .exchange(
                format!(
                    "{method} {path} HTTP/1.1\r\nHost: {}\r\nContent-Length: {length}\r\n{headers}\r\n{body}",
                    self.address.get().unwrap()
                )
                .as_bytes(),
            )
            .await;
        Answer::of(&text)
    }

    /// Signs in, and returns the header that shows it.
    pub async fn sign_in(&self) -> String {
        let body = format!(r#"{{"password":"{PASSWORD}"}}"#);
        let answer = self.request("POST", "/api/login", "", &body).await;
        assert_eq!(answer.status, 204, "{answer:?}");
        let cookie = answer.header("set-cookie").expect("a cookie");
        assert!(cookie.contains("HttpOnly; SameSite=Strict"), "{cookie}");
        format!("Cookie: a=b; {}\r\n", cookie.split(';').next().unwrap())
    }
}

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    pub fn of(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((text, ""));
        let status = head.split(' ').nth(1).and_then(|it| it.parse().ok());
        Answer {
            status: status.unwrap_or(0),
            head: head.to_owned(),
            body: body.to_owned(),
        }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}
