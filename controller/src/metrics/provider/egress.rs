//! Where the hub may send requests for measurements, and where never (control C7).
//!
//! Names are looked up here and the connection goes to the very addresses that were checked, so
//! a name that answers differently the next time gains nothing.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
};

use reqwest::{
    Url,
    dns::{Addrs, Name, Resolve, Resolving},
};

use super::ProviderError;

/// Addresses of cloud services that hand out credentials and are not link-local: Azure's host,
/// Alibaba's and Oracle's metadata, and those of AWS by IPv6.
const METADATA_V4: [Ipv4Addr; 3] = [
    Ipv4Addr::new(168, 63, 129, 16),
    Ipv4Addr::new(100, 100, 100, 200),
    Ipv4Addr::new(192, 0, 0, 192),
];
const METADATA_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);

/// Looks a name up.
type Lookup = Arc<dyn Fn(&str) -> Vec<IpAddr> + Send + Sync>;

/// What requests for measurements may reach.
#[derive(Clone, Default)]
pub struct Egress {
    /// Addresses refused beside those that are refused everywhere.
    refused: Vec<IpAddr>,
    /// Loopback is where tests have their servers.
    loopback: bool,
    /// Instead of the system's resolver, in tests.
    lookup: Option<Lookup>,
}

impl fmt::Debug for Egress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Egress").field("refused", &self.refused).finish_non_exhaustive()
    }
}

impl Egress {
    /// Refuses these addresses too: the hub's own API server.
    #[must_use]
    pub fn refusing(refused: Vec<IpAddr>) -> Self {
        Self { refused, ..Self::default() }
    }

    /// Lets requests go to this machine too: there a person has a `kubectl port-forward`, and a
    /// test its servers. Never for the hub.
    #[must_use]
    pub fn to_loopback() -> Self {
        Self { loopback: true, ..Self::default() }
    }

    /// Looks names up with this function.
    #[cfg(test)]
    pub(super) fn looking_up(lookup: impl Fn(&str) -> Vec<IpAddr> + Send + Sync + 'static) -> Self {
        Self { lookup: Some(Arc::new(lookup)), ..Self::default() }
    }

    /// A plain http or https address that may be asked. `field` names it in errors.
    pub(super) fn address(&self, field: &str, text: &str) -> Result<Url, ProviderError> {
        let refuse = |why: &str| ProviderError::Address {
            field: field.to_owned(),
            address: text.to_owned(),
            why: why.to_owned(),
        };
        let url = Url::parse(text).map_err(|_| refuse("is not an address"))?;
        let plain = matches!(url.scheme(), "http" | "https")
            && url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none();
        let host = url.host_str().filter(|_| plain).ok_or_else(|| {
            refuse(
                "is not a plain http or https address without user, password, query and fragment",
            )
        })?;
        // The parser has already turned 2130706433 and 0x7f.1 into 127.0.0.1.
        match host.trim_matches(['[', ']']).parse() {
            Ok(ip) if !self.allows(ip) => Err(refuse(
                "is the hub's own machine, its link or its API server: name the server's address",
            )),
            Ok(_) | Err(_) => Ok(url),
        }
    }

    /// Whether requests may go there.
    fn allows(&self, ip: IpAddr) -> bool {
        let ip = embedded(ip);
        if self.refused.contains(&ip) {
            return false;
        }
        match ip {
            IpAddr::V4(ip) => {
                let inward = ip.is_link_local()
                    || ip.octets()[0] == 0
                    || ip.is_multicast()
                    || ip.is_broadcast()
                    || METADATA_V4.contains(&ip);
                !inward && (self.loopback || !ip.is_loopback())
            }
            IpAddr::V6(ip) => {
                let inward = ip.is_unicast_link_local()
                    || ip.is_unspecified()
                    || ip.is_multicast()
                    || ip == METADATA_V6;
                !inward && (self.loopback || !ip.is_loopback())
            }
        }
    }
}

/// The IPv4 address within an IPv6 one that leads there: mapped, compatible, translated (NAT64)
/// and 6to4.
fn embedded(ip: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = ip else { return ip };
    let v4 = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        IpAddr::V4(Ipv4Addr::new(a, b, c, d))
    };
    match v6.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => ip,
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            v4(high, low)
        }
        [0x2002, high, low, ..] => v4(high, low),
        _ => ip,
    }
}

/// A name leads where no request may go.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refused {
    /// One of its addresses is refused; so are the others, since it is not to be trusted.
    #[error("{0} stands for {1}, where the hub sends no requests; change the address")]
    Inward(String, IpAddr),
    /// It stands for nothing.
    #[error("{0} is not known to the name service")]
    Unknown(String),
}

impl Resolve for Egress {
    fn resolve(&self, name: Name) -> Resolving {
        let egress = self.clone();
        Box::pin(async move {
            let name = name.as_str();
            let found: Vec<IpAddr> = match &egress.lookup {
                Some(lookup) => lookup(name),
                None => tokio::net::lookup_host((name, 0)).await?.map(|at| at.ip()).collect(),
            };
            if let Some(inward) = found.iter().find(|ip| !egress.allows(**ip)) {
                return Err(Refused::Inward(name.to_owned(), *inward).into());
            }
            if found.is_empty() {
                return Err(Refused::Unknown(name.to_owned()).into());
            }
            let addresses: Addrs = Box::new(found.into_iter().map(|ip| SocketAddr::new(ip, 0)));
            Ok(addresses)
        })
    }
}

#[cfg(test)]
#[path = "egress_tests.rs"]
mod tests;
