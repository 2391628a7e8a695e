//! The ring's moves and its document, from outside.
#![expect(clippy::unwrap_used, reason = "tests fail loudly")]

use std::time::Duration;

use rescind::id::KeyId;
use rescind::keys::{Algorithm, KeyError, KeyRing, KeyState, RingDocumentError, RingKey, RootSecret};
use rescind::random::SystemRandom;
use rescind::time::Timestamp;

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

fn ring() -> KeyRing {
    KeyRing::new(&[Algorithm::EdDSA, Algorithm::Es256, Algorithm::Hs256], &SystemRandom).unwrap()
}

fn state(ring: &KeyRing, kid: &KeyId) -> Option<KeyState> {
    ring.find(kid.as_str()).map(RingKey::state)
}

fn next_of(ring: &KeyRing, algorithm: Algorithm) -> KeyId {
    let next = ring.keys().iter().find(|key| key.algorithm() == algorithm && key.state() == KeyState::Next);
    next.unwrap().id().clone()
}

#[test]
fn rotation_moves_each_key_one_state_on_and_touches_no_other_algorithm() {
    let before = ring();
    let (current, next) = (before.current().id().clone(), next_of(&before, Algorithm::EdDSA));
    let es = before.current_for(Algorithm::Es256).unwrap().id().clone();
    let after = before.rotate(Algorithm::EdDSA, NOW, &SystemRandom).unwrap();
    assert_eq!(state(&after, &current), Some(KeyState::Retired { at: NOW }));
    assert_eq!(after.current().id(), &next);
    assert_eq!(after.current_for(Algorithm::Es256).unwrap().id(), &es);
    assert_eq!(before.current().id(), &current, "a move leaves the old ring as it was");
    assert_eq!(
        before.rotate(Algorithm::Rs256, NOW, &SystemRandom).err(),
        Some(KeyError::NotConfigured(Algorithm::Rs256))
    );
}

// holds: R29
#[test]
fn a_retired_key_stays_until_its_last_token_has_expired() {
    let ring = ring();
    let old = ring.current().id().clone();
    let ring = ring.rotate(Algorithm::EdDSA, NOW, &SystemRandom).unwrap();
    let keep = Duration::from_secs(970);
    assert!(state(&ring.expire(NOW.plus(Duration::from_millis(969_999)), keep), &old).is_some());
    assert_eq!(state(&ring.expire(NOW.plus(keep), keep), &old), None);
    assert!(state(&ring.expire(Timestamp::EPOCH, keep), &old).is_some(), "a clock step forgets nothing early");
}

#[test]
fn revoking_the_current_key_makes_the_next_one_sign_at_once() {
    let ring = ring();
    let (current, next) = (ring.current().id().clone(), next_of(&ring, Algorithm::EdDSA));
    let revoked = ring.revoke(&current, NOW, &SystemRandom).unwrap();
    assert_eq!(state(&revoked, &current), Some(KeyState::Revoked { at: NOW }));
    assert_eq!(revoked.current().id(), &next);
    assert!(revoked.find(current.as_str()).unwrap().verifying().is_none());
    assert!(!revoked.jwks().contains(current.as_str()));
    let again = revoked.revoke(&current, NOW.plus(Duration::from_secs(9)), &SystemRandom).unwrap();
    assert_eq!(state(&again, &current), Some(KeyState::Revoked { at: NOW }));
    let unknown = KeyId::new("nobody").unwrap();
    assert_eq!(ring.revoke(&unknown, NOW, &SystemRandom).err(), Some(KeyError::NoSuchKey));
}

#[test]
fn revoking_a_next_or_retired_key_changes_nothing_for_the_current_one() {
    let ring = ring();
    let old = ring.current().id().clone();
    let ring = ring.rotate(Algorithm::EdDSA, NOW, &SystemRandom).unwrap();
    let (current, next) = (ring.current().id().clone(), next_of(&ring, Algorithm::EdDSA));
    for kid in [old, next] {
        let after = ring.revoke(&kid, NOW, &SystemRandom).unwrap();
        assert_eq!(after.current().id(), &current);
        assert_eq!(state(&after, &kid), Some(KeyState::Revoked { at: NOW }));
        assert_ne!(next_of(&after, Algorithm::EdDSA), kid);
    }
}

// holds: 70
#[test]
fn the_published_set_has_next_current_and_retired_and_nothing_symmetric() {
    let ring = ring().rotate(Algorithm::EdDSA, NOW, &SystemRandom).unwrap();
    let set: serde_json::Value = serde_json::from_str(&ring.jwks()).unwrap();
    let keys = set["keys"].as_array().unwrap();
    assert_eq!(keys.len(), 5);
    for key in keys {
        assert!(matches!(key["kty"].as_str(), Some("OKP" | "EC")), "{key}");
        assert!(key.get("d").is_none() && key.get("k").is_none());
        assert_eq!(key["use"], "sig");
    }
}

#[test]
fn another_configuration_retires_what_it_does_not_name() {
    let ring = ring();
    let old = ring.current().id().clone();
    let es = ring.current_for(Algorithm::Es256).unwrap().id().clone();
    let fitted = ring.with_algorithms(&[Algorithm::Es256], NOW, &SystemRandom).unwrap();
    assert_eq!(fitted.current().id(), &es);
    assert_eq!(state(&fitted, &old), Some(KeyState::Retired { at: NOW }));
    assert!(fitted.current_for(Algorithm::EdDSA).is_none());
    assert_eq!(ring.with_algorithms(&[], NOW, &SystemRandom).err(), Some(KeyError::NoAlgorithm));
    let back = fitted.with_algorithms(&[Algorithm::EdDSA], NOW, &SystemRandom).unwrap();
    assert_ne!(back.current().id(), &old, "a retired key never signs again");
}

#[test]
fn the_document_reads_back_and_shows_no_private_part() {
    let root = RootSecret::generate(&SystemRandom).unwrap();
    let ring = ring().rotate(Algorithm::Hs256, NOW, &SystemRandom).unwrap();
    let ring = ring.revoke(&ring.current().id().clone(), NOW, &SystemRandom).unwrap();
    let document = ring.to_document(&root, &SystemRandom).unwrap();
    let read = KeyRing::from_document(&document, &root).unwrap();
    assert_eq!(read.jwks(), ring.jwks());
    assert_eq!(read.current().id(), ring.current().id());
    let states = |ring: &KeyRing| ring.keys().iter().map(|key| (key.id().clone(), key.state())).collect::<Vec<_>>();
    assert_eq!(states(&read), states(&ring));
}

#[test]
fn a_wrong_root_secret_is_told_from_an_altered_document() {
    let root = RootSecret::from_bytes([7; 32]);
    let document = ring().to_document(&root, &SystemRandom).unwrap();
    let other = KeyRing::from_document(&document, &RootSecret::from_bytes([8; 32])).unwrap_err();
    assert!(matches!(&other, RingDocumentError::WrongRootSecret { .. }), "{other}");
    let text = String::from_utf8(document).unwrap();
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    let (a, b) = (value["keys"][0]["sealed"].as_str().unwrap(), value["keys"][1]["sealed"].as_str().unwrap());
    let swapped = text.replace(a, "@").replace(b, a).replace('@', b);
    assert!(matches!(KeyRing::from_document(swapped.as_bytes(), &root), Err(RingDocumentError::Altered(0))));
    let newer = text.replace("{\"version\":1", "{\"version\":2");
    assert_eq!(KeyRing::from_document(newer.as_bytes(), &root).err(), Some(RingDocumentError::Newer(2)));
    for broken in ["", "{}", "[]", &text[..text.len() / 2]] {
        assert_eq!(KeyRing::from_document(broken.as_bytes(), &root).err(), Some(RingDocumentError::Shape));
    }
}

// holds: R4
#[test]
fn a_ring_holds_at_least_one_algorithm() {
    assert_eq!(KeyRing::new(&[], &SystemRandom).err(), Some(KeyError::NoAlgorithm));
}

// holds: 52, R6
#[test]
fn a_hostile_kid_finds_nothing() {
    let ring = ring();
    for kid in ["", "../../etc/passwd", "' OR 1=1 --", "\0", &"x".repeat(100_000), &"k".repeat(128)] {
        assert!(ring.find(kid).is_none());
    }
}
