//! Each thing that the kit does to a Redis, to Sentinels and to a Cluster, seen from outside.
#![cfg(test)]

use std::time::Duration;

use rescind::testing::skip;
use rescind_test_kit::{Cluster, Error, Redis, SentinelSet, SmallDisk, or_skip, until, until_within};

#[test]
fn acknowledged_writes_are_there_after_a_kill_at_the_same_address() {
    let Some(redis) = or_skip(Redis::start(), skip) else { return };
    assert_eq!(redis.cli(&["SET", "k", "v"]).unwrap(), "OK");
    redis.kill().unwrap();
    assert!(redis.cli(&["GET", "k"]).is_err());
    redis.start_again().unwrap();
    assert_eq!(redis.cli(&["GET", "k"]).unwrap(), "v");
    assert_eq!(redis.info("aof_enabled").unwrap(), "1");
}

#[test]
fn the_servers_word_is_an_error() {
    let Some(redis) = or_skip(Redis::options().setting("maxmemory-policy", "allkeys-lru").start(), skip) else {
        return;
    };
    assert_eq!(redis.cli(&["CONFIG", "GET", "maxmemory-policy"]).unwrap(), "maxmemory-policy\nallkeys-lru");
    assert!(redis.cli(&["NONSENSE"]).is_err());
}

#[test]
fn a_paused_server_answers_when_it_is_resumed() {
    let Some(redis) = or_skip(Redis::start(), skip) else { return };
    redis.pause().unwrap();
    let port = redis.address().port().to_string();
    let waiting = std::thread::spawn(move || {
        std::process::Command::new("redis-cli").args(["-p", &port, "SET", "k", "v"]).output().unwrap()
    });
    let moment = Duration::from_millis(300);
    assert!(until_within(moment, "it answers", || waiting.is_finished()).is_err(), "a paused server answers nothing");
    redis.resume().unwrap();
    assert_eq!(waiting.join().unwrap().stdout, b"OK\n");
}

#[test]
fn an_older_copy_of_the_data_forgets_what_came_after_it() {
    let Some(redis) = or_skip(Redis::start(), skip) else { return };
    redis.cli(&["SET", "k", "old"]).unwrap();
    assert!(matches!(redis.copy_data(), Err(Error::Failed(_))), "a running server's data cannot be copied");
    redis.stop().unwrap();
    let copy = redis.copy_data().unwrap();
    redis.start_again().unwrap();
    redis.cli(&["SET", "k", "new"]).unwrap();
    redis.stop().unwrap();
    redis.restore(&copy).unwrap();
    redis.start_again().unwrap();
    assert_eq!(redis.cli(&["GET", "k"]).unwrap(), "old");
}

#[test]
fn a_replica_follows_and_takes_over() {
    let Some(primary) = or_skip(Redis::start(), skip) else { return };
    let replica = primary.replica().unwrap();
    primary.cli(&["SET", "k", "v"]).unwrap();
    // Not by WAIT: it speaks of the writes of its own connection, and each call of `cli` makes a new one.
    until("the replica has it", || replica.cli(&["GET", "k"]).is_ok_and(|value| value == "v")).unwrap();
    assert!(replica.cli(&["SET", "k", "w"]).is_err());
    primary.kill().unwrap();
    replica.promote().unwrap();
    assert_eq!(replica.cli(&["SET", "k", "w"]).unwrap(), "OK");
}

#[test]
fn sentinels_make_a_replica_primary_when_the_primary_dies() {
    let Some(set) = or_skip(SentinelSet::start(1), skip) else { return };
    let old = set.primary().unwrap();
    assert_eq!(old.address(), set.servers()[0].address());
    set.kill_sentinel(2).unwrap();
    old.kill().unwrap();
    let new = set.wait_for_failover(old).unwrap();
    assert_eq!(new.cli(&["SET", "k", "v"]).unwrap(), "OK");
    set.start_sentinel_again(2).unwrap();
    until("the third knows it, too", || set.primary().is_ok_and(|named| named.address() == new.address())).unwrap();
}

#[test]
fn a_cluster_replaces_a_primary_that_dies() {
    let Some(cluster) = or_skip(Cluster::start(1), skip) else { return };
    assert_eq!(cluster.addresses().len(), 6);
    let old = cluster.owner_of("k").unwrap();
    old.cli(&["SET", "k", "v"]).unwrap();
    let written = old.info("master_repl_offset").unwrap();
    until("its replica has it", || has(&old.info("slave0").unwrap(), &written)).unwrap();
    old.kill().unwrap();
    let new = cluster.wait_for_failover("k", old).unwrap();
    until("it takes writes", || new.cli(&["SET", "l{k}", "w"]).is_ok()).unwrap();
    assert_eq!(new.cli(&["GET", "k"]).unwrap(), "v");
}

#[test]
fn a_full_disk_refuses_writes_until_it_is_freed() {
    let Some(disk) = or_skip(SmallDisk::mount(8), skip) else { return };
    let Some(redis) = or_skip(Redis::options().on(disk).start(), skip) else { return };
    redis.cli(&["SET", "k", "v"]).unwrap();
    redis.disk().unwrap().fill().unwrap();
    let long = "x".repeat(100_000);
    until("a write fails", || redis.cli(&["SET", "l", &long]).is_err()).unwrap();
    redis.disk().unwrap().free().unwrap();
    // With `appendfsync always` Redis ends itself on a write to its log that fails.
    until("it has ended", || redis.has_ended()).unwrap();
    redis.start_again().unwrap();
    assert_eq!(redis.cli(&["GET", "k"]).unwrap(), "v");
}

/// Whether a replica, as its primary tells of it, has everything up to an offset.
fn has(replica: &str, written: &str) -> bool {
    let offset = replica.split(',').find_map(|field| field.strip_prefix("offset=")?.parse::<u64>().ok());
    offset >= Some(written.parse().unwrap())
}
