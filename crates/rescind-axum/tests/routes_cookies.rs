//! The ready-made routes for browsers: tokens in cookies, who may use them, and when they are cleared.
#![cfg(test)]

mod support;

use axum::Router;
use rescind::id::{ClientId, Subject};
use rescind::store::{Fault, Operation, StoreErrorKind, Which};
use rescind::{OpenSession, TokenPair};
use rescind_axum::cookies::{ACCESS, REFRESH};
use rescind_axum::{Cookies, Routes, SameSite, TokensIn};
use support::{FORM, House, JSON, Reply, bearer, jar, send};

const OWN: (&str, &str) = ("origin", "https://api.example");
const EVIL: (&str, &str) = ("origin", "https://evil.example");

fn app(house: &House) -> Router {
    Routes::new(&house.rescind).cookies(Cookies::new()).into_router()
}

async fn refresh(app: &Router, jar: &str) -> Reply {
    send(app, "POST", "/refresh", &[OWN, ("cookie", jar)], "").await
}

async fn log_out(app: &Router, jar: &str) -> Reply {
    send(app, "POST", "/logout", &[OWN, ("cookie", jar)], "").await
}

fn value<'a>(jar: &'a str, name: &str) -> &'a str {
    jar.split("; ").find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=')).unwrap()
}

#[tokio::test]
async fn a_refresh_by_cookie_sets_new_cookies_and_shows_no_token() {
    for house in House::each().await {
        let app = app(&house);
        let pair = house.sign_in("alice").await;
        let reply = refresh(&app, &jar(&pair)).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        let body = reply.json();
        assert!(body.get("access_token").is_none() && body.get("refresh_token").is_none());
        assert_eq!(body["session_id"], pair.session_id.to_string());
        assert_eq!((reply.text("cache-control"), reply.text("pragma")), ("no-store", "no-cache"));
        let set = reply.set();
        assert_eq!(set.len(), 2);
        for (cookie, name) in set.iter().zip([ACCESS, REFRESH]) {
            assert!(cookie.starts_with(&format!("{name}=")) && !cookie.contains("Domain"), "{cookie}");
            for attribute in ["; Path=/", "; Secure", "; HttpOnly", "; SameSite=Strict", "; Max-Age="] {
                assert!(cookie.contains(attribute), "{cookie}");
            }
        }
        assert!(house.passes(value(&reply.jar(), ACCESS)).await);
        assert_eq!(refresh(&app, &reply.jar()).await.status, 200);
    }
}

#[tokio::test]
async fn a_token_comes_back_the_way_it_came() {
    let house = House::new().await;
    let app = Routes::new(&house.rescind).cookies(Cookies::with_same_site(SameSite::Lax)).into_router();
    let pair = house.sign_in("alice").await;
    let in_body = send(&app, "POST", "/refresh", &[FORM], format!("refresh_token={}", pair.refresh_token)).await;
    assert!(in_body.set().is_empty() && in_body.json()["access_token"].is_string());
    let in_cookies = refresh(&app, &jar(&house.sign_in("alice").await)).await;
    assert!(in_cookies.set().iter().all(|cookie| cookie.contains("; SameSite=Lax")));
}

#[tokio::test]
async fn a_token_in_two_places_is_refused_and_neither_spent_nor_cleared() {
    let house = House::new().await;
    let app = app(&house);
    let pair = house.sign_in("alice").await;
    let jar = jar(&pair);
    let (body, header) = (format!("refresh_token={}", pair.refresh_token), bearer(&pair.access_token));
    let other = format!("{jar}; {ACCESS}=x");
    let another = format!("{jar}; {REFRESH}=x");
    for path in ["/refresh", "/logout"] {
        let replies = [
            send(&app, "POST", path, &[OWN, FORM, ("cookie", &jar)], body.clone()).await,
            send(&app, "POST", path, &[OWN, ("cookie", &jar), ("authorization", &header)], "").await,
            send(&app, "POST", path, &[OWN, FORM, ("authorization", &header)], body.clone()).await,
            send(&app, "POST", path, &[OWN, ("cookie", &another)], "").await,
            send(&app, "POST", path, &[OWN, ("cookie", &jar), ("cookie", &another)], "").await,
        ];
        for reply in replies {
            assert_eq!((reply.status, reply.error().as_str()), (400, "invalid_request"), "{path}");
            assert!(reply.set().is_empty(), "{path}");
        }
    }
    assert_eq!(log_out(&app, &other).await.status, 400);
    let sessions = [("cookie", jar.as_str()), ("authorization", &header)];
    assert_eq!(send(&app, "GET", "/sessions", &sessions, "").await.status, 400);
    assert_eq!(send(&app, "GET", "/sessions", &sessions[..1], "").await.status, 200);
    assert_eq!(send(&app, "GET", "/sessions", &sessions[1..], "").await.status, 200);
    assert_eq!(house.store.calls(Operation::Advance), 0);
    assert_eq!(refresh(&app, &jar).await.status, 200);
}

#[tokio::test]
async fn where_a_cookie_alone_counts_a_header_or_body_is_refused() {
    let house = House::new().await;
    let app: Router = Routes::new(&house.rescind).tokens_in(TokensIn::Cookie).cookies(Cookies::new()).into_router();
    let pair = house.sign_in("alice").await;
    let header = bearer(&pair.access_token);
    let in_header = [("authorization", header.as_str())];
    assert_eq!(send(&app, "POST", "/logout", &in_header, "").await.status, 400);
    assert_eq!(send(&app, "GET", "/sessions", &in_header, "").await.status, 400);
    let body = format!("refresh_token={}", pair.refresh_token);
    assert_eq!(send(&app, "POST", "/refresh", &[FORM], body.clone()).await.status, 400);
    assert_eq!(send(&app, "POST", "/logout", &[FORM], body).await.status, 400);
    assert_eq!(refresh(&app, &jar(&pair)).await.status, 200);
}

// holds: 140
#[tokio::test]
async fn another_site_changes_nothing_by_cookie_and_a_trusted_one_does() {
    let house = House::new().await;
    let routes = Routes::new(&house.rescind).cookies(Cookies::new());
    let app: Router = routes.trust_origin("https://app.example").unwrap().into_router();
    let (pair, other) = (house.sign_in("alice").await, house.sign_in("alice").await);
    let jar = jar(&pair);
    let end = format!("/sessions/{}", other.session_id);
    let ask = async |method: &str, path: &str, origin: (&str, &str)| {
        send(&app, method, path, &[origin, ("cookie", &jar)], "").await
    };
    for origin in [EVIL, ("origin", "null"), ("sec-fetch-site", "cross-site"), ("sec-fetch-site", "same-site")] {
        for (method, path) in [("POST", "/refresh"), ("POST", "/logout"), ("DELETE", end.as_str())] {
            let reply = ask(method, path, origin).await;
            assert_eq!((reply.status, reply.error().as_str()), (403, "access_denied"), "{method} {path} {origin:?}");
            assert!(reply.set().is_empty(), "{method} {path}");
        }
        assert_eq!(ask("GET", "/sessions", origin).await.status, 200, "reading changes nothing");
    }
    assert!(house.passes(&pair.access_token).await && house.passes(&other.access_token).await);
    assert_eq!(house.store.calls(Operation::Advance), 0);
    // No page of another site can send a header, nor a body whose token it does not know.
    let header = bearer(&other.access_token);
    assert_eq!(send(&app, "POST", "/logout", &[EVIL, ("authorization", &header)], "").await.status, 200);
    let third = house.sign_in("alice").await;
    let body = format!("refresh_token={}", third.refresh_token);
    let reply = send(&app, "POST", "/refresh", &[EVIL, FORM], body).await;
    assert_eq!((reply.status, reply.set().len()), (200, 0));
    assert_eq!(ask("POST", "/refresh", ("origin", "https://app.example")).await.status, 200);
    assert_eq!(ask("POST", "/logout", ("sec-fetch-site", "same-origin")).await.status, 200);
    assert!(Routes::new(&house.rescind).trust_origin("app.example").is_err());
}

// holds: 142
#[tokio::test]
async fn losing_a_refresh_race_never_clears_the_winner_s_cookies() {
    for house in House::each().await {
        let app = app(&house);
        let first = jar(&house.sign_in("alice").await);
        let racing: Vec<_> = (0..64)
            .map(|_| {
                let (app, jar) = (app.clone(), first.clone());
                tokio::spawn(async move { refresh(&app, &jar).await })
            })
            .collect();
        let mut successors = Vec::new();
        for racer in racing {
            let reply = racer.await.unwrap();
            assert_eq!((reply.status, reply.set().len()), (200, 2), "{}", reply.body);
            successors.push(value(&reply.jar(), REFRESH).to_owned());
        }
        successors.dedup();
        assert_eq!(successors.len(), 1);
        let second = format!("{REFRESH}={}", successors[0]);
        let third = refresh(&app, &second).await.jar();
        // Two steps behind: reuse. Its session ends, and the cookies of whoever is newer are theirs to lose.
        let loser = refresh(&app, &first).await;
        assert_eq!((loser.status, loser.error().as_str(), loser.set().len()), (400, "invalid_grant", 0));
        assert_eq!(refresh(&app, &third).await.error(), "invalid_grant");
    }
}

// holds: 141
#[tokio::test]
async fn logging_out_clears_the_cookies_also_where_the_token_is_dead() {
    for house in House::each().await {
        let app = app(&house);
        let jar = jar(&house.sign_in("alice").await);
        for ended in [1, 0] {
            let reply = log_out(&app, &jar).await;
            assert_eq!((reply.status, &reply.json()["ended"]), (200, &ended.into()));
            let set = reply.set();
            assert_eq!(set.len(), 2);
            assert!(set.iter().all(|cookie| cookie.contains("=; Path=/; Secure; ") && cookie.contains("Max-Age=0")));
        }
        let garbage = format!("{ACCESS}=x; {REFRESH}=y");
        let reply = log_out(&app, &garbage).await;
        assert_eq!((reply.status, reply.set().len()), (401, 2));
        assert_eq!(log_out(&app, "other=1").await.set().len(), 0, "nothing of ours is there");
    }
}

#[tokio::test]
async fn logging_out_keeps_the_cookies_where_the_session_goes_on() {
    for house in House::each().await {
        let app = app(&house);
        let pair = house.sign_in("alice").await;
        let jar = jar(&pair);
        for (body, status) in [
            (r#"{"scope":"others"}"#.to_owned(), 200),
            (r#"{"scope":"everything"}"#.to_owned(), 400),
            (r#"{"more":1}"#.to_owned(), 400),
            (r#"{"refresh_token":"rrt_AAAA"}"#.to_owned(), 400),
            (format!("{{\"scope\":\"{}\"}}", "x".repeat(64 * 1024)), 413),
        ] {
            let reply = send(&app, "POST", "/logout", &[OWN, JSON, ("cookie", &jar)], body.clone()).await;
            assert_eq!((reply.status, reply.set().len()), (status, 0), "{body:.40}");
            assert!(house.passes(&pair.access_token).await, "{body:.40}");
        }
    }
}

#[tokio::test]
async fn a_store_that_fails_is_503_and_nothing_is_cleared_or_spent() {
    for house in House::each().await {
        let app = app(&house);
        let pair = house.sign_in("alice").await;
        let jar = jar(&pair);
        let unavailable = || Fault::Refuse(StoreErrorKind::Unavailable);
        let replies = async || [refresh(&app, &jar).await, log_out(&app, &jar).await];
        house.store.down();
        for reply in replies().await {
            assert_eq!((reply.status, reply.set().len()), (503, 0), "{}", reply.body);
            assert!(!reply.text("retry-after").is_empty());
        }
        house.store.up();
        // It reads, and does not write.
        house.store.inject(Operation::Advance, Which::Every, unavailable());
        house.store.inject(Operation::Append, Which::Every, unavailable());
        for reply in replies().await {
            assert_eq!((reply.status, reply.set().len()), (503, 0), "{}", reply.body);
        }
        house.store.clear();
        assert!(house.passes(&pair.access_token).await);
        let reply = refresh(&app, &jar).await;
        assert_eq!((reply.status, reply.set().len()), (200, 2), "{}", reply.body);
        assert_eq!(log_out(&app, &reply.jar()).await.json()["ended"], 1);
    }
}

#[tokio::test]
async fn a_lost_reply_is_settled_by_asking_again() {
    let house = House::new().await;
    let app = app(&house);
    let jar = jar(&house.sign_in("alice").await);
    house.store.inject(Operation::Advance, Which::Nth(1), Fault::LoseReply);
    assert_eq!(refresh(&app, &jar).await.status, 503);
    let reply = refresh(&app, &jar).await;
    assert_eq!((reply.status, reply.set().len()), (200, 2), "{}", reply.body);
}

#[tokio::test]
async fn either_cookie_logs_out_alone_and_one_that_is_no_token_does_not_hide_the_other() {
    for keep in ["access", "refresh", "garbage and refresh"] {
        let house = House::new().await;
        let TokenPair { access_token, refresh_token, .. } = house.sign_in("alice").await;
        let jar = match keep {
            "access" => format!("{ACCESS}={access_token}"),
            "refresh" => format!("{REFRESH}={refresh_token}"),
            _ => format!("{ACCESS}=x; {REFRESH}={refresh_token}"),
        };
        let reply = log_out(&app(&house), &jar).await;
        assert_eq!((reply.status, &reply.json()["ended"]), (200, &1.into()), "{keep}");
        assert!(!house.passes(&access_token).await, "{keep}");
    }
}

#[tokio::test]
async fn a_form_by_cookie_goes_on_to_a_page_where_one_is_named() {
    let house = House::new().await;
    let plain = app(&house);
    let paged: Router = Routes::new(&house.rescind).cookies(Cookies::new()).after_logout("/bye").into_router();
    let ask = async |app: &Router, kind: (&str, &str), body: &'static str| {
        let jar = jar(&house.sign_in("alice").await);
        send(app, "POST", "/logout", &[OWN, kind, ("cookie", &jar)], body).await
    };
    let reply = ask(&paged, FORM, "scope=session").await;
    assert_eq!((reply.status, reply.text("location"), reply.set().len()), (303, "/bye", 2));
    assert_eq!(ask(&paged, JSON, r#"{"scope":"session"}"#).await.status, 200);
    assert_eq!(ask(&plain, FORM, "scope=session").await.status, 200);
    let pair = house.sign_in("alice").await;
    let body = format!("refresh_token={}", pair.refresh_token);
    assert_eq!(send(&paged, "POST", "/logout", &[FORM], body).await.status, 200, "a form without cookies");
}

// holds: 138
#[tokio::test]
async fn a_token_that_no_browser_would_keep_is_said_to_the_log_and_not_lost() {
    let house = House::new().await;
    let app = app(&house);
    let mut session = OpenSession::new(Subject::new("alice").unwrap(), ClientId::new("app").unwrap());
    let claims = serde_json::json!({ "much": "x".repeat(4096) });
    session.claims = claims.as_object().cloned();
    let pair = house.open(session).await;
    let jar = format!("{REFRESH}={}", pair.refresh_token);
    let reply = refresh(&app, &jar).await;
    assert_eq!((reply.status, reply.set().len()), (503, 0));
    let body = format!("refresh_token={}", pair.refresh_token);
    assert_eq!(send(&app, "POST", "/refresh", &[FORM], body).await.status, 200);
}
