//! `rescind log`: the log of revocations and lifts, with who, when and why.

use std::time::Duration;

use serde_json::Value;

use super::client::{Client, Connection, shape};
use super::failure::Failure;
use super::output::{Cell, Format, Out, Paint, time};
use crate::wire::{ActJson, EntryJson, LogJson};

/// Show the log of revocations and lifts.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  rescind log                       the newest 50 entries
  rescind log --after 0             from the oldest that is kept
  rescind log --follow --json       for a log collector; goes on until it is stopped")]
pub(crate) struct Args {
    /// Only entries after this position
    #[arg(long, value_name = "SEQ")]
    after: Option<u64>,
    /// At most this many [default: 50, or no limit with --after or --follow]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
    /// Go on and show new entries as they come
    #[arg(long)]
    follow: bool,
    #[command(flatten)]
    connection: Connection,
}

/// Entries a request asks for; the server may give fewer.
const PAGE: u64 = 500;
/// How often `--follow` asks.
const POLL: Duration = Duration::from_secs(1);
/// What is shown where nothing is said.
const NEWEST: u64 = 50;

/// Runs the command.
pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    let client = args.connection.client()?;
    let mut out = args.connection.out();
    let mut after = match args.after {
        Some(after) => after,
        None => head(&client).await?.saturating_sub(args.limit.unwrap_or(NEWEST)),
    };
    let mut left = args.limit.unwrap_or(u64::MAX);
    let mut shown = Shown::default();
    loop {
        let page = read(&client, after, left.min(PAGE)).await?;
        left = left.saturating_sub(page.entries.len() as u64);
        shown.print(&mut out, &page.entries)?;
        after = page.entries.last().map_or(after, |(_, entry)| entry.seq);
        match page.next {
            Some(next) if left > 0 => after = next,
            _ if args.follow && left > 0 => tokio::time::sleep(POLL).await,
            _ => break,
        }
    }
    match out.format() {
        Format::Human if shown == Shown::Nothing => out.line("no revocations here yet"),
        _ => Ok(()),
    }
}

struct Part {
    entries: Vec<(Value, EntryJson)>,
    next: Option<u64>,
}

async fn read(client: &Client, after: u64, limit: u64) -> Result<Part, Failure> {
    let answer = client.get(&["revocations"], &[("after", &after.to_string()), ("limit", &limit.to_string())]).await?;
    let page: LogJson = shape(client, &answer)?;
    let raw = answer.get("revocations").and_then(Value::as_array).cloned().unwrap_or_default();
    Ok(Part { entries: raw.into_iter().zip(page.revocations).collect(), next: page.next })
}

async fn head(client: &Client) -> Result<u64, Failure> {
    let answer = client.get(&["revocations"], &[("after", "0"), ("limit", "1")]).await?;
    Ok(shape::<LogJson>(client, &answer)?.head)
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Shown {
    #[default]
    Nothing,
    Something,
}

impl Shown {
    fn print(&mut self, out: &mut Out, entries: &[(Value, EntryJson)]) -> Result<(), Failure> {
        if entries.is_empty() {
            return Ok(());
        }
        *self = Self::Something;
        match out.format() {
            Format::Json => entries.iter().try_for_each(|(raw, _)| out.json(raw)),
            Format::Human => {
                let rows = entries.iter().map(|(_, entry)| row(entry)).collect();
                out.table(["SEQ", "WHEN", "WHAT", "SCOPE", "BY", "WHY"], rows)
            }
        }
    }
}

fn row(entry: &EntryJson) -> [Cell; 6] {
    let what = match (entry.act, entry.lifts) {
        (ActJson::CutOff, _) => Cell::painted("cut off", Paint::Bad),
        (ActJson::Lift, Some(of)) => Cell::painted(format!("lift of {of}"), Paint::Good),
        (ActJson::Lift, None) => Cell::painted("lift", Paint::Good),
    };
    [
        Cell::from(entry.seq.to_string()),
        Cell::from(time(entry.at)),
        what,
        Cell::from(entry.scope.to_string()),
        Cell::from(&entry.actor),
        Cell::from(&entry.reason),
    ]
}
