//! A client of the console's HTTP API.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

use crate::harness::Running;

/// No answer takes as long.
const LIMIT: Duration = Duration::from_secs(10);

/// Somebody at a device's console.
pub struct Visitor {
    pub door: SocketAddr,
    /// The header that shows who they are.
    cookie: String,
}

impl Visitor {
    /// Nobody in particular.
    pub fn stranger(door: SocketAddr) -> Self {
        Visitor {
            door,
            cookie: String::new(),
        }
    }

    /// Who opens the link that the device has printed.
    pub fn invited(running: &mut Running) -> Self {
        let link = link(running);
        let mut visitor = Visitor::stranger(link.0);
        let answer = visitor.open(&link.1);
        assert_eq!(answer.status, 303, "{answer:?}");
        assert!(!visitor.cookie.is_empty(), "{answer:?}");
        visitor
    }

    /// Opens a path, and keeps the cookie that comes with it.
    pub fn open(&mut self, path: &str) -> Answer {
        let answer = self.ask("GET", path, "");
        if let Some(cookie) = answer.header("set-cookie") {
            let pair = cookie.split(';').next().unwrap();
            self.cookie = format!("Cookie: {pair}\r\n");
        }
        answer
    }

    pub fn ask(&self, method: &str, path: &str, body: &str) -> Answer {
        let host = format!("Host: {}\r\n", self.door);
        self.ask_as(&host, method, path, body)
    }

    /// With other headers than a browser would send.
    pub fn ask_as(&self, headers: &str, method: &str, path: &str, body: &str) -> Answer {
        let (length, cookie) = (body.len(), &self.cookie);
        exchange(
            self.door,
            &format!(
                "{method} {path} HTTP/1.1\r\nContent-Length: {length}\r\n{headers}{cookie}\r\n{body}"
            ),
        )
    }

    /// A request without a body, for who sends it by hand.
    #[cfg(all(unix, feature = "broker"))]
    pub fn request(&self, method: &str, path: &str) -> String {
        let (door, cookie) = (self.door, &self.cookie);
        format!("{method} {path} HTTP/1.1\r\nHost: {door}\r\n{cookie}\r\n")
    }

    pub fn command(&self, command: &str) -> Answer {
        let body = format!(r#"{{"command":"{command}"}}"#);
        self.ask("POST", "/api/command", &body)
    }

    pub fn status(&self) -> Value {
        self.ask("GET", "/api/status", "").json()
    }

    /// One of the settings, as the form shows it.
    pub fn setting(&self, key: &str) -> Value {
        let answer = self.ask("GET", "/api/settings", "").json();
        let all = answer["settings"].as_array().unwrap();
        let found = all.iter().find(|setting| setting["key"] == key);
        found.unwrap_or_else(|| panic!("no {key}")).clone()
    }
}

/// Where the console is that a device has printed the link to, and the link's path.
pub fn link(running: &mut Running) -> (SocketAddr, String) {
    let line = running.hear("http://");
    let link = line
        .split_whitespace()
        .find_map(|word| word.strip_prefix("http://"));
    let (door, path) = link.and_then(|link| link.split_once('/')).unwrap();
    (door.parse().unwrap(), format!("/{path}"))
}

/// Sends bytes, and reads until the connection ends.
pub fn exchange(door: SocketAddr, request: &str) -> Answer {
    let mut socket = TcpStream::connect(door).unwrap();
    socket.set_read_timeout(Some(LIMIT)).unwrap();
    let _ = socket.write_all(request.as_bytes());
    let mut bytes = Vec::new();
    let _ = socket.read_to_end(&mut bytes);
    Answer::of(&String::from_utf8_lossy(&bytes))
}

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    fn of(text: &str) -> Self {
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

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}
