//! One run of a suite in the scratch tree, and what it came to. Owns the difference between "it found something" and "it
//! could not look": a broken build, a missing tool, a skipped test and a time-out prove nothing.

use std::fs::{self, File};
use std::process::{Command, ExitStatus};
use std::time::{Duration, Instant};

use super::bug::Suite;
use super::scratch::Scratch;

/// A suite that takes longer hangs. **Units:** seconds, as `timeout` takes them.
const PATIENCE: &str = "900";
/// `timeout` ends with this where it ended the command.
const TIMED_OUT: i32 = 124;

/// What a run came to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// All is well, as far as this suite sees.
    Nothing,
    /// These are broken.
    Something(Vec<String>),
}

/// A run, and how long it took with its build.
#[derive(Debug)]
pub(super) struct Trial {
    pub(super) found: Found,
    pub(super) took: Duration,
}

/// Runs a suite's command.
///
/// # Errors
/// Why nothing was tried, with the end of what the command printed.
pub(super) fn run(scratch: &Scratch, command: &str) -> Result<Trial, String> {
    let suite = Suite::of(command)?;
    let began = stopwatch();
    let printed = scratch.target().with_extension("log");
    let failed = |why: std::io::Error| format!("{}: {why}", printed.display());
    fs::write(scratch.skips(), "").map_err(failed)?;
    let log = File::create(&printed).map_err(failed)?;
    // `timeout` makes a group of its own, which Ctrl-C does not reach.
    let status = Command::new("setpriv")
        .args(["--pdeathsig", "TERM", "--", "timeout", "--kill-after=10", PATIENCE, "sh", "-c", command])
        .current_dir(scratch.tree())
        .env("CARGO_TARGET_DIR", scratch.target())
        .env("CARGO_TERM_COLOR", "never")
        .env("RESCIND_SKIP_LOG", scratch.skips())
        // All tests of the suite run, whichever fails first.
        .env("NEXTEST_PROFILE", "ci")
        // Of the xtask that this is: cargo would tell its own build scripts that they changed.
        .env_remove("CARGO_MANIFEST_DIR")
        .stdin(scratch.input()?)
        .stderr(log.try_clone().map_err(failed)?)
        .stdout(log)
        .status()
        .map_err(|why| format!("setpriv cannot be run: {why}; install util-linux"))?;
    let output = String::from_utf8_lossy(&fs::read(&printed).map_err(failed)?).into_owned();
    let skipped = fs::read_to_string(scratch.skips()).map_err(failed)?;
    let found = judge(suite, status, &output, &skipped)?;
    Ok(Trial { found, took: began.elapsed() })
}

/// Starts measuring how long this takes.
#[expect(clippy::disallowed_methods, reason = "no rule of ours counts by it: it is printed")]
pub(super) fn stopwatch() -> Instant {
    Instant::now()
}

fn judge(suite: Suite, status: ExitStatus, output: &str, skipped: &str) -> Result<Found, String> {
    match status.code() {
        Some(0) if !skipped.is_empty() => Err(format!("tests were skipped:\n{skipped}")),
        Some(0) => Ok(Found::Nothing),
        Some(code) if code == suite.found() => match broken(suite, output) {
            named if named.is_empty() => Err(format!("it failed, and names nothing:\n{}", end_of(output))),
            named => Ok(Found::Something(named)),
        },
        Some(TIMED_OUT) => Err(format!("it did not end within {PATIENCE} s:\n{}", end_of(output))),
        _ => Err(format!("it could not be tried ({status}):\n{}", end_of(output))),
    }
}

/// What a suite says that is broken: each test that failed, or each violation that the torture shows.
fn broken(suite: Suite, output: &str) -> Vec<String> {
    let lines = output.lines().map(str::trim);
    let named = lines.filter_map(|line| match suite {
        Suite::Nextest => {
            let failed = ["FAIL [", "SIGABRT [", "SIGSEGV [", "TIMEOUT ["].iter().any(|word| line.starts_with(word));
            // FAIL [   0.012s] (12/80) rescind::simulation scenes::a_token_is_spent_once
            failed.then(|| line.rsplit(' ').next()).flatten()
        }
        Suite::Torture => line.strip_prefix("BROKEN: "),
    });
    let mut all: Vec<String> = Vec::new();
    for name in named {
        // Shown once more at the end.
        if !all.iter().any(|known| known == name) {
            all.push(name.to_owned());
        }
    }
    all
}

fn end_of(output: &str) -> String {
    let lines: Vec<&str> = output.lines().collect();
    lines.iter().skip(lines.len().saturating_sub(40)).copied().collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    fn nextest(code: i32, output: &str, skipped: &str) -> Result<Found, String> {
        judge(Suite::Nextest, ExitStatus::from_raw(code << 8), output, skipped)
    }

    #[test]
    fn only_a_test_that_failed_catches_a_bug() {
        let output = "   Compiling x\n        FAIL [   0.012s] (1/2) a::b c::it_holds\n        FAIL [ 1s] a::b late\n";
        let again = format!("{output}{output}");
        let both = vec!["c::it_holds".to_owned(), "late".to_owned()];
        assert_eq!(nextest(100, &again, ""), Ok(Found::Something(both)));
        assert!(nextest(100, "   Compiling x\n", "").is_err(), "it names nothing");
        assert_eq!(nextest(0, "", ""), Ok(Found::Nothing));
        for code in [1, 2, 4, 96, 101, 124, 127] {
            assert!(nextest(code, output, "").is_err(), "{code}");
        }
        assert!(judge(Suite::Nextest, ExitStatus::from_raw(9), "", "").is_err(), "killed");
    }

    #[test]
    fn a_run_that_skipped_tests_proves_nothing() {
        let why = nextest(0, "", "SKIPPED many: no Postgres\n").unwrap_err();
        assert!(why.contains("no Postgres"), "{why}");
    }

    #[test]
    fn the_torture_that_could_not_try_has_not_found_anything() {
        let torture = |code: i32| {
            judge(Suite::Torture, ExitStatus::from_raw(code << 8), "…\nBROKEN: s is lost\n  story\n\n1 lost\n", "")
        };
        assert_eq!(torture(1), Ok(Found::Something(vec!["s is lost".to_owned()])));
        assert!(torture(2).is_err() && torture(101).is_err());
    }
}
