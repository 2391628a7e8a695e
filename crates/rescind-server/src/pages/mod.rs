//! The web pages: what stands in them and under which policy a browser may run them. Owns the demo page, the
//! sign-in page and the home page; knows no route, no token and no user.

use askama::Template;

/// The demo page, for `GET /` under `--dev`.
pub(crate) const DEMO_HTML: &str = include_str!("../../templates/demo.html");

/// The demo page's script, for `GET /demo.js` as `text/javascript; charset=utf-8`.
pub(crate) const DEMO_JS: &str = include_str!("demo.js");

/// The look of every page, for `GET /rescind.css` as `text/css; charset=utf-8`.
pub(crate) const STYLE_CSS: &str = include_str!("rescind.css");

/// The Content-Security-Policy of every page: our own files and nothing inline, and nobody may frame us.
pub(crate) const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    connect-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// The home page, for `GET /` without `--dev`.
#[derive(Debug, Template)]
#[template(path = "home.html")]
pub(crate) struct HomePage<'a> {
    /// Whose tokens this server issues.
    pub(crate) issuer: &'a str,
}

/// The sign-in page.
#[derive(Debug, Template)]
#[template(path = "login.html")]
pub(crate) struct LoginPage<'a> {
    /// What went wrong with the try before; empty at the first.
    pub(crate) message: &'a str,
    /// The name that was tried, so that only the password is typed again.
    pub(crate) username: &'a str,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_hold_nothing_that_their_policy_forbids() {
        let home = HomePage { issuer: "https://id.example.com" }.render().unwrap();
        let login = LoginPage { message: "", username: "" }.render().unwrap();
        for page in [DEMO_HTML, &home, &login] {
            for inline in ["<style", " style=", "<script>", "javascript:", " onclick=", " onsubmit=", " onload="] {
                assert!(!page.contains(inline), "{inline} in a page");
            }
            assert!(!page.contains("src=\"http") && !page.contains("href=\"http"), "a page asks a foreign host");
        }
    }

    #[test]
    fn script_keeps_tokens_in_memory_and_parses_no_html() {
        for forbidden in
            ["localStorage", "sessionStorage", "indexedDB", "innerHTML", "outerHTML", "insertAdjacentHTML", "eval("]
        {
            assert!(!DEMO_JS.contains(forbidden), "{forbidden} in demo.js");
        }
    }

    #[test]
    fn sign_in_page_escapes_what_was_typed() {
        let page =
            LoginPage { message: "The name or the password is wrong.", username: "\"><script>" }.render().unwrap();
        assert!(page.contains("The name or the password is wrong."));
        assert!(!page.contains("<script>"));
    }

    #[test]
    fn sign_in_page_has_no_message_at_first() {
        assert!(!LoginPage { message: "", username: "" }.render().unwrap().contains("role=\"alert\""));
    }
}
