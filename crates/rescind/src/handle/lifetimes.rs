//! The largest lifetimes that any node on the store gives out, as this node knows them, and what follows from them: how
//! long a token may live to pass here, and for how long cut-offs are kept. How they are registered stands in `shared`.
//!
//! A cut-off is remembered by the lifetimes that count when it is made. So no node makes one by lifetimes that it read
//! longer than [`KNOWN_FOR`] ago, and a node that registers larger ones gives nothing out before [`HEARD_WITHIN`].

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::Inner;
use super::error::Error;
use super::revoke::session_retention;
use super::settings::Settings;
use super::shared::{self, Lifetimes};
use crate::access_token::ForeignIssuer;
use crate::store::{StoreError, StoreErrorKind};
use crate::time::BootTime;
use crate::view::Retention;

/// What was read longer ago is read again before anything is revoked by it.
const KNOWN_FOR: Duration = Duration::from_secs(1);
/// Larger lifetimes count only so long after they were registered: [`KNOWN_FOR`], and what a slow write takes.
pub(super) const HEARD_WITHIN: Duration = Duration::from_secs(3);

/// The lifetimes as last read.
#[derive(Debug)]
pub(super) struct KnownLifetimes {
    pub(super) kept: Arc<Retention>,
    /// Milliseconds since boot.
    read: AtomicU64,
    reading: tokio::sync::Mutex<()>,
    other_issuer: std::sync::Mutex<Option<String>>,
}

impl KnownLifetimes {
    pub(super) fn new(kept: Arc<Retention>, read: BootTime) -> Self {
        let (reading, other_issuer) = (tokio::sync::Mutex::default(), std::sync::Mutex::default());
        Self { kept, read: AtomicU64::new(read.as_millis()), reading, other_issuer }
    }

    fn is_known_of(&self, moment: BootTime) -> bool {
        BootTime::from_millis(self.read.load(Ordering::Acquire)) >= moment
    }
}

/// For how long cut-offs matter to an access token and to a session, by the largest lifetimes.
pub(super) fn retention(settings: &Settings, foreign: &[ForeignIssuer], largest: &Lifetimes) -> (Duration, Duration) {
    let longest = foreign.iter().map(|foreign| foreign.expectations().longest_life()).max();
    let access = settings.access_retention(largest.access).max(longest.unwrap_or_default());
    (access, session_retention(largest.session, access))
}

impl Inner {
    /// Makes sure that the largest lifetimes are known as they stood a moment ago.
    ///
    /// **Cost:** a read of the store a second, however many ask; none where it is not shared.
    pub(super) async fn know_lifetimes(&self) -> Result<(), Error> {
        self.know_lifetimes_of(self.clock.boot().minus(KNOWN_FOR)).await
    }

    /// Makes sure that they are known as they stood at `moment` or later.
    pub(super) async fn know_lifetimes_of(&self, moment: BootTime) -> Result<(), Error> {
        if !self.store.is_shared() || self.lifetimes.is_known_of(moment) {
            return Ok(());
        }
        let _reading = self.lifetimes.reading.lock().await;
        if self.lifetimes.is_known_of(moment) { Ok(()) } else { self.read_lifetimes().await }
    }

    /// Reads the largest lifetimes, and goes by them from now on.
    pub(super) async fn read_lifetimes(&self) -> Result<(), Error> {
        let began = self.clock.boot();
        if let Some((issuer, largest)) = shared::read(&*self.store).await? {
            self.note_issuer(issuer);
            self.go_by(&largest);
        }
        self.lifetimes.read.fetch_max(began.as_millis(), Ordering::AcqRel);
        Ok(())
    }

    /// Goes by what a log that is only followed told of lifetimes.
    pub(super) fn hear_lifetimes(&self) {
        let access = self.store.longest_life();
        if access > self.expectations.load().max_lifetime() {
            self.go_by(&Lifetimes { access, session: Duration::ZERO });
        }
    }

    /// Asks the node that is followed for its lifetimes: its next answer tells them.
    ///
    /// **Cost:** the read of a round; all who wait share it.
    pub(super) async fn ask_lifetimes(&self) -> Result<(), Error> {
        let asked = tokio::time::timeout(self.settings.staleness_bound, self.progress.round()).await;
        asked.map_err(|late| StoreError::new(StoreErrorKind::Unavailable, "after", late))?;
        self.hear_lifetimes();
        Ok(())
    }

    fn go_by(&self, largest: &Lifetimes) {
        let (access, session) = retention(&self.settings, &self.foreign, largest);
        // Kept for longer before anything is accepted for longer.
        self.lifetimes.kept.raise(access, session);
        let expected = self.expectations.load();
        if largest.access > expected.max_lifetime() {
            tracing::info!(seconds = largest.access.as_secs(), "another node gives access tokens a longer life");
            self.expectations.store(Arc::new((**expected).clone().with_max_lifetime(largest.access)));
        }
    }

    /// Another issuer was registered since the start: two nodes were started at once that differ.
    fn note_issuer(&self, issuer: String) {
        let mut noted = self.lifetimes.other_issuer.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let other = Some(issuer).filter(|issuer| *issuer != self.issuer);
        if let (Some(theirs), true) = (&other, *noted != other) {
            tracing::error!(ours = self.issuer, theirs, "ALARM: another issuer was registered on this node's store");
        }
        *noted = other;
    }
}
