//! The two cookies of a browser: how they are set, read and cleared (RFC 6265bis, OWASP ASVS 3.3). Owns their names and
//! attributes; does not look into the tokens.

use http::header::{COOKIE, SET_COOKIE};
use http::{HeaderMap, HeaderValue};
use rescind::TokenPair;

use crate::Malformed;

/// The access token's cookie. `__Host-`: a browser takes it only with Secure, with Path=/ and without Domain, so no
/// sibling host can plant one.
pub const ACCESS: &str = "__Host-rescind_access";
/// The refresh token's cookie.
pub const REFRESH: &str = "__Host-rescind_refresh";

/// RFC 6265bis §5.6: a browser drops a cookie whose name and value are longer, without a word.
const LIMIT: usize = 4096;

/// Whether a browser sends the cookies along when another site links here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum SameSite {
    /// Not even for a link.
    #[default]
    Strict,
    /// For a link or redirect that the user follows, not for a form or script of another site.
    Lax,
}

/// How the cookies are set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Cookies {
    same_site: SameSite,
}

/// A token does not fit into a cookie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the token is longer than a cookie may be (4096 bytes with its name); put less into its claims")]
pub struct TooLong;

impl Cookies {
    /// Cookies that no other site can have sent: `SameSite=Strict`.
    pub const fn new() -> Self {
        Self { same_site: SameSite::Strict }
    }

    /// Cookies that a browser sends along by this rule.
    pub const fn with_same_site(same_site: SameSite) -> Self {
        Self { same_site }
    }

    /// Sets both cookies.
    ///
    /// **Shape:** `Path=/; Secure; HttpOnly`, without `Domain`, with `Max-Age` until the token's end.
    ///
    /// # Errors
    /// [`TooLong`], and then sets neither.
    pub fn set(self, headers: &mut HeaderMap, pair: &TokenPair) -> Result<(), TooLong> {
        let access = self.cookie(ACCESS, &pair.access_token, pair.expires_in)?;
        let refresh = self.cookie(REFRESH, &pair.refresh_token, pair.refresh_expires_in)?;
        headers.append(SET_COOKIE, access);
        headers.append(SET_COOKIE, refresh);
        Ok(())
    }

    /// Clears both cookies.
    pub fn clear(self, headers: &mut HeaderMap) {
        for name in [ACCESS, REFRESH] {
            if let Ok(cookie) = self.cookie(name, "", 0) {
                headers.append(SET_COOKIE, cookie);
            }
        }
    }

    fn cookie(self, name: &str, token: &str, max_age: u64) -> Result<HeaderValue, TooLong> {
        if name.len() + token.len() > LIMIT {
            return Err(TooLong);
        }
        let same_site = match self.same_site {
            SameSite::Strict => "Strict",
            SameSite::Lax => "Lax",
        };
        let text = format!("{name}={token}; Path=/; Secure; HttpOnly; SameSite={same_site}; Max-Age={max_age}");
        // Tokens are base64url, dots and underscores, so the text is a header's.
        let mut value = HeaderValue::try_from(text).map_err(|_| TooLong)?;
        value.set_sensitive(true);
        Ok(value)
    }
}

/// The value of a cookie; `None` where it is absent or empty. What other cookies hold does not matter: another
/// application of the host may write into its own what it likes.
///
/// # Errors
/// [`Malformed::CookieTwice`]: which of two is meant cannot be told, and a sibling host may have planted one.
/// [`Malformed::CookieNotAscii`]: no token of ours.
pub fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, Malformed> {
    let mut found = None;
    for header in headers.get_all(COOKIE) {
        let mut rest = Some(header.as_bytes());
        while let Some(pairs) = rest {
            let (pair, after) = split_pair(pairs);
            rest = after;
            let mut parts = pair.splitn(2, |byte| *byte == b'=');
            let (Some(key), Some(value)) = (parts.next(), parts.next()) else { continue };
            if key.trim_ascii() == name.as_bytes() && found.replace(value.trim_ascii()).is_some() {
                return Err(Malformed::CookieTwice);
            }
        }
    }
    let Some(value) = found.filter(|value| !value.is_empty()) else { return Ok(None) };
    match std::str::from_utf8(value) {
        Ok(value) if value.is_ascii() => Ok(Some(value)),
        _ => Err(Malformed::CookieNotAscii),
    }
}

/// The first of a header's pairs, and what comes after its `;`. Looks at as many bytes at once as the machine can, because
/// a token has hundreds.
fn split_pair(pairs: &[u8]) -> (&[u8], Option<&[u8]>) {
    let ends = |byte: &u8| *byte == b';';
    let before = pairs.chunks(32).take_while(|chunk| !chunk.iter().fold(false, |any, byte| any | ends(byte)));
    let whole = before.map(<[u8]>::len).sum();
    let (_, last) = pairs.split_at_checked(whole).unwrap_or((pairs, &[]));
    match last.iter().position(ends).and_then(|at| pairs.split_at_checked(whole + at)) {
        Some((pair, after)) => (pair, after.get(1..)),
        None => (pairs, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(cookies: &[&str]) -> HeaderMap {
        cookies.iter().map(|value| (COOKIE, value.parse().unwrap())).collect()
    }

    fn pair(access_token: &str) -> TokenPair {
        TokenPair {
            access_token: access_token.to_owned(),
            expires_in: 900,
            refresh_token: "rrt_x".to_owned(),
            refresh_expires_in: 86_400,
            session_id: "0198c0de-0000-7000-8000-000000000000".parse().unwrap(),
            scope: None,
        }
    }

    #[test]
    fn a_cookie_is_found_among_others() {
        let headers = headers(&["a=1; __Host-rescind_access=tok.en; b=2", "c=3"]);
        assert_eq!(cookie(&headers, ACCESS).unwrap(), Some("tok.en"));
        assert_eq!(cookie(&headers, REFRESH).unwrap(), None);
    }

    #[test]
    fn a_cookie_is_found_wherever_it_stands() {
        for before in 0..100 {
            for length in [1, 8, 9, 10, 31, 32, 33, 600] {
                let (padding, token) = ("x".repeat(before), "t".repeat(length));
                let text = format!("a={padding};{ACCESS}={token};b;;c=d;");
                assert_eq!(cookie(&headers(&[&text]), ACCESS), Ok(Some(&*token)), "{text}");
                assert_eq!(cookie(&headers(&[&text]), REFRESH), Ok(None), "{text}");
                assert_eq!(cookie(&headers(&[&text, &text]), ACCESS), Err(Malformed::CookieTwice), "{text}");
            }
        }
    }

    #[test]
    fn what_another_cookie_holds_does_not_hide_ours() {
        let name = |name: &str| {
            let mut headers = HeaderMap::new();
            let bytes = format!("{name}=\u{e9}; __Host-rescind_refresh=r").into_bytes();
            headers.insert(COOKIE, HeaderValue::from_bytes(&bytes).unwrap());
            (cookie(&headers, ACCESS).map(|_| ()), cookie(&headers, REFRESH).map(|it| it.map(str::to_owned)))
        };
        assert_eq!(name("theirs"), (Ok(()), Ok(Some("r".to_owned()))));
        assert_eq!(name(ACCESS), (Err(Malformed::CookieNotAscii), Ok(Some("r".to_owned()))));
    }

    #[test]
    fn a_cookie_that_comes_twice_is_refused() {
        for twice in [
            &["__Host-rescind_access=a; __Host-rescind_access=b"][..],
            &["__Host-rescind_access=a", "__Host-rescind_access=b"],
        ] {
            assert_eq!(cookie(&headers(twice), ACCESS), Err(Malformed::CookieTwice));
        }
    }

    #[test]
    fn the_cookies_are_bound_to_the_host_and_out_of_reach_of_scripts() {
        let mut headers = HeaderMap::new();
        Cookies::new().set(&mut headers, &pair("a.b.c")).unwrap();
        let set: Vec<_> = headers.get_all(SET_COOKIE).iter().collect();
        assert_eq!(
            set,
            [
                "__Host-rescind_access=a.b.c; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=900",
                "__Host-rescind_refresh=rrt_x; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=86400",
            ]
        );
        assert!(set.iter().all(|value| value.is_sensitive()));
        let mut headers = HeaderMap::new();
        Cookies::with_same_site(SameSite::Lax).clear(&mut headers);
        let cleared: Vec<_> = headers.get_all(SET_COOKIE).iter().collect();
        assert_eq!(cleared[0], "__Host-rescind_access=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0");
        assert_eq!(cleared.len(), 2);
    }

    #[test]
    fn a_token_that_no_browser_would_keep_is_told_and_neither_cookie_is_set() {
        let mut headers = HeaderMap::new();
        assert_eq!(Cookies::new().set(&mut headers, &pair(&"a".repeat(4076))), Err(TooLong));
        assert!(headers.is_empty());
        assert_eq!(Cookies::new().set(&mut headers, &pair(&"a".repeat(4075))), Ok(()));
    }
}
