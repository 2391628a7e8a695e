//! What the application hears of: everything that was done, after it is durable, and no token's text ever.

use std::sync::{Arc, Mutex};

use crate::support::{House, payload, refused, revocation, secs, text};
use rescind::access_token::Verified;
use rescind::id::Subject;
use rescind::log::{Act, Scope, ScopeKind};
use rescind::refresh_token::ClientClass;
use rescind::store::{Fault, Gate, Operation, StoreErrorKind, Which};
use rescind::testing::{client, subject};
use rescind::{Bearer, Builder, Error, Event, Kind, Refresh, Rejection, TokenPair, Verdict};

/// What was heard since it was last asked for.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<Event>>>);

impl Heard {
    fn take(&self) -> Vec<Event> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }

    fn listener(&self) -> impl Fn(&Event) + Send + Sync + 'static {
        let Self(events) = self.clone();
        move |event: &Event| events.lock().unwrap().push(event.clone())
    }

    /// The one refusal that was heard.
    fn refusal(&self) -> (Kind, Rejection, Bearer) {
        match &self.take()[..] {
            [Event::Refused { kind, rejection, bearer }] => (*kind, *rejection, bearer.clone()),
            other => panic!("not one refusal: {other:?}"),
        }
    }
}

async fn house_and(change: impl FnOnce(Builder) -> Builder) -> (House, Heard) {
    let heard = Heard::default();
    let house = House::with(|builder| change(builder.on_event(heard.listener()))).await;
    (house, heard)
}

async fn house() -> (House, Heard) {
    house_and(|builder| builder).await
}

/// Whose the pair's access token is.
fn bearer_of(pair: &TokenPair) -> Bearer {
    let jti = payload(&pair.access_token)["jti"].as_str().unwrap().parse().unwrap();
    Bearer { jti: Some(jti), ..session_of(pair) }
}

/// Whose the pair's refresh token is.
fn session_of(pair: &TokenPair) -> Bearer {
    let (subject, client) = (Some(subject("alice")), Some(client("app")));
    Bearer { sid: Some(pair.session_id), subject, client, jti: None }
}

/// The access token that was told to have been minted is the pair's.
fn assert_minted(minted: &rescind::Minted, pair: &TokenPair) {
    let told = Bearer {
        sid: Some(minted.sid),
        subject: Some(minted.subject.clone()),
        client: Some(minted.client.clone()),
        jti: Some(minted.jti),
    };
    assert_eq!(told, bearer_of(pair));
}

#[tokio::test]
async fn a_sessions_life_is_told_in_order() {
    let (house, heard) = house().await;
    let first = house.login("alice").await;
    let [Event::Issued(minted)] = &heard.take()[..] else { panic!("an opening") };
    assert_minted(minted, &first);
    assert!(house.check(&first.access_token).await.is_ok());
    assert_eq!(heard.take(), [], "a check that passes is no news");

    let second = house.refreshed(&first.refresh_token).await;
    let [Event::Refreshed { minted, verdict: Verdict::Rotated }] = &heard.take()[..] else { panic!("a rotation") };
    assert_minted(minted, &second);
    let again = house.refreshed(&first.refresh_token).await;
    let [Event::Retried(minted)] = &heard.take()[..] else { panic!("a retry") };
    assert_minted(minted, &again);

    house.pass(secs(11)).await;
    assert_eq!(refused(house.refresh(&first.refresh_token).await), Rejection::Reused);
    let sid = first.session_id;
    let [Event::Revoked(entry), Event::ReuseFound { sid: of, .. }, Event::Refused { kind, rejection, bearer }] =
        &heard.take()[..]
    else {
        panic!("found reuse")
    };
    assert_eq!((entry.scope.clone(), entry.reason.as_str(), *of), (Scope::session(sid), "refresh_reuse", sid));
    assert_eq!((*kind, *rejection, bearer), (Kind::Refresh, Rejection::Reused, &session_of(&first)));

    for token in [&first.access_token, &first.access_token] {
        refused(house.check(token).await);
        let revoked = Rejection::Revoked(ScopeKind::Session);
        assert_eq!(heard.refusal(), (Kind::Access, revoked, bearer_of(&first)), "also from the cache");
    }
}

#[tokio::test]
async fn a_token_that_is_kept_is_told_as_kept() {
    let (house, heard) = house().await;
    let pair = house.login_as("alice", ClientClass::Fixed).await;
    heard.take();
    house.refreshed(&pair.refresh_token).await;
    assert!(matches!(&heard.take()[..], [Event::Refreshed { verdict: Verdict::Kept, .. }]));
}

#[tokio::test]
async fn a_cut_off_and_its_lift_are_told_once_they_are_durable() {
    let (house, heard) = house().await;
    let house = Arc::new(house);
    let gate = Gate::new();
    house.store.inject(Operation::Append, Which::Nth(1), Fault::HangBefore(gate.clone()));
    let revoking = {
        let house = Arc::clone(&house);
        tokio::spawn(async move { house.revoke(Scope::Subject(subject("alice"))).await })
    };
    gate.reached().await;
    assert_eq!(heard.take(), [], "nothing is durable yet");
    gate.release();
    let entry = revoking.await.unwrap();
    assert_eq!(heard.take(), [Event::Revoked(entry.clone())]);
    let lifted = house.rescind.lift(entry.seq, text("mistake"), text("tester")).await.unwrap();
    assert_eq!(lifted.act, Act::Lift { of: entry.seq });
    assert_eq!(heard.take(), [Event::Lifted(lifted)]);
    assert!(house.rescind.lift(entry.seq, text("twice"), text("tester")).await.is_err());
    house.store.inject(Operation::Append, Which::Nth(1), Fault::Refuse(StoreErrorKind::Full));
    assert!(house.rescind.revoke(revocation(Scope::All)).await.is_err());
    assert_eq!(heard.take(), [], "what did not happen is not told");
}

#[tokio::test]
async fn a_logout_is_told_by_its_cut_offs() {
    let (house, heard) = house().await;
    let mut pairs = Vec::new();
    for _ in 0..3 {
        // Ids of one millisecond are in no order.
        house.clock.advance(crate::support::ms(1));
        pairs.push(house.login("alice").await);
    }
    heard.take();
    house.rescind.logout(&pairs[0].access_token, rescind::LogoutScope::Others, text("alice")).await.unwrap();
    let scopes: Vec<_> = heard
        .take()
        .into_iter()
        .map(|event| if let Event::Revoked(entry) = event { entry.scope } else { panic!("{event:?}") })
        .collect();
    assert_eq!(scopes, [Scope::session(pairs[2].session_id), Scope::session(pairs[1].session_id)]);
}

#[tokio::test]
async fn every_refusal_says_why_and_whose_as_far_as_that_is_vouched_for() {
    let no = |_: Verified| async { Ok(false) };
    let (house, heard) = house_and(|builder| builder.also_check(no)).await;
    let pair = house.login("alice").await;
    heard.take();
    let refused_check = async |token: &str| {
        refused(house.check(token).await);
        heard.refusal()
    };
    assert_eq!(refused_check("").await.2, Bearer::default());
    assert_eq!(refused_check(&pair.refresh_token).await.1, Rejection::NotAccessToken);
    assert_eq!(refused_check(&pair.access_token).await, (Kind::Access, Rejection::AlsoCheck, bearer_of(&pair)));
    let (signed, _) = pair.access_token.rsplit_once('.').unwrap();
    let forged = format!("{signed}.{}", "A".repeat(86));
    assert_eq!(refused_check(&forged).await, (Kind::Access, Rejection::BadSignature, Bearer::default()));
    house.pass(secs(900)).await;
    assert_eq!(refused_check(&pair.access_token).await, (Kind::Access, Rejection::Expired, bearer_of(&pair)));
    assert_eq!(refused_check(&forged).await, (Kind::Access, Rejection::BadSignature, Bearer::default()), "not expired");
}

#[tokio::test]
async fn every_refused_refresh_says_why_and_whose() {
    let welcome = |subject: Subject| async move { Ok(subject.as_str() == "alice") };
    let (house, heard) = house_and(|builder| builder.welcome(welcome)).await;
    let pair = house.login("alice").await;
    heard.take();
    assert_eq!(refused(house.refresh("rrt_x").await), Rejection::NotRefreshToken);
    assert_eq!(heard.refusal(), (Kind::Refresh, Rejection::NotRefreshToken, Bearer::default()));
    let other = Refresh { client: Some(client("other")), scope: None };
    refused(house.rescind.refresh(&pair.refresh_token, other).await);
    assert_eq!(heard.refusal(), (Kind::Refresh, Rejection::WrongClient, session_of(&pair)));
    let more = Refresh { client: None, scope: Some("more".to_owned()) };
    refused(house.rescind.refresh(&pair.refresh_token, more).await);
    assert_eq!(heard.refusal(), (Kind::Refresh, Rejection::ScopeExceeded, session_of(&pair)));
    house.pass(secs(60 * 60 * 24 * 15)).await;
    refused(house.refresh(&pair.refresh_token).await);
    assert_eq!(heard.refusal(), (Kind::Refresh, Rejection::SessionIdle, session_of(&pair)));
    let store = house.rescind.store();
    store.sweep(rescind::time::Timestamp::from_millis(u64::MAX), usize::MAX).await.unwrap();
    refused(house.refresh(&pair.refresh_token).await);
    let bearer = Bearer { sid: Some(pair.session_id), ..Bearer::default() };
    assert_eq!(heard.refusal(), (Kind::Refresh, Rejection::SessionUnknown, bearer));
}

#[tokio::test]
async fn a_fault_of_ours_is_told_as_no_refusal() {
    let (house, heard) = house().await;
    let pair = house.login("alice").await;
    heard.take();
    house.store.down();
    assert!(matches!(house.refresh(&pair.refresh_token).await, Err(Error::Store(_))));
    house.clock.advance(secs(60));
    assert!(matches!(house.check(&pair.access_token).await, Err(Error::Stale { .. })));
    assert_eq!(heard.take(), []);
}

#[tokio::test]
async fn no_news_holds_a_tokens_text() {
    let (house, heard) = house().await;
    let pair = house.login("alice").await;
    let next = house.refreshed(&pair.refresh_token).await;
    house.pass(secs(11)).await;
    refused(house.refresh(&pair.refresh_token).await);
    refused(house.check(&next.access_token).await);
    let told = format!("{:?}", heard.take());
    let parts = [&pair, &next].into_iter().flat_map(|pair| {
        let parts = pair.access_token.split('.').chain([pair.refresh_token.trim_start_matches("rrt_")]);
        parts.collect::<Vec<_>>()
    });
    for part in parts {
        assert!(!told.contains(part), "{part} is in {told}");
    }
}

#[tokio::test]
async fn a_listener_that_panics_changes_no_answer() {
    let house = House::with(|builder| builder.on_event(|event: &Event| panic!("{event:?}"))).await;
    let pair = house.login("alice").await;
    let next = house.refreshed(&pair.refresh_token).await;
    assert!(house.check(&next.access_token).await.is_ok());
    let entry = house.revoke(Scope::session(pair.session_id)).await;
    assert_eq!(refused(house.check(&next.access_token).await), Rejection::Revoked(ScopeKind::Session));
    house.rescind.lift(entry.seq, text("mistake"), text("tester")).await.unwrap();
    house.pass(secs(11)).await;
    assert_eq!(refused(house.refresh(&pair.refresh_token).await), Rejection::Reused);
}
