//! Topic names and topic filters, and which name a filter matches (section 4.7).

use core::fmt;

/// The name of a topic: what a message is published to.
///
/// 1 to 65,535 bytes of UTF-8 without U+0000 and without the wildcards `+` and `#`
/// (sections 4.7.1 and 4.7.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicName<'a>(&'a str);

/// A topic filter: what is subscribed to.
///
/// As a name, but `+` may stand for one level and `#`, at the end, for any number of them, also none
/// (section 4.7.1). `$share/<name>/<filter>` is a shared subscription (MQTT 5, section 4.8.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicFilter<'a>(&'a str);

/// Why a text is not a topic name or a topic filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TopicError {
    /// It is empty.
    Empty,
    /// It is longer than 65,535 bytes.
    TooLong,
    /// It holds U+0000.
    Null,
    /// A name holds a wildcard.
    Wildcard,
    /// A filter has a `+` that is not alone in its level, or a `#` that is not alone in the last one.
    WildcardPlace,
    /// A shared subscription without a share name, with a wildcard in it, or without a filter.
    Share,
}

impl fmt::Display for TopicError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TopicError::Empty => "a topic is not empty",
            TopicError::TooLong => "a topic has at most 65,535 bytes",
            TopicError::Null => "a topic does not hold U+0000",
            TopicError::Wildcard => "a topic name holds neither + nor #",
            TopicError::WildcardPlace => "+ stands alone in its level, and # alone in the last one",
            TopicError::Share => {
                "a shared subscription is $share/<name>/<filter>, without wildcards in the name"
            }
        })
    }
}

impl core::error::Error for TopicError {}

impl<'a> TopicName<'a> {
    /// Takes `name` if it is the name of a topic.
    pub const fn new(name: &'a str) -> Result<Self, TopicError> {
        let bytes = name.as_bytes();
        if let Err(error) = check_length(bytes) {
            return Err(error);
        }
        let mut i = 0;
        while i < bytes.len() {
            match bytes[i] {
                0 => return Err(TopicError::Null),
                b'+' | b'#' => return Err(TopicError::Wildcard),
                _ => i += 1,
            }
        }
        Ok(TopicName(name))
    }

    /// The name as text.
    pub const fn as_str(self) -> &'a str {
        self.0
    }
}

impl<'a> TopicFilter<'a> {
    /// Takes `filter` if it is a topic filter.
    pub const fn new(filter: &'a str) -> Result<Self, TopicError> {
        let bytes = filter.as_bytes();
        if let Err(error) = check_length(bytes) {
            return Err(error);
        }
        let mut i = 0;
        while i < bytes.len() {
            let first = i == 0 || bytes[i - 1] == b'/';
            let last = i + 1 == bytes.len();
            match bytes[i] {
                0 => return Err(TopicError::Null),
                b'+' if !first || !(last || bytes[i + 1] == b'/') => {
                    return Err(TopicError::WildcardPlace);
                }
                b'#' if !first || !last => return Err(TopicError::WildcardPlace),
                _ => i += 1,
            }
        }
        match check_share(bytes) {
            Ok(()) => Ok(TopicFilter(filter)),
            Err(error) => Err(error),
        }
    }

    /// The filter as text.
    pub const fn as_str(self) -> &'a str {
        self.0
    }

    /// The share name of a shared subscription; `None` for any other.
    pub fn share_name(self) -> Option<&'a str> {
        Some(self.split_share()?.0)
    }

    /// Whether a message with this name is one that the filter asks for.
    ///
    /// A wildcard in the first level does not match a name that begins with `$` \[MQTT-4.7.2-1\];
    /// `a/#` matches `a` itself (section 4.7.1.2).
    pub fn matches(self, name: TopicName<'_>) -> bool {
        let filter = self.split_share().map_or(self.0, |(_, filter)| filter);
        if name.0.starts_with('$') && filter.starts_with(['+', '#']) {
            return false;
        }
        let mut levels = name.0.split('/');
        for pattern in filter.split('/') {
            match (pattern, levels.next()) {
                ("#", _) => return true,
                ("+", Some(_)) => {}
                (pattern, Some(level)) if pattern == level => {}
                _ => return false,
            }
        }
        levels.next().is_none()
    }

    fn split_share(self) -> Option<(&'a str, &'a str)> {
        self.0.strip_prefix(SHARE)?.split_once('/')
    }
}

impl fmt::Display for TopicName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl fmt::Display for TopicFilter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl<'a> TryFrom<&'a str> for TopicName<'a> {
    type Error = TopicError;

    fn try_from(name: &'a str) -> Result<Self, TopicError> {
        TopicName::new(name)
    }
}

impl<'a> TryFrom<&'a str> for TopicFilter<'a> {
    type Error = TopicError;

    fn try_from(filter: &'a str) -> Result<Self, TopicError> {
        TopicFilter::new(filter)
    }
}

/// What a shared subscription begins with.
const SHARE: &str = "$share/";

const fn check_length(bytes: &[u8]) -> Result<(), TopicError> {
    match bytes.len() {
        0 => Err(TopicError::Empty),
        1..=0xffff => Ok(()),
        _ => Err(TopicError::TooLong),
    }
}

/// Whether a filter that begins as a shared subscription is one.
const fn check_share(bytes: &[u8]) -> Result<(), TopicError> {
    let share = SHARE.as_bytes();
    let mut i = 0;
    while i < share.len() {
        if i >= bytes.len() || bytes[i] != share[i] {
            return Ok(());
        }
        i += 1;
    }
    let name = i;
    while i < bytes.len() && bytes[i] != b'/' {
        if bytes[i] == b'+' || bytes[i] == b'#' {
            return Err(TopicError::Share);
        }
        i += 1;
    }
    if i == name || i + 1 >= bytes.len() {
        return Err(TopicError::Share);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::string::String;

    use super::*;

    fn matches(filter: &str, name: &str) -> bool {
        TopicFilter::new(filter)
            .unwrap()
            .matches(TopicName::new(name).unwrap())
    }

    #[test]
    fn the_examples_of_the_standard_match() {
        // Sections 4.7.1.2 and 4.7.1.3.
        for name in [
            "sport/tennis/player1",
            "sport/tennis/player1/ranking",
            "sport/tennis/player1/score/wimbledon",
        ] {
            assert!(matches("sport/tennis/player1/#", name), "{name}");
            assert!(matches("#", name));
        }
        assert!(matches("sport/#", "sport"));
        assert!(matches("sport/tennis/+", "sport/tennis/player1"));
        assert!(!matches("sport/tennis/+", "sport/tennis/player1/ranking"));
        assert!(!matches("sport/+", "sport"));
        assert!(matches("sport/+", "sport/"));
        assert!(matches("+/+", "/finance"));
        assert!(matches("/+", "/finance"));
        assert!(!matches("+", "/finance"));
    }

    // 3.1.1: [MQTT-4.7.2-1]
    // 5: [MQTT-4.7.2-1]
    #[test]
    fn a_wildcard_in_front_does_not_match_what_begins_with_a_dollar() {
        // Section 4.7.2.
        assert!(!matches("#", "$SYS/broker"));
        assert!(!matches("+/monitor/Clients", "$SYS/monitor/Clients"));
        assert!(matches("$SYS/#", "$SYS/broker"));
        assert!(matches("$SYS/monitor/+", "$SYS/monitor/Clients"));
        assert!(matches("#", "a/$SYS"));
    }

    // 3.1.1: [MQTT-4.7.3-4]
    // 5: [MQTT-4.7.3-4]
    #[test]
    fn levels_are_compared_as_they_are() {
        assert!(!matches("ACCOUNTS", "Accounts"));
        assert!(matches("Accounts payable", "Accounts payable"));
        assert!(!matches("/a", "a"));
        assert!(!matches("a/", "a"));
        assert!(matches("a//b", "a//b"));
        assert!(matches("a/+/b", "a//b"));
        assert!(!matches("a/b", "a/b/c"));
        assert!(!matches("a/b/c", "a/b"));
        assert!(matches("灯/+", "灯/一"));
    }

    // 5: [MQTT-4.8.2-1]
    #[test]
    fn a_shared_subscription_matches_by_the_filter_in_it() {
        let filter = TopicFilter::new("$share/group/a/+").unwrap();
        assert_eq!(filter.share_name(), Some("group"));
        assert!(matches("$share/group/a/+", "a/b"));
        assert!(matches("$share/group//a", "/a"));
        assert!(!matches("$share/group/#", "$SYS/x"));
        assert!(matches("$share/group/$SYS/#", "$SYS/x"));
        assert_eq!(TopicFilter::new("$shared/a").unwrap().share_name(), None);
    }

    // 3.1.1: [MQTT-3.3.2-2] [MQTT-4.7.1-1] [MQTT-4.7.1-2] [MQTT-4.7.1-3] [MQTT-4.7.3-1] [MQTT-4.7.3-2]
    // 3.1.1: [MQTT-4.7.3-3]
    // 5: [MQTT-3.3.2-2] [MQTT-4.7.0-1] [MQTT-4.7.1-1] [MQTT-4.7.1-2] [MQTT-4.7.3-1] [MQTT-4.7.3-2]
    // 5: [MQTT-4.7.3-3] [MQTT-4.8.2-1] [MQTT-4.8.2-2]
    #[test]
    fn what_is_no_name_and_no_filter_is_refused_with_the_reason() {
        assert_eq!(TopicName::new(""), Err(TopicError::Empty));
        assert_eq!(TopicName::new("a\0"), Err(TopicError::Null));
        for name in ["+", "a/#", "a+b"] {
            assert_eq!(TopicName::new(name), Err(TopicError::Wildcard), "{name}");
        }
        assert_eq!(TopicFilter::new(""), Err(TopicError::Empty));
        assert_eq!(TopicFilter::new("a\0"), Err(TopicError::Null));
        for filter in [
            "a#", "#/a", "a/#/b", "a+", "+a", "a/b+/c", "##", "++", "sport+",
        ] {
            let error = Err(TopicError::WildcardPlace);
            assert_eq!(TopicFilter::new(filter), error, "{filter}");
        }
        for filter in [
            "$share/",
            "$share//a",
            "$share/g",
            "$share/g/",
            "$share/+/a",
        ] {
            assert_eq!(TopicFilter::new(filter), Err(TopicError::Share), "{filter}");
        }
        for filter in ["#", "+", "/", "a/#", "+/+/#", "$share", "$share/g/#", "/#"] {
            assert!(TopicFilter::new(filter).is_ok(), "{filter}");
        }
        let long: String = core::iter::repeat_n('x', 65_536).collect();
        assert_eq!(TopicName::new(&long), Err(TopicError::TooLong));
        assert_eq!(TopicFilter::new(&long), Err(TopicError::TooLong));
        assert!(TopicName::new(&long[..65_535]).is_ok());
    }

    #[test]
    fn matching_agrees_with_a_slow_definition_of_it() {
        // Every name and filter of up to three levels out of a small alphabet.
        fn slow(filter: &[&str], name: &[&str]) -> bool {
            match (filter, name) {
                (["#"], _) | ([], []) => true,
                (["+", filter @ ..], [_, name @ ..]) => slow(filter, name),
                ([a, filter @ ..], [b, name @ ..]) => a == b && slow(filter, name),
                _ => false,
            }
        }
        let words = ["a", "b", "", "+", "#"];
        let mut texts = std::vec::Vec::new();
        for x in words {
            texts.push(String::from(x));
            for y in words {
                texts.push(std::format!("{x}/{y}"));
                for z in words {
                    texts.push(std::format!("{x}/{y}/{z}"));
                }
            }
        }
        let mut compared = 0;
        for filter in &texts {
            let Ok(filter) = TopicFilter::new(filter) else {
                continue;
            };
            for name in &texts {
                let Ok(name) = TopicName::new(name) else {
                    continue;
                };
                let f: std::vec::Vec<&str> = filter.0.split('/').collect();
                let n: std::vec::Vec<&str> = name.0.split('/').collect();
                assert_eq!(filter.matches(name), slow(&f, &n), "{filter} {name}");
                compared += 1;
            }
        }
        assert!(compared > 2000, "{compared}");
    }
}
