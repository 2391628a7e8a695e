//! A node in front of a store with a million active cut-offs: from the start of its process to its first answer, and its
//! memory; on Postgres with ten million, too: what the node holds is the same on every store. The store is filled past its
//! interface: what is measured is the reading.

use std::time::Instant;

use rescind::position::{Incarnation, Seq};
use rescind::random::{Random, SystemRandom};
use rescind::store::Store;
use rescind::time::{Clock, SystemClock, Timestamp};
use tokio::runtime::Runtime;

use super::figure;
use super::ground::{Ground, Kind, memory_mib};

const MILLION: u64 = 1_000_000;

/// Measures at both sizes.
pub(crate) fn measure(runtime: &Runtime, kind: Kind) {
    let sizes: &[u64] = if kind == Kind::Postgres { &[1, 10] } else { &[1] };
    for &millions in sizes {
        let ground = Ground::start(kind);
        fill(runtime, &ground, millions * MILLION);
        if millions == 1 {
            runtime.block_on(read(&ground));
        }
        let begun = Instant::now();
        let node = ground.node();
        node.wait_until_ready().expect("a node is ready");
        let ready = begun.elapsed().as_secs_f64();
        let stats = node.send_admin("GET", "/admin/v1/stats", "").expect("its numbers").json();
        let held = stats.get("view_entries").and_then(serde_json::Value::as_u64);
        assert!(held >= Some(millions * MILLION), "the node holds {held:?}");
        let say = |what: &str, value, unit| figure(kind, &format!("{millions} M cut-offs, {what}"), value, unit);
        say("process to ready", ready, "s");
        say("node, resident", memory_mib(&node, "VmRSS"), "MiB");
        say("node, at most while it loaded", memory_mib(&node, "VmHWM"), "MiB");
    }
}

/// The store's share of a start.
async fn read(ground: &Ground) {
    let store = ground.store().await;
    let begun = Instant::now();
    let snapshot = store.snapshot(Timestamp::EPOCH).await.expect("a snapshot");
    figure(ground.kind(), "1 M cut-offs, the store's snapshot alone", begun.elapsed().as_secs_f64(), "s");
    assert_eq!(snapshot.cut_offs.len() as u64, MILLION);
}

/// Adds cut-offs on tokens at the positions from 1 to `to`, and has the log begin behind them.
fn fill(runtime: &Runtime, ground: &Ground, to: u64) {
    const STEP: u64 = 50_000;
    // What a node holds goes by when it was appended: now, so that none leaves the view meanwhile.
    let store = runtime.block_on(ground.store());
    let now = SystemClock.wall().as_millis();
    let until = now + 86_400_000;
    if let Ground::Postgres(server) = ground {
        server.psql("alter table rescind.log set unlogged; drop index rescind.log_state").expect("prepared");
    }
    for first in (1..=to).step_by(usize::try_from(STEP).expect("fits")) {
        let last = first + STEP - 1;
        match ground {
            Ground::Postgres(server) => {
                server.psql(&rows(first, last, now, until)).expect("filled");
            }
            Ground::Redis(server) => {
                let numbers = [first, last, now, until].map(|number| number.to_string());
                let mut words = vec!["eval", FIELDS, "3", "{rescind}:scopes", "{rescind}:due", "{rescind}:head"];
                words.extend(numbers.iter().map(String::as_str));
                server.cli(&words).expect("filled");
            }
        }
    }
    runtime.block_on(go_on(&*store, to));
}

fn rows(first: u64, last: u64, now: u64, until: u64) -> String {
    format!(
        "insert into rescind.log (seq, at, remember_until, tag, kind, newest, id, reason, actor) \
         select n, {now}, {until}, '00000000-0000-0000-0000-000000000000', 0, true, gen_random_uuid()::text, 'stolen', \
         'admin' from generate_series({first}, {last}) n"
    )
}

/// Scopes as the store keeps them: `t` and 16 bytes.
const FIELDS: &str = "
math.randomseed(tonumber(ARGV[1]))
local function word() return math.random(0, 2147483647) end
for n = tonumber(ARGV[1]), tonumber(ARGV[2]) do
  local field = 't' .. struct.pack('>I4I4I4I4', word(), word(), word(), n)
  redis.call('HSET', KEYS[1], field, n .. ' ' .. ARGV[3] .. ' ' .. ARGV[4])
  redis.call('ZADD', KEYS[2], ARGV[4], field)
end
redis.call('HINCRBY', KEYS[3], 'scopes', ARGV[2] - ARGV[1] + 1)";

/// Nobody can tell the tags of what was not appended, so the log goes on behind it under a new incarnation.
async fn go_on(store: &dyn Store, head: u64) {
    let lost = store.health().await.expect("a head").incarnation;
    let mut new = [0; 16];
    SystemRandom.fill(&mut new).expect("randomness");
    let moved = store.reincarnate(lost, Incarnation::from_bytes(new), Seq::new(head)).await;
    assert!(moved.expect("a new incarnation"), "the head was ahead of {head} already");
}
