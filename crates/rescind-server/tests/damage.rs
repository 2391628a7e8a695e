//! A log that was damaged or edited while the server runs: it says what, where and how to repair, and ends.
mod support;

use std::process::Command;

use support::{JSON, Server};

#[test]
fn a_log_that_was_edited_ends_the_server_with_what_and_where_and_the_remedy() {
    let mut server = Server::dev(&[]);
    let pair = server.sign_in();
    let bearer = format!("Bearer {}", pair.access);
    assert_eq!(server.send("POST", "/logout", &[("authorization", &bearer), ("content-type", JSON)], "{}").status, 200);
    // An entry that nobody appended: its tag cannot fit.
    let forged = "INSERT INTO log SELECT seq + 1, at, 0, lift_of, 'subject', 'x', remember_until, reason, actor, tag FROM log \
                  ORDER BY seq DESC LIMIT 1";
    let edited = Command::new("sqlite3").arg(server.data().join("rescind.db")).arg(forged).status();
    let Ok(edited) = edited else { return rescind::testing::skip("sqlite3 is not installed") };
    assert!(edited.success());
    assert_eq!(server.wait().code(), Some(1));
    let log = server.log();
    for word in ["ALARM", "after position 1", "do not add up", "backup"] {
        assert!(log.contains(word), "{word} is not in {log}");
    }
}
