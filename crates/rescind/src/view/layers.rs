//! The cut-offs that can still matter, in memory. Entries go to layers by the time at which they came, and a layer is
//! dropped whole, so that forgetting costs nothing per entry. Owns when an entry may be forgotten and which cut-off
//! covers a token; knows neither stores nor freshness. The clock comes in as an argument.
//!
//! Readers take one published state for a whole look-up and never wait; one writer at a time changes it. What a
//! finished call of the writer put in, every look-up that begins after it finds.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Duration;

pub use super::segment::Key;
use super::segment::Probe;
use super::table::{Directory, Seen, Table};
use crate::id::KeyId;
use crate::log::ScopeKind;
use crate::position::Seq;
use crate::sync::{Arc, ArcSwap, Mutex, MutexGuard, PoisonError};
use crate::time::BootTime;

/// What a cut-off stands on, as the view knows it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Name {
    /// One access token.
    Token(Key),
    /// One session.
    Session(Key),
    /// One user.
    Subject(Key),
    /// One application.
    Client(Key),
    /// One signing key.
    Key(KeyId),
    /// Everything.
    All,
}

/// What an entry of the log does to its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// A cut-off at this position.
    CutOff(Seq),
    /// Ends every cut-off below this position.
    Lift(Seq),
}

/// The names that a token carries. What is `None` is not asked for.
#[derive(Debug, Clone, Copy, Default)]
pub struct Names<'a> {
    /// The token itself.
    pub token: Option<Key>,
    /// Its session.
    pub session: Option<Key>,
    /// Its user.
    pub subject: Option<Key>,
    /// Its application.
    pub client: Option<Key>,
    /// The key that signed it.
    pub key: Option<&'a KeyId>,
}

/// The kinds that have tables, in the order of the tables.
const TABLES: [ScopeKind; 4] = [ScopeKind::Token, ScopeKind::Session, ScopeKind::Subject, ScopeKind::Client];

/// All cut-offs in memory.
///
/// Cut-offs on signing keys and on everything are kept for good: there are as many as keys were ever revoked, plus one.
pub struct Layers {
    seed: [u64; 2],
    published: ArcSwap<State>,
    writer: Mutex<Writer>,
}

/// What readers take at once.
#[derive(Clone, Default)]
struct State {
    layers: Box<[PublishedLayer]>,
    keys: Arc<BTreeMap<KeyId, Seq>>,
    all: Seq,
}

#[derive(Clone)]
struct PublishedLayer {
    base: u64,
    tables: [Directory; 4],
}

struct Writer {
    retention: Duration,
    layers: Vec<Layer>,
    keys: Arc<BTreeMap<KeyId, Seq>>,
    all: Seq,
    /// States that readers may still hold. They are freed here and never by a reader, whom that would hold up.
    replaced: Vec<Arc<State>>,
}

/// Entries of one span of time and of one window of positions, of those whose offset from `base` fits 32 bits.
struct Layer {
    base: u64,
    opened: BootTime,
    closed: Option<BootTime>,
    tables: [Table; 4],
}

impl Layers {
    /// Makes an empty one. `seed` is random. An entry is kept for at least `retention` after it came.
    pub fn new(seed: [u64; 2], retention: Duration) -> Self {
        let writer =
            Writer { retention, layers: Vec::new(), keys: Arc::default(), all: Seq::ZERO, replaced: Vec::new() };
        Self { seed, published: ArcSwap::from_pointee(State::default()), writer: Mutex::new(writer) }
    }

    /// The highest cut-off above `seq` on any of the names or on everything, or any on the key, and on what it stands.
    /// `None`: not revoked.
    ///
    /// **Cost:** nothing per layer that holds no position above `seq`; else one cache line per name and layer.
    pub fn covering(&self, names: &Names<'_>, seq: Seq) -> Option<(ScopeKind, Seq)> {
        let state = self.published.load();
        // Whoever stole a key writes what position they like, so a cut-off on it covers every position.
        let key = names.key.and_then(|key| state.keys.get(key));
        let mut covering = key.map(|position| (ScopeKind::Key, *position));
        let mut highest = key.copied().unwrap_or_default().max(seq);
        let mut raise = |kind, position| {
            if position > highest {
                highest = position;
                covering = Some((kind, position));
            }
        };
        raise(ScopeKind::All, state.all);
        let probe = |key: Option<Key>| key.map(|key| Probe::new(self.seed, key));
        let probes = [probe(names.token), probe(names.session), probe(names.subject), probe(names.client)];
        for layer in &state.layers {
            for ((probe, table), kind) in probes.iter().zip(&layer.tables).zip(TABLES) {
                if let Some(probe) = probe
                    && table.highest() > seq.get()
                    && let Some(offset) = table.find(probe)
                {
                    raise(kind, Seq::new(layer.base + u64::from(offset.get())));
                }
            }
        }
        covering
    }

    /// A cut-off on one of these names, at whatever position; neither keys nor `all` are asked.
    pub fn holding(&self, names: &[(ScopeKind, Option<Key>)]) -> Option<(ScopeKind, Seq)> {
        let state = self.published.load();
        names.iter().find_map(|(kind, key)| {
            let probe = Probe::new(self.seed, (*key)?);
            let at = TABLES.iter().position(|table| table == kind)?;
            state.layers.iter().find_map(|layer| {
                let offset = layer.tables.get(at)?.find(&probe)?;
                Some((*kind, Seq::new(layer.base + u64::from(offset.get()))))
            })
        })
    }

    /// Applies entries of the log. `now` is read after they were appended.
    ///
    /// Of one name, entries must come in the order of the log, or only the newest: an older cut-off that comes after
    /// its lift would stand again.
    ///
    /// **Cost:** some 0.3 µs per entry. Another writer waits meanwhile, so a million come better in many calls.
    pub fn apply(&self, changes: impl IntoIterator<Item = (Name, Change)>, now: BootTime) {
        let mut writer = self.writer();
        writer.close_aged(now);
        let mut seen = Seen::InPlace;
        for (name, change) in changes {
            if writer.apply(self.seed, &name, change, now) == Seen::AfterPublishing {
                seen = Seen::AfterPublishing;
            }
        }
        if seen == Seen::AfterPublishing {
            self.publish(&mut writer);
        }
        writer.free_replaced();
    }

    /// Forgets everything and holds these cut-offs instead. Readers see all of the old or all of the new.
    pub fn replace(&self, cut_offs: impl IntoIterator<Item = (Name, Seq)>, now: BootTime) {
        let mut writer = self.writer();
        let before = std::mem::take(&mut writer.layers);
        (writer.keys, writer.all) = (Arc::default(), Seq::ZERO);
        for (name, seq) in cut_offs {
            // Published below, whichever it is.
            let _: Seen = writer.apply(self.seed, &name, Change::CutOff(seq), now);
        }
        self.publish(&mut writer);
        writer.free_replaced();
        drop(before);
    }

    /// Drops every layer that was closed at least the retention ago; returns how many entries went.
    ///
    /// **Cost:** per layer, not per entry: what freeing its memory takes.
    pub fn expire(&self, now: BootTime) -> usize {
        let mut writer = self.writer();
        writer.close_aged(now);
        let retention = writer.retention;
        let is_expired = |layer: &Layer| layer.closed.is_some_and(|closed| now.since(closed) >= retention);
        let expired: Vec<Layer> = writer.layers.extract_if(.., |layer| is_expired(layer)).collect();
        if !expired.is_empty() {
            self.publish(&mut writer);
        }
        writer.free_replaced();
        expired.iter().map(Layer::len).sum()
    }

    /// Keeps entries for at least `retention`, those that are there already too. It never shrinks.
    pub fn keep_for(&self, retention: Duration) {
        let mut writer = self.writer();
        writer.retention = writer.retention.max(retention);
    }

    /// The signing keys that are cut off.
    pub fn revoked_keys(&self) -> Vec<KeyId> {
        self.published.load().keys.keys().cloned().collect()
    }

    /// Entries held, lifted ones among them for a while.
    pub fn len(&self) -> usize {
        self.writer().layers.iter().map(Layer::len).sum()
    }

    /// Whether no table holds an entry.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of the tables, without the allocator's own.
    pub fn bytes(&self) -> usize {
        let state = self.published.load();
        state.layers.iter().flat_map(|layer| &layer.tables).map(Directory::bytes).sum()
    }

    fn publish(&self, writer: &mut Writer) {
        let replaced = self.published.swap(Arc::new(writer.state()));
        writer.replaced.push(replaced);
    }

    /// A writer that panicked left every slot whole, so the next one may go on.
    fn writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Writer {
    fn apply(&mut self, seed: [u64; 2], name: &Name, change: Change, now: BootTime) -> Seen {
        let (table, key) = match name {
            Name::Token(key) => (0, key),
            Name::Session(key) => (1, key),
            Name::Subject(key) => (2, key),
            Name::Client(key) => (3, key),
            Name::Key(key) => return self.apply_to_key(key, change),
            Name::All => {
                self.all = changed(self.all, change);
                return Seen::AfterPublishing;
            }
        };
        let probe = Probe::new(seed, *key);
        match change {
            Change::CutOff(seq) => self.cut_off(seed, table, &probe, seq, now),
            Change::Lift(seq) => self.lift(table, &probe, seq),
        }
    }

    fn apply_to_key(&mut self, key: &KeyId, change: Change) -> Seen {
        let keys = Arc::make_mut(&mut self.keys);
        match changed(keys.get(key).copied().unwrap_or_default(), change) {
            Seq::ZERO => keys.remove(key),
            seq => keys.insert(key.clone(), seq),
        };
        Seen::AfterPublishing
    }

    fn cut_off(&mut self, seed: [u64; 2], table: usize, probe: &Probe, seq: Seq, now: BootTime) -> Seen {
        let Some((base, offset)) = window(seq) else {
            return Seen::InPlace; // a cut-off before the first position covers nothing
        };
        let open = |layer: &Layer| layer.closed.is_none() && layer.base == base;
        let at = self.layers.iter().position(open).unwrap_or_else(|| {
            let tables = TABLES.map(|_| Table::new(seed));
            self.layers.push(Layer { base, opened: now, closed: None, tables });
            self.layers.len() - 1
        });
        let table = self.layers.get_mut(at).and_then(|layer| layer.tables.get_mut(table));
        table.map_or(Seen::InPlace, |table| table.insert(probe, offset, seq.get()))
    }

    fn lift(&self, table: usize, probe: &Probe, seq: Seq) -> Seen {
        let Some((base, offset)) = window(seq) else { return Seen::InPlace };
        for layer in self.layers.iter().filter(|layer| layer.base <= base) {
            if let Some(table) = layer.tables.get(table) {
                table.lift(probe, (layer.base == base).then_some(offset));
            }
        }
        Seen::InPlace
    }

    /// An entry stays for the retention after its layer was closed, so for at most one and a half in all.
    fn close_aged(&mut self, now: BootTime) {
        let span = self.retention / 2;
        for layer in self.layers.iter_mut().filter(|layer| layer.closed.is_none()) {
            if now.since(layer.opened) >= span {
                layer.closed = Some(now);
            }
        }
    }

    fn state(&self) -> State {
        let published = |layer: &Layer| PublishedLayer {
            base: layer.base,
            tables: layer.tables.each_ref().map(|table| table.directory().clone()),
        };
        State { layers: self.layers.iter().map(published).collect(), keys: Arc::clone(&self.keys), all: self.all }
    }

    fn free_replaced(&mut self) {
        self.replaced.retain(|state| Arc::strong_count(state) > 1);
    }
}

impl Layer {
    fn len(&self) -> usize {
        self.tables.iter().map(Table::len).sum()
    }
}

/// The base and offset of a position. Windows lie side by side, so any order of positions needs one layer per window.
fn window(seq: Seq) -> Option<(u64, NonZeroU32)> {
    const WIDTH: u64 = u32::MAX as u64;
    let before = seq.get().checked_sub(1)?;
    let offset = u32::try_from(before % WIDTH + 1).ok().and_then(NonZeroU32::new)?;
    Some((before / WIDTH * WIDTH, offset))
}

fn changed(held: Seq, change: Change) -> Seq {
    match change {
        Change::CutOff(seq) => held.max(seq),
        Change::Lift(seq) if held < seq => Seq::ZERO,
        Change::Lift(_) => held,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_writer_frees_a_state_as_soon_as_no_reader_holds_it() {
        let layers = Layers::new([1, 2], Duration::from_secs(1));
        let cut_off = |seq| layers.apply([(Name::All, Change::CutOff(Seq::new(seq)))], BootTime::from_millis(0));
        cut_off(1);
        let held = layers.published.load();
        (2..10).for_each(cut_off);
        assert_eq!(layers.writer().replaced.len(), 1, "the one that is held");
        drop(held);
        cut_off(10);
        assert!(layers.writer().replaced.is_empty());
    }
}
