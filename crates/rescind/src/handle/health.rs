//! What the store last said of itself, for readiness. Owns the word; asks no store.

use std::sync::{Mutex, PoisonError};

use crate::store::{Head, StoreError};

/// The store's last word.
#[derive(Debug)]
pub(super) struct Health(Mutex<Result<Head, String>>);

impl Health {
    pub(super) const fn new(head: Head) -> Self {
        Self(Mutex::new(Ok(head)))
    }

    pub(super) fn read(&self) -> Result<Head, String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn note(&self, health: Result<Head, &StoreError>) {
        let health = health.map_err(ToString::to_string);
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let (Ok(_), Err(error)) = (&*known, &health) {
            tracing::warn!(error, "the store is not healthy");
        }
        *known = health;
    }
}
