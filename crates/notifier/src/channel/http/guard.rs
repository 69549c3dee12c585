//! Keeps messages out of the own network: an address in the settings, or a name that somebody else's DNS answers for, must not
//! reach the metadata service of this machine or what listens only inside.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

type Found = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send>>;

/// Looks a name up. An argument, so that tests need no DNS.
pub type Lookup = Arc<dyn Fn(String) -> Found + Send + Sync>;

/// As this machine looks names up.
pub fn lookup() -> Lookup {
    Arc::new(|name: String| -> Found {
        // The port is put in by whoever connects.
        Box::pin(async move { Ok(tokio::net::lookup_host((name, 0)).await?.collect()) })
    })
}

/// Looks names up for a connection and refuses those of inside. The connection goes to the very addresses that were looked at, so a
/// second answer of the DNS changes nothing. Addresses without a name do not come here: [`is_public`] is asked before.
#[derive(Clone)]
pub(crate) struct Guard {
    lookup: Lookup,
    allow_private: bool,
}

/// A name or an address leads inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refused(pub(crate) IpAddr);

impl Guard {
    pub(crate) fn new(lookup: Lookup, allow_private: bool) -> Guard {
        Guard {
            lookup,
            allow_private,
        }
    }

    /// One address of inside among others is enough to refuse: which one is used would be chance.
    fn check(&self, found: &[SocketAddr]) -> Result<(), Refused> {
        let inside = found.iter().find(|found| !is_public(found.ip()));
        match inside {
            Some(inside) if !self.allow_private => Err(Refused(inside.ip())),
            _ => Ok(()),
        }
    }
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.clone();
        Box::pin(async move {
            let found = (guard.lookup)(name.as_str().to_owned()).await?;
            guard.check(&found)?;
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

/// Whether an address is one of the internet that anybody may reach: by the registries of special addresses of IANA (RFC 6890 and
/// later), those included that hold an IPv4 address.
pub(crate) fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => is_public_v6(ip),
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    let special = match (a, b, c) {
        // This network, private, shared (metadata of some clouds is in there), loopback, link-local (metadata of AWS).
        (0 | 10 | 127, ..) | (100, 64..=127, _) | (169, 254, _) => true,
        (172, 16..=31, _) | (192, 168, _) | (192, 0, 0) => true,
        // Documentation and measurements.
        (192, 0, 2) | (198, 51, 100) | (203, 0, 113) | (198, 18..=19, _) | (192, 88, 99) => true,
        // Multicast, reserved, broadcast.
        (224.., ..) => true,
        _ => false,
    };
    !special
}

fn is_public_v6(ip: Ipv6Addr) -> bool {
    let [a, b, c, d, e, f, g, h] = ip.segments();
    let v4 = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        is_public_v4(Ipv4Addr::new(a, b, c, d))
    };
    match (a, b, c, d, e, f) {
        // Unspecified, loopback, and the IPv4 addresses written as IPv6: compatible, mapped, translated.
        (0, 0, 0, 0, 0, 0) => false,
        (0, 0, 0, 0, 0, 0xffff) | (0, 0, 0, 0, 0xffff, 0) => v4(g, h),
        // Translators (RFC 6052, 8215) and tunnels (6to4, Teredo).
        (0x64, 0xff9b, 0, 0, 0, 0) => v4(g, h),
        (0x64, 0xff9b, ..) => false,
        (0x2002, high, low, ..) => v4(high, low),
        // Protocol assignments, documentation.
        (0x2001, 0..=0x1ff, ..) | (0x2001, 0xdb8, ..) | (0x3fff, ..) => false,
        // Only this is given out; unique local, link-local and multicast addresses are elsewhere.
        _ => a & 0xe000 == 0x2000,
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ip = self.0;
        write!(
            f,
            "leads to {ip}, which is no public address; `allow_private: true` allows that"
        )
    }
}

impl std::error::Error for Refused {}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard")
            .field("allow_private", &self.allow_private)
            .finish_non_exhaustive()
    }
}
