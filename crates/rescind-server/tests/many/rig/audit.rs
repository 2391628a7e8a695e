//! The last questions, when the faults are over: every node about what the witness wrote down, about what was lifted and
//! what must be good, and whether refresh tokens that were answered with 503 still are. All of it must be answered.

use std::collections::HashMap;
use std::time::Duration;

use rescind_torture::{Answer, At, Client, Line, Scope, What, rest};

use super::pool::{Pool, Session, Use};

/// So many sessions of each kind are asked about: the newest, which the faults have met.
const MOST: usize = 40;
/// So often 503 is asked again, and after so long.
const TRIES: usize = 20;
const PAUSE: Duration = Duration::from_millis(250);

pub(super) fn audit(client: &Client, pool: &Pool, nodes: &[usize]) {
    client.history.phase("audit");
    let witnessed = client.history.witness.read().unwrap();
    let acknowledged = client.history.count(What::Revoke, &Answer::Yes, At::ZERO);
    assert!(
        witnessed.len() <= acknowledged && !witnessed.is_empty(),
        "the witness saw {} of {acknowledged}",
        witnessed.len()
    );
    let newest = || pool.sessions.iter().rev();
    let ended = newest().filter(|session| session.at == Use::Ending).take(MOST);
    let (lifted, others): (Vec<_>, Vec<_>) =
        newest().filter(|session| session.at != Use::Ending).partition(|session| session.was_lifted);
    let mut wrong = Vec::new();
    for session in others.into_iter().take(MOST).chain(lifted.into_iter().take(MOST)).chain(ended) {
        look(client, session, nodes, &witnessed, &mut wrong);
    }
    assert!(wrong.is_empty(), "{} acknowledged revocations are lost:\n{}", wrong.len(), wrong.join("\n"));
}

fn look(
    client: &Client,
    session: &Session,
    nodes: &[usize],
    witnessed: &HashMap<Scope, (Line, At)>,
    wrong: &mut Vec<String>,
) {
    let mut settled = |node: usize, answer: &Answer, credential: usize| {
        let fault = || client.history.last_fault(node);
        let is_settled = matches!(answer, Answer::Yes | Answer::Refused);
        assert!(is_settled, "the faults are over, and node {node} says {answer:?}: {:?}", fault());
        let scopes = client.history.scopes_of(credential);
        let revoked =
            scopes.into_iter().find(|scope| witnessed.get(scope).is_some_and(|(line, _)| *line == Line::Revoked));
        if let (Answer::Yes, Some(scope)) = (answer, revoked) {
            wrong.push(format!("the witness has {scope} as revoked, and node {node} says yes"));
        }
    };
    for node in nodes.iter().copied() {
        for token in session.tokens.iter().rev().take(2) {
            let answer = patiently(|| client.check(node, &token.text, token.credential));
            settled(node, &answer, token.credential);
        }
    }
    let node = nodes[session.credential % nodes.len()];
    let answer = patiently(|| client.refresh(node, &session.refresh, session.credential).0);
    settled(node, &answer, session.credential);
}

/// Asks again where the answer is 503, as a client does: behind a failover a replica may still be on its way to the new
/// primary.
fn patiently(ask: impl Fn() -> Answer) -> Answer {
    for _ in 0..TRIES {
        match ask() {
            Answer::Unavailable => rest(PAUSE),
            answer => return answer,
        }
    }
    ask()
}
