//! The settings of this device, from flags, the environment, a file, and what is stored: each beats
//! those after it. Everything is checked before anything is used.

mod origin;

use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use monster::settings::{BrokerUrl, Scheme, Settings, TABLE};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::pins::wiring::Wiring;

pub use origin::{Origin, Origins};

/// The file that is read when none is named.
pub const DEFAULT_FILE: &str = "monster.toml";

/// What every variable of the environment that is for us begins with.
const PREFIX: &str = "MONSTER_";
/// The variables that are no settings.
pub const CONFIG_VARIABLE: &str = "MONSTER_CONFIG";
pub const STATE_VARIABLE: &str = "MONSTER_STATE";
/// The short name of MONSTER_BROKER_URL.
const BROKER_VARIABLE: &str = "MONSTER_BROKER";
/// Names the binary to those who test it.
const TESTS_VARIABLE: &str = "MONSTER_BIN";

/// The environment, handed in so that tests can have one of their own.
pub type Environment = Vec<(OsString, OsString)>;

/// Where settings may come from. It has no `Debug`, nor has what is read from it: there are secrets in
/// it.
#[derive(Default)]
pub struct Sources {
    /// The file that was asked for; `None`: [`DEFAULT_FILE`] in `folder`, if it exists.
    pub file: Option<PathBuf>,
    /// The current folder; empty is that too.
    pub folder: PathBuf,
    pub environment: Environment,
    pub flags: Vec<Flag>,
}

/// A flag that sets something.
pub struct Flag {
    /// As it was written, as in `--id`.
    pub name: &'static str,
    pub key: String,
    pub value: String,
}

impl Flag {
    pub fn new(name: &'static str, key: &str, value: &str) -> Self {
        Flag {
            name,
            key: key.to_owned(),
            value: value.to_owned(),
        }
    }
}

/// What was read.
#[derive(Debug)]
pub struct Config {
    pub settings: Settings,
    /// Where each of them was found.
    pub origins: Origins,
    /// Where its pins are.
    pub wiring: Wiring,
    /// The file that was read, if there was one.
    pub file: Option<PathBuf>,
    /// What is probably a mistake, but harmless.
    pub warnings: Vec<String>,
}

/// One thing that is wrong: where, and what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    origin: String,
    what: String,
}

impl Problem {
    pub fn new(origin: impl fmt::Display, what: impl fmt::Display) -> Self {
        Problem {
            origin: origin.to_string(),
            what: what.to_string(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.origin.is_empty() {
            f.write_str(&self.what)
        } else {
            write!(f, "{}: {}", self.origin, self.what)
        }
    }
}

/// One value, and where it was found.
struct Entry {
    origin: Origin,
    key: String,
    value: String,
}

impl Sources {
    /// Reads them all, for a program that stores nothing.
    ///
    /// # Errors
    /// Everything that is wrong, in the order in which it was read.
    pub fn load(self) -> Result<Config, Vec<Problem>> {
        self.read().over(&[])
    }

    /// Reads them all.
    pub fn read(self) -> Layers {
        let mut problems = Vec::new();
        let mut warnings = Vec::new();

        let file = self.file_to_read();
        let from_file = match file.as_deref().map(read_file) {
            Some(Ok(entries)) => entries,
            Some(Err(problem)) => {
                problems.push(problem);
                Vec::new()
            }
            None => Vec::new(),
        };
        let from_environment = environment_entries(self.environment, &mut problems, &mut warnings);
        let from_flags = self.flags.into_iter().map(|flag| Entry {
            origin: Origin::Flag(flag.name),
            key: flag.key,
            value: flag.value,
        });
        Layers {
            file,
            layers: [from_file, from_environment, from_flags.collect()],
            problems,
            warnings,
        }
    }

    fn file_to_read(&self) -> Option<PathBuf> {
        self.file.clone().or_else(|| {
            variable(&self.environment, CONFIG_VARIABLE).or_else(|| {
                let default = self.folder.join(DEFAULT_FILE);
                default.exists().then_some(default)
            })
        })
    }
}

/// What the file, the environment and the flags say.
pub struct Layers {
    /// The file that was read, if there was one.
    file: Option<PathBuf>,
    /// Those that say more come later.
    layers: [Vec<Entry>; 3],
    problems: Vec<Problem>,
    /// What is probably a mistake, but harmless.
    warnings: Vec<String>,
}

impl Layers {
    /// Whether each of them is allowed by itself.
    ///
    /// # Errors
    /// Everything that is wrong, in the order in which it was read.
    pub fn check(&self) -> Result<(), Vec<Problem>> {
        self.apply_over(&[]).map(drop)
    }

    /// What is probably a mistake, but harmless.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// All settings: these, over those that are stored, each a key and its text.
    ///
    /// # Errors
    /// Everything that is wrong, in the order in which it was read.
    pub fn over(&self, stored: &[(String, String)]) -> Result<Config, Vec<Problem>> {
        let (settings, origins) = self.apply_over(stored)?;
        let in_all = |error: &dyn fmt::Display| vec![Problem::new("", error)];
        settings.validate().map_err(|conflict| in_all(&conflict))?;
        let wiring = Wiring::of(&settings).map_err(|error| in_all(&error))?;
        Ok(Config {
            settings,
            origins,
            wiring,
            file: self.file.clone(),
            warnings: self.warnings.clone(),
        })
    }

    fn apply_over(&self, stored: &[(String, String)]) -> Result<(Settings, Origins), Vec<Problem>> {
        let mut settings = Settings::default();
        let mut origins = Origins::default();
        let mut problems = self.problems.clone();
        let stored = stored.iter().map(|(key, value)| Entry {
            origin: Origin::Stored,
            key: key.clone(),
            value: value.clone(),
        });
        apply(
            &mut settings,
            &mut origins,
            &stored.collect::<Vec<_>>(),
            &mut problems,
        );
        for layer in &self.layers {
            apply(&mut settings, &mut origins, layer, &mut problems);
        }
        match problems.is_empty() {
            true => Ok((settings, origins)),
            false => Err(problems),
        }
    }
}

/// The path in a variable of the environment; an empty one is none.
pub fn variable(environment: &Environment, name: &str) -> Option<PathBuf> {
    environment
        .iter()
        .find(|(key, value)| key == name && !value.is_empty())
        .map(|(_, value)| PathBuf::from(value))
}

/// The variable that sets `key`: `broker.url` is `MONSTER_BROKER_URL`.
pub fn variable_of(key: &str) -> String {
    format!("{PREFIX}{}", key.replace('.', "_").to_uppercase())
}

/// Sets what one source says, over what weaker ones said.
fn apply(
    settings: &mut Settings,
    origins: &mut Origins,
    layer: &[Entry],
    problems: &mut Vec<Problem>,
) {
    forget_what_a_new_broker_replaces(settings, origins, layer);
    let is_version = |entry: &&Entry| entry.key == "version";
    for entry in layer.iter().filter(is_version) {
        if let Err(error) = settings.set(&entry.key, &entry.value) {
            // Settings of a newer Monster: what else is in there cannot be judged.
            return problems.push(Problem::new(&entry.origin, error));
        }
        origins.set(&entry.key, &entry.origin);
    }
    for entry in layer.iter().filter(|entry| !is_version(entry)) {
        match settings.set(&entry.key, &entry.value) {
            Ok(()) => origins.set(&entry.key, &entry.origin),
            Err(error) => problems.push(Problem::new(&entry.origin, error)),
        }
    }
}

/// A URL with a user takes the place of a user, a password from a weaker source, and one without TLS
/// its files. Within one source, `broker.user` wins over the URL.
fn forget_what_a_new_broker_replaces(
    settings: &mut Settings,
    origins: &mut Origins,
    layer: &[Entry],
) {
    let found = layer.iter().rfind(|entry| entry.key == "broker.url");
    let Some((entry, url)) =
        found.and_then(|entry| Some((entry, BrokerUrl::parse(&entry.value).ok()?)))
    else {
        return;
    };
    let default = Settings::default().broker;
    if !url.user().is_empty() {
        settings.broker.user = default.user;
        settings.broker.password = default.password;
        origins.set("broker.user", &entry.origin);
        origins.set("broker.password", &entry.origin);
    }
    if url.scheme() == Scheme::Mqtt {
        settings.broker.ca = default.ca;
        settings.broker.cert = default.cert;
        settings.broker.key = default.key;
        for key in ["broker.ca", "broker.cert", "broker.key"] {
            origins.forget(key);
        }
    }
}

fn environment_entries(
    environment: Environment,
    problems: &mut Vec<Problem>,
    warnings: &mut Vec<String>,
) -> Vec<Entry> {
    let mut entries = Vec::new();
    for (name, value) in environment {
        let Some(name) = name.to_str().filter(|name| name.starts_with(PREFIX)) else {
            continue;
        };
        if [CONFIG_VARIABLE, STATE_VARIABLE, TESTS_VARIABLE].contains(&name) {
            continue;
        }
        let setting = TABLE.iter().find(|setting| {
            name == variable_of(setting.key())
                || (name == BROKER_VARIABLE && setting.key() == "broker.url")
        });
        let Some(setting) = setting else {
            // No error: whoever runs this in a container may not choose all variables.
            warnings.push(format!(
                "{name}: no setting has this name; `monster settings` lists them"
            ));
            continue;
        };
        match value.into_string() {
            Ok(value) => entries.push(Entry {
                origin: Origin::Environment(name.to_owned()),
                key: setting.key().to_owned(),
                value,
            }),
            Err(_) => problems.push(Problem::new(name, "it is not UTF-8")),
        }
    }
    // The long name of the broker's URL wins over the short one.
    entries.sort_by_key(
        |entry| !matches!(&entry.origin, Origin::Environment(name) if name == BROKER_VARIABLE),
    );
    entries
}

fn read_file(path: &Path) -> Result<Vec<Entry>, Problem> {
    let problem = |what: &dyn fmt::Display| Problem::new(path.display(), what);
    let bytes = fs::read(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => problem(&"there is no such file"),
        _ => problem(&format!("cannot be read: {error}")),
    })?;
    let text = String::from_utf8(bytes).map_err(|_| problem(&"it is not UTF-8"))?;
    let table = DeTable::parse(&text).map_err(|error| {
        // Not the error itself: it would show the line, in which a password may stand.
        let line = error.span().map_or(1, |span| line_of(&text, span.start));
        Problem::new(
            format_args!("{}:{line}", path.display()),
            format_args!("it is not TOML: {}", error.message()),
        )
    })?;
    let mut found = Vec::new();
    flatten("", table.get_ref(), &mut found);
    found.sort_by_key(|(position, ..)| *position);
    found
        .into_iter()
        .map(|(position, key, value)| {
            let origin = Origin::File(path.to_owned(), line_of(&text, position));
            match value {
                Some(value) => Ok(Entry { origin, key, value }),
                None => Err(Problem::new(
                    origin,
                    format_args!(
                        "{key}: a value is text, a number, true or false, or a list of texts"
                    ),
                )),
            }
        })
        .collect()
}

fn line_of(text: &str, position: usize) -> usize {
    1 + text.bytes().take(position).filter(|b| *b == b'\n').count()
}

/// Tables within tables as dotted keys, each with its position and the text of its value.
fn flatten(prefix: &str, table: &DeTable<'_>, found: &mut Vec<(usize, String, Option<String>)>) {
    for (name, value) in table {
        let key = format!("{prefix}{}", name.get_ref());
        match value.get_ref() {
            DeValue::Table(inner) => flatten(&format!("{key}."), inner, found),
            other => found.push((name.span().start, key, text_of(other))),
        }
    }
}

/// The text a setting is set from; `None` if it can be no setting's.
fn text_of(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) => Some(number.to_string()),
        DeValue::Float(number) => Some(number.as_str().to_owned()),
        DeValue::Boolean(value) => Some(value.to_string()),
        DeValue::Array(items) => {
            let names: Option<Vec<&str>> = items.iter().map(name_in_list).collect();
            Some(names?.join(","))
        }
        DeValue::Datetime(_) | DeValue::Table(_) => None,
    }
}

/// A list is given to a setting as one text with commas in between, so no item may hold one.
fn name_in_list<'a>(item: &'a Spanned<DeValue<'_>>) -> Option<&'a str> {
    item.get_ref().as_str().filter(|name| !name.contains(','))
}

#[cfg(test)]
mod tests;
