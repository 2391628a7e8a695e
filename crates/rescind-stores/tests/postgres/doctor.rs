//! The findings that `rescind doctor` prints.

use rescind::testing::{ManualClock, skip};
use rescind::time::{Clock, SystemClock};
use rescind_stores::postgres::diagnose;
use rescind_stores::{Finding, Verdict};
use rescind_test_kit::{PASSWORD, Postgres, or_skip};

use crate::support::{open, server, until};

async fn look(url: &str, clock: &dyn Clock) -> Vec<Finding> {
    let findings = diagnose(url, clock).await.unwrap();
    for finding in &findings {
        println!("{finding:?}");
        assert!(!format!("{finding:?}").contains(PASSWORD));
    }
    findings
}

fn of<'f>(findings: &'f [Finding], word: &str) -> &'f Finding {
    findings.iter().find(|finding| finding.what.contains(word)).unwrap_or_else(|| panic!("nothing on {word}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_healthy_server_has_no_bad_finding_and_its_write_is_measured() {
    let Some(server) = server() else { return };
    drop(open(&server.url()).await.unwrap());
    let Some(replica) = or_skip(server.replica(), skip) else { return };
    server.psql("grant pg_monitor to rescind").unwrap();
    let findings = look(&server.url(), &SystemClock).await;
    assert!(findings.iter().all(|finding| finding.verdict != Verdict::Bad));
    for word in [
        "version 1",
        "fsync = on",
        "synchronous_commit = on",
        "standby",
        "replica",
        "clock",
        "layout 1",
        "durable write",
    ] {
        of(&findings, word);
    }
    let of_replica = look(&replica.url(), &SystemClock).await;
    assert!(of(&of_replica, "a replica").remedy.contains("target_session_attrs=read-write"), "{of_replica:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_setting_that_forgets_and_a_clock_that_is_off_are_bad() {
    let Some(server) = or_skip(Postgres::options().setting("fsync", "off").start(), skip) else { return };
    let findings = look(&server.url(), &ManualClock::default()).await;
    let forgets = of(&findings, "fsync = off");
    assert_eq!(forgets.verdict, Verdict::Bad);
    assert!(forgets.remedy.contains("ALTER SYSTEM SET fsync = on"), "{forgets:?}");
    assert_eq!(of(&findings, "clock").verdict, Verdict::Bad);
    server.kill().unwrap();
    assert_eq!(look(&server.url(), &SystemClock).await[0].verdict, Verdict::Bad);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_failover_would_lose_is_told_and_a_standby_that_every_write_waits_for_in_vain_is_bad() {
    let Some(server) = server() else { return };
    server.psql("grant pg_monitor to rescind").unwrap();
    let names = |names: &str| {
        server.psql(&format!("alter system set synchronous_standby_names = '{names}'")).unwrap();
        server.psql("select pg_reload_conf()").unwrap();
    };
    let alone = look(&server.url(), &SystemClock).await;
    assert_eq!(of(&alone, "no replica is connected").verdict, Verdict::Look);
    let Some(replica) = or_skip(server.replica(), skip) else { return };
    let lossy = look(&server.url(), &SystemClock).await;
    let lossy = of(&lossy, "synchronous_standby_names is empty");
    assert!(lossy.verdict == Verdict::Look && lossy.remedy.contains("ALTER SYSTEM SET"), "{lossy:?}");
    names("ANY 1 (*)");
    drop(open(&server.url()).await.unwrap());
    let good = look(&server.url(), &SystemClock).await;
    assert_eq!(of(&good, "synchronous_standby_names = ANY 1 (*)").verdict, Verdict::Good);
    assert_eq!(of(&good, "durable write").verdict, Verdict::Good);
    replica.kill().unwrap();
    until("the server has found its replica gone", || async {
        server.psql("select count(*) from pg_stat_replication").unwrap() == "0"
    })
    .await;
    let waiting = look(&server.url(), &SystemClock).await;
    let waiting = of(&waiting, "none of them is connected");
    assert!(waiting.verdict == Verdict::Bad && waiting.remedy.contains("RESET"), "{waiting:?}");
}
