//! Finds the access token in a request's headers: exactly one, in `Authorization: Bearer` (RFC 6750 §2.1) or, where the
//! application says so, in a cookie. Reads no query and no body, and does not look into the token.

use std::fmt;

use http::HeaderMap;
use http::header::{AUTHORIZATION, COOKIE};

use crate::cookies::{ACCESS, cookie};

/// The request's credentials cannot be read as one token, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Malformed {
    /// The `Authorization` header is there twice.
    HeaderTwice,
    /// The `Authorization` header has bytes outside of ASCII.
    NotAscii,
    /// The `Authorization` header holds no token, or more than one.
    NotOneToken,
    /// A cookie of ours is there twice: which of two is meant cannot be told.
    CookieTwice,
    /// A cookie of ours has bytes outside of ASCII.
    CookieNotAscii,
    /// A token is in the header, and another in a cookie (RFC 6750 §2: one method in each request).
    HeaderAndCookie,
    /// A token is in more than one of header, body and cookies.
    TwoPlaces,
    /// A token is in the header or the body where only a cookie counts.
    NotInCookie,
}

impl Malformed {
    /// What is wrong, for the caller. Characters of RFC 6750 §3 only.
    pub const fn text(self) -> &'static str {
        match self {
            Self::HeaderTwice => "the Authorization header came twice",
            Self::NotAscii => "the Authorization header is not ASCII",
            Self::NotOneToken => "the Authorization header holds not exactly one token",
            Self::CookieTwice => "a cookie came twice",
            Self::CookieNotAscii => "a cookie is not ASCII",
            Self::HeaderAndCookie => "a token came in the Authorization header and in a cookie; send one of them",
            Self::TwoPlaces => "a token came in more than one place; send it in one",
            Self::NotInCookie => "a token came in a place other than the cookie, which alone counts here",
        }
    }
}

impl Malformed {
    /// Whether the `Authorization` header itself is at fault, so that a challenge tells what is wrong (RFC 6750 §3.1).
    pub const fn is_of_header(self) -> bool {
        matches!(self, Self::HeaderTwice | Self::NotAscii | Self::NotOneToken)
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl std::error::Error for Malformed {}

/// What was there in place of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Missing {
    /// Neither a header nor a cookie.
    Everything,
    /// An `Authorization` header of another scheme.
    OtherScheme,
}

/// Where in a request an access token may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum TokensIn {
    /// In `Authorization: Bearer` alone.
    #[default]
    Header,
    /// In the cookie alone; an `Authorization` header with a bearer token is refused then.
    Cookie,
    /// In either, but not in both.
    HeaderOrCookie,
}

/// Where a token was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Means {
    /// `Authorization: Bearer`. A page of another site cannot send it on its own.
    Header,
    /// A member of the body, of which a page of another site would have to know the token.
    Body,
    /// A cookie, which a browser sends at anybody's word.
    Cookie,
}

/// The one access token of a request, and where it was.
///
/// # Errors
/// The outer [`Malformed`] where no single token can be told; the inner [`Missing`] where there is none.
pub fn access_token(headers: &HeaderMap, tokens: TokensIn) -> Result<Result<(&str, Means), Missing>, Malformed> {
    let in_header = bearer_token(headers)?;
    // Only a request with cookies pays for looking through them.
    let in_cookie =
        if tokens == TokensIn::Header || !headers.contains_key(COOKIE) { None } else { cookie(headers, ACCESS)? };
    match (in_header, in_cookie, tokens) {
        (Some(_), Some(_), _) => Err(Malformed::HeaderAndCookie),
        (Some(_), None, TokensIn::Cookie) => Err(Malformed::NotInCookie),
        (Some(token), None, _) => Ok(Ok((token, Means::Header))),
        (None, Some(token), _) => Ok(Ok((token, Means::Cookie))),
        (None, None, _) if headers.contains_key(AUTHORIZATION) => Ok(Err(Missing::OtherScheme)),
        (None, None, _) => Ok(Err(Missing::Everything)),
    }
}

/// The token of the `Authorization: Bearer` header; `None` where there is no such header, or it is of another scheme.
///
/// # Errors
/// [`Malformed`] where the header is repeated, or holds no token or more than one (RFC 6750 §3.1).
pub fn bearer_token(headers: &HeaderMap) -> Result<Option<&str>, Malformed> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Malformed::HeaderTwice);
    }
    // One pass over all bytes without an early end, so that sixteen at a time are looked at: a token has hundreds.
    if value.as_bytes().iter().fold(0, |all, byte| all | byte) >= 0x80 {
        return Err(Malformed::NotAscii);
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
        return Err(Malformed::NotOneToken);
    }
    Ok(Some(token))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(values: &[&str]) -> HeaderMap {
        values.iter().map(|value| (AUTHORIZATION, value.parse().unwrap())).collect()
    }

    // holds: 21
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

    #[test]
    fn a_token_is_taken_from_where_it_may_be_and_from_one_place_only() {
        use Means::{Cookie, Header};
        use TokensIn::{Cookie as InCookie, Header as InHeader, HeaderOrCookie as Either};
        let found = |authorization: &[&str], cookies: &[&str], tokens| {
            let mut headers = headers(authorization);
            headers.extend(cookies.iter().map(|value| (COOKIE, value.parse().unwrap())));
            access_token(&headers, tokens).map(|found| found.map(|(token, means)| (token.to_owned(), means)))
        };
        let at = |token: &str, means| Ok(Ok((token.to_owned(), means)));
        let cookie = &["__Host-rescind_access=c"][..];
        assert_eq!(found(&["Bearer h"], &[], InHeader), at("h", Header));
        assert_eq!(found(&["Bearer h"], cookie, InHeader), at("h", Header), "a cookie means nothing there");
        assert_eq!(found(&[], cookie, InHeader), Ok(Err(Missing::Everything)));
        assert_eq!(found(&[], cookie, InCookie), at("c", Cookie));
        assert_eq!(found(&["Basic YTpi"], cookie, InCookie), at("c", Cookie));
        assert_eq!(found(&["Bearer h"], &[], InCookie), Err(Malformed::NotInCookie));
        assert_eq!(found(&["Bearer h"], cookie, InCookie), Err(Malformed::HeaderAndCookie));
        assert_eq!(found(&["Bearer h"], &[], Either), at("h", Header));
        assert_eq!(found(&[], cookie, Either), at("c", Cookie));
        assert_eq!(found(&["Bearer h"], cookie, Either), Err(Malformed::HeaderAndCookie));
        assert_eq!(found(&["Basic YTpi"], &[], Either), Ok(Err(Missing::OtherScheme)));
        let twice = &["__Host-rescind_access=a; __Host-rescind_access=b"][..];
        assert_eq!(found(&[], twice, Either), Err(Malformed::CookieTwice));
    }
}
