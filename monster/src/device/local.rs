//! What somebody at the device itself can ask for: at its console, its page, its terminal.

use core::fmt;

use umqtt::Instant;

use super::{Device, End, Hand};
use crate::dialogue::asker::Asker;
use crate::dialogue::command::Action;
use crate::settings::value::LogLevel;
use crate::switch::{CommandError, SwitchCommand};

/// A command from a hand at the device itself. It works without a network.
///
/// What it does to the switch is done, and seen in [`Device::switch_is_on`], when
/// [`Device::handle`] returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LocalCommand {
    /// To the switch. What it changes is told on both pairs.
    Switch(SwitchCommand),
    /// Measure temperature and humidity now, or as soon as the sensor can.
    Measure,
    /// Show a person which device this is.
    Identify,
    /// Say goodbye, and restart.
    Restart,
    /// Forget everything that was set and stored, and restart.
    FactoryReset,
}

impl LocalCommand {
    /// Reads `on`, `off`, `toggle`, `pulse <ms>`, `th`, `identify`, `restart` or `factory-reset`:
    /// exactly so.
    ///
    /// # Errors
    /// [`UnknownCommand`], which says what is allowed.
    pub fn parse(text: &str) -> Result<Self, UnknownCommand> {
        match text {
            "th" => Ok(LocalCommand::Measure),
            "identify" => Ok(LocalCommand::Identify),
            "restart" => Ok(LocalCommand::Restart),
            "factory-reset" => Ok(LocalCommand::FactoryReset),
            _ => SwitchCommand::parse(text)
                .map(LocalCommand::Switch)
                .map_err(UnknownCommand),
        }
    }
}

/// Why a text is no [`LocalCommand`]. Its `Display` is one line without quotes and backslashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownCommand(CommandError);

impl fmt::Display for UnknownCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            CommandError::Unknown => f.write_str(
                "unknown command; allowed are on, off, toggle, pulse <ms>, th, identify, restart, \
                 factory-reset",
            ),
            error @ CommandError::PulseLength => error.fmt(f),
        }
    }
}

impl core::error::Error for UnknownCommand {}

impl Device<'_> {
    /// Does what somebody at the device wants.
    pub(super) fn obey(&mut self, command: LocalCommand, now: Instant) {
        let action = match command {
            LocalCommand::Switch(command) => Action::Switch(command),
            LocalCommand::Measure => Action::Measure,
            LocalCommand::Identify => Action::Identify,
            LocalCommand::Restart => Action::Restart,
            LocalCommand::FactoryReset => {
                self.log
                    .add(LogLevel::Warn, format_args!("forgetting everything"));
                self.part(End::FactoryReset, now);
                return;
            }
        };
        self.execute(action, Asker::default(), Hand::Local, now);
    }
}
