//! Chaos: the virtual microcontroller under random commands while brokers die, cables are pulled, power is cut and
//! nonsense comes in; and what must hold all the same.
//!
//! - It always comes back.
//! - The pin is as the state it published last.
//! - No command with an id is executed twice; and once, where no start came between.
//! - Counters only grow, and it never starts unless it was made to.

mod episode;

use std::thread;
use std::time::{Duration, Instant};

use fastrand::Rng;
use serde_json::Value;

use crate::broker::Mosquitto;
use crate::device::Device;
use crate::observer::{Message, Observer};
use crate::proxy::Proxy;
use crate::publisher::Publish;
use crate::scripted::{CONNACK, Scripted};
use crate::virt::{Bench, Virt, VirtDevice};
use crate::world::{World, after, observe, tree};
use episode::{Blow, Episode};

/// How long it may take to come back, besides its own wait: connecting, two times five seconds, to a broker that
/// may be held, and a busy machine.
const BACK_WITHIN: Duration = Duration::from_secs(25);
/// Its longest wait is a fifth of the time since its start, and at most this.
const WAIT_MAX: Duration = Duration::from_secs(120);
/// How long the pin may move, and what is said of it be under way: longer than the longest pulse.
const SETTLED_WITHIN: Duration = Duration::from_secs(3);
/// How long after it came a pulse is surely over.
const PULSE_ENDS_WITHIN: Duration = Duration::from_millis(1000);
/// How long a connection is waited for by who has nonsense for it.
const NONSENSE_WAITS: Duration = Duration::from_secs(3);

/// Chaos drawn from `seed`, until so much time has passed; every episode is printed before it is played.
///
/// # Panics
///
/// When something does not hold.
pub fn run(seed: u64, time: Duration) {
    let started = Instant::now();
    let world = World::new(&Virt);
    let broker = world.broker();
    let proxy = Proxy::to(broker.port());
    let options = world.options(&proxy.url());
    let options = options
        .set("switch.power_on", "restore")
        .set("mqtt.keep_alive", "8");
    let mut chaos = Chaos::start(VirtDevice::new(options), broker, proxy);
    let mut random = Rng::with_seed(seed);
    let mut episodes = 0;
    chaos.calm();
    while started.elapsed() < time {
        episodes += 1;
        let episode = Episode::draw(&mut random, episodes);
        println!(
            "{:7.1} s  {episodes}: {episode}",
            started.elapsed().as_secs_f64()
        );
        chaos.play(&episode);
    }
    println!(
        "seed {seed}: {episodes} episodes, {} starts, {} commands executed once; the deepest stack: {} bytes",
        chaos.starts, chaos.once, chaos.stack
    );
}

struct Chaos {
    device: VirtDevice,
    bench: Option<Bench>,
    observer: Observer,
    broker: Mosquitto,
    proxy: Proxy,
    /// How often it was made to start, and when last.
    starts: u64,
    started: Instant,
    pin: Pin,
    published: Option<String>,
    counters: Option<Value>,
    beat: Option<u64>,
    /// It was made to start since its last heartbeat was heard.
    beats_anew: bool,
    once: u64,
    stack: u64,
}

/// The switch's pin, as the bench tells of it.
#[derive(Default)]
struct Pin {
    /// Its level, once it was set since the last start.
    level: Option<bool>,
    /// How often it changed, without what a start does to it.
    changes: u64,
}

impl Pin {
    fn hear(&mut self, lines: &[String]) {
        for line in lines {
            let level = match &**line {
                "started" => None,
                "switch 0" => Some(false),
                "switch 1" => Some(true),
                _ => continue,
            };
            if self.level.is_some() && level.is_some() && self.level != level {
                self.changes += 1;
            }
            self.level = level;
        }
    }
}

impl Chaos {
    fn start(device: VirtDevice, broker: Mosquitto, proxy: Proxy) -> Self {
        let observer = observe(&broker);
        let mut chaos = Chaos {
            device,
            bench: None,
            observer,
            broker,
            proxy,
            starts: 0,
            started: Instant::now(),
            pin: Pin::default(),
            published: None,
            counters: None,
            beat: None,
            beats_anew: true,
            once: 0,
            stack: 0,
        };
        chaos.power_on();
        chaos
    }

    fn play(&mut self, episode: &Episode) {
        let changes = self.pin.changes;
        let send = |chaos: &Chaos, sends: &[episode::Send]| {
            for send in sends {
                let message = Publish::new(send.topic.clone(), send.payload.clone());
                message.qos(send.qos).to(&chaos.broker);
            }
        };
        send(self, &episode.before);
        self.strike(&episode.blow);
        send(self, &episode.after);
        self.calm();
        self.proxy.spare();
        if episode.pulses() {
            // What the pin still does is not to be taken for what comes next.
            thread::sleep(PULSE_ENDS_WITHIN);
        }
        // A cut may have come after the answer.
        self.calm();
        if episode.once {
            // What was sent while nobody listened is sent again to who does.
            send(self, &episode.after[episode.after.len() - 1..]);
            self.calm();
            let times = self.pin.changes - changes;
            let least = u64::from(!episode.blow.restarts());
            assert!(
                (least..=1).contains(&times),
                "a command with an id was executed {times} times"
            );
            self.once += times;
        }
    }

    fn strike(&mut self, blow: &Blow) {
        match blow {
            Blow::Nothing => {}
            Blow::BrokerKilled(away) => {
                self.broker.kill();
                thread::sleep(*away);
                self.restart_broker();
            }
            Blow::BrokerHeld(away) => {
                self.broker.hold();
                thread::sleep(*away);
                self.broker.release();
            }
            Blow::CablePulled(away) => {
                self.device.pull_cable();
                thread::sleep(*away);
                self.device.restore_cable();
            }
            Blow::PowerCut(away) => {
                self.said_nothing_wrong();
                self.device.cut_power();
                if let Some(bench) = self.bench.take() {
                    self.pin.hear(&bench.rest());
                }
                thread::sleep(*away);
                self.power_on();
            }
            Blow::Restart => {
                Publish::new(tree("/sys/set"), "restart")
                    .qos(1)
                    .to(&self.broker);
                self.starts();
                let bench = self.bench.as_mut().expect("it has power");
                self.pin.hear(&bench.hear_until("started"));
            }
            Blow::Cut(direction, bytes) => {
                self.proxy.cut_after(*direction, *bytes);
            }
            Blow::Nonsense(all) => {
                let scripted = Scripted::listen();
                self.proxy.lead_to(scripted.port());
                for (greeted, bytes) in all {
                    let Some(mut peer) = scripted.next(NONSENSE_WAITS) else {
                        break;
                    };
                    peer.hear(Duration::from_secs(1));
                    if *greeted {
                        peer.send(&CONNACK);
                        peer.serve(Duration::from_millis(50), |_| false);
                    }
                    peer.send(bytes);
                    peer.serve(Duration::from_millis(200), |_| false);
                }
                self.proxy.lead_to(self.broker.port());
            }
        }
    }

    fn power_on(&mut self) {
        self.starts();
        self.device.power_on();
        self.bench = Some(self.device.bench());
        self.pin.level = None;
    }

    fn starts(&mut self) {
        self.starts += 1;
        self.started = Instant::now();
        self.beats_anew = true;
    }

    fn restart_broker(&mut self) {
        self.listen();
        self.broker.restart();
        self.observer = observe(&self.broker);
        self.published = None;
    }

    /// Waits until the device is back, and what it says is what it does.
    fn calm(&mut self) {
        let wait = (self.started.elapsed() / 5).min(WAIT_MAX);
        let deadline = Instant::now() + BACK_WITHIN + wait;
        let is_reading = |message: &Message| message.payload.starts_with(b"th=");
        self.listen();
        loop {
            assert!(Instant::now() < deadline, "it does not come back");
            Publish::new(World::ID, "getTH").to(&self.broker);
            thread::sleep(Duration::from_millis(100));
            if self.listen().iter().any(is_reading) {
                break;
            }
        }
        let deadline = Instant::now() + SETTLED_WITHIN;
        loop {
            self.listen();
            self.listen_to_bench();
            let level = self.pin.level.map(|level| if level { "on" } else { "off" });
            if level.is_some() && level == self.published.as_deref() {
                break;
            }
            assert!(
                Instant::now() < deadline,
                "the pin is {level:?}, what was published {:?}",
                self.published
            );
            thread::sleep(Duration::from_millis(50));
        }
        self.said_nothing_wrong();
    }

    fn listen_to_bench(&mut self) {
        let bench = self.bench.as_mut().expect("it has power");
        bench.say("pins");
        bench.say("memory");
        let lines = bench.hear_until("memory");
        self.pin.hear(&lines);
        let words = lines.last().map(|line| line.split(' '));
        let stack = words.and_then(|mut words| words.nth(4)?.parse().ok());
        self.stack = self
            .stack
            .max(stack.expect("`memory statics N stack N of N`"));
    }

    /// Looks at all that was published since, and returns it.
    fn listen(&mut self) -> Vec<Message> {
        let messages = self.observer.drain();
        for message in &messages {
            if message.topic == tree("/switch/0") {
                self.published = Some(message.text());
            } else if message.topic == tree("/diag") {
                self.judge_counters(message.json());
            } else if message.topic == after()
                && let Some(beat) = message.text().strip_prefix("t=")
            {
                self.judge_beat(beat.parse().expect("a number"));
            }
        }
        messages
    }

    fn judge_beat(&mut self, beat: u64) {
        let grew = self.beat.is_none_or(|last| beat > last);
        assert!(
            grew || self.beats_anew,
            "the heartbeat was {:?}, and is {beat}",
            self.beat
        );
        if !grew {
            self.beats_anew = false;
        }
        self.beat = Some(beat);
    }

    fn judge_counters(&mut self, now: Value) {
        let count = |value: &Value, key: &str| {
            let count = value[key].as_u64();
            count.unwrap_or_else(|| panic!("there is no `{key}` in {value}"))
        };
        let boots = count(&now, "boots");
        assert!(
            boots <= self.starts,
            "it started by itself: {boots} times, not {}",
            self.starts
        );
        if let Some(before) = &self.counters {
            let was = count(before, "boots");
            assert!(boots >= was, "boots went from {was} to {boots}");
            if boots == was {
                for key in [
                    "uptime",
                    "reconnects",
                    "drops",
                    "rejected",
                    "retained_ignored",
                ] {
                    assert!(
                        count(&now, key) >= count(before, key),
                        "{key}: {before}, {now}"
                    );
                }
            }
        }
        self.counters = Some(now);
    }

    fn said_nothing_wrong(&self) {
        let log = self.device.log();
        let wrong = log.iter().find(|line| line.contains("error:"));
        assert!(wrong.is_none(), "the device says {wrong:?}");
    }
}
