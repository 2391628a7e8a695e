//! What was really written, in the order in which it was: seen at the store process, of which no node knows. The model's
//! order of events; a history that is lost stays in it.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};

use rescind::id::{KeyId, SessionId};
use rescind::log::{Act, Entry, Scope};
use rescind::session::Session;

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
    entries: Vec<Written>,
    losses: Vec<Event>,
    /// Signing keys that somebody tried to cut off.
    keys: Vec<KeyId>,
    healings: u64,
    swept: u64,
}

#[derive(Debug)]
struct Written {
    at: Event,
    entry: Entry,
}

impl Facts {
    fn next(&mut self) -> Event {
        self.last += 1;
        self.last
    }
}

impl Truth {
    pub(crate) fn opened(&self, session: &Session) {
        let mut facts = self.facts();
        let at = facts.next();
        facts.opened.insert(session.id, at);
    }

    pub(crate) fn appended(&self, entries: &[Entry]) {
        let mut facts = self.facts();
        for entry in entries {
            let at = facts.next();
            facts.entries.push(Written { at, entry: entry.clone() });
        }
    }

    pub(crate) fn history_lost(&self) {
        let mut facts = self.facts();
        let at = facts.next();
        facts.losses.push(at);
    }

    pub(crate) fn key_attacked(&self, kid: &KeyId) {
        self.facts().keys.push(kid.clone());
    }

    pub(crate) fn healed(&self) {
        self.facts().healings += 1;
    }

    pub(crate) fn swept(&self, rows: usize) {
        self.facts().swept += rows as u64;
    }

    pub(crate) fn healings_and_swept(&self) -> (u64, u64) {
        let facts = self.facts();
        (facts.healings, facts.swept)
    }

    pub(crate) fn opened_at(&self, sid: SessionId) -> Option<Event> {
        self.facts().opened.get(&sid).copied()
    }

    /// Whether history was lost behind an event.
    pub(crate) fn lost_since(&self, event: Event) -> bool {
        self.facts().losses.iter().any(|loss| *loss > event)
    }

    /// The newest event.
    pub(crate) fn latest(&self) -> Event {
        self.facts().last
    }

    pub(crate) fn losses(&self) -> usize {
        self.facts().losses.len()
    }

    pub(crate) fn entries(&self) -> usize {
        self.facts().entries.len()
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

    /// Whether anything that a token is under was ever lifted.
    pub(crate) fn was_ever_lifted(&self, token: &Known) -> bool {
        let lifts = |written: &Written| matches!(written.entry.act, Act::Lift { .. });
        self.facts().entries.iter().any(|written| lifts(written) && covers(&written.entry.scope, token))
    }

    /// Whether a token may be refused as revoked: a cut-off that covers it was written after its session was opened. One
    /// from before may cover it, too, where history was lost since: positions were used twice until that was healed.
    pub(crate) fn may_be_revoked(&self, token: &Known) -> bool {
        let facts = self.facts();
        facts.entries.iter().any(|written| {
            let later = written.at > token.opened || matches!(written.entry.scope, Scope::Key(_));
            let is_cut_off = written.entry.act == Act::CutOff && covers(&written.entry.scope, token);
            is_cut_off && (later || facts.losses.iter().any(|loss| *loss > written.at))
        })
    }

    /// Whether a signing key may be gone: it was cut off, or history was lost and keys were renewed or forgotten.
    pub(crate) fn may_key_be_gone(&self, token: &Known) -> bool {
        let facts = self.facts();
        !facts.losses.is_empty() || facts.keys.contains(&token.kid)
    }

    fn facts(&self) -> MutexGuard<'_, Facts> {
        self.0.lock().unwrap()
    }
}
