//! Opening a session for somebody whom a provider vouches for, so that the provider can end it. Owns the order: opened,
//! then remembered, then given out; and what is not remembered is ended again.

use rescind::id::SessionId;
use rescind::log::Text;
use rescind::{Error, LogoutScope, OpenSession, TokenPair};

use super::error::{SignInError, SignInFault};
use super::identity::Identity;
use super::ledger::{Ledger, WINDOW, session_id, subject_id};
use super::providers::Providers;

/// So many of our sessions hang on one session at a provider; beyond that the oldest ends.
const SESSIONS_MAX: usize = 100;

impl Providers {
    /// Opens a session for an identity, and remembers whose it is at the provider. The session's subject is the
    /// request's: [`Identity::account`], or another under which the application keeps the user. Where the request says
    /// nothing of when they proved who they are, the provider's word counts.
    ///
    /// **Atomicity:** a logout that the provider orders meanwhile ends the session, or this fails.
    ///
    /// **Cost:** beside the opening, four reads and a write of the store; a write more for a subject that is not the
    /// account.
    ///
    /// # Errors
    /// [`SignInFault::EndedByProvider`], [`SignInFault::Expired`] where the identity is too old, [`SignInFault::Rescind`].
    pub async fn open_session(&self, identity: &Identity, request: OpenSession) -> Result<TokenPair, SignInError> {
        let (this, identity, issuer) = (self.clone(), identity.clone(), identity.issuer.clone());
        // To its end, also where whoever asked goes away: a session that nobody remembers must not stay.
        let opened = tokio::spawn(async move { this.open_and_remember(&identity, request).await }).await;
        let opened = opened.unwrap_or_else(|failed| Err(Error::Internal(failed.into()).into()));
        opened.map_err(|fault| {
            tracing::warn!(issuer, reason = %fault, "no session was opened for a sign-in with a provider");
            fault.into()
        })
    }

    async fn open_and_remember(&self, identity: &Identity, mut request: OpenSession) -> Result<TokenPair, SignInFault> {
        let (rescind, ledger) = (&self.0.rescind, Ledger(&self.0.rescind));
        if rescind.clock().wall().since(identity.issued_at) > WINDOW {
            return Err(SignInFault::Expired);
        }
        let session = identity.provider_session.as_deref().map(|sid| session_id(&identity.issuer, sid));
        let subject = subject_id(&identity.issuer, &identity.subject);
        for id in session.iter().chain([&subject]) {
            let entry = ledger.read(id).await?;
            if entry.has_ended(identity.issued_at) {
                return Err(SignInFault::EndedByProvider);
            }
            if entry.sessions.len() >= SESSIONS_MAX {
                self.make_room(id, &entry.sessions).await?;
            }
        }
        request.auth_time = request.auth_time.or(identity.auth_time);
        let ours = request.subject.clone();
        let pair = rescind.open_session(request).await?;
        let remembered = async {
            let mut ended = false;
            if let Some(id) = &session {
                ended |= ledger
                    .change(id, |entry| {
                        entry.sessions.push(pair.session_id);
                        entry.has_ended(identity.issued_at)
                    })
                    .await?;
            }
            // Read after the opening: a logout wrote here before it cut the subject off, or its cut-off is the later one.
            ended |= if ours == identity.account {
                ledger.read(&subject).await?.has_ended(identity.issued_at)
            } else {
                ledger
                    .change(&subject, |entry| {
                        if !entry.subjects.contains(&ours) {
                            entry.subjects.push(ours.clone());
                        }
                        entry.has_ended(identity.issued_at)
                    })
                    .await?
            };
            if ended { Err(SignInFault::EndedByProvider) } else { Ok(()) }
        };
        if let Err(fault) = remembered.await {
            self.end_again(pair.session_id).await;
            return Err(fault);
        }
        Ok(pair)
    }

    /// Drops what is over from a provider's session that many of ours hang on, or ends the oldest.
    async fn make_room(&self, id: &str, sessions: &[SessionId]) -> Result<(), SignInFault> {
        let (rescind, ledger) = (&self.0.rescind, Ledger(&self.0.rescind));
        let mut over = Vec::new();
        for sid in sessions {
            let live = rescind.session(*sid).await?;
            let live = live.filter(|it| it.cut_off.is_none() && it.session.lapsed(it.now).is_none());
            if live.is_none() {
                over.push(*sid);
            }
        }
        if over.is_empty() {
            over.extend(sessions.first());
        }
        for sid in &over {
            rescind.end(*sid, LogoutScope::Session, actor()?).await?;
        }
        Ok(ledger.change(id, |entry| entry.sessions.retain(|sid| !over.contains(sid))).await?)
    }

    /// Its tokens were given to nobody, so it is only untidy where this fails.
    async fn end_again(&self, sid: SessionId) {
        let ended = match actor() {
            Ok(actor) => self.0.rescind.end(sid, LogoutScope::Session, actor).await,
            Err(error) => Err(error),
        };
        if let Err(error) = ended {
            tracing::warn!(%error, "a session that nobody was given could not be ended");
        }
    }
}

/// Who ended it, in the log.
pub(super) fn actor() -> Result<Text, Error> {
    Text::new("provider").map_err(|error| Error::Internal(error.into()))
}
