//! A look at a server as an operator would look: what it is, which of its settings matter and why, how it replicates, how
//! far away it is. Owns the findings' words; changes nothing but one counter, by which a durable write is measured.

use std::time::{Duration, Instant};

use rescind::store::StoreError;
use rescind::time::{Clock, Timestamp};
use tokio_postgres::Row;
use tokio_postgres::types::Type;

use crate::finding::{Finding, Verdict};

use super::cells::Cells;
use super::conditions;
use super::fault::Fault;
use super::link::Link;
use super::settings::Settings;

/// The database's clock and the node's may differ by this much without meaning anything.
const SLACK: Duration = Duration::from_secs(1);
const CLOCKS: &str = "keep both with NTP (timedatectl set-ntp true): tokens are dated by the database's clock and checked by the \
                      nodes'";
/// A durable write that takes longer makes every sign-in slow.
const SLOW: Duration = Duration::from_millis(50);
/// A replica that is further behind does not keep up.
/// **Units:** milliseconds.
const LAG: i64 = 1_000;
/// How many writes are measured; the median is told.
const WRITES: usize = 9;

/// Looks at the server that a store's URL names, in so far as it can be reached. `clock` is the node's.
///
/// # Errors
/// [`StoreError`] where the URL cannot be read; a server that cannot be reached is a finding.
pub async fn diagnose(url: &str, clock: &dyn Clock) -> Result<Vec<Finding>, StoreError> {
    let settings = Settings::parse(url).map_err(|fault| fault.error("diagnose", "postgres"))?;
    let link = Link::new(&settings, None).map_err(|fault| fault.error("diagnose", &settings.server))?;
    let found = look(&link, &settings, clock).await;
    Ok(found.unwrap_or_else(|fault| {
        if fault == Fault::read_only() {
            return vec![refused(&fault)];
        }
        vec![Finding::new(
            Verdict::Bad,
            format!("{}: {fault}", settings.server),
            "look whether the server runs and takes connections from here (listen_addresses, pg_hba.conf), and at host, \
             port, user, password and sslmode of the setting store",
        )]
    }))
}

async fn look(link: &Link, settings: &Settings, clock: &dyn Clock) -> Result<Vec<Finding>, Fault> {
    let mut findings = vec![server(link, settings).await?];
    if let Err(fault) = conditions::check(link).await {
        findings.push(refused(&fault));
    }
    findings.extend(durability(link).await?);
    findings.extend(replicas(link).await?);
    findings.push(offset(link, clock).await?);
    let layout = layout(link).await?;
    let is_made = layout.verdict == Verdict::Good;
    findings.push(layout);
    if is_made {
        findings.extend(inbox(link).await?);
    }
    // A write is not measured where it would wait in vain, or where there is nothing to write to yet.
    if is_made && findings.iter().all(|finding| finding.verdict != Verdict::Bad) {
        findings.push(writes(link).await?);
    }
    Ok(findings)
}

/// Each refusal is what is so, and then what to do.
fn refused(fault: &Fault) -> Finding {
    let text = fault.to_string();
    let (what, remedy) = text.split_once(". ").unwrap_or((&text, "mend it, for Rescind does not start on this"));
    Finding::new(Verdict::Bad, what, remedy)
}

async fn one(link: &Link, text: &str) -> Result<Row, Fault> {
    let row = link.query(text, &[]).await?.pop();
    row.ok_or_else(|| Fault::unavailable("the server returned no row"))
}

async fn server(link: &Link, settings: &Settings) -> Result<Finding, Fault> {
    let row = one(
        link,
        "SELECT current_setting('server_version'), current_setting('max_connections')::int, \
         current_setting('superuser_reserved_connections')::int, (SELECT count(*)::int FROM pg_stat_activity \
         WHERE backend_type = 'client backend'), coalesce((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), false)",
    )
    .await?;
    let cells = Cells::new(&row, "pg_settings", 0);
    let (version, most, reserved): (&str, i32, i32) = (cells.get(0)?, cells.get(1)?, cells.get(2)?);
    let (used, tls): (i32, bool) = (cells.get(3)?, cells.get(4)?);
    let what = format!(
        "{}: version {version}, {}, {used} of {} connections in use, this node takes up to {}",
        settings.server,
        if tls { "TLS" } else { "no TLS" },
        most - reserved,
        settings.pool + 1,
    );
    let room = usize::try_from(most - reserved).unwrap_or(0);
    Ok(if room < (settings.pool + 1) * 2 {
        let remedy = format!(
            "two nodes of this size do not fit beside each other: ALTER SYSTEM SET max_connections = {} and restart, or \
             put a smaller ?pool= into the setting store, or pgbouncer in front",
            most + i32::try_from(settings.pool * 2 + 2).unwrap_or(0)
        );
        Finding::new(Verdict::Look, what, remedy)
    } else if !tls && !settings.is_here() {
        let remedy = "set ssl = on at the server, and sslmode=verify-full in the setting store: what is not encrypted can be \
                      read and changed on its way";
        Finding::new(Verdict::Look, what, remedy)
    } else {
        Finding::good(what)
    })
}

async fn durability(link: &Link) -> Result<Vec<Finding>, Fault> {
    let row = one(
        link,
        "SELECT current_setting('fsync'), current_setting('full_page_writes'), current_setting('synchronous_commit'), \
         current_setting('statement_timeout'), current_setting('lock_timeout')",
    )
    .await?;
    let cells = Cells::new(&row, "pg_settings", 0);
    let (fsync, pages, commit): (&str, &str, &str) = (cells.get(0)?, cells.get(1)?, cells.get(2)?);
    let (statement, lock): (&str, &str) = (cells.get(3)?, cells.get(4)?);
    let mut findings = Vec::new();
    // Otherwise it is refused, and stands among the conditions.
    if fsync == "on" && pages == "on" {
        findings.push(Finding::good("fsync = on, full_page_writes = on"));
    }
    findings.push(if matches!(commit, "off" | "local") {
        Finding::new(
            Verdict::Look,
            format!("synchronous_commit = {commit}; Rescind's own transactions are set to on"),
            "where the applications' own select rescind.revoke(…) must not be lost either: \
             ALTER DATABASE … SET synchronous_commit = on",
        )
    } else {
        Finding::good(format!("synchronous_commit = {commit}"))
    });
    if statement != "0" {
        findings.push(Finding::new(
            Verdict::Look,
            format!("statement_timeout = {statement}: it may cut off the loading of all revocations at a node's start"),
            "ALTER ROLE … SET statement_timeout = 0; the nodes have limits of their own",
        ));
    }
    findings.push(Finding::good(format!("lock_timeout = {lock}; Rescind's own transactions wait at most 1s")));
    Ok(findings)
}

async fn replicas(link: &Link) -> Result<Vec<Finding>, Fault> {
    let row = one(link, "SELECT current_setting('synchronous_standby_names')").await?;
    let names: String = Cells::new(&row, "pg_settings", 0).get::<&str>(0)?.to_owned();
    let rows = link
        .query(
            "SELECT coalesce(application_name, ''), coalesce(state, ''), coalesce(sync_state, ''), \
             coalesce(extract(epoch FROM replay_lag) * 1000, 0)::bigint FROM pg_stat_replication ORDER BY 1",
            &[],
        )
        .await?;
    let mut findings = Vec::with_capacity(rows.len() + 1);
    let (mut waits_for_some, mut hidden) = (false, false);
    for row in &rows {
        let cells = Cells::new(row, "pg_stat_replication", 0);
        let (name, state, sync): (&str, &str, &str) = (cells.get(0)?, cells.get(1)?, cells.get(2)?);
        waits_for_some |= matches!(sync, "sync" | "quorum");
        hidden |= state.is_empty();
        findings.push(replica(name, state, sync, cells.get(3)?));
    }
    findings.push(standbys(&names, rows.len(), waits_for_some || hidden));
    Ok(findings)
}

fn replica(name: &str, state: &str, sync: &str, lag: i64) -> Finding {
    if state.is_empty() {
        let what = "a replica is connected, but this user may not see its state";
        return Finding::new(Verdict::Look, what, "as superuser: GRANT pg_monitor TO the store's user");
    }
    let what = format!("replica {name}: {state}, {sync}, {lag} ms behind");
    if state == "streaming" && lag <= LAG {
        return Finding::good(what);
    }
    let remedy = "a failover to it now loses what it has not got: look at its log, its disk and the network between";
    Finding::new(Verdict::Look, what, remedy)
}

/// Whether a write is on a second machine before it is acknowledged. `waits_for_some`: one of those named is there, as far
/// as can be seen.
fn standbys(names: &str, replicas: usize, waits_for_some: bool) -> Finding {
    match (names, replicas) {
        ("", 0) => Finding::new(
            Verdict::Look,
            "no replica is connected: what is on this machine is all there is",
            "set up a standby by pg_basebackup -R, and name it in synchronous_standby_names",
        ),
        ("", _) => Finding::new(
            Verdict::Look,
            "synchronous_standby_names is empty: a failover loses what the replica had not got",
            "ALTER SYSTEM SET synchronous_standby_names = 'ANY 1 (*)'; SELECT pg_reload_conf(). Without it the nodes find \
             the loss and append it again from memory; what none that lives had read is lost, or everybody signs in again",
        ),
        (names, _) if !waits_for_some => Finding::new(
            Verdict::Bad,
            format!("synchronous_standby_names = {names}, and none of them is connected: every write waits for it"),
            "start the standby, with application_name in its primary_conninfo as it is named there; or give it up: \
             ALTER SYSTEM RESET synchronous_standby_names; SELECT pg_reload_conf()",
        ),
        (names, _) => Finding::good(format!("synchronous_standby_names = {names}")),
    }
}

async fn offset(link: &Link, clock: &dyn Clock) -> Result<Finding, Fault> {
    let before = clock.wall();
    let row = one(link, "SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint").await?;
    let after = clock.wall();
    let there: Timestamp = Cells::new(&row, "clock", 0).time(0)?;
    // Whatever lies between asking and hearing is no difference.
    let ahead = there.since(after);
    let behind = before.since(there);
    let what = if behind > ahead {
        format!("the database's clock is {} ms behind this machine's", behind.as_millis())
    } else {
        format!("the database's clock is {} ms ahead of this machine's", ahead.as_millis())
    };
    Ok(if ahead.max(behind) > SLACK { Finding::new(Verdict::Bad, what, CLOCKS) } else { Finding::good(what) })
}

async fn layout(link: &Link) -> Result<Finding, Fault> {
    let table = link.sql("{schema}.layout");
    let rows = link.query("SELECT to_regclass($1) IS NOT NULL", &[(&table, Type::TEXT)]).await?;
    let there = rows.first().map(|row| Cells::new(row, "layout", 0).get::<bool>(0)).transpose()?;
    if there != Some(true) {
        return Ok(Finding::new(Verdict::Look, "the schema is not there yet", "the server makes it at first start"));
    }
    let row = one(link, "SELECT version, readable_by FROM {schema}.layout").await?;
    let cells = Cells::new(&row, "layout", 0);
    let (version, readable_by): (i32, i32) = (cells.get(0)?, cells.get(1)?);
    Ok(Finding::good(format!("layout {version}, for builds that know {readable_by} or more")))
}

/// Requested revocations that were set aside.
async fn inbox(link: &Link) -> Result<Option<Finding>, Fault> {
    let row = one(
        link,
        "SELECT count(*), min(id), (array_agg(refused ORDER BY id))[1] FROM {schema}.inbox WHERE refused IS NOT NULL",
    )
    .await?;
    let cells = Cells::new(&row, "inbox", 1);
    let count: i64 = cells.get(0)?;
    if count == 0 {
        return Ok(None);
    }
    let (first, why): (i64, &str) = (cells.get(1)?, cells.get(2)?);
    let what =
        format!("{count} requested revocations are not in force, for they cannot be made; the first is {first}: {why}");
    let table = link.sql("{schema}.inbox");
    let remedy = format!(
        "SELECT * FROM {table} WHERE refused IS NOT NULL; ask for them anew by rescind.revoke(…), and delete the rows"
    );
    Ok(Some(Finding::new(Verdict::Bad, what, remedy)))
}

async fn writes(link: &Link) -> Result<Finding, Fault> {
    let mut took = Vec::with_capacity(WRITES);
    for _ in 0..WRITES {
        let begun = stopwatch();
        match link.write(1, "SELECT {schema}.probe()", &[]).await {
            Ok(_) => took.push(begun.elapsed()),
            Err(fault) => {
                let remedy = "sign-in, refresh and revoke fail as this did: look at Postgres' own log";
                return Ok(Finding::new(Verdict::Bad, format!("a write failed: {fault}"), remedy));
            }
        }
    }
    took.sort_unstable();
    let median = took.get(WRITES / 2).copied().unwrap_or_default();
    let what = format!("a durable write takes {:.1} ms (median of {WRITES})", median.as_secs_f64() * 1000.0);
    Ok(if median > SLOW {
        Finding::new(
            Verdict::Look,
            what,
            "look at the network between (ping), the disk of pg_wal (pg_test_fsync), and the synchronous standby",
        )
    } else {
        Finding::good(what)
    })
}

/// Starts measuring how long the server takes: no time of the store's comes from it.
#[expect(clippy::disallowed_methods, reason = "the given clock counts whole milliseconds, and a write may last less")]
fn stopwatch() -> Instant {
    Instant::now()
}
