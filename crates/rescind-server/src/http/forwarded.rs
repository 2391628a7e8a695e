//! Whose request it is, where a proxy stands in front: the rightmost address of `X-Forwarded-For` that is no proxy of
//! ours. Each proxy appends whom it was asked by, so what stands further left is the caller's own word. Owns this rule.

use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, HeaderName};

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The address of the client behind `peer`; `peer`'s own where that is no proxy of ours, or does not say.
pub(crate) fn client(peer: IpAddr, headers: &HeaderMap, proxies: &[IpAddr]) -> IpAddr {
    let ours = |address: IpAddr| proxies.contains(&address.to_canonical());
    let mut nearest = peer.to_canonical();
    // Each value lists from left to right, and so do the values among themselves.
    for value in headers.get_all(FORWARDED_FOR).iter().rev() {
        for part in value.to_str().unwrap_or("").rsplit(',') {
            if !ours(nearest) {
                return nearest;
            }
            match address(part.trim()) {
                Some(address) => nearest = address.to_canonical(),
                None => return nearest,
            }
        }
    }
    nearest
}

/// Some proxies add the port.
fn address(text: &str) -> Option<IpAddr> {
    text.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROXIES: [&str; 2] = ["10.0.0.1", "::1"];

    fn seen(peer: &str, values: &[&str]) -> String {
        let headers = values.iter().map(|value| (FORWARDED_FOR, value.parse().unwrap())).collect();
        let proxies = PROXIES.map(|proxy| proxy.parse().unwrap());
        client(peer.parse().unwrap(), &headers, &proxies).to_string()
    }

    #[test]
    fn a_strangers_word_counts_for_nothing() {
        assert_eq!(seen("192.0.2.9", &["198.51.100.1"]), "192.0.2.9");
        assert_eq!(seen("192.0.2.9", &["10.0.0.1"]), "192.0.2.9");
    }

    #[test]
    fn the_rightmost_address_that_is_no_proxy_is_the_client() {
        for (values, client) in [
            (vec!["198.51.100.1"], "198.51.100.1"),
            (vec!["203.0.113.7, 198.51.100.1"], "198.51.100.1"),
            (vec!["203.0.113.7", "198.51.100.1, ::1"], "198.51.100.1"),
            (vec!["198.51.100.1:4711"], "198.51.100.1"),
            (vec!["[2001:db8::1]:4711"], "2001:db8::1"),
            (vec!["::ffff:198.51.100.1"], "198.51.100.1"),
        ] {
            assert_eq!(seen("10.0.0.1", &values), client, "{values:?}");
            assert_eq!(seen("::ffff:10.0.0.1", &values), client, "{values:?}");
        }
    }

    #[test]
    fn a_proxy_that_does_not_say_stands_for_its_clients() {
        for values in [vec![], vec![""], vec!["unknown"], vec!["198.51.100.1, x"]] {
            assert_eq!(seen("10.0.0.1", &values), "10.0.0.1", "{values:?}");
        }
        assert_eq!(seen("10.0.0.1", &["::1"]), "::1");
    }
}
