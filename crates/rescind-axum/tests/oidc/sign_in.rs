//! Sign-ins as they should be: what is asked of the provider, what comes of it, and each way to prove who we are.
#![cfg(test)]

use rescind::time::Timestamp;
use rescind_axum::oidc::{Allow, Provider, Providers, RedirectUri};
use serde_json::json;

use crate::provider::{CLIENT_ID, SECRET};
use crate::stage::{Stage, browser, configured, node, opening, providers};

// holds: 92
#[tokio::test]
async fn a_sign_in_tells_who_it_is_and_opens_a_session_for_the_account() {
    let stage = Stage::new().await;
    let finished = stage.sign_in().await.unwrap();
    let who = &finished.identity;
    assert_eq!((&*finished.provider, finished.return_to.as_deref()), ("idp", Some("/home")));
    assert_eq!((&*who.issuer, &*who.subject), (&*stage.idp.issuer, "alice-123"));
    assert_eq!(who.email.as_ref().map(|it| (&*it.address, it.verified)), Some(("alice@example.com", true)));
    assert_eq!((who.name.as_deref(), who.provider_session.as_deref()), (Some("Alice"), Some("session-1")));
    assert_eq!(who.auth_time, Some(Timestamp::from_secs(stage.idp.now() - 5)));
    assert_eq!(who.claims["aud"], CLIENT_ID);
    assert!(finished.clear_cookie.to_str().unwrap().contains("Max-Age=0"));

    let pair = stage.providers.open_session(who, opening(who)).await.unwrap();
    let live = stage.rescind.check(&pair.access_token).await.unwrap();
    assert_eq!(live.subject().as_str(), format!("{}|alice-123", stage.idp.issuer));
    assert_eq!(live.auth_time(), who.auth_time.unwrap(), "when they proved it at the provider counts");
}

/// STANDARDS 89, 90, 136.
// holds: 90
#[tokio::test]
async fn a_sign_in_is_bound_to_the_browser_by_a_sealed_cookie_and_carries_pkce_state_and_nonce() {
    let stage = Stage::new().await;
    let begun = stage.providers.begin("idp", None).await.unwrap();
    let cookie = begun.set_cookie.to_str().unwrap();
    assert!(cookie.starts_with("__Host-rescind-signin-") && !cookie.contains("Domain"), "{cookie}");
    for attribute in ["Path=/", "Secure", "HttpOnly", "SameSite=Lax", "Max-Age=600"] {
        assert!(cookie.split("; ").any(|part| part == attribute), "{attribute} in {cookie}");
    }
    let asked = |name: &str| begun.location.query_pairs().find(|(found, _)| found == name).unwrap().1.into_owned();
    assert_eq!(asked("redirect_uri"), "https://app.example/login/idp/callback");
    let words = [asked("state"), asked("nonce"), asked("code_challenge")];
    for word in &words {
        assert_eq!(word.len(), 43, "256 bits");
        assert!(!cookie.contains(word.as_str()), "the cookie is sealed");
    }
    let again = stage.providers.begin("idp", None).await.unwrap();
    assert!(words.iter().all(|word| !again.location.as_str().contains(word.as_str())), "each sign-in has its own");
}

/// Safari and clients that are no browser send no `Secure` cookie over plain http.
#[tokio::test]
async fn a_sign_in_over_plain_http_on_this_machine_is_carried_by_a_cookie_that_comes_back_there() {
    let stage = Stage::new().await;
    for here in ["http://127.0.0.1:7000/login", "http://localhost:7000/login", "http://[::1]:7000/login"] {
        let plain = RedirectUri::Under(here.to_owned());
        let plain = Providers::new(&stage.rescind, plain, vec![configured(&stage.idp)]).unwrap();
        let unasked = plain.begin("idp", None).await.unwrap().set_cookie;
        assert!(unasked.to_str().unwrap().starts_with("__Host-rescind-signin-"), "nobody asked for less");
        let plain = plain.plain_cookie_on_loopback();
        let begun = plain.begin("idp", None).await.unwrap();
        let cookie = begun.set_cookie.to_str().unwrap();
        assert!(cookie.starts_with("rescind-signin-"), "{cookie}");
        let attributes: Vec<&str> = cookie.split("; ").skip(1).collect();
        assert_eq!(attributes, ["Max-Age=600", "Path=/", "HttpOnly", "SameSite=Lax"]);
        let query = stage.idp.authorize(&begun.location);
        let secure = stage.providers.finish(Some("idp"), &query, &browser(&begun)).await.err().unwrap();
        assert_eq!(secure.reason(), "foreign_state", "a place under https takes no such cookie");
        let finished = plain.finish(Some("idp"), &query, &browser(&begun)).await.unwrap();
        let cleared = finished.clear_cookie.to_str().unwrap();
        assert!(cleared.starts_with("rescind-signin-") && !cleared.contains("Secure"), "{cleared}");
    }
    let (query, mine) = stage.agree().await;
    let plain = RedirectUri::Under("http://127.0.0.1:7000/login".to_owned());
    let plain = Providers::new(&stage.rescind, plain, vec![configured(&stage.idp)]).unwrap().plain_cookie_on_loopback();
    assert_eq!(plain.finish(Some("idp"), &query, &mine).await.err().unwrap().reason(), "foreign_state");
    let secure = stage.providers.clone().plain_cookie_on_loopback();
    assert!(secure.finish(Some("idp"), &query, &mine).await.is_ok(), "the twin: under https it changes nothing");
}

#[tokio::test]
async fn two_tabs_sign_in_beside_each_other() {
    let stage = Stage::new().await;
    let (one, two) = (stage.agree().await, stage.agree().await);
    let both: http::HeaderMap =
        one.1.iter().chain(&two.1).map(|(name, cookie)| (name.clone(), cookie.clone())).collect();
    for query in [two.0, one.0] {
        assert!(stage.providers.finish(Some("idp"), &query, &both).await.is_ok());
    }
}

#[tokio::test]
async fn a_client_proves_itself_in_the_way_that_the_provider_takes() {
    for proof in ["client_secret_basic", "client_secret_post"] {
        let stage = Stage::new().await;
        stage.idp.script().proof = proof;
        assert_eq!(stage.refusal().await, "signed in", "{proof}");
    }
    let stage = Stage::new().await;
    stage.idp.script().proof = "none";
    let public = Provider::new("idp", &stage.idp.issuer, CLIENT_ID).unwrap().admit(Allow::everyone());
    let public = Stage { providers: providers(&stage.rescind, vec![public]), ..stage };
    assert_eq!(public.refusal().await, "signed in", "a public client is held by PKCE");
    public.idp.script().proof = "client_secret_basic";
    assert_eq!(public.refusal().await, "provider_client_refused");
}

// holds: 96
#[tokio::test]
async fn claims_that_the_id_token_lacks_come_from_the_userinfo_endpoint_of_the_same_subject() {
    let stage = Stage::new().await;
    stage.idp.change_claims(|claims| {
        for name in ["email", "email_verified", "name"] {
            claims.as_object_mut().unwrap().remove(name);
        }
    });
    stage.idp.script().userinfo =
        json!({ "sub": "alice-123", "email": "a@example.com", "email_verified": true, "name": "A", "nonce": "other" });
    let who = stage.sign_in().await.unwrap().identity;
    assert_eq!((who.email.unwrap().address, who.name.as_deref()), ("a@example.com".to_owned(), Some("A")));
    assert_ne!(who.claims["nonce"], "other", "what was signed stays");

    // STANDARDS 96: userinfo-invalid-sub.
    stage.idp.script().userinfo["sub"] = "bob".into();
    assert_eq!(stage.refusal().await, "wrong_userinfo");
    stage.idp.script().userinfo.as_object_mut().unwrap().remove("sub");
    assert_eq!(stage.refusal().await, "wrong_userinfo");
}

#[tokio::test]
async fn an_address_and_its_verification_come_from_one_place() {
    let stage = Stage::new().await;
    stage.idp.change_claims(|claims| {
        for name in ["email_verified", "name"] {
            claims.as_object_mut().unwrap().remove(name);
        }
    });
    stage.idp.script().userinfo = json!({ "sub": "alice-123", "email": "other@example.com", "email_verified": true });
    let email = stage.sign_in().await.unwrap().identity.email.unwrap();
    assert_eq!((&*email.address, email.verified), ("alice@example.com", false));

    // The other way round: the ID token says that some address is verified, and not which.
    stage.idp.change_claims(|claims| {
        for name in ["email", "name"] {
            claims.as_object_mut().unwrap().remove(name);
        }
    });
    for (verified, expected) in [(json!(true), true), (json!(false), false), (json!(null), false)] {
        stage.idp.script().userinfo["email_verified"] = verified;
        let email = stage.sign_in().await.unwrap().identity.email.unwrap();
        assert_eq!((&*email.address, email.verified), ("other@example.com", expected));
    }
    stage.idp.script().userinfo.as_object_mut().unwrap().remove("email_verified");
    assert!(!stage.sign_in().await.unwrap().identity.email.unwrap().verified);
}

#[tokio::test]
async fn a_sign_in_that_began_on_one_node_is_finished_on_another() {
    let stage = Stage::new().await;
    let begun = stage.providers.begin("idp", None).await.unwrap();
    let query = stage.idp.authorize(&begun.location);
    let other = node(&stage.store, &stage.clock, 3).await;
    let other = providers(&other, vec![configured(&stage.idp)]);
    assert!(other.finish(Some("idp"), &query, &browser(&begun)).await.is_ok());
    let replayed = stage.providers.finish(Some("idp"), &query, &browser(&begun)).await.err().unwrap();
    assert_eq!(replayed.reason(), "replayed", "and is spent on every node");
}

#[tokio::test]
async fn google_redirects_also_when_it_cannot_be_reached() {
    let stage = Stage::new().await;
    let google = providers(&stage.rescind, vec![Provider::google("me.apps.googleusercontent.com").unwrap()]);
    assert_eq!(google.names().collect::<Vec<_>>(), ["google"]);
    let begun = google.begin("google", None).await.unwrap();
    let location = begun.location.as_str();
    assert!(location.starts_with("https://accounts.google.com/o/oauth2/v2/auth?response_type=code&"), "{location}");
}

#[tokio::test]
async fn secrets_are_shown_nowhere() {
    let stage = Stage::new().await;
    let begun = stage.providers.begin("idp", None).await.unwrap();
    let shown = format!("{:?} {:?} {:?}", configured(&stage.idp), stage.providers, begun);
    assert!(!shown.contains(SECRET) && shown.contains("idp"), "{shown}");
}
