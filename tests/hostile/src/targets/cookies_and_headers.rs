//! `Authorization` and `Cookie`, any bytes that HTTP lets through. Of a request that carries a token at most one is found,
//! and it is one that was sent.

use http::header::{AUTHORIZATION, COOKIE, HeaderMap, HeaderValue};
use rescind_axum::cookies::{ACCESS, REFRESH, cookie};
use rescind_axum::{TokensIn, access_token, bearer_token, body};

/// One header a line: `A` and the value of an `Authorization`, `T` of a `Content-Type`, anything else a `Cookie`.
pub(super) fn cookies_and_headers(bytes: &[u8]) {
    let mut headers = HeaderMap::new();
    for line in bytes.split(|byte| *byte == b'\n').take(32) {
        let (name, value) = match line.split_first() {
            Some((b'A', value)) => (AUTHORIZATION, value),
            Some((b'T', value)) => (http::header::CONTENT_TYPE, value),
            _ => (COOKIE, line),
        };
        if let Ok(value) = HeaderValue::from_bytes(value) {
            headers.append(name, value);
        }
    }
    let sent = |token: &str| {
        assert!(!token.is_empty(), "nothing is no token");
        assert!(
            headers.values().any(|value| value.as_bytes().windows(token.len()).any(|part| part == token.as_bytes()))
        );
    };
    for tokens in [TokensIn::Header, TokensIn::Cookie, TokensIn::HeaderOrCookie] {
        match access_token(&headers, tokens) {
            Ok(Ok((token, _))) => sent(token),
            Ok(Err(_)) => {}
            Err(malformed) => assert!(!malformed.text().contains(['"', '\\'])),
        }
    }
    if let Ok(Some(token)) = bearer_token(&headers) {
        assert!(!token.contains([' ', ',', '\t']), "{token:?} is not one token");
        sent(token);
    }
    for name in [ACCESS, REFRESH] {
        if let Ok(Some(token)) = cookie(&headers, name) {
            assert!(!token.contains(';'), "{token:?} is more than one cookie's");
            sent(token);
        }
    }
    let _either = body::kind(&headers);
}
