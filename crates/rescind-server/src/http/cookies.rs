//! The two cookies of a browser: how they are set, read and cleared (RFC 6265bis, OWASP ASVS 3.3). Owns their names and
//! attributes; does not look into the tokens.

use http::header::{COOKIE, SET_COOKIE};
use http::{HeaderMap, HeaderValue};
use rescind::TokenPair;

use super::error::{Answer, Failure};

/// `__Host-`: a browser takes it only with Secure, with Path=/ and without Domain, so no sibling host can plant one.
pub(crate) const ACCESS: &str = "__Host-rescind_access";
/// The refresh token's cookie.
pub(crate) const REFRESH: &str = "__Host-rescind_refresh";

const ATTRIBUTES: &str = "; Path=/; Secure; HttpOnly; SameSite=Strict";

/// The value of a cookie.
///
/// # Errors
/// 400 where the cookie comes twice: which of two is meant cannot be told.
pub(crate) fn find<'a>(headers: &'a HeaderMap, name: &str) -> Answer<Option<&'a str>> {
    let mut found = None;
    for header in headers.get_all(COOKIE) {
        let Ok(header) = header.to_str() else { continue };
        for pair in header.split(';') {
            let Some((key, value)) = pair.split_once('=') else { continue };
            if key.trim() == name && found.replace(value.trim()).is_some() {
                return Err(Failure::invalid_request("a cookie came twice"));
            }
        }
    }
    Ok(found.filter(|value| !value.is_empty()))
}

/// Sets both cookies.
pub(crate) fn set(headers: &mut HeaderMap, pair: &TokenPair) {
    append(headers, &format!("{ACCESS}={}{ATTRIBUTES}; Max-Age={}", pair.access_token, pair.expires_in));
    append(headers, &format!("{REFRESH}={}{ATTRIBUTES}; Max-Age={}", pair.refresh_token, pair.refresh_expires_in));
}

/// Clears both cookies.
pub(crate) fn clear(headers: &mut HeaderMap) {
    for name in [ACCESS, REFRESH] {
        append(headers, &format!("{name}={ATTRIBUTES}; Max-Age=0"));
    }
}

fn append(headers: &mut HeaderMap, cookie: &str) {
    // Tokens are base64url, dots and underscores, so this cannot fail.
    if let Ok(mut value) = HeaderValue::from_str(cookie) {
        value.set_sensitive(true);
        headers.append(SET_COOKIE, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(cookies: &[&str]) -> HeaderMap {
        cookies.iter().map(|value| (COOKIE, value.parse().unwrap())).collect()
    }

    #[test]
    fn a_cookie_is_found_among_others() {
        let headers = headers(&["a=1; __Host-rescind_access=tok.en; b=2", "c=3"]);
        assert_eq!(find(&headers, ACCESS).unwrap(), Some("tok.en"));
        assert_eq!(find(&headers, REFRESH).unwrap(), None);
    }

    #[test]
    fn a_cookie_that_comes_twice_is_refused() {
        assert!(find(&headers(&["__Host-rescind_access=a; __Host-rescind_access=b"]), ACCESS).is_err());
        assert!(find(&headers(&["__Host-rescind_access=a", "__Host-rescind_access=b"]), ACCESS).is_err());
    }
}
