//! `rescind keys`: the ring of signing keys.

use clap::Subcommand;
use serde_json::Value;

use super::client::{Connection, shape};
use super::failure::Failure;
use super::output::{Cell, Format, Paint, printable, time};
use crate::wire::{EntryJson, KeyJson, KeysJson};

/// Manage the signing keys.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Rotating is routine: tokens of the old key stay good until they expire, and the key stays in the JWKS so long.
Revoking is for a stolen key: all its access tokens are refused at once; clients get new ones by refreshing."
)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// List the keys: next, current, retired, revoked
    List(Plain),
    /// Sign with a new key from now on
    Rotate(Plain),
    /// Refuse everything that a key signed, and take it out of the JWKS
    Revoke(Named),
}

#[derive(Debug, clap::Args)]
struct Plain {
    #[command(flatten)]
    connection: Connection,
}

#[derive(Debug, clap::Args)]
struct Named {
    /// The key's id (`kid`)
    kid: String,
    /// Why; kept in the log
    #[arg(long, value_name = "TEXT", default_value = "key revoked by operator")]
    reason: String,
    #[command(flatten)]
    connection: Connection,
}

/// Runs the command.
pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    match args.what {
        What::List(plain) => list(&plain.connection).await,
        What::Rotate(plain) => {
            let client = plain.connection.client()?;
            let answer = client.post(&["keys", "rotate"], &[], &Value::Object(serde_json::Map::new())).await?;
            let mut out = plain.connection.out();
            if out.format() == Format::Json {
                return out.json(&answer);
            }
            let kid = answer.get("current").and_then(Value::as_str).unwrap_or("?");
            out.line(format_args!("now signing with {}", printable(kid)))
        }
        What::Revoke(named) => {
            rescind::log::Text::new(&named.reason).map_err(|error| Failure::Usage(format!("--reason {error}")))?;
            let client = named.connection.client()?;
            let answer = client.delete(&["keys", &named.kid], &[("reason", &named.reason)]).await?;
            let mut out = named.connection.out();
            if out.format() == Format::Json {
                return out.json(&answer);
            }
            let entry: EntryJson = shape(&client, &answer)?;
            let kid = printable(&named.kid);
            out.line(format_args!(
                "revoked key {kid} at position {}: its access tokens are refused, the JWKS is without it",
                entry.seq
            ))
        }
    }
}

async fn list(connection: &Connection) -> Result<(), Failure> {
    let client = connection.client()?;
    let mut out = connection.out();
    let answer = client.get(&["keys"], &[]).await?;
    let ring: KeysJson = shape(&client, &answer)?;
    if out.format() == Format::Json {
        let raw = answer.get("keys").and_then(Value::as_array).cloned().unwrap_or_default();
        return raw.iter().try_for_each(|key| out.json(key));
    }
    out.table(["KEY", "ALGORITHM", "STATE", "SINCE"], ring.keys.iter().map(row).collect())
}

fn row(key: &KeyJson) -> [Cell; 4] {
    let paint = match key.state.as_str() {
        "current" => Paint::Good,
        "revoked" => Paint::Bad,
        "retired" => Paint::Dim,
        _ => Paint::Plain,
    };
    [
        Cell::from(&key.kid),
        Cell::from(&key.algorithm),
        Cell::painted(&key.state, paint),
        Cell::from(key.since.map_or_else(|| "-".to_owned(), time)),
    ]
}
