//! The requests of `docs/from-flask-jwt-extended.md` that the old one answers wrongly, and what is answered here. Those about
//! a logout and a power cut stand with the steps, the one about the scheme's case with the header.

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use rescind::LogoutScope;
use rescind::log::Text;
use serde_json::json;
use tempfile::tempdir;

use super::example::{Example, workshop};
use super::{NAME, hello, login, origin, protected, refresh, revoked, said, session};

#[tokio::test]
async fn a_refresh_token_stays_revoked_for_longer_than_an_access_token_lives() {
    let home = tempdir().unwrap();
    let rescind = workshop::at(home.path(), origin(), Duration::from_hours(20)).await;
    let out = rescind.open_session(session("test", "acme")).await.unwrap();
    let kept = rescind.open_session(session("test", "acme")).await.unwrap();
    rescind.logout(&out.refresh_token, LogoutScope::Session, Text::new("test").unwrap()).await.unwrap();
    workshop::close(rescind).await;
    let flask = Example::start(NAME, home.path()).await;
    assert_eq!(refresh(&flask, &out.refresh_token).await.json(), revoked());
    assert_eq!(refresh(&flask, &kept.refresh_token).await.status, 200);
}

#[tokio::test]
async fn another_kind_of_jwt_under_the_same_key_is_no_access_token() {
    let home = tempdir().unwrap();
    let flask = Example::start(NAME, home.path()).await;
    let access = login(&flask).await.access;
    assert_eq!(protected(&flask, &access).await, hello());
    flask.kill().await;
    let week = workshop::now() + 7 * 24 * 3600;
    let letter = json!({ "sub": "test", "purpose": "confirm e-mail", "exp": week });
    let mut whole: serde_json::Value = serde_json::from_str(&payload(&access)).unwrap();
    let as_letter = workshop::sign_as("JWT", home.path(), &whole).await;
    let letter_as_jwt = workshop::sign_as("JWT", home.path(), &letter).await;
    let letter_as_access = workshop::sign(home.path(), &letter).await;
    whole.as_object_mut().unwrap().remove("jti");
    let without_name = workshop::sign(home.path(), &whole).await;
    let flask = Example::start(NAME, home.path()).await;
    let failed = said(422, "Signature verification failed");
    assert_eq!(protected(&flask, &letter_as_jwt).await, failed);
    assert_eq!(protected(&flask, &as_letter).await, failed, "the header alone says what it is");
    assert_eq!(protected(&flask, &letter_as_access).await, said(422, "Token is missing the \"iss\" claim"));
    assert_eq!(protected(&flask, &without_name).await, said(422, "Token is missing the \"jti\" claim"));
    assert_eq!(protected(&flask, &access).await, hello());
}

#[tokio::test]
async fn no_word_of_a_document_is_the_secret() {
    let home = tempdir().unwrap();
    let flask = Example::start(NAME, home.path()).await;
    let access = login(&flask).await.access;
    let header = serde_json::from_str(&part(&access, 0)).unwrap();
    let mut claims: serde_json::Value = serde_json::from_str(&payload(&access)).unwrap();
    claims["sub"] = json!("admin");
    let failed = said(422, "Signature verification failed");
    for secret in ["super-secret", "secret", "jwt-secret-string", ""] {
        let forged = workshop::forge_with(secret, &header, &claims);
        assert_eq!(protected(&flask, &forged).await, failed, "{secret:?}");
    }
    let key = std::fs::metadata(home.path().join("root.key")).unwrap();
    assert_eq!(key.permissions().mode() & 0o777, 0o600);
    let another_home = tempdir().unwrap();
    let other = Example::start(NAME, another_home.path()).await;
    assert_eq!(protected(&other, &access).await, failed, "each installation has its own");
}

#[tokio::test]
async fn a_full_disk_is_no_verdict_on_a_token_and_no_logout() {
    const KIB: u32 = 256;
    let home = tempdir().unwrap();
    let flask = Example::start_on_a_small_disk(NAME, home.path(), KIB).await;
    let tokens = login(&flask).await;
    let credentials = json!({ "username": "test", "password": "test" });
    let mut full = flask.send("POST", "/login", None, Some(credentials.clone())).await;
    // Each sign-in writes more than a KiB.
    for _ in 0..KIB {
        if full.status == 200 {
            full = flask.send("POST", "/login", None, Some(credentials.clone())).await;
        }
    }
    let unknown = said(503, "Not known at the moment, try again; this says nothing about the token");
    assert_eq!(full.json(), unknown);
    let logout = flask.send("DELETE", "/logout", Some(&tokens.access), None).await;
    assert_eq!(logout.json(), unknown, "what is not written is not acknowledged");
    assert_eq!(
        (logout.headers.contains_key("retry-after"), logout.headers.contains_key("www-authenticate")),
        (true, false)
    );
    assert_eq!(refresh(&flask, &tokens.refresh).await.json(), unknown);
    // While the log was heard of lately enough, its view answers; then nobody does.
    let stale = async {
        loop {
            let answer = protected(&flask, &tokens.access).await;
            if answer != hello() {
                return answer;
            }
        }
    };
    assert_eq!(tokio::time::timeout(Duration::from_secs(30), stale).await.unwrap(), unknown);
    flask.kill().await;
    let flask = Example::start(NAME, home.path()).await;
    assert_eq!(protected(&flask, &tokens.access).await, hello());
    assert_eq!(refresh(&flask, &tokens.refresh).await.status, 200);
}

fn payload(token: &str) -> String {
    part(token, 1)
}

fn part(token: &str, index: usize) -> String {
    use base64::Engine;
    let part = token.split('.').nth(index).unwrap();
    String::from_utf8(base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}
