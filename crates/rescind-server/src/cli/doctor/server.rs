//! The doctor's questions to a running server: does it answer, is it ready, does its view keep up.

use serde_json::Value;

use super::super::client::Connection;
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
        Ok(stats) => judge(client.base(), &stats),
        Err(Failure::Unreachable { url, why }) => vec![Finding::warn(
            PART,
            format!("no answer at {url} ({why}); only files were looked at"),
            "start it with `rescind serve`, or name its admin listener with --server URL",
        )],
        Err(failure) => vec![Finding::fail(PART, failure.to_string(), "see the server's log")],
    }
}

fn judge(base: &str, stats: &Value) -> Vec<Finding> {
    let number = |name: &str| stats.get(name).and_then(Value::as_u64);
    let mut findings = Vec::new();
    if stats.get("ready").and_then(Value::as_bool) == Some(true) {
        findings.push(Finding::ok(PART, format!("{base} answers and is ready")));
    } else {
        let why = stats.get("not_ready").and_then(Value::as_str).unwrap_or("it does not say why");
        findings.push(Finding::fail(PART, format!("{base} is not ready: {why}"), "see the server's log"));
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
    if let Some(apart) = stats.get("clocks").and_then(Value::as_str) {
        findings.push(Finding::fail("clock", apart, "keep the machines of the store and of every node with NTP"));
    }
    if stats.get("demo_user").and_then(Value::as_bool) == Some(true) {
        findings.push(Finding::warn(
            "users",
            "user demo of `rescind serve --dev` is there, whose password is known to all; without --dev it is refused",
            "serve others from a --data of their own, or run `rescind users disable demo`",
        ));
    }
    findings.extend(alarms(stats));
    findings
}

/// What should never happen, counted since the server started.
fn alarms(stats: &Value) -> impl Iterator<Item = Finding> {
    let alarms = [
        (
            "history_healed",
            "the store lost or forked its history",
            "find out who put an older database in place; what the servers knew is there again, or, as the log says, every token from before was revoked",
        ),
        (
            "refresh_ahead",
            "the store lost an acknowledged rotation",
            "look at the disk: it may not keep what it has flushed",
        ),
        ("clock_steps", "the clock stepped", "keep it with NTP, slewing; no revocation was lost by it"),
        (
            "store_clock_steps",
            "the store's clock stepped",
            "keep the clock of the store's machine with NTP, slewing; no revocation was lost by it",
        ),
    ];
    alarms.into_iter().filter_map(|(name, what, remedy)| {
        let times = stats.get(name).and_then(Value::as_u64).filter(|times| *times > 0)?;
        Some(Finding::warn("alarm", format!("{what} ({times} since the server started)"), remedy))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::Level;
    use super::*;

    fn levels(stats: &Value) -> Vec<(&'static str, Level)> {
        judge("http://x", stats).into_iter().map(|finding| (finding.part, finding.level)).collect()
    }

    #[test]
    fn a_server_that_is_stale_or_not_ready_fails() {
        let stale = json!({"ready": false, "head": 3, "applied": 2, "staleness_ms": 5000, "staleness_bound_ms": 2000});
        assert_eq!(levels(&stale), [(PART, Level::Fail), ("view", Level::Fail)]);
        let well = json!({"ready": true, "head": 3, "applied": 3, "staleness_ms": 5, "staleness_bound_ms": 2000});
        assert_eq!(levels(&well), [(PART, Level::Ok), ("view", Level::Ok)]);
    }

    #[test]
    fn clocks_that_do_not_agree_are_shown_as_the_server_says() {
        let stats = json!({"ready": true, "clocks": "the store's clock is 3600 s ahead of this node's"});
        assert_eq!(levels(&stats), [(PART, Level::Ok), ("clock", Level::Fail)]);
        assert_eq!(levels(&json!({"ready": true, "clocks": null})), [(PART, Level::Ok)]);
    }

    #[test]
    fn an_alarm_is_shown_until_the_server_is_started_anew() {
        let stats = json!({"ready": true, "history_healed": 1, "clock_steps": 0});
        assert_eq!(levels(&stats), [(PART, Level::Ok), ("alarm", Level::Warn)]);
    }
}
