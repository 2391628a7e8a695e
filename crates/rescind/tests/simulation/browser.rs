//! Browsers: several tabs share one refresh token and present it at the same time, replies are lost and tried again within
//! grace, a proxy sends requests twice, and nodes die under them. Who behaves so is never signed out.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rescind::id::SessionId;
use rescind::testing::{client, subject};
use rescind::{OpenSession, TokenPair};
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
/// The sessions of browsers that were tried as documented, by their name in the tally.
pub(crate) const TRIED: &str = "browser sessions with tabs and lost replies";

/// A browser that is signed in.
struct Browser {
    sid: SessionId,
    token: String,
    /// What its rounds that were on time went through.
    went_through: Went,
}

/// What comes in between where somebody does as documented.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Went {
    /// Several tabs presented one token.
    tabs: bool,
    /// A request got no answer in time, or a fault, and was tried again.
    lost_replies: bool,
}

/// What a burst of tabs came to.
struct Burst {
    pairs: Vec<TokenPair>,
    is_refused: bool,
    /// A request of it was on its way for longer than the grace: the client may not count on anything then.
    is_late: bool,
    went: Went,
}

/// What a tab's requests came to, also those that nobody waited for.
struct Tab {
    outcomes: Vec<Outcome>,
    tried_again: bool,
}

/// Uses one browser until the life is over.
pub(crate) async fn browse(world: Arc<World>, dice: Dice) {
    while !world.is_over.load(Ordering::Relaxed) {
        let Some(pair) = signed_in(&world, &dice).await else {
            pass(300).await;
            continue;
        };
        world.trace.count("sessions of browsers");
        let mut browser = Browser { sid: pair.session_id, token: pair.refresh_token, went_through: Went::default() };
        for _ in 0..dice.between(1, 5) {
            pass(dice.between(200, 2500)).await;
            match one_round(&world, &dice, &mut browser).await {
                Some(next) => browser.token = next,
                None => break,
            }
            if world.is_over.load(Ordering::Relaxed) {
                return;
            }
        }
        if dice.happens(300) {
            sign_out(&world, &dice, &browser.token).await;
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
async fn one_round(world: &Arc<World>, dice: &Dice, browser: &mut Browser) -> Option<String> {
    let (sid, tabs) = (browser.sid, dice.between(1, 4));
    let began = world.store.truth.latest();
    let burst = burst(world, dice, sid, &browser.token, tabs).await;
    let mut successors: Vec<_> = burst.pairs.iter().map(|pair| &pair.refresh_token).collect();
    successors.dedup();
    if successors.len() > 1 {
        world.violate(format!("{sid}: tabs that presented one token got {} different ones", successors.len()));
    }
    if !burst.is_late {
        // Not by the answers: the one that says so may be lost, and the next one only says that the session has ended.
        if world.store.truth.first_reuse(sid).is_some_and(|found| found > began) {
            world.violate(format!("{sid}: a browser that did as documented was signed out as reused"));
        }
        if !burst.pairs.is_empty() {
            world.trace.count("rounds of browsers on time");
            browser.went_through(world, burst.went);
        }
    }
    if burst.is_refused {
        return None;
    }
    if successors.is_empty() {
        world.trace.count("browsers that gave up");
    }
    successors.first().copied().cloned()
}

impl Browser {
    /// Counts the session as soon as it went through both.
    fn went_through(&mut self, world: &World, went: Went) {
        let before = self.went_through;
        let now = Went { tabs: before.tabs || went.tabs, lost_replies: before.lost_replies || went.lost_replies };
        let both = Went { tabs: true, lost_replies: true };
        if now == both && before != both {
            world.trace.count(TRIED);
        }
        self.went_through = now;
    }
}

async fn burst(world: &Arc<World>, dice: &Dice, sid: SessionId, token: &str, tabs: u64) -> Burst {
    let (first, leapt, steps) = (world.now(), world.time.leapt(), world.store.clock.steps());
    let grace = u64::try_from(world.settings.grace.as_millis()).unwrap_or(0);
    let mut went = Went { tabs: tabs > 1, lost_replies: false };
    let tabs: Vec<_> = (0..tabs)
        .map(|tab| {
            let (world, dice, token) = (Arc::clone(world), dice.fork(tab), token.to_owned());
            tokio::spawn(async move {
                pass(dice.below(200)).await;
                one_tab(&world, &dice, sid, &token, first + grace - 1300).await
            })
        })
        .collect();
    let (mut pairs, mut is_refused) = (Vec::new(), false);
    for tab in tabs {
        let Tab { outcomes, tried_again } = tab.await.unwrap();
        went.lost_replies |= tried_again;
        for outcome in outcomes {
            match outcome {
                Outcome::Pair(pair) => pairs.push(pair),
                Outcome::Refused(_) => is_refused = true,
                Outcome::Nothing => {}
            }
        }
    }
    let clocks_went = world.time.leapt() == leapt && world.store.clock.steps() == steps;
    let is_late = !clocks_went || world.now() > first + grace;
    Burst { pairs, is_refused, is_late, went }
}

/// Presents the token until there is an answer, or `until`.
async fn one_tab(world: &Arc<World>, dice: &Dice, sid: SessionId, token: &str, until: u64) -> Tab {
    let mut unanswered: Vec<JoinHandle<Outcome>> = Vec::new();
    let (mut outcomes, mut tried_again) = (Vec::new(), false);
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
        tried_again = true;
    }
    for request in unanswered {
        // Whoever stands still answers when it goes on; then nobody counts on the answer.
        outcomes.extend(request.await);
    }
    Tab { outcomes, tried_again }
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
