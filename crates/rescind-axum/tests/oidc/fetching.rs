//! A provider that is down, slow, endless, elsewhere or somebody else: each is answered clearly, and the service goes on
//! (STANDARDS 53, 93; Bad input).
#![cfg(test)]

use std::time::Duration;

use http::StatusCode;
use rescind_axum::oidc::{Allow, Provider, Providers};

use crate::provider::{Answer, CLIENT_ID};
use crate::stage::{Stage, configured, providers};

/// More than the cool-down, after which the provider is asked again.
const LATER: Duration = Duration::from_secs(11);

#[tokio::test]
async fn a_provider_that_is_down_at_the_start_is_asked_when_it_is_needed() {
    let stage = Stage::new().await;
    let gone = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = gone.local_addr().unwrap();
    drop(gone);
    let down = Provider::new("down", &format!("http://{address}"), CLIENT_ID).unwrap().admit(Allow::everyone());
    let both = providers(&stage.rescind, vec![down, configured(&stage.idp)]);
    let failed = both.begin("down", None).await.err().unwrap();
    assert_eq!((failed.reason(), failed.status().as_u16()), ("provider_unreachable", 503));
    assert_eq!(failed.retry_after(), Some(Duration::from_secs(10)));
    assert!(both.begin("idp", None).await.is_ok(), "the others are not concerned");
}

/// Each fault in each document, what it is called, and that the right answer is found again after the cool-down.
// holds: 53
#[tokio::test]
async fn whatever_an_endpoint_does_wrong_is_named_and_passes_when_it_is_put_right() {
    for endpoint in ["discovery", "jwks", "token", "userinfo"] {
        for (answer, reason, status) in [
            (Answer::Status(500), "provider_status", 503),
            (Answer::Status(404), "provider_status", 502),
            (Answer::Html, "provider_not_json", 502),
            (Answer::Text("{".to_owned()), "", 502),
            (Answer::Text("[1]".to_owned()), "", 502),
            (Answer::Redirect("http://127.0.0.1:1/".to_owned()), "provider_redirected", 502),
            (Answer::Redirect("https://idp.example/".to_owned()), "provider_redirected", 502),
            (Answer::Megabytes(100), "provider_too_long", 502),
        ] {
            let stage = Stage::new().await;
            if endpoint == "userinfo" {
                stage.idp.script().userinfo = serde_json::json!({ "sub": "alice-123" });
                stage.idp.change_claims(|claims| drop(claims.as_object_mut().unwrap().remove("name")));
            }
            stage.idp.answer(endpoint, answer);
            let failed = stage.sign_in().await.expect_err(endpoint);
            let expected = match (reason, endpoint) {
                ("", "jwks") if failed.reason() == "provider_bad_keys" => "provider_bad_keys",
                ("", "token") => "provider_bad_token_answer",
                ("", _) => "provider_not_json",
                (reason, _) => reason,
            };
            assert_eq!((failed.reason(), failed.status().as_u16()), (expected, status), "{endpoint}");
            stage.idp.answer(endpoint, Answer::Right);
            stage.clock.advance(LATER);
            assert_eq!(stage.refusal().await, "signed in", "{endpoint}");
        }
    }
}

#[tokio::test]
async fn a_provider_that_never_answers_is_given_up() {
    for endpoint in ["discovery", "jwks", "token"] {
        let stage = Stage::with(|provider| provider.timeout(Duration::from_millis(200))).await;
        stage.idp.answer(endpoint, Answer::Silence);
        let failed = stage.sign_in().await.err().unwrap();
        assert_eq!(
            (failed.reason(), failed.status()),
            ("provider_slow", StatusCode::SERVICE_UNAVAILABLE),
            "{endpoint}"
        );
    }
}

/// A provider that is silent for longer than the cool-down must not make everybody wait for everybody else's fetch.
#[tokio::test]
async fn all_who_wait_for_one_fetch_take_its_outcome_and_its_failure_is_remembered_from_its_end() {
    let stage = Stage::with(|provider| provider.timeout(Duration::from_millis(300))).await;
    stage.idp.answer("discovery", Answer::Silence);
    let begin = |providers: &Providers| {
        let providers = providers.clone();
        tokio::spawn(async move { providers.begin("idp", None).await.err().unwrap().reason() })
    };
    let first = begin(&stage.providers);
    while stage.idp.asked("discovery") == 0 {
        tokio::task::yield_now().await;
    }
    let others: Vec<_> = (0..20).map(|_| begin(&stage.providers)).collect();
    tokio::task::yield_now().await;
    // It has lasted longer than the cool-down when it ends.
    stage.clock.advance(LATER);
    assert_eq!(first.await.unwrap(), "provider_slow");
    for other in others {
        assert_eq!(other.await.unwrap(), "provider_slow");
    }
    assert_eq!(stage.refusal().await, "provider_slow", "and whoever comes later is not kept waiting");
    assert_eq!(stage.idp.asked("discovery"), 1);
    stage.clock.advance(LATER);
    stage.idp.answer("discovery", Answer::Right);
    assert_eq!(stage.refusal().await, "signed in");
}

#[tokio::test]
async fn a_failure_is_remembered_for_the_cool_down_and_the_provider_left_alone() {
    let stage = Stage::new().await;
    stage.idp.answer("discovery", Answer::Status(500));
    for _ in 0..20 {
        assert_eq!(stage.refusal().await, "provider_status");
    }
    assert_eq!(stage.idp.asked("discovery"), 1);
    stage.clock.advance(LATER);
    assert_eq!(stage.refusal().await, "provider_status");
    assert_eq!(stage.idp.asked("discovery"), 2);
}

#[tokio::test]
async fn of_many_who_begin_at_once_one_asks_the_provider() {
    let stage = Stage::new().await;
    let many = (0..50).map(|_| {
        let providers = stage.providers.clone();
        tokio::spawn(async move { providers.begin("idp", None).await.is_ok() })
    });
    for one in many.collect::<Vec<_>>() {
        assert!(one.await.unwrap());
    }
    assert_eq!(stage.idp.asked("discovery"), 1);
}

/// STANDARDS 93: discovery-issuer-mismatch.
// holds: 93
#[tokio::test]
async fn metadata_of_another_issuer_are_not_used() {
    let stage = Stage::new().await;
    let issuer = stage.idp.issuer.clone();
    for other in
        [format!("{issuer}/"), issuer.replace("127.0.0.1", "localhost"), "https://accounts.google.com".to_owned()]
    {
        stage.idp.change_discovery(move |document| document["issuer"] = other.clone().into());
        stage.clock.advance(LATER);
        let failed = stage.sign_in().await.err().unwrap();
        assert_eq!((failed.reason(), failed.status().as_u16()), ("provider_other_issuer", 502));
    }
    stage.idp.change_discovery(|_| {});
    stage.clock.advance(LATER);
    assert_eq!(stage.refusal().await, "signed in");
}

#[tokio::test]
async fn metadata_with_an_endpoint_that_may_not_be_asked_or_no_algorithm_are_not_used() {
    let stage = Stage::new().await;
    for (member, value, reason) in [
        ("token_endpoint", serde_json::json!("http://10.0.0.1/token"), "provider_bad_endpoint"),
        ("jwks_uri", serde_json::json!("file:///etc/passwd"), "provider_bad_endpoint"),
        ("authorization_endpoint", serde_json::json!("javascript:alert(1)"), "provider_bad_endpoint"),
        ("token_endpoint", serde_json::Value::Null, "provider_not_json"),
        ("id_token_signing_alg_values_supported", serde_json::json!(["none", "HS256"]), "provider_no_algorithm"),
    ] {
        stage.idp.change_discovery(move |document| document[member] = value.clone());
        stage.clock.advance(LATER);
        assert_eq!(stage.refusal().await, reason, "{member}");
    }
}

#[tokio::test]
async fn good_metadata_and_keys_outlive_the_provider_s_failure_to_give_newer_ones() {
    let stage = Stage::new().await;
    assert_eq!(stage.refusal().await, "signed in");
    stage.idp.answer("discovery", Answer::Status(500));
    stage.idp.answer("jwks", Answer::Megabytes(2));
    stage.clock.advance(Duration::from_hours(2));
    assert_eq!(stage.refusal().await, "signed in");
    assert_eq!((stage.idp.asked("discovery"), stage.idp.asked("jwks")), (2, 2), "newer ones were asked for");
}

#[tokio::test]
async fn a_token_answer_without_what_a_sign_in_needs_is_no_sign_in() {
    let stage = Stage::new().await;
    for member in ["id_token", "access_token", "token_type"] {
        stage.idp.script().change_tokens = Box::new(move |answer| drop(answer.as_object_mut().unwrap().remove(member)));
        assert_eq!(stage.refusal().await, "provider_bad_token_answer", "{member}");
    }
    stage.idp.script().change_tokens = Box::new(|answer| answer["token_type"] = "DPoP".into());
    assert_eq!(stage.refusal().await, "provider_bad_token_answer");
    stage.idp.script().change_tokens = Box::new(|answer| answer["token_type"] = "bearer".into());
    assert_eq!(stage.refusal().await, "signed in");
}
