//! `monster settings`: every setting, for people.

use std::fmt::Write;

use monster::settings::{Setting, Settings, TABLE};

use crate::config::Config;
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
    let mut group = "";
    for setting in TABLE {
        let of_setting = setting.key().split_once('.').map_or("", |(group, _)| group);
        if of_setting != group || group.is_empty() {
            page.push('\n');
            group = of_setting;
        }
        entry(&mut page, setting, &config.settings, width);
    }
    page
}

fn entry(page: &mut String, setting: &Setting, settings: &Settings, width: usize) {
    let key = setting.key();
    let value = setting.show(settings).to_string();
    let default = setting.show(&Settings::default()).to_string();
    let _ = write!(page, "{STRONG}{key:width$}{STRONG:#}  ");
    let _ = if value == default {
        writeln!(page, "{}{FAINT}  (default){FAINT:#}", shown(&value))
    } else {
        let (value, default) = (shown(&value), shown(&default));
        writeln!(
            page,
            "{GOOD}{value}{GOOD:#}{FAINT}  (default: {default}){FAINT:#}"
        )
    };
    let _ = writeln!(page, "{:width$}  {}", "", setting.meaning());
    let _ = writeln!(page, "{:width$}  {FAINT}{}{FAINT:#}", "", setting.allowed());
}

/// A value as a person sees it: that there is none must be seen too.
fn shown(value: &str) -> String {
    if value.is_empty() {
        "-".to_owned()
    } else {
        value.escape_debug().to_string()
    }
}
