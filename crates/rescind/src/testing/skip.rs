//! How a test says that it did not run. The harness knows only passed and failed, and shows nothing of a test that
//! passed; so the name goes to a file, and `./test` counts what stands there.

use std::fs::OpenOptions;
use std::io::Write;

/// Names the running test as skipped, for `reason`. The test returns after it.
///
/// **Shape:** a line `SKIPPED name: reason` on standard error, and appended to the file named by `RESCIND_SKIP_LOG`.
///
/// # Panics
/// Where the file cannot be written: a skip that nobody hears of would count as passed.
pub fn skip(reason: &str) {
    let line = format!("SKIPPED {}: {reason}\n", name_of_test());
    eprint!("{line}");
    let Some(log) = std::env::var_os("RESCIND_SKIP_LOG") else { return };
    let file = OpenOptions::new().create(true).append(true).open(&log);
    let written = file.and_then(|mut file| file.write_all(line.as_bytes()));
    assert!(written.is_ok(), "{} cannot be written; unset RESCIND_SKIP_LOG or mend its path", log.display());
}

/// The runner's name for the test; the thread's, which libtest names after it, where there is no such runner.
fn name_of_test() -> String {
    match (std::env::var("NEXTEST_BINARY_ID"), std::env::var("NEXTEST_TEST_NAME")) {
        (Ok(binary), Ok(test)) => format!("{binary} {test}"),
        _ => std::thread::current().name().unwrap_or("a test without a name").to_owned(),
    }
}
