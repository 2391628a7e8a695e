//! `rescind serve`: from arguments to a running server, and from a signal to its end. Owns the order of both: everything
//! is checked before a socket is open, and readiness goes before the listeners do.

mod providers;
mod relay;
mod start;
mod stop;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use tracing::error;

use crate::config::{self, Config, ConfigError, LogFormat, Settings};
use crate::environment;
use crate::logs;

/// Every setting may be given as a flag, in the environment, or in the file; flags win, then the environment.
#[derive(Debug, Args)]
#[command(
    after_help = "RESCIND_ROOT_SECRET in the environment (64 hexadecimal digits, also after rescind-root-v1: as in the file, or base64 of 32 bytes) takes the place of DATA/root.key. RESCIND_GOOGLE_CLIENT_SECRET and RESCIND_OIDC_CLIENT_SECRET take the place of the files of the same name. RESCIND_FEED_TOKEN takes the place of DATA/feed-token; with --follow, it is the token of the server that is followed."
)]
pub(crate) struct ServeArgs {
    /// The TOML file with settings: the flags' names with underscores, `[[clients]]` and `[[providers]]`
    #[arg(long, env = "RESCIND_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    settings: Settings,
}

impl ServeArgs {
    /// The configuration that these arguments and their file give.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub(crate) fn resolve(self) -> Result<Config, ConfigError> {
        let file = self.config.as_deref().map(config::read_file).transpose()?.unwrap_or_default();
        let secrets = environment::provider_secrets().map_err(ConfigError::Environment)?;
        Config::resolve(Settings { secrets, ..self.settings.or(file) })
    }
}

/// Runs the server to its end.
pub(crate) fn run(args: ServeArgs) -> ExitCode {
    let config = match args.resolve() {
        Ok(config) => config,
        Err(error) => {
            eprintln!("error: {error}");
            // A file that cannot be read is a failure; a setting that cannot be is usage.
            return ExitCode::from(if matches!(error, ConfigError::File { .. }) { 1 } else { 2 });
        }
    };
    if let Err(error) = logs::start(&config.log, config.log_format) {
        eprintln!("error: setting log: {error}; such as info or rescind=debug");
        return ExitCode::from(2);
    }
    let format = config.log_format;
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: the runtime cannot be started: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(start::serve(config)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if format == LogFormat::Json {
                error!(%error, "the server cannot run");
            }
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
