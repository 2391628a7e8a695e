//! What was really written, in the order in which it was: seen at the store process, of which no node knows. The model's
//! order of events; a history that is lost stays in it.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard};

use rescind::id::{KeyId, SessionId};
use rescind::log::{Act, Entry, Scope};
use rescind::session::Session;
use rescind::store::RecordKind;

use super::model::{Known, covers};

/// The order of events: a later one has a higher number.
pub(crate) type Event = u64;

/// The reason of a cut-off on a session of which a refresh token was used again.
const REUSE: &str = "refresh_reuse";

#[derive(Debug, Default)]
pub(crate) struct Truth(Mutex<Facts>);

#[derive(Debug, Default)]
struct Facts {
    last: Event,
    opened: HashMap<SessionId, Event>,
    rotated: HashMap<SessionId, Vec<Event>>,
    entries: Vec<Written>,
    /// When the key ring was written.
    rings: Vec<Event>,
    losses: Vec<Loss>,
    /// Signing keys that somebody tried to cut off.
    keys: Vec<KeyId>,
    healings: Vec<Event>,
    swept: u64,
}

#[derive(Debug)]
struct Written {
    at: Event,
    /// **Units:** milliseconds of true time.
    when: u64,
    entry: Entry,
}

/// A copy took the store's place that does not have what was written in between.
#[derive(Debug)]
struct Loss {
    copied: Event,
    at: Event,
}

impl Loss {
    fn is_of(&self, written: Event) -> bool {
        self.copied < written && written < self.at
    }
}

impl Facts {
    fn next(&mut self) -> Event {
        self.last += 1;
        self.last
    }

    fn was_lost(&self, written: Event) -> bool {
        self.losses.iter().any(|loss| loss.is_of(written))
    }

    /// Whether a loss took something of the log: an entry, or that a new history has begun.
    fn is_of_log(&self, loss: &Loss) -> bool {
        self.entries.iter().map(|written| &written.at).chain(&self.healings).any(|at| loss.is_of(*at))
    }
}

impl Truth {
    pub(crate) fn opened(&self, session: &Session) {
        let mut facts = self.facts();
        let at = facts.next();
        facts.opened.insert(session.id, at);
    }

    pub(crate) fn rotated(&self, sid: SessionId) {
        let mut facts = self.facts();
        let at = facts.next();
        facts.rotated.entry(sid).or_default().push(at);
    }

    pub(crate) fn appended(&self, entries: &[Entry], when: u64) {
        let mut facts = self.facts();
        for entry in entries {
            let at = facts.next();
            facts.entries.push(Written { at, when, entry: entry.clone() });
        }
    }

    pub(crate) fn recorded(&self, kind: RecordKind) {
        let mut facts = self.facts();
        let at = facts.next();
        if kind == RecordKind::KEYS {
            facts.rings.push(at);
        }
    }

    /// A copy that was made behind an event took the store's place; whether anything was lost by that.
    pub(crate) fn replaced(&self, copied: Event) -> bool {
        let mut facts = self.facts();
        let is_lossy = facts.last > copied;
        if is_lossy {
            let at = facts.next();
            facts.losses.push(Loss { copied, at });
        }
        is_lossy
    }

    pub(crate) fn key_attacked(&self, kid: &KeyId) {
        self.facts().keys.push(kid.clone());
    }

    pub(crate) fn healed(&self) {
        let mut facts = self.facts();
        let at = facts.next();
        facts.healings.push(at);
    }

    pub(crate) fn swept(&self, rows: usize) {
        self.facts().swept += rows as u64;
    }

    pub(crate) fn healings_and_swept(&self) -> (u64, u64) {
        let facts = self.facts();
        (facts.healings.len() as u64, facts.swept)
    }

    pub(crate) fn opened_at(&self, sid: SessionId) -> Option<Event> {
        self.facts().opened.get(&sid).copied()
    }

    /// Whether the store has lost a session.
    pub(crate) fn lost_session(&self, sid: SessionId) -> bool {
        let facts = self.facts();
        facts.opened.get(&sid).is_some_and(|at| facts.was_lost(*at))
    }

    /// Whether the store has lost a rotation of a session.
    pub(crate) fn lost_rotation(&self, sid: SessionId) -> bool {
        let facts = self.facts();
        facts.rotated.get(&sid).is_some_and(|rotated| rotated.iter().any(|at| facts.was_lost(*at)))
    }

    /// The newest event.
    pub(crate) fn latest(&self) -> Event {
        self.facts().last
    }

    /// How often something was lost, and how often something of the log.
    pub(crate) fn losses(&self) -> (usize, usize) {
        let facts = self.facts();
        (facts.losses.len(), facts.losses.iter().filter(|loss| facts.is_of_log(loss)).count())
    }

    pub(crate) fn entries(&self) -> usize {
        self.facts().entries.len()
    }

    /// The cut-offs that a view's tables are made of: how many when each scope is held once in each history, and how many
    /// in all. Those on keys and on everything are held elsewhere.
    pub(crate) fn for_tables(&self) -> (usize, usize) {
        let facts = self.facts();
        let in_tables = |scope: &Scope| !matches!(scope, Scope::Key(_) | Scope::All);
        let entries = facts.entries.iter().map(|written| &written.entry);
        let cut_offs = entries.filter(|entry| entry.act == Act::CutOff && in_tables(&entry.scope));
        // A healing begins a history that far ahead of the one before.
        let held: Vec<_> = cut_offs.map(|entry| (&entry.scope, entry.seq.get() >> 32)).collect();
        (held.iter().collect::<HashSet<_>>().len(), held.len())
    }

    /// When an entry was written; the last time, where a history that was lost had one at the same position.
    pub(crate) fn event_of(&self, entry: &Entry) -> Option<Event> {
        let facts = self.facts();
        facts.entries.iter().rev().find(|written| written.entry == *entry).map(|written| written.at)
    }

    /// The newest cut-off on a scope.
    pub(crate) fn newest_cut_off(&self, scope: &Scope) -> Option<Event> {
        let facts = self.facts();
        let is_it = |written: &&Written| written.entry.scope == *scope && written.entry.act == Act::CutOff;
        facts.entries.iter().rev().find(is_it).map(|written| written.at)
    }

    /// When a session was ended for the first time because somebody used one of its refresh tokens again.
    pub(crate) fn first_reuse(&self, sid: SessionId) -> Option<Event> {
        let (facts, scope) = (self.facts(), Scope::session(sid));
        let is_it = |written: &&Written| written.entry.scope == scope && written.entry.reason.as_str() == REUSE;
        facts.entries.iter().find(is_it).map(|written| written.at)
    }

    /// Whether somebody lifted what stands on a scope behind an event.
    pub(crate) fn lifted_since(&self, scope: &Scope, event: Event) -> bool {
        let facts = self.facts();
        let lifts = |written: &Written| matches!(written.entry.act, Act::Lift { .. }) && written.entry.scope == *scope;
        facts.entries.iter().any(|written| written.at > event && lifts(written))
    }

    /// Whether anything that a token is under was lifted at a moment or later.
    pub(crate) fn lifted_from(&self, token: &Known, moment: u64) -> bool {
        let lifts = |written: &Written| matches!(written.entry.act, Act::Lift { .. }) && written.when >= moment;
        self.facts().entries.iter().any(|written| lifts(written) && covers(&written.entry.scope, token))
    }

    /// The cut-offs that a token may be refused for: those that cover it and were written after its session was opened.
    /// One from before may cover it, too, where the store had lost it when the session was opened: positions were used
    /// twice until that was healed.
    pub(crate) fn cut_offs_over(&self, token: &Known) -> Vec<(Scope, Event)> {
        let facts = self.facts();
        let over = facts.entries.iter().filter(|written| {
            let later = written.at > token.opened || matches!(written.entry.scope, Scope::Key(_));
            let is_cut_off = written.entry.act == Act::CutOff && covers(&written.entry.scope, token);
            let was_lost = || facts.losses.iter().any(|loss| loss.is_of(written.at) && loss.at < token.opened);
            is_cut_off && (later || was_lost())
        });
        over.map(|written| (written.entry.scope.clone(), written.at)).collect()
    }

    /// Whether the store has lost what was written.
    pub(crate) fn was_lost(&self, written: Event) -> bool {
        self.facts().was_lost(written)
    }

    /// Whether a signing key may be gone: it was cut off, or what was lost is the ring, or a piece of the log, for which
    /// keys are renewed where nobody knows it.
    pub(crate) fn may_key_be_gone(&self, token: &Known) -> bool {
        let facts = self.facts();
        let lost_ring = |loss: &Loss| facts.rings.iter().any(|at| loss.is_of(*at));
        facts.keys.contains(&token.kid) || facts.losses.iter().any(|loss| lost_ring(loss) || facts.is_of_log(loss))
    }

    fn facts(&self) -> MutexGuard<'_, Facts> {
        self.0.lock().unwrap()
    }
}
