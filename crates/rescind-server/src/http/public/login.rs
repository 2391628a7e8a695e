//! `GET /login`, `POST /login`: the sign-in page, and the sign-in by form (cookies) or JSON (token pair). Owns who is
//! let try, and that a wrong name and a wrong password look and last the same. Knows no hash.

use std::net::{IpAddr, SocketAddr};

use axum::extract::{ConnectInfo, FromRequest, Request, State};
use axum::response::{IntoResponse, Redirect};
use http::header::{USER_AGENT, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, StatusCode};
use rescind::id::ClientId;
use rescind::log::{Scope, Text};
use rescind::{Error, LogoutScope, OpenSession, Revoke, TokenPair};
use rescind_axum::cookies::{self, Cookies};
use serde::Deserialize;
use tracing::{info, warn};
use utoipa::ToSchema;
use zeroize::Zeroizing;

use super::home;
use crate::app::App;
use crate::http::body::{self, Form, Kind, StrictJson};
use crate::http::error::{Answer, Failure};
use crate::http::forwarded;
use crate::http::openapi::answers;
use crate::http::openapi::shapes;
use crate::http::token_pair;
use crate::pages::LoginPage;
use crate::users::{Attempt, UserError};

/// The client of a sign-in that names none.
pub(super) const CLIENT: &str = "rescind";
/// What a list of devices shows has at most so many characters.
const DEVICE_LIMIT: usize = 200;

/// A sign-in by JSON, which is answered with tokens.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SignIn {
    username: String,
    #[schema(value_type = String)]
    password: Zeroizing<String>,
    client_id: Option<String>,
    device: Option<String>,
}

/// The sign-in page.
#[utoipa::path(
    get,
    path = "/login",
    operation_id = "login_page",
    tag = "pages",
    security(()),
    responses(
        (status = 200, description = "The page.", body = String, content_type = "text/html", headers(("cache-control" = String, description = "`no-cache`"))),
        answers::Unavailable
    )
)]
pub(super) async fn page(State(app): State<App>) -> Answer {
    home::render(StatusCode::OK, &LoginPage { message: "", username: "", offers: &app.offers })
}

/// Signs in.
#[utoipa::path(
    post,
    path = "/login",
    operation_id = "sign_in",
    tag = "sign-in",
    request_body(content((SignIn = "application/json"), (shapes::SignInForm = "application/x-www-form-urlencoded"))),
    security(()),
    responses(
        (status = 200, description = "Signed in by JSON: the tokens.", body = shapes::TokenPairJson),
        (status = 303, description = "Signed in by form: on to the home page, with the tokens in cookies.", headers(("location" = String, description = "Where to."), ("set-cookie" = String, description = "Where a browser's cookies are set or cleared."), ("cache-control" = String, description = "`no-store`"))),
        answers::NotSignedIn
    )
)]
pub(super) async fn submit(
    State(app): State<App>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
) -> Answer {
    let client = forwarded::client(peer.ip(), request.headers(), &app.config.trusted_proxies);
    match body::kind(request.headers())? {
        Some(Kind::Json) => {
            let agent = device(request.headers());
            let StrictJson(sign_in) = StrictJson::from_request(request, &app).await?;
            open(&app, client, sign_in, agent).await.map(token_pair::in_body)
        }
        Some(Kind::Form) => by_form(&app, client, request).await,
        None => Err(Failure::invalid_request("Content-Type is missing; send application/json or a form")),
    }
}

async fn by_form(app: &App, from: IpAddr, request: Request) -> Answer {
    let (parts, content) = request.into_parts();
    let form = Form::parse(&body::read(content, app).await?)?;
    let username = form.get("username").unwrap_or("").to_owned();
    let sign_in = SignIn {
        username: username.clone(),
        password: Zeroizing::new(form.get("password").unwrap_or("").to_owned()),
        client_id: None,
        device: None,
    };
    match open(app, from, sign_in, device(&parts.headers)).await {
        Ok(pair) => {
            end_former(app, &parts.headers).await;
            let mut response = Redirect::to("/").into_response();
            Cookies::new().set(response.headers_mut(), &pair)?;
            token_pair::never_stored(&mut response);
            Ok(response)
        }
        Err(failure) => {
            let message = match failure.status() {
                StatusCode::UNAUTHORIZED => "The name or the password is wrong.",
                StatusCode::TOO_MANY_REQUESTS => "Too many failed tries. Wait a little, then try again.",
                StatusCode::SERVICE_UNAVAILABLE => "Signing in is not possible at the moment. Try again soon.",
                _ => "The name or the password cannot be read.",
            };
            let page =
                home::render(failure.status(), &LoginPage { message, username: &username, offers: &app.offers })?;
            Ok(failure.dressed_as(page))
        }
    }
}

/// OWASP ASVS 7.2.4: whoever signs in over an old session leaves it behind. It may be dead already, so no answer counts.
async fn end_former(app: &App, headers: &HeaderMap) {
    let Ok(Some(former)) = cookies::cookie(headers, cookies::REFRESH) else { return };
    end_former_session(app, former).await;
}

/// Ends the session of this token, where it still goes on.
pub(super) async fn end_former_session(app: &App, former: &str) {
    let Ok(actor) = super::actor("sign-in") else { return };
    if let Err(error) = app.rescind.logout(former, LogoutScope::Session, actor).await {
        info!(?error, "the browser's former session was not ended");
    }
}

async fn open(app: &App, from: IpAddr, sign_in: SignIn, agent: Option<String>) -> Answer<TokenPair> {
    let client = client(app, sign_in.client_id.as_deref())?;
    let attempt = Attempt::new(&sign_in.username, from);
    app.throttle.admit(attempt).map_err(|wait| {
        warn!(client = %from, "sign-in refused: too many failures for the name or the address, or tries at once");
        metrics::counter!("rescind_sign_ins_total", "result" => "throttled").increment(1);
        Failure::too_many("too many failed sign-ins; wait", wait)
    })?;
    let verified = app.users.verify(&sign_in.username, sign_in.password, || app.rescind.prove()).await;
    // A success costs nothing, and neither does a password that was not looked at. One whose caller went away does.
    if !matches!(verified, Ok(None) | Err(UserError::Unproven(_))) {
        app.throttle.give_back(attempt);
    }
    let Some(user) = verified? else {
        // The name may be a password that was typed into the wrong field, so it is not logged.
        warn!(client = %from, "sign-in failed");
        metrics::counter!("rescind_sign_ins_total", "result" => "failed").increment(1);
        return Err(wrong_credentials());
    };
    let class = app.config.clients.class(client.as_str());
    let session = OpenSession {
        subject: user.subject.clone(),
        client,
        class,
        auth_time: None,
        device: sign_in.device.as_deref().map(shown).or(agent).filter(|device| !device.is_empty()),
        scope: None,
        claims: None,
    };
    let pair = app.rescind.open_session(session).await?;
    // Asked behind the session's opening: a cut-off that came with a new password, while the old one was being checked,
    // lies before this session and does not cover it. One that is still to come does.
    if !app.users.is_unchanged(&user).await? {
        take_back(app, &pair).await?;
        return Err(wrong_credentials());
    }
    info!(client = %from, session = %pair.session_id, "signed in");
    metrics::counter!("rescind_sign_ins_total", "result" => "opened").increment(1);
    Ok(pair)
}

/// Ends a session that was opened for a user who has been changed meanwhile, and that nobody was given.
pub(super) async fn take_back(app: &App, pair: &TokenPair) -> Result<(), Error> {
    let text = |word| Text::new(word).map_err(|error| Error::Internal(error.into()));
    let scope = Scope::session(pair.session_id);
    app.rescind.revoke(Revoke { scope, reason: text("user_changed")?, actor: text("login")? }).await?;
    Ok(())
}

/// A sign-in by password is for public clients: a confidential one opens sessions through the admin API.
fn client(app: &App, named: Option<&str>) -> Answer<ClientId> {
    let id = named.unwrap_or(CLIENT);
    if app.config.clients.find(id).is_some_and(crate::config::Registered::confidential) {
        return Err(Failure::invalid_request("client_id names a client with a secret; it signs users in by itself"));
    }
    ClientId::new(id).map_err(|error| Failure::invalid_request(format!("client_id {error}")))
}

/// One answer for an unknown name, a wrong password and a disabled user.
fn wrong_credentials() -> Failure {
    Failure::new(StatusCode::UNAUTHORIZED, "invalid_grant", "the user name or the password is wrong")
        .with(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"rescind\""))
}

/// What the browser calls itself, for the list of devices.
pub(super) fn device(headers: &HeaderMap) -> Option<String> {
    headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok()).map(shown)
}

fn shown(device: &str) -> String {
    device.chars().filter(|c| !c.is_control()).take(DEVICE_LIMIT).collect()
}

impl From<UserError> for Failure {
    fn from(error: UserError) -> Self {
        match error {
            UserError::Invalid(problem) => Self::invalid_request(problem),
            UserError::Taken => Self::conflict("a user of this name exists already", None),
            UserError::NoPassword => Self::invalid_request(error.to_string()),
            UserError::Unknown => Self::not_found("no such user"),
            UserError::Busy => Self::unavailable("too many sign-ins at once", std::time::Duration::from_secs(1)),
            UserError::Store(error) | UserError::Unproven(error) => error.into(),
        }
    }
}
