//! What nodes that share a store must agree on, in one record: the issuer, and the largest access lifetime that any
//! of them may have issued.

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
}

/// Registers this node's largest access lifetime and returns the largest of all.
pub(super) async fn register(store: &dyn Store, issuer: &str, max_lifetime: Duration) -> Result<Duration, BuildError> {
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
        let registered = present.as_ref().map_or(0, |present| present.max_access_lifetime);
        let largest = registered.max(max_lifetime.as_secs());
        let wanted = Shared { issuer: issuer.to_owned(), max_access_lifetime: largest };
        if present.as_ref() == Some(&wanted) {
            return Ok(Duration::from_secs(largest));
        }
        let body = serde_json::to_vec(&wanted).map_err(unreadable)?;
        if let Put::Written(_) = store.put_record(RecordKind::SETTINGS, ID, version, body).await? {
            return Ok(Duration::from_secs(largest));
        }
    }
    Err(StoreError::new(StoreErrorKind::Unavailable, "put_record", "other nodes wrote the shared settings every time")
        .into())
}
