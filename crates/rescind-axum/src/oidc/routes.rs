//! The routes of a sign-in with providers, ready-made. Owns their paths and what of a request is read; what becomes of
//! whoever has signed in is the application's matter.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, RawQuery, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, REFERRER_POLICY, RETRY_AFTER, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use url::form_urlencoded;

use super::arrived::page_for_redirect;
use super::back_channel::LogoutError;
use super::callback::Finished;
use super::error::{SignInError, SignInFault};
use super::providers::Providers;

/// Longest body of a logout: a token of 16 KiB, and room for its encoding.
const BODY_MAX: usize = 64 * 1024;

/// `GET /login/{provider}` (with `?return_to=/path`), `GET /login/{provider}/callback`, and `POST
/// /login/{provider}/logout` for the provider's back-channel logout.
///
/// `signed_in` answers for whoever has signed in; as a rule it opens a session with
/// [`Providers::open_session`] and gives out the pair. [`SignInError::respond`] answers where that fails. The spent
/// sign-in is taken out of the browser here, and a redirect becomes a page that goes there by itself: a browser sends
/// cookies that are SameSite=Strict, as those of [`Cookies`](crate::Cookies) are, to no place that the provider's redirect
/// leads on to.
pub fn routes<S, F, A, R>(providers: &Providers, signed_in: F) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
    F: Fn(Finished, HeaderMap) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = R> + Send,
    R: IntoResponse,
{
    let callback = move |State(providers): State<Providers>,
                         Path(name): Path<String>,
                         RawQuery(query): RawQuery,
                         headers: HeaderMap| async move {
        match providers.finish(Some(&name), query.as_deref().unwrap_or_default(), &headers).await {
            Ok(finished) => {
                let clear_cookie = finished.clear_cookie.clone();
                let answer = page_for_redirect(signed_in(finished, headers).await.into_response());
                taken_out(answer, clear_cookie)
            }
            Err(error) => error.respond(&headers),
        }
    };
    Router::new()
        .route("/login/{provider}", get(begin))
        .route("/login/{provider}/callback", get(callback))
        .route("/login/{provider}/logout", post(log_out).layer(DefaultBodyLimit::max(BODY_MAX)))
        .with_state(providers.clone())
}

async fn begin(
    State(providers): State<Providers>,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let return_to = match by_navigation(&headers).and_then(|()| return_to(query.as_deref().unwrap_or_default())) {
        Ok(return_to) => return_to,
        Err(fault) => return SignInError::from(fault).respond(&headers),
    };
    match providers.begin(&name, return_to.as_deref()).await {
        Ok(begun) => begun.respond(&headers),
        Err(error) => error.respond(&headers),
    }
}

/// OWASP ASVS 7.6.2: a sign-in begins by an act of the user on this site. Browsers say what asks; others have no cookies
/// to protect.
fn by_navigation(headers: &HeaderMap) -> Result<(), SignInFault> {
    let says = |name: &str, word: &str| headers.get(name).is_some_and(|value| value == word);
    let elsewhere = says("sec-fetch-site", "cross-site");
    let within_a_page = headers.contains_key("sec-fetch-dest") && !says("sec-fetch-dest", "document");
    if elsewhere || within_a_page { Err(SignInFault::NotByNavigation) } else { Ok(()) }
}

fn return_to(query: &str) -> Result<Option<String>, SignInFault> {
    let mut found = form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name == "return_to");
    let return_to = found.next().map(|(_, path)| path.into_owned());
    if found.next().is_some() { Err(SignInFault::BadReturnTo) } else { Ok(return_to) }
}

/// The callback's URL has a code in it, which is spent: it is kept nowhere and told to nobody.
fn taken_out(mut response: Response, clear_cookie: HeaderValue) -> Response {
    let headers = response.headers_mut();
    headers.append(SET_COOKIE, clear_cookie);
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.entry(REFERRER_POLICY).or_insert(HeaderValue::from_static("no-referrer"));
    response
}

/// OpenID Connect Back-Channel Logout §2.5, §2.8.
async fn log_out(
    State(providers): State<Providers>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let done = match logout_token(&headers, &body) {
        Ok(token) => providers.back_channel_logout(&name, &token).await,
        Err(error) => Err(error),
    };
    match done {
        Ok(_) => (StatusCode::OK, [(CACHE_CONTROL, HeaderValue::from_static("no-store"))]).into_response(),
        Err(error) => error.into_response(),
    }
}

fn logout_token(headers: &HeaderMap, body: &[u8]) -> Result<String, LogoutError> {
    let media_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let form = media_type.split(';').next().unwrap_or_default().trim();
    if !form.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Err(LogoutError::BadRequest);
    }
    let mut tokens = form_urlencoded::parse(body).filter(|(name, _)| name == "logout_token");
    match (tokens.next(), tokens.next()) {
        (Some((_, token)), None) => Ok(token.into_owned()),
        _ => Err(LogoutError::BadRequest),
    }
}

impl IntoResponse for LogoutError {
    fn into_response(self) -> Response {
        let (code, text) = match self.status() {
            StatusCode::NOT_FOUND => ("invalid_request", "there is no provider of this name"),
            StatusCode::BAD_REQUEST => ("invalid_request", "the logout token is refused"),
            _ => ("temporarily_unavailable", "nothing is known to have ended; send the token again"),
        };
        let body = format!("{{\"error\":\"{code}\",\"error_description\":\"{text}\"}}");
        let mut response = (self.status(), body).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(after) = self.retry_after() {
            headers.insert(RETRY_AFTER, HeaderValue::from(after.as_secs()));
        }
        response
    }
}
