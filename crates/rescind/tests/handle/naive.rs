//! A naive model of the whole rule beside a handle: a token is revoked iff some active cut-off on one of its scopes has a
//! higher position than the token. Steps are done to both; then each token ever minted is asked, as access token and as
//! refresh token.
#![allow(
    clippy::allow_attributes,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail loudly; some programs that use it are no tests"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rescind::id::KeyId;
use rescind::log::{Scope, ScopeKind};
use rescind::testing::{SeededRandom, client, subject};
use rescind::time::{Clock, Timestamp};
use rescind::{Builder, Error, LogoutScope, OpenSession, Rejection, Settings, TokenPair, Verdict};

use crate::support::{House, revocation, secs, text};

const SUBJECTS: [&str; 3] = ["alice", "bob", "carol"];
const CLIENTS: [&str; 2] = ["web", "phone"];
const GRACE: u64 = 10;

/// What is done to both.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    Open { subject: usize, client: usize },
    Refresh { session: usize, back: usize },
    Revoke { kind: usize, session: usize, token: usize },
    LiftNewest { of: usize },
    Lift { seq: u64 },
    Logout { session: usize, scope: LogoutScope, with_refresh: bool },
    RotateKeys,
    Restart,
    Pass { seconds: u64 },
}

/// A session as the model knows it.
struct Known {
    subject: usize,
    client: usize,
    position: u64,
    generation: usize,
    rotated_at: u64,
    /// By generation: the pairs that were minted, newest last.
    pairs: Vec<Minted>,
}

struct Minted {
    pair: TokenPair,
    jti: Scope,
    kid: KeyId,
    generation: usize,
    expires: Timestamp,
}

/// Every entry ever appended, and nothing derived from them.
#[derive(Default)]
struct Model {
    log: Vec<(Scope, Option<u64>)>,
    dead_keys: BTreeSet<KeyId>,
    sessions: Vec<Known>,
}

impl Model {
    fn head(&self) -> u64 {
        self.log.len() as u64
    }

    fn append(&mut self, scope: Scope, lifts: Option<u64>) -> u64 {
        self.log.push((scope, lifts));
        self.head()
    }

    /// The position of a scope's active cut-off; 0 where there is none.
    fn active(&self, scope: &Scope) -> u64 {
        let newest = self.log.iter().enumerate().rev().find(|(_, (of, _))| of == scope);
        newest.map_or(0, |(at, (_, lifts))| if lifts.is_none() { at as u64 + 1 } else { 0 })
    }

    fn scopes(known: &Known) -> [Scope; 4] {
        [
            Scope::session(known.pairs[0].pair.session_id),
            Scope::Subject(subject(SUBJECTS[known.subject])),
            Scope::Client(client(CLIENTS[known.client])),
            Scope::All,
        ]
    }

    fn session_is_cut_off(&self, known: &Known) -> bool {
        Self::scopes(known).iter().any(|scope| self.active(scope) > known.position)
    }

    fn access_passes(&self, known: &Known, minted: &Minted, now: Timestamp) -> bool {
        let own = [minted.jti.clone(), Scope::Key(minted.kid.clone())];
        now < minted.expires
            && !self.dead_keys.contains(&minted.kid)
            && !self.session_is_cut_off(known)
            && own.iter().all(|scope| self.active(scope) <= known.position)
    }

    fn decide(&self, known: &Known, generation: usize, now: u64) -> Result<Verdict, Rejection> {
        if self.session_is_cut_off(known) {
            return Err(Rejection::SessionUnknown); // stands for any refusal that ends nothing
        }
        if generation == known.generation {
            return Ok(Verdict::Rotated);
        }
        let within = now - known.rotated_at <= GRACE * 1000;
        if generation + 1 == known.generation && within { Ok(Verdict::Retried) } else { Err(Rejection::Reused) }
    }
}

/// A handle and its model.
pub(crate) struct Run {
    house: House,
    model: Model,
    /// How often it was started. Each start has randomness of its own.
    starts: u64,
}

/// Of the life of an access token nothing is left to chance.
fn settled(builder: Builder, starts: u64) -> Builder {
    let settings = Settings { access_jitter: 0, ..Settings::default() };
    builder.settings(settings).random(Arc::new(SeededRandom::new(1000 + starts)))
}

impl Run {
    /// With nothing in it.
    pub(crate) async fn new() -> Self {
        let house = House::with(|builder| settled(builder, 1)).await;
        Self { house, model: Model::default(), starts: 1 }
    }

    /// Stops the handle and builds another over the same store.
    async fn restart(&mut self) {
        self.house.rescind.shutdown().await;
        self.starts += 1;
        let (store, clock) = (Arc::clone(&self.house.store), Arc::clone(&self.house.clock));
        self.house = House::over(store, clock, |builder| settled(builder, self.starts)).await;
    }

    fn minted(&self, pair: TokenPair, generation: usize) -> Minted {
        let verified = self.house.rescind.verify(&pair.access_token).unwrap();
        Minted {
            jti: Scope::token(verified.jti()),
            kid: verified.key_id().clone(),
            expires: verified.expires_at(),
            generation,
            pair,
        }
    }

    /// Does a step to both, and compares what it answered.
    pub(crate) async fn step(&mut self, step: &Step) {
        let now = self.house.clock.wall().as_millis();
        let sessions = self.model.sessions.len();
        match *step {
            Step::Open { subject: of, client: by } => {
                let opening = OpenSession::new(subject(SUBJECTS[of]), client(CLIENTS[by]));
                let pair = self.house.rescind.open_session(opening).await.unwrap();
                let position = self.model.head();
                let pairs = vec![self.minted(pair, 0)];
                let known = Known { subject: of, client: by, position, generation: 0, rotated_at: now, pairs };
                self.model.sessions.push(known);
            }
            Step::Refresh { session, back } if sessions > 0 => self.refresh(session % sessions, back, now).await,
            Step::Revoke { kind, session, token } if sessions > 0 => self.revoke(kind, session, token).await,
            Step::LiftNewest { of } if !self.model.log.is_empty() => {
                let scope = self.model.log[of % self.model.log.len()].0.clone();
                self.lift(self.model.active(&scope)).await;
            }
            Step::Lift { seq } => self.lift(seq).await,
            Step::Logout { session, scope, with_refresh } if sessions > 0 => {
                self.logout(session % sessions, scope, with_refresh).await;
            }
            Step::RotateKeys => drop(self.house.rescind.rotate_keys().await.unwrap()),
            Step::Restart => self.restart().await,
            Step::Pass { seconds } => self.house.pass(secs(seconds)).await,
            _ => {}
        }
    }

    async fn refresh(&mut self, session: usize, back: usize, now: u64) {
        let known = &self.model.sessions[session];
        let generation = known.generation.saturating_sub(back);
        let minted = known.pairs.iter().find(|minted| minted.generation == generation).unwrap();
        let expected = self.model.decide(known, generation, now);
        let refreshed = self.house.refresh(&minted.pair.refresh_token).await;
        match (expected, refreshed) {
            (Ok(verdict), Ok(refreshed)) => {
                assert_eq!(refreshed.verdict, verdict);
                let generation = if verdict == Verdict::Rotated { generation + 1 } else { known.generation };
                let minted = self.minted(refreshed.pair, generation);
                let known = &mut self.model.sessions[session];
                if verdict == Verdict::Rotated {
                    (known.generation, known.rotated_at) = (generation, now);
                }
                known.pairs.push(minted);
            }
            (Err(Rejection::Reused), Err(Error::Rejected(Rejection::Reused))) => {
                let scope = Scope::session(known.pairs[0].pair.session_id);
                self.model.append(scope, None);
            }
            (Err(Rejection::SessionUnknown), Err(Error::Rejected(Rejection::Revoked(_)))) => {}
            (expected, found) => panic!("expected {expected:?}, found {:?}", found.map(|it| it.verdict)),
        }
    }

    async fn revoke(&mut self, kind: usize, session: usize, token: usize) {
        let known = &self.model.sessions[session % self.model.sessions.len()];
        let minted = &known.pairs[token % known.pairs.len()];
        let [of_session, of_subject, of_client, all] = Model::scopes(known);
        let scope = match kind {
            0 => minted.jti.clone(),
            1 => of_session,
            2 => of_subject,
            3 => of_client,
            4 => Scope::Key(minted.kid.clone()),
            // Rarely: it ends what the other steps live on.
            _ if token.is_multiple_of(4) => all,
            _ => return,
        };
        let entry = self.house.rescind.revoke(revocation(scope.clone())).await.unwrap();
        if let Scope::Key(kid) = &scope {
            self.model.dead_keys.insert(kid.clone());
        }
        assert_eq!(self.model.append(scope, None), entry.seq.get());
    }

    async fn lift(&mut self, seq: u64) {
        let lifted = self.house.rescind.lift(rescind::position::Seq::new(seq), text("x"), text("t")).await;
        let scope = seq.checked_sub(1).and_then(|at| self.model.log.get(usize::try_from(at).unwrap()));
        match (scope.map(|(scope, _)| scope.clone()), lifted) {
            (None, Err(Error::NotFound(_))) => {}
            (Some(scope), Ok(entry)) => {
                assert_eq!(self.model.active(&scope), seq, "only the newest can be lifted");
                assert_eq!(self.model.append(scope, Some(seq)), entry.seq.get());
            }
            (Some(scope), Err(Error::Conflict { .. })) => assert_ne!(self.model.active(&scope), seq),
            (scope, lifted) => panic!("lift of {seq} on {scope:?}: {lifted:?}"),
        }
    }

    async fn logout(&mut self, session: usize, scope: LogoutScope, with_refresh: bool) {
        let known = &self.model.sessions[session];
        let pair = &known.pairs[0].pair;
        let token = if with_refresh { &pair.refresh_token } else { &pair.access_token };
        let answer = self.house.rescind.logout(token, scope, text("t")).await;
        if !with_refresh && self.model.dead_keys.contains(&known.pairs[0].kid) {
            assert!(matches!(answer, Err(Error::Rejected(Rejection::KeyRevoked))));
            return;
        }
        let wide = scope != LogoutScope::Session;
        if !with_refresh && wide && self.model.active(&known.pairs[0].jti) > 0 {
            let refused = matches!(answer, Err(Error::Rejected(Rejection::Revoked(ScopeKind::Token))));
            // The view may forget what was revoked once no check needs it.
            assert!(refused || self.house.clock.wall() >= known.pairs[0].expires);
            if refused {
                return;
            }
        }
        let ended: BTreeSet<_> = answer.unwrap().ended.into_iter().collect();
        let mut expected = BTreeMap::new();
        if !self.model.session_is_cut_off(known) {
            for (at, other) in self.model.sessions.iter().enumerate() {
                let reached = match scope {
                    LogoutScope::Session => at == session,
                    LogoutScope::Others => at != session && other.subject == known.subject,
                    LogoutScope::All => other.subject == known.subject,
                };
                if reached && !self.model.session_is_cut_off(other) {
                    expected.insert(other.pairs[0].pair.session_id, at);
                }
            }
            if scope == LogoutScope::All {
                let of = Scope::Subject(subject(SUBJECTS[known.subject]));
                self.model.append(of, None);
            } else {
                // Newest first, as they are listed; a session's id says when it was opened.
                for sid in expected.keys().rev() {
                    self.model.append(Scope::session(*sid), None);
                }
            }
        }
        assert_eq!(ended, expected.into_keys().collect::<BTreeSet<_>>());
    }

    /// Every token ever minted is worth what the model says.
    pub(crate) async fn compare(&self, after: &Step) {
        let now = self.house.clock.wall();
        for known in &self.model.sessions {
            for minted in &known.pairs {
                let found = match self.house.check(&minted.pair.access_token).await {
                    Ok(_) => true,
                    Err(Error::Rejected(_)) => false,
                    Err(other) => panic!("no answer: {other}"),
                };
                assert_eq!(found, self.model.access_passes(known, minted, now), "access token, after {after:?}");
                let expected = self.model.decide(known, minted.generation, now.as_millis());
                let found = self.house.rescind.inspect(&minted.pair.refresh_token).await;
                assert_eq!(found.refused.is_none(), expected.is_ok(), "refresh token, after {after:?}");
            }
        }
    }
}
