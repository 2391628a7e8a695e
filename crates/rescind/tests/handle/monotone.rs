//! Once "revoked" was acknowledged, nothing brings a token back: clock steps in either direction, restarts, outages,
//! a store replaced by an empty one, or any order of them. There are no lifts here.

use std::sync::Arc;

use crate::support::{House, TestStore, new_store, revocation, secs};
use proptest::collection::vec;
use proptest::prelude::*;
use rescind::TokenPair;
use rescind::log::Scope;
use rescind::testing::{ManualClock, subject};
use rescind::time::Timestamp;

/// A restart forgets the steps that were seen; this much is allowed for all the same.
const HOUR: i64 = 3600;

#[derive(Debug, Clone)]
enum Step {
    Open,
    RevokeToken(usize),
    RevokeSession(usize),
    RevokeSubject,
    RevokeKey,
    Refresh(usize),
    Clock { off_by: i64 },
    Pass { seconds: u64 },
    Outage { seconds: u64 },
    Restart,
    LoseStore,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let off_by = prop_oneof![Just(0), Just(5), Just(-5), Just(HOUR), Just(-HOUR)];
    let seconds = || prop_oneof![Just(1), Just(3), Just(60), Just(600), Just(2000)];
    let step = prop_oneof![
        4 => Just(Step::Open),
        3 => any::<usize>().prop_map(Step::RevokeToken),
        3 => any::<usize>().prop_map(Step::RevokeSession),
        1 => Just(Step::RevokeSubject),
        1 => Just(Step::RevokeKey),
        2 => any::<usize>().prop_map(Step::Refresh),
        4 => off_by.prop_map(|off_by| Step::Clock { off_by }),
        3 => seconds().prop_map(|seconds| Step::Pass { seconds }),
        1 => seconds().prop_map(|seconds| Step::Outage { seconds }),
        2 => Just(Step::Restart),
        1 => Just(Step::LoseStore),
    ];
    vec(step, 1..40)
}

struct Token {
    pair: TokenPair,
    kid: rescind::id::KeyId,
    access_dead: bool,
    refresh_dead: bool,
}

struct Run {
    folder: tempfile::TempDir,
    clock: Arc<ManualClock>,
    /// How much time has really passed.
    elapsed: u64,
    seed: u64,
    house: House,
    tokens: Vec<Token>,
}

impl Run {
    async fn new() -> Self {
        let (folder, clock) = (tempfile::tempdir().unwrap(), Arc::new(ManualClock::default()));
        let house = House::marked(&new_store(&clock, 1), &clock, &folder.path().join("high-water"), 2).await;
        Self { folder, clock, elapsed: 0, seed: 2, house, tokens: Vec::new() }
    }

    async fn restart(&mut self, store: Arc<TestStore>) {
        self.house.rescind.shutdown().await;
        self.seed += 1;
        self.house = House::marked(&store, &self.clock, &self.folder.path().join("high-water"), self.seed).await;
    }

    fn keep(&mut self, pair: TokenPair) {
        // Under a clock that stepped, a fresh token may be from the future for this very node.
        let kid = self.house.current_kid();
        self.tokens.push(Token { pair, kid, access_dead: false, refresh_dead: false });
    }

    async fn step(&mut self, step: &Step) {
        let at = |n: usize, tokens: &[Token]| n.checked_rem(tokens.len());
        match *step {
            Step::Open => {
                let pair = self.house.login("alice").await;
                self.keep(pair);
            }
            Step::RevokeToken(n) => {
                if let Some(token) = at(n, &self.tokens).and_then(|at| self.tokens.get_mut(at)) {
                    let jti =
                        crate::support::payload(&token.pair.access_token)["jti"].as_str().unwrap().parse().unwrap();
                    self.house.rescind.revoke(revocation(Scope::token(jti))).await.unwrap();
                    token.access_dead = true;
                }
            }
            Step::RevokeSession(n) => {
                let Some(at) = at(n, &self.tokens) else { return };
                let sid = self.tokens[at].pair.session_id;
                // A store that was lost does not know the session; what it covers is dead already then.
                if self.house.rescind.revoke(revocation(Scope::session(sid))).await.is_ok() {
                    self.kill(|token| token.pair.session_id == sid, true);
                }
            }
            Step::RevokeSubject => {
                self.house.revoke(Scope::Subject(subject("alice"))).await;
                self.kill(|_| true, true);
            }
            Step::RevokeKey => {
                let kid = self.house.current_kid();
                self.house.revoke(Scope::Key(kid.clone())).await;
                self.kill(|token| token.kid == kid, false);
            }
            Step::Refresh(n) => {
                let Some(at) = at(n, &self.tokens) else { return };
                let token = self.tokens[at].pair.refresh_token.clone();
                if let Ok(refreshed) = self.house.refresh(&token).await {
                    self.keep(refreshed.pair);
                } else {
                    self.spent(at).await;
                }
            }
            Step::Clock { off_by } => {
                let right = ManualClock::START.plus(secs(self.elapsed)).as_secs();
                self.clock.step_wall(Timestamp::from_secs(right.checked_add_signed(off_by).unwrap()));
            }
            Step::Pass { seconds } => {
                self.clock.advance(secs(seconds));
                self.elapsed += seconds;
            }
            Step::Outage { seconds } => {
                self.house.store.down();
                self.clock.advance(secs(seconds));
                self.elapsed += seconds;
                self.nothing_came_back(step).await;
                self.house.store.up();
            }
            Step::Restart => self.restart(Arc::clone(&self.house.store)).await,
            Step::LoseStore => {
                // An empty log before the loss leaves nothing to find it by.
                self.house.revoke(Scope::Subject(subject("nobody"))).await;
                let empty = new_store(&self.clock, 1000 + self.seed);
                self.restart(empty).await;
                self.kill(|_| true, true);
            }
        }
    }

    /// A refused refresh may have been reuse, which ends the session.
    async fn spent(&mut self, at: usize) {
        let sid = self.tokens[at].pair.session_id;
        let ended = self.house.rescind.session(sid).await.unwrap().is_none_or(|loaded| loaded.cut_off.is_some());
        if ended {
            self.kill(|token| token.pair.session_id == sid, true);
        }
    }

    fn kill(&mut self, which: impl Fn(&Token) -> bool, refresh: bool) {
        for token in self.tokens.iter_mut().filter(|token| which(token)) {
            token.access_dead = true;
            token.refresh_dead |= refresh;
        }
    }

    async fn nothing_came_back(&self, after: &Step) {
        for token in &self.tokens {
            if token.access_dead {
                assert!(self.house.check(&token.pair.access_token).await.is_err(), "access token, after {after:?}");
            }
            if token.refresh_dead {
                assert!(self.house.refresh(&token.pair.refresh_token).await.is_err(), "refresh token, after {after:?}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    // holds: 122, R18
    #[test]
    fn nothing_that_was_revoked_comes_back(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let mut run = Run::new().await;
            for step in &steps {
                run.step(step).await;
                run.nothing_came_back(step).await;
                run.house.rescind.sync().await.unwrap();
                run.nothing_came_back(step).await;
            }
        });
    }
}
