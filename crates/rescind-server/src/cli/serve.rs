//! `rescind serve`
use clap::Args;
use std::process::ExitCode;
/// args
#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// The TOML file with settings
    #[arg(long, env = "RESCIND_CONFIG", value_name = "FILE")]
    config: Option<std::path::PathBuf>,
    #[command(flatten)]
    settings: crate::config::Settings,
}
pub(crate) fn run(_args: ServeArgs) -> ExitCode {
    ExitCode::SUCCESS
}
