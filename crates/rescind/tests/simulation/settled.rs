//! What must be true of a life when all is well again: everybody answers, one refresh token of each session works at most,
//! and nothing is kept that cannot matter any more.

use std::sync::Arc;
use std::time::Duration;

use rescind::id::SessionId;
use rescind::position::Seq;
use rescind::session::Loaded;
use rescind::store::{Batch, Feed, Store as _};
use rescind::time::Timestamp;

use super::clocks::pass;
use super::dice::Dice;
use super::judge::Outcome;
use super::model::{Asked, BOUND};
use super::world::World;

/// In so many lives of a thousand it is looked whether everything is forgotten at last: that takes long.
const FORGETTING: u64 = 60;
const DAY: u64 = 24 * 3_600_000;

pub(crate) async fn settle_and_look(world: &Arc<World>, dice: &Dice) {
    for node in world.up() {
        if let Some(running) = world.running(node) {
            running.link.mend();
            running.link.go_on();
            running.link.clear_up();
        }
    }
    if !is_well(world).await {
        return world.violate(format!("not every node answers a minute after everything was mended: {}", parts(world)));
    }
    // Whoever asks now asks behind every bound and outside of every grace.
    let grace = u64::try_from(world.settings.grace.as_millis()).unwrap_or(0);
    pass((BOUND + 10).max(grace + 1100)).await;
    everybody_answers(world).await;
    one_chain_each(world, dice).await;
    nothing_grows(world);
    if dice.happens(FORGETTING) && !world.trace.is_violated() {
        everything_is_forgotten(world).await;
    }
}

async fn is_well(world: &Arc<World>) -> bool {
    for _ in 0..240 {
        let all = world.up().len() == world.nodes();
        if all && world.up().iter().all(|node| world.running(*node).is_some_and(|it| it.rescind.readiness().ready)) {
            return true;
        }
        pass(250).await;
    }
    false
}

fn parts(world: &World) -> String {
    let readiness = |node| world.running(node).map(|running| running.rescind.readiness().parts);
    format!("{:?}", (0..world.nodes()).map(readiness).collect::<Vec<_>>())
}

async fn everybody_answers(world: &Arc<World>) {
    for token in 0..world.model.tokens() {
        for node in world.up() {
            if !world.check(node, token, None).await {
                world.violate(format!("node {node} says nothing of token {token}, and all is well"));
            }
        }
    }
}

/// Of all the refresh tokens that were ever given out for a session, one works, or none if it has ended.
async fn one_chain_each(world: &Arc<World>, dice: &Dice) {
    for (sid, chain) in world.model.chains() {
        let Some(running) = world.any_node(dice).and_then(|node| world.running(node)) else { return };
        let mut working = Vec::new();
        for token in &chain {
            let inspected = running.rescind.inspect(token).await;
            if let Some(fault) = inspected.fault {
                world.violate(format!("{sid}: nothing can be said of its refresh token, and all is well: {fault}"));
            } else if inspected.refused.is_none() {
                working.push(token.clone());
            }
        }
        // Where a rotation was lost by the store, each generation above the row goes on from itself, once.
        let many = working.len() > 1 && !world.store.truth.lost_rotation(sid);
        if many && !(working.len() == 2 && is_in_grace_again(world, sid).await) {
            world.violate(format!("{sid}: {} of its {} refresh tokens work", working.len(), chain.len()));
        }
        let Some(newest) = working.pop() else { continue };
        world.trace.count("sessions that live at the end");
        let asked = Asked { at: world.now(), node: usize::MAX, is_strict: true };
        if let Some(why) = world.model.must_have_ended(sid, asked, &world.store.truth) {
            world.violate(format!("{sid} can be refreshed, but {why}"));
        }
        if dice.happens(300) {
            let Some(node) = world.any_node(dice) else { return };
            let outcome = world.refresh(node, &newest, sid).await;
            if !matches!(outcome, Outcome::Pair(_)) {
                world.violate(format!("{sid}: its newest token came to {outcome:?}"));
            }
            for spent in working {
                if let Outcome::Pair(pair) = world.refresh(node, &spent, sid).await
                    && !chain.contains(&pair.refresh_token)
                {
                    world.violate(format!("{sid} goes on in two chains"));
                }
            }
        }
    }
}

/// Whether the store's clock stepped back into the grace behind a session's last rotation.
async fn is_in_grace_again(world: &World, sid: SessionId) -> bool {
    let loaded = world.store.primary().load(sid).await.ok().flatten();
    let within = |row: Loaded| {
        let (rotated, now) = (row.session.rotated_at, row.now);
        rotated.since(now) <= Duration::from_secs(1) && now.since(rotated) <= world.settings.grace
    };
    world.store.clock.steps() > 0 && loaded.is_some_and(within)
}

/// No more is held than can matter, and nobody is left over who waits for nothing.
fn nothing_grows(world: &Arc<World>) {
    let (once_each, all) = world.store.truth.for_tables();
    // What came hours later is held beside what came before.
    let most = if world.time.leapt() == 0 { once_each } else { all };
    for node in world.up() {
        let Some(running) = world.running(node) else { continue };
        let stats = running.rescind.stats();
        if stats.view_entries > most {
            world.violate(format!("node {node} holds {} cut-offs, and {most} can matter", stats.view_entries));
        }
        // Each is found by its text, which is kept.
        if stats.cached_tokens * world.model.shortest() > world.settings.cache_bytes {
            let (tokens, bytes) = (stats.cached_tokens, world.settings.cache_bytes);
            world.violate(format!("node {node} keeps {tokens} tokens in {bytes} bytes"));
        }
    }
    let tasks = tokio::runtime::Handle::current().metrics().num_alive_tasks();
    if tasks > 16 * world.nodes() {
        world.violate(format!("{tasks} tasks live, and nobody does anything"));
    }
}

/// Long after, views are empty and the store has forgotten sessions, cut-offs and their log.
async fn everything_is_forgotten(world: &Arc<World>) {
    for _ in 0..4 {
        world.time.leap(DAY);
        pass(3000).await;
    }
    // A sweep comes every half a minute.
    pass(31_000).await;
    for node in world.up() {
        let Some(running) = world.running(node) else { continue };
        let entries = running.rescind.stats().view_entries;
        if entries > 0 {
            world.violate(format!("node {node} still holds {entries} cut-offs"));
        }
    }
    let primary = world.store.primary();
    let snapshot = primary.snapshot(Timestamp::EPOCH).await.unwrap();
    if !snapshot.cut_offs.is_empty() {
        world.violate(format!("{} cut-offs are still remembered", snapshot.cut_offs.len()));
    }
    // What is forgotten is forgotten from the front, so the newest entry goes last.
    let newest = primary.after(Seq::new(snapshot.head.seq.get().saturating_sub(1)), 1).await.unwrap();
    if let Feed::Batch(Batch { entries, .. }) = newest
        && let Some(entry) = entries.first()
    {
        world.violate(format!("entry {} of the log is still there", entry.seq));
    }
    for (sid, _) in world.model.chains() {
        if let Some(loaded) = primary.load(sid).await.unwrap() {
            world.violate(format!("{sid} ended at {:?} and is still there", loaded.session.expires_at));
        }
    }
    world.trace.count("lives forgotten");
}
