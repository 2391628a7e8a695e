//! Requests that no honest client sends: each is refused with an error that names what is wrong, none with 500.
#![expect(clippy::unwrap_used, reason = "tests fail loudly, their helpers too")]

mod support;

use serde_json::json;
use support::{Connection, FORM, JSON, Pair, Server};

fn me(server: &Server, token: &str) -> support::Reply {
    server.get("/me", Some(token))
}

/// The same token text in ways that a lenient reader would take for the same token, or for one at all.
fn disguises(pair: &Pair) -> Vec<String> {
    let access = &pair.access;
    let (head, signature) = access.rsplit_once('.').unwrap();
    let (header, claims) = head.split_once('.').unwrap();
    let last = |from: char, to: char| {
        let mut text = signature.to_owned();
        text.pop();
        format!("{header}.{claims}.{text}{}", if signature.ends_with(from) { to } else { from })
    };
    vec![
        format!("{access}="),
        format!("{access}=="),
        format!("{access}."),
        format!(".{access}"),
        format!("{header}.{claims}"),
        format!("{header}.{claims}."),
        format!("{header}..{signature}"),
        format!("{header}.{claims}.{signature}.x"),
        format!("{header}=.{claims}.{signature}"),
        format!("{header}.{claims}=.{signature}"),
        format!("{header}.{claims}.{}", signature.replace('-', "+").replace('_', "/")) + "A",
        // Bits of the last character that no byte has: a lenient decoder drops them.
        last('x', 'y'),
        format!("{header}.{claims}.{}", signature.to_lowercase()),
        format!("{claims}.{header}.{signature}"),
        ".".repeat(16_000),
        format!("{{\"protected\":\"{header}\"}}"),
        pair.refresh.clone(),
        "null".to_owned(),
        "eyJhbGciOiJub25lIn0.e30.".to_owned(),
        "eyJhbGciOiJOb25FIn0.e30.AAAA".to_owned(),
    ]
}

// holds: 24, 45, 122, R1
#[test]
fn no_disguise_of_a_token_is_accepted_and_none_of_a_revoked_one() {
    let server = Server::dev(&[]);
    let pair = server.sign_in();
    for disguise in disguises(&pair) {
        let reply = me(&server, &disguise);
        assert_eq!((reply.status, reply.error().as_str()), (401, "invalid_token"), "{disguise}");
        assert!(reply.header("www-authenticate").starts_with("Bearer realm="), "{disguise}");
    }
    assert_eq!(me(&server, &pair.access).status, 200);
    server.logout(&pair.access, "{}");
    for disguise in disguises(&pair) {
        assert_eq!(me(&server, &disguise).status, 401, "{disguise}");
    }
}

// holds: 55
#[test]
fn an_access_token_is_no_refresh_token_and_the_reverse() {
    let server = Server::dev(&[]);
    let pair = server.sign_in();
    assert_eq!(me(&server, &pair.refresh).status, 401);
    assert_eq!(server.refresh(&pair.access).error(), "invalid_grant");
}

// holds: 21, 23, 24, 27
#[test]
fn the_authorization_header_holds_exactly_one_token() {
    let server = Server::dev(&[]);
    let pair = server.sign_in();
    let bearer = format!("Bearer {}", pair.access);
    let get = |headers: &[(&str, &str)]| server.send("GET", "/me", headers, "");
    let double = format!("{bearer} {}", pair.access);
    let listed = format!("{bearer}, {bearer}");
    for headers in [
        vec![("authorization", bearer.as_str()), ("authorization", bearer.as_str())],
        vec![("authorization", double.as_str())],
        vec![("authorization", listed.as_str())],
        vec![("authorization", "Bearer")],
        vec![("authorization", "Bearer ")],
        vec![("authorization", "Bearer t\u{f6}ken")],
    ] {
        let reply = get(&headers);
        assert_eq!((reply.status, reply.error().as_str()), (400, "invalid_request"), "{headers:?}");
    }
    for headers in
        [vec![], vec![("authorization", "Basic ZGVtbzpkZW1v")], vec![("authorization", pair.access.as_str())]]
    {
        let reply = get(&headers);
        assert_eq!(reply.status, 401, "{headers:?}");
        // RFC 6750 §3.1: no error code where no credentials came.
        assert_eq!(reply.header("www-authenticate"), "Bearer realm=\"rescind\"");
        assert!(reply.json().get("error").is_none());
    }
}

// holds: 22
#[test]
fn a_token_in_the_query_is_never_read() {
    let server = Server::dev(&[]);
    let pair = server.sign_in();
    let reply = server.get(&format!("/me?access_token={}", pair.access), None);
    assert_eq!(reply.status, 401);
    assert!(!server.log().contains(&pair.access));
}

// holds: R9
#[test]
fn a_token_above_16_kib_is_refused_unread() {
    let server = Server::dev(&[]);
    let reply = me(&server, &format!("e30.e30.{}", "A".repeat(16 * 1024)));
    assert_eq!((reply.status, reply.error().as_str()), (401, "invalid_token"));
    support::wait_until("the log says why", || server.log().contains("too_long"));
}

#[test]
fn unknown_paths_and_methods_are_told_apart() {
    let server = Server::dev(&[]);
    for path in ["/nothing", "/admin/v1/users", "/metrics", "/me/", "/../etc/passwd", "/sessions/a/b"] {
        let reply = server.get(path, None);
        assert_eq!((reply.status, reply.error().as_str()), (404, "not_found"), "{path}");
    }
    for (method, path, allow) in [("DELETE", "/me", "GET"), ("GET", "/oauth/token", "POST"), ("PUT", "/login", "POST")]
    {
        let reply = server.send(method, path, &[], "");
        assert_eq!((reply.status, reply.error().as_str()), (405, "method_not_allowed"), "{method} {path}");
        assert!(reply.header("allow").contains(allow), "{method} {path}: {}", reply.header("allow"));
    }
}

#[test]
fn bodies_of_the_wrong_type_or_shape_are_named() {
    let server = Server::dev(&[]);
    for (path, kind, body) in [
        ("/oauth/token", "text/plain", "grant_type=refresh_token"),
        ("/oauth/token", JSON, "not json"),
        ("/oauth/token", JSON, r#"{"grant_type":["refresh_token"]}"#),
        ("/oauth/token", JSON, r#"{"grant_type":"refresh_token","grant_type":"x"}"#),
        ("/oauth/revoke", JSON, r#"{"token":"x"}"#),
        ("/oauth/revoke", FORM, "token_type_hint=access_token"),
        ("/oauth/revoke", FORM, "token=a&token=b"),
        ("/logout", JSON, "{"),
        ("/logout", JSON, r#"["all",null]"#),
        ("/login", JSON, r#"["demo","demo"]"#),
        ("/logout", JSON, r#"{"scope":1}"#),
        ("/login", FORM, "username=a&username=b&password=c"),
    ] {
        let reply = server.send("POST", path, &[("content-type", kind)], body);
        assert_eq!((reply.status, reply.error().as_str()), (400, "invalid_request"), "{path} {body}");
        assert!(reply.json()["error_description"].as_str().unwrap().len() > 10);
    }
    let twice = server.send("POST", "/login", &[("content-type", JSON), ("content-type", FORM)], "{}");
    assert_eq!(twice.status, 400);
}

#[test]
fn a_wrong_value_is_not_repeated_in_the_answer_or_the_log() {
    let server = Server::dev(&[]);
    let reply = server.json("/login", &json!({ "username": "demo", "password": ["hunter2-and-more"] }));
    assert_eq!(reply.status, 400);
    assert!(!reply.text().contains("hunter2") && !server.log().contains("hunter2"));
}

#[test]
fn what_is_not_http_is_answered_and_closed() {
    let server = Server::dev(&[]);
    for bytes in [
        &b"NONSENSE\r\n\r\n"[..],
        b"GET /me HTTP/1.1\r\nhost x\r\n\r\n",
        b"GET /\x00 HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET / HTTP/9.9\r\nhost: x\r\n\r\n",
        b"POST /login HTTP/1.1\r\nhost: x\r\ncontent-length: nine\r\n\r\n",
        b"POST /login HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
    ] {
        let mut connection = Connection::open(server.public);
        connection.write(bytes).unwrap();
        let reply = connection.read().unwrap().unwrap();
        assert_eq!(reply.status, 400, "{}", String::from_utf8_lossy(bytes));
    }
    assert_eq!(server.get("/livez", None).status, 200);
}

// holds: 5, 28
#[test]
fn header_injection_finds_no_way_into_an_answer() {
    let server = Server::dev(&[]);
    for body in ["grant_type=x%0d%0aset-cookie:%20a=b", "grant_type=%22%5c", "a%0d%0ab=1&a%0d%0ab=2"] {
        let reply = server.form("/oauth/token", body);
        assert_eq!(reply.status, 400);
        assert_eq!(reply.all("set-cookie").len(), 0);
        let description = reply.json()["error_description"].as_str().unwrap().to_owned();
        // RFC 6749 §5.2
        assert!(
            description.bytes().all(|byte| matches!(byte, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e)),
            "{description}"
        );
    }
}

#[test]
fn a_path_that_is_no_text_is_refused_in_json_like_everything_else() {
    let server = Server::dev(&[]);
    let bearer = format!("Bearer {}", server.sign_in().access);
    let reply = server.send("DELETE", "/sessions/%ff", &[("authorization", &bearer)], "");
    assert_eq!((reply.status, reply.error().as_str()), (400, "invalid_request"));
    assert_eq!(reply.header("content-type"), "application/json");
}
