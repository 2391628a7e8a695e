//! Runs a case: its twin, which must pass, and the attack, which must be answered as the vector says. Owns what counts as
//! answered so; a case that fails is named, and the others go on.

use std::net::SocketAddr;

use rescind_test_kit::http::Reply;

use crate::recipe::Scene;
use crate::rig::Rig;
use crate::support::{FORM, wait_until};
use crate::vector::{Case, Expect, Family};
use crate::wire::exchange;

/// Runs every case of a family, and fails with the names of those that failed.
pub(crate) fn family(name: &str) {
    let family = Family::load(name);
    let rig = Rig::named(&family.server);
    let failed: Vec<String> = family.cases.iter().flat_map(|case| of(&rig, case)).collect();
    assert_eq!(rig.server.get("/livez", None).status, 200, "the server lives");
    assert!(!rig.server.log().contains("panicked"), "the server panicked");
    println!("{name}: {} cases", family.cases.len());
    // Its whole log would bury what failed.
    drop(rig);
    assert!(failed.is_empty(), "{} of {name}'s cases failed:\n{}", failed.len(), failed.join("\n"));
}

/// Runs a case, and returns what went wrong with it.
fn of(rig: &Rig, case: &Case) -> Vec<String> {
    let twin = Scene::new(rig, &case.twin);
    let mut failed = judge(rig, case, &twin, &case.twin_expect, &case.twin_answers, "twin-has");
    for problem in &mut failed {
        *problem = format!("{}: its twin: {problem}", case.name);
    }
    let attack = Scene::new(rig, &case.attack);
    for step in case.all("before") {
        prepare(rig, &attack, step);
    }
    let before = rig.server.log().len();
    let problems = judge(rig, case, &attack, &case.expect, &case.answers, "has");
    failed.extend(problems.into_iter().map(|problem| format!("{}: {problem}", case.name)));
    failed.extend(aftermath(rig, case, &attack, before).into_iter().map(|problem| format!("{}: {problem}", case.name)));
    failed
}

/// Sends the request, and compares.
fn judge(rig: &Rig, case: &Case, scene: &Scene<'_>, expect: &Expect, answers: &[u16], has: &str) -> Vec<String> {
    let before = rig.server.log().len();
    let found = send(rig, case, scene);
    let statuses: Vec<u16> = found.iter().map(|reply| reply.status).collect();
    let first = found.into_iter().next().unwrap_or_default();
    let mut problems = Vec::new();
    let shown = written(&first);
    if first.status != expect.status {
        problems.push(format!("{} and not {}: {shown:.300}", first.status, expect.status));
        return problems;
    }
    if let Some(error) = &expect.error {
        let found = serde_json::from_slice::<serde_json::Value>(&first.body).unwrap_or_default();
        if found["error"] != error.as_str() {
            problems.push(format!("no {error}: {shown:.300}"));
        }
    }
    if let Some(reason) = &expect.reason {
        let word = format!("{reason}\"");
        if !appears(rig, before, &word) {
            problems.push(format!("the log does not say {reason}: {}", refusals(rig, before)));
        }
    }
    if !answers.is_empty() && answers != statuses {
        problems.push(format!("the answers are {statuses:?} and not {answers:?}"));
    }
    if has == "has" {
        for text in case.all("lacks").map(|text| scene.text(text)).filter(|text| shown.contains(text)) {
            problems.push(format!("{text:?} is there: {shown:.600}"));
        }
    }
    for text in case.all(has).map(|text| scene.text(text)) {
        if !shown.contains(&text) {
            problems.push(format!("{text:?} is missing: {shown:.600}"));
        }
    }
    problems
}

/// What must be so after an attack, and must not.
fn aftermath(rig: &Rig, case: &Case, scene: &Scene<'_>, before: usize) -> Vec<String> {
    let mut problems = Vec::new();
    for text in case.all("log").map(|text| scene.text(text)) {
        if !appears(rig, before, &text) {
            problems.push(format!("the log does not hold {text:?}: {}", refusals(rig, before)));
        }
    }
    let quiet: Vec<String> = case.all("quiet").map(|text| scene.text(text)).collect();
    if !quiet.is_empty() {
        await_log(rig, before);
    }
    for text in quiet {
        if rig.server.log()[before..].contains(&text) {
            problems.push(format!("the log holds {text:?}"));
        }
    }
    for after in case.all("after") {
        let (status, token) = after.split_once(' ').unwrap();
        let found = rig.server.get("/me", Some(&scene.text(token))).status;
        if found.to_string() != status {
            problems.push(format!("afterwards {token} has {found} and not {status}"));
        }
    }
    problems
}

/// Whether the log comes to hold `text`.
fn appears(rig: &Rig, from: usize, text: &str) -> bool {
    await_log(rig, from);
    rig.server.log()[from..].contains(text)
}

/// Waits until the log has all lines of what was answered so far. A line may be on its way when the answer is here; that of
/// a later request comes behind it.
fn await_log(rig: &Rig, from: usize) {
    let mark = format!("MARK{from}");
    rig.server.send(&mark, "/nowhere", &[], "");
    wait_until("the log has the mark", || rig.server.log()[from..].contains(&mark));
}

/// What the log says was refused, and why.
fn refusals(rig: &Rig, from: usize) -> String {
    let log = rig.server.log();
    let lines = log[from..].lines().filter(|line| line.contains("reason"));
    lines.collect::<Vec<_>>().join("; ")
}

fn prepare(rig: &Rig, scene: &Scene<'_>, step: &str) {
    let pair = scene.own();
    match step {
        "use the access token" => assert_eq!(rig.server.me(pair), 200),
        "log out" => assert_eq!(rig.server.logout(&pair.access, "{}").status, 200),
        "revoke the access token" => {
            assert_eq!(rig.server.form("/oauth/revoke", &format!("token={}", pair.access)).status, 200);
        }
        "refresh twice" => {
            let next = rig.server.refresh(&pair.refresh).pair();
            assert_eq!(rig.server.refresh(&next.refresh).status, 200);
        }
        _ => panic!("nothing is known of {step:?}"),
    }
}

fn send(rig: &Rig, case: &Case, scene: &Scene<'_>) -> Vec<Reply> {
    let to = match case.one("listener") {
        None | Some("public") => rig.server.public,
        Some("admin") => rig.server.admin,
        Some(other) => panic!("no listener {other}"),
    };
    let bytes = case.one("raw").map_or_else(|| written_out(to, case, scene), |raw| scene.bytes(raw));
    exchange(to, &bytes)
}

/// The bytes of a request that is written as its parts.
fn written_out(to: SocketAddr, case: &Case, scene: &Scene<'_>) -> Vec<u8> {
    let headers: Vec<Vec<u8>> = case.all("header").map(|header| scene.bytes(header)).collect();
    // A header without a value is left out, so that a case can have or not have it.
    let headers: Vec<_> = headers.into_iter().filter(|header| !header.ends_with(b": ") && !header.is_empty()).collect();
    let names = |name: &[u8]| headers.iter().any(|header| header.to_ascii_lowercase().starts_with(name));
    let body = case.one("body").map(|body| scene.bytes(body)).unwrap_or_default();
    let mut bytes = [&scene.bytes(case.one("request").unwrap()), &b" HTTP/1.1\r\nconnection: close\r\n"[..]].concat();
    if !names(b"host:") {
        bytes.extend(format!("host: {to}\r\n").as_bytes());
    }
    if !body.is_empty() && !names(b"content-type:") {
        bytes.extend(format!("content-type: {FORM}\r\n").as_bytes());
    }
    bytes.extend(format!("content-length: {}\r\n", body.len()).as_bytes());
    for header in headers {
        bytes.extend([header.as_slice(), b"\r\n"].concat());
    }
    [bytes.as_slice(), b"\r\n", &body].concat()
}

/// An answer, head and body, as one text.
fn written(reply: &Reply) -> String {
    let head = reply.headers.iter().map(|(name, value)| format!("{name}: {value}\n"));
    format!("{}\n{}\n{}", reply.status, head.collect::<String>(), reply.text())
}
