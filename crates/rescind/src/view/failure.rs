//! Why a round of the feed, or a healing, could not be completed. Owns which of it may pass by itself.

use super::heal::HealError;
use crate::high_water::HighWaterError;
use crate::position::Seq;
use crate::store::{StoreError, StoreErrorKind};

/// A round that could not be completed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FollowError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Heal(#[from] HealError),
    #[error(transparent)]
    HighWater(#[from] HighWaterError),
    #[error(transparent)]
    Damaged(#[from] DamagedLog),
}

impl FollowError {
    /// Whether reading again cannot help.
    pub(super) fn is_damage(&self) -> bool {
        match self {
            Self::Damaged(_) => true,
            Self::Store(error) | Self::Heal(HealError::Store(error)) => error.kind() == StoreErrorKind::Corrupt,
            Self::Heal(_) | Self::HighWater(_) => false,
        }
    }

    /// Whether the store could not be reached, or did not answer.
    pub(super) fn is_outage(&self) -> bool {
        matches!(self, Self::Store(error) if error.kind() == StoreErrorKind::Unavailable)
    }
}

/// Entries of the log do not add up to its tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the log's entries after position {after} do not add up to its tag: the store's log is damaged or was edited; restore \
     the store from a backup"
)]
pub struct DamagedLog {
    /// The last position that fits.
    pub after: Seq,
}
