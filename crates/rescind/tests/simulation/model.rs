//! The model: what DESIGN.md promises of a token, from what was acknowledged and when. Small, and without a word of how the
//! engine does it. Knows the order of events from the truth.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rescind::TokenPair;
use rescind::id::{ClientId, Jti, KeyId, SessionId, Subject};
use rescind::log::{Entry, Scope};

use super::truth::{Event, Truth};

/// The staleness bound of every life. **Units:** milliseconds.
pub(crate) const BOUND: u64 = 2000;

/// An access token that somebody holds.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    pub(crate) text: String,
    pub(crate) sid: SessionId,
    pub(crate) jti: Jti,
    pub(crate) subject: Subject,
    pub(crate) client: ClientId,
    pub(crate) kid: KeyId,
    /// **Units:** seconds, by the wall clock.
    pub(crate) iat: u64,
    pub(crate) exp: u64,
    /// When its session was opened.
    pub(crate) opened: Event,
}

/// Whether a cut-off on a scope is one on this token.
pub(crate) fn covers(scope: &Scope, token: &Known) -> bool {
    match scope {
        Scope::Token(_) => *scope == Scope::token(token.jti),
        Scope::Session(_) => *scope == Scope::session(token.sid),
        Scope::Subject(subject) => *subject == token.subject,
        Scope::Client(client) => *client == token.client,
        Scope::Key(kid) => *kid == token.kid,
        Scope::All => true,
    }
}

/// A revocation or a lift that was acknowledged.
#[derive(Debug)]
struct Acknowledged {
    scope: Scope,
    event: Event,
    at: u64,
    by: By,
}

impl Acknowledged {
    fn of(entry: &Entry, at: u64, by: By, truth: &Truth) -> Result<Self, String> {
        let Some(event) = truth.event_of(entry) else {
            return Err(format!("{entry:?} was acknowledged and never written"));
        };
        Ok(Self { scope: entry.scope.clone(), event, at, by })
    }

    /// G2: at the acknowledging node at once, everywhere behind the bound, and at once where the store is asked, unless that
    /// has lost it.
    fn must_be_obeyed(&self, asked: Asked, truth: &Truth) -> bool {
        let is_told = || asked.is_strict && !truth.was_lost(self.event);
        self.at < asked.at && (self.by.obeys(asked.node) || asked.at > self.at + BOUND + 2 || is_told())
    }
}

/// Who is known to obey a revocation at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    Node(usize),
    Everywhere,
}

impl By {
    fn obeys(self, node: usize) -> bool {
        self == Self::Everywhere || self == Self::Node(node)
    }
}

/// Somebody said "revoked" of a token.
#[derive(Debug, Clone, Copy)]
struct Said {
    /// When it was asked, and when it was said.
    asked: u64,
    at: u64,
    by: usize,
}

/// How a check was asked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked {
    pub(crate) at: u64,
    pub(crate) node: usize,
    pub(crate) is_strict: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Model(Mutex<Book>);

#[derive(Debug, Default)]
struct Book {
    tokens: Vec<Known>,
    /// The refresh tokens of each session, in the order in which they were first given out.
    chains: HashMap<SessionId, Vec<String>>,
    acknowledged: Vec<Acknowledged>,
    lifts: Vec<Acknowledged>,
    said: HashMap<usize, Vec<Said>>,
}

impl Model {
    /// A pair was given out. Returns the access token's number.
    pub(crate) fn given(&self, pair: &TokenPair, truth: &Truth) -> Result<usize, String> {
        let known = read(pair, truth)?;
        let mut book = self.book();
        let chain = book.chains.entry(pair.session_id).or_default();
        if !chain.contains(&pair.refresh_token) {
            chain.push(pair.refresh_token.clone());
        }
        book.tokens.push(known);
        Ok(book.tokens.len() - 1)
    }

    /// A revocation was acknowledged by a node. Unless it was never written, everything under it that was opened before is
    /// dead for good.
    pub(crate) fn acknowledged(&self, entry: &Entry, at: u64, by: By, truth: &Truth) -> Result<(), String> {
        let acknowledged = Acknowledged::of(entry, at, by, truth)?;
        self.book().acknowledged.push(acknowledged);
        Ok(())
    }

    /// A lift was acknowledged by a node: whatever stood on its scope refuses nobody any more.
    pub(crate) fn lifted(&self, entry: &Entry, at: u64, by: By, truth: &Truth) -> Result<(), String> {
        let lift = Acknowledged::of(entry, at, by, truth)?;
        self.book().lifts.push(lift);
        Ok(())
    }

    /// A node said that a session's refresh token was reused: the session was cut off before.
    pub(crate) fn ended_as_reused(&self, sid: SessionId, at: u64, by: usize, truth: &Truth) -> Result<(), String> {
        let scope = Scope::session(sid);
        let Some(event) = truth.newest_cut_off(&scope) else {
            return Err(format!("{sid} was reused and is not cut off"));
        };
        self.book().acknowledged.push(Acknowledged { scope, event, at, by: By::Node(by) });
        Ok(())
    }

    /// "Revoked" was said of a token.
    pub(crate) fn said_revoked(&self, token: usize, asked: Asked, now: u64) {
        self.book().said.entry(token).or_default().push(Said { asked: asked.at, at: now, by: asked.node });
    }

    /// Why "valid" must not be said of a token, where it must not.
    pub(crate) fn must_be_dead(&self, token: usize, asked: Asked, truth: &Truth) -> Option<String> {
        let book = self.book();
        let known = &book.tokens[token];
        let by_cut_off = book.acknowledged.iter().find(|cut| {
            let is_later = known.opened < cut.event || matches!(cut.scope, Scope::Key(_));
            covers(&cut.scope, known)
                && is_later
                && cut.must_be_obeyed(asked, truth)
                && !truth.lifted_since(&cut.scope, cut.event)
        });
        if let Some(cut) = by_cut_off {
            return Some(format!("{:?} was acknowledged by {:?} at {} ms", cut.scope, cut.by, cut.at));
        }
        // G3: nobody says "valid" again, once the bound has passed in which the others may not know yet. What was lifted
        // before is no reason: who said "revoked" knew of that lift.
        let said = book.said.get(&token)?.iter().find(|said| {
            let is_known = (said.by == asked.node && said.at < asked.at) || asked.at > said.at + BOUND + 2;
            is_known && !truth.lifted_from(known, said.asked.saturating_sub(BOUND + 2))
        })?;
        Some(format!("node {} said \"revoked\" at {} ms", said.by, said.at))
    }

    /// Whether a token may be refused as revoked: by a cut-off that nobody has lifted, as far as that must be known. A lift
    /// that the store has lost ends nothing: in doubt, revoked.
    pub(crate) fn may_be_revoked(&self, token: &Known, asked: Asked, truth: &Truth) -> bool {
        let book = self.book();
        let has_ended = |scope: &Scope, event: Event| {
            let ends = |lift: &Acknowledged| lift.scope == *scope && event < lift.event && !truth.was_lost(lift.event);
            book.lifts.iter().any(|lift| ends(lift) && lift.must_be_obeyed(asked, truth))
        };
        truth.cut_offs_over(token).iter().any(|(scope, event)| !has_ended(scope, *event))
    }

    /// Why a session must not be refreshed, where it must not.
    pub(crate) fn must_have_ended(&self, sid: SessionId, asked: Asked, truth: &Truth) -> Option<String> {
        let book = self.book();
        let known = book.tokens.iter().find(|known| known.sid == sid)?;
        let cut = book.acknowledged.iter().find(|cut| {
            !matches!(cut.scope, Scope::Token(_) | Scope::Key(_))
                && covers(&cut.scope, known)
                && known.opened < cut.event
                && cut.must_be_obeyed(asked, truth)
                && !truth.lifted_since(&cut.scope, cut.event)
        })?;
        Some(format!("{:?} was acknowledged by {:?} at {} ms", cut.scope, cut.by, cut.at))
    }

    /// One of a session's access tokens.
    pub(crate) fn of_session(&self, sid: SessionId) -> Option<Known> {
        self.book().tokens.iter().find(|known| known.sid == sid).cloned()
    }

    pub(crate) fn token(&self, at: usize) -> Known {
        self.book().tokens[at].clone()
    }

    pub(crate) fn tokens(&self) -> usize {
        self.book().tokens.len()
    }

    /// The length of the shortest access token. **Units:** bytes.
    pub(crate) fn shortest(&self) -> usize {
        self.book().tokens.iter().map(|known| known.text.len()).min().unwrap_or_default()
    }

    /// The refresh token that was given out last in a session.
    pub(crate) fn newest_of(&self, sid: SessionId) -> Option<String> {
        self.book().chains.get(&sid)?.last().cloned()
    }

    /// Each session's refresh tokens, in an order that does not hang on chance.
    pub(crate) fn chains(&self) -> Vec<(SessionId, Vec<String>)> {
        let mut chains: Vec<_> = self.book().chains.iter().map(|(sid, chain)| (*sid, chain.clone())).collect();
        chains.sort_by_key(|(sid, _)| *sid);
        chains
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap()
    }
}

/// Reads a pair as a client could that looks into it.
fn read(pair: &TokenPair, truth: &Truth) -> Result<Known, String> {
    let part = |n: usize| -> Option<serde_json::Value> {
        let bytes = URL_SAFE_NO_PAD.decode(pair.access_token.split('.').nth(n)?).ok()?;
        serde_json::from_slice(&bytes).ok()
    };
    let (header, claims) = part(0).zip(part(1)).ok_or("an access token that cannot be read")?;
    let word = |value: &serde_json::Value, name: &str| value[name].as_str().unwrap_or_default().to_owned();
    let opened = truth.opened_at(pair.session_id).ok_or("a session that was never written")?;
    Ok(Known {
        text: pair.access_token.clone(),
        sid: pair.session_id,
        jti: word(&claims, "jti").parse().map_err(|_| "no jti")?,
        subject: Subject::new(word(&claims, "sub")).map_err(|_| "no sub")?,
        client: ClientId::new(word(&claims, "client_id")).map_err(|_| "no client_id")?,
        kid: KeyId::new(word(&header, "kid")).map_err(|_| "no kid")?,
        iat: claims["iat"].as_u64().unwrap_or_default(),
        exp: claims["exp"].as_u64().unwrap_or_default(),
        opened,
    })
}

mod tests {
    use rescind::log::{Act, NewEntry, Text};
    use rescind::position::Seq;
    use rescind::testing::{client, subject};
    use rescind::time::Timestamp;

    use super::*;

    /// A history of one token, of which every entry stands on its subject.
    struct Told {
        model: Model,
        truth: Truth,
        written: u64,
    }

    impl Told {
        fn new() -> Self {
            let (model, truth) = (Model::default(), Truth::default());
            let known = Known {
                text: String::new(),
                sid: "01977420-e2ba-7e89-a500-4d3c9fa7ff74".parse().unwrap(),
                jti: "01977420-e2ba-7e89-a500-4d3c9fa7ff74".parse().unwrap(),
                subject: subject("alice"),
                client: client("app"),
                kid: KeyId::new("key").unwrap(),
                iat: 0,
                exp: 300,
                opened: 0,
            };
            model.book().tokens.push(known);
            Self { model, truth, written: 0 }
        }

        fn write(&mut self, act: Act, when: u64) -> Entry {
            self.written += 1;
            let word = || Text::new("why").unwrap();
            let remember_until = Timestamp::from_millis(when + 1);
            let new = NewEntry {
                scope: Scope::Subject(subject("alice")),
                act,
                reason: word(),
                actor: word(),
                remember_until,
            };
            let entry = Entry::new(Seq::new(self.written), Timestamp::from_millis(when), Timestamp::EPOCH, new);
            self.truth.appended(std::slice::from_ref(&entry), when);
            entry
        }

        /// A cut-off that nobody acknowledged, and what was lifted of it by node 0.
        fn lift(&mut self, when: u64) {
            let of = self.write(Act::CutOff, when).seq;
            let lift = self.write(Act::Lift { of }, when);
            self.model.lifted(&lift, when, By::Node(0), &self.truth).unwrap();
        }

        fn may_be_revoked(&self, node: usize, at: u64) -> bool {
            self.model.may_be_revoked(&self.model.token(0), asked(node, at), &self.truth)
        }
    }

    fn asked(node: usize, at: u64) -> Asked {
        Asked { at, node, is_strict: false }
    }

    #[test]
    fn only_a_late_lift_excuses_a_valid_behind_a_revoked() {
        let mut told = Told::new();
        told.lift(1000);
        told.write(Act::CutOff, 5000);
        told.model.said_revoked(0, asked(0, 6000), 6001);
        let dead = |told: &Told, node, at| told.model.must_be_dead(0, asked(node, at), &told.truth).is_some();
        assert!(dead(&told, 0, 6002), "the lift was known when it was said");
        assert!(dead(&told, 1, 6001 + BOUND + 3));
        assert!(!dead(&told, 1, 6002), "another node may not know yet");
        told.write(Act::Lift { of: Seq::new(3) }, 6100);
        assert!(!dead(&told, 0, 6102));
    }

    #[test]
    fn an_acknowledged_lift_ends_what_a_token_may_be_refused_for() {
        let mut told = Told::new();
        told.lift(1000);
        assert!(!told.may_be_revoked(0, 1001), "the node that lifted it knows");
        assert!(told.may_be_revoked(1, 1001), "another node may not know yet");
        assert!(!told.may_be_revoked(1, 1000 + BOUND + 3));
        told.write(Act::CutOff, 5000);
        assert!(told.may_be_revoked(0, 5001));
    }

    #[test]
    fn a_lift_that_the_store_has_lost_ends_nothing() {
        let mut told = Told::new();
        told.lift(1000);
        assert!(!told.truth.replaced(2), "the copy has both");
        assert!(!told.may_be_revoked(0, 9000));
        assert!(told.truth.replaced(1), "the copy has the cut-off");
        assert!(told.may_be_revoked(0, 9000));
    }
}
