//! Reading sessions and the log, for their owner and for operators. Owns no rule.

use super::Rescind;
use super::error::Error;
use super::logout::is_live;
use crate::id::{SessionId, Subject};
use crate::log::Entry;
use crate::position::Seq;
use crate::session::Loaded;
use crate::store::{Feed, Page, SessionPage};

/// A list of live sessions reads parts of this size, and so many of them.
const PART: usize = 200;
const PARTS: usize = 50;

impl Rescind {
    /// Lists a subject's sessions, newest first, dead ones included.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn sessions_of(&self, subject: &Subject, page: Page) -> Result<SessionPage, Error> {
        Ok(self.0.store.sessions_of(subject, page).await?)
    }

    /// Lists a subject's live sessions, newest first: the first `most`, among its newest 10,000 sessions, dead ones
    /// included: whoever signs in and out all day must not make a list dear.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), rescind::BoxError> {
    /// # use rescind::{OpenSession, Rescind, id::{ClientId, Subject}, keys::RootSecret, store::MemoryStore};
    /// # let rescind = Rescind::builder("https://login.example", "https://api.example")
    /// #     .store(MemoryStore::new()?).root_secret(RootSecret::from_bytes([7; 32])).build().await?;
    /// # let pair = rescind.open_session(OpenSession::new(Subject::new("alice")?, ClientId::new("app")?)).await?;
    /// let live = rescind.live_sessions_of(&Subject::new("alice")?, 100).await?;
    /// assert_eq!(live.len(), 1);
    /// assert_eq!(live[0].session.id, pair.session_id);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// **Cost:** at most 50 reads of the store; one where the newest are the live ones.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn live_sessions_of(&self, subject: &Subject, most: usize) -> Result<Vec<Loaded>, Error> {
        let mut live = Vec::new();
        let mut after = None;
        for _ in 0..PARTS {
            let page = self.store().sessions_of(subject, Page { after, limit: PART }).await?;
            live.extend(page.sessions.into_iter().filter(is_live));
            after = page.next;
            if after.is_none() || live.len() >= most {
                break;
            }
        }
        live.truncate(most);
        Ok(live)
    }

    /// Reads a session; `None` where there is none, or it was swept after its end.
    ///
    /// **Cost:** one read. "None" is said by a shared store only behind a durable write of this node, which all share.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn session(&self, sid: SessionId) -> Result<Option<Loaded>, Error> {
        let load = async || Ok(self.0.store.load(sid).await?);
        self.0.proven(load, |answer| matches!(answer, Ok(None))).await
    }

    /// Reads the log after a position.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn log(&self, after: Seq, limit: usize) -> Result<Feed, Error> {
        Ok(self.0.store.after(after, limit).await?)
    }

    /// Reads one entry; `None` where there is none, or it was swept.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn entry(&self, seq: Seq) -> Result<Option<Entry>, Error> {
        Ok(self.0.entry(seq).await?)
    }
}
