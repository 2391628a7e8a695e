//! `valid_email_from_db`: who is asked for at sign-in, at refresh and at every check.
#![cfg(test)]

use crate::service::{INVALID, Service, assert_refused};

#[tokio::test]
async fn only_listed_users_come_in_and_only_by_a_verified_address() {
    let service = Service::start_for("bob@example.com, Alice@Example.com,").await;
    service.assert_live(&service.sign_in().await).await;
    for (email, verified) in [
        ("mallory@example.com", true),
        ("alice@example.com", false),
        ("alice@example.com.evil.example", true),
        ("", true),
    ] {
        service.idp.change_claims(move |claims| {
            claims["email"] = email.into();
            claims["email_verified"] = verified.into();
        });
        assert_refused(&service.fetch_tokens(&service.go_and_agree().await).await, INVALID);
    }
    service.idp.change_claims(|claims| drop(claims.as_object_mut().unwrap().remove("email")));
    assert_refused(&service.fetch_tokens(&service.go_and_agree().await).await, INVALID);
}

#[tokio::test]
async fn whoever_is_taken_off_the_list_is_refused_at_once_and_may_still_log_out() {
    let service = Service::start_for("alice@example.com").await;
    let (one, other) = (service.sign_in().await, service.sign_in().await);
    let service = service.crash("bob@example.com").await;
    service.assert_dead(&one).await;
    assert_eq!(service.call("POST", "/logout", &other.jwt).await.status, 200);
    let service = service.crash("alice@example.com").await;
    service.assert_live(&one).await;
    service.assert_dead(&other).await;
}

#[tokio::test]
async fn an_address_that_changed_counts_from_the_next_sign_in() {
    let service = Service::start_for("alice@example.com,alice@new.example").await;
    let old = service.sign_in().await;
    service.idp.change_claims(|claims| claims["email"] = "alice@new.example".into());
    let new = service.sign_in().await;
    let service = service.crash("alice@new.example").await;
    service.assert_live(&new).await;
    // The access token was minted for an address that is not good any more; the account's present one is.
    assert_eq!(service.protected(&old.jwt).await, 401);
    assert_eq!(service.refresh(&old.refresh).await.status, 200);
}
