//! The bench: the other end of this board's pins, as lines on the virtconsole.
//!
//! | from the bench | what it does |
//! |---|---|
//! | `button 1`, `button 0` | presses the button, lets it go: one edge, bouncing or not |
//! | `pulses 80 80 50 27 …` | what the sensor answers from now on: the widths of its pulses in microseconds; none: nothing |
//! | `wifi secret123 Attic`, `wifi - Attic` | there is this network from now on, and it takes this password, or none; before the first of these lines there is every network, and it takes any |
//! | `no wifi Attic` | it is gone; whoever had joined it loses it |
//! | `pins` | asks for the levels of all pins |
//! | `access point` | asks whether it is open |
//! | `memory` | asks how much of the RAM is used |
//! | `overflow` | uses up the stack: the machine says so and starts anew |
//!
//! | to the bench | when |
//! |---|---|
//! | `started` | the machine was started: its pins are not set yet |
//! | `switch 1`, `switch 0` | the switch's pin is set, or was asked for |
//! | `led 1`, `led 0` | the status LED is lit, or dark |
//! | `wifi accepted Attic`, `wifi refused Attic`, `wifi none Attic` | what came of joining this network: it took the password, it did not, or there is none of this name |
//! | `wifi left` | the network was left |
//! | `ap 1`, `ap 0` | the access point is open, or closed |
//! | `identify` | the device shows which one it is |
//! | `memory statics 1 stack 2 of 3` | bytes of RAM: in statics, of the deepest stack so far, in all |
//! | `? …` | the line makes no sense |

use core::cell::{Cell, RefCell};
use core::fmt::{self, Write};
use core::future::poll_fn;

use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::channel::Channel;
use embassy_sync::signal::Signal;
use heapless::{String, Vec};
use monster::dht::{self, PULSES, Reading};
use monster::settings::value::{ClimateKind, Text, Value};
use monster::settings::{SSID_MAX, Secret, WIFI_PASSWORD_MAX, WIFI_PASSWORD_MIN, WifiSettings};
use monster::wifi::{Heard, Networks};
use monster_net::JoinError;

use crate::hw::console::{Console, SIZE};
use crate::hw::{memory, stack};

/// How many pulses the sensor can be made to answer with: more than a good answer has.
pub const PULSES_MAX: usize = PULSES + 17;
/// How many networks there can be.
const NETWORKS: usize = 6;
/// How many edges of the button wait to be looked at.
const EDGES: usize = 32;

/// The levels of the pins, and the line to whoever moves them.
pub struct Bench {
    console: RefCell<Option<Console>>,
    switch: Cell<Option<bool>>,
    pulses: RefCell<Vec<u16, PULSES_MAX>>,
    edges: Channel<NoopRawMutex, bool, EDGES>,
    /// The access point is open.
    is_open: Cell<bool>,
    /// The networks there are; `None`: every one that is asked for.
    networks: RefCell<Option<Vec<WifiSettings, NETWORKS>>>,
    /// There are other networks than before.
    air: Signal<NoopRawMutex, ()>,
}

impl Bench {
    /// A bench with this sensor: until it is told otherwise it is 23.4 °C and 56.0 %.
    pub fn new(console: Option<Console>, sensor: ClimateKind) -> Self {
        let kind = sensor.on_the_line();
        let reading = Reading {
            temperature: 234,
            humidity: 560,
        };
        let pulses = kind.map(|kind| dht::encode(kind, reading));
        let bench = Bench {
            console: RefCell::new(console),
            switch: Cell::new(None),
            pulses: RefCell::new(pulses.into_iter().flatten().collect()),
            edges: Channel::new(),
            is_open: Cell::new(false),
            networks: RefCell::new(None),
            air: Signal::new(),
        };
        bench.say(format_args!("started"));
        bench
    }

    /// The switch's pin is set.
    pub fn set_switch(&self, level: bool) {
        self.switch.set(Some(level));
        self.say_pins();
    }

    /// The next edge of the button's pin.
    pub async fn button_edge(&self) -> bool {
        self.edges.receive().await
    }

    /// What the sensor answers.
    pub fn measure(&self) -> Vec<u16, PULSES_MAX> {
        self.pulses.borrow().clone()
    }

    /// The status LED's pin is set.
    pub fn set_led(&self, lit: bool) {
        self.say(format_args!("led {}", u8::from(lit)));
    }

    /// The access point is opened, or closed.
    pub fn set_access_point(&self, up: bool) {
        self.is_open.set(up);
        self.say_access_point();
    }

    /// What comes of joining this network.
    pub fn join(&self, network: &WifiSettings) -> Result<(), JoinError> {
        let result = match &*self.networks.borrow() {
            None => Ok(()),
            Some(networks) => match named(networks, network.ssid.as_str()) {
                None => Err(JoinError::NoSuchNetwork),
                Some(there) if there.password == network.password => Ok(()),
                Some(_) => Err(JoinError::Refused),
            },
        };
        let word = match result {
            Ok(()) => "accepted",
            Err(JoinError::NoSuchNetwork) => "none",
            Err(_) => "refused",
        };
        self.say(format_args!("wifi {word} {}", network.ssid.as_str()));
        result
    }

    /// The networks that are heard: each one weaker than the one before.
    pub fn scan(&self) -> Networks {
        const STRONGEST: i8 = -48;
        let mut heard = Networks::new();
        let networks = self.networks.borrow();
        let rssi = (0..).map(|place| STRONGEST - 8 * place);
        for (network, rssi) in networks.iter().flatten().zip(rssi) {
            heard.add(Heard {
                ssid: String::try_from(network.ssid.as_str()).unwrap_or_default(),
                rssi,
                is_secure: network.password.is_set(),
            });
        }
        heard
    }

    /// The network was left.
    pub fn leave(&self) {
        self.say(format_args!("wifi left"));
    }

    /// Waits until there is no such network any more.
    pub async fn wait_until_gone(&self, ssid: &str) {
        while self
            .networks
            .borrow()
            .as_ref()
            .is_none_or(|networks| named(networks, ssid).is_some())
        {
            self.air.wait().await;
        }
    }

    /// The device shows which one it is.
    pub fn identify(&self) {
        self.say(format_args!("identify"));
    }

    /// Does what the bench says, for ever.
    pub async fn run(&self) -> ! {
        let mut line = Vec::<u8, SIZE>::new();
        let mut piece = [0; SIZE];
        loop {
            let count = poll_fn(|context| match &mut *self.console.borrow_mut() {
                Some(console) => console.poll_read(context, &mut piece),
                None => core::task::Poll::Pending,
            })
            .await;
            for byte in piece.get(..count).unwrap_or_default() {
                if *byte == b'\n' {
                    self.obey(
                        str::from_utf8(&line)
                            .unwrap_or("text that is not UTF-8")
                            .trim(),
                    );
                    line.clear();
                } else if line.push(*byte).is_err() {
                    self.say(format_args!("? a line is at most {SIZE} bytes long"));
                    line.clear();
                }
            }
        }
    }

    fn obey(&self, line: &str) {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match (word, rest) {
            ("button", "0" | "1") => {
                if self.edges.try_send(rest == "1").is_err() {
                    self.say(format_args!("? more than {EDGES} edges at once"));
                }
            }
            ("pulses", _) => match pulses(rest) {
                Some(pulses) => *self.pulses.borrow_mut() = pulses,
                None => self.say(format_args!(
                    "? pulses are at most {PULSES_MAX} numbers up to 65535"
                )),
            },
            ("wifi", _) => match network(rest) {
                Some(network) => self.add(network),
                None => self.say(format_args!(
                    "? a network is `wifi PASSWORD NAME`, or `wifi - NAME`"
                )),
            },
            ("no", _) if rest.starts_with("wifi ") => self.remove(&rest["wifi ".len()..]),
            ("pins", "") => self.say_pins(),
            ("access", "point") => self.say_access_point(),
            ("memory", "") => {
                let memory::Use {
                    statics,
                    stack,
                    total,
                } = memory::usage();
                self.say(format_args!(
                    "memory statics {statics} stack {stack} of {total}"
                ));
            }
            ("overflow", "") => stack::overflow(),
            _ => self.say(format_args!("? {line}")),
        }
    }

    fn add(&self, network: WifiSettings) {
        self.remove(network.ssid.as_str());
        let mut networks = self.networks.borrow_mut();
        if networks.get_or_insert_default().push(network).is_err() {
            self.say(format_args!("? there are {NETWORKS} networks at most"));
        }
    }

    fn remove(&self, ssid: &str) {
        let mut networks = self.networks.borrow_mut();
        networks
            .get_or_insert_default()
            .retain(|network| network.ssid.as_str() != ssid);
        self.air.signal(());
    }

    fn say_access_point(&self) {
        self.say(format_args!("ap {}", u8::from(self.is_open.get())));
    }

    fn say_pins(&self) {
        if let Some(level) = self.switch.get() {
            self.say(format_args!("switch {}", u8::from(level)));
        }
    }

    fn say(&self, line: fmt::Arguments<'_>) {
        let mut text = String::<SIZE>::new();
        if writeln!(text, "{line}").is_ok()
            && let Some(console) = &mut *self.console.borrow_mut()
        {
            console.write(text.as_bytes());
        }
    }
}

/// The network of this name.
fn named<'a>(networks: &'a [WifiSettings], ssid: &str) -> Option<&'a WifiSettings> {
    networks
        .iter()
        .find(|network| network.ssid.as_str() == ssid)
}

/// `PASSWORD NAME`.
fn network(text: &str) -> Option<WifiSettings> {
    let (password, ssid) = text.split_once(' ')?;
    let password = if password == "-" { "" } else { password };
    Some(WifiSettings {
        ssid: Text::<0, SSID_MAX>::parse(ssid).ok()?,
        password: Secret::<WIFI_PASSWORD_MAX, WIFI_PASSWORD_MIN>::parse(password).ok()?,
    })
}

fn pulses(text: &str) -> Option<Vec<u16, PULSES_MAX>> {
    let mut pulses = Vec::new();
    for number in text.split_ascii_whitespace() {
        pulses.push(number.parse().ok()?).ok()?;
    }
    Some(pulses)
}
