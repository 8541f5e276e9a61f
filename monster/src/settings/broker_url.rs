//! Where the broker is: `mqtt://[user[:password]@]host[:port]`, or `mqtts://…` for TLS.

use core::fmt;
use core::net::Ipv6Addr;
use core::str::FromStr;

use heapless::{String, Vec};

use super::secret::Secret;
use super::value::{Refused, Text, Value};

/// The longest host name, in bytes (RFC 1035).
pub const HOST_MAX: usize = 253;
/// The longest user name, in bytes.
pub const USER_MAX: usize = 128;
/// The longest password, in bytes: room for the tokens that clouds hand out as one.
pub const PASSWORD_MAX: usize = 256;

/// How to talk to the broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// MQTT over plain TCP, port 1883.
    Mqtt,
    /// MQTT over TLS, port 8883.
    Mqtts,
}

impl Scheme {
    /// The scheme as a URL spells it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Scheme::Mqtt => "mqtt",
            Scheme::Mqtts => "mqtts",
        }
    }

    /// The port when the URL names none (registered with IANA).
    pub const fn default_port(self) -> u16 {
        match self {
            Scheme::Mqtt => 1883,
            Scheme::Mqtts => 8883,
        }
    }
}

/// Where a broker is, without a word on who may log in. Its `Display` is a URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokerAddress {
    scheme: Scheme,
    host: String<HOST_MAX, u8>,
    port: u16,
}

/// A broker's URL, taken apart. Its `Display` leaves user and password out, and its `Debug`
/// hides the password: neither can leak it into a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokerUrl {
    address: BrokerAddress,
    user: Text<0, USER_MAX>,
    password: Secret<PASSWORD_MAX>,
}

impl BrokerUrl {
    /// Takes a URL apart. User and password are percent-decoded.
    ///
    /// # Errors
    /// [`BrokerUrlError`] says which part is wrong. It never repeats the text, in which a password
    /// may stand anywhere if a character is missing.
    pub fn parse(url: &str) -> Result<Self, BrokerUrlError> {
        let (scheme, rest) = split_scheme(url).ok_or(BrokerUrlError::Scheme)?;
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if rest.contains(['/', '?', '#']) {
            return Err(BrokerUrlError::Path);
        }
        let (credentials, address) = rest.rsplit_once('@').unwrap_or(("", rest));
        let (user, password) = credentials.split_once(':').unwrap_or((credentials, ""));
        if user.is_empty() && !password.is_empty() {
            return Err(BrokerUrlError::PasswordWithoutUser);
        }
        let (host, port) = split_port(address)?;
        Ok(BrokerUrl {
            address: BrokerAddress {
                scheme,
                host: String::try_from(host).map_err(|_| BrokerUrlError::Host)?,
                port: match port {
                    None => scheme.default_port(),
                    Some(port) => parse_port(port)?,
                },
            },
            user: percent_decoded::<_, USER_MAX>(user).ok_or(BrokerUrlError::User)?,
            password: percent_decoded::<_, PASSWORD_MAX>(password)
                .ok_or(BrokerUrlError::Password)?,
        })
    }

    /// Where the broker is.
    pub const fn address(&self) -> &BrokerAddress {
        &self.address
    }

    /// As [`BrokerAddress::scheme`].
    pub const fn scheme(&self) -> Scheme {
        self.address.scheme
    }

    /// As [`BrokerAddress::host`].
    pub fn host(&self) -> &str {
        self.address.host()
    }

    /// As [`BrokerAddress::port`].
    pub const fn port(&self) -> u16 {
        self.address.port
    }

    /// The user in the URL; empty if there is none. What the device logs in with is
    /// [`BrokerSettings::login`](super::BrokerSettings::login).
    pub fn user(&self) -> &str {
        self.user.as_str()
    }

    pub(super) const fn user_text(&self) -> &Text<0, USER_MAX> {
        &self.user
    }

    /// The password in the URL.
    pub const fn password(&self) -> &Secret<PASSWORD_MAX> {
        &self.password
    }
}

impl BrokerAddress {
    /// Plain or TLS.
    pub const fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// A host name, an IPv4 address, or an IPv6 address without its brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, 1 to 65535.
    pub const fn port(&self) -> u16 {
        self.port
    }
}

impl fmt::Display for BrokerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address.fmt(f)
    }
}

impl fmt::Display for BrokerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, port) = (self.scheme.as_str(), self.port);
        if self.host.contains(':') {
            write!(f, "{scheme}://[{}]:{port}", self.host)
        } else {
            write!(f, "{scheme}://{}:{port}", self.host)
        }
    }
}

impl FromStr for BrokerUrl {
    type Err = BrokerUrlError;

    fn from_str(url: &str) -> Result<Self, BrokerUrlError> {
        BrokerUrl::parse(url)
    }
}

/// `broker.url`: empty means that none is set.
impl Value for Option<BrokerUrl> {
    // A broken URL shows nothing of itself; one that was taken shows all but its credentials.
    const SENSITIVE: bool = true;

    fn parse(text: &str) -> Result<Self, Refused> {
        if text.is_empty() {
            return Ok(None);
        }
        BrokerUrl::parse(text)
            .map(Some)
            .map_err(BrokerUrlError::reason)
    }

    fn allowed(f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "mqtt://[user[:password]@]host[:port], or mqtts://… for TLS; empty: none is set",
        )
    }

    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_ref().map_or(Ok(()), |url| write!(f, "{url}"))
    }
}

/// Which part of a broker's URL is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BrokerUrlError {
    /// Neither `mqtt://` nor `mqtts://` in front.
    Scheme,
    /// Something follows the host and port, or `/`, `?` or `#` stands unencoded before them.
    Path,
    /// No host, or one that is neither a name of letters, digits, `-`, `_` and `.`, nor an address.
    Host,
    /// An IPv6 address without brackets, or brackets around anything else.
    Brackets,
    /// Not a number from 1 to 65535.
    Port,
    /// Not percent-encoded UTF-8, too long, or with a control character in it.
    User,
    /// Not percent-encoded UTF-8, or too long.
    Password,
    /// A password needs a user (\[MQTT-3.1.2-22\]).
    PasswordWithoutUser,
}

impl BrokerUrlError {
    /// What is wrong, in words.
    pub const fn reason(self) -> &'static str {
        match self {
            BrokerUrlError::Scheme => "it does not begin with mqtt:// or mqtts://",
            BrokerUrlError::Path => {
                "nothing may follow host and port; in user and password / ? # are %2F %3F %23"
            }
            BrokerUrlError::Host => {
                "the host is neither a name of letters, digits, - _ and . nor an address"
            }
            BrokerUrlError::Brackets => {
                "an IPv6 address, and nothing else, stands in brackets, as in mqtt://[::1]:1883"
            }
            BrokerUrlError::Port => "the port is not a number from 1 to 65535",
            BrokerUrlError::User => {
                "the user is not percent-encoded UTF-8 of up to 128 bytes without control characters"
            }
            BrokerUrlError::Password => {
                "the password is not percent-encoded UTF-8 of up to 256 bytes"
            }
            BrokerUrlError::PasswordWithoutUser => "it has a password but no user",
        }
    }
}

impl fmt::Display for BrokerUrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason())
    }
}

impl core::error::Error for BrokerUrlError {}

fn split_scheme(url: &str) -> Option<(Scheme, &str)> {
    let (scheme, rest) = url.split_once("://")?;
    // RFC 3986, 3.1: a scheme is the same in any case.
    [Scheme::Mqtt, Scheme::Mqtts]
        .into_iter()
        .find(|known| scheme.eq_ignore_ascii_case(known.as_str()))
        .map(|known| (known, rest))
}

/// The checked host, and the port's text if there is one.
pub(super) fn split_port(address: &str) -> Result<(&str, Option<&str>), BrokerUrlError> {
    if let Some(rest) = address.strip_prefix('[') {
        let (host, after) = rest.split_once(']').ok_or(BrokerUrlError::Brackets)?;
        if host.parse::<Ipv6Addr>().is_err() {
            return Err(BrokerUrlError::Brackets);
        }
        return match after.strip_prefix(':') {
            Some(port) => Ok((host, Some(port))),
            None if after.is_empty() => Ok((host, None)),
            None => Err(BrokerUrlError::Port),
        };
    }
    if address.parse::<Ipv6Addr>().is_ok() {
        return Err(BrokerUrlError::Brackets);
    }
    let (host, port) = match address.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (address, None),
    };
    if is_host_name(host) {
        Ok((host, port))
    } else {
        Err(BrokerUrlError::Host)
    }
}

/// A DNS name, `_` included since it is found on local networks. An IPv4 address is one too: what
/// looks like one and is none, the resolver refuses.
fn is_host_name(host: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    host.len() <= HOST_MAX && host.split('.').all(is_label)
}

pub(super) fn parse_port(text: &str) -> Result<u16, BrokerUrlError> {
    // `u16::from_str` takes a leading `+`.
    match text.parse() {
        Ok(port) if port != 0 && !text.starts_with('+') => Ok(port),
        _ => Err(BrokerUrlError::Port),
    }
}

fn percent_decoded<V: Value, const MAX: usize>(text: &str) -> Option<V> {
    let mut decoded = Vec::<u8, MAX>::new();
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let byte = match byte {
            b'%' => hex_digit(bytes.next()?)? << 4 | hex_digit(bytes.next()?)?,
            byte => byte,
        };
        decoded.push(byte).ok()?;
    }
    V::parse(core::str::from_utf8(&decoded).ok()?).ok()
}

fn hex_digit(byte: u8) -> Option<u8> {
    let digit = char::from(byte).to_digit(16)?;
    u8::try_from(digit).ok()
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::format;
    use std::string::ToString;

    use super::*;

    fn url(text: &str) -> BrokerUrl {
        BrokerUrl::parse(text).unwrap()
    }

    #[test]
    fn a_url_is_taken_apart() {
        let url = url("mqtt://alice:wonder@broker.example:1884");
        assert_eq!(url.scheme(), Scheme::Mqtt);
        assert_eq!(url.host(), "broker.example");
        assert_eq!(url.port(), 1884);
        assert_eq!(url.user(), "alice");
        assert_eq!(url.password().expose(), "wonder");
    }

    #[test]
    fn the_port_is_that_of_the_scheme_unless_given() {
        assert_eq!(url("mqtt://h").port(), 1883);
        assert_eq!(url("mqtts://h").port(), 8883);
        assert_eq!(url("MQTTS://h").scheme(), Scheme::Mqtts);
        assert_eq!(url("mqtts://h:1").port(), 1);
        assert_eq!(url("mqtt://h:65535/").port(), 65535);
    }

    #[test]
    fn user_and_password_are_optional_and_percent_decoded() {
        let bare = url("mqtt://h");
        assert_eq!((bare.user(), bare.password().is_set()), ("", false));
        let user_only = url("mqtt://alice@h");
        assert_eq!(user_only.user(), "alice");
        assert!(!user_only.password().is_set());
        let encoded = url("mqtt://a%40b%3Ac:p%25%2f%C3%a9:w@h");
        assert_eq!(encoded.user(), "a@b:c");
        assert_eq!(encoded.password().expose(), "p%/é:w");
        // An `@` that was left as it is belongs to the password, as in every browser.
        assert_eq!(url("mqtt://a:p@ss@h").password().expose(), "p@ss");
    }

    #[test]
    fn an_ipv6_address_stands_in_brackets() {
        assert_eq!(url("mqtt://[::1]").host(), "::1");
        assert_eq!(url("mqtts://u@[fe80::1]:99").port(), 99);
        assert_eq!(url("mqtt://[::1]").to_string(), "mqtt://[::1]:1883");
        for bad in [
            "mqtt://::1",
            "mqtt://[::1",
            "mqtt://[h]",
            "mqtt://[]",
            "mqtt://[1.2.3.4]",
        ] {
            assert_eq!(
                BrokerUrl::parse(bad),
                Err(BrokerUrlError::Brackets),
                "{bad}"
            );
        }
        assert_eq!(BrokerUrl::parse("mqtt://[::1]x"), Err(BrokerUrlError::Port));
    }

    #[test]
    fn each_broken_part_has_its_error() {
        use BrokerUrlError::*;
        let long_label = format!("mqtt://{}", "a".repeat(64));
        let long_host = format!("mqtt://{}a", "a.".repeat(127));
        let long_user = format!("mqtt://{}@h", "u".repeat(USER_MAX + 1));
        let long_password = format!("mqtt://u:{}@h", "p".repeat(PASSWORD_MAX + 1));
        for (bad, error) in [
            ("h", Scheme),
            ("h:1883", Scheme),
            ("http://h", Scheme),
            ("mqtt:h", Scheme),
            ("://h", Scheme),
            ("mqtt://", Host),
            ("mqtt:///", Host),
            ("mqtt://u@", Host),
            ("mqtt://:1883", Host),
            ("mqtt://a..b", Host),
            ("mqtt://a b", Host),
            ("mqtt://hôte", Host),
            (&long_label, Host),
            (&long_host, Host),
            ("mqtt://h/path", Path),
            ("mqtt://h?x", Path),
            ("mqtt://u:p/q@h", Path),
            ("mqtt://h:", Port),
            ("mqtt://h:0", Port),
            ("mqtt://h:65536", Port),
            ("mqtt://h:+80", Port),
            ("mqtt://h:1:2", Port),
            ("mqtt://u%4@h", User),
            ("mqtt://u%@h", User),
            ("mqtt://u%zz@h", User),
            ("mqtt://u%ff@h", User),
            ("mqtt://u%00@h", User),
            (&long_user, User),
            ("mqtt://u:p%4@h", Password),
            ("mqtt://u:%ff@h", Password),
            (&long_password, Password),
            ("mqtt://:p@h", PasswordWithoutUser),
        ] {
            assert_eq!(BrokerUrl::parse(bad), Err(error), "{bad}");
        }
    }

    #[test]
    fn neither_display_nor_debug_shows_the_password() {
        let url = url("mqtt://alice:canary@h");
        assert_eq!(url.to_string(), "mqtt://h:1883");
        assert!(!format!("{url:?} {url:#?}").contains("canary"));
    }

    #[test]
    fn what_display_shows_parses_to_the_same_address() {
        for text in ["mqtt://h:1883", "mqtts://[::1]:8883", "mqtt://10.0.0.1:99"] {
            assert_eq!(url(text).to_string(), text);
        }
    }
}
