//! What a follower says while the server that it follows is dead, stopped, slow, or has lost its history: nothing that is
//! older than the bound, never 401 for a fault, and never "valid" for what was revoked.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::json;

use crate::followed::{BOUND, Worth, admin, feed_token, follow, following, good, pause, refused, unsaid, until, worth};
use crate::link::Link;
use crate::stream::Events;
use crate::support::{Server, home, now};

/// What a machine that does other things, too, may take on top.
pub(crate) const SLACK: Duration = Duration::from_millis(1500);

/// `--dev` on addresses that the next start has again.
fn args(server: &Server) -> Vec<String> {
    let (public, admin) = (server.public.to_string(), server.admin.to_string());
    let issuer = format!("http://{public}");
    ["--listen", &public, "--admin-listen", &admin, "--issuer", &issuer].map(ToOwned::to_owned).to_vec()
}

fn again(home: &Arc<tempfile::TempDir>, args: &[String]) -> Server {
    Server::dev_in(home, &args.iter().map(String::as_str).collect::<Vec<_>>())
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_a_dead_server_it_goes_silent_within_the_bound_and_is_back_within_a_second() {
    let server = Server::dev(&[]);
    let (args, follower) = (args(&server), follow(&server).await);
    let (revoked, alive) = (server.sign_in(), server.sign_in());
    server.logout(&revoked.access, "{}");
    until(&follower, &revoked, refused).await;
    let home = server.kill();
    assert_eq!(worth(&follower, &alive).await, Worth::Good, "within the bound it serves");
    let took = until(&follower, &alive, unsaid).await;
    assert!(took < BOUND + SLACK, "{took:?}");
    assert_eq!(worth(&follower, &revoked).await, Worth::Unsaid, "a fault is never a 401");
    let server = again(&home, &args);
    let took = until(&follower, &alive, good).await;
    assert!(took < Duration::from_secs(1) + SLACK, "{took:?}");
    assert!(refused(worth(&follower, &revoked).await));
    server.logout(&alive.access, "{}");
    until(&follower, &alive, refused).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_a_stopped_server_it_goes_silent_within_the_bound() {
    let server = Server::dev(&[]);
    let follower = follow(&server).await;
    let alive = server.sign_in();
    assert_eq!(worth(&follower, &alive).await, Worth::Good);
    server.signal(Signal::STOP);
    let took = until(&follower, &alive, unsaid).await;
    server.signal(Signal::CONT);
    assert!(took < BOUND + SLACK, "{took:?}");
    until(&follower, &alive, good).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn over_a_link_that_delays_everything_it_is_silent_and_never_fresh_but_old() {
    let server = Server::dev(&[]);
    let link = Link::to(server.admin).await;
    let follower = following(&server, link.address).build().await.unwrap();
    let pair = server.sign_in();
    assert_eq!(worth(&follower, &pair).await, Worth::Good);
    // Heartbeats and answers still come, one after the other as ever, only late.
    link.delay(Duration::from_secs(3));
    server.logout(&pair.access, "{}");
    let revoked = now();
    while now().duration_since(revoked).unwrap() < Duration::from_secs(9) {
        let asked = now().duration_since(revoked).unwrap();
        let worth = worth(&follower, &pair).await;
        assert!(worth != Worth::Good || asked <= BOUND, "good {asked:?} after it was revoked");
        pause().await;
    }
    assert!(!good(worth(&follower, &pair).await));
    link.delay(Duration::ZERO);
    until(&follower, &pair, refused).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_is_slow_within_the_bound_only_delays() {
    let server = Server::dev(&[]);
    let link = Link::to(server.admin).await;
    let follower = following(&server, link.address).build().await.unwrap();
    link.delay(Duration::from_millis(400));
    let pair = server.sign_in();
    until(&follower, &pair, good).await;
    server.logout(&pair.access, "{}");
    let took = until(&follower, &pair, |worth| !good(worth)).await;
    assert!(took < BOUND, "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_lost_its_history_unrevokes_nobody() {
    let server = Server::dev(&[]);
    let (args, follower) = (args(&server), follow(&server).await);
    let (revoked, early) = (server.sign_in(), server.sign_in());
    server.logout(&revoked.access, "{}");
    until(&follower, &revoked, refused).await;
    let home = server.kill();
    for file in std::fs::read_dir(home.path().join("data")).unwrap() {
        let path = file.unwrap().path();
        if path.file_name().unwrap().to_string_lossy().starts_with("rescind.db") {
            std::fs::remove_file(path).unwrap();
        }
    }
    let server = again(&home, &args);
    // The keys went with the database, so nothing that was signed before verifies for long; and before, the log covers it.
    let fresh = server.sign_in();
    until(&follower, &fresh, good).await;
    let begin = now();
    while now().duration_since(begin).unwrap() < 2 * BOUND {
        for pair in [&revoked, &early] {
            assert!(!good(worth(&follower, pair).await), "a token from before the loss passes");
        }
        pause().await;
    }
    server.logout(&fresh.access, "{}");
    until(&follower, &fresh, refused).await;
}

/// The files of the server's database, taken out of one folder and put into another.
fn put_database(from: &Path, to: &Path) {
    let is_part = |path: &Path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("rescind.db"));
    let parts = |folder: &Path| -> Vec<PathBuf> {
        let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
        files.filter(|path| is_part(path)).collect()
    };
    std::fs::create_dir_all(to).unwrap();
    for old in parts(to) {
        std::fs::remove_file(old).unwrap();
    }
    for part in parts(from) {
        std::fs::copy(&part, to.join(part.file_name().unwrap())).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_from_before_the_first_revocation_is_healed_and_whoever_stands_at_position_0_follows() {
    let server = Server::dev(&[]);
    let (args, early) = (args(&server), server.sign_in());
    let scratch = home();
    let mark = scratch.path().join("mark");
    // This one has seen nothing but an empty log.
    let first = following(&server, server.admin).high_water(&mark).build().await.unwrap();
    assert_eq!(worth(&first, &early).await, Worth::Good);
    first.shutdown().await;
    let home = Arc::clone(&server.home);
    server.stop();
    let (data, copy) = (home.path().join("data"), scratch.path().join("copy"));
    put_database(&data, &copy);

    let server = again(&home, &args);
    let follower = follow(&server).await;
    let revoked = server.sign_in();
    until(&follower, &revoked, good).await;
    server.logout(&revoked.access, "{}");
    until(&follower, &revoked, refused).await;
    let home = server.kill();
    put_database(&copy, &data);
    let server = again(&home, &args);

    let fresh = server.sign_in();
    until(&follower, &fresh, good).await;
    let from_nothing = following(&server, server.admin).high_water(&mark).build().await.unwrap();
    until(&from_nothing, &fresh, good).await;
    for (number, follower) in [&follower, &from_nothing].into_iter().enumerate() {
        for pair in [&revoked, &early] {
            let worth = worth(follower, pair).await;
            assert!(matches!(worth, Worth::Refused(_)), "follower {number} says {worth:?}");
        }
    }
    let token = feed_token(&server);
    let gone = Events::open(server.admin, &token, "/admin/v1/feed?after=0", None).next().unwrap();
    assert_eq!(gone.name, "gone", "position 0 is of another history");
    server.logout(&fresh.access, "{}");
    until(&follower, &fresh, refused).await;
    until(&from_nothing, &fresh, refused).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_keys_cannot_be_had_those_that_are_held_verify_and_others_are_not_refused() {
    let server = Server::dev(&[]);
    let link = Link::to(server.public).await;
    let jwks = format!("http://{}/.well-known/jwks.json", link.address);
    let follower = following(&server, server.admin).jwks(jwks).build().await.unwrap();
    let pair = server.sign_in();
    link.delay(Duration::from_mins(1));
    assert_eq!(worth(&follower, &pair).await, Worth::Good);
    let other = Server::dev_in(&home(), &[]);
    // Of another issuer with another key: nothing can be said once the last fetch is a cool-down ago.
    let strange = other.sign_in();
    let said = until(&follower, &strange, unsaid).await;
    assert!(said < Duration::from_secs(15), "{said:?}");
    assert_eq!(worth(&follower, &pair).await, Worth::Good);
    assert_eq!(admin(&server, "GET", "/admin/v1/stats", &json!(null)).status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_that_live_longer_since_the_server_was_started_again_are_not_refused() {
    let home = home();
    let server = Server::dev_in(&home, &["--access-lifetime", "5m"]);
    let (mut args, follower) = (args(&server), follow(&server).await);
    let short = server.sign_in();
    until(&follower, &short, good).await;
    server.stop();
    args.extend(["--access-lifetime", "30m"].map(ToOwned::to_owned));
    let server = again(&home, &args);
    let long = server.sign_in();
    until(&follower, &long, |worth| {
        assert!(!matches!(worth, Worth::Refused(_)), "{worth:?}");
        good(worth)
    })
    .await;
    server.logout(&long.access, "{}");
    until(&follower, &long, refused).await;
}
