//! The ready-made routes: `POST /refresh`, `POST /logout`, `GET /sessions`, `DELETE /sessions/{sid}`. Owns how they are
//! asked for; each file owns one route's rules, and what a token is worth is the engine's matter.

mod logout;
mod presented;
mod refresh;
mod sessions;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{FromRef, Request};
use axum::response::Response;
use axum::routing::{delete, get, post};
use http::request::Parts;
use rescind::log::Text;
use rescind::{Error, Rescind};
use serde::de::DeserializeOwned;

use crate::body::{self, Form, Kind};
use crate::cookies::Cookies;
use crate::guard::{Guard, InvalidOrigin};
use crate::tokens::never_stored;
use crate::{Refusal, TokensIn, Unreadable};

/// How long a body may take, unless said otherwise.
const PATIENCE: Duration = Duration::from_secs(15);

/// The ready-made routes for clients that keep their tokens themselves. They need nothing of the application's state,
/// and can be merged or nested under any path.
///
/// ```
/// use axum::Router;
/// use rescind::Rescind;
///
/// fn app(rescind: &Rescind) -> Router {
///     Router::new().nest("/auth", rescind_axum::routes(rescind)) // POST /auth/refresh and so on
/// }
/// ```
///
/// | route | takes | answers |
/// |---|---|---|
/// | `POST /refresh` | a refresh token | a new pair; 400 `invalid_grant` where it is refused |
/// | `POST /logout` | either token (an expired access token, too) and `scope`: `session`, `others` or `all` | how many sessions it ended |
/// | `GET /sessions` | an access token | the caller's live sessions |
/// | `DELETE /sessions/{sid}` | an access token | 404 for an unknown session and for somebody else's |
///
/// Bodies are JSON or a form of at most 64 KiB, or left out. An unknown member of a JSON body is refused; an unknown
/// parameter of a form is not looked at (RFC 6749 §3.2). 503 says nothing about a token, and nothing was spent or ended.
pub fn routes<S: Clone + Send + Sync + 'static>(rescind: &Rescind) -> Router<S> {
    Routes::new(rescind).into_router()
}

/// The ready-made routes, with more said about them.
///
/// For a browser, the tokens in cookies that no script can read:
///
/// ```
/// use axum::Router;
/// use rescind::Rescind;
/// use rescind_axum::{Cookies, InvalidOrigin, Routes};
///
/// fn app(rescind: &Rescind) -> Result<Router, InvalidOrigin> {
///     let routes = Routes::new(rescind).cookies(Cookies::new()).trust_origin("https://app.example.com")?;
///     Ok(Router::new().nest("/auth", routes.into_router()))
/// }
/// ```
#[derive(Clone)]
#[must_use = "they are no routes before `into_router`"]
pub struct Routes {
    rescind: Rescind,
    guard: Guard,
    tokens: Option<TokensIn>,
    cookies: Option<Cookies>,
    after_logout: Option<Arc<str>>,
    patience: Duration,
    token_endpoint: TokenEndpoint,
}

/// Who exchanges refresh tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TokenEndpoint {
    Ours,
    Theirs,
}

impl Routes {
    /// The routes as [`routes`] has them: tokens in headers and bodies, no cookies.
    pub fn new(rescind: &Rescind) -> Self {
        Self {
            rescind: rescind.clone(),
            guard: Guard::new(rescind),
            tokens: None,
            cookies: None,
            after_logout: None,
            patience: PATIENCE,
            token_endpoint: TokenEndpoint::Ours,
        }
    }

    /// Takes tokens from cookies as well, and answers a refresh token that came in one with new cookies and no token in
    /// the body. Logging out clears them, where the session does not go on.
    ///
    /// A cookie changes something only at the word of this site, as behind a [`Guard`].
    pub fn cookies(self, cookies: Cookies) -> Self {
        Self { cookies: Some(cookies), ..self }
    }

    /// Looks for tokens in these places, in place of what follows from [`cookies`](Self::cookies). A token in a body
    /// counts as one in a header.
    pub fn tokens_in(self, tokens: TokensIn) -> Self {
        Self { tokens: Some(tokens), ..self }
    }

    /// Takes the word of another origin for requests with a cookie, too.
    ///
    /// **Shape:** as a browser sends it: `https://app.example.com`, without default port and without path.
    ///
    /// # Errors
    /// [`InvalidOrigin`] where it can be no origin.
    pub fn trust_origin(self, origin: &str) -> Result<Self, InvalidOrigin> {
        Ok(Self { guard: self.guard.trust_origin(origin)?, ..self })
    }

    /// Sends a browser that logged out by a form and its cookies to this page (303), in place of the JSON.
    pub fn after_logout(self, page: &str) -> Self {
        Self { after_logout: Some(page.into()), ..self }
    }

    /// Waits so long for a request's body; 15 seconds if nothing is said.
    pub fn patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Leaves `POST /refresh` out, for a service whose token endpoint asks for more, such as a client's proof.
    pub fn without_refresh(self) -> Self {
        Self { token_endpoint: TokenEndpoint::Theirs, ..self }
    }

    /// The router, for any application's state.
    pub fn into_router<S: Clone + Send + Sync + 'static>(mut self) -> Router<S> {
        let tokens = self.places();
        self.guard = self.guard.tokens_in(tokens);
        let guard = self.guard.clone();
        // Behind the guard by method, so that another method is 405 whoever asks.
        let mut router = Router::new()
            .route("/sessions", get(sessions::list).route_layer(guard.clone()))
            .route("/sessions/{sid}", delete(sessions::end).route_layer(guard))
            .route("/logout", post(logout::submit));
        if self.token_endpoint == TokenEndpoint::Ours {
            router = router.route("/refresh", post(refresh::submit));
        }
        router.with_state(Shared(Arc::new(self)))
    }

    /// Reads a whole request, whose body may be left out.
    async fn read<T>(&self, request: Request) -> Result<(Parts, Option<Kind>, T), Unreadable>
    where
        T: DeserializeOwned + Default + for<'a> From<&'a Form>,
    {
        let (parts, content) = request.into_parts();
        let kind = body::kind(&parts.headers)?;
        let bytes = body::read(content, self.patience).await?;
        let asked = match kind {
            _ if bytes.is_empty() => T::default(),
            Some(Kind::Json) => body::json(&bytes)?,
            Some(Kind::Form) => T::from(&Form::parse(&bytes)?),
            None => return Err(Unreadable::invalid("Content-Type is missing; send application/json or a form")),
        };
        Ok((parts, kind, asked))
    }

    /// Where tokens are looked for.
    fn places(&self) -> TokensIn {
        let follows = if self.cookies.is_some() { TokensIn::HeaderOrCookie } else { TokensIn::Header };
        self.tokens.unwrap_or(follows)
    }
}

/// The routes' own state; the application's is another.
#[derive(Clone)]
struct Shared(Arc<Routes>);

impl FromRef<Shared> for Rescind {
    fn from_ref(shared: &Shared) -> Self {
        shared.0.rescind.clone()
    }
}

/// By whom the log says that an entry was made.
fn actor(route: &'static str) -> Result<Text, Refusal> {
    Text::new(route).map_err(|error| Error::Internal(error.into()).into())
}

/// The same answer, which no cache keeps.
fn kept_by_nobody(mut response: Response) -> Response {
    never_stored(response.headers_mut());
    response
}
