//! A store that fails when told to: a wrapper that follows a script of faults before and after the commit. Behind
//! the feature `testing`. Without a script it is the store that it wraps.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;

use super::{
    Advance, Appended, Feed, Head, Page, Put, Record, RecordKind, SessionPage, Snapshot, Store, StoreError,
    StoreErrorKind, Swept,
};
use crate::id::{SessionId, Subject};
use crate::log::NewEntry;
use crate::position::{Generation, Incarnation, Seq};
use crate::session::{Loaded, NewSession, Session};
use crate::time::Timestamp;

macro_rules! operations {
    ($($variant:ident $word:literal),* $(,)?) => {
        /// A method of [`Store`].
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[expect(missing_docs, reason = "each is named after its method")]
        pub enum Operation { $($variant),* }

        impl Operation {
            /// Every operation.
            pub const EVERY: &[Self] = &[$(Self::$variant),*];

            /// The method's name.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }
        }
    };
}

operations! {
    Open "open", Load "load", Advance "advance", SessionsOf "sessions_of", Append "append", After "after",
    Snapshot "snapshot", Sweep "sweep", Health "health", Reincarnate "reincarnate", Record "record",
    PutRecord "put_record", Records "records",
}

/// Which calls of an operation a fault hits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// One call: 1 is the next one from now.
    Nth(u64),
    /// Every call from now on.
    Every,
}

/// What goes wrong.
#[derive(Debug, Clone)]
pub enum Fault {
    /// The call fails before the store is asked: nothing happens.
    Refuse(StoreErrorKind),
    /// The call happens and its reply is lost: the caller gets [`StoreErrorKind::Unavailable`].
    LoseReply,
    /// The call waits at the gate before the store is asked.
    HangBefore(Gate),
    /// The call happens, and its reply waits at the gate.
    HangAfter(Gate),
    /// The call starts this much later.
    Slow(Duration),
}

/// Where calls hang until they are released. Clones are the same gate.
#[derive(Debug, Clone)]
pub struct Gate(Arc<watch::Sender<Passage>>);

#[derive(Debug, Default)]
struct Passage {
    reached: bool,
    open: bool,
}

impl Gate {
    /// Makes a closed gate.
    pub fn new() -> Self {
        Self(Arc::new(watch::Sender::new(Passage::default())))
    }

    /// Waits until a call hangs at the gate, or has hung there.
    pub async fn reached(&self) {
        self.wait(|passage| passage.reached).await;
    }

    /// Opens the gate for good.
    pub fn release(&self) {
        self.0.send_modify(|passage| passage.open = true);
    }

    async fn pass(&self) {
        self.0.send_modify(|passage| passage.reached = true);
        self.wait(|passage| passage.open).await;
    }

    async fn wait(&self, until: impl FnMut(&Passage) -> bool) {
        // The sender lives as long as this gate, so the wait does not end otherwise.
        drop(self.0.subscribe().wait_for(until).await);
    }
}

impl Default for Gate {
    fn default() -> Self {
        Self::new()
    }
}

/// A store around another, which fails as its script says. Every fault is off at first.
pub struct FailingStore<S: ?Sized> {
    inner: Arc<S>,
    script: Mutex<Script>,
}

#[derive(Default)]
struct Script {
    down: bool,
    calls: HashMap<Operation, u64>,
    /// The call that is hit, counted from the first; every call where `None`.
    faults: Vec<(Operation, Option<u64>, Fault)>,
}

impl<S: ?Sized> FailingStore<S> {
    /// Wraps a store.
    pub fn new(inner: Arc<S>) -> Self {
        Self { inner, script: Mutex::default() }
    }

    /// Adds a fault to the script. Where several would hit one call, the one that was added first does.
    pub fn inject(&self, operation: Operation, which: Which, fault: Fault) {
        let mut script = self.script();
        let call = match which {
            Which::Nth(n) => Some(script.calls.get(&operation).copied().unwrap_or(0).saturating_add(n)),
            Which::Every => None,
        };
        script.faults.push((operation, call, fault));
    }

    /// Forgets the script. What hangs goes on hanging.
    pub fn clear(&self) {
        self.script().faults.clear();
    }

    /// Refuses every call as unavailable, until [`up`](Self::up).
    pub fn down(&self) {
        self.script().down = true;
    }

    /// Ends what [`down`](Self::down) began.
    pub fn up(&self) {
        self.script().down = false;
    }

    /// How many calls of an operation there were, those that failed included.
    pub fn calls(&self, operation: Operation) -> u64 {
        self.script().calls.get(&operation).copied().unwrap_or(0)
    }

    fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a call; the fault that hits it.
    fn next_fault(&self, operation: Operation) -> Option<Fault> {
        let mut script = self.script();
        let calls = script.calls.entry(operation).or_default();
        *calls += 1;
        let this = *calls;
        if script.down {
            return Some(Fault::Refuse(StoreErrorKind::Unavailable));
        }
        let hits = |(of, call, _): &(Operation, Option<u64>, Fault)| *of == operation && call.is_none_or(|n| n == this);
        let at = script.faults.iter().position(hits)?;
        script.faults.get(at).map(|(.., fault)| fault.clone())
    }

    /// Runs a call of the wrapped store, and its fault before or after it.
    async fn run<T>(
        &self,
        operation: Operation,
        call: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        let failed = |kind, text: &str| Err(StoreError::new(kind, operation.as_str(), text));
        match self.next_fault(operation) {
            None => call.await,
            Some(Fault::Refuse(kind)) => failed(kind, "refused by the test's script"),
            Some(Fault::LoseReply) => {
                call.await?;
                failed(StoreErrorKind::Unavailable, "the reply was lost by the test's script")
            }
            Some(Fault::HangBefore(gate)) => {
                gate.pass().await;
                call.await
            }
            Some(Fault::HangAfter(gate)) => {
                let reply = call.await;
                gate.pass().await;
                reply
            }
            Some(Fault::Slow(span)) => {
                tokio::time::sleep(span).await;
                call.await
            }
        }
    }
}

#[async_trait]
impl<S: Store + ?Sized> Store for FailingStore<S> {
    async fn open(&self, session: NewSession) -> Result<Session, StoreError> {
        self.run(Operation::Open, self.inner.open(session)).await
    }

    async fn load(&self, sid: SessionId) -> Result<Option<Loaded>, StoreError> {
        self.run(Operation::Load, self.inner.load(sid)).await
    }

    async fn advance(&self, sid: SessionId, from: Generation, to: Generation) -> Result<Advance, StoreError> {
        self.run(Operation::Advance, self.inner.advance(sid, from, to)).await
    }

    async fn sessions_of(&self, subject: &Subject, page: Page) -> Result<SessionPage, StoreError> {
        self.run(Operation::SessionsOf, self.inner.sessions_of(subject, page)).await
    }

    async fn append(&self, entries: Vec<NewEntry>) -> Result<Appended, StoreError> {
        self.run(Operation::Append, self.inner.append(entries)).await
    }

    async fn after(&self, after: Seq, limit: usize) -> Result<Feed, StoreError> {
        self.run(Operation::After, self.inner.after(after, limit)).await
    }

    async fn snapshot(&self, since: Timestamp) -> Result<Snapshot, StoreError> {
        self.run(Operation::Snapshot, self.inner.snapshot(since)).await
    }

    async fn sweep(&self, before: Timestamp, limit: usize) -> Result<Swept, StoreError> {
        self.run(Operation::Sweep, self.inner.sweep(before, limit)).await
    }

    async fn health(&self) -> Result<Head, StoreError> {
        self.run(Operation::Health, self.inner.health()).await
    }

    async fn reincarnate(&self, lost: Incarnation, new: Incarnation, head: Seq) -> Result<bool, StoreError> {
        self.run(Operation::Reincarnate, self.inner.reincarnate(lost, new, head)).await
    }

    async fn record(&self, kind: RecordKind, id: &str) -> Result<Option<Record>, StoreError> {
        self.run(Operation::Record, self.inner.record(kind, id)).await
    }

    async fn put_record(
        &self,
        kind: RecordKind,
        id: &str,
        expected: u64,
        body: Vec<u8>,
        ends: Option<Timestamp>,
    ) -> Result<Put, StoreError> {
        self.run(Operation::PutRecord, self.inner.put_record(kind, id, expected, body, ends)).await
    }

    async fn records(
        &self,
        kind: RecordKind,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, Record)>, StoreError> {
        self.run(Operation::Records, self.inner.records(kind, after, limit)).await
    }

    async fn woken(&self) {
        self.inner.woken().await;
    }

    fn is_shared(&self) -> bool {
        self.inner.is_shared()
    }

    fn behind(&self) -> Duration {
        self.inner.behind()
    }

    fn longest_life(&self) -> Duration {
        self.inner.longest_life()
    }
}

impl<S: ?Sized> fmt::Debug for FailingStore<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FailingStore")
    }
}
