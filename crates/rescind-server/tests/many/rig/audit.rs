//! The last questions, when the faults are over: every node about what the witness wrote down, about what must be good,
//! and whether refresh tokens that were answered with 503 still are. All of it must be answered.

use std::collections::HashSet;

use super::client::Client;
use super::history::{Answer, Scope, What};
use super::pool::{Pool, Session, Use};

/// So many sessions of each kind are asked about: the newest, which the faults have met.
const MOST: usize = 60;

pub(super) fn audit(client: &Client, pool: &Pool, nodes: &[usize]) {
    client.history.phase("audit");
    let witnessed: HashSet<Scope> = client.history.witness.read().into_iter().collect();
    let acknowledged = client.history.count(What::Revoke, &Answer::Yes, super::At::ZERO);
    assert!(
        witnessed.len() <= acknowledged && !witnessed.is_empty(),
        "the witness saw {} of {acknowledged}",
        witnessed.len()
    );
    let (ended, live): (Vec<_>, Vec<_>) = pool.sessions.iter().rev().partition(|session| session.at == Use::Ending);
    for session in live.into_iter().take(MOST).chain(ended.into_iter().take(MOST)) {
        look(client, session, nodes);
    }
}

fn look(client: &Client, session: &Session, nodes: &[usize]) {
    for node in nodes.iter().copied() {
        for token in session.tokens.iter().rev().take(2) {
            settled(&client.check(node, &token.text, token.credential));
        }
    }
    settled(&client.refresh(nodes[session.credential % nodes.len()], &session.refresh, session.credential).0);
}

fn settled(answer: &Answer) {
    assert!(matches!(answer, Answer::Yes | Answer::Refused), "the faults are over, and a node says {answer:?}");
}
