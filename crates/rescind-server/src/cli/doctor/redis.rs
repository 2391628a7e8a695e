//! The doctor's look at Redis: what the store finds, as findings.

use rescind::time::SystemClock;
use rescind_stores::redis::{Durability, diagnose};

use super::Finding;
use crate::config::ServerUrl;

const PART: &str = "redis";

/// Asks the instances that the store's URL names.
pub(super) async fn look(url: &ServerUrl, durability: Durability) -> Vec<Finding> {
    match diagnose(url.expose(), durability, &SystemClock).await {
        Ok(found) => found.into_iter().map(|found| Finding::of(PART, found)).collect(),
        Err(error) => vec![Finding::fail(PART, error.to_string(), "correct the setting store")],
    }
}
