//! Users whom a proxy in front of the dashboard vouches for.

use std::{net::IpAddr, str::FromStr};

use axum::http::HeaderMap;

use super::{Refusal, User};

/// Header with the user's name.
const USER: &str = "x-forwarded-user";
/// Header with one group, or several with commas between; may be repeated.
const GROUPS: &str = "x-forwarded-groups";
/// Longest name that is believed.
const NAME_LENGTH_MAX: usize = 256;
/// Groups that are read.
const GROUPS_MAX: usize = 256;

/// A range of addresses, such as 10.1.0.0/16.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AddressRange {
    network: IpAddr,
    prefix: u8,
}

/// Not a range of addresses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be an address or a range such as 10.1.0.0/16 or fd00::/8")]
pub struct InvalidAddressRange;

impl FromStr for AddressRange {
    type Err = InvalidAddressRange;

    fn from_str(text: &str) -> Result<Self, InvalidAddressRange> {
        let (network, prefix) = text.split_once('/').map_or((text, None), |(n, p)| (n, Some(p)));
        let network: IpAddr = network.parse().map_err(|_| InvalidAddressRange)?;
        let bits = if network.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.map_or(Ok(bits), str::parse).map_err(|_| InvalidAddressRange)?;
        if prefix > bits {
            return Err(InvalidAddressRange);
        }
        Ok(Self { network, prefix })
    }
}

impl AddressRange {
    /// Whether an address is in it.
    #[must_use]
    pub fn contains(self, address: IpAddr) -> bool {
        let kept = |bits: u32, width: u32| width.checked_sub(bits).filter(|shift| *shift < width);
        match (self.network, address.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(address)) => kept(u32::from(self.prefix), 32)
                .is_none_or(|shift| (network.to_bits() ^ address.to_bits()) >> shift == 0),
            (IpAddr::V6(network), IpAddr::V6(address)) => kept(u32::from(self.prefix), 128)
                .is_none_or(|shift| (network.to_bits() ^ address.to_bits()) >> shift == 0),
            _ => false,
        }
    }
}

/// The user that the proxy names. The same headers from anywhere else are an attack.
pub(super) fn user(
    headers: &HeaderMap,
    peer: IpAddr,
    trusted: &[AddressRange],
) -> Result<User, Refusal> {
    if !trusted.iter().any(|range| range.contains(peer)) {
        return Err(Refusal::NotAccepted(
            "only the proxy in front of the dashboard may speak to it".to_owned(),
        ));
    }
    let mut names = headers.get_all(USER).iter();
    let name = names.next().and_then(|name| name.to_str().ok()).map(str::trim).unwrap_or_default();
    if name.is_empty() {
        return Err(Refusal::NotSignedIn);
    }
    // Two names: something between the proxy and us let the client's own header through.
    if names.next().is_some() || name.len() > NAME_LENGTH_MAX || name.starts_with("system:") {
        return Err(Refusal::NotAccepted(format!("{USER} is not one plain user name")));
    }
    let groups = headers.get_all(GROUPS).iter().filter_map(|value| value.to_str().ok());
    let groups = groups.flat_map(|value| value.split(',')).map(str::trim);
    let groups: Vec<String> = groups
        .filter(|group| !group.is_empty() && !group.starts_with("system:"))
        .take(GROUPS_MAX)
        .map(str::to_owned)
        .collect();
    Ok(User { name: name.to_owned(), uid: None, groups })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_hold_what_they_say() {
        for (range, address, inside) in [
            ("10.1.0.0/16", "10.1.255.255", true),
            ("10.1.0.0/16", "10.2.0.0", false),
            ("10.1.2.3", "10.1.2.3", true),
            ("10.1.2.3", "10.1.2.4", false),
            ("0.0.0.0/0", "192.0.2.1", true),
            ("10.1.0.0/16", "::ffff:10.1.0.9", true),
            ("fd00::/8", "fd12::1", true),
            ("fd00::/8", "fe80::1", false),
            ("::/0", "10.0.0.1", false),
        ] {
            let parsed: AddressRange = range.parse().unwrap();
            assert_eq!(parsed.contains(address.parse().unwrap()), inside, "{range} {address}");
        }
        for wrong in ["", "10.0.0.0/33", "::/129", "host/8", "10.0.0.0/"] {
            assert!(wrong.parse::<AddressRange>().is_err(), "{wrong}");
        }
    }
}
