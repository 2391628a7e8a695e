//! A session: one sign-in on one device. Owns the row's shape and when it ends by time. Whether a cut-off covers
//! it is the log's matter: a row is never marked revoked.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::id::{ClientId, SessionId, Subject};
use crate::log::CutOff;
use crate::position::{Generation, Seq};
use crate::refresh_token::ClientClass;
use crate::time::Timestamp;

/// A session before the store has read the log's head and the time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSession {
    /// Its name; never reused.
    pub id: SessionId,
    /// Whose it is.
    pub subject: Subject,
    /// The application that it was opened through.
    pub client: ClientId,
    /// How its refresh tokens rotate.
    pub class: ClientClass,
    /// When the user proved who they are; the time of opening where `None`.
    pub auth_time: Option<Timestamp>,
    /// Ends this long after its last rotation.
    pub idle: Duration,
    /// Ends this long after its opening, whatever happens.
    pub absolute: Duration,
    /// What a list of devices shows for it.
    pub device: Option<String>,
    /// The OAuth scope of its tokens: words with one blank between (RFC 6749 §3.3).
    pub scope: Option<String>,
    /// The application's own claims: the text of a JSON object. Minted into every access token.
    pub claims: Option<String>,
}

/// A session's row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Its name.
    pub id: SessionId,
    /// Whose it is.
    pub subject: Subject,
    /// The application that it was opened through.
    pub client: ClientId,
    /// How its refresh tokens rotate.
    pub class: ClientClass,
    /// The log's head, read from the store before the row was written: every token of the session carries it.
    pub position: Seq,
    /// The store's time at opening.
    pub opened_at: Timestamp,
    /// When the user proved who they are.
    pub auth_time: Timestamp,
    /// The generation of the newest refresh token.
    pub generation: Generation,
    /// The store's time of the last rotation; of the opening while there was none.
    pub rotated_at: Timestamp,
    /// Ends this long after its last rotation.
    pub idle: Duration,
    /// Ends here, whatever happens.
    pub expires_at: Timestamp,
    /// What a list of devices shows for it.
    pub device: Option<String>,
    /// The OAuth scope of its tokens.
    pub scope: Option<String>,
    /// The application's own claims: the text of a JSON object.
    pub claims: Option<String>,
}

/// Why a session's time is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lapse {
    /// Not used for its idle lifetime.
    Idle,
    /// Its absolute lifetime is over.
    Absolute,
}

impl Session {
    /// Completes a new session with what the store has read: its head and its time, before the row is written.
    pub fn open(new: NewSession, head: Seq, now: Timestamp) -> Self {
        Self {
            id: new.id,
            subject: new.subject,
            client: new.client,
            class: new.class,
            position: head,
            opened_at: now,
            auth_time: new.auth_time.unwrap_or(now),
            generation: Generation::FIRST,
            rotated_at: now,
            idle: new.idle,
            expires_at: now.plus(new.absolute),
            device: new.device,
            scope: new.scope,
            claims: new.claims,
        }
    }

    /// When it ends if nothing happens: the earlier of idle and absolute.
    pub fn ends_at(&self) -> Timestamp {
        self.rotated_at.plus(self.idle).min(self.expires_at)
    }

    /// Why it is over at `now`, if it is. RFC 7519 §4.1.4: "on or after".
    pub fn lapsed(&self, now: Timestamp) -> Option<Lapse> {
        if now >= self.expires_at {
            Some(Lapse::Absolute)
        } else if now >= self.rotated_at.plus(self.idle) {
            Some(Lapse::Idle)
        } else {
            None
        }
    }
}

/// A session together with the highest active cut-off that covers it, read in one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded {
    /// The row.
    pub session: Session,
    /// The highest active cut-off on its session, subject, client or `all` with a position above the session's.
    pub cut_off: Option<CutOff>,
    /// The store's time of that moment.
    pub now: Timestamp,
}
