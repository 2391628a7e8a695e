//! Writes over HTTP at one node: as many as it takes, or so many a second.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rescind::id::Jti;
use rescind::random::SystemRandom;
use rescind::time::{Clock, SystemClock};
use rescind_test_kit::{Node, http};

use super::caller::Caller;
use super::ground::{Kind, admin_token};
use super::{figure, float};

const TURN: Duration = Duration::from_secs(4);

/// Revocations and refreshes a second over HTTP, with 1 and 64 writers.
pub(crate) async fn measure(kind: Kind, nodes: &[Node]) {
    let node = nodes.first().expect("a node");
    for writers in [1, 64] {
        let rate = revocations(node, writers, None, TURN).await;
        figure(kind, &format!("revocations over HTTP, {writers} writers"), rate, "/s");
    }
    for writers in [1, 64] {
        let rate = refreshes(node, writers).await;
        figure(kind, &format!("refreshes over HTTP, {writers} writers"), rate, "/s");
    }
}

/// The request that revokes a scope.
pub(crate) fn revoke(token: &str, kind: &str, id: &str) -> Vec<u8> {
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    let body = format!("{{\"scope\":{{\"kind\":\"{kind}\",\"id\":\"{id}\"}}}}");
    http::request("POST", "/admin/v1/revocations", &headers, body.as_bytes())
}

/// Writes revocations of tokens for so long; how many a second were acknowledged. A pace is kept where it can be;
/// what was missed is made up for by writing without a pause.
pub(crate) async fn revocations(node: &Node, writers: u64, pace: Option<f64>, lasting: Duration) -> f64 {
    let (done, token) = (Arc::new(AtomicU64::new(0)), admin_token(node));
    let begun = Instant::now();
    let tasks: Vec<_> = (0..writers)
        .map(|writer| {
            let (done, token, to) = (Arc::clone(&done), token.clone(), node.admin());
            tokio::spawn(async move {
                let mut caller = Caller::connect(to).await;
                let mut turns = Turns::new(pace, writer, writers);
                while begun.elapsed() < lasting {
                    turns.next().await;
                    let jti = Jti::generate(SystemClock.wall(), &SystemRandom).expect("randomness");
                    let status = caller.call(&revoke(&token, "token", &jti.to_string())).await;
                    assert_eq!(status, 201, "{}", caller.text());
                    done.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("a writer ends");
    }
    float(done.load(Ordering::Relaxed)) / begun.elapsed().as_secs_f64()
}

/// When a writer of many writes next.
pub(crate) struct Turns(Option<tokio::time::Interval>);

impl Turns {
    /// For `pace` writes a second of `writers` together; as fast as it goes without a pace.
    pub(crate) fn new(pace: Option<f64>, writer: u64, writers: u64) -> Self {
        Self(pace.map(|pace| {
            let every = Duration::from_secs_f64(float(writers) / pace);
            let first = tokio::time::Instant::now() + every.mul_f64(float(writer) / float(writers));
            tokio::time::interval_at(first, every)
        }))
    }

    pub(crate) async fn next(&mut self) {
        if let Some(turns) = &mut self.0 {
            turns.tick().await;
        }
    }
}

/// Rotates sessions, each writer its own.
async fn refreshes(node: &Node, writers: u64) -> f64 {
    let mut sessions = Vec::new();
    let mut admin = Caller::connect(node.admin()).await;
    for writer in 0..writers {
        sessions.push(open(&mut admin, &admin_token(node), writer).await.refresh);
    }
    let done = Arc::new(AtomicU64::new(0));
    let begun = Instant::now();
    let tasks = sessions.into_iter().map(|mut refresh| {
        let (done, to) = (Arc::clone(&done), node.public());
        tokio::spawn(async move {
            let mut caller = Caller::connect(to).await;
            while begun.elapsed() < TURN {
                let form = format!("grant_type=refresh_token&refresh_token={refresh}");
                let headers = [("content-type", "application/x-www-form-urlencoded")];
                let status = caller.call(&http::request("POST", "/oauth/token", &headers, form.as_bytes())).await;
                assert_eq!(status, 200, "{}", caller.text());
                refresh = caller.member("refresh_token");
                done.fetch_add(1, Ordering::Relaxed);
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.expect("a writer ends");
    }
    float(done.load(Ordering::Relaxed)) / begun.elapsed().as_secs_f64()
}

/// A session's tokens and name.
pub(crate) struct Opened {
    pub(crate) access: String,
    pub(crate) refresh: String,
    pub(crate) sid: String,
}

/// Opens a session at the node that the caller is connected to.
pub(crate) async fn open(admin: &mut Caller, token: &str, number: u64) -> Opened {
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    let body = format!("{{\"subject\":\"user {number}\"}}");
    let status = admin.call(&http::request("POST", "/admin/v1/sessions", &headers, body.as_bytes())).await;
    assert!(status == 200 || status == 201, "{}", admin.text());
    Opened {
        access: admin.member("access_token"),
        refresh: admin.member("refresh_token"),
        sid: admin.member("session_id"),
    }
}
