//! Who may come in, in a whole sign-in: nobody before somebody said who, no address that is not verified, and no failure
//! that lets anybody pass.
#![cfg(test)]

use async_trait::async_trait;
use http::StatusCode;
use rescind::id::Subject;
use rescind::store::{Fault, Operation, Page, StoreErrorKind, Which};
use rescind::{BoxError, Welcome};
use rescind_axum::oidc::{Admission, Allow, Identity, Provider};

use crate::provider::{CLIENT_ID, SECRET};
use crate::stage::{Stage, opening, providers};

#[tokio::test]
async fn nobody_comes_in_before_somebody_said_who() {
    let stage = Stage::new().await;
    let provider = Provider::new("idp", &stage.idp.issuer, CLIENT_ID).unwrap();
    let provider = provider.secret(rescind_axum::oidc::ClientSecret::new(SECRET.to_owned()));
    let stage = Stage { providers: providers(&stage.rescind, vec![provider]), ..stage };
    let refused = stage.sign_in().await.err().unwrap();
    assert_eq!((refused.reason(), refused.status()), ("not_admitted", StatusCode::FORBIDDEN));
    assert!(refused.clear_cookie().is_some());
}

#[tokio::test]
async fn a_list_lets_in_who_is_on_it() {
    for (entry, expected) in [
        ("alice@example.com", "signed in"),
        ("@example.com", "signed in"),
        ("sub:alice-123", "signed in"),
        ("bob@example.com", "not_admitted"),
        ("@example.org", "not_admitted"),
        ("sub:alice", "not_admitted"),
    ] {
        let stage = Stage::with(|provider| provider.admit(Allow::listed([entry]).unwrap())).await;
        assert_eq!(stage.refusal().await, expected, "{entry}");
    }
}

#[tokio::test]
async fn an_unverified_address_of_an_allowed_domain_stays_out() {
    let stage =
        Stage::with(|provider| provider.admit(Allow::listed(["@example.com", "alice@example.com"]).unwrap())).await;
    for verified in [serde_json::json!(false), serde_json::Value::Null, serde_json::json!("no"), serde_json::json!(1)] {
        stage.idp.change_claims(move |claims| claims["email_verified"] = verified.clone());
        assert_eq!(stage.refusal().await, "not_admitted");
    }
}

struct Failing;

#[async_trait]
impl Admission for Failing {
    async fn admit(&self, _: &Identity) -> Result<bool, BoxError> {
        Err("the directory is down".into())
    }
}

#[tokio::test]
async fn an_admission_that_fails_is_503_and_never_a_yes() {
    let stage = Stage::with(|provider| provider.admit(Failing)).await;
    let refused = stage.sign_in().await.err().unwrap();
    assert_eq!((refused.reason(), refused.status()), ("admission_failed", StatusCode::SERVICE_UNAVAILABLE));
    assert!(refused.retry_after().is_some() && !refused.public().contains("directory"));
}

struct Disabled;

#[async_trait]
impl Welcome for Disabled {
    async fn is_welcome(&self, _: &Subject) -> Result<bool, BoxError> {
        Ok(false)
    }
}

#[tokio::test]
async fn a_disabled_user_gets_no_session() {
    let stage = Stage::new().await;
    let rescind = rescind::Rescind::builder("https://login.example", "https://api.example")
        .store(std::sync::Arc::clone(&stage.store))
        .clock(std::sync::Arc::clone(&stage.clock) as _)
        .root_secret(rescind::keys::RootSecret::from_bytes([7; 32]))
        .welcome(Disabled)
        .build()
        .await
        .unwrap();
    let disabled = providers(&rescind, vec![crate::stage::configured(&stage.idp)]);
    let who = stage.sign_in().await.unwrap().identity;
    let refused = disabled.open_session(&who, opening(&who)).await.err().unwrap();
    assert_eq!((refused.reason(), refused.status()), ("unwelcome", StatusCode::FORBIDDEN));
}

#[tokio::test]
async fn a_session_that_cannot_be_remembered_is_ended_again() {
    let stage = Stage::new().await;
    let who = stage.sign_in().await.unwrap().identity;
    stage.store.inject(Operation::PutRecord, Which::Every, Fault::Refuse(StoreErrorKind::Unavailable));
    let refused = stage.providers.open_session(&who, opening(&who)).await.err().unwrap();
    assert_eq!((refused.reason(), refused.status()), ("store_failed", StatusCode::SERVICE_UNAVAILABLE));
    let all = stage.rescind.sessions_of(&who.account(), Page { after: None, limit: 10 }).await.unwrap().sessions;
    assert_eq!(all.len(), 1);
    assert!(all.iter().all(|loaded| loaded.cut_off.is_some()), "it was opened, and is dead");
    stage.store.clear();
    assert!(stage.providers.open_session(&who, opening(&who)).await.is_ok());
}

#[tokio::test]
async fn an_identity_that_is_half_an_hour_old_opens_nothing() {
    let stage = Stage::new().await;
    let who = stage.sign_in().await.unwrap().identity;
    stage.pass(std::time::Duration::from_secs(1801)).await;
    let refused = stage.providers.open_session(&who, opening(&who)).await.err().unwrap();
    assert_eq!((refused.reason(), refused.status().as_u16()), ("sign_in_expired", 400));
}
