//! Who may ask at all: a page of another site, or a name that somebody else lets point here, may not.

use core::net::{IpAddr, Ipv6Addr};

use picoserve::request::Headers;

/// Why a request is refused before it is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stranger {
    /// The name it was sent to is none of this device's.
    Host,
    /// A page of another site sent it.
    Origin,
}

impl Stranger {
    /// What is wrong and what to do.
    pub fn as_str(self) -> &'static str {
        match self {
            Stranger::Host => {
                "this device has no such name; open it by its address, or by monster-<id>.local"
            }
            Stranger::Origin => {
                "only this device's own page may ask; open the device's page itself"
            }
        }
    }
}

/// Checks whom a request was meant for, and which page sent it.
pub(super) fn check(headers: Headers<'_>, id: &str) -> Result<(), Stranger> {
    let text = |name| {
        headers
            .get(name)
            .map(|value| value.as_str().unwrap_or_default())
    };
    let host = text("host").ok_or(Stranger::Host)?;
    if !is_ours(host, id) {
        return Err(Stranger::Host);
    }
    match text("origin") {
        None => Ok(()),
        Some(origin) => origin
            .strip_prefix("http://")
            .filter(|origin| origin.eq_ignore_ascii_case(host))
            .map(drop)
            .ok_or(Stranger::Origin),
    }
}

/// Whether a Host header names this device: an address, which no other site can have, or its name.
fn is_ours(host: &str, id: &str) -> bool {
    let name = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, port)) => return is_port(port) && address.parse::<Ipv6Addr>().is_ok(),
        None => match host.split_once(':') {
            Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
            Some(_) => return false,
            None => host,
        },
    };
    let is_id = |text: &str| !id.is_empty() && text.eq_ignore_ascii_case(id);
    let without = |text: &'static str| {
        name.split_at_checked(text.len())
            .filter(|(start, _)| start.eq_ignore_ascii_case(text))
    };
    let local = without("monster-").and_then(|(_, rest)| {
        let place = rest.len().checked_sub(".local".len())?;
        let (id, end) = rest.split_at_checked(place)?;
        end.eq_ignore_ascii_case(".local").then_some(id)
    });
    name.parse::<IpAddr>().is_ok()
        || name.eq_ignore_ascii_case("localhost")
        || local.is_some_and(is_id)
}

fn is_port(text: &str) -> bool {
    text.is_empty()
        || text
            .strip_prefix(':')
            .is_some_and(|port| port.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_asked_by_its_address_or_its_own_name() {
        for host in [
            "192.168.4.1",
            "192.168.4.1:8266",
            "127.0.0.1:80",
            "[::1]",
            "[fe80::1]:8266",
            "localhost",
            "LocalHost:8266",
            "monster-a1.local",
            "Monster-A1.Local:8266",
        ] {
            assert!(is_ours(host, "a1"), "{host}");
        }
        for host in [
            "",
            "example.com",
            "monster-a2.local",
            "monster-.local",
            "monster-a1.local.example.com",
            "monster-a1.locale",
            "localhost.example.com",
            "localhost:8266@example.com",
            "127.0.0.1.example.com",
            "[::1",
            "[::1]x",
            "[::1].example.com",
            "[example]",
            "192.168.4.1:80:80",
            "monster-é.local",
            "monster-灯",
        ] {
            assert!(!is_ours(host, "a1"), "{host}");
        }
        assert!(!is_ours("monster-.local", ""));
    }
}
