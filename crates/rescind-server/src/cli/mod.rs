//! The command line: its commands, and their exit codes. Each command owns its arguments in a file of its own.
//!
//! Exit codes: 0 done, 1 failed, 2 usage.

mod serve;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Issues JWTs and takes them back.
#[derive(Debug, Parser)]
#[command(name = "rescind", version, about, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server
    Serve(Box<serve::ServeArgs>),
}

/// Runs the command that the arguments name.
pub(crate) fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Serve(args) => serve::run(*args),
    }
}
