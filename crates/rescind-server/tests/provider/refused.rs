//! Where a browser is sent, and what is refused before any provider is asked.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::idp::parameter;
use crate::support::{FORM, Reply, Server, home, serve_to_the_end};

/// Nobody listens there.
const DOWN: [&str; 6] =
    ["--oidc-name", "acme", "--oidc-issuer", "http://127.0.0.1:1", "--oidc-client-id", "rescind-at-acme"];
const PAGE: (&str, &str) = ("accept", "text/html,application/xhtml+xml");

/// A server that knows Google. Nobody is asked for what it does here.
fn with_google() -> Server {
    let home = home();
    let secret = home.path().join("secret");
    fs::write(&secret, "the-clients-secret").unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
    let flags = ["--google-client-id", "id-at-google", "--google-client-secret-file", secret.to_str().unwrap()];
    Server::dev_in(&home, &flags)
}

fn opens_no_session(reply: &Reply) {
    for cookie in reply.all("set-cookie") {
        assert!(cookie.contains("Max-Age=0") || cookie.starts_with("__Host-rescind-signin-"), "{cookie}");
    }
}

// holds: 90
#[test]
fn a_browser_is_sent_to_google_without_google_being_asked() {
    let server = with_google();
    let reply = server.get("/login/google", None);
    assert_eq!((reply.status, reply.header("cache-control")), (303, "no-store"));
    let url = reply.header("location");
    assert!(url.starts_with("https://accounts.google.com/o/oauth2/v2/auth?"), "{url}");
    for (name, value) in [
        ("response_type", "code"),
        ("client_id", "id-at-google"),
        ("scope", "openid email profile"),
        ("code_challenge_method", "S256"),
        ("redirect_uri", &format!("http://{}/login/google/callback", server.public)),
    ] {
        assert_eq!(parameter(url, name), value, "{url}");
    }
    for name in ["state", "nonce", "code_challenge"] {
        assert_eq!(parameter(url, name).len(), 43, "{name} of {url}");
    }
    let [cookie] = reply.all("set-cookie")[..] else { panic!("{:?}", reply.headers) };
    for attribute in ["; Secure", "; HttpOnly", "; SameSite=Lax", "; Path=/"] {
        assert!(cookie.starts_with("__Host-") && cookie.contains(attribute), "{cookie}");
    }
    let (_, log) = server.stop();
    assert!(!log.contains("the-clients-secret") && log.contains("nobody new may sign in"), "{log}");
}

#[test]
fn every_page_to_sign_in_on_leads_to_the_provider() {
    let server = with_google();
    for path in ["/", "/login"] {
        assert!(server.get(path, None).text().contains("href=\"/login/google\""), "{path}");
    }
}

// holds: 95
#[test]
fn another_sites_link_leads_to_the_sign_in_page_and_begins_nothing() {
    let server = with_google();
    let from = |site: &str| server.send("GET", "/login/google", &[("sec-fetch-site", site)], "");
    let reply = from("cross-site");
    assert_eq!((reply.status, reply.header("location")), (303, "/login"));
    assert_eq!(reply.all("set-cookie").len(), 0);
    let as_picture = [("sec-fetch-site", "same-site"), ("sec-fetch-dest", "image")];
    assert_eq!(server.send("GET", "/login/google", &as_picture, "").header("location"), "/login");
    for site in ["same-origin", "none"] {
        assert!(from(site).header("location").starts_with("https://accounts.google.com/"), "{site}");
    }
}

#[test]
fn an_unknown_provider_is_not_found_for_a_program_and_for_a_person() {
    for server in [Server::dev(&[]), Server::dev(&DOWN)] {
        for path in ["/login/nobody", "/login/nobody/callback?state=x&code=y"] {
            let reply = server.get(path, None);
            assert_eq!((reply.status, reply.error().as_str()), (404, "not_found"), "{path}");
            let page = server.send("GET", path, &[PAGE], "");
            assert_eq!(page.status, 404);
            assert!(page.text().contains("Not signed in") && page.text().contains("href=\"/login\""), "{path}");
            assert!(!page.header("content-security-policy").is_empty());
        }
        assert_eq!(server.form("/login/nobody/logout", "logout_token=x").status, 404);
    }
}

#[test]
fn a_sign_in_leads_back_to_no_other_site() {
    let server = with_google();
    for elsewhere in
        ["//evil.example", "https://evil.example", "%2F%5Cevil.example", "javascript:alert(1)", "%00", "%ff"]
    {
        let reply = server.get(&format!("/login/google?return_to={elsewhere}"), None);
        assert_eq!((reply.status, reply.error().as_str()), (400, "invalid_request"), "{elsewhere}");
        assert_eq!(reply.all("set-cookie").len(), 0, "{elsewhere}");
    }
    assert_eq!(server.get("/login/google?return_to=/a&return_to=/b", None).status, 400);
    assert_eq!(server.get("/login/google?return_to=/app%3Fx=1", None).status, 303);
}

#[test]
fn a_provider_that_is_down_is_told_and_nothing_else_suffers() {
    let server = Server::dev(&DOWN);
    let reply = server.get("/login/acme", None);
    assert_eq!((reply.status, reply.error().as_str()), (503, "temporarily_unavailable"), "{}", reply.text());
    assert!(reply.header("retry-after").parse::<u32>().unwrap() > 0);
    let page = server.send("GET", "/login/acme", &[PAGE], "");
    assert_eq!(page.status, 503);
    assert!(page.text().contains("The provider does not answer"), "{}", page.text());
    let pair = server.sign_in();
    assert_eq!(server.me(&pair), 200);
    assert!(server.refreshes(&pair));
    let (_, log) = server.stop();
    assert!(log.contains("acme"), "the log says which: {log}");
}

#[test]
fn a_callback_that_nobody_began_opens_nothing_and_its_code_is_logged_nowhere() {
    let server = with_google();
    let state = "A".repeat(43);
    for query in [
        String::new(),
        "?code=S3CRETCODE".to_owned(),
        format!("?code=S3CRETCODE&state={state}"),
        format!("?code=S3CRETCODE&state={state}&state={state}"),
        format!("?error=access_denied&error_description=%3Cb%3Ehello&state={state}"),
        format!("?state={state}&code=%FF"),
    ] {
        for accept in [PAGE, ("accept", "*/*")] {
            let reply = server.send("GET", &format!("/login/google/callback{query}"), &[accept], "");
            assert_eq!(reply.status, 400, "{query}: {}", reply.text());
            assert!(!reply.text().contains("hello"), "the provider's words: {}", reply.text());
            opens_no_session(&reply);
        }
    }
    let (_, log) = server.stop();
    assert!(!log.contains("S3CRETCODE") && log.contains("foreign_state"), "{log}");
}

// holds: 89
#[test]
fn a_state_of_another_browser_is_refused() {
    let server = with_google();
    let url = server.get("/login/google", None).header("location").to_owned();
    let reply = server.get(&format!("/login/google/callback?code=x&state={}", parameter(&url, "state")), None);
    assert_eq!((reply.status, reply.error().as_str()), (400, "invalid_request"));
    opens_no_session(&reply);
}

#[test]
fn a_logout_of_a_provider_is_a_form_with_a_token() {
    let server = with_google();
    let path = "/login/google/logout";
    for (kind, body) in [(FORM, ""), (FORM, "token=x"), (FORM, "logout_token=x&logout_token=x"), ("text/plain", "x")] {
        let reply = server.send("POST", path, &[("content-type", kind)], body);
        assert_eq!((reply.status, reply.error().as_str()), (400, "invalid_request"), "{body}");
        assert_eq!(reply.header("cache-control"), "no-store");
    }
    assert_eq!(server.get(path, None).status, 405);
}

#[test]
fn a_server_to_which_no_provider_would_send_anybody_back_does_not_start() {
    let home = home();
    let (code, _, err) =
        serve_to_the_end(home.path(), &[&DOWN[..], &["--issuer", "http://id.internal.example"]].concat());
    assert!(code == Some(2) && err.contains("setting issuer:") && err.contains("https"), "{err}");
    assert!(!home.path().join("data").exists(), "nothing was made");
}
