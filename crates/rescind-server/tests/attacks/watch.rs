//! What a server does besides answering: what it writes to its log, and whom it asks.

use std::io::ErrorKind;
use std::net::TcpListener;

use serde_json::Value;

use crate::recipe::{Scene, percent_encoded};
use crate::rig::Rig;
use crate::support::{FORM, JSON, exchange, wait_until};

/// What would begin a line of its own, or paint one.
const FORGERY: &str =
    "\r\n{\"level\":\"INFO\",\"message\":\"admin signed in\"}\r\n\u{1b}[2K\u{1b}[31mforged\u{7}\u{2028}\u{9b}x";

/// Sends a forged line through everything that a caller chooses.
fn spread(rig: &Rig) {
    let server = &rig.server;
    let quoted = Value::from(FORGERY).to_string();
    let encoded = percent_encoded(FORGERY.as_bytes());
    let login = format!(r#"{{"username":{quoted},"password":{quoted},"device":{quoted}}}"#);
    server.send("POST", "/login", &[("content-type", JSON)], &login);
    let named = format!(r#"{{"username":"demo","password":"demo","client_id":{quoted}}}"#);
    server.send("POST", "/login", &[("content-type", JSON)], &named);
    let device = format!(r#"{{"username":"demo","password":"demo","device":{quoted}}}"#);
    assert_eq!(server.send("POST", "/login", &[("content-type", JSON)], &device).status, 200);
    for path in ["/login", "/oauth/token", "/oauth/revoke", "/oauth/introspect", "/logout"] {
        server.form(path, &format!("{encoded}={encoded}&username={encoded}&password={encoded}&token={encoded}"));
        server.form(path, &format!("{encoded}=1&{encoded}=2"));
        server.send("POST", path, &[("content-type", JSON)], &format!("{{{quoted}:{quoted}}}"));
    }
    server.get(&format!("/{encoded}"), None);
    server.get(&format!("/login/{encoded}"), None);
    server.get("/%1b[31m\"},{\"level\":\"INFO\"}", None);
    let pair = rig.open("alice");
    let bearer = format!("Bearer {}", pair.access);
    server.send("DELETE", &format!("/sessions/{encoded}"), &[("authorization", &bearer)], "");
    for agent in ["\u{9b}31m", "a\tb", "caf\u{e9}\u{2028}"] {
        server.send("POST", "/login", &[("content-type", FORM), ("user-agent", agent)], "username=demo&password=demo");
    }
    let admin = format!("Bearer {}", rig.admin_token);
    let body = format!(r#"{{"scope":{{"kind":"subject","id":{quoted}}},"reason":{quoted}}}"#);
    let headers = [("authorization", admin.as_str()), ("content-type", JSON)];
    exchange(server.admin, "POST", "/admin/v1/revocations", &headers, body.as_bytes());
    exchange(server.admin, "GET", &format!("/admin/v1/{encoded}"), &headers, b"");
    exchange(server.admin, "GET", &format!("/{encoded}"), &[], b"");
    exchange(server.admin, "GET", &format!("/{encoded}"), &[("authorization", "Bearer x")], b"");
}

#[test]
fn every_line_of_a_json_log_is_one_object_that_the_server_wrote() {
    let rig = Rig::named("json-log");
    spread(&rig);
    let (_, log) = rig.server.stop();
    assert!(log.lines().count() > 20, "{log}");
    for line in log.lines() {
        let entry: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let message = entry["message"].as_str().unwrap_or_default();
        assert!(entry["timestamp"].is_string() && !message.contains("admin signed in"), "{line}");
    }
    assert_eq!(control_characters(&log), "");
}

#[test]
fn no_line_of_a_text_log_is_forged_or_painted() {
    let rig = Rig::named("plain");
    spread(&rig);
    let (_, log) = rig.server.stop();
    for line in log.lines() {
        assert!(line.starts_with("20") || line.starts_with(' '), "not begun by the server: {line:?}");
    }
    assert_eq!(control_characters(&log), "");
}

/// Everything in a log that a terminal or a reader of lines would act on, line ends aside.
fn control_characters(log: &str) -> String {
    log.chars().filter(|sign| (sign.is_control() && *sign != '\n') || matches!(sign, '\u{2028}' | '\u{2029}')).collect()
}

/// RFC 8725 §3.10: nothing in a token makes the server ask anybody.
// holds: R7
#[test]
fn no_token_makes_the_server_fetch_anything() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let lure = format!("http://{}/keys", listener.local_addr().unwrap());
    let rig = Rig::named("plain");
    let scene = Scene::new(&rig, "");
    for member in ["jku", "x5u", "kid", "iss", "jwk"] {
        for key in ["foreign", "current"] {
            let token =
                scene.text(&format!("{{token key={key} header.{member}=`\"{lure}\"` claims.iss=`\"{lure}\"`}}"));
            assert_eq!(rig.server.get("/me", Some(&token)).status, 401, "{member}");
            assert_eq!(rig.server.form("/oauth/revoke", &format!("token={token}")).status, 200);
            assert_eq!(rig.server.refresh(&token).error(), "invalid_grant");
            assert_eq!(rig.server.logout(&token, "{}").status, 401);
        }
    }
    let asked = listener.accept();
    assert!(asked.as_ref().is_err_and(|error| error.kind() == ErrorKind::WouldBlock), "{asked:?}");
    // The lure works: whoever asks is seen.
    let caller = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    wait_until("a caller is seen", || listener.accept().is_ok());
    drop(caller);
}
