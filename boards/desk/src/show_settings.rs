//! `monster settings`: every setting, for people.

use std::fmt::Write;

use monster::settings::{Setting, Settings, TABLE};

use crate::config::Config;
use crate::pins::wiring;
use crate::style::{FAINT, GOOD, STRONG};

/// All settings, one after the other: key, value, default; then what it is for, and what is allowed.
pub fn page(config: &Config) -> String {
    let mut page = String::new();
    let source = match &config.file {
        Some(file) => format!("{} and the environment", file.display()),
        None => format!(
            "the environment; there is no {}",
            crate::config::DEFAULT_FILE
        ),
    };
    let _ = writeln!(
        page,
        "{STRONG}Settings{STRONG:#} {FAINT}from {source}{FAINT:#}"
    );
    let width = TABLE.iter().map(|s| s.key().len()).max().unwrap_or(0);
    let mut last_group = None;
    for setting in TABLE {
        let group = setting.key().split_once('.').map(|(group, _)| group);
        if last_group != Some(group) {
            page.push('\n');
        }
        last_group = Some(group);
        entry(&mut page, setting, &config.settings, width);
    }
    page
}

fn entry(page: &mut String, setting: &Setting, settings: &Settings, width: usize) {
    let key = setting.key();
    let value = setting.show(settings).to_string();
    let default = setting.show(&Settings::default()).to_string();
    let _ = write!(page, "{STRONG}{key:width$}{STRONG:#}  ");
    let (value, default) = if value == default {
        (shown(&value), "default".to_owned())
    } else {
        let default = format!("default: {}", shown(&default));
        (format!("{GOOD}{}{GOOD:#}", shown(&value)), default)
    };
    let _ = writeln!(page, "{value}  {FAINT}({default}){FAINT:#}");
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
