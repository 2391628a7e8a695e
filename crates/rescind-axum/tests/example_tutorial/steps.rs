//! The tutorial's steps, in its order and with its bodies.
#![cfg(test)]

use std::collections::HashMap;

use serde_json::{Value, json};
use url::Url;

use crate::service::{INVALID, Service, assert_refused, claims};

/// The members of a body, so that none is there besides.
fn members(body: &Value) -> Vec<&str> {
    let mut names: Vec<_> = body.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}

#[tokio::test]
async fn the_steps_of_the_tutorial_are_answered_as_it_answers_them() {
    let service = Service::start().await;
    let home = service.get("/").await;
    assert_eq!((home.status, &*home.body), (200, r#"<body><a href="/auth/login">Log In</a></body>"#));
    assert!(home.headers["content-type"].to_str().unwrap().starts_with("text/html"));

    let signed_in = service.fetch_tokens(&service.go_and_agree().await).await;
    let (status, body) = signed_in.json();
    assert_eq!((status, &body["result"]), (200, &json!(true)));
    assert_eq!(members(&body), ["access_token", "refresh_token", "result"]);
    assert_eq!(signed_in.headers["cache-control"], "no-store");
    let (jwt, refresh) = (signed_in.text("access_token"), signed_in.text("refresh_token"));

    let unprotected = service.get("/api/").await;
    assert_eq!(unprotected.json(), (200, json!({ "message": "unprotected api_app endpoint" })));
    let protected = service.call("GET", "/api/protected", &jwt).await;
    assert_eq!(protected.json(), (200, json!({ "message": "protected api_app endpoint" })));

    let (status, body) = service.refresh(&refresh).await.json();
    assert_eq!((status, members(&body)), (200, vec!["access_token", "result"]), "{body}");
    let newer = body["access_token"].as_str().unwrap().to_owned();
    assert_ne!(newer, jwt);
    assert_eq!(service.protected(&newer).await, 200);
    assert_eq!(service.refresh(&refresh).await.status, 200, "the page keeps its refresh token, so it serves again");

    let logged_out = service.call("POST", "/logout", &newer).await;
    assert_eq!(logged_out.json(), (200, json!({ "result": true })));
    assert!(!logged_out.headers.contains_key("deprecation"));
    for token in [&jwt, &newer] {
        assert_refused(&service.call("GET", "/api/protected", token).await, INVALID);
    }
    assert_refused(&service.refresh(&refresh).await, INVALID);
}

#[tokio::test]
async fn the_sign_in_goes_to_the_provider_and_comes_back_to_the_page() {
    let service = Service::start().await;
    let reply = service.get("/auth/login").await;
    let location = Url::parse(reply.headers["location"].to_str().unwrap()).unwrap();
    let asked: HashMap<String, String> = location.query_pairs().into_owned().collect();
    assert_eq!(asked["redirect_uri"], format!("{}/token", service.example.url));
    assert!(asked["scope"].split(' ').any(|scope| scope == "email"));
}

#[tokio::test]
async fn the_page_has_its_buttons_and_runs_nothing_inline() {
    let service = Service::start().await;
    let page = service.get("/token?code=x&state=y").await;
    assert_eq!(page.status, 200);
    for button in [">Protected<", ">Logout<", ">Refresh<"] {
        assert_eq!(page.body.matches(button).count(), 1, "{button}");
    }
    for inline in ["<script>", " onclick=", " onClick=", " onload=", "javascript:", "<style", " style="] {
        assert!(!page.body.contains(inline), "{inline}");
    }
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'; script-src 'self'") && !policy.contains("unsafe"), "{policy}");
    // The page's own address holds the code.
    assert_eq!(
        (&page.headers["referrer-policy"], &page.headers["cache-control"]),
        (&"no-referrer".parse().unwrap(), &"no-store".parse().unwrap())
    );
    let script = service.get("/token.js").await;
    assert!(script.headers["content-type"].to_str().unwrap().starts_with("text/javascript"));
    for used in ["`/auth/token${query}`", r#"localStorage.setItem("jwt""#, r#"localStorage.setItem("refresh""#] {
        assert!(script.body.contains(used), "{used}");
    }
    for parsing in ["innerHTML", "outerHTML", "insertAdjacentHTML", "eval("] {
        assert!(!script.body.contains(parsing), "{parsing}");
    }
}

#[tokio::test]
async fn a_logout_by_get_is_answered_and_says_that_it_is_deprecated() {
    let service = Service::start().await;
    let pair = service.sign_in().await;
    let reply = service.call("GET", "/logout", &pair.jwt).await;
    assert_eq!(reply.json(), (200, json!({ "result": true })));
    // RFC 9745 §2.1: a date as a structured field.
    let since = reply.headers["deprecation"].to_str().unwrap().strip_prefix('@').unwrap().parse::<u64>().unwrap();
    assert!(since > 1_700_000_000);
    service.assert_dead(&pair).await;
    let again = service.call("GET", "/logout", &pair.jwt).await;
    assert_refused(&again, INVALID);
    assert!(again.headers.contains_key("deprecation"));
}

#[tokio::test]
async fn an_account_is_issuer_and_subject_and_its_email_is_looked_up() {
    let service = Service::start().await;
    let first = claims(&service.sign_in().await.jwt);
    assert_eq!(first["sub"], format!("{}|alice-123", service.idp.issuer));
    assert_eq!(first["email"], "alice@example.com");
    assert_eq!(first["exp"].as_u64().unwrap() - first["iat"].as_u64().unwrap(), 900, "15 minutes");
    service.idp.change_claims(|claims| claims["sub"] = "another-alice".into());
    let second = claims(&service.sign_in().await.jwt);
    assert_ne!(first["sub"], second["sub"], "one address, two people");
}
