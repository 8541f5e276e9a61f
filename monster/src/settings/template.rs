//! Topics, client ids and payloads with gaps in them: `%id%After`, `th=%t,%h`, `t=%n`.
//!
//! A gap that is not known is refused when the setting is set, rather than sent as it stands to a
//! broker for years; `%%` is a percent sign. A template is also measured when it is set, with every
//! gap at its widest, so that one that was taken always fits [`FILLED_MAX`].

use core::fmt::{self, Display, Write};

use heapless::String;

use super::value::{Refused, Text, Value};
use crate::identity::{DeviceId, ID_MAX};

/// The longest a template becomes once filled in, in bytes.
pub const FILLED_MAX: usize = 128;

/// What a filled-in topic or client id is.
pub type Filled = String<FILLED_MAX, u8>;

/// Something to fill in, and the most bytes that takes.
struct Gap {
    name: &'static str,
    widest: usize,
}

const ID: Gap = Gap {
    name: "%id%",
    widest: ID_MAX,
};
/// `-100.0`: any reading, with its offset.
const TEMPERATURE: Gap = Gap {
    name: "%t",
    widest: 6,
};
/// `-120.0`, with the same to spare.
const HUMIDITY: Gap = Gap {
    name: "%h",
    widest: 6,
};
/// Any `u64`.
const COUNT: Gap = Gap {
    name: "%n",
    widest: 20,
};

type Source = Text<1, FILLED_MAX>;

/// The name of a topic, in which `%id%` is the device's id. It has no wildcards, whether it is to
/// publish on or to subscribe to (section 4.7).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicTemplate(Source);

impl TopicTemplate {
    /// The topic of the device `id`.
    pub fn fill(&self, id: &DeviceId) -> Filled {
        self.fill_raw(id.as_str())
    }

    /// The topic with `id` for an id, which no template can make longer than [`ID_MAX`] does.
    pub(super) fn fill_raw(&self, id: &str) -> Filled {
        fill_id(&self.0, id)
    }
}

impl Value for TopicTemplate {
    fn parse(text: &str) -> Result<Self, Refused> {
        if text.contains(['+', '#']) {
            return Err("it has a wildcard, + or #, in it");
        }
        check(text, &[ID]).map(TopicTemplate)
    }

    fn allowed(f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "a topic of 1 to {FILLED_MAX} bytes without wildcards, in which %id% is the id, %% is %"
        )
    }

    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.show(f)
    }
}

/// The MQTT client id, in which `%id%` is the device's id (section 3.1.3.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientIdTemplate(Source);

impl ClientIdTemplate {
    /// The client id of the device `id`.
    pub fn fill(&self, id: &DeviceId) -> Filled {
        fill_id(&self.0, id.as_str())
    }
}

impl Value for ClientIdTemplate {
    fn parse(text: &str) -> Result<Self, Refused> {
        check(text, &[ID]).map(ClientIdTemplate)
    }

    fn allowed(f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "1 to {FILLED_MAX} bytes, in which %id% is the id, %% is %"
        )
    }

    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.show(f)
    }
}

/// The answer to `getTH`, in which `%t` is the temperature in °C and `%h` the humidity in %.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClimateFormat(Source);

impl ClimateFormat {
    /// Writes the answer. With values of up to 6 bytes it takes at most [`FILLED_MAX`] bytes.
    ///
    /// # Errors
    /// Those of `out` alone.
    pub fn fill(
        &self,
        temperature: impl Display,
        humidity: impl Display,
        out: &mut impl Write,
    ) -> fmt::Result {
        fill(&self.0, &[TEMPERATURE, HUMIDITY], |part| match part {
            Part::Text(text) => out.write_str(text),
            Part::Gap(0) => write!(out, "{temperature}"),
            Part::Gap(_) => write!(out, "{humidity}"),
        })
    }
}

impl Value for ClimateFormat {
    fn parse(text: &str) -> Result<Self, Refused> {
        check(text, &[TEMPERATURE, HUMIDITY]).map(ClimateFormat)
    }

    fn allowed(f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "1 to {FILLED_MAX} bytes, in which %t is the temperature, %h the humidity, %% is %"
        )
    }

    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.show(f)
    }
}

/// The heartbeat, in which `%n` is its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeartbeatFormat(Source);

impl HeartbeatFormat {
    /// Writes the `number`th heartbeat, at most [`FILLED_MAX`] bytes.
    ///
    /// # Errors
    /// Those of `out` alone.
    pub fn fill(&self, number: u64, out: &mut impl Write) -> fmt::Result {
        fill(&self.0, &[COUNT], |part| match part {
            Part::Text(text) => out.write_str(text),
            Part::Gap(_) => write!(out, "{number}"),
        })
    }
}

impl Value for HeartbeatFormat {
    fn parse(text: &str) -> Result<Self, Refused> {
        check(text, &[COUNT]).map(HeartbeatFormat)
    }

    fn allowed(f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "1 to {FILLED_MAX} bytes, in which %n is the number, %% is %"
        )
    }

    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.show(f)
    }
}

/// A template as it is taken apart.
enum Piece<'a> {
    Text(&'a str),
    /// What stands after a `%`, from the `%` on.
    Mark(&'a str),
}

/// The first piece of `template`, and, of a text, the rest.
fn first(template: &str) -> Option<(Piece<'_>, &str)> {
    match template.split_at_checked(template.find('%').unwrap_or(template.len()))? {
        ("", "") => None,
        ("", mark) => Some((Piece::Mark(mark), "")),
        (text, rest) => Some((Piece::Text(text), rest)),
    }
}

fn check(template: &str, gaps: &[Gap]) -> Result<Source, Refused> {
    let source = Source::parse(template)?;
    let mut widest = 0usize;
    let mut rest = template;
    while let Some((piece, after)) = first(rest) {
        let width;
        (width, rest) = match piece {
            Piece::Text(text) => (text.len(), after),
            Piece::Mark(mark) => match gaps
                .iter()
                .find_map(|gap| Some((gap.widest, mark.strip_prefix(gap.name)?)))
            {
                Some(gap) => gap,
                None => (
                    1,
                    mark.strip_prefix("%%")
                        .ok_or("a % in it stands for nothing")?,
                ),
            },
        };
        widest = widest.saturating_add(width);
    }
    if widest > FILLED_MAX {
        return Err("it would be too long once filled in");
    }
    Ok(source)
}

/// What a template is made of, once it is taken apart.
enum Part<'a> {
    Text(&'a str),
    /// The gap with this position among those there are.
    Gap(usize),
}

/// Hands `write` the parts of a template that `check` took for the same gaps.
fn fill(
    source: &Source,
    gaps: &[Gap],
    mut write: impl FnMut(Part<'_>) -> fmt::Result,
) -> fmt::Result {
    let mut rest = source.as_str();
    while let Some((piece, after)) = first(rest) {
        rest = match piece {
            Piece::Text(text) => {
                write(Part::Text(text))?;
                after
            }
            Piece::Mark(mark) => {
                let known = gaps
                    .iter()
                    .zip(0..)
                    .find_map(|(gap, position)| Some((position, mark.strip_prefix(gap.name)?)));
                match known {
                    Some((position, after)) => {
                        write(Part::Gap(position))?;
                        after
                    }
                    None => {
                        write(Part::Text("%"))?;
                        mark.strip_prefix("%%").unwrap_or_default()
                    }
                }
            }
        };
    }
    Ok(())
}

fn fill_id(source: &Source, id: &str) -> Filled {
    let mut filled = Filled::new();
    // It fits: `check` measured it with the longest id.
    let _ = fill(source, &[ID], |part| {
        filled.write_str(match part {
            Part::Text(text) => text,
            Part::Gap(_) => id,
        })
    });
    filled
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::format;
    use std::string::String;

    use super::*;

    fn id() -> DeviceId {
        DeviceId::parse("a1b2").unwrap()
    }

    fn topic(template: &str) -> Filled {
        TopicTemplate::parse(template).unwrap().fill(&id())
    }

    #[test]
    fn the_id_is_filled_in_wherever_it_is_asked_for() {
        assert_eq!(topic("%id%"), "a1b2");
        assert_eq!(topic("%id%After"), "a1b2After");
        assert_eq!(topic("home/%id%/%id%"), "home/a1b2/a1b2");
        assert_eq!(topic("fixed"), "fixed");
        assert_eq!(topic("é%id%é"), "éa1b2é");
    }

    #[test]
    fn two_percent_signs_are_one() {
        assert_eq!(topic("100%%"), "100%");
        assert_eq!(topic("%%id%%"), "%id%");
        assert_eq!(topic("%id%%%"), "a1b2%");
    }

    #[test]
    fn a_gap_that_is_not_known_is_refused() {
        for bad in ["%", "%id", "%ID%", "%t", "%id%%", "a%b", "%%%", "%é"] {
            assert!(TopicTemplate::parse(bad).is_err(), "{bad}");
            assert!(ClientIdTemplate::parse(bad).is_err(), "{bad}");
        }
        for bad in ["%n", "%id%", "%"] {
            assert!(ClimateFormat::parse(bad).is_err(), "{bad}");
        }
        for bad in ["%t", "%id%", "%N"] {
            assert!(HeartbeatFormat::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_topic_is_not_empty_and_has_no_wildcard_and_no_control_character() {
        for bad in ["", "+", "a/#", "a+b", "a\0b", "a\n"] {
            assert!(TopicTemplate::parse(bad).is_err(), "{bad:?}");
        }
        assert!(ClientIdTemplate::parse("").is_err());
        assert!(ClientIdTemplate::parse("a+b#").is_ok());
    }

    #[test]
    fn a_template_that_was_taken_fits_with_the_longest_id() {
        let longest = DeviceId::parse(&"z".repeat(ID_MAX)).unwrap();
        let text = format!("{}%id%", "a".repeat(FILLED_MAX - ID_MAX));
        let filled = TopicTemplate::parse(&text).unwrap().fill(&longest);
        assert_eq!(filled, text.replace("%id%", longest.as_str()).as_str());
        assert_eq!(filled.len(), FILLED_MAX);
        assert!(TopicTemplate::parse(&format!("a{text}")).is_err());
        assert!(TopicTemplate::parse(&"a".repeat(FILLED_MAX + 1)).is_err());
        assert!(TopicTemplate::parse(&"%id%".repeat(6)).is_err());
    }

    #[test]
    fn readings_and_numbers_are_filled_in() {
        let mut out = String::new();
        let format = ClimateFormat::parse("h=%h,t=%t,%t 5%%").unwrap();
        format.fill("-1.5", 56, &mut out).unwrap();
        assert_eq!(out, "h=56,t=-1.5,-1.5 5%");
        out.clear();
        let format = HeartbeatFormat::parse("t=%n").unwrap();
        format.fill(u64::MAX, &mut out).unwrap();
        assert_eq!(out, "t=18446744073709551615");
    }

    #[test]
    fn a_heartbeat_that_was_taken_fits_with_the_largest_number() {
        let mut out = Filled::new();
        let format = HeartbeatFormat::parse("%n%n%n%n%n%n12345678").unwrap();
        format.fill(u64::MAX, &mut out).unwrap();
        assert_eq!(out.len(), FILLED_MAX);
        assert!(HeartbeatFormat::parse("%n%n%n%n%n%n123456789").is_err());
    }

    #[test]
    fn a_buffer_that_is_too_small_is_an_error() {
        let mut out = heapless::String::<3>::new();
        let format = HeartbeatFormat::parse("t=%n").unwrap();
        assert!(format.fill(10, &mut out).is_err());
    }
}
