//! The answer behind a sign-in: a redirect becomes a page that goes on by itself. Owns that page and its escaping; knows
//! nothing of who has signed in.

use axum_core::body::Body;
use axum_core::response::Response;
use http::StatusCode;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, LOCATION};
use url::Url;

/// Makes a page of a redirect, with all that it sets; any other answer stays as it is.
///
/// A browser counts the whole chain of a navigation, and this one began at the provider: it would keep cookies that are
/// SameSite=Strict, and were set on the way, from the place that a redirect leads to, so that whoever has just signed in
/// would be told that they have not (RFC 6265bis §5.2.1). A page of ours begins a chain of its own.
pub(super) fn page_for_redirect(response: Response) -> Response {
    let Some(page) = destination(&response).map(page) else { return response };
    let (mut parts, _) = response.into_parts();
    parts.status = StatusCode::OK;
    parts.headers.remove(LOCATION);
    parts.headers.remove(CONTENT_LENGTH);
    parts.headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    Response::from_parts(parts, Body::from(page))
}

/// Where a redirect leads, if cookies may be sent there: to an app's own scheme there are none, and a page may not lead.
fn destination(response: &Response) -> Option<&str> {
    let to = response.headers().get(LOCATION).filter(|_| response.status().is_redirection())?.to_str().ok()?;
    let elsewhere = Url::parse(to).is_ok_and(|url| !matches!(url.scheme(), "http" | "https"));
    (!elsewhere && !to.is_empty()).then_some(to)
}

fn page(to: &str) -> String {
    let to = escaped(to);
    format!(
        "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><meta http-equiv=\"refresh\" content=\"0; url={to}\">\
         <title>Signed in</title>\n<main><h1>Signed in</h1><p>If nothing happens, <a href=\"{to}\">go on</a>.</p></main></html>\n"
    )
}

/// For an attribute in quotation marks. The value's own would also end the URL of a refresh, so they are percent-encoded.
fn escaped(to: &str) -> String {
    let mut text = String::with_capacity(to.len());
    for letter in to.chars() {
        match letter {
            '&' => text.push_str("&amp;"),
            '<' => text.push_str("%3C"),
            '>' => text.push_str("%3E"),
            '"' => text.push_str("%22"),
            '\'' => text.push_str("%27"),
            letter => text.push(letter),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use http::header::SET_COOKIE;

    use super::*;

    fn redirect(status: u16, to: &str) -> Response {
        let response = http::Response::builder().status(status).header(LOCATION, to);
        response.header(SET_COOKIE, "a=1").header(SET_COOKIE, "b=2").body(Body::empty()).unwrap()
    }

    #[test]
    fn a_redirect_becomes_a_page_that_keeps_what_was_set() {
        for status in [301, 302, 303, 307, 308] {
            for to in ["/home?a=b&c=d", "home", "https://app.example/", "http://127.0.0.1:7000/"] {
                let answer = page_for_redirect(redirect(status, to));
                assert_eq!((answer.status(), answer.headers().get(LOCATION)), (StatusCode::OK, None), "{status} {to}");
                assert_eq!(answer.headers()[CONTENT_TYPE], "text/html; charset=utf-8");
                assert_eq!(answer.headers().get_all(SET_COOKIE).iter().count(), 2);
            }
        }
        assert!(page("/a?b=c&d").contains("content=\"0; url=/a?b=c&amp;d\""));
    }

    #[test]
    fn what_is_no_redirect_of_a_browser_s_stays() {
        for (status, to) in [(303, "org.example.app:/signed-in"), (201, "/made"), (200, "/home"), (303, "")] {
            let answer = page_for_redirect(redirect(status, to));
            assert_eq!((answer.status().as_u16(), answer.headers()[LOCATION].as_bytes()), (status, to.as_bytes()));
        }
    }

    #[test]
    fn a_destination_cannot_leave_its_attribute() {
        let page = page("/\"><script>alert(1)</script>'&lt;");
        assert!(!page.contains("<script") && page.contains("url=/%22%3E%3Cscript%3Ealert(1)%3C/script%3E%27&amp;lt;"));
        assert_eq!(page.matches('"').count(), 10, "those of the page itself");
    }
}
