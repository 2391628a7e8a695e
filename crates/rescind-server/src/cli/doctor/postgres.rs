//! The doctor's look at Postgres: what the store finds, as findings.

use rescind::time::SystemClock;
use rescind_stores::postgres::diagnose;

use super::Finding;
use crate::config::ServerUrl;

const PART: &str = "postgres";

/// Asks the server that the store's URL names.
pub(super) async fn look(url: &ServerUrl) -> Vec<Finding> {
    match diagnose(url.expose(), &SystemClock).await {
        Ok(found) => found.into_iter().map(|found| Finding::of(PART, found)).collect(),
        Err(error) => vec![Finding::fail(PART, error.to_string(), "correct the setting store")],
    }
}
