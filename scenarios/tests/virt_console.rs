//! The console of the virtual microcontroller: served over its own network, whatever comes in.

use std::fmt;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard};
use std::thread;
use std::time::{Duration, Instant};

use monster_scenarios::broker::Mosquitto;
use monster_scenarios::device::Device;
use monster_scenarios::latency::compare;
use monster_scenarios::observer::Observer;
use monster_scenarios::scratch::free_port;
use monster_scenarios::virt::{Virt, VirtDevice};
use monster_scenarios::world::{SOON, World, observe, status};

/// How long the switch may take to answer by MQTT, whatever the console has to do.
const ANSWERS_WITHIN: Duration = Duration::from_millis(100);
const PASSWORD: &str = "canary-console";

/// Read by who may run beside others, written by who measures times: six emulated machines on two
/// processors make each other late.
static COMPANY: RwLock<()> = RwLock::new(());

/// A device whose console is reached at two ports of this computer.
struct Bench {
    device: VirtDevice,
    broker: Mosquitto,
    /// It has the device's flash.
    _world: World<'static>,
    /// Its ports 8266 and 80.
    ports: [u16; 2],
    _company: Option<RwLockReadGuard<'static, ()>>,
}

impl Bench {
    fn new() -> Self {
        Bench::with(&[])
    }

    /// With these settings too.
    fn with(more: &[(&str, &str)]) -> Self {
        let company = COMPANY.read().unwrap_or_else(PoisonError::into_inner);
        Bench {
            _company: Some(company),
            ..Bench::alone(more)
        }
    }

    fn alone(more: &[(&str, &str)]) -> Self {
        let world = World::new(&Virt);
        let broker = world.broker();
        let mut observer = observe(&broker);
        let options = world.options(&broker.url());
        let options = options
            .set("console.password", PASSWORD)
            .set("wifi.password", "canary-wifi")
            .set("broker.user", "al")
            .set("broker.password", "canary-broker")
            .set("log.level", "debug");
        let options = more
            .iter()
            .fold(options, |options, (key, value)| options.set(key, value));
        let mut device = VirtDevice::new(options);
        device.power_on();
        observer.expect_text(&status(), SOON, "online");
        let ports = [free_port(), free_port()];
        for (from, to) in ports.into_iter().zip([8266, 80]) {
            device.forward_tcp(from, to);
        }
        Bench {
            device,
            broker,
            _world: world,
            ports,
            _company: None,
        }
    }

    fn connect(&self) -> TcpStream {
        connect(self.ports[0])
    }

    /// A request, and what is answered.
    fn ask(&self, request: &str, headers: &str, body: &str) -> Answer {
        Answer::to(self.connect(), request, headers, body)
    }

    /// The same, again if the device is busy, as it says.
    fn ask_again(&self, request: &str, headers: &str, body: &str) -> Answer {
        let deadline = Instant::now() + SOON;
        loop {
            let answer = self.ask(request, headers, body);
            if ![0, 503].contains(&answer.status) {
                return answer;
            }
            assert!(Instant::now() < deadline, "it is busy for ever: {answer:?}");
            thread::sleep(Duration::from_millis(100));
        }
    }

    /// The header that shows who is signed in.
    fn sign_in(&self) -> String {
        let answer = self.ask("POST /api/login", "", &password(PASSWORD));
        assert_eq!(answer.status, 204, "{answer:?}");
        let cookie = answer.header("Set-Cookie").expect("a cookie");
        format!("Cookie: {}\r\n", cookie.split(';').next().unwrap_or(""))
    }

    /// A page that is open: a stream of events.
    fn tab(&self, cookie: &str) -> (u16, TcpStream) {
        let request = format!("GET /api/events HTTP/1.1\r\nHost: 127.0.0.1\r\n{cookie}\r\n");
        let deadline = Instant::now() + SOON;
        loop {
            let mut socket = self.connect();
            let mut head = [0; 12];
            let sent = socket.write_all(request.as_bytes());
            match sent.and_then(|()| socket.read_exact(&mut head)) {
                Ok(()) => return (Answer::status(&head), socket),
                // There is no queue: nobody listens while somebody is told to wait.
                Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
                Err(error) => panic!("no answer: {error}"),
            }
            assert!(Instant::now() < deadline, "nobody listens");
            thread::sleep(Duration::from_millis(20));
        }
    }
}

fn connect(port: u16) -> TcpStream {
    let socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("QEMU forwards the port");
    let set = socket.set_read_timeout(Some(SOON));
    set.expect("a socket has a time-out");
    socket
}

fn password(text: &str) -> String {
    format!(r#"{{"password":"{text}"}}"#)
}

struct Answer {
    status: u16,
    text: String,
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let start: String = self.text.chars().take(800).collect();
        f.write_str(&start)
    }
}

impl Answer {
    fn to(mut socket: TcpStream, request: &str, headers: &str, body: &str) -> Self {
        let length = body.len();
        let text = format!(
            "{request} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
        );
        // It may be refused before all of it is sent.
        let _ = socket.write_all(text.as_bytes());
        let mut answer = Vec::new();
        let _ = socket.read_to_end(&mut answer);
        Answer {
            status: Answer::status(&answer),
            text: String::from_utf8_lossy(&answer).into_owned(),
        }
    }

    /// 0 if there is none.
    fn status(answer: &[u8]) -> u16 {
        let code = answer.get(9..12).and_then(|code| str::from_utf8(code).ok());
        code.and_then(|code| code.parse().ok()).unwrap_or(0)
    }

    fn header(&self, name: &str) -> Option<&str> {
        let head = self.text.split("\r\n\r\n").next()?;
        let lines = head.lines().filter_map(|line| line.split_once(": "));
        lines
            .into_iter()
            .find(|(its, _)| *its == name)
            .map(|(_, value)| value)
    }
}

#[test]
fn the_page_the_api_and_the_switch_are_there_at_both_ports_and_strangers_are_refused() {
    let bench = Bench::new();
    for port in bench.ports {
        let page = Answer::to(connect(port), "GET /", "", "");
        assert_eq!(page.status, 200);
        assert_eq!(page.header("Content-Encoding"), Some("gzip"));
    }
    assert_eq!(bench.ask("GET /api/status", "", "").status, 401);
    let cookie = bench.sign_in();
    let status = bench.ask("GET /api/status", &cookie, "");
    assert!(status.text.contains(r#""board":"virt""#), "{status:?}");
    assert!(status.text.contains(r#""state":"online""#), "{status:?}");
    let mut switch = bench.device.bench();
    let off = bench.ask("POST /api/command", &cookie, r#"{"command":"off"}"#);
    assert_eq!(off.status, 200, "{off:?}");
    switch.hear("switch 0");
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, bench.ports[0]));
    for strange in [
        "Host: example.com\r\n",
        "Host: 127.0.0.1\r\nOrigin: http://example.com\r\n",
    ] {
        let mut socket = TcpStream::connect(address).expect("QEMU forwards the port");
        let request = format!("GET /api/status HTTP/1.1\r\n{strange}{cookie}\r\n");
        socket.write_all(request.as_bytes()).expect("it is sent");
        let mut answer = Vec::new();
        let _ = socket.read_to_end(&mut answer);
        assert_eq!(Answer::status(&answer), 403, "{strange}");
    }
}

#[test]
fn settings_are_stored_the_device_starts_anew_with_them_and_no_secret_gets_out() {
    let bench = Bench::with(&[("log.mqtt", "debug")]);
    let mut all = Observer::new(&bench.broker, &["#"]);
    let cookie = bench.sign_in();
    let mut seen = String::new();
    for path in ["/api/status", "/api/settings", "/api/history"] {
        seen += &bench.ask(&format!("GET {path}"), &cookie, "").text;
    }
    let put = |body| bench.ask("PUT /api/settings", &cookie, body);
    seen += &typed_at_the_serial_port(&bench.device);
    seen += &told_by_multicast_dns(&bench.device);
    let starts = |log: &[String]| log.iter().filter(|line| line.contains("this is")).count();
    // What was typed shows these words too.
    let before = starts(&bench.device.log());
    let refused = put(r#"{"mqtt.keep_alive":"4","broker.password":"canary-new"}"#);
    assert_eq!(refused.status, 400, "{refused:?}");
    let stored = put(r#"{"classic.on":"an","broker.password":"canary-new"}"#);
    assert!(stored.text.contains(r#""restart":true"#), "{stored:?}");
    seen += &(refused.text + &stored.text);
    let mut observer = observe(&bench.broker);
    let deadline = Instant::now() + SOON;
    while starts(&bench.device.log()) < before + 1 {
        assert!(Instant::now() < deadline, "it does not start anew");
        thread::sleep(Duration::from_millis(20));
    }
    observer.expect_text(&status(), SOON, "online");
    // Who was signed in is not any more.
    assert_eq!(bench.ask("GET /api/status", &cookie, "").status, 401);
    let settings = bench.ask("GET /api/settings", &bench.sign_in(), "").text;
    assert!(settings.contains(r#""value":"an""#), "{settings}");
    // Nor does it say one when it panics, with all of them in its memory.
    bench.device.bench().say("overflow");
    let deadline = Instant::now() + SOON;
    while starts(&bench.device.log()) < before + 2 {
        assert!(Instant::now() < deadline, "it does not start anew");
        thread::sleep(Duration::from_millis(20));
    }
    let log = bench.device.log().join("\n");
    assert!(log.contains("the stack is too small"), "{log}");
    let said = all.drain();
    let said: String = said
        .iter()
        .map(|it| format!("{} {}\n", it.topic, it.text()))
        .collect();
    for topic in ["/log", "homeassistant/device/", "/diag"] {
        assert!(said.contains(topic), "{topic}: {said}");
    }
    seen += &(settings + &log + &said);
    assert!(!seen.contains("canary"), "{seen}");
}

/// What somebody sees at the device's serial port who looks at everything, and sets secrets.
fn typed_at_the_serial_port(device: &VirtDevice) -> String {
    for (line, told) in [
        ("get", "log.syslog = "),
        ("get broker.password", "allowed: up to"),
        (
            "set broker.password canary-typed",
            "stored; restart to use it",
        ),
        (
            "set wifi.password canary",
            "wifi.password (value not shown)",
        ),
        // The one it has: not even that is told.
        (
            "set console.password canary-console",
            "stored; restart to use it",
        ),
        ("status", "up "),
        ("log", "info  connected to mqtt"),
        ("help", "factory-reset "),
    ] {
        let before = device.log().len();
        device.type_in(line);
        let deadline = Instant::now() + SOON;
        let told = |log: &[String]| log.iter().skip(before).any(|line| line.contains(told));
        while !told(&device.log()) {
            assert!(Instant::now() < deadline, "{line}: {:#?}", device.log());
            thread::sleep(Duration::from_millis(10));
        }
    }
    let said = device.log().join("\n");
    for secret in ["broker.password", "wifi.password", "console.password"] {
        assert!(said.contains(&format!("{secret} = (set)")), "{said}");
    }
    assert!(said.contains("set broker.password ************"), "{said}");
    said
}

/// What is told to whoever asks on the network for the device's name, for all that is known of it, and for
/// services.
fn told_by_multicast_dns(device: &VirtDevice) -> String {
    const ADDRESS: u8 = 1;
    const POINTER: u8 = 12;
    const ALL: u8 = 255;
    let port = free_port();
    device.forward_udp(port, 5353);
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let set = socket.set_read_timeout(Some(Duration::from_millis(200)));
    set.expect("a socket has a time-out");
    let mut told = String::new();
    let name = format!("monster-{}", World::ID);
    for (labels, kind, is_known) in [
        ([&*name, "local"].as_slice(), ADDRESS, true),
        (&[&name, "local"], ALL, true),
        (&["_services", "_dns-sd", "_udp", "local"], POINTER, false),
        (&["_http", "_tcp", "local"], ALL, false),
    ] {
        let mut question = vec![0, 7, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        for label in labels {
            question.push(u8::try_from(label.len()).expect("a label is short"));
            question.extend(label.bytes());
        }
        question.extend([0, 0, kind, 0, 1]);
        let deadline = Instant::now() + SOON;
        let mut answer = [0; 1500];
        loop {
            // A question may be lost.
            let asked = socket.send_to(&question, (Ipv4Addr::LOCALHOST, port));
            asked.expect("the port is forwarded");
            match socket.recv(&mut answer) {
                Ok(length) => told += &String::from_utf8_lossy(&answer[..length]),
                Err(_) if is_known => {
                    assert!(Instant::now() < deadline, "nobody answers: {labels:?}");
                    continue;
                }
                Err(_) => {}
            }
            break;
        }
    }
    told
}

#[test]
fn five_wrong_passwords_slow_the_sixth() {
    let bench = Bench::new();
    for _ in 0..5 {
        let wrong = bench.ask("POST /api/login", "", &password("wrong"));
        assert_eq!(wrong.status, 401, "{wrong:?}");
    }
    let slowed = bench.ask("POST /api/login", "", &password(PASSWORD));
    assert_eq!(slowed.status, 429, "{slowed:?}");
    assert!(slowed.header("Retry-After").is_some(), "{slowed:?}");
    let log = bench.device.log().join("\n");
    let warnings = log
        .matches("warning: somebody gave a wrong password")
        .count();
    assert_eq!(warnings, 5, "{log}");
}

#[test]
fn a_second_tab_is_served_and_a_tenth_is_told_to_wait() {
    let bench = Bench::new();
    let cookie = bench.sign_in();
    let (mut served, mut told_to_wait) = (Vec::new(), 0);
    for _ in 0..10 {
        let (status, tab) = bench.tab(&cookie);

        match status {
            200 => served.push(tab),
            503 => told_to_wait += 1,
            other => panic!("{other}"),
        }
    }
    assert!(served.len() >= 2 && told_to_wait >= 1, "{}", served.len());
    // Those who are served hear what happens all the same.
    let off = bench.ask_again("POST /api/command", &cookie, r#"{"command":"off"}"#);
    assert_eq!(off.status, 200, "{off:?}");
    for mut tab in served {
        let mut heard = String::new();
        while !heard.contains(r#""switch":"off""#) {
            let mut piece = [0; 512];
            let count = tab.read(&mut piece).expect("more comes");
            assert_ne!(count, 0, "{heard}");
            heard += &String::from_utf8_lossy(&piece[..count]);
        }
    }
}

#[test]
fn whoever_comes_while_all_are_busy_is_told_to_wait_and_is_served_later() {
    let bench = Bench::new();
    // They say nothing, and are given up after three seconds.
    let silent: Vec<_> = (0..8)
        .map(|_| {
            let socket = bench.connect();
            // There is no queue: who comes together with others may find nobody listening.
            thread::sleep(Duration::from_millis(50));
            socket
        })
        .collect();
    // Whoever tells people to wait does so to one after the other.
    let deadline = Instant::now() + SOON;
    let mut busy = bench.ask("GET /", "", "");
    while busy.status == 0 {
        assert!(Instant::now() < deadline, "nobody says anything");
        thread::sleep(Duration::from_millis(20));
        busy = bench.ask("GET /", "", "");
    }
    assert_eq!(busy.status, 503, "{busy:?}");
    assert_eq!(busy.header("Retry-After"), Some("5"));
    assert_eq!(bench.ask_again("GET /", "", "").status, 200);
    drop(silent);
}

#[test]
fn whatever_comes_in_the_switch_answers_by_mqtt() {
    let _alone = COMPANY.write().unwrap_or_else(PoisonError::into_inner);
    let bench = Bench::alone(&[]);
    let cookie = bench.sign_in();
    let over = AtomicBool::new(false);
    let is_over = || over.load(Ordering::Relaxed);
    let long = format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "y".repeat(9000));
    let broken = [
        long.as_bytes(),
        b"\xff\xfe\0\r\n\r\n",
        b"POST /api/login HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 18446744073709551615\r\n\r\n{",
        b"POST /api/login HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 4294967295\r\n\r\n{",
        b"GET / HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n\x81\xff\xff\xff\xff\xff\xff\xff\xff\xff",
    ];
    let times = thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over() {
                for bytes in broken {
                    let mut socket = bench.connect();
                    let _ = socket.write_all(bytes);
                    thread::sleep(Duration::from_millis(50));
                }
            }
        });
        // One that is half open, and one that brings a byte at a time.
        scope.spawn(|| {
            while !is_over() {
                let _half_open = bench.connect();
                let mut slow = bench.connect();
                for byte in b"GET /api/status HTTP/1.1\r\nHost" {
                    let _ = slow.write_all(&[*byte]);
                    thread::sleep(Duration::from_millis(50));
                }
            }
        });
        // Several at once who are served, and read slowly or not at all.
        for _ in 0..3 {
            scope.spawn(|| {
                while !is_over() {
                    let request = ["GET /", "GET /api/settings"];
                    for request in request {
                        bench.ask(request, &cookie, "");
                    }
                    let mut unread = bench.connect();
                    let _ = unread.write_all(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
                    thread::sleep(Duration::from_millis(20));
                }
            });
        }
        let times = compare(&bench.broker, World::ID, 300);
        over.store(true, Ordering::Relaxed);
        times
    });
    let [median, slowest] = [50, 100].map(|percent| times.device.percentile(percent));
    let echo = times.echo.percentile(100);
    println!("median {median:?}, slowest {slowest:?}; the slowest echo {echo:?}");
    assert!(slowest <= ANSWERS_WITHIN, "{slowest:?}; an echo {echo:?}");
    // And the console is there again when they are gone.
    let status = bench.ask_again("GET /api/status", &cookie, "");
    assert_eq!(status.status, 200, "{status:?}");
}
