//! Setting a device up over its access point.

use monster::trial::{Failure, Outcome, Step};

use crate::bench::Bench;

const WANTED: &str = r#"{"ssid":"Attic","password":"canary-wifi","broker.url":"mqtt://h:7","broker.user":"","broker.password":""}"#;

#[test]
fn a_device_without_a_radio_has_no_portal() {
    Bench::run(&[], async |bench| {
        for path in ["/api/wifi", "/api/join"] {
            assert_eq!(bench.request("GET", path, "", "").await.status, 404);
        }
    });
}

#[test]
fn until_it_is_set_up_whoever_joined_the_access_point_sets_it_up_without_a_password() {
    Bench::run(&[], async |bench| {
        bench.open_access_point().await;
        let wifi = bench.request("GET", "/api/wifi", "", "").await.json();
        assert_eq!(wifi["name"], "Monster-1226d800");
        assert_eq!(wifi["networks"][0]["ssid"], "Attic");
        assert_eq!(wifi["networks"][0]["rssi"], -48);
        assert_eq!(wifi["networks"][1]["ssid"], "caf\u{e9} \"7\"");
        assert_eq!(wifi["networks"][1]["secure"], false);
        assert!(bench.console().was_portal_used());
        assert!(!bench.console().was_portal_used());
        let none = bench.request("GET", "/api/join", "", "").await.json();
        assert_eq!(none["state"], "none");
        let begun = bench.request("POST", "/api/join", "", WANTED).await;
        assert_eq!((begun.status, &begun.json()["ok"]), (202, &true.into()));
        let tried = bench.tried.borrow().clone();
        assert_eq!(tried, [("Attic".to_owned(), "mqtt://h:7".to_owned())]);
        let trying = bench.request("GET", "/api/join", "", "").await.json();
        assert_eq!(
            (&trying["state"], &trying["step"]),
            (&"trying".into(), &"wifi".into())
        );
        // One thing at a time.
        let second = bench.request("POST", "/api/join", "", WANTED).await;
        assert!(
            second.status == 400 && second.body.contains("being tried"),
            "{second:?}"
        );
        bench
            .console()
            .tried(Outcome::Failed(Failure {
                step: Step::Wifi,
                reason: "no".try_into().unwrap(),
            }))
            .await;
        let failed = bench.request("GET", "/api/join", "", "").await.json();
        assert_eq!(failed["state"], "failed");
        assert_eq!(
            (&failed["error"], &failed["ssid"]),
            (&"no".into(), &"Attic".into())
        );
        bench.request("POST", "/api/join", "", WANTED).await;
        bench.console().tried(Outcome::Succeeded).await;
        // It is set up: the outcome is there, and nothing else without a password.
        let joined = bench.request("GET", "/api/join", "", "").await.json();
        assert_eq!(
            (&joined["state"], &joined["error"]),
            (&"joined".into(), &().into())
        );
        assert_eq!(
            bench.request("POST", "/api/join", "", WANTED).await.status,
            401
        );
        bench.console().set_access_point(false);
        assert_eq!(bench.request("GET", "/api/join", "", "").await.status, 401);
    });
}

#[test]
fn what_was_tried_and_failed_is_forgotten_and_other_settings_can_be_stored_again() {
    Bench::run(&[], async |bench| {
        bench.open_access_point().await;
        bench.request("POST", "/api/join", "", WANTED).await;
        let cookie = bench.sign_in().await;
        let put = async || {
            let body = r#"{"mqtt.keep_alive":"30"}"#;
            bench.request("PUT", "/api/settings", &cookie, body).await
        };
        let refused = put().await;
        assert!(
            refused.status == 400 && refused.body.contains("being tried"),
            "{refused:?}"
        );
        let failure = Failure {
            step: Step::Broker,
            reason: "no".try_into().unwrap(),
        };
        bench.console().tried(Outcome::Failed(failure)).await;
        assert_eq!(put().await.status, 200);
        let stored = bench.stored.borrow().clone();
        assert_eq!(stored, [("mqtt.keep_alive".to_owned(), "30".to_owned())]);
    });
}

#[test]
fn a_device_that_is_set_up_asks_for_its_password_on_its_access_point_too() {
    let settings = [("wifi.ssid", "Attic"), ("broker.url", "mqtt://h")];
    Bench::run(&settings, async |bench| {
        bench.open_access_point().await;
        for (method, path) in [
            ("GET", "/api/wifi"),
            ("GET", "/api/join"),
            ("POST", "/api/join"),
        ] {
            assert_eq!(bench.request(method, path, "", WANTED).await.status, 401);
        }
        let cookie = bench.sign_in().await;
        assert_eq!(
            bench.request("GET", "/api/wifi", &cookie, "").await.status,
            200
        );
        assert_eq!(
            bench
                .request("POST", "/api/join", &cookie, WANTED)
                .await
                .status,
            202
        );
    });
}

#[test]
fn who_comes_by_the_network_needs_the_password_though_the_access_point_is_open() {
    Bench::run(&[], async |bench| {
        bench.open_access_point().await;
        bench.entrance.set(monster_console::Entrance::Network);
        assert_eq!(bench.request("GET", "/api/wifi", "", "").await.status, 401);
        assert_eq!(
            bench.request("POST", "/api/join", "", WANTED).await.status,
            401
        );
    });
}

#[test]
fn what_cannot_be_joined_is_refused_before_anything_is_tried() {
    Bench::run(&[], async |bench| {
        bench.open_access_point().await;
        for (body, key) in [
            (r#"{"broker.url":"mqtt://h"}"#, "ssid"),
            (r#"{"ssid":"","broker.url":"mqtt://h"}"#, "ssid"),
            (r#"{"ssid":"a"}"#, "broker.url"),
            (r#"{"ssid":"a","broker.url":"h"}"#, "broker.url"),
            (
                r#"{"ssid":"a","password":"short","broker.url":"mqtt://h"}"#,
                "wifi.password",
            ),
            (r#"{"ssid":"a","broker.url":"mqtt://h","id":"b"}"#, "id"),
        ] {
            let refused = bench.request("POST", "/api/join", "", body).await;
            assert_eq!(
                (refused.status, &refused.json()["key"]),
                (400, &key.into()),
                "{body}"
            );
        }
        for nonsense in ["", "[]", "null", r#"{"ssid":1}"#] {
            assert_eq!(
                bench
                    .request("POST", "/api/join", "", nonsense)
                    .await
                    .status,
                400
            );
        }
        assert!(bench.tried.borrow().is_empty());
        let none = bench.request("GET", "/api/join", "", "").await.json();
        assert_eq!(none["state"], "none");
    });
}

#[test]
fn on_the_access_point_every_other_name_leads_to_the_portal() {
    Bench::run(&[], async |bench| {
        bench.open_access_point().await;
        let ask = async |method: &str| {
            let text = format!("{method} /generate_204 HTTP/1.1\r\nHost: example.com\r\n\r\n");
            crate::bench::Answer::of(&bench.exchange(text.as_bytes()).await)
        };
        let led = ask("GET").await;
        assert_eq!(
            (led.status, led.header("location")),
            (302, Some("http://192.168.4.1/"))
        );
        assert_eq!(ask("POST").await.status, 403);
        assert!(!bench.console().was_portal_used(), "a probe is nobody");
    });
}
