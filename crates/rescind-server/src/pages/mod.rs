//! The web pages: what stands in them and under which policy a browser may run them. Owns what a page shows; knows no
//! route, no token and no user.

use askama::Template;

/// The demo page's script, for `GET /demo.js` as `text/javascript; charset=utf-8`.
pub(crate) const DEMO_JS: &str = include_str!("demo.js");

/// The script of a session in cookies, for `GET /session.js` as `text/javascript; charset=utf-8`.
pub(crate) const SESSION_JS: &str = include_str!("session.js");

/// The look of every page, for `GET /rescind.css` as `text/css; charset=utf-8`.
pub(crate) const STYLE_CSS: &str = include_str!("rescind.css");

/// The Content-Security-Policy of every page: our own files and nothing inline, and nobody may frame us.
pub(crate) const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    connect-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// A provider at which people may sign in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Offer {
    /// As in `/login/NAME`.
    pub(crate) name: String,
    /// As people know it.
    pub(crate) title: String,
}

/// What the cookies of a browser say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Session {
    /// The access token is good: whose it is.
    Known(String),
    /// The access token is over; a refresh may help.
    Unknown,
}

/// The home page, for `GET /` without `--dev`.
#[derive(Debug, Template)]
#[template(path = "home.html")]
pub(crate) struct HomePage<'a> {
    /// Whose tokens this server issues.
    pub(crate) issuer: &'a str,
    pub(crate) offers: &'a [Offer],
    /// `None` where the browser brought no cookie of ours.
    pub(crate) session: Option<Session>,
}

/// The demo page, for `GET /` under `--dev`.
#[derive(Debug, Template)]
#[template(path = "demo.html")]
pub(crate) struct DemoPage<'a> {
    pub(crate) offers: &'a [Offer],
    pub(crate) session: Option<Session>,
}

/// The sign-in page.
#[derive(Debug, Template)]
#[template(path = "login.html")]
pub(crate) struct LoginPage<'a> {
    /// What went wrong with the try before; empty at the first.
    pub(crate) message: &'a str,
    /// The name that was tried, so that only the password is typed again.
    pub(crate) username: &'a str,
    pub(crate) offers: &'a [Offer],
}

/// What is shown behind a sign-in at a provider, and goes on by itself. A redirect would not do: the way began at another
/// site, so the browser would keep the new cookies, which are SameSite=Strict, from the page that it leads to.
#[derive(Debug, Template)]
#[template(path = "arrived.html")]
pub(crate) struct ArrivedPage<'a> {
    /// Where it goes on: a path of ours.
    pub(crate) to: &'a str,
}

/// A sign-in at a provider that came to nothing.
#[derive(Debug, Template)]
#[template(path = "not_signed_in.html")]
pub(crate) struct NotSignedInPage<'a> {
    /// Why, and what to do.
    pub(crate) message: &'a str,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offers() -> Vec<Offer> {
        vec![Offer { name: "google".into(), title: "Google".into() }]
    }

    #[test]
    fn pages_hold_nothing_that_their_policy_forbids() {
        let offers = offers();
        let issuer = "https://id.example.com";
        let (out, unknown, known) = (None, Some(Session::Unknown), Some(Session::Known("a@example.com".into())));
        let mut pages = vec![
            LoginPage { message: "", username: "", offers: &offers }.render().unwrap(),
            ArrivedPage { to: "/" }.render().unwrap(),
            NotSignedInPage { message: "x" }.render().unwrap(),
        ];
        for session in [out, unknown, known] {
            pages.push(HomePage { issuer, offers: &offers, session: session.clone() }.render().unwrap());
            pages.push(DemoPage { offers: &offers, session }.render().unwrap());
        }
        for page in &pages {
            for inline in ["<style", " style=", "<script>", "javascript:", " onclick=", " onsubmit=", " onload="] {
                assert!(!page.contains(inline), "{inline} in a page");
            }
            assert!(!page.contains("src=\"http") && !page.contains("href=\"http"), "a page asks a foreign host");
        }
    }

    // holds: 137
    #[test]
    fn scripts_keep_tokens_in_memory_and_parse_no_html() {
        for forbidden in
            ["localStorage", "sessionStorage", "indexedDB", "innerHTML", "outerHTML", "insertAdjacentHTML", "eval("]
        {
            assert!(!DEMO_JS.contains(forbidden), "{forbidden} in demo.js");
            assert!(!SESSION_JS.contains(forbidden), "{forbidden} in session.js");
        }
    }

    #[test]
    fn sign_in_page_escapes_what_was_typed() {
        let message = "The name or the password is wrong.";
        let page = LoginPage { message, username: "\"><script>", offers: &[] }.render().unwrap();
        assert!(page.contains(message));
        assert!(!page.contains("<script>"));
    }

    #[test]
    fn sign_in_page_has_no_message_at_first_and_no_button_without_a_provider() {
        let page = LoginPage { message: "", username: "", offers: &[] }.render().unwrap();
        assert!(!page.contains("role=\"alert\"") && !page.contains("Sign in with"));
    }

    #[test]
    fn every_page_to_sign_in_on_offers_the_providers_by_a_link() {
        let offers = offers();
        let link = "href=\"/login/google\" data-testid=\"provider-google\">Sign in with Google</a>";
        assert!(LoginPage { message: "", username: "", offers: &offers }.render().unwrap().contains(link));
        assert!(
            HomePage { issuer: "https://x.example", offers: &offers, session: None }.render().unwrap().contains(link)
        );
        assert!(DemoPage { offers: &offers, session: None }.render().unwrap().contains(link));
    }

    #[test]
    fn a_name_on_a_page_is_text() {
        let session = Some(Session::Known("<b>a</b>".into()));
        assert!(!DemoPage { offers: &[], session }.render().unwrap().contains("<b>a"));
    }
}
