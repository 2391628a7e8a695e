//! Lines of the standards that can be seen from outside: revocation (RFC 7009), introspection (RFC 7662), clients that
//! prove themselves (RFC 6749 §2.3).
#![expect(clippy::unwrap_used, reason = "tests fail loudly, their helpers too")]

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use support::{FORM, JSON, Pair, Reply, Server, exchange, wait_until};
use tempfile::TempDir;

const SECRET: &str = "a-secret-of-some-forty-characters-or-more";

/// A server that knows a confidential client.
fn with_client() -> Server {
    let home: Arc<TempDir> = support::home();
    let secret = home.path().join("backend.secret");
    fs::write(&secret, SECRET).unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
    let file = home.path().join("rescind.toml");
    let text = format!("[[clients]]\nid = 'backend'\nclass = 'fixed'\nsecret_file = '{}'\n", secret.display());
    fs::write(&file, text).unwrap();
    Server::dev_in(&home, &["--config", file.to_str().unwrap()])
}

fn basic(id: &str, secret: &str) -> String {
    use base64::Engine;
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("{id}:{secret}")))
}

fn introspect(server: &Server, authorization: &str, token: &str) -> Reply {
    let headers = [("authorization", authorization), ("content-type", FORM)];
    server.send("POST", "/oauth/introspect", &headers, &format!("token={token}"))
}

// holds: 35
#[test]
fn revoking_an_access_token_kills_it_alone_and_a_refresh_token_its_session() {
    let server = Server::dev(&[]);
    let (one, other) = (server.sign_in(), server.sign_in());
    let reply = server.form("/oauth/revoke", &format!("token={}", one.access));
    assert_eq!((reply.status, reply.body.len()), (200, 0));
    assert_eq!(server.me(&one), 401);
    let next = server.refresh(&one.refresh).pair();
    assert_eq!(server.me(&next), 200, "the session lives on");
    assert_eq!(server.form("/oauth/revoke", &format!("token={}", next.refresh)).status, 200);
    assert_eq!(server.me(&next), 401);
    assert!(!server.refreshes(&next));
    assert_eq!(server.me(&other), 200);
}

// holds: 30
#[test]
fn revoking_what_is_no_token_or_dead_already_looks_the_same() {
    let server = Server::dev(&[]);
    let pair = server.sign_in();
    let good = server.form("/oauth/revoke", &format!("token={}", pair.refresh));
    for token in [pair.refresh.as_str(), &pair.access, "nonsense", "rrt_AAAA", "e30.e30.AAAA"] {
        let reply = server.form("/oauth/revoke", &format!("token={token}"));
        assert_eq!((reply.status, &reply.body), (200, &good.body), "{token}");
    }
}

/// RFC 7009 §2.2.
#[test]
fn a_refresh_token_of_a_session_long_forgotten_is_revoked_like_any_other() {
    let issuer = ["--issuer", "http://127.0.0.1:1"];
    let server = Server::dev(&issuer);
    let pair = server.sign_in();
    // The same root secret over a store that does not know the session, as after a sweep.
    let home = support::home();
    fs::create_dir(home.path().join("data")).unwrap();
    fs::set_permissions(home.path().join("data"), fs::Permissions::from_mode(0o700)).unwrap();
    fs::copy(server.data().join("root.key"), home.path().join("data/root.key")).unwrap();
    let server = Server::dev_in(&home, &issuer);
    assert_eq!(server.form("/oauth/revoke", &format!("token={}", pair.refresh)).status, 200);
}

#[test]
fn a_token_that_is_revoked_again_and_again_makes_the_log_grow_once() {
    let server = Server::dev(&[]);
    let pair = server.sign_in();
    let admin = format!("Bearer {}", server.admin_token());
    let head = || {
        let headers = [("authorization", admin.as_str())];
        let stats = support::exchange(server.admin, "GET", "/admin/v1/stats", &headers, b"");
        stats.json()["head"].as_u64().unwrap()
    };
    for token in [&pair.access, &pair.refresh] {
        let before = head();
        for _ in 0..3 {
            assert_eq!(server.form("/oauth/revoke", &format!("token={token}")).status, 200);
        }
        assert_eq!(head(), before + 1);
    }
}

// holds: 31
#[test]
fn a_wrong_or_unknown_hint_is_ignored() {
    let server = Server::dev(&[]);
    for hint in ["refresh_token", "access_token", "saml"] {
        let pair = server.sign_in();
        let reply = server.form("/oauth/revoke", &format!("token={}&token_type_hint={hint}", pair.access));
        assert_eq!((reply.status, server.me(&pair)), (200, 401), "{hint}");
        let pair = server.sign_in();
        let reply = server.form("/oauth/revoke", &format!("token={}&token_type_hint={hint}", pair.refresh));
        assert_eq!((reply.status, server.me(&pair)), (200, 401), "{hint}");
    }
}

// holds: 37, 40 (`no-store`)
#[test]
fn only_authorized_callers_may_introspect() {
    let server = with_client();
    let Pair { access, refresh, session } = server.sign_in();
    for authorization in
        ["", "Bearer nonsense", &format!("Bearer {access}"), &basic("backend", "wrong"), &basic("x", "y")]
    {
        let reply = introspect(&server, authorization, &access);
        assert_eq!(reply.status, if authorization.is_empty() { 401 } else { reply.status }, "{authorization}");
        assert_eq!(reply.status, 401, "{authorization}");
        assert!(!reply.header("www-authenticate").is_empty(), "{authorization}");
        assert!(!reply.text().contains("active"));
    }
    for authorization in [format!("Bearer {}", server.admin_token()), basic("backend", SECRET)] {
        let reply = introspect(&server, &authorization, &access);
        assert_eq!((reply.status, reply.header("cache-control")), (200, "no-store"));
        let body = reply.json();
        assert_eq!(
            (&body["active"], &body["sub"], &body["sid"]),
            (&true.into(), &"demo".into(), &session.as_str().into())
        );
        assert_eq!((&body["token_type"], &body["client_id"]), (&"Bearer".into(), &"rescind".into()));
        assert_eq!(introspect(&server, &authorization, &refresh).json()["active"], true);
    }
}

// holds: 38
#[test]
fn of_a_token_that_is_not_good_introspection_says_nothing_else() {
    let server = Server::dev(&[]);
    let admin = format!("Bearer {}", server.admin_token());
    let pair = server.sign_in();
    server.logout(&pair.access, "{}");
    for token in [pair.access.as_str(), &pair.refresh, "nonsense", "rrt_AAAA"] {
        let reply = introspect(&server, &admin, token);
        assert_eq!((reply.status, reply.text().as_str()), (200, r#"{"active":false}"#), "{token}");
    }
}

// holds: 3, 4, 130
#[test]
fn a_confidential_client_proves_itself_in_one_way() {
    let server = with_client();
    let pair = server.sign_in();
    let send = |authorization: Option<&str>, more: &str| {
        let mut headers = vec![("content-type", FORM)];
        headers.extend(authorization.map(|value| ("authorization", value)));
        let body = format!("grant_type=refresh_token&refresh_token={}{more}", pair.refresh);
        server.send("POST", "/oauth/token", &headers, &body)
    };
    let good = basic("backend", SECRET);
    let two = send(Some(&good), &format!("&client_id=backend&client_secret={SECRET}"));
    assert_eq!((two.status, two.error().as_str()), (400, "invalid_request"));
    let other = send(Some(&good), "&client_id=other");
    assert_eq!(other.error(), "invalid_request");
    for header in [&basic("backend", "wrong"), &basic("nobody", SECRET), "Digest username=\"backend\"", SECRET] {
        let wrong = send(Some(header), "");
        assert_eq!((wrong.status, wrong.error().as_str()), (401, "invalid_client"), "{header}");
        assert!(wrong.header("www-authenticate").starts_with("Basic"), "{header}");
    }
    for unproven in ["&client_id=backend", "&client_id=backend&client_secret=wrong"] {
        let reply = send(None, unproven);
        assert_eq!((reply.status, reply.error().as_str()), (401, "invalid_client"), "{unproven}");
    }
    // It proved itself, but the token is the sign-in page's: not spent, and no reuse.
    assert_eq!(send(Some(&good), "").error(), "invalid_grant");
    assert_eq!(send(None, "&client_id=rescind").status, 200);
    // Its caller's own token, as many clients send it along, is no proof and no hindrance.
    assert_eq!(send(Some("Bearer x"), "&client_id=rescind").status, 200);
}

/// A session of the confidential client, opened as its backend does.
fn of_the_backend(server: &Server, class: &str) -> Pair {
    let authorization = format!("Bearer {}", server.admin_token());
    let headers = [("authorization", authorization.as_str()), ("content-type", JSON)];
    let body = format!(r#"{{"subject":"alice","client_id":"backend","class":"{class}"}}"#);
    exchange(server.admin, "POST", "/admin/v1/sessions", &headers, body.as_bytes()).pair()
}

// holds: 6, 15, 16
#[test]
fn a_confidential_clients_refresh_token_is_good_only_with_its_proof() {
    let server = with_client();
    let proof = basic("backend", SECRET);
    let send = |authorization: Option<&str>, token: &str, more: &str| {
        let mut headers = vec![("content-type", FORM)];
        headers.extend(authorization.map(|value| ("authorization", value)));
        server.send("POST", "/oauth/token", &headers, &format!("grant_type=refresh_token&refresh_token={token}{more}"))
    };
    let first = of_the_backend(&server, "strict");
    for (more, error) in
        [("", "invalid_client"), ("&client_id=other", "invalid_grant"), ("&client_id=backend", "invalid_client")]
    {
        assert_eq!(send(None, &first.refresh, more).error(), error, "{more}");
    }
    let second = send(Some(&proof), &first.refresh, "").pair();
    // Spent, but a stranger presents it: no reuse, or whoever finds an old token could end the session.
    assert_eq!(send(None, &first.refresh, "").error(), "invalid_client");
    assert_eq!(server.me(&second), 200);
    assert_eq!(send(Some(&proof), &first.refresh, "").error(), "invalid_grant");
    assert_eq!(server.me(&second), 401, "its own client's replay is one");
    // FAPI 2.0 §5.3.2.1: a client that proves itself need not rotate.
    let fixed = of_the_backend(&server, "fixed");
    for _ in 0..2 {
        assert_eq!(send(Some(&proof), &fixed.refresh, "").pair().refresh, fixed.refresh);
    }
}

// holds: 16, 29
#[test]
fn only_its_client_revokes_a_confidential_clients_token_not_even_a_spent_one() {
    let server = with_client();
    let proof = basic("backend", SECRET);
    let first = of_the_backend(&server, "strict");
    let refresh = [("authorization", proof.as_str()), ("content-type", FORM)];
    let body = format!("grant_type=refresh_token&refresh_token={}", first.refresh);
    let second = server.send("POST", "/oauth/token", &refresh, &body).pair();
    let revoke = |authorization: &str, token: &str, more: &str| {
        let headers = [("authorization", authorization), ("content-type", FORM)];
        server.send(
            "POST",
            "/oauth/revoke",
            &headers[usize::from(authorization.is_empty())..],
            &format!("token={token}{more}"),
        )
    };
    for token in [&first.access, &first.refresh, &second.access, &second.refresh] {
        assert_eq!(revoke("", token, "").error(), "invalid_client");
        assert_eq!(revoke("", token, "&client_id=other").error(), "unauthorized_client");
        let wrong = revoke(&basic("backend", "wrong"), token, "");
        assert_eq!((wrong.status, wrong.error().as_str()), (401, "invalid_client"));
        assert!(wrong.header("www-authenticate").starts_with("Basic"));
    }
    assert_eq!((server.me(&first), server.me(&second)), (200, 200));
    let other = server.sign_in();
    assert_eq!(
        revoke(&proof, &other.refresh, "").error(),
        "unauthorized_client",
        "nor has the client a say over others"
    );
    assert_eq!(server.me(&other), 200);
    assert_eq!(revoke(&proof, &second.refresh, "").status, 200);
    assert_eq!((server.me(&first), server.me(&second)), (401, 401));
}

// holds: 30
#[test]
fn revoking_a_token_of_a_forgotten_session_is_200() {
    // Tokens are bound to the issuer, which must not change with the port.
    let issuer = &["--issuer", "https://id.example"];
    let server = Server::dev(issuer);
    let pair = server.sign_in();
    let home = server.kill();
    for file in std::fs::read_dir(home.path().join("data")).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name.starts_with("rescind.db") || name == "high-water" {
            fs::remove_file(path).unwrap();
        }
    }
    let server = Server::dev_in(&home, issuer);
    for token in [&pair.refresh, &pair.access] {
        let reply = server.form("/oauth/revoke", &format!("token={token}"));
        assert_eq!((reply.status, reply.body.len()), (200, 0), "{}", reply.text());
    }
}

// holds: 25, 28, 36
#[test]
fn expired_revoked_and_malformed_tokens_are_refused_alike() {
    let server = Server::dev(&["--access-lifetime", "1s"]);
    let pair = server.sign_in();
    wait_until("the access token has expired", || server.me(&pair) == 401);
    let expired = server.get("/me", Some(&pair.access));
    assert_eq!(server.form("/oauth/revoke", &format!("token={}", pair.access)).status, 200, "RFC 7009 §2.2");
    server.logout(&pair.access, "{}");
    let twice = server.get("/me", Some(&pair.access));
    let server = Server::dev(&[]);
    let pair = server.sign_in();
    server.logout(&pair.access, "{}");
    for other in [twice, server.get("/me", Some(&pair.access)), server.get("/me", Some("a.b.c"))] {
        assert_eq!((other.status, &other.body), (401, &expired.body));
        assert_eq!(other.all("www-authenticate"), expired.all("www-authenticate"));
    }
    let challenge = expired.all("www-authenticate");
    assert_eq!(challenge.len(), 1);
    for parameter in ["realm=", "error=", "error_description="] {
        assert_eq!(challenge[0].matches(parameter).count(), 1, "RFC 6750 §3: {}", challenge[0]);
    }
}

// holds: 23, 41, 139
#[test]
fn what_changes_something_is_never_done_by_get() {
    let server = Server::dev(&[]);
    let cookies = server.form("/login", "username=demo&password=demo");
    let jar: Vec<_> = cookies.all("set-cookie").into_iter().filter_map(|it| it.split(';').next()).collect();
    let jar = jar.join("; ");
    for path in ["/logout", "/oauth/token", "/oauth/revoke", "/oauth/introspect", "/sessions/x"] {
        for method in ["GET", "HEAD"] {
            let reply = server.send(method, path, &[("cookie", &jar)], "");
            assert_eq!((reply.status, reply.all("set-cookie").len()), (405, 0), "{method} {path}");
        }
    }
    assert_eq!(server.send("GET", "/me", &[("cookie", &jar)], "").status, 200);
    let headers = [("content-type", FORM)];
    let (_, token) = jar.split_once('=').unwrap();
    let body = format!("access_token={}", token.split(';').next().unwrap());
    assert_eq!(server.send("GET", "/me", &headers, &body).status, 401, "a token in a body is none");
}

// holds: 131
#[test]
fn what_an_auditor_looks_for_is_in_the_log() {
    let server = Server::dev(&[]);
    let pair = server.sign_in();
    server.json("/login", &serde_json::json!({ "username": "demo", "password": "wrong" }));
    server.get("/me", Some(&format!("{}x", pair.access)));
    let second = server.refresh(&pair.refresh).pair();
    server.refresh(&second.refresh);
    server.refresh(&pair.refresh);
    server.send("POST", "/logout", &[("cookie", "__Host-rescind_access=x"), ("sec-fetch-site", "cross-site")], "");
    introspect(&server, "Bearer nonsense", &pair.access);
    exchange(server.admin, "GET", "/admin/v1/users", &[("authorization", "Bearer nonsense")], b"");
    let last = server.sign_in();
    server.logout(&last.access, "{}");
    for said in [
        "signed in",
        "sign-in failed",
        "bad_encoding",
        "refresh_reuse",
        "status=403",
        "bad_credential",
        "wrong admin token",
        "logged out",
    ] {
        // A line may come a moment after its answer.
        support::wait_until(&format!("{said} is in the log"), || server.log().contains(said));
    }
}
