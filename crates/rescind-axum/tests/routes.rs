//! The ready-made routes for clients that keep their tokens themselves, in real routers on real stores.
#![cfg(test)]

mod support;

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use rescind::id::{ClientId, Subject};
use rescind::refresh_token::ClientClass;
use rescind::store::Operation;
use rescind::{OpenSession, TokenPair};
use rescind_axum::{Refusal, Reshape, Routes, routes};
use serde_json::{Value, json};
use support::{FORM, House, JSON, Reply, bearer, send};

/// The headers and the body of a request, and the status of its answer.
type Case<'a> = (&'a [(&'a str, &'a str)], String, u16);

async fn refresh(app: &Router, token: &str) -> Reply {
    send(app, "POST", "/refresh", &[JSON], json!({ "refresh_token": token }).to_string()).await
}

async fn log_out(app: &Router, token: &str, body: &str) -> Reply {
    send(app, "POST", "/logout", &[JSON, ("authorization", &bearer(token))], body.to_owned()).await
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[tokio::test]
async fn a_refresh_token_is_exchanged_from_json_form_and_header_alike() {
    for house in House::each().await {
        let app: Router = routes(&house.rescind);
        let mut newest = house.sign_in("alice").await.refresh_token;
        for place in ["json", "form", "header", "oauth"] {
            let reply = match place {
                "json" => refresh(&app, &newest).await,
                "form" => send(&app, "POST", "/refresh", &[FORM], format!("refresh_token={newest}")).await,
                "header" => send(&app, "POST", "/refresh", &[("authorization", &bearer(&newest))], "").await,
                _ => {
                    let form = format!("grant_type=refresh_token&client_id=app&refresh_token={newest}&more=1");
                    send(&app, "POST", "/refresh", &[FORM], form).await
                }
            };
            assert_eq!(reply.status, 200, "{place}: {}", reply.body);
            let body = reply.json();
            let members: Vec<_> = body.as_object().unwrap().keys().map(String::as_str).collect();
            let expected =
                ["access_token", "expires_in", "refresh_expires_in", "refresh_token", "session_id", "token_type"];
            assert_eq!(members, expected, "{place}");
            assert_eq!(text(&body["token_type"]), "Bearer");
            assert_eq!((reply.text("cache-control"), reply.text("pragma")), ("no-store", "no-cache"));
            assert!(reply.set().is_empty(), "no cookies without cookie mode");
            assert!(house.passes(text(&body["access_token"])).await);
            assert_ne!(text(&body["refresh_token"]), newest);
            newest = text(&body["refresh_token"]).to_owned();
        }
    }
}

#[tokio::test]
async fn a_refused_refresh_token_is_400_and_never_401() {
    for house in House::each().await {
        let app: Router = routes(&house.rescind);
        let pair = house.sign_in("alice").await;
        let ended = house.sign_in("alice").await;
        assert_eq!(log_out(&app, &ended.access_token, "").await.status, 200);
        for refused in ["", "x", "rrt_AAAA", &pair.access_token, &ended.refresh_token] {
            let reply = refresh(&app, refused).await;
            let expected = if refused.is_empty() { "invalid_request" } else { "invalid_grant" };
            assert_eq!((reply.status, reply.error().as_str()), (400, expected), "{}", reply.body);
            assert_eq!((reply.text("cache-control"), reply.text("pragma")), ("no-store", "no-cache"));
            assert_eq!(reply.text("www-authenticate"), "");
        }
        let with = |more: Value| {
            let mut body = json!({ "refresh_token": pair.refresh_token });
            body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            send(&app, "POST", "/refresh", &[JSON], body.to_string())
        };
        assert_eq!(with(json!({ "client_id": "other" })).await.error(), "invalid_grant");
        assert_eq!(with(json!({ "scope": "admin" })).await.error(), "invalid_scope");
        assert_eq!(with(json!({ "grant_type": "password" })).await.error(), "invalid_request");
        assert_eq!(with(json!({ "client_id": "app" })).await.status, 200, "none of these has spent it");
    }
}

#[tokio::test]
async fn a_spent_token_gets_the_same_successor_within_grace_and_ends_its_session_after_it() {
    for house in House::each().await {
        let app: Router = routes(&house.rescind);
        let pair = house.sign_in("alice").await;
        let first = refresh(&app, &pair.refresh_token).await.json();
        let again = refresh(&app, &pair.refresh_token).await.json();
        assert_eq!(first["refresh_token"], again["refresh_token"]);
        house.wait(Duration::from_secs(11)).await;
        assert_eq!(refresh(&app, &pair.refresh_token).await.error(), "invalid_grant");
        assert_eq!(refresh(&app, text(&first["refresh_token"])).await.error(), "invalid_grant");
        assert!(!house.passes(text(&first["access_token"])).await);
    }
}

#[tokio::test]
async fn many_refreshes_of_one_token_at_once_give_one_chain() {
    for house in House::each().await {
        let app: Router = routes(&house.rescind);
        let pair = house.sign_in("alice").await;
        let racing: Vec<_> = (0..64)
            .map(|_| {
                let (app, token) = (app.clone(), pair.refresh_token.clone());
                tokio::spawn(async move { refresh(&app, &token).await })
            })
            .collect();
        let mut successors = Vec::new();
        for racer in racing {
            let reply = racer.await.unwrap();
            assert_eq!(reply.status, 200, "{}", reply.body);
            assert!(house.passes(text(&reply.json()["access_token"])).await);
            successors.push(text(&reply.json()["refresh_token"]).to_owned());
        }
        successors.dedup();
        assert_eq!(successors.len(), 1);
        assert_eq!(refresh(&app, &successors[0]).await.status, 200);
    }
}

#[tokio::test]
async fn a_body_is_read_strictly_and_what_is_refused_spends_nothing() {
    let house = House::new().await;
    let app: Router = routes(&house.rescind);
    let TokenPair { access_token, refresh_token: token, .. } = house.sign_in("alice").await;
    let long = format!("{{\"refresh_token\":\"{token}\",\"scope\":\"{}\"}}", "x".repeat(64 * 1024));
    let (good, twice_said) = (format!("{{\"refresh_token\":\"{token}\"}}"), [JSON, JSON]);
    let cases: &[Case<'_>] = &[
        (&[JSON], format!("{{\"refresh_token\":\"{token}\",\"more\":1}}"), 400),
        (&[JSON], format!("{{\"refresh_token\":\"{token}\",\"refresh_token\":\"{token}\"}}"), 400),
        (&[JSON], format!("[\"{token}\"]"), 400),
        (&[JSON], format!("{{\"refresh_token\":\"{token}\""), 400),
        (&[JSON], "{\"refresh_token\":7}".to_owned(), 400),
        (&[FORM], format!("refresh_token={token}&refresh_token={token}"), 400),
        (&[FORM], format!("refresh_token={token}&scope=%ff"), 400),
        (&[("content-type", "text/plain")], good.clone(), 400),
        (&[], good.clone(), 400),
        (&twice_said, good.clone(), 400),
        (&[JSON], long, 413),
    ];
    for path in ["/refresh", "/logout"] {
        for (headers, body, status) in cases {
            let reply = send(&app, "POST", path, headers, body.clone()).await;
            assert_eq!(reply.status, *status, "{path} {body:.80}: {}", reply.body);
            assert!(!reply.body.contains(&token), "a value is not repeated");
            assert_eq!(reply.text("connection"), if *status == 413 { "close" } else { "" });
            assert_eq!(reply.error(), if *status == 413 { "payload_too_large" } else { "invalid_request" });
        }
    }
    assert!(house.passes(&access_token).await);
    assert_eq!(house.store.calls(Operation::Advance), 0);
    assert_eq!(send(&app, "POST", "/refresh", &[JSON], good).await.status, 200);
}

#[tokio::test]
async fn a_body_that_never_ends_is_waited_for_as_long_as_was_said() {
    let house = House::new().await;
    let app: Router = Routes::new(&house.rescind).patience(Duration::from_millis(1)).into_router();
    let never = Empty::<Bytes>::new().with_trailers(std::future::pending());
    let reply = send(&app, "POST", "/refresh", &[JSON], Body::new(never)).await;
    assert_eq!((reply.status, reply.error().as_str()), (408, "request_timeout"));
    assert_eq!(reply.text("connection"), "close");
}

#[tokio::test]
async fn a_token_in_two_places_is_refused_and_spends_nothing() {
    let house = House::new().await;
    let app: Router = routes(&house.rescind);
    let pair = house.sign_in("alice").await;
    let body = json!({ "refresh_token": pair.refresh_token }).to_string();
    for (path, header) in
        [("/refresh", &pair.refresh_token), ("/refresh", &pair.access_token), ("/logout", &pair.access_token)]
    {
        let reply = send(&app, "POST", path, &[JSON, ("authorization", &bearer(header))], body.clone()).await;
        assert_eq!((reply.status, reply.error().as_str()), (400, "invalid_request"), "{path}");
    }
    let twice = [("authorization", bearer(&pair.access_token)), ("authorization", bearer(&pair.access_token))];
    let twice = twice.each_ref().map(|(name, value)| (*name, value.as_str()));
    let reply = send(&app, "POST", "/logout", &twice, "").await;
    assert_eq!((reply.status, reply.text("www-authenticate").contains("invalid_request")), (400, true));
    assert!(house.passes(&pair.access_token).await);
    assert_eq!(refresh(&app, &pair.refresh_token).await.status, 200);
}

#[tokio::test]
async fn a_cookie_means_nothing_where_none_was_asked_for() {
    let house = House::new().await;
    let app: Router = routes(&house.rescind);
    let pair = house.sign_in("alice").await;
    let cookie = ("cookie", &*support::jar(&pair));
    assert_eq!(send(&app, "POST", "/refresh", &[cookie], "").await.error(), "invalid_request");
    let authorization = bearer(&pair.access_token);
    for (method, path) in [("GET", "/sessions"), ("POST", "/logout")] {
        let reply = send(&app, method, path, &[cookie], "").await;
        assert_eq!((reply.status, reply.set().len()), (401, 0), "{path}");
        assert_eq!(reply.text("www-authenticate"), "Bearer realm=\"rescind\"");
        assert!(house.passes(&pair.access_token).await);
        let with_header = [cookie, ("authorization", &*authorization)];
        let reply = send(&app, method, path, &with_header, "").await;
        assert_eq!((reply.status, reply.set().len()), (200, 0), "{path}: the header alone counts");
    }
    assert!(!house.passes(&pair.access_token).await);
}

#[tokio::test]
async fn each_logout_scope_ends_exactly_its_sessions_by_either_token() {
    for house in House::each().await {
        let app: Router = routes(&house.rescind);
        let cases = [("session", [false, true, true]), ("others", [true, false, false]), ("all", [false; 3])];
        for (scope, alive) in cases {
            for with in ["access", "refresh", "body"] {
                let pairs = [house.sign_in("bob").await, house.sign_in("bob").await, house.sign_in("bob").await];
                let asked = json!({ "scope": scope }).to_string();
                let reply = match with {
                    "access" => log_out(&app, &pairs[0].access_token, &asked).await,
                    "refresh" => log_out(&app, &pairs[0].refresh_token, &asked).await,
                    _ => {
                        let form = format!("scope={scope}&refresh_token={}", pairs[0].refresh_token);
                        send(&app, "POST", "/logout", &[FORM], form).await
                    }
                };
                assert_eq!(reply.status, 200, "{}", reply.body);
                assert_eq!((text(&reply.json()["scope"]), reply.text("cache-control")), (scope, "no-store"));
                for (pair, alive) in pairs.iter().zip(alive) {
                    assert_eq!(house.passes(&pair.access_token).await, alive, "{scope} by {with}");
                    let expected = if alive { 200 } else { 400 };
                    assert_eq!(refresh(&app, &pair.refresh_token).await.status, expected, "{scope} by {with}");
                }
            }
        }
    }
}

#[tokio::test]
async fn an_expired_access_token_logs_out_and_a_second_time_there_is_nothing_to_end() {
    for house in House::each().await {
        let app: Router = routes(&house.rescind);
        let pair = house.sign_in("alice").await;
        house.wait(Duration::from_mins(16)).await;
        assert!(!house.passes(&pair.access_token).await, "expired");
        for ended in [1, 0] {
            let reply = log_out(&app, &pair.access_token, "").await;
            assert_eq!((reply.status, &reply.json()["ended"]), (200, &ended.into()));
        }
        assert_eq!(refresh(&app, &pair.refresh_token).await.status, 400);
    }
}

#[tokio::test]
async fn nobody_is_logged_out_by_a_bad_token_or_none_or_an_unknown_scope() {
    let house = House::new().await;
    let app: Router = routes(&house.rescind);
    let pair = house.sign_in("alice").await;
    for bad in ["a.b.c", "rrt_AAAA", "x"] {
        let reply = log_out(&app, bad, "").await;
        assert_eq!((reply.status, reply.error().as_str()), (401, "invalid_token"));
        assert!(reply.text("www-authenticate").contains("error=\"invalid_token\""));
    }
    let none = send(&app, "POST", "/logout", &[], "").await;
    assert_eq!((none.status, none.text("www-authenticate")), (401, "Bearer realm=\"rescind\""));
    assert_eq!(log_out(&app, &pair.access_token, r#"{"scope":"everything"}"#).await.status, 400);
    for (method, path) in [("GET", "/logout"), ("GET", "/refresh"), ("PUT", "/sessions"), ("POST", "/sessions/x")] {
        let reply = send(&app, method, path, &[("authorization", &bearer(&pair.access_token))], "").await;
        assert_eq!(reply.status, 405, "{method} {path}");
        assert_eq!(send(&app, method, path, &[], "").await.status, 405, "{method} {path}: whoever asks");
    }
    assert!(house.passes(&pair.access_token).await);
}

#[tokio::test]
async fn a_user_sees_and_ends_own_sessions_and_nobody_elses() {
    for house in House::each().await {
        let app: Router = routes(&house.rescind);
        let mut there = OpenSession::new(Subject::new("alice").unwrap(), ClientId::new("app").unwrap());
        there.class = ClientClass::Native;
        there.device = Some("phone".to_owned());
        let (there, here, other) = (house.open(there).await, house.sign_in("alice").await, house.sign_in("bob").await);
        let authorization = bearer(&here.access_token);
        let mine = [("authorization", authorization.as_str())];
        let list = send(&app, "GET", "/sessions", &mine, "").await;
        assert_eq!((list.status, list.text("cache-control")), (200, "no-store"));
        let listed = list.json()["sessions"].as_array().unwrap().clone();
        let seen: Vec<_> =
            listed.iter().map(|it| (text(&it["session_id"]).to_owned(), it["current"] == true)).collect();
        assert_eq!(seen.len(), 2);
        assert!(seen.contains(&(here.session_id.to_string(), true)));
        assert!(seen.contains(&(there.session_id.to_string(), false)));
        assert!(listed.iter().any(|it| it["device"] == "phone" && it["client_id"] == "app"));

        let end = async |sid: &str| send(&app, "DELETE", &format!("/sessions/{sid}"), &mine, "").await;
        for unknown in [&other.session_id.to_string(), "0198c0de-0000-7000-8000-00000000abcd", "x", "%2e%2e"] {
            let reply = end(unknown).await;
            assert_eq!((reply.status, reply.error().as_str()), (404, "not_found"), "{unknown}");
        }
        assert_eq!(end("%ff").await.status, 400);
        assert!(house.passes(&other.access_token).await);
        for ended in [1, 0] {
            let reply = end(&there.session_id.to_string()).await;
            assert_eq!((reply.status, &reply.json()["ended"]), (200, &ended.into()));
        }
        assert!(!house.passes(&there.access_token).await && house.passes(&here.access_token).await);
        for token in [None, Some(&there.access_token), Some(&here.refresh_token)] {
            let authorization = token.map(|token| bearer(token)).unwrap_or_default();
            let headers = [("authorization", authorization.as_str())];
            let headers = if token.is_some() { &headers[..] } else { &[] };
            for (method, path) in
                [("GET", "/sessions".to_owned()), ("DELETE", format!("/sessions/{}", here.session_id))]
            {
                assert_eq!(send(&app, method, &path, headers, "").await.status, 401, "{method}");
            }
        }
        assert!(house.passes(&here.access_token).await);
    }
}

#[tokio::test]
async fn the_routes_are_nested_under_any_path_of_an_application_with_a_state_of_its_own() {
    let house = House::new().await;
    let app = Router::new()
        .route("/name", get(async |State(name): State<&'static str>| name))
        .nest("/auth", routes(&house.rescind))
        .nest("/of/{tenant}/{sid}", Routes::new(&house.rescind).without_refresh().into_router())
        .with_state("own");
    assert_eq!(send(&app, "GET", "/name", &[], "").await.body, "own");
    let (pair, other) = (house.sign_in("alice").await, house.sign_in("alice").await);
    let form = format!("refresh_token={}", pair.refresh_token);
    assert_eq!(send(&app, "POST", "/auth/refresh", &[FORM], form.clone()).await.status, 200);
    assert_eq!(send(&app, "POST", "/refresh", &[FORM], form.clone()).await.status, 404);
    assert_eq!(send(&app, "POST", "/of/x/y/refresh", &[FORM], form).await.status, 404);
    let mine = [("authorization", &*bearer(&pair.access_token))];
    let path = format!("/of/x/{}/sessions/{}", pair.session_id, other.session_id);
    let reply = send(&app, "DELETE", &path, &mine, "").await;
    assert_eq!((reply.status, reply.json()["session_id"].clone()), (200, other.session_id.to_string().into()));
    assert!(house.passes(&pair.access_token).await && !house.passes(&other.access_token).await);
}

// holds: R22
#[tokio::test]
async fn a_store_that_is_down_is_503_on_every_route_and_nothing_is_spent_or_ended() {
    for house in House::each().await {
        let app: Router = routes(&house.rescind);
        let (pair, other) = (house.sign_in("alice").await, house.sign_in("alice").await);
        let authorization = bearer(&pair.access_token);
        let mine = [("authorization", authorization.as_str())];
        let end = format!("/sessions/{}", other.session_id);
        house.store.down();
        let replies = [
            refresh(&app, &pair.refresh_token).await,
            log_out(&app, &pair.access_token, r#"{"scope":"all"}"#).await,
            send(&app, "GET", "/sessions", &mine, "").await,
            send(&app, "DELETE", &end, &mine, "").await,
        ];
        for reply in replies {
            assert_eq!((reply.status, reply.error().as_str()), (503, "temporarily_unavailable"), "{}", reply.body);
            assert!(!reply.text("retry-after").is_empty() && reply.text("www-authenticate").is_empty());
            assert!(!reply.body.contains("expired"), "nothing is said about the token");
        }
        house.store.up();
        assert!(house.passes(&pair.access_token).await && house.passes(&other.access_token).await);
        assert_eq!(refresh(&app, &pair.refresh_token).await.status, 200);
        assert_eq!(send(&app, "DELETE", &end, &mine, "").await.json()["ended"], 1);
        assert_eq!(log_out(&app, &pair.access_token, "").await.json()["ended"], 1);
    }
}

#[tokio::test]
async fn refusals_of_every_route_are_reshaped_by_one_layer() {
    let house = House::new().await;
    let in_our_words =
        |refusal: &Refusal, answer: Response| (answer.status(), format!("{}!", refusal.reason())).into_response();
    let app: Router = routes(&house.rescind).layer(Reshape::new(in_our_words));
    let pair = house.sign_in("alice").await;
    let mine = [("authorization", &*bearer(&pair.access_token))];
    assert_eq!(refresh(&app, "x").await.body, "not_refresh_token!");
    assert_eq!(send(&app, "POST", "/refresh", &[], "").await.body, "no_refresh_token!");
    assert_eq!(send(&app, "POST", "/refresh", &[JSON], "[]").await.body, "unreadable!");
    assert_eq!(log_out(&app, "a.b", "").await.body, "wrong_part_count!");
    assert_eq!(send(&app, "POST", "/logout", &[], "").await.body, "missing!");
    assert_eq!(send(&app, "GET", "/sessions", &[], "").await.body, "missing!");
    assert_eq!(send(&app, "DELETE", "/sessions/x", &mine, "").await.body, "not_found!");
    house.store.down();
    assert_eq!(refresh(&app, &pair.refresh_token).await.body, "unavailable!");
    house.store.up();
    assert!(log_out(&app, &pair.access_token, "").await.body.starts_with('{'), "a success is left as it is");
}
