//! Where a setting was found.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

/// Where a value comes from; it displays as a place that a person can go to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nobody has set it.
    Default,
    /// It was changed at the device itself, which has stored it.
    Stored,
    /// The settings file, and the line.
    File(PathBuf, usize),
    /// The variable of this name.
    Environment(String),
    /// The flag of this name.
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => f.write_str("default"),
            Origin::Stored => f.write_str("stored"),
            Origin::File(path, line) => write!(f, "{}:{line}", path.display()),
            Origin::Environment(name) => f.write_str(name),
            Origin::Flag(name) => f.write_str(name),
        }
    }
}

/// Where each setting was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origins(BTreeMap<String, Origin>);

impl Origins {
    /// Where the setting with this key was found.
    pub fn of(&self, key: &str) -> &Origin {
        self.0.get(key).unwrap_or(&Origin::Default)
    }

    pub(super) fn set(&mut self, key: &str, origin: &Origin) {
        self.0.insert(key.to_owned(), origin.clone());
    }

    pub(super) fn forget(&mut self, key: &str) {
        self.0.remove(key);
    }
}
