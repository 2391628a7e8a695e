//! Finds the token that logs out or is exchanged: in the header, in the body or in cookies, and in one of them only
//! (RFC 6750 §2). Does not look into it.

use http::HeaderMap;
use http::request::Parts;

use super::Routes;
use crate::bearer::{Means, TokensIn, bearer_token};
use crate::cookies::cookie;
use crate::{Malformed, Refusal};

/// The tokens of one place: one, or as many as there are cookies of it.
#[derive(Debug)]
pub(super) struct Presented<'a> {
    /// In the order in which they are tried; never empty.
    pub(super) tokens: Vec<&'a str>,
    pub(super) means: Means,
}

impl Routes {
    /// What a request presents, the body's member among it; `None` where that is nothing.
    ///
    /// # Errors
    /// 400 where it is in no one place; 403 where it is in cookies that came at the word of another site.
    pub(super) async fn presented<'a>(
        &self,
        request: &'a Parts,
        in_body: Option<&'a str>,
        cookies: &[&str],
    ) -> Result<Option<Presented<'a>>, Refusal> {
        let presented = find(&request.headers, in_body, cookies, self.places())?;
        if presented.as_ref().is_some_and(|presented| presented.means == Means::Cookie) {
            self.guard.refuse_another_site(request).await?;
        }
        Ok(presented)
    }
}

fn find<'a>(
    headers: &'a HeaderMap,
    in_body: Option<&'a str>,
    cookies: &[&str],
    places: TokensIn,
) -> Result<Option<Presented<'a>>, Malformed> {
    let in_header = bearer_token(headers)?;
    let counted = if places == TokensIn::Header { &[] } else { cookies };
    let in_cookies: Vec<_> =
        counted.iter().filter_map(|name| cookie(headers, name).transpose()).collect::<Result<_, _>>()?;
    let elsewhere = in_header.map(|token| (token, Means::Header)).or(in_body.map(|token| (token, Means::Body)));
    match elsewhere {
        Some(_) if in_header.is_some() && in_body.is_some() || !in_cookies.is_empty() => Err(Malformed::TwoPlaces),
        Some(_) if places == TokensIn::Cookie => Err(Malformed::NotInCookie),
        Some((token, means)) => Ok(Some(Presented { tokens: vec![token], means })),
        None if in_cookies.is_empty() => Ok(None),
        None => Ok(Some(Presented { tokens: in_cookies, means: Means::Cookie })),
    }
}

#[cfg(test)]
mod tests {
    use http::header::{AUTHORIZATION, COOKIE};

    use super::*;
    use crate::cookies::{ACCESS, REFRESH};

    #[test]
    fn a_token_is_in_one_place_or_refused() {
        use TokensIn::{Cookie, Header, HeaderOrCookie};
        let jar = format!("{ACCESS}=a; {REFRESH}=r");
        let found = |header: Option<&str>, body: Option<&str>, jar: Option<&str>, places| {
            let mut headers = HeaderMap::new();
            headers.extend(header.map(|token| (AUTHORIZATION, format!("Bearer {token}").parse().unwrap())));
            headers.extend(jar.map(|jar| (COOKIE, jar.parse().unwrap())));
            find(&headers, body, &[ACCESS, REFRESH], places)
                .map(|found| found.map_or((String::new(), Means::Header), |it| (it.tokens.join(" "), it.means)))
        };
        let at = |tokens: &str, means| Ok((tokens.to_owned(), means));
        for places in [Header, HeaderOrCookie] {
            assert_eq!(found(Some("h"), None, None, places), at("h", Means::Header));
            assert_eq!(found(None, Some("b"), None, places), at("b", Means::Body));
            assert_eq!(found(Some("h"), Some("b"), None, places), Err(Malformed::TwoPlaces));
            assert_eq!(found(None, None, None, places), at("", Means::Header), "none at all");
        }
        for places in [Cookie, HeaderOrCookie] {
            assert_eq!(found(None, None, Some(&jar), places), at("a r", Means::Cookie));
            assert_eq!(found(Some("h"), None, Some(&jar), places), Err(Malformed::TwoPlaces));
            assert_eq!(found(None, Some("b"), Some(&jar), places), Err(Malformed::TwoPlaces));
        }
        assert_eq!(found(Some("h"), None, Some(&jar), Header), at("h", Means::Header), "a cookie means nothing there");
        assert_eq!(found(Some("h"), None, None, Cookie), Err(Malformed::NotInCookie));
        assert_eq!(found(None, Some("b"), None, Cookie), Err(Malformed::NotInCookie));
        let twice = format!("{jar}; {REFRESH}=r");
        assert_eq!(found(None, None, Some(&twice), HeaderOrCookie), Err(Malformed::CookieTwice));
    }
}
