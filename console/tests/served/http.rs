//! The HTTP API.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::bench::{Answer, Bench};

const SECRETS: [(&str, &str); 5] = [
    ("broker.url", "mqtt://al:canary-url@127.0.0.1"),
    ("broker.user", "al"),
    ("broker.password", "canary-broker"),
    ("wifi.password", "canary-wifi"),
    ("log.level", "debug"),
];

#[test]
fn the_page_comes_whole_with_what_a_browser_may_run_of_it() {
    Bench::run(&[], async |bench| {
        let answer = bench.request("GET", "/", "", "").await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("content-encoding"), Some("gzip"));
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none'"), "{policy}");
        assert!(policy.contains("script-src 'sha256-"), "{policy}");
    });
}

#[test]
fn nobody_is_told_anything_before_the_password() {
    Bench::run(&[], async |bench| {
        for (method, path) in [
            ("GET", "/api/status"),
            ("GET", "/api/settings"),
            ("PUT", "/api/settings"),
            ("GET", "/api/history"),
            ("GET", "/api/events"),
            ("POST", "/api/command"),
            ("POST", "/api/logout"),
        ] {
            let answer = bench
                .request(method, path, "", r#"{"command":"off"}"#)
                .await;
            assert_eq!(answer.status, 401, "{path}: {answer:?}");
            assert!(answer.json()["error"].as_str().unwrap().contains("sign in"));
        }
        let forged = "Cookie: monster-1226d800=00000000000000000000000000000000\r\n";
        assert_eq!(
            bench.request("GET", "/api/status", forged, "").await.status,
            401
        );
    });
}

#[test]
fn whoever_is_signed_in_sees_and_moves_the_switch_until_they_sign_out() {
    Bench::run(&[], async |bench| {
        let cookie = bench.sign_in().await;
        let status = bench
            .request("GET", "/api/status", &cookie, "")
            .await
            .json();
        assert_eq!(status["id"], "1226d800");
        assert_eq!(status["switch"], "on");
        assert_eq!(status["connection"]["state"], "no_broker");
        let command = async |body: &str| bench.request("POST", "/api/command", &cookie, body).await;
        let done = command(r#"{"command":"toggle"}"#).await;
        assert_eq!((done.status, &done.json()["state"]), (200, &"off".into()));
        for bad in [
            "",
            "{}",
            r#"{"command":"explode"}"#,
            r#"{"command":1}"#,
            "[]",
        ] {
            let refused = command(bad).await;
            assert_eq!(refused.status, 400, "{bad}");
            assert_eq!(refused.json()["ok"], false, "{bad}");
        }
        let status = bench
            .request("GET", "/api/status", &cookie, "")
            .await
            .json();
        assert_eq!(status["switch"], "off");
        let history = bench
            .request("GET", "/api/history", &cookie, "")
            .await
            .json();
        assert_eq!(history["step"], 30);
        assert_eq!(
            bench
                .request("POST", "/api/logout", &cookie, "")
                .await
                .status,
            204
        );
        assert_eq!(
            bench
                .request("GET", "/api/status", &cookie, "")
                .await
                .status,
            401
        );
    });
}

#[test]
fn a_link_signs_in_whoever_opens_it_first() {
    Bench::run(&[], async |bench| {
        let link = bench.console().ticket().to_string();
        let first = bench.request("GET", &link, "", "").await;
        assert_eq!((first.status, first.header("location")), (303, Some("/")));
        let cookie = first
            .header("set-cookie")
            .unwrap()
            .split(';')
            .next()
            .unwrap();
        let cookie = format!("Cookie: {cookie}\r\n");
        assert_eq!(
            bench
                .request("GET", "/api/status", &cookie, "")
                .await
                .status,
            200
        );
        let second = bench.request("GET", &link, "", "").await;
        assert_eq!((second.status, second.header("set-cookie")), (303, None));
    });
}

#[test]
fn five_wrong_passwords_slow_the_sixth_and_the_right_one_waits_too() {
    Bench::run(&[], async |bench| {
        let try_in = async |word: &str| {
            let body = format!(r#"{{"password":"{word}"}}"#);
            bench.request("POST", "/api/login", "", &body).await
        };
        for _ in 0..5 {
            assert_eq!(try_in("wrong").await.status, 401);
        }
        let slowed = try_in(crate::bench::PASSWORD).await;
        assert_eq!(slowed.status, 429);
        assert_eq!(slowed.header("retry-after"), Some("5"));
        bench.pass(6);
        assert_eq!(try_in(crate::bench::PASSWORD).await.status, 204);
    });
}

#[test]
fn strangers_names_and_other_sites_pages_are_refused() {
    Bench::run(&[], async |bench| {
        let get = async |headers: &str| {
            let text = format!("GET / HTTP/1.1\r\n{headers}\r\n");
            Answer::of(&bench.exchange(text.as_bytes()).await).status
        };
        assert_eq!(get("Host: example.com\r\n").await, 403);
        assert_eq!(get("").await, 403);
        assert_eq!(
            get("Host: 127.0.0.1\r\nOrigin: http://example.com\r\n").await,
            403
        );
        assert_eq!(get("Host: 127.0.0.1\r\nOrigin: null\r\n").await, 403);
        assert_eq!(
            get("Host: 127.0.0.1:1\r\nOrigin: http://127.0.0.1:1\r\n").await,
            200
        );
        assert_eq!(get("Host: monster-1226d800.local\r\n").await, 200);
    });
}

#[test]
fn settings_are_stored_whole_or_not_at_all() {
    Bench::run(&SECRETS, async |bench| {
        let cookie = bench.sign_in().await;
        let put = async |body: &str| bench.request("PUT", "/api/settings", &cookie, body).await;
        let refused = put(r#"{"classic.on":"an","mqtt.keep_alive":"4"}"#).await;
        assert_eq!(refused.status, 400);
        assert_eq!(refused.json()["key"], "mqtt.keep_alive");
        assert!(
            refused.json()["error"]
                .as_str()
                .unwrap()
                .contains("5 to 65535")
        );
        assert!(bench.stored.borrow().is_empty());
        let same = put(r#"{"mqtt.keep_alive":"60"}"#).await.json();
        assert_eq!(same["restart"], false);
        let stored = put(r#"{"mqtt.keep_alive":"30","broker.password":"canary-new"}"#).await;
        assert_eq!(
            (stored.status, &stored.json()["restart"]),
            (200, &true.into())
        );
        assert_eq!(bench.stored.borrow().len(), 2);
        let list = bench
            .request("GET", "/api/settings", &cookie, "")
            .await
            .json();
        let list = list["settings"].as_array().unwrap();
        let find = |key: &str| list.iter().find(|it| it["key"] == key).unwrap();
        assert_eq!(find("mqtt.keep_alive")["value"], "30");
        assert_eq!(find("mqtt.keep_alive")["max"], 65535);
        assert_eq!(find("broker.password")["value"], serde_json::Value::Null);
        assert_eq!(find("broker.password")["is_set"], true);
        assert_eq!(find("switch.power_on")["choices"][2], "restore");
    });
}

#[test]
fn no_answer_and_no_event_holds_a_secret() {
    Bench::run(&SECRETS, async |bench| {
        let cookie = bench.sign_in().await;
        let mut all = String::new();
        for path in ["/", "/api/status", "/api/settings", "/api/history"] {
            all += &format!("{:?}", bench.request("GET", path, &cookie, "").await);
        }
        for body in [
            r#"{"broker.password":"canary-\u0000"}"#,
            r#"{"broker.url":"mqtt://a:canary-put@ h"}"#,
            r#"{"wifi.password":"canary"}"#,
            r#"{"nosuch":"canary"}"#,
            r#"{"broker.password":"canary"#,
        ] {
            all += &format!(
                "{:?}",
                bench.request("PUT", "/api/settings", &cookie, body).await
            );
        }
        all += &format!(
            "{:?}",
            bench
                .request("POST", "/api/login", "", r#"{"password":"canary-guess"}"#)
                .await
        );
        let mut events = events(&bench, &cookie).await;
        bench.log("the end");
        all += &read_until(&mut events, "the end").await;
        assert!(!all.contains("canary"), "{all}");
    });
}

#[test]
fn all_that_the_description_names_is_there_and_nothing_of_it_without_signing_in() {
    Bench::run(&[], async |bench| {
        let description = include_str!("../../openapi.json");
        let description: serde_json::Value = serde_json::from_str(description).unwrap();
        // It has a radio; and who asks is in its network.
        bench.open_access_point().await;
        bench.entrance.set(monster_console::Entrance::Network);
        let cookie = bench.sign_in().await;
        let served = bench.request("GET", "/api/openapi.json", &cookie, "").await;
        assert_eq!(served.status, 200);
        assert_eq!(served.header("content-encoding"), Some("gzip"));
        for (path, methods) in description["paths"].as_object().unwrap() {
            for method in methods.as_object().unwrap().keys() {
                let method = method.to_uppercase();
                let expected = if path == "/api/login" { 400 } else { 401 };
                let answer = bench.request(&method, path, "", "").await;
                assert_eq!(answer.status, expected, "{method} {path}");
            }
            let other = bench.request("PATCH", path, &cookie, "").await;
            assert_eq!(other.status, 405, "{path}");
        }
    });
}

#[test]
fn who_signs_out_hears_nothing_more_in_any_tab() {
    Bench::run(&[], async |bench| {
        let cookie = bench.sign_in().await;
        let other = bench.sign_in().await;
        let mut tab = events(&bench, &cookie).await;
        read_until(&mut tab, "event: status").await;
        let mut stays = events(&bench, &other).await;
        read_until(&mut stays, "event: status").await;
        bench.request("POST", "/api/logout", &cookie, "").await;
        bench.log("not for them");
        let mut rest = Vec::new();
        let _ = tab.read_to_end(&mut rest).await;
        assert!(!String::from_utf8_lossy(&rest).contains("not for them"));
        read_until(&mut stays, "not for them").await;
    });
}

#[test]
fn a_second_tab_is_served_and_a_tenth_is_told_to_wait() {
    Bench::run(&[], async |bench| {
        let cookie = bench.sign_in().await;
        let mut tabs = Vec::new();
        for _ in 0..monster_console::EVENT_STREAMS {
            let mut tab = events(&bench, &cookie).await;
            read_until(&mut tab, "event: status").await;
            tabs.push(tab);
        }
        assert!(tabs.len() >= 2);
        let tenth = bench.request("GET", "/api/events", &cookie, "").await;
        assert_eq!(tenth.status, 503);
        assert!(tenth.header("retry-after").is_some());
        // Each hears what happens, and whoever goes makes room.
        bench
            .request("POST", "/api/command", &cookie, r#"{"command":"off"}"#)
            .await;
        for tab in &mut tabs {
            read_until(tab, r#""switch":"off""#).await;
        }
        drop(tabs.pop());
        loop {
            let mut next = events(&bench, &cookie).await;
            let mut start = [0; 12];
            next.read_exact(&mut start).await.unwrap();
            if start == *b"HTTP/1.1 200" {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
}

#[test]
fn oversized_slow_and_broken_requests_end_and_hold_up_nobody() {
    Bench::run(&[], async |bench| {
        let cookie = bench.sign_in().await;
        let mut open = Vec::new();
        for half in [
            "",
            "GET / HT",
            "POST /api/login HTTP/1.1\r\nContent-Length: 90\r\n\r\n{",
        ] {
            let mut socket = bench.connect().await;
            socket.write_all(half.as_bytes()).await.unwrap();
            open.push(socket);
        }
        let long = format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "y".repeat(9000));
        assert_ne!(
            Answer::of(&bench.exchange(long.as_bytes()).await).status,
            200
        );
        for body in ["x".repeat(300), "x".repeat(9000)] {
            let answer = bench.request("POST", "/api/login", "", &body).await;
            assert!([413, 0].contains(&answer.status), "{answer:?}");
        }
        for rubbish in [
            &b"\0\0\0\0\r\n\r\n"[..],
            b"\r\n\r\n",
            b"GET /\r\n\r\n",
            b"\xff\xfe\r\n\r\n",
            b"POST /api/login HTTP/1.1\r\nContent-Length: 18446744073709551615\r\n\r\n",
        ] {
            assert_ne!(Answer::of(&bench.exchange(rubbish).await).status, 200);
        }
        assert_eq!(
            bench
                .request("GET", "/api/status", &cookie, "")
                .await
                .status,
            200
        );
        for socket in &mut open {
            // Closed by the device, with an answer or without one.
            let _ = socket.read_to_end(&mut Vec::new()).await;
        }
    });
}

#[test]
fn other_methods_and_paths_are_told_apart() {
    Bench::run(&[], async |bench| {
        let cookie = bench.sign_in().await;
        assert_eq!(
            bench.request("GET", "/nosuch", &cookie, "").await.status,
            404
        );
        let wrong = bench.request("DELETE", "/api/settings", &cookie, "").await;
        assert_eq!(
            (wrong.status, wrong.header("allow")),
            (405, Some("GET, PUT"))
        );
        assert_eq!(bench.request("POST", "/", "", "").await.status, 405);
    });
}

async fn events(bench: &Bench, cookie: &str) -> TcpStream {
    let mut socket = bench.connect().await;
    let request = format!("GET /api/events HTTP/1.1\r\nHost: 127.0.0.1\r\n{cookie}\r\n");
    socket.write_all(request.as_bytes()).await.unwrap();
    socket
}

async fn read_until(socket: &mut TcpStream, text: &str) -> String {
    let mut all = Vec::new();
    while !String::from_utf8_lossy(&all).contains(text) {
        let byte = socket.read_u8().await.expect("more comes");
        all.push(byte);
    }
    String::from_utf8_lossy(&all).into_owned()
}
