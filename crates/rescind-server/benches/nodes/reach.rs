//! From the acknowledgement of a revocation at one node to its refusal at the others, beside a load of other revocations.
//!
//! A prober at each other node asks with the token every millisecond, from before the revocation is sent, until it is
//! refused. Times are taken in this one process: at the client when it has the acknowledgement, and when it has the first
//! refusal. So a time includes the way back of the refusal and the wait for the next question. Where the refusal is there
//! first, the time is 0.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rescind::id::Jti;
use rescind::log::{NewEntry, Scope};
use rescind::random::SystemRandom;
use rescind::store::{Appended, Store};
use rescind::testing::cut_off;
use rescind::time::{Clock, SystemClock};
use rescind_test_kit::{Node, http};

use super::caller::Caller;
use super::figure;
use super::ground::{Ground, admin_token};
use super::load::{Turns, open, revocations, revoke};

const LASTING: Duration = Duration::from_secs(10);
const WRITERS: u64 = 64;
/// The longest that a refusal may take: beyond it no view may answer at all.
const DEADLINE: Duration = Duration::from_secs(10);
/// Entries that one call of the store appends, in the load past HTTP.
const GROUP: u64 = 50;

/// What else is revoked meanwhile.
#[derive(Debug, Clone, Copy)]
enum Load {
    /// Nothing: the probed revocation is the load.
    None,
    /// So many a second over HTTP, at the node where the probed ones are sent.
    Http(f64),
    /// So many a second by one more process at the store, which the nodes must follow all the same.
    Store(f64),
}

/// All rates, one after the other.
pub(crate) async fn measure(ground: &Ground, nodes: &[Node]) {
    let store = ground.store().await;
    let once = Duration::from_secs(1);
    let often = Duration::from_millis(50);
    for (name, load, every, lasting) in [
        ("1/s", Load::None, once, 2 * LASTING),
        ("1,000/s", Load::Http(1_000.0), often, LASTING),
        ("10,000/s asked for over HTTP", Load::Http(10_000.0), often, LASTING),
        ("10,000/s past HTTP", Load::Store(10_000.0), often, LASTING),
    ] {
        let writing = write(load, nodes, &store, lasting);
        let (written, mut times) = tokio::join!(writing, probe(nodes, every, lasting));
        times.sort_unstable();
        let place = |percent: usize| times.get((times.len() * percent).div_ceil(100).saturating_sub(1));
        let millis = |percent| place(percent).expect("a sample").as_secs_f64() * 1_000.0;
        let say = |what: &str, value, unit| figure(ground.kind(), &format!("{name}, {what}"), value, unit);
        if let Some(rate) = written {
            say("rate reached", rate, "/s");
        }
        say("refused elsewhere after the acknowledgement, p50", millis(50), "ms");
        say("refused elsewhere after the acknowledgement, p99", millis(99), "ms");
        say("refused elsewhere after the acknowledgement, max", millis(100), "ms");
        say("samples", f64::from(u32::try_from(times.len()).expect("few")), "");
    }
}

async fn write(load: Load, nodes: &[Node], store: &Arc<dyn Store>, lasting: Duration) -> Option<f64> {
    match load {
        Load::None => None,
        Load::Http(pace) => Some(revocations(nodes.first().expect("a node"), WRITERS, Some(pace), lasting).await),
        Load::Store(pace) => Some(append(store, pace, lasting).await),
    }
}

/// Appends in groups by a few writers at once.
async fn append(store: &Arc<dyn Store>, pace: f64, lasting: Duration) -> f64 {
    const AT_ONCE: u64 = 8;
    let begun = Instant::now();
    let tasks: Vec<_> = (0..AT_ONCE)
        .map(|writer| {
            let store = Arc::clone(store);
            tokio::spawn(async move {
                let mut turns = Turns::new(Some(pace / super::float(GROUP)), writer, AT_ONCE);
                let mut written = 0;
                while begun.elapsed() < lasting {
                    turns.next().await;
                    let appended = store.append((0..GROUP).map(|_| entry()).collect()).await;
                    assert!(matches!(appended, Ok(Appended::Done(_))), "{appended:?}");
                    written += GROUP;
                }
                written
            })
        })
        .collect();
    let mut written = 0;
    for task in tasks {
        written += task.await.expect("a writer ends");
    }
    super::float(written) / begun.elapsed().as_secs_f64()
}

fn entry() -> NewEntry {
    let now = SystemClock.wall();
    let jti = Jti::generate(now, &SystemRandom).expect("randomness");
    let remember_until = now.plus(Duration::from_mins(15));
    NewEntry { remember_until, ..cut_off(Scope::token(jti)) }
}

/// Revokes one session after the other at the first node; how long each other node took to refuse.
async fn probe(nodes: &[Node], every: Duration, lasting: Duration) -> Vec<Duration> {
    let (first, others) = nodes.split_first().expect("nodes");
    let token = admin_token(first);
    let mut admin = Caller::connect(first.admin()).await;
    let mut callers = Vec::new();
    for node in others {
        callers.push(Caller::connect(node.public()).await);
    }
    let mut turns = tokio::time::interval(every);
    turns.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let (begun, mut times) = (Instant::now(), Vec::new());
    for number in 0.. {
        turns.tick().await;
        if begun.elapsed() >= lasting {
            break;
        }
        let session = open(&mut admin, &token, number).await;
        let bearer = format!("Bearer {}", session.access);
        let question = Arc::new(http::request("GET", "/me", &[("authorization", &bearer)], b""));
        for caller in &mut callers {
            assert_eq!(caller.call(&question).await, 200, "before it is revoked: {}", caller.text());
        }
        let probers: Vec<_> =
            callers.drain(..).map(|caller| tokio::spawn(refusal(caller, Arc::clone(&question)))).collect();
        let status = admin.call(&revoke(&token, "session", &session.sid)).await;
        let acknowledged = Instant::now();
        assert_eq!(status, 201, "{}", admin.text());
        for prober in probers {
            let (caller, refused) = prober.await.expect("a prober ends");
            times.push(refused.saturating_duration_since(acknowledged));
            callers.push(caller);
        }
    }
    times
}

/// Asks until it is refused.
async fn refusal(mut caller: Caller, question: Arc<Vec<u8>>) -> (Caller, Instant) {
    let begun = Instant::now();
    let mut turns = tokio::time::interval(Duration::from_millis(1));
    turns.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        turns.tick().await;
        let status = caller.call(&question).await;
        if status == 401 {
            return (caller, Instant::now());
        }
        // A node that is behind says 503; it has not refused the token then, and nobody would use it.
        assert!(status == 200 || status == 503, "{}", caller.text());
        assert!(begun.elapsed() < DEADLINE, "not refused within {DEADLINE:?}");
    }
}
