//! Nothing that the kit starts outlives the test process, however that ends.
#![cfg(test)]

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Stdio};

use rescind::testing::skip;
use rescind_test_kit::{Postgres, Redis, or_skip, until};

/// Set in the test process that is to be killed.
const VICTIM: &str = "RESCIND_KIT_VICTIM";

#[test]
fn servers_die_with_a_test_process_that_is_killed() {
    if std::env::var_os(VICTIM).is_some() {
        return hold_servers();
    }
    let name = "servers_die_with_a_test_process_that_is_killed";
    let mut victim = Command::new(std::env::current_exe().unwrap());
    victim.args(["--exact", "--nocapture", name]).env(VICTIM, "1").stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut victim = victim.spawn().unwrap();
    let lines = BufReader::new(victim.stdout.take().unwrap()).lines().map(Result::unwrap);
    let pids: Vec<String> = lines
        .take_while(|line| line != "ready")
        .filter_map(|line| line.strip_prefix("holds ").map(str::to_owned))
        .collect();
    let alive = |pid: &String| Path::new("/proc").join(pid).exists();
    let all_ran = pids.iter().all(alive);
    victim.kill().unwrap();
    victim.wait().unwrap();
    if pids.is_empty() {
        return skip("neither Postgres nor Redis is installed");
    }
    assert!(all_ran);
    until("the servers are gone", || !pids.iter().any(alive)).unwrap();
}

/// Started from threads that end at once: a server lives as long as the process, not as the thread that asked for it.
fn hold_servers() {
    let postgres = std::thread::spawn(|| or_skip(Postgres::start(), |_| {})).join().unwrap();
    let redis = std::thread::spawn(|| or_skip(Redis::start(), |_| {})).join().unwrap();
    let pids = [postgres.as_ref().map(|it| it.pid()), redis.as_ref().map(|it| it.pid())];
    for pid in pids.into_iter().flatten() {
        println!("holds {}", pid.unwrap());
    }
    println!("ready");
    // Until the end: nothing is ever written here.
    std::io::stdin().read_to_string(&mut String::new()).unwrap();
}

#[test]
fn nothing_is_left_on_the_disk_when_a_handle_is_dropped() {
    let Some(redis) = or_skip(Redis::start(), skip) else { return };
    let data = redis.data_dir().to_owned();
    assert!(data.exists());
    drop(redis);
    assert!(!data.parent().unwrap().exists());
}
