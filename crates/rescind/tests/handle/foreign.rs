//! Tokens of a foreign issuer: their own names are asked exactly, wider scopes through `iat`, where doubt means revoked.

use std::sync::mpsc;
use std::time::Duration;

use crate::support::{House, refused, secs, text};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rescind::access_token::{ForeignIssuer, ForeignSettings, TypPolicy};
use rescind::keys::{Algorithm, KeyRing};
use rescind::log::{ForeignName, Scope, ScopeKind, SessionRef, TokenRef};
use rescind::testing::{ManualClock, SeededRandom, client, subject};
use rescind::time::Clock;
use rescind::{Bearer, Builder, Error, Event, Kind, OnStale, Rejection, Settings};
use serde_json::{Value, json};

const ISSUER: &str = "https://idp.example";

/// An issuer of our own making, of which the house knows the public keys only.
struct Idp {
    keys: KeyRing,
    house: House,
}

impl Idp {
    async fn new(skew: Duration) -> Self {
        Self::with(skew, |builder| builder).await
    }

    async fn with(skew: Duration, change: impl FnOnce(Builder) -> Builder) -> Self {
        let keys = KeyRing::new(&[Algorithm::EdDSA], &SeededRandom::new(500)).unwrap();
        let settings = ForeignSettings {
            issuer: ISSUER,
            audience: "us",
            jwks: &keys.jwks(),
            algorithms: &[Algorithm::EdDSA],
            typ: TypPolicy::AccessToken,
            max_lifetime: secs(3600),
        };
        let foreign = ForeignIssuer::new(crate::support::ISSUER, &settings).unwrap().with_tolerance(secs(0), skew);
        let house = House::with(|builder| change(builder.foreign_issuer(foreign))).await;
        Self { keys, house }
    }

    /// A token of alice that is issued so many seconds after the present.
    fn token(&self, jti: &str, sid: &str, ahead: i64) -> String {
        let iat = self.house.clock.wall().as_secs().checked_add_signed(ahead).unwrap();
        self.sign(&json!({
            "iss": ISSUER, "aud": "us", "sub": "alice", "client_id": "spa", "jti": jti, "sid": sid,
            "iat": iat, "exp": iat + 3600,
        }))
    }

    fn sign(&self, claims: &Value) -> String {
        let key = self.keys.current();
        let header = json!({"alg": "EdDSA", "typ": "at+jwt", "kid": key.id()});
        let parts = [&header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
        let signed = parts.join(".");
        let mut signature = Vec::new();
        key.sign(signed.as_bytes(), &mut signature).unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    async fn verdict(&self, token: &str) -> Option<Rejection> {
        match self.house.rescind.check_foreign(token).await {
            Ok(_) => None,
            Err(Error::Rejected(rejection)) => Some(rejection),
            Err(other) => panic!("no answer: {other}"),
        }
    }
}

fn name(of: &str) -> ForeignName {
    ForeignName::new(ISSUER, of).unwrap()
}

// holds: 50
#[tokio::test]
async fn a_foreign_token_passes_and_its_claims_are_told() {
    let idp = Idp::new(secs(10)).await;
    let live = idp.house.rescind.check_foreign(&idp.token("t1", "s1", 0)).await.unwrap();
    assert_eq!((live.subject(), live.client()), (&subject("alice"), Some(&client("spa"))));
    // A token of ours is not one of theirs, and the reverse.
    let own = idp.house.login("alice").await;
    assert_eq!(idp.verdict(&own.access_token).await, Some(Rejection::UnknownKey));
    assert_eq!(refused(idp.house.check(&idp.token("t1", "s1", 0)).await), Rejection::UnknownKey);
}

#[tokio::test]
async fn a_refused_foreign_token_is_told_with_whose_it_is() {
    let (sender, heard) = mpsc::channel();
    let on_event = move |event: &Event| sender.send(event.clone()).unwrap();
    let idp = Idp::with(secs(10), |builder| builder.on_event(on_event)).await;
    let refusal = || match heard.try_iter().last() {
        Some(Event::Refused { kind: Kind::Access, rejection, bearer }) => (rejection, bearer),
        other => panic!("no refusal: {other:?}"),
    };
    let token = idp.token("t1", "s1", 0);
    idp.house.revoke(Scope::Subject(subject("alice"))).await;
    let revoked = idp.verdict(&token).await;
    let whose = Bearer { subject: Some(subject("alice")), client: Some(client("spa")), ..Bearer::default() };
    assert_eq!((revoked, refusal()), (Some(Rejection::Revoked(ScopeKind::Subject)), (revoked.unwrap(), whose)));
    let forged = format!("{}.{}", token.rsplit_once('.').unwrap().0, "A".repeat(86));
    assert_eq!(idp.verdict(&forged).await, Some(Rejection::BadSignature));
    assert_eq!(refusal(), (Rejection::BadSignature, Bearer::default()));
}

#[tokio::test]
async fn a_token_and_a_session_are_revoked_by_name_whatever_their_iat_says() {
    for skew in [secs(0), secs(10), secs(60)] {
        let idp = Idp::new(skew).await;
        let ahead = i64::try_from(skew.as_secs()).unwrap();
        let tokens: Vec<_> =
            [-600, 0, ahead].map(|at| (idp.token("dead", "s", at), idp.token("live", "s", at))).into_iter().collect();
        idp.house.revoke(Scope::Token(TokenRef::Foreign(name("dead")))).await;
        for (dead, live) in &tokens {
            assert_eq!(idp.verdict(dead).await, Some(Rejection::Revoked(ScopeKind::Token)), "skew {skew:?}");
            assert_eq!(idp.verdict(live).await, None);
        }
        idp.house.revoke(Scope::Session(SessionRef::Foreign(name("s")))).await;
        for (_, dead) in &tokens {
            assert_eq!(idp.verdict(dead).await, Some(Rejection::Revoked(ScopeKind::Session)), "skew {skew:?}");
        }
        // What the issuer mints under a session that was ended here is dead as well.
        idp.house.pass(secs(300)).await;
        assert_eq!(idp.verdict(&idp.token("new", "s", 0)).await, Some(Rejection::Revoked(ScopeKind::Session)));
        assert_eq!(idp.verdict(&idp.token("new", "s2", 0)).await, None);
    }
}

#[tokio::test]
async fn wider_scopes_go_by_iat_and_doubt_means_revoked() {
    for (scope, kind) in [
        (Scope::Subject(subject("alice")), ScopeKind::Subject),
        (Scope::Client(client("spa")), ScopeKind::Client),
        (Scope::All, ScopeKind::All),
    ] {
        for skew in [secs(10), secs(60)] {
            let idp = Idp::new(skew).await;
            let doubt = i64::try_from(skew.as_secs()).unwrap();
            let before = idp.token("a", "s", -5);
            let ahead = idp.token("b", "s", doubt);
            idp.house.revoke(scope.clone()).await;
            assert_eq!(idp.verdict(&before).await, Some(Rejection::Revoked(kind)));
            assert_eq!(idp.verdict(&ahead).await, Some(Rejection::Revoked(kind)), "it may have been issued before");
            idp.house.pass(skew + secs(2)).await;
            assert_eq!(idp.verdict(&idp.token("c", "s", 0)).await, None, "surely issued after");
            assert_eq!(idp.verdict(&before).await, Some(Rejection::Revoked(kind)));
        }
    }
}

#[tokio::test]
async fn after_a_restart_doubt_still_means_revoked() {
    let idp = Idp::new(secs(10)).await;
    let before = idp.token("a", "s", 0);
    idp.house.pass(secs(60)).await;
    idp.house.revoke(Scope::Subject(subject("alice"))).await;
    idp.house.pass(secs(60)).await;
    // The view is loaded again as at a start.
    idp.house.clock.step_wall(ManualClock::START.plus(secs(118)));
    idp.house.rescind.sync().await.unwrap();
    assert_eq!(idp.verdict(&before).await, Some(Rejection::Revoked(ScopeKind::Subject)));
}

#[tokio::test]
async fn a_presented_foreign_token_is_revoked_by_its_name() {
    let idp = Idp::new(secs(10)).await;
    let (dead, live) = (idp.token("dead", "s", 0), idp.token("live", "s", 0));
    let entry = idp.house.rescind.revoke_presented(&dead, text("x"), text("y")).await.unwrap();
    assert_eq!(entry.scope, Scope::Token(TokenRef::Foreign(name("dead"))));
    assert_eq!(idp.verdict(&dead).await, Some(Rejection::Revoked(ScopeKind::Token)));
    assert_eq!(idp.verdict(&live).await, None);
}

#[tokio::test]
async fn a_foreign_token_is_not_answered_for_on_a_stale_view() {
    let idp = Idp::new(secs(10)).await;
    let token = idp.token("a", "s", 0);
    idp.house.store.down();
    idp.house.clock.advance(secs(3));
    assert!(matches!(idp.house.rescind.check_foreign(&token).await, Err(Error::Stale { .. })));
}

#[tokio::test]
async fn a_foreign_token_that_expires_while_it_waits_for_the_store_does_not_pass() {
    let ask = Settings { on_stale: OnStale::Ask, ..Settings::default() };
    let idp = Idp::with(secs(10), |builder| builder.settings(ask)).await;
    let token = idp.token("a", "s", 0);
    let checking = idp.house.rescind.check_foreign(&token);
    assert_eq!(refused(idp.house.while_it_waits(checking, secs(2 * 3600)).await), Rejection::Expired);
}
