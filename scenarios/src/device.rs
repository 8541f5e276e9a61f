//! What a scenario asks of a device, whatever board it runs on.

use std::net::Ipv4Addr;
use std::path::PathBuf;

/// A kind of device: the desk, a virtual microcontroller.
pub trait Board: Sync {
    /// Its name in reports.
    fn name(&self) -> &'static str;

    /// The address at which its devices find this computer.
    fn host(&self) -> Ipv4Addr;

    /// A device of this kind, still without power.
    fn device(&self, options: Options) -> Box<dyn Device>;
}

/// One device, as a hand on its plug sees it. Everything else about it is on the wire.
pub trait Device {
    /// Gives it power: it starts, and keeps at connecting.
    fn power_on(&mut self);

    /// Takes its power away, in the middle of whatever it does. What it stored stays for the next
    /// [`Device::power_on`].
    fn cut_power(&mut self);

    /// Pulls the cable out of it: from now on nothing goes through, and nobody is told.
    fn pull_cable(&mut self);

    /// Puts the cable back.
    fn restore_cable(&mut self);

    /// Whether it has power and its program runs.
    fn is_alive(&mut self) -> bool;

    /// What it logged since it was last given power.
    fn log(&self) -> Vec<String>;
}

/// What a device is told before it is started.
#[derive(Debug, Clone)]
pub struct Options {
    /// Its id.
    pub id: String,
    /// Its broker, as `mqtt://[user:password@]host:port`.
    pub broker: String,
    /// Settings by their keys, with values as a person writes them.
    pub settings: Vec<(String, String)>,
    /// The folder for whatever the board stores; it outlives the device.
    pub state: PathBuf,
    /// A `resolv.conf` for the device alone: where it asks for names, instead of where this computer does.
    pub resolver: Option<PathBuf>,
    /// Whether its cable will be pulled. Not every board has one: in its place is a network that fails.
    pub has_cable: bool,
}

impl Options {
    /// Adds a setting.
    #[must_use]
    pub fn set(mut self, key: &str, value: &str) -> Self {
        self.settings.push((key.to_owned(), value.to_owned()));
        self
    }
}
