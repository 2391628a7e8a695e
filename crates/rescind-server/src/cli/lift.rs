//! `rescind lift`: takes a cut-off back. Owns the words for what a lift does and does not bring back.

use super::client::{Connection, shape};
use super::failure::Failure;
use super::output::{Format, printable};
use crate::wire::EntryJson;

/// Undo a revocation: what it covered is good again, as far as it has not expired.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  rescind log
  rescind lift 12 --reason 'wrong user'

Only the newest entry on its scope can be lifted, and it ends every earlier cut-off on that scope.
The log keeps both, with who, when and why.")]
pub(crate) struct Args {
    /// The cut-off's position, as `rescind revoke` and `rescind log` print it
    seq: u64,
    /// Why; kept in the log
    #[arg(long, value_name = "TEXT", default_value = "lifted by operator")]
    reason: String,
    #[command(flatten)]
    connection: Connection,
}

/// Runs the command.
pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    rescind::log::Text::new(&args.reason).map_err(|error| Failure::Usage(format!("--reason {error}")))?;
    let client = args.connection.client()?;
    let answer = client.delete(&["revocations", &args.seq.to_string()], &[("reason", &args.reason)]).await?;
    let mut out = args.connection.out();
    if out.format() == Format::Json {
        return out.json(&answer);
    }
    let lift: EntryJson = shape(&client, &answer)?;
    out.line(format_args!("lifted {} on {}, at position {}", args.seq, printable(&lift.scope.to_string()), lift.seq))
}
