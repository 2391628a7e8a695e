//! The layer: lets a request through to its service only with an access token that is good, and by the rules of the
//! route. Owns what may be asked of a route; the check is the engine's. Needs no axum, and takes any body.
//!
//! ```
//! use std::convert::Infallible;
//! use std::time::Duration;
//!
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::Full;
//! use rescind::{OnStale, Rescind};
//! use rescind_axum::{Guard, admitted};
//! use tower::{ServiceBuilder, service_fn};
//!
//! async fn hello(request: Request<Full<Bytes>>) -> Result<Response<Full<Bytes>>, Infallible> {
//!     let subject = admitted(&request).map_or_else(|| "nobody".to_owned(), |token| token.subject().to_string());
//!     Ok(Response::new(Full::from(format!("hello {subject}"))))
//! }
//!
//! # fn service(rescind: Rescind) {
//! let service = ServiceBuilder::new()
//!     .layer(Guard::new(&rescind).require_scope("greet").on_stale(OnStale::AllowFor(Duration::from_secs(30))))
//!     .service_fn(hello);
//! # fn is_service(_: impl tower::Service<Request<Full<Bytes>>>) {}
//! # is_service(service);
//! # }
//! ```

mod answer;
mod csrf;
mod service;

use std::sync::Arc;
use std::time::Duration;

use http::Request;
use rescind::access_token::Verified;
use rescind::{OnStale, Policy, Rescind};
use tower_layer::Layer;

pub use self::answer::GuardBody;
use self::csrf::Csrf;
pub use self::csrf::InvalidOrigin;
pub use self::service::Guarded;
use crate::TokensIn;

/// A layer that checks the access token of every request.
///
/// The answer of a refused request is a [`Refusal`](crate::Refusal)'s; [`Reshape`](crate::Reshape) gives it another form.
/// Handlers of axum take [`Live`](crate::Live) as ever, and the token is not checked twice.
///
/// **Cost:** beside the check, which asks no store, a future and an entry in the request's extensions are allocated.
#[derive(Clone)]
#[must_use = "a guard does nothing until it is a layer of a service"]
pub struct Guard {
    rescind: Rescind,
    tokens: TokensIn,
    log: Log,
    need: Need,
    scopes: Vec<Arc<str>>,
    max_age: Option<Duration>,
    csrf: Csrf,
}

/// What a route asks of the revocation log.
#[derive(Debug, Clone, Copy)]
enum Log {
    Asked(Policy),
    Skipped,
}

/// Whether a request without a token passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Need {
    Required,
    Optional,
}

impl Guard {
    /// Asks every request for an access token in the `Authorization` header, by the handle's own policy for a stale view.
    pub fn new(rescind: &Rescind) -> Self {
        Self {
            rescind: rescind.clone(),
            tokens: TokensIn::Header,
            log: Log::Asked(Policy::Bounded(rescind.settings().on_stale)),
            need: Need::Required,
            scopes: Vec::new(),
            max_age: None,
            csrf: Csrf::new(),
        }
    }

    /// Looks for the token in these places. A token that comes by cookie changes something only at the word of this
    /// site: other methods than GET, HEAD and OPTIONS, and whatever opens a socket, are refused where `Sec-Fetch-Site`, or
    /// `Origin` where that is absent, tells of another.
    pub fn tokens_in(self, tokens: TokensIn) -> Self {
        Self { tokens, ..self }
    }

    /// Takes the word of another origin for requests with a cookie, too.
    ///
    /// **Shape:** as a browser sends it: `https://app.example.com`, without default port and without path.
    ///
    /// # Errors
    /// [`InvalidOrigin`] where it can be no origin.
    pub fn trust_origin(self, origin: &str) -> Result<Self, InvalidOrigin> {
        Ok(Self { csrf: self.csrf.trust(origin)?, ..self })
    }

    /// Does this on a stale view, in place of the handle's own policy.
    pub fn on_stale(self, on_stale: OnStale) -> Self {
        Self { log: Log::Asked(Policy::Bounded(on_stale)), ..self }
    }

    /// Answers from a view that is complete as of the request: one read of the log's head, shared by all checks of the
    /// same moment.
    pub fn strict(self) -> Self {
        Self { log: Log::Asked(Policy::Strict), ..self }
    }

    /// **A revoked token passes.** Signature, claims and times are checked, and the log is not asked. Handlers take
    /// [`Unchecked`](crate::Unchecked) in place of [`Live`](crate::Live); one that takes `Live` has the log asked all the same.
    pub fn skip_revocation_check(self) -> Self {
        Self { log: Log::Skipped, ..self }
    }

    /// Lets a request without a token through, as nobody's. One with a bad token is refused. Scopes and a fresh sign-in are
    /// asked of those who come with a token, and not of nobody.
    pub fn optional(self) -> Self {
        Self { need: Need::Optional, ..self }
    }

    /// Asks for a word of the OAuth scope; called twice, for both (RFC 6750 §3.1: else 403 `insufficient_scope`).
    pub fn require_scope(mut self, word: &str) -> Self {
        self.scopes.push(word.into());
        self
    }

    /// Asks for a sign-in that is no older than this (RFC 9470 §3: else 401 `insufficient_user_authentication`).
    pub fn require_fresh(self, max_age: Duration) -> Self {
        Self { max_age: Some(max_age), ..self }
    }
}

impl<S> Layer<S> for Guard {
    type Service = Guarded<S>;

    fn layer(&self, inner: S) -> Guarded<S> {
        Guarded::new(inner, Arc::new(self.clone()))
    }
}

/// What a guard leaves in a request's extensions. The innermost one's is what handlers find.
#[derive(Clone)]
pub(crate) struct Passed {
    guard: Arc<Guard>,
    who: Who,
}

impl Passed {
    /// Whose request it is, as far as this handle goes: a token that was good to another is not known to be good to it.
    pub(crate) fn who(&self, rescind: &Rescind) -> &Who {
        // All clones of a handle share one place of its settings.
        if std::ptr::eq(self.guard.rescind.settings(), rescind.settings()) { &self.who } else { &Who::Nobody }
    }

    /// Where the guard looked for a token. One that came by cookie, it has let pass at the word of this site only.
    pub(crate) fn tokens(&self) -> TokensIn {
        self.guard.tokens
    }
}

/// Whose request it is, as far as a guard asked.
#[derive(Clone)]
pub(crate) enum Who {
    Live(rescind::Live),
    /// The log was not asked.
    Unchecked(Verified),
    Nobody,
}

/// The token that a [`Guard`] let pass; `None` where it was optional and none came, or where no guard stands before.
///
/// Behind [`skip_revocation_check`](Guard::skip_revocation_check) there is none either: the log was not asked. Where guards of
/// several handles stand before, it is the innermost one's.
pub fn admitted<B>(request: &Request<B>) -> Option<&rescind::Live> {
    match &request.extensions().get::<Passed>()?.who {
        Who::Live(live) => Some(live),
        Who::Unchecked(_) | Who::Nobody => None,
    }
}
