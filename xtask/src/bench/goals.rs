//! The goals that the figures are held against. Owns the limits; a goal whose figures were not measured in this run is
//! left out.

use super::report::Report;

/// A goal and how it came out.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Goal {
    pub(super) what: String,
    pub(super) at_most: bool,
    limit: f64,
    measured: f64,
    unit: &'static str,
}

impl Goal {
    pub(super) fn is_met(&self) -> bool {
        if self.at_most { self.measured <= self.limit } else { self.measured >= self.limit }
    }

    pub(super) fn limit_text(&self) -> String {
        self.text(self.limit)
    }

    pub(super) fn measured_text(&self) -> String {
        self.text(self.measured)
    }

    fn text(&self, value: f64) -> String {
        let digits = if value >= 100.0 || value.fract() == 0.0 { 0 } else { 2 };
        format!("{value:.digits$} {}", self.unit).trim_end().to_owned()
    }
}

const ALGORITHMS: [&str; 5] = ["EdDSA", "ES256", "RS256", "PS256", "HS256"];

/// Every goal whose figures are in the report.
pub(super) fn held_against(report: &Report) -> Vec<Goal> {
    let mut goals = Vec::new();
    let mut goal = |what: &str, at_most: bool, limit: f64, measured: Option<f64>, unit: &'static str| {
        goals.extend(measured.map(|measured| Goal { what: what.to_owned(), at_most, limit, measured, unit }));
    };
    let value = |name: &str| report.value(name);
    let combined = |one: &str, other: &str, combine: fn(f64, f64) -> f64| Some(combine(value(one)?, value(other)?));

    goal("view, miss at 1 M entries", true, 60.0, value("view/miss/1M, 1 layer"), "ns");
    goal("view, miss at 10 M entries", true, 170.0, value("view/miss/10M, 1 layer"), "ns");
    goal("view, bytes per entry at 10 M", true, 24.0, value("resident bytes per entry at 10M, 1 layers"), "B");
    goal(
        "view, the longest look-up while 2 M are inserted",
        true,
        5.0,
        value("longest look-up beside inserts, own time"),
        "ms",
    );
    let drop = value("view/drop of an expired layer/1M").map(|nanos| nanos / 1e6);
    goal("view, dropping an expired million", true, 2.0, drop, "ms");
    let share = combined("EdDSA/verify/bare", "check/repeated EdDSA", |bare, repeated| bare / repeated);
    goal("check of a repeated EdDSA token: signature check alone ÷ it", false, 40.0, share, "");
    for name in ALGORITHMS {
        let more =
            combined(&format!("{name}/verify/whole"), &format!("{name}/verify/bare"), |whole, bare| whole - bare);
        goal(&format!("first check, {name}: above the bare primitive"), true, 2000.0, more, "ns");
        let more = combined(&format!("{name}/sign/issue"), &format!("{name}/sign/bare"), |whole, bare| whole - bare);
        goal(&format!("issue, {name}: above the bare signature"), true, 2000.0, more, "ns");
    }
    goal("first check, HS256, whole", true, 1300.0, value("HS256/verify/whole"), "ns");
    for service in ["hyper", "axum"] {
        for place in ["header", "cookie"] {
            let share = value(&format!("{service}, {place}, of bare"));
            goal(
                &format!("the layer on {service}, token in the {place}: of the bare service"),
                false,
                90.0,
                share,
                "%",
            );
        }
    }
    goal("GET /me of the unprotected route", false, 85.0, value("GET /me of GET /livez"), "%");
    let refresh = value("POST /oauth/token, refresh, 64 connections");
    goal("POST /oauth/token, refresh, SQLite, 64 connections", false, 5000.0, refresh, "/s");
    let naked =
        combined("POST /oauth/token, refresh, 64 connections", "refresh, 64 writers, naked loop", |a, b| 100.0 * a / b);
    goal("POST /oauth/token of the naked group-commit loop", false, 40.0, naked, "%");
    let grouped = combined("revoke, 64 writers", "revoke, 1 writers", |many, one| many / one);
    goal("revoke, 64 writers against one", false, 3.0, grouped, "×");
    let naked = combined("revoke, 64 writers", "revoke, 64 writers, naked loop", |store, naked| 100.0 * store / naked);
    goal("revoke, 64 writers, of the naked group-commit loop", false, 60.0, naked, "%");
    let start = value("start with 1,000,000 active cut-offs, process to ready").map(|nanos| nanos / 1e9);
    goal("start with 1 M active cut-offs", true, 2.0, start, "s");
    goal("idle server, resident", true, 30.0, value("idle server, resident"), "MiB");
    for store in ["Postgres", "Redis"] {
        of_nodes(report, store, &mut goal);
    }
    goals
}

/// The loads beside which it is measured how soon the other nodes refuse.
const REACHES: [&str; 4] = ["1/s", "1,000/s", "10,000/s asked for over HTTP", "10,000/s past HTTP"];

/// Many nodes on one store.
fn of_nodes(report: &Report, store: &str, goal: &mut impl FnMut(&str, bool, f64, Option<f64>, &'static str)) {
    let value = |name: &str| report.value(&format!("{store}: {name}"));
    for load in REACHES {
        for (which, limit) in [("p99", 50.0), ("max", 250.0)] {
            let what = format!("{load}, refused elsewhere after the acknowledgement, {which}");
            goal(&format!("{store}: {what}"), true, limit, value(&what), "ms");
        }
    }
    for what in ["revocations", "refreshes"] {
        let naked = value(&format!("{what}, naked loop of one"));
        for place in ["at the store", "over HTTP"] {
            let many = value(&format!("{what} {place}, 64 writers"));
            let times = many.zip(naked).map(|(many, naked)| many / naked);
            goal(&format!("{store}: {what} {place}, 64 writers: of the naked loop of one"), false, 5.0, times, "×");
        }
    }
    let ready = value("1 M cut-offs, process to ready");
    goal(&format!("{store}: start with 1 M cut-offs, process to ready"), true, 5.0, ready, "s");
    if store == "Postgres" {
        goal("Postgres: a session, table and indices", true, 250.0, value("a session, table and indices"), "B");
    }
    let idle = value("idle node, of a core over 20 s, the worst of 3");
    goal(&format!("{store}: idle node, of a core"), true, 1.0, idle, "%");
}

#[cfg(test)]
mod tests {
    use super::super::report::Figure;
    use super::*;

    #[test]
    fn a_goal_is_held_against_the_figures_of_its_run_and_left_out_without_them() {
        let mut report = Report::default();
        report.section("", vec![Figure::new("view/miss/1M, 1 layer", 61.0, "ns")]);
        let goals = held_against(&report);
        assert_eq!(goals.len(), 1);
        assert!(!goals[0].is_met());
    }
}
