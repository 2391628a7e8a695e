//! The log's shape and the metrics' recorder. Owns where lines go (standard error) and how they look, not what they say.

use std::io::IsTerminal;

use metrics_exporter_prometheus::{BuildError, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;

use crate::config::LogFormat;

/// Starts logging. Until then nothing is logged.
///
/// # Errors
/// Where the filter cannot be read. A second call changes nothing.
pub(crate) fn start(filter: &str, format: LogFormat) -> Result<(), ParseError> {
    let filter = EnvFilter::builder().parse(filter)?;
    let colours = std::io::stderr().is_terminal();
    // A log that cannot be written, on a full disk say, is no reason to panic in the middle of a request, which is what
    // telling so on the same standard error comes to.
    let lines = tracing_subscriber::fmt().log_internal_errors(false).with_env_filter(filter);
    let lines = lines.with_writer(std::io::stderr).with_ansi(colours);
    let started = match format {
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
        LogFormat::Text => lines.with_target(false).try_init(),
    };
    if started.is_err() {
        tracing::debug!("logging was started already");
    }
    Ok(())
}

/// Installs the metrics' recorder for the process.
///
/// # Errors
/// Where one is installed already.
pub(crate) fn metrics() -> Result<PrometheusHandle, BuildError> {
    PrometheusBuilder::new().install_recorder()
}
