//! Which of our sessions came of which session at a provider, and what the provider has ended: one record each in the
//! store, under compare-and-set. Owns their shape and how long they are kept. Opening and logging out write the same
//! record, so that whichever comes second sees the other.

use std::time::Duration;

use rescind::Error;
use rescind::Rescind;
use rescind::id::{SessionId, Subject};
use rescind::store::{Put, RecordKind, StoreError, StoreErrorKind};
use rescind::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::callback::{ID_TOKEN_AGE, SKEW};
use super::identity::digest_of;

/// How long after its ID token's issue a sign-in may still open a session. So long it is remembered what a provider has
/// ended.
pub(super) const WINDOW: Duration = Duration::from_mins(30);
/// So often a lost compare-and-set is tried again.
const ATTEMPTS: usize = 32;

/// What a record says. Of the provider's session `sessions` counts, of the provider's subject `subjects`.
#[derive(Serialize, Deserialize, Default, Debug)]
pub(super) struct Entry {
    /// When the provider ended it: what comes of an ID token that was issued until then ends, too.
    pub(super) ended: Option<Timestamp>,
    /// Our sessions that were opened under it.
    #[serde(default)]
    pub(super) sessions: Vec<SessionId>,
    /// The subjects under which the application keeps it, where they are not its account.
    #[serde(default)]
    pub(super) subjects: Vec<Subject>,
}

impl Entry {
    /// Whether what comes of an ID token of that moment has ended. The provider's times are whole seconds: doubt means
    /// ended.
    pub(super) fn has_ended(&self, issued_at: Timestamp) -> bool {
        self.ended.is_some_and(|ended| issued_at <= ended)
    }
}

/// Reads and writes the records.
pub(super) struct Ledger<'a>(pub(super) &'a Rescind);

/// The record of a provider's session.
pub(super) fn session_id(issuer: &str, sid: &str) -> String {
    format!("sid:{}", digest_of(&[issuer, sid]))
}

/// The record of a provider's subject.
pub(super) fn subject_id(issuer: &str, subject: &str) -> String {
    format!("sub:{}", digest_of(&[issuer, subject]))
}

impl Ledger<'_> {
    /// Reads a record; an empty one where there is none.
    pub(super) async fn read(&self, id: &str) -> Result<Entry, Error> {
        Ok(self.load(id).await?.1)
    }

    /// Changes a record, kept as long as a session that is opened now may live.
    pub(super) async fn change<T>(&self, id: &str, act: impl Fn(&mut Entry) -> T) -> Result<T, Error> {
        let settings = self.0.settings();
        let longest = settings.absolute + settings.max_access_lifetime + settings.leeway;
        let ends = self.0.clock().wall().plus(longest.max(WINDOW + ID_TOKEN_AGE) + SKEW * 2);
        for _ in 0..ATTEMPTS {
            let (version, mut entry) = self.load(id).await?;
            let done = act(&mut entry);
            let body = serde_json::to_vec(&entry).map_err(|error| Error::Internal(error.into()))?;
            let put = self.0.store().put_record(RecordKind::PROVIDER_SESSIONS, id, version, body, Some(ends));
            if let Put::Written(_) = put.await? {
                return Ok(done);
            }
        }
        let contended = "other sign-ins wrote the provider session every time; try again";
        Err(StoreError::new(StoreErrorKind::Unavailable, "put_record", contended).into())
    }

    async fn load(&self, id: &str) -> Result<(u64, Entry), Error> {
        let Some(record) = self.0.store().record(RecordKind::PROVIDER_SESSIONS, id).await? else {
            return Ok((0, Entry::default()));
        };
        let damaged = |error| {
            let what = format!("record provider_sessions/{id}: {error}; put it back from a backup");
            StoreError::new(StoreErrorKind::Corrupt, "record", what)
        };
        let entry = serde_json::from_slice(&record.body).map_err(damaged)?;
        Ok((record.version, entry))
    }
}
