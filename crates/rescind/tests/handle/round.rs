//! Open, check and refresh through the handle: lifetimes, times, claims, scopes, clients.

use std::sync::Arc;

use crate::support::{House, builder, ms, opening, payload, refused, secs};
use rescind::keys::Algorithm;
use rescind::refresh_token::ClientClass;
use rescind::rejection::Claim;
use rescind::store::MemoryStore;
use rescind::testing::{ManualClock, SeededRandom, client, subject};
use rescind::time::Timestamp;
use rescind::{Error, Invalid, NoClaims, OpenSession, Refresh, Rejection, Rescind, Settings, Verdict};
use serde_json::json;

// holds: R37
#[tokio::test]
async fn the_whole_round_works_with_every_algorithm() {
    for algorithm in Algorithm::EVERY {
        let house = House::of(algorithm).await;
        let pair = house.login("alice").await;
        let live = house.check(&pair.access_token).await.unwrap();
        assert_eq!((live.subject(), live.client()), (&subject("alice"), &client("app")));
        assert_eq!((live.sid(), live.seq().get(), live.audience()), (pair.session_id, 0, crate::support::AUDIENCE));
        assert_eq!((live.claims(), live.staleness()), (&NoClaims, None));
        let next = house.refresh(&pair.refresh_token).await.unwrap();
        assert_eq!((next.verdict, next.pair.session_id), (Verdict::Rotated, pair.session_id));
        assert_ne!(next.pair.refresh_token, pair.refresh_token);
        assert!(house.check(&next.pair.access_token).await.is_ok(), "{algorithm}");
        assert!(house.check(&pair.access_token).await.is_ok(), "a refresh takes nothing back");
        assert_eq!(house.rescind.jwks().contains("\"keys\":[]"), algorithm == Algorithm::Hs256);
    }
}

#[tokio::test]
async fn a_token_is_refused_at_the_second_of_its_exp_and_passes_a_millisecond_before() {
    let house = House::set(|settings| settings.access_jitter = 0).await;
    let pair = house.login("alice").await;
    assert_eq!(pair.expires_in, 900);
    house.pass(ms(899_999)).await;
    assert!(house.check(&pair.access_token).await.is_ok());
    house.clock.advance(ms(1));
    assert_eq!(refused(house.check(&pair.access_token).await), Rejection::Expired);
}

#[tokio::test]
async fn leeway_moves_the_end_and_no_more() {
    let house = House::set(|settings| (settings.access_jitter, settings.leeway) = (0, secs(30))).await;
    let pair = house.login("alice").await;
    house.pass(ms(929_999)).await;
    assert!(house.check(&pair.access_token).await.is_ok());
    house.clock.advance(ms(1));
    assert_eq!(refused(house.check(&pair.access_token).await), Rejection::Expired);
}

#[tokio::test]
async fn jitter_only_shortens_and_by_no_more_than_its_percentage() {
    let house = House::set(|settings| settings.access_jitter = 5).await;
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..400 {
        let pair = house.login("alice").await;
        let claims = payload(&pair.access_token);
        let life = claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap();
        assert_eq!(life, pair.expires_in);
        assert!((855..=900).contains(&life), "{life}");
        seen.insert(life);
    }
    assert!(seen.len() > 40, "all of the 46 lengths come about: {}", seen.len());
}

// holds: 13, 127, 132, 133
#[tokio::test]
async fn no_access_token_outlives_its_session() {
    let house = House::set(|settings| {
        (settings.absolute, settings.idle, settings.access_jitter) = (secs(1000), secs(5000), 0);
    })
    .await;
    let opened = house.clock_secs();
    let pair = house.login("alice").await;
    assert_eq!((pair.expires_in, pair.refresh_expires_in), (900, 1000));
    house.pass(secs(600) + ms(400)).await;
    let next = house.refreshed(&pair.refresh_token).await;
    assert_eq!((next.expires_in, next.refresh_expires_in), (399, 399));
    assert!(payload(&next.access_token)["exp"].as_u64().unwrap() <= opened + 1000);
    house.pass(secs(400)).await;
    assert_eq!(refused(house.check(&next.access_token).await), Rejection::Expired);
    assert_eq!(refused(house.refresh(&next.refresh_token).await), Rejection::SessionExpired);
}

// holds: 13, 132
#[tokio::test]
async fn an_unused_session_ends_idle_at_the_second_and_a_used_one_goes_on() {
    let house = House::set(|settings| (settings.idle, settings.absolute) = (secs(3600), secs(9000))).await;
    let pair = house.login("alice").await;
    assert_eq!(pair.refresh_expires_in, 3600);
    house.pass(ms(3_599_999)).await;
    let next = house.refreshed(&pair.refresh_token).await;
    assert_eq!(next.refresh_expires_in, 3600);
    house.pass(secs(3600)).await;
    assert_eq!(refused(house.refresh(&next.refresh_token).await), Rejection::SessionIdle);
}

// holds: 135 (`auth_time` stays that of the sign-in)
#[tokio::test]
async fn iat_is_the_stores_time_and_not_the_signers() {
    let (ours, theirs) = (Arc::new(ManualClock::default()), Arc::new(ManualClock::default()));
    let memory = MemoryStore::with(Arc::clone(&theirs) as _, &SeededRandom::new(1)).unwrap();
    let rescind = builder(Arc::new(memory), &ours, 2).build().await.unwrap();
    theirs.step_wall(Timestamp::from_secs(ManualClock::START.as_secs() - 5));
    let pair = rescind.open_session(opening("alice")).await.unwrap();
    assert_eq!(payload(&pair.access_token)["iat"], ManualClock::START.as_secs() - 5);
    theirs.step_wall(Timestamp::from_secs(ManualClock::START.as_secs() - 3));
    let next = rescind.refresh(&pair.refresh_token, Refresh::default()).await.unwrap();
    assert_eq!(payload(&next.pair.access_token)["iat"], ManualClock::START.as_secs() - 3);
    assert_eq!(payload(&next.pair.access_token)["auth_time"], ManualClock::START.as_secs() - 5);
}

// holds: 135
#[tokio::test]
async fn nobody_has_proved_who_they_are_in_the_future() {
    let house = House::new().await;
    for (said, stands) in [(-60, -60), (3600, 0)] {
        let now = house.clock_secs();
        let auth_time = Some(Timestamp::from_secs(now.checked_add_signed(said).unwrap()));
        let pair = house.rescind.open_session(OpenSession { auth_time, ..opening("alice") }).await.unwrap();
        let live = house.check(&pair.access_token).await.unwrap();
        assert_eq!(live.auth_time().as_secs(), now.checked_add_signed(stands).unwrap());
    }
}

#[tokio::test]
async fn custom_claims_are_in_every_token_of_the_session() {
    #[derive(serde::Deserialize)]
    struct Mine {
        role: String,
    }
    let house = House::new().await;
    let claims = json!({"role": "admin", "groups": [1, {"a": null}]}).as_object().cloned();
    let pair = house.rescind.open_session(OpenSession { claims, ..opening("alice") }).await.unwrap();
    let next = house.refreshed(&pair.refresh_token).await;
    for token in [&pair.access_token, &next.access_token] {
        let live = house.check(token).await.unwrap().with_claims::<Mine>().unwrap();
        assert_eq!(live.claims().role, "admin");
        assert_eq!(payload(token)["groups"], json!([1, {"a": null}]));
    }
    let wrong = house.check(&pair.access_token).await.unwrap().with_claims::<Vec<u8>>();
    assert_eq!(wrong.unwrap_err(), Rejection::BadJson);
}

#[tokio::test]
async fn a_reserved_claim_is_refused_and_no_session_is_opened() {
    let house = House::new().await;
    for name in rescind::access_token::RESERVED.map(Claim::name) {
        let claims = json!({ name: 1 }).as_object().cloned();
        let opened = house.rescind.open_session(OpenSession { claims, ..opening("alice") }).await;
        assert!(matches!(opened, Err(Error::Invalid(Invalid::Claims(_)))), "{name}");
    }
    let claims = json!({"big": "x".repeat(9000)}).as_object().cloned();
    let opened = house.rescind.open_session(OpenSession { claims, ..opening("alice") }).await;
    assert!(matches!(opened, Err(Error::Invalid(Invalid::Claims(_)))));
    for scope in ["", "a  b", "a\"", "ä"] {
        let opened = house.rescind.open_session(OpenSession { scope: Some(scope.into()), ..opening("alice") }).await;
        assert!(matches!(opened, Err(Error::Invalid(Invalid::Scope))), "{scope:?}");
    }
    for device in ["x".repeat(201), "a\nb".to_owned()] {
        let opened = house.rescind.open_session(OpenSession { device: Some(device), ..opening("alice") }).await;
        assert!(matches!(opened, Err(Error::Invalid(Invalid::Device))));
    }
    assert!(crate::support::live_sessions(&house, "alice").await.is_empty());
}

async fn scoped(house: &House, token: &str, scope: &str) -> Result<rescind::Refreshed, Error> {
    house.rescind.refresh(token, Refresh { client: None, scope: Some(scope.to_owned()) }).await
}

// holds: 7, 12, 26
#[tokio::test]
async fn scope_narrows_for_one_access_token_and_more_than_was_granted_spends_nothing() {
    let house = House::new().await;
    let opening = OpenSession { scope: Some("read write admin".into()), ..opening("alice") };
    let pair = house.rescind.open_session(opening).await.unwrap();
    assert_eq!(pair.scope.as_deref(), Some("read write admin"));
    for more in ["read delete", "rea", "", " ", "read  write", " read"] {
        let asked = scoped(&house, &pair.refresh_token, more).await;
        assert_eq!(refused(asked), Rejection::ScopeExceeded, "{more:?}");
    }
    let narrow = scoped(&house, &pair.refresh_token, "write read").await.unwrap();
    assert_eq!(narrow.verdict, Verdict::Rotated, "the refusals spent nothing");
    let live = house.check(&narrow.pair.access_token).await.unwrap();
    assert!(live.has_scope("read") && live.has_scope("write") && !live.has_scope("admin"));
    assert_eq!(live.require_scope("admin"), Err(Rejection::InsufficientScope));
    // RFC 6749 §6: the new refresh token has the scope of the one before.
    let whole = house.refreshed(&narrow.pair.refresh_token).await;
    assert_eq!(whole.scope.as_deref(), Some("read write admin"));
}

#[tokio::test]
async fn a_scope_that_repeats_its_words_makes_no_longer_token_and_spends_nothing_for_nothing() {
    let house = House::new().await;
    let opening = OpenSession { scope: Some("read write".into()), ..opening("alice") };
    let pair = house.rescind.open_session(opening).await.unwrap();
    let repeated = vec!["read"; 10_000].join(" ");
    let next = scoped(&house, &pair.refresh_token, &repeated).await.unwrap();
    assert_eq!(next.pair.scope.as_deref(), Some("read"));
}

// holds: 7
#[tokio::test]
async fn no_scope_was_granted_so_none_can_be_asked_for() {
    let house = House::new().await;
    let pair = house.login("alice").await;
    assert_eq!(refused(scoped(&house, &pair.refresh_token, "read").await), Rejection::ScopeExceeded);
}

// holds: 16
#[tokio::test]
async fn another_client_neither_spends_a_token_nor_ends_the_session_with_a_spent_one() {
    let house = House::new().await;
    let pair = house.login("alice").await;
    let by = |name: &str| Refresh { client: Some(client(name)), scope: None };
    let wrong = house.rescind.refresh(&pair.refresh_token, by("other")).await;
    assert_eq!(refused(wrong), Rejection::WrongClient);
    let second = house.rescind.refresh(&pair.refresh_token, by("app")).await.unwrap();
    assert_eq!(second.verdict, Verdict::Rotated);
    let third = house.refreshed(&second.pair.refresh_token).await;
    // By its own client this one is reuse.
    let wrong = house.rescind.refresh(&pair.refresh_token, by("other")).await;
    assert_eq!(refused(wrong), Rejection::WrongClient);
    assert_eq!(house.lives(&third).await, (true, true));
}

#[tokio::test]
async fn what_is_no_token_is_refused_and_nothing_else() {
    let house = House::new().await;
    let pair = house.login("alice").await;
    for text in ["", "x", "rrt_", "a.b.c", "rrt_AAAA", "\u{0}", &"x".repeat(100_000), &".".repeat(1000)] {
        refused(house.check(text).await);
        assert_eq!(refused(house.refresh(text).await), Rejection::NotRefreshToken);
        refused(house.rescind.logout(text, rescind::LogoutScope::All, crate::support::text("t")).await);
    }
    assert_eq!(refused(house.check(&pair.refresh_token).await), Rejection::NotAccessToken);
    assert_eq!(refused(house.refresh(&pair.access_token).await), Rejection::NotRefreshToken);
}

// holds: 12, 51, R12
#[tokio::test]
async fn a_token_of_another_audience_or_issuer_is_refused_also_where_the_store_and_keys_are_shared() {
    let house = House::new().await;
    let same = |issuer: &str, audience: &str| {
        Rescind::builder(issuer, audience)
            .store(Arc::clone(&house.store))
            .clock(Arc::clone(&house.clock) as _)
            .random(Arc::new(SeededRandom::new(9)))
            .root_secret(rescind::keys::RootSecret::from_bytes(crate::support::ROOT))
    };
    let other_audience = same(crate::support::ISSUER, "https://other.example").build().await.unwrap();
    let other_issuer = same("https://other.example", crate::support::AUDIENCE).build().await.unwrap();
    let pair = house.login("alice").await;
    // Twice each: the second time from the cache where there is one.
    for _ in 0..2 {
        assert!(house.check(&pair.access_token).await.is_ok());
        assert_eq!(refused(other_audience.check(&pair.access_token).await), Rejection::WrongAudience);
        assert_eq!(refused(other_issuer.check(&pair.access_token).await), Rejection::WrongIssuer);
    }
    let refreshed = other_issuer.refresh(&pair.refresh_token, Refresh::default()).await;
    assert_eq!(refused(refreshed), Rejection::BadMac);
}

#[tokio::test]
async fn settings_out_of_bounds_are_named() {
    type Wrong = fn(&mut Settings);
    let clock = Arc::new(ManualClock::default());
    let cases: [(&str, Wrong); 7] = [
        ("access_lifetime", |it| it.access_lifetime = ms(10)),
        ("access_jitter", |it| it.access_jitter = 51),
        ("max_access_lifetime", |it| it.max_access_lifetime = secs(1)),
        ("leeway", |it| it.leeway = secs(61)),
        ("grace", |it| it.grace = secs(61)),
        ("staleness_bound", |it| it.staleness_bound = ms(1)),
        ("callback_timeout", |it| it.callback_timeout = ms(1)),
    ];
    for (name, wrong) in cases {
        let mut settings = Settings::default();
        wrong(&mut settings);
        let built = builder(crate::support::new_store(&clock, 1), &clock, 2).settings(settings).build().await;
        assert!(built.unwrap_err().to_string().starts_with(name), "{name}");
    }
    for issuer in
        ["", "login.example", "ftp://x", "https://", "https:///x", "https://a b", "https://a?x", "https://a#x"]
    {
        let built = Rescind::builder(issuer, "a")
            .store(crate::support::new_store(&clock, 1))
            .root_secret(rescind::keys::RootSecret::from_bytes(crate::support::ROOT))
            .build()
            .await;
        assert!(built.is_err(), "{issuer:?}");
    }
}

// holds: 15
#[tokio::test]
async fn a_class_that_does_not_rotate_keeps_its_token() {
    let house = House::new().await;
    let pair = house.login_as("alice", ClientClass::Fixed).await;
    for _ in 0..3 {
        house.pass(secs(100)).await;
        let kept = house.refresh(&pair.refresh_token).await.unwrap();
        assert_eq!((kept.verdict, &kept.pair.refresh_token), (Verdict::Kept, &pair.refresh_token));
        assert!(house.check(&kept.pair.access_token).await.is_ok());
    }
}

impl House {
    fn clock_secs(&self) -> u64 {
        rescind::time::Clock::wall(&*self.clock).as_secs()
    }
}
