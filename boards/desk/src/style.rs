//! How things look on a terminal. Whether there is colour at all is `anstream`'s to know: it takes
//! these out again where the output is no terminal, or NO_COLOR is set.

use anstyle::{AnsiColor, Effects, Style};
use clap::builder::Styles;

/// Headings, and what is to be seen first.
pub const STRONG: Style = Style::new().bold();
/// What matters less: times, defaults, explanations.
pub const FAINT: Style = Style::new().effects(Effects::DIMMED);
/// Something to type.
pub const TYPE: Style = AnsiColor::Cyan.on_default();
/// What is on, or well.
pub const GOOD: Style = AnsiColor::Green.on_default();
/// What mends itself.
pub const WARNING: Style = AnsiColor::Yellow.on_default();
/// What needs a person.
pub const ERROR: Style = AnsiColor::Red.on_default().bold();

/// The help's.
pub const HELP: Styles = Styles::styled()
    .header(STRONG)
    .usage(STRONG)
    .literal(TYPE)
    .placeholder(FAINT)
    .error(ERROR)
    .valid(GOOD)
    .invalid(WARNING);
