//! The portal: setting the device up over its own access point. What the radio hears, and what came of
//! the last new settings of WiFi and broker that were tried.

use core::cell::{Cell, RefCell};
use core::fmt;
use core::net::IpAddr;

use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::signal::Signal;
use heapless::String;
use monster::settings::{BrokerSettings, SSID_MAX, Settings, WifiSettings};
use monster::trial::Outcome;
use monster::wifi::{Heard, Networks};

use crate::changes::{Changes, Refusal};
use crate::json::Text;
use crate::state::{Console, Host, Request};
use crate::status::OrNull;

/// Where the portal is, on the access point of every device.
pub(crate) const ADDRESS: &str = "http://192.168.4.1/";

/// By which way somebody comes to the console.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entrance {
    /// A network the device has joined; on a desk, any.
    Network,
    /// The device's own access point, where it goes by every name.
    AccessPoint,
}

/// What is known of the portal.
pub(crate) struct Portal {
    /// The access point is up, and when it came up the device was not set up: no password is asked for.
    is_open: Cell<bool>,
    /// Somebody has used it.
    is_used: Cell<bool>,
    scan: Signal<NoopRawMutex, ()>,
    networks: RefCell<Networks>,
    /// How often there were news of the networks.
    scans: Cell<u32>,
    trial: RefCell<Option<Tried>>,
}

/// A trial of other settings, and how it stands.
struct Tried {
    ssid: String<SSID_MAX, u8>,
    outcome: Outcome,
}

impl Portal {
    pub const fn new() -> Self {
        Portal {
            is_open: Cell::new(false),
            is_used: Cell::new(false),
            scan: Signal::new(),
            networks: RefCell::new(Networks::new()),
            scans: Cell::new(0),
            trial: RefCell::new(None),
        }
    }

    pub fn is_trying(&self) -> bool {
        let trial = self.trial.borrow();
        let outcome = trial.as_ref().map(|tried| &tried.outcome);
        matches!(outcome, Some(Outcome::Trying(_)))
    }
}

/// For the board.
impl<H: Host> Console<H> {
    /// The access point is up, or is down again.
    pub fn set_access_point(&self, up: bool) {
        let is_set_up = self.settings(is_set_up);
        self.portal.is_open.set(up && !is_set_up);
    }

    /// Whether somebody has used the portal since this was asked last.
    pub fn was_portal_used(&self) -> bool {
        self.portal.is_used.take()
    }

    /// Waits until somebody wants to know which networks there are; then [`heard`](Self::heard).
    ///
    /// Cancelling it loses nothing.
    pub async fn scan_wanted(&self) {
        self.portal.scan.wait().await;
    }

    /// The networks the radio hears.
    pub fn heard(&self, networks: Networks) {
        self.portal.networks.replace(networks);
        self.portal.scans.update(|scans| scans.wrapping_add(1));
        self.tell();
    }

    /// With [`Request::Try`]: the settings that are to be tried.
    pub async fn on_trial(&self) -> (WifiSettings, BrokerSettings) {
        let changes = self.changes().await;
        let mut settings = self.settings(Settings::clone);
        // They were found to be right before.
        let _ = self.apply(&changes, &mut settings);
        (settings.wifi, settings.broker)
    }

    /// How the trial stands. When it has succeeded, [`changes`](Self::changes) are stored already.
    pub async fn tried(&self, outcome: Outcome) {
        match &outcome {
            Outcome::Trying(_) => {}
            Outcome::Succeeded => {
                let mut changes = self.changes_mut().await;
                // They were found to be right before.
                let _ = self.adopt(&changes, Ok(()));
                changes.clear();
            }
            Outcome::Failed(_) => self.changes_mut().await.clear(),
        }
        if let Some(tried) = &mut *self.portal.trial.borrow_mut() {
            tried.outcome = outcome;
        }
        self.tell();
    }
}

/// For those at the console.
impl<H: Host> Console<H> {
    /// Whether this may be asked for without a password, by this way: joining the access point took one.
    pub(crate) fn is_open(&self, entrance: Entrance, path: &str, method: &str) -> bool {
        let is_about_it = matches!(path, "/api/wifi" | "/api/join");
        let is_open = self.portal.is_open.get() && entrance == Entrance::AccessPoint;
        // Once it is set up, there is only the outcome to see.
        is_open && is_about_it && (method == "GET" || !self.settings(is_set_up))
    }

    /// Somebody came by this way.
    pub(crate) fn came_by(&self, entrance: Entrance) {
        if entrance == Entrance::AccessPoint {
            self.portal.is_used.set(true);
        }
    }

    /// Has the radio listen, and waits until it has. Cancel it if that takes too long.
    pub(crate) async fn listen(&self) {
        let before = self.portal.scans.get();
        self.portal.scan.signal(());
        let Some(mut news) = self.news() else {
            return;
        };
        while self.portal.scans.get() == before {
            news.changed().await;
        }
    }

    /// Has other settings of WiFi and broker tried, if they are allowed: `fill` has them.
    pub(crate) async fn join(
        &self,
        fill: impl FnOnce(&mut Changes) -> Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        let _turn = self.turn().await;
        self.check_trial()?;
        let mut changes = self.changes_mut().await;
        if let Err(refusal) = self.prepare(fill, &mut changes) {
            changes.clear();
            return Err(refusal);
        }
        let ssid = self.new_ssid(&changes)?;
        drop(changes);
        let outcome = Outcome::Trying(monster::trial::Step::Wifi);
        self.portal.trial.replace(Some(Tried { ssid, outcome }));
        let begun = self.ask(Request::Try).await;
        begun.map_err(|why| {
            self.portal.trial.replace(None);
            Refusal::new(None, format_args!("{why}"))
        })
    }

    fn new_ssid(&self, changes: &Changes) -> Result<String<SSID_MAX, u8>, Refusal> {
        let mut settings = self.settings(Settings::clone);
        self.apply(changes, &mut settings)?;
        Ok(String::try_from(settings.wifi.ssid.as_str()).unwrap_or_default())
    }

    /// While settings are tried, no others can be stored.
    pub(crate) fn check_trial(&self) -> Result<(), Refusal> {
        match self.portal.is_trying() {
            true => Err(Refusal::new(
                None,
                format_args!("new WiFi settings are being tried; wait a minute"),
            )),
            false => Ok(()),
        }
    }

    /// What the API says of the networks: all but the networks.
    pub(crate) fn round_networks(&self) -> (impl fmt::Display, &'static str) {
        let head = fmt::from_fn(|f| {
            let joined = self.status(|status, _| status.diagnostics.ip).flatten();
            write!(f, r#"{{"name":"Monster-{}","joined":"#, self.id())?;
            self.settings(|settings| {
                let ssid = settings.wifi.ssid.as_str();
                let ssid = (!ssid.is_empty() && joined.is_some()).then_some(ssid);
                write!(f, r#"{},"networks":["#, OrNull(ssid.map(Text)))
            })
        });
        (head, "]}")
    }

    /// The network at this place among those that were heard last, as the API has it.
    pub(crate) fn network(&self, place: usize) -> Option<impl fmt::Display> {
        let heard = self.portal.networks.borrow().iter().nth(place)?.clone();
        Some(fmt::from_fn(move |f| {
            let Heard {
                ssid,
                rssi,
                is_secure,
            } = &heard;
            let (comma, ssid) = (if place > 0 { "," } else { "" }, Text(ssid));
            write!(
                f,
                r#"{comma}{{"ssid":{ssid},"rssi":{rssi},"secure":{is_secure}}}"#
            )
        }))
    }

    /// What came of the last trial, as the API has it.
    pub(crate) fn trial(&self) -> impl fmt::Display {
        fmt::from_fn(|f| {
            let ip = self.status(|status, _| status.diagnostics.ip).flatten();
            match &*self.portal.trial.borrow() {
                None => f.write_str(r#"{"state":"none","step":null,"error":null,"ssid":null}"#),
                Some(tried) => tried.write(ip, f),
            }
        })
    }
}

impl Tried {
    fn write(&self, ip: Option<IpAddr>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ssid = Text(&self.ssid);
        match &self.outcome {
            Outcome::Trying(step) => write!(
                f,
                r#"{{"state":"trying","step":"{}","error":null,"ssid":{ssid}}}"#,
                step.as_str()
            ),
            Outcome::Succeeded => {
                write!(
                    f,
                    r#"{{"state":"joined","step":null,"error":null,"ssid":{ssid},"ip":"#
                )?;
                match ip {
                    Some(ip) => write!(f, r#""{ip}"}}"#),
                    None => f.write_str("null}"),
                }
            }
            Outcome::Failed(failure) => write!(
                f,
                r#"{{"state":"failed","step":"{}","error":{},"ssid":{ssid}}}"#,
                failure.step.as_str(),
                Text(&failure.reason)
            ),
        }
    }
}

/// The keys of a trial, as the API and as the settings have them.
const KEYS: [(&str, &str); 5] = [
    ("ssid", "wifi.ssid"),
    ("password", "wifi.password"),
    ("broker.url", "broker.url"),
    ("broker.user", "broker.user"),
    ("broker.password", "broker.password"),
];

/// Takes `{"ssid":"…","password":"…","broker.url":"…",…}`.
pub(crate) fn read(json: &[u8], changes: &mut Changes) -> Result<(), Refusal> {
    let mut given = Changes::new();
    given.add_json(json)?;
    for (key, text) in given.iter() {
        let Some((_, setting)) = KEYS.iter().find(|(name, _)| *name == key) else {
            let all = "ssid, password, broker.url, broker.user, broker.password";
            let error =
                format_args!("{key}: there is nothing of this name to join; allowed: {all}");
            return Err(Refusal::new(Some(key), error));
        };
        if text.is_empty() && matches!(key, "ssid" | "broker.url") {
            let error = format_args!("{key}: it is missing; a device needs a network and a broker");
            return Err(Refusal::new(Some(key), error));
        }
        changes.add(setting, text)?;
    }
    let is_there = |wanted: &str| given.iter().any(|(key, _)| key == wanted);
    if let Some(missing) = ["ssid", "broker.url"]
        .into_iter()
        .find(|key| !is_there(key))
    {
        let error = format_args!("{missing}: it is missing; a device needs a network and a broker");
        return Err(Refusal::new(Some(missing), error));
    }
    Ok(())
}

/// Whether there is a network to join and a broker.
fn is_set_up(settings: &Settings) -> bool {
    !settings.wifi.ssid.as_str().is_empty() && settings.broker.url.is_some()
}
