//! On what and when was measured. Reads the machine; the one place of the chores that asks for the date.

use std::fs::read_to_string;
use std::process::Command;

/// Processor, memory, kernel, compiler and date, in one paragraph.
pub(super) fn describe() -> String {
    let cpu = field("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown processor".to_owned());
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let memory = field("/proc/meminfo", "MemTotal").unwrap_or_default();
    let gib = memory.trim_end_matches(" kB").parse::<u64>().map_or(0, |kib| kib.div_ceil(1 << 20));
    let kernel = said("uname", &["-sr"]);
    let compiler = said("rustc", &["--version"]);
    let date = said("date", &["-u", "+%Y-%m-%d"]);
    format!("{date}, {cpu} (virtual, {cores} cores), {gib} GiB, {kernel}, {compiler}.\n")
}

fn field(file: &str, name: &str) -> Option<String> {
    let text = read_to_string(file).ok()?;
    let (_, value) = text.lines().find(|line| line.starts_with(name))?.split_once(':')?;
    Some(value.trim().to_owned())
}

fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    output.map_or_else(|_| program.to_owned(), |output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
