//! `rescind doctor`: looks at the configuration, the data directory, the database, the clock and, where one runs, the
//! server. Owns findings and their order. It reads only: a doctor that repairs hides what went wrong.

mod clock;
mod configuration;
mod database;
mod files;
mod postgres;
mod redis;
mod server;

use std::path::PathBuf;

use rescind_stores::Verdict;
use serde::Serialize;

use super::client::Connection;
use super::failure::Failure;
use super::output::{Format, Out, Paint, count, printable};
use crate::environment;

/// Check the installation, with or without a running server; each finding names its remedy.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit code 0 where nothing failed (warnings do not count), 1 where something did.")]
pub(crate) struct Args {
    /// The configuration file that the server is given
    #[arg(long, env = "RESCIND_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    connection: Connection,
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Level {
    /// As it should be.
    Ok,
    /// Works, but is worth a look.
    Warn,
    /// Does not work, or is not safe.
    Fail,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Finding {
    level: Level,
    part: &'static str,
    what: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<String>,
}

impl Finding {
    /// What a store found out about its servers.
    fn of(part: &'static str, found: rescind_stores::Finding) -> Self {
        match found.verdict {
            Verdict::Good => Self::ok(part, found.what),
            Verdict::Look => Self::warn(part, found.what, found.remedy),
            Verdict::Bad => Self::fail(part, found.what, found.remedy),
        }
    }

    fn ok(part: &'static str, what: impl Into<String>) -> Self {
        Self { level: Level::Ok, part, what: what.into(), remedy: None }
    }

    fn warn(part: &'static str, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { level: Level::Warn, part, what: what.into(), remedy: Some(remedy.into()) }
    }

    fn fail(part: &'static str, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { level: Level::Fail, part, what: what.into(), remedy: Some(remedy.into()) }
    }
}

/// Runs the command.
pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    let mut out = args.connection.out();
    let (mut findings, config) = configuration::look(args.config.as_deref(), args.connection.data());
    let found = configuration::Found::new(config, args.connection.data());
    findings.extend(files::look(&found.data, found.store.file(), environment::root_secret()));
    findings.extend(store(&found).await);
    findings.extend(clock::look(&found.data));
    findings.extend(server::look(&args.connection.or(&found.data, found.admin_listen)).await);
    for finding in &findings {
        print(&mut out, finding)?;
    }
    let failed = findings.iter().filter(|finding| finding.level == Level::Fail).count();
    if failed > 0 {
        return Err(Failure::Partly(format!("{} failed; the remedies stand beside them", count(failed, "check"))));
    }
    Ok(())
}

/// Looks at the store where it is.
async fn store(found: &configuration::Found) -> Vec<Finding> {
    match &found.store {
        configuration::Kept::Postgres(url) => postgres::look(url).await,
        configuration::Kept::Redis(url, durability) => redis::look(url, *durability).await,
        kept => database::look(&found.data, kept.file()),
    }
}

fn print(out: &mut Out, finding: &Finding) -> Result<(), Failure> {
    if out.format() == Format::Json {
        return out.json(finding);
    }
    let (word, paint) = match finding.level {
        Level::Ok => ("ok  ", Paint::Good),
        Level::Warn => ("warn", Paint::Warn),
        Level::Fail => ("FAIL", Paint::Bad),
    };
    let word = out.paint(paint, word);
    out.line(format_args!("{word}  {:13}  {}", finding.part, printable(&finding.what)))?;
    match &finding.remedy {
        Some(remedy) => out.line(format_args!("                     -> {}", printable(remedy))),
        None => Ok(()),
    }
}
