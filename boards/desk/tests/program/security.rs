//! Who may not, what nobody is told, and that nobody at the console keeps the switch from its work.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use crate::harness::{Desk, Running};
use crate::http::{Visitor, exchange};
use crate::mqtt::{Mqtt, find};

/// A switch answers in this time, whatever happens at the console.
const ANSWER: Duration = Duration::from_millis(100);

/// A device with its own broker; that broker; and who was invited to the console.
fn device(desk: &Desk, flags: &[&str]) -> (Running, String, Visitor) {
    let all = [&["run", "--id", "a1", "--console", "127.0.0.1:0"], flags].concat();
    let mut running = Running::start(desk.monster(&all));
    let line = running.hear("mqtt://127.0.0.1:");
    let broker = line.split_whitespace().nth(1).unwrap().to_owned();
    let visitor = Visitor::invited(&mut running);
    running.hear("connected to");
    (running, broker, visitor)
}

#[test]
fn a_page_of_another_site_and_another_name_of_this_computer_are_refused() {
    let desk = Desk::new();
    let mut running = desk.without_broker(&["--id", "a1", "--console", "127.0.0.1:0"]);
    let visitor = Visitor::invited(&mut running);
    let door = visitor.door;
    let toggle = r#"{"command":"toggle"}"#;
    for (headers, status) in [
        (format!("Host: {door}\r\n"), 200),
        (format!("Host: {door}\r\nOrigin: http://{door}\r\n"), 200),
        ("Host: monster-a1.local\r\n".to_owned(), 200),
        (String::new(), 403),
        ("Host: rebound.example\r\n".to_owned(), 403),
        ("Host: monster-a2.local\r\n".to_owned(), 403),
        (
            format!("Host: {door}\r\nOrigin: http://evil.example\r\n"),
            403,
        ),
        (format!("Host: {door}\r\nOrigin: https://{door}\r\n"), 403),
        (
            format!("Host: {door}\r\nOrigin: http://127.0.0.1:1\r\n"),
            403,
        ),
        (format!("Host: {door}\r\nOrigin: null\r\n"), 403),
    ] {
        let answer = visitor.ask_as(&headers, "POST", "/api/command", toggle);
        assert_eq!(answer.status, status, "{headers}: {answer:?}");
    }
    // Three of them were done, and no more.
    assert_eq!(visitor.status()["switch"], "off");
}

#[test]
fn five_wrong_passwords_slow_the_sixth_even_if_it_is_right() {
    let desk = Desk::with("console.password = \"the right one\"\n");
    let mut running = desk.without_broker(&["--console", "127.0.0.1:0"]);
    let (door, _) = crate::http::link(&mut running);
    let visitor = Visitor::stranger(door);
    let log_in = |password: &str| {
        let body = format!(r#"{{"password":"{password}"}}"#);
        visitor.ask("POST", "/api/login", &body)
    };
    assert_eq!(log_in("the right one").status, 204);
    for _ in 0..5 {
        assert_eq!(log_in("a wrong one").status, 401);
    }
    let sixth = log_in("the right one");
    assert_eq!(sixth.status, 429, "{sixth:?}");
    let wait: u64 = sixth.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=5).contains(&wait), "{wait}");
}

#[test]
fn nobody_is_told_a_secret() {
    // Each secret there is, in a file, and others given over the console.
    let log = UdpSocket::bind("127.0.0.1:0").unwrap();
    let syslog = log.local_addr().unwrap();
    let desk = Desk::with(&format!(
        "wifi.password = \"canary-wifi\"\nconsole.password = \"canary-console\"\n\
         log.level = \"debug\"\nlog.mqtt = \"debug\"\nlog.syslog = \"{syslog}\"\n"
    ));
    let (running, broker, visitor) = device(&desk, &[]);
    let mut mqtt = Mqtt::listen(&broker, "#");
    let mut answers = String::new();
    let mut ask = |method: &str, path: &str, body: &str| {
        let answer = visitor.ask(method, path, body);
        answers += &format!("{}\n{}\n", answer.head, answer.body);
        answer.status
    };
    for (status, body) in [
        // Refused: the last one is wrong.
        (
            400,
            r#"{"broker.password":"canary-refused","broker.user":"ann","mqtt.keep_alive":"1"}"#,
        ),
        (400, r#"{"broker.url":"mqtt://ann:canary-url@"}"#),
        (400, r#"{"broker.password":"canary-no-user"}"#),
        (400, r#"{"no.key":"canary-value"}"#),
        (400, r#"{"wifi.password":"canary-fixed"}"#),
        (400, r#"{"broker.password":"canary-no-json"#),
        (
            200,
            r#"{"broker.password":"canary-broker","broker.user":"ann"}"#,
        ),
    ] {
        assert_eq!(ask("PUT", "/api/settings", body), status, "{body}");
    }
    let url = format!(
        r#"{{"broker.url":"{}"}}"#,
        broker.replace("//", "//bob:canary-in-url@")
    );
    assert_eq!(ask("PUT", "/api/settings", &url), 200);
    for guess in ["canary-guess", "canary-consol"] {
        let body = format!(r#"{{"password":"{guess}"}}"#);
        assert_eq!(ask("POST", "/api/login", &body), 401);
    }
    assert_eq!(
        ask("POST", "/api/login", r#"{"password":"canary-console"}"#),
        204
    );
    for command in ["on", "th", "identify", "nonsense", "restart"] {
        let body = format!(r#"{{"command":"{command}"}}"#);
        ask("POST", "/api/command", &body);
    }
    for path in [
        "/",
        "/api/status",
        "/api/settings",
        "/api/history",
        "/api/openapi.json",
        "/api/none",
    ] {
        ask("GET", path, "");
    }
    answers += &events(&visitor);
    for payload in ["toggle", "getTH", "nonsense"] {
        mqtt.publish("a1", payload);
    }
    mqtt.publish("monster/a1/sys/set", "restart");
    mqtt.hear(|heard| {
        find(heard, "monster/a1/log") && find(heard, "a1After") && find(heard, "offline")
    });
    mqtt.hear_rest();
    running.signal(rustix::process::Signal::TERM);
    let said = running.end();
    assert_eq!(said.code, Some(0), "{said:?}");

    log.set_nonblocking(true).unwrap();
    let mut logged = Vec::new();
    let mut datagram = [0; 2000];
    while let Ok(length) = log.recv(&mut datagram) {
        logged.extend(&datagram[..length]);
    }
    // All of it was looked at, and there was something to look at.
    assert!(
        find(&logged, "restarting") && find(&logged, "a wrong password"),
        "{}",
        String::from_utf8_lossy(&logged)
    );
    assert!(answers.contains("event: log") && answers.contains(r#""key":"broker.password""#));
    assert!(said.out.contains("connected to"), "{said:?}");
    for (what, bytes) in [
        ("MQTT", mqtt.heard),
        ("syslog", logged),
        ("HTTP", answers.into_bytes()),
        ("the terminal", format!("{said:?}").into_bytes()),
    ] {
        let text = String::from_utf8_lossy(&bytes);
        assert!(!find(&bytes, "canary"), "{what} tells a secret: {text}");
    }
    // Not even where it is kept is one of them readable by others.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let state = std::fs::metadata(desk.folder.join("state/monster")).unwrap();
        assert_eq!(state.permissions().mode() & 0o077, 0);
    }
}

/// The beginning of the stream of events, with the last lines of the log.
fn events(visitor: &Visitor) -> String {
    let mut socket = TcpStream::connect(visitor.door).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    let request = visitor.request("GET", "/api/events");
    socket.write_all(request.as_bytes()).unwrap();
    let mut all = Vec::new();
    let mut buffer = [0; 4096];
    while !find(&all, "event: log") {
        let count = socket.read(&mut buffer).unwrap();
        assert!(count > 0, "{}", String::from_utf8_lossy(&all));
        all.extend(&buffer[..count]);
    }
    String::from_utf8_lossy(&all).into_owned()
}

#[test]
fn nothing_at_the_console_keeps_the_switch_from_answering_within_100_ms() {
    let desk = Desk::new();
    let (_running, broker, visitor) = device(&desk, &[]);
    let mut mqtt = Mqtt::listen(&broker, "a1After");
    let door = visitor.door;
    let over = AtomicBool::new(false);
    let served = AtomicU32::new(0);
    let slowest = thread::scope(|attack| {
        // Connections that say nothing, or never end what they say.
        let held: Vec<TcpStream> = (0..30).map(|_| TcpStream::connect(door).unwrap()).collect();
        attack.spawn(|| drip(door, &over));
        attack.spawn(|| flood(door, &over, &served));
        attack.spawn(|| flood(door, &over, &served));
        let mut slowest = Duration::ZERO;
        for count in 0..60 {
            let expected = if count % 2 == 0 { "on-0" } else { "on-1" };
            slowest = slowest.max(mqtt.ask("a1", "toggle", expected));
            thread::sleep(Duration::from_millis(50));
        }
        over.store(true, Ordering::Relaxed);
        drop(held);
        slowest
    });
    assert!(slowest < ANSWER, "{slowest:?}");
    assert!(served.load(Ordering::Relaxed) > 10, "there was an attack");
    // And the console is there again.
    assert_eq!(visitor.status()["switch"], "on");
}

/// Requests that come a byte at a time.
fn drip(door: SocketAddr, over: &AtomicBool) {
    let request = b"POST /api/login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 200\r\n\r\n{";
    let mut sockets: Vec<TcpStream> = Vec::new();
    for byte in request.iter().cycle() {
        if over.load(Ordering::Relaxed) {
            return;
        }
        sockets.retain_mut(|socket| socket.write_all(&[*byte]).is_ok());
        while sockets.len() < 15 {
            sockets.push(TcpStream::connect(door).unwrap());
        }
        thread::sleep(Duration::from_millis(20));
    }
}

/// Requests that are too large, nonsense, or many.
fn flood(door: SocketAddr, over: &AtomicBool, served: &AtomicU32) {
    let long = "x".repeat(100_000);
    let requests = [
        format!("GET / HTTP/1.1\r\nHost: {door}\r\nCookie: {long}\r\n\r\n"),
        format!("GET /{long} HTTP/1.1\r\nHost: {door}\r\n\r\n"),
        format!(
            "PUT /api/settings HTTP/1.1\r\nHost: {door}\r\nContent-Length: 4000000000\r\n\r\n{long}"
        ),
        format!(
            "POST /api/login HTTP/1.1\r\nHost: {door}\r\nContent-Length: 21\r\n\r\n{{\"password\":\"wrong\"}}\n"
        ),
        format!("GET / HTTP/1.1\r\nHost: {door}\r\n\r\n"),
        "\0\u{1}\u{2}".to_owned() + &long,
    ];
    for request in requests.iter().cycle() {
        if over.load(Ordering::Relaxed) {
            return;
        }
        if exchange(door, request).status > 0 {
            served.fetch_add(1, Ordering::Relaxed);
        }
    }
}
