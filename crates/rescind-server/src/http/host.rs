//! The one name of the host that a request must carry (RFC 9112 §3.2). A proxy in front may have gone by the first of
//! two, or by none, and who sent a form is told from it. Owns this rule; compares the name with nothing.

use std::net::Ipv6Addr;

use http::header::HOST;
use http::uri::Authority;
use http::{Request, Version};

use super::error::{Answer, Failure};

/// Refuses a request whose host cannot be told.
///
/// # Errors
/// 400 for no host, more than one, and one that is none. HTTP/1.0 has requests without.
pub(crate) fn told<B>(request: &Request<B>) -> Answer<()> {
    let mut hosts = request.headers().get_all(HOST).iter();
    let problem = match (hosts.next(), hosts.next()) {
        (Some(host), None) if host.to_str().is_ok_and(is_host) => return Ok(()),
        (None, _) if request.version() == Version::HTTP_10 => return Ok(()),
        (Some(_), None) => "the Host header is no host and port",
        (Some(_), Some(_)) => "the Host header came twice",
        (None, _) => "the Host header is missing",
    };
    Err(Failure::invalid_request(problem))
}

/// RFC 9110 §7.2: `uri-host [ ":" port ]`, without user information. Brackets hold an IPv6 address (RFC 3986 §3.2.2).
fn is_host(text: &str) -> bool {
    if let Some(rest) = text.strip_prefix('[') {
        let Some((address, after)) = rest.split_once(']') else { return false };
        return address.parse::<Ipv6Addr>().is_ok()
            && (after.is_empty() || after.strip_prefix(':').is_some_and(is_port));
    }
    let (name, port) = text.split_once(':').unwrap_or((text, ""));
    // The parser takes user information for a part of it, and brackets anywhere.
    let is_name = !name.is_empty() && !name.contains(['[', ']', '@', ',']) && name.parse::<Authority>().is_ok();
    is_name && is_port(port)
}

/// RFC 3986 §3.2.3: digits, or none at all. The reader of numbers would take a sign, too.
fn is_port(text: &str) -> bool {
    text.is_empty() || (text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u16>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told_by(version: Version, hosts: &[&str]) -> bool {
        let mut request = Request::new(());
        *request.version_mut() = version;
        request.headers_mut().extend(hosts.iter().map(|host| (HOST, host.parse().unwrap())));
        told(&request).is_ok()
    }

    #[test]
    fn a_request_has_one_host_that_is_one() {
        for good in ["localhost", "id.example.com", "127.0.0.1:7000", "[::1]:7000", "[::1]", "a_b-c.example:80"] {
            assert!(told_by(Version::HTTP_11, &[good]), "{good}");
        }
        // RFC 3986 §3.2.3: a port may be empty.
        for good in ["example.com:", "[::1]:", "[::ffff:127.0.0.1]:80", "a:080"] {
            assert!(told_by(Version::HTTP_11, &[good]), "{good}");
        }
        for bad in
            [&[][..], &["a", "a"], &[""], &["a b"], &["a/b"], &["u@a"], &["a,b"], &["a:b"], &["a:70000"], &["http://a"]]
        {
            assert!(!told_by(Version::HTTP_11, bad), "{bad:?}");
        }
        let no_ports = ["a:+80", "a:-1", "a: 80", "a:80:80", ":80", ":", "[::1]80", "[::1]:+80", "[::1]::"];
        for bad in
            no_ports.iter().chain(&["a[b]", "[zz]", "[]", "[::1", "::1", "[127.0.0.1]", "[a]b", "a]", "[::1]a:80"])
        {
            assert!(!told_by(Version::HTTP_11, &[bad]), "{bad}");
        }
        assert!(told_by(Version::HTTP_10, &[]));
        assert!(!told_by(Version::HTTP_10, &["a", "b"]));
    }
}
