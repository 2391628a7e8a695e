//! `rescind revoke`: one target, or a file of them. Owns what each kind means to an operator, and the dry run.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use rescind::log::{Scope, ScopeKind};
use serde_json::Value;

use super::client::{Client, Connection, shape};
use super::failure::Failure;
use super::output::{Format, Out, count, time};
use super::target::Target;
use super::{revoke_file, session_pages};
use crate::wire::{InspectionJson, RevokedJson, SessionJson, StateJson};

/// What can be revoked, with what it means to an operator.
fn kinds() -> impl TypedValueParser<Value = ScopeKind> {
    let values = ScopeKind::EVERY.map(|kind| PossibleValue::new(kind.as_str()).help(meaning(kind)));
    PossibleValuesParser::new(values).try_map(|word| ScopeKind::parse(&word).ok_or("unknown kind"))
}

const fn meaning(kind: ScopeKind) -> &'static str {
    match kind {
        ScopeKind::Token => "One access token, by its jti or its text; a refresh token ends its session",
        ScopeKind::Session => "One sign-in on one device, by its session id or its refresh token",
        ScopeKind::Subject => "Everything of one user",
        ScopeKind::Client => "Everything that was issued to one application",
        ScopeKind::Key => "Everything that one signing key signed; the key leaves the JWKS",
        ScopeKind::All => "Everything of everyone",
    }
}

/// Take tokens back: from the server's answer on, they are refused.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  rescind revoke subject alice --reason 'laptop stolen'
  rescind revoke session 0198c0de-0000-7000-8000-00000000abcd
  rescind revoke token eyJhbGciOiJFZERTQSIs…
  rescind revoke subject --from-file leaked-users.txt
  rescind revoke key 0123456789abcdef --wait
  rescind revoke all --yes

Whatever is issued afterwards is good: a user who is signed out everywhere can sign in again at once.
Revoking twice is harmless, so that a run that broke off can be repeated.")]
pub(crate) struct Args {
    /// What to revoke
    #[arg(value_parser = kinds())]
    kind: ScopeKind,
    /// Which one: an id or a token; `-` reads it from standard input, so that it stays out of the shell's history
    #[arg(allow_hyphen_values = true)]
    id: Option<String>,
    /// Revoke every id in a file, one a line (blank lines and lines that begin with # are skipped); `-` is standard input
    #[arg(long, value_name = "FILE", conflicts_with = "id")]
    from_file: Option<PathBuf>,
    /// Why; kept in the log
    #[arg(long, value_name = "TEXT", default_value = "revoked by operator")]
    reason: String,
    /// Say what would end, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Answer only when every live node of this store has applied it, or refuses by itself
    #[arg(long, value_name = "WHERE", num_args = 0..=1, default_missing_value = "everywhere", value_parser = place)]
    wait: Option<Where>,
    /// Really everyone; for `revoke all`
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    connection: Connection,
}

/// Where a revocation has to be in force before the command returns.
#[derive(Debug, Clone, Copy)]
enum Where {
    /// At every live node of the store.
    Everywhere,
}

/// Reads where to wait. What stands behind `--wait` may be meant as the id.
fn place(word: &str) -> Result<Where, String> {
    match word {
        "everywhere" => Ok(Where::Everywhere),
        _ => Err("the one place to wait for is everywhere; where this is the id, put --wait behind it: \
                  rescind revoke subject alice --wait"
            .to_owned()),
    }
}

/// Takes a kind behind `--wait` for the kind that it is, in `rescind revoke --wait subject alice`.
pub(super) fn wait_alone(words: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut all: Vec<OsString> = Vec::new();
    let is_kind = |word: &OsString| word.to_str().is_some_and(|word| ScopeKind::parse(word).is_some());
    for word in words {
        let is_revoke = all.get(1).is_some_and(|command| command == "revoke");
        if is_revoke
            && is_kind(&word)
            && let Some(last) = all.last_mut().filter(|last| *last == "--wait")
        {
            last.push("=everywhere");
        }
        all.push(word);
    }
    all
}

/// How a revocation is to be sent.
#[derive(Debug, Clone)]
pub(crate) struct Order {
    pub(crate) reason: String,
    pub(crate) wait: Wait,
}

/// When the server is to answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wait {
    /// When the asked node refuses the tokens.
    Here,
    /// When every node does.
    Everywhere,
}

impl Order {
    pub(crate) async fn send(&self, client: &Client, target: &Target) -> Result<Value, Failure> {
        let query: &[(&str, &str)] = match self.wait {
            Wait::Here => &[],
            Wait::Everywhere => &[("wait", "everywhere")],
        };
        client.post(&["revocations"], query, &target.request(&self.reason)).await
    }
}

/// Runs the command.
pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    rescind::log::Text::new(&args.reason).map_err(|error| Failure::Usage(format!("--reason {error}")))?;
    let kind = args.kind;
    let wait = args.wait.map_or(Wait::Here, |Where::Everywhere| Wait::Everywhere);
    let order = Order { reason: args.reason.clone(), wait };
    let mut out = args.connection.out();
    if let Some(file) = &args.from_file {
        if kind == ScopeKind::All {
            return Err(Failure::Usage("`revoke all` takes no --from-file".to_owned()));
        }
        let targets = revoke_file::read(kind, file)?;
        if args.dry_run {
            let client = args.connection.client()?;
            for line in targets {
                preview(&client, &mut out, &line.target).await?;
            }
            return Ok(());
        }
        return revoke_file::run(&args.connection.client()?, &mut out, targets, &order).await;
    }
    let target = target(&args)?;
    if target == Target::Scope(Scope::All) && !args.yes && !args.dry_run {
        return Err(Failure::Usage(
            "`revoke all` signs everyone out, on every device. Add --yes to do it, or --dry-run to see what it does"
                .to_owned(),
        ));
    }
    let client = args.connection.client()?;
    if args.dry_run {
        return preview(&client, &mut out, &target).await;
    }
    let answer = order.send(&client, &target).await?;
    if out.format() == Format::Json {
        return out.json(&answer);
    }
    let RevokedJson { entry, applied_everywhere, laggards } = shape(&client, &answer)?;
    out.line(format_args!("revoked {} at position {}", super::output::printable(&entry.scope.to_string()), entry.seq))?;
    match (applied_everywhere, laggards.unwrap_or_default()) {
        (None, _) => {}
        (Some(true), _) => out.line("  every live node refuses what it covers")?,
        (Some(false), laggards) => {
            let who = if laggards.is_empty() { "all nodes".to_owned() } else { laggards.join(", ") };
            let who = super::output::printable(&who).into_owned();
            out.line(format_args!(
                "  not known to be applied by {who}; their bound is over, so they refuse by themselves"
            ))?;
        }
    }
    out.line(format_args!("  kept until {}; undo with `rescind lift {}`", time(entry.remember_until), entry.seq))
}

fn target(args: &Args) -> Result<Target, Failure> {
    let id = match (&args.id, args.kind) {
        (None, ScopeKind::All) => String::new(),
        (Some(_), ScopeKind::All) => return Err(Failure::Usage("`revoke all` takes no id".to_owned())),
        (Some(id), _) if id == "-" => super::first_line_of_stdin()?,
        (Some(id), _) => id.clone(),
        (None, _) => {
            return Err(Failure::Usage(
                "which one? Give an id, `-` for standard input, or --from-file FILE".to_owned(),
            ));
        }
    };
    Target::parse(args.kind, &id).map_err(Failure::Usage)
}

/// Says what a revocation would end. Reads only.
async fn preview(client: &Client, out: &mut Out, target: &Target) -> Result<(), Failure> {
    let name = target.name();
    let (ends, live): (String, Option<usize>) = match target {
        Target::Scope(Scope::Subject(subject)) => {
            let sessions = session_pages(client, subject.as_str()).await?;
            let live = sessions.iter().filter(|(_, session)| session.state == StateJson::Live).count();
            (format!("{} ({} on record)", count(live, "live session"), sessions.len()), Some(live))
        }
        Target::Scope(Scope::Session(sid)) => {
            let session: SessionJson = shape(client, &client.get(&["sessions", &sid.to_string()], &[]).await?)?;
            let live = usize::from(session.state == StateJson::Live);
            (format!("the session of {}, which is {} now", session.subject, session.state.as_str()), Some(live))
        }
        Target::Token(token) => {
            let body = serde_json::json!({"token": token});
            let found: InspectionJson = shape(client, &client.post(&["inspect"], &[], &body).await?)?;
            let what =
                if found.kind == "refresh" { "the session behind this refresh token" } else { "this access token" };
            (format!("{what}: {}", found.explanation), None)
        }
        Target::Scope(Scope::Token(_)) => ("one access token, if it has not expired".to_owned(), None),
        Target::Scope(Scope::Client(_)) => ("every session of this application, of every user".to_owned(), None),
        Target::Scope(Scope::Key(_)) => {
            ("every access token that this key signed; refresh tokens stay good".to_owned(), None)
        }
        Target::Scope(Scope::All) => ("every session of every user".to_owned(), None),
    };
    if out.format() == Format::Json {
        return out
            .json(&serde_json::json!({"dry_run": true, "target": name, "would_end": ends, "live_sessions": live}));
    }
    out.line(format_args!("would revoke {}", super::output::printable(&name)))?;
    out.line(format_args!("  ends {}", super::output::printable(&ends)))?;
    out.line("  nothing was changed (--dry-run)")
}
