//! The newest part of the log in memory, for all who follow this node: whoever asks first reads the store, and all who
//! asked before that reading began share it. Owns the window and how old it is; writes no HTTP.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rescind::log::{ChainTag, Entry};
use rescind::position::Seq;
use rescind::store::{Batch, Feed, Head, Store, StoreError, StoreErrorKind};
use rescind::time::{BootTime, Clock};
use tokio::sync::Mutex;
use tokio::time::timeout;

/// At most this many entries, and this many bytes of their JSON, are held. Who is further behind reads the store.
const ROWS: usize = 8192;
const BYTES: usize = 4 << 20;
/// At most this many entries are read or given out at once, and about this many bytes.
pub(super) const BATCH: usize = 4096;
pub(super) const BATCH_BYTES: usize = 1 << 20;

/// Gives the log to one reading: a copy of another's log remembers how old its last answer was, so each reading has
/// one for itself.
pub(crate) type Log = Arc<dyn Fn() -> Arc<dyn Store> + Send + Sync>;

/// The newest part of the log.
pub(super) struct Tail {
    log: Log,
    clock: Arc<dyn Clock>,
    /// A store that takes longer is not followed.
    patience: Duration,
    /// Readings that have begun.
    begun: AtomicU64,
    window: Mutex<Window>,
}

#[derive(Default)]
struct Window {
    /// `None` before the first reading.
    read: Option<Read>,
    rows: VecDeque<Row>,
    bytes: usize,
    /// Why the last one failed.
    failed: Option<String>,
}

struct Read {
    /// The last position before the window, and the tag there.
    floor: (Seq, ChainTag),
    head: Head,
    /// Up to when what it read is known to be complete.
    as_of: BootTime,
}

struct Row {
    tag: ChainTag,
    json: Box<str>,
}

/// How much is given out at once: it ends with the entry that makes it as long.
#[derive(Debug, Clone, Copy)]
pub(super) struct Size {
    pub(super) rows: usize,
    pub(super) bytes: usize,
}

/// What follows a position.
pub(super) enum Next {
    Batch(Part),
    Gone { head: Head, age: Duration },
}

/// Entries without a gap.
pub(super) struct Part {
    pub(super) prev_tag: ChainTag,
    /// The entries' JSON, with commas between.
    pub(super) entries: String,
    pub(super) tag: ChainTag,
    /// The last position that it holds.
    pub(super) last: Seq,
    pub(super) head: Head,
    /// How old this node's knowledge was when it was asked.
    pub(super) age: Duration,
}

impl Tail {
    pub(super) fn new(log: Log, clock: Arc<dyn Clock>, patience: Duration) -> Self {
        Self { log, clock, patience, begun: AtomicU64::new(0), window: Mutex::default() }
    }

    /// What follows `after`, as of a reading that began after this call.
    ///
    /// # Errors
    /// Where the store cannot be followed.
    pub(super) async fn after(&self, after: Seq, most: Size) -> Result<Next, StoreError> {
        let asked = self.clock.boot();
        let next = timeout(self.patience, self.within(after, most, asked)).await;
        next.unwrap_or_else(|late| Err(StoreError::new(StoreErrorKind::Unavailable, "after", late)))
    }

    async fn within(&self, after: Seq, most: Size, asked: BootTime) -> Result<Next, StoreError> {
        let begun = self.begun.load(Ordering::Acquire);
        let mut window = self.window.lock().await;
        // Only a reading that began after the question answers it: a strict check is complete as of its request, over
        // any number of relays. Whoever waited for one has its outcome: were each to read, the last would wait for all.
        if self.begun.load(Ordering::Acquire) == begun {
            self.begun.fetch_add(1, Ordering::AcqRel);
            // Whoever shares a reading that was given up must not take the window for its outcome.
            window.failed = Some("the reading was given up".to_owned());
            let looked = self.look(&mut window).await;
            window.failed = looked.err().map(|error| error.to_string());
        }
        if let Some(failed) = &window.failed {
            return Err(StoreError::new(StoreErrorKind::Unavailable, "after", failed.clone()));
        }
        if let Some(part) = window.part(after, most, asked) {
            return Ok(Next::Batch(part));
        }
        drop(window);
        let store = (self.log)();
        Ok(match store.after(after, most.rows.min(BATCH)).await? {
            Feed::Gone(head) => Next::Gone { head, age: store.behind() },
            Feed::Batch(batch) => Next::Batch(part_of(batch, after, most, store.behind())?),
        })
    }

    /// Takes in what the log has more.
    async fn look(&self, window: &mut Window) -> Result<(), StoreError> {
        let store = (self.log)();
        loop {
            let began = self.clock.boot();
            let Some(last) = window.last() else {
                let head = store.health().await?;
                window.begin(head, began);
                continue;
            };
            let feed = timeout(self.patience, store.after(last.0, BATCH)).await;
            let feed = feed.map_err(|late| StoreError::new(StoreErrorKind::Unavailable, "after", late))??;
            let as_of = began.minus(store.behind());
            match feed {
                Feed::Batch(batch) if window.fits(&batch) => {
                    let reached = batch.entries.last().map_or(last.0, |entry| entry.seq);
                    let head = batch.head;
                    window.push(&batch)?;
                    if let Some(read) = &mut window.read {
                        (read.head, read.as_of) = (head, as_of);
                    }
                    if reached >= head.seq {
                        return Ok(());
                    }
                    if head.seq.get() - reached.get() > ROWS as u64 {
                        // Nobody asked for long. Nothing before the head would stay in the window.
                        window.begin(head, as_of);
                        return Ok(());
                    }
                }
                Feed::Batch(Batch { head, .. }) | Feed::Gone(head) => {
                    // Another history, or one that was swept: the window begins anew at its head.
                    window.begin(head, as_of);
                    return Ok(());
                }
            }
        }
    }
}

impl Window {
    fn begin(&mut self, head: Head, as_of: BootTime) {
        (self.rows, self.bytes) = (VecDeque::new(), 0);
        self.read = Some(Read { floor: (head.seq, head.tag), head, as_of });
    }

    /// The last position that it holds, and the tag there.
    fn last(&self) -> Option<(Seq, ChainTag)> {
        let read = self.read.as_ref()?;
        let rows = self.rows.len() as u64;
        Some((read.floor.0.plus(rows), self.rows.back().map_or(read.floor.1, |row| row.tag)))
    }

    fn fits(&self, batch: &Batch) -> bool {
        let same = self.read.as_ref().is_some_and(|read| read.head.incarnation == batch.head.incarnation);
        same && self.last().is_some_and(|(_, tag)| tag == batch.prev_tag)
    }

    fn push(&mut self, batch: &Batch) -> Result<(), StoreError> {
        let mut tag = batch.prev_tag;
        for entry in &batch.entries {
            tag = tag.next(entry);
            let json = json(entry)?.into_boxed_str();
            self.bytes += json.len();
            self.rows.push_back(Row { tag, json });
        }
        while self.rows.len() > ROWS || self.bytes > BYTES {
            let (Some(row), Some(read)) = (self.rows.pop_front(), &mut self.read) else { break };
            self.bytes -= row.json.len();
            read.floor = (read.floor.0.next(), row.tag);
        }
        Ok(())
    }

    /// What follows `after` in it; `None` where that is not in it.
    fn part(&self, after: Seq, most: Size, asked: BootTime) -> Option<Part> {
        let read = self.read.as_ref()?;
        let skip = usize::try_from(after.get().checked_sub(read.floor.0.get())?).ok()?;
        let prev_tag = match skip.checked_sub(1) {
            None => read.floor.1,
            Some(at) => self.rows.get(at)?.tag,
        };
        let (mut entries, mut tag, mut last) = (String::new(), prev_tag, after);
        for row in self.rows.iter().skip(skip).take(most.rows.min(BATCH)) {
            if entries.len() >= most.bytes {
                break;
            }
            join(&mut entries, &row.json);
            (tag, last) = (row.tag, last.next());
        }
        // What was read after the question is as new as it could be.
        Some(Part { prev_tag, entries, tag, last, head: read.head, age: asked.since(read.as_of) })
    }
}

fn part_of(batch: Batch, after: Seq, most: Size, age: Duration) -> Result<Part, StoreError> {
    let Batch { prev_tag, entries: rows, head, .. } = batch;
    let (mut entries, mut tag, mut last) = (String::new(), prev_tag, after);
    for entry in &rows {
        if entries.len() >= most.bytes {
            break;
        }
        join(&mut entries, &json(entry)?);
        (tag, last) = (tag.next(entry), entry.seq);
    }
    Ok(Part { prev_tag, entries, tag, last, head, age })
}

fn join(all: &mut String, one: &str) {
    if !all.is_empty() {
        all.push(',');
    }
    all.push_str(one);
}

fn json(entry: &Entry) -> Result<String, StoreError> {
    serde_json::to_string(entry).map_err(|error| StoreError::new(StoreErrorKind::Corrupt, "after", error))
}

#[cfg(test)]
mod tests {
    use rescind::id::Subject;
    use rescind::log::{Act, NewEntry, Scope, Text};
    use rescind::store::{FailingStore, MemoryStore, Operation};
    use rescind::testing::{ManualClock, SeededRandom};

    use super::*;

    const WHOLE: Size = Size { rows: BATCH, bytes: BATCH_BYTES };

    async fn grow(store: &MemoryStore, by: usize) {
        let until = store.health().await.unwrap().now.plus(Duration::from_hours(1));
        let entry = |n| NewEntry {
            scope: Scope::Subject(Subject::new(format!("user-{n}")).unwrap()),
            act: Act::CutOff,
            reason: Text::new("test").unwrap(),
            actor: Text::new("test").unwrap(),
            remember_until: until,
        };
        store.append((0..by).map(entry).collect()).await.unwrap();
    }

    #[tokio::test]
    async fn a_log_that_nobody_followed_for_long_is_not_read_through_before_the_first_answer() {
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::default());
        let store = Arc::new(MemoryStore::with(Arc::clone(&clock), &SeededRandom::new(1)).unwrap());
        let counted = Arc::new(FailingStore::new(Arc::clone(&store)));
        let log: Log = {
            let counted = Arc::clone(&counted);
            Arc::new(move || Arc::clone(&counted) as Arc<dyn Store>)
        };
        let tail = Tail::new(log, clock, Duration::from_mins(1));
        let part = |next| match next {
            Next::Batch(part) => part,
            Next::Gone { .. } => panic!("it is all there"),
        };
        grow(&store, 3).await;
        assert_eq!(part(tail.after(Seq::ZERO, WHOLE).await.unwrap()).last, Seq::new(3));
        grow(&store, 4 * ROWS).await;
        let before = counted.calls(Operation::After);
        let first = part(tail.after(Seq::new(3), WHOLE).await.unwrap());
        assert_eq!((first.last.get(), first.head.seq.get()), (3 + BATCH as u64, 3 + 4 * ROWS as u64));
        assert!(counted.calls(Operation::After) - before <= 2, "one look, and the asked part");
        let newest = part(tail.after(first.head.seq, WHOLE).await.unwrap());
        assert_eq!((newest.prev_tag, newest.entries.as_str()), (first.head.tag, ""));
    }
}
