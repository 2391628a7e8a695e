//! Who counts as one customer of the network, for every limit that goes by address. Owns this rule only.

use std::net::{IpAddr, Ipv6Addr};

/// The address by which a limit counts: an IPv6 address by its /64, which is what one customer gets.
pub(crate) fn of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64)),
        v4 @ IpAddr::V4(_) => v4,
    }
}
