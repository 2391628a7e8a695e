//! The key ring's document in a store. Whatever lies there is a ring or an error that says what is wrong, and a ring that
//! was read is written as one that reads the same.

use rescind::keys::{KeyRing, RingDocumentError};
use rescind::testing::SeededRandom;

use crate::ground::{NOW, root};

/// Any document.
pub(super) fn key_ring(bytes: &[u8]) {
    let ring = match KeyRing::from_document(bytes, &root()) {
        Ok(ring) => ring,
        Err(error) => {
            let text = error.to_string();
            assert!(text.contains("key ring") || matches!(error, RingDocumentError::Shape), "{text}");
            return;
        }
    };
    let random = SeededRandom::new(3);
    let again = KeyRing::from_document(&ring.to_document(&root(), &random).unwrap(), &root()).unwrap();
    let shown = |ring: &KeyRing| {
        let keys = ring.keys().iter().map(|key| (key.id().clone(), key.algorithm(), key.state()));
        (ring.jwks(), ring.algorithms().to_vec(), keys.collect::<Vec<_>>())
    };
    assert_eq!(shown(&ring), shown(&again));
    // What signs can be verified, and what is revoked cannot.
    let current = ring.current();
    let key = ring.find(current.id().as_str()).unwrap();
    assert!(key.verifying().is_some());
    let revoked = ring.revoke(&current.id().clone(), NOW, &random).unwrap();
    assert!(revoked.find(current.id().as_str()).unwrap().verifying().is_none());
    assert_ne!(revoked.current().id(), current.id());
}
