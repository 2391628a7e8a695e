//! `kill -9` under load: whatever was acknowledged is there after the restart. Five rounds; 50 with `RESCIND_LONG=1`.
#![expect(clippy::unwrap_used, reason = "tests fail loudly, their helpers too")]

mod support;

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use support::{Connection, FORM, Pair, Server, client_request, home, wait_until};

const ARGS: &[&str] = &["--issuer", "http://127.0.0.1:1"];
const WORKERS: usize = 8;
const SESSIONS: usize = 24;

/// What the server has acknowledged before it was killed.
#[derive(Default)]
struct Acknowledged {
    /// Pairs whose session was logged out.
    ended: Vec<Pair>,
    /// The newest pair of each rotated session, and the refresh token that it replaced.
    rotated: Vec<(String, Pair)>,
}

/// Sends until the connection breaks; `None` from then on.
fn ask(connection: &mut Connection, path: &str, headers: &[(&str, &str)], body: &str) -> Option<support::Reply> {
    connection.write(&client_request("POST", path, headers, body.as_bytes())).ok()?;
    connection.read().ok().flatten()
}

fn load(mut connection: Connection, pairs: &[Pair], acknowledged: &Mutex<Acknowledged>, done: &AtomicUsize) {
    for (at, pair) in pairs.iter().enumerate() {
        if at % 2 == 0 {
            let bearer = format!("Bearer {}", pair.access);
            let Some(reply) = ask(&mut connection, "/logout", &[("authorization", &bearer)], "") else { return };
            assert_eq!(reply.status, 200, "{}", reply.text());
            acknowledged.lock().unwrap().ended.push(pair.clone());
            done.fetch_add(1, Ordering::Relaxed);
            continue;
        }
        let mut newest = pair.clone();
        // Rotates on and on, so that the kill comes in the middle of one.
        loop {
            let body = format!("grant_type=refresh_token&refresh_token={}", newest.refresh);
            let Some(reply) = ask(&mut connection, "/oauth/token", &[("content-type", FORM)], &body) else { return };
            let next = reply.pair();
            let mut acknowledged = acknowledged.lock().unwrap();
            acknowledged.rotated.retain(|(_, pair)| pair.session != next.session);
            acknowledged.rotated.push((newest.refresh, next.clone()));
            drop(acknowledged);
            newest = next;
            if done.fetch_add(1, Ordering::Relaxed) % 16 == 15 {
                break;
            }
        }
    }
}

// holds: 33, R33
#[test]
fn nothing_acknowledged_is_lost_by_kill_9() {
    let rounds = if std::env::var_os("RESCIND_LONG").is_some() { 50 } else { 5 };
    let home = home();
    for round in 0..rounds {
        let server = Server::dev_in(&home, ARGS);
        let pairs: Vec<Vec<Pair>> =
            (0..WORKERS).map(|_| (0..SESSIONS / WORKERS).map(|_| server.sign_in()).collect()).collect();
        let (acknowledged, done) = (Mutex::default(), AtomicUsize::new(0));
        thread::scope(|scope| {
            for pairs in &pairs {
                // Opened here: a worker that gets to run late must not find the server killed already.
                let connection = Connection::open(server.public);
                let (acknowledged, done) = (&acknowledged, &done);
                scope.spawn(move || load(connection, pairs, acknowledged, done));
            }
            // A different moment in every round.
            wait_until("the load is under way", || done.load(Ordering::Relaxed) >= 5 + 7 * round % 60);
            server.signal(rustix::process::Signal::KILL);
        });
        server.kill();

        let server = Server::dev_in(&home, ARGS);
        let Acknowledged { ended, rotated } = acknowledged.into_inner().unwrap();
        assert!(!ended.is_empty() || !rotated.is_empty());
        for pair in &ended {
            assert_eq!(server.me(pair), 401, "round {round}: an ended session's access token");
            assert!(!server.refreshes(pair), "round {round}: an ended session's refresh token");
        }
        for (spent, newest) in &rotated {
            assert_eq!(server.me(newest), 200, "round {round}");
            let next = server.refresh(&newest.refresh);
            assert_eq!(next.status, 200, "round {round}: an acknowledged rotation is lost: {}", next.text());
            // Two behind now: the store knows of both rotations, so this is reuse and ends the session.
            assert_eq!(server.refresh(spent).error(), "invalid_grant", "round {round}");
            assert_eq!(server.me(newest), 401, "round {round}");
        }
        server.stop();
    }
}
