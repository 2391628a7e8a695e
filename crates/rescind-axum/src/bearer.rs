//! Finds the access token in a request's headers: exactly one, in `Authorization: Bearer` (RFC 6750 §2.1). Reads no
//! query and no body, and does not look into the token.

use std::fmt;

use http::HeaderMap;
use http::header::AUTHORIZATION;

/// The request's credentials cannot be read as one token, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed(pub &'static str);

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Malformed {}

/// The token of the `Authorization: Bearer` header; `None` where there is no such header, or it is of another scheme.
///
/// # Errors
/// [`Malformed`] where the header is repeated, or holds no token or more than one (RFC 6750 §3.1).
pub fn bearer_token(headers: &HeaderMap) -> Result<Option<&str>, Malformed> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Malformed("the Authorization header came twice"));
    }
    // One pass over all bytes without an early end, so that sixteen at a time are looked at: a token has hundreds.
    if value.as_bytes().iter().fold(0, |all, byte| all | byte) >= 0x80 {
        return Err(Malformed("the Authorization header is not ASCII"));
    }
    let value = std::str::from_utf8(value.as_bytes()).unwrap_or_default();
    let (scheme, token) = value.split_once(' ').unwrap_or((value, ""));
    // RFC 9110 §11.1: the scheme's case does not matter.
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Ok(None);
    }
    let token = token.trim_matches(' ');
    let separated = token.bytes().fold(false, |seen, byte| seen | matches!(byte, b' ' | b',' | b'\t'));
    if token.is_empty() || separated {
        return Err(Malformed("the Authorization header holds not exactly one token"));
    }
    Ok(Some(token))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(values: &[&str]) -> HeaderMap {
        values.iter().map(|value| (AUTHORIZATION, value.parse().unwrap())).collect()
    }

    #[test]
    fn one_bearer_token_is_found_whatever_the_scheme_s_case() {
        for value in ["Bearer abc", "bearer abc", "BEARER  abc"] {
            assert_eq!(bearer_token(&headers(&[value])).unwrap(), Some("abc"));
        }
    }

    #[test]
    fn another_scheme_is_no_bearer_token() {
        assert_eq!(bearer_token(&headers(&[])).unwrap(), None);
        assert_eq!(bearer_token(&headers(&["Basic YTpi"])).unwrap(), None);
        assert_eq!(bearer_token(&headers(&["Bearerabc"])).unwrap(), None);
    }

    #[test]
    fn a_repeated_or_empty_or_double_token_is_malformed() {
        for values in
            [&["Bearer a", "Bearer a"][..], &["Bearer"], &["Bearer "], &["Bearer a b"], &["Bearer a, Bearer b"]]
        {
            assert!(bearer_token(&headers(values)).is_err(), "{values:?}");
        }
    }
}
