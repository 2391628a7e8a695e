//! `cargo xtask torture --prove`: plants every bug of `tests/planted` in a copy of the tree, and demands that its suite
//! finds it. Owns the order: the suites pass without a bug, then each must fail with its own. Knows none of our crates.
//!
//! Exit code 0: every bug was caught; 1: one escaped; 2: one could not be tried.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::ExitCode;

pub(crate) mod bug;
mod scratch;
mod trial;

use bug::Bug;
use scratch::Scratch;
use trial::{Found, Trial};

/// A bug escaped: the suite has a hole.
const ESCAPED: u8 = 1;
/// Something could not be tried, which says nothing about the suites.
const NOT_TRIED: u8 = 2;

/// What became of one bug.
enum Outcome {
    Caught {
        by: String,
        seconds: u64,
    },
    /// What failed all the same has another reason.
    Escaped {
        beside: Vec<String>,
        seconds: u64,
    },
    NotTried(String),
}

/// Proves that the bugs whose names hold one of `named` are caught; all of them where none is named.
pub(crate) fn run(root: &Path, named: &[String]) -> ExitCode {
    let began = trial::stopwatch();
    let (bugs, scratch) = match prepare(root, named) {
        Ok(prepared) => prepared,
        Err(why) => {
            eprintln!("could not be tried: {why}");
            return ExitCode::from(NOT_TRIED);
        }
    };
    let mut outcomes = Vec::with_capacity(bugs.len());
    for bug in &bugs {
        let outcome = attempt(&scratch, bug);
        println!("{}", row(bug, &outcome));
        outcomes.push(outcome);
    }
    println!("\n| bug | caught by | after |\n|---|---|---|");
    for (bug, outcome) in bugs.iter().zip(&outcomes) {
        println!("{}", row(bug, outcome));
    }
    let count = |wanted: fn(&Outcome) -> bool| outcomes.iter().filter(|outcome| wanted(outcome)).count();
    let escaped = count(|outcome| matches!(outcome, Outcome::Escaped { .. }));
    let not_tried = count(|outcome| matches!(outcome, Outcome::NotTried(_)));
    let caught = outcomes.len() - escaped - not_tried;
    println!("\n{caught} caught, {escaped} escaped, {not_tried} not tried, in {} s", began.elapsed().as_secs());
    match (escaped, not_tried) {
        (0, 0) => ExitCode::SUCCESS,
        (0, _) => ExitCode::from(NOT_TRIED),
        _ => ExitCode::from(ESCAPED),
    }
}

/// The bugs, and a tree in which every suite that shall find one passes.
fn prepare(root: &Path, named: &[String]) -> Result<(Vec<Bug>, Scratch), String> {
    let scratch = Scratch::copy_of(root)?;
    let bugs = bug::load(scratch.tree(), named)?;
    let suites: BTreeSet<&str> = bugs.iter().map(|bug| bug.caught_by.as_str()).collect();
    for suite in suites {
        match trial::run(&scratch, suite).map_err(|why| format!("`{suite}` without a bug: {why}"))? {
            Trial { found: Found::Nothing, took } => println!("passes without a bug, in {} s: {suite}", took.as_secs()),
            Trial { found: Found::Something(what), .. } => {
                return Err(format!("`{suite}` fails without a bug, too ({}); mend that first", what.join(", ")));
            }
        }
    }
    Ok((bugs, scratch))
}

fn attempt(scratch: &Scratch, bug: &Bug) -> Outcome {
    if let Err(why) = scratch.plant(bug) {
        return Outcome::NotTried(why);
    }
    let trial = trial::run(scratch, &bug.caught_by);
    // A bug that stays would be found in the place of the next one.
    if let Err(why) = scratch.pull_out(bug) {
        return Outcome::NotTried(why);
    }
    match trial {
        Ok(Trial { found: Found::Something(all), took }) => match bug.found_among(&all) {
            Some(by) => Outcome::Caught { by: by.clone(), seconds: took.as_secs() },
            None => Outcome::Escaped { beside: all, seconds: took.as_secs() },
        },
        Ok(Trial { found: Found::Nothing, took }) => Outcome::Escaped { beside: Vec::new(), seconds: took.as_secs() },
        Err(why) => Outcome::NotTried(why),
    }
}

fn row(bug: &Bug, outcome: &Outcome) -> String {
    let Bug { name, what, caught_by, caught_as, .. } = bug;
    let (number, _) = name.split_once('-').unwrap_or((name, ""));
    match outcome {
        Outcome::Caught { by, seconds } => format!("| {number} {what} | `{by}` | {seconds} s |"),
        Outcome::Escaped { beside, seconds } if beside.is_empty() => {
            format!("| {number} {what} | **ESCAPED** `{caught_by}` | {seconds} s |")
        }
        Outcome::Escaped { beside, seconds } => {
            let others = beside.join(", ");
            format!("| {number} {what} | **ESCAPED** `{caught_as}`; others failed: {others} | {seconds} s |")
        }
        Outcome::NotTried(why) => {
            // A table's row is one line; the end of a build's complaint says most.
            let last = why.lines().rfind(|line| line.contains("error")).or_else(|| why.lines().last());
            eprintln!("{name}: could not be tried: {why}");
            format!("| {number} {what} | **NOT TRIED**: {} | |", last.unwrap_or_default().trim())
        }
    }
}
