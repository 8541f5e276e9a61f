//! `monster settings`: every setting, for people.

use std::fmt::Write;

use monster::settings::{Setting, Settings, TABLE};

use crate::config::{Config, Origin};
use crate::pins::wiring;
use crate::style::{FAINT, GOOD, STRONG};

/// All settings, one after the other: key, value, where it was found, default; then what it is for, and
/// what is allowed.
pub fn page(config: &Config) -> String {
    let mut page = String::new();
    let file = match &config.file {
        Some(file) => file.display().to_string(),
        None => format!("no {}", crate::config::DEFAULT_FILE),
    };
    let _ = writeln!(
        page,
        "{STRONG}Settings{STRONG:#} {FAINT}from the environment, {file}, and what is stored{FAINT:#}"
    );
    let width = TABLE.iter().map(|s| s.key().len()).max().unwrap_or(0);
    let mut last_group = None;
    for setting in TABLE {
        let group = setting.key().split_once('.').map(|(group, _)| group);
        if last_group != Some(group) {
            page.push('\n');
        }
        last_group = Some(group);
        entry(&mut page, setting, config, width);
    }
    page
}

fn entry(page: &mut String, setting: &Setting, config: &Config, width: usize) {
    let key = setting.key();
    let value = setting.show(&config.settings).to_string();
    let default = setting.show(&Settings::default()).to_string();
    let _ = write!(page, "{STRONG}{key:width$}{STRONG:#}  ");
    let (value, origin) = match config.origins.of(key) {
        Origin::Default => (shown(&value), "default".to_owned()),
        origin => (
            format!("{GOOD}{}{GOOD:#}", shown(&value)),
            format!("{origin}; default: {}", shown(&default)),
        ),
    };
    let _ = writeln!(page, "{value}  {FAINT}({origin}){FAINT:#}");
    let _ = writeln!(page, "{:width$}  {}", "", setting.meaning());
    let allowed = match wiring::allowed(key) {
        Some(pins) => pins.to_owned(),
        None => setting.allowed().to_string(),
    };
    let _ = writeln!(page, "{:width$}  {FAINT}allowed: {allowed}{FAINT:#}", "");
}

/// A value as a person sees it: that there is none must be seen too.
fn shown(value: &str) -> String {
    match value {
        "" | "(not set)" => "not set".to_owned(),
        "(set)" => "set, not shown".to_owned(),
        value => value.escape_debug().to_string(),
    }
}
