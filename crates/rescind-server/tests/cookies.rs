//! Browsers: the sign-in form, its cookies, and who may use them.
#![expect(clippy::unwrap_used, reason = "tests fail loudly, their helpers too")]

mod support;

use support::{FORM, Reply, Server};

const ACCESS: &str = "__Host-rescind_access";
const REFRESH: &str = "__Host-rescind_refresh";

fn sign_in(server: &Server, headers: &[(&str, &str)]) -> Reply {
    let headers = [&[("content-type", FORM)], headers].concat();
    server.send("POST", "/login", &headers, "username=demo&password=demo")
}

/// The cookies that an answer sets, as a browser sends them back.
fn jar(reply: &Reply) -> String {
    let pairs: Vec<_> = reply.all("set-cookie").into_iter().filter_map(|cookie| cookie.split(';').next()).collect();
    pairs.join("; ")
}

fn value<'a>(jar: &'a str, name: &str) -> &'a str {
    jar.split("; ").find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=')).unwrap()
}

// holds: 136, 138
#[test]
fn a_form_sign_in_sets_cookies_that_no_script_and_no_other_host_can_touch() {
    let server = Server::dev(&[]);
    let reply = sign_in(&server, &[]);
    assert_eq!((reply.status, reply.header("location")), (303, "/"));
    assert_eq!(reply.header("cache-control"), "no-store");
    let cookies = reply.all("set-cookie");
    assert_eq!(cookies.len(), 2);
    for (cookie, name) in cookies.iter().zip([ACCESS, REFRESH]) {
        assert!(cookie.starts_with(&format!("{name}=")), "{cookie}");
        for attribute in ["; Path=/", "; Secure", "; HttpOnly", "; SameSite=Strict", "; Max-Age="] {
            assert!(cookie.contains(attribute), "{cookie}");
        }
        assert!(!cookie.contains("Domain"), "{cookie}");
        // RFC 6265bis §5.6: name and value have at most 4096 bytes.
        assert!(cookie.split(';').next().unwrap().len() <= 4096);
    }
    let jar = jar(&reply);
    assert_eq!(server.send("GET", "/me", &[("cookie", &jar)], "").status, 200);
    assert_eq!(server.send("GET", "/sessions", &[("cookie", &jar)], "").status, 200);
}

#[test]
fn a_failed_form_sign_in_shows_the_page_again_without_the_password() {
    let server = Server::dev(&[]);
    let body = "username=%3Cscript%3E&password=hunter2-and-more";
    let reply = server.send("POST", "/login", &[("content-type", FORM)], body);
    assert_eq!(reply.status, 401);
    assert!(reply.header("content-type").starts_with("text/html"));
    let page = reply.text();
    assert!(
        page.contains("The name or the password is wrong.") && !page.contains("hunter2") && !page.contains("<script>")
    );
    assert_eq!(reply.all("set-cookie").len(), 0);
}

// holds: 23
#[test]
fn a_token_in_header_and_cookie_is_one_too_many() {
    let server = Server::dev(&[]);
    let jar = jar(&sign_in(&server, &[]));
    let bearer = format!("Bearer {}", value(&jar, ACCESS));
    let reply = server.send("GET", "/me", &[("cookie", &jar), ("authorization", &bearer)], "");
    assert_eq!((reply.status, reply.error().as_str()), (400, "invalid_request"));
    let reply = server.send("POST", "/logout", &[("cookie", &jar), ("authorization", &bearer)], "");
    assert_eq!(reply.status, 400);
    let double = format!("{jar}; {ACCESS}=x");
    assert_eq!(server.send("GET", "/me", &[("cookie", &double)], "").status, 400);
}

// holds: 95, 140
#[test]
fn a_cookie_changes_nothing_at_the_word_of_another_site() {
    let server = Server::dev(&[]);
    let jar = jar(&sign_in(&server, &[]));
    let own = format!("http://{}", server.public);
    let attempts = [
        vec![("sec-fetch-site", "cross-site")],
        vec![("sec-fetch-site", "same-site")],
        vec![("origin", "https://evil.example")],
        vec![("origin", "null")],
    ];
    for headers in &attempts {
        for (method, path) in
            [("POST", "/logout"), ("POST", "/login"), ("POST", "/oauth/token"), ("DELETE", "/sessions/x")]
        {
            let reply = server.send(method, path, &[headers.as_slice(), &[("cookie", &jar)]].concat(), "");
            assert_eq!((reply.status, reply.error().as_str()), (403, "access_denied"), "{method} {path} {headers:?}");
        }
    }
    assert_eq!(server.send("GET", "/me", &[("cookie", &jar)], "").status, 200, "the session lives");
    let host = server.public.to_string();
    let same = support::exchange_raw(
        server.public,
        &format!(
            "POST /logout HTTP/1.1\r\nhost: {host}\r\norigin: {own}\r\ncookie: {jar}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        ),
    );
    assert_eq!(same.status, 200, "{}", same.text());
}

// holds: 141
#[test]
fn logging_out_clears_the_cookies_even_of_a_dead_session() {
    let server = Server::dev(&[]);
    let jar = jar(&sign_in(&server, &[]));
    for ended in [1, 0] {
        let reply = server.send("POST", "/logout", &[("cookie", &jar), ("sec-fetch-site", "same-origin")], "");
        assert_eq!((reply.status, &reply.json()["ended"]), (200, &ended.into()));
        let cookies = reply.all("set-cookie");
        assert_eq!(cookies.len(), 2);
        assert!(cookies.iter().all(|cookie| cookie.contains("=; ") && cookie.contains("Max-Age=0")), "{cookies:?}");
    }
    let garbage = format!("{ACCESS}=x; {REFRESH}=y");
    let reply = server.send("POST", "/logout", &[("cookie", &garbage)], "");
    assert_eq!((reply.status, reply.all("set-cookie").len()), (401, 2));
}

#[test]
fn logging_out_keeps_the_cookies_where_the_session_goes_on() {
    let server = Server::dev(&[]);
    let jar = jar(&sign_in(&server, &[]));
    let log_out = |body: &str| server.send("POST", "/logout", &[("cookie", &jar), ("content-type", FORM)], body);
    for (body, status) in [
        ("scope=others", 303),
        ("scope=everything", 400),
        ("refresh_token=rrt_AAAA", 400),
        (format!("a={}", "x".repeat(64 * 1024)).as_str(), 413),
    ] {
        let reply = log_out(body);
        assert_eq!((reply.status, reply.all("set-cookie").len()), (status, 0), "{body:.40}");
        assert_eq!(server.send("GET", "/me", &[("cookie", &jar)], "").status, 200, "{body:.40}");
    }
    let reply = log_out("scope=all");
    assert_eq!((reply.status, reply.all("set-cookie").len()), (303, 2));
}

#[test]
fn the_refresh_cookie_alone_logs_out() {
    let server = Server::dev(&[]);
    let jar = jar(&sign_in(&server, &[]));
    let only = format!("{REFRESH}={}", value(&jar, REFRESH));
    assert_eq!(server.send("POST", "/logout", &[("cookie", &only)], "").json()["ended"], 1);
    assert_eq!(server.send("GET", "/me", &[("cookie", &jar)], "").status, 401);
}

// holds: 137, 142, R20
#[test]
fn a_browser_refreshes_by_cookie_and_its_script_sees_no_token() {
    let server = Server::dev(&[]);
    let first = jar(&sign_in(&server, &[]));
    let refresh = |jar: &str| {
        let headers = [("cookie", jar), ("content-type", FORM), ("sec-fetch-site", "same-origin")];
        server.send("POST", "/oauth/token", &headers, "grant_type=refresh_token")
    };
    let reply = refresh(&first);
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert!(reply.json().get("access_token").is_none() && reply.json().get("refresh_token").is_none());
    let second = jar(&reply);
    assert_eq!(server.send("GET", "/me", &[("cookie", &second)], "").status, 200);
    // A tab that lost the race gets the same successor; one that is refused keeps what another tab has set.
    assert_eq!(value(&jar(&refresh(&first)), REFRESH), value(&second, REFRESH));
    let third = jar(&refresh(&second));
    assert_ne!(third, second);
    let refused = refresh(&first);
    assert_eq!((refused.status, refused.all("set-cookie").len()), (400, 0));
    let both = format!("grant_type=refresh_token&refresh_token={}", value(&third, REFRESH));
    let headers = [("cookie", third.as_str()), ("content-type", FORM)];
    assert_eq!(server.send("POST", "/oauth/token", &headers, &both).status, 400);
}

// holds: 94
#[test]
fn signing_in_again_in_one_browser_ends_its_former_session() {
    let server = Server::dev(&[]);
    let first = jar(&sign_in(&server, &[]));
    let second = jar(&sign_in(&server, &[("cookie", &first)]));
    assert_eq!(server.send("GET", "/me", &[("cookie", &first)], "").status, 401);
    assert_eq!(server.send("GET", "/me", &[("cookie", &second)], "").status, 200);
}

#[test]
fn every_page_has_a_strict_policy() {
    let server = Server::dev(&[]);
    for path in ["/", "/login"] {
        let reply = server.get(path, None);
        let policy = reply.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        assert_eq!(reply.header("x-content-type-options"), "nosniff");
        assert_eq!(reply.header("x-frame-options"), "DENY");
        assert_eq!(reply.header("referrer-policy"), "no-referrer");
    }
    assert!(server.get("/rescind.css", None).header("content-type").starts_with("text/css"));
    assert!(server.get("/demo.js", None).header("content-type").starts_with("text/javascript"));
}

#[test]
fn the_demo_page_is_there_under_dev_only() {
    let server = Server::dev(&[]);
    assert!(server.get("/", None).text().contains("demo.js"));
    let plain = Server::start(&support::home(), &[]);
    let home = plain.get("/", None);
    assert_eq!(home.status, 200);
    assert!(!home.text().contains("demo.js"));
    assert_eq!(plain.get("/demo.js", None).status, 404);
    assert_eq!(plain.json("/login", &serde_json::json!({ "username": "demo", "password": "demo" })).status, 401);
}
