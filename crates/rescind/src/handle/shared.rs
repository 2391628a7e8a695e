//! What nodes that share a store must agree on, in one record: the issuer, and the largest lifetimes that any of them,
//! or this one before its settings changed, may have given to tokens and sessions.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::error::BuildError;
use crate::store::{Put, RecordKind, Store, StoreError, StoreErrorKind};

const ID: &str = "shared";
const ATTEMPTS: usize = 16;

#[derive(Serialize, Deserialize, Clone, PartialEq, Eq)]
struct Shared {
    issuer: String,
    /// **Units:** seconds. Only grows: tokens of a node with a longer lifetime may still be about.
    max_access_lifetime: u64,
    /// **Units:** seconds. Only grows: sessions of a longer life may still be open.
    #[serde(default)]
    max_session_lifetime: u64,
}

impl Shared {
    const fn lifetimes(&self) -> Lifetimes {
        Lifetimes {
            access: Duration::from_secs(self.max_access_lifetime),
            session: Duration::from_secs(self.max_session_lifetime),
        }
    }
}

/// The largest lifetimes that count on a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lifetimes {
    /// Of an access token.
    pub(super) access: Duration,
    /// Of a session.
    pub(super) session: Duration,
}

/// What registering came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Registered {
    /// Nobody can be surprised: these counted already, or the store is new.
    Known(Lifetimes),
    /// These are larger than what the nodes that run know of.
    Larger(Lifetimes),
}

/// Reads the issuer and the largest lifetimes that are registered; `None` where nothing is.
pub(super) async fn read(store: &dyn Store) -> Result<Option<(String, Lifetimes)>, StoreError> {
    let Some(record) = store.record(RecordKind::SETTINGS, ID).await? else { return Ok(None) };
    let unreadable = |error| StoreError::new(StoreErrorKind::Corrupt, "record", BuildError::Shared(error));
    let shared: Shared = serde_json::from_slice(&record.body).map_err(|error| unreadable(error.to_string()))?;
    let lifetimes = shared.lifetimes();
    Ok(Some((shared.issuer, lifetimes)))
}

/// Registers this node's largest lifetimes and returns the largest of all.
pub(super) async fn register(store: &dyn Store, issuer: &str, own: Lifetimes) -> Result<Registered, BuildError> {
    let unreadable = |error: serde_json::Error| BuildError::Shared(error.to_string());
    for _ in 0..ATTEMPTS {
        let record = store.record(RecordKind::SETTINGS, ID).await?;
        let version = record.as_ref().map_or(0, |record| record.version);
        let present: Option<Shared> =
            record.map(|record| serde_json::from_slice(&record.body)).transpose().map_err(unreadable)?;
        if let Some(other) = present.as_ref().filter(|present| present.issuer != issuer) {
            tracing::warn!(
                before = other.issuer,
                now = issuer,
                "the issuer has changed: tokens of the one before are refused; nodes on one store need the same issuer"
            );
        }
        let before = present.as_ref().map_or((0, 0), |it| (it.max_access_lifetime, it.max_session_lifetime));
        let wanted = Shared {
            issuer: issuer.to_owned(),
            max_access_lifetime: before.0.max(own.access.as_secs()),
            max_session_lifetime: before.1.max(own.session.as_secs()),
        };
        let largest = wanted.lifetimes();
        let registered = match &present {
            Some(present) if present.lifetimes() != largest => Registered::Larger(largest),
            Some(_) | None => Registered::Known(largest),
        };
        if present.as_ref() == Some(&wanted) {
            return Ok(registered);
        }
        let body = serde_json::to_vec(&wanted).map_err(unreadable)?;
        if let Put::Written(_) = store.put_record(RecordKind::SETTINGS, ID, version, body, None).await? {
            return Ok(registered);
        }
    }
    Err(StoreError::new(StoreErrorKind::Unavailable, "put_record", "other nodes wrote the shared settings every time")
        .into())
}
