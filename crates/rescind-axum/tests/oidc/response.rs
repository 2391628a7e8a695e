//! Callbacks that are not what they should be: another browser's, used before, mixed up, too late, or no code at all
//! (STANDARDS 89, 91; RFC 9207; RFC 9700 §4).
#![cfg(test)]

use std::time::Duration;

use http::{HeaderMap, StatusCode};
use rescind::store::{Fault, Operation, StoreErrorKind, Which};
use rescind_axum::oidc::{Allow, Provider, Providers, ProvidersInvalid, RedirectUri};

use crate::provider::{CLIENT_ID, Idp};
use crate::stage::{Stage, browser, configured, cookie, providers};

/// The reason and the status of a callback that fails.
async fn fails(stage: &Stage, query: &str, browser: &HeaderMap) -> (&'static str, u16) {
    let error = stage.providers.finish(Some("idp"), query, browser).await.expect_err("it must not succeed");
    (error.reason(), error.status().as_u16())
}

// holds: 89
#[tokio::test]
async fn a_callback_in_another_browser_is_refused_and_the_right_one_still_succeeds() {
    let stage = Stage::new().await;
    let (query, mine) = stage.agree().await;
    let (_, theirs) = stage.agree().await;
    assert_eq!(fails(&stage, &query, &HeaderMap::new()).await, ("foreign_state", 400));
    assert_eq!(fails(&stage, &query, &theirs).await, ("foreign_state", 400));
    assert_eq!(stage.idp.asked("token"), 0, "no code was sent");
    assert!(stage.providers.finish(Some("idp"), &query, &mine).await.is_ok());
}

#[tokio::test]
async fn a_state_that_nobody_gave_or_that_was_changed_is_refused() {
    let stage = Stage::new().await;
    let (query, mine) = stage.agree().await;
    let word = query.split("state=").nth(1).unwrap().split('&').next().unwrap().to_owned();
    for other in ["", "x", &word[..42], &format!("{word}A"), &word.to_ascii_lowercase()] {
        assert_eq!(fails(&stage, &query.replace(&word, other), &mine).await, ("foreign_state", 400), "{other}");
    }
    let pair = mine.values().next().unwrap().to_str().unwrap();
    for bent in
        [format!("{pair}A"), pair.replace("rescind-signin-", "rescind-signin-x"), pair[..pair.len() - 4].to_owned()]
    {
        assert_eq!(fails(&stage, &query, &cookie(&bent)).await, ("foreign_state", 400), "{bent}");
    }
}

// holds: 89
#[tokio::test]
async fn a_replayed_callback_is_refused_although_the_cookie_is_still_there() {
    let stage = Stage::new().await;
    let (query, mine) = stage.agree().await;
    assert!(stage.providers.finish(Some("idp"), &query, &mine).await.is_ok());
    assert_eq!(fails(&stage, &query, &mine).await, ("replayed", 400));
    assert_eq!(stage.idp.asked("token"), 1, "the code was sent once");
}

#[tokio::test]
async fn of_many_at_once_one_callback_counts() {
    let stage = Stage::new().await;
    let (query, mine) = stage.agree().await;
    let racers = (0..16).map(|_| {
        let (providers, query, mine) = (stage.providers.clone(), query.clone(), mine.clone());
        tokio::spawn(async move { providers.finish(Some("idp"), &query, &mine).await.is_ok() })
    });
    let mut won = 0;
    for racer in racers.collect::<Vec<_>>() {
        won += usize::from(racer.await.unwrap());
    }
    assert_eq!((won, stage.idp.asked("token")), (1, 1));
}

#[tokio::test]
async fn a_sign_in_that_takes_longer_than_ten_minutes_is_over() {
    let stage = Stage::new().await;
    let (query, mine) = stage.agree().await;
    stage.pass(Duration::from_secs(599)).await;
    let (later, its) = stage.agree().await;
    stage.pass(Duration::from_secs(1)).await;
    assert_eq!(fails(&stage, &query, &mine).await, ("sign_in_expired", 400));
    assert!(stage.providers.finish(Some("idp"), &later, &its).await.is_ok());
}

/// RFC 9700 §4.4, RFC 9207 §2.4: mix-up.
// holds: 91
#[tokio::test]
async fn the_code_of_one_provider_never_goes_to_another() {
    let stage = Stage::new().await;
    let evil = Idp::start(&stage.clock).await;
    let other = Provider::new("evil", &evil.issuer, CLIENT_ID).unwrap().admit(Allow::everyone());
    let both = providers(&stage.rescind, vec![configured(&stage.idp), other]);
    let finish = async |name, query: &str, browser: &HeaderMap| {
        both.finish(name, query, browser).await.err().map_or("signed in", |error| error.reason())
    };

    // The browser began at the evil one, which sent it on to the honest one; the honest one's code comes back.
    let begun = both.begin("evil", None).await.unwrap();
    let honest = both.begin("idp", None).await.unwrap();
    let mut location = honest.location.clone();
    let word = begun.location.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned();
    let others: Vec<_> = location.query_pairs().into_owned().filter(|(name, _)| name != "state").collect();
    location.query_pairs_mut().clear().extend_pairs(others).append_pair("state", &word);
    let query = stage.idp.authorize(&location);
    assert_eq!(finish(Some("evil"), &query, &browser(&begun)).await, "wrong_response_issuer");

    // The callback's path names another provider than the sign-in's.
    let begun = both.begin("idp", None).await.unwrap();
    let query = stage.idp.authorize(&begun.location);
    assert_eq!(finish(Some("evil"), &query, &browser(&begun)).await, "wrong_provider");
    assert_eq!(evil.asked("token"), 0, "the evil provider saw no code");

    for (name, expected) in [(None, "wrong_provider"), (Some("idp"), "signed in")] {
        let begun = both.begin("idp", None).await.unwrap();
        assert_eq!(finish(name, &stage.idp.authorize(&begun.location), &browser(&begun)).await, expected);
    }
}

// holds: 91
#[tokio::test]
async fn one_place_to_come_back_to_is_one_provider_s() {
    let stage = Stage::new().await;
    let here = || RedirectUri::Exactly("http://127.0.0.1:7000/token".to_owned());
    let twin = Provider::new("twin", &stage.idp.issuer, CLIENT_ID).unwrap();
    let refused = Providers::new(&stage.rescind, here(), vec![configured(&stage.idp), twin]).err();
    assert!(matches!(refused, Some(ProvidersInvalid::SharedRedirectUri)));
    let only = Providers::new(&stage.rescind, here(), vec![configured(&stage.idp)]).unwrap();
    let begun = only.begin("idp", None).await.unwrap();
    let query = stage.idp.authorize(&begun.location);
    assert!(only.finish(None, &query, &browser(&begun)).await.is_ok());
}

#[tokio::test]
async fn a_place_to_come_back_to_is_a_url_of_https_or_of_this_machine_and_a_name_fits_behind_it() {
    let stage = Stage::new().await;
    let taken = |redirect| Providers::new(&stage.rescind, redirect, vec![configured(&stage.idp)]).is_ok();
    for good in
        ["https://app.example/login", "https://app.example", "http://localhost:7000/login", "http://[::1]/login"]
    {
        assert!(taken(RedirectUri::Under(good.to_owned())) && taken(RedirectUri::Exactly(good.to_owned())), "{good}");
    }
    for bad in ["http://app.example/login", "http://10.0.0.1/login", "/login", "", "https://app.example/login#a"] {
        assert!(!taken(RedirectUri::Under(bad.to_owned())) && !taken(RedirectUri::Exactly(bad.to_owned())), "{bad}");
    }
    let query = || "https://app.example/login?a=b".to_owned();
    assert!(!taken(RedirectUri::Under(query())) && taken(RedirectUri::Exactly(query())));
}

// holds: 91
#[tokio::test]
async fn the_responses_issuer_is_compared_as_it_stands_and_must_be_there_where_promised() {
    let stage = Stage::new().await;
    let encoded: String = url::form_urlencoded::byte_serialize(stage.idp.issuer.as_bytes()).collect();
    let right = format!("&iss={encoded}");
    for (other, expected) in [
        ("&iss=https%3A%2F%2Fevil.example".to_owned(), "wrong_response_issuer"),
        (format!("{right}%2F"), "wrong_response_issuer"),
        (right.to_uppercase(), "wrong_response_issuer"),
        ("&iss=".to_owned(), "wrong_response_issuer"),
        (String::new(), "missing_response_issuer"),
        (format!("{right}{right}"), "bad_callback"),
    ] {
        let (query, mine) = stage.agree().await;
        assert!(query.contains(&right));
        let other = other.replace("&ISS=", "&iss=");
        assert_eq!(fails(&stage, &query.replace(&right, &other), &mine).await, (expected, 400), "{other}");
    }
    let silent = Stage::new().await;
    silent.idp.change_discovery(|it| it["authorization_response_iss_parameter_supported"] = false.into());
    let (query, mine) = silent.agree().await;
    let encoded: String = url::form_urlencoded::byte_serialize(silent.idp.issuer.as_bytes()).collect();
    let query = query.replace(&format!("&iss={encoded}"), "");
    assert!(silent.providers.finish(Some("idp"), &query, &mine).await.is_ok(), "not promised, so not missed");
}

#[tokio::test]
async fn an_error_of_the_provider_is_answered_clearly_and_never_in_its_own_words() {
    let stage = Stage::new().await;
    for (error, reason, status) in [
        ("access_denied", "denied", 403),
        ("temporarily_unavailable", "provider_failed", 503),
        ("unauthorized_client", "provider_refused", 502),
        ("%3Cscript%3Ealert(1)%3C%2Fscript%3E", "provider_refused", 502),
    ] {
        let (query, mine) = stage.agree().await;
        let (_, rest) = query.split_once('&').unwrap();
        let query =
            format!("error={error}&error_description=%3Cscript%3Ehello&error_uri=https%3A%2F%2Fevil.example&{rest}");
        let failed = stage.providers.finish(Some("idp"), &query, &mine).await.err().unwrap();
        assert_eq!((failed.reason(), failed.status().as_u16()), (reason, status));
        for accept in ["text/html", "application/json"] {
            let asked = HeaderMap::from_iter([(http::header::ACCEPT, accept.parse().unwrap())]);
            let response = failed.respond(&asked);
            let body = axum::body::to_bytes(response.into_body(), 10_000).await.unwrap();
            let body = std::str::from_utf8(&body).unwrap();
            assert!(!body.contains("hello") && !body.contains("<script") && !body.contains("evil"), "{body}");
        }
    }
    let failed = stage.providers.finish(Some("idp"), "error=access_denied&state=x", &HeaderMap::new()).await;
    assert_eq!(failed.err().unwrap().reason(), "foreign_state", "an error needs the state, too");
}

// holds: 90
#[tokio::test]
async fn a_code_that_the_provider_does_not_take_is_no_sign_in() {
    let stage = Stage::new().await;
    let (query, mine) = stage.agree().await;
    assert_eq!(fails(&stage, &query.replace("code=code-1", "code=code-2"), &mine).await, ("code_refused", 400));
    // RFC 9700 §4.5: another sign-in's code is injected; PKCE binds it to that one.
    let ((stolen, _), (query, mine)) = (stage.agree().await, stage.agree().await);
    let injected = format!("{}&{}", stolen.split_once('&').unwrap().0, query.split_once('&').unwrap().1);
    assert_eq!(fails(&stage, &injected, &mine).await, ("code_refused", 400));
}

#[tokio::test]
async fn a_store_that_fails_costs_nothing_and_the_same_callback_succeeds_later() {
    let stage = Stage::new().await;
    let (query, mine) = stage.agree().await;
    stage.store.inject(Operation::PutRecord, Which::Every, Fault::Refuse(StoreErrorKind::Unavailable));
    let failed = stage.providers.finish(Some("idp"), &query, &mine).await.err().unwrap();
    assert_eq!((failed.reason(), failed.status()), ("store_failed", StatusCode::SERVICE_UNAVAILABLE));
    assert!(failed.clear_cookie().is_none() && failed.retry_after().is_some());
    assert_eq!(stage.idp.asked("token"), 0, "the code is not used up");
    stage.store.clear();
    assert!(stage.providers.finish(Some("idp"), &query, &mine).await.is_ok());
}

#[tokio::test]
async fn a_place_to_return_to_is_a_path_on_this_origin() {
    let stage = Stage::new().await;
    for bad in ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)", "", "home"] {
        let refused = stage.providers.begin("idp", Some(bad)).await.err().unwrap();
        assert_eq!((refused.reason(), refused.status().as_u16()), ("bad_return_to", 400), "{bad}");
    }
    let refused = stage.providers.begin("nobody", None).await.err().unwrap();
    assert_eq!((refused.reason(), refused.status().as_u16()), ("unknown_provider", 404));
}
