//! A service without a store beside a real server: what it refuses and how soon, and what it cannot do.

use std::time::Duration;

use rescind::log::Text;
use rescind::{Error, LogoutScope, OpenSession, Policy, Refresh, Rejection, Rescind, Settings};
use rescind_axum::follow::{Follow, FollowBuilder, FollowError};
use serde_json::{Value, json};

use crate::support::{JSON, Pair, Reply, Server, exchange, home, now};

/// How old at most is what a follower goes by.
pub(crate) const BOUND: Duration = Duration::from_secs(2);

/// What a token is worth to a follower.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Worth {
    Good,
    Refused(Rejection),
    /// Nothing is said about it.
    Unsaid,
}

/// A builder for a handle that follows this server through its admin listener, or whatever stands before it.
pub(crate) fn following(server: &Server, admin: std::net::SocketAddr) -> FollowBuilder {
    let jwks = format!("http://{}/.well-known/jwks.json", server.public);
    Rescind::follow(format!("http://{admin}")).feed_token(feed_token(server)).audience_of_issuer().jwks(jwks)
}

pub(crate) async fn follow(server: &Server) -> Rescind {
    following(server, server.admin).build().await.unwrap()
}

pub(crate) fn feed_token(server: &Server) -> String {
    std::fs::read_to_string(server.data().join("feed-token")).unwrap().trim().to_owned()
}

/// Asks the admin listener.
pub(crate) fn admin(server: &Server, method: &str, path: &str, body: &Value) -> Reply {
    let bearer = format!("Bearer {}", server.admin_token());
    let body = if body.is_null() { String::new() } else { body.to_string() };
    exchange(server.admin, method, path, &[("authorization", &bearer), ("content-type", JSON)], body.as_bytes())
}

/// Revokes, and returns the position.
pub(crate) fn revoke(server: &Server, kind: &str, id: &str) -> u64 {
    let reply = admin(server, "POST", "/admin/v1/revocations", &json!({ "scope": { "kind": kind, "id": id } }));
    assert_eq!(reply.status, 201, "{}", reply.text());
    reply.json()["seq"].as_u64().unwrap()
}

pub(crate) async fn worth(follower: &Rescind, pair: &Pair) -> Worth {
    match follower.check(&pair.access).await {
        Ok(_) => Worth::Good,
        Err(Error::Rejected(rejection)) => Worth::Refused(rejection),
        Err(Error::Stale { .. } | Error::Store(_)) => Worth::Unsaid,
        Err(other) => panic!("{other}"),
    }
}

/// Looks until the token is worth that, and says how long it took.
pub(crate) async fn until(follower: &Rescind, pair: &Pair, worth: fn(Worth) -> bool) -> Duration {
    let begin = now();
    loop {
        if worth(self::worth(follower, pair).await) {
            return now().duration_since(begin).unwrap();
        }
        assert!(now().duration_since(begin).unwrap() < crate::support::DEADLINE, "waited too long");
        pause().await;
    }
}

/// Between two looks.
pub(crate) async fn pause() {
    tokio::time::sleep(Duration::from_millis(2)).await;
}

pub(crate) fn refused(worth: Worth) -> bool {
    matches!(worth, Worth::Refused(Rejection::Revoked(_)))
}

pub(crate) fn good(worth: Worth) -> bool {
    worth == Worth::Good
}

pub(crate) fn unsaid(worth: Worth) -> bool {
    worth == Worth::Unsaid
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_revoked_is_refused_at_once_and_what_is_lifted_passes_again() {
    let server = Server::dev(&[]);
    let follower = follow(&server).await;
    let mut longest = Duration::ZERO;
    for _ in 0..20 {
        let pair = server.sign_in();
        until(&follower, &pair, good).await;
        assert_eq!(server.logout(&pair.access, "{}").status, 200);
        longest = longest.max(until(&follower, &pair, refused).await);
    }
    eprintln!("the longest way from the acknowledgement to the follower's refusal: {longest:?}");
    // Woken, and not by the next poll's chance: on an idle machine some milliseconds. The bound is what is promised.
    assert!(longest < BOUND, "{longest:?}");

    let pair = server.sign_in();
    let seq = revoke(&server, "session", &pair.session);
    until(&follower, &pair, refused).await;
    assert_eq!(admin(&server, "DELETE", &format!("/admin/v1/revocations/{seq}"), &Value::Null).status, 200);
    until(&follower, &pair, good).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_strict_check_knows_of_every_revocation_before_it() {
    let server = Server::dev(&[]);
    let follower = follow(&server).await;
    for _ in 0..20 {
        let pair = server.sign_in();
        assert!(follower.check_as(&pair.access, Policy::Strict).await.is_ok());
        server.logout(&pair.access, "{}");
        let checked = follower.check_as(&pair.access, Policy::Strict).await;
        assert!(matches!(checked, Err(Error::Rejected(Rejection::Revoked(_)))), "{checked:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_follower_knows_what_was_revoked_before_it_came() {
    let server = Server::dev(&[]);
    let (revoked, alive) = (server.sign_in(), server.sign_in());
    server.logout(&revoked.access, "{}");
    let follower = follow(&server).await;
    assert!(refused(worth(&follower, &revoked).await));
    assert_eq!(worth(&follower, &alive).await, Worth::Good);
}

// holds: R28
#[tokio::test(flavor = "multi_thread")]
async fn keys_are_fetched_when_they_are_new_and_refused_when_they_are_revoked() {
    let server = Server::dev(&[]);
    let follower = follow(&server).await;
    let old = server.sign_in();
    let rotate = || {
        let reply = admin(&server, "POST", "/admin/v1/keys/rotate", &Value::Null);
        assert_eq!(reply.status, 200, "{}", reply.text());
    };
    rotate();
    let next = server.sign_in();
    assert_eq!(worth(&follower, &next).await, Worth::Good, "a key is published before it signs");
    assert_eq!(worth(&follower, &old).await, Worth::Good);
    let kid = follower.check(&old.access).await.unwrap().key_id().to_string();
    let reply = admin(&server, "DELETE", &format!("/admin/v1/keys/{kid}"), &Value::Null);
    assert_eq!(reply.status, 200, "{}", reply.text());
    let took = until(&follower, &old, |worth| matches!(worth, Worth::Refused(_))).await;
    assert!(took < BOUND, "{took:?}");
    assert_eq!(worth(&follower, &next).await, Worth::Good);
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_are_rotated_twice_at_once_have_no_good_token_refused() {
    let server = Server::dev(&[]);
    let follower = follow(&server).await;
    for _ in 0..4 {
        assert_eq!(admin(&server, "POST", "/admin/v1/keys/rotate", &Value::Null).status, 200);
    }
    let pair = server.sign_in();
    until(&follower, &pair, |worth| {
        assert!(!matches!(worth, Worth::Refused(_)), "{worth:?}");
        good(worth)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_takes_a_store_or_a_secret_is_a_fault_that_says_where_it_is_done() {
    let server = Server::dev(&[]);
    let follower = follow(&server).await;
    let pair = server.sign_in();
    let actor = || Text::new("test").unwrap();
    let subject = follower.check(&pair.access).await.unwrap().subject().clone();
    let client = follower.check(&pair.access).await.unwrap().client().clone();
    let faults = [
        follower.open_session(OpenSession::new(subject, client)).await.err(),
        follower.refresh(&pair.refresh, Refresh::default()).await.err(),
        follower.logout(&pair.access, LogoutScope::Session, actor()).await.err(),
        follower.revoke_presented(&pair.refresh, actor(), actor()).await.err(),
        follower.introspect(&pair.refresh).await.err(),
        follower.rotate_keys().await.err(),
    ];
    for fault in faults {
        let text = fault.as_ref().map(ToString::to_string).unwrap_or_default();
        assert!(matches!(fault, Some(Error::Store(_))) && text.contains("issuer's own nodes"), "{text}");
    }
    assert!(follower.only_checks() && follower.keys().is_empty());
    assert_eq!(worth(&follower, &pair).await, Worth::Good, "nothing was changed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_that_cannot_be_meant_does_not_start_and_says_why() {
    let server = Server::dev(&[]);
    let to = || following(&server, server.admin);
    let other = to().issuer("https://other.example").build().await.unwrap_err();
    assert!(matches!(other, FollowError::Issuer { .. }), "{other}");
    let wrong = to().feed_token("wrong").build().await.unwrap_err().to_string();
    assert!(wrong.contains("feed-token"), "{wrong}");
    let nobody = Rescind::follow("http://127.0.0.1:1").feed_token("x").audience("y").build().await.unwrap_err();
    assert!(matches!(nobody, FollowError::Upstream(_)), "{nobody}");
    let public = following(&server, server.public).build().await.unwrap_err().to_string();
    assert!(public.contains("admin listener"), "{public}");
    for url in ["ftp://x", "http://a:b@x", "x", "http://x/?a"] {
        let refused = Rescind::follow(url).feed_token("x").audience("y").build().await.unwrap_err();
        assert!(matches!(refused, FollowError::Url(_)), "{url}: {refused}");
    }
    server.stop();
    let symmetric = Server::dev_in(&home(), &["--algorithm", "HS256"]);
    let refused = following(&symmetric, symmetric.admin).build().await.unwrap_err().to_string();
    assert!(refused.contains("HS256") && refused.contains("EdDSA"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_follower_finds_by_its_mark_that_the_log_is_another() {
    let (first, second) = (Server::dev(&[]), Server::dev(&[]));
    let scratch = home();
    let mark = scratch.path().join("mark");
    let pair = first.sign_in();
    first.logout(&pair.access, "{}");
    let follower = following(&first, first.admin).high_water(&mark).build().await.unwrap();
    follower.shutdown().await;
    drop(follower);
    assert!(following(&first, first.admin).high_water(&mark).build().await.is_ok());
    let settings = Settings { staleness_bound: Duration::from_millis(500), ..Settings::default() };
    let other = following(&second, second.admin).high_water(&mark).settings(settings).build();
    let built = tokio::time::timeout(Duration::from_secs(3), other).await;
    assert!(!matches!(built, Ok(Ok(_))), "it follows a log that is not the one it knows");
}
