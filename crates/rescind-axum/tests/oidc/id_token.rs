//! ID tokens with one thing wrong at a time (STANDARDS 92, 96; OpenID Connect Core §3.1.3.7).
#![cfg(test)]

use aws_lc_rs::digest::{SHA256, digest};
use rescind_axum::oidc::SignInFault;
use serde_json::{Value, json};

use crate::key::{Key, encode};
use crate::stage::Stage;

/// The word for why the ID token is refused.
async fn why(stage: &Stage) -> String {
    match stage.sign_in().await {
        Ok(_) => "signed in".to_owned(),
        Err(error) => match error.fault() {
            SignInFault::IdToken(refused) => {
                assert_eq!(error.status(), 400);
                refused.to_string()
            }
            fault => format!("not the ID token: {fault}"),
        },
    }
}

/// What is wrong with the claims, and what is answered.
async fn check(cases: Vec<(&'static str, Value, &'static str)>) {
    let stage = Stage::new().await;
    assert_eq!(why(&stage).await, "signed in");
    for (claim, value, expected) in cases {
        let shown = format!("{claim} = {value}");
        stage.idp.change_claims(move |claims| match &value {
            Value::Null => drop(claims.as_object_mut().unwrap().remove(claim)),
            value => claims[claim] = value.clone(),
        });
        assert_eq!(why(&stage).await, expected, "{shown}");
    }
    stage.idp.change_claims(|_| {});
    assert_eq!(why(&stage).await, "signed in");
}

/// CONF: invalid-iss, invalid-aud, missing-sub, missing-iat, nonce-invalid, and their kin.
// holds: 92
#[tokio::test]
async fn a_wrong_or_missing_claim_is_refused_by_its_name() {
    check(vec![
        ("iss", Value::Null, "missing_claim iss"),
        ("iss", json!("https://evil.example"), "wrong_issuer"),
        ("iss", json!(7), "bad_claim iss"),
        ("aud", Value::Null, "missing_claim aud"),
        ("aud", json!("other"), "wrong_audience"),
        ("aud", json!([]), "wrong_audience"),
        ("aud", json!({ "a": 1 }), "bad_claim aud"),
        ("aud", json!(["app/1:2", 7]), "bad_claim aud"),
        ("aud", json!(["app/1:2"]), "signed in"),
        ("aud", json!(["app/1:2", "other"]), "wrong_authorized_party"),
        ("azp", json!("other"), "wrong_authorized_party"),
        ("azp", json!("app/1:2"), "signed in"),
        ("azp", json!(["app/1:2"]), "bad_claim azp"),
        ("sub", Value::Null, "missing_claim sub"),
        ("sub", json!(""), "bad_claim sub"),
        ("sub", json!("x".repeat(256)), "bad_claim sub"),
        ("sub", json!("x".repeat(255)), "signed in"),
        ("sub", json!("a\nb"), "bad_claim sub"),
        ("sub", json!(7), "bad_claim sub"),
        ("nonce", Value::Null, "missing_claim nonce"),
        ("nonce", json!("other"), "wrong_nonce"),
        ("nonce", json!(["x"]), "bad_claim nonce"),
        ("iat", Value::Null, "missing_claim iat"),
        ("iat", json!("1800000000"), "bad_claim iat"),
        ("iat", json!(1_800_000_000.5), "bad_claim iat"),
        ("exp", Value::Null, "missing_claim exp"),
        ("exp", json!(-1), "bad_claim exp"),
        ("exp", json!("never"), "bad_claim exp"),
        ("nbf", json!(1_800_000_061), "not_yet_valid"),
        ("nbf", json!(1_800_000_060), "signed in"),
        ("auth_time", json!("x"), "bad_claim auth_time"),
        ("sid", json!(7), "bad_claim sid"),
        ("extra", json!({ "deep": [1, 2, 3] }), "signed in"),
    ])
    .await;
}

#[tokio::test]
async fn several_audiences_need_ours_as_the_authorized_party() {
    let stage = Stage::new().await;
    stage.idp.change_claims(|claims| {
        claims["aud"] = json!(["other", "app/1:2"]);
        claims["azp"] = json!("app/1:2");
    });
    assert_eq!(why(&stage).await, "signed in");
    stage.idp.change_claims(|claims| {
        claims["aud"] = json!(["other", "app/1:2"]);
        claims["azp"] = json!("other");
    });
    assert_eq!(why(&stage).await, "wrong_authorized_party");
}

// holds: 92
#[tokio::test]
async fn an_id_token_of_ten_years_ago_or_of_the_future_is_refused() {
    let stage = Stage::new().await;
    let now = stage.idp.now();
    for (iat, exp, expected) in [
        (now - 10 * 365 * 86_400, now - 10 * 365 * 86_400 + 3600, "expired"),
        (now - 10 * 365 * 86_400, now + 3600, "too_old"),
        (now - 661, now + 3600, "too_old"),
        (now - 660, now + 3600, "signed in"),
        (now + 61, now + 3600, "issued_in_future"),
        (now + 60, now + 3600, "signed in"),
        (now + 10 * 365 * 86_400, now + 11 * 365 * 86_400, "issued_in_future"),
        (now - 120, now - 60, "expired"),
        (now - 120, now - 59, "signed in"),
        (now, now - 1, "bad_claim exp"),
    ] {
        stage.idp.change_claims(move |claims| (claims["iat"], claims["exp"]) = (iat.into(), exp.into()));
        assert_eq!(why(&stage).await, expected, "iat {iat} exp {exp}");
    }
}

/// CONF: idtoken-sig-none, invalid-sig-rs256, invalid-sig-hs256; STANDARDS 44, 47, 54, 55.
// holds: 96
#[tokio::test]
async fn a_header_that_lies_is_refused() {
    let stage = Stage::new().await;
    let jwk = stage.idp.script().published[0].clone();
    for (member, value, expected) in [
        ("alg", json!("none"), "wrong_algorithm"),
        ("alg", json!("NONE"), "wrong_algorithm"),
        ("alg", json!("noNE"), "wrong_algorithm"),
        ("alg", json!("HS256"), "wrong_algorithm"),
        ("alg", json!("PS256"), "wrong_algorithm"),
        ("alg", json!("ES256"), "wrong_algorithm"),
        ("alg", Value::Null, "wrong_algorithm"),
        ("typ", json!("JWT"), "signed in"),
        ("typ", json!("at+jwt"), "wrong_kind"),
        ("typ", json!("logout+jwt"), "wrong_kind"),
        ("typ", json!("secevent+jwt"), "wrong_kind"),
        ("crit", json!(["exp"]), "forbidden_header"),
        ("jwk", jwk, "forbidden_header"),
        ("jku", json!("https://evil.example/jwks"), "forbidden_header"),
        ("x5c", json!(["MA"]), "forbidden_header"),
    ] {
        let shown = format!("{member} = {value}");
        stage.idp.change_header(move |header| header[member] = value.clone());
        assert_eq!(why(&stage).await, expected, "{shown}");
    }
}

// holds: 96
#[tokio::test]
async fn a_signature_by_another_key_or_none_at_all_is_refused() {
    let stage = Stage::new().await;
    assert_eq!(why(&stage).await, "signed in");
    stage.idp.sign_with(Key::rs256("first"), false);
    assert_eq!(why(&stage).await, "bad_signature", "invalid-sig-rs256");
    stage.idp.sign_with(Key::es256("ec"), true);
    stage.clock.advance(std::time::Duration::from_secs(11));
    assert_eq!(why(&stage).await, "signed in");
    stage.idp.sign_with(Key::es256("ec"), false);
    assert_eq!(why(&stage).await, "bad_signature", "invalid-sig-es256");
    for (ending, expected) in [("", "bad_signature"), ("=", "bad_encoding"), ("AA.AA", "wrong_part_count")] {
        stage.idp.script().change_tokens = Box::new(move |answer| {
            let token = answer["id_token"].as_str().unwrap();
            answer["id_token"] = format!("{}{ending}", &token[..=token.rfind('.').unwrap()]).into();
        });
        assert_eq!(why(&stage).await, expected, "{ending}");
    }
}

#[tokio::test]
async fn a_payload_that_is_read_two_ways_or_too_long_is_refused() {
    let stage = Stage::new().await;
    stage.idp.change_claims(|claims| claims["padding"] = json!("x".repeat(16 * 1024)));
    assert_eq!(why(&stage).await, "too_long");
    stage.idp.change_claims(|_| {});
    let signer = std::sync::Arc::clone(&stage.idp.script().signer);
    stage.idp.script().change_tokens = Box::new(move |answer| {
        // RFC 7519 §4: a claim named twice. `Value` cannot say it, so the text is signed under another header.
        let claims = answer["id_token"].as_str().unwrap().split('.').nth(1).unwrap().to_owned();
        let claims = String::from_utf8(
            base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, claims).unwrap(),
        );
        let twice = claims.unwrap().replacen('{', "{\"sub\":\"bob\",", 1);
        answer["id_token"] = signer.sign_text(&signer.header(), &twice).into();
    });
    assert_eq!(why(&stage).await, "duplicate_member");
}

#[tokio::test]
async fn an_access_token_hash_is_held_against_the_access_token() {
    let stage = Stage::new().await;
    let right = encode(&digest(&SHA256, b"opaque").as_ref()[..16]);
    for (at_hash, expected) in
        [(json!(right), "signed in"), (json!("AAAA"), "wrong_access_token"), (json!(7), "bad_claim at_hash")]
    {
        stage.idp.change_claims(move |claims| claims["at_hash"] = at_hash.clone());
        assert_eq!(why(&stage).await, expected);
    }
}

/// CONF: kid-absent-single-jwks, kid-absent-multiple-jwks.
// holds: 96
#[tokio::test]
async fn a_token_without_key_id_passes_only_where_one_key_fits() {
    let stage = Stage::new().await;
    stage.idp.sign_with(Key::rs256("any").unnamed(), true);
    assert_eq!(why(&stage).await, "signed in", "one key, neither named");
    stage.idp.change_header(|header| header["alg"] = "HS256".into());
    assert_eq!(why(&stage).await, "wrong_algorithm", "not by a name, and not without one");
    stage.idp.change_header(|_| {});
    let (rs, ec) = (Key::rs256("rs"), Key::es256("ec").jwk());
    stage.idp.script().published = vec![rs.jwk(), ec];
    stage.idp.sign_with(rs.unnamed(), false);
    stage.clock.advance(std::time::Duration::from_secs(11));
    assert_eq!(why(&stage).await, "signed in", "one key of this algorithm");
    stage.idp.script().published.push(Key::rs256("other").jwk());
    stage.clock.advance(std::time::Duration::from_secs(3601));
    assert_eq!(why(&stage).await, "no_key_fits", "two of them");
}

// holds: R9
#[tokio::test]
async fn what_is_no_id_token_is_refused() {
    let stage = Stage::new().await;
    for (id_token, expected) in [
        (json!("opaque"), "wrong_part_count"),
        (json!("a.b.c.d.e"), "wrong_part_count"),
        (json!("e30.e30.e30"), "wrong_algorithm"),
        (json!("..."), "wrong_part_count"),
        (json!(".".repeat(100_000)), "too_long"),
    ] {
        stage.idp.script().change_tokens = Box::new(move |answer| answer["id_token"] = id_token.clone());
        assert_eq!(why(&stage).await, expected);
    }
}
