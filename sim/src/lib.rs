//! The world in virtual time: devices in homes where everything goes wrong that can, drawn from a
//! seed.
//!
//! One [`run`] is one world: a broker, and homes with a device each. Networks delay, cut packets in
//! pieces, stall, break and die without a word; the broker restarts, forgets, stops reading,
//! refuses; the power goes; the store fails; people press the button and send commands, some of
//! them twice. After every step of a device a judge looks whether what must be true still is. The
//! same seed gives the same run, bit for bit, so that a failure can be watched again.
//!
//! Nothing here waits: a run is over as soon as its events are.

#![forbid(unsafe_code)]

mod account;
mod agenda;
mod chance;
mod home;
mod judge;
mod network;
mod person;
mod pipe;
mod trace;
mod weather;
mod world;

use std::fmt;
use std::mem::size_of;

use bumpalo::Bump;
use monster::device::{Device, RECEIVE_BUFFER, SEND_BUFFER};

use agenda::What;
use home::Home;
use world::World;

/// Bytes of memory one device takes: itself and its two buffers.
pub const BYTES_PER_DEVICE: usize = size_of::<Device<'_>>() + RECEIVE_BUFFER + SEND_BUFFER;

/// Which world, and how long.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// What everything is drawn from.
    pub seed: u64,
    /// Hours of virtual time in which things go wrong; a quarter of an hour of peace follows.
    pub hours: u64,
    /// How many homes there are.
    pub devices: u32,
}

/// What happened in a world.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Hours of virtual time, times devices.
    pub device_hours: u64,
    /// Times a device came online.
    pub connects: u64,
    /// Times a device tried to connect.
    pub attempts: u64,
    /// Commands with ids that were sent.
    pub orders: u64,
    /// Of these, the ones whose id was used before.
    pub repeated: u64,
    /// Commands with ids that were executed.
    pub executed: u64,
    /// Answers to commands with ids that reached the broker.
    pub replies: u64,
    /// Presses of buttons, single, double and long.
    pub presses: u64,
    /// Times the power went.
    pub power_cuts: u64,
    /// Times a device started.
    pub boots: u64,
    /// Times a device stored its MQTT session before it ended.
    pub sessions: u64,
    /// Things that went wrong, power cuts included.
    pub troubles: u64,
    /// Messages that reached the broker.
    pub heard: u64,
    /// Of these, heartbeats.
    pub beats: u64,
    /// Bytes the devices received.
    pub received: u64,
    /// Steps of devices, after each of which the judge looked.
    pub steps: u64,
    /// Times a device was looked at when all was quiet, and everything had to be as published.
    pub looks: u64,
    /// A hash of everything that happened.
    pub hash: u64,
}

impl Summary {
    /// Both together.
    #[must_use]
    pub fn and(self, other: Summary) -> Summary {
        Summary {
            device_hours: self.device_hours + other.device_hours,
            connects: self.connects + other.connects,
            attempts: self.attempts + other.attempts,
            orders: self.orders + other.orders,
            repeated: self.repeated + other.repeated,
            executed: self.executed + other.executed,
            replies: self.replies + other.replies,
            presses: self.presses + other.presses,
            power_cuts: self.power_cuts + other.power_cuts,
            boots: self.boots + other.boots,
            sessions: self.sessions + other.sessions,
            troubles: self.troubles + other.troubles,
            heard: self.heard + other.heard,
            beats: self.beats + other.beats,
            received: self.received + other.received,
            steps: self.steps + other.steps,
            looks: self.looks + other.looks,
            hash: self.hash.rotate_left(1) ^ other.hash,
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "device-hours           {}", self.device_hours)?;
        writeln!(f, "things that went wrong {}", self.troubles)?;
        writeln!(f, "  power cuts           {}", self.power_cuts)?;
        writeln!(f, "starts                 {}", self.boots)?;
        writeln!(f, "  sessions stored      {}", self.sessions)?;
        writeln!(f, "attempts to connect    {}", self.attempts)?;
        writeln!(f, "connects               {}", self.connects)?;
        writeln!(f, "commands with ids      {}", self.orders)?;
        writeln!(f, "  ids repeated         {}", self.repeated)?;
        writeln!(f, "  executed             {}", self.executed)?;
        writeln!(f, "  answers              {}", self.replies)?;
        writeln!(f, "presses of the button  {}", self.presses)?;
        writeln!(f, "messages published     {}", self.heard)?;
        writeln!(f, "  heartbeats           {}", self.beats)?;
        writeln!(f, "steps judged           {}", self.steps)?;
        writeln!(f, "looks in quiet         {}", self.looks)?;
        write!(f, "trace                  {:016x}", self.hash)
    }
}

/// Runs one world from its beginning to its end.
///
/// # Panics
/// If something that must be true is not, or a device panics. The seed, the virtual time and what
/// happened last are written to standard error.
pub fn run(config: Config) -> Summary {
    let memory = Bump::new();
    let mut world = World::new(config.seed, config.hours);
    let broker_trouble_mean = world.chance.pick(&[600_000, 3_600_000, 36_000_000]);
    let first = world.chance.around(broker_trouble_mean);
    world.after(first, 0, What::BrokerTrouble);
    let mut homes: Vec<Home<'_>> = (0..config.devices)
        .map(|number| Home::new(number, &memory, &mut world))
        .collect();
    let end = world.peace + 900_000;
    while let Some((at, number, what)) = world.agenda.next() {
        if at > end {
            break;
        }
        world.now = at;
        match what {
            What::BrokerTrouble => {
                weather::broker_trouble(&mut homes, broker_trouble_mean, &mut world);
            }
            What::BrokerBack => world.broker.down = false,
            what => homes[number as usize].happens(what, &mut world),
        }
    }
    Summary {
        device_hours: config.hours * config.devices as u64,
        hash: world.trace.hash(),
        ..world.tally
    }
}

impl Home<'_> {
    fn happens(&mut self, what: What, world: &mut World) {
        match what {
            What::Wake => self.wake(world),
            What::Dialled { wire, open } => self.dialled(wire, open, world),
            What::Up { wire } => self.up(wire, world),
            What::Down { wire } => self.down(wire, world),
            What::Hangup { wire } => self.hangup(wire, world),
            What::Expire { wire } => self.expire(wire, world),
            What::Repeat { wire } => self.repeat(wire, world),
            What::Stored { boot, ticket } => self.stored(boot, ticket, world),
            What::Measured { boot } => self.measured(boot, world),
            What::Boot => self.boot(world),
            What::Person => self.act(world),
            What::Button => self.button(world),
            What::Trouble => self.trouble(world),
            What::NetworkBack { .. } => self.network_back(world),
            What::Calm { since } => self.calm(since, world),
            What::Look => self.look(world),
            What::BrokerTrouble | What::BrokerBack => {}
        }
    }
}
