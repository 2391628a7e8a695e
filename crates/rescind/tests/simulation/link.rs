//! The store as a node sees it: every call goes through the node's link. What was written is told to the truth in the
//! moment in which it was.

use async_trait::async_trait;
use rescind::id::{SessionId, Subject};
use rescind::log::NewEntry;
use rescind::position::{Generation, Incarnation, Seq};
use rescind::session::{Loaded, NewSession, Session};
use rescind::store::{
    Advance, Appended, Feed, Head, Operation, Page, Put, Record, RecordKind, SessionPage, Snapshot, Store, StoreError,
    Swept,
};
use rescind::time::Timestamp;

use super::network::Link;

#[async_trait]
impl Store for Link {
    async fn open(&self, session: NewSession) -> Result<Session, StoreError> {
        self.call(Operation::Open, |store, process| async move {
            let opened = store.open(session).await?;
            process.truth.opened(&opened);
            Ok(opened)
        })
        .await
    }

    async fn load(&self, sid: SessionId) -> Result<Option<Loaded>, StoreError> {
        self.call(Operation::Load, move |store, _| async move { store.load(sid).await }).await
    }

    async fn advance(&self, sid: SessionId, from: Generation, to: Generation) -> Result<Advance, StoreError> {
        self.call(Operation::Advance, move |store, process| async move {
            let advance = store.advance(sid, from, to).await?;
            if let Advance::Advanced(_) = advance {
                process.truth.rotated(sid);
            }
            Ok(advance)
        })
        .await
    }

    async fn sessions_of(&self, subject: &Subject, page: Page) -> Result<SessionPage, StoreError> {
        let subject = subject.clone();
        self.call(Operation::SessionsOf, move |store, _| async move { store.sessions_of(&subject, page).await }).await
    }

    async fn append(&self, entries: Vec<NewEntry>) -> Result<Appended, StoreError> {
        self.call(Operation::Append, |store, process| async move {
            let appended = store.append(entries).await?;
            if let Appended::Done(entries) = &appended {
                process.truth.appended(entries, process.now());
                process.grown.notify_waiters();
            }
            Ok(appended)
        })
        .await
    }

    async fn after(&self, after: Seq, limit: usize) -> Result<Feed, StoreError> {
        self.call(Operation::After, move |store, _| async move { store.after(after, limit).await }).await
    }

    async fn snapshot(&self, since: Timestamp) -> Result<Snapshot, StoreError> {
        self.call(Operation::Snapshot, move |store, _| async move { store.snapshot(since).await }).await
    }

    async fn sweep(&self, before: Timestamp, limit: usize) -> Result<Swept, StoreError> {
        self.call(Operation::Sweep, move |store, process| async move {
            let swept = store.sweep(before, limit).await?;
            process.truth.swept(swept.rows());
            Ok(swept)
        })
        .await
    }

    async fn health(&self) -> Result<Head, StoreError> {
        self.call(Operation::Health, |store, _| async move { store.health().await }).await
    }

    async fn reincarnate(&self, lost: Incarnation, new: Incarnation, head: Seq) -> Result<bool, StoreError> {
        self.call(Operation::Reincarnate, move |store, process| async move {
            let begun = store.reincarnate(lost, new, head).await?;
            if begun {
                process.truth.healed();
            }
            Ok(begun)
        })
        .await
    }

    async fn record(&self, kind: RecordKind, id: &str) -> Result<Option<Record>, StoreError> {
        let id = id.to_owned();
        self.call(Operation::Record, move |store, _| async move { store.record(kind, &id).await }).await
    }

    async fn put_record(
        &self,
        kind: RecordKind,
        id: &str,
        expected: u64,
        body: Vec<u8>,
        ends: Option<Timestamp>,
    ) -> Result<Put, StoreError> {
        let id = id.to_owned();
        self.call(Operation::PutRecord, move |store, process| async move {
            let put = store.put_record(kind, &id, expected, body, ends).await?;
            if let Put::Written(_) = put {
                process.truth.recorded(kind);
            }
            Ok(put)
        })
        .await
    }

    async fn records(
        &self,
        kind: RecordKind,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, Record)>, StoreError> {
        let after = after.map(str::to_owned);
        let read = move |store: std::sync::Arc<rescind::store::MemoryStore>, _| async move {
            store.records(kind, after.as_deref(), limit).await
        };
        self.call(Operation::Records, read).await
    }

    async fn woken(&self) {
        self.0.store.grown.notified().await;
    }
}
