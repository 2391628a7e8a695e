//! The findings that `rescind doctor` prints.

use rescind::testing::{ManualClock, skip};
use rescind::time::{Clock, SystemClock};
use rescind_stores::redis::{Durability, diagnose};
use rescind_stores::{Finding, Verdict};
use rescind_test_kit::{Cluster, Redis, SentinelSet, or_skip};

use crate::support::{cluster_url, sentinel_url};

async fn look(url: &str, durability: Durability, clock: &dyn Clock) -> Vec<Finding> {
    let findings = diagnose(url, durability, clock).await.unwrap();
    for finding in &findings {
        println!("{finding:?}");
        assert_eq!(finding.verdict == Verdict::Good, finding.remedy.is_empty(), "each fault has a remedy: {finding:?}");
    }
    findings
}

async fn look_at(url: &str) -> Vec<Finding> {
    look(url, Durability::Strict, &SystemClock).await
}

fn of<'f>(findings: &'f [Finding], word: &str) -> &'f Finding {
    findings.iter().find(|finding| finding.what.contains(word)).unwrap_or_else(|| panic!("nothing on {word}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_healthy_server_is_good_in_every_part() {
    let Some(server) = or_skip(Redis::start(), skip) else { return };
    let findings = look_at(&server.url()).await;
    assert!(findings.iter().all(|finding| finding.verdict == Verdict::Good));
    for word in ["appendonly yes", "maxmemory", "clock", "durable write"] {
        of(&findings, word);
    }
}

// holds: R24
#[tokio::test(flavor = "multi_thread")]
async fn each_setting_that_forgets_is_bad_with_its_command_and_relaxed_makes_it_a_warning() {
    let Some(server) = or_skip(Redis::start(), skip) else { return };
    for (setting, value) in [
        ("appendonly", "no"),
        ("appendfsync", "everysec"),
        ("no-appendfsync-on-rewrite", "yes"),
        ("maxmemory-policy", "allkeys-lru"),
    ] {
        let before = server.cli(&["CONFIG", "GET", setting]).unwrap();
        let before = before.lines().nth(1).unwrap().to_owned();
        server.cli(&["CONFIG", "SET", setting, value]).unwrap();
        let what = format!("{setting} is {value}");
        let findings = look_at(&server.url()).await;
        let found = of(&findings, &what);
        assert_eq!(found.verdict, Verdict::Bad);
        assert!(found.remedy.contains(&format!("CONFIG SET {setting} {before}")), "{found:?}");
        let relaxed = look(&server.url(), Durability::Relaxed, &SystemClock).await;
        assert_eq!(of(&relaxed, &what).verdict, Verdict::Look);
        assert_eq!(of(&relaxed, "durability is relaxed").verdict, Verdict::Look);
        server.cli(&["CONFIG", "SET", setting, &before]).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_that_is_nearly_full_is_told() {
    let Some(server) = or_skip(Redis::start(), skip) else { return };
    server.cli(&["CONFIG", "SET", "maxmemory", "10gb"]).unwrap();
    assert_eq!(of(&look_at(&server.url()).await, "of 10240 MiB of maxmemory").verdict, Verdict::Good);
    let used: u64 = server.info("used_memory").unwrap().parse().unwrap();
    server.cli(&["CONFIG", "SET", "maxmemory", &(used + used / 16).to_string()]).unwrap();
    let findings = look_at(&server.url()).await;
    let full = of(&findings, "of maxmemory are used");
    assert!(full.verdict == Verdict::Look && full.remedy.contains("CONFIG SET maxmemory"), "{full:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_off_and_a_server_that_is_gone_are_bad() {
    let Some(server) = or_skip(Redis::start(), skip) else { return };
    let findings = look(&server.url(), Durability::Strict, &ManualClock::default()).await;
    assert_eq!(of(&findings, "clock").verdict, Verdict::Bad);
    server.kill().unwrap();
    let findings = look_at(&server.url()).await;
    assert!(findings.len() == 1 && findings[0].verdict == Verdict::Bad, "{findings:?}");
    assert!(findings[0].remedy.contains("PING"), "{findings:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_sentinels_replicas_are_told_and_what_a_failover_may_lose() {
    let Some(set) = or_skip(SentinelSet::start(1), skip) else { return };
    let findings = look_at(&sentinel_url(&set)).await;
    assert_eq!(of(&findings, "replica 127.0.0.1").verdict, Verdict::Good);
    assert!(of(&findings, "waits for no replica").remedy.contains("?replicas=1"));
    assert!(of(&findings, "min-replicas-to-write is 0").remedy.contains("CONFIG SET min-replicas-to-write 1"));
    let primary = set.primary().unwrap();
    primary.cli(&["CONFIG", "SET", "min-replicas-to-write", "1"]).unwrap();
    let findings = look_at(&format!("{}?replicas=1", sentinel_url(&set))).await;
    assert!(findings.iter().all(|finding| finding.verdict == Verdict::Good), "{findings:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_cluster_each_master_without_a_replica_is_named() {
    let Some(cluster) = or_skip(Cluster::start(0), skip) else { return };
    let findings = look_at(&cluster_url(&cluster)).await;
    assert_eq!(of(&findings, "cluster is ok, 3 masters, 16384 slots").verdict, Verdict::Good);
    let lonely = findings.iter().filter(|finding| finding.what.contains("nobody takes over"));
    assert_eq!(lonely.count(), 3, "{findings:?}");
}
