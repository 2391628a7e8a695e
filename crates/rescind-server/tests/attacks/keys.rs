//! The signing keys of the server under test. The ring is made here and put into the store before the server starts,
//! through the engine's public API, so that the tests can sign as the server does: with its current key, one that is
//! still to come, one that has retired, and one that was revoked.

use std::fs::{DirBuilder, Permissions};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;

use rescind::keys::{Algorithm, KeyRing, RootSecret, SigningKey};
use rescind::random::SystemRandom;
use rescind::store::{Put, RecordKind, Store};
use rescind::time::{Clock, SystemClock};
use rescind_stores::sqlite::SqliteStore;
use serde_json::Value;

/// What an attacker may have come by, and what nobody may.
pub(crate) struct Keys {
    /// As the server has it.
    ring: KeyRing,
    /// One rotation later: its current key is the ring's next one.
    later: KeyRing,
    /// Before the last rotation.
    retired: KeyRing,
    /// Before its current key was revoked.
    revoked: KeyRing,
    /// Not the server's, under the current key's name.
    stranger: SigningKey,
    /// Another issuer's ring, whose names are its own.
    foreign: KeyRing,
}

impl Keys {
    /// Makes a data directory whose ring is known. The server signs with EdDSA; the keys of the other algorithms retire
    /// when it starts, and go on verifying.
    pub(crate) fn plant(data: &Path, algorithms: &[Algorithm]) -> Self {
        DirBuilder::new().mode(0o700).create(data).unwrap();
        let root = RootSecret::load_or_create(data.join("root.key")).unwrap();
        let now = SystemClock.wall();
        let revoked = KeyRing::new(algorithms, &SystemRandom).unwrap();
        let retired = revoked.rotate(Algorithm::EdDSA, now, &SystemRandom).unwrap();
        let ring = retired.rotate(Algorithm::EdDSA, now, &SystemRandom).unwrap();
        let ring = ring.revoke(revoked.current().id(), now, &SystemRandom).unwrap();
        let document = ring.to_document(&root, &SystemRandom).unwrap();
        let database = data.join("rescind.db");
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
            let store = SqliteStore::open(&database).await.unwrap();
            let put = store.put_record(RecordKind::KEYS, "ring", 0, document, None).await.unwrap();
            assert_eq!(put, Put::Written(1));
        });
        std::fs::set_permissions(&database, Permissions::from_mode(0o600)).unwrap();
        let name = ring.current().id().clone();
        Self {
            later: ring.rotate(Algorithm::EdDSA, now, &SystemRandom).unwrap(),
            stranger: SigningKey::generate(Algorithm::EdDSA, name, &SystemRandom).unwrap(),
            foreign: KeyRing::new(&[Algorithm::EdDSA], &SystemRandom).unwrap(),
            ring,
            retired,
            revoked,
        }
    }

    /// A key by its part, or by its algorithm.
    pub(crate) fn named(&self, name: &str) -> &SigningKey {
        match name {
            "current" => self.ring.current(),
            "next" => self.later.current(),
            "retired" => self.retired.current(),
            "revoked" => self.revoked.current(),
            "stranger" => &self.stranger,
            "foreign" => self.foreign.current(),
            algorithm => self.ring.current_for(Algorithm::from_name(algorithm).expect(algorithm)).expect(algorithm),
        }
    }

    /// The public part of a key.
    pub(crate) fn jwk(&self, name: &str) -> Value {
        let ring = if name == "foreign" { &self.foreign } else { &self.ring };
        let set: Value = serde_json::from_str(&ring.jwks()).unwrap();
        let kid = self.named(name).id().as_str();
        set["keys"].as_array().unwrap().iter().find(|jwk| jwk["kid"] == kid).unwrap().clone()
    }

    /// Everything that is published.
    pub(crate) fn jwks(&self) -> String {
        self.ring.jwks()
    }
}
