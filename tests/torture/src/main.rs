//! The command line of the torture; `cargo xtask torture` builds the server and starts it. Exit codes: 0 the contract
//! held, 1 it was broken, 2 it could not be tried.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use rescind_torture::{Fault, Plan, Settings, Store, run};

/// Tortures a store under real servers, and judges everything that they answered
#[derive(Debug, Parser)]
#[command(name = "cargo xtask torture")]
struct Arguments {
    /// The store under the nodes
    #[arg(long)]
    store: Word,
    /// How many cycles of load, fault, recovery and questions
    #[arg(long, default_value_t = 50)]
    cycles: u64,
    /// What all chance follows from
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Only this cycle of the run, on new data
    #[arg(long)]
    cycle: Option<u64>,
    /// So many acknowledged revocations at least, spread over the cycles [default: some hundred in each]
    #[arg(long, default_value_t = 0)]
    revocations: u64,
    /// Only these faults, separated by commas
    #[arg(long, value_delimiter = ',')]
    faults: Vec<String>,
    /// The server
    #[arg(long, value_name = "PATH")]
    server: PathBuf,
    /// Another build of the server, which takes the node's place in some cycles
    #[arg(long, value_name = "PATH")]
    other: Option<PathBuf>,
    /// Writes the counts as JSON, too
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Word {
    Sqlite,
    Postgres,
    Redis,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match torture(arguments) {
        Ok(code) => code,
        Err(why) => {
            eprintln!("could not be tried: {why}");
            ExitCode::from(2)
        }
    }
}

fn torture(arguments: Arguments) -> Result<ExitCode, String> {
    let Arguments { store, cycles, seed, cycle, revocations, faults, server, other, report } = arguments;
    let store = match store {
        Word::Sqlite => Store::Sqlite,
        Word::Postgres => Store::Postgres,
        Word::Redis => Store::Redis,
    };
    let missing = |error| format!("no server at {}: {error}; `cargo xtask torture` builds it", server.display());
    let server = server.canonicalize().map_err(missing)?;
    let mut left_out = Vec::new();
    let mut without = Vec::new();
    let other = other.and_then(|other| other.canonicalize().ok());
    if other.is_none() {
        without.push(Fault::OtherBuild);
        left_out.push(format!("{}: there is no other build; give one with --other", Fault::OtherBuild.word()));
    }
    let plan = Plan::new(store, &faults, &without, seed)?;
    println!("{} cycles on {}, seed {seed}, server {}", cycle.map_or(cycles, |_| 1), store.word(), server.display());
    let settings = Settings { store, cycles, cycle, seed, revocations, faults, program: server, other };
    let outcome = run(&settings, &plan, &mut |line| println!("{line}")).map_err(|error| error.to_string())?;
    let mut tally = outcome.tally;
    tally.left_out = left_out;
    for broken in &outcome.broken {
        println!("\nBROKEN: {broken}");
    }
    println!("\n{tally}");
    if let Some(file) = report {
        std::fs::write(&file, format!("{:#}\n", tally.json()))
            .map_err(|error| format!("{}: {error}", file.display()))?;
    }
    if !tally.is_sound() || !outcome.broken.is_empty() {
        return Ok(ExitCode::from(1));
    }
    let least = if cycle.is_some() { 1 } else { revocations.max(1) };
    tally.proves_nothing(least).map_or(Ok(ExitCode::SUCCESS), Err)
}
