//! What is wrong with a setting, so that a person can mend it.

use core::fmt;

use heapless::String;

use super::value::Refused;
use super::{Setting, TABLE};

/// Why settings were not taken. Its `Display` names the key, the value and what is allowed; never a
/// value that may hold a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SettingError {
    /// There is no such setting.
    UnknownKey {
        /// The key that was given.
        key: Excerpt,
        /// The one that was probably meant.
        nearest: Option<&'static str>,
    },
    /// The setting does not take the value.
    Refused {
        /// The setting.
        setting: &'static Setting,
        /// The value that was given; `None` if it may hold a secret.
        value: Option<Excerpt>,
        /// What is wrong with it.
        reason: Refused,
    },
    /// Each value is allowed, but not with the others.
    Conflict(Conflict),
}

impl SettingError {
    pub(super) fn unknown_key(key: &str) -> Self {
        SettingError::UnknownKey {
            key: Excerpt::of(key),
            nearest: nearest(key),
        }
    }

    pub(super) fn refused(setting: &'static Setting, value: &str, reason: Refused) -> Self {
        SettingError::Refused {
            setting,
            value: (!setting.is_sensitive()).then(|| Excerpt::of(value)),
            reason,
        }
    }
}

impl fmt::Display for SettingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SettingError::UnknownKey { key, nearest } => {
                write!(f, "there is no setting {key}")?;
                nearest.map_or(Ok(()), |key| write!(f, "; did you mean {key}?"))
            }
            SettingError::Refused {
                setting,
                value,
                reason,
            } => {
                f.write_str(setting.key())?;
                match value {
                    Some(value) => write!(f, " = {value}")?,
                    None => f.write_str(" (value not shown)")?,
                }
                write!(f, ": {reason}; allowed: {}", setting.allowed())
            }
            SettingError::Conflict(conflict) => write!(f, "{conflict}"),
        }
    }
}

impl core::error::Error for SettingError {}

/// Values that exclude each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Conflict {
    /// There would be nothing to say and nothing to hear.
    NothingEnabled,
    /// `classic.in` and `classic.out` are this one topic: the device would answer itself.
    ClassicTopicsEqual(Excerpt),
    /// This setting's topic lies in the structured tree, which is spoken too.
    ClassicTopicInTree(&'static str, Excerpt),
    /// A password needs a user (\[MQTT-3.1.2-22\]).
    PasswordWithoutUser,
    /// This setting names a file for TLS, but TLS is not spoken.
    FileWithoutTls(&'static str),
    /// `broker.cert` is set and `broker.key` is not.
    CertificateWithoutKey,
    /// `broker.key` is set and `broker.cert` is not.
    KeyWithoutCertificate,
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Conflict::NothingEnabled => f.write_str(
                "classic.enabled and structured.enabled are both false: one of them must be true",
            ),
            Conflict::ClassicTopicsEqual(topic) => write!(
                f,
                "classic.in and classic.out are both {}: they must differ",
                topic
            ),
            Conflict::ClassicTopicInTree(key, topic) => write!(
                f,
                "{key} = {}: topics in monster/ are the structured tree's; \
                 allowed: any other, or structured.enabled = false",
                topic
            ),
            Conflict::PasswordWithoutUser => f.write_str(
                "broker.password is set and broker.user is not: MQTT 3.1.1 allows a password only \
                 with a user",
            ),
            Conflict::FileWithoutTls(key) => write!(
                f,
                "{key} is set, but broker.url begins with mqtt://: \
                 certificates are only for mqtts://",
            ),
            Conflict::CertificateWithoutKey => f.write_str(
                "broker.cert is set and broker.key is not: a certificate is worth nothing without \
                 its private key",
            ),
            Conflict::KeyWithoutCertificate => f.write_str(
                "broker.key is set and broker.cert is not: a private key is shown to nobody \
                 without its certificate",
            ),
        }
    }
}

/// The beginning of a text from outside, quoted and with control characters escaped when shown, so
/// that an error is short and cannot garble a terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Excerpt {
    beginning: String<48>,
    is_cut: bool,
}

impl Excerpt {
    pub(super) fn of(text: &str) -> Self {
        let mut beginning = String::new();
        let is_cut = text.chars().any(|c| beginning.push(c).is_err());
        Excerpt { beginning, is_cut }
    }
}

impl fmt::Display for Excerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cut = if self.is_cut { "…" } else { "" };
        write!(f, "\"{}{cut}\"", self.beginning.escape_debug())
    }
}

/// More than any key has.
const KEY_MAX: usize = 40;

/// The key `unknown` was probably meant to be: one whose group was left out, or a few slips away.
fn nearest(unknown: &str) -> Option<&'static str> {
    if unknown.len() > KEY_MAX {
        return None;
    }
    let mut of_a_group = TABLE
        .iter()
        .map(Setting::key)
        .filter(|key| key.split_once('.').is_some_and(|(_, leaf)| leaf == unknown));
    if let (Some(only), None) = (of_a_group.next(), of_a_group.next()) {
        return Some(only);
    }
    TABLE
        .iter()
        .map(|setting| (distance(unknown, setting.key()), setting.key()))
        .min()
        .filter(|(slips, _)| *slips <= 3 && slips * 2 <= unknown.len())
        .map(|(_, key)| key)
}

/// Levenshtein's distance: how many letters must be put in, taken out or changed, other
/// than in case. Of `b`, only the first [`KEY_MAX`] bytes count.
fn distance(a: &str, b: &str) -> usize {
    // From the part of `a` seen so far to each beginning of `b`, the empty one aside.
    let mut row: [usize; KEY_MAX] = core::array::from_fn(|position| position + 1);
    let mut last = b.len();
    for (seen, x) in a.bytes().enumerate() {
        let mut diagonal = seen;
        let mut left = seen + 1;
        for (above, y) in row.iter_mut().zip(b.bytes()) {
            let changed = diagonal + usize::from(!x.eq_ignore_ascii_case(&y));
            diagonal = *above;
            left = changed.min(diagonal + 1).min(left + 1);
            *above = left;
        }
        last = left;
    }
    last
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::string::ToString;

    use super::*;

    #[test]
    fn the_distance_is_the_number_of_slips() {
        for (a, b, slips) in [
            ("", "", 0),
            ("", "abc", 3),
            ("abc", "", 3),
            ("abc", "abc", 0),
            ("abc", "axc", 1),
            ("ABC", "abc", 0),
            ("ac", "abc", 1),
            ("abbc", "abc", 1),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(distance(a, b), slips, "{a} {b}");
        }
    }

    #[test]
    fn every_key_is_short_enough_to_be_measured() {
        assert!(TABLE.iter().all(|setting| setting.key().len() <= KEY_MAX));
    }

    #[test]
    fn a_near_miss_or_a_forgotten_group_suggests_the_key() {
        for (unknown, key) in [
            ("mqtt.keepalive", "mqtt.keep_alive"),
            ("mqtt.keep-alive", "mqtt.keep_alive"),
            ("keep_alive", "mqtt.keep_alive"),
            ("power_on", "switch.power_on"),
            ("brocker.url", "broker.url"),
            ("log_level", "log.level"),
            ("ID", "id"),
            ("group", "groups"),
        ] {
            assert_eq!(nearest(unknown), Some(key), "{unknown}");
        }
    }

    #[test]
    fn a_key_like_no_other_suggests_nothing() {
        for unknown in ["", "x", "bluetooth.name", "enabled", "colour", "%", "é"] {
            assert_eq!(nearest(unknown), None, "{unknown}");
        }
        assert_eq!(nearest(&"log.level".repeat(100)), None);
    }

    #[test]
    fn an_excerpt_is_short_quoted_and_escaped() {
        assert_eq!(Excerpt::of("a\u{1b}[2J\"").to_string(), r#""a\u{1b}[2J\"""#);
        let long = Excerpt::of(&"é".repeat(1000)).to_string();
        assert!(long.ends_with("…\"") && long.len() < 60, "{long}");
        assert!(!Excerpt::of(&"a".repeat(48)).is_cut);
    }
}
