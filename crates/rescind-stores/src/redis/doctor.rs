//! A look at the instances as an operator would look: what they are, which settings matter and why, how they replicate, how
//! far away they are. Owns the findings' words; changes nothing but one key that ends, by which a durable write is measured.

use std::time::{Duration, Instant};

use rescind::store::{StoreError, StoreErrorKind};
use rescind::time::{Clock, Timestamp};

use crate::finding::{Finding, Verdict};

use super::address::{Address, Kind};
use super::durability::{self, Durability, Findings, Node, Watch};
use super::fault::Fault;
use super::keys::Keys;
use super::link::{Connection, Door};
use super::reply::Reply;

const UNREACHABLE: &str = "look whether it runs and takes connections from here (bind, protected-mode, its firewall: \
    redis-cli -h HOST -p PORT PING), and at host, port, user, password and TLS of the setting store";
/// A replica that was not heard of for so many seconds is not there.
const SILENT: u64 = 10;
/// Redis' clock and the node's may differ by this much without meaning anything.
const SLACK: Duration = Duration::from_secs(1);
/// A durable write that takes longer makes every sign-in slow.
const SLOW: Duration = Duration::from_millis(50);
/// How many writes are measured; the median is told.
const WRITES: usize = 9;
/// How long an answer may take here: a doctor may wait longer than a node.
const PATIENCE: Duration = Duration::from_secs(5);

/// Looks at the instances that a store's URL names, in so far as they can be reached. `clock` is the node's.
///
/// # Errors
/// [`StoreError`] where the URL cannot be read; an instance that cannot be reached is a finding.
pub async fn diagnose(url: &str, durability: Durability, clock: &dyn Clock) -> Result<Vec<Finding>, StoreError> {
    let wrong = |text: String| StoreError::new(StoreErrorKind::Unavailable, "diagnose", text);
    let address = Address::parse(url).map_err(wrong)?;
    let keys = Keys::new(&address.prefix).ok_or_else(|| wrong("the prefix is empty or has a brace".to_owned()))?;
    let found = look(&address, &keys, durability, clock).await;
    let unreachable =
        |fault: Fault| vec![Finding::new(Verdict::Bad, format!("{}: {}", address.place, fault.text()), UNREACHABLE)];
    Ok(found.unwrap_or_else(unreachable))
}

async fn look(
    address: &Address,
    keys: &Keys,
    durability: Durability,
    clock: &dyn Clock,
) -> Result<Vec<Finding>, Fault> {
    let mut connection = Door::new(address)?.connect(PATIENCE).await.map_err(Fault::from)?;
    let found = durability::inspect(&mut connection).await.map_err(Fault::from)?;
    let mut findings: Vec<_> = found.nodes.iter().map(|node| instance(address, node)).collect();
    findings.extend(forgets(address, durability, &found));
    findings.extend(found.nodes.iter().filter_map(memory));
    findings.extend(found.nodes.iter().filter_map(disk));
    findings.extend(found.nodes.iter().flat_map(|node| replication(address, node)));
    if address.kind == Kind::Cluster {
        findings.push(cluster(&mut connection).await?);
    }
    findings.push(offset(&mut connection, clock).await?);
    findings.push(latency(&mut connection, keys).await?);
    Ok(findings)
}

/// Which instance a finding is about.
fn named(node: &Node, what: &str) -> String {
    if node.name.is_empty() { what.to_owned() } else { format!("{}: {what}", node.name) }
}

fn instance(address: &Address, node: &Node) -> Finding {
    let name = if node.name.is_empty() { &address.place } else { &node.name };
    let version = node.said("valkey_version").map_or_else(
        || format!("Redis {}", node.said("redis_version").unwrap_or("of an unknown version")),
        |version| format!("Valkey {version}"),
    );
    let role = node.said("role").unwrap_or("of an unknown role");
    let setting = |name: &str| format!("{name} {}", node.setting(name).unwrap_or("unknown"));
    let settings = ["appendonly", "appendfsync", "maxmemory-policy", "maxmemory"].map(setting).join(", ");
    Finding::good(format!("{name}: {version}, {role}; {settings}"))
}

/// What it can forget by.
fn forgets(address: &Address, durability: Durability, found: &Findings) -> Vec<Finding> {
    let watch = Watch::new(durability, address.kind == Kind::Cluster, address.replicas, address.place.clone());
    let mut findings: Vec<_> = watch
        .faults(found)
        .into_iter()
        .map(|fault| {
            let (what, remedy) = fault.split_once(". ").unwrap_or((&fault, ""));
            let verdict = if durability == Durability::Relaxed { Verdict::Look } else { Verdict::Bad };
            Finding::new(verdict, what, remedy)
        })
        .collect();
    if durability == Durability::Relaxed {
        let what = "durability is relaxed: a revocation that was acknowledged may be forgotten";
        findings.push(Finding::new(
            Verdict::Look,
            what,
            "mend what stands here, then take durability = \"relaxed\" away",
        ));
    }
    findings
}

/// Full memory refuses writes, so it should not be near.
fn memory(node: &Node) -> Option<Finding> {
    let number = |name: &str| node.said(name)?.parse::<u64>().ok();
    let used = number("used_memory")?;
    let most = number("maxmemory").unwrap_or(0);
    if most == 0 {
        let all = number("total_system_memory").filter(|all| *all > 0)?;
        let what = format!("maxmemory is 0, no limit; {} MiB are used of the machine's {} MiB", used >> 20, all >> 20);
        let what = named(node, &what);
        return Some(if used.saturating_mul(2) > all {
            let remedy = "give the machine more memory: a rewrite of the append-only file may need as much again, and the \
                          kernel ends what does not fit";
            Finding::new(Verdict::Look, what, remedy)
        } else {
            Finding::good(what)
        });
    }
    let what = named(node, &format!("{} of {} MiB of maxmemory are used", used >> 20, most >> 20));
    Some(if used.saturating_mul(10) > most.saturating_mul(9) {
        let remedy = "run CONFIG SET maxmemory with more, and set it in redis.conf: when it is full, sign-in, refresh and \
                      revoke answer 503";
        Finding::new(Verdict::Look, what, remedy)
    } else {
        Finding::good(what)
    })
}

/// Whether the last flush and the last rewrite went well.
fn disk(node: &Node) -> Option<Finding> {
    let failed = ["aof_last_write_status", "aof_last_bgrewrite_status"].into_iter();
    let failed: Vec<_> = failed.filter(|name| node.said(name).is_some_and(|status| status != "ok")).collect();
    (!failed.is_empty()).then(|| {
        let what = named(node, &format!("the append-only file cannot be written ({})", failed.join(", ")));
        Finding::new(
            Verdict::Bad,
            what,
            "look at the room on the disk of its directory (CONFIG GET dir), and at its log",
        )
    })
}

fn replication(address: &Address, node: &Node) -> Vec<Finding> {
    let replicas: u64 = node.said("connected_slaves").and_then(|count| count.parse().ok()).unwrap_or(0);
    let mut findings = Vec::new();
    let offset = |name: &str| node.said(name).and_then(|offset| offset.parse::<u64>().ok());
    for number in 0..replicas {
        let Some(replica) = node.said(&format!("slave{number}")) else { continue };
        let fields: Vec<_> = replica.split(',').filter_map(|field| field.split_once('=')).collect();
        let field = |name: &str| fields.iter().find(|(field, _)| *field == name).map_or("?", |(_, value)| *value);
        let behind = offset("master_repl_offset").zip(field("offset").parse().ok());
        let behind = behind.map_or(0, |(here, there): (u64, u64)| here.saturating_sub(there));
        let place = format!("{}:{}", field("ip"), field("port"));
        let what = format!("replica {place} is {}, {behind} bytes and {} s behind", field("state"), field("lag"));
        let hears = field("lag").parse::<u64>().is_ok_and(|lag| lag <= SILENT);
        let (verdict, remedy) = if field("state") == "online" && hears {
            (Verdict::Good, "")
        } else {
            (
                Verdict::Look,
                "a failover to it now loses what it has not got: look at its log, and run INFO replication there",
            )
        };
        findings.push(Finding::new(verdict, named(node, &what), remedy));
    }
    // Where another instance may take over, it must have what was acknowledged.
    let fails_over = address.kind != Kind::Single;
    if fails_over && replicas == 0 {
        let what = named(node, "no replica is connected: when it dies, nobody takes over");
        findings.push(Finding::new(
            Verdict::Look,
            what,
            "on another machine, run REPLICAOF with this one's host and port",
        ));
    }
    if matches!(address.kind, Kind::Sentinel { .. }) && address.replicas == 0 {
        let what =
            "an acknowledgement waits for no replica: a failover may forget the last ones, and heals with an alarm";
        findings.push(Finding::new(Verdict::Look, what, "put ?replicas=1 at the end of the store's URL"));
    }
    if fails_over && node.setting("min-replicas-to-write").is_some_and(|least| least == "0") {
        let what =
            named(node, "min-replicas-to-write is 0: cut off from its replicas, it still takes writes that are lost");
        let remedy = "run CONFIG SET min-replicas-to-write 1 and CONFIG SET min-replicas-max-lag 10";
        findings.push(Finding::new(Verdict::Look, what, remedy));
    }
    findings
}

async fn cluster(connection: &mut Connection) -> Result<Finding, Fault> {
    let mut ask = redis::cmd("CLUSTER");
    ask.arg("INFO");
    let random =
        redis::cluster_routing::RoutingInfo::SingleNode(redis::cluster_routing::SingleNodeRoutingInfo::RandomPrimary);
    let answer = connection.ask(ask, random).await.map_err(Fault::from)?;
    let text = String::from_utf8(Reply::of(answer).bytes()?).unwrap_or_default();
    let said =
        |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap_or("?").trim();
    let (state, masters) = (said("cluster_state"), said("cluster_size"));
    let what = format!("cluster is {state}, {masters} masters, {} slots without trouble", said("cluster_slots_ok"));
    Ok(match state {
        "ok" => Finding::good(what),
        _ => Finding::new(Verdict::Bad, what, "look at CLUSTER NODES: slots without a master take no writes"),
    })
}

async fn offset(connection: &mut Connection, clock: &dyn Clock) -> Result<Finding, Fault> {
    let before = clock.wall();
    let mut answer = Reply::new(connection.query(&redis::cmd("TIME")).await.map_err(Fault::from)?)?;
    let after = clock.wall();
    let (seconds, micros) = (answer.number()?, answer.number()?);
    let there = Timestamp::from_millis(seconds.saturating_mul(1_000).saturating_add(micros / 1_000));
    let off = if there > after { there.since(after) } else { before.since(there) };
    let what = format!("Redis' clock and this machine's differ by {} ms", off.as_millis());
    Ok(if off > SLACK {
        Finding::new(
            Verdict::Bad,
            what,
            "keep both with NTP (timedatectl set-ntp true): tokens are dated by Redis' clock and checked by the nodes'",
        )
    } else {
        Finding::good(what)
    })
}

async fn latency(connection: &mut Connection, keys: &Keys) -> Result<Finding, Fault> {
    let mut spans = Vec::with_capacity(WRITES);
    for _ in 0..WRITES {
        let mut write = redis::cmd("SET");
        write.arg(keys.probe()).arg(1).arg("PX").arg(60_000);
        let begun = stopwatch();
        connection.query(&write).await.map_err(Fault::from)?;
        spans.push(begun.elapsed());
    }
    spans.sort_unstable();
    let median = spans.get(WRITES / 2).copied().unwrap_or_default();
    let what = format!("a durable write takes {:.1} ms", median.as_secs_f64() * 1_000.0);
    Ok(if median > SLOW {
        Finding::new(
            Verdict::Look,
            what,
            "look at the network between (redis-cli --latency) and the disk of its directory (CONFIG GET dir): each sign-in \
             and refresh waits for one",
        )
    } else {
        Finding::good(what)
    })
}

/// Starts measuring how long an answer takes: no time of the store's comes from it.
#[expect(clippy::disallowed_methods, reason = "the given clock counts whole milliseconds, and a write lasts less")]
fn stopwatch() -> Instant {
    Instant::now()
}
