//! Every error that flask-jwt-extended 4.7.1 has for a token or its header, as far as the example's routes can come to it.

use std::time::Duration;

use serde_json::json;
use tempfile::tempdir;

use super::example::{Example, workshop};
use super::{ISSUER, MONTH, NAME, Tokens, claim, hello, login, open, protected, refresh, said};

#[tokio::test]
async fn a_header_without_one_bearer_token_is_answered_as_ever() {
    const MISSING: &str = "Missing Authorization Header";
    const OTHER: &str = "Missing 'Bearer' type in 'Authorization' header. Expected 'Authorization: Bearer <JWT>'";
    const BAD: &str = "Bad Authorization header. Expected 'Authorization: Bearer <JWT>'";
    let home = tempdir().unwrap();
    let flask = Example::start(NAME, home.path()).await;
    let Tokens { access, .. } = login(&flask).await;
    let routes = [("GET", "/protected"), ("POST", "/refresh"), ("DELETE", "/logout"), ("DELETE", "/logout2")];
    let others = [("GET", "/protected-fresh"), ("GET", "/auth/token"), ("PUT", "/auth/token/1")];
    for (method, path) in routes.into_iter().chain(others) {
        let reply = flask.send(method, path, None, None).await;
        assert_eq!(reply.json(), said(401, MISSING), "{path}");
        assert!(reply.headers.contains_key("www-authenticate"), "RFC 9110 asks it of every 401");
        for (authorization, status, text) in [
            (String::new(), 401, MISSING),
            (",".to_owned(), 401, MISSING),
            ("Basic dGVzdDp0ZXN0".to_owned(), 401, OTHER),
            (access.clone(), 401, OTHER),
            (format!("Bearer{access}"), 401, OTHER),
            (format!("Bearer {access}, Bearer {access}"), 401, OTHER),
            ("Bearer".to_owned(), 422, BAD),
            (format!("Bearer {access} {access}"), 422, BAD),
        ] {
            let reply = flask.ask(method, path, &[("authorization", &authorization)], "").await;
            assert_eq!(reply.json(), said(status, text), "{path} {authorization}");
        }
    }
    for authorization in [
        format!(",Bearer {access},"),
        format!("Basic dGVzdDp0ZXN0, Bearer {access}"),
        format!("Bearer   {access}"),
        format!("bearer {access}"),
    ] {
        let reply = flask.ask("GET", "/protected", &[("authorization", &authorization)], "").await;
        assert_eq!(reply.json(), hello(), "{authorization}");
    }
    let twice = [("authorization", "Bearer a"), ("authorization", "Bearer b")];
    assert_eq!(flask.ask("GET", "/protected", &twice, "").await.json(), said(422, BAD));
}

#[tokio::test]
async fn a_token_that_cannot_be_decoded_is_refused_in_the_old_words() {
    let home = tempdir().unwrap();
    let flask = Example::start(NAME, home.path()).await;
    let Tokens { access, refresh } = login(&flask).await;
    let (signed, signature) = access.rsplit_once('.').unwrap();
    let (header, payload) = signed.split_once('.').unwrap();
    let other = if signature.starts_with('A') { "B" } else { "A" };
    let claims = json!({ "sub": "test", "exp": workshop::now() + 600, "type": "refresh", "fresh": true });
    let forged = |alg: &str| workshop::forge(&json!({ "alg": alg, "typ": "JWT" }), &claims);
    let not_allowed = "The specified alg value is not allowed";
    let failed = "Signature verification failed";
    let cases = [
        ("a".to_owned(), "Not enough segments"),
        ("a.b".to_owned(), "Not enough segments"),
        (format!("{access}.x"), "Invalid payload padding"),
        ("a.b.c".to_owned(), "Invalid header padding"),
        (format!("{header}=.{payload}.{signature}"), "Invalid header padding"),
        (format!("{header}.{payload}=.{signature}"), "Invalid payload padding"),
        (format!("{access}="), "Invalid crypto padding"),
        (format!("W10.{payload}.{signature}"), "Invalid header string: must be a json object"),
        (format!("{signed}."), failed),
        (format!("{signed}.{other}{}", &signature[1..]), failed),
        (forged("HS256"), failed),
        (forged("HS512"), not_allowed),
        (forged("RS256"), not_allowed),
        (forged("none"), not_allowed),
        (forged("nOnE"), not_allowed),
    ];
    for (token, text) in &cases {
        for (method, path) in [("GET", "/protected"), ("POST", "/refresh"), ("DELETE", "/logout2")] {
            let reply = flask.send(method, path, Some(token), None).await;
            assert_eq!(reply.json(), said(422, text), "{path} {token}");
            assert!(!reply.headers.contains_key("www-authenticate"));
        }
    }
    let only_refresh = said(422, "Only refresh tokens are allowed");
    let only_access = said(422, "Only non-refresh tokens are allowed");
    for (method, path) in [("POST", "/refresh"), ("DELETE", "/logout2"), ("DELETE", "/auth/refresh_revoke")] {
        assert_eq!(flask.send(method, path, Some(&access), None).await.json(), only_refresh, "{path}");
    }
    for (method, path) in [("GET", "/protected"), ("GET", "/protected-fresh"), ("DELETE", "/logout")] {
        assert_eq!(flask.send(method, path, Some(&refresh), None).await.json(), only_access, "{path}");
    }
    let last = if refresh.ends_with('A') { "B" } else { "A" };
    let altered = format!("{}{last}", &refresh[..refresh.len() - 1]);
    assert_eq!(super::refresh(&flask, &altered).await.json(), said(422, failed));
}

#[tokio::test]
async fn a_token_out_of_time_or_for_others_or_of_a_user_who_is_gone_is_refused_in_the_old_words() {
    let home = tempdir().unwrap();
    let minute = Duration::from_mins(1);
    let lapsed = open(home.path(), ISSUER, MONTH + minute, "test", "acme").await;
    let expired = open(home.path(), ISSUER, minute * 16, "test", "acme").await;
    let elsewhere = open(home.path(), "http://other.example", minute, "test", "acme").await;
    let former = open(home.path(), ISSUER, minute, "former", "acme").await;
    let no_customer = open(home.path(), ISSUER, minute, "test", "nobody").await;
    let claims = json!({
        "iss": ISSUER, "aud": ISSUER, "sub": "test", "client_id": "flask", "iat": workshop::now(), "exp": workshop::now() + 800,
        "jti": claim(&expired.access_token, "jti"), "sid": claim(&expired.access_token, "sid"), "seq": 0,
        "auth_time": workshop::now(), "company": "acme",
    });
    let mut altered = Vec::new();
    for (name, value, text) in [
        ("sub", None, "Missing claim: sub"),
        ("sub", Some(json!(1)), "Subject must be a string"),
        ("aud", None, "Token is missing the \"aud\" claim"),
        ("aud", Some(json!("http://other.example")), "Audience doesn't match"),
        ("iss", None, "Token is missing the \"iss\" claim"),
        ("iss", Some(json!("http://other.example")), "Invalid issuer"),
        ("iat", Some(json!(workshop::now() + 600)), "The token is not yet valid (iat)"),
        ("nbf", Some(json!(workshop::now() + 3600)), "The token is not yet valid (nbf)"),
    ] {
        let mut claims = claims.clone();
        match value {
            Some(value) => claims[name] = value,
            None => drop(claims.as_object_mut().unwrap().remove(name)),
        }
        altered.push((workshop::sign(home.path(), &claims).await, text));
    }
    let unaltered = workshop::sign(home.path(), &claims).await;

    let flask = Example::start(NAME, home.path()).await;
    assert_eq!(protected(&flask, &unaltered).await, hello(), "what is refused below is refused for the one change");
    for (token, text) in altered {
        assert_eq!(protected(&flask, &token).await, said(422, text));
    }
    let too_late = said(401, "Token has expired");
    assert_eq!(protected(&flask, &expired.access_token).await, too_late);
    assert_eq!(flask.send("DELETE", "/logout", Some(&expired.access_token), None).await.json(), too_late);
    assert_eq!(refresh(&flask, &lapsed.refresh_token).await.json(), too_late);
    assert_eq!(protected(&flask, &elsewhere.access_token).await, said(422, "Invalid issuer"));
    let unverified = said(400, "User claims verification failed");
    assert_eq!(protected(&flask, &no_customer.access_token).await, unverified);
    assert_eq!(refresh(&flask, &former.refresh_token).await.json(), said(401, "Error loading the user former"));
    assert_eq!(refresh(&flask, &expired.refresh_token).await.status, 200, "its session is open");
}
