//! What one node does and another has not heard of yet: new keys, longer lifetimes. No token is refused for that, and
//! nobody who sends nonsense makes the store work for it.

use std::sync::Arc;

use crate::support::{House, eventually, ms, refused, revocation, secs, shared_store, text};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rescind::log::Scope;
use rescind::store::{Fault, MemoryStore, Operation, StoreErrorKind, Which};
use rescind::testing::ManualClock;
use rescind::{Error, LogoutScope, Policy, Rejection, Settings};

async fn two() -> (Arc<MemoryStore>, Arc<ManualClock>, House, House) {
    let clock = Arc::new(ManualClock::default());
    let store = shared_store(&clock);
    let a = House::node(&store, &clock, 2, |it| it.node("a")).await;
    let b = House::node(&store, &clock, 3, |it| it.node("b")).await;
    (store, clock, a, b)
}

/// A token of nobody's, with a key's name of our shape.
fn forged(kid: &str) -> String {
    let header = format!(r#"{{"alg":"EdDSA","typ":"at+jwt","kid":"{kid}"}}"#);
    let part = |text: &[u8]| URL_SAFE_NO_PAD.encode(text);
    format!("{}.{}.{}", part(header.as_bytes()), part(b"{}"), part(&[0; 64]))
}

// holds: R29
#[tokio::test]
async fn the_first_token_of_a_key_that_is_new_elsewhere_passes_at_once() {
    let (_store, _clock, a, b) = two().await;
    // The second rotation is quicker than any rhythm: its key was never published ahead.
    for _ in 0..3 {
        a.rescind.rotate_keys().await.unwrap();
        a.rescind.rotate_keys().await.unwrap();
        let pair = a.login("alice").await;
        assert!(b.check(&pair.access_token).await.is_ok());
        a.rescind.rotate_keys().await.unwrap();
        a.rescind.rotate_keys().await.unwrap();
        let pair = a.login("alice").await;
        let ended = b.rescind.logout(&pair.access_token, LogoutScope::Session, text("alice")).await.unwrap();
        assert_eq!(ended.ended, [pair.session_id], "and ends what it names");
    }
}

#[tokio::test]
async fn a_token_of_an_unknown_key_is_not_refused_while_the_store_cannot_say_whose_it_is() {
    let (_store, _clock, a, b) = two().await;
    a.rescind.rotate_keys().await.unwrap();
    a.rescind.rotate_keys().await.unwrap();
    let pair = a.login("alice").await;
    b.store.inject(Operation::Record, Which::Every, Fault::Refuse(StoreErrorKind::Unavailable));
    assert!(matches!(b.check(&pair.access_token).await, Err(Error::Store(_))), "503, never 401");
    let before = b.store.calls(Operation::Record);
    for n in 0..1000_u32 {
        let answer = b.check(&forged(&format!("{n:016x}"))).await;
        assert!(matches!(answer, Err(Error::Store(_))), "{answer:?}");
    }
    // The clock stands still: nobody asks again within the cool-down.
    assert!(
        b.store.calls(Operation::Record) - before <= 4,
        "cheap for us: {}",
        b.store.calls(Operation::Record) - before
    );
    b.store.clear();
    b.clock.advance(ms(101));
    eventually("it passes with the store", || async { b.check(&pair.access_token).await.is_ok() }).await;
}

// holds: R7
#[tokio::test]
async fn ten_thousand_unknown_keys_cost_a_handful_of_readings() {
    let (_store, _clock, _a, b) = two().await;
    let before = b.store.calls(Operation::Record);
    let rescind = b.rescind.clone();
    let checks: Vec<_> = (0..10_000_u32)
        .map(|n| {
            let rescind = rescind.clone();
            tokio::spawn(async move { rescind.check(&forged(&format!("{n:016x}"))).await })
        })
        .collect();
    for check in checks {
        assert_eq!(refused(check.await.unwrap()), Rejection::UnknownKey);
    }
    let readings = b.store.calls(Operation::Record) - before;
    assert!((1..=8).contains(&readings), "{readings}");
    let before = b.store.calls(Operation::Record);
    for kid in ["key-1", "0123456789abcdeF", "00000000000000000", "../etc"] {
        assert_eq!(refused(b.check(&forged(kid)).await), Rejection::UnknownKey);
    }
    assert!(b.store.calls(Operation::Record) - before <= 2, "what no ring of ours makes is not looked for");
}

#[tokio::test]
async fn a_longer_lifetime_that_one_node_registers_counts_on_all() {
    let (store, clock, a, b) = two().await;
    // Far above what a view keeps cut-offs for by the others' lifetimes.
    let longer = Settings { access_lifetime: secs(43_200), max_access_lifetime: secs(43_200), ..Settings::default() };
    let c = late(House::node(&store, &clock, 4, |it| it.node("c").settings(longer))).await;
    let pair = c.login("alice").await;
    clock.advance(ms(1500));
    assert!(a.check(&pair.access_token).await.is_ok(), "longer than this node itself gives out");
    // What is cut off stays so here for as long as such a token lives, also where this node reads it now only.
    let entry = a.revoke(Scope::session(pair.session_id)).await;
    assert!(entry.remember_until >= clock_plus(&clock, 43_200));
    for house in [&a, &b] {
        eventually("both refuse it", || async { !passes(house, &pair.access_token).await }).await;
    }
    for _ in 0..8 {
        clock.advance(secs(5_200));
        for house in [&a, &b] {
            eventually("both refuse it while it lives", || async { !passes(house, &pair.access_token).await }).await;
        }
    }
}

#[tokio::test]
async fn a_cut_off_is_remembered_by_the_longest_session_that_any_node_gives_out() {
    let (store, clock, a, _b) = two().await;
    let year = secs(365 * 24 * 3600);
    let longer = Settings { absolute: year, idle: year, ..Settings::default() };
    let c = late(House::node(&store, &clock, 4, |it| it.node("c").settings(longer))).await;
    c.login("alice").await;
    clock.advance(ms(1500));
    a.rescind.sync().await.unwrap();
    eventually("a answers", || async { a.rescind.readiness().ready }).await;
    let entry = a.rescind.revoke(revocation(Scope::All)).await.unwrap();
    assert!(entry.remember_until >= clock_plus(&clock, year.as_secs()));
}

#[tokio::test(start_paused = true)]
async fn strict_checks_of_one_moment_share_one_reading() {
    let (_store, _clock, a, b) = two().await;
    let pair = a.login("alice").await;
    b.rescind.sync().await.unwrap();
    let before = b.store.calls(Operation::After);
    let checks: Vec<_> = (0..64)
        .map(|_| {
            let (rescind, token) = (b.rescind.clone(), pair.access_token.clone());
            tokio::spawn(async move { rescind.check_as(&token, Policy::Strict).await })
        })
        .collect();
    for check in checks {
        assert!(check.await.unwrap().is_ok());
    }
    let readings = b.store.calls(Operation::After) - before;
    assert!((1..=2).contains(&readings), "{readings}");
    // And it is a reading of its own: what was revoked elsewhere a moment ago is refused.
    a.revoke(Scope::session(pair.session_id)).await;
    assert!(matches!(refused(b.rescind.check_as(&pair.access_token, Policy::Strict).await), Rejection::Revoked(_)));
}

/// A node with longer lifetimes waits until the others know of them: not in this test's time.
async fn late<T>(start: impl Future<Output = T>) -> T {
    tokio::time::pause();
    let started = start.await;
    tokio::time::resume();
    started
}

async fn passes(house: &House, token: &str) -> bool {
    match house.check(token).await {
        Ok(_) | Err(Error::Stale { .. }) => true,
        Err(Error::Rejected(Rejection::Revoked(_) | Rejection::Expired)) => false,
        Err(other) => unreachable!("{other}"),
    }
}

fn clock_plus(clock: &ManualClock, secs: u64) -> rescind::time::Timestamp {
    use rescind::time::Clock as _;
    clock.wall().plus(crate::support::secs(secs))
}
