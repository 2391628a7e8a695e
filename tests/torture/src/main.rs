//! The command line of the torture; `cargo xtask torture` builds the server and starts it. Exit codes: 0 the contract
//! held, 1 it was broken, 2 it could not be tried.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use rescind_torture::{Fault, Plan, Settings, Store, run};

/// Tortures a store under real servers, and judges everything that they answered
#[derive(Debug, Clone, Parser)]
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

impl Arguments {
    /// How this cycle is run again.
    fn again(&self, cycle: u64) -> String {
        let Self { store, cycles, seed, revocations, faults, server, other, .. } = self;
        let mut line = "cargo xtask torture".to_owned();
        // It is `cargo xtask torture` that builds the server, and this is how it is told which one.
        if server.parent().is_some_and(|folder| folder.ends_with("debug")) {
            line.push_str(" --debug");
        }
        let store = store.to_possible_value().map_or_else(String::new, |word| word.get_name().to_owned());
        // What is dealt depends on the faults, and how much is done in a cycle on how many share it.
        let _ = write!(
            line,
            " --store {store} --cycles {cycles} --seed {seed} --cycle {cycle} --revocations {revocations}"
        );
        if !faults.is_empty() {
            let _ = write!(line, " --faults {}", faults.join(","));
        }
        if let Some(other) = other {
            let _ = write!(line, " --other {}", other.display());
        }
        line
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Word {
    Sqlite,
    Postgres,
    Redis,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match torture(&arguments) {
        Ok(code) => code,
        Err(why) => {
            eprintln!("could not be tried: {why}");
            ExitCode::from(2)
        }
    }
}

fn torture(arguments: &Arguments) -> Result<ExitCode, String> {
    let Arguments { store, cycles, seed, cycle, revocations, faults, server, other, report } = arguments.clone();
    let store = match store {
        Word::Sqlite => Store::Sqlite,
        Word::Postgres => Store::Postgres,
        Word::Redis => Store::Redis,
    };
    let missing = |error| format!("no server at {}: {error}; `cargo xtask torture` builds it", server.display());
    let server = server.canonicalize().map_err(missing)?;
    let mut left_out = Vec::new();
    let mut without = Vec::new();
    let other = other.map(|other| {
        let missing =
            |error| format!("no other build at {}: {error}; leave `--other` out to do without", other.display());
        other.canonicalize().map_err(missing)
    });
    let other = other.transpose()?;
    if other.is_none() {
        without.push(Fault::OtherBuild);
        left_out.push(format!("{}: there is no other build; give one with --other", Fault::OtherBuild.word()));
    }
    let plan = Plan::new(store, &faults, &without, seed)?;
    println!("{} cycles on {}, seed {seed}, server {}", cycle.map_or(cycles, |_| 1), store.word(), server.display());
    let settings = Settings { store, cycles, cycle, seed, revocations, faults, program: server, other };
    let outcome = run(&settings, &plan, &mut |line| println!("{line}"));
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
    let is_broken = !tally.is_sound() || !outcome.broken.is_empty();
    if is_broken || outcome.cut_short.is_some() {
        println!("ended in cycle {}; the same again: {}", outcome.last, arguments.again(outcome.last));
    }
    match outcome.cut_short {
        // What is broken is broken, though there was more to try.
        Some(why) if is_broken => eprintln!("and the rest could not be tried: {why}"),
        Some(why) => return Err(why),
        None => {}
    }
    if is_broken {
        return Ok(ExitCode::from(1));
    }
    let least = if cycle.is_some() { 1 } else { revocations.max(1) };
    tally.proves_nothing(least).map_or(Ok(ExitCode::SUCCESS), Err)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Arguments {
        Arguments::try_parse_from(line.split(' ').skip(2)).unwrap()
    }

    #[test]
    fn the_line_that_runs_a_cycle_again_asks_for_the_same_in_all_else() {
        let server = "--server /target/debug/rescind";
        for line in [
            "--store redis --cycles 7 --seed 9 --revocations 300 --faults kill,hang --other /x/rescind",
            "--store sqlite --cycles 50 --seed 1 --revocations 0",
        ] {
            let again = parsed(&format!("cargo xtask torture {line} {server}")).again(5);
            let [first, rest] = ["cargo xtask torture --debug", &line.replacen(" --rev", " --cycle 5 --rev", 1)];
            assert_eq!(again, format!("{first} {rest}"));
        }
        let ships = parsed("cargo xtask torture --store sqlite --server /target/release/rescind");
        assert!(!ships.again(1).contains("--debug"));
    }

    #[test]
    fn another_build_that_is_not_there_is_not_done_without() {
        let tried = torture(&parsed("cargo xtask torture --store sqlite --server /bin/true --other /no/such/build"));
        assert!(tried.is_err_and(|why| why.contains("/no/such/build")));
    }
}
