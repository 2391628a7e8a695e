//! What a client sees, and whether it may: every answer of a node is held against the model here.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use rescind::id::SessionId;
use rescind::log::{Entry, Scope, Text};
use rescind::store::Store as _;
use rescind::time::Clock as _;
use rescind::{Error, Introspection, OpenSession, Policy, Refresh, Refreshed, Rejection, Revoke, TokenPair, Verdict};

use super::model::{Asked, By, Known};
use super::world::{Running, World};

/// What a client got.
#[derive(Debug)]
pub(crate) enum Outcome {
    Pair(TokenPair),
    Refused(Rejection),
    /// A fault, or no answer: nothing was said about the token.
    Nothing,
}

impl World {
    /// Signs somebody in at a node.
    pub(crate) async fn login(&self, node: usize, opening: OpenSession) -> Option<TokenPair> {
        let running = self.running(node)?;
        let answer = running.rescind.open_session(opening).await;
        if running.link.is_stopped_or_dead() {
            return None;
        }
        match answer {
            Ok(pair) => {
                let token = self.must(self.model.given(&pair, &self.store.truth))?;
                self.trace.count("logins");
                self.say(&format!("node {node}: login, token {token}"));
                Some(pair)
            }
            Err(Error::Store(_) | Error::Stale { .. }) => None,
            Err(error) => {
                self.violate(format!("node {node}: a login came to {error}"));
                None
            }
        }
    }

    /// Checks a token at a node; whether it said something.
    pub(crate) async fn check(&self, node: usize, token: usize, policy: Option<Policy>) -> bool {
        let Some(running) = self.running(node).filter(|running| !running.link.is_stopped_or_dead()) else {
            return false;
        };
        let (known, clock) = (self.model.token(token), self.clock(node));
        // Strictly is asked whatever store the node is connected to.
        let is_strict = policy == Some(Policy::Strict) && !self.was_pinned.load(Ordering::Relaxed);
        let asked = Asked { at: self.now(), node, is_strict };
        let wall = clock.wall().as_millis();
        let answer = match policy {
            Some(policy) => running.rescind.check_as(&known.text, policy).await,
            None => running.rescind.check(&known.text).await,
        };
        if running.link.is_stopped_or_dead() {
            return false;
        }
        let walls = (wall.min(clock.wall().as_millis()), wall.max(clock.wall().as_millis()));
        let is_answered = !matches!(answer, Err(Error::Stale { .. } | Error::Store(_)));
        let wrong = match answer {
            Ok(_) => self.wrongly_valid(token, &known, asked, walls),
            Err(Error::Rejected(rejection)) => {
                if matches!(rejection, Rejection::Revoked(_) | Rejection::KeyRevoked) {
                    self.trace.count("refused as revoked");
                    self.model.said_revoked(token, asked, self.now());
                }
                self.wrongly_refused(&known, rejection, asked, walls)
            }
            Err(Error::Stale { .. } | Error::Store(_)) => {
                self.trace.count("checks without an answer");
                None
            }
            Err(error) => Some(error.to_string()),
        };
        if let Some(why) = wrong {
            self.violate(format!("node {node}, token {token} of {}: {why}", known.sid));
        }
        is_answered
    }

    fn wrongly_valid(&self, token: usize, known: &Known, asked: Asked, walls: (u64, u64)) -> Option<String> {
        self.trace.count("valid");
        if walls.0 >= self.ends(known) {
            return Some("valid, and it has expired".to_owned());
        }
        let why = self.model.must_be_dead(token, asked, &self.store.truth)?;
        Some(format!("valid, but {why}"))
    }

    /// Nobody is refused who was not cut off, and no fault is a refusal.
    fn wrongly_refused(&self, known: &Known, rejection: Rejection, asked: Asked, walls: (u64, u64)) -> Option<String> {
        let truth = &self.store.truth;
        let skew = u64::try_from(self.settings.skew.as_millis()).unwrap_or(0);
        let rightly = match rejection {
            Rejection::Revoked(_) => self.model.may_be_revoked(known, asked, truth),
            // A key is forgotten when nothing lives that it signed, also by a node whose own clock is behind.
            Rejection::KeyRevoked | Rejection::UnknownKey => {
                truth.may_key_be_gone(known) || walls.1.max(self.time.wall()) >= self.ends(known)
            }
            Rejection::Expired => walls.1 >= self.ends(known),
            Rejection::IssuedInFuture | Rejection::NotYetValid => walls.0 + skew < known.iat * 1000,
            _ => false,
        };
        (!rightly).then(|| format!("refused for no reason: {}", rejection.reason()))
    }

    /// When a token ends. **Units:** milliseconds, by the wall clock.
    fn ends(&self, known: &Known) -> u64 {
        (known.exp + self.settings.leeway.as_secs()) * 1000
    }

    /// Presents a refresh token at a node. What comes of a token that was used before is the caller's to judge.
    pub(crate) async fn refresh(&self, node: usize, token: &str, sid: SessionId) -> Outcome {
        let Some(running) = self.running(node) else { return Outcome::Nothing };
        let is_strict = !self.was_pinned.load(Ordering::Relaxed);
        let asked = Asked { at: self.now(), node, is_strict };
        let answer = running.rescind.refresh(token, Refresh::default()).await;
        if running.link.is_stopped_or_dead() {
            return Outcome::Nothing;
        }
        match answer {
            Ok(Refreshed { pair, verdict }) => {
                self.refreshed(&pair, verdict, asked);
                Outcome::Pair(pair)
            }
            Err(Error::Rejected(rejection)) => {
                self.refresh_refused(sid, rejection, asked).await;
                Outcome::Refused(rejection)
            }
            Err(Error::Store(_) | Error::Stale { .. }) => Outcome::Nothing,
            Err(error) => {
                self.violate(format!("node {node}: a refresh came to {error}"));
                Outcome::Nothing
            }
        }
    }

    /// Asks a node what a refresh token is: it is not called good by who must know better.
    pub(crate) async fn introspect(&self, node: usize, token: &str, sid: SessionId) {
        let Some(running) = self.running(node).filter(|running| !running.link.is_stopped_or_dead()) else { return };
        let asked = Asked { at: self.now(), node, is_strict: false };
        let answer = running.rescind.introspect(token).await;
        if running.link.is_stopped_or_dead() {
            return;
        }
        let wrong = match answer {
            Ok(Introspection::Refresh(_)) => {
                self.trace.count("refresh tokens called good");
                self.model.must_have_ended(sid, asked, &self.store.truth)
            }
            Ok(Introspection::Inactive) | Err(Error::Stale { .. } | Error::Store(_)) => None,
            Ok(Introspection::Access(_)) => Some("it is an access token".to_owned()),
            Err(error) => Some(error.to_string()),
        };
        if let Some(why) = wrong {
            self.violate(format!("node {node}: {sid} goes on, but {why}"));
        }
    }

    fn refreshed(&self, pair: &TokenPair, verdict: Verdict, asked: Asked) {
        let (sid, truth) = (pair.session_id, &self.store.truth);
        if let Some(why) = self.model.must_have_ended(sid, asked, truth) {
            self.violate(format!("node {}: {sid} was refreshed, but {why}", asked.node));
        }
        self.trace.count(match verdict {
            Verdict::Rotated => "rotations",
            Verdict::Retried => "retries within grace",
            Verdict::Kept => "uses without a rotation",
            Verdict::Ahead => "tokens ahead of their row",
        });
        if verdict == Verdict::Ahead && !truth.lost_rotation(sid) {
            self.violate(format!("{sid} was ahead of its row, and no rotation of it was lost"));
        }
        if let Some(token) = self.must(self.model.given(pair, truth)) {
            self.say(&format!("node {}: {verdict:?}, token {token}", asked.node));
        }
    }

    async fn refresh_refused(&self, sid: SessionId, rejection: Rejection, asked: Asked) {
        let truth = &self.store.truth;
        self.say(&format!("node {}: a refresh was refused as {}", asked.node, rejection.reason()));
        let Some(known) = self.model.of_session(sid) else { return };
        let primary = self.store.primary();
        let row = primary.load(sid).await.ok().flatten();
        let clocks_stepped = self.store.clock.steps() > 0;
        let rightly = match rejection {
            Rejection::Revoked(_) => self.model.may_be_revoked(&known, asked, truth),
            Rejection::SessionUnknown => truth.lost_session(sid) || self.now() > 10 * 3_600_000,
            Rejection::SessionIdle | Rejection::SessionExpired => {
                truth.lost_rotation(sid)
                    || clocks_stepped
                    || row.is_none_or(|row| row.session.lapsed(row.now).is_some())
            }
            Rejection::Reused => {
                self.trace.count("reuses found");
                self.must(self.model.ended_as_reused(sid, self.now(), asked.node, truth));
                true
            }
            _ => false,
        };
        if !rightly {
            self.violate(format!("node {}: {sid} was refused for no reason: {}", asked.node, rejection.reason()));
        }
    }

    /// Cuts a scope off at a node, and sometimes waits until that is everywhere.
    pub(crate) async fn revoke(self: Arc<Self>, node: usize, scope: Scope) -> Option<Entry> {
        let running = self.running(node)?;
        self.say(&format!("node {node}: revoke {}", named(&scope)));
        if let Scope::Key(kid) = &scope {
            // It leaves the ring before it is cut off.
            self.store.truth.key_attacked(kid);
        }
        let (reason, actor) = (text("simulated"), text("nobody"));
        let answer = running.rescind.revoke(Revoke { scope: scope.clone(), reason, actor }).await;
        let entry = self.acknowledged(node, &running, answer)?;
        self.trace.count(kind(&scope));
        if self.dice.happens(150) {
            running.rescind.everywhere(entry.seq).await;
            if !running.link.is_stopped_or_dead() {
                self.say(&format!("{} is everywhere", entry.seq));
                self.trace.count("waits for everywhere");
                self.must(self.model.acknowledged(&entry, self.now(), By::Everywhere, &self.store.truth));
            }
        }
        Some(entry)
    }

    /// A revocation was answered by a node that still runs.
    pub(crate) fn acknowledged(&self, node: usize, running: &Running, answer: Result<Entry, Error>) -> Option<Entry> {
        if running.link.is_stopped_or_dead() {
            return None;
        }
        match answer {
            Ok(entry) => {
                self.say(&format!("node {node}: {} on {} is acknowledged", entry.seq, named(&entry.scope)));
                self.trace.count("revocations acknowledged");
                self.must(self.model.acknowledged(&entry, self.now(), By::Node(node), &self.store.truth));
                Some(entry)
            }
            Err(Error::Store(_) | Error::NotFound(_) | Error::Stale { .. }) => {
                self.trace.count("revocations without an answer");
                None
            }
            Err(error) => {
                self.violate(format!("node {node}: a revocation came to {error}"));
                None
            }
        }
    }
}

/// A scope for the trace. A signing key's name is not told: keys are the one thing that no seed decides.
pub(crate) fn named(scope: &Scope) -> String {
    if let Scope::Key(_) = scope { "a key".to_owned() } else { format!("{} {}", scope.kind().as_str(), scope.id()) }
}

const fn kind(scope: &Scope) -> &'static str {
    match scope {
        Scope::Token(_) => "cut-offs on tokens",
        Scope::Session(_) => "cut-offs on sessions",
        Scope::Subject(_) => "cut-offs on subjects",
        Scope::Client(_) => "cut-offs on clients",
        Scope::Key(_) => "cut-offs on keys",
        Scope::All => "cut-offs on everything",
    }
}

pub(crate) fn text(words: &str) -> Text {
    Text::new(words).unwrap()
}
