//! Back-channel logout (STANDARDS 97 to 103; CONF's eight modules for relying parties): what ends, and each token that
//! ends nothing.
#![cfg(test)]

use std::time::Duration;

use rescind::store::{Fault, Operation, StoreErrorKind, Which};
use rescind_axum::oidc::LoggedOut;
use serde_json::{Value, json};

use crate::key::Key;
use crate::provider::Answer;
use crate::stage::{Stage, opening};

type Change = Box<dyn Fn(&mut Value, &mut Value)>;

fn claim(name: &'static str, value: Value) -> Change {
    Box::new(move |_, claims| match &value {
        Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
        value => claims[name] = value.clone(),
    })
}

fn header(name: &'static str, value: Value) -> Change {
    Box::new(move |header, _| match &value {
        Value::Null => drop(header.as_object_mut().unwrap().remove(name)),
        value => header[name] = value.clone(),
    })
}

// holds: 103
#[tokio::test]
async fn a_logout_ends_exactly_the_sessions_that_were_opened_under_the_provider_s() {
    let stage = Stage::new().await;
    let (one, two) = (stage.session().await, stage.session().await);
    stage.idp.change_claims(|claims| claims["sid"] = "session-2".into());
    let other = stage.session().await;
    let ended = stage.providers.back_channel_logout("idp", &stage.idp.logout_token(|_, _| {})).await.unwrap();
    assert_eq!(ended, LoggedOut::Sessions(vec![one.session_id, two.session_id]));
    assert!(!stage.is_live(&one).await && !stage.is_live(&two).await && stage.is_live(&other).await);
    assert!(stage.rescind.refresh(&one.refresh_token, rescind::Refresh::default()).await.is_err());
    assert!(stage.rescind.refresh(&other.refresh_token, rescind::Refresh::default()).await.is_ok());
}

// holds: 98
#[tokio::test]
async fn a_logout_without_session_ends_all_sessions_of_the_subject() {
    let stage = Stage::new().await;
    let one = stage.session().await;
    stage.idp.change_claims(|claims| claims["sid"] = "session-2".into());
    let two = stage.session().await;
    stage.idp.change_claims(|claims| claims["sub"] = "bob".into());
    let other = stage.session().await;
    let token = stage.idp.logout_token(|_, claims| drop(claims.as_object_mut().unwrap().remove("sid")));
    let ended = stage.providers.back_channel_logout("idp", &token).await.unwrap();
    assert!(matches!(ended, LoggedOut::Everywhere(subjects) if subjects.len() == 1));
    assert!(!stage.is_live(&one).await && !stage.is_live(&two).await && stage.is_live(&other).await);
}

#[tokio::test]
async fn a_session_that_the_application_keeps_under_a_name_of_its_own_ends_with_its_subject_too() {
    let stage = Stage::new().await;
    let who = stage.sign_in().await.unwrap().identity;
    let mut request = opening(&who);
    request.subject = rescind::testing::subject("user-7");
    let own = stage.providers.open_session(&who, request).await.unwrap();
    let token = stage.idp.logout_token(|_, claims| drop(claims.as_object_mut().unwrap().remove("sid")));
    stage.providers.back_channel_logout("idp", &token).await.unwrap();
    assert!(!stage.is_live(&own).await);
}

#[tokio::test]
async fn a_logout_of_a_session_that_nobody_knows_is_acknowledged_and_ends_nothing() {
    let stage = Stage::new().await;
    let pair = stage.session().await;
    let token = stage.idp.logout_token(|_, claims| claims["sid"] = "unknown".into());
    let ended = stage.providers.back_channel_logout("idp", &token).await.unwrap();
    assert_eq!(ended, LoggedOut::Sessions(Vec::new()));
    assert!(stage.is_live(&pair).await);
}

/// CONF: alg-none, wrong-alg, wrong-aud, wrong-iss, no-event, wrong-event, with-nonce, and their kin.
// holds: 98, 99, 103
#[tokio::test]
async fn a_logout_token_with_one_thing_wrong_ends_nothing() {
    const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";
    let stage = Stage::new().await;
    let pair = stage.session().await;
    let now = stage.idp.now();
    let cases: Vec<(Change, &str)> = vec![
        (header("alg", json!("none")), "wrong_algorithm"),
        (header("alg", json!("HS256")), "wrong_algorithm"),
        (header("alg", json!("PS256")), "wrong_algorithm"),
        (header("typ", json!("at+jwt")), "wrong_kind"),
        (header("typ", json!("secevent+jwt")), "wrong_kind"),
        (header("crit", json!(["x"])), "forbidden_header"),
        (claim("iss", json!("https://evil.example")), "wrong_issuer"),
        (claim("iss", Value::Null), "missing_claim iss"),
        (claim("aud", json!("other")), "wrong_audience"),
        (claim("aud", Value::Null), "missing_claim aud"),
        (claim("events", Value::Null), "no_logout_event"),
        (claim("events", json!({})), "no_logout_event"),
        (claim("events", json!({ "http://schemas.openid.net/event/other": {} })), "no_logout_event"),
        (claim("events", json!({ EVENT: true })), "no_logout_event"),
        (claim("events", json!([EVENT])), "bad_claim events"),
        (claim("nonce", json!("x")), "has_nonce"),
        (claim("nonce", json!(["x"])), "has_nonce"),
        (claim("jti", Value::Null), "missing_claim jti"),
        (claim("jti", json!("")), "bad_claim jti"),
        (claim("iat", Value::Null), "missing_claim iat"),
        (claim("iat", json!(now - 181)), "too_old"),
        (claim("iat", json!(now - 86_400)), "too_old"),
        (claim("iat", json!(now + 61)), "issued_in_future"),
        (claim("exp", json!(now - 61)), "bad_claim exp"),
        (claim("sid", json!(7)), "bad_claim sid"),
        (
            Box::new(|_, claims| {
                claims.as_object_mut().unwrap().remove("sid");
                claims.as_object_mut().unwrap().remove("sub");
            }),
            "names_nobody",
        ),
        (
            Box::new(move |_, claims| (claims["iat"], claims["exp"]) = ((now - 100).into(), (now - 60).into())),
            "expired",
        ),
    ];
    for (change, expected) in cases {
        let token = stage.idp.logout_token(|header, claims| change(header, claims));
        let refused = stage.providers.back_channel_logout("idp", &token).await.expect_err(expected);
        assert_eq!((refused.to_string().as_str(), refused.status().as_u16()), (expected, 400));
    }
    stage.idp.sign_with(Key::rs256("first"), false);
    let forged = stage.idp.logout_token(|_, _| {});
    assert_eq!(stage.providers.back_channel_logout("idp", &forged).await.err().unwrap().reason(), "bad_signature");
    assert!(stage.is_live(&pair).await, "after all of them");
}

#[tokio::test]
async fn what_cannot_be_a_logout_token_is_refused_without_a_word_to_the_provider() {
    let stage = Stage::new().await;
    stage.idp.answer("discovery", Answer::Status(500));
    let genuine = stage.idp.logout_token(|_, _| {});
    let (header, rest) = genuine.split_once('.').unwrap();
    let access_token = stage.idp.logout_token(|header, _| header["typ"] = "at+jwt".into());
    let unsigned = stage.idp.logout_token(|header, _| header["alg"] = "none".into());
    let by_secret = stage.idp.logout_token(|header, _| header["alg"] = "HS256".into());
    for (token, reason) in [
        ("", "wrong_part_count"),
        ("nonsense", "wrong_part_count"),
        (&format!("{genuine}.x"), "wrong_part_count"),
        (&"x".repeat(17_000), "too_long"),
        (&format!("!{header}.{rest}"), "bad_encoding"),
        (&format!("{header}.=.{}", rest.split_once('.').unwrap().1), "bad_encoding"),
        (&format!("{genuine}="), "bad_encoding"),
        (&format!("e30x.{rest}"), "bad_json"),
        (&access_token, "wrong_kind"),
        (&unsigned, "wrong_algorithm"),
        (&by_secret, "wrong_algorithm"),
    ] {
        let refused = stage.providers.back_channel_logout("idp", token).await.err().unwrap();
        assert_eq!((refused.reason(), refused.status().as_u16()), (reason, 400), "{token:.40}");
    }
    assert_eq!((stage.idp.asked("discovery"), stage.idp.asked("jwks")), (0, 0));
    // The twin: of a token that could be one nothing is known, and the provider is to send it again.
    let refused = stage.providers.back_channel_logout("idp", &genuine).await.err().unwrap();
    assert_eq!((refused.reason(), refused.status().as_u16()), ("provider_status", 503));
    assert_eq!(stage.idp.asked("discovery"), 1);
}

/// The twins of the wrong ones.
#[tokio::test]
async fn what_providers_in_the_field_send_is_taken() {
    let stage = Stage::new().await;
    let cases: Vec<Change> = vec![
        header("typ", json!("logout+jwt")),
        header("typ", json!("application/logout+jwt")),
        header("typ", json!("JWT")),
        header("typ", Value::Null),
        claim("aud", json!(["other", "app/1:2"])),
        claim("exp", Value::Null),
        Box::new(|_, claims| claims["iat"] = (claims["iat"].as_u64().unwrap() - 180).into()),
        claim("sub", Value::Null),
        claim("extra", json!({ "a": [1] })),
    ];
    for change in cases {
        let pair = stage.session().await;
        let token = stage.idp.logout_token(|header, claims| change(header, claims));
        stage.providers.back_channel_logout("idp", &token).await.unwrap();
        assert!(!stage.is_live(&pair).await);
        // The next sign-in is a later one.
        stage.pass(Duration::from_secs(1)).await;
    }
}

/// STANDARDS 55: no kind passes as another.
// holds: 55
#[tokio::test]
async fn an_id_token_ends_no_session_and_a_logout_token_signs_nobody_in() {
    let stage = Stage::new().await;
    let pair = stage.session().await;
    let kept = std::sync::Arc::new(std::sync::Mutex::new(String::new()));
    let keep = std::sync::Arc::clone(&kept);
    let logout = stage.idp.logout_token(|header, _| drop(header.as_object_mut().unwrap().remove("typ")));
    stage.idp.script().change_tokens = Box::new(move |answer| {
        *keep.lock().unwrap() = answer["id_token"].as_str().unwrap().to_owned();
        answer["id_token"] = logout.clone().into();
    });
    assert_eq!(stage.refusal().await, "id_token");
    let id_token = kept.lock().unwrap().clone();
    assert_eq!(stage.providers.back_channel_logout("idp", &id_token).await.err().unwrap().reason(), "has_nonce");
    let refused = stage.providers.back_channel_logout("idp", &pair.access_token).await.err().unwrap();
    assert_eq!(refused.status().as_u16(), 400, "our own access token is none either");
    assert!(stage.is_live(&pair).await);
}

// holds: 101
#[tokio::test]
async fn a_logout_token_counts_once() {
    let stage = Stage::new().await;
    let token = stage.idp.logout_token(|_, _| {});
    assert!(stage.providers.back_channel_logout("idp", &token).await.is_ok());
    stage.pass(Duration::from_secs(1)).await;
    let pair = stage.session().await;
    let refused = stage.providers.back_channel_logout("idp", &token).await.err().unwrap();
    assert_eq!((refused.reason(), refused.status().as_u16()), ("replayed", 400));
    assert!(stage.is_live(&pair).await);
    stage.pass(Duration::from_secs(181)).await;
    assert_eq!(stage.providers.back_channel_logout("idp", &token).await.err().unwrap().status().as_u16(), 400);
}

// holds: 102
#[tokio::test]
async fn a_logout_is_acknowledged_only_when_it_is_durable_and_the_same_token_ends_the_rest() {
    let stage = Stage::new().await;
    let (one, two) = (stage.session().await, stage.session().await);
    for operation in [Operation::Append, Operation::PutRecord, Operation::Record, Operation::Load] {
        let token = stage.idp.logout_token(|_, _| {});
        stage.store.inject(operation, Which::Every, Fault::Refuse(StoreErrorKind::Unavailable));
        let failed = stage.providers.back_channel_logout("idp", &token).await.err();
        let failed = failed.unwrap_or_else(|| panic!("{operation:?} is not needed"));
        assert_eq!((failed.reason(), failed.status().as_u16()), ("store_failed", 503), "{operation:?}");
        assert!(failed.retry_after().is_some());
        stage.store.clear();
        if operation != Operation::Append {
            continue;
        }
        assert!(stage.providers.back_channel_logout("idp", &token).await.is_ok(), "the same token again");
        assert!(!stage.is_live(&one).await && !stage.is_live(&two).await);
        stage.pass(Duration::from_secs(1)).await;
        stage.session().await;
    }
}

#[tokio::test]
async fn a_hundred_sessions_hang_on_one_of_the_provider_s_and_the_oldest_makes_room() {
    let stage = Stage::new().await;
    let who = stage.sign_in().await.unwrap().identity;
    let mut pairs = Vec::new();
    for _ in 0..101 {
        pairs.push(stage.providers.open_session(&who, opening(&who)).await.unwrap());
    }
    assert!(!stage.is_live(&pairs[0]).await && stage.is_live(&pairs[1]).await && stage.is_live(&pairs[100]).await);
    let ended = stage.providers.back_channel_logout("idp", &stage.idp.logout_token(|_, _| {})).await.unwrap();
    assert!(matches!(ended, LoggedOut::Sessions(ended) if ended.len() == 100));
    assert!(!stage.is_live(&pairs[100]).await);
}
