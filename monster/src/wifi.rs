//! What a radio hears of the networks round it.

use heapless::{String, Vec};

use crate::settings::SSID_MAX;

/// How many networks are kept of those that are heard.
pub const HEARD_MAX: usize = 12;

/// A network that is heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// Its name; not empty.
    pub ssid: String<SSID_MAX, u8>,
    /// How strong it is, in dBm.
    pub rssi: i8,
    /// Whether it wants a password.
    pub is_secure: bool,
}

/// The networks that are heard, each name once, the strongest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Networks(Vec<Heard, HEARD_MAX>);

impl Networks {
    /// None.
    pub const fn new() -> Self {
        Networks(Vec::new())
    }

    /// Takes in one that was heard. A name that is known already counts as strong as it is at its
    /// strongest; if there are too many, the weakest gives way. One without a name is left out.
    pub fn add(&mut self, heard: Heard) {
        if heard.ssid.is_empty() {
            return;
        }
        if let Some(place) = self.0.iter().position(|known| known.ssid == heard.ssid) {
            if self
                .0
                .get(place)
                .is_some_and(|known| known.rssi >= heard.rssi)
            {
                return;
            }
            self.0.remove(place);
        }
        let place = self.0.iter().take_while(|known| known.rssi >= heard.rssi);
        let place = place.count();
        if place == HEARD_MAX {
            return;
        }
        if self.0.is_full() {
            self.0.pop();
        }
        // There is room now, and no place beyond the end.
        let _ = self.0.insert(place, heard);
    }

    /// They, the strongest first.
    pub fn iter(&self) -> impl Iterator<Item = &Heard> {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::format;
    use std::vec::Vec;

    use super::*;

    fn heard(ssid: &str, rssi: i8) -> Heard {
        Heard {
            ssid: String::try_from(ssid).unwrap(),
            rssi,
            is_secure: true,
        }
    }

    fn names(networks: &Networks) -> Vec<&str> {
        networks.iter().map(|heard| heard.ssid.as_str()).collect()
    }

    #[test]
    fn each_name_is_there_once_the_strongest_first_and_one_without_a_name_not_at_all() {
        let mut networks = Networks::new();
        for (ssid, rssi) in [("b", -70), ("a", -60), ("b", -50), ("a", -90), ("", -1)] {
            networks.add(heard(ssid, rssi));
        }
        assert_eq!(names(&networks), ["b", "a"]);
        assert_eq!(networks.iter().next().unwrap().rssi, -50);
    }

    #[test]
    fn if_there_are_too_many_the_weakest_give_way() {
        let mut networks = Networks::new();
        for number in 0..=HEARD_MAX {
            networks.add(heard(&format!("n{number}"), -90 + number as i8));
        }
        networks.add(heard("weak", -100));
        let names = names(&networks);
        assert_eq!((names.len(), names[0]), (HEARD_MAX, "n12"));
        assert!(!names.contains(&"n0") && !names.contains(&"weak"));
    }
}
