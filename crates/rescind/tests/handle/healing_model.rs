//! Random lives of three nodes whose store goes back again and again, against what was acknowledged: nothing revoked is
//! said to be valid, by its own node from the acknowledgement on and by every other one behind the bound; and where no
//! node died, nobody is refused who was not cut off.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crate::support::cluster::{Answer, Cluster, Node, pass};
use crate::support::{ms, opening, revocation, secs, text};
use proptest::collection::vec;
use proptest::prelude::*;
use rescind::TokenPair;
use rescind::log::{Entry, Scope};
use rescind::store::MemoryStore;
use rescind::testing::subject;
use rescind::time::{BootTime, Clock};

const NAMES: [&str; 3] = ["alice", "bob", "carol"];
const NODES: usize = 3;
const BOUND: Duration = secs(2);

#[derive(Debug, Clone)]
enum Step {
    Login {
        node: usize,
        name: usize,
    },
    RevokeSession {
        node: usize,
        token: usize,
    },
    RevokeSubject {
        node: usize,
        name: usize,
    },
    Lift {
        node: usize,
        entry: usize,
    },
    /// From here on the replica gets nothing more.
    Lag,
    /// The store is away for so long, and the replica takes its place.
    FailOver {
        away: u64,
        gaps: [u64; NODES],
    },
    Restart {
        node: usize,
        dies: bool,
    },
    Pass {
        millis: u64,
    },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let node = 0..NODES;
    let gaps = [0..40_u64, 0..40, 0..40];
    let step = prop_oneof![
        5 => (node.clone(), 0..NAMES.len()).prop_map(|(node, name)| Step::Login { node, name }),
        5 => (node.clone(), any::<usize>()).prop_map(|(node, token)| Step::RevokeSession { node, token }),
        2 => (node.clone(), 0..NAMES.len()).prop_map(|(node, name)| Step::RevokeSubject { node, name }),
        2 => (node.clone(), any::<usize>()).prop_map(|(node, entry)| Step::Lift { node, entry }),
        3 => Just(Step::Lag),
        3 => (prop_oneof![Just(0), Just(60), Just(1500), Just(3000)], gaps)
            .prop_map(|(away, gaps)| Step::FailOver { away, gaps }),
        1 => (node, any::<bool>()).prop_map(|(node, dies)| Step::Restart { node, dies }),
        3 => prop_oneof![Just(1), Just(60), Just(700), Just(2500)].prop_map(|millis| Step::Pass { millis }),
    ];
    vec(step, 1..40)
}

/// A token, and what is known of it.
struct Known {
    pair: TokenPair,
    name: usize,
    /// Since when, and by which node, it was acknowledged to be revoked, and not lifted since.
    dead: Option<(BootTime, usize)>,
}

struct World {
    cluster: Cluster,
    nodes: Vec<Option<Node>>,
    tokens: Vec<Known>,
    entries: Vec<Entry>,
    /// What somebody tried to cut off.
    attempted: BTreeSet<Scope>,
    replica: Option<Arc<MemoryStore>>,
    somebody_died: bool,
}

impl World {
    async fn new() -> Self {
        let cluster = Cluster::new();
        let mut nodes = Vec::new();
        for seed in 0..NODES as u64 {
            nodes.push(Some(cluster.node(seed + 1).await));
        }
        pass(secs(3)).await;
        let (tokens, entries, attempted) = (Vec::new(), Vec::new(), BTreeSet::new());
        Self { cluster, nodes, tokens, entries, attempted, replica: None, somebody_died: false }
    }

    fn node(&self, at: usize) -> &Node {
        self.nodes[at].as_ref().unwrap()
    }

    async fn revoke(&mut self, node: usize, scope: Scope) {
        let covers = |known: &Known| match &scope {
            Scope::Subject(name) => name.as_str() == NAMES[known.name],
            scope => *scope == Scope::session(known.pair.session_id),
        };
        let answer = self.node(node).rescind.revoke(revocation(scope.clone())).await;
        let now = self.cluster.clock.boot();
        for known in self.tokens.iter_mut().filter(|known| answer.is_ok() && covers(known)) {
            known.dead = Some((now, node));
        }
        self.attempted.insert(scope);
        self.entries.extend(answer.ok());
    }

    async fn lift(&mut self, node: usize, entry: usize) {
        let Some(at) = entry.checked_rem(self.entries.len()) else { return };
        let entry = self.entries[at].clone();
        // Whatever the answer is, it may have been lifted.
        for known in &mut self.tokens {
            if entry.scope == Scope::session(known.pair.session_id)
                || entry.scope == Scope::Subject(subject(NAMES[known.name]))
            {
                known.dead = None;
            }
        }
        drop(self.node(node).rescind.lift(entry.seq, text("a mistake"), text("tester")).await);
    }

    async fn fail_over(&mut self, away: u64, gaps: [u64; NODES]) {
        (0..NODES).for_each(|node| self.node(node).cut());
        pass(ms(away)).await;
        let replica = self.replica.take().unwrap_or_else(|| self.cluster.lagging());
        self.cluster.promote(replica);
        for (node, gap) in gaps.into_iter().enumerate() {
            pass(ms(gap)).await;
            self.node(node).reconnect();
        }
    }

    async fn restart(&mut self, node: usize, dies: bool) {
        // What it acknowledged the others have read, or nobody could know of it; and a loss was found by those who were
        // there, which a node that starts could not find.
        pass(secs(2)).await;
        self.somebody_died = true;
        let old = self.nodes[node].take().unwrap();
        if !dies {
            old.rescind.shutdown().await;
        }
        drop(old);
        pass(ms(100)).await;
        self.nodes[node] = Some(self.cluster.node(node as u64 + 1).await);
    }

    async fn take(&mut self, step: Step) {
        match step {
            Step::Login { node, name } => {
                if let Ok(pair) = self.node(node).rescind.open_session(opening(NAMES[name])).await {
                    self.tokens.push(Known { pair, name, dead: None });
                }
            }
            Step::RevokeSession { node, token } => {
                if let Some(at) = token.checked_rem(self.tokens.len()) {
                    self.revoke(node, Scope::session(self.tokens[at].pair.session_id)).await;
                }
            }
            Step::RevokeSubject { node, name } => self.revoke(node, Scope::Subject(subject(NAMES[name]))).await,
            Step::Lift { node, entry } => self.lift(node, entry).await,
            Step::Lag => {
                // A store that goes back behind its own healing has forgotten that, too, and is healed by cutting off all.
                pass(secs(3)).await;
                self.replica = Some(self.cluster.lagging());
            }
            Step::FailOver { away, gaps } => self.fail_over(away, gaps).await,
            Step::Restart { node, dies } => self.restart(node, dies).await,
            Step::Pass { millis } => pass(ms(millis)).await,
        }
    }

    async fn look(&self, settled: bool) -> Result<(), TestCaseError> {
        let now = self.cluster.clock.boot();
        for (at, known) in self.tokens.iter().enumerate() {
            // A cut-off that is made again covers who signed in behind it, too.
            let scopes = [Scope::session(known.pair.session_id), Scope::Subject(subject(NAMES[known.name]))];
            let may_be_refused = self.somebody_died || scopes.iter().any(|scope| self.attempted.contains(scope));
            for node in 0..NODES {
                let answer = self.node(node).check(&known.pair).await;
                let must_be_dead =
                    known.dead.is_some_and(|(since, by)| by == node || now.since(since) > BOUND || settled);
                prop_assert!(answer != Answer::Valid || !must_be_dead, "token {} is valid at node {}", at, node);
                prop_assert!(answer != Answer::Refused || may_be_refused, "token {} is refused at node {}", at, node);
                prop_assert!(answer != Answer::Nothing || !settled, "node {} says nothing", node);
            }
        }
        Ok(())
    }
}

async fn live(steps: Vec<Step>) -> Result<(), TestCaseError> {
    let mut world = World::new().await;
    for step in steps {
        world.take(step).await;
        world.look(false).await?;
    }
    pass(secs(10)).await;
    world.look(true).await?;
    prop_assert!(world.somebody_died || !world.cluster.everything_is_cut_off().await, "everything is cut off");
    let on_everything = world.cluster.entries().await.into_iter().filter(|entry| entry.scope == Scope::All).count();
    prop_assert!(on_everything <= 1, "everything is cut off {} times in one history", on_everything);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_the_store_forgets_nobody_revoked_comes_back(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(live(steps))?;
    }
}
