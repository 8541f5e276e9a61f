//! The examples of TLS and WebSocket, against mosquitto and NATS: with certificates that are good, and with those that
//! are not. The same of the firmware: `scenarios/tests/virt_tls`.

#![allow(
    clippy::duplicate_mod,
    reason = "each example is a program, with its own copy of what they share"
)]

#[path = "../../umqtt/examples/tls.rs"]
mod tls;
#[path = "../../umqtt/examples/tls_asynch.rs"]
mod tls_asynch;
#[path = "../../umqtt/examples/websocket.rs"]
mod websocket;

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use monster_scenarios::broker::{Mosquitto, Setup, Tls};
use monster_scenarios::certificates::rcgen::{
    CertificateParams, ExtendedKeyUsagePurpose, KeyUsagePurpose, SanType,
};
use monster_scenarios::certificates::{Identity, Kind, broker, ca, valid};
use monster_scenarios::scratch::Folder;
use umqtt_brokers::server::WebSockets;

/// What a broker's certificate says that is good for `localhost` and 127.0.0.1.
fn local() -> CertificateParams {
    let mut params = broker();
    let name = "localhost".try_into().expect("it is ASCII");
    params.subject_alt_names = vec![
        SanType::DnsName(name),
        SanType::IpAddress(Ipv4Addr::LOCALHOST.into()),
    ];
    params
}

/// A client's certificate.
fn client() -> CertificateParams {
    let mut params = broker();
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params
}

fn mosquitto(tls: Tls) -> Mosquitto {
    Mosquitto::start(Setup {
        tls: Some(tls),
        ..Setup::default()
    })
}

/// Files for the examples.
struct Pems {
    folder: Folder,
    has_identity: bool,
}

impl Pems {
    /// Whom the client trusts, and what it shows.
    fn new(ca: &Identity, identity: Option<&Identity>) -> Self {
        let pems = Pems {
            folder: Folder::new(),
            has_identity: identity.is_some(),
        };
        fs::write(pems.path("ca.pem"), &ca.pem).expect("the folder is writable");
        if let Some(Tls {
            certificates, key, ..
        }) = identity.map(|it| it.tls(&[]))
        {
            fs::write(pems.path("client.pem"), certificates).expect("the folder is writable");
            fs::write(pems.path("client.key"), key).expect("the folder is writable");
        }
        pems
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// What an example received, or why it did not.
type Played = Result<String, String>;

/// Plays both examples of TLS.
fn play(host: &str, port: u16, pems: &Pems) -> [Played; 2] {
    let server = format!("{host}:{port}");
    let [ca, certificate, key] = ["ca.pem", "client.pem", "client.key"].map(|name| pems.path(name));
    let identity = pems.has_identity.then_some((&*certificate, &*key));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.expect("a runtime");
    let blocking = tls::run(&server, tls::Files { ca: &ca, identity });
    let files = tls_asynch::Files { ca: &ca, identity };
    let asynch = runtime.block_on(tls_asynch::run(&server, files));
    [blocking, asynch].map(|outcome| outcome.map_err(|error| format!("{error} {error:?}")))
}

/// Plays the example of WebSockets over TLS.
fn play_wss(host: &str, port: u16, pems: &Pems) -> Played {
    let [ca, certificate, key] = ["ca.pem", "client.pem", "client.key"].map(|name| pems.path(name));
    let identity = pems.has_identity.then_some((&*certificate, &*key));
    let files = websocket::Files { ca: &ca, identity };
    websocket::run(&format!("wss://{host}:{port}/mqtt"), Some(files))
        .map_err(|error| format!("{error} {error:?}"))
}

#[track_caller]
fn works(host: &str, tls: Tls, pems: &Pems) {
    let server = WebSockets::start(Some(&tls));
    let websocket = play_wss(host, server.port(), pems);
    assert_eq!(websocket.as_deref(), Ok("umqtt/example/websocket: hello"));
    let mosquitto = mosquitto(tls);
    let [blocking, asynch] = play(host, mosquitto.tls_port(), pems);
    assert_eq!(blocking.as_deref(), Ok("umqtt/example/tls: hello"));
    assert_eq!(asynch.as_deref(), Ok("umqtt/example/tls_asynch: hello"));
}

/// All three examples say this, and it does not take them long.
#[track_caller]
fn is_refused(host: &str, tls: Tls, pems: &Pems, why: &str) {
    let server = WebSockets::start(Some(&tls));
    let mosquitto = mosquitto(tls);
    let started = Instant::now();
    let [blocking, asynch] = play(host, mosquitto.tls_port(), pems);
    for outcome in [blocking, asynch, play_wss(host, server.port(), pems)] {
        let error = outcome.expect_err("it must not connect");
        assert!(error.contains(why), "{error}");
    }
    assert!(started.elapsed() < Duration::from_secs(10));
}

/// A broker whose certificate says this is refused by whoever trusts its CA.
#[track_caller]
fn certificate_is_refused(params: CertificateParams, why: &str) {
    let root = Identity::root(Kind::P256);
    let leaf = root.signs(Kind::P256, params);
    is_refused("localhost", leaf.tls(&[]), &Pems::new(&root, None), why);
}

#[test]
fn a_broker_is_trusted_by_its_name_and_by_its_address() {
    let root = Identity::root(Kind::P256);
    let pems = Pems::new(&root, None);
    for host in ["localhost", "127.0.0.1"] {
        works(host, root.signs(Kind::P256, local()).tls(&[]), &pems);
    }
}

#[test]
fn cas_may_be_in_between_and_keys_of_other_kinds() {
    let root = Identity::root(Kind::Rsa(2048));
    let between = root.signs(Kind::P384, ca("Between"));
    let leaf = between.signs(Kind::P256, local());
    works("localhost", leaf.tls(&[&between]), &Pems::new(&root, None));
}

#[test]
fn another_ca_of_the_same_name_is_not_trusted() {
    let (root, other) = (Identity::root(Kind::P256), Identity::root(Kind::P256));
    let leaf = other.signs(Kind::P256, local());
    // A CA of the same name has another key: what it signed is no signature of ours.
    is_refused(
        "localhost",
        leaf.tls(&[]),
        &Pems::new(&root, None),
        "BadSignature",
    );
}

#[test]
fn a_ca_that_nobody_named_is_not_trusted() {
    let root = Identity::root(Kind::P256);
    let stranger = Identity::root(Kind::P256).signs(Kind::P256, ca("Stranger"));
    let leaf = stranger.signs(Kind::P256, local());
    let pems = Pems::new(&root, None);
    is_refused("localhost", leaf.tls(&[]), &pems, "UnknownIssuer");
}

#[test]
fn a_certificate_for_another_name_is_refused() {
    let mut params = local();
    params.subject_alt_names = vec![SanType::DnsName("elsewhere".try_into().expect("ASCII"))];
    certificate_is_refused(params, "NotValidForName");
}

#[test]
fn a_certificate_is_only_good_between_its_dates() {
    certificate_is_refused(valid(local(), -3, -1), "Expired");
    certificate_is_refused(valid(local(), 1, 3), "NotValidYet");
}

#[test]
fn a_server_cannot_vouch_for_another() {
    let root = Identity::root(Kind::P256);
    let server = root.signs(Kind::P256, local());
    let leaf = server.signs(Kind::P256, local());
    let pems = Pems::new(&root, None);
    is_refused(
        "localhost",
        leaf.tls(&[&server]),
        &pems,
        "EndEntityUsedAsCa",
    );
}

#[test]
fn a_ca_s_own_certificate_is_no_server_s() {
    let mut params = ca("localhost");
    params.subject_alt_names = local().subject_alt_names;
    certificate_is_refused(params, "CaUsedAsEndEntity");
}

#[test]
fn a_certificate_that_is_not_for_servers_is_refused() {
    let mut params = local();
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    certificate_is_refused(params, "InvalidPurpose");
}

#[test]
fn a_key_that_is_not_for_signing_is_refused() {
    let mut params = local();
    params.key_usages = vec![KeyUsagePurpose::KeyEncipherment];
    certificate_is_refused(params, "NotForSigning");
}

#[test]
fn a_key_of_which_nothing_is_said_is_for_all() {
    let mut params = local();
    params.key_usages.clear();
    let root = Identity::root(Kind::P256);
    let leaf = root.signs(Kind::P256, params);
    works("localhost", leaf.tls(&[]), &Pems::new(&root, None));
}

#[test]
fn a_broker_that_wants_a_certificate_gets_it() {
    let (root, clients) = (Identity::root(Kind::P256), Identity::root(Kind::P256));
    let tls = Tls {
        clients: Some(clients.pem.clone()),
        ..root.signs(Kind::P256, local()).tls(&[])
    };
    let ours = clients.signs(Kind::P256, client());
    works("localhost", tls.clone(), &Pems::new(&root, Some(&ours)));
    let why = "CertificateRequired";
    is_refused("localhost", tls.clone(), &Pems::new(&root, None), why);
    let strangers = root.signs(Kind::P256, client());
    let pems = Pems::new(&root, Some(&strangers));
    is_refused("localhost", tls, &pems, "AlertReceived");
}

#[test]
fn who_does_not_speak_tls_is_told_apart() {
    let mosquitto = Mosquitto::start(Setup::default());
    let pems = Pems::new(&Identity::root(Kind::P256), None);
    for outcome in play("localhost", mosquitto.port(), &pems) {
        outcome.expect_err("it must not connect");
    }
}

#[test]
fn a_websocket_carries_the_client() {
    let server = WebSockets::start(None);
    let url = format!("ws://127.0.0.1:{}/mqtt", server.port());
    let received = websocket::run(&url, None).map_err(|error| error.to_string());
    assert_eq!(received.as_deref(), Ok("umqtt/example/websocket: hello"));
}

#[test]
fn a_server_without_websockets_is_told_apart() {
    let mosquitto = Mosquitto::start(Setup::default());
    let url = format!("ws://127.0.0.1:{}/mqtt", mosquitto.port());
    websocket::run(&url, None).expect_err("it speaks MQTT alone");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("it is bound").port();
    drop(listener);
    websocket::run(&format!("ws://127.0.0.1:{port}/mqtt"), None).expect_err("nobody is there");
}
