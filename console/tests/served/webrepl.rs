//! WebREPL, byte for byte as MicroPython's `webrepl_cli.py` speaks it: a foreign Host, a fixed key, no
//! version, frames that are not masked, a request to put that comes in two.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::bench::{Bench, PASSWORD};

const HELLO: &str = "GET / HTTP/1.1\r\nHost: echo.websocket.org\r\nConnection: Upgrade\r\n\
    Upgrade: websocket\r\nSec-WebSocket-Key: foo\r\n";

/// A client that reads frames one at a time, and never a part of one with another.
struct Client {
    socket: TcpStream,
    rest: Vec<u8>,
}

impl Client {
    async fn open(bench: &Bench) -> Self {
        Client::open_from(bench, "").await
    }

    /// Opens with one more line of its head.
    async fn open_from(bench: &Bench, line: &str) -> Self {
        let mut socket = bench.connect().await;
        let hello = format!("{HELLO}{line}\r\n");
        socket.write_all(hello.as_bytes()).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(socket.read_u8().await.unwrap());
        }
        let head = String::from_utf8(head).unwrap();
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        // base64(sha1("foo258EAFA5-E914-47DA-95CA-C5AB0DC85B11")), by another program.
        assert!(
            head.contains("Sec-WebSocket-Accept: BM0S0+ghftShuFVHQATK/DBiJq8=\r\n"),
            "{head}"
        );
        Client {
            socket,
            rest: Vec::new(),
        }
    }

    /// Opens and gives a password; returns what is said to it.
    async fn log_in(bench: &Bench, password: &str) -> (Self, String) {
        Client::open(bench).await.give(password).await
    }

    async fn give(mut self, password: &str) -> (Self, String) {
        let client = &mut self;
        loop {
            let byte = client.read(1, true).await;
            if byte == b":" {
                assert_eq!(client.read(1, true).await, b" ");
                break;
            }
        }
        client.write(0x81, format!("{password}\r").as_bytes()).await;
        let (_, said) = client.frame().await;
        (self, String::from_utf8(said).unwrap())
    }

    async fn write(&mut self, kind: u8, bytes: &[u8]) {
        let length = bytes.len();
        let mut frame = match length {
            0..126 => vec![kind, length as u8],
            _ => vec![kind, 126, (length >> 8) as u8, length as u8],
        };
        frame.extend_from_slice(bytes);
        self.socket.write_all(&frame).await.unwrap();
    }

    async fn frame(&mut self) -> (u8, Vec<u8>) {
        let kind = self.socket.read_u8().await.unwrap();
        let length = match self.socket.read_u8().await.unwrap() {
            126 => self.socket.read_u16().await.unwrap().into(),
            length => usize::from(length),
        };
        let mut content = vec![0; length];
        self.socket.read_exact(&mut content).await.unwrap();
        (kind, content)
    }

    /// As the client's own `read`: of one frame, and all of `size` must be in it.
    async fn read(&mut self, size: usize, text_too: bool) -> Vec<u8> {
        while self.rest.is_empty() {
            let (kind, content) = self.frame().await;
            if kind == 0x82 || (text_too && kind == 0x81) {
                self.rest = content;
            }
        }
        assert!(self.rest.len() >= size, "{:?}", self.rest);
        self.rest.drain(..size).collect()
    }

    async fn result(&mut self) -> u16 {
        let reply = self.read(4, false).await;
        assert_eq!(reply[..2], *b"WB");
        u16::from_le_bytes([reply[2], reply[3]])
    }

    async fn put(&mut self, file: &[u8], name: &str) -> Vec<u16> {
        let request = request(1, file.len(), name);
        self.write(0x82, &request[..10]).await;
        self.write(0x82, &request[10..]).await;
        let mut results = vec![self.result().await];
        if results == [0] {
            for chunk in file.chunks(1024) {
                self.write(0x82, chunk).await;
            }
            results.push(self.result().await);
        }
        results
    }

    /// Returns the file, and in how many pieces it came; or why not.
    async fn get(&mut self, name: &str) -> Result<(String, usize), u16> {
        self.write(0x82, &request(2, 0, name)).await;
        match self.result().await {
            0 => {}
            refused => return Err(refused),
        }
        let mut chunks = Vec::new();
        loop {
            self.write(0x82, &[0]).await;
            let length = self.read(2, false).await;
            let length = usize::from(u16::from_le_bytes([length[0], length[1]]));
            if length == 0 {
                break;
            }
            assert!(self.rest.is_empty(), "a chunk in the frame of its length");
            chunks.push(self.read(length, false).await);
        }
        assert_eq!(self.result().await, 0);
        Ok((String::from_utf8(chunks.concat()).unwrap(), chunks.len()))
    }

    /// Types a line, and returns all that is said up to the next prompt.
    async fn line(&mut self, line: &str) -> String {
        self.write(0x81, format!("{line}\r").as_bytes()).await;
        let mut said = String::new();
        while !said.ends_with("\r\n>>> ") {
            let (kind, content) = self.frame().await;
            assert_eq!(kind, 0x81);
            said += &String::from_utf8(content).unwrap();
        }
        said
    }
}

fn request(kind: u8, size: usize, name: &str) -> [u8; 82] {
    let mut bytes = [0; 82];
    bytes[..3].copy_from_slice(&[b'W', b'A', kind]);
    bytes[12..16].copy_from_slice(&(size as u32).to_le_bytes());
    bytes[16..18].copy_from_slice(&(name.len() as u16).to_le_bytes());
    bytes[18..18 + name.len()].copy_from_slice(name.as_bytes());
    bytes
}

#[test]
fn micropythons_client_logs_in_types_commands_and_asks_for_the_version() {
    Bench::run(&[], async |bench| {
        let (mut client, said) = Client::log_in(&bench, PASSWORD).await;
        assert_eq!(said, "\r\nWebREPL connected\r\n");
        assert_eq!(client.frame().await.1, b">>> ");
        assert_eq!(client.line("toggle").await, "toggle\r\noff\r\n>>> ");
        assert_eq!(client.line("on").await, "on\r\non\r\n>>> ");
        assert!(client.line("th").await.contains("23.4 °C, 56.0 %"));
        assert!(client.line("status").await.contains("id 1226d800"));
        assert!(client.line("help").await.contains("factory-reset"));
        assert!(client.line("explode").await.contains("help lists them"));
        assert!(
            client
                .line("get")
                .await
                .contains("mqtt.keep_alive = 60\r\n")
        );
        assert!(
            client
                .line("get mqtt.keep_alive")
                .await
                .contains("allowed: 5 to")
        );
        assert!(
            client
                .line("get mqtt.keepalive")
                .await
                .contains("did you mean")
        );
        assert!(
            client
                .line("set mqtt.keep_alive 4")
                .await
                .contains("5 to 65535")
        );
        assert!(
            client
                .line("set mqtt.keep_alive 30")
                .await
                .contains("stored")
        );
        assert!(
            client
                .line("get mqtt.keep_alive")
                .await
                .contains("= 30\r\n")
        );
        client.write(0x82, &request(3, 0, "")).await;
        assert_eq!(client.read(3, false).await, [1, 29, 0]);
    });
}

#[test]
fn a_wrong_password_is_denied_and_the_fifth_costs_a_wait_at_every_door() {
    Bench::run(&[], async |bench| {
        for _ in 0..5 {
            let (mut client, said) = Client::log_in(&bench, "canary-guess").await;
            assert_eq!(said, "\r\nAccess denied\r\n");
            assert_eq!(client.frame().await.0, 0x88);
        }
        let (_, said) = Client::log_in(&bench, PASSWORD).await;
        assert!(said.contains("try again in"), "{said}");
        let body = format!(r#"{{"password":"{PASSWORD}"}}"#);
        assert_eq!(
            bench.request("POST", "/api/login", "", &body).await.status,
            429
        );
    });
}

#[test]
fn settings_toml_goes_out_without_secrets_and_comes_in_whole_or_not_at_all() {
    let settings = [
        ("broker.url", "mqtt://al:canary-url@127.0.0.1"),
        ("broker.user", "al"),
        ("broker.password", "canary-broker"),
    ];
    Bench::run(&settings, async |bench| {
        let (mut client, _) = Client::log_in(&bench, PASSWORD).await;
        let (file, pieces) = client.get("settings.toml").await.unwrap();
        assert!(file.contains("mqtt.keep_alive = 60\n"), "{file}");
        assert_eq!(
            pieces, 1,
            "each piece costs the client a delayed acknowledgement"
        );
        assert!(!file.contains("canary"), "{file}");
        assert_eq!(client.get("boot.py").await, Err(1));
        assert_eq!(client.put(b"x", "main.py").await, [1]);

        // As it was fetched, it changes nothing.
        assert_eq!(client.put(file.as_bytes(), "settings.toml").await, [0, 0]);
        assert!(bench.stored.borrow().is_empty());
        let bad = file
            .replace("keep_alive = 60", "keep_alive = 4")
            .replace("on-1", "an");
        assert_eq!(client.put(bad.as_bytes(), "settings.toml").await, [0, 1]);
        assert_eq!(client.put(b"x = \"\xff\"", "settings.toml").await, [0, 1]);
        assert_eq!(client.put(&[b'#'; 5000], "settings.toml").await, [1]);
        assert!(bench.stored.borrow().is_empty());
        let good = file.replace("keep_alive = 60", "keep_alive = 30");
        assert_eq!(client.put(good.as_bytes(), "settings.toml").await, [0, 0]);
        let stored = [("mqtt.keep_alive".to_owned(), "30".to_owned())];
        assert_eq!(*bench.stored.borrow(), stored);
    });
}

#[test]
fn a_settings_toml_of_long_texts_goes_out_in_pieces_of_whole_lines() {
    const LONG: &str =
        "some-text-of-some-forty-characters-in-all/some-text-of-some-forty-characters-in-all";
    const KEYS: [&str; 6] = [
        "mqtt.client_id",
        "classic.in",
        "classic.out",
        "classic.th",
        "classic.heartbeat",
        "broker.user",
    ];
    Bench::run(&KEYS.map(|key| (key, LONG)), async |bench| {
        let (mut client, _) = Client::log_in(&bench, PASSWORD).await;
        let (file, pieces) = client.get("settings.toml").await.unwrap();
        assert!(pieces > 1 && file.len() > 1024, "{pieces}: {file}");
        assert!(file.ends_with('\n') && file.lines().all(|line| line.contains(" = ")));
        for key in KEYS {
            assert!(file.contains(&format!("{key} = \"{LONG}\"\n")), "{file}");
        }
    });
}

#[test]
fn a_page_gets_each_chunk_in_one_frame_with_its_length() {
    Bench::run(&[], async |bench| {
        let page = Client::open_from(&bench, "Origin: http://micropython.org\r\n").await;
        let (mut page, _) = page.give(PASSWORD).await;
        page.write(0x82, &request(2, 0, "settings.toml")).await;
        assert_eq!(page.result().await, 0);
        let mut file = Vec::new();
        loop {
            page.write(0x82, &[0]).await;
            let length = page.read(2, false).await;
            let chunk = std::mem::take(&mut page.rest);
            assert_eq!(length, (chunk.len() as u16).to_le_bytes());
            if chunk.is_empty() {
                break;
            }
            file.extend(chunk);
        }
        assert_eq!(page.result().await, 0);
        let file = String::from_utf8(file).unwrap();
        assert!(file.contains("mqtt.keep_alive = 60\n"), "{file}");
    });
}

#[test]
fn a_masked_and_broken_up_message_is_read_and_a_ping_answered() {
    Bench::run(&[], async |bench| {
        let (mut client, _) = Client::log_in(&bench, PASSWORD).await;
        assert_eq!(client.frame().await.1, b">>> ");
        client
            .socket
            .write_all(&[0x89, 2, b'h', b'i'])
            .await
            .unwrap();
        assert_eq!(client.frame().await, (0x8a, b"hi".to_vec()));
        // "of" masked, without the end of the message; then "f\r".
        client
            .socket
            .write_all(&[0x01, 0x82, 1, 2, 3, 4, b'o' ^ 1, b'f' ^ 2])
            .await
            .unwrap();
        client
            .socket
            .write_all(&[0x80, 2, b'f', b'\r'])
            .await
            .unwrap();
        let mut said = String::new();
        while !said.ends_with(">>> ") {
            said += &String::from_utf8(client.frame().await.1).unwrap();
        }
        assert_eq!(said, "off\r\noff\r\n>>> ");
        client.socket.write_all(&[0xff; 40]).await.unwrap();
        assert_eq!(client.frame().await.0, 0x88);
    });
}
