//! Topic names and topic filters, and which name a filter matches (section 4.7).

use core::fmt;

/// The name of a topic: what a message is published to.
///
/// 1 to 65,535 bytes of UTF-8 without U+0000 and without the wildcards `+` and `#`
/// (sections 4.7.1 and 4.7.3).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicName<'a>(&'a [u8]);

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
        match scan(bytes) {
            Some(_) => Ok(TopicName(bytes)),
            None if holds_null(bytes) => Err(TopicError::Null),
            None => Err(TopicError::Wildcard),
        }
    }

    /// Takes bytes of a packet if they are the name of a topic.
    // Inlined where memory is plenty: every message passes here.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    pub(crate) fn from_bytes(bytes: &'a [u8]) -> Option<Self> {
        let is_ascii = scan(bytes)?;
        // What is ASCII is UTF-8.
        let is_name = !bytes.is_empty() && (is_ascii || is_text(bytes));
        is_name.then_some(TopicName(bytes))
    }

    /// Bytes of a packet that were [found right](Self::from_bytes) before.
    pub(crate) const fn checked(bytes: &'a [u8]) -> Self {
        TopicName(bytes)
    }

    /// The name as text.
    pub const fn as_str(self) -> &'a str {
        // It is text, but to say so to the compiler it has to be looked at again: who only compares
        // names, or matches them with filters, does without.
        match core::str::from_utf8(self.0) {
            Ok(name) => name,
            Err(_) => "",
        }
    }

    /// The bytes of the name.
    pub const fn as_bytes(self) -> &'a [u8] {
        self.0
    }
}

impl PartialEq<str> for TopicName<'_> {
    fn eq(&self, name: &str) -> bool {
        self.0 == name.as_bytes()
    }
}

impl PartialEq<&str> for TopicName<'_> {
    fn eq(&self, name: &&str) -> bool {
        self.0 == name.as_bytes()
    }
}

impl AsRef<str> for TopicName<'_> {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl<'a> From<TopicName<'a>> for &'a str {
    fn from(name: TopicName<'a>) -> Self {
        name.as_str()
    }
}

impl<'a> TopicFilter<'a> {
    /// Takes `filter` if it is a topic filter.
    pub const fn new(filter: &'a str) -> Result<Self, TopicError> {
        let bytes = filter.as_bytes();
        if let Err(error) = check_length(bytes) {
            return Err(error);
        }
        // What a level ends with, a `+` must stand before, and what it begins with, behind.
        let mut last = b'/';
        let mut rest = bytes;
        while let [byte, tail @ ..] = rest {
            let byte = *byte;
            if byte == 0 {
                return Err(TopicError::Null);
            }
            if last == b'#' || last == b'+' && byte != b'/' || last != b'/' && byte & !0x08 == b'#'
            {
                return Err(TopicError::WildcardPlace);
            }
            last = byte;
            rest = tail;
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
        if let ([b'$', ..], [b'+' | b'#', ..]) = (name.0, filter.as_bytes()) {
            return false;
        }
        let is_separator = |&byte: &u8| byte == b'/';
        let mut levels = name.0.split(is_separator);
        // By bytes: that a search in text cannot panic, the compiler does not see.
        for pattern in filter.as_bytes().split(is_separator) {
            match (pattern, levels.next()) {
                (b"#", _) => return true,
                (b"+", Some(_)) => {}
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
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for TopicName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
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

/// What follows `$share/`; `None` if the filter does not begin so.
pub(crate) const fn strip_share(filter: &[u8]) -> Option<&[u8]> {
    let mut rest = filter;
    let mut start = SHARE.as_bytes();
    while let [expected, start_tail @ ..] = start {
        match rest {
            [byte, tail @ ..] if *byte == *expected => rest = tail,
            _ => return None,
        }
        start = start_tail;
    }
    Some(rest)
}

/// Whether a filter that begins as a shared subscription is one.
const fn check_share(filter: &[u8]) -> Result<(), TopicError> {
    let Some(name) = strip_share(filter) else {
        return Ok(());
    };
    let mut rest = name;
    while let [byte, tail @ ..] = rest {
        if *byte == b'/' {
            let is_named = rest.len() < name.len();
            return match is_named && !tail.is_empty() {
                true => Ok(()),
                false => Err(TopicError::Share),
            };
        }
        if *byte & !0x08 == b'#' {
            break;
        }
        rest = tail;
    }
    Err(TopicError::Share)
}

/// `None` if these bytes hold what no topic name does, U+0000 or a wildcard; or else whether all of
/// them are ASCII.
const fn scan(bytes: &[u8]) -> Option<bool> {
    let mut rest = bytes;
    let mut above = 0;
    #[cfg(target_pointer_width = "64")]
    while let Some((word, tail)) = rest.split_first_chunk() {
        let word = u64::from_ne_bytes(*word);
        let wildcards = (word | (EACH * 0x08)) ^ (EACH * b'+' as u64);
        if zeros(word) | zeros(wildcards) != 0 {
            return None;
        }
        above |= word & (EACH * 0x80);
        rest = tail;
    }
    while let [byte, tail @ ..] = rest {
        // The wildcards differ in one bit.
        if *byte == 0 || *byte | 0x08 == b'+' {
            return None;
        }
        above |= (*byte & 0x80) as Above;
        rest = tail;
    }
    Some(above == 0)
}

#[cfg(target_pointer_width = "64")]
type Above = u64;
#[cfg(not(target_pointer_width = "64"))]
type Above = u8;

/// A word with this in each byte.
#[cfg(target_pointer_width = "64")]
const EACH: u64 = u64::MAX / 0xff;

/// Not 0 if a byte of the word is.
#[cfg(target_pointer_width = "64")]
const fn zeros(word: u64) -> u64 {
    word.wrapping_sub(EACH) & !word & (EACH * 0x80)
}

const fn holds_null(mut bytes: &[u8]) -> bool {
    while let [byte, tail @ ..] = bytes {
        if *byte == 0 {
            return true;
        }
        bytes = tail;
    }
    false
}

/// Whether these bytes are UTF-8 without U+0000 (section 1.5.3; in MQTT 5, 1.5.4).
///
/// `from_utf8` finds that out several words at a time, and on small machines takes 500 bytes of
/// code more.
pub(crate) fn is_text(bytes: &[u8]) -> bool {
    let mut rest = bytes.iter();
    while let Some(&byte) = rest.next() {
        let (following, least) = match byte {
            0x01..=0x7f => continue,
            0xc0..=0xdf => (1, 0x80),
            0xe0..=0xef => (2, 0x800),
            0xf0..=0xf7 => (3, 0x1_0000),
            _ => return false,
        };
        let mut value = byte as u32 & (0x3f >> following);
        for _ in 0..following {
            match rest.next() {
                Some(&byte) if byte & 0xc0 == 0x80 => value = value << 6 | (byte & 0x3f) as u32,
                _ => return false,
            }
        }
        if value < least || char::from_u32(value).is_none() {
            return false;
        }
    }
    true
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
                let n: std::vec::Vec<&str> = name.as_str().split('/').collect();
                assert_eq!(filter.matches(name), slow(&f, &n), "{filter} {name}");
                compared += 1;
            }
        }
        assert!(compared > 2000, "{compared}");
    }

    #[test]
    fn bytes_are_text_exactly_where_from_utf8_says_so_and_no_null_is_in_them() {
        // All of one to three bytes, and those of four at the borders.
        let borders = [
            0x00, 0x01, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xff,
        ];
        let check = |bytes: &[u8]| {
            let is_right = core::str::from_utf8(bytes).is_ok() && !bytes.contains(&0);
            assert_eq!(is_text(bytes), is_right, "{bytes:x?}");
        };
        check(&[]);
        for a in 0..=0xff {
            check(&[a]);
            for b in 0..=0xff {
                check(&[a, b]);
                for c in borders {
                    check(&[a, b, c]);
                    check(&[b'x', a, b, c, b'y']);
                    for d in borders {
                        check(&[a, b, c, d]);
                    }
                }
            }
        }
    }

    #[test]
    fn a_name_is_found_wrong_wherever_the_wrong_byte_stands() {
        for length in 1..40 {
            for at in 0..length {
                for byte in 0..=0xff_u8 {
                    let mut bytes = std::vec![b'x'; length];
                    bytes[at] = byte;
                    let is_name = byte < 0x80 && !b"\0+#".contains(&byte);
                    assert_eq!(TopicName::from_bytes(&bytes).is_some(), is_name);
                    if let Ok(text) = core::str::from_utf8(&bytes) {
                        assert_eq!(TopicName::new(text).is_ok(), is_name);
                    }
                }
            }
        }
        assert!(TopicName::from_bytes("größe/αβγ/😀".as_bytes()).is_some());
        assert!(TopicName::from_bytes(&[]).is_none());
    }
}
