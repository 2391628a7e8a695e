//! `cargo xtask torture`: builds the server and the torture, and hands over. Knows neither; what can be asked for stands in
//! `tests/torture/src/main.rs`.

use std::env;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// Nothing was tried: as the torture itself says it.
const NOT_TRIED: u8 = 2;

/// As it ships, and the simulation beside it, which `./test --long` runs: so nothing is built twice.
const RELEASE: &[&str] =
    &["build", "--quiet", "--release", "--workspace", "--all-features", "--bins", "--test", "simulation"];
/// What `./test` has built already: with a test, whichever, because dependencies have other features without any.
const DEBUG: &[&str] = &["build", "--quiet", "--workspace", "--all-features", "--bins", "--test", "proxy"];

pub(crate) fn run(root: &Path, arguments: &[String]) -> ExitCode {
    let (own, handed_over): (Vec<&String>, Vec<&String>) =
        arguments.iter().partition(|argument| *argument == "--debug");
    let (build, profile, beside) =
        if own.is_empty() { (RELEASE, "release", "debug") } else { (DEBUG, "debug", "release") };
    let status = Command::new("cargo").current_dir(root).args(build).status();
    if !status.is_ok_and(|status| status.success()) {
        eprintln!("could not be tried: the server and the torture do not build: `cargo {}`", build.join(" "));
        return ExitCode::from(NOT_TRIED);
    }
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let mut torture = Command::new(target.join(profile).join("rescind-torture"));
    torture.arg("--server").arg(target.join(profile).join("rescind"));
    let other = target.join(beside).join("rescind");
    if other.is_file() && !handed_over.iter().any(|argument| argument.starts_with("--other")) {
        torture.arg("--other").arg(other);
    }
    // In our own place, so that whoever ends us ends it.
    let error = torture.args(handed_over).exec();
    eprintln!("could not be tried: {}: {error}", torture.get_program().display());
    ExitCode::from(NOT_TRIED)
}
