//! The doctor's questions to a running server: does it answer, is it ready, does its view keep up.

use serde_json::Value;

use super::super::client::{Client, Connection};
use super::super::failure::Failure;
use super::super::output::{now, span};
use super::Finding;

const PART: &str = "server";
/// Two clocks may differ by this many seconds without meaning anything.
const CLOCK_SLACK: u64 = 5;

/// Asks the server. Without one, says that only files were looked at.
pub(super) async fn look(connection: &Connection) -> Vec<Finding> {
    let client = match connection.client() {
        Ok(client) => client,
        Err(failure) => {
            return vec![Finding::warn(PART, format!("not asked: {failure}"), "give the admin token's file")];
        }
    };
    match client.get(&["stats"], &[]).await {
        Ok(stats) => judge(&client, &stats),
        Err(Failure::Unreachable { url, why }) => vec![Finding::warn(
            PART,
            format!("no answer at {url} ({why}); only files were looked at"),
            "start it with `rescind serve`, or name its admin listener with --server URL",
        )],
        Err(failure) => vec![Finding::fail(PART, failure.to_string(), "see the server's log")],
    }
}

fn judge(client: &Client, stats: &Value) -> Vec<Finding> {
    let number = |name: &str| stats.get(name).and_then(Value::as_u64);
    let mut findings = Vec::new();
    if stats.get("ready").and_then(Value::as_bool) == Some(true) {
        findings.push(Finding::ok(PART, format!("{} answers and is ready", client.base())));
    } else {
        let why = stats.get("not_ready").and_then(Value::as_str).unwrap_or("it does not say why");
        findings.push(Finding::fail(PART, format!("{} is not ready: {why}", client.base()), "see the server's log"));
    }
    if let (Some(head), Some(applied), Some(staleness)) = (number("head"), number("applied"), number("staleness_ms")) {
        let shown = format!("position {applied} of {head}, {staleness} ms old");
        let late = number("staleness_bound_ms").is_some_and(|bound| staleness > bound);
        findings.push(if late {
            Finding::fail(
                "view",
                shown,
                "the store does not answer in time: look at its disk and load; checks answer 503",
            )
        } else {
            Finding::ok("view", shown)
        });
    }
    if let Some(theirs) = number("now") {
        let apart = theirs.abs_diff(now());
        if apart > CLOCK_SLACK {
            findings.push(Finding::warn(
                "clock",
                format!("the server's clock and this machine's are {} apart", span(apart)),
                "keep both with NTP",
            ));
        }
    }
    findings
}
