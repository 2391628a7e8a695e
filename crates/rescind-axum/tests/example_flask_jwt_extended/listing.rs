//! A user's tokens: listed, and each taken back and given again by its id.

use std::time::Duration;

use rescind::Revoke;
use rescind::id::Subject;
use rescind::log::{Scope, Text};
use serde_json::json;
use tempfile::tempdir;

use super::example::{Example, workshop};
use super::{
    ISSUER, NAME, Tokens, claim, get, hello, login, open, origin, protected, put, refresh, revoked, rows, said,
};

#[tokio::test]
async fn tokens_are_listed_and_each_is_revoked_and_given_again_by_its_id() {
    let home = tempdir().unwrap();
    let flask = Example::start(NAME, home.path()).await;
    let (one, two) = (login(&flask).await, login(&flask).await);
    let (access, session) = (claim(&one.access, "jti"), claim(&one.access, "sid"));
    let (status, listed) = get(&flask, "/auth/token", &two.access).await;
    assert_eq!((status, listed.as_array().unwrap().len()), (200, 4));
    let of_access = listed.as_array().unwrap().iter().find(|row| row["token_id"] == access.as_str()).unwrap();
    assert_eq!(of_access["jti"], access.as_str());
    assert_eq!((&of_access["token_type"], &of_access["user_identity"]), (&json!("access"), &json!("test")));
    let expires = httpdate::parse_http_date(of_access["expires"].as_str().unwrap()).unwrap();
    let left = expires.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() - workshop::now();
    assert!((840..=900).contains(&left), "{left}");

    let unrevoke = json!({ "revoke": false });
    let revoke = json!({ "revoke": true });
    let state = async |id: &str| rows(&flask, &two.access).await.into_iter().find(|row| row.0 == id).unwrap().2;
    // The access token alone.
    for _twice in 0..2 {
        assert_eq!(put(&flask, &two.access, &access, revoke.clone()).await, said(200, "Token revoked"));
        assert_eq!((state(&access).await, state(&session).await), (true, false));
        assert_eq!(protected(&flask, &one.access).await, revoked());
        assert_eq!(refresh(&flask, &one.refresh).await.status, 200);
    }
    for _twice in 0..2 {
        assert_eq!(put(&flask, &two.access, &access, unrevoke.clone()).await, said(200, "Token unrevoked"));
        assert_eq!((state(&access).await, protected(&flask, &one.access).await), (false, hello()));
    }
    // The refresh token, and what came from it.
    for _twice in 0..2 {
        assert_eq!(put(&flask, &two.access, &session, revoke.clone()).await, said(200, "Token revoked"));
        assert_eq!((state(&access).await, state(&session).await), (true, true));
        assert_eq!(refresh(&flask, &one.refresh).await.json(), revoked());
        assert_eq!(protected(&flask, &one.access).await, revoked());
    }
    for id in [&session, &access] {
        assert_eq!(put(&flask, &two.access, id, unrevoke.clone()).await, said(200, "Token unrevoked"));
        assert_eq!(refresh(&flask, &one.refresh).await.status, 200);
        assert_eq!(protected(&flask, &one.access).await, hello());
        let logout = flask.send("DELETE", "/logout", Some(&one.access), None).await;
        assert_eq!(logout.json(), said(200, "Successfully logged out"));
    }
}

#[tokio::test]
async fn a_wrong_request_about_a_token_is_told_what_is_wrong_and_other_users_tokens_are_not_found() {
    let home = tempdir().unwrap();
    let theirs = open(home.path(), ISSUER, Duration::ZERO, "other", "acme").await;
    let flask = Example::start(NAME, home.path()).await;
    let Tokens { access, .. } = login(&flask).await;
    let missing = said(400, "Missing 'revoke' in body");
    for body in [json!({}), json!({ "revoke": null }), json!([]), json!(1), json!({ "Revoke": true })] {
        assert_eq!(put(&flask, &access, &claim(&access, "jti"), body.clone()).await, missing, "{body}");
    }
    for body in [json!({ "revoke": "true" }), json!({ "revoke": 1 }), json!({ "revoke": [] })] {
        let told = put(&flask, &access, &claim(&access, "jti"), body.clone()).await;
        assert_eq!(told, said(400, "'revoke' must be a boolean"), "{body}");
    }
    let unread = flask.send("PUT", "/auth/token/1", Some(&access), None).await;
    assert_eq!(unread.json(), missing);
    let session = theirs.session_id.to_string();
    let absent =
        ["1", "-", "%00", "018f0000-0000-7000-8000-000000000000", &session, &claim(&theirs.access_token, "jti")];
    for id in absent {
        for revoke in [true, false] {
            let told = put(&flask, &access, id, json!({ "revoke": revoke })).await;
            assert_eq!(told, said(404, "The specified token was not found"), "{id}");
        }
    }
    assert_eq!(protected(&flask, &theirs.access_token).await, hello());
    assert_eq!(rows(&flask, &access).await.len(), 2, "only one's own");
}

#[tokio::test]
async fn a_token_that_is_revoked_with_all_of_its_user_is_not_given_again_by_half() {
    let home = tempdir().unwrap();
    let flask = Example::start(NAME, home.path()).await;
    let former = login(&flask).await;
    flask.kill().await;
    // An operator cuts the user off.
    let text = |text| Text::new(text).unwrap();
    let operator = workshop::at(home.path(), origin(), Duration::ZERO).await;
    let scope = Scope::Subject(Subject::new("test").unwrap());
    let cut_off = operator.revoke(Revoke { scope, reason: text("a test"), actor: text("operator") }).await.unwrap();
    workshop::close(operator).await;

    let flask = Example::start(NAME, home.path()).await;
    let Tokens { access, .. } = login(&flask).await;
    let (token, session) = (claim(&former.access, "jti"), claim(&former.access, "sid"));
    assert_eq!(put(&flask, &access, &token, json!({ "revoke": true })).await, said(200, "Token revoked"));
    let wider = said(409, "Token is revoked with all of its subject");
    for id in [&token, &session] {
        assert_eq!(put(&flask, &access, id, json!({ "revoke": false })).await, wider);
    }
    flask.kill().await;
    let operator = workshop::at(home.path(), origin(), Duration::ZERO).await;
    operator.lift(cut_off.seq, text("a test"), text("operator")).await.unwrap();
    workshop::close(operator).await;

    let flask = Example::start(NAME, home.path()).await;
    assert_eq!(refresh(&flask, &former.refresh).await.status, 200, "the user is back");
    assert_eq!(protected(&flask, &former.access).await, revoked(), "what was refused has changed nothing");
}
