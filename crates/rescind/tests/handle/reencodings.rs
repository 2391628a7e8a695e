//! A revoked token in other clothes: every re-encoding of its text is refused, before and after the original was
//! seen, and the verified-token cache lets none of them in.

use crate::support::{House, refused, text};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rescind::keys::Algorithm;
use rescind::log::{Scope, ScopeKind};
use rescind::{Checks, LogoutScope, Rejection};

/// Flips the last character to its neighbours that differ in unused bits alone, where the part has such.
fn stray_bits(part: &str) -> Vec<String> {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let unused = match part.len() % 4 {
        2 => 4,
        3 => 2,
        _ => return Vec::new(),
    };
    let last = ALPHABET.iter().position(|c| Some(c) == part.as_bytes().last()).unwrap();
    let other = |bits: usize| format!("{}{}", &part[..part.len() - 1], char::from(ALPHABET[last ^ bits]));
    (1..1 << unused).map(other).collect()
}

fn reencodings(token: &str) -> Vec<(String, String)> {
    let [header, payload, signature] = token.split('.').collect::<Vec<_>>()[..] else { panic!("three parts") };
    let mut made: Vec<(String, String)> = Vec::new();
    let mut add = |what: &str, text: String| made.push((what.to_owned(), text));
    let padded = |part: &str| {
        format!("{part}{}", "=".repeat((4 - part.len() % 4) % 4 + usize::from(part.len().is_multiple_of(4))))
    };
    let standard = |part: &str| STANDARD.encode(URL_SAFE_NO_PAD.decode(part).unwrap());
    add("padded signature", format!("{header}.{payload}.{}", padded(signature)));
    add("padded payload", format!("{header}.{}.{signature}", padded(payload)));
    add("padded header", format!("{}.{payload}.{signature}", padded(header)));
    add("standard alphabet", format!("{}.{}.{}", standard(header), standard(payload), standard(signature)));
    for blank in [" ", "\t", "\n", "\r\n", "\u{a0}", "\u{feff}", "\u{200b}", "\0"] {
        add("blank before", format!("{blank}{token}"));
        add("blank behind", format!("{token}{blank}"));
        add("blank within", format!("{header}.{blank}{payload}.{signature}"));
        add("blank in the signature", format!("{header}.{payload}.{}{blank}{}", &signature[..9], &signature[9..]));
    }
    add("dot behind", format!("{token}."));
    add("dot before", format!(".{token}"));
    add("four parts", format!("{token}.{signature}"));
    add("five parts", format!("{header}..{payload}..{signature}"));
    add("scheme before", format!("Bearer {token}"));
    add("quoted", format!("\"{token}\""));
    add("percent", token.replace('.', "%2E"));
    add("upper case", token.to_uppercase());
    add("twice", format!("{token},{token}"));
    add("no signature", format!("{header}.{payload}."));
    let flattened = format!(r#"{{"protected":"{header}","payload":"{payload}","signature":"{signature}"}}"#);
    add("JSON serialization", flattened);
    for (at, part) in [header, payload, signature].into_iter().enumerate() {
        for other in stray_bits(part) {
            let mut parts = [header, payload, signature].map(str::to_owned);
            parts[at] = other;
            add("stray bits", parts.join("."));
        }
    }
    // The same JSON in other bytes: they were not signed.
    let json = |part: &str| String::from_utf8(URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap();
    for (what, header_json, payload_json) in [
        ("blank in the header's JSON", json(header).replacen('{', "{ ", 1), json(payload)),
        ("blank in the payload's JSON", json(header), json(payload).replacen('{', "{ ", 1)),
        ("escaped in the payload's JSON", json(header), json(payload).replacen("\"jti\"", "\"\\u006ati\"", 1)),
        ("upper case jti", json(header), json(payload).replacen("\"jti\":\"", "\"jti\":\"A", 1)),
        ("none", r#"{"alg":"none","typ":"at+jwt"}"#.to_owned(), json(payload)),
    ] {
        let parts = [header_json, payload_json].map(|json| URL_SAFE_NO_PAD.encode(json));
        add(what, format!("{}.{}.{signature}", parts[0], parts[1]));
    }
    made
}

// holds: R1
#[tokio::test]
async fn every_reencoding_of_a_revoked_token_is_refused() {
    for algorithm in Algorithm::EVERY {
        let house = House::of(algorithm).await;
        let pair = house.login("alice").await;
        assert!(house.check(&pair.access_token).await.is_ok(), "and is in the cache");
        let others = reencodings(&pair.access_token);
        let kinds: std::collections::BTreeSet<_> = others.iter().map(|(what, _)| what).collect();
        assert!(kinds.len() >= 12, "{}", kinds.len());
        for (what, other) in &others {
            refused(house.check(other).await);
            assert!(house.rescind.verify(other).is_err(), "{algorithm}: {what}");
        }
        house.rescind.logout(&pair.access_token, LogoutScope::Session, text("alice")).await.unwrap();
        assert!(matches!(refused(house.check(&pair.access_token).await), Rejection::Revoked(_)));
        for (what, other) in &others {
            let why = refused(house.check(other).await);
            assert!(!matches!(why, Rejection::Expired), "{algorithm}: {what}");
        }
    }
}

/// The same ECDSA signature with n − s in the place of s: as valid, and another text (the order of P-256 is n).
fn negated(token: &str) -> String {
    const ORDER: [u8; 32] = [
        0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6,
        0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
    ];
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let mut signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    let mut borrow = 0;
    for at in (0..32).rev() {
        let difference = i16::from(ORDER[at]) - i16::from(signature[32 + at]) - borrow;
        borrow = i16::from(difference < 0);
        signature[32 + at] = u8::try_from(difference.rem_euclid(256)).unwrap();
    }
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

// holds: R1
#[tokio::test]
async fn a_token_whose_signature_has_a_second_form_is_revoked_in_both() {
    let house = House::of(Algorithm::Es256).await;
    let pair = house.login("alice").await;
    let other = negated(&pair.access_token);
    assert_ne!(other, pair.access_token);
    let jti = house.check(&pair.access_token).await.unwrap().jti();
    assert_eq!(house.check(&other).await.unwrap().jti(), jti, "the second form is as valid");
    assert_eq!(crate::support::payload(&pair.access_token)["jti"], jti.to_string());
    house.revoke(Scope::token(jti)).await;
    for text in [&pair.access_token, &other] {
        assert_eq!(refused(house.check(text).await), Rejection::Revoked(ScopeKind::Token));
    }
}

#[tokio::test]
async fn every_reencoding_of_a_refresh_token_is_refused_and_spends_nothing() {
    let house = House::new().await;
    let pair = house.login("alice").await;
    let token = &pair.refresh_token;
    for other in [
        format!(" {token}"),
        format!("{token} "),
        format!("{token}="),
        format!("{token}\n"),
        token.to_uppercase(),
        token.replacen("rrt_", "rrt-", 1),
        token.replacen("rrt_", "rrt_rrt_", 1),
        token.replace('-', "+").replace('_', "/"),
        format!("{token}.{token}"),
        format!("Bearer {token}"),
        format!("\"{token}\""),
        token.replacen("rrt_", "", 1),
    ] {
        assert_eq!(refused(house.refresh(&other).await), Rejection::NotRefreshToken, "{other:?}");
    }
    assert_eq!(house.lives(&pair).await, (true, true));
}

// holds: R12, R13
#[tokio::test]
async fn a_hit_of_the_cache_is_checked_against_time_key_and_log_anew() {
    for checks in [Checks::Both, Checks::RefreshOnly] {
        let house = House::set(|settings| (settings.checks, settings.access_jitter) = (checks, 0)).await;
        let warm = async |name: &str| {
            let pair = house.login(name).await;
            for _ in 0..3 {
                assert!(house.check(&pair.access_token).await.is_ok());
            }
            pair
        };
        let (revoked, expired) = (warm("a").await, warm("b").await);
        assert!(house.rescind.stats().counts.cache_hits >= 4 && house.rescind.stats().cached_tokens >= 2);
        house.revoke(Scope::session(revoked.session_id)).await;
        assert_eq!(house.check(&revoked.access_token).await.is_err(), checks == Checks::Both);
        house.pass(crate::support::secs(900)).await;
        assert_eq!(refused(house.check(&expired.access_token).await), Rejection::Expired);
        let of_key = warm("c").await;
        house.revoke(Scope::Key(house.current_kid())).await;
        assert_eq!(refused(house.check(&of_key.access_token).await), Rejection::KeyRevoked);
    }
}

#[tokio::test]
async fn a_handle_without_a_cache_says_the_same() {
    let house = House::set(|settings| settings.cache_bytes = 0).await;
    let pair = house.login("alice").await;
    for _ in 0..3 {
        assert!(house.check(&pair.access_token).await.is_ok());
    }
    assert_eq!((house.rescind.stats().counts.cache_hits, house.rescind.stats().cached_tokens), (0, 0));
    house.revoke(Scope::All).await;
    refused(house.check(&pair.access_token).await);
}
