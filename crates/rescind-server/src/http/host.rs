//! The one name of the host that a request must carry (RFC 9112 §3.2). A proxy in front may have gone by the first of
//! two, or by none, and who sent a form is told from it. Owns this rule; compares the name with nothing.

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

/// RFC 9110 §7.2: `uri-host [ ":" port ]`, without user information.
fn is_host(text: &str) -> bool {
    let Ok(authority) = text.parse::<Authority>() else { return false };
    // The parser takes any port for one, and user information with it.
    let port = text.strip_prefix(authority.host());
    let port_fits = port.is_some_and(|port| {
        port.is_empty() || port.strip_prefix(':').is_some_and(|digits| digits.parse::<u16>().is_ok())
    });
    port_fits && !authority.host().is_empty() && !text.contains(',')
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
        for bad in
            [&[][..], &["a", "a"], &[""], &["a b"], &["a/b"], &["u@a"], &["a,b"], &["a:b"], &["a:70000"], &["http://a"]]
        {
            assert!(!told_by(Version::HTTP_11, bad), "{bad:?}");
        }
        assert!(told_by(Version::HTTP_10, &[]));
        assert!(!told_by(Version::HTTP_10, &["a", "b"]));
    }
}
