//! Relays: servers that follow another in place of a store. What they answer, what they refuse, and that over several of
//! them the ages add up.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::json;

use crate::followed::{BOUND, admin, feed_token, following, good, pause, refused, unsaid, until};
use crate::link::Link;
use crate::outage::SLACK;
use crate::support::{FORM, Server, exchange, home, serve_to_the_end, wait_until};

/// A relay of the server whose admin listener, or a link to it, is at `admin`.
fn relay_of(server: &Server, admin: std::net::SocketAddr) -> Server {
    let home = home();
    let token = server.data().join("feed-token").to_str().unwrap().to_owned();
    Server::start(&home, &["--follow", &format!("http://{admin}"), "--feed-token-file", &token])
}

#[test]
fn it_checks_and_says_where_the_rest_is_done() {
    let server = Server::dev(&[]);
    let relay = relay_of(&server, server.admin);
    let pair = server.sign_in();
    assert_eq!(relay.me(&pair), 200);
    let keys = "/.well-known/jwks.json";
    assert_eq!(relay.get(keys, None).text(), server.get(keys, None).text());
    let issuer = format!("http://{}", server.public);
    for (method, path) in [("POST", "/login"), ("POST", "/oauth/token"), ("POST", "/logout"), ("GET", "/sessions")] {
        let reply = relay.send(method, path, &[("content-type", FORM)], "");
        assert_eq!(reply.status, 404, "{method} {path}");
        assert!(reply.json()["error_description"].as_str().unwrap().contains(&issuer), "{}", reply.text());
    }
    let elsewhere = admin(&relay, "POST", "/admin/v1/revocations", &json!({}));
    assert_eq!(elsewhere.status, 404, "{}", elsewhere.text());
    assert!(elsewhere.text().contains(&server.admin.to_string()), "{}", elsewhere.text());
    for path in ["/admin/v1/nodes", "/admin/v1/stats", "/metrics"] {
        assert_eq!(admin(&relay, "GET", path, &json!(null)).status, 200, "{path}");
    }
    let introspect = |token: &str| {
        let bearer = format!("Bearer {}", relay.admin_token());
        let headers = [("authorization", bearer.as_str()), ("content-type", FORM)];
        exchange(relay.public, "POST", "/oauth/introspect", &headers, format!("token={token}").as_bytes())
    };
    assert_eq!(introspect(&pair.access).json()["active"], true);
    assert_eq!(introspect(&pair.refresh).status, 503, "nothing is said about what only the issuer knows");
    server.logout(&pair.access, "{}");
    wait_until("the relay refuses", || relay.me(&pair) == 401);
    assert_eq!(introspect(&pair.access).json()["active"], false);
    assert_ne!(feed_token(&relay), feed_token(&server), "it has a token of its own for those who follow it");
}

#[test]
fn its_documents_describe_what_it_answers_and_no_more() {
    let server = Server::dev(&[]);
    let relay = relay_of(&server, server.admin);
    let paths =
        |document: serde_json::Value| -> Vec<_> { document["paths"].as_object().unwrap().keys().cloned().collect() };
    let public = relay.get("/openapi.json", None).json();
    let expected = ["/.well-known/jwks.json", "/livez", "/me", "/oauth/introspect", "/openapi.json", "/readyz"];
    assert_eq!(paths(public), expected);
    let of_admin = admin(&relay, "GET", "/openapi.json", &json!(null)).json();
    let [feed, nodes, snapshot, stats] = ["feed", "nodes", "snapshot", "stats"].map(|it| format!("/admin/v1/{it}"));
    assert_eq!(paths(of_admin), [&feed, &nodes, &snapshot, &stats, "/metrics", "/openapi.json"]);
}

// holds: R22
#[test]
fn it_is_not_ready_and_answers_503_once_the_server_is_dead() {
    let server = Server::dev(&[]);
    let relay = relay_of(&server, server.admin);
    let pair = server.sign_in();
    assert_eq!(relay.me(&pair), 200);
    server.kill();
    wait_until("the relay says nothing", || match relay.me(&pair) {
        200 => false,
        503 => true,
        other => panic!("{other}"),
    });
    assert_eq!(relay.get("/readyz", None).status, 503);
    let token = format!("Bearer {}", feed_token(&relay));
    for path in ["/admin/v1/feed?after=0", "/admin/v1/snapshot"] {
        for accept in ["application/json", "text/event-stream"] {
            let headers = [("authorization", token.as_str()), ("accept", accept)];
            let reply = exchange(relay.admin, "GET", path, &headers, b"");
            assert_eq!((reply.status, reply.header("retry-after")), (503, "1"), "{path} {accept}: {}", reply.text());
        }
    }
    assert_eq!(relay.stop().0.code(), Some(0));
}

#[test]
fn it_does_not_start_on_settings_that_contradict_each_other() {
    let server = Server::dev(&[]);
    let url = format!("http://{}", server.admin);
    let token = server.data().join("feed-token").to_str().unwrap().to_owned();
    let to = |more: &[&str]| {
        let args = [&["--listen", "127.0.0.1:0", "--follow", &url][..], more].concat();
        serve_to_the_end(home().path(), &args)
    };
    for (more, word) in [
        (&["--feed-token-file", &token, "--store", "memory:"][..], "store"),
        (&["--feed-token-file", &token, "--dev"], "dev"),
        (&[], "feed token"),
    ] {
        let (code, _, problem) = to(more);
        assert_eq!(code, Some(2), "{problem}");
        assert!(problem.contains(word), "{problem}");
    }
    let (code, _, problem) = to(&["--feed-token-file", &token, "--issuer", "https://other.example"]);
    assert_eq!(code, Some(1), "{problem}");
    assert!(problem.contains("https://other.example"), "{problem}");
    let (code, _, problem) = serve_to_the_end(home().path(), &["--feed-token-file", &token]);
    assert_eq!(code, Some(2), "{problem}");
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_a_relay_of_a_relay_a_revocation_arrives_and_a_dead_server_is_noticed() {
    let server = Server::dev(&[]);
    let first = relay_of(&server, server.admin);
    let second = relay_of(&first, first.admin);
    let follower = following(&server, second.admin).feed_token(feed_token(&second)).build().await.unwrap();
    let (pair, alive) = (server.sign_in(), server.sign_in());
    until(&follower, &pair, good).await;
    server.logout(&pair.access, "{}");
    let took = until(&follower, &pair, refused).await;
    eprintln!("over two relays: {took:?}");
    assert!(took < BOUND, "{took:?}");
    server.signal(Signal::STOP);
    let took = until(&follower, &alive, unsaid).await;
    server.signal(Signal::CONT);
    assert!(took < BOUND + SLACK, "{took:?}");
    until(&follower, &alive, good).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn delays_that_each_link_may_have_add_up_to_one_that_is_refused() {
    let server = Server::dev(&[]);
    let (near, far) = (Link::to(server.admin).await, server.admin);
    let first = relay_of(&server, near.address);
    let between = Link::to(first.admin).await;
    let follower = following(&server, between.address).feed_token(feed_token(&first)).build().await.unwrap();
    let pair = server.sign_in();
    until(&follower, &pair, good).await;
    let each = Duration::from_millis(700);
    near.delay(each);
    wait_until("the first link is slow", || {
        admin(&first, "GET", "/admin/v1/stats", &json!(null)).json()["staleness_ms"].as_u64() > Some(1400)
    });
    assert_eq!(first.me(&pair), 200, "one slow link is within the bound");
    let lonely = following(&server, far).build().await.unwrap();
    until(&lonely, &pair, good).await;
    between.delay(each);
    until(&follower, &pair, unsaid).await;
    for _ in 0..500 {
        assert!(!good(crate::followed::worth(&follower, &pair).await), "1.4 s and 1.4 s are within 2 s");
        pause().await;
    }
}
