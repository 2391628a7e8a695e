//! A full disk: nothing is acknowledged that was not written, what was good stays good, and nothing is overwritten.

mod support;

use std::sync::Arc;

use support::{Pair, Server, home, serve_to_the_end_on_a_small_disk, wait_until};

#[test]
fn a_start_on_a_full_disk_names_the_file_and_exits_1() {
    let home = home();
    let (code, _, err) = serve_to_the_end_on_a_small_disk(home.path(), 8);
    assert_eq!(code, Some(1), "{err}");
    assert!(err.contains("rescind.db"), "{err}");
    let server = Server::dev_in(&home, &[]);
    assert_eq!(server.me(&server.sign_in()), 200, "with room it starts on what it left");
}

#[test]
fn a_disk_that_fills_up_stops_writes_and_no_checks() {
    let server = Server::dev_on_a_small_disk(&home(), 192);
    let first = server.sign_in();
    let mut last: Pair = first.clone();
    // Each refresh writes a page to the log file in front of the database, which is then too large.
    let full = loop {
        let reply = server.refresh(&last.refresh);
        if reply.status != 200 {
            break reply;
        }
        last = reply.pair();
    };
    assert_eq!((full.status, full.error().as_str()), (503, "temporarily_unavailable"), "{}", full.text());
    assert!(!full.header("retry-after").is_empty());
    assert_eq!(server.logout(&last.access, "{}").status, 503);
    assert_eq!(server.form("/oauth/revoke", &format!("token={}", last.access)).status, 503);
    assert_eq!((server.me(&first), server.me(&last)), (200, 200), "nothing was revoked, and nothing says so");
    wait_until("the server is not ready", || server.get("/readyz", None).status == 503);
    let parts = server.get("/readyz?verbose", None).json()["parts"].clone();
    assert_eq!(parts["store"]["text"], "not healthy; the log says more");
    assert!(server.log().contains("rescind.db"), "the log does");
    let home = Arc::clone(&server.home);
    server.stop();
    let server = Server::dev_in(&home, &["--issuer", "http://127.0.0.1:1"]);
    assert_eq!((server.me(&first), server.me(&last)), (200, 200));
    assert!(server.refreshes(&last), "with room the token that was not spent is good");
    assert_eq!(server.logout(&last.access, "{}").status, 200);
}

#[test]
fn a_log_that_cannot_be_written_keeps_nobody_from_an_answer() {
    let server = Server::dev_whose_log_is_full(&home(), 4096);
    let pair = server.sign_in();
    assert_eq!(server.me(&pair), 200);
    assert_eq!(server.logout(&pair.access, "{}").status, 200);
    assert_eq!(server.me(&pair), 401);
}
