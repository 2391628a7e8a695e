//! Which addresses a provider may lead us to (RFC 8725 §3.10). Owns the ranges and the resolver that keeps to them;
//! knows no URL.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use rescind::BoxError;

/// How far a provider's endpoints may lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Reach {
    /// Public addresses alone.
    Public,
    /// Any address: whoever configured the provider said that it lives in the house.
    Private,
}

impl Reach {
    pub(super) fn allows(self, address: IpAddr) -> bool {
        self == Self::Private || is_public(address)
    }
}

/// A name that leads to an address which a public provider has no business with.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("a provider on a public address leads to a loopback, private or reserved one")]
pub(super) struct ForbiddenAddress;

/// Resolves names, and refuses those of which any address is out of reach: what is connected to is what was looked at.
#[derive(Debug, Clone, Copy)]
pub(super) struct GuardedResolver(pub(super) Reach);

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let reach = self.0;
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            if !found.iter().all(|address| reach.allows(address.ip())) {
                return Err(BoxError::from(ForbiddenAddress));
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

/// Whether an address is of the public internet. What is not known to be is not.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

/// The special-purpose ranges of RFC 6890, and multicast.
fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !(a == 0
        || a == 10
        || a == 127
        || (a == 100 && (64..128).contains(&b))
        || (a == 169 && b == 254)
        || (a == 172 && (16..32).contains(&b))
        || (a == 192 && b == 168)
        || (a == 192 && b == 0 && (c == 0 || c == 2))
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && (b == 18 || b == 19))
        || (a == 198 && b == 51 && c == 100)
        || (a == 203 && b == 0 && c == 113)
        || a >= 224)
}

/// Of global unicast (`2000::/3`) what is no documentation and no tunnel; of embedded IPv4 addresses the public ones.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let embedded = |[high, low]: [u16; 2]| is_public_v4(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)));
    match address.segments() {
        // IPv4-mapped; RFC 6052 §2.1: NAT64 by its well-known prefix; RFC 3056 §2: 6to4.
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => {
            embedded([high, low])
        }
        // 2001::/23 is Teredo, ORCHID and benchmarks; the others are documentation.
        [0x2001, 0..=0x1ff | 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => false,
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_private_and_reserved_addresses_are_not_public_in_any_disguise() {
        for address in [
            "127.0.0.1",
            "127.9.9.9",
            "0.0.0.0",
            "10.1.2.3",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "192.0.0.1",
            "192.0.2.1",
            "198.18.0.1",
            "203.0.113.5",
            "224.0.0.1",
            "255.255.255.255",
            "240.0.0.1",
            "::1",
            "::",
            "fe80::1",
            "fc00::1",
            "fd12::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "2002:7f00:1::",
            "2001::1",
            "2001:db8::1",
            "3fff::1",
            "fec0::1",
            "100::1",
        ] {
            assert!(!is_public(address.parse().unwrap()), "{address}");
            assert!(Reach::Private.allows(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn public_addresses_are_public() {
        for address in [
            "8.8.8.8",
            "142.250.1.1",
            "172.32.0.1",
            "100.128.0.1",
            "192.1.1.1",
            "2001:4860:4860::8888",
            "2a00:1450::1",
            "::ffff:8.8.8.8",
            "64:ff9b::808:808",
            "2002:808:808::",
        ] {
            assert!(is_public(address.parse().unwrap()), "{address}");
        }
    }

    // holds: 53
    #[tokio::test]
    async fn a_name_that_leads_to_loopback_does_not_resolve_for_a_public_provider() {
        let refused = GuardedResolver(Reach::Public).resolve("localhost".parse().unwrap()).await.err().unwrap();
        assert!(refused.is::<ForbiddenAddress>());
        assert!(GuardedResolver(Reach::Private).resolve("localhost".parse().unwrap()).await.is_ok());
    }
}
