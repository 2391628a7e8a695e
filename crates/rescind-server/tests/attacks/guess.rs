//! Passwords guessed and names found out: what answers say, how long they take, and how many tries there are.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;

use crate::rig::{PATIENT, Rig};
use crate::support::{FORM, JSON, Server, exchange, now};

const SAMPLES: usize = 7;

fn try_json(server: &Server, name: &str, password: &str) -> u16 {
    server.json("/login", &json!({ "username": name, "password": password })).status
}

/// A user of the admin API; `change` is applied afterwards.
fn add_user(rig: &Rig, name: &str, change: &str) {
    let bearer = format!("Bearer {}", rig.admin_token);
    let headers = [("authorization", bearer.as_str()), ("content-type", JSON)];
    let user = json!({ "username": name, "password": "a password of some length" }).to_string();
    let made = exchange(rig.server.admin, "POST", "/admin/v1/users", &headers, user.as_bytes());
    assert_eq!(made.status, 201, "{}", made.text());
    if !change.is_empty() {
        let path = format!("/admin/v1/users/{name}");
        assert_eq!(exchange(rig.server.admin, "PATCH", &path, &headers, change.as_bytes()).status, 200);
    }
}

/// CWE-208. Samples are interleaved, so that a busy moment of the machine falls on all alike, and medians compared within
/// the run. A look-up without a hash takes a hundredth of the time; the bound is far from both.
// holds: R36
#[test]
fn how_long_a_refusal_takes_does_not_tell_who_there_is() {
    let rig = Rig::with(&PATIENT);
    add_user(&rig, "disabled", r#"{"disabled":true}"#);
    let long = "x".repeat(200);
    let who = [
        ("demo", "wrong"),
        ("nobody-of-this-name", "wrong"),
        ("disabled", "a password of some length"),
        ("disabled", "wrong"),
        ("nobody-of-this-name", long.as_str()),
    ];
    let mut times = [const { Vec::new() }; 5];
    for round in 0..=SAMPLES {
        for ((name, password), times) in who.iter().zip(&mut times) {
            let begin = now();
            assert_eq!(try_json(&rig.server, name, password), 401, "{name}");
            if round > 0 {
                times.push(now().duration_since(begin).unwrap_or_default());
            }
        }
    }
    let medians: Vec<Duration> = times
        .map(|mut times| {
            times.sort();
            times[SAMPLES / 2]
        })
        .to_vec();
    println!("{medians:?}");
    for (median, (name, _)) in medians.iter().zip(who) {
        let known = medians[0];
        assert!(*median < known * 3 && known < *median * 3, "{name}: {median:?}, and a wrong password {known:?}");
    }
}

#[test]
fn nothing_that_a_guesser_varies_gives_another_try() {
    let rig = Rig::with(&["--sign-in-failures-per-user", "6", "--sign-in-failures-per-address", "1000"]);
    let server = &rig.server;
    for _ in 0..12 {
        assert_eq!(try_json(server, "demo", "demo"), 200, "successes cost nothing");
    }
    let (wrong, waits) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for at in 0..48_u8 {
            let (wrong, waits) = (&wrong, &waits);
            scope.spawn(move || match guess(server, at) {
                401 => wrong.fetch_add(1, Ordering::Relaxed),
                429 => waits.fetch_add(1, Ordering::Relaxed),
                other => panic!("guess {at} is answered {other}"),
            });
        }
    });
    assert_eq!((wrong.into_inner(), waits.into_inner()), (6, 42));
    assert_eq!(try_json(server, "demo", "demo"), 429, "nor is the right one looked at");
    add_user(&rig, "carol", "");
    assert_eq!(try_json(server, "carol", "a password of some length"), 200, "nobody else waits");
}

/// One wrong password, and everything else different every time.
fn guess(server: &Server, at: u8) -> u16 {
    let (address, agent) = (format!("198.51.100.{at}"), format!("agent/{at}"));
    let form = format!("username=demo&password=guess-{at}");
    let json =
        json!({ "username": "demo", "password": format!("guess-{at}"), "client_id": format!("c{at}") }).to_string();
    let (kind, body) = if at.is_multiple_of(2) { (FORM, form) } else { (JSON, json) };
    let spoofed = ["x-forwarded-for", "x-real-ip", "forwarded", "true-client-ip"][usize::from(at / 2 % 4)];
    let headers = [("content-type", kind), (spoofed, address.as_str()), ("user-agent", agent.as_str())];
    server.send("POST", if at.is_multiple_of(3) { "/login?again" } else { "/login" }, &headers, &body).status
}

#[test]
fn one_password_tried_on_many_names_waits_as_well() {
    let rig = Rig::with(&["--sign-in-failures-per-address", "8"]);
    let tried: Vec<u16> = (0..20).map(|at| try_json(&rig.server, &format!("user-{at}"), "Summer2026!")).collect();
    assert_eq!(tried, [[401; 8].as_slice(), &[429; 12]].concat());
    assert_eq!(try_json(&rig.server, "demo", "demo"), 429, "whatever the name");
}
