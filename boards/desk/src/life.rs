//! What one life of the device runs with: from one start to the next. What is stored may have changed
//! by then, and it is looked at again.

use std::path::Path;

use monster::identity::DeviceId;
use monster::memory::StoreFault;
use monster::settings::value::ClimateKind;
use monster::settings::{BrokerUrl, Secret, Settings};
use monster_store::file::block_on;
use monster_store::{PASSWORD, Password, unkept_password};

use crate::Failure;
use crate::broker::{self, Broker};
use crate::config::{Config, Layers, Origins};
use crate::console::Console;
use crate::identity::{MACHINE_ID, own_id, random_bytes};
use crate::pins::Pins;
use crate::pins::wiring::Wiring;
use crate::start::no_broker;
use crate::state::StateFolder;
use crate::store::{self, Store};
use crate::transport::Endpoint;

/// What a device has however often it starts.
pub struct Desk {
    pub layers: Layers,
    pub folder: StateFolder,
    pub store: Store,
    pub console: Console,
    /// What is probably a mistake, and has not been said yet.
    pub warnings: Vec<String>,
    /// A password of the console that cannot be kept.
    pub unkept: Secret<PASSWORD>,
    /// The broker of our own, once it was needed.
    pub own_broker: Option<Broker>,
}

/// What it runs with until it starts next.
pub struct Life {
    /// The settings as they were given, for the console, without what is made up for those that were not.
    pub given: Settings,
    pub settings: Settings,
    /// Where each of them was found.
    pub origins: Origins,
    pub wiring: Wiring,
    pub id: DeviceId,
    pub endpoint: Endpoint,
    /// What is wrong with the stored settings.
    pub fault: Option<StoreFault>,
}

/// The pins, and what they were opened with.
pub struct Wired {
    pub pins: Pins,
    wiring: Wiring,
    kind: ClimateKind,
}

impl Desk {
    /// What the device runs with now. If it cannot with what is stored, that is not used: then it can
    /// be mended where it was set.
    ///
    /// # Errors
    /// What is wrong all the same.
    pub fn start(&mut self, before: Option<Wired>) -> Result<(Life, Wired), Failure> {
        let mut fault = None;
        let stored = store::settings_of(&mut self.store).unwrap_or_else(|why| {
            fault = Some(StoreFault::Settings);
            self.warn(format_args!("the stored settings are not used: {why}"));
            Vec::new()
        });
        let with = self.life(&stored).and_then(|life| {
            let wired = Wired::open(&life, before)?;
            Ok((life, wired))
        });
        let (mut life, wired) = match with {
            Err(failure) if !stored.is_empty() => {
                let life = self.life(&[])?;
                let wired = Wired::open(&life, None)?;
                fault = Some(StoreFault::Settings);
                self.warn(format_args!("the stored settings are not used: {failure}"));
                (life, wired)
            }
            result => result?,
        };
        life.fault = fault;
        self.console = self.console.at_level(life.settings.log.level);
        Ok((life, wired))
    }

    fn life(&mut self, stored: &[(String, String)]) -> Result<Life, Failure> {
        let Config {
            settings: given,
            origins,
            wiring,
            ..
        } = self.layers.over(stored)?;
        let mut settings = given.clone();
        let id = match &settings.id {
            Some(id) => id.clone(),
            None => self.own_id()?,
        };
        settings.id = Some(id.clone());
        settings.validate().map_err(Failure::usage)?;
        if settings.broker.url.is_none() {
            if self.own_broker.is_none() {
                self.own_broker = Some(broker::start().map_err(no_broker)?);
            }
            let address = self.own_broker.as_ref().map(Broker::address);
            settings.broker.url =
                address.and_then(|address| BrokerUrl::parse(&format!("mqtt://{address}")).ok());
        }
        let endpoint = Endpoint::new(&settings.broker).map_err(Failure::usage)?;
        Ok(Life {
            given,
            settings,
            origins,
            wiring,
            id,
            endpoint,
            fault: None,
        })
    }

    fn own_id(&mut self) -> Result<DeviceId, Failure> {
        let id = own_id(
            self.folder.path(),
            Path::new(MACHINE_ID),
            &mut self.warnings,
        );
        id.map_err(|error| {
            Failure::failed(format_args!("there is no id: {error}; give one: --id ID"))
        })
    }

    /// Changes what is stored: each of these settings to this text, or back to what holds where none
    /// is stored. The device has them when it starts next.
    ///
    /// # Errors
    /// Why not, for a person: it could not start with them, or they cannot be kept. Then nothing is
    /// changed.
    pub fn change_settings<'a>(
        &mut self,
        changes: impl IntoIterator<Item = (&'a str, Option<&'a str>)> + Clone,
    ) -> Result<(), String> {
        let mut stored = store::settings_of(&mut self.store).unwrap_or_default();
        for (key, text) in changes.clone() {
            stored.retain(|(stored, _)| stored != key);
            stored.extend(text.map(|text| (key.to_owned(), text.to_owned())));
        }
        self.life(&stored).map_err(|failure| failure.to_string())?;
        // All of it was found right, with what is set elsewhere.
        let changed = block_on(self.store.change_settings(changes, |_| Ok(())));
        changed.map_err(|error| error.to_string())
    }

    /// The console's password, which the device has made up: once, if it can be kept. With no chance
    /// there is none, and nobody can sign in.
    pub fn console_password(&mut self) -> Secret<PASSWORD> {
        let chance = || random_bytes().ok();
        match block_on(self.store.password(Password::Console, chance)) {
            Ok(password) => password.unwrap_or_default(),
            Err(error) => {
                if !self.unkept.is_set() {
                    self.unkept = chance().map(unkept_password).unwrap_or_default();
                    self.warn(format_args!("the console's password is not kept: {error}"));
                }
                self.unkept.clone()
            }
        }
    }

    fn warn(&mut self, text: impl std::fmt::Display) {
        self.warnings.push(text.to_string());
    }
}

impl Wired {
    /// The pins of this life; those before, if they are the same.
    fn open(life: &Life, before: Option<Wired>) -> Result<Self, Failure> {
        let kind = life.settings.climate.kind;
        if let Some(before) = before
            && before.wiring == life.wiring
            && before.kind == kind
        {
            return Ok(before);
        }
        // Those before are let go of by now, so that the same line can be another pin.
        Ok(Wired {
            pins: Pins::open(&life.wiring, kind).map_err(Failure::failed)?,
            wiring: life.wiring.clone(),
            kind,
        })
    }
}

#[cfg(test)]
mod tests;
