//! The database replaced by an older copy of itself while the server is down: what was revoked since must stay dead.
#![expect(clippy::unwrap_used, reason = "tests fail loudly, their helpers too")]

mod support;

use std::fs;
use std::path::Path;
use std::sync::Arc;

use support::Server;

const ARGS: &[&str] = &["--issuer", "http://127.0.0.1:1"];

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if entry.file_name().to_string_lossy().starts_with("rescind.db") {
            fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

#[test]
fn an_older_copy_of_the_database_revives_nobody() {
    let server = Server::dev(ARGS);
    let (revoked, unharmed) = (server.sign_in(), server.sign_in());
    let home = Arc::clone(&server.home);
    server.stop();
    let (data, backup) = (home.path().join("data"), home.path().join("backup"));
    copy(&data, &backup);

    let server = Server::dev_in(&home, ARGS);
    server.logout(&revoked.access, "{}");
    assert_eq!(server.me(&revoked), 401);
    server.stop();
    for entry in fs::read_dir(&data).unwrap() {
        let entry = entry.unwrap();
        if entry.file_name().to_string_lossy().starts_with("rescind.db") {
            fs::remove_file(entry.path()).unwrap();
        }
    }
    copy(&backup, &data);

    let server = Server::dev_in(&home, ARGS);
    for pair in [&revoked, &unharmed] {
        assert_eq!(server.me(pair), 401, "every earlier token is refused");
        assert!(!server.refreshes(pair));
    }
    let fresh = server.sign_in();
    assert_eq!(server.me(&fresh), 200, "new sign-ins work");
    assert!(server.refreshes(&fresh));
    let log = server.log();
    assert!(log.contains("WARN") || log.contains("ERROR"), "an alarm says so: {log}");
    server.stop();

    let server = Server::dev_in(&home, ARGS);
    assert_eq!((server.me(&revoked), server.me(&fresh)), (401, 200), "also after one more restart");
}
