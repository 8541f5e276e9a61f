//! The types of single settings: each knows its text, what is allowed, and nothing else.
//!
//! A value that exists is a valid one; there is no way to write another.

use core::fmt;

use heapless::{String, Vec};

use crate::identity::{DeviceId, IdError};

/// Why a text was refused, in words that follow `<key> = "<text>": `. Never the text itself.
pub type Refused = &'static str;

/// What every setting's type can do: be read from text, be shown as text that reads back to the
/// same value, and say what it allows.
pub trait Value: Sized {
    /// Whether the text given for it may hold a secret, so that nothing may repeat that text.
    const SENSITIVE: bool = false;

    /// How a form asks for it.
    const KIND: Kind = Kind::Text;

    /// Reads a value.
    ///
    /// # Errors
    /// What is wrong with `text`.
    fn parse(text: &str) -> Result<Self, Refused>;

    /// Writes what is allowed, to follow `allowed: `.
    ///
    /// # Errors
    /// Those of `f` alone.
    fn allowed(f: &mut fmt::Formatter<'_>) -> fmt::Result;

    /// Writes the value; a secret only says whether it is set.
    ///
    /// # Errors
    /// Those of `f` alone.
    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result;
}

/// How a form asks for a setting. What is allowed besides, [`Value::allowed`] says in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A line of text.
    Text,
    /// A line of text that is never shown.
    Secret,
    /// `true` or `false`.
    Bool,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A number.
    Number {
        /// The least.
        min: i32,
        /// The greatest.
        max: i32,
        /// How many digits may stand behind the point.
        decimals: u8,
    },
}

/// An enum of which each variant is a word: `reason` is said when a text is none of them.
macro_rules! words {
    (
        $(#[$about:meta])*
        $Name:ident, $reason:literal {
            $( #[doc = $meaning:literal] $Variant:ident = $word:literal, )+
        }
    ) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $Name {
            $( #[doc = $meaning] $Variant, )+
        }

        impl $Name {
            /// The word that stands for it in settings.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $( $Name::$Variant => $word, )+
                }
            }
        }

        impl Value for $Name {
            const KIND: Kind = Kind::Choice(&[$($word),+]);

            fn parse(text: &str) -> Result<Self, Refused> {
                match text {
                    $( $word => Ok($Name::$Variant), )+
                    _ => Err($reason),
                }
            }

            fn allowed(f: &mut fmt::Formatter<'_>) -> fmt::Result {
                join(f, " | ", &[$($word),+])
            }

            fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

words! {
    /// Which MQTT is spoken.
    MqttVersion, "it is not a version that is spoken" {
        /// MQTT 3.1.1, protocol level 4.
        V3_1_1 = "3.1.1",
        /// MQTT 5, protocol level 5.
        V5 = "5",
    }
}

words! {
    /// What the broker is asked to remember while the device is away (section 3.1.2.4).
    MqttSession, "it is not a kind of session" {
        /// Nothing: every connection starts afresh (clean session).
        Clean = "clean",
        /// Subscriptions and messages of QoS 1 and 2.
        Kept = "kept",
    }
}

words! {
    /// What to do with a command that arrives with RETAIN set on `classic.in`.
    RetainedCommands, "it is not a way to treat a retained message" {
        /// Count it and do nothing: it may be hours old.
        Ignore = "ignore",
        /// Carry it out, as the original program does.
        Obey = "obey",
    }
}

words! {
    /// The switch's state after the power comes on.
    PowerOn, "it is not a state to start in" {
        /// On.
        On = "on",
        /// Off.
        Off = "off",
        /// As it was.
        Restore = "restore",
        /// The opposite of what it was.
        Toggle = "toggle",
    }
}

words! {
    /// The climate sensor.
    ClimateKind, "it is not a known sensor" {
        /// DHT22, also sold as AM2302.
        Dht22 = "dht22",
        /// DHT11.
        Dht11 = "dht11",
        /// There is none.
        None = "none",
    }
}

words! {
    /// What to do when the broker is away.
    OnFailure, "it is not a way to treat a failure" {
        /// Try again after a wait; the switch goes on working.
        Retry = "retry",
        /// Restart the machine after 10 s, as the original program does.
        Restart = "restart",
    }
}

words! {
    /// When the access point is up, on a board that has one.
    AccessPoint, "it is not a rule for the access point" {
        /// When it is needed: no network is set, it is lost, or the button asks for it.
        Auto = "auto",
        /// Always, as with the original program.
        Always = "always",
        /// Never.
        Off = "off",
    }
}

words! {
    /// How much the log says: each level includes those above it.
    LogLevel, "it is not a level" {
        /// Only what went wrong and needs a person.
        Error = "error",
        /// Also what went wrong and mends itself.
        Warn = "warn",
        /// Also the dialogue.
        Info = "info",
        /// Everything.
        Debug = "debug",
    }
}

words! {
    /// How much of the log the broker gets.
    MqttLog, "it is not a level" {
        /// Nothing.
        Off = "off",
        /// What [`LogLevel::Error`] lets through.
        Error = "error",
        /// What [`LogLevel::Warn`] does.
        Warn = "warn",
        /// What [`LogLevel::Info`] does.
        Info = "info",
        /// What [`LogLevel::Debug`] does.
        Debug = "debug",
    }
}

impl MqttLog {
    /// The level, if there is one.
    pub const fn level(self) -> Option<LogLevel> {
        match self {
            MqttLog::Off => None,
            MqttLog::Error => Some(LogLevel::Error),
            MqttLog::Warn => Some(LogLevel::Warn),
            MqttLog::Info => Some(LogLevel::Info),
            MqttLog::Debug => Some(LogLevel::Debug),
        }
    }
}

/// Which format the settings are in. There is one so far; settings without a version are of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SchemaVersion;

impl SchemaVersion {
    /// The one known.
    pub const CURRENT: u16 = 1;
}

impl Value for SchemaVersion {
    fn parse(text: &str) -> Result<Self, Refused> {
        match parse_digits(text) {
            Some(Self::CURRENT) => Ok(SchemaVersion),
            Some(version) if version > Self::CURRENT => {
                Err("these settings are of a newer Monster than this one")
            }
            _ => Err("it is not a version of the settings"),
        }
    }

    fn allowed(f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Self::CURRENT)
    }

    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Self::CURRENT)
    }
}

impl Value for bool {
    const KIND: Kind = Kind::Bool;

    fn parse(text: &str) -> Result<Self, Refused> {
        text.parse().map_err(|_| "it is neither true nor false")
    }

    fn allowed(f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("true | false")
    }

    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// The device's id; `None` is the board's own.
impl Value for Option<DeviceId> {
    fn parse(text: &str) -> Result<Self, Refused> {
        if text.is_empty() {
            return Ok(None);
        }
        DeviceId::parse(text).map(Some).map_err(IdError::reason)
    }

    fn allowed(f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("1 to 23 of 0-9a-z, and not group; empty: the board's own")
    }

    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_ref().map_or(Ok(()), |id| write!(f, "{id}"))
    }
}

/// MQTT's keep-alive, in seconds: 0, or 5 to 65535 (section 3.1.2.10).
///
/// 0 switches it off, as the standard has it, and with it the detection of a dead link: then only
/// TCP tells, which may take hours. Below 5 s a single slow packet would look like a dead link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeepAlive(u16);

impl KeepAlive {
    /// The shortest that is not 0.
    pub const MIN: u16 = 5;

    /// Seconds, as CONNECT carries them; 0: off.
    pub const fn seconds(self) -> u16 {
        self.0
    }
}

impl Value for KeepAlive {
    const KIND: Kind = Kind::Number {
        min: 0,
        max: u16::MAX as i32,
        decimals: 0,
    };

    fn parse(text: &str) -> Result<Self, Refused> {
        match parse_digits(text) {
            Some(seconds) if seconds == 0 || seconds >= Self::MIN => Ok(KeepAlive(seconds)),
            _ => Err("it is not a keep-alive"),
        }
    }

    fn allowed(f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} to {} seconds; 0: off, and a dead link goes unnoticed",
            Self::MIN,
            u16::MAX
        )
    }

    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// The time between heartbeats: 1 to 3600 seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeartbeatInterval(u16);

impl HeartbeatInterval {
    /// The longest, in seconds.
    pub const MAX: u16 = 3600;

    /// Seconds.
    pub const fn seconds(self) -> u16 {
        self.0
    }
}

impl Value for HeartbeatInterval {
    const KIND: Kind = Kind::Number {
        min: 1,
        max: Self::MAX as i32,
        decimals: 0,
    };

    fn parse(text: &str) -> Result<Self, Refused> {
        match parse_digits(text) {
            Some(seconds @ 1..=Self::MAX) => Ok(HeartbeatInterval(seconds)),
            _ => Err("it is not a whole number of seconds in range"),
        }
    }

    fn allowed(f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "1 to {} seconds", Self::MAX)
    }

    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// What is added to a reading: -20.0 to 20.0, in tenths of its unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offset(i16);

impl Offset {
    /// The largest, in tenths; the smallest is its negative.
    pub const MAX_TENTHS: i16 = 200;

    /// Tenths of a degree or of a per cent.
    pub const fn tenths(self) -> i16 {
        self.0
    }
}

impl Value for Offset {
    const KIND: Kind = Kind::Number {
        min: -(Self::MAX_TENTHS as i32) / 10,
        max: Self::MAX_TENTHS as i32 / 10,
        decimals: 1,
    };

    fn parse(text: &str) -> Result<Self, Refused> {
        parse_tenths(text)
            .filter(|tenths| (-Self::MAX_TENTHS..=Self::MAX_TENTHS).contains(tenths))
            .map(Offset)
            .ok_or("it is not a number in range with at most one decimal")
    }

    fn allowed(f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("-20.0 to 20.0, one decimal")
    }

    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let tenths = self.0.unsigned_abs();
        write!(f, "{sign}{}.{}", tenths / 10, tenths % 10)
    }
}

/// A text of `MIN` to `MAX` bytes, of which 255 are the most, without control characters, which a broker may refuse
/// (section 1.5.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text<const MIN: usize, const MAX: usize>(String<MAX, u8>);

impl<const MIN: usize, const MAX: usize> Text<MIN, MAX> {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<const MAX: usize> Default for Text<0, MAX> {
    fn default() -> Self {
        Text(String::new())
    }
}

impl<const MIN: usize, const MAX: usize> Value for Text<MIN, MAX> {
    fn parse(text: &str) -> Result<Self, Refused> {
        if text.len() < MIN {
            return Err(if MIN == 1 {
                "it is empty"
            } else {
                "it is too short"
            });
        }
        if text.contains(char::is_control) {
            return Err("it has a control character in it");
        }
        String::try_from(text)
            .map(Text)
            .map_err(|_| "it is too long")
    }

    fn allowed(f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{MIN} to {MAX} bytes without control characters")
    }

    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The longest name of a pin, in bytes.
pub const PIN_NAME_MAX: usize = 48;

/// A pin as its board names it, `5` or `gpiochip0:17` perhaps: which names there are only the board
/// knows, and says when it starts. Empty is the board's default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PinName(String<PIN_NAME_MAX, u8>);

impl PinName {
    /// The name; `None` is the board's default.
    pub fn name(&self) -> Option<&str> {
        (!self.0.is_empty()).then_some(&self.0)
    }
}

impl Value for PinName {
    fn parse(text: &str) -> Result<Self, Refused> {
        if !text.bytes().all(|b| b.is_ascii_graphic()) {
            return Err("it has a character in it that no pin's name has");
        }
        String::try_from(text)
            .map(PinName)
            .map_err(|_| "it is too long")
    }

    fn allowed(f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a pin as this board names it, as 5 or gpiochip0:17; empty: the board's own")
    }

    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The longest `homeassistant.prefix`, in bytes.
pub const TOPIC_PREFIX_MAX: usize = 32;

/// The beginning of topics: one level or more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicPrefix(Text<1, TOPIC_PREFIX_MAX>);

impl TopicPrefix {
    /// The levels, without a slash at either end.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl Value for TopicPrefix {
    fn parse(text: &str) -> Result<Self, Refused> {
        if text.contains(['+', '#']) {
            return Err("it has a wildcard, + or #, in it");
        }
        if text.starts_with('/') || text.ends_with('/') {
            return Err("it begins or ends with a slash");
        }
        Text::parse(text).map(TopicPrefix)
    }

    fn allowed(f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the beginning of a topic, 1 to {TOPIC_PREFIX_MAX} bytes without wildcards and slashes at its ends"
        )
    }

    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.show(f)
    }
}

/// How many groups a device can be in.
pub const GROUPS_MAX: usize = 4;
/// The longest name of a group, in bytes.
pub const GROUP_MAX: usize = 32;

/// The groups the device is in, each named by one topic level of `monster/group/<name>/…`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Groups(Vec<Text<1, GROUP_MAX>, GROUPS_MAX, u8>);

impl Groups {
    /// The names, in the order given.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(Text::as_str)
    }
}

impl Value for Groups {
    fn parse(text: &str) -> Result<Self, Refused> {
        let mut groups = Vec::new();
        if text.is_empty() {
            return Ok(Groups(groups));
        }
        for name in text.split(',').map(str::trim) {
            let name = Text::parse(name).map_err(
                |_| "a name is empty, longer than 32 bytes, or has a control character in it",
            )?;
            if name.as_str().contains(['/', '+', '#']) {
                return Err("a name is one topic level, without / + and #");
            }
            if groups.contains(&name) {
                return Err("a name is there twice");
            }
            groups.push(name).map_err(|_| "there are more than 4")?;
        }
        Ok(Groups(groups))
    }

    fn allowed(f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "up to {GROUPS_MAX} names, with commas between them, each of 1 to {GROUP_MAX} bytes \
             without / + and #; empty: none"
        )
    }

    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, name) in self.names().enumerate() {
            f.write_str(if position == 0 { "" } else { "," })?;
            f.write_str(name)?;
        }
        Ok(())
    }
}

fn join(f: &mut fmt::Formatter<'_>, between: &str, words: &[&str]) -> fmt::Result {
    for (position, word) in words.iter().enumerate() {
        f.write_str(if position == 0 { "" } else { between })?;
        f.write_str(word)?;
    }
    Ok(())
}

/// Digits alone: no sign, which `u16::from_str` would take.
fn parse_digits(text: &str) -> Option<u16> {
    let is_digits = text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|_| is_digits)
}

/// `[-]digits[.digit]`, in tenths.
fn parse_tenths(text: &str) -> Option<i16> {
    let (negative, number) = match text.strip_prefix('-') {
        Some(number) => (true, number),
        None => (false, text),
    };
    let (whole, tenths) = number.split_once('.').unwrap_or((number, "0"));
    if tenths.len() != 1 {
        return None;
    }
    let tenths = parse_digits(whole)?
        .checked_mul(10)?
        .checked_add(parse_digits(tenths)?)?;
    let tenths = i16::try_from(tenths).ok()?;
    Some(if negative { -tenths } else { tenths })
}
