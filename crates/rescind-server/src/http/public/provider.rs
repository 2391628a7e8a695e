//! `GET /login/{provider}`, `GET /login/{provider}/callback`, `POST /login/{provider}/logout`: sign-in at an OpenID
//! provider, and the provider's own logout. Owns what is done with somebody whom a provider vouches for; what is checked
//! about them is `rescind_axum::oidc`'s.

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, RawQuery, Request, State};
use axum::response::{IntoResponse, Redirect, Response};
use http::header::{ACCEPT, CACHE_CONTROL, RETRY_AFTER, SET_COOKIE};
use http::{HeaderMap, HeaderValue, StatusCode};
use rescind::id::ClientId;
use rescind::{Error, OpenSession, TokenPair};
use rescind_axum::Cookies;
use rescind_axum::oidc::{Finished, Identity, LogoutError, Providers, SignInError, SignInFault};
use tracing::{info, warn};

use super::{home, login, provider_former as former};
use crate::app::App;
use crate::http::body::Form;
use crate::http::error::{Answer, Failure};
use crate::http::openapi::answers;
use crate::http::openapi::shapes;
use crate::http::segment::Segment;
use crate::http::{body, forwarded, token_pair};
use crate::pages::{ArrivedPage, NotSignedInPage};
use crate::users::{Account, Added, Attempt, Email, Standing, UserError};

/// RFC 5321 §4.5.3.1.3; a longer one is not kept. **Units:** bytes.
const ADDRESS_LIMIT: usize = 254;
const NO_SUCH: &str = "there is no sign-in with a provider of this name";

/// Sends the browser to the provider, where the person asked for it on a page of ours. `?return_to=/path` says where on
/// this site it goes on afterwards.
#[utoipa::path(
    get,
    path = "/login/{provider}",
    operation_id = "begin_sign_in",
    tag = "sign-in",
    params(
        ("provider" = String, Path, description = "The provider's name in the configuration."),
        ("return_to" = Option<String>, Query, description = "Where on this site it goes on.")
    ),
    security(()),
    responses(
        (status = 303, description = "To the provider; or to the sign-in page, where another site sent the browser.", headers(("location" = String, description = "Where to."), ("set-cookie" = String, description = "Where a browser's cookies are set or cleared."))),
        answers::NotSent
    )
)]
pub(super) async fn begin(
    State(app): State<App>,
    Segment(name): Segment,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let Some(providers) = providers(&app, &name) else { return unknown(&headers) };
    if !is_persons_word(&headers) {
        return Redirect::to("/login").into_response();
    }
    let form = match Form::parse(query.unwrap_or_default().as_bytes()) {
        Ok(form) => form,
        Err(error) => return dressed(&headers, error.into()),
    };
    match providers.begin(&name, form.get("return_to")).await {
        Ok(begun) => {
            let mut response = begun.respond(&headers);
            former::keep(&app.rescind, &headers, response.headers_mut());
            response
        }
        Err(error) => refused(&headers, &error),
    }
}

/// OWASP ASVS 7.6.2: what another site's link, redirect, frame or picture asks for is not. A browser says which it is.
fn is_persons_word(headers: &HeaderMap) -> bool {
    let from_elsewhere = headers.get("sec-fetch-site").is_some_and(|site| site == "cross-site");
    !from_elsewhere && headers.get("sec-fetch-dest").is_none_or(|what| what == "document")
}

/// Takes the person in who comes back from the provider.
#[utoipa::path(
    get,
    path = "/login/{provider}/callback",
    operation_id = "end_sign_in",
    tag = "sign-in",
    params(
        ("provider" = String, Path, description = "The provider's name in the configuration."),
        ("state" = Option<String>, Query),
        ("code" = Option<String>, Query),
        ("iss" = Option<String>, Query, description = "RFC 9207."),
        ("error" = Option<String>, Query)
    ),
    security(()),
    responses(
        (status = 200, description = "Signed in: a page that leads on, with the tokens in cookies.", body = String, content_type = "text/html", headers(("set-cookie" = String, description = "Where a browser's cookies are set or cleared."))),
        answers::NotSent,
        answers::NotLetIn
    )
)]
pub(super) async fn callback(
    State(app): State<App>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    Segment(name): Segment,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let Some(providers) = providers(&app, &name) else { return unknown(&headers) };
    let client = forwarded::client(peer.ip(), &headers, &app.config.trusted_proxies);
    let attempt = Attempt::at_a_provider(client);
    if let Err(wait) = app.throttle.admit(attempt) {
        warn!(%client, "sign-in with a provider refused: too many failures of the address");
        count(&name, "throttled");
        return dressed(&headers, Failure::too_many("too many failed tries; wait a little, then try again", wait));
    }
    let (error, clear_cookie) = match providers.finish(Some(&name), &query.unwrap_or_default(), &headers).await {
        Err(error) => (error, None),
        Ok(finished) => match come_in(&app, providers, &finished.identity, &headers).await {
            Err(error) => (error, Some(finished.clear_cookie)),
            Ok(pair) => {
                app.throttle.give_back(attempt);
                info!(%client, session = %pair.session_id, provider = name, "signed in");
                count(&name, "opened");
                return arrived(&app, finished, &pair, &headers).await;
            }
        },
    };
    if !is_guess(&error) {
        app.throttle.give_back(attempt);
    }
    count(&name, error.reason());
    let mut response = refused(&headers, &error);
    response.headers_mut().extend(clear_cookie.map(|cookie| (SET_COOKIE, cookie)));
    former::forget(response.headers_mut());
    response
}

/// Whether it counts as a failure of the caller's. What failed through our fault or was cancelled does not. Neither does a
/// callback that this browser has not begun: it costs nothing, and a picture on another site's page can ask for any number.
fn is_guess(error: &SignInError) -> bool {
    let free = matches!(error.fault(), SignInFault::Denied | SignInFault::ForeignState | SignInFault::BadCallback);
    error.status().is_client_error() && !free
}

/// Ends what the provider's logout token names, before it is answered. OpenID Connect Back-Channel Logout 1.0 §2.8.
#[utoipa::path(
    post,
    path = "/login/{provider}/logout",
    operation_id = "back_channel_logout",
    tag = "sign-in",
    params(
        ("provider" = String, Path, description = "The provider's name in the configuration.")
    ),
    request_body(content = shapes::LogoutTokenForm, content_type = "application/x-www-form-urlencoded"),
    security(()),
    responses(
        (status = 200, description = "The sessions are ended, durably.", headers(("cache-control" = String, description = "`no-store`"))),
        answers::Body,
        answers::NotFound,
        answers::Unavailable
    )
)]
pub(super) async fn logout(State(app): State<App>, Segment(name): Segment, request: Request) -> Answer {
    let providers = providers(&app, &name).ok_or(LogoutError::UnknownProvider)?;
    let (_, form) = body::form(request, &app).await?;
    let token = form.require("logout_token")?;
    let ended = providers.back_channel_logout(&name, token).await;
    let result = ended.as_ref().map_or_else(LogoutError::reason, |_| "ended");
    metrics::counter!("rescind_provider_logouts_total", "provider" => name, "result" => result).increment(1);
    ended?;
    Ok(([(CACHE_CONTROL, "no-store")], StatusCode::OK).into_response())
}

/// Opens the session of somebody whom the provider vouches for. The record comes first, so that whoever may come in can
/// be kept out.
async fn come_in(
    app: &App,
    providers: &Providers,
    who: &Identity,
    headers: &HeaderMap,
) -> Result<TokenPair, SignInError> {
    let look_up = |error: UserError| SignInFault::Admission(error.into());
    let email = who.email.as_ref().filter(|it| it.address.len() <= ADDRESS_LIMIT);
    let email = email.map(|it| Email { address: it.address.clone(), verified: it.verified });
    let (issuer, subject) = (who.issuer.clone(), who.subject.clone());
    let seen = Account { issuer, subject, email, added: Added::SignIn };
    let Some(user) = app.users.arrived(&who.account(), seen).await.map_err(look_up)? else {
        return Err(SignInFault::NotAdmitted.into());
    };
    let client = ClientId::new(login::CLIENT).map_err(|error| failed(Error::Internal(error.into())))?;
    let session = OpenSession {
        class: app.config.clients.class(client.as_str()),
        auth_time: who.auth_time,
        device: login::device(headers),
        ..OpenSession::new(user.subject, client)
    };
    let pair = providers.open_session(who, session).await?;
    // Asked behind the session's opening: the cut-off of a disabling lies before it, where that came meanwhile.
    if app.users.standing(&who.account()).await.map_err(look_up)? == Standing::ShutOut {
        login::take_back(app, &pair).await.map_err(failed)?;
        return Err(SignInFault::NotAdmitted.into());
    }
    Ok(pair)
}

fn failed(error: Error) -> SignInError {
    SignInFault::Rescind(error).into()
}

/// Gives the pair out. OWASP ASVS 7.2.4: whoever signs in over an old session leaves it behind.
async fn arrived(app: &App, finished: Finished, pair: &TokenPair, headers: &HeaderMap) -> Response {
    match landed(finished, pair) {
        Ok(response) => {
            if let Some(former) = former::taken(&app.rescind, headers) {
                login::end_former_session(app, &former).await;
            }
            response
        }
        Err(failure) => {
            if let Err(error) = login::take_back(app, pair).await {
                warn!(%error, "a session that nobody was given was not ended");
            }
            dressed(headers, failure)
        }
    }
}

fn landed(finished: Finished, pair: &TokenPair) -> Answer {
    let to = finished.return_to.as_deref().unwrap_or("/");
    let mut response = home::render(StatusCode::OK, &ArrivedPage { to })?;
    let answer = response.headers_mut();
    Cookies::new().set(answer, pair)?;
    answer.append(SET_COOKIE, finished.clear_cookie);
    former::forget(answer);
    token_pair::never_stored(&mut response);
    Ok(response)
}

fn refused(headers: &HeaderMap, error: &SignInError) -> Response {
    let code = match error.status() {
        StatusCode::NOT_FOUND => "not_found",
        StatusCode::FORBIDDEN => "access_denied",
        StatusCode::SERVICE_UNAVAILABLE => "temporarily_unavailable",
        status if status.is_server_error() => "server_error",
        _ => "invalid_request",
    };
    let failure = Failure::new(error.status(), code, error.public());
    let failure = match error.retry_after() {
        Some(wait) => failure.with(RETRY_AFTER, HeaderValue::from(wait.as_secs())),
        None => failure,
    };
    let mut response = dressed(headers, failure.named(error.reason()));
    response.headers_mut().extend(error.clear_cookie().map(|cookie| (SET_COOKIE, cookie.clone())));
    response
}

fn unknown(headers: &HeaderMap) -> Response {
    dressed(headers, Failure::not_found(NO_SUCH))
}

/// A page for who asks for one, JSON for everybody else.
fn dressed(headers: &HeaderMap, failure: Failure) -> Response {
    let accept = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    if !accept.contains("text/html") {
        return failure.into_response();
    }
    match home::render(failure.status(), &NotSignedInPage { message: &sentence(failure.description()) }) {
        Ok(page) => failure.dressed_as(page),
        Err(failure) => failure.into_response(),
    }
}

fn sentence(words: &str) -> String {
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).chain(['.']).collect())
}

/// The providers, where this name is one's. Any other is a stranger's word, and not to be counted under.
fn providers<'a>(app: &'a App, name: &str) -> Option<&'a Providers> {
    app.providers.as_ref().filter(|providers| providers.names().any(|known| known == name))
}

fn count(name: &str, result: &'static str) {
    metrics::counter!("rescind_provider_sign_ins_total", "provider" => name.to_owned(), "result" => result)
        .increment(1);
}

impl From<LogoutError> for Failure {
    fn from(error: LogoutError) -> Self {
        let wait = error.retry_after();
        match error {
            LogoutError::UnknownProvider => Self::not_found(NO_SUCH),
            LogoutError::Rescind(error) => error.into(),
            error => match wait {
                Some(wait) => Self::unavailable("the provider's keys cannot be had; send the token again", wait),
                None => Self::invalid_request("the logout token is refused").named(error.reason()),
            },
        }
    }
}
