//! Browsers: several tabs share one refresh token and present it at the same time, replies are lost and tried again within
//! grace, a proxy sends requests twice, and nodes die under them. Who behaves so is never signed out.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rescind::id::SessionId;
use rescind::testing::{client, subject};
use rescind::{OpenSession, Rejection, TokenPair};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::clocks::pass;
use super::dice::Dice;
use super::judge::{Outcome, text};
use super::world::World;

pub(crate) const NAMES: [&str; 3] = ["alice", "bob", "carol"];
pub(crate) const CLIENTS: [&str; 2] = ["app", "web"];
/// A tab waits so long for an answer.
const PATIENCE: Duration = Duration::from_millis(700);

/// What a burst of tabs came to.
struct Burst {
    pairs: Vec<TokenPair>,
    refused: Option<Rejection>,
    /// A request of it was on its way for longer than the grace: the client may not count on anything then.
    is_late: bool,
}

/// Uses one browser until the life is over.
pub(crate) async fn browse(world: Arc<World>, dice: Dice) {
    while !world.is_over.load(Ordering::Relaxed) {
        let Some(pair) = signed_in(&world, &dice).await else {
            pass(300).await;
            continue;
        };
        world.trace.count("sessions of browsers");
        let sid = pair.session_id;
        let mut token = pair.refresh_token;
        for _ in 0..dice.between(1, 5) {
            pass(dice.between(200, 2500)).await;
            match one_round(&world, &dice, sid, &token).await {
                Some(next) => token = next,
                None => break,
            }
            if world.is_over.load(Ordering::Relaxed) {
                return;
            }
        }
        if dice.happens(300) {
            sign_out(&world, &dice, &token).await;
        }
    }
}

async fn signed_in(world: &Arc<World>, dice: &Dice) -> Option<TokenPair> {
    let node = world.any_node(dice)?;
    let opening = OpenSession::new(subject(dice.one_of(&NAMES)), client(dice.one_of(&CLIENTS)));
    let at = Arc::clone(world);
    let login = tokio::spawn(async move { at.login(node, opening).await });
    timeout(Duration::from_secs(3), login).await.ok()?.ok()?
}

/// The access token is about to expire, and every tab sees that. The successor; `None` where there is none.
async fn one_round(world: &Arc<World>, dice: &Dice, sid: SessionId, token: &str) -> Option<String> {
    let tabs = dice.between(1, 4);
    let burst = burst(world, dice, sid, token, tabs).await;
    let mut successors: Vec<_> = burst.pairs.iter().map(|pair| &pair.refresh_token).collect();
    successors.dedup();
    if successors.len() > 1 {
        world.violate(format!("{sid}: tabs that presented one token got {} different ones", successors.len()));
    }
    match burst.refused {
        Some(Rejection::Reused) if !burst.is_late => {
            world.trace.count("sessions ended falsely");
            world.violate(format!("{sid}: a browser that did as documented was signed out as reused"));
            None
        }
        Some(_) => None,
        None if successors.is_empty() => {
            world.trace.count("browsers that gave up");
            None
        }
        None => successors.first().copied().cloned(),
    }
}

async fn burst(world: &Arc<World>, dice: &Dice, sid: SessionId, token: &str, tabs: u64) -> Burst {
    let (first, leapt, steps) = (world.now(), world.time.leapt(), world.store.clock.steps());
    let grace = u64::try_from(world.settings.grace.as_millis()).unwrap_or(0);
    let tabs: Vec<_> = (0..tabs)
        .map(|tab| {
            let (world, dice, token) = (Arc::clone(world), dice.fork(tab), token.to_owned());
            tokio::spawn(async move {
                pass(dice.below(200)).await;
                one_tab(&world, &dice, sid, &token, first + grace - 1300).await
            })
        })
        .collect();
    let mut burst = Burst { pairs: Vec::new(), refused: None, is_late: false };
    for tab in tabs {
        for outcome in tab.await.unwrap() {
            match outcome {
                Outcome::Pair(pair) => burst.pairs.push(pair),
                Outcome::Refused(rejection) => burst.refused = Some(rejection),
                Outcome::Nothing => {}
            }
        }
    }
    let clocks_went = world.time.leapt() == leapt && world.store.clock.steps() == steps;
    burst.is_late = !clocks_went || world.now() > first + grace;
    burst
}

/// Presents the token until there is an answer, or `until`. Returns what every request came to, also those that nobody
/// waited for.
async fn one_tab(world: &Arc<World>, dice: &Dice, sid: SessionId, token: &str, until: u64) -> Vec<Outcome> {
    let mut unanswered: Vec<JoinHandle<Outcome>> = Vec::new();
    let mut outcomes = Vec::new();
    while world.now() < until {
        let Some(mut request) = sent(world, dice, sid, token) else {
            pass(200).await;
            continue;
        };
        if dice.happens(60) {
            world.trace.count("requests sent twice");
            unanswered.extend(sent(world, dice, sid, token));
        }
        match timeout(PATIENCE, &mut request).await {
            Ok(Ok(Outcome::Nothing)) => pass(dice.between(50, 400)).await,
            Ok(Ok(outcome)) => {
                outcomes.push(outcome);
                break;
            }
            Ok(Err(_)) | Err(_) => unanswered.push(request),
        }
        world.trace.count("requests tried again");
    }
    for request in unanswered {
        // Whoever stands still answers when it goes on; then nobody counts on the answer.
        outcomes.extend(request.await);
    }
    outcomes
}

fn sent(world: &Arc<World>, dice: &Dice, sid: SessionId, token: &str) -> Option<JoinHandle<Outcome>> {
    let node = world.any_node(dice)?;
    let (world, token) = (Arc::clone(world), token.to_owned());
    Some(tokio::spawn(async move { world.refresh(node, &token, sid).await }))
}

async fn sign_out(world: &Arc<World>, dice: &Dice, token: &str) {
    let Some((node, running)) = world.any_node(dice).and_then(|node| Some((node, world.running(node)?))) else {
        return;
    };
    let answer = running.rescind.revoke_presented(token, text("logout"), text("user")).await;
    if world.acknowledged(node, &running, answer).is_some() {
        world.trace.count("logouts");
    }
}
