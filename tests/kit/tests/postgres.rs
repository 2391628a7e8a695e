//! Each thing that the kit does to a Postgres, seen from outside.
#![cfg(test)]

use std::time::Duration;

use rescind::testing::skip;
use rescind_test_kit::{DATABASE, Error, PASSWORD, PoolMode, Postgres, SmallDisk, USER, or_skip, until, until_within};

/// What psql says to SQL at this URL.
fn ask(url: &str, sql: &str) -> Result<String, String> {
    let output = std::process::Command::new("psql").args(["-XqAt", url, "-c", sql]).output().unwrap();
    let text = |bytes| String::from_utf8_lossy(bytes).trim().to_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

#[test]
fn committed_rows_are_there_after_a_kill_at_the_same_address() {
    let Some(postgres) = or_skip(Postgres::start(), skip) else { return };
    postgres.psql("create table t (n int); insert into t values (7)").unwrap();
    let before = postgres.pid().unwrap();
    postgres.kill().unwrap();
    assert!(!std::path::Path::new(&format!("/proc/{before}")).exists(), "the postmaster is gone");
    assert!(ask(&postgres.url(), "select 1").is_err());
    postgres.start_again().unwrap();
    assert_ne!(postgres.pid().unwrap(), before);
    assert_eq!(postgres.psql("select n from t").unwrap(), "7");
}

#[test]
fn the_role_needs_its_password_over_tcp() {
    let Some(postgres) = or_skip(Postgres::start(), skip) else { return };
    assert_eq!(ask(&postgres.url(), "select current_user, current_database()"), Ok(format!("{USER}|{DATABASE}")));
    let wrong = ask(&postgres.url().replace(PASSWORD, "wrong"), "select 1").unwrap_err();
    assert!(wrong.contains("password authentication failed"), "{wrong}");
    assert_eq!(ask(&postgres.socket_url_of(DATABASE), "select current_user").as_deref(), Ok(USER));
    let other = postgres.create_database("other").unwrap();
    assert_eq!(ask(&other, "create table t (); select current_database()").as_deref(), Ok("other"));
}

#[test]
fn a_paused_server_keeps_its_connections_and_answers_nothing_until_it_is_resumed() {
    let Some(postgres) = or_skip(Postgres::start(), skip) else { return };
    ask(&postgres.url(), "create table t (n int)").unwrap();
    postgres.pause().unwrap();
    let waiting = std::thread::spawn({
        let url = postgres.url();
        move || ask(&url, "insert into t values (1)")
    });
    let moment = Duration::from_millis(300);
    assert!(until_within(moment, "it answers", || waiting.is_finished()).is_err(), "a paused server answers nothing");
    postgres.resume().unwrap();
    waiting.join().unwrap().unwrap();
    assert_eq!(postgres.psql("select count(*) from t").unwrap(), "1");
}

#[test]
fn an_older_copy_of_the_data_forgets_what_came_after_it() {
    let Some(postgres) = or_skip(Postgres::start(), skip) else { return };
    postgres.psql("create table t (n int); insert into t values (1)").unwrap();
    assert!(matches!(postgres.copy_data(), Err(Error::Failed(_))), "a running server's data cannot be copied");
    postgres.stop().unwrap();
    let copy = postgres.copy_data().unwrap();
    postgres.start_again().unwrap();
    postgres.psql("insert into t values (2)").unwrap();
    postgres.stop().unwrap();
    postgres.restore(&copy).unwrap();
    postgres.start_again().unwrap();
    assert_eq!(postgres.psql("select n from t").unwrap(), "1");
}

#[test]
fn a_replica_follows_lags_and_takes_over() {
    let Some(primary) = or_skip(Postgres::start(), skip) else { return };
    primary.psql("create table t (n int); insert into t values (1)").unwrap();
    let replica = primary.replica().unwrap();
    primary.wait_for_replica(&replica).unwrap();
    assert_eq!(replica.psql("select n from t").unwrap(), "1");
    assert!(replica.psql("insert into t values (0)").is_err());

    replica.pause_replay().unwrap();
    primary.psql("insert into t values (2)").unwrap();
    assert_eq!(replica.psql("select count(*) from t").unwrap(), "1");
    replica.resume_replay().unwrap();
    primary.wait_for_replica(&replica).unwrap();

    replica.stop_receiving().unwrap();
    primary.psql("insert into t values (3)").unwrap();
    primary.kill().unwrap();
    replica.promote().unwrap();
    replica.psql("insert into t values (4)").unwrap();
    assert_eq!(replica.psql("select n from t order by n").unwrap(), "1\n2\n4");
}

#[test]
fn a_pool_leads_to_the_server_in_its_mode_and_comes_back_after_a_kill() {
    let Some(postgres) = or_skip(Postgres::start(), skip) else { return };
    let Some(pool) = or_skip(postgres.pgbouncer(PoolMode::Transaction), skip) else { return };
    assert_eq!(ask(&pool.url(), "select current_user").as_deref(), Ok(USER));
    pool.kill().unwrap();
    assert!(ask(&pool.url(), "select 1").is_err());
    pool.start_again().unwrap();
    assert_eq!(ask(&pool.url(), "select current_database()").as_deref(), Ok(DATABASE));
    assert_eq!(ask(&pool.url(), "begin; commit; select 1").as_deref(), Ok("1"));
    let strict = postgres.pgbouncer(PoolMode::Statement).unwrap();
    assert!(ask(&strict.url(), "begin").unwrap_err().contains("statement pooling"), "its mode is in force");
}

#[test]
fn with_tls_the_role_comes_in_by_a_certificate_of_the_authority_only() {
    let Some(postgres) = or_skip(Postgres::options().tls().start(), skip) else { return };
    let url = |mode: &str| format!("{}?sslmode={mode}&sslrootcert={}", postgres.url(), postgres.ca_file().display());
    let in_use = "select ssl from pg_stat_ssl where pid = pg_backend_pid()";
    assert_eq!(ask(&url("verify-full"), in_use).as_deref(), Ok("t"));
    let plain = ask(&url("disable"), in_use).unwrap_err();
    assert!(plain.contains("no encryption"), "{plain}");
}

#[test]
fn a_full_disk_refuses_writes_until_it_is_freed() {
    let Some(disk) = or_skip(SmallDisk::mount(160), skip) else { return };
    let Some(postgres) = or_skip(Postgres::options().on(disk).start(), skip) else { return };
    postgres.psql("create table t (n text)").unwrap();
    postgres.disk().unwrap().fill().unwrap();
    let full = postgres.psql("insert into t select repeat('x', 1000) from generate_series(1, 100000)").unwrap_err();
    assert!(postgres.log().contains("No space left on device"), "{full}\n{}", postgres.log());
    postgres.disk().unwrap().free().unwrap();
    // A log that cannot be written ends the whole server; its own postmaster brings it up again, or we do.
    if postgres.pid().is_err() || until("it answers", || postgres.psql("select 1").is_ok()).is_err() {
        postgres.start_again().unwrap();
    }
    postgres.psql("insert into t values ('y')").unwrap();
}

#[test]
fn a_setting_that_postgres_refuses_fails_with_the_end_of_its_log() {
    let refused = Postgres::options().setting("max_connections", "none").start();
    let Err(error) = refused else { panic!("it started") };
    match error {
        Error::Missing(what) => skip(&what),
        Error::Failed(what) => assert!(what.contains("invalid value for parameter \"max_connections\""), "{what}"),
    }
}
