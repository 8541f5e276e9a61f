//! Who the device is: one short id, from which every name it goes by is made.

use core::fmt;
use core::str::FromStr;

use heapless::String;

/// The longest id, in bytes: what every MQTT 3.1.1 broker must take as a client id
/// (\[MQTT-3.1.3-5\]), since the id is the client id unless settings say otherwise.
pub const ID_MAX: usize = 23;

/// The one id that is not free: `monster/group/…` is the tree of the groups.
const RESERVED: &str = "group";

/// The name of one device: 1 to [`ID_MAX`] of `0-9a-z`, and not `group`.
///
/// It is a topic level, an MQTT client id and a part of a network name, and is safe as each
/// without quoting.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceId(String<ID_MAX, u8>);

impl DeviceId {
    /// The id a person or a file gives.
    ///
    /// # Errors
    /// [`IdError`] says which rule `text` breaks.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        if text.is_empty() {
            return Err(IdError::Empty);
        }
        if !text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'z')) {
            return Err(IdError::Character);
        }
        if text == RESERVED {
            return Err(IdError::Reserved);
        }
        String::try_from(text)
            .map(DeviceId)
            .map_err(|_| IdError::TooLong)
    }

    /// The id of a board that was not given one: the lower-case hex digits of the chip's unique id
    /// (a MAC address of 6 bytes makes 12 digits).
    ///
    /// `N` is 1 to 11, which the compiler checks. A chip whose unique id is longer hands in a hash
    /// of it: cutting it off instead could give two chips of one wafer the same id.
    pub fn from_unique_id<const N: usize>(bytes: [u8; N]) -> Self {
        const { assert!(N >= 1 && N * 2 <= ID_MAX, "a unique id is 1 to 11 bytes") };
        let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 0xf]);
        // At most 22 characters, so collecting cannot overflow; no hex digit spells `group`.
        DeviceId(
            digits
                .filter_map(|digit| char::from_digit(u32::from(digit), 16))
                .collect(),
        )
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// `Monster-<id>`: the access point's network name and the name Home Assistant shows; at most
    /// 31 bytes, so it fits an SSID.
    pub fn access_point_name(&self) -> impl fmt::Display + '_ {
        fmt::from_fn(move |f| write!(f, "Monster-{self}"))
    }
}

impl fmt::Display for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for DeviceId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        DeviceId::parse(text)
    }
}

/// Why a text is no [`DeviceId`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdError {
    /// Nothing was given.
    Empty,
    /// More than [`ID_MAX`] characters.
    TooLong,
    /// A character other than `0-9` and `a-z`.
    Character,
    /// The word `group`, which names the tree of the groups.
    Reserved,
}

impl IdError {
    /// What is wrong, in words.
    pub const fn reason(self) -> &'static str {
        match self {
            IdError::Empty => "it is empty",
            IdError::TooLong => "it is longer than 23 characters",
            IdError::Character => "it has a character other than 0-9 and a-z",
            IdError::Reserved => "`group` is the name of the groups' topics",
        }
    }
}

impl fmt::Display for IdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason())
    }
}

impl core::error::Error for IdError {}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::format;
    use std::string::ToString;

    use super::*;

    #[test]
    fn a_mac_address_becomes_twelve_lower_case_hex_digits() {
        let id = DeviceId::from_unique_id([0x58, 0xCF, 0x79, 0x00, 0x0A, 0xBC]);
        assert_eq!(id.as_str(), "58cf79000abc");
        assert_eq!(DeviceId::parse(id.as_str()), Ok(id));
    }

    #[test]
    fn the_longest_unique_id_becomes_twenty_two_digits() {
        let id = DeviceId::from_unique_id([0xff; 11]);
        assert_eq!(id.as_str(), "f".repeat(22));
    }

    #[test]
    fn an_id_is_one_to_twenty_three_of_digits_and_lower_case_letters() {
        for good in ["0", "z", "a1b2c3", "groups", "grou", &"9".repeat(23)] {
            assert_eq!(DeviceId::parse(good).unwrap().to_string(), good);
            assert_eq!(good.parse::<DeviceId>().unwrap().as_str(), good);
        }
        assert_eq!(DeviceId::parse(""), Err(IdError::Empty));
        assert_eq!(DeviceId::parse(&"9".repeat(24)), Err(IdError::TooLong));
        for bad in [
            "A", "a b", "a/b", "a+", "#", "ä", "a\0", "a-b", " ", "a\n", "٣",
        ] {
            assert_eq!(DeviceId::parse(bad), Err(IdError::Character), "{bad:?}");
        }
    }

    #[test]
    fn the_word_group_is_not_an_id() {
        assert_eq!(DeviceId::parse("group"), Err(IdError::Reserved));
    }

    #[test]
    fn the_access_point_is_called_monster_and_the_id_and_fits_an_ssid() {
        let id = DeviceId::parse("a1b2c3").unwrap();
        assert_eq!(id.access_point_name().to_string(), "Monster-a1b2c3");
        let longest = DeviceId::parse(&"z".repeat(ID_MAX)).unwrap();
        assert!(longest.access_point_name().to_string().len() <= 32);
    }

    #[test]
    fn every_error_says_what_is_wrong() {
        assert!(format!("{}", IdError::Character).contains("0-9 and a-z"));
        assert!(format!("{}", IdError::TooLong).contains(&format!("{ID_MAX}")));
        assert!(format!("{}", IdError::Reserved).contains("group"));
        assert!(format!("{}", IdError::Empty).contains("empty"));
    }
}
