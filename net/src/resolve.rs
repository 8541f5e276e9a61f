//! A host's addresses: it is one itself, or a name that DNS knows.

use core::fmt;
use core::net::Ipv4Addr;

use embassy_net::dns::{DnsQueryType, Error as DnsError};
use embassy_net::{IpAddress, Stack};
use heapless::Vec;

/// How many addresses of a name are tried.
pub(crate) const ADDRESSES_MAX: usize = 4;

/// The addresses of a host, at least one.
pub(crate) async fn resolve(
    stack: Stack<'_>,
    host: &str,
) -> Result<Vec<IpAddress, ADDRESSES_MAX>, NameError> {
    if let Ok(address) = host.parse::<Ipv4Addr>() {
        return Ok(Vec::from_iter([address.into()]));
    }
    let found = stack.dns_query(host, DnsQueryType::A).await;
    let addresses = found.map_err(NameError::from)?;
    if addresses.is_empty() {
        return Err(NameError::NotFound);
    }
    Ok(addresses.into_iter().take(ADDRESSES_MAX).collect())
}

/// Why a name has no address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NameError {
    NotFound,
    NotAName,
}

impl From<DnsError> for NameError {
    fn from(error: DnsError) -> Self {
        match error {
            DnsError::Failed => NameError::NotFound,
            DnsError::InvalidName | DnsError::NameTooLong => NameError::NotAName,
        }
    }
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            NameError::NotFound => "its name is not found",
            NameError::NotAName => "its name is none that could be found",
        })
    }
}
