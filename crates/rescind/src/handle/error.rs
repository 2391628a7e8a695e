//! What a call of the handle can come to when it does not succeed. Owns the split by whose fault it is; knows no
//! HTTP status.

use std::error::Error as StdError;
use std::time::Duration;

use crate::access_token::{ExpectationsInvalid, IssueError};
use crate::handle::settings::InvalidSetting;
use crate::high_water::HighWaterError;
use crate::id::{KeyId, SessionId};
use crate::keys::{KeyError, RingDocumentError};
use crate::log::Entry;
use crate::position::Seq;
use crate::random::RandomFailed;
use crate::rejection::Rejection;
use crate::store::StoreError;
use crate::view::{DamagedLog, FollowError, HealError};

/// An error of a user's callback.
pub type BoxError = Box<dyn StdError + Send + Sync>;

/// Why a call did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The presented token is refused: the caller's matter.
    #[error("refused: {0}")]
    Rejected(#[from] Rejection),
    /// The view is too old to say anything about a token.
    #[error("the revocation log was not heard of for too long; nothing is said about any token until it is")]
    Stale {
        /// When to try again.
        retry_after: Duration,
    },
    /// The store failed. Says nothing about a token.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A callback failed. Says nothing about a token.
    #[error("a callback failed: {0}")]
    Callback(BoxError),
    /// No randomness, no signature, no memory: a fault of this process.
    #[error("internal: {0}")]
    Internal(BoxError),
    /// What was asked for cannot be, whoever asks.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// What was named does not exist.
    #[error(transparent)]
    NotFound(#[from] NotFound),
    /// A lift of a cut-off that stands for good.
    #[error("this cut-off cannot be lifted: {0}")]
    Final(&'static str),
    /// A lift of a cut-off that is not its scope's newest entry.
    #[error("{}", conflict(.newest.as_deref()))]
    Conflict {
        /// The scope's newest entry.
        newest: Option<Box<Entry>>,
    },
}

fn conflict(newest: Option<&Entry>) -> String {
    newest.map_or_else(
        || "nothing is left to lift on that scope".to_owned(),
        |entry| format!("entry {} on {} is newer; name that one", entry.seq, entry.scope),
    )
}

impl From<RandomFailed> for Error {
    fn from(failed: RandomFailed) -> Self {
        Self::Internal(failed.into())
    }
}

/// A request that cannot be fulfilled as it stands.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// The application's own claims cannot be in a token.
    #[error("claims: {0}")]
    Claims(#[from] IssueError),
    /// The scope has not the shape of RFC 6749 §3.3.
    #[error("scope: words of printable ASCII without quotes and backslashes, one blank between two")]
    Scope,
    /// The device's name is too long or has control characters.
    #[error("device: at most 200 characters without control characters")]
    Device,
    /// The subject may not have tokens.
    #[error("the subject may not sign in")]
    Unwelcome,
}

/// Something that was named but is not there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotFound {
    /// No such session.
    #[error("no session {0}")]
    Session(SessionId),
    /// No such key.
    #[error("no signing key {0}")]
    Key(KeyId),
    /// No such entry.
    #[error("no entry {0} in the log")]
    Entry(Seq),
}

/// Why a handle could not be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// Something required was not given to the builder.
    #[error("the builder lacks {0}")]
    Missing(&'static str),
    /// The issuer cannot be one.
    #[error("issuer {0:?}: must be an http or https URL without query and fragment (RFC 8414 §2)")]
    Issuer(String),
    /// Issuer, audience or lifetime cannot be meant.
    #[error(transparent)]
    Expectations(#[from] ExpectationsInvalid),
    /// A setting is outside of its bounds.
    #[error(transparent)]
    Setting(#[from] InvalidSetting),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The high-water file cannot be used.
    #[error(transparent)]
    HighWater(#[from] HighWaterError),
    /// The store's history was lost and could not be healed.
    #[error(transparent)]
    Heal(#[from] HealError),
    /// The log is damaged.
    #[error(transparent)]
    Log(#[from] DamagedLog),
    /// The key ring in the store cannot be used.
    #[error(transparent)]
    Ring(#[from] RingDocumentError),
    /// A signing key could not be made.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The record of shared settings cannot be read.
    #[error("record settings/shared: {0}; it is JSON written by Rescind, put it back from a backup")]
    Shared(String),
    /// A node that lives and shares the store has another issuer.
    #[error(
        "node {node} shares this store and issues as {theirs}, not as {ours}; nodes on one store need the same issuer: \
         start with that one, or end all other nodes first"
    )]
    OtherIssuer {
        /// The other node's name.
        node: String,
        /// Its issuer.
        theirs: String,
        /// The issuer of the node that was to start.
        ours: String,
    },
    /// The issuer's published keys could not be had, or verify nothing.
    #[error("the issuer's keys: {0}")]
    PublishedKeys(BoxError),
    /// There was no randomness.
    #[error(transparent)]
    Random(#[from] RandomFailed),
}

impl From<FollowError> for BuildError {
    fn from(error: FollowError) -> Self {
        match error {
            FollowError::Store(error) => Self::Store(error),
            FollowError::Heal(error) => Self::Heal(error),
            FollowError::HighWater(error) => Self::HighWater(error),
            FollowError::Damaged(error) => Self::Log(error),
        }
    }
}
