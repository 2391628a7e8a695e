//! The view: the part of the log that can still matter to an access token, in this process's memory. Owns what a
//! check asks and what the feed writes; reads never wait for writes. Knows no store: `follow` feeds it.

mod again;
mod claim;
mod contact;
mod digest;
mod failure;
mod follow;
mod freshness;
mod heal;
mod healing;
pub mod layers;
mod peers;
mod progress;
mod proof;
mod recover;
mod retention;
mod segment;
mod start;
mod table;
mod tail;
mod timeline;

use std::time::Duration;

pub(crate) use self::claim::was_everything_lost;
use self::digest::Digests;
pub use self::failure::DamagedLog;
pub(crate) use self::failure::FollowError;
pub(crate) use self::follow::Follower;
use self::freshness::Mark;
pub(crate) use self::freshness::{CLOCK_MARGIN, STEP_TOLERANCE};
pub use self::freshness::{Freshness, Now};
pub use self::heal::HealError;
pub(crate) use self::heal::{HISTORY_LOST, Renew};
use self::layers::{Change, Key, Layers, Name, Names};
pub(crate) use self::peers::{NoPeers, Peers, Stage, Unheard};
pub(crate) use self::progress::Progress;
pub(crate) use self::retention::Retention;
use self::timeline::Timeline;
use crate::id::{ClientId, KeyId, Subject};
use crate::log::{Act, CutOff, Entry, Scope, ScopeKind, SessionRef, TokenRef};
use crate::position::Seq;
use crate::session::Session;
use crate::time::{BootTime, Timestamp};

/// The cut-offs that can still matter, and up to when they are known.
///
/// **Cost:** a look-up takes no lock and touches one cache line a scope and layer where nothing is found.
pub struct View {
    layers: Layers,
    mark: Mark,
    digests: Digests,
    timeline: Timeline,
}

/// What the view is asked for one token: worked out once, then looked up at every request.
#[derive(Debug, Clone)]
pub struct Probe {
    token: Option<Key>,
    session: Option<Key>,
    subject: Option<Key>,
    client: Option<Key>,
    kid: KeyId,
    position: Seq,
}

/// The scopes that a token stands under.
#[derive(Debug, Clone, Copy)]
pub struct Scopes<'a> {
    /// The token itself.
    pub token: Option<&'a TokenRef>,
    /// Its session.
    pub session: Option<&'a SessionRef>,
    /// Its subject.
    pub subject: Option<&'a Subject>,
    /// Its client.
    pub client: Option<&'a ClientId>,
    /// The key that signed it.
    pub key: &'a KeyId,
}

impl View {
    /// Makes an empty view that answers nothing until it was loaded.
    ///
    /// **Units:** cut-offs are kept for `retention` after they came: the largest access lifetime of any node, plus leeway,
    /// plus skew, plus what clocks may be wrong by. `seed` is random and of this process alone.
    pub fn new(seed: [u64; 4], retention: Duration, bound: Duration) -> Self {
        let [a, b, c, d] = seed;
        Self {
            layers: Layers::new([a, b], retention),
            mark: Mark::new(bound),
            digests: Digests::new([c, d]),
            timeline: Timeline::default(),
        }
    }

    /// Works out what to ask for a token that carries `position`.
    pub fn probe(&self, scopes: Scopes<'_>, position: Seq) -> Probe {
        Probe {
            token: scopes.token.map(|token| self.digests.token(token)),
            session: scopes.session.map(|session| self.digests.session(session)),
            subject: scopes.subject.map(|subject| self.digests.subject(subject)),
            client: scopes.client.map(|client| self.digests.client(client)),
            kid: scopes.key.clone(),
            position,
        }
    }

    /// The position that stands for a foreign token's `iat`: every cut-off that may have come after it is higher.
    pub fn position_before(&self, issued: Timestamp, skew: Duration) -> Seq {
        self.timeline.before(issued.minus(skew))
    }

    /// The highest cut-off that covers a token, if one does. Ask [`freshness`](Self::freshness) first, never after.
    pub fn covering(&self, probe: &Probe) -> Option<(ScopeKind, Seq)> {
        let Probe { token, session, subject, client, kid, position } = probe;
        let names = Names { token: *token, session: *session, subject: *subject, client: *client, key: Some(kid) };
        self.layers.covering(&names, *position)
    }

    /// The highest cut-off that covers a session, if one does.
    pub(crate) fn covering_session(&self, session: &Session) -> Option<(ScopeKind, Seq)> {
        let names = Names {
            token: None,
            session: Some(self.digests.session(&SessionRef::Own(session.id))),
            subject: Some(self.digests.subject(&session.subject)),
            client: Some(self.digests.client(&session.client)),
            key: None,
        };
        self.layers.covering(&names, session.position)
    }

    /// A cut-off on the token or its session, whatever the token's position. For tokens that carry none.
    pub fn covering_by_name(&self, probe: &Probe) -> Option<(ScopeKind, Seq)> {
        self.layers.holding(&[(ScopeKind::Token, probe.token), (ScopeKind::Session, probe.session)])
    }

    /// What the tables say, and how current that is: the mark is taken first, never after.
    pub(crate) fn read<T>(&self, now: Now, tables: impl FnOnce(&Self) -> T) -> (Freshness, T) {
        self.mark.before(now, || tables(self))
    }

    /// Whether the view is known to be complete up to `now`.
    pub fn freshness(&self, now: Now) -> Freshness {
        self.mark.freshness(now)
    }

    /// How long ago the view was complete; `None` where nothing may be answered.
    pub fn age(&self, now: Now) -> Option<Duration> {
        self.mark.age(now)
    }

    /// How many cut-offs it holds on tokens, sessions, subjects and clients.
    pub fn len(&self) -> usize {
        self.layers.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes of its tables.
    pub fn bytes(&self) -> usize {
        self.layers.bytes()
    }

    pub(crate) fn mark(&self) -> &Mark {
        &self.mark
    }

    /// Takes entries in, in the order of their positions.
    pub(crate) fn apply(&self, entries: &[Entry], now: BootTime) {
        let change = |entry: &Entry| match entry.act {
            Act::CutOff => Change::CutOff(entry.seq),
            Act::Lift { .. } => Change::Lift(entry.seq),
        };
        self.layers.apply(entries.iter().map(|entry| (self.name(&entry.scope), change(entry))), now);
        self.timeline.note(entries.iter().map(|entry| (entry.at, entry.seq)));
    }

    /// Replaces everything by a snapshot's cut-offs. Readers see all of the old or all of the new.
    pub(crate) fn load(&self, cut_offs: &[CutOff], head: (Timestamp, Seq), now: BootTime) {
        self.layers.replace(cut_offs.iter().map(|cut_off| (self.name(&cut_off.scope), cut_off.seq)), now);
        self.timeline.load(cut_offs.iter().map(|cut_off| (cut_off.at, cut_off.seq)).chain([head]));
    }

    /// Takes a snapshot's cut-offs in beside those that are there: of another history, which may have lost some of them.
    pub(crate) fn unite(&self, cut_offs: &[CutOff], head: (Timestamp, Seq), now: BootTime) {
        let change = |cut_off: &CutOff| (self.name(&cut_off.scope), Change::CutOff(cut_off.seq));
        self.layers.apply(cut_offs.iter().map(change), now);
        self.timeline.load(cut_offs.iter().map(|cut_off| (cut_off.at, cut_off.seq)).chain([head]));
    }

    /// The signing keys that are cut off.
    pub(crate) fn revoked_keys(&self) -> Vec<KeyId> {
        self.layers.revoked_keys()
    }

    /// Keeps cut-offs for at least so long; never for less than before.
    pub(crate) fn keep_for(&self, retention: Duration) {
        self.layers.keep_for(retention);
    }

    /// Drops what no living token can be under any more.
    pub(crate) fn expire(&self, now: BootTime) {
        self.layers.expire(now);
    }

    fn name(&self, scope: &Scope) -> Name {
        match scope {
            Scope::Token(token) => Name::Token(self.digests.token(token)),
            Scope::Session(session) => Name::Session(self.digests.session(session)),
            Scope::Subject(subject) => Name::Subject(self.digests.subject(subject)),
            Scope::Client(client) => Name::Client(self.digests.client(client)),
            Scope::Key(kid) => Name::Key(kid.clone()),
            Scope::All => Name::All,
        }
    }
}

impl std::fmt::Debug for View {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("View").field("len", &self.len()).field("mark", &self.mark).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{sid, subject};

    #[test]
    fn a_view_tells_how_much_it_holds_and_which_keys_are_cut_off() {
        let view = View::new([1, 2, 3, 4], Duration::from_secs(100), Duration::from_secs(2));
        assert_eq!((view.len(), view.is_empty(), view.bytes()), (0, true, 0));
        let cut_off = |seq, scope| CutOff { scope, seq: Seq::new(seq), at: Timestamp::from_secs(1) };
        let kid = KeyId::new("k1").unwrap();
        let scopes = [Scope::Subject(subject("alice")), Scope::session(sid(1)), Scope::Key(kid.clone()), Scope::All];
        let cut_offs: Vec<_> = (1..).zip(scopes).map(|(seq, scope)| cut_off(seq, scope)).collect();
        view.load(&cut_offs, (Timestamp::from_secs(1), Seq::new(4)), BootTime::from_millis(0));
        assert_eq!((view.len(), view.is_empty()), (2, false));
        assert!(view.bytes() > 2 * 20, "{}", view.bytes());
        assert_eq!(view.revoked_keys(), [kid]);
    }
}
