//! A network that fails on demand: a TCP proxy between the device and its broker.

use std::collections::BTreeSet;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::scratch::free_port;

/// How often a thread that waits for bytes looks whether the network's state has changed.
const TICK: Duration = Duration::from_millis(20);
/// The gap between bytes when they trickle: long enough that each is a segment of its own.
const DRIP: Duration = Duration::from_micros(200);

/// Which way bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the device to the broker.
    Up,
    /// From the broker to the device.
    Down,
}

/// What the network does with bytes and connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weather {
    /// Passes them on.
    Fair,
    /// Passes them on one by one.
    Trickle,
    /// Accepts connections and swallows bytes: the half-open network, where nobody is told of anything.
    /// A connection that lost bytes is never made whole, whatever comes after.
    Silent,
    /// Refuses new connections; those that stand stay.
    Refusing,
}

/// A proxy to one port of 127.0.0.1. Its threads end when it is dropped.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    shared: Arc<Shared>,
}

impl Proxy {
    /// A proxy to the broker on this loopback port.
    pub fn to(target: u16) -> Self {
        let port = free_port();
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                target,
                weather: Weather::Fair,
                cut: None,
                cut_through: 0,
                opened: 0,
                live: BTreeSet::new(),
                listening: true,
                dropped: false,
            }),
            changed: Condvar::new(),
        });
        let listener = listen(port);
        let for_thread = Arc::clone(&shared);
        thread::spawn(move || accept(port, listener, &for_thread));
        Self { port, shared }
    }

    /// The port the device is to connect to.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The URL the device is to connect to.
    pub fn url(&self) -> String {
        format!("mqtt://127.0.0.1:{}", self.port)
    }

    /// From now on leads to the broker on this loopback port; what leads to another is cut.
    pub fn lead_to(&self, target: u16) {
        self.shared.lock().target = target;
        self.cut();
    }

    /// Changes what the network does, and returns once it does it.
    pub fn set(&self, weather: Weather) {
        self.shared.lock().weather = weather;
        let listening = weather != Weather::Refusing;
        self.wait_for(&format!("{weather:?}"), Duration::from_secs(5), |state| {
            state.listening == listening
        });
    }

    /// Cuts all connections now; the next ones are left alone.
    pub fn cut(&self) {
        let through = {
            let mut state = self.shared.lock();
            state.cut_through = state.opened;
            state.opened
        };
        self.wait_for("the cut", Duration::from_secs(5), |state| {
            state.live.first().is_none_or(|oldest| *oldest > through)
        });
    }

    /// Lets this many more bytes through in this direction, and then cuts that connection, both ways:
    /// with 1 in the middle of the next packet. The connections after it are left alone.
    pub fn cut_after(&self, direction: Direction, bytes: usize) {
        self.shared.lock().cut = Some(Cut {
            direction,
            left: bytes,
        });
    }

    /// Forgets the cut of [`Proxy::cut_after`], if it has not been made yet.
    pub fn spare(&self) {
        self.shared.lock().cut = None;
    }

    /// Waits until the cut of [`Proxy::cut_after`] has been made.
    pub fn wait_until_cut(&self, within: Duration) {
        self.wait_for("the cut", within, |state| state.cut.is_none());
    }

    /// How many connections were opened to it so far.
    pub fn opened(&self) -> usize {
        self.shared.lock().opened
    }

    /// How many connections stand now.
    pub fn live(&self) -> usize {
        self.shared.lock().live.len()
    }

    /// Waits until so many connections have been opened in all.
    pub fn wait_until_opened(&self, count: usize, within: Duration) {
        self.wait_for(&format!("{count} connections opened"), within, |state| {
            state.opened >= count
        });
    }

    /// Waits until so many connections have ended in all.
    pub fn wait_until_closed(&self, count: usize, within: Duration) {
        self.wait_for(&format!("{count} connections closed"), within, |state| {
            state.opened - state.live.len() >= count
        });
    }

    fn wait_for(&self, what: &str, within: Duration, done: impl Fn(&State) -> bool) {
        let deadline = Instant::now() + within;
        let mut state = self.shared.lock();
        while !done(&state) {
            assert!(
                Instant::now() < deadline,
                "the proxy waited {within:?} for {what} in vain: {} opened, {} live, {:?}",
                state.opened,
                state.live.len(),
                state.weather
            );
            state = self
                .shared
                .changed
                .wait_timeout(state, TICK)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.lock().dropped = true;
    }
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    /// The port on 127.0.0.1 to which new connections lead.
    target: u16,
    weather: Weather,
    cut: Option<Cut>,
    /// The connections up to this one are cut.
    cut_through: usize,
    opened: usize,
    /// The connections that stand, each by how many had been opened with it.
    live: BTreeSet<usize>,
    listening: bool,
    dropped: bool,
}

/// The next connection to carry this many bytes this way is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cut {
    direction: Direction,
    left: usize,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // A wait in vain panics with the state in its hands; the proxy must still be dropped.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Whether a connection is to be cut before it carries anything more.
    fn is_cut(&mut self, number: usize, direction: Direction) -> bool {
        if self.cut == Some(Cut { direction, left: 0 }) {
            self.cut = None;
            return true;
        }
        self.dropped || number <= self.cut_through
    }

    /// How many of `length` bytes may pass, and whether the connection is cut after them.
    fn allowance(&mut self, direction: Direction, length: usize) -> (usize, bool) {
        match &mut self.cut {
            Some(cut) if cut.direction == direction && cut.left <= length => {
                let left = cut.left;
                self.cut = None;
                (left, true)
            }
            Some(cut) if cut.direction == direction => {
                cut.left -= length;
                (length, false)
            }
            _ => (length, false),
        }
    }
}

fn listen(port: u16) -> TcpListener {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .unwrap_or_else(|error| panic!("the proxy cannot listen on port {port}: {error}"));
    listener
        .set_nonblocking(true)
        .expect("a listener can be non-blocking");
    listener
}

fn accept(port: u16, listener: TcpListener, shared: &Arc<Shared>) {
    let mut listener = Some(listener);
    loop {
        let (weather, target) = {
            let mut state = shared.lock();
            if state.dropped {
                return;
            }
            if state.weather == Weather::Refusing {
                if let Some(listener) = listener.take() {
                    // A program that is just being started may have it too, until it has begun.
                    let _ = rustix::net::shutdown(&listener, rustix::net::Shutdown::Both);
                }
            } else {
                listener.get_or_insert_with(|| listen(port));
            }
            state.listening = listener.is_some();
            (state.weather, state.target)
        };
        shared.changed.notify_all();
        match listener.as_ref().map(TcpListener::accept) {
            Some(Ok((device, _))) => carry(device, target, weather, shared),
            Some(Err(_)) | None => thread::sleep(TICK / 10),
        }
    }
}

/// Carries bytes between a device that has just connected and the broker, on two threads.
fn carry(device: TcpStream, target: u16, weather: Weather, shared: &Arc<Shared>) {
    let number = {
        let mut state = shared.lock();
        state.opened += 1;
        let number = state.opened;
        state.live.insert(number);
        number
    };
    shared.changed.notify_all();
    // Where there is no broker, the device finds its connection closed.
    let broker = TcpStream::connect((Ipv4Addr::LOCALHOST, target)).ok();
    let shared = Arc::clone(shared);
    thread::spawn(move || {
        if let Some(broker) = broker
            && let Ok(pair) = Pair::new(number, device, broker, weather)
        {
            thread::scope(|scope| {
                scope.spawn(|| pair.pump(Direction::Down, &shared));
                pair.pump(Direction::Up, &shared);
            });
        }
        shared.lock().live.remove(&number);
        shared.changed.notify_all();
    });
}

/// The two ends of a connection through the proxy.
struct Pair {
    number: usize,
    device: TcpStream,
    broker: TcpStream,
    /// Bytes of it were swallowed: neither end is to hear of the other again.
    lost: AtomicBool,
}

impl Pair {
    fn new(
        number: usize,
        device: TcpStream,
        broker: TcpStream,
        weather: Weather,
    ) -> std::io::Result<Self> {
        device.set_nonblocking(false)?;
        for end in [&device, &broker] {
            end.set_read_timeout(Some(TICK))?;
            end.set_nodelay(true)?;
        }
        Ok(Self {
            number,
            device,
            broker,
            lost: AtomicBool::new(weather == Weather::Silent),
        })
    }

    /// Carries bytes one way until either end closes, then closes both.
    fn pump(&self, direction: Direction, shared: &Shared) {
        let (mut from, mut to) = match direction {
            Direction::Up => (&self.device, &self.broker),
            Direction::Down => (&self.broker, &self.device),
        };
        let mut buffer = [0; 16 * 1024];
        loop {
            if shared.lock().is_cut(self.number, direction) {
                break;
            }
            let read = from.read(&mut buffer);
            let weather = shared.lock().weather;
            if weather == Weather::Silent && !matches!(&read, Err(error) if is_idle(error)) {
                self.lost.store(true, Ordering::Relaxed);
            }
            let length = match read {
                // A broker that gives up on a silent device cannot tell it so.
                Ok(0) if direction == Direction::Down && self.lost.load(Ordering::Relaxed) => {
                    return;
                }
                Ok(0) => break,
                Ok(_) if self.lost.load(Ordering::Relaxed) => continue,
                Ok(length) => length,
                Err(error) if is_idle(&error) => continue,
                Err(_) => break,
            };
            let (length, cut) = shared.lock().allowance(direction, length);
            let passed = match weather {
                Weather::Trickle => buffer[..length].iter().try_for_each(|byte| {
                    thread::sleep(DRIP);
                    to.write_all(&[*byte])
                }),
                _ => to.write_all(&buffer[..length]),
            };
            if passed.is_err() || cut {
                break;
            }
        }
        let _ = from.shutdown(Shutdown::Both);
        let _ = to.shutdown(Shutdown::Both);
    }
}

fn is_idle(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}
