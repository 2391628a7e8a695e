//! Keys that turn at the provider (STANDARDS 71, 96; INCIDENTS R7): a new one is found, and nobody can make us ask more
//! than once in a while.
#![cfg(test)]

use std::time::Duration;

use crate::key::Key;
use crate::provider::Answer;
use crate::stage::Stage;

const WINDOW: Duration = Duration::from_secs(10);

/// CONF: signing-key-rotation.
// holds: 96, R29
#[tokio::test]
async fn a_rotated_key_is_found() {
    let stage = Stage::new().await;
    assert_eq!(stage.refusal().await, "signed in");
    stage.idp.sign_with(Key::rs256("second"), true);
    stage.clock.advance(WINDOW);
    assert_eq!(stage.refusal().await, "signed in");
    assert_eq!(stage.idp.asked("jwks"), 2);
}

/// CONF: rotation-just-before-signing.
// holds: 96
#[tokio::test]
async fn a_key_that_turns_just_before_it_signs_is_found() {
    let stage = Stage::new().await;
    assert_eq!(stage.refusal().await, "signed in");
    stage.clock.advance(WINDOW);
    let key = Key::es256("second");
    stage.idp.script().before_signing = Some(Box::new(move |script| {
        script.published = vec![key.jwk()];
        script.signer = std::sync::Arc::new(key);
    }));
    assert_eq!(stage.refusal().await, "signed in");
}

#[tokio::test]
async fn a_sign_in_waits_for_the_cool_down_s_end_rather_than_fail_for_a_new_key() {
    let stage = Stage::new().await;
    assert_eq!(stage.refusal().await, "signed in");
    stage.idp.sign_with(Key::rs256("second"), true);
    let (query, mine) = stage.agree().await;
    let providers = stage.providers.clone();
    let waiting = tokio::spawn(async move { providers.finish(Some("idp"), &query, &mine).await.is_ok() });
    while stage.idp.asked("token") < 2 {
        tokio::task::yield_now().await;
    }
    assert_eq!(stage.idp.asked("jwks"), 1, "the window has not passed");
    stage.clock.advance(WINDOW);
    assert!(waiting.await.unwrap());
    assert_eq!(stage.idp.asked("jwks"), 2);
}

// holds: 71, R7
#[tokio::test]
async fn ten_thousand_unknown_keys_are_one_fetch_a_window_and_a_real_rotation_is_found_after_them() {
    let stage = Stage::new().await;
    assert_eq!(stage.refusal().await, "signed in");
    let stranger = Key::rs256("stranger");
    let forged = |n: usize| {
        let mut header = stranger.header();
        header["kid"] = format!("unknown-{n}").into();
        header["typ"] = "logout+jwt".into();
        stranger.sign_text(&header, "{}")
    };
    // Signing ten thousand times is dear, and what is signed is never looked at: the header alone is changed.
    let (_, rest) = forged(0).split_once('.').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    for window in 1..=2 {
        stage.clock.advance(WINDOW);
        for n in 0..5_000 {
            let header = format!(r#"{{"alg":"RS256","kid":"unknown-{window}-{n}"}}"#);
            let token = format!("{}.{rest}", crate::key::encode(header));
            let refused = stage.providers.back_channel_logout("idp", &token).await.err().unwrap();
            // The first is told by the newest keys; the others cannot be told before the window has passed.
            assert_eq!(refused.status().as_u16(), if n == 0 { 400 } else { 503 }, "{n}: {refused}");
        }
        assert_eq!(stage.idp.asked("jwks"), 1 + window, "one fetch a window");
    }
    stage.idp.sign_with(Key::rs256("second"), true);
    let genuine = stage.idp.logout_token(|_, _| {});
    assert_eq!(stage.providers.back_channel_logout("idp", &genuine).await.err().unwrap().status().as_u16(), 503);
    stage.clock.advance(WINDOW);
    assert!(stage.providers.back_channel_logout("idp", &genuine).await.is_ok());
    assert_eq!(stage.refusal().await, "signed in");
}

#[tokio::test]
async fn keys_that_cannot_be_had_at_all_are_asked_for_once_a_window_too() {
    let stage = Stage::new().await;
    stage.idp.answer("jwks", Answer::Text("{\"keys\":[]}".to_owned()));
    for _ in 0..10 {
        assert_eq!(stage.refusal().await, "provider_bad_keys");
    }
    assert_eq!(stage.idp.asked("jwks"), 1, "an empty set does not skip the cool-down");
    stage.idp.answer("jwks", Answer::Right);
    stage.clock.advance(WINDOW);
    assert_eq!(stage.refusal().await, "signed in");
}

// holds: 71, R7
#[tokio::test]
async fn a_failed_fetch_takes_no_good_key_away() {
    let stage = Stage::new().await;
    assert_eq!(stage.refusal().await, "signed in");
    let good = stage.idp.logout_token(|_, _| {});
    stage.idp.answer("jwks", Answer::Status(500));
    stage.clock.advance(WINDOW);
    let unknown = stage.idp.logout_token(|header, _| header["kid"] = "unknown".into());
    assert_eq!(stage.providers.back_channel_logout("idp", &unknown).await.err().unwrap().status().as_u16(), 503);
    assert!(stage.providers.back_channel_logout("idp", &good).await.is_ok());
}

/// INCIDENTS R28: what a provider takes out of its set is trusted no longer.
// holds: R28
#[tokio::test]
async fn a_key_that_the_provider_withdrew_is_trusted_for_an_hour_at_most() {
    let stage = Stage::new().await;
    assert_eq!(stage.refusal().await, "signed in");
    stage.idp.script().published = vec![Key::rs256("second").jwk()];
    stage.clock.advance(Duration::from_hours(1));
    assert_eq!(stage.refusal().await, "id_token");
}
