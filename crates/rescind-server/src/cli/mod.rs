//! The command line: which commands there are, and the way from a command to an exit code. What a command does stands
//! in the file that has its name. All but `serve` talk to a running server's admin listener.

mod client;
mod doctor;
mod failure;
mod inspect;
mod keys;
mod lift;
mod log;
mod nodes;
mod output;
mod password;
mod revoke;
mod revoke_file;
mod serve;
mod sessions;
mod target;
mod users;

use std::io::BufRead;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use self::failure::Failure;
use self::sessions::pages as session_pages;

/// Revocable JWTs: issue access and refresh tokens, check them, and take them back.
#[derive(Debug, Parser)]
#[command(name = "rescind", version, propagate_version = false, arg_required_else_help = true)]
#[command(after_help = "To try it: `rescind serve --dev`, then open the page that it prints.

Exit codes: 0 done, 1 failed, 2 wrong usage. Colour only on a terminal, and not where NO_COLOR is set.")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server
    Serve(Box<serve::ServeArgs>),
    #[command(flatten)]
    Remote(Remote),
}

/// The commands that ask a running server.
#[derive(Debug, Subcommand)]
enum Remote {
    Revoke(revoke::Args),
    Lift(lift::Args),
    Sessions(sessions::Args),
    Users(users::Args),
    Keys(keys::Args),
    Inspect(inspect::Args),
    Log(log::Args),
    Nodes(nodes::Args),
    Doctor(doctor::Args),
}

/// Reads the command line, does what it says, and returns the exit code.
pub(crate) fn main() -> ExitCode {
    let done = match Cli::parse_from(revoke::wait_alone(std::env::args_os())).command {
        Command::Serve(args) => return serve::run(*args),
        Command::Remote(command) => run(command),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.report();
            failure.exit_code()
        }
    }
}

fn run(command: Remote) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let result = runtime.block_on(async {
        match command {
            Remote::Revoke(args) => revoke::run(args).await,
            Remote::Lift(args) => lift::run(args).await,
            Remote::Sessions(args) => sessions::run(args).await,
            Remote::Users(args) => users::run(args).await,
            Remote::Keys(args) => keys::run(args).await,
            Remote::Inspect(args) => inspect::run(args).await,
            Remote::Log(args) => log::run(args).await,
            Remote::Nodes(args) => nodes::run(args).await,
            Remote::Doctor(args) => doctor::run(args).await,
        }
    });
    // A prompt that was interrupted still waits for its line.
    runtime.shutdown_background();
    result
}

/// The first line of standard input, without blanks around it.
fn first_line_of_stdin() -> Result<String, Failure> {
    let mut line = String::new();
    std::io::stdin()
        .lock()
        .read_line(&mut line)
        .map_err(|error| Failure::Input(format!("cannot read standard input: {error}")))?;
    let line = line.trim().to_owned();
    if line.is_empty() {
        Err(Failure::Input("standard input is empty; one line is expected".to_owned()))
    } else {
        Ok(line)
    }
}
