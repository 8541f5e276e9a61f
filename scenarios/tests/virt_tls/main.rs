//! Whom the firmware trusts: TLS on the virtual microcontroller in QEMU, against mosquitto, and
//! against brokers that do what mosquitto never would.

mod anonymous;
mod scripted;

use std::fs;
use std::time::{Duration, Instant};

use monster_scenarios::broker::{Mosquitto, Setup, Tls};
use monster_scenarios::certificates::rcgen::{
    self, ExtendedKeyUsagePurpose, IsCa, KeyUsagePurpose, SanType,
};
use monster_scenarios::certificates::{HOST, Identity, Kind, broker, ca, valid};
use monster_scenarios::device::{Board, Device, Options};
use monster_scenarios::names::Names;
use monster_scenarios::observer::Observer;
use monster_scenarios::proxy::{Direction, Proxy};
use monster_scenarios::publisher::Publish;
use monster_scenarios::scratch::Folder;
use monster_scenarios::time_server::{Manner, TimeServer};
use monster_scenarios::virt::Virt;

use scripted::{Manners, Scripted};

/// How long a device may take to connect, or to say why it does not: many run at once.
const SOON: Duration = Duration::from_secs(40);
const ID: &str = "tls";

#[test]
fn a_broker_with_a_certificate_of_the_ca_is_talked_to_in_both_directions() {
    let root = Identity::root(Kind::P256);
    let mosquitto = mosquitto(root.signs(Kind::P256, broker()).tls(&[]));
    let mut observer = Observer::new(&mosquitto, &["tlsAfter", "monster/tls/#"]);
    let _device = Trial::of(&root).start(mosquitto.tls_port());
    observer.expect_text("monster/tls/status", SOON, "online");
    Publish::new(ID, "off").to(&mosquitto);
    observer.expect_text("tlsAfter", SOON, "on-0");
    // As long as what a device takes, in a record of its own; and longer than a record can be.
    for length in [8 * 1024 - 3, 40_000] {
        Publish::new(ID, vec![b'x'; length]).to(&mosquitto);
    }
    Publish::new(ID, "on").to(&mosquitto);
    observer.expect_text("tlsAfter", SOON, "on-1");
}

#[test]
fn keys_may_be_of_every_kind_and_cas_in_between() {
    for kind in [Kind::P384, Kind::Rsa(2048), Kind::Rsa(4096)] {
        let root = Identity::root(kind);
        let between = root.signs(kind, ca("Between"));
        let leaf = between.signs(kind, broker());
        let mosquitto = mosquitto(leaf.tls(&[&between]));
        Trial::of(&root).is_online(&mosquitto);
    }
}

#[test]
fn one_of_many_cas_is_enough() {
    let cas = [Kind::P256, Kind::P384, Kind::Rsa(2048)].map(Identity::root);
    let mosquitto = mosquitto(cas[1].signs(Kind::Rsa(2048), broker()).tls(&[]));
    let trial = Trial {
        ca: Some(cas.iter().map(|ca| &*ca.pem).collect()),
        ..Trial::of(&cas[0])
    };
    trial.is_online(&mosquitto);
}

#[test]
fn another_ca_is_not_trusted_even_if_it_has_the_name_of_ours() {
    let leaf = Identity::root(Kind::P256).signs(Kind::P256, broker());
    let mosquitto = mosquitto(leaf.tls(&[]));
    let ours = Identity::root(Kind::P256);
    let why = "not trusted: its certificate is not from a CA in broker.ca";
    Trial::of(&ours).is_refused(mosquitto.tls_port(), why);
}

#[test]
fn a_certificate_for_another_address_is_refused() {
    let mut params = broker();
    params.subject_alt_names = vec![
        SanType::IpAddress([10, 0, 2, 3].into()),
        SanType::DnsName("10.0.2.2".try_into().unwrap()),
    ];
    refused(params, "not trusted: its certificate is for another name");
}

#[test]
fn a_broker_is_known_by_its_name_and_by_no_other() {
    let root = Identity::root(Kind::P256);
    let named = |name: &str| {
        let mut params = broker();
        params.subject_alt_names = vec![SanType::DnsName(name.try_into().unwrap())];
        mosquitto(root.signs(Kind::P256, params).tls(&[]))
    };
    let trial = Trial {
        host: Some("broker.home.example"),
        ..Trial::of(&root)
    };
    trial.is_online(&named("broker.home.example"));
    trial.is_online(&named("*.home.example"));
    let why = "not trusted: its certificate is for another name";
    trial.is_refused(named("home.example").tls_port(), why);
}

#[test]
fn a_certificate_is_only_good_between_its_dates() {
    let expired = "not trusted: its certificate expired at 20";
    refused(valid(broker(), -20, -2), expired);
    let early = "not trusted: its certificate is not valid before 20";
    refused(valid(broker(), 2, 20), early);
}

#[test]
fn a_server_cannot_vouch_for_another() {
    let root = Identity::root(Kind::P256);
    let mut params = broker();
    // It even says that its key is for that; that it is a CA, only a CA could have said.
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages.push(KeyUsagePurpose::KeyCertSign);
    let leaf = root.signs(Kind::P256, params);
    let other = leaf.signs(Kind::P256, broker());
    let mosquitto = mosquitto(other.tls(&[&leaf]));
    let why = "not trusted: its certificate is signed by one that is no CA's";
    Trial::of(&root).is_refused(mosquitto.tls_port(), why);
}

#[test]
fn a_key_is_only_good_for_what_it_is_meant_for() {
    let mut params = broker();
    params.key_usages = vec![KeyUsagePurpose::KeyEncipherment];
    let why = "not trusted: its certificate's key is not for signing (key usage)";
    refused(params, why);
    let mut params = broker();
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let why = "not trusted: its certificate is not for a server (extended key usage)";
    refused(params, why);
}

#[test]
fn a_ca_whose_key_is_not_for_certificates_cannot_vouch() {
    let root = Identity::root(Kind::P256);
    let mut params = ca("Between");
    params.key_usages = vec![KeyUsagePurpose::CrlSign];
    let between = root.signs(Kind::P256, params);
    let leaf = between.signs(Kind::P256, broker());
    let mosquitto = mosquitto(leaf.tls(&[&between]));
    let why = "not trusted: a CA's key above it is not for signing certificates (key usage)";
    Trial::of(&root).is_refused(mosquitto.tls_port(), why);
}

#[test]
fn a_ca_s_own_certificate_is_no_server_s() {
    let root = Identity::root(Kind::P256);
    let mosquitto = mosquitto(root.tls(&[]));
    let why = "not trusted: its certificate is a CA's own, not a server's";
    Trial::of(&root).is_refused(mosquitto.tls_port(), why);
}

#[test]
fn a_server_s_certificate_is_no_ca_s() {
    let leaf = Identity::root(Kind::P256).signs(Kind::P256, broker());
    let mosquitto = mosquitto(leaf.tls(&[]));
    let why = "not trusted: broker.ca holds no certificate of a CA";
    Trial::of(&leaf).is_refused(mosquitto.tls_port(), why);
}

#[test]
fn whoever_shows_a_certificate_without_having_its_key_is_refused() {
    for kind in [Kind::P256, Kind::Rsa(2048)] {
        let root = Identity::root(Kind::P256);
        let shown = root.signs(kind, broker());
        let has = root.signs(kind, broker());
        let scripted = Scripted::listen(&shown, &has, Manners::Good);
        let why = "not trusted: it does not have the key to its certificate";
        Trial::of(&root).is_refused(scripted.port(), why);
    }
}

#[test]
fn a_whole_handshake_without_a_certificate_is_no_proof() {
    let root = Identity::root(Kind::P256);
    let why = "not trusted: it shows no certificate";
    Trial::of(&root).is_refused(anonymous::listen(), why);
}

#[test]
fn a_handshake_that_ends_in_the_middle_is_no_connection() {
    let root = Identity::root(Kind::P256);
    let mosquitto = mosquitto(root.signs(Kind::P256, broker()).tls(&[]));
    let proxy = Proxy::to(mosquitto.tls_port());
    let trial = Trial::of(&root);
    let mut device = trial.start(proxy.port());
    let why = "closed by the broker in the middle of the TLS handshake";
    // In a head, in the broker's hello, before and in what is encrypted.
    for (place, bytes) in [3, 60, 133, 400].into_iter().enumerate() {
        proxy.cut_after(Direction::Down, bytes);
        expect(&mut *device.device, why, place + 1);
    }
}

#[test]
fn a_broker_with_only_tls_1_2_is_told_apart() {
    let root = Identity::root(Kind::P256);
    let leaf = root.signs(Kind::P256, broker());
    let scripted = Scripted::listen(&leaf, &leaf, Manners::OldVersion);
    Trial::of(&root).is_refused(scripted.port(), "it does not speak TLS 1.3");
}

#[test]
fn a_broker_that_wants_a_certificate_of_the_device_is_told_apart() {
    let root = Identity::root(Kind::P256);
    let mosquitto = mosquitto(Tls {
        clients: Some(root.pem.clone()),
        ..root.signs(Kind::P256, broker()).tls(&[])
    });
    let why = "the broker ended TLS with an alert; it may want a certificate";
    Trial::of(&root).is_refused(mosquitto.tls_port(), why);
}

#[test]
fn what_an_outsider_puts_into_the_connection_ends_it_and_nothing_else() {
    let root = Identity::root(Kind::P256);
    let leaf = root.signs(Kind::P256, broker());
    for manners in [Manners::HandshakeInTheClear, Manners::EmptyRecord] {
        let scripted = Scripted::listen(&leaf, &leaf, manners);
        let mut device = Trial::of(&root).start(scripted.port());
        expect(&mut *device.device, "what came is not the broker's TLS", 2);
        let starts = |line: &&String| line.contains("this is tls, start");
        assert_eq!(device.device.log().iter().filter(starts).count(), 1);
    }
}

#[test]
fn without_the_time_nobody_is_trusted() {
    let root = Identity::root(Kind::P256);
    let mosquitto = mosquitto(root.signs(Kind::P256, broker()).tls(&[]));
    let trial = Trial {
        time: &[Manner::NotSet],
        ..Trial::of(&root)
    };
    let why = "TLS needs the time, to judge certificates by, and nobody has told it yet";
    trial.is_refused(mosquitto.tls_port(), why);
}

#[test]
fn without_a_ca_nobody_is_trusted() {
    let root = Identity::root(Kind::P256);
    let mosquitto = mosquitto(root.signs(Kind::P256, broker()).tls(&[]));
    let trial = Trial {
        ca: None,
        ..Trial::of(&root)
    };
    let why = "TLS needs the certificate of a CA (broker.ca), and none is stored";
    trial.is_refused(mosquitto.tls_port(), why);
}

fn mosquitto(tls: Tls) -> Mosquitto {
    Mosquitto::start(Setup {
        tls: Some(tls),
        ..Setup::default()
    })
}

/// A broker whose certificate, from the right CA, says this, is refused, and why is said.
fn refused(params: rcgen::CertificateParams, why: &str) {
    let root = Identity::root(Kind::P256);
    let mosquitto = mosquitto(root.signs(Kind::P256, params).tls(&[]));
    Trial::of(&root).is_refused(mosquitto.tls_port(), why);
}

/// What a device is told.
struct Trial {
    /// The certificates in `broker.ca`.
    ca: Option<String>,
    time: &'static [Manner],
    /// The broker's name, if it has one.
    host: Option<&'static str>,
}

/// A device that runs, and what it needs.
struct Running {
    device: Box<dyn Device>,
    _time: TimeServer,
    _names: Option<Names>,
    _folder: Folder,
}

impl Trial {
    fn of(ca: &Identity) -> Self {
        Trial {
            ca: Some(ca.pem.clone()),
            time: &[Manner::Right],
            host: None,
        }
    }

    /// Starts a device whose broker is at this port.
    fn start(&self, port: u16) -> Running {
        let (time, folder) = (TimeServer::start(self.time), Folder::new());
        let names = self.host.map(|host| {
            let names = Names::start();
            names.add(host, HOST);
            names
        });
        let host = self.host.unwrap_or("127.0.0.1");
        let mut options = Options {
            id: ID.into(),
            broker: format!("mqtts://{host}:{port}"),
            settings: Vec::new(),
            state: folder.path().join("state"),
            resolver: names.as_ref().map(Names::resolver),
            has_cable: false,
        };
        options = options.set("time.server", &time.setting());
        if let Some(ca) = &self.ca {
            let file = folder.path().join("ca.pem");
            fs::write(&file, ca).expect("the folder is writable");
            options = options.set("broker.ca", file.to_str().expect("a path in UTF-8"));
        }
        let mut device = Virt.device(options);
        device.power_on();
        Running {
            device,
            _time: time,
            _names: names,
            _folder: folder,
        }
    }

    fn is_online(&self, mosquitto: &Mosquitto) {
        let mut observer = Observer::new(mosquitto, &["monster/tls/#"]);
        let _device = self.start(mosquitto.tls_port());
        observer.expect_text("monster/tls/status", SOON, "online");
    }

    fn is_refused(&self, port: u16, why: &str) {
        expect(&mut *self.start(port).device, why, 1);
    }
}

/// Waits until the device has said this so many times.
fn expect(device: &mut dyn Device, text: &str, times: usize) {
    let deadline = Instant::now() + SOON;
    let said = |device: &dyn Device| {
        let log = device.log();
        log.iter().filter(|line| line.contains(text)).count()
    };
    while said(device) < times {
        assert!(device.is_alive(), "it has ended");
        assert!(Instant::now() < deadline, "it does not say `{text}`");
        std::thread::sleep(Duration::from_millis(20));
    }
}
