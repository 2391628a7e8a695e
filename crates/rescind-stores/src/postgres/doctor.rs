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
/// A durable write that takes longer makes every sign-in slow.
const SLOW: Duration = Duration::from_millis(50);
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
        vec![Finding::new(
            Verdict::Bad,
            format!("{}: {fault}", settings.server),
            "the store cannot be used until this is mended",
        )]
    }))
}

async fn look(link: &Link, settings: &Settings, clock: &dyn Clock) -> Result<Vec<Finding>, Fault> {
    let mut findings = vec![server(link, settings).await?];
    if let Err(fault) = conditions::check(link).await {
        findings.push(Finding::new(Verdict::Bad, fault.to_string(), "the server does not start until this is mended"));
    }
    findings.extend(durability(link).await?);
    findings.extend(replicas(link).await?);
    findings.push(offset(link, clock).await?);
    findings.push(layout(link).await?);
    if findings.iter().all(|finding| finding.verdict != Verdict::Bad) {
        findings.push(writes(link).await?);
    }
    Ok(findings)
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
        Finding::new(Verdict::Look, what, "raise max_connections: two nodes of this size do not fit beside each other")
    } else {
        Finding::good(what)
    })
}

async fn durability(link: &Link) -> Result<Vec<Finding>, Fault> {
    let row = one(
        link,
        "SELECT current_setting('fsync'), current_setting('full_page_writes'), current_setting('synchronous_commit'), \
         current_setting('synchronous_standby_names'), current_setting('statement_timeout'), current_setting('lock_timeout')",
    )
    .await?;
    let cells = Cells::new(&row, "pg_settings", 0);
    let (fsync, pages, commit): (&str, &str, &str) = (cells.get(0)?, cells.get(1)?, cells.get(2)?);
    let (standbys, statement, lock): (&str, &str, &str) = (cells.get(3)?, cells.get(4)?, cells.get(5)?);
    let mut findings = vec![Finding::good(format!("fsync = {fsync}, full_page_writes = {pages}"))];
    findings.push(if matches!(commit, "off" | "local") {
        Finding::new(
            Verdict::Look,
            format!("synchronous_commit = {commit}; Rescind's own transactions are set to on"),
            "set it to on or more where the applications' own requests for revocations must not be lost either",
        )
    } else {
        Finding::good(format!("synchronous_commit = {commit}"))
    });
    findings.push(if standbys.is_empty() {
        Finding::new(
            Verdict::Look,
            "synchronous_standby_names is empty: a failover loses what the replica had not got",
            "name a standby, so that an acknowledged revocation is on two machines; without one, the nodes find the loss and \
             heal it by signing everybody in again",
        )
    } else {
        Finding::good(format!("synchronous_standby_names = {standbys}"))
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
    let rows = link
        .query(
            "SELECT coalesce(application_name, ''), coalesce(state, ''), coalesce(sync_state, ''), \
             coalesce(extract(epoch FROM replay_lag) * 1000, 0)::bigint FROM pg_stat_replication ORDER BY 1",
            &[],
        )
        .await?;
    if rows.is_empty() {
        return Ok(vec![Finding::good("no replica is connected")]);
    }
    rows.iter()
        .map(|row| {
            let cells = Cells::new(row, "pg_stat_replication", 0);
            let (name, state, sync): (&str, &str, &str) = (cells.get(0)?, cells.get(1)?, cells.get(2)?);
            if state.is_empty() {
                let what = "a replica is connected, but this user may not see its state";
                return Ok(Finding::new(Verdict::Look, what, "GRANT pg_monitor TO the store's user"));
            }
            let lag: i64 = cells.get(3)?;
            Ok(Finding::good(format!("replica {name}: {state}, {sync}, {lag} ms behind")))
        })
        .collect()
}

async fn offset(link: &Link, clock: &dyn Clock) -> Result<Finding, Fault> {
    let before = clock.wall();
    let row = one(link, "SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint").await?;
    let after = clock.wall();
    let there: Timestamp = Cells::new(&row, "clock", 0).time(0)?;
    // Whatever lies between asking and hearing is no difference.
    let ahead = there.since(after);
    let behind = before.since(there);
    let what =
        format!("the database's clock is {} ms ahead of this node's, {} behind", ahead.as_millis(), behind.as_millis());
    Ok(if ahead.max(behind) > SLACK {
        Finding::new(Verdict::Bad, what, "keep both with NTP: tokens are dated by the database and checked by the node")
    } else {
        Finding::good(what)
    })
}

async fn layout(link: &Link) -> Result<Finding, Fault> {
    let table = link.sql("{schema}.layout");
    let rows = link.query("SELECT to_regclass($1) IS NOT NULL", &[(&table, Type::TEXT)]).await?;
    let there = rows.first().map(|row| Cells::new(row, "layout", 0).get::<bool>(0)).transpose()?;
    if there != Some(true) {
        return Ok(Finding::new(Verdict::Look, "the schema is empty", "the server makes it at first start"));
    }
    let row = one(link, "SELECT version, readable_by FROM {schema}.layout").await?;
    let cells = Cells::new(&row, "layout", 0);
    let (version, readable_by): (i32, i32) = (cells.get(0)?, cells.get(1)?);
    Ok(Finding::good(format!("layout {version}, for builds that know {readable_by} or more")))
}

async fn writes(link: &Link) -> Result<Finding, Fault> {
    let mut took = Vec::with_capacity(WRITES);
    for _ in 0..WRITES {
        let begun = stopwatch();
        match link.write(1, "SELECT {schema}.probe()", &[]).await {
            Ok(_) => took.push(begun.elapsed()),
            // Not made yet.
            Err(fault) => {
                return Ok(Finding::new(
                    Verdict::Look,
                    format!("no write was measured: {fault}"),
                    "look at the server's log",
                ));
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
            "look at the network between, the disk of pg_wal, and the synchronous standby",
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
