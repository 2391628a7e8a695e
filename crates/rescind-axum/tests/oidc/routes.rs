//! The ready-made routes, as a browser and a provider ask them.
#![cfg(test)]

use axum::body::{Body, to_bytes};
use axum::response::{IntoResponse, Redirect, Response};
use axum::{Json, Router};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, LOCATION, RETRY_AFTER, SET_COOKIE};
use http::{HeaderMap, Request, StatusCode};
use rescind_axum::Cookies;
use rescind_axum::oidc::{Finished, Providers, routes};
use tower::ServiceExt;
use url::{Url, form_urlencoded};

use crate::provider::{Answer, get};
use crate::stage::{Stage, opening};

fn app(providers: &Providers) -> Router {
    let opener = providers.clone();
    routes(providers, move |finished: Finished, headers: HeaderMap| {
        let providers = opener.clone();
        async move {
            match providers.open_session(&finished.identity, opening(&finished.identity)).await {
                Ok(pair) => Json(pair).into_response(),
                Err(error) => error.respond(&headers),
            }
        }
    })
}

async fn ask(app: &Router, request: Request<Body>) -> Response {
    app.clone().oneshot(request).await.unwrap()
}

async fn text(response: Response) -> String {
    String::from_utf8(to_bytes(response.into_body(), 100_000).await.unwrap().to_vec()).unwrap()
}

fn logout(form: &[(&str, &str)]) -> Request<Body> {
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    Request::post("/login/idp/logout")
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Body::from(body))
        .unwrap()
}

#[tokio::test]
async fn a_browser_signs_in_and_the_provider_signs_it_out() {
    let stage = Stage::new().await;
    let app = app(&stage.providers);
    let sent = ask(
        &app,
        get("/login/idp?return_to=/home", &[("sec-fetch-dest", "document"), ("sec-fetch-site", "same-origin")]),
    )
    .await;
    assert_eq!((sent.status(), &sent.headers()[CACHE_CONTROL]), (StatusCode::SEE_OTHER, &"no-store".parse().unwrap()));
    let location = Url::parse(sent.headers()[LOCATION].to_str().unwrap()).unwrap();
    let cookie = sent.headers()[SET_COOKIE].to_str().unwrap().split(';').next().unwrap().to_owned();
    let callback = format!("/login/idp/callback?{}", stage.idp.authorize(&location));
    let back = ask(&app, get(&callback, &[("cookie", &cookie)])).await;
    assert_eq!(back.status(), StatusCode::OK);
    assert!(back.headers()[SET_COOKIE].to_str().unwrap().contains("Max-Age=0"));
    assert_eq!(back.headers()[CACHE_CONTROL], "no-store");
    let pair: serde_json::Value = serde_json::from_str(&text(back).await).unwrap();
    let token = pair["access_token"].as_str().unwrap();
    assert!(stage.rescind.check(token).await.is_ok());

    let done = ask(&app, logout(&[("logout_token", &stage.idp.logout_token(|_, _| {}))])).await;
    assert_eq!((done.status(), &done.headers()[CACHE_CONTROL]), (StatusCode::OK, &"no-store".parse().unwrap()));
    assert!(stage.rescind.check(token).await.is_err());
}

#[tokio::test]
async fn a_failure_is_a_page_for_a_browser_and_json_for_others() {
    let stage = Stage::new().await;
    let app = app(&stage.providers);
    let page = ask(&app, get("/login/idp/callback?code=a&state=b", &[("accept", "text/html,*/*")])).await;
    assert_eq!(
        (page.status(), &page.headers()[CONTENT_TYPE]),
        (StatusCode::BAD_REQUEST, &"text/html; charset=utf-8".parse().unwrap())
    );
    assert!(text(page).await.contains("begin it again"));
    let json = ask(&app, get("/login/idp/callback?code=a&state=b", &[])).await;
    let body: serde_json::Value = serde_json::from_str(&text(json).await).unwrap();
    assert_eq!(body["error"], "invalid_request");
    assert_eq!(ask(&app, get("/login/nobody", &[])).await.status(), StatusCode::NOT_FOUND);

    stage.idp.answer("discovery", Answer::Status(500));
    let down = ask(&app, get("/login/idp", &[])).await;
    assert_eq!(
        (down.status(), &down.headers()[RETRY_AFTER]),
        (StatusCode::SERVICE_UNAVAILABLE, &"10".parse().unwrap())
    );
}

#[tokio::test]
async fn a_failure_after_the_code_was_spent_takes_the_cookie_away() {
    let stage = Stage::new().await;
    let app = app(&stage.providers);
    stage.idp.change_claims(|claims| claims["nonce"] = "other".into());
    let (query, browser) = stage.agree().await;
    let cookie = browser.values().next().unwrap().to_str().unwrap();
    let refused = ask(&app, get(&format!("/login/idp/callback?{query}"), &[("cookie", cookie)])).await;
    assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
    assert!(refused.headers()[SET_COOKIE].to_str().unwrap().contains("Max-Age=0"));
}

/// Behind a redirect a browser would keep the new cookies to itself: the chain began at the provider.
#[tokio::test]
async fn whoever_is_sent_on_with_cookies_gets_them_on_a_page_that_goes_on_by_itself() {
    let stage = Stage::new().await;
    let opener = stage.providers.clone();
    let app: Router = routes(&stage.providers, move |finished: Finished, headers: HeaderMap| {
        let providers = opener.clone();
        async move {
            let to = finished.return_to.clone().unwrap_or_default();
            match providers.open_session(&finished.identity, opening(&finished.identity)).await {
                Ok(pair) => {
                    let mut answer = Redirect::to(&to).into_response();
                    Cookies::new().set(answer.headers_mut(), &pair).unwrap();
                    answer
                }
                Err(error) => error.respond(&headers),
            }
        }
    });
    let (query, browser) = stage.agree().await;
    let cookie = browser.values().next().unwrap().to_str().unwrap();
    let back = ask(&app, get(&format!("/login/idp/callback?{query}"), &[("cookie", cookie)])).await;
    assert_eq!((back.status(), back.headers().get(LOCATION)), (StatusCode::OK, None));
    let set: Vec<_> = back.headers().get_all(SET_COOKIE).iter().map(|it| it.to_str().unwrap()).collect();
    assert!(set[0].contains("SameSite=Strict") && set[1].contains("SameSite=Strict"), "{set:?}");
    assert!(set[2].contains("Max-Age=0") && set.len() == 3, "{set:?}");
    assert!(text(back).await.contains("<meta http-equiv=\"refresh\" content=\"0; url=/home\">"));
}

/// STANDARDS 95; an open redirector is none.
#[tokio::test]
async fn a_sign_in_begins_by_opening_its_page_and_returns_to_this_site() {
    let stage = Stage::new().await;
    let app = app(&stage.providers);
    for destination in ["image", "iframe", "empty", "script"] {
        let asked = ask(&app, get("/login/idp", &[("sec-fetch-dest", destination)])).await;
        assert_eq!(asked.status(), StatusCode::BAD_REQUEST, "{destination}");
    }
    let elsewhere = [("sec-fetch-dest", "document"), ("sec-fetch-site", "cross-site")];
    assert_eq!(ask(&app, get("/login/idp", &elsewhere)).await.status(), StatusCode::BAD_REQUEST);
    for query in
        ["return_to=//evil.example", "return_to=https://evil.example", "return_to=/a&return_to=/b", "return_to="]
    {
        assert_eq!(
            ask(&app, get(&format!("/login/idp?{query}"), &[])).await.status(),
            StatusCode::BAD_REQUEST,
            "{query}"
        );
    }
}

/// STANDARDS 97, 102.
// holds: 97
#[tokio::test]
async fn a_logout_is_a_form_with_one_token() {
    let stage = Stage::new().await;
    let app = app(&stage.providers);
    let token = stage.idp.logout_token(|_, _| {});
    let no_form =
        Request::post("/login/idp/logout").header(CONTENT_TYPE, "application/json").body(Body::from(token.clone()));
    let long = "x".repeat(20_000);
    for (request, status) in [
        (logout(&[]), 400),
        (logout(&[("logout_token", &token), ("logout_token", &token)]), 400),
        (logout(&[("token", &token)]), 400),
        (logout(&[("logout_token", "nonsense")]), 400),
        (logout(&[("logout_token", &long)]), 400),
        (logout(&[("logout_token", &"x".repeat(70_000))]), 413),
        (no_form.unwrap(), 400),
        (get(&format!("/login/idp/logout?logout_token={token}"), &[]), 405),
        (logout(&[("logout_token", &token)]), 200),
        (logout(&[("logout_token", &token)]), 400),
    ] {
        let answer = ask(&app, request).await;
        assert_eq!(answer.status().as_u16(), status);
        if status == 400 {
            assert_eq!(answer.headers()[CACHE_CONTROL], "no-store");
            assert!(text(answer).await.starts_with("{\"error\":\"invalid_request\""));
        }
    }
}

#[tokio::test]
async fn too_many_sign_ins_of_one_browser_are_cleared() {
    let stage = Stage::new().await;
    let app = app(&stage.providers);
    let mut jar = Vec::new();
    for _ in 0..10 {
        jar.push(stage.agree().await.1.values().next().unwrap().to_str().unwrap().to_owned());
    }
    let sent = ask(&app, get("/login/idp", &[("cookie", &jar.join("; "))])).await;
    let cleared =
        sent.headers().get_all(SET_COOKIE).iter().filter(|it| it.to_str().unwrap().contains("Max-Age=0")).count();
    assert_eq!(cleared, 3, "seven and the new one stay");
}
